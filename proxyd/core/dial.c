/*
 * A dial is a small machine of its own because several connects run at once: the next address is
 * tried when one fails or after 250 ms, whichever is first; the first to succeed wins and the
 * others are closed. An answer may bring one family only while the other is late (RFC 8305
 * section 3); then the look-up is repeated before the dial gives up or waits (section 5). Failures
 * keep the most significant fault: the later in the order of fault.tbl's way-to-the-origin rows,
 * the further the attempt had come.
 *
 * It ends exactly once (`over`); the exchange learns of it by xchg_wake and fetches the result with
 * dial_poll. Timer: the nearer of the next attempt and the overall deadline (timeouts connect,
 * which counts from before the look-up).
 */
#include "core/dial.h"

#include <errno.h>
#include <unistd.h>

#include "core/log.h"
#include "core/snapshot.h"
#include "core/self_addrs.h"
#include "core/target.h"
#include "io/dns.h"

enum { STAGGER_MS = 250, LOOK_AGAIN_MS = 10, MOST_ADDRESSES = DNS_ADDRESSES };

struct candidate {
    struct addr addr;
    struct slice rule;    /* what allowed it */
    struct conn *attempt; /* the running connect */
};

struct dial {
    struct dns_wait wait; /* while resolving */
    struct timer timer;
    struct xchg *x;
    struct worker *worker;
    struct candidate
        candidate[MOST_ADDRESSES]; /* in the order of trying; [0, next) are or were tried */
    u8 n, next, running;
    bool resolving;
    bool open; /* the family that is missing in line may still come */
    bool over;
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
        if (d->candidate[i].attempt && d->candidate[i].attempt != winner)
            conn_close(d->candidate[i].attempt);
    if (d->resolving)
        dns_cancel(d->worker->dns, &d->wait);
    timer_clear(&d->worker->loop.wheel, &d->timer);
}

static void note_fault(struct dial *d, enum fault f)
{
    if (f > d->fault || d->fault == FAULT_NONE)
        d->fault = f;
}

/* Not beyond the deadline. */
static void wait_ms(struct dial *d, u32 ms)
{
    u64 at = worker_ms(d->worker) + ms;
    timer_set(&d->worker->loop.wheel, &d->timer, at < d->deadline ? at : d->deadline);
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
    d->x->server = c->peer;
    for (u8 i = 0; i < d->next; i++)
        if (d->candidate[i].attempt == c)
            d->x->rule = d->candidate[i].rule;
    if (!d->x->target->literal)
        dns_note_winner(d->worker->dns, (struct slice){ d->x->target->host, d->x->target->len },
                        c->peer.family);
    end(d, c, FAULT_NONE);
}

/* One connect; a descriptor that is missing is taken from the longest idle connection, and from the
 * next one when somebody else was quicker. */
static int connect_to(struct worker *w, const struct addr *a)
{
    int fd;
    do
        fd = sock_connect(a);
    while (fd < 0 && (errno == EMFILE || errno == ENFILE) && idle_evict(w));
    return fd;
}

static void connect_ready(struct conn *c);
static const struct conn_user connecting = { "connecting", connect_ready, NULL, NULL,
                                             BUF_FOR_READING };

static bool try_address(struct dial *d, struct candidate *to)
{
    struct worker *w = d->worker;
    d->x->server = to->addr;
    d->x->rule = to->rule;
    int fd = connect_to(w, &to->addr);
    stat_add(w->stats, STAT_upstream_connects_total, 1);
    if (fd < 0) {
        note_fault(d, fault_of_errno(errno));
        if (d->fault == FAULT_out_of_descriptors && log_limited(w, LIMITED_ORIGIN))
            log_error(w, LEVEL_ERROR, "no descriptor for a connection to an origin");
        stat_add(w->stats, STAT_upstream_connect_failures_total, 1);
        return false;
    }
    struct conn *c = conn_new(w, fd, &to->addr, &connecting);
    if (c == NULL) {
        note_fault(d, FAULT_out_of_memory);
        return false;
    }
    c->owner = d;
    to->attempt = c;
    d->running++;
    return true;
}

/* Starts the next address that can be started. With none left it waits for what runs or may still
 * come; with nothing of that either it is over. */
static void try_next(struct dial *d)
{
    bool started = false;
    while (d->next < d->n && !started)
        started = try_address(d, &d->candidate[d->next++]);
    bool more = d->next < d->n || d->open;
    if (started && more)
        wait_ms(d, STAGGER_MS);
    else if (d->open)
        wait_ms(d, LOOK_AGAIN_MS);
    else if (d->running || d->resolving)
        timer_set(&d->worker->loop.wheel, &d->timer, d->deadline);
    else
        end(d, NULL, d->fault == FAULT_NONE ? FAULT_connect_failed : d->fault);
}

