/* Age, lifetime and use: a row for each sentence of RFC 9111 sections 4.2 and 5.2.1. */
#include "cache/freshness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

static struct arena arena;

#define CC "Cache-Control: "
#define END "\r\n"
/* The head came at T, which is this: */
#define DATE_T "Date: Sun, 06 Nov 1994 08:49:37 GMT" END
#define DATE_T_100 "Date: Sun, 06 Nov 1994 08:47:57 GMT" END /* 100 s before */
#define NO_DATE "Date: Sun, 06 Nov 1994 08:47:61 GMT" END
#define DATE_T_LATER "Date: Sun, 06 Nov 1994 09:49:37 GMT" END
#define MODIFIED_1000 "Last-Modified: Sun, 06 Nov 1994 08:32:57 GMT" END /* 1000 s before T */
#define MODIFIED_YEAR "Last-Modified: Sat, 06 Nov 1993 08:32:57 GMT" END
enum { T = 784111777 };

static struct freshness made(const char *fields, u64 asked, const struct cache_override *o)
{
    struct msg request, response;
    struct freshness f;
    help_request(&request, &arena, "");
    help_response(&response, &arena, 200, fields);
    enum kept k = response_kept(&request, &response, asked, T, o, &f);
    if (k != KEPT_YES)
        fail_msg("%s: not kept: %s", fields, kept_info(k)->word);
    arena_reset(&arena);
    return f;
}

#define TAG "ETag: \"x\"" END

static void ages(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        u32 delay, want;
    } rows[] = {
        { DATE_T, 0, 0 },
        { "", 0, 0 },                         /* no Date: it was made now */
        { "Date: yesterday" END, 0, 0 },      /* likewise */
        { DATE_T_100, 0, 100 },               /* apparent_age */
        { DATE_T_LATER, 0, 0 },               /* their clock is ahead: no negative */
        { DATE_T "Age: 30" END, 0, 30 },      /* age_value */
        { DATE_T "Age: 30" END, 5, 35 },      /* and what the answer took */
        { DATE_T_100 "Age: 30" END, 5, 100 }, /* the larger one */
        { NO_DATE, 0, 0 },                    /* as long, and none */
        { DATE_T_100 "Age: 200" END, 5, 205 },
        { DATE_T "Age: 30, 40" END, 0, 30 }, /* the first of a list */
        { DATE_T "Age: 30" END "Age: 40" END, 0, 30 },
        { DATE_T "Age: x" END, 0, 0 }, /* garbled: ignored */
        { DATE_T "Age: -5" END, 0, 0 },
        { DATE_T "Age: 1.5" END, 0, 0 },
        { DATE_T "Age: 99999999999999999999" END, 0, CONTROL_SECONDS_MOST },
        { "Date: Thu, 01 Jan 1970 00:00:00 GMT" END, 0, T },
        { "Date: Wed, 01 Jan 1000 00:00:00 GMT" END, 0, T }, /* before all time */
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char fields[200];
        struct text t = text_in(fields, sizeof fields);
        text_fmt(&t, "%s" TAG, rows[i].fields);
        struct freshness f = made(fields, T - rows[i].delay, NULL);
        if (f.age != rows[i].want)
            fail_msg("%s: %u", rows[i].fields, f.age);
    }
    for (unsigned i = 0; i < 2; i++) /* nor is it one when it was the last that was read */
        assert_false(made(NO_DATE TAG, T, NULL).dated);
    struct freshness f = made(DATE_T_100 TAG, T, NULL);
    assert_int_equal(freshness_age(&f, T + 50), 150);
    assert_int_equal(freshness_age(&f, T - 50), 100); /* our clock was set back */
    assert_int_equal(freshness_age(&f, UINT64_MAX / 2), CONTROL_SECONDS_MOST);
    f = made(DATE_T TAG, T + 50, NULL); /* while it was on its way */
    assert_int_equal(f.age, 0);
}

#define EXPIRES_200 "Expires: Sun, 06 Nov 1994 08:52:57 GMT" END /* 200 s after T */
#define EXPIRES_PAST "Expires: Sun, 06 Nov 1994 08:42:57 GMT" END

