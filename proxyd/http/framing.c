/*
 * How long is the body, and does the connection live on. Requests are smuggled where two parties
 * answer this differently, so whatever leaves room for two answers is a fault: two lengths of any
 * sort, a coding that is not exactly "chunked", a number that is not only digits.
 */
#include "http/framing.h"

#include "base/str.h"
#include "http/chars.h"
#include "http/uri.h"

enum { CONNECTION_OPTIONS_MAX = 64, LENGTH_DIGITS = 20 };

static bool is_twice(const u64 twice[2], enum token t)
{
    return twice[t >> 6] >> (t & 63) & 1;
}

/* Digits only, one field, below 2^63. Leading zeros are cut off the field itself, so that whoever
 * reads it next sees one spelling. */
static enum fault content_length(struct msg *m, const u64 twice[2])
{
    struct field *f = &m->fields[msg_find(m, TOKEN_CONTENT_LENGTH) - m->fields];
    if (is_twice(twice, TOKEN_CONTENT_LENGTH) || f->vlen > LENGTH_DIGITS ||
        !slice_u64(msg_value(m, f), &m->body_len) || m->body_len > INT64_MAX)
        return FAULT_bad_content_length;
    while (f->vlen > 1 && *msg_at(m, f->voff) == '0')
        f->voff++, f->vlen--;
    m->body = BODY_LENGTH;
    return FAULT_NONE;
}

/* "a, b, chunked" of proper tokens is a coding that exists elsewhere: 501. Anything else is an
 * attempt at something: 400. */
static enum fault coding_fault(struct slice value)
{
    struct slice item = { NULL, 0 };
    unsigned n = 0, chunked = 0;
    for (; slice_cut(&value, ',', &item); n++) {
        item = slice_trim(item);
        if (!slice_is_token(item))
            return FAULT_bad_transfer_encoding;
        chunked += slice_eq_nocase(item, SLICE("chunked"));
    }
    bool last = slice_eq_nocase(item, SLICE("chunked"));
    return n > 1 && last && chunked == 1 ? FAULT_unknown_transfer_encoding
                                         : FAULT_bad_transfer_encoding;
}

static enum fault transfer_encoding(struct msg *m, const u64 twice[2])
{
    struct slice value = msg_get(m, TOKEN_TRANSFER_ENCODING);
    if (msg_has(m, TOKEN_CONTENT_LENGTH))
        return FAULT_both_lengths;
    if (m->minor == 0 || is_twice(twice, TOKEN_TRANSFER_ENCODING))
        return FAULT_bad_transfer_encoding;
    if (!slice_eq_nocase(value, SLICE("chunked")))
        return coding_fault(value);
    m->body = BODY_CHUNKED;
    return FAULT_NONE;
}

static enum fault body_lengths(struct msg *m, const u64 twice[2])
{
    if (unlikely(msg_has(m, TOKEN_TRANSFER_ENCODING)))
        return transfer_encoding(m, twice);
    return msg_has(m, TOKEN_CONTENT_LENGTH) ? content_length(m, twice) : FAULT_NONE;
}

enum { OPTION_CLOSE = 1, OPTION_KEEP_ALIVE = 2, OPTION_UPGRADE = 4 };

static unsigned option_of(struct slice item)
{
    switch ((unsigned)token_find(item)) {
    case TOKEN_KEEP_ALIVE: return OPTION_KEEP_ALIVE;
    case TOKEN_UPGRADE: return OPTION_UPGRADE;
    default: return slice_eq_nocase(item, SLICE("close")) ? OPTION_CLOSE : 0;
    }
}

/* All Connection fields. Their number is bounded because hop_strip looks for each option. Nearly
 * always there is one field with one option, so that is tried before taking it for a list. */
static enum fault connection_options(const struct msg *m, const u64 twice[2], unsigned *options)
{
    unsigned n = 0;
    bool more = is_twice(twice, TOKEN_CONNECTION);
    *options = 0;
    for (const struct field *f = msg_find(m, TOKEN_CONNECTION); f;
         f = more ? msg_find_next(m, f) : NULL) {
        struct slice rest = msg_value(m, f), item;
        unsigned single = option_of(rest);
        *options |= single;
        if (single)
            n++;
        else
            for (; list_next(&rest, &item); n++)
                *options |= option_of(item);
        if (n > CONNECTION_OPTIONS_MAX)
            return FAULT_bad_field_value;
    }
    return FAULT_NONE;
}

