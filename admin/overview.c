#include "admin/overview.h"

#include <pthread.h>
#include <stdlib.h>

#include "admin/curve.h"
#include "admin/figures.h"
#include "admin/overview_tables.h"
#include "base/must.h"
#include "base/stat.h"
#include "core/common/snapshot.h"
#include "core/report/page.h"
#include "core/report/template.h"
#include "io/digest.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

EMBED(overview_html, "admin/overview.html")
EMBED(overview_css, "admin/overview.css")
EMBED(overview_base_css, "proxyd/core/report/refusal.css")

/* ---- the policy ---- */

/* Of 32 bytes in hexadecimal. */
static void put_base64(struct text *t, const char *hex)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    u8 bytes[DIGEST_BYTES + 1] = { 0 };
    for (unsigned i = 0; i < DIGEST_BYTES; i++) {
        char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };
        bytes[i] = (u8)strtoul(two, NULL, 16);
    }
    for (unsigned i = 0; i < DIGEST_BYTES; i += 3) {
        u32 three = (u32)bytes[i] << 16 | (u32)bytes[i + 1] << 8 |
                    (i + 2 < sizeof bytes ? bytes[i + 2] : 0);
        for (unsigned k = 0; k < 4; k++)
            text_char(t, letters[three >> (18 - 6 * k) & 63]);
    }
    t->p[t->n - 1] = '='; /* 32 bytes are 43 letters */
}

static char policy[200];

/* Over what stands between <style> and </style> in overview.html. */
static void make_policy(void)
{
    char hex[DIGEST_TEXT];
    struct text t = text_in(policy, sizeof policy - 1);
    struct digest *d = digest_new();
    digest_add(d, SLICE("\n"));
    digest_add(d, overview_base_css());
    digest_add(d, overview_css());
    digest_end(d, hex);
    text_lit(&t, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                 "style-src 'sha256-");
    put_base64(&t, hex);
    text_lit(&t, "'");
    must(!t.full);
}

const char *overview_policy(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_policy);
    return policy;
}

/* ---- what it says of the whole ---- */

static void facts(struct view *v)
{
    FILE *to = v->to;
    u32 workers = v->snapshot ? v->snapshot->nworkers : 0;
    fputs("<span>up ", to);
    figure_time(to, v->up_s);
    fprintf(to, "</span><span>%u worker%s</span>", workers, workers == 1 ? "" : "s");
    if (v->snapshot) {
        u64 age = v->now_us > v->snapshot->made_us ? v->now_us - v->snapshot->made_us : 0;
        fprintf(to, "<span>configuration %llu, in force for ",
                (unsigned long long)v->snapshot->generation);
        figure_time(to, age / 1000000);
        fputs("</span>", to);
    }
    u64 refused = stat_sum(STAT_reloads_refused);
    if (refused)
        fprintf(to, "<span>%llu reload%s refused</span>", (unsigned long long)refused,
                refused == 1 ? "" : "s");
}

static void tile(FILE *to, const char *title)
{
    fprintf(to, "<div><dt>%s</dt><dd class=\"figure\">", title);
}

static void more(FILE *to)
{
    fputs("</dd><dd class=\"more\">", to);
}

static void end_tile(FILE *to)
{
    fputs("</dd></div>\n", to);
}

static void cache_tiles(struct view *v)
{
    FILE *to = v->to;
    u64 saved = view_grown(v, HISTORY_SAVED), sent = view_grown(v, HISTORY_TO_CLIENTS);
    tile(to, "From the cache");
    figure_share(to, view_grown(v, HISTORY_HITS), view_grown(v, HISTORY_ASKED));
    more(to);
    fputs("of requests that it was asked for, ", to);
    figure_share(to, saved < sent ? saved : sent, sent);
    fputs(" of all bytes", to);
    end_tile(to);
    tile(to, "Saved");
    figure_bytes(to, (double)saved);
    more(to);
    view_put_span(v);
    end_tile(to);
}

static void traffic_tiles(struct view *v)
{
    FILE *to = v->to;
    tile(to, "Requests");
    figure_rate(to, view_rate(v, HISTORY_REQUESTS));
    more(to);
    figure_count(to, (double)view_grown(v, HISTORY_REQUESTS));
    fputc(' ', to);
    view_put_span(v);
    end_tile(to);
    if (v->caches)
        cache_tiles(v);
    tile(to, "To clients");
    figure_byte_rate(to, view_rate(v, HISTORY_TO_CLIENTS));
    more(to);
    figure_bytes(to, (double)view_grown(v, HISTORY_TO_CLIENTS));
    fputc(' ', to);
    view_put_span(v);
    end_tile(to);
}

