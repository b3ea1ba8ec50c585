/*
 * A system that refuses memory: in every unit program malloc, calloc, realloc and mmap of proxyd's
 * own code go through here (the linker's --wrap), what libraries allocate does not.
 */
#ifndef TESTS_HELP_MEMORY_H
#define TESTS_HELP_MEMORY_H

#include "base/types.h"

/* The nth request for memory from now on is refused, counted from 1, and with `lasting` all after
 * it; 0: none. One thread. */
void memory_refuse(unsigned nth, bool lasting);
/* None from now on. How many were refused? */
unsigned memory_relent(void);

#endif
