/*
 * Two levels of locking: `reading` lets one reading of the files happen at a time, `lock` guards
 * the version in force and is held for pointer moves alone, so that the jobs that compare do not
 * wait for a file. A version lives as long as a job looks at it.
 */
#include "forward/auth/users.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "core/common/snapshot.h"
#include "forward/auth/check.h"
#include "forward/auth/meter.h"

/* Verified credentials: a table of so many, a new one in the place of whatever was there. */
enum { VERIFIED = 4096, REMEMBERED_MS = 5 * 60 * 1000, TOLD_LINES = 10 };

/* One reading of the files. */
struct version {
    struct users *users;
    struct auth_meter **meter; /* of each user, from his first proof on; under the lock */
    u32 holders;               /* under the lock */
};

struct verified {
    struct auth_print print;
    u64 hash; /* of the hash in the file that it fitted */
    u64 until_ms;
};

/* One of the files. */
struct watched {
    struct auth_users *users;
    struct watch *watch; /* under the service's lock; NULL: none, or it has ended */
};

struct auth_users {
    struct auth_users *next;  /* under the service's lock */
    _Atomic u32 holders;      /* the registry, watches, jobs */
    struct policy_auth files; /* its paths */
    char *key;
    struct watched watched[2];
    pthread_mutex_t reading; /* one reading at a time; guards failed, and writing to version */
    bool failed;             /* the last one */
    pthread_mutex_t lock;    /* guards what follows; no worker ever takes it */
    struct version *version; /* NULL: never read */
    struct verified *verified;
    _Atomic u32 generation;
    struct auth_worker *of_worker[MOST_WORKERS]; /* each of that worker's thread */
};

static struct service {
    pthread_mutex_t lock;
    struct auth_users *first;
    struct watcher *watcher;
    void (*say)(void *arg, enum log_level level, const char *text);
    void *arg;
} service = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the end of things ---- */

/* Under the lock of u. */
static void drop_version(struct version *v)
{
    if (v == NULL || --v->holders)
        return;
    for (size_t i = 0; i < users_count(v->users); i++)
        auth_meter_drop(v->meter[i]);
    free(v->meter);
    users_free(v->users);
    free(v);
}

struct auth_users *auth_users_hold(struct auth_users *u)
{
    atomic_fetch_add(&u->holders, 1);
    return u;
}

void auth_users_drop(struct auth_users *u)
{
    if (atomic_fetch_sub(&u->holders, 1) > 1)
        return;
    for (u32 i = 0; i < MOST_WORKERS; i++)
        auth_worker_free(u->of_worker[i]);
    drop_version(u->version);
    pthread_mutex_destroy(&u->lock);
    pthread_mutex_destroy(&u->reading);
    free(u->verified);
    free(u->key);
    free(u);
}

/* ---- reading ---- */

struct told {
    const struct auth_users *u;
    struct text text;
    u32 lines;
    char area[2048];
};

static void tell_line(void *ctx, enum users_file file, u32 line, bool warning, const char *why)
{
    struct told *t = ctx;
    if (warning || ++t->lines > TOLD_LINES)
        return;
    text_lit(&t->text, "\n  ");
    text_add(&t->text, slice_of(file == USERS_GROUPS ? t->u->files.groups : t->u->files.passwords));
    text_char(&t->text, ':');
    text_u64(&t->text, line);
    text_lit(&t->text, ": ");
    text_add(&t->text, slice_of(why));
}

static void say(enum log_level level, const char *text)
{
    if (service.say)
        service.say(service.arg, level, text);
}

static void report(const struct auth_users *u, const struct users *users, const char *why,
                   struct told *t)
{
    char line[2600];
    if (users == NULL)
        snprintf(line, sizeof line, "%s%s\n", why,
                 u->version ? "; the users read before stay" : "; nobody can say who he is");
    else
        snprintf(line, sizeof line, "users of %s: %zu, %u lines left out%.*s\n", u->files.passwords,
                 users_count(users), t->lines, SLICE_FMT(text_slice(&t->text)));
    say(users ? LEVEL_INFO : LEVEL_ERROR, line);
}

static size_t number_of(const struct version *v, const struct user *user)
{
    return (size_t)(user - users_at(v->users, 0));
}

