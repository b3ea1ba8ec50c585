#include "errand.h"

#include "core/conn/profile.h"
#include "core/exchange/xchg.h"
#include "forward/parents.h"
#include "http/hop.h"
#include "policy/policy.h"

static const struct errand *errand_of(const struct xchg *x)
{
    return container_of(x->listen, const struct errand, listener);
}

struct notes {
    u8 tried; /* proxies of the parent, a bit for each */
};

static enum verdict where_to(struct xchg *x)
{
    const struct errand *e = errand_of(x);
    if (e->via) {
        const struct host *h = &x->uri.host;
        if (h->literal && !policy_class_allowed(e->reach, &h->addr, &x->fault))
            return REFUSED;
        return parents_choose(x, e->via, &xchg_role_area(x, struct notes)->tried);
    }
    x->to = (struct destination){ .profile = errand_of(x)->listener.part,
                                  .host = &x->uri.host,
                                  .port = x->uri.port };
    return PASS;
}

static struct ruling vet(const struct xchg *x, const struct addr *a)
{
    enum fault why = FAULT_NONE;
    if (a == NULL || x->to.is_parent || policy_class_allowed(errand_of(x)->reach, a, &why))
        why = FAULT_NONE;
    return (struct ruling){ .fault = why };
}

static bool edit_request(struct xchg *x)
{
    hop_strip(&x->req);
    return true;
}

static bool next(struct xchg *x, enum fault why)
{
    return errand_of(x)->via &&
           parents_next(x, errand_of(x)->via, xchg_role_area(x, struct notes)->tried, why);
}

static bool address_request(struct xchg *x)
{
    if (x->to.is_parent)
        return parents_address(x);
    return msg_address(&x->req, &x->uri, &x->uri.host, x->uri.port);
}

static bool edit_response(struct xchg *x)
{
    hop_strip(&x->resp);
    return true;
}

static const struct stage where = { .name = "finding the destination", .run = where_to };
static const struct stage *const none[] = { NULL };

/* Without `detect`: no connection comes in by it. */
static const struct role role = {
    .name = "errand",
    .request_stages = none,
    .response_stages = none,
    .where = &where,
    .next = next,
    .vet = vet,
    .edit_request = edit_request,
    .address_request = address_request,
    .edit_response = edit_response,
};

void errand_init(struct errand *e, struct slice name, u8 reach)
{
    e->at = (struct listen_addr){ .slot = UINT32_MAX };
    e->reach = reach;
    e->listener = (struct listener){
        .name = name,
        .at = &e->at,
        .role = &role,
        .via_off = true,
        .part = profile_intern(&(struct conn_profile){ .scheme = SCHEME_HTTP }),
    };
}
