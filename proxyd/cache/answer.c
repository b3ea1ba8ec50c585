/*
 * A stored response as the answer to a request: with Age and Cache-Status, as 304 when the client
 * has it already, or as the ranges that it wants (RFC 9111 section 4, RFC 9110 section 14).
 */
#include "cache/notes.h"

#include "cache/blocks.h"
#include "cache/precondition.h"
#include "cache/range.h"

enum { AGE_LINE = sizeof "Age: 4294967295\r\n" };

bool answer_status(struct xchg *x, const struct cache_status *s)
{
    struct text t;
    if (!msg_compose(&x->resp, CACHE_STATUS_MOST, &t))
        return false;
    cache_status_write(&t, SLICE("proxyd"), s);
    msg_keep_line(&x->resp, TOKEN_CACHE_STATUS, &t);
    return true;
}

static bool add_age(struct xchg *x, const struct object *o)
{
    struct text t;
    if (!msg_compose(&x->resp, AGE_LINE, &t))
        return false;
    text_lit(&t, "Age: ");
    text_u64(&t, freshness_age(&o->fresh, now_s(x)));
    text_lit(&t, "\r\n");
    msg_keep_line(&x->resp, TOKEN_AGE, &t);
    return true;
}

static void become(struct msg *m, u16 status)
{
    m->status = status;
    m->reason = status_reason(status);
}

/* No content: what describes it would be taken for its own. *from: what gives it. */
static void become_empty(struct xchg *x, struct source *from, u16 status)
{
    struct msg *m = &x->resp;
    become(m, status);
    msg_remove(m, TOKEN_CONTENT_TYPE);
    msg_remove(m, TOKEN_CONTENT_ENCODING);
    msg_remove(m, TOKEN_CONTENT_LANGUAGE);
    m->body = status == 304 ? BODY_NONE : BODY_LENGTH;
    m->body_len = 0;
    source_close(from);
    x->reply_rest.n = 0;
    *from = text_source(&x->reply_rest);
}

static bool add_range(struct xchg *x, const struct byte_range *r, u64 length)
{
    struct text t;
    if (!msg_compose(&x->resp, 100, &t))
        return false;
    text_lit(&t, "Content-Range: ");
    range_write(&t, r, length);
    text_lit(&t, "\r\n");
    msg_keep_line(&x->resp, TOKEN_CONTENT_RANGE, &t);
    return true;
}

static bool write_parts(struct xchg *x, const struct byte_range *r, unsigned n, u64 length,
                        struct reader_part *parts, struct slice *after)
{
    struct msg *m = &x->resp;
    char boundary[RANGE_BOUNDARY];
    struct slice type = msg_get(m, TOKEN_CONTENT_TYPE);
    u64 seed = hash64(hash_process_key(), &x->id, sizeof x->id);
    for (unsigned i = 0; i < RANGE_BOUNDARY; i++)
        boundary[i] = "0123456789abcdef"[seed >> 4 * i & 15];
    for (unsigned i = 0; i <= n; i++) {
        size_t room = 160 + RANGE_BOUNDARY + type.n;
        struct text t = text_in(arena_try(&x->arena, room), room);
        if (t.p == NULL)
            return false;
        ranges_part(&t, boundary, type, r, n, i, length);
        must(!t.full);
        if (i == n)
            *after = text_slice(&t);
        else
            parts[i] = (struct reader_part){ text_slice(&t), r[i].from, r[i].to + 1 };
    }
    m->body_len = ranges_length(type, r, n, length);
    msg_remove(m, TOKEN_CONTENT_TYPE);
    struct text t;
    if (!msg_compose(m, 100, &t))
        return false;
    text_lit(&t, "Content-Type: multipart/byteranges; boundary=");
    text_put(&t, boundary, sizeof boundary);
    text_lit(&t, "\r\n");
    msg_keep_line(m, TOKEN_CONTENT_TYPE, &t);
    return true;
}