static void lifetimes(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        u32 want;
        bool heuristic, must, immutable;
    } rows[] = {
        { DATE_T CC "max-age=60" END EXPIRES_200, .want = 60 },
        { DATE_T CC "max-age=60, s-maxage=7" END EXPIRES_200, .want = 7, .must = true },
        { DATE_T EXPIRES_200, .want = 200 },
        { EXPIRES_200, .want = 200 },            /* without Date from when it came */
        { DATE_T_100 EXPIRES_200, .want = 300 }, /* against their clock */
        { DATE_T_LATER EXPIRES_200, .want = 0 }, /* that is: before it was made */
        { DATE_T EXPIRES_PAST, .want = 0 },
        { DATE_T "Expires: 0" END, .want = 0 }, /* garbled: in the past */
        { DATE_T "Expires: Sun, 06 Nov 1994 08:52:57 UTC" END, .want = 0 },
        { DATE_T EXPIRES_200 EXPIRES_PAST, .want = 0 }, /* of two the earlier one */
        { DATE_T EXPIRES_200 "Expires: Fri, 31 Dec 9999 00:00:00 GMT" END, .want = 200 },
        { DATE_T "Expires: Fri, 31 Dec 9999 00:00:00 GMT" END, .want = CONTROL_SECONDS_MOST },
        { DATE_T EXPIRES_200 CC "max-age=x" END, .want = 0 },
        { DATE_T CC "public" END, .want = 0 },
        /* a guess: a tenth, a day at most, and none where something is said */
        { DATE_T MODIFIED_1000, .want = 100, .heuristic = true },
        { DATE_T MODIFIED_YEAR, .want = 86400, .heuristic = true },
        { DATE_T_LATER MODIFIED_1000, .want = 460, .heuristic = true },
        { DATE_T_100 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT" END,
          .want = 0 }, /* ahead of Date */
        { DATE_T "Last-Modified: x" END, .want = 0 },
        { DATE_T MODIFIED_1000 EXPIRES_PAST, .want = 0 },
        { DATE_T MODIFIED_1000 CC "max-age=0" END, .want = 0 },
        { DATE_T MODIFIED_1000 CC "no-cache" END, .want = 0, .must = true },
        { DATE_T CC "no-cache, max-age=60" END, .want = 0, .must = true },
        { DATE_T CC "max-age=60, must-revalidate" END, .want = 60, .must = true },
        { DATE_T CC "max-age=60, proxy-revalidate" END, .want = 60, .must = true },
        { DATE_T CC "max-age=60, immutable" END, .want = 60, .immutable = true },
        { DATE_T CC "max-age=60, no-cache=\"x-a\"" END, .want = 60 },
        { DATE_T "CDN-Cache-Control: max-age=5" END CC "max-age=60" END, .want = 60 },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char fields[300];
        struct text t = text_in(fields, sizeof fields);
        text_fmt(&t, "%s" TAG, rows[i].fields);
        struct freshness f = made(fields, T, NULL);
        if (f.lifetime != rows[i].want || f.heuristic != rows[i].heuristic ||
            f.must_revalidate != rows[i].must || f.immutable != rows[i].immutable)
            fail_msg("%s: %u, heuristic %d, must %d, immutable %d", rows[i].fields, f.lifetime,
                     f.heuristic, f.must_revalidate, f.immutable);
    }
}

static void overrides(void **state)
{
    (void)state;
    static const struct cache_override ttl = { .ttl = 600 }, no_cache = { .ignore_no_cache = true },
                                       both = { .ttl = 600, .ignore_no_cache = true },
                                       targeted = { .targeted = true };
    assert_int_equal(made(DATE_T_100 CC "max-age=5" END, T, &ttl).lifetime, 700); /* from now on */
    assert_int_equal(made(DATE_T CC "max-age=900" END, T, &ttl).lifetime, 600);
    assert_int_equal(made(DATE_T CC "no-cache" END TAG, T, &ttl).lifetime, 0);
    assert_int_equal(made(DATE_T CC "no-cache" END TAG, T, &both).lifetime, 600);
    assert_int_equal(made(DATE_T CC "no-cache, max-age=9" END, T, &no_cache).lifetime, 9);
    assert_int_equal(
        made("CDN-Cache-Control: max-age=5" END CC "no-store" END, T, &targeted).lifetime, 5);
    assert_int_equal(made(DATE_T EXPIRES_200 "CDN-Cache-Control: x" END TAG, T, &targeted).lifetime,
                     0);
    assert_int_equal(made(DATE_T EXPIRES_200 "CDN-Cache-Control: X" END, T, &targeted).lifetime,
                     200);
}

#define NO_TTL 0x7fffffff

struct use_row {
    const char *response, *request;
    u32 age;
    enum use want;
    bool on_error;
    i64 ttl;
};

static void check_use(const struct use_row *row)
{
    struct msg m;
    struct cache_control asked;
    i64 ttl;
    char fields[200], asks[200];
    struct text t = text_in(fields, sizeof fields), a = text_in(asks, sizeof asks);
    text_fmt(&t, DATE_T TAG CC "%s" END, row->response);
    text_fmt(&a, CC "%s" END, row->request);
    struct freshness f = made(fields, T, NULL);
    help_request(&m, &arena, asks);
    control_of_request(&m, &asked);
    enum use got = freshness_use(&f, &asked, T + row->age, &ttl);
    bool on_error = freshness_on_error(&f, &asked, T + row->age);
    if (got != row->want || on_error != row->on_error || (row->ttl != NO_TTL && ttl != row->ttl))
        fail_msg("%s | %s | %u: use %d, on error %d, ttl %lld", row->response, row->request,
                 row->age, got, on_error, (long long)ttl);
    arena_reset(&arena);
}

