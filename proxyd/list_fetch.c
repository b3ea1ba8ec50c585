#include "list_fetch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"
#include "http/token.h"

enum { SUMS = 256 << 10, FIRST = 16, PAGE = 64 << 10, WAIT_MOST_S = 86400 };

/* The way of one URL over its redirects. */
struct way {
    const struct list_fetch *f;
    char *why;
    struct fetch_result result;
    struct list_stamp *stamp; /* from, etag, modified of the answer */
    char location[LIST_URL];  /* of a redirect; empty: none was sent, or it was too long */
    bool html, oversize, conditional, is_list;
    size_t passed; /* of what is no list */
    u64 most;
    const char *(*take)(struct way *w, struct slice run); /* NULL: fine; else what is wrong */
    const char *wrong;
    struct digest *digest; /* of the list */
    char first[FIRST];     /* of its bytes */
    size_t nfirst;
    struct text sums; /* the file of checksums */
};

static bool fail(struct way *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool fail(struct way *w, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(w->why, LIST_FETCH_WHY, "%.300s: ", w->stamp->from);
    va_start(ap, fmt);
    vsnprintf(w->why + n, LIST_FETCH_WHY - (size_t)n, fmt, ap);
    va_end(ap);
    return false;
}

/* ---- the answer ---- */

static void note(char *to, size_t room, struct slice value)
{
    struct text t = text_in(to, room - 1);
    text_add(&t, value);
    to[t.n] = 0;
}

static bool is_html(struct slice type)
{
    return (type.n >= 9 && slice_eq_nocase((struct slice){ type.p, 9 }, SLICE("text/html"))) ||
           (type.n >= 15 &&
            slice_eq_nocase((struct slice){ type.p, 15 }, SLICE("application/xht")));
}

/* Seconds, or a date (RFC 9110 section 10.2.3). */
static u64 wait_of(struct slice value)
{
    char text[64];
    struct tm when = { 0 };
    u64 s = 0;
    if (!slice_u64(value, &s)) {
        note(text, sizeof text, value);
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &when);
        i64 left = end && *end == 0 ? timegm(&when) - time(NULL) : 0;
        s = left > 0 ? (u64)left : 0;
    }
    return s < WAIT_MOST_S ? s : WAIT_MOST_S;
}

static bool on_head(void *ctx, const struct msg *resp)
{
    struct way *w = ctx;
    note(w->location, sizeof w->location, msg_get(resp, TOKEN_LOCATION));
    w->passed = 0;
    if (resp->status == 429 || resp->status == 503)
        *w->f->wait_s = wait_of(msg_get(resp, TOKEN_RETRY_AFTER));
    w->is_list = resp->status == 200;
    if (!w->is_list)
        return true;
    note(w->stamp->etag, sizeof w->stamp->etag, msg_get(resp, TOKEN_ETAG));
    note(w->stamp->modified, sizeof w->stamp->modified, msg_get(resp, TOKEN_LAST_MODIFIED));
    w->html = is_html(msg_get(resp, TOKEN_CONTENT_TYPE));
    w->oversize = resp->body == BODY_LENGTH && resp->body_len > w->most;
    return !w->oversize;
}

static bool on_body(void *ctx, struct slice run)
{
    struct way *w = ctx;
    if (!w->is_list) /* the page of an error or of a redirect, so that the connection can be kept */
        return (w->passed += run.n) <= PAGE;
    w->wrong = w->take(w, run);
    return w->wrong == NULL;
}

static bool unwanted(void *ctx)
{
    const struct list_fetch *f = ((struct way *)ctx)->f;
    return f->unwanted(f->ctx);
}

/* Only of the very URL that the content came from: another one may use the same words. */
static void add_condition(struct way *w, struct text *fields)
{
    const struct list_stamp *have = w->f->have;
    w->conditional = w->digest && have && strcmp(have->from, w->stamp->from) == 0 &&
                     (have->etag[0] || have->modified[0]);
    if (!w->conditional)
        return;
    if (have->etag[0])
        text_fmt(fields, "If-None-Match: %s\r\n", have->etag);
    if (have->modified[0])
        text_fmt(fields, "If-Modified-Since: %s\r\n", have->modified);
}

