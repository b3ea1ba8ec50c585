#include "core/conn/profile.h"

#include <pthread.h>

#include "base/must.h"

struct entry {
    struct conn_profile profile;
    struct entry *next;
};

static struct entry first;                               /* plain TCP: all zero */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what is behind the first */

static bool same_chain(const struct connector *const *a, const struct connector *const *b)
{
    static const struct connector *const none[] = { NULL };
    a = a ? a : none;
    b = b ? b : none;
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static bool same(const struct conn_profile *a, const struct conn_profile *b)
{
    return a->scheme == b->scheme && a->tls == b->tls && a->parent == b->parent &&
           a->source.family == b->source.family && addr_same(&a->source, &b->source) &&
           same_chain(a->chain, b->chain);
}

const struct conn_profile *profile_intern(const struct conn_profile *like)
{
    struct entry **at = &first.next;
    u64 id = 1;
    if (same(&first.profile, like))
        return &first.profile;
    pthread_mutex_lock(&lock);
    for (; *at && !same(&(*at)->profile, like); at = &(*at)->next)
        id++;
    if (*at == NULL) {
        *at = must_zalloc(sizeof **at);
        (*at)->profile = *like;
        (*at)->profile.id = id;
    }
    const struct conn_profile *found = &(*at)->profile;
    pthread_mutex_unlock(&lock);
    return found;
}
