/* Targets and their idle connections: whose they are, who may use them, how many stay, and when
 * they go. */
#include "core/conn/target.h"

#include <unistd.h>

#include "core/conn/dial.h"
#include "tests/unit/core/help_engine.h"

static struct host host_of(const char *name)
{
    struct host h;
    assert_int_equal(host_parse(slice_of(name), &h), FAULT_NONE);
    return h;
}

/* What the idle lists look at of an exchange. */
static struct xchg *self(struct worker *w, const char *name, u16 port)
{
    struct xchg *x = calloc(1, sizeof *x);
    struct host h = host_of(name);
    x->worker = w;
    x->role = rig.listener->role;
    x->target = rig_target(w, &h, port);
    return x;
}

static void taker_end(struct xchg *x)
{
    target_put(x->worker, &x->target);
    free(x);
}

static bool fits(void *self, const struct addr *a)
{
    struct xchg *x = self;
    return x->role->vet(x, a).fault == FAULT_NONE;
}

static bool anyone(void *self, const struct addr *a)
{
    (void)self;
    (void)a;
    return true;
}

static struct conn *take(struct xchg *x)
{
    u32 rested;
    struct idle_want want = { .fits = fits, .self = x, .repeatable = true };
    return idle_take(x->worker, x->target, &want, &rested);
}

/* A connection that leads to address and has just ended an exchange for t. */
static struct conn *used(struct worker *w, struct target *t, const char *address, int *other)
{
    int pair[2];
    struct addr peer;
    assert_true(addr_parse_port(slice_of(address), &peer));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct conn *c = conn_new(w, pair[1], &peer, &rig_begun);
    assert_non_null(c);
    *other = pair[0];
    target_busy(w, t);
    loop_turn(&w->loop, 0); /* it is writable */
    return c;
}

static void give(struct target *t, struct conn *c)
{
    target_rest(t);
    idle_give(t, c);
}

static void one_per_name_and_port(void **state)
{
    (void)state;
    struct host a = host_of("a.test"), b = host_of("b.test"), same = host_of("A.TEST.");
    struct target *t = rig_target(rig.worker, &a, 80), *u = rig_target(rig.worker, &same, 80),
                  *v = rig_target(rig.worker, &a, 81), *x = rig_target(rig.worker, &b, 80);
    assert_ptr_equal(t, u);
    assert_int_equal(t->refs, 2);
    assert_ptr_not_equal(t, v);
    assert_ptr_not_equal(t, x);
    target_put(rig.worker, &u);
    assert_null(u);
    assert_int_equal(t->refs, 1);
    target_put(rig.worker, &t);
    target_put(rig.worker, &v);
    target_put(rig.worker, &x);
}

/* Every part of the key alone makes two targets, hence two connections: what rests for one of them
 * is there for no other, not even on the shared idle list. */
static void each_part_of_the_key_counts(void **state)
{
    (void)state;
    enum { PARTS = 10 };
    static const struct connector some = { .name = "some" };
    static const struct connector *const chain[] = { &some, NULL };
    struct host a = host_of("a.test"), b = host_of("b.test");
    struct conn_profile p[PARTS] = { { .id = 0 } };
    struct destination to[PARTS];
    struct target *t[PARTS], *again[PARTS];
    p[3].scheme = SCHEME_HTTPS;
    p[4].tls = (const void *)&a;
    p[5].parent = (const void *)&b;
    p[6].chain = chain;
    assert_true(addr_parse(SLICE("127.0.0.5"), &p[7].source));
    for (int i = 0; i < PARTS; i++)
        to[i] = (struct destination){ .profile = profile_intern(&p[i]),
                                      .host = i == 1 ? &b : &a,
                                      .port = i == 2 ? 81 : 80 };
    assert_true(addr_parse_port(SLICE("127.0.0.1:80"), &to[8].pinned));
    struct addr foreign;
    assert_true(addr_parse(SLICE("192.0.2.1"), &foreign));
    to[9].source = &foreign;
    for (int i = 0; i < PARTS; i++) {
        t[i] = target_get(rig.worker, &to[i]);
        again[i] = target_get(rig.worker, &to[i]);
        assert_ptr_equal(t[i], again[i]);
        for (int k = 0; k < i; k++)
            assert_ptr_not_equal(t[i], t[k]);
    }
    int upstream[2];
    struct conn *kept = used(rig.worker, t[0], "127.0.0.1:80", &upstream[0]),
                *shared = used(rig.worker, t[0], "127.0.0.1:80", &upstream[1]);
    u32 rested;
    struct idle_want want = { .fits = anyone, .repeatable = true };
    target_rest(t[0]);
    give(t[0], kept);
    t[0]->peak = 0; /* nobody needs a second one here */
    idle_give(t[0], shared);
    for (int i = PARTS; i-- > 0;) {
        struct conn *c = idle_take(rig.worker, t[i], &want, &rested);
        assert_int_equal(c != NULL, i == 0);
        if (c)
            conn_close(c);
        c = idle_take(rig.workers[1], t[i], &want, &rested);
        assert_int_equal(c != NULL, i == 0);
        if (c)
            conn_close(c);
        target_put(rig.worker, &t[i]);
        target_put(rig.worker, &again[i]);
    }
    close(upstream[0]), close(upstream[1]);
}

