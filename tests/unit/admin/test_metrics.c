/* The exposition, read back line by line by the rules of the Prometheus text format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/metrics.h"
#include "core/common/registry.h"
#include "base/stat.h"
#include "io/offload.h"
#include "base/str.h"

static char area[METRICS_MAX];
static struct stats mine, other;
static struct engine engine;

static struct slice exposition(void)
{
    struct text t = text_in(area, sizeof area);
    metrics_write(&t, true, &engine);
    assert_false(t.full);
    return text_slice(&t);
}

/* The value of the sample `name`, labels included. */
static u64 value_of(const char *name)
{
    struct slice rest = exposition(), line, key = slice_of(name);
    while (slice_cut(&rest, '\n', &line)) {
        u64 v;
        if (slice_starts(line, key) && line.n > key.n && line.p[key.n] == ' ' &&
            slice_u64(slice_skip(line, key.n + 1), &v))
            return v;
    }
    fail_msg("no sample %s", name);
    return 0;
}

static void every_counter_is_there(void **state)
{
    (void)state;
    for (enum stat_id s = 0; s < STAT_COUNT; s++) {
        char name[128];
        struct text t = text_in(name, sizeof name - 1);
        const struct stat_info *i = stat_info(s);
        text_fmt(&t, i->label ? "proxyd_%s{%s=\"%s\"}" : "proxyd_%s", i->family, i->label,
                 i->value);
        name[t.n] = 0;
        u64 before = value_of(name);
        stat_add(&mine, s, 3);
        stat_add(&other, s, 4);
        assert_int_equal(value_of(name), before + 7);
    }
}

static void every_fault_is_there(void **state)
{
    (void)state;
    for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        char name[128];
        struct text t = text_in(name, sizeof name - 1);
        text_fmt(&t, "proxyd_faults_total{cause=\"%s\"}", fault_info(f)->token);
        name[t.n] = 0;
        assert_int_equal(value_of(name), 0);
        stat_fault(&mine, f);
        assert_int_equal(value_of(name), 1);
    }
}

static void every_repair_is_there(void **state)
{
    (void)state;
    for (enum repair r = 0; r < REPAIR_COUNT; r++) {
        char name[128];
        struct text t = text_in(name, sizeof name - 1);
        text_fmt(&t, "proxyd_response_repairs_total{kind=\"%s\"}", repair_info(r)->token);
        name[t.n] = 0;
        assert_int_equal(value_of(name), 0);
        stat_repair(&mine, r);
        stat_repair(&other, r);
        assert_int_equal(value_of(name), 2);
    }
}

static void do_nothing(struct offload_job *j)
{
    (void)j;
}

static void every_kind_of_job_is_there(void **state)
{
    (void)state;
    struct offload *o = offload_new(1, JOB_KINDS);
    struct offload_job job[JOB_KINDS];
    memset(job, 0, sizeof job);
    for (enum job_kind k = 0; k < JOB_KINDS; k++) {
        job[k] = (struct offload_job){ .kind = k, .run = do_nothing };
        assert_true(offload_post(o, &job[k]));
    }
    offload_end(o);
    offload_free(o);
    for (enum job_kind k = 0; k < JOB_KINDS; k++) {
        static const char *const families[] = { "queued", "running", "cancelled_total",
                                                "done_total" };
        for (unsigned i = 0; i < 4; i++) {
            char name[128];
            struct text t = text_in(name, sizeof name - 1);
            text_fmt(&t, "proxyd_offload_%s{kind=\"%s\"}", families[i], job_info(k)->token);
            name[t.n] = 0;
            assert_int_equal(value_of(name), i == 3);
        }
    }
}

static bool name_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(ascii_alnum(s.p[i]) || s.p[i] == '_') || (i == 0 && ascii_digit(s.p[i])))
            return false;
    return s.n > 0;
}

static struct slice word(struct slice *rest)
{
    struct slice w = { NULL, 0 };
    slice_cut(rest, ' ', &w);
    return w;
}

/* HELP, TYPE, then samples of that family; counters, and only they, end in _total. */
static void families_are_well_formed(void **state)
{
    (void)state;
    struct slice rest = exposition(), line, family = SLICE("");
    assert_true(slice_ends(rest, SLICE("\n")));
    rest.n--;
    while (slice_cut(&rest, '\n', &line)) {
        struct slice words = line;
        if (slice_starts(line, SLICE("# HELP "))) {
            word(&words), word(&words);
            family = word(&words);
            assert_true(name_ok(family));
            assert_true(words.n > 0);
        } else if (slice_starts(line, SLICE("# TYPE "))) {
            word(&words), word(&words);
            assert_true(slice_eq(word(&words), family));
            assert_int_equal(slice_is(words, "counter"), slice_ends(family, SLICE("_total")));
            assert_true(slice_is(words, "counter") || slice_is(words, "gauge"));
        } else {
            assert_true(slice_starts(line, family));
            assert_true(line.p[family.n] == ' ' || line.p[family.n] == '{');
            assert_true(ascii_digit(line.p[line.n - 1]));
        }
    }
}

/* A label is no part of a name, and what a family says of itself it says once. */
static void labels(void **state)
{
    (void)state;
    static const char *const samples[] = {
        "proxyd_responses_total{code_class=\"1xx\"}",
        "proxyd_responses_total{code_class=\"2xx\"}",
        "proxyd_responses_total{code_class=\"3xx\"}",
        "proxyd_responses_total{code_class=\"4xx\"}",
        "proxyd_responses_total{code_class=\"5xx\"}",
        "proxyd_tunnel_bytes_total{direction=\"from_client\"}",
        "proxyd_tunnel_bytes_total{direction=\"to_client\"}",
    };
    for (unsigned i = 0; i < countof(samples); i++)
        value_of(samples[i]);
    struct slice rest = exposition(), line;
    unsigned helps = 0;
    while (slice_cut(&rest, '\n', &line))
        helps += slice_starts(line, SLICE("# HELP proxyd_responses_total "));
    assert_int_equal(helps, 1);
}

static void process_figures_are_real(void **state)
{
    (void)state;
    assert_true(value_of("process_resident_memory_bytes") > 100000);
    assert_in_range(value_of("process_open_fds"), 3, 1000);
    assert_int_equal(value_of("proxyd_ready"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_is_there),   cmocka_unit_test(every_fault_is_there),
        cmocka_unit_test(every_repair_is_there),    cmocka_unit_test(every_kind_of_job_is_there),
        cmocka_unit_test(families_are_well_formed), cmocka_unit_test(labels),
        cmocka_unit_test(process_figures_are_real),
    };
    stats_register(&mine);
    stats_register(&other);
    engine.registry = registry_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    registry_free(engine.registry);
    return failed;
}
