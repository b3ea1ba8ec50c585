/* A connection's buffers: when they come, grow and go, what the pin keeps, and sends that fall
 * short anywhere. */
#include "core/conn/conn.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/conn/memory_wait.h"
#include "tests/unit/core/help_engine.h"

static struct memory_end end;
static char bulk[1 << 18];

static struct conn *open_end(const struct conn_user *user)
{
    return memory_open(&end, user);
}

static void an_idle_one_holds_nothing(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    assert_int_equal(rig.worker->bufs.in_use, 0);
    assert_int_equal(conn_fill(c), SOCK_AGAIN);
    assert_null(c->in);
    memory_feed(&end, SLICE("hello"));
    assert_int_equal(conn_fill(c), SOCK_OK);
    assert_slice(buf_live(c->in), "hello");
    assert_int_equal(c->bytes_in, 5);
    conn_drop_in(c);
    assert_non_null(c->in); /* not yet consumed */
    c->in->from = c->in->to;
    conn_drop_in(c);
    assert_null(c->in);
    assert_int_equal(rig.worker->bufs.in_use, 0);
    conn_close(c);
}

static void ends_and_breaks(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    memory_feed(&end, SLICE("last"));
    memory_feed_end(&end);
    assert_int_equal(conn_fill(c), SOCK_OK);
    assert_int_equal(conn_fill(c), SOCK_END);
    assert_true(c->eof && !c->read_failed && !conn_readable(c));
    assert_slice(buf_live(c->in), "last");
    conn_close(c);
    rig_turn();
    c = open_end(&rig_begun);
    end.in_breaks = true;
    c->stream.io.ready |= IO_IN;
    assert_int_equal(conn_fill(c), SOCK_ERROR);
    assert_true(c->read_failed && !conn_readable(c));
    conn_close(c);
}

/* Two reads in a row that fill the buffer earn the next class, one that does not loses the run. */
static void promotion(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    memory_feed(&end, (struct slice){ bulk, sizeof bulk });
    assert_int_equal(c->in_class, BUF_16K);
    for (unsigned klass = BUF_16K; klass < BUF_256K; klass++) {
        for (int i = 0; i < 2; i++) {
            memory_feed(&end, (struct slice){ bulk, sizeof bulk });
            assert_int_equal(conn_fill(c), SOCK_OK);
            assert_int_equal(c->in->klass, klass);
            c->in->from = c->in->to;
        }
        assert_int_equal(c->in_class, klass + 1);
    }
    for (int i = 0; i < 3; i++) {
        memory_feed(&end, (struct slice){ bulk, sizeof bulk });
        assert_int_equal(conn_fill(c), SOCK_OK);
        c->in->from = c->in->to;
    }
    assert_int_equal(c->in->klass, BUF_256K);
    conn_close(c);
    rig_turn();
    c = open_end(&rig_begun);
    for (int i = 0; i < 6; i++) {
        memory_feed(&end, (struct slice){ bulk, i % 2 ? 100 : sizeof bulk });
        assert_int_equal(conn_fill(c), SOCK_OK);
        c->in->from = c->in->to;
    }
    assert_int_equal(c->in_class, BUF_16K);
    conn_close(c);
}

/* A head that grows beyond its buffer moves to a larger one, whole. */
static void unread_bytes_move_along(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bulk; i++)
        bulk[i] = (char)(i * 7);
    struct conn *c = open_end(&rig_waiting);
    memory_feed(&end, (struct slice){ bulk, 40000 });
    while (conn_fill(c) == SOCK_OK)
        ;
    assert_int_equal(buf_len(c->in), 40000);
    assert_memory_equal(c->in->data + c->in->from, bulk, 40000);
    /* Consumed bytes make room in place. */
    u8 klass = c->in->klass;
    c->in->from = c->in->to - 10;
    memory_feed(&end, (struct slice){ bulk, 50000 });
    while (buf_len(c->in) < 50010 && conn_fill(c) == SOCK_OK)
        ;
    assert_int_equal(c->in->klass, klass);
    assert_int_equal(buf_len(c->in), 50010);
    conn_close(c);
}

