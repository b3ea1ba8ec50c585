/*
 * One side of an exchange, whatever it rides on: a connection of its own, a stream of a shared one,
 * or somebody in memory. Steps, relays and roles call its operations and read the facts below; only
 * the codec that filled it knows the ride.
 *
 * Each codec maps what happens on its wire to the same facts and results, and what the exchange
 * wishes to what its wire can say. `close` is the only end of a leg, called once, by the exchange,
 * in any state. No operation calls up: who waits is woken from the loop, through the intake.
 *
 * Framing is undone on reading and made anew on writing: nothing of the sender's chunk lines,
 * extensions or lengths is passed on.
 */
#ifndef CORE_LEG_H
#define CORE_LEG_H

#include "base/addr.h"
#include "base/fault.h"
#include "core/common/flow.h"
#include "core/codec/tunnel_end.h"
#include "core/intercepted.h"
#include "http/chunk.h"
#include "http/head.h"
#include "http/msg.h"

struct snapshot;

enum leg_end {
    LEG_KEEP, /* both messages are whole; a wish that the ride serves another exchange */
    LEG_LAST, /* both messages are whole, and no exchange follows */
    LEG_ABORT /* the peer must not take what it has for the whole */
};

struct leg_ops {
    const char *name;
    struct source_ops in; /* the body that the peer sends; self is the leg */
    struct sink_ops out;  /* the one that goes to the peer */
    /* Upstream: the next response head, interim or final, into an empty *m. OK: its slices stay
     * until head_done. FAULT: l->fault says why; FAULT_NONE: it ended before a head was whole. */
    enum flow (*head)(struct leg *l, struct msg *m, enum method asked);
    void (*head_done)(struct leg *l); /* also when it gave none */
    /* Upstream: has all of the body come with the head that was given? It is of a known length
     * then, and stays where it is until head_done. NULL: nobody knows. */
    bool (*body_here)(const struct leg *l, struct slice *body);
    /* A request, an interim response or the final one. All or nothing: WAIT: call again with the
     * same message; FAULT: it never will be taken. Chooses framing and Connection. */
    enum flow (*put_head)(struct leg *l, const struct msg *m);
    /* Client: the body is given once more from its first byte; false: it cannot be. */
    bool (*rewind)(struct leg *l);
    /* Upstream: the peer cannot have acted on what was sent. */
    bool (*untouched)(const struct leg *l);
    /* Client: our own end, as the peer has dialled it; false: it has no IP address. */
    bool (*local)(const struct leg *l, struct addr *local);
    /* Gives its bytes to a tunnel; l is empty then. NULL: it has none of its own. */
    struct tunnel_end (*detach)(struct leg *l);
    /* Client: its peer is let go as by `close`, and l goes on without anybody, as one that takes
     * nothing and hears nothing. False: no memory, and nothing has happened. NULL: it cannot. */
    bool (*let_go)(struct leg *l, enum leg_end end);
    /* l is empty then. */
    void (*close)(struct leg *l, enum leg_end end);
};

enum body_phase { BODY_DATA, BODY_TRAILERS, BODY_DONE };

/* The body as it is read. */
struct body_in {
    u64 left;   /* BODY_LENGTH: still to come */
    u64 length; /* BODY_LENGTH: all of it */
    struct chunk_in chunk;
    struct head_scan scan; /* of the trailer section */
    u8 kind;               /* enum body_kind */
    u8 phase;
};

/* The body as it is written. */
struct body_out {
    u64 left; /* BODY_LENGTH: still owed; BODY_STREAMED: of the open chunk */
    u8 kind;
    bool open; /* BODY_STREAMED: the CRLF behind the last chunk's data is still owed */
    bool done;
};

