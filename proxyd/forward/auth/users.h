/*
 * The users of an `auth` block while the process runs: read at the start, read again when their
 * files change, and asked on the offload threads whether a name and a password fit.
 *
 * The hard thing is the price: a good hash takes a tenth of a second, and a browser sends the
 * password with every request. What has fitted is remembered for some minutes by a keyed hash of
 * the credentials, here for all workers and in each worker for itself (check.h); it holds only
 * as long as the hash in the file is the same.
 */
#ifndef FORWARD_AUTH_USERS_H
#define FORWARD_AUTH_USERS_H

#include "core/common/registry.h"
#include "core/conf.h"
#include "io/watch.h"
#include "policy/auth.h"

struct auth_meter;
struct auth_users;
struct auth_worker;

/* The one for these files, which are read when it is new. May block. It stays as long as s. */
struct auth_users *auth_users_get(struct registry *r, struct snapshot *s,
                                  const struct policy_auth *conf);
/* For jobs: as long as one is held it stays. Any thread. */
struct auth_users *auth_users_hold(struct auth_users *u);
void auth_users_drop(struct auth_users *u);

/* Files are watched from now on, and `say` gets lines for the error log, on an offload thread. */
void auth_users_start(struct watcher *w,
                      void (*say)(void *arg, enum log_level level, const char *text), void *arg);
/* No watch begins any more. Before the watcher goes. */
void auth_users_end(void);

/* Counts up when the files have been read again. Any thread. */
u32 auth_users_generation(const struct auth_users *u);

struct auth_print {
    u64 of[2]; /* of the credentials as they were sent, by keys of this process */
};
struct auth_answer {
    bool known; /* the files could be read at all */
    bool fits;
    u32 generation;           /* of what was asked */
    u64 until_ms;             /* monotonic: for so long it may be remembered */
    struct slice identity;    /* fits: malloc'ed, the caller's */
    struct auth_meter *meter; /* fits: held for the caller, or NULL */
};
/* On an offload thread; as slow as the hash. */
struct auth_answer auth_users_ask(struct auth_users *u, struct auth_print print, struct slice name,
                                  struct slice password, u64 now_ms);

/* The identity of that name as the files have it now, copied into a; p NULL: it is not there. Any
 * thread but a worker's. */
struct slice auth_users_identity(struct auth_users *u, struct slice name, struct arena *a);

/* What a worker keeps for itself, made at the first call by its thread (check.c). */
struct auth_worker **auth_users_of_worker(struct auth_users *u, u32 worker);

#endif
