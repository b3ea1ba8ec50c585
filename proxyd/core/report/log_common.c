/*
 * Apache's common and combined form:
 *
 *   192.0.2.9 - - [23/Nov/2026:07:00:00 +0000] "GET http://example.com/x HTTP/1.1" 200 1024
 *
 * The request line stands as it came, but for its query; the time is the end of the exchange, in
 * UTC. Squid's variant adds a field behind it, and strict readers break.
 */
#include "core/report/log_format.h"

static void put_request_line(struct text *t, const struct log_parts *p)
{
    if (p->s[STRING_METHOD].n == 0) {
        text_lit(t, "\"-\"");
        return;
    }
    text_char(t, '"');
    text_escaped(t, p->s[STRING_METHOD]);
    text_char(t, ' ');
    if (p->s[STRING_TARGET].n)
        text_escaped(t, p->s[STRING_TARGET]);
    else
        text_char(t, '-');
    if (p->query.p) {
        text_char(t, '?');
        text_escaped(t, p->query);
    }
    if (log_has_version(p))
        text_cstr(t, p->r->minor ? " HTTP/1.1" : " HTTP/1.0");
    text_char(t, '"');
}

static void put_quoted(struct text *t, struct slice s)
{
    text_lit(t, " \"");
    if (s.n)
        text_escaped(t, s);
    else
        text_char(t, '-');
    text_char(t, '"');
}

/* Readers insist on a number. Without an answer it is 499 when the client has left, and else 000,
 * as nginx writes it. */
static void put_status(struct text *t, const struct access_record *r)
{
    bool left = fault_info((enum fault)r->fault)->whose == FAULT_OF_CLIENT;
    text_pad(t, r->head.status ? r->head.status : left ? 499 : 0, 3);
}

/* Readers end the name at a blank and look for none in quotes. */
static void put_user(struct text *t, struct slice user)
{
    if (user.n)
        text_percent(t, user);
    else
        text_char(t, '-');
}

void log_put_common(struct text *t, struct log_clock *c, const struct log_parts *p, bool combined)
{
    u64 bytes = log_content(p->r);
    log_clock_set(c, p->r->head.wall_us);
    addr_text(t, &p->client);
    text_lit(t, " - ");
    put_user(t, p->s[STRING_USER]);
    text_lit(t, " [");
    text_put(t, c->clf, sizeof c->clf);
    text_lit(t, "] ");
    put_request_line(t, p);
    text_char(t, ' ');
    put_status(t, p->r);
    text_char(t, ' ');
    if (bytes)
        text_u64(t, bytes);
    else
        text_char(t, '-');
    if (combined) {
        put_quoted(t, p->s[STRING_REFERER]);
        put_quoted(t, p->s[STRING_AGENT]);
    }
}