static bool give_ranges(struct xchg *x, struct reader *reader, const struct byte_range *r,
                        unsigned n, u64 length)
{
    struct reader_part *parts = arena_try(&x->arena, n * sizeof *parts);
    struct slice after = SLICE("");
    if (parts == NULL)
        return false;
    become(&x->resp, 206);
    msg_remove(&x->resp, TOKEN_CONTENT_DIGEST); /* they are of the whole */
    msg_remove(&x->resp, TOKEN_CONTENT_MD5);
    if (n == 1) {
        parts[0] = (struct reader_part){ SLICE(""), r->from, r->to + 1 };
        x->resp.body_len = r->to + 1 - r->from;
        if (!add_range(x, r, length))
            return false;
    } else if (!write_parts(x, r, n, length, parts, &after)) {
        return false;
    }
    if (likely(notes_of(x)->blocks == NULL)) /* else it is the plan that says so */
        reader_choose(reader, parts, n, after);
    return true;
}

/* Only of what has a known length: else the whole is given. *from is that reader as a source. */
static bool look_at_range(struct xchg *x, struct reader *reader, struct source *from)
{
    struct notes *n = notes_of(x);
    struct byte_range ranges[RANGES_MOST];
    unsigned count;
    struct msg *m = &x->resp;
    if (!msg_has(n->asked, TOKEN_RANGE) || msg_count(n->asked, TOKEN_RANGE) != 1 ||
        x->req.method != METHOD_GET || m->status != 200 || m->body != BODY_LENGTH ||
        !if_range_holds(n->asked, m, now_s(x)))
        return true;
    u64 length = m->body_len;
    switch (ranges_read(msg_get(n->asked, TOKEN_RANGE), length, ranges, &count)) {
    case RANGES_WHOLE: return true;
    case RANGES_SOME: return give_ranges(x, reader, ranges, count, length);
    default: become_empty(x, from, 416); return add_range(x, NULL, length);
    }
}

static bool shape(struct xchg *x, const struct object *o, enum cached *how)
{
    struct notes *n = notes_of(x);
    struct msg *m = &x->resp;
    u64 length = o->body->length; /* once: it may become known just now */
    if (unlikely(n->blocks)) {
        become(m, 200);
        length = n->blocks->manifest.length;
    }
    m->method = x->req.method;
    m->body = length == UINT64_MAX ? BODY_STREAMED : m->status == 204 ? BODY_NONE : BODY_LENGTH;
    m->body_len = length;
    if (likely(!msg_has(n->asked, TOKEN_IF_NONE_MATCH) &&
               !msg_has(n->asked, TOKEN_IF_MODIFIED_SINCE)))
        return look_at_range(x, &n->reader, &x->source);
    if (precondition_of(n->asked, m, now_s(x)) == CONDITION_NONE)
        return look_at_range(x, &n->reader, &x->source);
    become_empty(x, &x->source, 304);
    *how = *how == CACHED_HIT || *how == CACHED_DISK_HIT ? CACHED_NOT_MODIFIED : *how;
    return true;
}

bool answer_from_copy(struct xchg *x)
{
    struct notes *n = notes_of(x);
    return n->asked == &x->req || look_at_range(x, &n->reader, &x->feed->from);
}

static void note_ttl(const struct xchg *x, const struct notes *n, struct cache_status *s)
{
    struct freshness area;
    (void)freshness_use(object_fresh(n->given, &area), &n->control, now_s(x), &s->ttl);
    s->has_ttl = true;
}

bool answer_give(struct xchg *x, struct object **o, enum cached how, struct cache_status *s)
{
    struct notes *n = notes_of(x);
    object_put(&n->given);
    n->given = *o;
    *o = NULL;
    source_close(&x->source);
    x->source =
        unlikely(n->blocks) ? blocks_source(n->blocks) : reader_open(&n->reader, n->given->body, x);
    xchg_new_response(x);
    if (unlikely(!s->has_ttl))
        note_ttl(x, n, s);
    if (!stored_head_give(n->given->head, &x->resp) || !shape(x, n->given, &how) ||
        !add_age(x, n->given) || !answer_status(x, s)) {
        x->fault = FAULT_out_of_memory;
        return false;
    }
    x->cached = (u8)how;
    x->kept = KEPT_YES;
    return true;
}
