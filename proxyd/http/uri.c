/*
 * Request targets and hosts. A host leaves here in one spelling or not at all: what looks like an
 * IPv4 address in any way a libc would take is that address, and a name whose last label is a
 * number but is none is refused, because some resolver would make an address of it.
 */
#include "http/uri.h"

#include "base/idn.h"
#include "base/str.h"
#include "http/scan.h"

enum { NAME_MAX_LEN = 253, LABEL_MAX_LEN = 63 };

static void set_literal(struct host *out)
{
    struct text t = text_in(out->name, sizeof out->name - 1);
    out->addr.port = 0;
    out->literal = true;
    addr_text(&t, &out->addr);
    out->name[t.n] = 0;
    out->len = (u8)t.n;
}

static enum fault parse_bracketed(struct slice text, struct host *out)
{
    struct slice inner = { text.p + 1, text.n - 2 };
    if (text.n < 4 || text.p[text.n - 1] != ']' || !slice_find(inner, ':') ||
        slice_find(inner, '%') || !addr_parse(inner, &out->addr))
        return FAULT_bad_host;
    set_literal(out);
    return FAULT_NONE;
}

#if SCAN_BLOCKS
/* As copy_bytes, of 8 to 63 bytes: no label can be too long. */
static inline bool copy_blocks(struct slice text, char *out, size_t *last)
{
    u64 dots;
    if (!(text.n < 16 ? scan_short_name(out, text.p, text.n, &dots)
                      : scan_name(out, text.p, text.n, &dots)))
        return false;
    *last = dots ? 64 - (size_t)__builtin_clzll(dots) : 0;
    return !(dots & 1) && !(dots & dots << 1) && *last < text.n;
}
#endif

/* Copies in lower case and checks characters and labels; *last is where the last label begins. */
static bool copy_bytes(struct slice text, char *out, size_t *last)
{
    size_t label = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = char_host_lower[(u8)text.p[i]];
        out[i] = c;
        if (likely(c))
            continue;
        if (text.p[i] != '.' || i == label || i - label > LABEL_MAX_LEN)
            return false;
        out[i] = '.';
        label = i + 1;
    }
    *last = label;
    return text.n > label && text.n - label <= LABEL_MAX_LEN;
}

static inline bool copy_name(struct slice text, struct host *out, size_t *last)
{
    bool good;
#if SCAN_BLOCKS
    if (likely(text.n >= 8 && text.n <= LABEL_MAX_LEN))
        good = copy_blocks(text, out->name, last);
    else
#endif
        good = copy_bytes(text, out->name, last);
    out->name[text.n] = 0;
    out->len = (u8)text.n;
    return good;
}

/* A name with U-labels: its ASCII form is looked at like any other, for it may be an address; but
 * not one in brackets, which are of full width then, or stand behind what IDNA takes away. */
static enum fault parse_idn(struct slice text, struct host *out)
{
    char area[NAME_MAX_LEN + 2];
    struct text ascii = text_in(area, sizeof area);
    if (!idn_is_needed(text) || !idn_to_ascii(&ascii, text) || idn_is_needed(text_slice(&ascii)) ||
        slice_starts(text_slice(&ascii), SLICE("[")))
        return FAULT_bad_host;
    return host_parse(text_slice(&ascii), out);
}

enum fault host_parse(struct slice text, struct host *out)
{
    size_t last;
    out->name[0] = 0;
    out->len = 0;
    out->literal = false;
    memset(&out->addr, 0, sizeof out->addr);
    if (text.n && text.p[0] == '[')
        return parse_bracketed(text, out);
    if (text.n && text.p[text.n - 1] == '.')
        text.n--;
    if (unlikely(text.n == 0 || text.n > NAME_MAX_LEN || !copy_name(text, out, &last))) {
        out->name[0] = 0;
        out->len = 0;
        return parse_idn(text, out);
    }
    if (likely(!ascii_digit(text.p[last])))
        return FAULT_NONE;
    if (addr_parse4(text, &out->addr)) { /* spelled as we would: the copied name stands */
        out->literal = true;
        return FAULT_NONE;
    }
    bool bad = false;
    if (addr_parse_loose4(text, &out->addr, &bad))
        set_literal(out);
    return bad ? FAULT_bad_host : FAULT_NONE;
}

