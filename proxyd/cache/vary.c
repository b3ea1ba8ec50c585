/*
 * Variants. A value that would not fit the area it is normalised in is taken as it is: such a one
 * is an attack or a token that nobody else has.
 */
#include "cache/vary.h"

#include "base/str.h"
#include "http/chars.h"

enum { CODINGS_MOST = 16, VALUE_MOST = 1024 };

enum normal {
    AS_IS,  /* lines joined by ", " (RFC 9110 section 5.3), nothing else */
    CLOSE,  /* no blanks around commas, semicolons and '='; none of these is in quotes */
    FOLDED, /* that, in lower case */
    SORTED  /* that, with codings in alphabetic order and each once; x-gzip is gzip */
};

/* Of a field whose grammar says what may be changed (RFC 9110 section 12.5). */
static enum normal normal_of(struct slice name)
{
    switch (token_find(name)) {
    case TOKEN_ACCEPT: return CLOSE;
    case TOKEN_ACCEPT_LANGUAGE:
    case TOKEN_ACCEPT_CHARSET: return FOLDED;
    case TOKEN_ACCEPT_ENCODING: return SORTED;
    default: return AS_IS;
    }
}

static int compare(struct slice a, struct slice b)
{
    size_t least = a.n < b.n ? a.n : b.n;
    int c = least ? memcmp(a.p, b.p, least) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Puts it where it belongs; false: there is no room for another one. */
static bool insert(struct slice list[], unsigned *n, unsigned most, struct slice item)
{
    unsigned i = *n;
    while (i > 0 && compare(list[i - 1], item) > 0)
        i--;
    if (i > 0 && slice_eq(list[i - 1], item))
        return true;
    if (*n == most)
        return false;
    memmove(list + i + 1, list + i, (*n - i) * sizeof *list);
    list[i] = item;
    ++*n;
    return true;
}

static void write_list(struct text *out, const struct slice list[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i)
            text_char(out, ',');
        text_add(out, list[i]);
    }
}

static struct slice put_lower(struct text *t, struct slice s)
{
    size_t from = t->n;
    for (size_t i = 0; i < s.n; i++)
        text_char(t, ascii_lower(s.p[i]));
    return (struct slice){ t->p + from, t->n - from };
}

enum vary_answer vary_names(const struct msg *response, struct text *out)
{
    char area[VARY_TEXT];
    struct text lower = text_in(area, sizeof area);
    struct slice names[VARY_MOST];
    unsigned n = 0;
    bool much = false;
    for (const struct field *f = msg_find(response, TOKEN_VARY); f;
         f = msg_find_next(response, f)) {
        struct slice rest = msg_value(response, f), item;
        while (list_next(&rest, &item)) {
            if (slice_is(item, "*") || !slice_is_token(item))
                return VARY_STAR;
            struct slice name = put_lower(&lower, item);
            much |= lower.full || !insert(names, &n, VARY_MOST, name);
        }
    }
    write_list(out, names, much ? 0 : n);
    if (much || out->full)
        return VARY_TOO_MUCH;
    return n ? VARY_SOME : VARY_NONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_separator(char c)
{
    return c == ',' || c == ';' || c == '=';
}

/* All lines in one, without the blanks that mean nothing. False: it does not fit, or has a quote,
 * within which they would mean something. */
static bool close_up(const struct msg *m, const struct field *f, bool lower, struct text *out)
{
    for (; f; f = msg_find_next(m, f)) {
        struct slice v = msg_value(m, f);
        if (out->n)
            text_char(out, ',');
        for (size_t i = 0; i < v.n; i++) {
            size_t next = i;
            while (next < v.n && is_blank(v.p[next]))
                next++;
            char before = out->n ? out->p[out->n - 1] : ',';
            if (v.p[i] == '"')
                return false;
            if (next > i && (is_separator(before) || is_separator(v.p[next]))) {
                i = next - 1; /* values have no blanks at their end */
                continue;
            }
            text_char(out, lower ? ascii_lower(v.p[i]) : v.p[i]);
        }
    }
    return !out->full;
}

/* "gzip;q=1.0" says no more than "gzip" (RFC 9110 section 12.4.2). */
static struct slice coding_normal(struct slice item)
{
    static const struct slice whole[] = {
        { ";q=1", 4 }, { ";q=1.", 5 }, { ";q=1.0", 6 }, { ";q=1.00", 7 }, { ";q=1.000", 8 }
    };
    for (unsigned i = 0; i < countof(whole); i++)
        if (item.n > whole[i].n && slice_ends(item, whole[i])) {
            item.n -= whole[i].n;
            break;
        }
    if (slice_is(item, "x-gzip") || slice_starts(item, SLICE("x-gzip;")))
        item = slice_skip(item, 2);
    return item;
}

static bool sort_codings(struct slice closed, struct text *out)
{
    struct slice codings[CODINGS_MOST], item;
    unsigned n = 0;
    while (list_next(&closed, &item))
        if (!insert(codings, &n, CODINGS_MOST, coding_normal(item)))
            return false;
    write_list(out, codings, n);
    return !out->full;
}

static void mix_as_is(struct mix *m, const struct msg *request, const struct field *f)
{
    for (bool first = true; f; f = msg_find_next(request, f), first = false) {
        mix_bytes(m, ", ", first ? 0 : 2);
        mix_bytes(m, msg_value(request, f).p, msg_value(request, f).n);
    }
}

/* A field that is absent matches an absent one only, so it is told from an empty one. The end of a
 * value as it is cannot be mistaken: NUL is in no field. */
static void mix_field(struct mix *m, struct slice name, const struct msg *request)
{
    char a[VALUE_MOST], b[VALUE_MOST];
    struct text closed = text_in(a, sizeof a), sorted = text_in(b, sizeof b);
    const struct field *f = msg_find_name(request, name);
    enum normal how = normal_of(name);
    mix_text(m, name);
    mix_number(m, f != NULL);
    if (how != AS_IS && close_up(request, f, how != CLOSE, &closed)) {
        if (how == SORTED && sort_codings(text_slice(&closed), &sorted))
            closed = sorted;
        mix_bytes(m, "n", 1);
        mix_bytes(m, closed.p, closed.n);
    } else {
        mix_bytes(m, "a", 1);
        mix_as_is(m, request, f);
    }
    mix_bytes(m, "", 1);
}

u64 vary_key(const struct cache_secret *secret, struct slice names, const struct msg *request)
{
    struct mix m;
    struct slice name;
    u64 out[2];
    mix_begin(&m, secret);
    while (list_next(&names, &name))
        mix_field(&m, name, request);
    mix_end(&m, out);
    return out[0];
}
