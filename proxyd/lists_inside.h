/* What the files of lists.h share: a list as it runs, with its content, and all of them. */
#ifndef PROXYD_LISTS_INSIDE_H
#define PROXYD_LISTS_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/worker.h"
#include "errand.h"
#include "fetch.h"
#include "io/offload.h"
#include "io/watch.h"
#include "list_conf.h"
#include "list_copy.h"
#include "list_load.h"
#include "lists.h"
#include "reload.h"

enum { LIST_SAID = 768 };

struct version {
    struct offload_job job; /* that frees it */
    struct list_content *list;
    _Atomic u32 holders; /* workers, and the source */
};

struct list_source;
struct source_watch {
    struct source_watch *next;
    struct list_source *source;
    struct watch *watch; /* under the service's lock; NULL: ended */
    char path[];
};

/* Of a list that is fetched: when, and what came of it. Under `lock`, but for what only the list's
 * own thread touches. */
struct source_plan {
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool ends;       /* nothing is fetched any more */
    bool anyway;     /* whoever asked takes a content that has shrunk */
    u64 asked, done; /* attempts that people asked for; those that are over */
    u64 attempts;    /* that are over */
    u64 due_ms;      /* the next one, monotonic */
    char said[LIST_SAID], error[LIST_SAID]; /* of the last attempt or load; error: empty: good */
    u64 error_s;
    u32 failures;            /* in a row; the thread's */
    bool warned;             /* that no copy is kept; the thread's */
    struct list_stamp stamp; /* of the content in force; the thread's once it runs */
};

struct list_source {
    struct list_slot slot;    /* first: what the configuration points to */
    struct list_source *next; /* under the service's lock */
    _Atomic u32 users;        /* the registry, watches, posted calls, the thread */
    struct arena arena;
    struct list_conf conf;
    struct list_place place;
    struct errand errand;
    struct source_plan plan;
    pthread_mutex_t loading; /* one at a time; guards what follows */
    u64 signature;           /* of the files that were loaded last, or tried in vain */
    struct source_watch *watches;
    u32 nwatches;
    struct version *newest;
    struct version *held[LIST_READERS]; /* slot.of[i] is its list; of each reader's thread */
    _Atomic bool loaded;
    _Atomic u64 entries, rejected, bytes, refused, failed, loaded_s, checked_s;
    _Atomic(const char *) format, bare; /* as words; NULL: not loaded */
};

struct service {
    pthread_mutex_t lock;
    struct list_source *first;
    struct engine *engine; /* NULL: no worker runs yet */
    struct watcher *watcher;
    struct reload *reload;
    struct fetching *fetching;
    const char *folder;  /* of copies, as long as the process; NULL: none */
    bool has_folder;     /* it is known */
    _Atomic u32 threads; /* of lists that are fetched */
    bool ending, only_complain;
    pthread_mutex_t asking; /* held by whoever is the last reader, and while it gets a content */
};
extern struct service lists_service;

/* ---- list_source.c ---- */

void list_source_ref(struct list_source *s);
void list_source_unref(struct list_source *s);
/* Loads c and, unless something speaks against it, puts it in force; says what came of it, in the
 * log and in s->plan. Under s->loading. `fresh`: no worker knows the source yet. */
bool list_source_take(struct list_source *s, const struct list_conf *c, bool fresh, bool anyway);
/* For the error log: "list NAME: …"; text may end with a newline. */
void list_source_say(struct list_source *s, enum log_level level, const char *text);
/* Of a file or folder: it is read for the first time; read again, even if it has not changed; its
 * changes are followed, once there is a watcher; no more. */
void list_source_begin(struct list_source *s);
void list_source_again(struct list_source *s, bool anyway);
void list_source_watch_all(struct list_source *s);
void list_source_unwatch(struct list_source *s);

/* ---- list_refresh.c ---- */

/* Takes the last good copy, if there is one, and starts the thread when workers run. */
void refresh_begin(struct list_source *s);
/* Its thread: from now on it is fetched when it is time. */
void refresh_start(struct list_source *s);
void refresh_end(struct list_source *s);
/* Until an attempt is over, or at most so long. */
void refresh_await(struct list_source *s, u64 ms);
/* Asks for an attempt and waits for its end; what came of it is in s->plan. */
void refresh_now(struct list_source *s, bool anyway);

#endif