static void the_last_used_comes_first(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80);
    int upstream[2];
    struct conn *c = used(rig.worker, x->target, "127.0.0.1:80", &upstream[0]),
                *d = used(rig.worker, x->target, "127.0.0.1:80", &upstream[1]);
    give(x->target, c);
    give(x->target, d);
    assert_int_equal(rig_count(STAT_upstream_idle), 2);
    assert_user(c, "idle upstream");
    struct conn *taken = take(x);
    assert_ptr_equal(taken, d);
    assert_ptr_equal(take(x), c);
    assert_null(take(x));
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    assert_int_equal(rig_count(STAT_upstream_reused_total), 2);
    conn_close(c);
    conn_close(d);
    target_rest(x->target);
    taker_end(x);
    close(upstream[0]), close(upstream[1]);
}

static struct ruling only_two(const struct xchg *x, const struct addr *a)
{
    (void)x;
    return (struct ruling){ .fault = a->ip[3] == 2 ? FAULT_NONE : FAULT_destination_loopback };
}

/* Who may not go to an address does not ride a connection that leads there. */
static void taking_one_asks_the_role(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80);
    int upstream[3];
    for (int i = 0; i < 3; i++)
        give(x->target,
             used(rig.worker, x->target, i == 1 ? "127.0.0.2:80" : "127.0.0.1:80", &upstream[i]));
    rig.vet = only_two;
    struct conn *c = take(x);
    assert_non_null(c);
    assert_int_equal(c->peer.ip[3], 2);
    assert_null(take(x));
    rig.vet = NULL;
    struct conn *d = take(x);
    assert_non_null(d);
    conn_close(c);
    conn_close(d);
    taker_end(x);
    for (int i = 0; i < 3; i++)
        close(upstream[i]);
}

static void an_origin_that_speaks_or_closes_is_dropped(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80);
    int upstream[2];
    give(x->target, used(rig.worker, x->target, "127.0.0.1:80", &upstream[0]));
    give(x->target, used(rig.worker, x->target, "127.0.0.1:80", &upstream[1]));
    taker_end(x); /* the target lives on for its idle connections */
    assert_int_equal(write(upstream[0], "HTTP/1.1 408 Too late\r\n\r\n", 25), 25);
    rig_turn();
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
    close(upstream[1]);
    rig_turn();
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    assert_true(list_empty(&rig.worker->idle_conns));
    close(upstream[0]);
}

static void nobody_rests_for_ever(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80);
    int upstream;
    give(x->target, used(rig.worker, x->target, "127.0.0.1:80", &upstream));
    rig_later(59000);
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
    rig_later(2000);
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    taker_end(x);
    close(upstream);
}

static void eviction_takes_who_rested_longest(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80), *y = self(rig.worker, "b.test", 80);
    int upstream[3];
    assert_false(idle_evict(rig.worker));
    give(x->target, used(rig.worker, x->target, "127.0.0.1:80", &upstream[0]));
    give(y->target, used(rig.worker, y->target, "127.0.0.1:80", &upstream[1]));
    give(x->target, used(rig.worker, x->target, "127.0.0.1:80", &upstream[2]));
    assert_true(idle_evict(rig.worker));
    assert_true(rig_ended(upstream[0]));
    idle_evict_spare(rig.worker);
    assert_true(rig_ended(upstream[1]));
    idle_evict_spare(rig.worker); /* the last way to an origin stays */
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
    idle_drain(rig.worker);
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    taker_end(x);
    taker_end(y);
    close(upstream[0]), close(upstream[1]), close(upstream[2]);
}

static struct conn *take_for_a_post(struct xchg *x)
{
    u32 rested;
    struct idle_want want = { .fits = anyone, .repeatable = false };
    return idle_take(x->worker, x->target, &want, &rested);
}

