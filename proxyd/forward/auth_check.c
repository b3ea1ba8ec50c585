#include "forward/auth_check.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "core/exchange/xchg.h"

enum {
    SETS = 256,
    WAYS = 4,
    REFUSED_MS = 10000, /* for so long a wrong password is wrong without being looked at */
    FAILURES = 1024,    /* addresses and names that are remembered for wrong passwords */
    FIRST_DELAY_MS = 250,
    ADDRESS_DELAY_MS = 8000,
    NAME_DELAY_MS = 2000,
    FORGIVEN_MS = 60000, /* after so long half of the failures are forgotten, and half again … */
    LONGEST_WAIT_MS = 10000,
    WAITING_MOST = 1024 /* jobs of one worker */
};

struct remembered {
    struct auth_print print;
    u64 until_ms;
    u32 generation;
    struct slice identity; /* malloc'ed; p NULL: they did not fit */
};

struct failures {
    u64 key;
    u64 last_ms; /* of a failure */
    u64 next_ms; /* before it nothing is looked at */
    u32 count;
};

struct auth_worker {
    struct remembered set[SETS][WAYS];
    struct failures address[FAILURES], name[FAILURES];
    struct list jobs;
    u32 njobs;
};

/* One comparison: waits for its time, then goes to the offload threads and comes back. */
struct check {
    struct offload_job job;
    struct role_timer timer;
    struct list link, waiting;
    struct worker *worker;
    struct auth_users *users;
    struct auth_print print;
    struct failures *address, *name; /* the worker's; whoever has the place now */
    u64 now_ms;
    struct auth_answer answer;
    u32 name_n, password_n;
    char text[]; /* both */
};

/* In the exchange's arena. */
struct wait {
    struct list link;
    struct xchg *x;
    struct check *check; /* NULL: it has come back */
    enum fault fault;    /* then: FAULT_NONE when they fit */
};

/* ---- what the worker remembers ---- */

static struct auth_worker *worker_part(struct worker *w, struct auth_users *u)
{
    struct auth_worker **at = auth_users_of_worker(u, w->id);
    if (unlikely(*at == NULL) && (*at = calloc(1, sizeof **at)) != NULL)
        list_init(&(*at)->jobs);
    return *at;
}

void auth_worker_free(struct auth_worker *a)
{
    if (a == NULL)
        return;
    expect(list_empty(&a->jobs));
    for (u32 i = 0; i < SETS * WAYS; i++)
        free((void *)(uintptr_t)a->set[i / WAYS][i % WAYS].identity.p);
    free(a);
}

struct auth_print auth_print_of(struct slice credentials)
{
    const struct hash_key *k = hash_process_key();
    struct hash_key other = { { ~k->k[0], k->k[1] ^ 0x9e3779b97f4a7c15 } };
    return (struct auth_print){ { hash64(k, credentials.p, credentials.n),
                                  hash64(&other, credentials.p, credentials.n) } };
}

static bool same(struct auth_print a, struct auth_print b)
{
    return a.of[0] == b.of[0] && a.of[1] == b.of[1];
}

enum auth_known auth_check_known(struct worker *w, struct auth_users *u, struct auth_print print,
                                 struct slice *identity)
{
    struct auth_worker *a = worker_part(w, u);
    if (unlikely(a == NULL))
        return AUTH_UNKNOWN;
    for (u32 i = 0; i < WAYS; i++) {
        const struct remembered *r = &a->set[print.of[0] % SETS][i];
        if (!same(r->print, print) || r->until_ms <= worker_ms(w) ||
            r->generation != auth_users_generation(u))
            continue;
        *identity = r->identity;
        return r->identity.p ? AUTH_FITS : AUTH_FITS_NOT;
    }
    return AUTH_UNKNOWN;
}

/* In the place of the same, or of what ends first. Takes the answer's identity. */
static void remember(struct auth_worker *a, const struct check *c)
{
    struct remembered *set = a->set[c->print.of[0] % SETS], *place = &set[0];
    for (u32 i = 0; i < WAYS; i++) {
        if (same(set[i].print, c->print)) {
            place = &set[i];
            break;
        }
        if (set[i].until_ms < place->until_ms)
            place = &set[i];
    }
    free((void *)(uintptr_t)place->identity.p);
    *place = (struct remembered){ c->print,
                                  c->answer.fits ? c->answer.until_ms
                                                 : worker_ms(c->worker) + REFUSED_MS,
                                  c->answer.generation, c->answer.identity };
}

