#include "base/call.h"

bool call_post(struct call_queue *box, struct call *l)
{
    struct call *top = atomic_load_explicit(&box->top, memory_order_relaxed);
    do
        l->next = top;
    while (!atomic_compare_exchange_weak_explicit(&box->top, &top, l, memory_order_seq_cst,
                                                  memory_order_relaxed));
    return top == NULL;
}

struct call *call_take(struct call_queue *box)
{
    if (atomic_load_explicit(&box->top, memory_order_relaxed) == NULL)
        return NULL;
    struct call *l = atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
    struct call *ordered = NULL;
    while (l) {
        struct call *next = l->next;
        l->next = ordered;
        ordered = l;
        l = next;
    }
    return ordered;
}