/* The pinned head stays as it is while the body is read elsewhere. */
static void the_pin(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    memory_feed(&end, SLICE("HEAD|bo"));
    assert_int_equal(conn_fill(c), SOCK_OK);
    c->pin = c->in;
    c->refilled = false;
    c->in->from += 5;
    memory_feed(&end, SLICE("dy"));
    assert_int_equal(conn_fill(c), SOCK_OK);
    assert_true(c->refilled);
    assert_ptr_not_equal(c->pin, c->in);
    assert_memory_equal(c->pin->data, "HEAD|bo", 7);
    assert_slice(buf_live(c->in), "body");
    c->in->from = c->in->to;
    conn_drop_in(c);
    assert_null(c->in);
    assert_non_null(c->pin);
    conn_unpin(c);
    assert_null(c->pin);
    assert_int_equal(rig.worker->bufs.in_use, 0);
    conn_close(c);
}

static void a_pin_that_is_still_the_input(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    memory_feed(&end, SLICE("HEAD|GET next"));
    assert_int_equal(conn_fill(c), SOCK_OK);
    c->pin = c->in;
    c->in->from += 5;
    conn_unpin(c); /* pipelined bytes stay */
    assert_null(c->pin);
    assert_slice(buf_live(c->in), "GET next");
    c->pin = c->in;
    c->in->from = c->in->to;
    conn_drop_in(c); /* consumed, but pinned */
    assert_null(c->in);
    assert_memory_equal(c->pin->data, "HEAD|", 5);
    conn_close(c); /* gives the pin back */
}

static void send_falls_short_anywhere(void **state)
{
    (void)state;
    for (size_t quota = 1; quota < 16; quota++) {
        struct conn *c = open_end(&rig_begun);
        struct text t;
        size_t taken, all = 0;
        assert_true(conn_room(c, 6, &t));
        text_lit(&t, "waits ");
        conn_wrote(c, &t);
        memory_allow(&end, quota);
        while (conn_send(c, slice_skip(SLICE("and more"), all), &taken) == SOCK_AGAIN) {
            all += taken;
            assert_int_equal(memory_out(&end).n, c->bytes_out);
            assert_true(all == 0 || c->out == NULL || buf_len(c->out) == 0);
            unsigned sends = end.sends;
            assert_int_equal(conn_send(c, slice_skip(SLICE("and more"), all), &taken), SOCK_AGAIN);
            assert_int_equal(end.sends, sends); /* a full socket is not asked again */
            memory_allow(&end, quota);
        }
        assert_int_equal(all + taken, 8);
        assert_null(c->out);
        assert_slice(memory_out(&end), "waits and more");
        conn_close(c);
        rig_turn();
    }
}

static void out_and_more_in_one_call(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    struct text t;
    size_t taken;
    assert_int_equal(conn_flush(c), SOCK_OK);
    assert_true(conn_room(c, 6, &t));
    text_lit(&t, "head");
    conn_wrote(c, &t);
    assert_int_equal(conn_send(c, SLICE("body"), &taken), SOCK_OK);
    assert_int_equal(end.sends, 1);
    assert_slice(memory_out(&end), "headbody");
    end.out_breaks = true;
    assert_int_equal(conn_send(c, SLICE("body"), &taken), SOCK_ERROR);
    assert_true(c->write_failed && !c->read_failed); /* it may still have spoken */
    conn_close(c);
}

static void room_grows_with_what_waits(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    struct text t;
    memory_allow(&end, 0);
    size_t n = 0;
    for (size_t piece = 1000; n + piece < 200000; piece *= 2) {
        assert_true(conn_room(c, piece, &t));
        text_put(&t, bulk + n, piece);
        assert_false(t.full);
        conn_wrote(c, &t);
        n += piece;
    }
    assert_int_equal(buf_len(c->out), n);
    assert_memory_equal(c->out->data + c->out->from, bulk, n);
    conn_close(c);
}

