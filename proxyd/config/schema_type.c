/*
 * The types of the schema: one row per type, with how it is checked, what the manual calls it and
 * what a message says was expected.
 */
#include "config/schema_type.h"

#include "base/must.h"
#include "base/str.h"
#include "base/text.h"

static bool is_size(struct slice s)
{
    u64 v;
    return value_size(s, &v);
}

static bool is_duration(struct slice s)
{
    u64 v;
    return value_duration(s, &v);
}

static bool is_count(struct slice s)
{
    u64 v;
    return value_count(s, &v);
}

static bool is_rate(struct slice s)
{
    u32 count, period_ms;
    return value_rate(s, &count, &period_ms);
}

static bool is_addr(struct slice s)
{
    struct addr a;
    return value_addr(s, &a);
}

static bool is_bind(struct slice s)
{
    struct addr a;
    bool both;
    return value_bind(s, &a, &both);
}

static bool is_server(struct slice s)
{
    struct slice host;
    struct addr a;
    u16 port;
    bool bad = false;
    if (!value_server(s, &host, &port))
        return false;
    return addr_parse(host, &a) || (!addr_parse_loose4(host, &a, &bad) && !bad);
}

static bool is_path(struct slice s)
{
    return s.n > 0 && s.n < 4096;
}

static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((u8)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n > 0;
}

static bool is_cidr(struct slice s)
{
    struct cidr c;
    bool host_bits = false;
    return cidr_parse(s, &c, &host_bits) && !host_bits;
}

/* A name that ends in a number is an address to every client: no rule ever sees it as a name. */
static bool is_destination(struct slice s)
{
    struct addr a;
    bool bad = false;
    if (is_cidr(s))
        return true;
    return value_host_pattern(s) && !addr_parse_loose4(s, &a, &bad) && !bad;
}

static bool is_ports(struct slice s)
{
    u16 a, b;
    return value_ports(s, &a, &b);
}

static const struct type_info {
    const char *sign; /* how the manual writes a value */
    const char *noun; /* "x" is not NOUN */
    const char *expected;
    bool (*ok)(struct slice s);
} types[TYPE_COUNT_OF] = {
    [TYPE_SIZE] = { "SIZE", "a size",
                    "a number of bytes, with k, m, g or t if you like, such as 32k", is_size },
    [TYPE_DURATION] = { "DURATION", "a duration",
                        "a number with a unit (ms, s, m, h, d or w), such as 30s", is_duration },
    [TYPE_COUNT] = { "N", "a number", "a number, such as 100", is_count },
    [TYPE_RATE] = { "N/s", "a rate",
                    "a number from 1 to 1000000 with /s, /min or /h, such as 100/min", is_rate },
    [TYPE_CHOICE] = { "WORD", "known", "a word", NULL },
    [TYPE_NAME] = { "NAME", "a name",
                    "a name of letters, digits, _ and -, not beginning with a digit", value_name },
    [TYPE_REF] = { "NAME", "a name", "the name of a block", value_name },
    [TYPE_ADDR] = { "ADDR[:PORT]", "an address",
                    "an address, with a port if you like, such as 192.0.2.53 or [2001:db8::53]:53",
                    is_addr },
    [TYPE_BIND] = { "ADDR:PORT", "an address to listen on",
                    "ADDR:PORT, [V6]:PORT or *:PORT, such as 127.0.0.1:3128", is_bind },
    [TYPE_SERVER] = { "HOST:PORT", "a server",
                      "HOST:PORT, such as app.internal:8080 or 10.1.0.5:80", is_server },
    [TYPE_PATH] = { "PATH", "a path", "the path of a file", is_path },
    [TYPE_TEXT] = { "TEXT", "a text",
                    "a text without control characters, in quotes if it has blanks", is_text },
    [TYPE_CIDR] = { "CIDR", "a network", "an address or a network, such as 10.0.0.0/8 or ::1",
                    is_cidr },
    [TYPE_DOMAIN] = { "DOMAIN", "a domain", "a domain, such as corp.example", value_host },
    [TYPE_HOST_PATTERN] = { "HOST", "a host", "HOST, *.HOST, .HOST or *, such as *.example.com",
                            value_host_pattern },
    [TYPE_DESTINATION] = { "DEST", "a destination",
                           "HOST, *.HOST, .HOST, *, an address or a network, such as *.example.com",
                           is_destination },
    [TYPE_PORTS] = { "PORTS", "a port or a range of ports",
                     "a port from 1 to 65535 or a range, such as 443 or 8000-8999", is_ports },
    [TYPE_METHOD] = { "METHOD", "a method", "a request method, such as POST", value_method },
    [TYPE_URL_PATH] = { "/PATH", "a path", "a path that begins with /, such as /admin",
                        value_url_path },
    [TYPE_CUSTOM] = { "VALUE", "a value", "a value", NULL },
};

