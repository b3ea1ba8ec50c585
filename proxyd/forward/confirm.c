/*
 * What Host or a ClientHello says is the client's word alone: it may be on its way to any address
 * and tell the name of another. So the proxy's own resolver is asked, and the name counts if the
 * very address is among its answers. Whatever else comes of it (another address, no answer, no
 * answer in time) is "unconfirmed": the rules see the address, and the connection goes on to where
 * it was going. Large sites answer with other addresses from minute to minute, so that must never
 * be an outage.
 */
#include "forward/confirm.h"

#include "core/exchange/xchg.h"
#include "forward/where.h"
#include "io/dns.h"

enum { CONFIRM_MS = 1000, LOOK_AGAIN_MS = 10 };

struct question {
    struct role_timer timer;
    struct dns_wait wait;
    struct xchg *xchg;
    u64 ends_ms;
    bool asking; /* `wait` is parked */
    bool over;
    bool confirmed;
};

static void settle(struct xchg *x, enum told as)
{
    struct intercepted *i = x->intercepted;
    i->told_as = (u8)as;
    x->uri.port = i->original.port;
    if (as == TOLD_UNCONFIRMED)
        stat_add(x->worker->stats, STAT_names_unconfirmed_total, 1);
    if (as == TOLD_CONFIRMED)
        return;
    struct text t = text_in(x->uri.host.name, sizeof x->uri.host.name - 1);
    addr_text(&t, &i->original);
    x->uri.host.name[t.n] = 0;
    x->uri.host.len = (u8)t.n;
    x->uri.host.literal = true;
    x->uri.host.addr = i->original;
    x->uri.host.addr.port = 0;
}

/* The target of a tunnel names the host as rules see it; the codec has written the address. */
static enum verdict name_target(struct xchg *x)
{
    struct text t;
    char *area = arena_try(&x->arena, sizeof x->uri.host.name + 8);
    if (area == NULL) {
        x->fault = FAULT_out_of_memory;
        return REFUSED;
    }
    t = text_in(area, sizeof x->uri.host.name + 8);
    host_write(&t, &x->uri.host, x->uri.port);
    x->req.target = text_slice(&t);
    return PASS;
}

static enum verdict end(struct xchg *x, enum told as)
{
    settle(x, as);
    return as == TOLD_CONFIRMED && x->intercepted->raw ? name_target(x) : PASS;
}

static bool has(const struct dns_answer *a, const struct addr *one)
{
    for (u8 i = 0; i < a->n; i++)
        if (a->addr[i].family == one->family && addr_same_ip(&a->addr[i], one))
            return true;
    return false;
}

static void arm(struct question *q, u64 at)
{
    struct worker *w = q->xchg->worker;
    timer_set(&w->loop.wheel, &q->timer.timer, at < q->ends_ms ? at : q->ends_ms);
}

/* The answer may have one family only while the other is on its way. */
static void judge(struct question *q)
{
    const struct dns_answer *a = &q->wait.answer;
    struct xchg *x = q->xchg;
    q->confirmed = has(a, &x->intercepted->original);
    q->over = q->confirmed || !a->open;
    if (!q->over)
        arm(q, worker_ms(x->worker) + LOOK_AGAIN_MS);
}

static void on_answer(struct dns_wait *w)
{
    struct question *q = container_of(w, struct question, wait);
    q->asking = false;
    judge(q);
    if (q->over)
        xchg_wake(q->xchg);
}

static void look_up(struct question *q)
{
    struct xchg *x = q->xchg;
    q->wait = (struct dns_wait){ .done = on_answer };
    q->asking = !dns_lookup(x->worker->dns, (struct slice){ x->uri.host.name, x->uri.host.len },
                            &x->peer, &q->wait);
    if (q->asking)
        arm(q, q->ends_ms);
    else
        judge(q);
}

static void on_time(struct role_timer *t)
{
    struct question *q = container_of(t, struct question, timer);
    struct xchg *x = q->xchg;
    if (worker_ms(x->worker) >= q->ends_ms)
        q->over = true;
    else
        look_up(q);
    if (q->over)
        xchg_wake(x);
}

static void dismiss(struct question *q)
{
    struct worker *w = q->xchg->worker;
    if (q->asking)
        dns_cancel(w->dns, &q->wait);
    q->asking = false;
    timer_clear(&w->loop.wheel, &q->timer.timer);
}

enum verdict confirm_resume(struct xchg *x)
{
    struct question *q = x->parked_on;
    if (!q->over)
        return PARKED;
    dismiss(q);
    return end(x, q->confirmed ? TOLD_CONFIRMED : TOLD_UNCONFIRMED);
}

void confirm_cancel(struct xchg *x)
{
    dismiss(x->parked_on);
}

static enum verdict ask(struct xchg *x)
{
    struct question *q = arena_try(&x->arena, sizeof *q);
    if (q == NULL) {
        x->fault = FAULT_out_of_memory;
        return REFUSED;
    }
    memset(q, 0, offsetof(struct question, wait));
    q->xchg = x;
    q->over = q->confirmed = false;
    q->timer.expired = on_time;
    timer_init(&q->timer.timer, TIMER_ROLE);
    q->ends_ms = worker_ms(x->worker) + CONFIRM_MS;
    x->parked_on = q;
    look_up(q);
    return confirm_resume(x);
}

/* An address is no name, and where it is the right one nothing has been claimed. */
enum verdict confirm_name(struct xchg *x)
{
    struct intercepted *i = x->intercepted;
    if (i->name == NULL)
        return end(x, TOLD_NOTHING);
    if (i->name->literal)
        return end(x, i->name->addr.family == i->original.family &&
                              addr_same_ip(&i->name->addr, &i->original)
                          ? TOLD_NOTHING
                          : TOLD_UNCONFIRMED);
    host_copy(&x->uri.host, i->name);
    forward_search(x->worker, &x->uri.host);
    return ask(x);
}
