/* Cache-Status: RFC 9211. */
#include "cache/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void lines(void **state)
{
    (void)state;
    static const struct {
        struct cache_status s;
        const char *want;
    } rows[] = {
        { { .fwd = FWD_NO }, "hit" },
        { { .has_ttl = true, .ttl = 12, .detail = { "memory", 6 } }, "hit; ttl=12; detail=memory" },
        { { .has_ttl = true, .ttl = -3 }, "hit; ttl=-3" },
        { { .fwd = FWD_URI_MISS, .stored = true }, "fwd=uri-miss; stored" },
        { { .fwd = FWD_VARY_MISS, .collapsed = true }, "fwd=vary-miss; collapsed" },
        { { .fwd = FWD_MISS, .detail = { "no-store", 8 } }, "fwd=miss; detail=no-store" },
        { { .fwd = FWD_STALE, .fwd_status = 304, .has_ttl = true, .ttl = 60 },
          "fwd=stale; fwd-status=304; ttl=60" },
        { { .fwd = FWD_REQUEST, .fwd_status = 200, .stored = true, .collapsed = true },
          "fwd=request; fwd-status=200; stored; collapsed" },
        { { .fwd = FWD_BYPASS }, "fwd=bypass" },
        { { .fwd = FWD_METHOD }, "fwd=method" },
        { { .fwd = FWD_PARTIAL }, "fwd=partial" },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char area[CACHE_STATUS_MOST], want[CACHE_STATUS_MOST];
        struct text t = text_in(area, sizeof area), w = text_in(want, sizeof want);
        text_fmt(&w, "Cache-Status: proxyd; %s\r\n", rows[i].want);
        cache_status_write(&t, SLICE("proxyd"), &rows[i].s);
        if (!slice_eq(text_slice(&t), text_slice(&w)))
            fail_msg("%.*s", (int)t.n, area);
    }
}

/* The longest there can be. */
static void room(void **state)
{
    (void)state;
    char area[CACHE_STATUS_MOST];
    struct text t = text_in(area, sizeof area);
    const struct cache_status s = {
        FWD_VARY_MISS, 599, true, true, true, INT64_MIN, { "0123456789012345678901234567890", 32 }
    };
    cache_status_write(&t, SLICE("proxyd"), &s);
    assert_false(t.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(lines), cmocka_unit_test(room) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
