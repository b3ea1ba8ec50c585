/*
 * What a policy says of everything that goes to one host, for scripts that browsers ask before
 * there is a request: they know the host and which network they are in, and nothing else.
 */
#ifndef POLICY_BY_HOST_H
#define POLICY_BY_HOST_H

#include "policy/policy.h"

enum by_host {
    BY_HOST_ALLOWED,
    BY_HOST_DENIED,
    BY_HOST_DEPENDS, /* a deny may hold, by time, user, method, path or anything else that the host
                        does not tell */
};

struct host_ruling {
    enum by_host says;
    const struct policy_rule *rule; /* that decided, or the deny that may; NULL: the default */
};

/* Asks `to` and `from` of the rules, in order. A name is judged as a name: what a rule says of the
 * addresses that it may lead to is not known and no match. Ports are not compared. */
struct host_ruling policy_by_host(const struct policy *p, const struct addr *client,
                                  const struct host *host);

#endif
