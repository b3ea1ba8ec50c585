/*
 * Four lives meet here: an exchange that waits and may end, the comparison that it shares with
 * others, the users' files that may be read again meanwhile, and what the worker remembers. The
 * comparison belongs to nobody but itself: it holds the users, knows who waits, and frees itself
 * when it has come back, or when the last one has gone before it began.
 */
#include "forward/auth/check.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "core/exchange/xchg.h"
#include "forward/auth/delay.h"

enum {
    SETS = 256,
    WAYS = 4,
    REFUSED_MS = 10000, /* for so long a wrong password is wrong without being looked at */
    WAITING_MOST = 1024 /* jobs of one worker */
};

struct remembered {
    struct auth_print print;
    u64 until_ms;
    u32 generation;
    struct slice identity;    /* malloc'ed; p NULL: they did not fit */
    struct auth_meter *meter; /* held; NULL: there is none */
};

struct auth_worker {
    struct remembered set[SETS][WAYS];
    struct auth_delays delays;
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
    struct auth_turn turn;
    u64 now_ms;
    struct auth_answer answer;
    u32 name_n, password_n;
    char text[]; /* both */
};

/* In the exchange's arena. */
struct wait {
    struct list link;
    struct xchg *x;
    struct check *check;      /* NULL: it has come back */
    enum fault fault;         /* then: FAULT_NONE when they fit */
    struct auth_meter *meter; /* then: held, or NULL */
};

/* ---- what the worker remembers ---- */

static struct auth_worker *worker_part(struct worker *w, struct auth_users *u)
{
    struct auth_worker **at = auth_users_of_worker(u, w->id);
    if (unlikely(*at == NULL) && (*at = calloc(1, sizeof **at)) != NULL)
        list_init(&(*at)->jobs);
    return *at;
}

static void forget(struct remembered *r)
{
    free((void *)(uintptr_t)r->identity.p);
    auth_meter_drop(r->meter);
}

void auth_worker_free(struct auth_worker *a)
{
    if (a == NULL)
        return;
    expect(list_empty(&a->jobs));
    for (u32 i = 0; i < SETS * WAYS; i++)
        forget(&a->set[i / WAYS][i % WAYS]);
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

bool auth_check_known(struct worker *w, struct auth_users *u, struct auth_print print,
                      struct auth_known *known)
{
    struct auth_worker *a = worker_part(w, u);
    if (unlikely(a == NULL))
        return false;
    for (u32 i = 0; i < WAYS; i++) {
        const struct remembered *r = &a->set[print.of[0] % SETS][i];
        if (!same(r->print, print) || r->until_ms <= worker_ms(w) ||
            r->generation != auth_users_generation(u))
            continue;
        *known = (struct auth_known){ r->identity, r->meter };
        return true;
    }
    return false;
}

/* In the place of the same, or of what ends first. Takes the answer's identity and meter. */
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
    forget(place);
    *place = (struct remembered){ c->print,
                                  c->answer.fits ? c->answer.until_ms
                                                 : worker_ms(c->worker) + REFUSED_MS,
                                  c->answer.generation, c->answer.identity, c->answer.meter };
}

/* ---- comparing ---- */

/* Nobody joins it any more. */
static void take_out(struct check *c)
{
    struct auth_worker *a = *auth_users_of_worker(c->users, c->worker->id);
    list_remove(&c->link);
    a->njobs--;
}

static void give_turn_back(struct auth_worker *a, const struct check *c)
{
    auth_turn_dropped(&a->delays, &c->turn, worker_ms(c->worker));
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
        wait->meter = auth_meter_hold(c->answer.meter);
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
        auth_turn_passed(&a->delays, &c->turn, now);
    } else if (c->answer.known) {
        auth_turn_failed(&a->delays, &c->turn, now);
    } else {
        give_turn_back(a, c);
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
    give_turn_back(*auth_users_of_worker(c->users, c->worker->id), c);
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
    struct auth_turn turn = auth_turn_of(&x->peer, name);
    bool fitted = has_fitted(a, print, now);
    u64 at = fitted ? now : auth_turn_at(&a->delays, &turn, now);
    x->fault = FAULT_auth_too_often;
    if (at - now > AUTH_LONGEST_WAIT_S * 1000 || a->njobs == WAITING_MOST)
        return NULL;
    struct check *c = new_check(x, u, print, name, password);
    x->fault = c ? FAULT_NONE : FAULT_out_of_memory;
    if (c == NULL)
        return NULL;
    auth_turn_take(&a->delays, &turn, now);
    c->turn = turn;
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

enum verdict auth_check_resume(struct xchg *x, struct auth_meter **m)
{
    const struct wait *wait = x->parked_on;
    if (wait->check)
        return PARKED;
    x->fault = wait->fault;
    *m = wait->meter;
    return x->fault == FAULT_NONE ? PASS : REFUSED;
}

/* Nobody waits for it any more: one that has not begun never does. */
void auth_check_cancel(struct xchg *x)
{
    struct wait *wait = x->parked_on;
    struct check *c = wait->check;
    if (c == NULL) {
        auth_meter_drop(wait->meter);
        return;
    }
    list_remove(&wait->link);
    if (!list_empty(&c->waiting) || !timer_armed(&c->timer.timer))
        return;
    give_turn_back(*auth_users_of_worker(c->users, c->worker->id), c);
    take_out(c);
    free_check(c);
}
