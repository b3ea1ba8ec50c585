/*
 * A dial is a small machine of its own because several connects run at once: the next address is
 * tried when one fails or after 250 ms, whichever is first; the first to succeed wins and the
 * others are closed. Failures keep the most significant fault: the later in the order of
 * fault.tbl's way-to-the-origin rows, the further the attempt had come.
 *
 * It ends exactly once (`over`); the exchange learns of it by xchg_wake and fetches the result with
 * dial_poll. Timer: the nearer of the next attempt and the overall deadline (timeouts connect,
 * which counts from before the look-up).
 */
#include "core/dial.h"

#include <errno.h>
#include <unistd.h>

#include "core/account.h"
#include "core/conf.h"
#include "core/own.h"
#include "core/target.h"
#include "io/dns.h"

enum { STAGGER_MS = 250, MOST_ADDRESSES = DNS_ADDRESSES };

struct dial {
    struct dns_wait wait; /* while resolving */
    struct timer timer;
    struct xchg *x;
    struct worker *worker;
    struct addr addr[MOST_ADDRESSES];     /* in the order of trying */
    struct slice rule[MOST_ADDRESSES];    /* what allowed each */
    struct conn *attempt[MOST_ADDRESSES]; /* running connects */
    u8 n, next, running;
    bool resolving, over;
    enum fault fault; /* worst so far, FAULT_NONE while none */
    struct conn *winner;
    u64 deadline;
};

u32 dial_size(void)
{
    return sizeof(struct dial);
}

static void end(struct dial *d, struct conn *winner, enum fault f)
{
    d->over = true;
    d->winner = winner;
    d->fault = f;
    for (u8 i = 0; i < d->next; i++)
        if (d->attempt[i] && d->attempt[i] != winner)
            conn_close(d->attempt[i]);
    timer_clear(&d->worker->loop.wheel, &d->timer);
}

static void note_fault(struct dial *d, enum fault f)
{
    if (f > d->fault || d->fault == FAULT_NONE)
        d->fault = f;
}

static enum fault fault_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED: return FAULT_connect_refused;
    case ETIMEDOUT: return FAULT_connect_timeout;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM: return FAULT_connect_unreachable;
    case EMFILE:
    case ENFILE: return FAULT_out_of_descriptors;
    case ENOMEM:
    case ENOBUFS: return FAULT_out_of_memory;
    default: return FAULT_connect_failed;
    }
}

static void won(struct dial *d, struct conn *c)
{
    c->serves = CONN_EXCHANGE;
    d->x->server = c->peer;
    for (u8 i = 0; i < d->next; i++)
        if (d->attempt[i] == c)
            d->x->rule = d->rule[i];
    if (!d->x->target->literal)
        dns_note_winner(d->worker->dns, (struct slice){ d->x->target->host, d->x->target->len },
                        c->peer.family);
    end(d, c, FAULT_NONE);
}

/* One connect; a descriptor that is missing is taken from the longest idle connection. */
static int connect_to(struct worker *w, const struct addr *a)
{
    int fd = sock_connect(a);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && pool_evict(w))
        fd = sock_connect(a);
    return fd;
}

static bool try_address(struct dial *d, u8 i)
{
    struct worker *w = d->worker;
    d->x->server = d->addr[i];
    int fd = connect_to(w, &d->addr[i]);
    stat_add(w->stats, STAT_upstream_connects_total, 1);
    if (fd < 0) {
        note_fault(d, fault_of_errno(errno));
        if (d->fault == FAULT_out_of_descriptors && account_again(w, TELL_ORIGIN))
            account_error(w, LEVEL_ERROR, "no descriptor for a connection to an origin");
        stat_add(w->stats, STAT_upstream_connect_failures_total, 1);
        return false;
    }
    struct conn *c = conn_new(w, fd, &d->addr[i], CONN_DIALLING);
    if (c == NULL) {
        note_fault(d, FAULT_out_of_memory);
        return false;
    }
    c->owner.dial = d;
    d->attempt[i] = c;
    d->running++;
    return true;
}

/* Starts the next address that can be started; with none left and none running it is over. */
static void try_next(struct dial *d)
{
    while (d->next < d->n) {
        u8 i = d->next++;
        if (!try_address(d, i))
            continue;
        u64 at = worker_ms(d->worker) + STAGGER_MS;
        bool last = d->next == d->n;
        timer_set(&d->worker->loop.wheel, &d->timer, last || at > d->deadline ? d->deadline : at);
        return;
    }
    if (d->running == 0)
        end(d, NULL, d->fault == FAULT_NONE ? FAULT_connect_failed : d->fault);
}

