/*
 * A dial is a small machine of its own because several connects run at once: the next address is
 * tried when one fails or after 250 ms, whichever is first; the first to succeed wins and the
 * others are closed. An answer may bring one family only while the other is late (RFC 8305 section
 * 3); then the look-up is repeated before the dial gives up or waits (section 5). Failures keep the
 * most significant fault: the later in the order of fault.tbl's way-to-the-origin rows, the further
 * the attempt had come.
 *
 * The winner goes through the profile's connectors, and the race is over for as long as they run;
 * when one fails the address has failed, and the next one has its turn.
 *
 * It ends exactly once, by `done`, which frees it and calls back last. Timer: the nearer of the
 * next attempt and the overall deadline (timeouts connect, which counts from before the look-up and
 * covers the connectors).
 */
#include "core/conn/dial_line.h"

#include <errno.h>
#include <unistd.h>

#include "core/conn/conn.h"
#include "core/report/log.h"
#include "core/common/returning.h"
#include "core/common/snapshot.h"

enum { STAGGER_MS = 250, LOOK_AGAIN_MS = 10 };

u32 dial_size(void)
{
    return sizeof(struct dial);
}

const struct dial_result *dial_so_far(const struct dial *d)
{
    return &d->result;
}

static struct slice name_of(const struct dial *d)
{
    return (struct slice){ dial_destination(d)->host->name, dial_destination(d)->host->len };
}

/* Whether the addresses are known without asking anybody. */
static bool is_given(const struct dial *d)
{
    return dial_destination(d)->ngiven || dial_destination(d)->host->literal;
}

static void close_attempts(struct dial *d, const struct conn *but)
{
    for (u8 i = 0; i < d->next; i++)
        if (d->candidate[i].attempt && d->candidate[i].attempt != but) {
            conn_close(d->candidate[i].attempt);
            d->candidate[i].attempt = NULL;
            d->running--;
        }
}

static void end(struct dial *d, struct conn *winner, enum fault f)
{
    d->over = true;
    d->result.conn = winner;
    d->result.fault = f;
    close_attempts(d, winner);
    if (d->resolving)
        dns_cancel(d->worker->dns, &d->wait);
    timer_clear(&d->worker->loop.wheel, &d->timer);
}

static void dismantle(struct dial *d)
{
    timer_clear(&d->worker->loop.wheel, &d->timer);
    slab_give(&d->worker->dials, d);
}

/* Whatever came from the loop ends here. */
static void finish_if_over(struct dial *d)
{
    if (!d->over)
        return;
    struct dial_request request = d->request;
    struct dial_result result = d->result;
    dismantle(d);
    request.done(request.self, &result);
}

