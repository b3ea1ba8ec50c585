/*
 * The exchange: one request and its answer, carried from a client leg to an upstream leg in named
 * steps (steps.tbl). The dispatcher calls the current step until it parks or the exchange is over;
 * back in lead xchg_wake (something happened), xchg_expired (nothing did) and the drain. Whose
 * clock runs meanwhile is decided at every park (deadline.h).
 *
 * Lifetime
 *   intake      a codec has filled the client leg and req, or has a fault instead of a request
 *   screen …    req's slices live as long as the client leg
 *   dial … await  the upstream leg is attached; resp is filled by await
 *   judge       writes the client head; after it resp's slices are gone (head_done)
 *   finish      closes both legs and logs
 *   tunnels     take what is under both legs at established or switched; the exchange ends there
 * An exchange belongs to one worker. It owns its arena, its dial and its legs, and knows nothing of
 * what they ride on.
 */
#ifndef CORE_XCHG_H
#define CORE_XCHG_H

#include "base/fault.h"
#include "core/exchange/deadline.h"
#include "core/exchange/lease.h"
#include "core/codec/leg.h"
#include "core/listener.h"
#include "core/exchange/relay.h"
#include "core/exchange/role.h"
#include "core/common/snapshot.h"
#include "http/head.h"
#include "http/uri.h"

enum step {
#define STEP(name, doing, next) STEP_##name,
#include "core/exchange/steps.tbl"
#undef STEP
    STEP_COUNT
};

enum step_result {
    STEP_GO,   /* x->step says where */
    STEP_PARK, /* an event will call xchg_wake */
    STEP_OVER  /* the exchange is gone: do not touch it */
};

enum {
    ROLE_AREA = 160,
    MOST_INTERIM = 64,
    HEAD_SPARE = 1024,  /* of a head of our own */
    EDIT_RESERVE = 512, /* for what is added to each of the messages: nearly always enough */
    /* Trailers: of the request, of the request sent once more, of the answer. */
    ARENA_RESERVE = 3 * sizeof(struct msg)
};

struct xchg {
    struct timer timer; /* the nearer one of the deadlines */
    struct deadline deadline[DEADLINES];
    struct io task; /* fd -1: its place in the loop's run queue */
    struct worker *worker;
    struct snapshot *snap; /* pinned: the configuration it began with, to its end */
    const struct listener *listen;
    const struct role *role;
    u8 step;
    u8 stage;          /* index of the next stage to run */
    bool running;      /* inside xchg_run: a wake-up from a callback must not nest */
    bool answered;     /* a final head has been written to the client side */
    bool request_done; /* the request body needs no more attention */
    bool request_cut;  /* … because the upstream side stopped taking it */
    bool retried;      /* the one free retry has been used */
    bool is_local;     /* the answer is our own, not the upstream side's */
    u8 interim;        /* 1xx answers seen */
    bool via_idle;     /* the upstream connection had rested idle */
    u32 rested_ms;     /* via_idle: how long it was idle before */
    bool no_idle;      /* dial anew, whatever idle connections there are */
    bool whole;        /* the answer has been sent to its end */
    bool looked_up;    /* a store has been asked */
    bool ask_again;    /* its store wants another answer than the one that has come */
    bool filled;       /* feed: the copy has ended: whole, or `stopped` */
    bool stopped;      /* feed: the copy takes no more */
    bool copy_late;    /* the copy has waited for copy_wait_ms: its own to clear */
    u8 copy_fault;     /* … because the upstream side has failed: enum fault */
    bool internal;     /* the proxy's own, for a client whose exchange is told */
    bool
        abandoned; /* its client has gone, and what came of that is told: it goes on for the copy */
    u8 cached;     /* enum cached: what the store was to it */
    u8 kept;       /* enum kept: why its answer is not kept, or was not asked for there */
    bool parked;   /* a stage, or the store, will be asked to go on */
    u8 attempts;   /* connections that were tried in vain */
    struct leg client, upstream;
    struct relay request, response;
    struct relay *feed; /* from a copy that leads to the client: store.h; NULL: there is none */
    const struct store *store; /* that has been asked */
    void *stored;              /* the store's own notes */
    struct slice space;        /* of its keys: role.h */
    struct source source;      /* of the answer's body: upstream, or one of our own */
    struct slice reply_rest;   /* of a body of ours that lies in memory */
    u32 max_forwards;          /* to be sent on; valid with has_max_forwards */
    bool has_max_forwards;
    bool req_edited, req_addressed;  /* by the role: once, and for this upstream connection */
    bool resp_edited;                /* … the head that is in resp */
    const struct stage *parked_at;   /* the stage; NULL: none has parked */
    void *parked_on;                 /* what it waits for: its own */
    struct intercepted *intercepted; /* whom the client meant; NULL: the proxy */
    struct lease lease[LEASES];
    struct destination to;
    struct target *target;
    struct dial *dial;     /* while connecting */
    struct tunnel *tunnel; /* reserved; NULL: none is promised */
    enum fault fault;
    u16 status;            /* of the final head written to the client side; 0: none */
    struct slice rule;     /* name of what decided, for the log; lives in the configuration */
    struct slice shadow;   /* of one that only says what it would have done; there too */
    struct slice evidence; /* of what was decided by a list, or refused: the rule's name and more,
                                 in the arena (core/report/evidence.h) */
    struct slice reason;   /* words of the administrator for a refusal; lives there too */
    struct slice user; /* the identity of whom has proved to be somebody (a name, and behind NULs
                                 more); in the arena; p NULL: nobody has */
    struct slice logged_type; /* Content-Type of the answer, where a log wants it; in the arena */
    u64 id;
    u32 copy_wait_ms; /* for how long the copy that leads may wait for room */
    u64 fetched; /* bytes of an answer of the store's that exchanges of ours have brought for it */
    /* Monotonic: request head complete; look-up and connection done (0: there was none); answer
     * head complete. */
    u64 start_us, resolved_us, connected_us, first_us;
    struct addr peer; /* the client; family 0: the proxy itself */
    /* Of the proxy itself: the client that is its cause, under whose rules it is, as under those of
     * `user`; NULL: nobody is. */
    const struct addr *behalf;
    struct addr server; /* upstream address in use or tried last; family 0: none */
    struct arena arena;
    struct authority host_field; /* Host as received; host.len 0: there was none */
    struct target_uri uri;       /* host and port are those of the destination, whatever the form */
    struct msg req, resp;
    _Alignas(16) char role_area[ROLE_AREA]; /* the role's own notes about this exchange */
    _Alignas(16) char arena_reserve[ARENA_RESERVE];
    char req_extra[EDIT_RESERVE], resp_extra[EDIT_RESERVE];
};

