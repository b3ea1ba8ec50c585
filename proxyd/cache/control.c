/*
 * Reading Cache-Control. A comma within quotes does not end a directive; a quote that is never
 * closed does not swallow what follows, for that may be a no-store: then the field is cut at every
 * comma, and the response is not used without its origin.
 */
#include "cache/control.h"

#include "base/str.h"
#include "cache/control_read.h"
#include "http/chars.h"

struct directive {
    struct slice name;
    u32 bit;
    u8 rule, in;
    u16 number; /* where in struct cache_control it goes */
};

#define RULE_FORBIDS CONTROL_FORBIDS
#define RULE_ALLOWS CONTROL_ALLOWS
#define RULE_FIELDS CONTROL_NAMES_FIELDS
#define RULE_SMALLEST CONTROL_SMALLEST
#define RULE_LARGEST CONTROL_LARGEST
#define RULE_SMALLEST_OR_ALL CONTROL_SMALLEST_OR_ALL
enum { IN_BOTH = IN_REQUEST | IN_RESPONSE };

static const struct directive directives[] = {
#define DIRECTIVE(name, bit, rule, member, in)                                                     \
    { { name, sizeof(name) - 1 },                                                                  \
      CONTROL_##bit,                                                                               \
      RULE_##rule,                                                                                 \
      IN_##in,                                                                                     \
      offsetof(struct cache_control, member) },
#include "cache/control.tbl"
#undef DIRECTIVE
};

int directive_find(struct slice name, unsigned in, bool any_case)
{
    char first = name.n ? ascii_lower(name.p[0]) : 0;
    for (unsigned i = 0; i < countof(directives); i++) {
        const struct directive *d = &directives[i];
        if (d->name.n == name.n && d->name.p[0] == first && (d->in & in) &&
            (any_case ? slice_eq_nocase(d->name, name) : slice_eq(d->name, name)))
            return (int)i;
    }
    return -1;
}

static u32 *number_of(struct cache_control *c, const struct directive *d)
{
    return (u32 *)(void *)((char *)c + d->number);
}

/* 1*DIGIT, and more than can be counted is a very long time (RFC 9111 section 1.2.2). */
static bool seconds_read(struct slice text, u32 *out)
{
    u64 v = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (!ascii_digit(text.p[i]))
            return false;
        v = v * 10 + (u64)(text.p[i] - '0');
        if (v > CONTROL_SECONDS_MOST)
            v = CONTROL_SECONDS_MOST;
    }
    *out = (u32)v;
    return text.n > 0;
}

static void add_number(struct cache_control *c, const struct directive *d, enum argument kind,
                       struct slice text)
{
    u32 *number = number_of(c, d), v = 0;
    bool largest = d->rule == CONTROL_LARGEST;
    if (kind == ARGUMENT_NONE && d->rule == CONTROL_SMALLEST_OR_ALL) {
        v = UINT32_MAX;
    } else if (kind != ARGUMENT_TEXT || !seconds_read(text, &v)) {
        v = largest ? UINT32_MAX : 0;
        c->has |= CONTROL_GARBLED;
    }
    if (!(c->has & d->bit) || (largest ? v > *number : v < *number))
        *number = v;
    c->has |= d->bit;
}

/* Without one of these the rest would be something else, or could not be kept at all. */
static bool is_essential(struct slice name)
{
    switch (token_find(name)) {
    case TOKEN_CONTENT_ENCODING:
    case TOKEN_CONTENT_TYPE:
    case TOKEN_CONTENT_RANGE:
    case TOKEN_CONTENT_LENGTH:
    case TOKEN_TRANSFER_ENCODING:
    case TOKEN_VARY:
    case TOKEN_CACHE_CONTROL:
    case TOKEN_CDN_CACHE_CONTROL:
    case TOKEN_EXPIRES:
    case TOKEN_DATE:
    case TOKEN_AGE:
    case TOKEN_ETAG:
    case TOKEN_LAST_MODIFIED:
    case TOKEN_LOCATION: return true;
    default: return false;
    }
}

static bool names_only_fields(struct slice list)
{
    struct slice item;
    bool some = false;
    while (list_next(&list, &item)) {
        if (!slice_is_token(item) || is_essential(item))
            return false;
        some = true;
    }
    return some;
}