static void ask(struct way *w)
{
    char area[1024];
    struct text fields = text_in(area, sizeof area);
    text_lit(&fields, "Accept-Encoding: identity\r\n");
    add_condition(w, &fields);
    struct fetch_order order = {
        .url = slice_of(w->stamp->from),
        .fields = text_slice(&fields),
        .by = &w->f->errand->listener,
        .most = w->most,
        .limit_ms = w->f->conf->timeout,
        .dispensable = true,
        .head = on_head,
        .body = on_body,
        .unwanted = unwanted,
        .ctx = w,
    };
    w->wrong = NULL;
    w->oversize = w->html = false;
    w->location[0] = 0;
    fetch_run(w->f->fetching, &order, &w->result);
}

/* ---- what came of it ---- */

static bool refused_here(struct way *w)
{
    const struct fault_info *f = fault_info((enum fault)w->result.facts.fault);
    return fail(w, "%s: %s", f->token, f->text);
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool follow(struct way *w)
{
    char area[LIST_URL];
    struct text to = text_in(area, sizeof area - 1);
    if (w->location[0] == 0)
        return fail(w, "it answered %u and does not say where it leads", w->result.status);
    if (!list_url_resolve(&to, slice_of(w->stamp->from), slice_of(w->location)))
        return fail(w, "it leads to a URL that is too long");
    area[to.n] = 0;
    const char *wrong = list_url_wrong(text_slice(&to));
    if (wrong)
        return fail(w, "it leads to %.150s: %s", area, wrong);
    memcpy(w->stamp->from, area, to.n + 1);
    return true;
}

static bool fail_by(struct way *w)
{
    const struct fetch_result *r = &w->result;
    if (w->oversize || r->end == FETCH_TOO_LONG)
        return fail(w, "it is larger than %llu bytes (max-size)", (unsigned long long)w->most);
    if (w->wrong)
        return fail(w, "%s", w->wrong);
    if (r->end == FETCH_LATE)
        return fail(w, "it was not here in time (timeout): %llu bytes came",
                    (unsigned long long)r->bytes);
    if (r->status)
        return fail(w, "its answer was cut off behind %llu bytes: %s", (unsigned long long)r->bytes,
                    fault_info(r->fault)->text);
    return fail(w, "%s: %s", fault_info(r->fault)->token, fault_info(r->fault)->text);
}

enum hop { HOP_HERE, HOP_SAME, HOP_ON, HOP_NOT, HOP_UNWANTED };

static enum hop judge(struct way *w)
{
    const struct fetch_result *r = &w->result;
    if (r->status == 200 && r->end == FETCH_WHOLE)
        return HOP_HERE;
    if (r->end == FETCH_ENDING || (r->end == FETCH_GIVEN_UP && w->f->unwanted(w->f->ctx)))
        return HOP_UNWANTED;
    if (r->status == 0 || r->status == 200) {
        fail_by(w);
        return HOP_NOT;
    }
    if (r->facts.is_local) {
        refused_here(w);
        return HOP_NOT;
    }
    if (is_redirect(r->status))
        return follow(w) ? HOP_ON : HOP_NOT;
    if (r->status == 304 && w->conditional)
        return HOP_SAME;
    fail(w,
         r->status == 304 ? "it answered %u %.*s, and nothing was asked about a copy"
                          : "it answered %u %.*s",
         r->status, SLICE_FMT(status_reason(r->status)));
    return HOP_NOT;
}

static enum hop go(struct way *w, struct slice url)
{
    note(w->stamp->from, sizeof w->stamp->from, url);
    for (unsigned i = 0; i <= LIST_HOPS; i++) {
        ask(w);
        enum hop h = judge(w);
        if (h != HOP_ON)
            return h;
    }
    fail(w, "there are more than %d redirects on the way", LIST_HOPS);
    return HOP_NOT;
}

/* ---- the checksum ---- */

static const char *take_sums(struct way *w, struct slice run)
{
    text_add(&w->sums, run);
    return w->sums.full ? "it is too large for a file of checksums" : NULL;
}

static struct slice file_of(struct slice url)
{
    const char *end = slice_find(url, '?');
    struct slice path = end ? slice_range(url.p, end) : url;
    const char *slash = memrchr(path.p, '/', path.n);
    return slash ? slice_range(slash + 1, path.p + path.n) : path;
}

/* "SUM", "SUM  FILE" or "SUM *FILE"; the line of `file` before any other. Empty: there is none. */
static struct slice find_sum(struct slice text, struct slice file)
{
    struct slice line, sum, found = { NULL, 0 };
    while (text.n && slice_cut(&text, '\n', &line)) {
        line = slice_trim(
            line.n && line.p[line.n - 1] == '\r' ? (struct slice){ line.p, line.n - 1 } : line);
        struct slice rest = line;
        if (!slice_cut(&rest, ' ', &sum) || sum.n != DIGEST_TEXT - 1)
            continue;
        rest = slice_trim(rest);
        if (rest.n && rest.p[0] == '*')
            rest = slice_skip(rest, 1);
        if (slice_eq(rest, file))
            return sum;
        if (found.n == 0)
            found = sum;
    }
    return found;
}

/* True: it is as it should be, or nobody has said how it should be. */
static bool check_sum(const struct list_fetch *f, struct list_stamp *list, char *why)
{
    struct slice want = f->conf->checksum;
    struct list_stamp stamp;
    struct way w = { .f = f, .why = why, .stamp = &stamp, .most = SUMS, .take = take_sums };
    bool good = want.n == 0;
    if (list_url_is(want)) {
        w.sums = text_in(must_alloc(SUMS), SUMS);
        if (go(&w, want) != HOP_HERE)
            goto out;
        want = find_sum(text_slice(&w.sums), file_of(f->conf->shown));
        if (want.n == 0 && !fail(&w, "no SHA-256 stands there"))
            goto out;
    }
    good = good || slice_eq_nocase(want, slice_of(list->sum));
    w.stamp = list;
    if (!good)
        fail(&w, "its SHA-256 is %.16s... and should be %.16s...", list->sum, want.p);
out:
    free(w.sums.p);
    return good;
}

/* ---- the list ---- */

static const char *write_list(struct way *w, struct slice run)
{
    for (size_t i = 0; i < run.n && w->nfirst < FIRST; i++)
        if (w->nfirst || (u8)run.p[i] > ' ')
            w->first[w->nfirst++] = run.p[i];
    digest_add(w->digest, run);
    while (run.n) {
        ssize_t n = write(w->f->fd, run.p, run.n);
        if (n < 0 && errno != EINTR)
            return strerror(errno);
        run = slice_skip(run, n > 0 ? (size_t)n : 0);
    }
    return NULL;
}

enum list_fetched list_fetch(const struct list_fetch *f, struct list_stamp *out,
                             char why[LIST_FETCH_WHY])
{
    struct way w = { .f = f,
                     .why = why,
                     .stamp = out,
                     .most = f->conf->max_size,
                     .take = write_list,
                     .digest = digest_new() };
    *out = (struct list_stamp){ .bytes = 0 };
    why[0] = 0;
    *f->wait_s = 0;
    enum hop h = go(&w, f->conf->shown);
    digest_end(w.digest, out->sum);
    out->bytes = w.result.bytes;
    out->checked_s = clock_us(CLOCK_REALTIME) / 1000000;
    if (h == HOP_SAME) {
        u64 now = out->checked_s;
        *out = *f->have;
        out->checked_s = now;
        return LIST_UNCHANGED;
    }
    if (h == HOP_HERE && w.html && w.first[0] == '<') {
        fail(&w, "it is a web page, no list");
        h = HOP_NOT;
    }
    if (h == HOP_HERE && check_sum(f, out, why))
        return LIST_FETCHED;
    return h == HOP_UNWANTED || f->unwanted(f->ctx) ? LIST_UNWANTED : LIST_NOT_FETCHED;
}