/* How codecs open one; worker_new installs it. */
extern const struct intake xchg_intake;
/* Something happened on one of its legs, or its dial has ended. */
void xchg_wake(struct xchg *x);
/* TIMER_XCHG: one of its deadlines is over. */
void xchg_expired(struct timer *t);

/* For steps. To `step`, checked against steps.tbl in debug builds. */
enum step_result xchg_go(struct xchg *x, enum step step);
/* Gives its memory back: its legs and what else it holds have gone elsewhere. */
void xchg_free(struct xchg *x);
/* To refuse, or to finish when the client side has seen a final head. */
enum step_result xchg_fail(struct xchg *x, enum fault f);
/* Writes x->resp to the client; the body of x->source is to follow. WAIT: park and call again;
 * FAULT: the client takes nothing. */
enum flow xchg_put_head(struct xchg *x);
/* To the step relay, which sends x->source behind the head. */
enum step_result xchg_relay(struct xchg *x);
/* x->resp anew, for a head that is to come. */
void xchg_new_response(struct xchg *x);
/* Takes what the tunnel will need that is about to be promised, once. False: no memory. */
bool xchg_reserve_tunnel(struct xchg *x, struct slice protocol);
/* Gives up the dial, if there is one; what it came to is noted for the log. */
void xchg_drop_dial(struct xchg *x);
/* What the current step or stage attempts, for the error log. */
const char *xchg_doing(const struct xchg *x);
/* Goes on in the loop's next turn, without waiting for an event. */
void xchg_again(struct xchg *x);
/* A copy of it becomes x->user. False: no memory. */
bool xchg_set_user(struct xchg *x, struct slice identity);
/* Gives back the upstream leg and its target, when there are any: another exchange may use them. */
void xchg_release_upstream(struct xchg *x);
/* An empty upstream leg, for the next connection. */
void xchg_new_upstream(struct xchg *x);
/* The rule's evidence, or its name alone: another rule may have decided since there was any. */
static inline struct slice xchg_evidence(const struct xchg *x)
{
    if (likely(x->evidence.n == 0))
        return x->rule;
    bool its = slice_starts(x->evidence, x->rule) && x->evidence.p[x->rule.n] == 0;
    return its ? x->evidence : x->rule;
}
/* Does the client's connection end with this exchange: the worker drains, or nobody listens at its
 * address any more? */
bool xchg_is_last(const struct xchg *x);
/* The role's area as T. */
#define xchg_role_area(x, T)                                                                       \
    ((void)sizeof(char[sizeof(T) <= ROLE_AREA ? 1 : -1]), (T *)(void *)(x)->role_area)

const char *screen_doing(const struct xchg *x);
enum step_result step_screen(struct xchg *x);
enum step_result step_where(struct xchg *x);
enum step_result step_lookup(struct xchg *x);
enum step_result step_dial(struct xchg *x);
enum step_result step_send(struct xchg *x);
enum step_result step_await(struct xchg *x);
enum step_result step_judge(struct xchg *x);
enum step_result step_relay(struct xchg *x);
enum step_result step_established(struct xchg *x);
enum step_result step_switched(struct xchg *x);
enum step_result step_refuse(struct xchg *x);
enum step_result step_reply(struct xchg *x);
enum step_result step_finish(struct xchg *x);

/* The store, if there is one that has been asked. It may want a copy of what upstream
 * answers, or give a response of its own instead: then x->is_local is set. False: no memory. */
bool lookup_begin_copy(struct xchg *x, struct sink *tee);
/* x->fault has happened. True: a stored response goes to `judge` instead. */
bool lookup_rescue(struct xchg *x);
/* The client of a copy that leads has gone, with that fault. True: the exchange goes on without. */
bool lookup_keep(struct xchg *x, enum fault f);
/* A source that the store has given has failed. True: x->source is another one for the rest. */
bool lookup_goes_on(struct xchg *x);
/* The copy that leads takes no more, or the upstream side has failed, with that fault. */
void relay_stop_copy(struct xchg *x, enum fault why);
/* The client has all that it wanted of a copy that leads: the exchange goes on without, for the
 * copy. */
void lookup_served(struct xchg *x);
/* The store learns that the exchange ends. */
void lookup_end(struct xchg *x);

/* The parent has answered x->resp, which is between it and us: sets fault and reason. */
void xchg_refused_by_parent(struct xchg *x);

/* Moves the request body while it lasts; shared by await and relay. False: x->fault is set. */
bool xchg_pump_request(struct xchg *x);

#endif
