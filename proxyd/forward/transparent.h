/*
 * The role of `mode transparent`: clients that know of no proxy, led here by the network. It is the
 * forward role with another beginning: where a request goes is known before it is read, and what it
 * says about that has to be confirmed.
 */
#ifndef FORWARD_TRANSPARENT_H
#define FORWARD_TRANSPARENT_H

#include "core/exchange/role.h"
#include "forward/conf.h"
#include "policy/policy.h"

extern const struct role transparent_role;
/* The part of a listener, from its policy. */
const void *transparent_compile(const struct node *policy, const struct node *pac,
                                struct snapshot *s, struct registry *r);
/* What is known of the name, from intercepted_told, into a question. */
void transparent_ask(u8 told, struct policy_question *q);
/* Is it HTTP that the bytes begin with, or something else? */
struct detected transparent_detect(const struct listener *l, struct slice first);

#endif
