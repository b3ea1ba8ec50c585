/*
 * A monotonic clock that a test can put forward, instead of waiting: in every unit program
 * clock_gettime is ours and CLOCK_MONOTONIC is the kernel's plus what clock_forward has added. The
 * wall clock and what sleeps in the kernel know nothing of it.
 */
#ifndef TESTS_HELP_CLOCK_H
#define TESTS_HELP_CLOCK_H

#include "base/types.h"

/* Any thread. */
void clock_forward(u64 ms);
/* From now on no time passes but by clock_forward; false: it does again, from where it stood. For
 * tests in which a busy machine must not be too slow. */
void clock_hold(bool hold);

#endif
