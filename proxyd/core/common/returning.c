#include "core/common/returning.h"

#include <stdatomic.h>

#include "base/hash.h"

enum { PLACES = 4096 };
static _Atomic u64 dialled[PLACES]; /* by their own low bits; the last one stays */

static u64 print_of(const struct addr *a, const struct addr *b)
{
    struct {
        u8 ip[2][16];
        u16 port[2];
    } both = { .port = { a->port, b->port } };
    memcpy(both.ip[0], a->ip, sizeof both.ip[0]);
    memcpy(both.ip[1], b->ip, sizeof both.ip[1]);
    u64 print = hash64(hash_process_key(), &both, sizeof both);
    return print ? print : 1;
}

void returning_note(const struct addr *own, const struct addr *to)
{
    u64 print = print_of(own, to);
    atomic_store_explicit(&dialled[print % PLACES], print, memory_order_relaxed);
}

void returning_forget(const struct addr *own, const struct addr *to)
{
    u64 print = print_of(own, to), there = print;
    (void)atomic_compare_exchange_strong(&dialled[print % PLACES], &there, 0);
}

bool returning_is(const struct addr *client, const struct addr *to)
{
    u64 print = print_of(client, to);
    return atomic_load_explicit(&dialled[print % PLACES], memory_order_relaxed) == print;
}
