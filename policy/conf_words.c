/*
 * The words of conditions that no type of the schema can judge. Patterns are compiled here, so that
 * compiling a policy cannot fail.
 */
#include "base/str.h"
#include "http/chars.h"
#include "policy/conf.h"

#include "policy/ranges.h"
#include "policy/rule.h"
#include "policy/spans.h"

static void check_pattern(const struct word *w, struct diags *d)
{
    struct arena a;
    char why[PATTERN_WHY];
    arena_init(&a, 0);
    if (pattern_compile(&a, w->text, why) == NULL)
        diag_error(d, w, "the regular expression is wrong: %s", why);
    arena_free(&a);
}

static void check_patterns(const struct node *n, u32 from, struct diags *d)
{
    for (u32 i = from; i < node_nargs(n); i++)
        if (node_arg(n, i)->kind == WORD_REGEX)
            check_pattern(node_arg(n, i), d);
}

void policy_url_check(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        if (w->kind == WORD_REGEX || w->reported)
            continue;
        diag_error(d, w, "%s is not a regular expression", word_shown(w));
        diag_more(d, "expected ~\"…\", such as ~\"^http://[^/]+/banners?/\"; a host is matched by "
                     "\"to\", a path by \"path\"");
    }
    check_patterns(n, 0, d);
}

void policy_header_check(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    bool token = w->kind != WORD_REGEX;
    for (size_t i = 0; i < w->text.n; i++)
        token = token && char_is(w->text.p[i], CHAR_TOKEN);
    if (!token && !w->reported) {
        diag_error(d, w, "%s is not the name of a field", word_shown(w));
        diag_more(d, "expected a name, then values or ~\"…\": header User-Agent ~\"^curl/\"");
    }
    check_patterns(n, 1, d);
}

void policy_pairs_check(const struct node *n, struct diags *d)
{
    const struct word *first = node_arg(n, 0);
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        bool nameless = w->kind == WORD_REGEX ? w == first : slice_starts(w->text, SLICE("="));
        if (w->reported || !nameless)
            continue;
        diag_error(d, w, "%s has no name before it", word_shown(w));
        diag_more(d, "expected NAME, NAME=VALUE or NAME ~\"…\"");
    }
    check_patterns(n, 0, d);
}

void policy_time_check(const struct node *n, struct diags *d)
{
    bool days = false; /* that wait for their hours */
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        struct span s = { 0 };
        enum span_word what = w->kind == WORD_REGEX ? SPAN_NEITHER : span_word(w->text, &s);
        bool last = i + 1 == node_nargs(n);
        if (what == SPAN_NEITHER) {
            diag_error(d, w, "%s is neither days nor hours", word_shown(w));
            diag_more(d, "expected days such as mon-fri or sat,sun, or hours such as 07:00-19:00, "
                         "from 00:00 to 24:00");
        } else if (what == SPAN_DAYS && (days || last)) {
            diag_error(d, w,
                       days ? "%s follows days that have no hours" : "%s has no hours behind it",
                       word_shown(w));
            diag_more(d, "expected hours behind the days: time sat,sun 00:00-24:00");
        }
        days = what == SPAN_DAYS;
    }
}

static void check_ranges(const struct node *n, bool (*read)(struct slice, struct range *),
                         const char *what, const char *expected, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        struct range r;
        if (w->reported || (w->kind != WORD_REGEX && read(w->text, &r)))
            continue;
        diag_error(d, w, "%s is not %s", word_shown(w), what);
        diag_more(d, "expected %s", expected);
    }
}

void policy_status_check(const struct node *n, struct diags *d)
{
    check_ranges(n, status_range, "a status of an answer",
                 "a number from 100 to 599 or a range, such as 404 or 500-599; what a deny answers "
                 "is said by \"respond\"",
                 d);
}

void policy_length_check(const struct node *n, struct diags *d)
{
    check_ranges(n, length_range, "a range of lengths",
                 "FROM-TO, FROM- or -TO in bytes or with k, m or g, such as 100m-", d);
}

void policy_type_check(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        struct slice rest = w->text, type;
        if (w->kind == WORD_REGEX || w->reported)
            continue;
        bool ok = slice_cut(&rest, '/', &type) && slice_is_token(type) && slice_is_token(rest) &&
                  !slice_find(type, '*') && (slice_is(rest, "*") || !slice_find(rest, '*'));
        if (ok)
            continue;
        diag_error(d, w, "%s is not a media type", word_shown(w));
        diag_more(d, "expected TYPE/SUBTYPE, TYPE/* or ~\"…\", such as video/*");
    }
    check_patterns(n, 0, d);
}

/* It goes into a field as it stands. */
void policy_location_check(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    bool ok = slice_starts(w->text, SLICE("http://")) || slice_starts(w->text, SLICE("https://"));
    for (size_t i = 0; i < w->text.n; i++)
        ok = ok && char_is(w->text.p[i], CHAR_URI);
    if (ok || w->reported)
        return;
    diag_error(d, w, "%s is not an absolute URL", word_shown(w));
    diag_more(d, "expected http:// or https://, then only what a URL may hold");
}

void policy_zone_check(const struct node *n, struct diags *d)
{
    struct arena a;
    arena_init(&a, 0);
    const struct word *w = node_arg(n, 0);
    if (!w->reported && zone_load(&a, w->text) == NULL) {
        diag_error(d, w, "%s is not a time zone of this system", word_shown(w));
        diag_more(d, "expected the name of a file below /usr/share/zoneinfo, such as "
                     "Europe/Berlin or UTC");
    }
    arena_free(&a);
}

static bool follows_list(const struct node *n, u32 i)
{
    return i >= 2 && word_is_bare(node_arg(n, i - 2), "list");
}

void policy_to_check(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        if (w->kind == WORD_REGEX)
            check_pattern(w, d);
        else if (word_is_bare(w, "category") && !follows_list(n, i)) {
            diag_error(d, w, "%s belongs behind the name of a list", word_shown(w));
            diag_more(d, "expected something like: to list ut1 category gambling;");
            i++;
        } else if (slice_is(w->text, "class") || word_is_bare(w, "list") ||
                   word_is_bare(w, "category"))
            i++;
        else if (!w->reported && w->kind == WORD_BARE && schema_listed("pool", w->text)) {
            diag_error(d, w, "%s is not known here", word_shown(w));
            diag_more(d, "expected hosts, ~\"…\", addresses, networks or \"class\"; "
                         "a host of this name is written in quotes");
        }
    }
}

void policy_method_check(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        for (enum method m = METHOD_GET; !w->reported && method_name(m).n; m++) {
            struct slice name = method_name(m);
            if (slice_eq(w->text, name) || !slice_eq_nocase(w->text, name))
                continue;
            diag_error(d, w, "%s is not a method: methods are case-sensitive", word_shown(w));
            diag_more(d, "did you mean \"%.*s\"?", SLICE_FMT(name));
        }
    }
}

void policy_user_check(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        if (w->reported || !word_is_bare(w, "group"))
            continue;
        diag_error(d, w, "\"group\" belongs into \"from\"");
        diag_more(d, "expected something like: from group builders; a user of this name is written "
                     "in quotes");
    }
}

void policy_default_check(const struct node *n, struct diags *d)
{
    if (node_nargs(n) > 1 && slice_is(node_arg(n, 0)->text, "allow")) {
        diag_error(d, node_arg(n, 1), "\"default allow\" takes no text");
        diag_more(d, "expected \"default allow;\", or \"default deny TEXT;\"");
    }
}
