/*
 * EasyList's and AdGuard's syntax, as far as a proxy can act on it. The rule of rules: an option
 * that is not known removes the whole rule, never just itself, since without `domain=` a narrow
 * rule would block everywhere.
 *
 * "||name^" becomes a host; "||name" without the "^" is read the same, the narrower of its two
 * meanings. A pattern without any wildcard is a text; all others become a regular expression.
 */
#include "base/str.h"
#include "filters/list_inside.h"

/* A label border of the host: the start of "||". */
#define ANY_SCHEME "^[a-z][a-z0-9+.-]*://"
#define LABEL_BORDER ANY_SCHEME "(?:[^/?#]*\\.)?"

struct rule {
    struct slice pattern;
    struct slice except; /* denyallow=a|b */
    struct list_entry e;
    bool match_case;
};

/* ---- options ---- */

static bool one_option(struct rule *rule, struct slice option)
{
    if (slice_is(option, "important")) {
        if (rule->e.effect == EFFECT_LISTED)
            rule->e.effect = EFFECT_IMPORTANT;
    } else if (slice_is(option, "badfilter")) {
        rule->e.removes = true;
    } else if (slice_is(option, "match-case")) {
        rule->match_case = true;
    } else if (slice_is(option, "third-party") || slice_is(option, "3p")) {
        rule->e.party = PARTY_THIRD;
    } else if (slice_is(option, "~third-party") || slice_is(option, "first-party") ||
               slice_is(option, "1p")) {
        rule->e.party = PARTY_FIRST;
    } else if (slice_starts(option, SLICE("denyallow=")) && option.n > 10) {
        rule->except = slice_skip(option, 10);
    } else {
        return slice_is(option, "all") || slice_is(option, "document") || slice_is(option, "doc");
    }
    return true;
}

/* Where the options begin (behind the "$"), pattern.n without any: behind the last "$", or where
 * the pattern is a /regex/, behind the "$" that follows it. */
static size_t options_at(struct slice pattern)
{
    const char *dollar = memrchr(pattern.p, '$', pattern.n);
    if (dollar == NULL)
        return pattern.n;
    if (pattern.p[0] == '/' && pattern.p[pattern.n - 1] == '/') {
        const char *end = memmem(pattern.p + 1, pattern.n - 1, "/$", 2);
        if (end == NULL)
            return pattern.n; /* "$" is an anchor in it */
        dollar = end + 1;
    }
    return (size_t)(dollar - pattern.p) + 1;
}

static bool read_options(struct rule *rule)
{
    size_t at = options_at(rule->pattern);
    struct slice options = slice_skip(rule->pattern, at), option;
    if (at == rule->pattern.n)
        return rule->pattern.n == 0 || rule->pattern.p[rule->pattern.n - 1] != '$';
    rule->pattern.n = at - 1;
    while (slice_cut(&options, ',', &option))
        if (!one_option(rule, slice_trim(option)))
            return false;
    return true;
}

/* ---- patterns ---- */

static void add_quoted(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (c >= 0x80) { /* URLs have it percent-encoded */
            text_char(t, '%');
            text_char(t, "0123456789ABCDEF"[c >> 4]);
            text_char(t, "0123456789ABCDEF"[c & 15]);
        } else if (c == '*') {
            text_add(t, SLICE(".*"));
        } else if (c == '^') {
            text_add(t, SLICE("(?:[^a-zA-Z0-9_.%-]|$)"));
        } else {
            if (!ascii_alnum((char)c) && c != '_')
                text_char(t, '\\');
            text_char(t, (char)c);
        }
    }
}

/* A look-ahead that none of the hosts of denyallow is asked for. False: not hosts. */
static bool add_except(struct text *t, struct slice hosts)
{
    struct list_name is;
    struct slice host;
    bool first = true;
    text_add(t, SLICE("^(?!"
                      "[a-z][a-z0-9+.-]*://(?:[^/?#]*\\.)?(?:"));
    while (slice_cut(&hosts, '|', &host)) {
        if (list_name(&is, host) != NULL)
            return false;
        if (!first)
            text_char(t, '|');
        add_quoted(t, (struct slice){ is.text, is.n });
        first = false;
    }
    text_add(t, SLICE(")(?:[:/]|$))"));
    return true;
}

static struct slice without_first_stars(struct slice s)
{
    while (s.n && s.p[0] == '*')
        s = slice_skip(s, 1);
    return s;
}

static struct slice without_stars(struct slice s)
{
    s = without_first_stars(s);
    while (s.n && s.p[s.n - 1] == '*')
        s.n--;
    return s;
}