/* What may not be sent twice takes one that is clearly younger than the shortest life that was
 * seen, on the worker's list as on the shared one; what may be takes any. */
static void a_post_takes_only_a_young_one(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct xchg *x = self(rig.worker, shared ? "b.test" : "a.test", 80);
        int other_end[2];
        give(x->target, used(rig.worker, x->target, "127.0.0.1:80", &other_end[0]));
        rig_later(4000);
        close(other_end[0]); /* seen: its life was 4 s */
        rig_turn();
        struct conn *c = used(rig.worker, x->target, "127.0.0.1:80", &other_end[1]);
        if (shared)
            x->target->peak = x->target->last_peak = 0; /* nobody needs a second one here */
        give(x->target, c);
        rig_later(2900);
        c = take_for_a_post(x);
        assert_non_null(c);
        if (shared)
            x->target->peak = x->target->last_peak = 0;
        idle_give(x->target, c);
        rig_later(3100);
        assert_null(take_for_a_post(x));
        c = take(x);
        assert_non_null(c);
        conn_close(c);
        taker_end(x);
        close(other_end[1]);
    }
}

/* One that was closed while it was in use again tells as much. */
static void one_that_was_lost_tells(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80);
    int other_end;
    idle_lost(rig.worker, x->target, 3);
    give(x->target, used(rig.worker, x->target, "127.0.0.1:80", &other_end));
    assert_null(take_for_a_post(x));
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
    taker_end(x);
    close(other_end);
}

static void draining_keeps_nothing(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80);
    int upstream;
    struct conn *c = used(rig.worker, x->target, "127.0.0.1:80", &upstream);
    rig.worker->draining = DRAIN_GRACEFUL;
    give(x->target, c);
    assert_true(rig_ended(upstream));
    taker_end(x);
    close(upstream);
}

/* Counted in whichever worker it was put or taken. */
static u64 idle_of_all(void)
{
    return rig_count(STAT_upstream_idle) +
           atomic_load(&rig.workers[1]->stats->value[STAT_upstream_idle]);
}

/* With other workers about, the worker's idle list keeps as many as were busy at once; the rest is
 * shared. */
static void what_a_worker_does_not_need_is_shared(void **state)
{
    (void)state;
    struct worker *other = rig.workers[1];
    struct xchg *x = self(rig.worker, "a.test", 80), *y = self(other, "a.test", 80);
    int upstream[3];
    struct conn *c[3];
    for (int i = 0; i < 2; i++)
        c[i] = used(rig.worker, x->target, "127.0.0.1:80", &upstream[i]);
    give(x->target, c[0]); /* peak 2: 1 busy, 1 idle */
    give(x->target, c[1]);
    assert_int_equal(rig_count(STAT_upstream_idle), 2);
    assert_null(take(y));
    /* A quiet quarter of a minute later one at a time is the rule, the second one is too many. */
    rig_later(25000);
    struct conn *d = take(x);
    target_busy(rig.worker, x->target);
    give(x->target, d);
    assert_int_equal(idle_of_all(), 2);
    struct conn *taken = take(y);
    assert_non_null(taken);
    assert_int_equal(idle_of_all(), 1);
    assert_ptr_equal(taken->worker, other);
    assert_int_equal(taken->peer.port, 80);
    conn_close(taken);
    taker_end(x);
    taker_end(y);
    idle_drain(rig.worker);
    rig_turn();
    close(upstream[0]), close(upstream[1]);
}

/* A descriptor that is missing is taken from the shared idle list when the worker's own is
 * empty. */
static void the_shared_list_gives_way_too(void **state)
{
    (void)state;
    struct worker *other = rig.workers[1];
    struct xchg *x = self(rig.worker, "a.test", 80);
    int upstream[3];
    struct conn *c[3];
    for (int i = 0; i < 3; i++)
        c[i] = used(rig.worker, x->target, "127.0.0.1:80", &upstream[i]);
    x->target->peak = x->target->last_peak = 0; /* nobody needs a own idle list */
    for (int i = 0; i < 3; i++)
        give(x->target, c[i]);
    assert_int_equal(idle_of_all(), 3);
    idle_evict_spare(other);
    assert_int_equal(idle_of_all(), 2);
    idle_evict_spare(other);
    idle_evict_spare(other); /* the last way to an origin stays */
    assert_int_equal(idle_of_all(), 1);
    idle_drain(other); /* closes what is its own */
    assert_int_equal(idle_of_all(), 1);
    assert_true(idle_evict(other));
    assert_false(idle_evict(other));
    assert_int_equal(idle_of_all(), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(rig_ended(upstream[i]));
        close(upstream[i]);
    }
    taker_end(x);
}

