#include "list_check.h"

#include <stdlib.h>

#include "base/must.h"
#include "http/uri.h"
#include "list_copy.h"
#include "list_lint.h"
#include "list_load.h"
#include "policy/conf.h"
#include "schema_root.h"

enum { MOST_WORDS = 64 }; /* of one `to` that are held against each other */

/* The lists of a tree, loaded for one reader. */
struct loaded {
    struct list_slot slot;
    const struct node *node;
    struct list_conf conf;
    struct list_content *content; /* NULL: not loaded */
    struct list_report_all report;
};

struct all {
    struct arena arena;
    struct loaded *list;
    u32 n;
};

static const char *strdup_in(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(arena_alloc(a, n), s, n);
}

static void load_all(struct all *all, const struct tree *t, bool unused)
{
    u32 most = 1;
    for (const struct node *n = node_child(&t->root, "list"); n; n = node_again(n))
        most++;
    all->n = 0;
    arena_init(&all->arena, 0);
    char *own = list_copy_folder(), path[LIST_COPY_PATH];
    const char *state = root_read(t, &all->arena).state;
    const char *folder = state == NULL ? own : state[0] ? state : NULL;
    all->list = arena_zalloc(&all->arena, most * sizeof *all->list);
    for (const struct node *n = node_child(&t->root, "list"); n; n = node_again(n)) {
        struct loaded *l = &all->list[all->n];
        if (!unused && !n->used)
            continue;
        all->n++;
        l->node = n;
        l->conf = list_conf_read(n, &all->arena);
        char *name = arena_zalloc(&all->arena, l->conf.name.n + 1);
        memcpy(name, l->conf.name.p, l->conf.name.n);
        struct list_place place = { folder, name, l->conf.path };
        struct list_stamp stamp;
        if (l->conf.fetched && list_copy_find(&place, &stamp, path))
            l->conf.copy = strdup_in(&all->arena, path);
        l->content = list_load(&l->conf, 1, &l->report, NULL, NULL);
        l->slot.name = l->conf.name;
        l->slot.readers = 1;
        l->slot.optional = l->conf.optional;
        l->slot.of[0] = l->content;
    }
    free(own);
}

static void free_all(struct all *all)
{
    for (u32 i = 0; i < all->n; i++)
        list_content_free(all->list[i].content);
    arena_free(&all->arena);
}

static const struct loaded *find_loaded(const struct all *all, struct slice name)
{
    for (u32 i = 0; i < all->n; i++)
        if (slice_eq(all->list[i].slot.name, name))
            return &all->list[i];
    return NULL;
}

/* ---- check ---- */

static void check_one(const struct loaded *l, struct diags *d, FILE *say)
{
    const struct list_report_all *r = &l->report;
    if (l->conf.fetched && l->conf.copy == NULL) {
        fprintf(say, "list %.*s: it has not been fetched yet\n", SLICE_FMT(l->slot.name));
        return;
    }
    if (l->content == NULL && l->conf.optional) {
        diag_warning(d, l->conf.source, "the list %s cannot be loaded", slice_shown(l->slot.name));
        diag_more(d, "%s", r->why);
    } else if (l->content == NULL) {
        diag_error(d, l->conf.source, "the list %s cannot be loaded", slice_shown(l->slot.name));
        diag_more(d, "%s", r->why);
    } else {
        fprintf(say, "list %.*s: ", SLICE_FMT(l->slot.name));
        list_report_line(r, say);
    }
    list_report_rejected(r, say);
    if (l->content && r->suffixes) {
        diag_warning(d, l->conf.source,
                     "the list %s has entries that are whole domains of a registry",
                     slice_shown(l->slot.name));
        diag_more(d, "%llu of them, the first on line %u: they cover everything below",
                  (unsigned long long)r->suffixes, r->first_suffix);
    }
}

static void check_categories(const struct node *to, const struct all *all, struct diags *d)
{
    for (u32 i = 0; i + 3 < node_nargs(to); i++) {
        if (!word_is_bare(node_arg(to, i), "list") ||
            !word_is_bare(node_arg(to, i + 2), "category"))
            continue;
        const struct loaded *l = find_loaded(all, node_arg(to, i + 1)->text);
        const struct word *category = node_arg(to, i + 3);
        if (l && l->content && list_category(l->content, category->text) == NULL)
            diag_warning(d, category, "the list %s has no category %s", slice_shown(l->slot.name),
                         word_shown(category));
    }
}

