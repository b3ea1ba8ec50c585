/* The loop on real sockets: edge semantics, again, deferred frees, timers, calls from other
 * threads. */
#include "io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/sock.h"

struct end {
    struct io io;
    unsigned calls;
    u8 seen; /* ready bits of the last call */
    void (*then)(struct end *);
    struct end *other; /* for `then` */
};

static struct loop loop;
static struct end a, b;

static void on_ready(struct io *io)
{
    struct end *e = container_of(io, struct end, io);
    e->calls++;
    e->seen = io->ready;
    if (e->then)
        e->then(e);
}

static int set_up(void **state)
{
    (void)state;
    int fd[2];
    assert_true(loop_init(&loop, &loop));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    a = (struct end){ .io = { .fd = fd[0], .on_ready = on_ready } };
    b = (struct end){ .io = { .fd = fd[1], .on_ready = on_ready } };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_close(&loop, &a.io);
    loop_close(&loop, &b.io);
    loop_free(&loop);
    return 0;
}

static void turn(void)
{
    loop_turn(&loop, 20);
}

static void edge_comes_once(void **state)
{
    (void)state;
    assert_true(loop_add(&loop, &a.io));
    turn();
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.seen, IO_OUT);
    assert_int_equal(write(b.io.fd, "xy", 2), 2);
    turn();
    assert_int_equal(a.calls, 2);
    assert_true(a.seen & IO_IN);
    turn(); /* not read, but no new edge */
    assert_int_equal(a.calls, 2);
    assert_true(a.io.ready & IO_IN);
    char c[8];
    size_t got;
    assert_int_equal(sock_recv(&a.io, c, 1, &got), SOCK_OK);
    assert_true(a.io.ready & IO_IN); /* full read: more may be there */
    assert_int_equal(sock_recv(&a.io, c, sizeof c, &got), SOCK_OK);
    assert_int_equal(got, 1);
    assert_false(a.io.ready & IO_IN); /* short read: the next byte is a new edge */
    assert_int_equal(write(b.io.fd, "z", 1), 1);
    turn();
    assert_int_equal(a.calls, 3);
    assert_true(a.io.ready & IO_IN);
}

static void hang_up_keeps_in_until_the_end(void **state)
{
    (void)state;
    char c[64];
    size_t got;
    assert_true(loop_add(&loop, &a.io));
    assert_int_equal(write(b.io.fd, "end", 3), 3);
    shutdown(b.io.fd, SHUT_WR);
    turn();
    assert_true((a.io.ready & (IO_IN | IO_HUP)) == (IO_IN | IO_HUP));
    assert_int_equal(sock_recv(&a.io, c, sizeof c, &got), SOCK_OK);
    assert_int_equal(got, 3);
    assert_true(a.io.ready & IO_IN); /* a short read does not hide the end behind it */
    assert_int_equal(sock_recv(&a.io, c, sizeof c, &got), SOCK_END);
    assert_false(a.io.ready & IO_IN);
}

static void writing_until_full_and_on(void **state)
{
    (void)state;
    static char area[65536];
    size_t sent, total = 0;
    assert_true(loop_add(&loop, &a.io));
    turn();
    while (a.io.ready & IO_OUT)
        if (sock_send(&a.io, area, sizeof area, &sent) == SOCK_OK)
            total += sent;
    assert_true(total > 0);
    unsigned before = a.calls;
    turn();
    assert_int_equal(a.calls, before);
    while (read(b.io.fd, area, sizeof area) > 0)
        ;
    turn();
    assert_int_equal(a.calls, before + 1);
    assert_true(a.io.ready & IO_OUT);
}

static void add_again(struct end *e)
{
    if (e->calls < 5)
        loop_again(&loop, &e->io);
}

static void again_runs_next_turn_once(void **state)
{
    (void)state;
    a.then = add_again;
    assert_true(loop_add(&loop, &a.io));
    for (unsigned i = 1; i <= 4; i++) {
        turn();
        /* the first turn brings the IO_OUT edge and at its end the queue's call */
        assert_int_equal(a.calls, i + 1);
    }
    turn();
    assert_int_equal(a.calls, 5);
    loop_again(&loop, &a.io);
    loop_again(&loop, &a.io); /* twice queued is once */
    assert_int_equal(loop.queued, 1);
    turn();
    assert_int_equal(a.calls, 6);
}

