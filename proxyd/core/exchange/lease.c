#include "core/exchange/lease.h"

#include "base/must.h"
#include "core/exchange/xchg.h"

static void put(struct lease *l, const struct lease_ops *ops, void *object)
{
    *l = (struct lease){ .ops = ops, .object = object };
}

void lease_server(struct xchg *x, const struct lease_ops *ops, void *object)
{
    must(x->lease[LEASE_SERVER].ops == NULL);
    put(&x->lease[LEASE_SERVER], ops, object);
}

bool lease_take(struct xchg *x, const struct lease_ops *ops, void *object)
{
    for (unsigned i = LEASE_SERVER + 1; i < LEASES; i++)
        if (x->lease[i].ops == NULL) {
            put(&x->lease[i], ops, object);
            return true;
        }
    return false;
}

static bool lease_any(const struct xchg *x)
{
    _Static_assert(LEASES == 4, "each is looked at here");
    const struct lease *l = x->lease;
    return l[0].ops || l[1].ops || l[2].ops || l[3].ops;
}

u8 lease_count(const struct xchg *x)
{
    u8 n = 0;
    for (unsigned i = 0; i < LEASES; i++)
        n += x->lease[i].ops != NULL;
    return n;
}

void lease_move(struct xchg *x, struct lease *to, u8 n)
{
    u8 moved = 0;
    for (unsigned i = 0; i < LEASES; i++)
        if (x->lease[i].ops && moved < n) {
            to[moved++] = x->lease[i];
            x->lease[i].ops = NULL;
        }
    must(moved == n && lease_count(x) == 0);
}

void lease_end(struct lease *l, const struct outcome *how)
{
    const struct lease_ops *ops = l->ops;
    l->ops = NULL;
    if (ops)
        ops->end(l->object, how);
}

static struct outcome outcome(const struct xchg *x, enum fault why)
{
    return (struct outcome){ .fault = why, .status = x->status, .now_ms = worker_ms(x->worker) };
}

void lease_end_server(struct xchg *x, enum fault why)
{
    struct outcome how = outcome(x, why);
    lease_end(&x->lease[LEASE_SERVER], &how);
}

void lease_end_all(struct xchg *x)
{
    if (likely(!lease_any(x)))
        return;
    struct outcome how = outcome(x, x->fault);
    struct lease *l = x->lease;
    lease_end(&l[LEASE_SERVER], &how);
    if (likely(!(l[1].ops || l[2].ops || l[3].ops)))
        return;
    for (unsigned i = LEASE_SERVER + 1; i < LEASES; i++)
        lease_end(&l[i], &how);
}
