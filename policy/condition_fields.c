/*
 * `header`, `cookie` and `query`: named values that a request has any number of. A name alone
 * means that it is there; of several occurrences one is enough.
 *
 * The hard one is the query: origins disagree whether ';' separates as '&' does, so it has two
 * readings as a path has. Fields are those that were received, whatever has been edited since: a
 * request that is decided a second time, for another address, is the same request.
 */
#include "base/must.h"
#include "base/str.h"
#include "policy/condition.h"
#include "policy/patterns.h"

enum { DECODED_LONGEST = 2048 };

struct named {
    struct slice name;
    u32 values;
    const struct slice *value;
    struct patterns patterns;
};

struct named_values {
    u32 n;
    struct named *named;
};

static bool says_more(const struct named *w)
{
    return w->values + w->patterns.n > 0;
}

static void or_else(enum match *m, enum match one)
{
    if (one != MATCH_NO && *m != MATCH_YES)
        *m = one;
}

/* Does this occurrence, whose name is right, hold for what is wanted? */
static enum match value_holds(const struct named *w, struct slice value, struct evaluation *e)
{
    if (!says_more(w))
        return MATCH_YES;
    for (u32 i = 0; i < w->values; i++)
        if (slice_eq(w->value[i], value))
            return MATCH_YES;
    return patterns_find(&w->patterns, e, value);
}

/* ---- header N [V…] ---- */

static void read_values(struct named *w, const struct node *n, u32 from, struct arena *a)
{
    struct slice *value = arena_alloc(a, node_nargs(n) * sizeof *value);
    for (u32 i = from; i < node_nargs(n); i++)
        if (node_arg(n, i)->kind != WORD_REGEX)
            value[w->values++] = arena_copy(a, node_arg(n, i)->text);
    w->value = value;
    patterns_gather(&w->patterns, n, a);
}

const void *condition_header_make(const struct node *n, struct arena *a)
{
    struct named *w = arena_zalloc(a, sizeof *w);
    w->name = arena_copy(a, node_arg(n, 0)->text);
    read_values(w, n, 1, a);
    return w;
}

void condition_header_narrow(const void *data, struct gate *g)
{
    (void)data;
    g->traits &= ~(u32)TRAIT_TUNNEL;
}

/* The next field of that name from *i on, as received: a deleted one keeps its place. */
static bool next_field(const struct msg *m, struct slice name, u32 *i, struct slice *value)
{
    while (*i < m->nfields) {
        const struct field *f = &m->fields[(*i)++];
        if (f->nlen != name.n || (f->noff & FIELD_EXTRA) || !slice_eq_nocase(msg_name(m, f), name))
            continue;
        *value = msg_value(m, f);
        return true;
    }
    return false;
}

enum match condition_header_holds(const void *data, struct evaluation *e)
{
    const struct named *w = data;
    enum match m = MATCH_NO;
    struct slice value;
    if (e->q->request == NULL)
        return MATCH_UNKNOWN;
    for (u32 i = 0; m != MATCH_YES && next_field(e->q->request, w->name, &i, &value);)
        or_else(&m, value_holds(w, value, e));
    return m;
}

/* ---- N[=V] ---- */

/* Each word begins another name; patterns belong to the name before them. */
static const void *read_pairs(const struct node *n, struct arena *a)
{
    struct named_values *all = arena_zalloc(a, sizeof *all);
    all->named = arena_zalloc(a, node_nargs(n) * sizeof *all->named);
    for (u32 i = 0; i < node_nargs(n);) {
        struct slice rest = node_arg(n, i)->text, name;
        struct named *w = &all->named[all->n++];
        must(slice_cut(&rest, '=', &name));
        w->name = arena_copy(a, name);
        if (rest.p) {
            struct slice *value = arena_alloc(a, sizeof *value);
            *value = arena_copy(a, rest);
            w->value = value;
            w->values = 1;
        }
        i += 1 + patterns_read(&w->patterns, n, i + 1, a);
    }
    return all;
}

static void pair_holds(const struct named_values *all, struct slice name, struct slice value,
                       struct evaluation *e, enum match *m)
{
    for (u32 i = 0; i < all->n && *m != MATCH_YES; i++)
        if (slice_eq(all->named[i].name, name))
            or_else(m, value_holds(&all->named[i], value, e));
}

/* ---- cookie ---- */

const void *condition_cookie_make(const struct node *n, struct arena *a)
{
    return read_pairs(n, a);
}

void condition_cookie_narrow(const void *data, struct gate *g)
{
    (void)data;
    g->traits &= ~(u32)TRAIT_TUNNEL;
}

enum match condition_cookie_holds(const void *data, struct evaluation *e)
{
    enum match m = MATCH_NO;
    struct slice rest, piece, name;
    if (e->q->request == NULL)
        return MATCH_UNKNOWN;
    for (u32 i = 0; next_field(e->q->request, SLICE("cookie"), &i, &rest);)
        while (slice_cut(&rest, ';', &piece)) {
            struct slice value = slice_trim(piece);
            if (!slice_cut(&value, '=', &name))
                continue;
            value = slice_trim(value);
            if (value.n > 1 && value.p[0] == '"' && value.p[value.n - 1] == '"')
                value = (struct slice){ value.p + 1, value.n - 2 };
            pair_holds(data, slice_trim(name), value, e, &m);
        }
    return m;
}

/* ---- query ---- */

const void *condition_query_make(const struct node *n, struct arena *a)
{
    return read_pairs(n, a);
}

void condition_query_narrow(const void *data, struct gate *g)
{
    (void)data;
    g->traits &= ~(u32)TRAIT_TUNNEL;
}

static bool decode(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        int decoded = percent_decoded(s.p + i, s.n - i);
        if (decoded >= 0) {
            text_char(t, (char)decoded);
            i += 2;
        } else {
            text_char(t, s.p[i] == '+' ? ' ' : s.p[i]);
        }
    }
    return !t->full;
}

/* A name that is too long to be wanted is none. A value that is too long cannot be judged. */
static void piece_holds(const struct named_values *all, struct slice piece, struct evaluation *e,
                        enum match *m)
{
    char names[256], values[DECODED_LONGEST];
    struct text name = text_in(names, sizeof names), value = text_in(values, sizeof values);
    struct slice raw;
    if (!slice_cut(&piece, '=', &raw) || !decode(&name, raw))
        return;
    bool fits = decode(&value, piece);
    for (u32 i = 0; i < all->n && *m != MATCH_YES; i++)
        if (slice_eq(all->named[i].name, text_slice(&name)))
            or_else(m, fits || !says_more(&all->named[i])
                           ? value_holds(&all->named[i], text_slice(&value), e)
                           : MATCH_UNSAFE);
}

enum match condition_query_holds(const void *data, struct evaluation *e)
{
    enum match m = MATCH_NO;
    struct slice rest = e->q->query, piece, part;
    if (e->q->path.p == NULL)
        return MATCH_UNKNOWN;
    if (slice_find(rest, ';'))
        e->form_matters = true;
    while (slice_cut(&rest, '&', &piece)) {
        if (e->form == FORM_NORMAL)
            piece_holds(data, piece, e, &m);
        else
            while (slice_cut(&piece, ';', &part))
                piece_holds(data, part, e, &m);
    }
    return m;
}
