/* Who we say we are, and who has been here before. */
#include "core/exchange/via.h"

#include "core/exchange/xchg.h"
#include "tests/unit/core/help_engine.h"

static struct xchg *x;

static int set_up(void **state)
{
    rig_set_up(state);
    x = calloc(1, sizeof *x);
    x->worker = rig.worker;
    x->listen = rig.listener;
    arena_init(&x->arena, 0);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(&x->arena);
    free(x);
    return rig_tear_down(state);
}

#define VIA_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static bool is_loop(const char *via)
{
    static const struct head_limits limits = { .head = 32768, .line = 16384, .fields = 128 };
    char head[1000];
    struct text t = text_in(head, sizeof head);
    text_lit(&t, "GET / HTTP/1.1\r\nHost: a\r\n");
    text_cstr(&t, via);
    text_lit(&t, "\r\n");
    msg_init(&x->req, &x->arena);
    assert_int_equal(request_parse(&x->req, head, (u32)t.n, &limits), FAULT_NONE);
    return via_is_loop(x);
}

#define OTHERS_5 "Via: 1.1 a, 1.1 a, 1.1 a, 1.1 a, 1.1 a\r\n"
#define OTHERS_15 OTHERS_5 OTHERS_5 OTHERS_5

static void our_names(void **state)
{
    (void)state;
    assert_false(is_loop(""));
    assert_false(is_loop("Via: 1.1 edge\r\n"));
    assert_true(is_loop("Via: 1.1 proxyd-test\r\n"));
    rig.listener->via = SLICE("edge");
    assert_true(is_loop("Via: 1.1 a, 1.0 EDGE\r\n"));
    assert_true(is_loop("Via: 1.1 proxyd-test\r\n")); /* of another listener of ours */
    assert_false(is_loop("Via: 1.1 edge2\r\n"));
    assert_false(is_loop(OTHERS_15 OTHERS_15));
}

/* We are in none of them, so only their number tells. */
static void with_via_off(void **state)
{
    (void)state;
    rig.listener->via_off = true;
    assert_false(is_loop(""));
    assert_true(is_loop("Via: 1.1 proxyd-test\r\n"));
    assert_false(is_loop(OTHERS_15 "Via: 1.1 a\r\n"));
    assert_true(is_loop(OTHERS_15 "Via: 1.1 a, 1.0 b\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIA_TEST(our_names),
        VIA_TEST(with_via_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
