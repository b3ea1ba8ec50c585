#include "cache/savers.h"

#include <stdlib.h>

#include "base/text.h"

void savers_init(struct savers *s)
{
    pthread_mutex_init(&s->lock, NULL);
}

void savers_end(struct savers *s)
{
    pthread_mutex_destroy(&s->lock);
    free(s->row);
}

/* A query may hold what nobody else is to see. */
static void copy_url(struct saver *r, struct slice url)
{
    struct text t = text_in(r->url, sizeof r->url);
    const char *query = slice_find(url, '?');
    struct slice path = query ? slice_range(url.p, query) : url;
    text_put(&t, path.p, path.n < SAVER_URL ? path.n : SAVER_URL);
    text_cstr(&t, query ? "?…" : path.n > SAVER_URL ? "…" : "");
    r->nurl = (u32)t.n;
}

void saver_fill(struct saver *r, struct object *o, u64 saved, u64 now_s)
{
    r->key = o->key;
    r->variant = o->variant;
    r->saved = saved;
    r->bytes = body_have(o->body);
    r->made_s = now_s - freshness_age(&o->fresh, now_s);
    copy_url(r, o->url);
}

/* Its row; else a free one, or that which has saved least. */
static struct saver *row_for(struct savers *s, const struct object *o)
{
    struct saver *least = s->row;
    for (u32 i = 0; i < s->n; i++) {
        struct saver *r = &s->row[i];
        if (cache_key_same(&r->key, &o->key) && r->variant == o->variant)
            return r;
        if (r->saved < least->saved)
            least = r;
    }
    if (s->n < SAVERS)
        least = &s->row[s->n++];
    least->saved = 0;
    return least;
}

void savers_note(struct savers *s, struct object *o, u64 saved, u64 now_s)
{
    pthread_mutex_lock(&s->lock);
    if (s->row == NULL)
        s->row = calloc(SAVERS, sizeof *s->row);
    if (s->row) {
        struct saver *r = row_for(s, o);
        saver_fill(r, o, r->saved + saved, now_s);
    }
    pthread_mutex_unlock(&s->lock);
}
