#include "core/conn/dial_line.h"

#include "core/common/self_addrs.h"
#include "core/common/snapshot.h"

static bool was_tried(const struct dial *d, const struct addr *a)
{
    for (u8 i = 0; i < d->next; i++)
        if (d->candidate[i].addr.family == a->family && addr_same_ip(&d->candidate[i].addr, a))
            return true;
    return false;
}

static struct ruling judge(struct dial *d, const struct addr *a)
{
    if (self_addrs_has(d->worker->snapshot->self_addrs, a))
        return (struct ruling){ .fault = FAULT_own_listener };
    return d->request.vet(d->request.self, a);
}

/* What is allowed and was not tried yet, into ok. While none has been allowed the result is the
 * ruling on the first address. */
static u8 choose_allowed(struct dial *d, const struct addr *a, u8 n, struct candidate *ok)
{
    u8 nok = 0;
    struct dial_result denied = { .resolved_us = d->result.resolved_us };
    for (u8 i = 0; i < n; i++) {
        struct addr one = a[i];
        one.port = dial_destination(d)->port;
        if (was_tried(d, &one))
            continue;
        struct ruling r = judge(d, &one);
        if (r.fault == FAULT_NONE)
            ok[nok++] = (struct candidate){ .addr = one, .rule = r.rule, .shadow = r.shadow };
        else if (denied.fault == FAULT_NONE)
            denied = (struct dial_result){ .resolved_us = denied.resolved_us,
                                           .fault = r.fault,
                                           .server = one,
                                           .rule = r.rule,
                                           .reason = r.reason,
                                           .shadow = r.shadow };
    }
    if (d->next == 0) {
        d->result = denied;
        if (nok)
            d->result.fault = FAULT_NONE, d->result.reason = (struct slice){ NULL, 0 };
        else if (denied.fault == FAULT_NONE)
            d->result.fault = FAULT_dns_no_address;
    }
    return nok;
}

void dial_queue(struct dial *d, const struct addr *a, u8 n, sa_family_t first)
{
    struct candidate ok[MOST_ADDRESSES];
    u8 nok = choose_allowed(d, a, n, ok), left = nok;
    if (d->next) /* its turn is over */
        first = d->candidate[d->next - 1].addr.family == AF_INET6 ? AF_INET : AF_INET6;
    d->n = d->next;
    for (bool want_first = true; left > 0 && d->n < MOST_ADDRESSES; want_first = !want_first)
        for (u8 i = 0; i < nok; i++)
            if (ok[i].addr.family && (ok[i].addr.family == first) == want_first) {
                d->candidate[d->n++] = ok[i];
                ok[i].addr.family = 0;
                left--;
                break;
            }
}

enum fault dial_unresolved(struct dial *d, enum fault f)
{
    struct ruling r = d->request.vet(d->request.self, NULL);
    d->result.rule = r.rule;
    d->result.shadow = r.shadow;
    if (r.fault == FAULT_NONE)
        return f;
    d->result.reason = r.reason;
    return r.fault;
}
