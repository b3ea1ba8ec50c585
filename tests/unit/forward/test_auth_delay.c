/* What is remembered of wrong passwords: how long the next one waits, and who is forgotten. */
#include "forward/auth/delay.h"
#include "forward/auth/meter.h"
#include "tests/unit/core/help_engine.h"

static struct auth_delays delays;

static struct auth_turn turn(const char *client, const char *name)
{
    struct addr a;
    assert_true(addr_parse(slice_of(client), &a));
    return auth_turn_of(&a, slice_of(name));
}

/* How long the next one waits. */
static u64 wait_ms(struct auth_turn t, u64 now)
{
    return auth_turn_at(&delays, &t, now) - now;
}

static void failed(struct auth_turn t, unsigned times, u64 now)
{
    for (unsigned i = 0; i < times; i++)
        auth_turn_failed(&delays, &t, now);
}

static void each_failure_doubles_it(void **state)
{
    u64 now = 1000000;
    (void)state;
    memset(&delays, 0, sizeof delays);
    assert_int_equal(wait_ms(turn("10.0.0.1", "ann"), now), 0);
    failed(turn("10.0.0.1", "ann"), 1, now);
    assert_int_equal(wait_ms(turn("10.0.0.1", "ann"), now), 250);
    failed(turn("10.0.0.1", "ann"), 1, now);
    assert_int_equal(wait_ms(turn("10.0.0.1", "bob"), now), 500);
    failed(turn("10.0.0.1", "ann"), 20, now);
    assert_int_equal(wait_ms(turn("10.0.0.1", "bob"), now), 8000);
    assert_int_equal(wait_ms(turn("10.0.0.2", "ann"), now), 2000);
    assert_int_equal(wait_ms(turn("10.0.0.2", "bob"), now), 0);
    struct auth_turn right = turn("10.0.0.1", "ann");
    auth_turn_passed(&delays, &right, now);
    assert_int_equal(wait_ms(turn("10.0.0.2", "ann"), now), 0);
    assert_int_equal(wait_ms(turn("10.0.0.1", "ann"), now), 8000);
    assert_int_equal(wait_ms(turn("10.0.0.1", "ann"), now + 20 * 60000), 0);
}

static void an_ipv6_network_is_one_client(void **state)
{
    (void)state;
    memset(&delays, 0, sizeof delays);
    failed(turn("2001:db8::1", "a"), 1, 5000);
    assert_int_equal(wait_ms(turn("2001:db8::ffff", "b"), 5000), 250);
    assert_int_equal(wait_ms(turn("2001:db8:0:1::1", "b"), 5000), 0);
}

static void one_looks_after_the_other(void **state)
{
    struct auth_turn t = turn("10.0.0.1", "ann");
    u64 at[4];
    (void)state;
    memset(&delays, 0, sizeof delays);
    for (unsigned i = 0; i < 4; i++) { /* none is answered yet */
        at[i] = auth_turn_at(&delays, &t, 5000);
        auth_turn_take(&delays, &t, 5000);
    }
    assert_int_equal(at[0], 5000);
    assert_int_equal(at[1], 5250);
    assert_int_equal(at[2], 5750);
    assert_int_equal(at[3], 6750);
    assert_int_equal(wait_ms(turn("10.0.0.1", "bob"), 5000), 0);
    auth_turn_dropped(&delays, &t, 5000);
    auth_turn_dropped(&delays, &t, 5000);
    auth_turn_dropped(&delays, &t, 5000);
    auth_turn_passed(&delays, &t, 5000);
    assert_int_equal(wait_ms(t, 5000), 0);
}

static void sixteen_may_come_by_one_address(void **state)
{
    (void)state;
    memset(&delays, 0, sizeof delays);
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        struct auth_turn t = turn("10.0.0.1", name);
        u64 at = auth_turn_at(&delays, &t, 5000);
        assert_int_equal(at > 5000, i > 16);
        auth_turn_take(&delays, &t, 5000);
    }
}

/* Who makes names and addresses up by the thousand neither gets rid of what he has earned, nor takes
 * anybody with him. */
static void a_flood_crowds_nobody_out(void **state)
{
    u64 now = 1000000;
    (void)state;
    memset(&delays, 0, sizeof delays);
    failed(turn("10.0.0.1", "ann"), 8, now);
    for (unsigned i = 0; i < 50000; i++) {
        char client[32], name[16];
        snprintf(client, sizeof client, "10.%u.%u.9", 1 + i / 256, i % 256);
        snprintf(name, sizeof name, "n%u", i);
        struct auth_turn t = turn(client, name);
        auth_turn_take(&delays, &t, now);
        failed(t, 1, now); /* one, and another is left open */
        auth_turn_take(&delays, &t, now);
    }
    assert_int_equal(wait_ms(turn("10.0.0.1", "x"), now), 8000);
    assert_int_equal(wait_ms(turn("10.0.0.2", "ann"), now), 2000);
    assert_int_equal(wait_ms(turn("172.16.0.1", "bob"), now), 0);
}

static void a_meter_counts_to_the_one(void **state)
{
    const u64 second = 1000000000;
    struct auth_meter *m = auth_meter_new();
    (void)state;
    for (u64 count = 1; count < 1000000; count = count * 7 + 1) {
        atomic_store(&m->full_ns, 0);
        for (u64 i = 0; i < count; i++)
            assert_int_equal(auth_meter_take(m, count, 60 * second, 3600 * second), 0);
        u32 wait = auth_meter_take(m, count, 60 * second, 3600 * second);
        assert_int_equal(wait, (60 + count - 1) / count);
        assert_int_equal(auth_meter_take(m, count, 60 * second, (3600 + wait) * second), 0);
    }
    auth_meter_drop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_doubles_it),
        cmocka_unit_test(an_ipv6_network_is_one_client),
        cmocka_unit_test(one_looks_after_the_other),
        cmocka_unit_test(sixteen_may_come_by_one_address),
        cmocka_unit_test(a_flood_crowds_nobody_out),
        cmocka_unit_test(a_meter_counts_to_the_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
