/*
 * A role: how one direction answers the questions that the engine asks. Each direction fills one
 * table; the engine calls only through it and knows no direction by name.
 */
#ifndef CORE_ROLE_H
#define CORE_ROLE_H

#include "base/addr.h"
#include "base/fault.h"
#include "base/text.h"
#include "core/stage.h"

struct role {
    const char *name; /* the word after `mode` */
    /* First bytes that are no HTTP request line (at least 1): which fault is it? FAULT_NONE: may
     * be HTTP. */
    enum fault (*detect)(const struct listener *l, struct slice first);
    /* May this client ask at all? Asked first, before even what every direction asks (Via,
     * Max-Forwards, size of the body), so that nobody else gets more than a refusal. NULL: anybody
     * may. */
    const struct stage *who;
    /* Asked in order before anything is dialled; end with NULL. */
    const struct stage *const *request_stages;
    /* Asked in order once the response head is known; end with NULL. */
    const struct stage *const *response_stages;
    /* Where does it go? Sets x->target (PASS), or answers itself, or refuses. */
    enum verdict (*where)(struct xchg *x);
    /* May this exchange use this address? Called for every address before it is dialled and for
     * every idle connection before it is used; with NULL when the name led to none: would the
     * answer have been no in any case? NULL: addresses are configured, hence trusted. */
    enum fault (*vet)(struct xchg *x, const struct addr *a);
    /* Writes the head for the upstream side (start line and fields, without the final empty line
     * and without framing fields), the same for the client side. */
    void (*to_upstream)(struct xchg *x, struct text *out);
    void (*to_client)(struct xchg *x, struct text *out);
    /* How the upstream side behaved: for balance and health. NULL: nobody wants to know. */
    void (*outcome)(struct xchg *x, enum fault fault);
    /* Extra fields of a refusal (Allow, Retry-After …), and what its page says that helps. NULL:
     * neither. */
    void (*refuse)(struct xchg *x, struct text *fields, struct text *help);
};

#endif
