/*
 * Regular expressions that say less, or cost more, than their writer thought: a domain whose dots
 * match anything, a host that `to` would say, and backtracking that somebody can provoke. The last
 * is measured and not guessed from looks: the pattern is run, with a count of steps, on texts that
 * are made of its own characters again and again.
 */
#include "base/str.h"
#include "filters/regex_shape.h"
#include "filters/regex_texts.h"
#include "policy/lint.h"

enum { HOSTILE = 256, ENDING = 128, STEPS = 50000 };

/* ---- backtracking ---- */

/* The text ends in what nothing ends in, and, tried apart, in all letters of the pattern: what a
 * match must contain is looked for before anything else is. */
static bool takes_too_long(struct slice pattern, struct slice before, struct slice unit)
{
    char area[HOSTILE + 1 + ENDING];
    struct text t = text_in(area, sizeof area);
    text_add(&t, before);
    while (t.n + unit.n <= HOSTILE)
        text_add(&t, unit);
    text_char(&t, '\n');
    if (pattern_needs(pattern, text_slice(&t), STEPS))
        return true;
    for (size_t i = 0; i < pattern.n && i < ENDING; i++)
        if (ascii_alnum(pattern.p[i]))
            text_char(&t, pattern.p[i]);
    return pattern_needs(pattern, text_slice(&t), STEPS);
}

static bool any_unit(struct slice pattern, struct slice before)
{
    static const char *const units[] = { "a", "0", "/a", "a.", "a-", "a=", "a&", "%20" };
    bool done[128] = { false };
    for (size_t i = 0; i < countof(units); i++)
        if (takes_too_long(pattern, before, slice_of(units[i])))
            return true;
    for (size_t i = 0; i < pattern.n; i++) {
        u8 c = (u8)pattern.p[i];
        if (c <= ' ' || c >= 127 || done[c])
            continue;
        done[c] = true;
        if (takes_too_long(pattern, before, (struct slice){ &pattern.p[i], 1 }))
            return true;
    }
    return false;
}

static bool is_dangerous(struct slice pattern, bool url)
{
    char area[HOSTILE / 2], required[REGEX_TEXT_ROOM];
    struct text t = text_in(area, sizeof area);
    if (any_unit(pattern, SLICE("")) || (url && any_unit(pattern, SLICE("http://a.example/"))))
        return true;
    if (url)
        text_lit(&t, "http://a.example/");
    size_t n = pattern.n <= sizeof required ? regex_required(pattern, NULL, required) : 0;
    text_put(&t, required, n);
    return n > 0 && !t.full && any_unit(pattern, text_slice(&t));
}

/* ---- hosts in disguise ---- */

static void tell_host(const struct word *w, const struct regex_shape_of *shape, struct diags *d)
{
    diag_warning(d, w, "this regular expression is a host");
    diag_more(d, "\"to %s%.*s\" says the same, for CONNECT as well, and costs nothing",
              shape->kind == HOST_BOTH    ? "."
              : shape->kind == HOST_BELOW ? "*."
                                          : "",
              (int)shape->n, shape->text);
}

/* ads.example.com, with or without a backslash before the dots; into `name`. */
static bool looks_like_a_domain(struct slice pattern, struct text *name, bool *any)
{
    size_t dots = 0, label = 0;
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        if (c == '\\' && i + 1 < pattern.n && pattern.p[i + 1] == '.')
            c = pattern.p[++i];
        else if (c == '.')
            *any = true;
        if (c == '.') {
            if (label == 0)
                return false;
            dots++;
            label = 0;
        } else if (ascii_alnum(c) || c == '-') {
            label++;
        } else {
            return false;
        }
        text_char(name, c);
    }
    return dots > 0 && label >= 2 && !name->full && ascii_alpha(name->p[name->n - 1]);
}

static void check_shape(const struct word *w, bool url, struct diags *d)
{
    struct regex_shape_of shape;
    char area[256];
    struct text name = text_in(area, sizeof area);
    bool any = false;
    regex_shape(&shape, w->text, false, url ? REGEX_OF_URL : REGEX_OF_HOST);
    if (shape.shape == REGEX_HOST) {
        tell_host(w, &shape, d);
    } else if (looks_like_a_domain(w->text, &name, &any)) {
        diag_warning(d, w, "this looks like a domain, and is found in the middle of others%s",
                     any ? "; its dots match any character" : "");
        diag_more(d, "expected \"to .%.*s\", if that is meant", SLICE_FMT(text_slice(&name)));
    } else if (url && shape.shape == REGEX_TEXT && shape.n > 7 &&
               memcmp(shape.text, "http://", 7) == 0) {
        diag_warning(d, w, "this is a plain text and no regular expression");
        diag_more(d, "\"to HOST; path /…;\" says it, in every spelling of the path");
    }
}

/* Time that grows with more than the square of the length takes two repetitions. */
static bool repeats_twice(struct slice pattern)
{
    unsigned n = 0;
    for (size_t i = 0; i < pattern.n; i++)
        n += pattern.p[i] == '*' || pattern.p[i] == '+' || pattern.p[i] == '{';
    return n >= 2;
}

void lint_patterns(const struct node *rule, u32 *budget, struct diags *d)
{
    for (const struct node *c = rule->children; c; c = c->next) {
        bool url = slice_is(node_key(c), "url"), to = slice_is(node_key(c), "to");
        for (u32 i = 0; i < node_nargs(c); i++) {
            const struct word *w = node_arg(c, i);
            if (w->kind != WORD_REGEX)
                continue;
            if (url || to)
                check_shape(w, url, d);
            if (*budget == 0 || !repeats_twice(w->text))
                continue;
            --*budget;
            if (!is_dangerous(w->text, url))
                continue;
            diag_warning(d, w, "this regular expression needs more than %d steps on some %d bytes",
                         STEPS, HOSTILE);
            diag_more(d, "a client can bring it to its limits: then a deny by it refuses, and an "
                         "allow does not open; repeated groups that match the same in several "
                         "ways, as (a+)+ or (a|a)*, are the usual cause");
        }
    }
}