enum { PORT_DIGITS = 5 };

/* Takes the port off, and the colon before it. False: it is none from 1 to 65535. What is no port
 * stays there: a colon is a part of no host but in brackets. */
static inline bool parse_port(struct slice *text, u16 *port, bool *has_port)
{
    const char *end = text->p + text->n, *p = end;
    u32 v = 0, unit = 1;
    for (; p > text->p && end - p < PORT_DIGITS && ascii_digit(p[-1]); unit *= 10)
        v += (u32)(*--p - '0') * unit;
    *has_port = p > text->p && p[-1] == ':';
    if (!*has_port)
        return true;
    text->n = (size_t)(p - 1 - text->p);
    *port = (u16)v;
    return v >= 1 && v <= UINT16_MAX;
}

enum fault host_parse_bare(struct slice text, struct host *out)
{
    char area[64];
    struct text t = text_in(area, sizeof area);
    if (slice_find(text, ':') == NULL)
        return host_parse(text, out);
    text_char(&t, '[');
    text_add(&t, text);
    text_char(&t, ']');
    return t.full ? FAULT_bad_host : host_parse(text_slice(&t), out);
}

enum fault authority_parse(struct slice text, struct host *out, u16 *port, bool *has_port)
{
    *port = 0;
    return text.n && parse_port(&text, port, has_port) ? host_parse(text, out) : FAULT_bad_host;
}

void host_write(struct text *out, const struct host *h, u16 port)
{
    bool v6 = h->literal && h->addr.family == AF_INET6;
    if (v6)
        text_char(out, '[');
    text_put(out, h->name, h->len);
    if (v6)
        text_char(out, ']');
    if (port) {
        text_char(out, ':');
        text_u64(out, port);
    }
}

static void split_path(struct target_uri *out)
{
    const char *mark = slice_find(out->path_query, '?'), *p = out->path_query.p;
    const char *end = p + out->path_query.n;
    out->path = slice_range(p, mark ? mark : end);
    if (mark)
        out->query = slice_range(mark + 1, end);
    if (out->path.n == 0)
        out->path = SLICE("/");
    if (out->path_query.n == 0) {
        out->bare = true;
        out->path_query = SLICE("/");
    }
}

static bool is_scheme(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '-' && s.p[i] != '.')
            return false;
    return s.n && ascii_alpha(s.p[0]);
}

static enum fault own_authority(const struct authority *host, struct target_uri *out)
{
    if (host == NULL || !slice_eq(host->text, out->authority))
        return authority_parse(out->authority, &out->host, &out->port, &out->has_port);
    host_copy(&out->host, &host->host);
    out->port = host->port;
    out->has_port = host->has_port;
    return FAULT_NONE;
}

/* scheme "://" */
static enum fault parse_scheme(struct slice target, struct slice *scheme)
{
    if (likely(slice_starts(target, SLICE("http://")))) {
        *scheme = (struct slice){ target.p, 4 };
        return FAULT_NONE;
    }
    const char *colon = slice_find(target, ':'), *end = target.p + target.n;
    if (!colon || end - colon < 3 || colon[1] != '/' || colon[2] != '/')
        return FAULT_bad_target;
    *scheme = slice_range(target.p, colon);
    if (!is_scheme(*scheme))
        return FAULT_bad_target;
    return slice_eq_nocase(*scheme, SLICE("http")) ? FAULT_NONE : FAULT_bad_scheme;
}

/* scheme "://" authority [path] ["?" query] */
static enum fault parse_absolute(struct slice target, const struct authority *host,
                                 struct target_uri *out)
{
    enum fault f = parse_scheme(target, &out->scheme);
    if (f)
        return f;
    const char *from = out->scheme.p + out->scheme.n + 3, *end = target.p + target.n;
    const char *to = scan_path(target.p, from, end);
    out->form = TARGET_ABSOLUTE;
    out->authority = slice_range(from, to);
    out->path_query = slice_range(to, end);
    if (own_authority(host, out))
        return FAULT_bad_target;
    if (!out->has_port)
        out->port = 80;
    split_path(out);
    return FAULT_NONE;
}

