/*
 * Files that are looked at again when they change: in place, by another one renamed over them, by
 * deletion and creation, by a symbolic link that leads elsewhere, by a folder that is replaced.
 *
 * It may be a folder: then what is directly in it counts.
 *
 * Every folder on the way to a file is watched for the one name that matters in it, and so is the
 * file; links are followed. Changes are collected until 200 ms have passed without one, at most
 * 2 s. The hard thing is that a path may lead to a disk that has gone away: whatever touches it is
 * done in a job of the offload threads, and the thread that waits for events touches no path.
 *
 * Where the kernel does not report changes (no inotify, too many watches, a folder that may not be
 * read, a network file system) the file is looked at every 2 s, and the error log says so once.
 */
#ifndef IO_WATCH_H
#define IO_WATCH_H

#include "io/offload.h"

struct watch_times {
    u32 quiet_ms, most_ms; /* see above */
    u32 poll_ms;
};

/* The service: one thread and one inotify descriptor for all files. */
struct watcher;
struct watch;

struct watcher_conf {
    struct offload *offload;
    void (*say)(void *arg, const char *line); /* for the administrator; on an offload thread */
    void *arg;
    struct watch_times times; /* zeroed: those above; tests have less time */
};
/* Never NULL. */
struct watcher *watcher_new(const struct watcher_conf *conf);
/* No look begins any more by itself. Before offload_end. */
void watcher_stop(struct watcher *w);
/* After offload_free. Ends the watches that are left. */
void watcher_free(struct watcher *w);

struct watch_conf {
    const char *path; /* copied; need not exist */
    enum job_kind kind;
    /* On an offload thread, never twice at once: soon after the begin, for what has changed since
     * it was read first, and after each change. It may be called when nothing has changed. False:
     * it could not be read now, and is looked at again in 2 s. */
    bool (*look)(void *arg);
    /* When look will not be called any more: frees arg, and does nothing else. NULL: nothing. */
    void (*forget)(void *arg);
    void *arg;
};
/* Any thread; blocks on nothing. Never NULL. */
struct watch *watch_begin(struct watcher *w, const struct watch_conf *conf);
/* Any thread but that of its own look; blocks on nothing. A look that runs ends by itself; then
 * comes `forget`, else within the call. */
void watch_end(struct watch *w);

#endif
