/* Numbers as people read them, the last hour, and the curve of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "admin/curve.h"
#include "admin/figures.h"
#include "admin/history.h"
#include "base/stat.h"
#include "base/str.h"

static struct stats stats;

#define IS(call, expected)                                                                         \
    do {                                                                                           \
        char *text = NULL;                                                                         \
        size_t n;                                                                                  \
        FILE *to = open_memstream(&text, &n);                                                      \
        call;                                                                                      \
        fclose(to);                                                                                \
        assert_string_equal(text, expected);                                                       \
        free(text);                                                                                \
    } while (0)

static void figures(void **state)
{
    (void)state;
    IS(figure_count(to, 0), "0");
    IS(figure_count(to, 999), "999");
    IS(figure_count(to, 1000), "1.00 k");
    IS(figure_count(to, 9994), "9.99 k");
    IS(figure_count(to, 9996), "10.0 k");
    IS(figure_count(to, 999400), "999 k");
    IS(figure_count(to, 999600), "1.00 M");
    IS(figure_count(to, (double)UINT64_MAX), "18447 P");
    IS(figure_bytes(to, 64 << 20), "64.0 MB");
    IS(figure_bytes(to, 1000), "0.98 kB");
    IS(figure_rate(to, 0.44), "0.4/s");
    IS(figure_byte_rate(to, 0.4), "0 B/s");
    IS(figure_time(to, 0), "0 s");
    IS(figure_time(to, 59), "59 s");
    IS(figure_time(to, 3599), "59 min");
    IS(figure_time(to, 12000), "3 h 20 min");
    IS(figure_time(to, 86400), "1 d");
    IS(figure_time(to, 86400 * 4 + 7300), "4 d 2 h");
    IS(figure_share(to, 0, 0), "–");
    IS(figure_share(to, 1, 3), "33 %");
    IS(figure_share(to, 1, 200), "0.5 %");
    IS(figure_share(to, 99999, 100000), "99.9 %");
    IS(figure_share(to, 7, 7), "100 %");
}

static void an_axis_ends_at_a_round_number(void **state)
{
    (void)state;
    static const double above[][2] = { { 0, 1 },       { 1, 1 },           { 1.1, 2 },
                                       { 2.1, 5 },     { 5.5, 10 },        { 501, 1000 },
                                       { 1001, 2000 }, { 199000, 200000 }, { 6e5, 1e6 },
                                       { 3e18, 5e18 } };
    for (unsigned i = 0; i < countof(above); i++)
        assert_true(figure_above(above[i][0], 1000) == above[i][1]);
    assert_true(figure_above(501, 1024) == 1024);
    assert_true(figure_above(1025, 1024) == 2048);
}

static void an_hour_is_kept(void **state)
{
    (void)state;
    static struct history h;
    u64 now = 1000;
    assert_int_equal(history_tick(&h, now), HISTORY_MS);
    assert_int_equal(history_tick(&h, now + 1), HISTORY_MS - 1);
    assert_int_equal(h.n, 1);
    for (unsigned i = 0; i < 3 * HISTORY_SAMPLES; i++) {
        stat_add(&stats, STAT_requests_total, 2);
        stat_cached(&stats, CACHED_HIT);
        stat_cached(&stats, CACHED_MISS);
        history_tick(&h, now += HISTORY_MS);
    }
    assert_int_equal(h.n, HISTORY_SAMPLES);
    const struct history_sample *first = history_at(&h, 0), *last = history_at(&h, h.n - 1);
    assert_int_equal(last->at_ms, now);
    assert_int_equal(last->at_ms - first->at_ms, 3600 * 1000);
    unsigned steps = HISTORY_SAMPLES - 1;
    assert_int_equal(last->value[HISTORY_REQUESTS] - first->value[HISTORY_REQUESTS], 2 * steps);
    assert_int_equal(last->value[HISTORY_ASKED] - first->value[HISTORY_ASKED], 2 * steps);
    assert_int_equal(last->value[HISTORY_HITS] - first->value[HISTORY_HITS], steps);
}

static char *drawn(struct view *v, enum curve_kind kind)
{
    static const struct curve curve = {
        .title = "T", .all = "all", .part = "some", .of_all = HISTORY_ASKED, .of_part = HISTORY_HITS
    };
    struct curve c = curve;
    char *text = NULL;
    size_t n;
    c.kind = kind;
    v->to = open_memstream(&text, &n);
    curve_draw(v, &c);
    fclose(v->to);
    return text;
}

static void shows(struct view *v, enum curve_kind kind, const char *part)
{
    char *text = drawn(v, kind);
    if (!strstr(text, part))
        fail_msg("%s is not in %s", part, text);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
}

/* 600 in the minute before the last, half of them from the cache, and nothing after it. */
static void a_curve(void **state)
{
    (void)state;
    static struct history h;
    struct view v = { .history = &h, .from = &h.sample[0] };
    v.now.at_ms = 120000;
    shows(&v, CURVE_RATE, "<li>1/s</li>"); /* without a sample */
    h.n = 2;
    h.sample[1].at_ms = 60000;
    h.sample[1].value[HISTORY_ASKED] = v.now.value[HISTORY_ASKED] = 600;
    h.sample[1].value[HISTORY_HITS] = v.now.value[HISTORY_HITS] = 300;
    shows(&v, CURVE_RATE, "<li>10/s</li><li>5/s</li><li>0</li>");
    shows(&v, CURVE_RATE, "<li>4 min</li><li>3</li><li>2</li><li>1</li><li>now</li>");
    shows(&v, CURVE_RATE, "all line\" d=\"M120 0.00L150 0.00L210 100.00L240 100.00\"/>");
    shows(&v, CURVE_RATE,
          "part area\" d=\"M120 100L120 50.00L150 50.00L210 100.00L240 100.00V100Z\"/>");
    shows(
        &v, CURVE_RATE,
        "<rect x=\"120\" width=\"60\" height=\"100\"><title>23:59:00 UTC: 10/s, some 5/s</title>");
    shows(&v, CURVE_SHARE, "part line\" d=\"M120 50.00L150 50.00L180 50.00\"/>");
}

/* The older samples are out of sight, and what spans the edge begins there. */
static void a_process_that_slept(void **state)
{
    (void)state;
    static struct history h = { .n = 2 };
    struct view v = { .history = &h, .from = &h.sample[0] };
    h.sample[1].at_ms = 30000;
    v.now.at_ms = 2 * 3600 * 1000;
    shows(&v, CURVE_RATE, "all line\" d=\"M0 100.00L1800 100.00L3600 100.00\"/>");
    shows(&v, CURVE_RATE, "<li>60 min</li><li>45</li><li>30</li><li>15</li><li>now</li>");
}

/* What is younger than now, as the clock was set back, has no age yet. */
static void an_age(void **state)
{
    (void)state;
    struct view v = { .now_us = 100 * 1000000 };
    assert_int_equal(view_age(&v, 40), 60);
    assert_int_equal(view_age(&v, 100), 0);
    assert_int_equal(view_age(&v, 101), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(an_axis_ends_at_a_round_number),
        cmocka_unit_test(an_hour_is_kept),
        cmocka_unit_test(a_curve),
        cmocka_unit_test(a_process_that_slept),
        cmocka_unit_test(an_age),
    };
    stats_register(&stats);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
