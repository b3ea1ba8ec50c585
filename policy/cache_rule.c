/* Rows, what `check` tells of each departure, and their words for people. */
#include "policy/cache_rule.h"

#include "base/hash.h"
#include "base/must.h"
#include "base/str.h"
#include "http/chars.h"

/* ---- check ---- */

static void tell(struct diags *d, const struct word *w, const char *what)
{
    diag_note(d, w, "%s departs from RFC 9111", word_shown(w));
    diag_more(d, "%s", what);
}

static void check_ttl(const struct node *n, struct diags *d)
{
    diag_note(d, &n->words[0], "\"override ttl\" departs from RFC 9111");
    diag_more(d, "answers count as fresh for so long, whatever the origin says of their age");
}

static void check_ignored(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        if (slice_is(w->text, "no-cache"))
            tell(d, w, "answers are used again without asking the origin, which wants to be asked");
        else if (slice_is(w->text, "no-store"))
            tell(d, w, "what must not be kept is kept");
        else if (slice_is(w->text, "private"))
            tell(d, w, "what is meant for one user is given to all whom this lets through");
    }
}

static void check_store(const struct node *n, struct diags *d)
{
    diag_note(d, node_arg(n, 0), "\"store set-cookie\" keeps answers that set a cookie");
    diag_more(d, "the cookie is for the first client only; the rest may be about its session, and "
                 "all get it");
}

void cache_name_check(const struct word *w, struct diags *d)
{
    struct slice name = w->text;
    if (w->reported)
        return;
    if (slice_ends(name, SLICE("*")))
        name.n--;
    bool good = w->kind != WORD_REGEX && w->text.n > 0;
    for (size_t i = 0; i < name.n; i++)
        good = good && !char_is(name.p[i], CHAR_CONTROL) && !strchr("*=&;, ", name.p[i]);
    if (good)
        return;
    diag_error(d, w, "%s is not a name", word_shown(w));
    diag_more(d, "expected one such as fbclid, or its beginning: utm_*");
}

static void check_key(const struct node *n, struct diags *d)
{
    bool whole = slice_is(node_arg(n, 0)->text, "without-query");
    if (whole ? node_nargs(n) > 1 : node_nargs(n) < 2) {
        diag_error(d, node_arg(n, 0),
                   whole ? "\"without-query\" takes no names" : "\"without-params\" needs names");
        diag_more(d, "expected something like: key without-params utm_* fbclid;");
        return;
    }
    for (u32 i = 1; i < node_nargs(n); i++)
        cache_name_check(node_arg(n, i), d);
    tell(d, node_arg(n, 0),
         "URLs that differ there get one answer: that of the one that came first");
}

void cache_rule_check(const struct node *n, struct diags *d)
{
    const struct node *bypass = node_child(n, "bypass");
    for (const struct node *c = bypass ? n->children : NULL; c; c = c->next)
        if (c != bypass && c->row && !c->reported) {
            diag_warning(d, &c->words[0], "%s has no effect beside \"bypass\"",
                         slice_shown(node_key(c)));
            diag_more(d, "the cache is not asked, and nothing is kept");
        }
}

/* ---- reading ---- */

const struct slice *cache_names_read(const struct node *n, u32 i, struct arena *a, u32 *count)
{
    u32 most = node_nargs(n);
    struct slice *names = arena_zalloc(a, (most + 1) * sizeof *names);
    for (*count = 0; i < most; i++)
        names[(*count)++] = arena_copy(a, node_arg(n, i)->text);
    return names;
}

static void read_ttl(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct cache_rule *r = to;
    (void)a;
    if (n == NULL)
        return;
    u64 ms = 0;
    must(value_duration(node_arg(n, 1)->text, &ms));
    (void)row;
    r->override.ttl = (u32)(ms / 1000);
}

static void read_ignored(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct cache_override *o = &((struct cache_rule *)to)->override;
    struct schema_values v = schema_values(row, n);
    struct slice word;
    (void)a;
    while (schema_values_next(&v, &word)) {
        o->ignore_no_cache |= slice_is(word, "no-cache");
        o->ignore_no_store |= slice_is(word, "no-store");
        o->ignore_private |= slice_is(word, "private");
    }
}

static void read_store(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    (void)row;
    (void)a;
    ((struct cache_rule *)to)->override.store_set_cookie = n != NULL;
}

static void read_key(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct cache_rule *r = to;
    (void)row;
    if (n == NULL)
        return;
    r->without_query = slice_is(node_arg(n, 0)->text, "without-query");
    r->params = cache_names_read(n, 1, a, &r->nparams);
}

/* `bypass;` is `bypass yes;`. */
static void read_yes(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    (void)row;
    (void)a;
    *(bool *)to = n && (node_nargs(n) == 0 || slice_is(node_arg(n, 0)->text, "yes"));
}

static void read_purge(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct cache_rule *r = to;
    bool host_bits;
    (void)row;
    if (n == NULL)
        return;
    struct cidr *nets = arena_zalloc(a, node_nargs(n) * sizeof *nets);
    for (u32 i = 0; i < node_nargs(n); i++)
        must(cidr_parse(node_arg(n, i)->text, &nets[i], &host_bits));
    r->purgers = nets;
    r->npurgers = node_nargs(n);
}

static void read_range(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    (void)row;
    (void)a;
    if (n)
        *(u8 *)to = slice_is(node_arg(n, 0)->text, "whole") ? CACHE_RANGE_WHOLE : CACHE_RANGE_PASS;
}

