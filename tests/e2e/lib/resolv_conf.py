"""A resolv.conf of a daemon's own: for it, /etc/resolv.conf is the file `resolv.conf` in its folder, which
stands for /etc where the daemon watches that.

The servers in it may have a port, which the system's has not.
"""
from .preload import preload

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

static const char *other(const char *path)
{
    return strcmp(path, "/etc/resolv.conf") == 0 ? "resolv.conf" : path;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    int (*real)(int, const char *, uint32_t) = dlsym(RTLD_NEXT, "inotify_add_watch");
    return real(fd, strcmp(path, "/etc") == 0 ? "." : other(path), mask);
}

ssize_t readlink(const char *path, char *target, size_t size)
{
    ssize_t (*real)(const char *, char *, size_t) = dlsym(RTLD_NEXT, "readlink");
    return real(other(path), target, size);
}

int stat(const char *path, struct stat *st)
{
    int (*real)(const char *, struct stat *) = dlsym(RTLD_NEXT, "stat");
    return real(other(path), st);
}

int open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    va_list ap;
    va_start(ap, flags);
    int mode = va_arg(ap, int);
    va_end(ap);
    return real(other(path), flags, mode);
}
"""


def own_resolv_conf(folder):
    """The environment to start the daemon with."""
    return preload(folder, "resolv_conf", _SOURCE)
