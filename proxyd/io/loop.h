/*
 * One thread's event loop: edge-triggered epoll, a ready queue, a timer wheel and a queue of
 * posted calls.
 *
 * Every descriptor is registered once, for both directions, and never modified: nothing on the path
 * of a warm request calls epoll_ctl. The hard thing is what edge triggering asks of the callers:
 * `ready` bits stay set until a read or write has really met EAGAIN (a short read counts, see
 * sock_recv), and whoever stops before that must come back through loop_again.
 *
 * A turn: posted calls, ready queue, timers, deferred frees, epoll_wait. Memory of a closed io
 * stays until the end of the turn (loop_defer), so that an event of the same batch never meets
 * freed memory. All functions but loop_post and loop_wake belong to the loop's own thread.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/clock.h"
#include "base/list.h"
#include "base/call.h"
#include "base/wheel.h"

enum io_ready {
    IO_IN = 1,      /* a read may yield bytes, end or an error */
    IO_OUT = 2,     /* a write may take bytes */
    IO_HUP = 4,     /* the peer has shut down its side; bytes may still be there */
    IO_ERROR = 8,   /* reset or failed connect */
    IO_QUEUED = 16, /* in the ready queue */
    IO_URGENT = 32, /* urgent data has come: a read stops at it, and more may be behind it */
    IO_BUFFERED =
        64 /* a layer may hold bytes that a read yields without the descriptor: stream.h */
};

/* First member of whatever owns a descriptor. */
struct io {
    int fd;   /* -1: closed */
    u8 ready; /* enum io_ready */
    u8 level; /* registered level-triggered: resolver sockets, listeners */
    void (*on_ready)(struct io *io);
    struct io *next_ready;
};

struct deferred {
    struct deferred *next;
    void (*run)(struct deferred *, void *context); /* runs after the batch */
};

struct loop {
    int epoll, wake; /* wake: eventfd */
    struct clock now;
    struct wheel wheel;
    struct call_queue calls;
    _Atomic bool sleeping; /* in or about to enter epoll_wait */
    bool stop;
    struct io wake_io;
    struct io *queue, **queue_end;
    u32 queued; /* length of the queue */
    struct deferred *deferred;
    void *context; /* given to posted calls and deferred: the owner of the loop */
    void (*end_of_turn)(struct loop *);
};

/* False with errno when the kernel refuses a descriptor. */
bool loop_init(struct loop *l, void *context);
void loop_free(struct loop *l);

/* Registers io->fd edge-triggered for both directions. False with errno. */
bool loop_add(struct loop *l, struct io *io);
/* Level-triggered for what is wanted of IO_IN and IO_OUT, which may change. */
bool loop_add_level(struct loop *l, struct io *io, u8 wanted);
void loop_change_level(struct loop *l, struct io *io, u8 wanted);
/* Unregisters without closing: for moving a descriptor to another loop. */
void loop_remove(struct loop *l, struct io *io);
/* Closes the descriptor (which unregisters it) and takes io out of the ready queue. */
void loop_close(struct loop *l, struct io *io);
/* Calls io->on_ready again in the next turn, without waiting for an event. */
void loop_again(struct loop *l, struct io *io);
/* run(g) runs at the end of this turn. */
void loop_defer(struct loop *l, struct deferred *g, void (*run)(struct deferred *, void *context));

/* From any thread: runs call->run(call, l->context) on the loop's thread. */
void loop_post(struct loop *l, struct call *call);
/* From any thread: ends a sleep. */
void loop_wake(struct loop *l);

/* Turns until l->stop. */
void loop_run(struct loop *l);
void loop_turn(struct loop *l, u32 most_ms);

static inline u64 loop_ms(const struct loop *l)
{
    return clock_ms(&l->now);
}

#endif