/* Who stays has asked as often as before. */
static void hand_on_meters(struct version *from, struct version *to)
{
    for (size_t i = 0; i < users_count(from->users); i++) {
        const struct user *same =
            from->meter[i] ? users_find(to->users, users_at(from->users, i)->name) : NULL;
        if (same)
            to->meter[number_of(to, same)] = auth_meter_hold(from->meter[i]);
    }
}

static void publish(struct auth_users *u, struct users *users)
{
    struct version *v = must_zalloc(sizeof *v), *old;
    *v = (struct version){ users, must_zalloc((users_count(users) + 1) * sizeof *v->meter), 1 };
    pthread_mutex_lock(&u->lock);
    old = u->version;
    if (old)
        hand_on_meters(old, v);
    u->version = v;
    drop_version(old);
    pthread_mutex_unlock(&u->lock);
    atomic_fetch_add(&u->generation, 1);
}

/* A watch looks more often than something changes: what is the same is not told again. */
static bool read_files(struct auth_users *u)
{
    char why[512];
    struct told t = { .u = u };
    t.text = text_in(t.area, sizeof t.area);
    const struct users_report r = { tell_line, &t };
    pthread_mutex_lock(&u->reading);
    struct users *users = users_load(u->files.passwords, u->files.groups, &r, why, sizeof why);
    bool same = users && u->version && users_print(u->version->users) == users_print(users);
    bool failed_again = users == NULL && u->failed;
    u->failed = users == NULL;
    if (!same && !failed_again)
        report(u, users, why, &t);
    if (same)
        users_free(users);
    else if (users)
        publish(u, users);
    pthread_mutex_unlock(&u->reading);
    return users != NULL;
}

static bool look(void *arg)
{
    return read_files(((struct watched *)arg)->users);
}

static void forget(void *arg)
{
    struct watched *w = arg;
    pthread_mutex_lock(&service.lock);
    w->watch = NULL;
    pthread_mutex_unlock(&service.lock);
    auth_users_drop(w->users);
}

/* Under the service's lock. */
static void watch_files(struct auth_users *u)
{
    const char *path[2] = { u->files.passwords, u->files.groups };
    for (unsigned i = 0; i < 2 && service.watcher; i++) {
        struct watched *w = &u->watched[i];
        if (path[i] == NULL || w->watch)
            continue;
        w->users = auth_users_hold(u);
        w->watch = watch_begin(service.watcher,
                               &(struct watch_conf){ path[i], JOB_users_file, look, forget, w });
    }
}

/* ---- the ones there are ---- */

static void end_entry(void *entry)
{
    struct auth_users *u = *(struct auth_users **)entry, **at = &service.first;
    pthread_mutex_lock(&service.lock);
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    struct watch *watch[2];
    for (unsigned i = 0; i < 2; i++) {
        watch[i] = u->watched[i].watch;
        u->watched[i].watch = NULL;
    }
    pthread_mutex_unlock(&service.lock);
    for (unsigned i = 0; i < 2; i++)
        if (watch[i])
            watch_end(watch[i]);
    auth_users_drop(u);
}

static const struct registry_kind kind = { .name = "users",
                                           .size = sizeof(struct auth_users *),
                                           .end = end_entry };

/* One block of memory: both paths with a NUL between them. */
static struct auth_users *new_users(struct slice key)
{
    struct auth_users *u = must_zalloc(sizeof *u);
    u->key = must_alloc(key.n + 1);
    memcpy(u->key, key.p, key.n);
    u->key[key.n] = 0;
    size_t first = strlen(u->key);
    u->files.passwords = u->key;
    u->files.groups = first < key.n ? u->key + first + 1 : NULL;
    u->verified = must_zalloc(VERIFIED * sizeof *u->verified);
    atomic_store(&u->holders, 1);
    pthread_mutex_init(&u->reading, NULL);
    pthread_mutex_init(&u->lock, NULL);
    (void)read_files(u);
    pthread_mutex_lock(&service.lock);
    u->next = service.first;
    service.first = u;
    watch_files(u);
    pthread_mutex_unlock(&service.lock);
    return u;
}

struct auth_users *auth_users_get(struct registry *r, struct snapshot *s,
                                  const struct policy_auth *conf)
{
    size_t n = strlen(conf->passwords), more = conf->groups ? 1 + strlen(conf->groups) : 0;
    char *area = arena_alloc(&s->arena, n + more + 1);
    memcpy(area, conf->passwords, n + 1);
    if (more)
        memcpy(area + n + 1, conf->groups, more - 1);
    struct slice key = { area, n + more };
    struct auth_users **entry = registry_get(r, s, &kind, key);
    if (*entry == NULL)
        *entry = new_users(key);
    return *entry;
}

