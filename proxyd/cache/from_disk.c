#include "cache/from_disk.h"

#include <errno.h>

#include "cache/purge.h"
#include "cache/stored.h"

enum {
    AT_ONCE = 128 << 10, /* bytes that a worker reads itself */
    RECORD_MOST = 4 << 20,
    CLOCK_S = 60 /* what came later than now came under a wrong clock: its age is not known */
};

/* A record while it is read. It belongs to the exchange; while a job runs to that job, too, and to
 * that alone when the exchange has gone. */
struct load {
    struct offload_job job;
    struct worker *worker;
    struct xchg *x; /* NULL: it has gone */
    struct budget *budget;
    struct disk *disk; /* held, as the segment */
    struct segment *segment;
    struct cache_key key; /* made with the folder's secret */
    struct seglog_place place;
    size_t size;  /* of this block */
    int error;    /* errno of the read; 0: it has come, but see sound */
    bool running; /* a job has it */
    bool sound;   /* it is what was written */
    _Alignas(16) char payload[];
};

static void load_free(struct load *l)
{
    struct disk *d = l->disk;
    seglog_let(&l->segment);
    budget_give(l->budget, l, l->size);
    disk_let(d);
}

/* ---- finding ---- */

struct asker {
    const struct cache_secret *secret;
    const struct msg *request;
    struct notes *notes;
};

static u64 variant_of(void *ctx, struct slice vary)
{
    const struct asker *a = ctx;
    a->notes->varies_on_disk = true;
    return vary_key(a->secret, vary, a->request);
}

static struct segment *look(struct xchg *x, struct disk *d, struct cache_key *key,
                            struct seglog_place *place)
{
    struct notes *n = notes_of(x);
    const struct cache_secret secret = { *seglog_secret(disk_log(d)) };
    struct asker a = { &secret, &x->req, n };
    const struct cache_url url = url_of(n);
    cache_key_of(&secret, &url, key);
    return seglog_find(disk_log(d), key, variant_of, &a, place);
}

/* NULL: it is not there, or there is no room for it. Takes the disk over. */
static struct load *find(struct xchg *x, struct disk *d)
{
    struct budget *budget = &notes_of(x)->use->cache->memory.budget;
    struct load *l = NULL;
    struct cache_key key;
    struct seglog_place place;
    struct segment *segment = look(x, d, &key, &place);
    if (segment && place.n <= RECORD_MOST)
        l = budget_take(budget, sizeof *l + place.n);
    if (l) {
        *l = (struct load){ .worker = x->worker,
                            .x = x,
                            .budget = budget,
                            .disk = d,
                            .segment = segment,
                            .key = key,
                            .place = place,
                            .size = sizeof *l + place.n };
        return l;
    }
    if (segment)
        seglog_let(&segment);
    disk_let(d);
    return NULL;
}

/* ---- reading ---- */

/* False: EAGAIN. */
static bool read_record(struct load *l, bool wait)
{
    size_t have = 0;
    while (have < l->place.n) {
        ssize_t n =
            seglog_read(l->segment, &l->place, have, l->payload + have, l->place.n - have, wait);
        if (n <= 0) {
            l->error = n < 0 ? errno : wait ? EIO : EAGAIN; /* 0: Linux 5.9 and 5.10 say so, too */
            return l->error != EAGAIN;
        }
        have += (size_t)n;
    }
    l->error = 0;
    l->sound = seglog_check(l->segment, &l->place, SEGLOG_RECORD,
                            (struct slice){ l->payload, l->place.n });
    return true;
}

static void run(struct offload_job *job)
{
    (void)read_record(container_of(job, struct load, job), true);
}

static void done(struct offload_job *job)
{
    struct load *l = container_of(job, struct load, job);
    l->worker->jobs--;
    l->running = false;
    if (l->x)
        xchg_wake(l->x);
    else
        load_free(l);
}

bool from_disk_read(struct xchg *x)
{
    struct load **at = &notes_of(x)->load, *l = *at;
    l->job = (struct offload_job){
        .kind = JOB_cache_read, .run = run, .done = done, .loop = &x->worker->loop
    };
    l->running = true;
    x->worker->jobs++;
    if (offload_post(x->worker->engine->offload, &l->job))
        return true;
    x->worker->jobs--;
    l->running = false;
    from_disk_end(at);
    return false;
}

bool from_disk_is_read(const struct load *l)
{
    return !l->running;
}

void from_disk_end(struct load **at)
{
    struct load *l = *at;
    *at = NULL;
    if (l && l->running)
        l->x = NULL;
    else if (l)
        load_free(l);
}

/* ---- what has come ---- */

/* The index knows parts of the keys only: another one's record is no error. */
static bool is_for(struct xchg *x, const struct load *l, const struct seglog_record *r)
{
    const struct notes *n = notes_of(x);
    const struct cache_secret secret = { *seglog_secret(disk_log(l->disk)) };
    const struct cache_url own = url_of(n);
    size_t room = own.host.n + own.path.n + own.scheme.n + 64;
    struct text url = text_in(arena_try(&x->arena, room), room);
    if (url.p == NULL || !cache_key_same(&r->key, &l->key) ||
        r->variant != (r->vary.n ? vary_key(&secret, r->vary, &x->req) : 0))
        return false;
    cache_url_write(&url, &own);
    return slice_eq(r->url, text_slice(&url));
}