static void close_other(struct end *e)
{
    loop_close(&loop, &e->other->io);
}

static void closing_another_of_the_same_batch(void **state)
{
    (void)state;
    a.then = b.then = close_other;
    a.other = &b;
    b.other = &a;
    assert_true(loop_add(&loop, &a.io));
    assert_true(loop_add(&loop, &b.io));
    turn(); /* both are writable: whoever comes first closes the other */
    assert_int_equal(a.calls + b.calls, 1);
    assert_int_equal(loop.queued, 0);
}

static void closing_takes_out_of_the_queue(void **state)
{
    (void)state;
    assert_true(loop_add(&loop, &a.io));
    assert_true(loop_add(&loop, &b.io));
    turn();
    a.calls = b.calls = 0;
    loop_again(&loop, &a.io);
    loop_again(&loop, &b.io);
    loop_close(&loop, &b.io); /* the last of the queue */
    assert_int_equal(loop.queued, 1);
    struct end c = { .io = { .fd = -1, .on_ready = on_ready } };
    loop_again(&loop, &c.io); /* the end pointer must be right again */
    loop_close(&loop, &a.io); /* the first */
    turn();
    assert_int_equal(a.calls + b.calls, 0);
    assert_int_equal(c.calls, 1);
}

struct mortal {
    struct end end;
    struct deferred deferred;
};
static unsigned buried;

static void on_deferred(struct deferred *g, void *context)
{
    assert_ptr_equal(context, &loop);
    buried++;
    free(container_of(g, struct mortal, deferred));
}

static void kill_other(struct end *e)
{
    struct mortal *m = container_of(e->other, struct mortal, end);
    if (e->other == NULL)
        return;
    loop_close(&loop, &m->end.io);
    loop_defer(&loop, &m->deferred, on_deferred);
    e->other = NULL;
    assert_int_equal(buried, 0); /* not before the batch is over */
}

static void deferred_run_after_the_batch(void **state)
{
    (void)state;
    int fd[2];
    buried = 0;
    for (unsigned i = 0; i < 2; i++) { /* one event order or the other frees before its event */
        struct mortal *m = calloc(1, sizeof *m);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
        m->end.io = (struct io){ .fd = fd[0], .on_ready = on_ready };
        struct end *killer = i ? &a : &b;
        killer->then = kill_other;
        killer->other = &m->end;
        if (i == 0)
            assert_true(loop_add(&loop, &killer->io));
        assert_true(loop_add(&loop, &m->end.io));
        if (i == 1)
            assert_true(loop_add(&loop, &killer->io));
        close(fd[1]);
    }
    turn();
    assert_int_equal(buried, 2);
}

static void level_comes_until_it_is_gone(void **state)
{
    (void)state;
    char c;
    assert_true(loop_add_level(&loop, &a.io, IO_IN));
    assert_int_equal(write(b.io.fd, "x", 1), 1);
    turn();
    turn();
    assert_int_equal(a.calls, 2);
    loop_change_level(&loop, &a.io, 0);
    turn();
    assert_int_equal(a.calls, 2);
    loop_change_level(&loop, &a.io, IO_IN);
    assert_int_equal(read(a.io.fd, &c, 1), 1);
    turn();
    assert_int_equal(a.calls, 2);
}

static void moves_to_another_loop(void **state)
{
    (void)state;
    static struct loop second;
    assert_true(loop_init(&second, NULL));
    assert_true(loop_add(&loop, &a.io));
    turn();
    loop_again(&loop, &a.io);
    loop_remove(&loop, &a.io);
    assert_int_equal(loop.queued, 0);
    assert_true(loop_add(&second, &a.io));
    unsigned before = a.calls;
    assert_int_equal(write(b.io.fd, "x", 1), 1);
    turn();
    assert_int_equal(a.calls, before);
    loop_turn(&second, 20);
    assert_int_equal(a.calls, before + 1);
    loop_close(&second, &a.io);
    loop_free(&second);
}

static unsigned fired;
static void on_timer(struct timer *t)
{
    (void)t;
    fired++;
}

