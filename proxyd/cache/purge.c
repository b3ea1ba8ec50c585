#include "cache/purge.h"

#include <stdlib.h>

/* A purge on its way to the disk, with its text behind it. Of a URL the parts, for which key it has
 * there the folder alone can tell, and that may not be open yet. */
struct purge {
    struct disk_write write;
    struct cache_url url;
    struct slice text;
    enum seglog_ban_kind kind;
    bool soft;
    bool banned; /* `id` is valid */
    u64 id;
};

static struct purge *purge_of(struct disk_write *w)
{
    return container_of(w, struct purge, write);
}

static void key_on_disk(const struct seglog *l, const struct cache_url *url, struct cache_key *key)
{
    const struct cache_secret secret = { *seglog_secret(l) };
    cache_key_of(&secret, url, key);
}

static void done(struct disk_write *w, bool good)
{
    (void)good;
    free(purge_of(w));
}

static bool write_gone(struct disk_write *w, struct seglog *l)
{
    struct cache_key key;
    key_on_disk(l, &purge_of(w)->url, &key);
    (void)seglog_remove(l, &key);
    return seglog_append_gone(l, &key);
}

static bool write_ban(struct disk_write *w, struct seglog *l)
{
    struct purge *p = purge_of(w);
    if (!p->banned)
        p->banned = seglog_ban(l, p->kind, p->text, p->soft, &p->id);
    return !p->banned || seglog_append_ban(l, p->id);
}

static struct slice keep(struct text *t, struct slice s)
{
    size_t from = t->n;
    text_add(t, s);
    return (struct slice){ t->p + from, s.n };
}

static struct purge *purge_new(size_t room, struct text *text)
{
    struct purge *p = calloc(1, sizeof *p + room);
    if (p == NULL)
        return NULL;
    *text = text_in((char *)(p + 1), room);
    p->write.bytes = (u32)(sizeof *p + room);
    p->write.done = done;
    return p;
}

static bool post(struct cache *c, struct purge *p)
{
    if (p && tier_post_always(&c->tier, &p->write))
        return true;
    tier_doubt(&c->tier);
    free(p);
    return false;
}

/* ---- one URL ---- */

static void post_gone(struct cache *c, const struct cache_url *url)
{
    struct text t;
    struct purge *p = purge_new(url->space.n + url->scheme.n + url->host.n + url->path.n, &t);
    if (p) {
        p->write.write = write_gone;
        p->url = (struct cache_url){ .space = keep(&t, url->space),
                                     .scheme = keep(&t, url->scheme),
                                     .host = keep(&t, url->host),
                                     .port = url->port,
                                     .path = keep(&t, url->path) };
    }
    (void)post(c, p);
}

/* Most of what is changed was never kept: then nothing is written. What is posted after it was seen
 * that nothing is queued has looked into memory after that, too. */
static unsigned remove_there(struct cache *c, struct disk *d, const struct cache_url *url)
{
    struct cache_key key;
    bool idle = disk_counts(d).queued_bytes == 0;
    key_on_disk(disk_log(d), url, &key);
    if (!idle)
        post_gone(c, url);
    unsigned n = seglog_remove(disk_log(d), &key);
    if (idle && (n || seglog_hides(disk_log(d))))
        post_gone(c, url);
    return n;
}

unsigned purge_if_on_disk(struct cache *c, const struct cache_url *url)
{
    unsigned n = 0;
    struct disk *d = tier_use(&c->tier);
    if (d) {
        n = remove_there(c, d, url);
        disk_let(d);
    } else if (tier_has_disk(&c->tier)) {
        post_gone(c, url);
    }
    return n;
}

void purge_on_disk(struct cache *c, const struct cache_url *url)
{
    struct cache_key key;
    struct disk *d = tier_use(&c->tier);
    post_gone(c, url);
    if (d == NULL)
        return;
    key_on_disk(disk_log(d), url, &key);
    (void)seglog_remove(disk_log(d), &key);
    disk_let(d);
}

unsigned purge_url(struct cache *c, const struct cache_url *url)
{
    struct cache_key key;
    cache_key_of(&c->memory.secret, url, &key);
    epoch_begin(&c->epochs, &key);
    unsigned here = memory_remove_key(&c->memory, &key);
    if (!tier_has_disk(&c->tier))
        return here;
    unsigned there = purge_if_on_disk(c, url);
    here += memory_remove_key(&c->memory, &key);
    return here > there ? here : there;
}

/* ---- many ---- */

static bool ban_on_disk(struct cache *c, const struct purge_what *what)
{
    static const enum seglog_ban_kind kinds[] = {
        [URL_WHOLE] = SEGLOG_BAN_URL, [URL_PREFIX] = SEGLOG_BAN_PREFIX, [URL_TAG] = SEGLOG_BAN_TAG
    };
    struct text t;
    struct purge *p = purge_new(what->text.n, &t);
    if (p == NULL)
        return false;
    p->write.write = write_ban;
    p->kind = kinds[what->how];
    p->text = keep(&t, what->text);
    p->soft = what->soft;
    struct disk *d = tier_use(&c->tier);
    bool good = true;
    if (d) {
        good = p->banned = seglog_ban(disk_log(d), p->kind, p->text, p->soft, &p->id);
        disk_let(d);
    }
    if (good)
        return post(c, p);
    free(p);
    return false;
}

static unsigned in_memory(struct cache *c, const struct purge_what *what, u64 now_s)
{
    return what->soft ? memory_make_stale(&c->memory, what->text, what->how, now_s)
                      : memory_remove_url(&c->memory, what->text, what->how);
}

unsigned purge_matching(struct cache *c, const struct purge_what *what, u64 now_s, bool *lasts)
{
    bool bans = tier_has_disk(&c->tier) && (what->soft || what->how != URL_WHOLE);
    epoch_begin_all(&c->epochs);
    unsigned n = in_memory(c, what, now_s);
    *lasts = !bans || ban_on_disk(c, what);
    return n + (bans ? in_memory(c, what, now_s) : 0);
}
