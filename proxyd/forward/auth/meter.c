#include "forward/auth/meter.h"

#include <stdlib.h>

struct auth_meter *auth_meter_new(void)
{
    struct auth_meter *m = calloc(1, sizeof *m);
    if (m)
        atomic_store(&m->holders, 1);
    return m;
}

struct auth_meter *auth_meter_hold(struct auth_meter *m)
{
    if (m)
        atomic_fetch_add(&m->holders, 1);
    return m;
}

void auth_meter_drop(struct auth_meter *m)
{
    if (m && atomic_fetch_sub(&m->holders, 1) == 1)
        free(m);
}

static bool change(struct auth_meter *m, u64 *from, u64 to)
{
    return atomic_compare_exchange_weak_explicit(&m->full_ns, from, to, memory_order_relaxed,
                                                 memory_order_relaxed);
}

u32 auth_meter_take(struct auth_meter *m, u64 count, u64 period_ns, u64 now_ns)
{
    const u64 second = 1000000000, each = period_ns / count;
    u64 full = atomic_load_explicit(&m->full_ns, memory_order_relaxed), next;
    u64 empty = now_ns + count * each;
    while (full > empty) /* by another configuration */
        if (change(m, &full, empty))
            full = empty;
    do {
        next = (full > now_ns ? full : now_ns) + each;
        if (next > empty)
            return (u32)((next - empty + second - 1) / second);
    } while (!change(m, &full, next));
    return 0;
}
