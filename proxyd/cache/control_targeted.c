/*
 * CDN-Cache-Control is a dictionary of structured fields (RFC 8941 section 3.2), which is not the
 * syntax of Cache-Control although it looks like it: names are in lower case, and one error
 * anywhere makes the whole field count for nothing. Values that no directive has (lists, byte
 * sequences) are therefore read to their end as well. Where a directive comes twice the last one
 * counts.
 */
#include "base/str.h"
#include "cache/control_read.h"
#include "http/chars.h"

struct value {
    enum argument kind;
    bool absent; /* ?0 */
    struct slice text;
};

static bool at(const struct slice *s, char c)
{
    return s->n && s->p[0] == c;
}

static bool skip(struct slice *s, char c)
{
    if (!at(s, c))
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

static void skip_blanks(struct slice *s, bool tabs)
{
    while (at(s, ' ') || (tabs && at(s, '\t')))
        *s = slice_skip(*s, 1);
}

static struct slice take(struct slice *s, size_t n)
{
    struct slice piece = { s->p, n };
    *s = slice_skip(*s, n);
    return piece;
}

/* key: lower case or '*' first, then also digits, '_', '-', '.' */
static bool read_key(struct slice *s, struct slice *key)
{
    size_t n = 0;
    while (n < s->n && ((s->p[n] >= 'a' && s->p[n] <= 'z') || s->p[n] == '*' ||
                        (n && (ascii_digit(s->p[n]) || memchr("_-.", s->p[n], 3)))))
        n++;
    *key = take(s, n);
    return n > 0;
}

/* An integer of at most 15 digits, or a decimal of at most 12 and 3. */
static bool read_number(struct slice *s, struct value *v)
{
    bool negative = skip(s, '-');
    size_t n = 0, point = 0;
    while (n < s->n && ascii_digit(s->p[n]))
        n++;
    if (n == 0 || n > 15)
        return false;
    if (n < s->n && s->p[n] == '.') {
        for (point = n++; n < s->n && ascii_digit(s->p[n]);)
            n++;
        if (point > 12 || n - point - 1 < 1 || n - point - 1 > 3)
            return false;
    }
    v->text = take(s, n);
    v->kind = negative || point ? ARGUMENT_BAD : ARGUMENT_TEXT;
    return true;
}

static bool read_string(struct slice *s)
{
    size_t i = 1;
    for (; i < s->n && s->p[i] != '"'; i++) {
        if (s->p[i] == '\\' && (++i >= s->n || (s->p[i] != '"' && s->p[i] != '\\')))
            return false;
        if ((u8)s->p[i] < 0x20 || (u8)s->p[i] >= 0x7f)
            return false;
    }
    if (i >= s->n)
        return false;
    *s = slice_skip(*s, i + 1);
    return true;
}

static bool read_bytes(struct slice *s)
{
    size_t i = 1;
    while (i < s->n && (ascii_alnum(s->p[i]) || memchr("+/=", s->p[i], 3)))
        i++;
    if (i >= s->n || s->p[i] != ':')
        return false;
    *s = slice_skip(*s, i + 1);
    return true;
}

static bool read_boolean(struct slice *s, struct value *v)
{
    if (s->n < 2 || (s->p[1] != '0' && s->p[1] != '1'))
        return false;
    v->absent = s->p[1] == '0';
    v->kind = ARGUMENT_NONE;
    *s = slice_skip(*s, 2);
    return true;
}

static bool read_item(struct slice *s, struct value *v)
{
    *v = (struct value){ ARGUMENT_BAD, false, { NULL, 0 } };
    if (s->n == 0)
        return false;
    char c = s->p[0];
    if (c == '-' || ascii_digit(c))
        return read_number(s, v);
    if (c == '"')
        return read_string(s);
    if (c == ':')
        return read_bytes(s);
    if (c == '?')
        return read_boolean(s, v);
    if (c != '*' && !ascii_alpha(c))
        return false;
    size_t n = 1;
    while (n < s->n && (char_is(s->p[n], CHAR_TOKEN) || s->p[n] == ':' || s->p[n] == '/'))
        n++;
    take(s, n);
    return true;
}

/* They are read, and mean nothing (RFC 9213 section 2.1). */
static bool read_parameters(struct slice *s)
{
    struct slice key;
    struct value ignored;
    while (skip(s, ';')) {
        skip_blanks(s, false);
        if (!read_key(s, &key) || (skip(s, '=') && !read_item(s, &ignored)))
            return false;
    }
    return true;
}

static bool read_list(struct slice *s, struct value *v)
{
    struct value item;
    *s = slice_skip(*s, 1);
    for (;;) {
        skip_blanks(s, false);
        if (skip(s, ')')) {
            *v = (struct value){ ARGUMENT_BAD, false, { NULL, 0 } };
            return true;
        }
        if (!read_item(s, &item) || !read_parameters(s) || (!at(s, ' ') && !at(s, ')')))
            return false;
    }
}

static bool read_member(struct slice *s, struct cache_control *c)
{
    struct slice key;
    struct value v = { ARGUMENT_NONE, false, { NULL, 0 } };
    if (!read_key(s, &key))
        return false;
    if (skip(s, '=') && !(at(s, '(') ? read_list(s, &v) : read_item(s, &v)))
        return false;
    if (!read_parameters(s))
        return false;
    int d = directive_find(key, IN_RESPONSE, false);
    if (d < 0)
        return true;
    directive_clear(c, d);
    if (!v.absent)
        directive_add(c, d, v.kind, v.text);
    return true;
}

static bool read_dictionary(struct slice s, struct cache_control *c)
{
    for (;;) {
        if (!read_member(&s, c))
            return false;
        skip_blanks(&s, true);
        if (s.n == 0)
            return true;
        if (!skip(&s, ','))
            return false;
        skip_blanks(&s, true);
    }
}

bool control_targeted(const struct msg *m, struct cache_control *c)
{
    struct cache_control read = { .has = CONTROL_TARGETED };
    bool some = false;
    const struct field *f = msg_find(m, TOKEN_CDN_CACHE_CONTROL);
    for (; f; f = msg_find_next(m, f)) {
        struct slice value = msg_value(m, f);
        if (value.n && !read_dictionary(value, &read))
            return false;
        some |= value.n > 0;
    }
    if (some)
        *c = read;
    return some;
}