/* Asks about every address; those allowed are queued, families interleaved with `first` ahead. */
static void queue_allowed(struct dial *d, const struct addr *a, u8 n, sa_family_t first)
{
    struct xchg *x = d->x;
    struct addr ok[MOST_ADDRESSES];
    struct slice rules[MOST_ADDRESSES];
    u8 nok = 0;
    enum fault denied = FAULT_NONE;
    struct slice rule = x->rule, reason = x->reason;
    for (u8 i = 0; i < n; i++) {
        struct addr one = a[i];
        one.port = x->target->port;
        enum fault f = own_has(x->worker->engine->own, &one) ? FAULT_own_listener
                       : x->role->vet                        ? x->role->vet(x, &one)
                                                             : FAULT_NONE;
        if (f == FAULT_NONE) {
            rules[nok] = x->rule;
            ok[nok++] = one;
        } else if (denied == FAULT_NONE) { /* none left: refused with the first one's rule */
            denied = f;
            rule = x->rule;
            reason = x->reason;
            x->server = one;
        }
    }
    for (bool want_first = true; d->n < nok; want_first = !want_first)
        for (u8 i = 0; i < nok; i++)
            if (ok[i].family && (ok[i].family == first) == want_first) {
                d->rule[d->n] = rules[i];
                d->addr[d->n++] = ok[i];
                ok[i].family = 0;
                break;
            }
    if (nok == 0) {
        x->rule = rule;
        x->reason = reason;
        end(d, NULL, denied == FAULT_NONE ? FAULT_dns_no_address : denied);
    }
}

/* Who may not go there anyway is not told whether the name exists. */
static enum fault fault_unresolved(struct dial *d, enum fault f)
{
    enum fault denied = d->x->role->vet ? d->x->role->vet(d->x, NULL) : FAULT_NONE;
    return denied == FAULT_NONE ? f : denied;
}

static void resolved(struct dial *d)
{
    const struct dns_answer *a = &d->wait.answer;
    d->resolving = false;
    if (a->fault != FAULT_NONE) {
        end(d, NULL, fault_unresolved(d, a->fault));
        return;
    }
    queue_allowed(d, a->addr, a->n, a->preferred ? a->preferred : AF_INET6);
    if (!d->over)
        try_next(d);
}

static void on_resolved(struct dns_wait *w)
{
    struct dial *d = container_of(w, struct dial, wait);
    resolved(d);
    if (d->over)
        xchg_wake(d->x);
}

void dial_start(struct xchg *x)
{
    struct worker *w = x->worker;
    struct dial *d = slab_take(&w->dials);
    if (d == NULL) {
        xchg_fail(x, FAULT_out_of_memory);
        return;
    }
    memset(d, 0, sizeof *d);
    x->dial = d;
    d->x = x;
    d->worker = w;
    timer_init(&d->timer, TIMER_DIAL);
    u32 ms = w->engine->conf->timeouts.connect;
    d->deadline = ms == UINT32_MAX ? TIMER_NEVER : worker_ms(w) + ms;
    if (x->target->literal) {
        queue_allowed(d, &x->target->addr, 1, AF_INET);
        if (!d->over)
            try_next(d);
        return;
    }
    timer_set(&w->loop.wheel, &d->timer, d->deadline);
    d->wait.done = on_resolved;
    d->resolving = true;
    if (dns_lookup(w->dns, (struct slice){ x->target->host, x->target->len }, &d->wait))
        resolved(d);
}

static void dismantle(struct xchg *x)
{
    struct dial *d = x->dial;
    x->dial = NULL;
    timer_clear(&d->worker->loop.wheel, &d->timer);
    slab_give(&d->worker->dials, d);
}

bool dial_poll(struct xchg *x, struct conn **conn, enum fault *fault)
{
    struct dial *d = x->dial;
    if (!d->over)
        return false;
    *conn = d->winner;
    *fault = d->fault;
    dismantle(x);
    return true;
}

void dial_cancel(struct xchg *x)
{
    struct dial *d = x->dial;
    if (d->resolving)
        dns_cancel(d->worker->dns, &d->wait);
    if (!d->over)
        end(d, NULL, FAULT_NONE);
    else if (d->winner)
        conn_close(d->winner);
    dismantle(x);
}

static void attempt_failed(struct dial *d, struct conn *c, int error)
{
    for (u8 i = 0; i < d->next; i++)
        if (d->attempt[i] == c)
            d->attempt[i] = NULL;
    d->running--;
    note_fault(d, fault_of_errno(error));
    stat_add(d->worker->stats, STAT_upstream_connect_failures_total, 1);
    conn_close(c);
    try_next(d);
}

void dial_ready(struct conn *c)
{
    struct dial *d = c->owner.dial;
    u8 ready = c->stream.io.ready;
    if (!(ready & (IO_OUT | IO_ERROR)))
        return;
    int error = ready & IO_ERROR ? sock_connect_error(c->stream.io.fd) : 0;
    if (ready & IO_ERROR)
        attempt_failed(d, c, error ? error : ECONNREFUSED);
    else
        won(d, c);
    if (d->over)
        xchg_wake(d->x);
}

void dial_expired(struct timer *t)
{
    struct dial *d = container_of(t, struct dial, timer);
    if (worker_ms(d->worker) < d->deadline) {
        try_next(d);
    } else if (d->resolving) {
        dns_cancel(d->worker->dns, &d->wait);
        d->resolving = false;
        end(d, NULL, fault_unresolved(d, FAULT_dns_timeout));
    } else {
        end(d, NULL, FAULT_connect_timeout);
    }
    if (d->over)
        xchg_wake(d->x);
    else if (d->next == d->n && !timer_armed(&d->timer))
        timer_set(&d->worker->loop.wheel, &d->timer, d->deadline);
}