/* ---- failures ---- */

static struct failures *failures_of(struct failures *table, u64 key, u64 now_ms)
{
    struct failures *f = &table[key % FAILURES];
    if (f->key != key)
        *f = (struct failures){ .key = key };
    for (; f->count && now_ms - f->last_ms > FORGIVEN_MS; f->last_ms += FORGIVEN_MS)
        f->count /= 2;
    return f;
}

/* An IPv6 client has a whole /64. */
static u64 address_key(const struct addr *client)
{
    size_t n = client->family == AF_INET6 ? 8 : sizeof client->ip;
    return hash64(hash_process_key(), client->ip, n);
}

static u64 delay_ms(const struct failures *f, u64 most)
{
    u32 doubled = f->count < 16 ? f->count : 16;
    u64 ms = f->count ? (u64)FIRST_DELAY_MS << (doubled - 1) : 0;
    return ms < most ? ms : most;
}

/* When may it be looked at? Each takes its turn. */
static u64 turn_of(struct failures *f, u64 most, u64 now_ms)
{
    u64 at = f->next_ms > now_ms ? f->next_ms : now_ms;
    at += f->next_ms > now_ms || f->count == 0 ? 0 : delay_ms(f, most);
    return at;
}

static void take_turn(struct failures *f, u64 most, u64 at)
{
    f->next_ms = at + delay_ms(f, most);
}

static void count_failure(struct failures *f, u64 now_ms)
{
    f->count += f->count < 1000;
    f->last_ms = now_ms;
}

/* ---- comparing ---- */

/* Nobody joins it any more. */
static void take_out(struct check *c)
{
    struct auth_worker *a = *auth_users_of_worker(c->users, c->worker->id);
    list_remove(&c->link);
    a->njobs--;
}

static void free_check(struct check *c)
{
    timer_clear(&c->worker->loop.wheel, &c->timer.timer);
    explicit_bzero(c->text, c->name_n + c->password_n);
    auth_users_drop(c->users);
    free(c);
}

static void run_check(struct offload_job *job)
{
    struct check *c = container_of(job, struct check, job);
    struct slice name = { c->text, c->name_n }, password = { c->text + c->name_n, c->password_n };
    c->answer = auth_users_ask(c->users, c->print, name, password, c->now_ms);
}

static enum fault fault_of(const struct auth_answer *a)
{
    if (a->fits)
        return FAULT_NONE;
    return a->known ? FAULT_auth_failed : FAULT_auth_unavailable;
}

/* Each goes on with the answer, a copy of the identity among what is its own. */
static void tell_all(struct check *c, enum fault fault)
{
    struct list *n;
    while ((n = list_pop(&c->waiting)) != NULL) {
        struct wait *wait = container_of(n, struct wait, link);
        wait->check = NULL;
        wait->fault = fault;
        if (fault == FAULT_NONE && !xchg_set_user(wait->x, c->answer.identity))
            wait->fault = FAULT_out_of_memory;
        xchg_wake(wait->x);
    }
}

static void done(struct offload_job *job)
{
    struct check *c = container_of(job, struct check, job);
    struct auth_worker *a = *auth_users_of_worker(c->users, c->worker->id);
    u64 now = worker_ms(c->worker);
    c->worker->jobs--;
    if (c->answer.fits) {
        c->name->count = 0;
    } else if (c->answer.known) {
        count_failure(c->address, now);
        count_failure(c->name, now);
    }
    take_out(c);
    if (c->answer.known)
        remember(a, c);
    tell_all(c, fault_of(&c->answer));
    free_check(c);
}

static void start(struct role_timer *t)
{
    struct check *c = container_of(t, struct check, timer);
    c->now_ms = worker_ms(c->worker);
    c->job = (struct offload_job){
        .kind = JOB_password, .run = run_check, .done = done, .loop = &c->worker->loop
    };
    if (offload_post(c->worker->engine->offload, &c->job)) {
        c->worker->jobs++;
        return;
    }
    take_out(c);
    tell_all(c, FAULT_auth_unavailable);
    free_check(c);
}