/* Nobody watches the shared idle list: what closed or spoke there is noticed when it is taken. */
static void stale_ones_on_the_shared_list(void **state)
{
    (void)state;
    struct xchg *x = self(rig.worker, "a.test", 80);
    int pair[3][2];
    struct shared_idle_item item = { .since_ms = 1 };
    assert_true(addr_parse_port(SLICE("127.0.0.1:80"), &item.peer));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair[i]), 0);
        item.fd = pair[i][1];
        assert_true(
            shared_idle_put(rig.engine.shared_idle, x->target->hash, &x->target->key, &item));
    }
    close(pair[2][0]);
    assert_int_equal(write(pair[1][0], "x", 1), 1);
    struct conn *c = take(x);
    assert_non_null(c);
    assert_int_equal(c->stream.io.fd, pair[0][1]);
    assert_null(take(x));
    conn_close(c);
    assert_true(rig_reset(pair[1][0]) || rig_ended(pair[1][0]));
    taker_end(x);
    close(pair[0][0]), close(pair[1][0]);
}

/* What one exchange may use another may not: the shared idle list's are judged anew by whoever
 * takes them, and stay for those who may. */
static void taking_a_shared_one_asks_the_role(void **state)
{
    (void)state;
    struct xchg *x = self(rig.workers[1], "a.test", 80);
    int pair[3][2];
    for (int i = 0; i < 3; i++) {
        struct shared_idle_item item = { .since_ms = 1 };
        assert_true(
            addr_parse_port(i == 1 ? SLICE("127.0.0.2:80") : SLICE("127.0.0.1:80"), &item.peer));
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair[i]), 0);
        item.fd = pair[i][1];
        assert_true(
            shared_idle_put(rig.engine.shared_idle, x->target->hash, &x->target->key, &item));
    }
    rig.vet = only_two;
    struct conn *c = take(x);
    assert_non_null(c);
    assert_int_equal(c->peer.ip[3], 2);
    assert_null(take(x));
    rig.vet = NULL;
    struct conn *d = take(x), *e = take(x);
    assert_true(d && e);
    assert_int_equal(d->peer.ip[3] + e->peer.ip[3], 2);
    conn_close(c), conn_close(d), conn_close(e);
    taker_end(x);
    for (int i = 0; i < 3; i++)
        close(pair[i][0]);
}

/* One worker sweeps for all: half a minute on the shared idle list is enough, and again and
 * again. */
static void nobody_rests_on_the_shared_list_for_ever(void **state)
{
    (void)state;
    struct xchg *x = self(rig.workers[1], "a.test", 80);
    timer_set(&rig.worker->loop.wheel, &rig.worker->sweep_timer, worker_ms(rig.worker) + 1000);
    for (int round = 0; round < 2; round++) {
        int upstream;
        struct conn *c = used(rig.workers[1], x->target, "127.0.0.1:80", &upstream);
        x->target->peak = x->target->last_peak = 0; /* nobody needs a own idle list */
        give(x->target, c);
        assert_int_equal(idle_of_all(), 1);
        for (int i = 0; i < 9; i++)
            rig_later(3000);
        assert_false(rig_ended(upstream));
        for (int i = 0; i < 4; i++)
            rig_later(3000);
        assert_true(rig_ended(upstream));
        assert_int_equal(idle_of_all(), 0);
        close(upstream);
    }
    taker_end(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(one_per_name_and_port),
        RIG_TEST_TWO(each_part_of_the_key_counts),
        RIG_TEST(the_last_used_comes_first),
        RIG_TEST(taking_one_asks_the_role),
        RIG_TEST(an_origin_that_speaks_or_closes_is_dropped),
        RIG_TEST(nobody_rests_for_ever),
        RIG_TEST(eviction_takes_who_rested_longest),
        RIG_TEST_TWO(a_post_takes_only_a_young_one),
        RIG_TEST(one_that_was_lost_tells),
        RIG_TEST(draining_keeps_nothing),
        RIG_TEST_TWO(what_a_worker_does_not_need_is_shared),
        RIG_TEST_TWO(the_shared_list_gives_way_too),
        RIG_TEST_TWO(stale_ones_on_the_shared_list),
        RIG_TEST_TWO(taking_a_shared_one_asks_the_role),
        RIG_TEST_TWO(nobody_rests_on_the_shared_list_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