static struct body *body_of(const struct load *l, const struct seglog_record *r, u64 length)
{
    struct slice bytes = SLICE("");
    if (r->nparts)
        return body_on_disk(l->budget, l->disk, r->part, r->nparts, length);
    if (r->nbody)
        bytes = (struct slice){ r->body->iov_base, r->body->iov_len };
    return body_whole(l->budget, bytes);
}

static struct object *object_from(struct xchg *x, const struct load *l,
                                  const struct seglog_record *r, const struct stored_meta *m)
{
    const struct notes *n = notes_of(x);
    struct memory *memory = &n->use->cache->memory;
    struct object_facts f = { .key = n->key,
                              .fresh = m->fresh,
                              .server = m->server,
                              .by_parent = m->by_parent,
                              .vary = r->vary,
                              .url = r->url,
                              .rule = m->rule,
                              .tags = r->tags };
    if (r->vary.n)
        f.variant = vary_key(&memory->secret, r->vary, &x->req);
    struct head_plan head;
    struct body *body = head_plan_read(m->head, &head) ? body_of(l, r, m->length) : NULL;
    struct object *o = object_of(&memory->budget, &f, &head, body);
    if (body)
        body_put(body); /* the object holds it */
    return o;
}

/* Found in memory from now on, unless it was purged since it was found on disk. */
static void promote(struct xchg *x, struct load *l, struct object *o)
{
    struct memory *memory = &notes_of(x)->use->cache->memory;
    struct cache_key key;
    struct seglog_place place;
    if (!memory_add_new(memory, o))
        return;
    memory_settle(memory, o);
    struct segment *again = look(x, l->disk, &key, &place);
    enum seglog_standing standing = SEGLOG_BANNED;
    if (again && place.segment == l->place.segment && place.at == l->place.at)
        standing = seglog_standing(disk_log(l->disk), &key, &place, o->url, o->tags);
    if (again)
        seglog_let(&again);
    if (standing == SEGLOG_BANNED)
        memory_remove(memory, o);
    if (standing == SEGLOG_STALE)
        object_make_stale(o, now_s(x));
}

/* From now on, so that what may be used stale is stale for the time that it says. */
static void make_stale(struct freshness *f, u64 now)
{
    u32 age = freshness_age(f, now);
    f->lifetime = f->lifetime < age ? f->lifetime : age;
}

enum read { GOOD, NOT_FOR_US, BANNED, BAD };

static enum read judge(struct xchg *x, const struct load *l, struct seglog_record *r,
                       struct iovec *piece, struct stored_meta *m)
{
    struct slice payload = { l->payload, l->place.n };
    if (l->error || !l->sound || !seglog_record_read(payload, r, piece) || !stored_read(r->meta, m))
        return BAD;
    if (!is_for(x, l, r))
        return NOT_FOR_US;
    if (r->nparts ? piece->iov_len > 0 : m->length != piece->iov_len)
        return BAD;
    enum seglog_standing standing =
        seglog_standing(disk_log(l->disk), &l->key, &l->place, r->url, r->tags);
    if (standing == SEGLOG_STALE || m->fresh.received > now_s(x) + CLOCK_S)
        make_stale(&m->fresh, now_s(x));
    return standing == SEGLOG_BANNED ? BANNED : GOOD;
}

/* It is not found again; after a restart neither, when it can be read then. */
static void forget(struct xchg *x, const struct load *l, bool bad)
{
    if (bad)
        disk_read_failed(l->disk, l->error);
    const struct cache_url url = url_of(notes_of(x));
    if (seglog_forget(disk_log(l->disk), &l->key, &l->place) && bad)
        purge_on_disk(notes_of(x)->use->cache, &url);
}

enum from_disk from_disk_take(struct xchg *x, struct object **o)
{
    struct load *l = notes_of(x)->load;
    struct seglog_record r;
    struct stored_meta m;
    struct iovec piece;
    enum read v = judge(x, l, &r, &piece, &m);
    *o = v == GOOD ? object_from(x, l, &r, &m) : NULL;
    if (v == BAD || v == BANNED)
        forget(x, l, v == BAD);
    if (*o && !body_is_on_disk((*o)->body))
        promote(x, l, *o);
    from_disk_end(&notes_of(x)->load);
    return *o ? DISK_FOUND : DISK_NONE;
}

enum from_disk from_disk_find(struct xchg *x, struct object **o)
{
    struct notes *n = notes_of(x);
    struct disk *d = tier_use(&n->use->cache->tier);
    n->load = d ? find(x, d) : NULL;
    if (n->load == NULL)
        return DISK_NONE;
    if (n->load->place.n > AT_ONCE || !read_record(n->load, false))
        return DISK_COLD;
    return from_disk_take(x, o);
}

bool from_disk_has(struct xchg *x)
{
    struct disk *d = tier_use(&notes_of(x)->use->cache->tier);
    struct cache_key key;
    struct seglog_place place;
    if (d == NULL)
        return false;
    struct segment *segment = look(x, d, &key, &place);
    bool there = segment != NULL;
    if (there)
        seglog_let(&segment);
    disk_let(d);
    return there;
}
