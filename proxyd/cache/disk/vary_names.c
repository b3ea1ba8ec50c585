#include "cache/disk/vary_names.h"

#include <stdlib.h>

#include "cache/disk/layout.h"

/* Those who read are many and short: whoever gives names up is to come in between. */
void vary_names_init(struct vary_names *v)
{
    pthread_rwlockattr_t writers;
    memset(v, 0, sizeof *v);
    pthread_rwlockattr_init(&writers);
    pthread_rwlockattr_setkind_np(&writers, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&v->lock, &writers);
    pthread_rwlockattr_destroy(&writers);
}

void vary_names_end(struct vary_names *v)
{
    for (u32 i = 1; i < SEGLOG_NAMES; i++)
        free(v->name[i]);
    pthread_rwlock_destroy(&v->lock);
}

struct slice vary_names_text(const struct vary_names *v, u16 number)
{
    const struct vary_name *t = v->name[number];
    return t ? (struct slice){ t->text, t->n } : SLICE("");
}

/* Where it is, or a free place. */
static u16 *place_of(struct vary_names *v, struct slice text)
{
    u32 i = (u32)hash64(hash_process_key(), text.p, text.n) % countof(v->by_hash);
    while (v->by_hash[i] && !slice_eq(vary_names_text(v, v->by_hash[i]), text))
        i = (i + 1) % countof(v->by_hash);
    return &v->by_hash[i];
}

static u16 free_number(struct vary_names *v)
{
    do
        v->next = v->next % (SEGLOG_NAMES - 1) + 1;
    while (v->name[v->next]);
    return (u16)v->next;
}

int vary_names_add(struct vary_names *v, struct slice text)
{
    if (text.n == 0)
        return 0;
    u16 *at = place_of(v, text);
    struct vary_name *t;
    if (*at != 0)
        return *at;
    if (text.n > VARY_TEXT_MOST || vary_names_full(v) || (t = malloc(sizeof *t + text.n)) == NULL)
        return -1;
    t->n = (u32)text.n;
    memcpy(t->text, text.p, text.n);
    pthread_rwlock_wrlock(&v->lock);
    *at = free_number(v);
    v->name[*at] = t;
    v->n++;
    pthread_rwlock_unlock(&v->lock);
    return *at;
}

void vary_names_give_up(struct vary_names *v, const bool stay[SEGLOG_NAMES])
{
    pthread_rwlock_wrlock(&v->lock);
    memset(v->by_hash, 0, sizeof v->by_hash);
    for (u32 i = 1; i < SEGLOG_NAMES; i++) {
        if (v->name[i] && !stay[i]) {
            free(v->name[i]);
            v->name[i] = NULL;
            v->n--;
        }
        if (v->name[i])
            *place_of(v, vary_names_text(v, (u16)i)) = (u16)i;
    }
    pthread_rwlock_unlock(&v->lock);
}
