/*
 * What the core needs of a thread (struct worker) and of the process (struct engine).
 *
 * A worker's fields belong to its own thread, but for `open` and the call queue inside its loop.
 * The engine is written before the workers start and read-only then, but for the atomics, for what
 * is the control thread's, and for shared idle list, client_count, dns and the registry, which
 * bring locks of their own.
 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/ring.h"
#include "base/slab.h"
#include "base/stat.h"
#include "core/conn/idle_life.h"
#include "core/types.h"
#include "io/loop.h"
#include "io/offload.h"

/* Which callback a timer of this worker's wheel means. */
enum timer_kind {
    TIMER_CONN,
    TIMER_DIAL,
    TIMER_DNS,
    TIMER_TUNNEL,
    TIMER_MEMORY,
    TIMER_ACCEPT,
    TIMER_SWEEP,
    TIMER_XCHG,
    TIMER_ROLE
};

enum { TARGET_BUCKETS = 1024 };

/* Conditions that last: each gets a line in the error log every ten seconds at most
 * (log_limited). */
enum limited {
    LIMITED_DESCRIPTORS,
    LIMITED_CLIENTS,
    LIMITED_ADDRESS,
    LIMITED_MEMORY,
    LIMITED_ORIGIN,
    LIMITED_KINDS
};

/* The lines of those who wait for memory, in the order of service: what has begun is finished
 * before anything begins. */
enum memory_queue { MEMORY_BEGUN, MEMORY_HEADS, MEMORY_QUEUES };

struct worker {
    struct loop loop;
    u32 id;
    struct engine *engine;
    const struct intake *intake;       /* how codecs open exchanges */
    const struct codec *const *codecs; /* ended by NULL, the first is the default */
    struct snapshot *snapshot; /* the newest it has adopted: what waits and what begins use it */
    u64 memory; /* bytes: this worker's part of limits memory, for connections and buffers */
    struct buf_allocator bufs;
    struct slab conns, xchgs, tunnels, dials;
    struct stats *stats;
    struct ring *log; /* to the log writer */
    bool log_pending; /* published in this turn: see whether the writer sleeps */
    bool log_urgent;  /* the ring is half full: wake it in any case */
    struct dns *dns;
    struct list targets[TARGET_BUCKETS];
    struct list idle_conns;               /* idle connections of all targets, oldest first */
    struct list client_conns, requesters; /* clients, and those of internal.h: for drain */
    /* Connections that wait for a buffer, first come first. */
    struct list memory_waiters[MEMORY_QUEUES];
    struct timer memory_timer;
    struct timer accept_timer; /* accepting is paused until then */
    struct timer sweep_timer;
    bool accept_paused;
    u8 draining; /* enum drain_state */
    u32 jobs; /* on the offload threads that come back to this loop: it waits for them at the end */
    u64 exchange_serial;
    struct via_line {
        char text[64];
        u32 n;
    } via[2];                /* our Via field of a message that came with HTTP/1.0, 1.1 */
    struct io recheck;       /* its turn to have more tunnels decided again: conn_end.c */
    struct list *recheck_at; /* in client_conns: the next one to look at; NULL: none */
    u64 limited_ms[LIMITED_KINDS];
    void *accept;                          /* the listening sockets: proxyd/listen.c */
    _Alignas(CACHE_LINE) _Atomic u32 open; /* client connections, for hand-off between workers */
    _Atomic bool done;                     /* drained: the thread has left its loop */
};

enum drain_state { DRAIN_NO, DRAIN_GRACEFUL, DRAIN_NOW };

/* How the process accepts clients for a worker (proxyd/listen.c). All of it is called on the
 * worker's thread. */
struct accepting {
    void (*start)(struct worker *w);     /* before its first turn */
    void (*stop)(struct worker *w);      /* drain */
    void (*resume)(struct timer *timer); /* worker->accept_timer */
    /* Just before it adopts `next`: shuts what that does not name, and opens what has been prepared
     * (`opened` may be NULL). */
    void (*change)(struct worker *w, const struct snapshot *next, void *opened);
};

struct engine {
    _Atomic(struct snapshot *) newest; /* configuration; each worker adopts it in its own time */
    _Atomic u32 adopted;               /* calls to adopt that workers have carried out */
    u32 published;                     /* calls to adopt posted; the control thread's */
    _Atomic(struct snapshot *) dead;   /* to be freed by an offload thread */
    _Atomic bool freeing;              /* free_snapshots is posted */
    struct offload_job free_snapshots;
    struct snapshot *dying; /* of them, those that this job frees */
    struct registry *registry;
    struct worker **workers;
    u32 nworkers;
    struct dns_shared *dns;
    struct shared_idle *shared_idle;
    struct idle_lives idle_lives;
    struct client_count *client_count;
    struct refusals *refusals; /* the last ones of each client; NULL: none are kept */
    struct log_writer *log_writer;
    struct accepting accepting;
    struct offload *offload; /* threads for what may block */
    const char *pseudonym;   /* received-by of Via, unique per process; see core/exchange/via.h */
    _Atomic u32 max_clients; /* limits clients, clamped by the descriptor limit */
    _Alignas(CACHE_LINE) _Atomic u32 clients; /* open client connections of all workers */
    _Atomic u32 pipes;                        /* 1 MB splice pipes in use */
    _Atomic u32 closed; /* workers that drain, and so hand no client over any more */
    _Atomic u64 cut;    /* exchanges and tunnels ended by the drain deadline */
};

static inline u64 worker_ms(const struct worker *w)
{
    return loop_ms(&w->loop);
}

#endif