static void note_fault(struct dial *d, enum fault f)
{
    if (f > d->result.fault || d->result.fault == FAULT_NONE)
        d->result.fault = f;
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

/* One connect; a descriptor that is missing is taken from the longest idle connection, and from the
 * next one when somebody else was quicker. */
static int connect_to(struct worker *w, const struct addr *a, const struct destination *to)
{
    bool foreign = unlikely(to->source != NULL);
    const struct addr *source = foreign ? to->source : &to->profile->source;
    int fd;
    do
        fd = sock_connect_from(a, source, foreign);
    while (fd < 0 && (errno == EMFILE || errno == ENFILE) && idle_evict(w));
    return fd;
}

static void note_returning(struct conn *c)
{
    struct addr own;
    c->may_return = conn_local(c, &own);
    if (c->may_return)
        returning_note(&own, &c->peer);
}

static void connect_ready(struct conn *c);
static const struct conn_user connecting = { "connecting", connect_ready, NULL, NULL,
                                             BUF_FOR_READING };

static bool try_address(struct dial *d, struct candidate *to)
{
    struct worker *w = d->worker;
    d->result.server = to->addr;
    d->result.rule = to->rule;
    d->result.shadow = to->shadow;
    int fd = connect_to(w, &to->addr, dial_destination(d));
    stat_add(w->stats, STAT_upstream_connects_total, 1);
    if (fd < 0) {
        note_fault(d, fault_of_errno(errno));
        if (d->result.fault == FAULT_out_of_descriptors && log_limited(w, LIMITED_ORIGIN))
            log_error(w, LEVEL_ERROR, "no descriptor for a connection to an origin");
        stat_add(w->stats, STAT_upstream_connect_failures_total, 1);
        return false;
    }
    struct conn *c = conn_new(w, fd, &to->addr, &connecting);
    if (c == NULL) {
        note_fault(d, FAULT_out_of_memory);
        return false;
    }
    if (unlikely(dial_destination(d)->intercepted))
        note_returning(c);
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
        end(d, NULL, d->result.fault == FAULT_NONE ? FAULT_connect_failed : d->result.fault);
}

static void resolved(struct dial *d)
{
    const struct dns_answer *a = &d->wait.answer;
    d->resolving = false;
    d->result.resolved_us = d->worker->loop.now.mono_us;
    d->open = a->open;
    if (a->fault == FAULT_NONE)
        dial_queue(d, a->addr, a->n,
                   dial_destination(d)->prefer ? dial_destination(d)->prefer
                   : a->preferred              ? a->preferred
                                               : AF_INET6);
    else if (d->next == 0)
        d->result.fault = dial_unresolved(d, a->fault);
    try_next(d);
}

static void on_resolved(struct dns_wait *w)
{
    struct dial *d = container_of(w, struct dial, wait);
    resolved(d);
    finish_if_over(d);
}

static void look_up(struct dial *d)
{
    d->wait.done = on_resolved;
    d->resolving = true;
    d->open = false; /* the answer tells; until it comes nobody asks again */
    timer_set(&d->worker->loop.wheel, &d->timer, d->deadline);
    const struct addr *client = d->request.client.family ? &d->request.client : NULL;
    if (dns_lookup(d->worker->dns, name_of(d), client, &d->wait))
        resolved(d);
}

static void begin(struct dial *d)
{
    const struct destination *to = dial_destination(d);
    u32 ms = d->worker->snapshot->conf.timeouts.connect;
    d->deadline = ms == UINT32_MAX ? TIMER_NEVER : worker_ms(d->worker) + ms;
    if (!is_given(d)) {
        look_up(d);
        return;
    }
    if (to->ngiven)
        dial_queue(d, to->given, to->ngiven, to->given[0].family);
    else
        dial_queue(d, &to->host->addr, 1, AF_INET);
    try_next(d);
}

enum fault dial_start(struct worker *w, const struct dial_request *request, struct dial **slot,
                      struct dial_result *over)
{
    struct dial *d = slab_take(&w->dials);
    if (d == NULL) {
        *over = (struct dial_result){ .fault = FAULT_out_of_memory };
        return FAULT_out_of_memory;
    }
    memset(d, 0, sizeof *d);
    d->request = *request;
    d->worker = w;
    timer_init(&d->timer, TIMER_DIAL);
    begin(d);
    if (!d->over) {
        *slot = d;
        return FAULT_NONE;
    }
    *over = d->result;
    dismantle(d);
    return over->fault;
}

void dial_cancel(struct dial *d)
{
    if (d->link && (*d->link)->cancel)
        (*d->link)->cancel(d);
    end(d, NULL, FAULT_NONE);
    dismantle(d);
}

static struct candidate *candidate_of(struct dial *d, const struct conn *c)
{
    u8 i = 0;
    while (d->candidate[i].attempt != c)
        i++;
    return &d->candidate[i];
}

static void attempt_failed(struct dial *d, struct conn *c, enum fault f)
{
    candidate_of(d, c)->attempt = NULL;
    d->running--;
    d->link = NULL;
    note_fault(d, f);
    stat_add(d->worker->stats, STAT_upstream_connect_failures_total, 1);
    conn_close(c);
    try_next(d);
}

/* The connectors one after the other, until one has to wait. */
static void run_chain(struct dial *d, struct conn *c)
{
    enum fault f = FAULT_connect_failed;
    for (; *d->link; d->link++)
        switch ((*d->link)->run(d, c, &f)) {
        case CONNECT_OK: break;
        case CONNECT_WAIT: return;
        case CONNECT_FAULT: attempt_failed(d, c, f); return;
        }
    d->link = NULL;
    end(d, c, FAULT_NONE);
}

static void won(struct dial *d, struct conn *c)
{
    static const struct connector *const none[] = { NULL };
    const struct conn_profile *profile = dial_destination(d)->profile;
    d->result.server = c->peer;
    d->result.rule = candidate_of(d, c)->rule;
    d->result.shadow = candidate_of(d, c)->shadow;
    if (!is_given(d))
        dns_note_winner(d->worker->dns, name_of(d), c->peer.family);
    close_attempts(d, c);
    if (d->resolving) /* asked again if this one fails in the end */
        dns_cancel(d->worker->dns, &d->wait);
    d->open |= d->resolving;
    d->resolving = false;
    timer_set(&d->worker->loop.wheel, &d->timer, d->deadline);
    d->link = profile->chain ? profile->chain : none;
    run_chain(d, c);
}

static void connect_ready(struct conn *c)
{
    struct dial *d = c->owner;
    u8 ready = c->stream.io.ready;
    if (d->link) {
        run_chain(d, c);
    } else if (ready & IO_ERROR) {
        int error = conn_error(c);
        attempt_failed(d, c, fault_of_errno(error ? error : ECONNREFUSED));
    } else if (ready & IO_OUT) {
        won(d, c);
    }
    finish_if_over(d);
}

static void out_of_time(struct dial *d)
{
    if (d->link && (*d->link)->cancel)
        (*d->link)->cancel(d);
    if (d->running)
        end(d, NULL, FAULT_connect_timeout);
    else if (d->next)
        end(d, NULL, d->result.fault);
    else
        end(d, NULL, dial_unresolved(d, FAULT_dns_timeout));
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
    finish_if_over(d);
}