/* `list NAME` at the i-th word, whole, and loaded; else NULL. */
static const struct loaded *whole_list(const struct node *to, u32 i, const struct all *all)
{
    if (i + 1 >= node_nargs(to) || !word_is_bare(node_arg(to, i), "list") ||
        (i + 2 < node_nargs(to) && word_is_bare(node_arg(to, i + 2), "category")))
        return NULL;
    const struct loaded *l = find_loaded(all, node_arg(to, i + 1)->text);
    return l && l->content ? l : NULL;
}

/* Is the one at i inside the one at k? */
static bool check_pair(const struct node *to, u32 i, u32 k, const struct all *all, struct diags *d)
{
    const struct loaded *inner = whole_list(to, i, all), *outer = whole_list(to, k, all);
    if (inner == NULL || outer == NULL || inner == outer ||
        !list_is_inside(&inner->conf, outer->content))
        return false;
    diag_warning(d, node_arg(to, i + 1), "the list %s is inside the list %s",
                 word_shown(node_arg(to, i + 1)), slice_shown(outer->slot.name));
    diag_more(d,
              "all of its %llu entries are covered there, and the rule asks both; take it out, "
              "or give it a rule of its own before this one",
              (unsigned long long)inner->content->entries);
    return true;
}

/* Each list once; of two that say the same the first stays. */
static void check_inside(const struct node *to, const struct all *all, struct diags *d)
{
    u64 inside = 0;
    u32 n = node_nargs(to) < MOST_WORDS ? node_nargs(to) : MOST_WORDS;
    for (u32 i = n; i-- > 0;)
        for (u32 k = 0; k < n && !(inside >> i & 1); k++)
            if (!(inside >> k & 1) && check_pair(to, i, k, all, d))
                inside |= (u64)1 << i;
}

void lists_check(const struct tree *t, struct diags *d, FILE *say)
{
    struct all all;
    load_all(&all, t, false);
    for (u32 i = 0; i < all.n; i++)
        check_one(&all.list[i], d, say);
    for (const struct node *p = node_child(&t->root, "policy"); p; p = node_again(p)) {
        const struct node *rules = node_child(p, "rules");
        for (const struct node *r = rules ? rules->children : NULL; r; r = r->next)
            for (const struct node *to = node_child(r, "to"); to; to = node_again(to)) {
                check_categories(to, &all, d);
                check_inside(to, &all, d);
            }
    }
    free_all(&all);
}

/* ---- show ---- */

bool lists_show(const struct tree *t, FILE *to)
{
    struct all all;
    bool good = true;
    load_all(&all, t, true);
    for (u32 i = 0; i < all.n; i++) {
        const struct loaded *l = &all.list[i];
        fprintf(to, "list %.*s\n  source   %.*s\n", SLICE_FMT(l->slot.name),
                SLICE_FMT(l->conf.shown));
        good &= l->content || l->conf.optional;
        if (l->content)
            list_report_table(&l->report, to);
        else
            fprintf(to, "  not loaded: %s\n", l->report.why);
        list_report_rejected(&l->report, to);
        for (u32 c = 0; l->content && c < l->content->categories; c++)
            fprintf(to, "%s%.*s%s", c ? " " : "  categories ",
                    SLICE_FMT(l->content->category[c].name),
                    c + 1 == l->content->categories ? "\n" : "");
    }
    if (all.n == 0)
        fputs("there are no lists\n", to);
    free_all(&all);
    return good;
}

/* ---- find ---- */

static const struct list_slot *find_slot(void *ctx, struct slice name)
{
    const struct loaded *l = find_loaded(ctx, name);
    return l ? &l->slot : NULL;
}

struct asked {
    struct target_uri uri;
    bool whole; /* a URL; else a host alone, as CONNECT shows it */
};

static bool understand(const char *what, struct asked *q)
{
    struct slice s = slice_of(what);
    *q = (struct asked){ .whole = strstr(what, "://") != NULL };
    if (!q->whole) {
        q->uri.port = 443;
        return host_parse(s, &q->uri.host) == FAULT_NONE;
    }
    if (slice_starts(s, SLICE("https://"))) { /* what CONNECT shows of it */
        const char *host = s.p + 8;
        s = (struct slice){ host, strcspn(host, "/?#:") };
        q->whole = false;
        q->uri.port = 443;
        return host_parse(s, &q->uri.host) == FAULT_NONE;
    }
    return target_parse(METHOD_GET, s, NULL, &q->uri) == FAULT_NONE;
}

