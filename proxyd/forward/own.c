/*
 * The pages of the proxy itself are one table: path and who answers. A browser that has the proxy
 * set asks even for these by way of the proxy, so a full URL with the listener's own address comes
 * here too.
 */
#include "forward/own.h"

#include "core/exchange/local_reply.h"
#include "core/exchange/trace.h"
#include "core/exchange/why.h"
#include "forward/conf.h"
#include "forward/setup.h"
#include "pac/pac.h"

static bool is_loopback(const struct addr *a)
{
    struct addr one = addr_loopback(a->family, a->port);
    return a->family == AF_INET ? a->ip[0] == one.ip[0] : addr_same(a, &one);
}

/* Where clients know of no proxy, another listener has the pages: one that they could be told of.
 * NULL: there is none that this client can reach for sure. */
static const struct addr *pages_at(const struct xchg *x)
{
    if (likely(!x->role->intercepts))
        return &x->listen->at->addr;
    for (u32 i = 0; i < x->snap->nlisteners; i++) {
        const struct listener *l = &x->snap->listeners[i];
        const struct addr *a = &l->at->addr;
        bool reached = !addr_is_wildcard(a) && (!is_loopback(a) || is_loopback(&x->peer));
        if (l->role->explains && !l->role->intercepts && reached)
            return a;
    }
    return NULL;
}

void forward_own_address(const struct xchg *x, struct text *t)
{
    const struct addr *at = pages_at(x);
    if (at == NULL)
        return;
    struct addr own = *at, dialled;
    if (addr_is_wildcard(&own) && x->client.ops->local(&x->client, &dialled)) {
        dialled.port = own.port;
        own = dialled;
    }
    if (!addr_is_wildcard(&own))
        addr_text_port(t, &own);
}

void forward_own_authority(const struct xchg *x, struct text *t)
{
    const struct addr *own = &x->listen->at->addr;
    if (addr_is_wildcard(own) && x->uri.form == TARGET_ORIGIN && x->host_field.host.len)
        host_write(t, &x->host_field.host, own->port);
    else
        forward_own_address(x, t);
}

/* Does the client have it already? A comma in a tag only makes it one that is not ours. */
static bool has_tag(const struct xchg *x, struct slice tag)
{
    const struct field *f = msg_find(&x->req, TOKEN_IF_NONE_MATCH);
    for (; f; f = msg_find_next(&x->req, f)) {
        struct slice rest = msg_value(&x->req, f), item;
        while (list_next(&rest, &item)) {
            if (slice_starts(item, SLICE("W/")))
                item = slice_skip(item, 2);
            if (slice_eq(item, tag) || slice_is(item, "*"))
                return true;
        }
    }
    return false;
}

static void begin_pac(struct xchg *x, u16 status, struct slice tag)
{
    char line[64];
    struct text age = text_in(line, sizeof line);
    text_lit(&age, "max-age=");
    text_u64(&age, pac_max_age(forward_part_of(x->listen)->pac));
    reply_begin(x, status, SLICE(""));
    (void)msg_add(&x->resp, token_names[TOKEN_CACHE_CONTROL], text_slice(&age));
    (void)msg_add(&x->resp, token_names[TOKEN_ETAG], tag);
}

static enum verdict answer_pac(struct xchg *x)
{
    const struct pac_script *s = pac_for(forward_part_of(x->listen)->pac, &x->peer);
    char authority[320], tag_area[32];
    struct text own = text_in(authority, sizeof authority);
    struct text tag = text_in(tag_area, sizeof tag_area);
    forward_own_authority(x, &own);
    pac_tag(&tag, s, text_slice(&own));
    if (has_tag(x, text_slice(&tag))) {
        begin_pac(x, 304, text_slice(&tag));
        enum verdict v = reply_kept(x, SLICE(""), SLICE(""));
        x->resp.body = BODY_NONE;
        return v;
    }
    begin_pac(x, 200, text_slice(&tag));
    if (s->whole) /* it is the snapshot's, which the exchange holds */
        return reply_kept(x, SLICE(PAC_CONTENT_TYPE), s->after);
    char *area = arena_try(&x->arena, PAC_MAX);
    struct text t = text_in(area, area ? PAC_MAX : 0);
    pac_write(&t, s, text_slice(&own));
    if (area)
        return reply_kept(x, SLICE(PAC_CONTENT_TYPE), text_slice(&t));
    x->fault = FAULT_out_of_memory;
    return REFUSED;
}

/* It is about its client: no cache keeps it, no page holds it in a frame, and no script of another
 * host reads it. */
static enum verdict keep_private(struct xchg *x, enum verdict v)
{
    static const struct slice lines[] = {
        SLICE("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
              "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"),
        SLICE("Cross-Origin-Resource-Policy: same-origin\r\n"),
        SLICE("Referrer-Policy: no-referrer\r\n"),
        SLICE("X-Content-Type-Options: nosniff\r\n"),
        SLICE("X-Frame-Options: DENY\r\n"),
    };
    for (unsigned i = 0; v == ANSWERED && i < countof(lines); i++)
        (void)msg_add_line(&x->resp, TOKEN_OTHER, lines[i]);
    return v;
}

static enum verdict answer_why(struct xchg *x)
{
    return keep_private(x, reply_why(x, policy_contact(forward_part_of(x->listen)->policy)));
}

static enum verdict answer_setup(struct xchg *x)
{
    return keep_private(x, forward_setup(x));
}

static const struct own_page {
    const char *path;
    enum verdict (*answer)(struct xchg *x);
} pages[] = {
    { "/", answer_setup },
    { "/proxy.pac", answer_pac },
    { "/wpad.dat", answer_pac },
    { "/why", answer_why },
};

static const struct own_page *page_of(struct slice path)
{
    for (unsigned i = 0; i < countof(pages); i++)
        if (slice_is(path, pages[i].path))
            return &pages[i];
    return NULL;
}

bool forward_own_path(struct slice path)
{
    return page_of(path) != NULL;
}

static bool names_this_listener(const struct xchg *x)
{
    struct addr own = x->listen->at->addr, named = x->uri.host.addr;
    if (x->uri.port != own.port || !x->uri.host.literal)
        return false;
    if (addr_is_wildcard(&own) && !x->client.ops->local(&x->client, &own))
        return false;
    own.port = named.port = x->uri.port;
    return addr_same(&own, &named);
}

/* Does it lead through the proxy? */
static bool goes_on(const struct xchg *x)
{
    if (likely(x->uri.form == TARGET_ABSOLUTE))
        return likely(!names_this_listener(x)) || page_of(x->uri.path) == NULL;
    return x->uri.form == TARGET_AUTHORITY;
}

enum verdict forward_own(struct xchg *x)
{
    if (x->req.minor == 0) /* RFC 9112 section 9.3: a proxy keeps no connection to a 1.0 client */
        x->client.last = true;
    if (likely(goes_on(x)))
        return PASS;
    if (x->uri.form == TARGET_ASTERISK)
        return reply_options(x);
    if (x->req.method == METHOD_TRACE)
        return reply_trace(x);
    const struct own_page *p = page_of(x->uri.path);
    if (p && (x->req.method == METHOD_GET || x->req.method == METHOD_HEAD))
        return p->answer(x);
    x->fault = p ? FAULT_method_not_allowed : FAULT_not_found;
    return REFUSED;
}
