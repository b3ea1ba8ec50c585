/* What is asked of the process from several sides; the one hard thing is a standard error that
 * nobody reads. */
#include "process.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lists.h"

static _Atomic bool is_draining;

/* A line is one write: in three, as stdio makes them, lines of the log and of other threads would
 * stand between its parts, and a process that forks in the middle would say a part twice. */
void process_say(const char *fmt, ...)
{
    char line[2048] = "proxyd: ";
    enum { BEGIN = sizeof "proxyd: " - 1, MOST = sizeof line - BEGIN - 1 };
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    va_list ap;
    va_start(ap, fmt);
    int said = vsnprintf(line + BEGIN, MOST, fmt, ap);
    va_end(ap);
    size_t n = said < 0 ? 0 : said < MOST ? (size_t)said : MOST - 1;
    line[BEGIN + n] = '\n';
    if (poll(&p, 1, 1000) != 0) /* a pipe that nobody reads must not keep us */
        (void)!write(STDERR_FILENO, line, BEGIN + n + 1);
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
