#include "core/exchange/xchg.h"

#include "base/must.h"
#include "core/exchange/account.h"
#include "core/conf.h"
#include "core/conn/dial.h"
#include "core/report/log.h"
#include "core/conn/target.h"
#include "core/exchange/tunnel.h"

struct step_row {
    const char *name;
    const char *doing;
    enum step_result (*run)(struct xchg *);
    u32 next;
};

#define CAN(name) (1u << STEP_##name)
static const struct step_row table[STEP_COUNT] = {
#define STEP(name, doing, next) [STEP_##name] = { #name, doing, step_##name, next },
#include "core/exchange/steps.tbl"
#undef STEP
};
#undef CAN

const char *xchg_doing(const struct xchg *x)
{
    return x->step == STEP_screen ? screen_doing(x) : table[x->step].doing;
}

enum step_result xchg_go(struct xchg *x, enum step step)
{
    expect(step == STEP_refuse || step == STEP_finish || (table[x->step].next & (1u << step)));
    x->step = (u8)step;
    return STEP_GO;
}

bool xchg_is_last(const struct xchg *x)
{
    const struct worker *w = x->worker;
    return w->draining || (unlikely(x->snap != w->snapshot) &&
                           snapshot_listener(w->snapshot, x->listen->at) == NULL);
}

/* The access log says what came of a request; this says where it stood. */
static void log_failure(struct xchg *x)
{
    char id[REQUEST_ID_TEXT];
    account_id_text(id, x->worker, x->id);
    log_error(x->worker, LEVEL_DEBUG, "%s while %s id=%.*s", fault_info(x->fault)->token,
              xchg_doing(x), REQUEST_ID_TEXT, id);
}

enum step_result xchg_fail(struct xchg *x, enum fault f)
{
    if (x->fault == FAULT_NONE)
        x->fault = f;
    if (unlikely(x->snap->conf.error.level == LEVEL_DEBUG))
        log_failure(x);
    if (unlikely(x->parked))
        stage_cancel(x);
    if (unlikely(x->feed) && lookup_keep(x, x->fault))
        return STEP_GO;
    if (lookup_rescue(x))
        return STEP_GO;
    bool silent = x->answered || x->client.gone || fault_info(x->fault)->status == 0;
    return xchg_go(x, silent ? STEP_finish : STEP_refuse);
}

static void xchg_run(struct xchg *x)
{
    enum step_result r;
    x->running = true;
    do
        r = table[x->step].run(x);
    while (r == STEP_GO);
    if (r == STEP_PARK) {
        x->running = false;
        deadline_arm(x);
    }
}

void xchg_again(struct xchg *x)
{
    loop_again(&x->worker->loop, &x->task);
}

/* When the client is gone nobody is left to serve. */
void xchg_wake(struct xchg *x)
{
    if (unlikely(x->running)) {
        xchg_again(x);
        return;
    }
    if (unlikely(x->client.gone) && x->step != STEP_finish)
        xchg_fail(x, FAULT_client_reset);
    xchg_run(x);
}

static void on_task(struct io *task)
{
    xchg_wake(container_of(task, struct xchg, task));
}

/* A client that sees an answer may stop sending, an origin that gives one may stop reading. */
static bool body_given_up(struct xchg *x, unsigned over)
{
    if (x->step != STEP_relay || over != DEADLINE_REQUEST || x->request_done)
        return false;
    x->request_done = x->request_cut = true;
    return true;
}

/* It is asked once more, and says whether it waits anew. */
static bool copy_is_late(struct xchg *x, unsigned over)
{
    if (over >= DEADLINES || x->deadline[over].waits != WAITS_COPY)
        return false;
    x->copy_late = true;
    x->deadline[over].waits = WAITS_NOTHING;
    return true;
}

void xchg_expired(struct timer *t)
{
    struct xchg *x = container_of(t, struct xchg, timer);
    unsigned over = deadline_over(x);
    if (!body_given_up(x, over) && !copy_is_late(x, over)) {
        enum waits waits = over < DEADLINES ? x->deadline[over].waits : WAITS_NOTHING;
        bool refusing = x->step == STEP_reply && x->fault; /* and there was no room for it */
        xchg_fail(x, deadline_fault(waits));
        if (refusing)
            xchg_go(x, STEP_finish);
        if (waits == WAITS_CLIENT_WRITE &&
            !x->abandoned) /* whatever the fault was: it takes no more */
            x->client.gone = true;
    }
    xchg_run(x);
}

