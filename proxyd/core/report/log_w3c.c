/*
 * The extended form of the W3C (WD-logfile-960323): the file says itself which fields its lines
 * have. Strings stand in quotes, with quotes doubled; what is absent is `-`. Readers made for IIS
 * know no quotes: for them blanks are `+`, and times milliseconds.
 */
#include "core/report/log_format.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

void log_put_w3c_begin(struct text *t, struct log_clock *c, u64 now_us)
{
    log_clock_set(c, now_us);
    text_lit(t, "#Version: 1.0\n#Software: proxyd " PROXYD_VERSION "\n#Date: ");
    text_put(t, c->text, 10);
    text_char(t, ' ');
    text_put(t, c->text + 11, 8);
    text_lit(t, "\n#Fields: date time c-ip cs-method cs-uri sc-status sc-bytes cs-bytes time-taken"
                " r-ip cs(User-Agent) cs(Referer) rs(Content-Type) x-rule x-cause x-id cs-username"
                " x-shadow x-list x-category x-entry x-at x-match x-cache\n");
}

/* Backslash and control bytes as everywhere, so that a line is a line. */
static void put_quoted(struct text *t, struct slice s)
{
    text_char(t, '"');
    while (s.n) {
        const char *quote = slice_find(s, '"');
        struct slice before = quote ? slice_range(s.p, quote) : s;
        text_escaped(t, before);
        s = slice_skip(s, before.n);
        if (quote) {
            text_lit(t, "\"\"");
            s = slice_skip(s, 1);
        }
    }
    text_char(t, '"');
}

static void put_plus(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ' ')
            text_char(t, '+');
        else
            text_escaped(t, (struct slice){ s.p + i, 1 });
}

static void put_string(struct text *t, struct slice s, bool iis)
{
    text_char(t, ' ');
    if (s.n == 0)
        text_char(t, '-');
    else if (iis)
        put_plus(t, s);
    else
        put_quoted(t, s);
}

static void put_word(struct text *t, struct slice s)
{
    text_char(t, ' ');
    if (s.n)
        text_percent(t, s);
    else
        text_char(t, '-');
}

static void put_request(struct text *t, const struct log_parts *p)
{
    put_word(t, p->s[STRING_METHOD]);
    text_char(t, ' ');
    if (p->s[STRING_METHOD].n)
        log_put_url(t, p, text_percent);
    else
        text_char(t, '-');
}

static void put_numbers(struct text *t, const struct access_record *r, bool iis)
{
    text_char(t, ' ');
    log_put_status(t, r);
    text_char(t, ' ');
    text_u64(t, r->bytes_out);
    text_char(t, ' ');
    text_u64(t, r->bytes_in);
    text_char(t, ' ');
    if (iis) {
        text_u64(t, r->total_us / 1000);
    } else {
        text_u64(t, r->total_us / 1000000);
        text_char(t, '.');
        text_pad(t, r->total_us / 1000 % 1000, 3);
    }
}

void log_put_w3c(struct text *t, struct log_clock *c, const struct log_parts *p, bool iis)
{
    const struct access_record *r = p->r;
    log_clock_set(c, r->head.wall_us);
    text_put(t, c->text, 10);
    text_char(t, ' ');
    text_put(t, c->text + 11, 8);
    text_char(t, ' ');
    addr_text(t, &p->client);
    put_request(t, p);
    put_numbers(t, r, iis);
    text_char(t, ' ');
    if (r->server.family)
        addr_text(t, &r->server);
    else
        text_char(t, '-');
    put_string(t, p->s[STRING_AGENT], iis);
    put_string(t, p->s[STRING_REFERER], iis);
    put_string(t, p->s[STRING_TYPE], iis);
    put_word(t, p->s[STRING_RULE]);
    put_word(t, slice_of(r->fault ? fault_info((enum fault)r->fault)->token : ""));
    text_char(t, ' ');
    log_put_id(t, p);
    put_word(t, p->s[STRING_USER]);
    put_word(t, p->s[STRING_SHADOW]);
    put_word(t, p->why.list);
    put_word(t, p->why.category);
    put_word(t, p->why.entry);
    put_word(t, p->why.place);
    put_string(t, p->why.matched, iis);
    char area[64];
    struct text word = text_in(area, sizeof area);
    log_put_cached(&word, r);
    put_word(t, text_slice(&word));
}
