/*
 * Taking out what must not pass a proxy. Connection names further fields, so it is read first; then
 * a bit map decides all known names. Fields with unknown names are
 * looked for one by one, which is bounded: a head with more than 64 Connection options is refused.
 */
#include "http/hop.h"

#include "base/str.h"

/* Filled before main and then only read. */
static u64 always[2], keep[2];

__attribute__((constructor)) static void build(void)
{
    token_mask(always, TOKEN_HOP | TOKEN_PROXY);
    token_mask(keep, TOKEN_KEEP);
}

static void mark(u64 mask[2], enum token t)
{
    mask[t >> 6] |= 1ull << (t & 63);
}

static void unmark(u64 mask[2], enum token t)
{
    mask[t >> 6] &= ~(1ull << (t & 63));
}

/* Adds what Connection nominates: known names to mask, unknown ones are deleted at once. */
static void nominated(struct msg *m, u64 mask[2])
{
    u64 named[2] = { 0, 0 };
    for (const struct field *f = msg_find(m, TOKEN_CONNECTION); f; f = msg_find_next(m, f)) {
        struct slice rest = msg_value(m, f), item;
        while (list_next(&rest, &item)) {
            enum token t = token_find(item);
            if (t != TOKEN_OTHER)
                mark(named, t);
            else if (msg_has(m, TOKEN_OTHER))
                msg_remove_name(m, item);
        }
    }
    for (unsigned i = 0; i < 2; i++)
        mask[i] |= named[i] & ~keep[i];
}

/* Proxy-* that is in no table. */
static void delete_others(struct msg *m)
{
    bool left = false;
    for (struct field *f = m->fields, *end = f + m->nfields; f < end; f++) {
        if (f->id != TOKEN_OTHER)
            continue;
        if (name_is_proxy(msg_name(m, f)))
            f->id = FIELD_DELETED;
        else
            left = true;
    }
    if (!left)
        unmark(m->present, TOKEN_OTHER);
}

void hop_strip(struct msg *m)
{
    u64 mask[2] = { always[0], always[1] };
    if (msg_has(m, TOKEN_CONNECTION))
        nominated(m, mask);
    if (m->response)
        unmark(mask, TOKEN_PROXY_STATUS);
    if (m->body == BODY_STREAMED)
        unmark(mask, TOKEN_TRAILER);
    if (m->body == BODY_LENGTH)
        mark(mask, TOKEN_CONTENT_LENGTH);
    if (!m->response)
        mark(mask, TOKEN_HOST);
    msg_remove_all(m, mask);
    if (msg_has(m, TOKEN_OTHER))
        delete_others(m);
}

void via_write(struct text *out, u8 minor, struct slice pseudonym)
{
    text_add(out, minor ? SLICE("Via: 1.1 ") : SLICE("Via: 1.0 "));
    text_add(out, pseudonym);
    text_lit(out, "\r\n");
}

bool via_add(struct msg *m, struct slice pseudonym)
{
    struct text t;
    if (!msg_compose(m, pseudonym.n + sizeof "Via: 1.1 \r\n", &t))
        return false;
    via_write(&t, m->minor, pseudonym);
    msg_keep_line(m, TOKEN_VIA, &t);
    return true;
}

/* An entry is received-protocol, blanks, received-by, and perhaps a comment. Commas in comments cut
 * entries in pieces here, which can only find more: nobody can hide our name in a comment. */
bool via_seen(const struct msg *m, struct slice pseudonym)
{
    for (const struct field *f = msg_find(m, TOKEN_VIA); f; f = msg_find_next(m, f)) {
        struct slice rest = msg_value(m, f), item;
        while (list_next(&rest, &item)) {
            size_t i = 0, from;
            while (i < item.n && item.p[i] != ' ' && item.p[i] != '\t')
                i++;
            struct slice by = slice_trim(slice_skip(item, i));
            for (from = 0; from < by.n && by.p[from] != ' ' && by.p[from] != '\t';)
                from++;
            by.n = from;
            if (slice_eq_nocase(by, pseudonym))
                return true;
        }
    }
    return false;
}

unsigned via_count(const struct msg *m)
{
    unsigned n = 0;
    for (const struct field *f = msg_find(m, TOKEN_VIA); f; f = msg_find_next(m, f)) {
        struct slice rest = msg_value(m, f), item;
        while (list_next(&rest, &item))
            n++;
    }
    return n;
}

enum fault max_forwards(const struct msg *m, u32 *value, bool *has)
{
    *has = false;
    if (!msg_has(m, TOKEN_MAX_FORWARDS) ||
        (m->method != METHOD_TRACE && m->method != METHOD_OPTIONS))
        return FAULT_NONE;
    u64 v;
    if (msg_count(m, TOKEN_MAX_FORWARDS) != 1 || !slice_u64(msg_get(m, TOKEN_MAX_FORWARDS), &v))
        return FAULT_bad_max_forwards;
    *has = true;
    *value = v > UINT32_MAX ? UINT32_MAX : (u32)v;
    return FAULT_NONE;
}
