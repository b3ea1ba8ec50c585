/*
 * How long is the body, and does the connection live on. Requests are smuggled where two parties
 * answer this differently, so whatever leaves room for two answers is a fault: two lengths of any
 * sort, a coding that is not exactly "chunked", a number that is not only digits. Of an answer the
 * reading that RFC 9112 section 6.3 leaves is taken where it leaves one, and noted as a repair.
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

/* Whoever reads a length next sees one spelling of it. */
static void cut_leading_zeros(struct msg *m, struct field *f)
{
    for (; f->vlen > 1 && *msg_at(m, f->voff) == '0'; m->uneven = true)
        f->voff++, f->vlen--;
}

/* Digits only, one field, below 2^63. */
static enum fault content_length(struct msg *m, const u64 twice[2])
{
    struct field *f = &m->fields[msg_find(m, TOKEN_CONTENT_LENGTH) - m->fields];
    if (is_twice(twice, TOKEN_CONTENT_LENGTH) || f->vlen > LENGTH_DIGITS ||
        !slice_u64(msg_value(m, f), &m->body_len) || m->body_len > INT64_MAX)
        return FAULT_bad_content_length;
    cut_leading_zeros(m, f);
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
    m->body = BODY_STREAMED;
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

static enum fault connection_fields(struct msg *m, const u64 twice[2])
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

/* Persistence, upgrade, TE: the same in both directions. */
static inline enum fault connection(struct msg *m, const u64 twice[2])
{
    if (msg_has(m, TOKEN_CONNECTION) || msg_has(m, TOKEN_TE))
        return connection_fields(m, twice);
    m->keep_alive = m->minor;
    return FAULT_NONE;
}

/* RFC 9110 section 10.1.1; nothing but 100-continue was ever defined. 1.0 cannot expect. */
static enum fault expectation(struct msg *m)
{
    for (const struct field *f = msg_find(m, TOKEN_EXPECT); f; f = msg_find_next(m, f))
        if (m->minor && !slice_eq_nocase(msg_value(m, f), SLICE("100-continue")))
            return FAULT_bad_expectation;
    m->expect_continue = m->minor && (m->body == BODY_STREAMED || m->body_len > 0);
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
    m->uneven = true;
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
    enum fault f = authority_parse(host->text, &host->host, &host->port, &host->has_port);
    if (likely(f == FAULT_NONE) || !slice_find(host->text, '@') || !without_userinfo(m))
        return f;
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
        if (m->body == BODY_STREAMED || m->body_len)
            return m->body == BODY_STREAMED ? FAULT_bad_transfer_encoding
                                            : FAULT_bad_content_length;
        m->body = BODY_NONE;
    }
    if (m->method != METHOD_GET || m->body != BODY_NONE)
        m->upgrade_websocket = false;
    return FAULT_NONE;
}

static void repaired(struct msg *m, enum repair r)
{
    m->repairs |= repair_bit(r);
}

/* Rule 5: the same valid number in all of the fields and their lists. The first field comes to hold
 * it alone. */
static enum fault equal_lengths(struct msg *m)
{
    struct field *first = &m->fields[msg_find(m, TOKEN_CONTENT_LENGTH) - m->fields];
    struct slice one = { NULL, 0 }, rest, item;
    for (struct field *f = first, *end = m->fields + m->nfields; f < end; f++) {
        if (f->id != TOKEN_CONTENT_LENGTH)
            continue;
        for (rest = msg_value(m, f); list_next(&rest, &item);) {
            u64 n;
            if (item.n > LENGTH_DIGITS || !slice_u64(item, &n) || n > INT64_MAX ||
                (one.p && n != m->body_len))
                return FAULT_bad_content_length;
            m->body_len = n;
            one = one.p ? one : item;
        }
        if (f != first)
            f->id = FIELD_DELETED;
    }
    if (one.p == NULL)
        return FAULT_bad_content_length;
    first->voff = (u32)(one.p - m->text);
    first->vlen = (u32)one.n;
    m->uneven = true;
    cut_leading_zeros(m, first);
    m->body = BODY_LENGTH;
    repaired(m, REPAIR_equal_lengths);
    return FAULT_NONE;
}

