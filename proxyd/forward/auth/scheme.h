/*
 * The schemes by which somebody proves who he is, as a table (policy/auth.tbl), each with a file of
 * its own. What comes of any of them is an identity and a meter; no rule sees which one it was.
 */
#ifndef FORWARD_AUTH_SCHEME_H
#define FORWARD_AUTH_SCHEME_H

#include "base/stat.h"
#include "base/text.h"
#include "forward/auth/check.h"

struct auth_scheme {
    enum stat_id passed, failed; /* requests */
    /* The parameters of its challenge, behind the scheme's name. */
    void (*challenge)(const struct policy_auth *a, struct text *t);
    /* Of credentials that are not remembered (the field's whole value, in its scheme): PARKED,
     * to be resumed by auth_check_resume, or REFUSED with x->fault. */
    enum verdict (*begin)(struct xchg *x, struct auth_users *u, struct auth_print print,
                          struct slice credentials);
};

#define AUTH(token, field, text) extern const struct auth_scheme auth_scheme_##token;
#include "policy/auth.tbl"
#undef AUTH

/* The strongest that is offered and whose name the credentials begin with; NULL: none. */
const struct auth_scheme *auth_scheme_of(const struct policy_auth *a, struct slice credentials);
/* A challenge for each scheme that is offered, the strongest first. */
void auth_scheme_challenge(const struct policy_auth *a, struct text *t);

#endif