static void without_memory_it_stands_in_line(void **state)
{
    (void)state;
    int other;
    struct conn *c = rig_conn(&rig_begun, &other);
    struct text t;
    rig_exhaust();
    assert_int_equal(conn_fill(c), SOCK_AGAIN);
    assert_true(c->awaits_memory);
    assert_true(memory_awaited(rig.worker));
    assert_false(conn_room(c, 1, &t));
    conn_close(c); /* leaves the line */
    assert_false(memory_awaited(rig.worker));
    rig_relieve();
}

/* Short of memory a large class falls back to one that holds what is there. */
static void a_smaller_class_when_memory_is_short(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    c->in_class = BUF_256K;
    rig_exhaust();
    rig.worker->bufs.most[BUF_FOR_READING] = rig.worker->bufs.in_use + 20000;
    rig.worker->bufs.budget = rig.worker->bufs.held + 20000;
    memory_feed(&end, SLICE("hello"));
    assert_int_equal(conn_fill(c), SOCK_OK);
    assert_int_equal(c->in->klass, BUF_16K);
    assert_slice(buf_live(c->in), "hello");
    conn_close(c);
    rig_relieve();
}

/* Clients may have half of the memory for their connections, upstream sides a quarter more. */
static void connections_are_part_of_the_memory(void **state)
{
    (void)state;
    enum { MOST = 800 };
    static struct conn *c[MOST];
    struct addr peer = { .family = 0 };
    unsigned n = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    rig.worker->memory = 5 * SLAB_BLOCK;
    while (n < MOST && (c[n] = conn_new(rig.worker, dup(fd), &peer, &rig_waiting)) != NULL)
        n++;
    assert_in_range(n, 100, MOST - 1);
    assert_false(conn_affordable(rig.worker));
    assert_true(rig.worker->conns.held <= rig.worker->memory / 2);
    assert_true(rig.worker->bufs.budget + rig.worker->conns.held <= rig.worker->memory);
    struct conn *upstream = conn_new(rig.worker, dup(fd), &peer, &rig_begun);
    assert_non_null(upstream);
    conn_close(upstream);
    while (n)
        conn_close(c[--n]);
    close(fd); /* the last of its file: none is registered any more */
    rig_turn();
    assert_true(conn_affordable(rig.worker));
}

static void released_the_descriptor_lives_on(void **state)
{
    (void)state;
    int other;
    struct conn *c = rig_conn(&rig_begun, &other);
    int fd = conn_release(c);
    rig_turn();
    assert_int_equal(write(fd, "x", 1), 1);
    char byte;
    assert_int_equal(read(other, &byte, 1), 1);
    close(fd);
}

static unsigned expired;

static void on_expired(struct timer *t)
{
    (void)t;
    expired++;
}

static void waiting(void **state)
{
    (void)state;
    struct conn *c = open_end(&rig_begun);
    rig.worker->loop.wheel.on_expire[TIMER_CONN] = on_expired;
    rig_turn();
    expired = 0;
    conn_wait(c, WAIT_HEAD, 1000);
    rig_later(900);
    conn_wait(c, WAIT_HEAD, 1000);
    rig_later(900);
    assert_int_equal(expired, 0);
    conn_wait_nothing(c);
    rig_later(5000);
    assert_int_equal(expired, 0);
    conn_wait(c, WAIT_HEAD, UINT32_MAX);
    rig_later(3600 * 1000);
    assert_int_equal(expired, 0);
    conn_wait(c, WAIT_HEAD, 1000);
    rig_later(1010);
    assert_int_equal(expired, 1);
    conn_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(an_idle_one_holds_nothing),
        RIG_TEST(ends_and_breaks),
        RIG_TEST(promotion),
        RIG_TEST(unread_bytes_move_along),
        RIG_TEST(the_pin),
        RIG_TEST(a_pin_that_is_still_the_input),
        RIG_TEST(send_falls_short_anywhere),
        RIG_TEST(out_and_more_in_one_call),
        RIG_TEST(room_grows_with_what_waits),
        RIG_TEST(without_memory_it_stands_in_line),
        RIG_TEST(a_smaller_class_when_memory_is_short),
        RIG_TEST(connections_are_part_of_the_memory),
        RIG_TEST(released_the_descriptor_lives_on),
        RIG_TEST(waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
