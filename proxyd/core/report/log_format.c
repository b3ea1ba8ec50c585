/* What all formats share, and which one it is. */
#include "core/report/log_format.h"

#include "base/str.h"

#include <time.h>

enum { MASK_V4 = 24, MASK_V6 = 48 };

/* ---- time ---- */

static void put_calendar(struct log_clock *c, const struct tm *tm)
{
    struct text w = text_in(c->text, sizeof c->text);
    text_pad(&w, (u64)tm->tm_year + 1900, 4);
    text_char(&w, '-');
    text_pad(&w, (u64)tm->tm_mon + 1, 2);
    text_char(&w, '-');
    text_pad(&w, (u64)tm->tm_mday, 2);
    text_char(&w, 'T');
    text_pad(&w, (u64)tm->tm_hour, 2);
    text_char(&w, ':');
    text_pad(&w, (u64)tm->tm_min, 2);
    text_char(&w, ':');
    text_pad(&w, (u64)tm->tm_sec, 2);
}

/* In English whatever the locale is. */
static void put_clf(struct log_clock *c, const struct tm *tm)
{
    static const char month[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct text w = text_in(c->clf, sizeof c->clf);
    text_pad(&w, (u64)tm->tm_mday, 2);
    text_char(&w, '/');
    text_put(&w, month[tm->tm_mon], 3);
    text_char(&w, '/');
    text_pad(&w, (u64)tm->tm_year + 1900, 4);
    text_char(&w, ':');
    text_put(&w, c->text + 11, 8);
    text_lit(&w, " +0000");
}

void log_clock_set(struct log_clock *c, u64 us)
{
    u64 second = us / 1000000;
    if (second == c->second && c->text[0])
        return;
    struct tm tm;
    time_t s = (time_t)second;
    gmtime_r(&s, &tm);
    put_calendar(c, &tm);
    put_clf(c, &tm);
    c->second = second;
}

void log_put_time(struct text *t, struct log_clock *c, u64 us)
{
    log_clock_set(c, us);
    text_put(t, c->text, sizeof c->text);
    text_char(t, '.');
    text_pad(t, us / 1000 % 1000, 3);
    text_char(t, 'Z');
}

/* ---- what may be seen ---- */

static void cut_strings(struct slice s[LOG_STRINGS], const struct log_head *h, const char *p)
{
    for (unsigned i = 0; i < LOG_STRINGS; i++) {
        s[i] = (struct slice){ p, h->length[i] };
        p += h->length[i];
    }
}

static struct addr masked(const struct addr *a)
{
    struct addr m = *a;
    unsigned kept = (m.family == AF_INET ? MASK_V4 : MASK_V6) / 8;
    memset(m.ip + kept, 0, sizeof m.ip - kept);
    m.scope = 0;
    return m;
}

static size_t until(struct slice s, const char *ends)
{
    size_t n = 0;
    while (n < s.n && !slice_find(slice_of(ends), s.p[n]))
        n++;
    return n;
}

/* Behind "scheme://" or "//", else at the start. Browsers take a backslash for a slash. */
static size_t authority_at(struct slice url)
{
    size_t n = until(url, "/\\?#@");
    if (n == url.n || (url.p[n] != '/' && url.p[n] != '\\'))
        return 0;
    while (n < url.n && (url.p[n] == '/' || url.p[n] == '\\'))
        n++;
    return n;
}

/* A page's URL may hold a password before its host, and secrets in its query and its fragment. */
static struct slice clean_referer(struct log_parts *p, struct slice url, bool query)
{
    struct text t = text_in(p->referer, sizeof p->referer);
    size_t authority = authority_at(url);
    struct slice rest = slice_skip(url, authority);
    size_t host = until(rest, "/\\?#");
    while (host > 0 && rest.p[host - 1] != '@')
        host--;
    rest = slice_skip(rest, host);
    text_put(&t, url.p, authority);
    text_put(&t, rest.p, query ? rest.n : until(rest, "?#"));
    return text_slice(&t);
}

static bool is_connect(const struct log_parts *p)
{
    bool tunnel = p->r->tunnel || (p->r->head.told & TOLD_TLS); /* or one that was refused */
    return tunnel && p->s[STRING_METHOD].n == 7 && memcmp(p->s[STRING_METHOD].p, "CONNECT", 7) == 0;
}

/* Of the target HOST:PORT. */
static struct slice host_of(struct slice target)
{
    const char *colon = memrchr(target.p, ':', target.n);
    return colon ? slice_range(target.p, colon) : target;
}

/* The target of a CONNECT holds its host, so that the other place is free for the name. */
static void part_sni(struct log_parts *p)
{
    p->sni = SLICE("");
    if (likely(!is_connect(p)))
        return;
    p->sni = p->r->named ? host_of(p->s[STRING_TARGET]) : p->s[STRING_HOST];
    p->s[STRING_HOST] = SLICE("");
}

void log_parts(struct log_parts *p, const struct log_style *style, const struct access_record *r)
{
    p->r = r;
    cut_strings(p->s, &r->head, (const char *)(r + 1));
    part_sni(p);
    p->client = style->mask_client ? masked(&r->client) : r->client;
    p->why = evidence_read(p->s[STRING_RULE]);
    p->s[STRING_RULE] = p->why.rule;
    struct slice rest = p->s[STRING_USER];
    (void)slice_cut(&rest, 0, &p->s[STRING_USER]); /* the rest is for whoever decides again */
    struct slice *target = &p->s[STRING_TARGET];
    const char *mark = slice_find(*target, '?');
    p->query = (struct slice){ NULL, 0 };
    p->hidden = mark && !style->query;
    if (mark) {
        if (style->query)
            p->query = slice_range(mark + 1, target->p + target->n);
        *target = slice_range(target->p, mark);
    }
    if (p->s[STRING_REFERER].n)
        p->s[STRING_REFERER] = clean_referer(p, p->s[STRING_REFERER], style->query);
}

/* ---- pieces ---- */

void log_put_status(struct text *t, const struct access_record *r)
{
    if (r->head.status)
        text_u64(t, r->head.status);
    else
        text_char(t, '-');
}

struct slice log_told(const struct access_record *r)
{
    static const char *const words[] = { [TOLD_THE_PROXY] = "",
                                         [TOLD_CONFIRMED] = "confirmed",
                                         [TOLD_UNCONFIRMED] = "unconfirmed",
                                         [TOLD_NOTHING] = "absent" };
    return slice_of(words[r->head.told & TOLD_MASK]);
}

void log_put_cached(struct text *t, const struct access_record *r)
{
    text_cstr(t, cached_info((enum cached)r->head.cached)->word);
    if (r->head.cached && !cached_saved(r->head.cached) && r->head.kept != KEPT_YES) {
        text_char(t, ':');
        text_cstr(t, kept_info((enum kept)r->head.kept)->word);
    }
}

void log_put_id(struct text *t, const struct log_parts *p)
{
    char hex[16];
    u64 id = p->r->id;
    if (p->why.id.n) {
        text_escaped(t, p->why.id);
        return;
    }
    for (unsigned i = sizeof hex; i-- > 0; id >>= 4)
        hex[i] = "0123456789abcdef"[id & 15];
    text_put(t, hex, sizeof hex);
}

void log_put_url(struct text *t, const struct log_parts *p,
                 void (*put)(struct text *t, struct slice s))
{
    if (p->s[STRING_HOST].n) {
        text_lit(t, "http://");
        put(t, p->s[STRING_HOST]);
    }
    if (p->s[STRING_TARGET].n)
        put(t, p->s[STRING_TARGET]);
    else
        text_char(t, '-');
    if (p->query.p) {
        text_char(t, '?');
        put(t, p->query);
    }
}

bool log_has_version(const struct log_parts *p)
{
    enum fault f = (enum fault)p->r->fault;
    return p->s[STRING_TARGET].n && f != FAULT_bad_target && f != FAULT_bad_request_line &&
           f != FAULT_bad_version && f != FAULT_target_too_long;
}

u64 log_content(const struct access_record *r)
{
    return r->bytes_out > r->no_content ? r->bytes_out - r->no_content : 0;
}

/* ---- lines ---- */

void log_format_access(struct text *t, struct log_clock *c, const struct log_style *style,
                       const struct access_record *r)
{
    struct log_parts p;
    log_parts(&p, style, r);
    switch ((enum log_format)style->format) {
    case FORMAT_READABLE: log_put_readable(t, c, &p); break;
    case FORMAT_SQUID: log_put_squid(t, &p); break;
    case FORMAT_COMMON: log_put_common(t, c, &p, false); break;
    case FORMAT_COMBINED: log_put_common(t, c, &p, true); break;
    case FORMAT_JSON: log_put_json(t, c, &p); break;
    case FORMAT_W3C: log_put_w3c(t, c, &p, false); break;
    case FORMAT_W3C_IIS: log_put_w3c(t, c, &p, true); break;
    }
    text_char(t, '\n');
}

void log_format_begin(struct text *t, struct log_clock *c, const struct log_style *style,
                      u64 now_us)
{
    if (style->format == FORMAT_W3C || style->format == FORMAT_W3C_IIS)
        log_put_w3c_begin(t, c, now_us);
}

void log_format_error(struct text *t, struct log_clock *c, const struct error_record *r)
{
    static const char *const level[] = { "error", "warning", "info", "debug" };
    log_put_time(t, c, r->head.wall_us);
    text_char(t, ' ');
    text_cstr(t, level[r->head.level & 3]);
    text_lit(t, ": ");
    text_escaped(t, (struct slice){ (const char *)(r + 1), r->head.length[0] });
    text_char(t, '\n');
}
