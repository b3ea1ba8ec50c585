/* Who is it? The credentials of the request, where the policy wants some. */
#ifndef FORWARD_AUTH_H
#define FORWARD_AUTH_H

#include "forward/auth/check.h"
#include "http/msg.h"

/* Stage: after the client's address and before any rule. */
enum verdict forward_auth(struct xchg *x);
/* Does the listener's policy want to know who asks for this? */
bool forward_auth_asks(const struct listener *l, const struct addr *client,
                       const struct host *host);
/* Of the stage, after PARKED. */
enum verdict forward_auth_resume(struct xchg *x);
/* Proxy-Authenticate, for a 407. */
void forward_challenge(const struct xchg *x, struct msg *resp);
/* For auth_too_often and user_rate. */
void forward_retry_after(struct xchg *x, struct msg *resp);

#endif
