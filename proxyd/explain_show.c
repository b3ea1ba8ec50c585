#include "explain_show.h"

#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/text.h"
#include "config/shown.h"

/* Columns that would be wider are ragged instead. */
enum { LABEL_MOST = 48, VALUE_MOST = 56, SAYS = 11, CELL = 1024 };

/* One line of the table of rules. */
struct row {
    struct row *next;
    struct slice label, says, value, at;
    bool matters; /* it decided, or it held */
};

struct table {
    struct arena arena;
    struct row *first, **end;
    FILE *to;
    bool colours;
};

static const char *get(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static bool is(const json_t *o, const char *name)
{
    return json_is_true(json_object_get(o, name));
}

/* ---- cells ---- */

static size_t columns(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((u8)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void put_cell(FILE *to, struct slice s, size_t width)
{
    shown_put(to, s);
    fputs("  ", to);
    for (size_t n = columns(s); n < width; n++)
        fputc(' ', to);
}

static void paint(const struct table *t, const char *code)
{
    if (t->colours)
        fprintf(t->to, "\033[%sm", code);
}

static struct slice kept(struct table *t, struct text *x)
{
    return arena_copy(&t->arena, text_slice(x));
}

static struct slice position(struct table *t, const json_t *o)
{
    char area[CELL];
    struct text x = text_in(area, sizeof area);
    if (*get(o, "file"))
        text_fmt(&x, "%s:%lld:%lld", get(o, "file"),
                 (long long)json_integer_value(json_object_get(o, "line")),
                 (long long)json_integer_value(json_object_get(o, "column")));
    return kept(t, &x);
}

static struct row *add(struct table *t)
{
    struct row *r = arena_zalloc(&t->arena, sizeof *r);
    *t->end = r;
    t->end = &r->next;
    return r;
}

/* ---- rules ---- */

static void put_entry(struct text *x, const json_t *o)
{
    const json_t *entry = json_object_get(o, "entry");
    if (!json_is_object(entry))
        return;
    text_fmt(x, "%s:%lld", get(entry, "file"),
             (long long)json_integer_value(json_object_get(entry, "line")));
    if (*get(o, "category"))
        text_fmt(x, ", category %s", get(o, "category"));
}

static void add_condition(struct table *t, const json_t *c)
{
    char area[CELL];
    struct text x = text_in(area, sizeof area);
    struct row *r = add(t);
    text_fmt(&x, "    %s", get(c, "text"));
    r->label = kept(t, &x);
    r->says = slice_of(get(c, "says"));
    x = text_in(area, sizeof area);
    text_cstr(&x, get(c, "value"));
    if (json_is_object(json_object_get(c, "entry")))
        text_cstr(&x, " in ");
    put_entry(&x, c);
    r->value = kept(t, &x);
    r->at = position(t, c);
    r->matters = slice_is(r->says, "yes");
}

static void add_rule(struct table *t, const json_t *rule)
{
    char area[CELL];
    struct text x = text_in(area, sizeof area);
    const char *matches = get(rule, "matches");
    bool over = strcmp(matches, "passed over") == 0;
    struct row *r = add(t);
    size_t i;
    json_t *c;
    text_fmt(&x, "%s %s", get(rule, "action"), get(rule, "rule"));
    r->label = kept(t, &x);
    r->says = slice_of(strcmp(matches, "yes") == 0 ? "matches" : matches);
    x = text_in(area, sizeof area);
    if (is(rule, "shadow") && strcmp(matches, "yes") == 0)
        text_cstr(&x, "in shadow: it does not decide");
    else if (*get(rule, "form"))
        text_cstr(&x, "with every %XX decoded");
    else if (strcmp(matches, "waits") == 0)
        text_cstr(&x, "its address decides");
    else
        text_cstr(&x, get(rule, "why"));
    r->value = kept(t, &x);
    r->at = position(t, rule);
    r->matters = strcmp(matches, "yes") == 0;
    if (!over)
        json_array_foreach(json_object_get(rule, "conditions"), i, c) add_condition(t, c);
}

static size_t widest(const struct table *t, size_t most, bool label)
{
    size_t widest = 0;
    for (const struct row *r = t->first; r; r = r->next) {
        size_t n = columns(label ? r->label : r->value);
        if (n > widest && n <= most)
            widest = n;
    }
    return widest;
}

/* Has it been shown already, saying the same? For an address the rules before the one that waited
 * have been. */
static bool is_shown(const json_t *rule, const json_t *before)
{
    const char *now = get(rule, "matches"), *then = get(before, "matches");
    return json_is_object(before) && strcmp(then, "waits") != 0 && strcmp(now, then) == 0;
}

/* `before`: those that were shown; NULL: none. */
static void show_rules(struct table *t, const json_t *rules, const json_t *before,
                       const char *indent)
{
    size_t i;
    json_t *rule;
    arena_init(&t->arena, 0);
    t->first = NULL;
    t->end = &t->first;
    json_array_foreach(rules, i, rule) if (!is_shown(rule, json_array_get(before, i)))
        add_rule(t, rule);
    size_t label = widest(t, LABEL_MOST, true), value = widest(t, VALUE_MOST, false);
    for (const struct row *r = t->first; r; r = r->next) {
        fputs(indent, t->to);
        put_cell(t->to, r->label, label);
        paint(t, r->matters ? "1" : "2");
        put_cell(t->to, r->says, SAYS);
        paint(t, "0");
        put_cell(t->to, r->value, value);
        paint(t, "2");
        shown_put(t->to, r->at);
        paint(t, "0");
        fputc('\n', t->to);
    }
    arena_free(&t->arena);
}

/* ---- what surrounds them ---- */

static void line(const struct table *t, const char *name, const char *text)
{
    if (*text == 0)
        return;
    fprintf(t->to, "%-11s ", name);
    shown_put(t->to, slice_of(text));
    fputc('\n', t->to);
}

/* "ann of builders staff" */
static void show_identity(const struct table *t, const json_t *r)
{
    char area[CELL];
    struct text x = text_in(area, sizeof area - 1);
    size_t i;
    json_t *one;
    text_cstr(&x, get(r, "user"));
    json_array_foreach(json_object_get(r, "groups"), i, one)
        text_fmt(&x, "%s%s", i ? " " : " of ", json_string_value(one));
    area[x.n] = 0;
    line(t, "user", area);
}

static void show_request(const struct table *t, const json_t *r)
{
    char area[CELL];
    struct text x = text_in(area, sizeof area - 1);
    text_fmt(&x, "%s %s", get(r, "method"), get(r, "target"));
    fprintf(t->to, "%-11s ", "request");
    shown_put(t->to, text_slice(&x));
    fputc('\n', t->to);
    line(t, "client", get(r, "client"));
    show_identity(t, r);
    line(t, "time", get(r, "local_time"));
    fprintf(t->to, "%-11s %s, policy %s\n", "listener", get(r, "listener"), get(r, "policy"));
}

static void show_address(struct table *t, const json_t *a, const json_t *before)
{
    const json_t *d = json_object_get(a, "decision");
    fprintf(t->to, "%-11s %s, %s: ", "address", get(a, "address"), get(a, "class"));
    paint(t, is(a, "allowed") ? "32" : "31");
    fputs(is(a, "allowed") ? "allowed" : "refused", t->to);
    paint(t, "0");
    if (*get(d, "rule"))
        fprintf(t->to, " by %s", get(d, "rule"));
    if (!is(a, "allowed"))
        fprintf(t->to, ", %s", get(a, "cause"));
    fputs(is(a, "dialled") ? "; the first to be connected to\n" : "\n", t->to);
    if (json_array_size(json_object_get(a, "rules")))
        show_rules(t, json_object_get(a, "rules"), before, "  ");
}

static void show_addresses(struct table *t, const json_t *told)
{
    size_t i;
    json_t *a;
    const json_t *all = json_object_get(told, "addresses");
    if (*get(told, "lookup_cause"))
        line(t, "look-up", get(told, "lookup_cause"));
    else if (json_array_size(all))
        line(t, "look-up", is(told, "looked_up") ? "" : "none is needed");
    json_array_foreach(all, i, a) show_address(t, a, json_object_get(told, "rules"));
}

static void show_decision(const struct table *t, const char *of, const json_t *d)
{
    char area[CELL];
    struct text x = text_in(area, sizeof area);
    const char *action = get(d, "action");
    bool waits = strcmp(action, "address") == 0;
    if (!json_is_object(d))
        return;
    text_fmt(&x, "%s", waits ? "the address decides, first at" : action);
    text_fmt(&x, "%s%s", waits ? " " : " by ", get(d, "rule"));
    if (*get(d, "file"))
        text_fmt(&x, ", %s:%lld:%lld", get(d, "file"),
                 (long long)json_integer_value(json_object_get(d, "line")),
                 (long long)json_integer_value(json_object_get(d, "column")));
    if (json_is_object(json_object_get(d, "entry"))) {
        text_fmt(&x, ", list %s at ", get(d, "list"));
        put_entry(&x, d);
    }
    if (*get(d, "shadow"))
        text_fmt(&x, "; in shadow %s would have", get(d, "shadow"));
    text_char(&x, 0);
    line(t, of, x.full ? action : x.p);
    line(t, "cache", get(d, "cache"));
}

static void show_page(const struct table *t, const char *page)
{
    struct slice rest = slice_of(page), one;
    while (rest.n && slice_cut(&rest, '\n', &one)) {
        fputs("  | ", t->to);
        shown_put(t->to, one);
        fputc('\n', t->to);
    }
}

static void show_answer(const struct table *t, const json_t *a)
{
    const char *verdict = get(a, "verdict");
    bool allowed = strcmp(verdict, "allow") == 0;
    fprintf(t->to, "%-11s ", "answer");
    if (json_is_null(json_object_get(a, "status"))) {
        paint(t, "1;32");
        fputs(allowed ? "what the server says: it is passed on" : "the proxy answers for itself",
              t->to);
        paint(t, "0");
        if (*get(a, "via"))
            fprintf(t->to, " through the parent %s", get(a, "via"));
        fputc('\n', t->to);
        return;
    }
    paint(t, "1;31");
    fprintf(t->to, "%lld", (long long)json_integer_value(json_object_get(a, "status")));
    paint(t, "0");
    fprintf(t->to, " %s: %s\n", get(a, "cause"), get(a, "text"));
    line(t, "location", get(a, "location"));
    if (strncmp(get(a, "type"), "text/html", 9) != 0)
        show_page(t, get(a, "page"));
    else
        line(t, "page", "HTML; --json shows it");
}

static void show_later(const struct table *t, const json_t *rules)
{
    size_t i;
    json_t *rule;
    if (json_array_size(rules) == 0)
        return;
    fprintf(t->to, "%-11s asked when it comes:", "");
    json_array_foreach(rules, i, rule)
        fprintf(t->to, "%s %s", i ? "," : "", json_string_value(rule));
    fputc('\n', t->to);
}

void explain_show(const json_t *told, FILE *to, bool colours)
{
    struct table t = { .to = to, .colours = colours };
    show_request(&t, json_object_get(told, "request"));
    if (json_array_size(json_object_get(told, "rules"))) {
        fputc('\n', to);
        show_rules(&t, json_object_get(told, "rules"), NULL, "");
        fputc('\n', to);
    }
    show_decision(&t, "decision", json_object_get(told, "decision"));
    show_addresses(&t, told);
    show_decision(&t, get(told, "decided_by"), json_object_get(told, "further"));
    show_answer(&t, json_object_get(told, "answer"));
    show_later(&t, json_object_get(told, "answer_rules"));
}
