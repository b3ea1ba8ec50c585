/*
 * A connection: one descriptor with its stream, its unread and its unsent bytes, and its user: who
 * has it now and is called for its events. Client and upstream connections are of one kind.
 *
 * Lifetime
 *   user            made by               hands on to
 *   front           client_accept         handshake, new client, exchange, or conn_close
 *   handshake       client_accept         new client, or conn_close
 *   new client      client_accept         exchange, raw client, or conn_close
 *   raw client      raw_serve             exchange, or conn_close
 *   idle client     h1_next               exchange, or conn_close
 *   connecting      dial                  exchange, or conn_close
 *   exchange        intake, step_dial     idle client (next request), idle upstream, tunnel,
 *                                         lingering, conn_close or conn_release (to the shared
 *                                         idle list)
 *   idle upstream   idle_give             exchange, or conn_close
 *   tunnel          tunnel_begin          conn_close
 *   lingering       h1_linger             conn_close
 * conn_close closes at once; the memory stays until the end of the loop's turn.
 */
#ifndef CORE_CONN_H
#define CORE_CONN_H

#include "base/addr.h"
#include "base/buf.h"
#include "core/intercepted.h"
#include "core/listener.h"
#include "core/types.h"
#include "core/worker.h"
#include "http/head.h"
#include "io/stream.h"

/* Who has a connection now: one static table for each purpose. All calls come from the loop, so no
 * user is called from inside its own call of a conn function. */
struct conn_user {
    const char *name;
    void (*ready)(struct conn *c);   /* something happened, or memory may have come back */
    void (*expired)(struct conn *c); /* conn->timer; NULL: the owner has a timer of its own */
    /* A client connection, while the worker ends; NULL: none has this user. May close c. */
    void (*drain)(struct conn *c, enum drain_state how);
    u8 reads; /* enum buf_use: what is read for it */
};
/* Does it wait for something to begin? That ends before memory for what has begun is short. */
static inline bool conn_user_begins(const struct conn_user *u)
{
    return u->reads == BUF_FOR_NEWCOMER || u->reads == BUF_FOR_CLIENT;
}

/* What conn->timer waits for. Exchanges, dials and tunnels have timers of their own. */
enum conn_wait { WAIT_NOTHING, WAIT_HEAD, WAIT_SILENCE, WAIT_IDLE, WAIT_LINGER };

struct conn {
    struct stream stream; /* first: the loop's io inside it is the connection */
    struct worker *worker;
    struct buf *in; /* received, not yet consumed; NULL when there is nothing */
    /* Holds the head of the running exchange and stays as it is; may be the same as in. */
    struct buf *pin;
    struct buf *out; /* to be sent; NULL when there is nothing */
    const struct conn_user *user;
    void *owner;                  /* the user's: exchange, tunnel, dial, target */
    const struct listen_addr *at; /* client: where it came in, see way_in; upstream: NULL */
    struct timer timer;
    struct list link; /* client: worker->client_conns; idle upstream: target->idle */
    union {
        struct list idle_link;   /* idle upstream: worker->idle_conns */
        struct list memory_link; /* client: worker->memory_waiters */
        struct deferred deferred;
    };
    struct addr peer;
    u64 bytes_in, bytes_out;
    struct head_scan head_scan; /* of the incomplete head in `in` */
    u8 wait;
    u8 full_reads;          /* reads in a row that filled the buffer; two promote its class */
    u8 in_class;            /* class for the next `in` */
    bool eof : 1;           /* the peer sent its last byte */
    bool read_failed : 1;   /* reading failed: the connection is dead */
    bool write_failed : 1;  /* writing failed: the peer takes no more, but may still have spoken */
    bool refilled : 1;      /* read since `pin` was set: it no longer holds all there was */
    bool awaits_memory : 1; /* found none at its last try; stands in line or is about to try */
    bool has_way_in : 1;    /* `at` is that of a way_in */
    bool may_return : 1;    /* noted as one that the network may lead back here (returning.h) */
    u8 empty_lines;         /* skipped before the head that is awaited */
};

/* What few clients have, so that the others pay nothing for it: `at` points to a copy of the
 * listening address, and this lies around it. */
struct way_in {
    struct listen_addr at;               /* first */
    const struct listen_addr *listening; /* the address itself */
    struct intercepted intercepted;
};
/* A client's; NULL: it has none. */
static inline struct way_in *conn_way_in(const struct conn *c)
{
    return unlikely(c->has_way_in) ? container_of(c->at, struct way_in, at) : NULL;
}
/* For a client that was meant for somebody else: its way_in, made at the first call. NULL: no
 * memory. */
struct way_in *conn_intercepted(struct conn *c);
/* No request will come any more that needs it. */
void conn_drop_way_in(struct conn *c);

/* Is there memory for one more client? */
bool conn_affordable(struct worker *w);
/* Takes over fd and registers it; on failure closes fd and returns NULL. */
struct conn *conn_new(struct worker *w, int fd, const struct addr *peer,
                      const struct conn_user *user);
/* Events and the timer go to `user` from now on. */
static inline void conn_hand(struct conn *c, const struct conn_user *user, void *owner)
{
    c->user = user;
    c->owner = owner;
}
void conn_close(struct conn *c);
/* Ends the connection object but not the connection: the descriptor, out of the loop, is the
 * caller's. */
int conn_release(struct conn *c);
/* The socket's pending error, an errno, which is cleared by asking; 0: none, so a connect has
 * succeeded. */
int conn_error(const struct conn *c);
/* Our own end: what the peer has dialled. False: it has no IP address. */
bool conn_local(const struct conn *c, struct addr *local);
/* The peer has sent nothing that was not read, and has not ended: then it may rest idle. What
 * belongs to a layer alone (a ticket) is swallowed. */
bool conn_is_quiet(struct conn *c);

/* Reads once into c->in, taking or promoting a buffer as needed. c->in must have no live bytes or
 * room behind them. SOCK_AGAIN also when no buffer is to be had (the connection then waits in
 * line). */
enum sock_result conn_fill(struct conn *c);
/* Sends c->out and then `more` (may be NULL) in one call. *taken is what went of `more`. SOCK_OK:
 * everything went; SOCK_AGAIN: the socket is full. c->out is given back when empty. */
enum sock_result conn_send(struct conn *c, struct slice more, size_t *taken);
/* The same with a piece of a file. SOCK_END: what is left of it has to be sent as bytes. */
enum sock_result conn_send_file(struct conn *c, const struct extent *e, size_t *taken);
static inline enum sock_result conn_flush(struct conn *c)
{
    size_t none;
    return c->out ? conn_send(c, (struct slice){ NULL, 0 }, &none) : SOCK_OK;
}
/* Room for n more bytes behind c->out, in place, as a writer; conn_wrote tells how much was used. n
 * at most 256 kB - header. False: the connection waits in line for memory (`awaits_memory`) or,
 * where what is unsent leaves no room in the largest buffer, for its socket. */
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
/* TIMER_CONN. */
void conn_expired(struct timer *t);
/* One small compare: may a read yield something? */
static inline bool conn_readable(const struct conn *c)
{
    return (c->stream.io.ready & (IO_IN | IO_BUFFERED)) && !c->eof && !c->read_failed;
}

#endif