/* host ":" port, nothing more and nothing less (RFC 9112 section 3.2.3) */
static enum fault parse_connect(struct slice target, const struct authority *host,
                                struct target_uri *out)
{
    out->form = TARGET_AUTHORITY;
    out->authority = target;
    if (own_authority(host, out) || !out->has_port)
        return FAULT_bad_connect_target;
    return FAULT_NONE;
}

enum fault target_parse(enum method method, struct slice target, const struct authority *host,
                        struct target_uri *out)
{
    const struct slice none = { NULL, 0 };
    out->scheme = out->authority = out->path_query = out->path = out->query = none;
    out->bare = out->has_port = out->host.literal = false;
    out->port = 0;
    out->host.len = 0;
    out->host.name[0] = 0;
    memset(&out->host.addr, 0, sizeof out->host.addr);
    if (method == METHOD_CONNECT)
        return parse_connect(target, host, out);
    if (target.n == 0)
        return FAULT_bad_target;
    if (target.p[0] == '/') {
        out->form = TARGET_ORIGIN;
        out->path_query = target;
        split_path(out);
        return FAULT_NONE;
    }
    if (method == METHOD_OPTIONS && slice_is(target, "*")) {
        out->form = TARGET_ASTERISK;
        out->path = out->path_query = target;
        return FAULT_NONE;
    }
    return parse_absolute(target, host, out);
}

static bool set_path(struct msg *m, const struct target_uri *t)
{
    struct text own;
    m->form = TARGET_ORIGIN;
    m->path = t->path_query;
    if (t->form == TARGET_ASTERISK || (m->method == METHOD_OPTIONS && t->bare)) {
        m->form = TARGET_ASTERISK;
        m->path = SLICE("*");
    } else if (m->path.n && m->path.p[0] == '?') {
        if (!msg_compose(m, m->path.n + 1, &own))
            return false;
        text_char(&own, '/');
        text_add(&own, m->path);
        m->path = msg_keep_text(m, &own);
    }
    return true;
}

struct slice target_authority(const struct target_uri *t)
{
    u32 port = t->port;
    size_t n = t->host.len;
    if (t->host.literal && t->host.addr.family == AF_INET6)
        return (struct slice){ NULL, 0 };
    if (port == 0 || port == 80)
        return (struct slice){ t->host.name, n };
    size_t digits = 1u + (port >= 10) + (port >= 100) + (port >= 1000) + (port >= 10000);
    bool is_ours = t->authority.n == n + 1 + digits && t->authority.p[n] == ':' &&
                   memcmp(t->authority.p, t->host.name, n) == 0;
    return is_ours ? t->authority : (struct slice){ NULL, 0 };
}

bool msg_address(struct msg *m, const struct target_uri *t, const struct host *h, u16 port)
{
    struct text own;
    m->scheme = SLICE("http");
    m->authority = h == &t->host ? target_authority(t) : (struct slice){ NULL, 0 };
    if (m->authority.p == NULL) {
        if (!msg_compose(m, h->len + sizeof "[]:65535", &own))
            return false;
        host_write(&own, h, port == 80 ? 0 : port);
        m->authority = msg_keep_text(m, &own);
    }
    return set_path(m, t);
}

/* CONNECT always says the port (RFC 9110 section 9.3.6). */
static bool address_tunnel(struct msg *m, const struct target_uri *t)
{
    struct text own;
    if (!msg_compose(m, t->host.len + sizeof "[]:65535", &own))
        return false;
    host_write(&own, &t->host, t->port);
    m->form = TARGET_AUTHORITY;
    m->authority = msg_keep_text(m, &own);
    return true;
}

bool msg_address_proxy(struct msg *m, const struct target_uri *t)
{
    if (m->method == METHOD_CONNECT)
        return address_tunnel(m, t);
    if (!msg_address(m, t, &t->host, t->port))
        return false;
    if (m->form == TARGET_ASTERISK) /* the last proxy makes it a star again */
        m->path = SLICE("");
    m->form = TARGET_ABSOLUTE;
    return true;
}
