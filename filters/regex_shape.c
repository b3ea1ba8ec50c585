/* A tokeniser for the plain part of PCRE2's syntax, and two readings of what it yields. */
#include "filters/regex_shape.h"

#include "base/str.h"
#include "filters/list_name.h"

enum token {
    TOKEN_END,
    TOKEN_CHAR,   /* a character that stands for itself */
    TOKEN_ONE,    /* some character: a dot, a class, \d … */
    TOKEN_BORDER, /* matches no character: ^ $ \b … */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OR,
    TOKEN_TIMES, /* what is before may be absent, or repeated */
    TOKEN_PLUS,  /* at least once */
    TOKEN_STRANGE,
};

struct tokens {
    struct slice pattern;
    size_t at;
    char c;        /* of TOKEN_CHAR */
    bool repeated; /* the last one was TOKEN_TIMES or TOKEN_PLUS */
};

static enum token escape(struct tokens *t)
{
    if (t->at == t->pattern.n)
        return TOKEN_STRANGE;
    char c = t->pattern.p[t->at++];
    if (!ascii_alnum(c) && (u8)c > ' ' && (u8)c < 0x7f) {
        t->c = c;
        return TOKEN_CHAR;
    }
    return strchr("dDwWsS", c) && c ? TOKEN_ONE
           : strchr("bBA", c) && c  ? TOKEN_BORDER
                                    : TOKEN_STRANGE;
}

/* Behind "[". */
static enum token bracket(struct tokens *t)
{
    struct slice p = t->pattern;
    t->at += t->at < p.n && p.p[t->at] == '^';
    for (size_t first = t->at; t->at < p.n; t->at++) {
        char c = p.p[t->at];
        if (c == '[' && t->at + 1 < p.n && strchr(":.=", p.p[t->at + 1]))
            return TOKEN_STRANGE; /* [[:alpha:]] */
        if (c == '\\') {
            t->at++;
            if (t->at == p.n || strchr("QEcxoNpP", p.p[t->at]))
                return TOKEN_STRANGE;
        } else if (c == ']' && t->at > first) {
            t->at++;
            return TOKEN_ONE;
        }
    }
    return TOKEN_STRANGE;
}

/* Behind "{": {3}, {3,} or {3,5}, else it is strange. */
static enum token times(struct tokens *t)
{
    struct slice p = t->pattern;
    bool any = false, zero = true, comma = false;
    for (; t->at < p.n && (ascii_digit(p.p[t->at]) || (p.p[t->at] == ',' && any && !comma));
         t->at++) {
        comma = comma || p.p[t->at] == ',';
        any = true;
        zero = zero && (comma || p.p[t->at] == '0');
    }
    if (!any || t->at == p.n || p.p[t->at] != '}')
        return TOKEN_STRANGE;
    t->at++;
    return zero ? TOKEN_TIMES : TOKEN_PLUS;
}

static enum token plain(struct tokens *t)
{
    char c = t->pattern.p[t->at++];
    switch (c) {
    case '\\': return escape(t);
    case '[': return bracket(t);
    case '{': return times(t);
    case '.': return TOKEN_ONE;
    case '^':
    case '$': return TOKEN_BORDER;
    case '(': return TOKEN_OPEN;
    case ')': return TOKEN_CLOSE;
    case '|': return TOKEN_OR;
    case '?':
    case '*': return TOKEN_TIMES;
    case '+': return TOKEN_PLUS;
    default: break;
    }
    t->c = c;
    return (u8)c > ' ' && (u8)c < 0x7f ? TOKEN_CHAR : TOKEN_STRANGE;
}

static enum token next(struct tokens *t)
{
    if (t->at == t->pattern.n)
        return TOKEN_END;
    enum token found = plain(t);
    struct slice rest = slice_skip(t->pattern, t->at);
    if (found == TOKEN_OPEN && rest.n && (rest.p[0] == '?' || rest.p[0] == '*')) {
        if (!slice_starts(rest, SLICE("?:")))
            return TOKEN_STRANGE; /* look-around, options, names, verbs */
        t->at += 2;
    }
    bool repeats = found == TOKEN_TIMES || found == TOKEN_PLUS;
    if (repeats && t->repeated)
        return TOKEN_STRANGE; /* a{2}{0} takes back what a{2} stands for */
    if (repeats && rest.n && (rest.p[0] == '?' || rest.p[0] == '+'))
        t->at++; /* lazy or possessive */
    t->repeated = repeats;
    return found;
}

/* ---- a text that every match contains ---- */

/* Behind an opening parenthesis to behind its closing one; false: strange. */
static bool skip_group(struct tokens *t)
{
    for (unsigned depth = 1; depth > 0;) {
        enum token found = next(t);
        if (found == TOKEN_STRANGE || found == TOKEN_END)
            return false;
        depth += found == TOKEN_OPEN;
        depth -= found == TOKEN_CLOSE;
    }
    return true;
}

struct run {
    size_t from, n; /* in the buffer */
};

static void end_run(struct run *run, struct run *best, const char *buffer,
                    regex_tells_little *passed_over)
{
    struct slice text = { buffer + run->from, run->n };
    if (run->n > best->n && !(passed_over && passed_over(text)))
        *best = *run;
    *run = (struct run){ run->from + run->n, 0 };
}

