/* Cache-Control: a row for each directive, for each way to garble it, and for its targeted form. */
#include "cache/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

static struct arena arena;

#define CC "Cache-Control: "
#define END "\r\n"

struct row {
    const char *fields;
    struct cache_control want;
};

static void same(const char *fields, const struct cache_control *got,
                 const struct cache_control *want)
{
    if (memcmp(got, want, sizeof *got) != 0)
        fail_msg("%s: has %x (%x), max-age %u, s-maxage %u, swr %u, sie %u, min %u, stale %u",
                 fields, got->has, want->has, got->max_age, got->s_maxage,
                 got->stale_while_revalidate, got->stale_if_error, got->min_fresh, got->max_stale);
}

static void responses(const struct row *rows, size_t n, bool targeted)
{
    for (size_t i = 0; i < n; i++) {
        struct msg m;
        struct cache_control got;
        help_response(&m, &arena, 200, rows[i].fields);
        control_of_response(&m, targeted, &got);
        same(rows[i].fields, &got, &rows[i].want);
        arena_reset(&arena);
    }
}

static void requests(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct msg m;
        struct cache_control got;
        help_request(&m, &arena, rows[i].fields);
        control_of_request(&m, &got);
        same(rows[i].fields, &got, &rows[i].want);
        arena_reset(&arena);
    }
}

#define HAS(...) .has = __VA_ARGS__
#define G CONTROL_GARBLED

static void in_responses(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "", { 0 } },
        { CC END, { 0 } },
        { CC ",, ,\t," END, { 0 } },
        { CC "no-store" END, { HAS(CONTROL_NO_STORE) } },
        { CC "NO-Store ,No-Transform" END, { HAS(CONTROL_NO_STORE | CONTROL_NO_TRANSFORM) } },
        { CC "no-cache, private" END, { HAS(CONTROL_NO_CACHE | CONTROL_PRIVATE) } },
        { CC "public, must-revalidate" END, { HAS(CONTROL_PUBLIC | CONTROL_MUST_REVALIDATE) } },
        { CC "proxy-revalidate,must-understand,immutable" END,
          { HAS(CONTROL_PROXY_REVALIDATE | CONTROL_MUST_UNDERSTAND | CONTROL_IMMUTABLE) } },
        { CC "max-age=60" END, { HAS(CONTROL_MAX_AGE), 60 } },
        { CC "max-age=60" END CC "s-maxage=5" END,
          { HAS(CONTROL_MAX_AGE | CONTROL_S_MAXAGE), 60, 5 } },
        { CC "stale-while-revalidate=7, stale-if-error=8" END,
          { HAS(CONTROL_STALE_WHILE_REVALIDATE | CONTROL_STALE_IF_ERROR),
            .stale_while_revalidate = 7, .stale_if_error = 8 } },
        { CC "max-age=\"60\"" END, { HAS(CONTROL_MAX_AGE), 60 } },
        { CC "max-age=0060" END, { HAS(CONTROL_MAX_AGE), 60 } },
        { CC "max-age=2147483648" END, { HAS(CONTROL_MAX_AGE), CONTROL_SECONDS_MOST } },
        { CC "max-age=99999999999999999999999" END,
          { HAS(CONTROL_MAX_AGE), CONTROL_SECONDS_MOST } },
        /* of two the smaller one, in either order */
        { CC "max-age=60, max-age=5" END, { HAS(CONTROL_MAX_AGE), 5 } },
        { CC "max-age=5" END CC "max-age=60" END, { HAS(CONTROL_MAX_AGE), 5 } },
        /* garbled numbers */
        { CC "max-age" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age=" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age=-1" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age=1.5" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age = 60" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age=60 70" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age=60;x" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age='60'" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "max-age=\"60" END, { HAS(CONTROL_MAX_AGE | CONTROL_NO_CACHE | G) } },
        { CC "max-age=60, max-age=x" END, { HAS(CONTROL_MAX_AGE | G) } },
        { CC "s-maxage=1h, max-age=60" END,
          { HAS(CONTROL_S_MAXAGE | CONTROL_MAX_AGE | G), .max_age = 60 } },
        /* what forbids is believed in any form, what allows in its own only */
        { CC "no-store=0" END, { HAS(CONTROL_NO_STORE | G) } },
        { CC "no-store;" END, { HAS(CONTROL_NO_STORE | G) } },
        { CC "no-store max-age=60" END, { HAS(CONTROL_NO_STORE | G) } },
        { CC "private foo" END, { HAS(CONTROL_PRIVATE) } },
        { CC "public=1" END, { HAS(G) } },
        { CC "immutable=\"\"" END, { HAS(G) } },
        /* unknown ones, and names that only begin like known ones */
        { CC "x, y=z, w=\"no-store, max-age=1\", max-age=9" END, { HAS(CONTROL_MAX_AGE), 9 } },
        { CC "no-stored, max-ages=5, smax-age=7" END, { 0 } },
        { CC "min-fresh=5, max-stale, only-if-cached" END, { 0 } }, /* of requests */
        { CC "x=\"a\\\"b, no-store\", public" END, { HAS(CONTROL_PUBLIC) } },
        { CC "x=\"a\\\\\", no-store" END, { HAS(CONTROL_NO_STORE) } },
        /* a quote that is not closed hides nothing */
        { CC "x=\"a, no-store" END, { HAS(CONTROL_NO_STORE | CONTROL_NO_CACHE | G) } },
        { CC "x=\"a\\\", private, max-age=60" END,
          { HAS(CONTROL_PRIVATE | CONTROL_MAX_AGE | CONTROL_NO_CACHE | G), 60 } },
        /* field names */
        { CC "private=\"x-user\"" END, { HAS(CONTROL_FIELDS) } },
        { CC "no-cache=\"x-user, set-cookie\"" END, { HAS(CONTROL_FIELDS) } },
        { CC "no-cache=x-user" END, { HAS(CONTROL_FIELDS) } },
        { CC "no-cache=\"x-user\", no-cache" END, { HAS(CONTROL_FIELDS | CONTROL_NO_CACHE) } },
        { CC "private=\"\"" END, { HAS(CONTROL_PRIVATE) } },
        { CC "private=\"x user\"" END, { HAS(CONTROL_PRIVATE) } },
        { CC "private=\"x-user, Content-Encoding\"" END, { HAS(CONTROL_PRIVATE) } },
        { CC "no-cache=\"vary\"" END, { HAS(CONTROL_NO_CACHE) } },
        { "Pragma: no-cache" END, { 0 } },
        { "CDN-Cache-Control: no-store" END, { 0 } },
    };
    responses(rows, countof(rows), false);
}