void auth_users_start(struct watcher *w,
                      void (*say_it)(void *arg, enum log_level level, const char *text), void *arg)
{
    pthread_mutex_lock(&service.lock);
    service.watcher = w;
    service.say = say_it;
    service.arg = arg;
    for (struct auth_users *u = service.first; u; u = u->next)
        watch_files(u);
    pthread_mutex_unlock(&service.lock);
}

void auth_users_end(void)
{
    pthread_mutex_lock(&service.lock);
    service.watcher = NULL;
    pthread_mutex_unlock(&service.lock);
}

u32 auth_users_generation(const struct auth_users *u)
{
    return atomic_load_explicit(&u->generation, memory_order_relaxed);
}

struct auth_worker **auth_users_of_worker(struct auth_users *u, u32 worker)
{
    return &u->of_worker[worker];
}

/* ---- asking ---- */

static u64 hash_of(const struct user *user)
{
    return hash64(hash_process_key(), user->password.stored.p, user->password.stored.n);
}

static struct verified *place_of(struct auth_users *u, struct auth_print print)
{
    return &u->verified[print.of[0] % VERIFIED];
}

static bool is_verified(struct auth_users *u, struct auth_print print, const struct user *user,
                        u64 now_ms)
{
    const struct verified *v = place_of(u, print);
    return v->until_ms > now_ms && v->print.of[0] == print.of[0] && v->print.of[1] == print.of[1] &&
           v->hash == hash_of(user);
}

/* Under the lock. NULL: the name is gone meanwhile, or there is no memory. */
static struct auth_meter *hold_meter(struct auth_users *u, struct slice name)
{
    struct version *v = u->version;
    const struct user *user = users_find(v->users, name);
    if (user == NULL)
        return NULL;
    struct auth_meter **m = &v->meter[number_of(v, user)];
    if (*m == NULL)
        *m = auth_meter_new();
    return auth_meter_hold(*m);
}

static void give_identity(struct auth_answer *a, const struct user *user)
{
    char *copy = malloc(user->identity.n);
    if (copy == NULL)
        return; /* a refusal is what is left */
    memcpy(copy, user->identity.p, user->identity.n);
    a->identity.p = copy;
    a->identity.n = user->identity.n;
    a->fits = true;
}

/* Whoever is in no file costs as much as the others: else the time tells who is. */
static bool compare(const struct users *users, const struct user *user, struct slice password)
{
    const struct password *p = user ? &user->password : users_usual_password(users);
    bool fits = p && password_fits(p, password);
    return fits && user;
}

struct auth_answer auth_users_ask(struct auth_users *u, struct auth_print print, struct slice name,
                                  struct slice password, u64 now_ms)
{
    struct auth_answer a = { .generation = auth_users_generation(u),
                             .until_ms = now_ms + REMEMBERED_MS };
    pthread_mutex_lock(&u->lock);
    struct version *v = u->version;
    const struct user *user = v ? users_find(v->users, name) : NULL;
    bool known = user && is_verified(u, print, user, now_ms);
    if (known)
        a.until_ms = place_of(u, print)->until_ms;
    if (v)
        v->holders++;
    pthread_mutex_unlock(&u->lock);
    if (v == NULL)
        return a;
    a.known = true;
    bool fits = known || compare(v->users, user, password);
    if (fits)
        give_identity(&a, user);
    pthread_mutex_lock(&u->lock);
    if (a.fits)
        a.meter = hold_meter(u, name);
    if (fits && !known)
        *place_of(u, print) = (struct verified){ print, hash_of(user), a.until_ms };
    drop_version(v);
    pthread_mutex_unlock(&u->lock);
    return a;
}

struct slice auth_users_identity(struct auth_users *u, struct slice name, struct arena *a)
{
    struct slice identity = { NULL, 0 };
    pthread_mutex_lock(&u->lock);
    const struct user *user = u->version ? users_find(u->version->users, name) : NULL;
    if (user)
        identity = arena_copy(a, user->identity);
    pthread_mutex_unlock(&u->lock);
    return identity;
}
