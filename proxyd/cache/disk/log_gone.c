#include "cache/disk/log.h"

#include <stdlib.h>

void log_gone_begin(struct log_gone *g)
{
    pthread_mutex_lock(&g->lock);
    g->on = true;
    pthread_mutex_unlock(&g->lock);
}

void log_gone_end(struct log_gone *g)
{
    pthread_mutex_lock(&g->lock);
    free(g->key);
    g->key = NULL;
    g->n = g->cap = 0;
    g->on = g->lost = false;
    pthread_mutex_unlock(&g->lock);
}

static bool is_free(const struct cache_key *k)
{
    return k->bits[0] == 0 && k->bits[1] == 0;
}

/* Where it is, or would be. There is a free one. */
static struct cache_key *place_of(const struct log_gone *g, const struct cache_key *key)
{
    u32 i = (u32)key->bits[1] & (g->cap - 1);
    while (!is_free(&g->key[i]) && !cache_key_same(&g->key[i], key))
        i = (i + 1) & (g->cap - 1);
    return &g->key[i];
}

static bool grow(struct log_gone *g)
{
    struct log_gone to = { .cap = g->cap ? g->cap * 2 : 256 };
    to.key = calloc(to.cap, sizeof *to.key);
    if (to.key == NULL)
        return false;
    for (u32 i = 0; i < g->cap; i++)
        if (!is_free(&g->key[i]))
            *place_of(&to, &g->key[i]) = g->key[i];
    free(g->key);
    g->key = to.key;
    g->cap = to.cap;
    return true;
}

void log_gone_add(struct log_gone *g, const struct cache_key *key)
{
    pthread_mutex_lock(&g->lock);
    if (g->on && !is_free(key)) {
        if (g->n * 2 >= g->cap && !grow(g)) {
            g->lost = true;
        } else {
            struct cache_key *at = place_of(g, key);
            g->n += is_free(at);
            *at = *key;
        }
    }
    pthread_mutex_unlock(&g->lock);
}

bool log_gone_has(const struct log_gone *g, const struct cache_key *key)
{
    return g->lost || is_free(key) || (g->n && !is_free(place_of(g, key)));
}
