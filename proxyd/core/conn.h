/*
 * A connection: one descriptor with its stream, its unread and its unsent bytes, and whom to wake.
 * Client and upstream connections are of one kind; `serves` tells what its events mean.
 *
 * Lifetime
 *   serves          made by         event goes to     ends in
 *   CONN_HEAD       client_accept     h1_ready        CONN_EXCHANGE, or conn_close
 *   CONN_EXCHANGE   xchg_open,      xchg_wake         CONN_HEAD (next request), CONN_IDLE (idle),
 *                   dial, pool                        CONN_TUNNEL, CONN_LINGER, conn_close or
 *                                                     conn_release (to the shared list)
 *   CONN_DIALLING   dial            dial_ready        CONN_EXCHANGE or conn_close
 *   CONN_IDLE       idle_give       idle_ready        CONN_EXCHANGE or conn_close
 *   CONN_TUNNEL     tunnel_start    tunnel_ready      conn_close
 *   CONN_LINGER     h1_linger     h1_ready        conn_close
 * conn_close closes at once; the memory stays until the end of the loop's turn.
 */
#ifndef CORE_CONN_H
#define CORE_CONN_H

#include "base/addr.h"
#include "base/buf.h"
#include "core/types.h"
#include "core/worker.h"
#include "http/head.h"
#include "io/stream.h"

enum conn_serves { CONN_HEAD, CONN_EXCHANGE, CONN_DIALLING, CONN_IDLE, CONN_TUNNEL, CONN_LINGER };

/* What conn->timer waits for. Exchanges, dials and tunnels have timers of their own. */
enum conn_wait { WAIT_NOTHING, WAIT_HEAD, WAIT_IDLE, WAIT_LINGER };

struct conn {
    struct stream stream; /* first: the loop's io inside it is the connection */
    struct worker *worker;
    struct buf *in; /* received, not yet consumed; NULL when there is nothing */
    struct buf
        *pin; /* holds the head of the running exchange, stays as it is; may be the same as in */
    struct buf *out; /* to be sent; NULL when there is nothing */
    union {
        struct xchg *xchg;
        struct tunnel *tunnel;
        struct dial *dial;
        struct target *target; /* CONN_IDLE */
    } owner;
    const struct listener *listen; /* client: where it came in; upstream: NULL */
    struct timer timer;
    struct list link; /* client: worker->client_conns; idle upstream: target->idle */
    union {
        struct list idle_link;   /* idle upstream: worker->idle_conns */
        struct list memory_link; /* client: worker->memory_waiters */
        struct deferred deferred;
    };
    struct addr peer;
    u64 bytes_in, bytes_out;
    u32 requests;               /* begun on this connection */
    struct head_scan head_scan; /* of the incomplete head in `in` */
    u8 serves, wait;
    u8 full_reads;     /* reads in a row that filled the buffer: promotes its class */
    u8 in_class;       /* class for the next `in` */
    bool eof;          /* the peer sent its last byte */
    bool read_failed;  /* reading failed: the connection is dead */
    bool write_failed; /* writing failed: the peer takes no more, but may still have spoken */
    bool
        refilled; /* read again since `pin` was set: the pinned bytes are no longer all there was */
    bool awaits_memory; /* found no memory at its last try; it stands in line or is about to try */
    u8 empty_lines;     /* skipped before the head that is awaited */
};

/* May another client come in, as far as memory goes? */
bool conn_affordable(struct worker *w);
/* Takes over fd and registers it; on failure closes fd and returns NULL. */
struct conn *conn_new(struct worker *w, int fd, const struct addr *peer, enum conn_serves serves);
/* One that ends in memory: `request` is received already, `below` is the sender of what is sent.
 * NULL when memory is short or the request is longer than a buffer. */
struct conn *conn_new_memory(struct worker *w, const struct stream_ops *ops, struct stream *below,
                             struct slice request);
void conn_close(struct conn *c);
/* Ends the connection object but not the connection: the descriptor, out of the loop, is the
 * caller's. */
int conn_release(struct conn *c);
/* conn_close, but the peer sees a reset: for an answer that must not look whole. */
void conn_abort(struct conn *c);

/* Reads once into c->in, taking or promoting a buffer as needed. c->in must have no live bytes or
 * room behind them. SOCK_AGAIN also when no buffer is to be had (the connection then waits in
 * line). */
enum sock_result conn_fill(struct conn *c);
/* Sends c->out and then `more` (may be NULL) in one call. *taken is what went of `more`. SOCK_OK:
 * everything went; SOCK_AGAIN: the socket is full. c->out is given back when empty. */
enum sock_result conn_send(struct conn *c, struct slice more, size_t *taken);
static inline enum sock_result conn_flush(struct conn *c)
{
    size_t none;
    return c->out ? conn_send(c, (struct slice){ NULL, 0 }, &none) : SOCK_OK;
}
/* Room for n more bytes behind c->out, in place, as a writer; conn_wrote tells how much was used. n
 * at most 256 kB - header. False: the connection waits in line for memory (`starved`) or, where
 * what is unsent leaves no room in the largest buffer, for its socket. */
bool conn_room(struct conn *c, size_t n, struct text *t);
static inline void conn_wrote(struct conn *c, const struct text *t)
{
    c->out->to += (u32)t->n;
}
/* Gives c->in back when it has no live bytes. */
void conn_drop_in(struct conn *c);
/* The exchange that needed the pinned head is over. */
void conn_unpin(struct conn *c);
/* Starts or moves the timer: `wait` expires in ms (UINT32_MAX: never), and is the only one. */
static inline void conn_wait(struct conn *c, enum conn_wait wait, u32 ms)
{
    c->wait = (u8)wait;
    if (ms == UINT32_MAX)
        timer_rest(&c->timer);
    else
        timer_set(&c->worker->loop.wheel, &c->timer, worker_ms(c->worker) + ms);
}
static inline void conn_wait_nothing(struct conn *c)
{
    conn_wait(c, WAIT_NOTHING, UINT32_MAX);
}
/* One small compare: may a read yield something? */
static inline bool conn_readable(const struct conn *c)
{
    return (c->stream.io.ready & IO_IN) && !c->eof && !c->read_failed;
}

#endif
