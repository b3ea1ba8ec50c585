#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"

enum { END_MARGIN_MS = 10000 };

static struct {
    struct sockaddr_un at;
    socklen_t n;
    int fd; /* 0: nobody is told */
} manager;

/* A path, or @NAME for a name that stands in no folder: its first byte is NUL. */
static bool find_socket(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    if (n < 2 || n >= sizeof manager.at.sun_path || (name[0] != '/' && name[0] != '@'))
        return false;
    manager.at.sun_family = AF_UNIX;
    memcpy(manager.at.sun_path, name, n);
    if (name[0] == '@')
        manager.at.sun_path[0] = 0;
    manager.n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/'));
    return true;
}

void notify_open(void)
{
    struct timeval limit = { .tv_sec = 1 };
    if (!find_socket(getenv("NOTIFY_SOCKET")))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd <= 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    manager.fd = fd;
}

static void tell(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void tell(const char *fmt, ...)
{
    char lines[256];
    va_list ap;
    if (manager.fd == 0)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(lines, sizeof lines, fmt, ap);
    va_end(ap);
    if (n > 0)
        (void)!sendto(manager.fd, lines, (size_t)n < sizeof lines ? (size_t)n : sizeof lines - 1,
                      MSG_NOSIGNAL, (struct sockaddr *)&manager.at, manager.n);
}

void notify_ready(void)
{
    tell("READY=1");
}

/* The time tells which READY belongs to it: a manager may have asked again meanwhile. */
void notify_reloading(void)
{
    tell("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_us(CLOCK_MONOTONIC));
}

void notify_status(const char *line)
{
    tell("STATUS=%s", line);
}

void notify_stopping(u32 most_ms)
{
    tell("STOPPING=1\nSTATUS=finishing what runs");
    if (most_ms != UINT32_MAX)
        tell("EXTEND_TIMEOUT_USEC=%llu", ((unsigned long long)most_ms + END_MARGIN_MS) * 1000);
}

void notify_alive(void)
{
    tell("WATCHDOG=1");
}
