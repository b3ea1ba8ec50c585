/*
 * The files of `secret file F`, and those of `file` in a `pac` block: when the first line of a
 * secret, or anything in a script, changes, the configuration is read again. A secret that cannot
 * be read, or whose first line is empty (it may be half written), changes nothing, and the error
 * log says so.
 */
#ifndef PROXYD_SECRETS_H
#define PROXYD_SECRETS_H

#include "config/tree.h"
#include "io/watch.h"

struct secrets;

struct secrets_conf {
    struct watcher *watcher;
    void (*changed)(void *arg);                   /* one has another value than the one in force */
    void (*unusable)(void *arg, const char *why); /* a line for the error log */
    void *arg;                                    /* both are called on an offload thread */
};

struct secrets *secrets_new(const struct secrets_conf *conf);
/* The values of this tree are in force from now on: its files are watched and no others. Before it
 * has returned `changed` may have been called, and lead to a call for another tree, which waits. */
void secrets_follow(struct secrets *s, const struct tree *t);
/* After it nothing is called any more but what has begun; before watcher_free. */
void secrets_free(struct secrets *s);

#endif
