/*
 * A role: how one direction answers the questions that the engine asks. Each direction fills one
 * table; the engine calls only through it and knows no direction by name.
 */
#ifndef CORE_ROLE_H
#define CORE_ROLE_H

#include "base/addr.h"
#include "base/cache_rule.h"
#include "base/fault.h"
#include "base/text.h"
#include "core/exchange/stage.h"
#include "core/conn/target.h"
#include "core/report/evidence.h"
#include "http/head.h"

/* What a role says about a refusal. Slices stay as long as the exchange. */
struct refusal {
    struct text *help;
    struct text *why;  /* the URL at which it is told again, but for the id; empty: there is none */
    u16 status;        /* 0: that of the fault */
    struct slice page; /* a template (core/report/page.h); empty: the usual page */
    struct slice contact; /* whom to ask; empty: nobody in particular */
};

enum inspection { INSPECT_MORE, INSPECT_PASS, INSPECT_DENY };

/* What the first bytes of a tunnel came to, but for MORE. */
struct inspected {
    bool answered;        /* set before: the other side has spoken already */
    struct ruling ruling; /* its rule: with evidence; of DENY; of PASS no more than its shadow */
    struct slice name;    /* the host they name, where it is not the target's; else empty */
    bool named;           /* they name the target's host */
    char name_area[264], rule_area[EVIDENCE_MOST]; /* where its texts may lie */
};

enum detection {
    DETECTED_HTTP, /* or a fault, if it is surely none */
    DETECTED_MORE, /* nobody can tell yet */
    DETECTED_RAW   /* bytes for a tunnel to where it was going; of a role that intercepts */
};
struct detected {
    u16 fault; /* enum fault; of HTTP */
    u16 as;    /* enum detection */
};
/* Of a role that takes HTTP and nothing else. */
static inline struct detected detect_http(struct slice first)
{
    return (struct detected){ (u16)first_bytes(first.p, (u32)first.n), DETECTED_HTTP };
}

struct role {
    const char *name; /* the word after `mode` */
    bool explains;    /* what it refuses is kept, for its clients to ask why */
    bool intercepts;  /* what it accepts was meant for somebody else: xchg->intercepted */
    /* What does a client begin with? All bytes so far; none, where it intercepts and a client has
     * been silent for a while: RAW, or else it waits on. */
    struct detected (*detect)(const struct listener *l, struct slice first);
    /* May this client ask at all? Asked first, before even what every direction asks (Via,
     * Max-Forwards, size of the body), so that nobody else gets more than a refusal. NULL: anybody
     * may. */
    const struct stage *who;
    /* Asked in order before anything is dialled; end with NULL. */
    const struct stage *const *request_stages;
    /* Asked in order once the response head is known; end with NULL. */
    const struct stage *const *response_stages;
    /* Where does it go? Fills x->to (PASS), or answers itself, or refuses. Asked again, and no
     * other stage is, when an attempt has failed and `next` knows of another server: then it names
     * that one. */
    const struct stage *where;
    /* No connection came about, for that fault, or it ended before it answered what may be sent
     * twice (retry_is_unconnected tells which): is there another server? NULL: never. */
    bool (*next)(struct xchg *x, enum fault why);
    /* The store that this exchange asks, and in *space what tells its keys from those of others of
     * this role (the name of a pool); NULL: it asks none. Called only where the listener names a
     * store. As NULL itself: the listener's own. */
    const struct store *(*store)(const struct xchg *x, struct slice *space);
    /* What the rule that decided says about the store; NULL: nothing, or none has decided yet: one
     * may that looks at the address. `vetted`: the last address that was asked about is the one.
     * As NULL itself: nothing, ever. */
    const struct cache_rule *(*caching)(const struct xchg *x, bool vetted);
    /* Will edit_request change what this request asks for, or may it? Then a store neither answers
     * it nor keeps its answer: it would compare the fields that the client said with those that the
     * upstream side was told. NULL: never. */
    bool (*alters)(const struct xchg *x);
    /* May this exchange use this address? Called for every address before it is dialled and for
     * every idle connection before it is used; with NULL when the name led to none: would the
     * answer have been no in any case? It changes nothing: whoever asks notes what came of it.
     * NULL: addresses are configured, hence trusted. */
    struct ruling (*vet)(const struct xchg *x, const struct addr *a);
    /* May a CONNECT go on that begins so? `first`: all that its client has sent, one byte or more;
     * it is held until it is known. Asked again with more of them after MORE. Of an intercepted
     * client only when it was silent until now. *out is zero but for what is set before. NULL:
     * nothing is held. */
    enum inspection (*inspect)(struct worker *w, const struct listener *l,
                               const struct access_record *r, struct slice first,
                               struct inspected *out);
    /* Another configuration is in force: would a tunnel that this role let through be let through
     * by the listener that is now at its address, of the same role? The texts are the listener's.
     * *grace_ms: how long it may go on when not. NULL: tunnels are not decided again. */
    struct ruling (*recheck)(struct worker *w, const struct listener *l,
                             const struct access_record *r, u32 *grace_ms);
    /* Edits x->req for the upstream side: what belongs to this hop goes, what the proxy adds comes.
     * Once in an exchange, however often the request is sent. False, here and below: no memory. */
    bool (*edit_request)(struct xchg *x);
    /* Says in x->req what is asked for and of whom (msg_address): for each connection that it is
     * sent on. */
    bool (*address_request)(struct xchg *x);
    /* Edits x->resp for the client side: once for each head, interim ones too. */
    bool (*edit_response)(struct xchg *x);
    /* Adds fields to a refusal (Allow, Retry-After …), and says what its page is to hold. NULL:
     * nothing. */
    void (*refuse)(struct xchg *x, struct msg *resp, struct refusal *r);
};

#endif