static void timers_end_the_sleep(void **state)
{
    (void)state;
    struct timer t;
    fired = 0;
    loop.wheel.on_expire[0] = on_timer;
    timer_init(&t, 0);
    clock_read(&loop.now);
    u64 began = loop_ms(&loop);
    timer_set(&loop.wheel, &t, began + 30);
    while (!fired)
        loop_turn(&loop, 5000);
    assert_in_range(loop_ms(&loop) - began, 30, 1000);
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    loop_turn(&loop, 20); /* nothing to do: sleeps as long as it may */
    assert_in_range(clock_us(CLOCK_MONOTONIC) - t0, 19000, 1000000);
}

enum { SENDERS = 3, LETTERS = 20000 };
static unsigned opened;
struct note {
    struct call call;
    pthread_t expected;
};
static struct note notes[SENDERS][LETTERS];

static void on_call(struct call *l, void *receiver)
{
    struct note *n = container_of(l, struct note, call);
    assert_ptr_equal(receiver, &loop);
    assert_true(pthread_equal(pthread_self(), n->expected));
    if (++opened == SENDERS * LETTERS)
        loop.stop = true;
}

static void *post_all(void *arg)
{
    struct note *own = arg;
    for (unsigned i = 0; i < LETTERS; i++) {
        loop_post(&loop, &own[i].call);
        if (i % 97 == 0) /* lets the loop fall asleep now and then */
            usleep(200);
    }
    return NULL;
}

/* A lost wake-up shows as a sleep of a second. */
static void calls_from_threads_wake_the_sleeper(void **state)
{
    (void)state;
    pthread_t thread[SENDERS];
    opened = 0;
    for (unsigned s = 0; s < SENDERS; s++)
        for (unsigned i = 0; i < LETTERS; i++)
            notes[s][i] = (struct note){ .call = { .run = on_call }, .expected = pthread_self() };
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    for (unsigned s = 0; s < SENDERS; s++)
        assert_int_equal(pthread_create(&thread[s], NULL, post_all, notes[s]), 0);
    loop_run(&loop);
    u64 took = clock_us(CLOCK_MONOTONIC) - t0;
    for (unsigned s = 0; s < SENDERS; s++)
        pthread_join(thread[s], NULL);
    assert_int_equal(opened, SENDERS * LETTERS);
    assert_true(took < 30000000);
}

static void *wake_later(void *arg)
{
    (void)arg;
    usleep(30000);
    loop_wake(&loop);
    return NULL;
}

static void wake_ends_a_sleep(void **state)
{
    (void)state;
    pthread_t thread;
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    assert_int_equal(pthread_create(&thread, NULL, wake_later, NULL), 0);
    loop_turn(&loop, 60000);
    assert_in_range(clock_us(CLOCK_MONOTONIC) - t0, 20000, 20000000);
    pthread_join(thread, NULL);
    t0 = clock_us(CLOCK_MONOTONIC);
    loop_turn(&loop, 30); /* the wake-up is used up */
    assert_true(clock_us(CLOCK_MONOTONIC) - t0 >= 29000);
}

/* A call posted by the loop's own thread after the queue was run is found before the next sleep. */
static void at_end(struct loop *l)
{
    static struct note n;
    n = (struct note){ .call = { .run = on_call }, .expected = pthread_self() };
    l->end_of_turn = NULL;
    loop_post(l, &n.call);
}

static void own_calls_do_not_sleep(void **state)
{
    (void)state;
    opened = 0;
    loop.end_of_turn = at_end;
    loop_turn(&loop, 0);
    assert_int_equal(opened, 0);
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    loop_turn(&loop, 60000);
    assert_int_equal(opened, 1);
    assert_true(clock_us(CLOCK_MONOTONIC) - t0 < 20000000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(edge_comes_once),
        TEST(hang_up_keeps_in_until_the_end),
        TEST(writing_until_full_and_on),
        TEST(again_runs_next_turn_once),
        TEST(closing_another_of_the_same_batch),
        TEST(closing_takes_out_of_the_queue),
        TEST(deferred_run_after_the_batch),
        TEST(level_comes_until_it_is_gone),
        TEST(moves_to_another_loop),
        TEST(timers_end_the_sleep),
        TEST(calls_from_threads_wake_the_sleeper),
        TEST(wake_ends_a_sleep),
        TEST(own_calls_do_not_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