static void emit_regex(struct list_reader *r, struct rule *rule, struct slice pattern)
{
    char area[LIST_LINE];
    struct text t = text_in(area, sizeof area);
    bool begin = slice_starts(pattern, SLICE("|"));
    bool border = slice_starts(pattern, SLICE("||"));
    pattern = slice_skip(pattern, border ? 2 : begin ? 1 : 0);
    bool end = pattern.n && pattern.p[pattern.n - 1] == '|';
    pattern.n -= end;
    if (rule->except.n && !add_except(&t, rule->except)) {
        list_skip(r, SKIP_OPTION);
        return;
    }
    if (border)
        text_add(&t, rule->except.n ? slice_skip(SLICE(LABEL_BORDER), 1) : SLICE(LABEL_BORDER));
    else if (rule->except.n)
        text_add(&t, begin ? SLICE("") : SLICE(".*"));
    else if (begin)
        text_char(&t, '^');
    add_quoted(&t, begin ? pattern : end ? without_first_stars(pattern) : without_stars(pattern));
    if (end)
        text_char(&t, '$');
    if (t.full)
        list_reject(r, "longer than 4096 bytes");
    else {
        struct list_entry e = rule->e;
        e.kind = ENTRY_REGEX;
        e.text = text_slice(&t);
        list_emit(r, e);
    }
}

/* /regex/ */
static void emit_own_regex(struct list_reader *r, struct rule *rule, struct slice pattern)
{
    char area[LIST_LINE];
    struct text t = text_in(area, sizeof area);
    if (rule->except.n == 0) {
        list_emit_pattern(r, pattern, rule->e);
        return;
    }
    bool hosts = add_except(&t, rule->except);
    text_add(&t, SLICE(".*(?:"));
    text_add(&t, pattern);
    text_char(&t, ')');
    if (!hosts) {
        list_skip(r, SKIP_OPTION);
    } else if (t.full) {
        list_reject(r, "longer than 4096 bytes");
    } else {
        struct list_entry e = rule->e;
        e.kind = ENTRY_REGEX;
        e.text = text_slice(&t);
        list_emit(r, e);
    }
}

static size_t host_length(struct slice s)
{
    size_t n = 0;
    while (n < s.n && (ascii_alnum(s.p[n]) || (u8)s.p[n] >= 0x80 || strchr("-._", s.p[n])))
        n++;
    return n;
}

/* "||name^", "||name", "||*.name^". False: something else, and nothing was emitted. */
static bool emit_host(struct list_reader *r, struct rule *rule, struct slice pattern)
{
    struct slice rest = slice_skip(pattern, 2);
    struct list_name is;
    rule->e.hosts = HOST_BOTH;
    if (slice_starts(rest, SLICE("*."))) {
        rule->e.hosts = HOST_BELOW;
        rest = slice_skip(rest, 2);
    }
    struct slice host = { rest.p, host_length(rest) };
    rest = slice_skip(rest, host.n);
    bool whole = slice_is(rest, "^");
    if ((!whole && rest.n) || host.n == 0 || host.p[host.n - 1] == '.' ||
        (!whole && !slice_find(host, '.')))
        return false;
    if (list_name(&is, host) == NULL && is.is_address &&
        !slice_eq(host, (struct slice){ is.text, is.n })) {
        list_reject(r, "an address in an odd spelling");
        return true;
    }
    list_emit_name(r, host, rule->e);
    return true;
}

static void emit_rule(struct list_reader *r, struct rule *rule)
{
    struct slice p = rule->pattern;
    rule->e.caseless = !rule->match_case;
    for (size_t i = 0; i < p.n; i++) {
        if ((u8)p.p[i] <= ' ' || p.p[i] == 0x7f) {
            list_reject(r, "a blank in a pattern");
            return;
        }
    }
    struct slice inner = without_stars(p);
    while (inner.n && strchr("|^*", inner.p[0]))
        inner = slice_skip(inner, 1);
    if (inner.n == 0) {
        list_reject(r, "matches everything");
    } else if (p.n > 2 && p.p[0] == '/' && p.p[p.n - 1] == '/') {
        emit_own_regex(r, rule, (struct slice){ p.p + 1, p.n - 2 });
    } else if (rule->except.n || !slice_starts(p, SLICE("||")) || !emit_host(r, rule, p)) {
        bool plain = !rule->except.n && p.p[0] != '|' && p.p[p.n - 1] != '|' &&
                     !slice_find(without_stars(p), '*') && !slice_find(p, '^');
        for (size_t i = 0; i < p.n; i++)
            plain = plain && (u8)p.p[i] < 0x80;
        if (plain)
            list_emit_text(r, without_stars(p), rule->e);
        else
            emit_regex(r, rule, p);
    }
}

static bool is_about_the_page(struct slice s)
{
    static const char *const marks[] = { "##",   "#@#",  "#?#",  "#$#", "#%#", "#@?#",
                                         "#@$#", "#@%#", "#$?#", "$$",  "$@$", NULL };
    for (size_t i = 0; marks[i]; i++)
        if (memmem(s.p, s.n, marks[i], strlen(marks[i])))
            return true;
    return false;
}

void list_line_adblock(struct list_reader *r, struct slice line)
{
    struct rule rule = { .pattern = line };
    if (line.p[0] == '!' ||
        (line.p[0] == '[' && line.p[line.n - 1] == ']' && !slice_find(line, '$')))
        return;
    if (is_about_the_page(line)) {
        list_skip(r, SKIP_PAGE);
        return;
    }
    if (line.p[0] == '#')
        return;
    if (slice_starts(line, SLICE("@@"))) {
        rule.e.effect = EFFECT_EXCEPTED;
        rule.pattern = slice_skip(line, 2);
    }
    if (!read_options(&rule))
        list_skip(r, SKIP_OPTION);
    else
        emit_rule(r, &rule);
}