static struct check *new_check(struct xchg *x, struct auth_users *u, struct auth_print print,
                               struct slice name, struct slice password)
{
    struct check *c = malloc(sizeof *c + name.n + password.n);
    if (c == NULL)
        return NULL;
    *c = (struct check){ .timer.expired = start,
                         .worker = x->worker,
                         .users = auth_users_hold(u),
                         .print = print,
                         .name_n = (u32)name.n,
                         .password_n = (u32)password.n };
    memcpy(c->text, name.p, name.n);
    if (password.n)
        memcpy(c->text + name.n, password.p, password.n);
    timer_init(&c->timer.timer, TIMER_ROLE);
    list_init(&c->waiting);
    return c;
}

static struct check *find(const struct auth_worker *a, struct auth_print print)
{
    for (struct list *n = a->jobs.next; n != &a->jobs; n = n->next) {
        struct check *c = container_of(n, struct check, link);
        if (same(c->print, print))
            return c;
    }
    return NULL;
}

/* What fitted lately does not wait when the files have been read again. */
static bool has_fitted(const struct auth_worker *a, struct auth_print print, u64 now_ms)
{
    for (u32 i = 0; i < WAYS; i++) {
        const struct remembered *r = &a->set[print.of[0] % SETS][i];
        if (same(r->print, print) && r->until_ms > now_ms && r->identity.p)
            return true;
    }
    return false;
}

/* One for these credentials, which waits for its turn. NULL: x->fault says why. */
static struct check *add_check(struct xchg *x, struct auth_worker *a, struct auth_users *u,
                               struct auth_print print, struct slice name, struct slice password)
{
    u64 now = worker_ms(x->worker);
    struct failures *address = failures_of(a->address, address_key(&x->peer), now);
    struct failures *named = failures_of(a->name, hash64(hash_process_key(), name.p, name.n), now);
    u64 at = turn_of(address, ADDRESS_DELAY_MS, now), other = turn_of(named, NAME_DELAY_MS, now);
    bool fitted = has_fitted(a, print, now);
    at = fitted ? now : at > other ? at : other;
    x->fault = FAULT_auth_too_often;
    if (at - now > LONGEST_WAIT_MS || a->njobs == WAITING_MOST)
        return NULL;
    struct check *c = new_check(x, u, print, name, password);
    x->fault = c ? FAULT_NONE : FAULT_out_of_memory;
    if (c == NULL)
        return NULL;
    if (!fitted) {
        take_turn(address, ADDRESS_DELAY_MS, at);
        take_turn(named, NAME_DELAY_MS, at);
    }
    c->address = address;
    c->name = named;
    list_push_back(&a->jobs, &c->link);
    a->njobs++;
    if (at > now)
        timer_set(&x->worker->loop.wheel, &c->timer.timer, at);
    return c;
}

enum verdict auth_check_begin(struct xchg *x, struct auth_users *u, struct auth_print print,
                              struct slice name, struct slice password)
{
    struct auth_worker *a = worker_part(x->worker, u);
    struct wait *wait = arena_try(&x->arena, sizeof *wait);
    if (a == NULL || wait == NULL) {
        x->fault = FAULT_out_of_memory;
        return REFUSED;
    }
    struct check *c = find(a, print);
    if (c == NULL && (c = add_check(x, a, u, print, name, password)) == NULL)
        return REFUSED;
    *wait = (struct wait){ .x = x, .check = c };
    bool begun = !list_empty(&c->waiting) || timer_armed(&c->timer.timer) || c->job.run;
    list_push_back(&c->waiting, &wait->link);
    x->parked_on = wait;
    if (!begun)
        start(&c->timer);
    return PARKED;
}

enum verdict auth_check_resume(struct xchg *x)
{
    const struct wait *wait = x->parked_on;
    if (wait->check)
        return PARKED;
    x->fault = wait->fault;
    return x->fault == FAULT_NONE ? PASS : REFUSED;
}

/* Nobody waits for it any more: one that has not begun never does. */
void auth_check_cancel(struct xchg *x)
{
    struct wait *wait = x->parked_on;
    struct check *c = wait->check;
    if (c == NULL)
        return;
    list_remove(&wait->link);
    if (!list_empty(&c->waiting) || !timer_armed(&c->timer.timer))
        return;
    take_out(c);
    free_check(c);
}
