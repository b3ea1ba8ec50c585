#include "filters/regex_tokens.h"

#include "base/str.h"

static enum regex_token escape(struct regex_tokens *t)
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
static enum regex_token bracket(struct regex_tokens *t)
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
static enum regex_token times(struct regex_tokens *t)
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

static enum regex_token plain(struct regex_tokens *t)
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

enum regex_token regex_next(struct regex_tokens *t)
{
    if (t->at == t->pattern.n)
        return TOKEN_END;
    enum regex_token found = plain(t);
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

bool regex_skip_group(struct regex_tokens *t)
{
    for (unsigned depth = 1; depth > 0;) {
        enum regex_token found = regex_next(t);
        if (found == TOKEN_STRANGE || found == TOKEN_END)
            return false;
        depth += found == TOKEN_OPEN;
        depth -= found == TOKEN_CLOSE;
    }
    return true;
}