/* Persistence, upgrade, TE: the same in both directions. */
static enum fault connection(struct msg *m, const u64 twice[2])
{
    unsigned options;
    enum fault f = connection_options(m, twice, &options);
    m->keep_alive = !(options & OPTION_CLOSE) && (m->minor || (options & OPTION_KEEP_ALIVE));
    m->upgrade_websocket = m->minor && (options & OPTION_UPGRADE) &&
                           !is_twice(twice, TOKEN_UPGRADE) &&
                           slice_eq_nocase(msg_get(m, TOKEN_UPGRADE), SLICE("websocket"));
    for (const struct field *te = msg_find(m, TOKEN_TE); te; te = msg_find_next(m, te)) {
        struct slice rest = msg_value(m, te), item;
        while (list_next(&rest, &item))
            m->te_trailers |= slice_eq_nocase(item, SLICE("trailers"));
    }
    return f;
}

/* RFC 9110 section 10.1.1; nothing but 100-continue was ever defined. 1.0 cannot expect. */
static enum fault expectation(struct msg *m)
{
    for (const struct field *f = msg_find(m, TOKEN_EXPECT); f; f = msg_find_next(m, f))
        if (m->minor && !slice_eq_nocase(msg_value(m, f), SLICE("100-continue")))
            return FAULT_bad_expectation;
    m->expect_continue = m->minor && (m->body == BODY_CHUNKED || m->body_len > 0);
    return FAULT_NONE;
}

/* Python's urllib repeats its target's authority in Host with userinfo and all. That is taken off
 * here as well, and only when both say the same. */
static bool without_userinfo(struct msg *m)
{
    struct field *f = &m->fields[msg_find(m, TOKEN_HOST) - m->fields];
    const char *target = m->method_text.p + m->method_text.n + 1;
    struct slice raw = slice_range(target, m->text + m->text_len);
    raw.n = (size_t)(slice_find(raw, ' ') - raw.p);
    size_t n = target_userinfo(m->method, raw, msg_value(m, f));
    f->voff += (u32)n;
    f->vlen -= (u32)n;
    return n > 0;
}

static enum fault one_host(struct msg *m, const u64 twice[2])
{
    struct authority unwanted, *host = m->host_field;
    if (host == NULL)
        host = &unwanted;
    if (!msg_has(m, TOKEN_HOST))
        return m->minor && m->method != METHOD_CONNECT ? FAULT_bad_host : FAULT_NONE;
    if (is_twice(twice, TOKEN_HOST))
        return FAULT_bad_host;
    host->text = msg_get(m, TOKEN_HOST);
    if (unlikely(slice_find(host->text, '@')) && without_userinfo(m))
        host->text = msg_get(m, TOKEN_HOST);
    return authority_parse(host->text, &host->host, &host->port, &host->has_port);
}

enum fault request_framing(struct msg *m, const u64 twice[2])
{
    enum fault f = one_host(m, twice);
    if (!f)
        f = body_lengths(m, twice);
    if (!f)
        f = connection(m, twice);
    if (!f && unlikely(msg_has(m, TOKEN_EXPECT)))
        f = expectation(m);
    if (f)
        return f;
    if (m->method == METHOD_CONNECT && m->body != BODY_NONE) {
        if (m->body == BODY_CHUNKED || m->body_len)
            return m->body == BODY_CHUNKED ? FAULT_bad_transfer_encoding : FAULT_bad_content_length;
        m->body = BODY_NONE;
    }
    if (m->method != METHOD_GET || m->body != BODY_NONE)
        m->upgrade_websocket = false;
    return FAULT_NONE;
}

/* 1xx and 204 cannot have a body; a zero length is common and says the same, more is a trap. */
static enum fault no_content(struct msg *m)
{
    if (m->body == BODY_CHUNKED || m->body_len)
        return FAULT_bad_content_length;
    msg_remove(m, TOKEN_CONTENT_LENGTH);
    m->body = BODY_NONE;
    return FAULT_NONE;
}

/* RFC 9112 section 6.3, the eight cases in order. */
enum fault response_framing(struct msg *m, const u64 twice[2])
{
    bool tunnel = m->method == METHOD_CONNECT && m->status / 100 == 2;
    if (tunnel) { /* "MUST ignore" */
        msg_remove(m, TOKEN_CONTENT_LENGTH);
        msg_remove(m, TOKEN_TRANSFER_ENCODING);
    }
    enum fault f = connection(m, twice);
    if (!f)
        f = body_lengths(m, twice);
    if (f || tunnel)
        return f;
    if (m->status < 200 || m->status == 204)
        return no_content(m);
    if (m->method == METHOD_HEAD || m->status == 304) {
        m->body = BODY_NONE;
    } else if (m->body == BODY_NONE) {
        m->body = BODY_UNTIL_CLOSE;
        m->keep_alive = false;
    }
    return FAULT_NONE;
}
