/* Cache-Control means the same in any order, in any case and on as many lines as one likes; what
 * forbids is found however garbled the rest is; one error makes a targeted field count for nothing.
 */
#include "http_fuzz.h"

#include "base/str.h"
#include "cache/freshness.h"

enum { PARTS_MOST = 64 };

static void begin(struct msg *m, struct arena *a)
{
    msg_init(m, a);
    m->response = true;
    m->status = 200;
}

/* Cut at commas outside of quotes; 0: too many, or a quote is not closed. */
static unsigned cut(struct slice s, struct slice part[PARTS_MOST])
{
    unsigned n = 0;
    bool quoted = false;
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i == s.n || (s.p[i] == ',' && !quoted)) {
            if (n == PARTS_MOST)
                return 0;
            part[n++] = (struct slice){ s.p + from, i - from };
            from = i + 1;
        } else if (s.p[i] == '"') {
            quoted = !quoted;
        } else if (s.p[i] == '\\' && quoted && i + 1 < s.n) {
            i++;
        }
    }
    return quoted ? 0 : n;
}

static void flip_case(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ascii_alpha(p[i]))
            p[i] ^= 0x20;
}

static void check_numbers(const struct cache_control *c)
{
    const u32 most = CONTROL_SECONDS_MOST;
    CHECK(c->max_age <= most && ((c->has & CONTROL_MAX_AGE) || c->max_age == 0));
    CHECK(c->s_maxage <= most && ((c->has & CONTROL_S_MAXAGE) || c->s_maxage == 0));
    CHECK(c->min_fresh <= most || c->min_fresh == UINT32_MAX);
    CHECK(c->stale_while_revalidate <= most && c->stale_if_error <= most);
}

/* Each directive on a line of its own, from the last to the first, in the other case. */
static void check_shuffled(struct slice value, const struct cache_control *want)
{
    struct slice part[PARTS_MOST];
    unsigned n = cut(value, part);
    struct arena a;
    struct msg m;
    struct cache_control got;
    arena_init(&a, 0);
    begin(&m, &a);
    for (unsigned i = n; i > 0; i--) {
        struct slice copy = arena_copy(&a, part[i - 1]);
        flip_case((char *)(uintptr_t)copy.p, copy.n);
        CHECK(msg_add(&m, SLICE("Cache-Control"), copy));
    }
    control_of_response(&m, false, &got);
    CHECK(n == 0 || memcmp(&got, want, sizeof got) == 0);
    arena_free(&a);
}

/* The response and what stands on another line: no more is allowed than without it. */
static void check_more(struct msg *m, const struct cache_control *before)
{
    struct cache_control after;
    CHECK(msg_add(m, SLICE("cache-control"), SLICE("x-unknown=\"y, z\"")));
    control_of_response(m, false, &after);
    CHECK(memcmp(&after, before, sizeof after) == 0);
    CHECK(msg_add(m, SLICE("cache-control"), SLICE("no-store, max-age=1, s-maxage=0")));
    control_of_response(m, false, &after);
    CHECK((after.has & before->has) == before->has && (after.has & CONTROL_NO_STORE));
    CHECK(after.max_age <= 1 && after.s_maxage == 0);
}

static void check_targeted(struct slice value, struct arena *a)
{
    struct msg m;
    struct cache_control c;
    struct text t = text_in(arena_alloc(a, value.n + 1), value.n + 1);
    begin(&m, a);
    CHECK(msg_add(&m, SLICE("CDN-Cache-Control"), value));
    control_of_response(&m, true, &c);
    check_numbers(&c);
    msg_remove(&m, TOKEN_CDN_CACHE_CONTROL);
    text_add(&t, slice_trim(value));
    text_char(&t, ',');
    CHECK(msg_add(&m, SLICE("CDN-Cache-Control"), text_slice(&t)));
    control_of_response(&m, true, &c);
    CHECK(c.has == 0);
}

/* What is kept for an authorized request says so; what must not be stale is never stale. */
static void check_use(struct msg *response, u32 after, struct arena *a)
{
    struct msg request;
    struct freshness f;
    struct cache_control c, asked;
    enum { T = 784111777 };
    msg_init(&request, a);
    request.method = METHOD_GET;
    CHECK(msg_add(&request, SLICE("Cache-Control"), msg_get(response, TOKEN_CACHE_CONTROL)));
    CHECK(msg_add(&request, SLICE("Authorization"), SLICE("x")));
    control_of_response(response, false, &c);
    control_of_request(&request, &asked);
    if (response_kept(&request, response, T, T, NULL, &f) != KEPT_YES)
        return;
    CHECK(c.has & (CONTROL_PUBLIC | CONTROL_MUST_REVALIDATE | CONTROL_S_MAXAGE));
    CHECK(!(c.has & (CONTROL_PRIVATE | CONTROL_GARBLED)) && !(asked.has & CONTROL_NO_STORE));
    i64 left;
    enum use use = freshness_use(&f, &asked, T + (u64)after, &left);
    CHECK(use != USE_FRESH || left > 0);
    CHECK(!(asked.has & CONTROL_NO_CACHE) || use == USE_VALIDATE);
    const u32 strict = CONTROL_MUST_REVALIDATE | CONTROL_PROXY_REVALIDATE | CONTROL_S_MAXAGE;
    CHECK(!(c.has & strict) || left > 0 || use == USE_VALIDATE);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct arena a;
    struct msg m;
    struct cache_control c;
    if (size < 2 || size > 4096)
        return 0;
    char *p = exact_copy(data + 2, size - 2);
    for (size_t i = 0; i < size - 2; i++)
        p[i] = char_is(p[i], CHAR_CONTROL) ? ' ' : p[i];
    struct slice value = slice_trim((struct slice){ p, size - 2 });
    arena_init(&a, 0);
    begin(&m, &a);
    CHECK(msg_add(&m, SLICE("Cache-Control"), value));
    control_of_response(&m, false, &c);
    check_numbers(&c);
    check_shuffled(value, &c);
    check_use(&m, data[0] * 256u + data[1], &a);
    check_targeted(value, &a);
    check_more(&m, &c);
    control_strip(&m);
    CHECK(msg_has(&m, TOKEN_CACHE_CONTROL));
    arena_free(&a);
    free(p);
    return 0;
}
