/*
 * `auth`: who has to say who he is, and where it stands who he may be. The kinds of proof are a
 * table (auth.tbl), the strongest first: each is a block of its own in a policy, and a rule sees
 * only the identity that came of it.
 */
#ifndef POLICY_AUTH_H
#define POLICY_AUTH_H

#include "config/schema.h"
#include "filters/cidrset.h"
#include "filters/hostset.h"
#include "policy/policy.h"
#include "policy/users.h"

enum auth_scheme_id {
#define AUTH(token, field, text) AUTH_##token,
#include "policy/auth.tbl"
#undef AUTH
    AUTH_SCHEMES
};

struct policy_auth {
    u32 offers;                     /* a bit for each scheme with a block; 0: nobody is asked */
    const char *passwords, *groups; /* paths for open(2); groups NULL: there are none */
    struct slice realm;             /* no quote, no backslash: it stands in a quoted-string */
    struct hostset except_to;
    struct cidrset except_from;
};

/* What may stand in `auth basic { … }`. */
extern const struct schema_row auth_basic_rows[];
/* Of a policy's block: its files, as far as they can be read now. Warnings about lines and errors
 * about files. */
void auth_check(const struct node *auth, struct diags *d);

/* NULL: nobody has to say who he is. */
const struct policy_auth *policy_auth(const struct policy *p);
/* Does the exception hold for what the client asks? */
bool policy_auth_excepts(const struct policy_auth *a, const struct addr *client,
                         const struct host *host);

/* Both files, on a thread that may block. NULL: *why says why not, a clause; r (may be NULL) is
 * told of lines. */
struct users *users_load(const char *passwords, const char *groups, const struct users_report *r,
                         char *why, size_t why_size);

#endif