static void in_requests(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "", { 0 } },
        { CC "no-cache" END, { HAS(CONTROL_NO_CACHE) } },
        { CC "no-cache=\"x\"" END, { HAS(CONTROL_NO_CACHE | G) } },
        { CC "no-store, no-transform, only-if-cached" END,
          { HAS(CONTROL_NO_STORE | CONTROL_NO_TRANSFORM | CONTROL_ONLY_IF_CACHED) } },
        { CC "only-if-cached=1" END, { HAS(G) } },
        { CC "max-age=0" END, { HAS(CONTROL_MAX_AGE) } },
        { CC "max-age=10, max-age=7" END, { HAS(CONTROL_MAX_AGE), 7 } },
        { CC "min-fresh=10, min-fresh=30" END, { HAS(CONTROL_MIN_FRESH), .min_fresh = 30 } },
        { CC "min-fresh=x" END, { HAS(CONTROL_MIN_FRESH | G), .min_fresh = UINT32_MAX } },
        { CC "min-fresh" END, { HAS(CONTROL_MIN_FRESH | G), .min_fresh = UINT32_MAX } },
        { CC "max-stale" END, { HAS(CONTROL_MAX_STALE), .max_stale = UINT32_MAX } },
        { CC "max-stale=10" END, { HAS(CONTROL_MAX_STALE), .max_stale = 10 } },
        { CC "max-stale, max-stale=10" END, { HAS(CONTROL_MAX_STALE), .max_stale = 10 } },
        { CC "max-stale=x" END, { HAS(CONTROL_MAX_STALE | G) } },
        { CC "stale-if-error=5" END, { HAS(CONTROL_STALE_IF_ERROR), .stale_if_error = 5 } },
        { CC "private, public, must-revalidate, s-maxage=4" END, { 0 } },
        { CC "x=\"" END, { HAS(CONTROL_NO_CACHE | G) } },
        { "Pragma: x, No-Cache" END, { HAS(CONTROL_NO_CACHE) } },
        { "Pragma: no-cache" END CC "max-age=9" END, { HAS(CONTROL_MAX_AGE), 9 } },
        { "Pragma: no-cache2" END, { 0 } },
    };
    requests(rows, countof(rows));
}

