/*
 * The readable form: who, what, status, bytes, time, and why.
 *
 *   2026-11-23T07:00:00.123Z 127.0.0.1 "GET http://example.com/x" 200 in=78 out=1256 12.3ms
 *   to=192.0.2.1:80 rule=office id=0000000000000001
 *
 * (on one line). A query is not written, it may hold secrets. No printf: 0.2 µs a line.
 */
#include "core/report/log_format.h"

#include <time.h>

static void put_time(struct text *t, struct log_clock *c, u64 us)
{
    u64 second = us / 1000000;
    if (second != c->second) {
        struct tm tm;
        time_t s = (time_t)second;
        gmtime_r(&s, &tm);
        struct text w = text_in(c->text, sizeof c->text);
        text_pad(&w, (u64)tm.tm_year + 1900, 4);
        text_char(&w, '-');
        text_pad(&w, (u64)tm.tm_mon + 1, 2);
        text_char(&w, '-');
        text_pad(&w, (u64)tm.tm_mday, 2);
        text_char(&w, 'T');
        text_pad(&w, (u64)tm.tm_hour, 2);
        text_char(&w, ':');
        text_pad(&w, (u64)tm.tm_min, 2);
        text_char(&w, ':');
        text_pad(&w, (u64)tm.tm_sec, 2);
        c->second = second;
    }
    text_put(t, c->text, sizeof c->text);
    text_char(t, '.');
    text_pad(t, us / 1000 % 1000, 3);
    text_char(t, 'Z');
}

static void put_ms(struct text *t, u64 us)
{
    text_u64(t, us / 1000);
    text_char(t, '.');
    text_pad(t, us / 100 % 10, 1);
    text_lit(t, "ms");
}

static void put_target(struct text *t, struct slice host, struct slice target)
{
    if (host.n) {
        text_lit(t, "http://");
        text_escaped(t, host);
    }
    const char *query = slice_find(target, '?');
    text_escaped(t, query ? slice_range(target.p, query) : target);
    if (query)
        text_lit(t, "?...");
}

static void put_named(struct text *t, struct slice name, struct slice value)
{
    if (value.n == 0)
        return;
    text_add(t, name);
    text_escaped(t, value);
}

static void cut_strings(struct slice s[LOG_STRINGS], const struct log_head *h, const char *p)
{
    for (unsigned i = 0; i < LOG_STRINGS; i++) {
        s[i] = (struct slice){ p, h->length[i] };
        p += h->length[i];
    }
}

static void put_request(struct text *t, const struct slice s[LOG_STRINGS])
{
    text_lit(t, " \"");
    if (s[STRING_METHOD].n == 0) {
        text_char(t, '-');
    } else {
        text_escaped(t, s[STRING_METHOD]);
        text_char(t, ' ');
        put_target(t, s[STRING_HOST], s[STRING_TARGET]);
    }
    text_lit(t, "\" ");
}

static void put_reason(struct text *t, struct slice reason)
{
    if (reason.n == 0)
        return;
    text_lit(t, " reason=\"");
    text_escaped_utf8(t, reason);
    text_char(t, '"');
}

static void put_id(struct text *t, u64 id)
{
    char hex[16];
    for (unsigned i = sizeof hex; i-- > 0; id >>= 4)
        hex[i] = "0123456789abcdef"[id & 15];
    text_lit(t, " id=");
    text_put(t, hex, sizeof hex);
}

void log_format_access(struct text *t, struct log_clock *c, const struct access_record *r)
{
    struct slice s[LOG_STRINGS];
    cut_strings(s, &r->head, (const char *)(r + 1));
    put_time(t, c, r->head.wall_us);
    text_char(t, ' ');
    addr_text(t, &r->client);
    put_request(t, s);
    if (r->status)
        text_u64(t, r->status);
    else
        text_char(t, '-');
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
    put_named(t, SLICE(" rule="), s[STRING_RULE]);
    put_named(t, SLICE(" upgrade="), s[STRING_PROTOCOL]);
    if (r->fault) {
        text_lit(t, " cause=");
        text_cstr(t, fault_info((enum fault)r->fault)->token);
    }
    put_reason(t, s[STRING_REASON]);
    put_id(t, r->id);
    text_char(t, '\n');
}

void log_format_error(struct text *t, struct log_clock *c, const struct error_record *r)
{
    static const char *const level[] = { "error", "warning", "info", "debug" };
    put_time(t, c, r->head.wall_us);
    text_char(t, ' ');
    text_cstr(t, level[r->head.level & 3]);
    text_lit(t, ": ");
    text_escaped(t, (struct slice){ (const char *)(r + 1), r->head.length[0] });
    text_char(t, '\n');
}
