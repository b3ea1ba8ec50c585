#include "base/mail.h"

bool mail_post(struct mailbox *box, struct letter *l)
{
    struct letter *top = atomic_load_explicit(&box->top, memory_order_relaxed);
    do
        l->next = top;
    while (!atomic_compare_exchange_weak_explicit(&box->top, &top, l, memory_order_seq_cst,
                                                  memory_order_relaxed));
    return top == NULL;
}

struct letter *mail_take(struct mailbox *box)
{
    if (atomic_load_explicit(&box->top, memory_order_relaxed) == NULL)
        return NULL;
    struct letter *l = atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
    struct letter *ordered = NULL;
    while (l) {
        struct letter *next = l->next;
        l->next = ordered;
        ordered = l;
        l = next;
    }
    return ordered;
}
