/* The table of clocks, and the state that selects from it. */
#include "core/exchange/deadline.h"

#include "core/conf.h"
#include "core/exchange/xchg.h"

/* Whose bytes begin a deadline anew. A response's head has one time, however many interim heads
 * come before it; memory is not moved by anybody's bytes. */
enum moves {
    MOVES_NOTHING,
    MOVES_CLIENT_IN,
    MOVES_CLIENT_OUT,
    MOVES_UPSTREAM_IN,
    MOVES_UPSTREAM_OUT
};

#define LIMIT(key) offsetof(struct timeouts_conf, key)
static const struct {
    u8 moves;
    u8 limit; /* where in struct timeouts_conf */
    u16 fault;
} table[WAITS_COUNT] = {
    [WAITS_NOTHING] = { .fault = FAULT_internal_error }, /* nothing of that kind expires */
    [WAITS_CLIENT_READ] = { MOVES_CLIENT_IN, LIMIT(body), FAULT_request_body_timeout },
    [WAITS_CLIENT_WRITE] = { MOVES_CLIENT_OUT, LIMIT(body), FAULT_client_write_timeout },
    [WAITS_UPSTREAM_READ] = { MOVES_UPSTREAM_IN, LIMIT(body), FAULT_response_body_timeout },
    [WAITS_UPSTREAM_WRITE] = { MOVES_UPSTREAM_OUT, LIMIT(body), FAULT_upstream_write_timeout },
    [WAITS_HEAD] = { MOVES_NOTHING, LIMIT(response), FAULT_response_head_timeout },
    [WAITS_MEMORY] = { MOVES_NOTHING, LIMIT(body), FAULT_out_of_memory },
    [WAITS_COPY] = { .fault = FAULT_internal_error }, /* it is asked, and no exchange fails */
};
#undef LIMIT

static u8 of_relay(const struct relay *r, const struct leg *from, u8 read, const struct leg *to,
                   u8 write)
{
    switch ((enum relay_result)r->last) {
    case RELAY_WAIT_SOURCE:
        if (from == NULL) /* a body of our own, with a clock of its own */
            return WAITS_NOTHING;
        return from->memory ? WAITS_MEMORY : read;
    case RELAY_WAIT_SINK: return to->memory ? WAITS_MEMORY : write;
    default: return WAITS_NOTHING;
    }
}

/* The upstream side and the client, if there still is one, are waited for at the same time. The
 * request is over, or nobody minds: a copy that leads is made of answers to requests without a
 * body. */
static void of_copy(const struct xchg *x, u8 rows[DEADLINES])
{
    if (x->feed)
        rows[DEADLINE_REQUEST] = of_relay(x->feed, NULL, 0, &x->client, WAITS_CLIENT_WRITE);
    if (x->filled)
        return;
    rows[DEADLINE_RESPONSE] =
        x->response.last == RELAY_WAIT_SINK
            ? WAITS_COPY
            : of_relay(&x->response, &x->upstream, WAITS_UPSTREAM_READ, NULL, WAITS_NOTHING);
}

/* A head that found no room: for want of memory, or because what is unsent has to go first. */
static u8 of_room(const struct leg *l, u8 write)
{
    return l->memory ? WAITS_MEMORY : l->unsent ? write : WAITS_NOTHING;
}

static u8 of_await(const struct xchg *x)
{
    if (x->client.unsent)
        return WAITS_CLIENT_WRITE;
    if (x->resp.status || x->upstream.memory) /* an interim head that finds no room */
        return WAITS_MEMORY;
    return x->request_done ? WAITS_HEAD : WAITS_NOTHING;
}

void deadline_rows(const struct xchg *x, u8 rows[DEADLINES])
{
    rows[DEADLINE_REQUEST] = rows[DEADLINE_RESPONSE] = WAITS_NOTHING;
    if ((x->step == STEP_await || x->step == STEP_relay) && !x->request_done)
        rows[DEADLINE_REQUEST] = of_relay(&x->request, &x->client, WAITS_CLIENT_READ, &x->upstream,
                                          WAITS_UPSTREAM_WRITE);
    switch ((enum step)x->step) {
    case STEP_dial: break;
    case STEP_send: rows[DEADLINE_RESPONSE] = of_room(&x->upstream, WAITS_UPSTREAM_WRITE); break;
    case STEP_await: rows[DEADLINE_RESPONSE] = of_await(x); break;
    case STEP_relay:
        if (unlikely(x->feed || x->abandoned)) {
            of_copy(x, rows);
            break;
        }
        rows[DEADLINE_RESPONSE] = of_relay(&x->response, x->is_local ? NULL : &x->upstream,
                                           WAITS_UPSTREAM_READ, &x->client, WAITS_CLIENT_WRITE);
        break;
    default: rows[DEADLINE_RESPONSE] = of_room(&x->client, WAITS_CLIENT_WRITE);
    }
}

/* What has to move for a deadline to begin anew. A copy that waits for its client, too, has another
 * reason to wait once that has read on. */
static u64 moved(const struct xchg *x, u8 waits)
{
    if (waits == WAITS_COPY)
        return x->feed ? x->feed->moved : 0;
    switch ((enum moves)table[waits].moves) {
    case MOVES_CLIENT_IN: return x->client.bytes_in;
    case MOVES_CLIENT_OUT: return x->client.bytes_out;
    case MOVES_UPSTREAM_IN: return x->upstream.bytes_in;
    case MOVES_UPSTREAM_OUT: return x->upstream.bytes_out;
    default: return 0;
    }
}

static u64 limit_of(const struct xchg *x, u8 waits)
{
    if (waits == WAITS_COPY)
        return worker_ms(x->worker) + x->copy_wait_ms;
    const char *limits = (const char *)&x->snap->conf.timeouts;
    u32 ms = *(const u32 *)(const void *)(limits + table[waits].limit);
    return ms == UINT32_MAX ? TIMER_NEVER : worker_ms(x->worker) + ms;
}

/* When this one ends. */
static inline u64 follow(const struct xchg *x, struct deadline *d, u8 waits)
{
    u8 before = d->waits;
    d->waits = waits;
    if (waits == WAITS_NOTHING)
        return TIMER_NEVER;
    u64 n = moved(x, waits);
    if (before != waits || d->moved != n) {
        d->moved = n;
        d->at = limit_of(x, waits);
    }
    return d->at;
}

void deadline_arm(struct xchg *x)
{
    u8 rows[DEADLINES];
    deadline_rows(x, rows);
    u64 request = follow(x, &x->deadline[DEADLINE_REQUEST], rows[DEADLINE_REQUEST]);
    u64 response = follow(x, &x->deadline[DEADLINE_RESPONSE], rows[DEADLINE_RESPONSE]);
    u64 at = request < response ? request : response;
    if (at == TIMER_NEVER)
        timer_rest(&x->timer);
    else
        timer_set(&x->worker->loop.wheel, &x->timer, at);
}

unsigned deadline_over(const struct xchg *x)
{
    u64 now = worker_ms(x->worker);
    unsigned i = 0;
    while (i < DEADLINES && (x->deadline[i].waits == WAITS_NOTHING || x->deadline[i].at > now))
        i++;
    return i;
}

enum fault deadline_fault(enum waits waits)
{
    return (enum fault)table[waits].fault;
}
