/*
 * Squid's native form, for the report tools that read it:
 *
 *   1795417200.123     12 192.0.2.9 TCP_MISS/200 1256 GET http://example.com/x -
 *   HIER_DIRECT/192.0.2.1 text/html
 *
 * (on one line). They split on blanks, so every field is one word. What has no equal in squid gets
 * the nearest word it has; the hard part is to choose the one that its readers count right.
 */
#include "core/report/log_format.h"

#include "base/str.h"

/* Denied ones are counted as such by every report; NONE_NONE is what squid itself answered. */
static const char *result(const struct log_parts *p)
{
    const struct access_record *r = p->r;
    if (r->head.cached && r->fault == FAULT_NONE)
        return cached_info((enum cached)r->head.cached)->squid;
    switch (fault_info((enum fault)r->fault)->whose) {
    case FAULT_OF_POLICY: return "TCP_DENIED";
    case FAULT_OF_UPSTREAM: break;
    case FAULT_OF_NOBODY:
        if (r->server.family == 0 && !r->tunnel)
            return "NONE_NONE";
        break;
    default:
        if (r->server.family == 0)
            return "NONE_NONE";
        if (r->fault == FAULT_client_closed || r->fault == FAULT_client_reset ||
            r->fault == FAULT_client_write_timeout)
            return "TCP_MISS_ABORTED";
    }
    return r->tunnel || slice_is(p->s[STRING_METHOD], "CONNECT") ? "TCP_TUNNEL" : "TCP_MISS";
}

static void put_padded(struct text *t, u64 v)
{
    enum { WIDTH = 6 };
    u64 least = 100000;
    for (unsigned i = 1; i < WIDTH && v < least; i++, least /= 10)
        text_char(t, ' ');
    text_u64(t, v);
}

static void put_request(struct text *t, const struct log_parts *p)
{
    if (p->s[STRING_METHOD].n) {
        text_percent(t, p->s[STRING_METHOD]);
        text_char(t, ' ');
        log_put_url(t, p, text_percent);
        if (p->hidden)
            text_char(t, '?');
    } else if (p->r->head.status) {
        text_lit(t, "- error:invalid-request");
    } else {
        text_lit(t, "- error:transaction-end-before-headers");
    }
}

/* Without parameters, as squid keeps it. */
static void put_type(struct text *t, struct slice type)
{
    struct slice rest = type, bare;
    slice_cut(&rest, ';', &bare);
    bare = type.n ? slice_trim(bare) : type;
    if (bare.n)
        text_percent(t, bare);
    else
        text_char(t, '-');
}

void log_put_squid(struct text *t, const struct log_parts *p)
{
    const struct access_record *r = p->r;
    text_u64(t, r->head.wall_us / 1000000);
    text_char(t, '.');
    text_pad(t, r->head.wall_us / 1000 % 1000, 3);
    text_char(t, ' ');
    put_padded(t, r->total_us / 1000);
    text_char(t, ' ');
    addr_text(t, &p->client);
    text_char(t, ' ');
    text_cstr(t, result(p));
    text_char(t, '/');
    text_pad(t, r->head.status, 3);
    text_char(t, ' ');
    text_u64(t, r->bytes_out);
    text_char(t, ' ');
    put_request(t, p);
    text_char(t, ' ');
    if (p->s[STRING_USER].n)
        text_percent(t, p->s[STRING_USER]);
    else
        text_char(t, '-');
    text_char(t, ' ');
    if (r->server.family) {
        text_cstr(t, r->parent ? "FIRSTUP_PARENT/" : "HIER_DIRECT/");
        addr_text(t, &r->server);
    } else {
        text_lit(t, "HIER_NONE/-");
    }
    text_char(t, ' ');
    put_type(t, p->s[STRING_TYPE]);
}