static bool find_in_list(const struct loaded *l, const struct asked *q, FILE *to)
{
    char area[8 + 256 + 8192];
    struct text url = text_in(area, sizeof area);
    struct host_prints prints;
    struct list_hit hit;
    struct slice host = { q->uri.host.name, q->uri.host.len };
    text_cstr(&url, q->whole ? "http://" : "https://");
    host_write(&url, &q->uri.host, q->uri.port == (q->whole ? 80 : 443) ? 0 : q->uri.port);
    size_t path = url.n;
    text_add(&url, q->whole && q->uri.path.n ? q->uri.path : SLICE("/"));
    if (q->whole && q->uri.query.p) {
        text_char(&url, '?');
        text_add(&url, q->uri.query);
    }
    host_prints(&prints, host);
    struct list_query query = {
        .host = q->uri.host.literal ? NULL : &prints,
        .name = host,
        .address = q->uri.host.literal ? &q->uri.host.addr : NULL,
        .url = text_slice(&url),
        .path = q->whole ? slice_skip(text_slice(&url), path) : SLICE(""),
    };
    enum list_answer a = filter_list_ask(l->content->list, &query, l->content->scratch[0], &hit);
    if (a == LIST_NO && hit.place == 0)
        return false;
    struct source_where at = sources_where(filter_list_sources(l->content->list), hit.place);
    fprintf(to, "list %.*s: %.*s:%u%s%.*s%s%.*s%s\n", SLICE_FMT(l->slot.name), SLICE_FMT(at.file),
            at.line, at.category.n ? ", category " : "", SLICE_FMT(at.category),
            hit.matched.n ? ", matches " : "", SLICE_FMT(hit.matched),
            a == LIST_EXHAUSTED                             ? ": its pattern came to its limits"
            : a == LIST_NO || hit.effect == EFFECT_EXCEPTED ? ": an exception, so not listed"
            : hit.effect == EFFECT_PASS                     ? ": passes, so not listed"
                                                            : "");
    return a == LIST_YES && hit.effect != EFFECT_PASS;
}

static void decide(const struct node *node, struct all *all, const struct asked *q, FILE *to)
{
    struct policy *p = policy_compile(node, &all->arena);
    struct policy_decision d;
    struct policy_question question = {
        .client = addr_loopback(AF_INET, 0),
        .connect = !q->whole,
        .method = q->whole ? METHOD_GET : METHOD_CONNECT,
        .method_text = q->whole ? SLICE("GET") : SLICE("CONNECT"),
        .host = &q->uri.host,
        .port = q->uri.port,
        .path = q->whole ? q->uri.path : (struct slice){ NULL, 0 },
        .query = q->uri.query,
    };
    policy_bind_lists(p, &all->arena, find_slot, all);
    policy_decide(p, &question, &d);
    fprintf(to, "policy %.*s: %s by %.*s", SLICE_FMT(policy_name(p)),
            d.action == POLICY_ALLOW  ? "allowed"
            : d.action == POLICY_DENY ? "denied"
                                      : "its address decides, at the rule",
            SLICE_FMT(d.rule_name));
    if (d.listed.list.n)
        fprintf(to, ", by the list %.*s", SLICE_FMT(d.listed.list));
    fputc('\n', to);
}

bool lists_find(const struct tree *t, const char *what, FILE *to)
{
    struct asked q;
    struct all all;
    bool found = false;
    if (!understand(what, &q)) {
        fprintf(stderr, "proxyd lists: this is neither a host nor a URL\n");
        return false;
    }
    load_all(&all, t, true);
    for (u32 i = 0; i < all.n; i++)
        if (all.list[i].content)
            found |= find_in_list(&all.list[i], &q, to);
        else
            fprintf(to, "list %.*s: not loaded: %s\n", SLICE_FMT(all.list[i].slot.name),
                    all.list[i].report.why);
    if (!found)
        fputs("in no list\n", to);
    for (const struct node *p = node_child(&t->root, "policy"); p; p = node_again(p))
        decide(p, &all, &q, to);
    free_all(&all);
    return found;
}
