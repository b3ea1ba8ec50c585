/* The shared idle list: what is put is taken once, by whom it fits, by any thread. */
#include "core/conn/shared_idle.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/help_memory.h"

#define KEY(name, at) (&(struct target_key){ .host = SLICE(name), .port = (at) })
#define HOST KEY("a.test", 80)

static bool anyone(void *context, const struct addr *a)
{
    (void)context;
    (void)a;
    return true;
}

static bool port_is(void *context, const struct addr *a)
{
    return a->port == *(u16 *)context;
}

static struct shared_idle_item item_of(u16 port, u64 since)
{
    return (struct shared_idle_item){ .fd = open("/dev/null", O_RDONLY),
                                      .peer = { .family = AF_INET, .port = port },
                                      .since_ms = since };
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void the_latest_first(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct shared_idle_item a = item_of(1, 10), b = item_of(2, 20), got;
    assert_true(shared_idle_put(s, 77, HOST, &a) && shared_idle_put(s, 77, HOST, &b));
    assert_true(shared_idle_take(s, 77, HOST, anyone, NULL, 0, &got));
    assert_int_equal(got.fd, b.fd);
    assert_int_equal(got.peer.port, 2);
    assert_true(shared_idle_take(s, 77, HOST, anyone, NULL, 0, &got));
    assert_int_equal(got.fd, a.fd);
    assert_int_equal(got.since_ms, 10);
    assert_false(shared_idle_take(s, 77, HOST, anyone, NULL, 0, &got));
    close(a.fd), close(b.fd);
    shared_idle_free(s);
}

/* A hash proves nothing: name and port are compared. */
static void compared_by_name(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct shared_idle_item a = item_of(1, 10), got;
    assert_true(shared_idle_put(s, 77, HOST, &a));
    assert_false(shared_idle_take(s, 77, KEY("b.test", 80), anyone, NULL, 0, &got));
    assert_false(shared_idle_take(s, 77, KEY("a.tes", 80), anyone, NULL, 0, &got));
    assert_false(shared_idle_take(s, 77, KEY("a.test", 81), anyone, NULL, 0, &got));
    assert_false(shared_idle_take(s, 77 + 64, HOST, anyone, NULL, 0, &got));
    assert_true(is_open(a.fd));
    shared_idle_free(s);
    assert_false(is_open(a.fd));
}

static void only_what_fits(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct shared_idle_item a = item_of(1, 10), b = item_of(2, 20), got;
    u16 wanted = 1;
    assert_true(shared_idle_put(s, 77, HOST, &a) && shared_idle_put(s, 77, HOST, &b));
    assert_true(shared_idle_take(s, 77, HOST, port_is, &wanted, 0, &got));
    assert_int_equal(got.fd, a.fd);
    assert_false(shared_idle_take(s, 77, HOST, port_is, &wanted, 0, &got));
    close(a.fd);
    shared_idle_free(s);
}

struct slow {
    struct shared_idle *shared_idle;
    struct shared_idle_item late; /* comes while the first one is judged */
};

static bool slow_to_refuse(void *context, const struct addr *a)
{
    struct slow *w = context;
    (void)a;
    alarm(10); /* for ever is longer */
    if (w->late.fd)
        assert_true(shared_idle_put(w->shared_idle, 77, HOST, &w->late));
    w->late.fd = 0;
    return false;
}

/* Judging takes its time, and the shared idle list is open meanwhile; what was not taken is there
 * again, in its place, and grows old as before. */
static void judged_with_no_lock_held(void **state)
{
    (void)state;
    struct slow w = { shared_idle_new(), item_of(3, 30) };
    struct shared_idle_item a = item_of(1, 10), b = item_of(2, 20), c = w.late, got;
    assert_true(shared_idle_put(w.shared_idle, 77, HOST, &a) &&
                shared_idle_put(w.shared_idle, 77, HOST, &b));
    assert_false(shared_idle_take(w.shared_idle, 77, HOST, slow_to_refuse, &w, 0, &got));
    alarm(0);
    shared_idle_sweep(w.shared_idle, 11);
    assert_false(is_open(a.fd));
    assert_true(is_open(b.fd));
    shared_idle_sweep(w.shared_idle, 21);
    assert_false(is_open(b.fd));
    assert_true(shared_idle_take(w.shared_idle, 77, HOST, anyone, NULL, 0, &got));
    assert_int_equal(got.fd, c.fd);
    assert_false(shared_idle_take(w.shared_idle, 77, HOST, anyone, NULL, 0, &got));
    close(c.fd);
    shared_idle_free(w.shared_idle);
}

static void what_did_not_fit_keeps_its_place(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct shared_idle_item got;
    u16 wanted = 9;
    for (u16 i = 1; i <= 3; i++) {
        struct shared_idle_item it = item_of(i, i);
        assert_true(shared_idle_put(s, 77, HOST, &it));
    }
    assert_false(shared_idle_take(s, 77, HOST, port_is, &wanted, 0, &got));
    for (u16 i = 3; i >= 1; i--) {
        assert_true(shared_idle_take(s, 77, HOST, anyone, NULL, 0, &got));
        assert_int_equal(got.peer.port, i);
        close(got.fd);
    }
    shared_idle_free(s);
}

static void it_is_full_some_time(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    unsigned n = 0;
    struct shared_idle_item it = item_of(1, 10);
    while (n < 1000 && shared_idle_put(s, 77, HOST, &it)) {
        it = item_of(1, 10);
        n++;
    }
    assert_in_range(n, 16, 999);
    assert_true(shared_idle_put(s, 78, HOST, &it)); /* another shard */
    shared_idle_free(s);
}

static void without_memory(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct shared_idle_item it = item_of(1, 10);
    memory_refuse(1, false);
    assert_false(shared_idle_put(s, 77, HOST, &it));
    assert_int_equal(memory_relent(), 1);
    assert_true(shared_idle_put(s, 77, HOST, &it));
    shared_idle_free(s);
}

static void sweeping(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct shared_idle_item a = item_of(1, 10), b = item_of(2, 20), got;
    assert_true(shared_idle_put(s, 77, HOST, &a) && shared_idle_put(s, 77, HOST, &b));
    assert_int_equal(shared_idle_sweep(s, 10), 0);
    assert_true(is_open(a.fd));
    assert_int_equal(shared_idle_sweep(s, 20), 1);
    assert_false(is_open(a.fd));
    assert_true(is_open(b.fd));
    assert_true(shared_idle_take(s, 77, HOST, anyone, NULL, 0, &got));
    close(b.fd);
    shared_idle_free(s);
}

/* One goes at a time, in whichever shard it is, until only the spare ones are left. */
static void evicting(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct shared_idle_item it[3];
    unsigned open = 0;
    for (u64 i = 0; i < 3; i++) {
        it[i] = item_of(1, 10);
        assert_true(shared_idle_put(s, i / 2, HOST, &it[i]));
    }
    assert_true(shared_idle_evict(s, 1));
    assert_false(is_open(it[0].fd)); /* the oldest of the first shard */
    assert_true(shared_idle_evict(s, 1));
    for (unsigned i = 0; i < 3; i++)
        open += is_open(it[i].fd);
    assert_int_equal(open, 1);
    assert_false(shared_idle_evict(s, 1));
    assert_true(shared_idle_evict(s, 0));
    assert_false(shared_idle_evict(s, 0));
    assert_int_equal(shared_idle_sweep(s, UINT64_MAX), 0);
    shared_idle_free(s);
}

enum { THREADS = 4, EACH = 2000 };

struct crowd {
    pthread_t id;
    struct shared_idle *shared_idle;
    unsigned put, taken;
};

/* Numbers stand for descriptors: nothing is opened or closed here. */
static void *put_and_take(void *arg)
{
    struct crowd *c = arg;
    struct shared_idle_item it = { .since_ms = 1 }, got;
    for (unsigned i = 0; i < EACH; i++) {
        u64 hash = i % 8;
        it.fd = 1000000;
        c->put += shared_idle_put(c->shared_idle, hash, HOST, &it);
        if (i % 3)
            c->taken += shared_idle_take(c->shared_idle, hash, HOST, anyone, NULL, 0, &got);
        if (i % 100 == 0)
            shared_idle_sweep(c->shared_idle, 1);
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    struct shared_idle *s = shared_idle_new();
    struct crowd crowd[THREADS];
    unsigned put = 0, taken = 0;
    struct shared_idle_item got;
    for (unsigned i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){ .shared_idle = s };
        pthread_create(&crowd[i].id, NULL, put_and_take, &crowd[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(crowd[i].id, NULL);
        put += crowd[i].put;
        taken += crowd[i].taken;
    }
    for (u64 hash = 0; hash < 8; hash++)
        while (shared_idle_take(s, hash, HOST, anyone, NULL, 0, &got))
            taken++;
    assert_int_equal(put, taken);
    shared_idle_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_first),
        cmocka_unit_test(compared_by_name),
        cmocka_unit_test(only_what_fits),
        cmocka_unit_test(it_is_full_some_time),
        cmocka_unit_test(judged_with_no_lock_held),
        cmocka_unit_test(what_did_not_fit_keeps_its_place),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(sweeping),
        cmocka_unit_test(evicting),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
