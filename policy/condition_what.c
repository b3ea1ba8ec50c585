/*
 * What is asked: `method` and `path`. The hard one is the path. Origins disagree about what
 * /a/%2e%2e/b or /a%2Fb is, so each path has two readings and the engine tries a rule with either;
 * the pattern of a rule is read in the same two ways.
 */
#include "policy/condition.h"

#include "base/must.h"

/* ---- method ---- */

struct methods {
    u32 known; /* bit per enum method */
    u32 others;
    const struct slice *other;
};

const void *condition_method_make(const struct node *n, struct arena *a)
{
    struct methods *m = arena_zalloc(a, sizeof *m);
    struct slice *other = arena_alloc(a, node_nargs(n) * sizeof *other);
    for (u32 i = 0; i < node_nargs(n); i++) {
        struct slice text = node_arg(n, i)->text;
        enum method known = method_find(text);
        if (known == METHOD_OTHER)
            other[m->others++] = arena_copy(a, text);
        else
            m->known |= 1u << known;
    }
    m->other = other;
    return m;
}

void condition_method_narrow(const void *data, struct gate *g)
{
    const struct methods *m = data;
    g->methods &= m->known | (m->others ? (u32)1 << METHOD_OTHER : 0);
}

enum match condition_method_holds(const void *data, struct evaluation *e)
{
    const struct methods *m = data;
    if (e->q->method != METHOD_OTHER)
        return match_of(m->known >> e->q->method & 1);
    for (u32 i = 0; i < m->others; i++)
        if (slice_eq(m->other[i], e->q->method_text))
            return MATCH_YES;
    return MATCH_NO;
}

/* ---- path ---- */

struct paths {
    u32 n;
    bool equal;                     /* every pattern is the same text in both forms */
    struct slice (*pattern)[FORMS]; /* without final slash: "" is every path */
};

static struct slice pattern_form(struct slice text, struct arena *a,
                                 bool (*form)(struct text *, struct slice))
{
    size_t n = 3 * text.n + 1;
    struct text encoded = text_in(arena_alloc(a, n), n), t = text_in(arena_alloc(a, n), n);
    path_encode(&encoded, text); /* as targets are */
    must(form(&t, text_slice(&encoded)));
    while (t.n && t.p[t.n - 1] == '/')
        t.n--;
    return text_slice(&t);
}

const void *condition_path_make(const struct node *n, struct arena *a)
{
    struct paths *p = arena_alloc(a, sizeof *p);
    p->n = node_nargs(n);
    p->equal = true;
    p->pattern = arena_alloc(a, p->n * sizeof *p->pattern);
    for (u32 i = 0; i < p->n; i++) {
        p->pattern[i][FORM_NORMAL] = pattern_form(node_arg(n, i)->text, a, path_normal);
        p->pattern[i][FORM_FOLDED] = pattern_form(node_arg(n, i)->text, a, path_folded);
        p->equal = p->equal && slice_eq(p->pattern[i][FORM_NORMAL], p->pattern[i][FORM_FOLDED]);
    }
    return p;
}

/* The prefix itself or something below it, on a segment border. */
static bool is_under(struct slice path, struct slice prefix)
{
    return slice_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

void condition_path_narrow(const void *data, struct gate *g)
{
    (void)data;
    g->traits &= ~(u32)TRAIT_TUNNEL;
}

enum match condition_path_holds(const void *data, struct evaluation *e)
{
    const struct paths *p = data;
    if (e->q->path.p == NULL)
        return MATCH_UNKNOWN;
    if (!evaluation_paths(e))
        return MATCH_UNSAFE;
    if (!e->paths_equal || !p->equal)
        e->form_matters = true;
    for (u32 i = 0; i < p->n; i++)
        if (is_under(e->path[e->form], p->pattern[i][e->form]))
            return MATCH_YES;
    return MATCH_NO;
}
