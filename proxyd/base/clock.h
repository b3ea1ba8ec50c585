/*
 * Time, read once per turn of a loop. Timers run on the monotonic clock in milliseconds, so that a
 * wall clock stepped by a year moves none of them; the wall clock is for logs and Date only.
 * clock_gettime of these two clocks is a vDSO call (about 25 ns), never a system call.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <time.h>

#include "base/types.h"

struct clock {
    u64 mono_us; /* monotonic microseconds */
    u64 mono_ms; /* the same: asked for some ten times in a turn */
    u64 wall_us; /* microseconds since 1970 */
};

static inline u64 clock_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (u64)ts.tv_sec * 1000000 + (u64)ts.tv_nsec / 1000;
}
static inline void clock_read(struct clock *c)
{
    c->mono_us = clock_us(CLOCK_MONOTONIC);
    c->mono_ms = c->mono_us / 1000;
    c->wall_us = clock_us(CLOCK_REALTIME);
}
static inline u64 clock_ms(const struct clock *c)
{
    return c->mono_ms;
}

#endif