/* What HTTP/1 notes on a leg; other codecs keep theirs in the ride. */
struct h1_state {
    struct body_in in;
    struct body_out out;
    struct head_scan scan; /* upstream: of the head that is awaited */
    u32 head_len;          /* of the head that was given; upstream: head_done takes it */
    u32 body_at;           /* client: where in the pinned buffer the body begins */
    u64 base_in, base_out; /* what the connection had moved when the leg was laid on it */
    bool keep;             /* the peer allows another exchange on the connection */
    bool response;         /* upstream: what is read are responses */
};

struct leg {
    const struct leg_ops *ops; /* NULL: there is no such side */
    void *ride;                /* the codec's alone */
    struct xchg *xchg;         /* whom to wake */
    struct snapshot *snap;     /* the exchange's, pinned: limits */
    struct arena *arena;       /* the exchange's: trailers */
    struct target *target;     /* upstream: where the ride may rest afterwards */
    u64 bytes_in, bytes_out;   /* moved on the wire for this exchange: for deadlines and the log */
    u64 taken;                 /* of what came: head, and data of the body */
    struct msg *trailers;      /* that came behind the body; NULL: none */
    u16 fault;                 /* why its body cannot be read on; FAULT_NONE: it just ended */
    u16 refusal;               /* why it takes no more of an answer; FAULT_NONE: it has gone */
    u16 repairs;               /* of the responses read here, repair_bit: it serves no other then */
    u8 minor;                  /* of the peer's HTTP/1 version; 0: no interim heads, no chunks */
    bool in_done, out_done;    /* nothing more comes; nothing more goes */
    bool in_here;              /* client: the whole body had come with its head */
    bool gone;                 /* the peer has reset it, or is to be treated as if */
    bool memory;               /* waits for a buffer */
    bool unsent;               /* has something that the peer has not taken yet */
    bool last;                 /* no further exchange on it: put_head says so to the peer */
    struct h1_state h1;
};

static inline struct source leg_source(struct leg *l)
{
    return (struct source){ &l->ops->in, l };
}
static inline struct sink leg_sink(struct leg *l)
{
    return (struct sink){ &l->ops->out, l };
}

/* Who has come, and where. */
struct arrival {
    const struct listener *listen; /* of the snapshot, or one that outlives the exchange */
    const struct addr *peer;       /* family 0: nobody outside */
    struct intercepted
        *intercepted;      /* stays as long as the client leg; NULL: it was meant for us */
    struct snapshot *snap; /* pinned; the pin is the exchange's when begin succeeds */
};

/* What is known of an exchange by now, for a requester's report. Times are monotonic, in µs; 0: not
 * yet, or there was none. Texts are the exchange's configuration's. */
struct xchg_facts {
    struct addr server; /* in use or tried last; family 0: none */
    struct slice rule;  /* of what decided */
    u64 start_us, resolved_us, connected_us, first_us;
    bool idle;     /* a connection that rested was used */
    bool is_local; /* the answer is the proxy's own, … */
    u16 fault;     /* … and why: enum fault */
    u8 cached;     /* enum cached: what a cache was to it, … */
    u8 kept;       /* … and why the answer was not kept: enum kept */
};

/* Worker->intake, installed by the engine: codecs call the exchange through nothing else. */
struct intake {
    /* An exchange whose client leg and request the caller fills. NULL: no memory. */
    struct xchg *(*begin)(struct worker *w, const struct arrival *a, struct leg **client,
                          struct msg **req);
    /* The head is in req, or why it is not; runs now, or from the run queue. */
    void (*run)(struct xchg *x, enum fault f);
    void (*queue)(struct xchg *x, enum fault f);
    /* Something happened on a leg; queues while the exchange runs. */
    void (*wake)(struct xchg *x);
    /* The drain's deadline. */
    void (*cut)(struct xchg *x);
    void (*facts)(const struct xchg *x, struct xchg_facts *out);
    /* Something happened at an end of a tunnel; the drain wants it gone. */
    void (*tunnel_ready)(struct tunnel *t);
    void (*tunnel_cut)(struct tunnel *t);
    /* May it go on, now that the configuration is another one? */
    void (*tunnel_recheck)(struct tunnel *t);
};

#endif