static void cut(struct xchg *x)
{
    x->client.gone = true;
    xchg_fail(x, FAULT_draining);
    xchg_run(x);
}

void xchg_new_response(struct xchg *x)
{
    msg_init(&x->resp, &x->arena);
    msg_lend(&x->resp, x->resp_extra, sizeof x->resp_extra);
    x->resp_edited = false;
}

bool xchg_set_user(struct xchg *x, struct slice identity)
{
    char *copy = arena_try(&x->arena, identity.n);
    if (copy == NULL)
        return false;
    memcpy(copy, identity.p, identity.n);
    x->user = (struct slice){ copy, identity.n };
    return true;
}

static void init_leg(struct xchg *x, struct leg *l)
{
    l->xchg = x;
    l->snap = x->snap;
    l->arena = &x->arena;
}

void xchg_new_upstream(struct xchg *x)
{
    memset(&x->upstream, 0, sizeof x->upstream);
    init_leg(x, &x->upstream);
}

static struct xchg *begin(struct worker *w, const struct arrival *a, struct leg **client,
                          struct msg **req)
{
    struct xchg *x = slab_take(&w->xchgs);
    if (unlikely(x == NULL))
        return NULL;
    set_zero(x, offsetof(struct xchg, host_field));
    x->host_field.host.len = 0;
    x->uri.host.len = 0;
    x->uri.port = 0;
    x->uri.form = TARGET_ORIGIN;
    x->worker = w;
    x->task = (struct io){ .fd = -1, .on_ready = on_task };
    x->snap = a->snap;
    x->listen = a->listen;
    x->role = x->listen->role;
    x->intercepted = a->intercepted;
    x->peer = *a->peer;
    init_leg(x, &x->client);
    init_leg(x, &x->upstream);
    x->id = ++w->exchange_serial;
    x->start_us = w->loop.now.mono_us;
    arena_init(&x->arena, 0);
    arena_set_reserve(&x->arena, x->arena_reserve, sizeof x->arena_reserve);
    timer_init(&x->timer, TIMER_XCHG);
    msg_init(&x->req, &x->arena);
    msg_lend(&x->req, x->req_extra, sizeof x->req_extra);
    x->req.host_field = &x->host_field;
    xchg_new_response(x);
    stat_add(w->stats, STAT_requests_in_flight, 1);
    *client = &x->client;
    *req = &x->req;
    return x;
}

void xchg_free(struct xchg *x)
{
    struct worker *w = x->worker;
    expect(lease_count(x) == 0);
    timer_clear(&w->loop.wheel, &x->timer);
    if (unlikely(x->task.ready & IO_QUEUED))
        loop_close(&w->loop, &x->task);
    arena_free(&x->arena);
    snapshot_unpin(w, &x->snap);
    slab_give(&w->xchgs, x);
}

/* A client that names a wrong target names it in Host as well. */
static enum fault parse_target(struct xchg *x, enum fault f)
{
    bool has_host = f == FAULT_NONE && x->host_field.host.len;
    enum fault of_target =
        target_parse(x->req.method, x->req.target, has_host ? &x->host_field : NULL, &x->uri);
    return of_target ? of_target : f;
}

static void set_off(struct xchg *x, enum fault f)
{
    if (f == FAULT_NONE || f == FAULT_bad_host)
        f = parse_target(x, f);
    x->step = STEP_screen;
    if (likely(f == FAULT_NONE))
        return;
    x->req.target = target_shown(x->req.target);
    x->client.last = true;
    x->fault = f;
    x->step = fault_info(f)->status ? STEP_refuse : STEP_finish;
}

static void run(struct xchg *x, enum fault f)
{
    set_off(x, f);
    xchg_run(x);
}

static void queue(struct xchg *x, enum fault f)
{
    set_off(x, f);
    xchg_again(x);
}

static void facts(const struct xchg *x, struct xchg_facts *out)
{
    *out = (struct xchg_facts){ .server = x->server,
                                .rule = x->rule,
                                .start_us = x->start_us,
                                .resolved_us = x->resolved_us,
                                .connected_us = x->connected_us,
                                .first_us = x->first_us,
                                .idle = x->via_idle,
                                .is_local = x->is_local,
                                .fault = (u16)x->fault,
                                .cached = x->cached,
                                .kept = x->kept };
}

const struct intake xchg_intake = { begin, run,          queue,      xchg_wake,     cut,
                                    facts, tunnel_ready, tunnel_cut, tunnel_recheck };