size_t regex_required(struct slice pattern, regex_tells_little *passed_over, char *out)
{
    struct tokens t = { .pattern = pattern };
    struct run run = { 0, 0 }, best = { 0, 0 };
    for (enum token found = next(&t);; found = next(&t)) {
        switch (found) {
        case TOKEN_CHAR: out[run.from + run.n++] = t.c; continue;
        case TOKEN_PLUS: break;
        case TOKEN_TIMES: run.n -= run.n > 0; break;
        case TOKEN_OPEN:
            if (!skip_group(&t))
                return 0;
            break;
        case TOKEN_ONE:
        case TOKEN_BORDER: break;
        case TOKEN_END:
            end_run(&run, &best, out, passed_over);
            memmove(out, out + best.from, best.n);
            return best.n;
        default: return 0;
        }
        end_run(&run, &best, out, passed_over);
    }
}

/* ---- plain texts and hosts ---- */

static bool only_text(struct regex_shape_of *out, struct slice pattern)
{
    struct tokens t = { .pattern = pattern };
    while (slice_starts(slice_skip(pattern, t.at), SLICE(".*")))
        t.at += 2; /* where to begin is free anyway */
    if (t.at && t.at < pattern.n && strchr("?+*{", pattern.p[t.at]))
        return false;
    for (out->n = 0;;) {
        if (out->n && slice_is(slice_skip(pattern, t.at), ".*"))
            return true;
        enum token found = next(&t);
        if (found == TOKEN_END)
            return out->n > 0;
        if (found != TOKEN_CHAR)
            return false;
        out->text[out->n++] = t.c;
    }
}

static bool take_one_of(struct slice *s, const char *const *forms)
{
    for (; *forms; forms++) {
        if (slice_starts(*s, slice_of(*forms))) {
            *s = slice_skip(*s, strlen(*forms));
            return true;
        }
    }
    return false;
}

/* "ads\.example\.com" into out; at least two labels. */
static bool take_host(struct regex_shape_of *out, struct slice *s, bool caseless)
{
    bool dot = false;
    for (out->n = 0; s->n && out->n < 253;) {
        char c = s->p[0];
        size_t used = 1;
        if (s->n > 1 && c == '\\' && s->p[1] == '.') {
            if (out->n == 0 || out->text[out->n - 1] == '.')
                return false;
            used = 2;
            c = '.';
            dot = true;
        } else if (ascii_alnum(c) && (caseless || c == ascii_lower(c))) {
            c = ascii_lower(c);
        } else if (c != '-') {
            break;
        }
        out->text[out->n++] = c;
        *s = slice_skip(*s, used);
    }
    return dot && out->text[out->n - 1] != '.';
}

static bool url_of_host(struct regex_shape_of *out, struct slice p, bool caseless)
{
    static const char *const scheme[] = { "^https?://",   "^https?:\\/\\/", "^(http|https)://",
                                          "^http(s)?://", "^(?:https?)://", NULL };
    static const char *const below[] = { "([^/]*\\.)?",
                                         "([^/]+\\.)?",
                                         "(?:[^/]*\\.)?",
                                         "(?:[^/]+\\.)?",
                                         "([^/:]*\\.)?",
                                         "([^/:]+\\.)?",
                                         "([^/?#]*\\.)?",
                                         "(?:[^/?#]*\\.)?",
                                         "(?:[^/:]+\\.)?",
                                         "(?:[^/:?#]*\\.)?",
                                         NULL };
    static const char *const end[] = { "(:[0-9]+)?(/|$)",
                                       "(?::[0-9]+)?(?:/|$)",
                                       "(:\\d+)?(/|$)",
                                       "(?::\\d+)?(?:/|$)",
                                       "(:[0-9]+)?/",
                                       "(:\\d+)?/",
                                       "(?::[0-9]+)?/",
                                       "(?::\\d+)?/",
                                       "([:/]|$)",
                                       "(?:[:/]|$)",
                                       "[:/]",
                                       "[/:]",
                                       NULL };
    if (!take_one_of(&p, scheme))
        return false;
    out->kind = take_one_of(&p, below) ? HOST_BOTH : HOST_ITSELF;
    return take_host(out, &p, caseless) && take_one_of(&p, end) && p.n == 0;
}

static bool host_alone(struct regex_shape_of *out, struct slice p, bool caseless)
{
    static const char *const both[] = { "(^|\\.)", "(?:^|\\.)", "^(.*\\.)?", "^(.+\\.)?", NULL };
    static const char *const itself[] = { "^", NULL };
    static const char *const below[] = { "\\.", NULL };
    out->kind = take_one_of(&p, both)     ? HOST_BOTH
                : take_one_of(&p, itself) ? HOST_ITSELF
                : take_one_of(&p, below)  ? HOST_BELOW
                                          : 0;
    return out->kind && take_host(out, &p, caseless) && slice_is(p, "$");
}

/* Addresses are looked up as such, so a set of hosts would not find them. */
static bool is_a_name(const struct regex_shape_of *out)
{
    struct list_name is;
    struct slice text = { out->text, out->n };
    return list_name(&is, text) == NULL && !is.is_address;
}

void regex_shape(struct regex_shape_of *out, struct slice pattern, bool caseless,
                 enum regex_subject subject)
{
    out->shape = REGEX_OTHER;
    out->n = 0;
    if (pattern.n > REGEX_TEXT_ROOM)
        return;
    if (only_text(out, pattern))
        out->shape = REGEX_TEXT;
    else if ((subject == REGEX_OF_URL ? url_of_host(out, pattern, caseless)
                                      : host_alone(out, pattern, caseless)) &&
             is_a_name(out))
        out->shape = REGEX_HOST;
}
