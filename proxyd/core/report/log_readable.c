/*
 * The readable form: who, what, status, bytes, time, and why.
 *
 *   2026-11-23T07:00:00.123Z 127.0.0.1 "GET http://example.com/x" 200 in=78 out=1256 12.3ms
 *   to=192.0.2.1:80 rule=office id=0000000000000001
 *
 * (on one line).
 */
#include "core/report/log_format.h"

static void put_ms(struct text *t, u64 us)
{
    text_u64(t, us / 1000);
    text_char(t, '.');
    text_pad(t, us / 100 % 10, 1);
    text_lit(t, "ms");
}

static void put_named(struct text *t, struct slice name, struct slice value)
{
    if (value.n == 0)
        return;
    text_add(t, name);
    text_escaped(t, value);
}

static void put_request(struct text *t, const struct log_parts *p)
{
    text_lit(t, " \"");
    if (p->s[STRING_METHOD].n == 0) {
        text_char(t, '-');
    } else {
        text_escaped(t, p->s[STRING_METHOD]);
        text_char(t, ' ');
        log_put_url(t, p, text_escaped);
        if (p->hidden)
            text_lit(t, "?...");
    }
    text_lit(t, "\" ");
}

static void put_quoted(struct text *t, struct slice name, struct slice value)
{
    if (value.n == 0)
        return;
    text_add(t, name);
    text_char(t, '"');
    text_escaped_utf8(t, value);
    text_char(t, '"');
}

void log_put_readable(struct text *t, struct log_clock *c, const struct log_parts *p)
{
    const struct access_record *r = p->r;
    log_put_time(t, c, r->head.wall_us);
    text_char(t, ' ');
    addr_text(t, &p->client);
    put_request(t, p);
    log_put_status(t, r);
    text_lit(t, " in=");
    text_u64(t, r->bytes_in);
    text_lit(t, " out=");
    text_u64(t, r->bytes_out);
    text_char(t, ' ');
    put_ms(t, r->total_us);
    if (r->server.family) {
        text_lit(t, " to=");
        addr_text_port(t, &r->server);
    }
    if (r->head.cached) {
        text_lit(t, " cache=");
        log_put_cached(t, r);
    }
    if (!r->named)
        put_named(t, SLICE(" sni="), p->sni);
    if ((r->head.told & TOLD_MASK) == TOLD_UNCONFIRMED)
        text_lit(t, " name=unconfirmed");
    put_named(t, SLICE(" user="), p->s[STRING_USER]);
    put_named(t, SLICE(" rule="), p->s[STRING_RULE]);
    put_named(t, SLICE(" shadow="), p->s[STRING_SHADOW]);
    put_named(t, SLICE(" list="), p->why.list);
    put_named(t, SLICE(" category="), p->why.category);
    put_named(t, SLICE(" entry="), p->why.entry);
    put_named(t, SLICE(" at="), p->why.place);
    put_named(t, SLICE(" upgrade="), p->s[STRING_PROTOCOL]);
    if (r->fault) {
        text_lit(t, " cause=");
        text_cstr(t, fault_info((enum fault)r->fault)->token);
    }
    put_quoted(t, SLICE(" match="), p->why.matched);
    put_quoted(t, SLICE(" reason="), p->s[STRING_REASON]);
    text_lit(t, " id=");
    log_put_id(t, p);
}
