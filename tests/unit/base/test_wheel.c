/* The wheel against a model that knows only deadlines: never early, at most a tick late. */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/must.h"

enum { TIMERS = 512, STEPS = 1000000 };

struct modelled {
    struct timer timer;
    u64 want; /* the model's deadline; TIMER_NEVER: none */
    u64 set;  /* when it was set last: a deadline in the past runs in the next tick */
};

static struct wheel wheel;
static u64 now;
static struct modelled all[TIMERS];
static u64 fired;
static u64 seed = 88172645463325252ull;

static u64 random64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Spread over all levels, exact multiples of slot borders included. */
static u64 random_delay(void)
{
    static const u64 range[] = { 1, 16, 300, 5000, 20000, 400000, 5000000, 100000000 };
    u64 r = range[random64() % countof(range)];
    return random64() % 4 == 0 ? r * WHEEL_TICK_MS : random64() % r;
}

static void set(struct modelled *m, u64 deadline)
{
    m->want = deadline;
    m->set = now;
    timer_set(&wheel, &m->timer, deadline);
}

static void on_expire(struct timer *t)
{
    struct modelled *m = container_of(t, struct modelled, timer);
    must(m->want != TIMER_NEVER);
    must(m->want <= now);
    must(!timer_armed(t));
    m->want = TIMER_NEVER;
    fired++;
    if (random64() % 4 == 0)
        set(m, now + random_delay());
    if (random64() % 8 == 0) { /* a callback may clear any other, due or not */
        struct modelled *other = &all[random64() % TIMERS];
        other->want = TIMER_NEVER;
        timer_clear(&wheel, &other->timer);
    }
}

static void start(void)
{
    now = 1000003;
    wheel_init(&wheel, now);
    wheel.on_expire[3] = on_expire;
    fired = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_init(&all[i].timer, 3);
        all[i].want = TIMER_NEVER;
    }
}

/* Nothing may be overdue by more than a tick after a run. */
static void check_none_late(void)
{
    for (unsigned i = 0; i < TIMERS; i++) {
        struct modelled *m = &all[i];
        u64 base = m->want > m->set ? m->want : m->set;
        if (m->want != TIMER_NEVER)
            assert_true(base + 2 * WHEEL_TICK_MS > now);
    }
}

static void one_step(void)
{
    struct modelled *m = &all[random64() % TIMERS];
    switch (random64() % 8) {
    case 0:
        m->want = TIMER_NEVER;
        timer_clear(&wheel, &m->timer);
        break;
    case 1:
        m->want = TIMER_NEVER;
        timer_rest(&m->timer);
        break;
    case 2:
        now += random_delay() / 16;
        wheel_run(&wheel, now);
        break;
    case 3: { /* as the loop does: sleep exactly as long as the wheel says */
        u32 wait = wheel_wait(&wheel, now, 1000000000);
        now += wait < 1000000000 ? wait : 1;
        wheel_run(&wheel, now);
        break;
    }
    case 4: set(m, now > 5000 ? now - random64() % 5000 : 0); break;
    default: set(m, now + random_delay()); break;
    }
}

static void random_against_model(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < STEPS; i++) {
        one_step();
        if (i % 64 == 0)
            check_none_late();
    }
    assert_true(fired > STEPS / 20);
    for (unsigned i = 0; i < TIMERS; i++)
        timer_clear(&wheel, &all[i].timer);
    for (unsigned l = 0; l < WHEEL_LEVELS; l++)
        assert_int_equal(wheel.used[l], 0);
}

static void wait_is_exact(void **state)
{
    (void)state;
    static const u64 delay[] = { 0, 1, 4, 5, 252, 256, 257, 16380, 16384, 1048576, 70000000 };
    for (unsigned i = 0; i < countof(delay); i++) {
        start();
        set(&all[0], now + delay[i]);
        u64 began = now;
        unsigned turns = 0;
        while (all[0].want != TIMER_NEVER && fired == 0) {
            u32 wait = wheel_wait(&wheel, now, UINT32_MAX);
            now += wait ? wait : 1;
            wheel_run(&wheel, now);
            assert_true(++turns < 10);
        }
        assert_true(now >= began + delay[i] && now <= began + delay[i] + 2 * WHEEL_TICK_MS);
        timer_clear(&wheel, &all[0].timer);
    }
}

static void later_is_one_store(void **state)
{
    (void)state;
    start();
    set(&all[0], now + 100);
    struct list *filed_after = all[0].timer.link.prev;
    u64 filed = all[0].timer.filed;
    for (unsigned i = 1; i <= 1000; i++)
        set(&all[0], now + 100 + i);
    assert_int_equal(all[0].timer.filed, filed);
    assert_ptr_equal(all[0].timer.link.prev, filed_after);
    now += 1000;
    wheel_run(&wheel, now);
    assert_int_equal(fired, 0);
    assert_true(all[0].timer.filed > filed);
    set(&all[0], now + 10); /* nearer: moves */
    now += 20;
    wheel_run(&wheel, now);
    assert_int_equal(fired, 1);
    timer_clear(&wheel, &all[0].timer);
}

static void endless(struct timer *t)
{
    fired++;
    timer_set(&wheel, t, now);
}

static void rearming_for_now_runs_once_a_turn(void **state)
{
    (void)state;
    start();
    wheel.on_expire[3] = endless;
    timer_set(&wheel, &all[0].timer, now);
    for (unsigned i = 1; i <= 10; i++) {
        now += WHEEL_TICK_MS;
        wheel_run(&wheel, now);
        assert_true(fired <= i);
    }
    assert_true(fired >= 9);
    timer_clear(&wheel, &all[0].timer);
}

static void clock_jumps_a_day(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 100; i++)
        set(&all[i], now + i * 997);
    set(&all[100], now + 20ull * 3600 * 1000);
    now += 19ull * 3600 * 1000;
    wheel.on_expire[3] = on_expire;
    wheel_run(&wheel, now);
    assert_true(all[100].want != TIMER_NEVER || fired > 0);
    check_none_late();
    for (unsigned i = 0; i < TIMERS; i++)
        timer_clear(&wheel, &all[i].timer);
}

static void quiet(struct timer *t)
{
    (void)t;
}

/* Ten times what it takes here, so that a busy machine does not fail it. */
static void costs_nanoseconds(void **state)
{
    (void)state;
    start();
    wheel.on_expire[3] = quiet;
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < STEPS; i++)
        timer_set(&wheel, &all[i % TIMERS].timer, now + 60000 + i / TIMERS);
    u64 t1 = clock_us(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < STEPS; i++) {
        timer_clear(&wheel, &all[i % TIMERS].timer);
        timer_set(&wheel, &all[i % TIMERS].timer, now + i % 60000);
    }
    u64 t2 = clock_us(CLOCK_MONOTONIC);
    print_message("timer_set later %.1f ns, clear and set %.1f ns\n",
                  (double)(t1 - t0) * 1e3 / STEPS, (double)(t2 - t1) * 1e3 / STEPS);
    assert_true(t1 - t0 < 10 * 20000);
    assert_true(t2 - t1 < 10 * 60000);
    for (unsigned i = 0; i < TIMERS; i++)
        timer_clear(&wheel, &all[i].timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_model), cmocka_unit_test(wait_is_exact),
        cmocka_unit_test(later_is_one_store),   cmocka_unit_test(rearming_for_now_runs_once_a_turn),
        cmocka_unit_test(clock_jumps_a_day),    cmocka_unit_test(costs_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