const struct schema_row cache_rule_rows[] = {
    { .key = "override ttl",
      .type = { TYPE_DURATION },
      .least = 1000,
      .most = 365ull * 24 * 3600 * 1000,
      .read = read_ttl,
      .check = check_ttl,
      .doc = "Answers are fresh for so long from when they come, whatever they say. It makes none "
             "kept that says no, and none of a status that is not cacheable by itself.",
      .example = "override ttl 10m;" },
    { .key = "ignore",
      .type = { TYPE_CHOICE },
      .min = 1,
      .max = 3,
      .choices = "no-cache no-store private",
      .read = read_ignored,
      .check = check_ignored,
      .doc = "What answers say in Cache-Control that counts for nothing; `no-store` of requests, "
             "too.",
      .example = "ignore no-cache private;" },
    { .key = "store",
      .type = { TYPE_CHOICE },
      .choices = "set-cookie",
      .read = read_store,
      .check = check_store,
      .doc = "Answers that set a cookie are kept as others are, but without the cookie: only the "
             "client whose request brought one gets it.",
      .example = "store set-cookie;" },
    { .key = "key",
      .type = { TYPE_CHOICE, TYPE_TEXT },
      .min = 1,
      .max = SCHEMA_MANY,
      .choices = "without-query without-params",
      .read = read_key,
      .check = check_key,
      .doc = "`without-query`: URLs that differ in their query alone have one answer. "
             "`without-params` with names, or beginnings of names with `*`: likewise those that "
             "differ in these parameters, or in whether they have them; the order of the others "
             "counts. Names are compared as they stand. The origin is asked with the whole URL.",
      .example = "key without-params utm_* fbclid;" },
    { .key = "min-uses",
      .type = { TYPE_COUNT },
      .least = 1,
      .most = 100,
      INTO(struct cache_rule, min_uses),
      .doc = "Instead of that of the cache.",
      .example = "min-uses 2;" },
    { .key = "max-object",
      .type = { TYPE_SIZE },
      .least = 1024,
      .most = 1ull << 40,
      INTO(struct cache_rule, max_object),
      .doc = "Instead of that of the cache.",
      .example = "max-object 1g;" },
    { .key = "range",
      .type = { TYPE_CHOICE },
      .choices = "pass whole",
      .read = read_range,
      .offset = offsetof(struct cache_rule, range),
      .doc = "Instead of that of the cache.",
      .example = "range whole;" },
    { .key = "bypass",
      .type = { TYPE_CHOICE },
      .choices = "yes no",
      .min = 0,
      .max = 1,
      .read = read_yes,
      .offset = offsetof(struct cache_rule, bypass),
      .doc = "The cache is not asked, and nothing is kept.",
      .example = "bypass;" },
    { .key = "purge",
      .type = { TYPE_CIDR },
      .min = 1,
      .max = SCHEMA_MANY,
      .read = read_purge,
      .doc = "A request with the method PURGE from these networks takes out what is kept of its "
             "URL, in all variants: 200 with their number, 404 when there was none. From others "
             "it is a method as any.",
      .example = "purge 127.0.0.1 10.1.0.0/16;" },
    { .key = NULL },
};

/* ---- all of it ---- */

static void put_names(struct text *t, const struct slice *names, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        text_char(t, ' ');
        text_add(t, names[i]);
    }
}

static void put(struct text *t, bool there, const char *what)
{
    if (!there)
        return;
    text_cstr(t, t->n ? ", " : "");
    text_cstr(t, what);
}

static void put_number(struct text *t, const char *what, u64 n, const char *unit)
{
    put(t, n > 0, what);
    if (n) {
        text_u64(t, n);
        text_cstr(t, unit);
    }
}

static void put_departures(struct text *t, const struct cache_rule *r)
{
    const struct cache_override *o = &r->override;
    put_number(t, "override ttl ", o->ttl, "s");
    put(t, o->ignore_no_cache, "ignore no-cache");
    put(t, o->ignore_no_store, "ignore no-store");
    put(t, o->ignore_private, "ignore private");
    put(t, o->store_set_cookie, "store set-cookie");
    put(t, r->without_query, "key without-query");
    put(t, r->nparams > 0, "key without-params");
    put_names(t, r->params, r->nparams);
}

void cache_rule_text(struct text *out, const struct cache_rule *r)
{
    put_departures(out, r);
    put_number(out, "min-uses ", r->min_uses, "");
    put_number(out, "max-object ", r->max_object, "");
    put(out, r->range == CACHE_RANGE_PASS, "range pass");
    put(out, r->range == CACHE_RANGE_WHOLE, "range whole");
    put(out, r->bypass, "bypass");
    put(out, r->npurgers > 0, "purge");
}

/* Of their words: they are the same for two rules that say the same. */
static u64 sign_of(const struct cache_rule *r, struct arena *a)
{
    static const struct hash_key constant;
    size_t room = CACHE_RULE_TEXT;
    for (u32 i = 0; i < r->nparams; i++)
        room += r->params[i].n + 1;
    struct text t = text_in(arena_alloc(a, room), room);
    put_departures(&t, r);
    return t.n ? hash64(&constant, t.p, t.n) | 1 : 0;
}

void cache_rule_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    const struct cache_rule **out = to;
    if (n == NULL)
        return;
    struct cache_rule *r = arena_zalloc(a, sizeof *r);
    schema_fill(row->children, n, a, r);
    r->name = arena_copy(a, node_name(n->parent));
    r->override.sign = sign_of(r, a);
    *out = r;
}
