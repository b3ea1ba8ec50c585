/*
 * What may be kept (RFC 9111 section 3), asked in the order of its list. Where two reasons forbid
 * it the first one is named.
 */
#include "cache/kept.h"

#include "cache/vary.h"

/* Heuristically cacheable (RFC 9110 section 15.1). 206 is missing, for parts are never kept. */
static bool status_cacheable(unsigned status)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 501: return true;
    default: return false;
    }
}

/* What must-understand asks about: a final one of the registry. */
static bool status_understood(unsigned status)
{
    return status >= 200 && status_reason(status).n > 0;
}

static enum kept by_exchange(const struct msg *request, const struct msg *response)
{
    if (request->method != METHOD_GET)
        return KEPT_METHOD;
    if (response->status == 206 || msg_has(response, TOKEN_CONTENT_RANGE))
        return KEPT_PARTIAL;
    if (response->status < 200 || response->status == 304)
        return KEPT_STATUS;
    return KEPT_YES;
}

/* no-store is not believed where must-understand stands beside it and is fulfilled (RFC 9111
 * section 5.2.2.3). */
static enum kept by_directives(const struct msg *request, const struct msg *response,
                               const struct cache_control *c, const struct cache_override *o)
{
    struct cache_control asked;
    control_of_request(request, &asked);
    bool understood = (c->has & CONTROL_MUST_UNDERSTAND) && !(c->has & CONTROL_GARBLED);
    if ((c->has & CONTROL_MUST_UNDERSTAND) && !status_understood(response->status))
        return KEPT_STATUS;
    if ((c->has & CONTROL_NO_STORE) && !understood && !o->ignore_no_store)
        return KEPT_NO_STORE;
    if ((asked.has & CONTROL_NO_STORE) && !o->ignore_no_store)
        return KEPT_REQUEST_NO_STORE;
    if ((c->has & CONTROL_PRIVATE) && !o->ignore_private)
        return KEPT_PRIVATE;
    return KEPT_YES;
}

/* RFC 9111 section 3.5. */
static bool may_be_shared(const struct cache_control *c)
{
    const u32 allow = CONTROL_PUBLIC | CONTROL_MUST_REVALIDATE | CONTROL_S_MAXAGE;
    return (c->has & allow) && !(c->has & CONTROL_GARBLED);
}

static enum kept by_users(const struct msg *request, const struct msg *response,
                          const struct cache_control *c, const struct cache_override *o)
{
    char area[VARY_TEXT];
    struct text names = text_in(area, sizeof area);
    if (msg_has(request, TOKEN_AUTHORIZATION) && !may_be_shared(c))
        return KEPT_AUTHORIZED;
    if (msg_has(response, TOKEN_SET_COOKIE) && !o->store_set_cookie)
        return KEPT_SET_COOKIE;
    if (!msg_has(response, TOKEN_VARY))
        return KEPT_YES;
    switch (vary_names(response, &names)) {
    case VARY_STAR: return KEPT_VARY_STAR;
    case VARY_TOO_MUCH: return KEPT_VARY_MANY;
    default: return KEPT_YES;
    }
}

static bool has_validator(const struct msg *response)
{
    return msg_has(response, TOKEN_ETAG) || msg_has(response, TOKEN_LAST_MODIFIED);
}

static enum kept kept_with(const struct msg *request, const struct msg *response, u64 asked,
                           u64 received, const struct cache_override *o, struct freshness *f)
{
    struct cache_control c;
    enum kept k = by_exchange(request, response);
    if (k != KEPT_YES)
        return k;
    control_of_response(response, o->targeted, &c);
    if (o->ignore_no_cache)
        c.has &= ~(u32)CONTROL_NO_CACHE;
    if ((k = by_directives(request, response, &c, o)) != KEPT_YES ||
        (k = by_users(request, response, &c, o)) != KEPT_YES)
        return k;

    bool itself = status_cacheable(response->status);
    bool expires = msg_has(response, TOKEN_EXPIRES) && !(c.has & CONTROL_TARGETED);
    if (!itself && !expires && !(c.has & (CONTROL_PUBLIC | CONTROL_MAX_AGE | CONTROL_S_MAXAGE)))
        return KEPT_STATUS;
    freshness_clocks(response, asked, received, f);
    freshness_lifetime(response, &c, itself ? o->ttl : 0, itself || (c.has & CONTROL_PUBLIC), f);
    bool useful = f->lifetime > f->age || f->while_revalidate || f->if_error;
    return useful || has_validator(response) ? KEPT_YES : KEPT_NOTHING_TO_GO_BY;
}

enum kept response_kept(const struct msg *request, const struct msg *response, u64 asked,
                        u64 received, const struct cache_override *override, struct freshness *f)
{
    static const struct cache_override none;
    const struct cache_override *o = override ? override : &none;
    struct cache_override plain = { .targeted = o->targeted };
    struct freshness as_is;
    f->departs = 0;
    enum kept k = kept_with(request, response, asked, received, o, f);
    if (likely(o->sign == 0) || k != KEPT_YES)
        return k;
    bool departs = kept_with(request, response, asked, received, &plain, &as_is) != KEPT_YES ||
                   f->lifetime != as_is.lifetime || f->must_revalidate != as_is.must_revalidate;
    f->departs = departs ? o->sign : 0;
    return k;
}
