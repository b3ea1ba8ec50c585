#include "fetch_report.h"

#include <poll.h>
#include <stdio.h>

#include "base/cached.h"
#include "base/must.h"
#include "base/str.h"
#include "http/token.h"

enum { MOST_BYTES = 100 << 20 };

static void put_ms(FILE *to, const char *what, u64 from, u64 until)
{
    if (until && from)
        fprintf(to, "%-11s %llu.%01llu ms\n", what, (unsigned long long)((until - from) / 1000),
                (unsigned long long)((until - from) / 100 % 10));
}

static void put_times(FILE *to, const struct fetch_result *r)
{
    const struct xchg_facts *x = &r->facts;
    u64 before_connect = x->resolved_us ? x->resolved_us : x->start_us;
    put_ms(to, "look-up", x->start_us, x->resolved_us);
    put_ms(to, "connect", before_connect, x->connected_us);
    put_ms(to, "first byte", x->connected_us ? x->connected_us : x->start_us, x->first_us);
    put_ms(to, "all", x->start_us, r->end_us);
}

/* As the access log has it, and in words what kept the answer out. */
static void put_cached(FILE *to, const struct xchg_facts *x)
{
    if (x->cached == CACHED_NOTHING)
        return;
    fprintf(to, "%-11s %s", "cache", cached_info((enum cached)x->cached)->word);
    if (!cached_saved(x->cached) && x->kept != KEPT_YES)
        fprintf(to, ":%s, not kept: %s", kept_info((enum kept)x->kept)->word,
                kept_info((enum kept)x->kept)->text);
    fputc('\n', to);
}

static void put_answer(FILE *to, const struct fetch_result *r)
{
    const struct xchg_facts *x = &r->facts;
    char area[ADDR_TEXT];
    struct text server = text_in(area, sizeof area);
    fprintf(to, "%-11s %u %.*s%s\n", "status", r->status, SLICE_FMT(status_reason(r->status)),
            x->is_local ? ", of the proxy itself" : "");
    if (x->is_local && x->fault)
        fprintf(to, "%-11s %s: %s\n", "cause", fault_info((enum fault)x->fault)->token,
                fault_info((enum fault)x->fault)->text);
    if (x->rule.n)
        fprintf(to, "%-11s %.*s\n", "rule", SLICE_FMT(x->rule));
    put_cached(to, x);
    if (x->server.family) {
        addr_text_port(&server, &x->server);
        fprintf(to, "%-11s %.*s%s\n", "server", SLICE_FMT(text_slice(&server)),
                x->idle ? ", by a connection that was open" : "");
    }
    put_times(to, r);
    fprintf(to, "%-11s %llu bytes%s\n", "body", (unsigned long long)r->bytes,
            r->end == FETCH_TOO_LONG ? ", given up there"
            : r->fault == FAULT_NONE ? ""
                                     : ", then cut");
}

static unsigned report(FILE *to, const struct fetch_order *o, const struct fetch_result *r)
{
    if (r->end == FETCH_NO_URL) {
        fputs("that is no URL: http://HOST/… is wanted\n", to);
        return 400;
    }
    if (r->end == FETCH_NOBODY) {
        fprintf(to, "there is no listener %.*s\n", SLICE_FMT(o->listener));
        return 400;
    }
    if (r->end == FETCH_ENDING) {
        fputs("the proxy ends, or has no memory for it\n", to);
        return 503;
    }
    fprintf(to, "%-11s %.*s\n%-11s %s\n", "url", SLICE_FMT(o->url), "listener", r->name);
    if (r->status == 0) {
        fprintf(to, "%-11s %s: %s\n", "cause", fault_info(r->fault)->token,
                fault_info(r->fault)->text);
        put_times(to, r);
        return 502;
    }
    put_answer(to, r);
    return r->fault == FAULT_NONE || r->end == FETCH_TOO_LONG ? 200 : 502;
}

static bool has_gone(void *caller)
{
    struct pollfd p = { .fd = *(int *)caller };
    return p.fd >= 0 && poll(&p, 1, 0) > 0;
}

unsigned fetch_report(struct fetching *f, struct slice what, int caller, char **text)
{
    struct fetch_order order = { .most = MOST_BYTES, .unwanted = has_gone, .ctx = &caller };
    struct fetch_result result;
    size_t n;
    FILE *to = open_memstream(text, &n);
    must(to != NULL);
    slice_cut(&what, ' ', &order.url);
    order.listener = what;
    fetch_run(f, &order, &result);
    unsigned status = report(to, &order, &result);
    fclose(to);
    return status;
}