static bool was_tried(const struct dial *d, const struct addr *a)
{
    for (u8 i = 0; i < d->next; i++)
        if (d->candidate[i].addr.family == a->family && addr_same_ip(&d->candidate[i].addr, a))
            return true;
    return false;
}

static enum fault judge(struct xchg *x, const struct addr *a)
{
    if (self_addrs_has(x->worker->snapshot->self_addrs, a))
        return FAULT_own_listener;
    return x->role->vet ? x->role->vet(x, a) : FAULT_NONE;
}

/* What is allowed and was not tried yet, into ok. None at all so far: the dial's fault and the
 * exchange's rule are those of the first address. */
static u8 choose_allowed(struct dial *d, const struct addr *a, u8 n, struct candidate *ok)
{
    struct xchg *x = d->x;
    u8 nok = 0;
    enum fault denied = FAULT_NONE;
    struct slice rule = x->rule, reason = x->reason;
    for (u8 i = 0; i < n; i++) {
        struct addr one = a[i];
        one.port = x->target->port;
        if (was_tried(d, &one))
            continue;
        enum fault f = judge(x, &one);
        if (f == FAULT_NONE) {
            ok[nok++] = (struct candidate){ .addr = one, .rule = x->rule };
        } else if (denied == FAULT_NONE) {
            denied = f;
            rule = x->rule;
            reason = x->reason;
            if (d->next == 0)
                x->server = one;
        }
    }
    bool none = nok == 0 && d->next == 0;
    x->rule = rule;
    x->reason = none ? reason : (struct slice){ NULL, 0 };
    if (d->next == 0)
        d->fault = !none ? FAULT_NONE : denied ? denied : FAULT_dns_no_address;
    return nok;
}

/* Asks about every address and puts those allowed in line behind those tried, families in turn
 * with `first` ahead. */
static void queue_allowed(struct dial *d, const struct addr *a, u8 n, sa_family_t first)
{
    struct candidate ok[MOST_ADDRESSES];
    u8 nok = choose_allowed(d, a, n, ok), left = nok;
    if (d->next) /* its turn is over */
        first = d->candidate[d->next - 1].addr.family == AF_INET6 ? AF_INET : AF_INET6;
    d->n = d->next;
    for (bool want_first = true; left > 0 && d->n < MOST_ADDRESSES; want_first = !want_first)
        for (u8 i = 0; i < nok; i++)
            if (ok[i].addr.family && (ok[i].addr.family == first) == want_first) {
                d->candidate[d->n++] = ok[i];
                ok[i].addr.family = 0;
                left--;
                break;
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
    d->open = a->open;
    if (a->fault == FAULT_NONE)
        queue_allowed(d, a->addr, a->n, a->preferred ? a->preferred : AF_INET6);
    else if (d->next == 0)
        d->fault = fault_unresolved(d, a->fault);
    try_next(d);
}

static void on_resolved(struct dns_wait *w)
{
    struct dial *d = container_of(w, struct dial, wait);
    resolved(d);
    if (d->over)
        xchg_wake(d->x);
}

static void look_up(struct dial *d)
{
    d->wait.done = on_resolved;
    d->resolving = true;
    d->open = false; /* the answer tells; until it comes nobody asks again */
    timer_set(&d->worker->loop.wheel, &d->timer, d->deadline);
    if (dns_lookup(d->worker->dns, (struct slice){ d->x->target->host, d->x->target->len },
                   &d->wait))
        resolved(d);
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
    u32 ms = w->snapshot->conf.timeouts.connect;
    d->deadline = ms == UINT32_MAX ? TIMER_NEVER : worker_ms(w) + ms;
    if (x->target->literal) {
        queue_allowed(d, &x->target->addr, 1, AF_INET);
        try_next(d);
    } else {
        look_up(d);
    }
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
    if (!d->over)
        end(d, NULL, FAULT_NONE);
    else if (d->winner)
        conn_close(d->winner);
    dismantle(x);
}

static void attempt_failed(struct dial *d, struct conn *c, int error)
{
    for (u8 i = 0; i < d->next; i++)
        if (d->candidate[i].attempt == c)
            d->candidate[i].attempt = NULL;
    d->running--;
    note_fault(d, fault_of_errno(error));
    stat_add(d->worker->stats, STAT_upstream_connect_failures_total, 1);
    conn_close(c);
    try_next(d);
}

static void connect_ready(struct conn *c)
{
    struct dial *d = c->owner;
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

static void out_of_time(struct dial *d)
{
    if (d->running)
        end(d, NULL, FAULT_connect_timeout);
    else if (d->next)
        end(d, NULL, d->fault);
    else
        end(d, NULL, fault_unresolved(d, FAULT_dns_timeout));
}

void dial_expired(struct timer *t)
{
    struct dial *d = container_of(t, struct dial, timer);
    if (worker_ms(d->worker) >= d->deadline)
        out_of_time(d);
    else if (d->next == d->n && d->open)
        look_up(d);
    else
        try_next(d);
    if (d->over)
        xchg_wake(d->x);
}