void directive_add(struct cache_control *c, int directive, enum argument kind, struct slice text)
{
    const struct directive *d = &directives[directive];
    switch ((enum directive_rule)d->rule) {
    case CONTROL_FORBIDS:
        c->has |= d->bit | (kind != ARGUMENT_NONE ? (u32)CONTROL_GARBLED : 0);
        break;
    case CONTROL_ALLOWS: c->has |= kind == ARGUMENT_NONE ? d->bit : (u32)CONTROL_GARBLED; break;
    case CONTROL_NAMES_FIELDS:
        if (kind == ARGUMENT_TEXT && names_only_fields(text))
            c->has |= CONTROL_FIELDS;
        else
            c->has |= d->bit;
        break;
    case CONTROL_SMALLEST:
    case CONTROL_LARGEST:
    case CONTROL_SMALLEST_OR_ALL: add_number(c, d, kind, text); break;
    }
}

void directive_clear(struct cache_control *c, int directive)
{
    const struct directive *d = &directives[directive];
    if (d->rule >= CONTROL_SMALLEST)
        *number_of(c, d) = 0;
    c->has &= ~d->bit;
}

/* The end of the quoted-string that begins at p[at], one behind its quote; 0: it has none. */
static size_t quoted_end(struct slice s, size_t at)
{
    for (size_t i = at + 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Cuts the next directive off; *open becomes true when a quote is not closed. */
static bool next_directive(struct slice *rest, struct slice *item, bool *open)
{
    size_t i = 0, end;
    if (rest->n == 0)
        return false;
    while (i < rest->n && rest->p[i] != ',') {
        end = rest->p[i] == '"' && !*open ? quoted_end(*rest, i) : i + 1;
        *open |= end == 0;
        i = end ? end : i + 1;
    }
    *item = slice_trim((struct slice){ rest->p, i });
    *rest = slice_skip(*rest, i < rest->n ? i + 1 : i);
    return true;
}

/* Name and argument: `name`, `name=token` or `name="text"`. */
static enum argument split(struct slice item, struct slice *name, struct slice *text)
{
    size_t n = 0;
    while (n < item.n && char_is(item.p[n], CHAR_TOKEN))
        n++;
    *name = (struct slice){ item.p, n };
    if (n == item.n)
        return ARGUMENT_NONE;
    *text = slice_skip(item, n + 1);
    if (item.p[n] != '=')
        return ARGUMENT_BAD;
    if (text->n >= 2 && text->p[0] == '"' && quoted_end(*text, 0) == text->n) {
        *text = (struct slice){ text->p + 1, text->n - 2 };
        return ARGUMENT_TEXT;
    }
    return slice_is_token(*text) ? ARGUMENT_TEXT : ARGUMENT_BAD;
}

static void read_field(struct slice value, unsigned in, struct cache_control *c)
{
    struct slice item, name, text = { NULL, 0 };
    bool open = false;
    while (next_directive(&value, &item, &open)) {
        enum argument kind = split(item, &name, &text);
        int d = directive_find(name, in, true);
        if (d >= 0)
            directive_add(c, d, kind, text);
        else if (kind == ARGUMENT_BAD)
            c->has |= CONTROL_GARBLED;
    }
    if (open)
        c->has |= CONTROL_NO_CACHE | CONTROL_GARBLED;
}

static void read_all(const struct msg *m, unsigned in, struct cache_control *c)
{
    const struct field *f = msg_find(m, TOKEN_CACHE_CONTROL);
    for (; f; f = msg_find_next(m, f))
        read_field(msg_value(m, f), in, c);
}

void control_of_request(const struct msg *m, struct cache_control *out)
{
    *out = (struct cache_control){ 0 };
    read_all(m, IN_REQUEST, out);
    if (msg_has(m, TOKEN_CACHE_CONTROL))
        return;
    for (const struct field *f = msg_find(m, TOKEN_PRAGMA); f; f = msg_find_next(m, f)) {
        struct slice rest = msg_value(m, f), item;
        while (list_next(&rest, &item))
            if (slice_eq_nocase(item, SLICE("no-cache")))
                out->has |= CONTROL_NO_CACHE;
    }
}

void control_of_response(const struct msg *m, bool targeted, struct cache_control *out)
{
    *out = (struct cache_control){ 0 };
    if (!targeted || !control_targeted(m, out))
        read_all(m, IN_RESPONSE, out);
}

static void strip_named(struct msg *m, struct slice value)
{
    struct slice item, name, text = { NULL, 0 };
    bool open = false;
    while (next_directive(&value, &item, &open)) {
        enum argument kind = split(item, &name, &text);
        int d = directive_find(name, IN_RESPONSE, true);
        if (d < 0 || directives[d].rule != CONTROL_NAMES_FIELDS || kind != ARGUMENT_TEXT ||
            !names_only_fields(text))
            continue;
        while (list_next(&text, &name))
            msg_remove_name(m, name);
    }
}

void control_strip(struct msg *m)
{
    const struct field *f = msg_find(m, TOKEN_CACHE_CONTROL);
    for (; f; f = msg_find_next(m, f))
        strip_named(m, msg_value(m, f));
}