const char *schema_type_sign(enum schema_type t)
{
    must(t > TYPE_NONE && t < TYPE_COUNT_OF);
    return types[t].sign;
}

enum schema_type schema_word_type(const struct schema_row *row, u32 i)
{
    if (row->kind == ROW_NAMED)
        return row->type[0] == TYPE_NONE ? TYPE_NAME : row->type[0];
    u32 k = i < SCHEMA_TYPES ? i : SCHEMA_TYPES - 1;
    while (k > 0 && row->type[k] == TYPE_NONE)
        k--;
    return row->type[k];
}

u32 schema_key_words(const struct schema_row *row)
{
    return strchr(row->key, ' ') ? 2 : 1;
}

u32 schema_least_words(const struct schema_row *row)
{
    if (row->kind == ROW_STATEMENT)
        return row->max ? row->min : 1;
    return row->kind == ROW_NAMED;
}

u32 schema_most_words(const struct schema_row *row)
{
    if (row->kind == ROW_STATEMENT)
        return row->max ? row->max : 1;
    return row->kind == ROW_NAMED;
}

bool schema_listed(const char *list, struct slice word)
{
    struct slice rest = slice_of(list), piece;
    while (slice_cut(&rest, ' ', &piece))
        if (piece.n && slice_eq(piece, word))
            return true;
    return false;
}

void schema_number_text(struct text *t, enum schema_type type, u64 v)
{
    static const struct {
        u64 factor;
        const char *unit;
    } sizes[] = { { 1ull << 40, "t" }, { 1ull << 30, "g" }, { 1ull << 20, "m" }, { 1 << 10, "k" } },
      times[] = { { 604800000, "w" }, { 86400000, "d" }, { 3600000, "h" },
                  { 60000, "m" },     { 1000, "s" },     { 1, "ms" } };
    bool duration = type == TYPE_DURATION;
    size_t n = duration ? countof(times) : type == TYPE_SIZE ? countof(sizes) : 0;
    for (size_t i = 0; i < n; i++) {
        u64 factor = duration ? times[i].factor : sizes[i].factor;
        if (v >= factor && v % factor == 0) {
            text_u64(t, v / factor);
            text_cstr(t, duration ? times[i].unit : sizes[i].unit);
            return;
        }
    }
    text_u64(t, v);
    if (duration)
        text_cstr(t, "ms");
}

u64 schema_word_number(const struct schema_row *row, enum schema_type t, struct slice text)
{
    u64 v = 0;
    if (schema_listed(row->also, text))
        return slice_is(text, "unlimited") || slice_is(text, "any") ? UINT64_MAX : 0;
    bool ok = t == TYPE_SIZE       ? value_size(text, &v)
              : t == TYPE_DURATION ? value_duration(text, &v)
                                   : value_count(text, &v);
    must(ok);
    return v;
}