#define T CONTROL_TARGETED
#define CDN "CDN-Cache-Control: "
#define OTHER CC "no-store" END
static const struct cache_control ignored = { HAS(CONTROL_NO_STORE) };

static void in_targeted(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { OTHER CDN "max-age=60" END, { HAS(T | CONTROL_MAX_AGE), 60 } },
        { OTHER CDN "none" END, { HAS(T) } },
        { OTHER CDN "max-age=60;x=1;y, no-cache" END,
          { HAS(T | CONTROL_MAX_AGE | CONTROL_NO_CACHE), 60 } },
        { OTHER CDN "max-age=60" END CDN "private" END,
          { HAS(T | CONTROL_MAX_AGE | CONTROL_PRIVATE), 60 } },
        { OTHER CDN "max-age=60, max-age=5, max-age=70" END, { HAS(T | CONTROL_MAX_AGE), 70 } },
        { OTHER CDN "public=?1, immutable=?0" END, { HAS(T | CONTROL_PUBLIC) } },
        { OTHER CDN "no-store, no-store=?0" END, { HAS(T) } },
        { OTHER CDN "x=(1 \"a\" :YQ==:);q=0.5, y=\"\\\"\", *z=a/b:c, s-maxage=3" END,
          { HAS(T | CONTROL_S_MAXAGE), .s_maxage = 3 } },
        /* of the wrong type: the safe way */
        { OTHER CDN "max-age=1.5" END, { HAS(T | CONTROL_MAX_AGE | G) } },
        { OTHER CDN "max-age=-5" END, { HAS(T | CONTROL_MAX_AGE | G) } },
        { OTHER CDN "max-age=\"60\"" END, { HAS(T | CONTROL_MAX_AGE | G) } },
        { OTHER CDN "max-age" END, { HAS(T | CONTROL_MAX_AGE | G) } },
        { OTHER CDN "no-store=1, public=a" END, { HAS(T | CONTROL_NO_STORE | G) } },
        { OTHER CDN "private=\"x-user\"" END, { HAS(T | CONTROL_PRIVATE) } },
    };
    responses(rows, countof(rows), true);
}

/* One error, and all of it counts for nothing. */
static void in_malformed(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "Max-Age=60",
        "max-age=60,",
        "max-age=60,,x",
        "max-age=60 x",
        "max-age=",
        "max-age=60, X",
        "max-age= 60",
        "max-age =60",
        "a=\"",
        "a=\"\\x\"",
        "a=(1",
        "a=(1,2)",
        "a=(1\"x\")",
        "a=:%:",
        "a=?2",
        "a=1234567890123456",
        "a=1.2345",
        "a=1.",
        "a=-",
        "a=b;C",
        "=1",
        "1=1",
        "a=1;",
        "max-age=60;;x",
    };
    for (size_t i = 0; i < countof(values); i++) {
        char fields[128];
        struct text t = text_in(fields, sizeof fields);
        text_fmt(&t, OTHER CDN "%s" END, values[i]);
        const struct row row = { fields, ignored };
        responses(&row, 1, true);
    }
}

static void stripping(void **state)
{
    (void)state;
    struct msg m;
    help_response(&m, &arena, 200,
                  CC "private=\"X-User, x-b\", max-age=5" END "X-User: 1" END "X-A: 2" END
                     "x-user: 3" END CC "no-cache=server, x=\"x-a\"" END "Server: 4" END);
    control_strip(&m);
    assert_string_equal(help_fields(&m, &arena),
                        CC "private=\"X-User, x-b\", max-age=5" END "X-A: 2" END CC
                           "no-cache=server, x=\"x-a\"" END);
    help_response(&m, &arena, 200, CC "private=\"x-a, vary\"" END "X-A: 1" END);
    control_strip(&m);
    assert_true(msg_find_name(&m, SLICE("x-a")) != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_responses), cmocka_unit_test(in_requests),
        cmocka_unit_test(in_targeted),  cmocka_unit_test(in_malformed),
        cmocka_unit_test(stripping),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
