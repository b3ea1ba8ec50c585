/* What is asked of the process from several sides; the one hard thing is a standard error that
 * nobody reads. */
#include "process.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lists.h"

static _Atomic bool is_draining;

void process_say(const char *fmt, ...)
{
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&p, 1, 1000) == 0) /* a pipe that nobody reads must not keep us */
        return;
    va_list ap;
    va_start(ap, fmt);
    fputs("proxyd: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

const struct snapshot *process_newest(const struct process *p)
{
    return atomic_load(&p->engine.newest);
}

bool process_is_ready(const char **why)
{
    *why = atomic_load(&is_draining) ? "draining" : "a list has not been loaded yet";
    return !atomic_load(&is_draining) && lists_loaded();
}

void process_drains(void)
{
    atomic_store(&is_draining, true);
}
