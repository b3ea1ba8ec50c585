/* The client's network decides whether it may ask at all: the policy's `clients`. */
#include "forward/identity.h"

#include "core/exchange/xchg.h"
#include "forward/conf.h"

enum verdict forward_identity(struct xchg *x)
{
    if (x->peer.family == 0 || /* the proxy itself */
        policy_client_allowed(forward_part_of(x->listen)->policy, &x->peer))
        return PASS;
    x->client.last = true;
    x->fault = FAULT_client_not_allowed;
    return REFUSED;
}