static void uses(void **state)
{
    (void)state;
    static const struct use_row rows[] = {
        { "max-age=60", "", 0, USE_FRESH, true, 60 },
        { "max-age=60", "", 59, USE_FRESH, true, 1 },
        { "max-age=60", "", 60, USE_VALIDATE, false, 0 }, /* fresh while the lifetime is larger */
        { "max-age=60", "", 61, USE_VALIDATE, false, -1 },
        { "max-age=60", "no-cache", 0, USE_VALIDATE, false, NO_TTL },
        { "max-age=60", "no-store", 5, USE_FRESH, true, NO_TTL },
        { "no-cache, max-age=60", "", 0, USE_VALIDATE, false, NO_TTL },
        { "no-cache, max-age=60", "max-stale", 0, USE_VALIDATE, false, NO_TTL },
        { "max-age=60", "max-age=10", 10, USE_FRESH, true, NO_TTL },
        { "max-age=60", "max-age=10", 11, USE_VALIDATE, true, NO_TTL },
        { "max-age=60", "max-age=0", 0, USE_VALIDATE, true, NO_TTL },
        { "max-age=60", "max-age=x", 0, USE_VALIDATE, true, NO_TTL },
        { "max-age=60", "min-fresh=10", 50, USE_FRESH, true, NO_TTL },
        { "max-age=60", "min-fresh=10", 51, USE_VALIDATE, true, NO_TTL },
        { "max-age=60", "min-fresh", 0, USE_VALIDATE, true, NO_TTL },
        { "max-age=60", "max-stale", 9999, USE_STALE_ALLOWED, true, NO_TTL },
        { "max-age=60", "max-stale=10", 70, USE_STALE_ALLOWED, true, -10 },
        { "max-age=60", "max-stale=10", 71, USE_VALIDATE, false, NO_TTL },
        { "max-age=60", "max-stale=x", 61, USE_VALIDATE, false, NO_TTL },
        { "max-age=60", "max-stale=10, max-age=65", 65, USE_STALE_ALLOWED, true, NO_TTL },
        { "max-age=60", "max-stale=10, max-age=65", 66, USE_VALIDATE, true, NO_TTL },
        { "max-age=60, must-revalidate", "max-stale", 61, USE_VALIDATE, false, NO_TTL },
        { "max-age=60, proxy-revalidate", "max-stale", 61, USE_VALIDATE, false, NO_TTL },
        { "s-maxage=60", "max-stale", 61, USE_VALIDATE, false, NO_TTL },
        { "s-maxage=60", "max-stale", 59, USE_FRESH, true, NO_TTL },
        /* RFC 5861 */
        { "max-age=60, stale-while-revalidate=30", "", 90, USE_WHILE_REVALIDATE, false, NO_TTL },
        { "max-age=60, stale-while-revalidate=30", "", 91, USE_VALIDATE, false, NO_TTL },
        { "max-age=60, stale-while-revalidate=30", "max-age=99", 61, USE_VALIDATE, false, NO_TTL },
        { "max-age=60, stale-while-revalidate=30", "min-fresh=1", 61, USE_VALIDATE, false, NO_TTL },
        { "max-age=60, stale-while-revalidate=30, must-revalidate", "", 61, USE_VALIDATE, false,
          NO_TTL },
        { "s-maxage=60, stale-while-revalidate=30", "", 61, USE_VALIDATE, false, NO_TTL },
        { "max-age=0, stale-while-revalidate=30", "", 0, USE_WHILE_REVALIDATE, false, NO_TTL },
        { "max-age=60, stale-if-error=30", "", 90, USE_VALIDATE, true, NO_TTL },
        { "max-age=60, stale-if-error=30", "", 91, USE_VALIDATE, false, NO_TTL },
        { "max-age=60, stale-if-error=30", "no-cache", 61, USE_VALIDATE, false, NO_TTL },
        { "max-age=60", "stale-if-error=30", 90, USE_VALIDATE, true, NO_TTL },
        { "max-age=60, must-revalidate", "stale-if-error=30", 61, USE_VALIDATE, false, NO_TTL },
        { "max-age=60, stale-if-error=30, must-revalidate", "", 61, USE_VALIDATE, false, NO_TTL },
        /* RFC 8246: a reload of what never changes */
        { "max-age=60, immutable", "max-age=0", 30, USE_FRESH, true, NO_TTL },
        { "max-age=60, immutable", "no-cache", 30, USE_VALIDATE, false, NO_TTL },
        { "max-age=60, immutable", "max-age=0", 61, USE_VALIDATE, false, NO_TTL },
    };
    for (size_t i = 0; i < countof(rows); i++)
        check_use(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages),
        cmocka_unit_test(lifetimes),
        cmocka_unit_test(overrides),
        cmocka_unit_test(uses),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
