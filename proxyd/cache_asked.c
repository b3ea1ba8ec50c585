/*
 * What would a cache be to this request? The hard thing is not to become a second reading of it:
 * the parser of traffic reads it, and each question is put to the very function that a worker asks
 * (cache/request.h, vary.h, freshness.h, kept.h). What a worker knows besides is not known here:
 * the rule that decides, and which server's address it allows.
 */
#include "cache_asked.h"

#include "base/str.h"
#include "cache/request.h"
#include "cache/vary.h"
#include "http/chars.h"
#include "made_head.h"

/* ---- reading it ---- */

static const char *read_fields(struct slice lines, struct text *t)
{
    struct slice field;
    while (slice_cut(&lines, '\n', &field)) {
        const char *wrong = made_head_field_wrong(field);
        if (wrong)
            return wrong;
        text_add(t, field);
        text_lit(t, "\r\n");
    }
    return t->full ? "the headers are too long: 4096 bytes are taken" : NULL;
}

const char *asked_read(struct asked *a, struct slice method, struct slice url, struct slice fields)
{
    static const struct head_limits limits = { .head = 32 << 10, .line = 16 << 10, .fields = 128 };
    arena_init(&a->arena, 0);
    struct text t = text_in(arena_alloc(&a->arena, ASKED_FIELDS_MOST), ASKED_FIELDS_MOST);
    const char *wrong = read_fields(fields, &t);
    if (wrong)
        return wrong;
    if (!slice_is_token(method))
        return "that is no method";
    const struct made_head head = { method, url, text_slice(&t) };
    enum fault f = made_head_parse(&head, &limits, &a->arena, &a->msg);
    if (f != FAULT_NONE)
        return fault_info(f)->text;
    control_of_request(a->msg, &a->control);
    a->alone = request_alone(a->msg, NULL, false);
    a->on_route = request_alone(a->msg, NULL, true);
    return NULL;
}

void asked_end(struct asked *a)
{
    if (a->arena.chunk)
        arena_free(&a->arena);
}

/* ---- what it decides alone ---- */

static bool only_if_cached(const struct asked *a)
{
    return a->control.has & CONTROL_ONLY_IF_CACHED;
}

static void show_bypass(FILE *to, const struct asked *a, const char *who, enum kept why)
{
    if (only_if_cached(a) && method_is_safe(a->msg->method))
        fprintf(to,
                "  this request: %s504, for only what is kept is wanted, and the cache is not "
                "asked: %s (%s)\n",
                who, kept_info(why)->text, cached_info(CACHED_ABSENT)->word);
    else
        fprintf(to, "  this request: %sthe cache is not asked: %s (%s:%s)\n", who,
                kept_info(why)->text, cached_info(CACHED_BYPASS)->word, kept_info(why)->word);
}

/* Would an answer to it be kept, if that says that it may, and nothing else? */
static enum kept plain_kept(const struct asked *a)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                               "Cache-Control: max-age=60\r\n\r\n";
    static const struct head_limits limits = { .head = 1024, .line = 256, .fields = 8 };
    struct msg m;
    struct freshness f;
    msg_init(&m, NULL);
    if (response_parse(&m, head, sizeof head - 1, &limits, a->msg->method) != FAULT_NONE)
        return KEPT_YES;
    return response_kept(a->msg, &m, 0, 0, NULL, &f);
}

void asked_show(FILE *to, const struct asked *a, bool has_routes)
{
    if (a->alone != KEPT_YES) {
        show_bypass(to, a, "", a->alone);
        return;
    }
    if (has_routes && a->on_route != KEPT_YES)
        show_bypass(to, a,
                    msg_has(a->msg, TOKEN_AUTHORIZATION)
                        ? "on a route "
                        : "on a route without cache-ignore-cookies ",
                    a->on_route);
    enum kept plain = plain_kept(a);
    if (plain != KEPT_YES)
        fprintf(to,
                "  this request: an answer that says no more than max-age is not kept: %s (%s)\n",
                kept_info(plain)->text, kept_info(plain)->word);
    if (only_if_cached(a))
        fprintf(to, "  this request: 504 unless what is kept may be used (%s)\n",
                cached_info(CACHED_ABSENT)->word);
}

/* ---- one that is kept ---- */

static void show_use(FILE *to, const struct asked *a, const struct asked_of *kept, u64 now_s)
{
    i64 ttl;
    char area[CACHE_STATUS_MOST];
    struct text t = text_in(area, sizeof area);
    struct cache_status s = { .fwd = request_fwd(&a->control) };
    if (freshness_use(kept->fresh, &a->control, now_s, &ttl) != USE_VALIDATE)
        s = cache_status_of_kept(kept->grows, ttl);
    else if (only_if_cached(a)) {
        fprintf(to,
                "    this request: 504, for this must not be used without asking the origin (%s)\n",
                cached_info(CACHED_ABSENT)->word);
        return;
    }
    cache_status_write(&t, SLICE("proxyd"), &s);
    fprintf(to, "    this request: %.*s\n", (int)(t.n - 2), t.p);
}

bool asked_show_kept(FILE *to, const struct asked *a, const struct asked_of *kept, u64 now_s)
{
    bool fits = kept->vary.n == 0 || kept->variant == vary_key(&kept->secret, kept->vary, a->msg);
    if (fits)
        show_use(to, a, kept, now_s);
    else
        fprintf(to, "    this request: another variant, by %.*s (%.*s)\n", SLICE_FMT(kept->vary),
                SLICE_FMT(fwd_word(FWD_VARY_MISS)));
    return fits;
}