static void tiles(struct view *v)
{
    FILE *to = v->to;
    traffic_tiles(v);
    tile(to, "Connections");
    figure_count(to, (double)stat_sum(STAT_connections_open));
    more(to);
    figure_count(to, (double)stat_sum(STAT_tunnels_open));
    fputs(" tunnels, ", to);
    figure_count(to, (double)stat_sum(STAT_requests_in_flight));
    fputs(" requests in flight", to);
    end_tile(to);
    tile(to, "Memory");
    figure_bytes(to, (double)view_memory());
    more(to);
    fprintf(to, "CPU: %.*f %% of a core", view_rate(v, HISTORY_CPU_US) < 99500,
            view_rate(v, HISTORY_CPU_US) / 1e4);
    end_tile(to);
}

static void curves(struct view *v)
{
    static const struct curve requests = { .kind = CURVE_RATE,
                                           .title = "Requests",
                                           .of_all = HISTORY_REQUESTS },
                              hits = { .kind = CURVE_RATE,
                                       .title = "Requests",
                                       .all = "all",
                                       .part = "from the cache",
                                       .of_all = HISTORY_REQUESTS,
                                       .of_part = HISTORY_HITS },
                              bytes = { .kind = CURVE_BYTE_RATE,
                                        .title = "To clients",
                                        .of_all = HISTORY_TO_CLIENTS },
                              saved = { .kind = CURVE_BYTE_RATE,
                                        .title = "To clients",
                                        .all = "all",
                                        .part = "from the cache",
                                        .of_all = HISTORY_TO_CLIENTS,
                                        .of_part = HISTORY_SAVED },
                              ratio = { .kind = CURVE_SHARE,
                                        .title = "Share from the cache",
                                        .of_all = HISTORY_ASKED,
                                        .of_part = HISTORY_HITS };
    curve_draw(v, v->caches ? &hits : &requests);
    curve_draw(v, v->caches ? &saved : &bytes);
    if (v->caches)
        curve_draw(v, &ratio);
}

/* ---- the whole ---- */

enum { SECTIONS = 8 };

static const struct section {
    const char *name;
    void (*write)(struct view *v);
} sections[SECTIONS] = {
    { "facts", facts },
    { "tiles", tiles },
    { "curves", curves },
    { "listeners", overview_listeners },
    { "caches", overview_caches },
    { "top", overview_top },
    { "failures", overview_failures },
    { "lists", overview_lists },
};

static char *section(struct view *v, const struct section *s, struct template_value *to)
{
    char *area = NULL;
    size_t n = 0;
    v->to = open_memstream(&area, &n);
    must(v->to != NULL);
    s->write(v);
    fclose(v->to);
    *to = (struct template_value){ s->name, { area, n }, VALUE_MARKUP };
    return area;
}

char *overview_write(struct view *v, size_t *n)
{
    enum { OWN = 7 };
    const char *why = v->ready ? "" : v->why;
    char time[32], *areas[SECTIONS];
    struct text when = text_in(time, sizeof time);
    page_time(&when, v->now_us, false);
    struct template_value values[OWN + SECTIONS + 1] = {
        { "serving", v->ready ? SLICE("Serving") : SLICE(""), VALUE_MARKUP },
        { "waiting", slice_of(why), VALUE_OF_ADMINISTRATOR },
        { "tone", slice_of(v->ready ? "serving" : "waiting"), VALUE_MARKUP },
        { "version", SLICE(PROXYD_VERSION), VALUE_MARKUP },
        { "time", text_slice(&when), VALUE_MARKUP },
        { "base", overview_base_css(), VALUE_MARKUP },
        { "style", overview_css(), VALUE_MARKUP },
    };
    size_t room = overview_html().n + 4096;
    for (unsigned i = 0; i < SECTIONS; i++)
        areas[i] = section(v, &sections[i], &values[OWN + i]);
    for (unsigned i = 0; i < OWN + SECTIONS; i++)
        room += values[i].value.n;
    struct text out = text_in(must_alloc(room), room);
    template_write(&out, overview_html(), values);
    must(!out.full);
    for (unsigned i = 0; i < SECTIONS; i++)
        free(areas[i]);
    *n = out.n;
    return out.p;
}
