#include "cache/disk/vary_names.h"

#include <stdlib.h>

#include "cache/disk/layout.h"

void vary_names_end(struct vary_names *v)
{
    for (u32 i = 1; i <= v->n; i++)
        free(atomic_load_explicit(&v->name[i], memory_order_relaxed));
}

struct slice vary_names_text(const struct vary_names *v, u16 number)
{
    const struct vary_name *t = atomic_load_explicit(&v->name[number], memory_order_acquire);
    return t ? (struct slice){ t->text, t->n } : SLICE("");
}

int vary_names_add(struct vary_names *v, struct slice text)
{
    if (text.n == 0)
        return 0;
    u32 i = (u32)hash64(hash_process_key(), text.p, text.n) % countof(v->by_hash);
    for (; v->by_hash[i]; i = (i + 1) % countof(v->by_hash))
        if (slice_eq(vary_names_text(v, v->by_hash[i]), text))
            return v->by_hash[i];
    struct vary_name *t;
    if (text.n > VARY_TEXT_MOST || v->n + 1 == SEGLOG_NAMES ||
        (t = malloc(sizeof *t + text.n)) == NULL)
        return -1;
    t->n = (u32)text.n;
    memcpy(t->text, text.p, text.n);
    v->by_hash[i] = (u16)++v->n;
    atomic_store_explicit(&v->name[v->n], t, memory_order_release);
    return (int)v->n;
}
