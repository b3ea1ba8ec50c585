/*
 * Another configuration in place of the one that runs, without a restart. One thread reads, checks
 * and compiles it, for a file may be large or stand on a disk that has gone away; opens the
 * addresses that are new; and publishes it. Until then nothing has changed: a file that is wrong,
 * or an address that is held, leaves everything as it was.
 *
 * What comes while one is under way is one reload more, however often it was asked for, and sees
 * the file as it is then.
 */
#ifndef PROXYD_RELOAD_H
#define PROXYD_RELOAD_H

#include "admin/conf.h"
#include "config/tree.h"
#include "core/conf.h"
#include "core/worker.h"
#include "io/watch.h"

enum reload_outcome {
    RELOAD_DONE,   /* every worker uses the new one */
    RELOAD_WRONG,  /* the configuration is wrong */
    RELOAD_FAILED, /* it cannot be used: an address that is held, a worker that hangs */
    RELOAD_ENDING  /* the process ends */
};

struct reload_result {
    enum reload_outcome outcome;
    char *text; /* lines: what changed, or what is wrong; freed by reload_result_free */
};
void reload_result_free(struct reload_result *r);

struct reload;

/* What runs now: the tree that the engine's newest snapshot was compiled from (needed during the
 * call only), where it came from (NULL: built in), and the admin listener, which stays. Starts the
 * thread. */
struct reload *reload_new(struct engine *e, const struct tree *t, const char *path,
                          const struct admin_conf *admin);
/* Follows the secrets' files of the tree that runs and of those that take its place: a value that
 * changes asks for a reload. Once, before anybody asks for one; w has to outlive reload_free. */
void reload_watch(struct reload *r, struct watcher *w, const struct tree *t);
/* Soon; any thread. */
void reload_ask(struct reload *r);
/* The same, and waits for the end of one that began after the call. Any thread that may block. */
void reload_run(struct reload *r, struct reload_result *out);
/* Lines for the error log, through a worker; dropped once reload_end has begun. Any thread that may
 * block. */
void reload_log(struct reload *r, enum log_level level, const char *text);
/* No more of them: when it returns none is being published, and none will be. Never waits for a
 * file. Before the workers drain. */
void reload_end(struct reload *r);
/* Has its thread ended? One that hangs on a file never does. */
bool reload_ended(struct reload *r);
/* After reload_ended. */
void reload_free(struct reload *r);

#endif
