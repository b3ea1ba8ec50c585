/*
 * One JSON object for each line. Its keys are an interface: always all of them, in this order, null
 * where there is nothing; new ones may come behind the last, and none ever means something else.
 */
#include "core/report/log_format.h"

static void key(struct text *t, const char *name)
{
    text_lit(t, ",\"");
    text_cstr(t, name);
    text_lit(t, "\":");
}

static void put_string(struct text *t, const char *name, struct slice s)
{
    key(t, name);
    if (s.n)
        text_json(t, s);
    else
        text_lit(t, "null");
}

static void put_number(struct text *t, const char *name, u64 v)
{
    key(t, name);
    text_u64(t, v);
}

static void put_ms(struct text *t, const char *name, bool known, u64 us)
{
    key(t, name);
    if (!known) {
        text_lit(t, "null");
        return;
    }
    text_u64(t, us / 1000);
    text_char(t, '.');
    text_pad(t, us % 1000, 3);
}

static void put_address(struct text *t, const char *name, const struct addr *a, bool port)
{
    key(t, name);
    if (a->family == 0) {
        text_lit(t, "null");
        return;
    }
    text_char(t, '"');
    if (port)
        addr_text_port(t, a);
    else
        addr_text(t, a);
    text_char(t, '"');
}

static void put_flag(struct text *t, const char *name, bool v)
{
    key(t, name);
    text_cstr(t, v ? "true" : "false");
}

static void put_url(struct text *t, struct log_parts p)
{
    enum { MOST = sizeof "http://" + 256 + 2048 };
    char area[MOST];
    struct text url = text_in(area, sizeof area);
    p.query = (struct slice){ NULL, 0 };
    if (p.s[STRING_TARGET].n)
        log_put_url(&url, &p, text_add);
    put_string(t, "url", text_slice(&url));
}

static void put_request(struct text *t, const struct log_parts *p)
{
    put_string(t, "method", p->s[STRING_METHOD]);
    put_url(t, *p);
    put_string(t, "query", p->query);
    key(t, "version");
    if (log_has_version(p))
        text_cstr(t, p->r->minor ? "\"1.1\"" : "\"1.0\"");
    else
        text_lit(t, "null");
}

static void put_answer(struct text *t, const struct access_record *r)
{
    key(t, "status");
    if (r->head.status)
        text_u64(t, r->head.status);
    else
        text_lit(t, "null");
    put_number(t, "bytes_in", r->bytes_in);
    put_number(t, "bytes_out", r->bytes_out);
    put_number(t, "content", log_content(r));
    put_ms(t, "duration_ms", true, r->total_us);
    put_ms(t, "first_byte_ms", r->first_us > 0, r->first_us);
}

static void put_cached(struct text *t, const struct access_record *r)
{
    char area[64];
    struct text word = text_in(area, sizeof area);
    log_put_cached(&word, r);
    put_string(t, "cache", text_slice(&word));
}

void log_put_json(struct text *t, struct log_clock *c, const struct log_parts *p)
{
    const struct access_record *r = p->r;
    text_lit(t, "{\"time\":\"");
    log_put_time(t, c, r->head.wall_us);
    text_lit(t, "\",\"id\":\"");
    log_put_id(t, p);
    text_char(t, '"');
    put_string(t, "listener", p->s[STRING_LISTENER]);
    put_address(t, "client", &p->client, false);
    put_request(t, p);
    put_answer(t, r);
    put_address(t, "server", &r->server, true);
    put_flag(t, "reused", r->reused);
    put_flag(t, "tunnel", r->tunnel);
    put_string(t, "upgrade", p->s[STRING_PROTOCOL]);
    put_string(t, "rule", p->s[STRING_RULE]);
    put_string(t, "cause", slice_of(r->fault ? fault_info((enum fault)r->fault)->token : ""));
    put_string(t, "reason", p->s[STRING_REASON]);
    put_string(t, "referer", p->s[STRING_REFERER]);
    put_string(t, "user_agent", p->s[STRING_AGENT]);
    put_string(t, "type", p->s[STRING_TYPE]);
    put_string(t, "shadow", p->s[STRING_SHADOW]);
    put_string(t, "list", p->why.list);
    put_string(t, "category", p->why.category);
    put_string(t, "entry", p->why.entry);
    put_string(t, "sni", p->sni);
    put_string(t, "user", p->s[STRING_USER]);
    put_string(t, "at", p->why.place);
    put_string(t, "match", p->why.matched);
    put_string(t, "name", log_told(p->r));
    put_cached(t, r);
    text_char(t, '}');
}