static void tell_expected(const struct schema_row *row, enum schema_type t, struct diags *d)
{
    if (t == TYPE_CHOICE) {
        if (strchr(row->choices, ' '))
            diag_more(d, "expected one of: %s", list_shown(row->choices));
        else
            diag_more(d, "expected \"%s\"", row->choices);
        return;
    }
    struct slice rest = slice_of(row->also), piece;
    char area[256];
    struct text also = text_in(area, sizeof area - 1);
    while (slice_cut(&rest, ' ', &piece)) {
        text_lit(&also, ", or \"");
        text_add(&also, piece);
        text_lit(&also, "\"");
    }
    area[also.n] = 0;
    diag_more(d, "expected %s%s", types[t].expected, area);
    rest = slice_of(row->binds);
    if (slice_cut(&rest, ' ', &piece) && row->bound == NULL)
        diag_more(d, "or \"%.*s\" and a name", SLICE_FMT(piece));
    else if (row->binds)
        diag_more(d, "or \"%.*s\" and one of: %s", SLICE_FMT(piece), list_shown(row->bound));
    if (row->binds && row->refers)
        diag_more(d, "or \"%s\" and the name of a block %s", row->refers, row->refers);
}

/* What the writer probably meant, where that can be computed. */
static void tell_likely(const struct schema_row *row, enum schema_type t, struct slice s,
                        struct diags *d)
{
    struct guess g = guess_for(s);
    struct cidr c;
    struct addr a;
    bool host_bits = false, bad = false;
    char area[ADDR_TEXT + 8];
    struct text meant = text_in(area, sizeof area);
    u64 n;
    if (t == TYPE_CHOICE)
        guess_try_list(&g, row->choices);
    guess_try_list(&g, row->also);
    guess_try_list(&g, row->binds);
    if ((t == TYPE_CIDR || t == TYPE_DESTINATION) && cidr_parse(s, &c, &host_bits) && host_bits) {
        addr_text(&meant, &c.base);
        text_char(&meant, '/');
        text_u64(&meant, c.bits);
    } else if (t == TYPE_DESTINATION && addr_parse_loose4(s, &a, &bad)) {
        addr_text(&meant, &a);
    } else if (t == TYPE_DURATION && value_count(s, &n) && n > 0) {
        text_u64(&meant, n);
        text_char(&meant, 's');
    }
    g.best = meant.n ? text_slice(&meant) : g.best;
    guess_tell(&g, d);
}

static bool bounds_ok(const struct schema_row *row, enum schema_type t, const struct word *w,
                      struct diags *d)
{
    if (t != TYPE_SIZE && t != TYPE_DURATION && t != TYPE_COUNT)
        return true;
    u64 v = schema_word_number(row, t, w->text);
    bool small = v < row->least, large = row->most && v > row->most;
    if (!small && !large)
        return true;
    char area[48];
    struct text bound = text_in(area, sizeof area - 1);
    schema_number_text(&bound, t, small ? row->least : row->most);
    area[bound.n] = 0;
    diag_error(d, w, "%s is too %s", word_shown(w), small ? "small" : "large");
    diag_more(d, "expected at %s %s", small ? "least" : "most", area);
    return false;
}

bool schema_word_check(const struct schema_row *row, enum schema_type t, const struct word *w,
                       struct diags *d)
{
    must(t > TYPE_NONE && t < TYPE_COUNT_OF);
    if (w->kind == WORD_REGEX && row->regex)
        return true;
    if (w->kind == WORD_REGEX) {
        diag_error(d, w, "a regular expression cannot stand here");
        tell_expected(row, t, d);
        return false;
    }
    if (schema_listed(row->also, w->text))
        return true;
    bool ok = t == TYPE_CHOICE ? schema_listed(row->choices, w->text) : types[t].ok(w->text);
    if (ok)
        return bounds_ok(row, t, w, d);
    struct cidr c;
    bool host_bits = false;
    if ((t == TYPE_CIDR || t == TYPE_DESTINATION) && cidr_parse(w->text, &c, &host_bits))
        diag_error(d, w, "%s has bits set behind its prefix", word_shown(w));
    else if (t == TYPE_CHOICE)
        diag_error(d, w, "%s is not known here", word_shown(w));
    else
        diag_error(d, w, "%s is not %s", word_shown(w), types[t].noun);
    tell_expected(row, t, d);
    if (w->kind != WORD_SECRET)
        tell_likely(row, t, w->text, d);
    return false;
}
