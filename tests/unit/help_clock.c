/* The clock of every unit program. */
#include "help_clock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic u64 ahead_us, held_us; /* held: the kernel's time when it stopped, or 0 */

void clock_forward(u64 ms)
{
    atomic_fetch_add(&ahead_us, ms * 1000);
}

static u64 kernels_us(void)
{
    struct timespec ts;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000000 + (u64)ts.tv_nsec / 1000;
}

void clock_hold(bool hold)
{
    u64 now = kernels_us(), since = atomic_exchange(&held_us, hold ? now : 0);
    if (since) /* what has passed meanwhile has not */
        atomic_fetch_sub(&ahead_us, now - since);
}

/* Instead of libc's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    long r = syscall(SYS_clock_gettime, id, ts);
    if (id != CLOCK_MONOTONIC)
        return (int)r;
    u64 held = atomic_load_explicit(&held_us, memory_order_relaxed);
    u64 us = (held ? held : (u64)ts->tv_sec * 1000000 + (u64)ts->tv_nsec / 1000) +
             atomic_load_explicit(&ahead_us, memory_order_relaxed);
    ts->tv_sec = (time_t)(us / 1000000);
    ts->tv_nsec = (long)(us % 1000000) * 1000;
    return (int)r;
}
