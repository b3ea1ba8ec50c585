/*
 * What comes back: `type`, `length` and `status` of the answer. Rules with one of them are asked
 * when the head of the answer is there, and not before. The hard one is the type: an answer that
 * says two is read in one way here and in another there, so it holds for a deny and for no allow;
 * and so does one of several ranges, whose type stands in its body.
 */
#include "base/must.h"
#include "base/str.h"
#include "config/value.h"
#include "policy/condition.h"
#include "policy/patterns.h"
#include "policy/ranges.h"

/* ---- ranges ---- */

static bool size_of(struct slice s, u64 *out)
{
    return slice_u64(s, out) || value_size(s, out);
}

bool length_range(struct slice word, struct range *out)
{
    struct slice from;
    *out = (struct range){ 0, UINT64_MAX };
    if (!slice_cut(&word, '-', &from) || word.p == NULL || (from.n == 0 && word.n == 0))
        return false;
    return (from.n == 0 || size_of(from, &out->from)) && (word.n == 0 || size_of(word, &out->to)) &&
           out->from <= out->to;
}

bool status_range(struct slice word, struct range *out)
{
    struct slice from;
    (void)slice_cut(&word, '-', &from);
    if (!slice_u64(from, &out->from) || (word.p && !slice_u64(word, &out->to)))
        return false;
    out->to = word.p ? out->to : out->from;
    return out->from >= 100 && out->from <= out->to && out->to <= 599;
}

struct ranges {
    u32 n;
    struct range *range;
};

static const void *make_ranges(const struct node *n, struct arena *a,
                               bool (*read)(struct slice, struct range *))
{
    struct ranges *r = arena_zalloc(a, sizeof *r);
    r->range = arena_alloc(a, node_nargs(n) * sizeof *r->range);
    for (; r->n < node_nargs(n); r->n++)
        must(read(node_arg(n, r->n)->text, &r->range[r->n]));
    return r;
}

static enum match in_ranges(const struct ranges *r, u64 v)
{
    for (u32 i = 0; i < r->n; i++)
        if (v >= r->range[i].from && v <= r->range[i].to)
            return MATCH_YES;
    return MATCH_NO;
}

/* ---- status ---- */

const void *condition_status_make(const struct node *n, struct arena *a)
{
    return make_ranges(n, a, status_range);
}

void condition_status_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

enum match condition_status_holds(const void *data, struct evaluation *e)
{
    return in_ranges(data, e->q->answer->status);
}

/* ---- length ---- */

const void *condition_length_make(const struct node *n, struct arena *a)
{
    return make_ranges(n, a, length_range);
}

void condition_length_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

/* Of the body that is announced; one that comes in chunks or ends with the connection is not. */
enum match condition_length_holds(const void *data, struct evaluation *e)
{
    const struct msg *m = e->q->answer;
    if (m->body == BODY_STREAMED || m->body == BODY_UNTIL_CLOSE)
        return MATCH_UNKNOWN;
    return in_ranges(data, m->body == BODY_LENGTH ? m->body_len : 0);
}

/* ---- type ---- */

struct types {
    u32 n;
    struct slice *type; /* "image/" is image/… */
    struct patterns patterns;
};

const void *condition_type_make(const struct node *n, struct arena *a)
{
    struct types *t = arena_zalloc(a, sizeof *t);
    t->type = arena_alloc(a, node_nargs(n) * sizeof *t->type);
    patterns_gather(&t->patterns, n, a);
    for (u32 i = 0; i < node_nargs(n); i++) {
        struct slice text = node_arg(n, i)->text;
        if (node_arg(n, i)->kind == WORD_REGEX)
            continue;
        text.n -= slice_ends(text, SLICE("/*"));
        t->type[t->n++] = arena_copy(a, text);
    }
    return t;
}

void condition_type_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

static enum match of_parts(enum match is, const struct evaluation *e, struct slice type)
{
    bool parts =
        e->q->answer->status == 206 && slice_eq_nocase(type, SLICE("multipart/byteranges"));
    return parts && is == MATCH_NO ? MATCH_UNSAFE : is;
}

static enum match one_type(const struct types *t, struct slice value, struct evaluation *e)
{
    struct slice type;
    if (!slice_cut(&value, ';', &type))
        return MATCH_NO;
    type = slice_trim(type);
    for (u32 i = 0; i < t->n; i++) {
        struct slice want = t->type[i], part = type;
        if (slice_ends(want, SLICE("/")) && part.n > want.n)
            part.n = want.n;
        if (slice_eq_nocase(part, want))
            return MATCH_YES;
    }
    return of_parts(patterns_find(&t->patterns, e, type), e, type);
}

enum match condition_type_holds(const void *data, struct evaluation *e)
{
    unsigned said = 0, held = 0;
    const struct msg *m = e->q->answer;
    for (const struct field *f = msg_find(m, TOKEN_CONTENT_TYPE); f; f = msg_find_next(m, f)) {
        struct slice rest = msg_value(m, f), one;
        while (slice_cut(&rest, ',', &one)) {
            enum match is = one_type(data, one, e);
            if (is == MATCH_UNSAFE)
                return is;
            said++;
            held += is == MATCH_YES;
        }
    }
    if (said == 0)
        return MATCH_UNKNOWN;
    return held == said ? MATCH_YES : held ? MATCH_UNSAFE : MATCH_NO;
}