static enum fault answer_length(struct msg *m, const u64 twice[2])
{
    enum fault f = content_length(m, twice);
    return unlikely(f) ? equal_lengths(m) : f;
}

/* Rules 3 and 4. "identity" of RFC 2616 names no coding and RFC 9112 knows none of that name; by
 * both the body ends with the connection when no length is there. */
static enum fault answer_coding(struct msg *m, const u64 twice[2])
{
    struct slice value = msg_get(m, TOKEN_TRANSFER_ENCODING);
    bool single = !is_twice(twice, TOKEN_TRANSFER_ENCODING);
    bool both = msg_has(m, TOKEN_CONTENT_LENGTH);
    if (likely(m->minor && single && slice_eq_nocase(value, SLICE("chunked")))) {
        m->body = BODY_STREAMED;
        if (both) {
            msg_remove(m, TOKEN_CONTENT_LENGTH);
            repaired(m, REPAIR_both_lengths);
        }
        return FAULT_NONE;
    }
    if (single && !both && slice_eq_nocase(value, SLICE("identity"))) {
        msg_remove(m, TOKEN_TRANSFER_ENCODING);
        repaired(m, REPAIR_identity_coding);
        return FAULT_NONE;
    }
    return both || !m->minor || !single ? FAULT_bad_transfer_encoding : coding_fault(value);
}

/* Rule 1: an answer without a body, whatever its fields say. To HEAD and with 304 they may say what
 * a GET would have got; with 1xx and 204 they may not stand at all, but a zero length is common and
 * means no harm. */
static void no_body(struct msg *m, const u64 twice[2])
{
    bool described = m->status == 304 || (m->status >= 200 && m->status != 204);
    bool good = true;
    u16 before = m->repairs;
    if (msg_has(m, TOKEN_TRANSFER_ENCODING)) {
        bool both = msg_has(m, TOKEN_CONTENT_LENGTH);
        good = described && !both && !answer_coding(m, twice) && m->body == BODY_STREAMED;
    } else if (msg_has(m, TOKEN_CONTENT_LENGTH)) {
        good = !answer_length(m, twice) && (described || m->body_len == 0);
    }
    if (!good) {
        msg_remove(m, TOKEN_TRANSFER_ENCODING);
        m->repairs = before | repair_bit(REPAIR_bodiless_framing);
        m->body_len = 0;
    }
    if (!good || !described)
        msg_remove(m, TOKEN_CONTENT_LENGTH);
    m->body = BODY_NONE;
}

static enum fault answer_lengths(struct msg *m, const u64 twice[2])
{
    enum fault f = FAULT_NONE;
    if (msg_has(m, TOKEN_TRANSFER_ENCODING))
        f = answer_coding(m, twice);
    else if (msg_has(m, TOKEN_CONTENT_LENGTH))
        f = answer_length(m, twice);
    if (!f && m->body == BODY_NONE) {
        m->body = BODY_UNTIL_CLOSE;
        m->keep_alive = false;
    }
    return f;
}

/* RFC 9112 section 6.3, the eight rules in order. */
enum fault response_framing(struct msg *m, const u64 twice[2])
{
    bool tunnel = m->method == METHOD_CONNECT && m->status / 100 == 2;
    if (tunnel) { /* "MUST ignore" */
        msg_remove(m, TOKEN_CONTENT_LENGTH);
        msg_remove(m, TOKEN_TRANSFER_ENCODING);
    }
    enum fault f = connection(m, twice);
    if (f || tunnel)
        return f;
    if (m->method != METHOD_HEAD && m->status >= 200 && m->status != 204 && m->status != 304)
        return answer_lengths(m, twice);
    no_body(m, twice);
    return FAULT_NONE;
}
