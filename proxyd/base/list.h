/* Intrusive doubly linked list. A node that is in no list points at itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/types.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert(struct list *at, struct list *n, struct list *before)
{
    n->prev = at;
    n->next = before;
    at->next = n;
    before->prev = n;
}
static inline void list_push_front(struct list *l, struct list *n)
{
    list_insert(l, n, l->next);
}
static inline void list_push_back(struct list *l, struct list *n)
{
    list_insert(l->prev, n, l);
}
/* Safe on a node that is in no list. */
static inline void list_remove(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
/* First node taken out, or NULL. */
static inline struct list *list_pop(struct list *l)
{
    if (list_empty(l))
        return NULL;
    struct list *n = l->next;
    list_remove(n);
    return n;
}

#endif
