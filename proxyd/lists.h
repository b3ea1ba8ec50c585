/*
 * The lists of the running process: loads each off the workers, looks at its files again when they
 * change, and exchanges its content between two turns of every worker's loop.
 *
 * The hard thing is when an old content may go. Each worker has a pointer of its own to what it
 * asks (filters/list_slot.h), changed by a call posted to its loop; whoever drops the last pointer
 * gives the content to an offload thread. A list outlives the configurations that use it by
 * whatever still has to do with it: watches and posted calls.
 *
 * A new content that is broken, has fewer than `min-entries` or less than half of what was there is
 * not taken: the old one stays, and the error log and the counters say so.
 */
#ifndef PROXYD_LISTS_H
#define PROXYD_LISTS_H

#include "base/text.h"
#include "config/tree.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"
#include "io/watch.h"
#include "reload.h"

/* Puts the lists that are used into s->lists; those that are new are loaded, or fetched when the
 * workers run. `state`: as in struct root_conf. Blocks. */
void lists_compile(const struct tree *t, const char *state, struct snapshot *s, struct registry *r);
/* For root, before it becomes another user: what is kept of lists by URL is that user's. */
void lists_give_folder(unsigned uid, unsigned gid);
/* A list of `next` that has never been loaded, is not optional and not in `now`: its name; else
 * empty. */
struct slice lists_lacking(const struct snapshot *next, const struct snapshot *now);

/* From now on it is said only of a list that it could not be loaded: for commands. */
void lists_only_complain(void);

/* Between the two a thread that is no worker may ask the lists of a snapshot, as their reader
 * number s->nworkers; meanwhile no content is exchanged. */
void lists_ask_begin(void);
void lists_ask_end(void);

/* Watches files from now on. w outlives the lists or is told to stop before. */
void lists_start(struct engine *e, struct watcher *w, struct reload *r);
/* No content is exchanged any more, and none fetched. Before the workers drain. */
void lists_end(void);
/* Have the threads that fetch ended? One that hangs on a disk never does. */
bool lists_ended(void);
/* After that, and when nobody reads a configuration any more. */
void lists_free(void);

/* Has each list that is not optional been loaded once? Any thread. */
bool lists_loaded(void);
/* Reads or fetches the lists of that name now and waits for what becomes of it: lines for people,
 * malloc'd. With `anyway` also a content that has shrunk is taken. True: the content in force is
 * what the source has. Any thread that may block. */
bool lists_refresh(struct slice name, bool anyway, char **text);

/* What is known of a list by now. Texts for the time of the call; times since 1970, 0: never. */
struct list_status {
    struct slice name, source;
    bool loaded, optional;
    const char *format, *bare; /* as words; NULL: not loaded */
    u64 entries, rejected, bytes;
    u64 loaded_s, checked_s, next_s; /* the last two: when its source was and will be asked */
    const char *error;               /* of the last attempt; empty: none */
    u64 error_s;
};
/* Of each list, in no order; any thread. `see` must not come back here. */
void lists_each(void (*see)(void *ctx, const struct list_status *l), void *ctx);
/* The metrics of all lists; any thread. */
void lists_metrics(struct text *out);

#endif
