/* Bodies that lie in a file, to a peer that gets them from there: the head in front, short sends,
 * every length beside the one announced, and what has to go as bytes. */
#include "core/exchange/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "core/codec/h1.h"
#include "tests/unit/core/help_engine.h"

enum { BODY = 3000000, STEP = 256 << 10 };

static struct {
    int fd;
    u64 at, n; /* what is left of it */
    unsigned extents, peeks;
    char area[4096];
} file;
static char body[BODY], got[BODY + 100];
static struct conn *conn;
static struct leg to;
static struct relay relay;
static int peer;

static enum flow peek(void *self, struct slice *run)
{
    (void)self;
    file.peeks++;
    if (file.n == 0)
        return FLOW_END;
    size_t n = file.n < sizeof file.area ? file.n : sizeof file.area;
    ssize_t r = pread(file.fd, file.area, n, (off_t)file.at);
    *run = (struct slice){ file.area, r > 0 ? (size_t)r : 0 };
    return r > 0 ? FLOW_OK : FLOW_FAULT;
}

static void took(void *self, size_t n)
{
    (void)self;
    assert_true(n <= file.n);
    file.at += n;
    file.n -= n;
}

static bool extent(void *self, struct extent *e)
{
    (void)self;
    file.extents++;
    *e = (struct extent){ file.fd, file.at, file.n < STEP ? file.n : STEP };
    return file.n > 0;
}

static const struct source_ops file_ops = { peek, took, NULL, NULL, NULL, extent };

static int set_up(void **state)
{
    char path[] = "/tmp/proxyd-unit-XXXXXX";
    rig_set_up(state);
    memset(&file, 0, sizeof file);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 + i / 251);
    file.fd = mkstemp(path);
    assert_true(file.fd >= 0);
    unlink(path);
    assert_int_equal(write(file.fd, body, sizeof body), sizeof body);
    return 0;
}

static int tear_down(void **state)
{
    conn_close(conn);
    close(file.fd);
    return rig_tear_down(state);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* n bytes of the file from `at` on, to a peer that was told of a body of that kind and length. */
static void start(enum body_kind kind, u64 length, u64 at, u64 n)
{
    conn = rig_conn(&rig_begun, &peer);
    to = (struct leg){ .snap = rig.worker->snapshot, .arena = &rig.arena };
    h1_client_leg(&to, conn);
    conn_hand(conn, &rig_begun, NULL);
    h1_announce_body(&to, kind, length);
    file.at = at;
    file.n = n;
    rig_turn();
    relay = (struct relay){ .from = { &file_ops, &file }, .to = leg_sink(&to), .most = UINT64_MAX };
}

static void write_head(const char *head)
{
    struct text t;
    assert_true(h1_room(&to, strlen(head), &t));
    text_add(&t, slice_of(head));
    conn_wrote(conn, &t);
}

static size_t hear(size_t have)
{
    ssize_t n;
    while ((n = recv(peer, got + have, sizeof got - have, MSG_DONTWAIT)) > 0)
        have += (size_t)n;
    rig_turn();
    return have;
}

/* To the end, with a peer that reads when nothing more goes. */
static enum relay_result run(size_t *have)
{
    enum relay_result r;
    *have = 0;
    for (unsigned turns = 0; (r = relay_turn(&relay)) == RELAY_WAIT_SINK || r == RELAY_YIELD;
         turns++) {
        assert_true(turns < 10000);
        if (r == RELAY_WAIT_SINK)
            *have = hear(*have);
    }
    *have = hear(*have);
    return r;
}

static void behind_a_head(void **state)
{
    (void)state;
    size_t have;
    start(BODY_LENGTH, BODY - 7, 7, BODY - 7);
    write_head("the head\n");
    assert_int_equal(run(&have), RELAY_DONE);
    assert_int_equal(have, 9 + BODY - 7);
    assert_memory_equal(got, "the head\n", 9);
    assert_memory_equal(got + 9, body + 7, BODY - 7);
    assert_int_equal(file.peeks, 1); /* at the end */
    assert_int_equal(to.bytes_out, have);
    assert_true(to.out_done && !to.unsent);
    assert_int_equal(rig.worker->bufs.in_use, 0);
}

/* A head that the peer is slow to take is not overtaken. */
static void behind_what_has_not_gone(void **state)
{
    (void)state;
    static char filler[200000];
    size_t have = 0, filled = 0, n = 1;
    ssize_t r;
    start(BODY_LENGTH, 1000, 0, 1000);
    while ((r = send(conn->stream.io.fd, filler, sizeof filler, MSG_DONTWAIT)) > 0)
        filled += (size_t)r;
    write_head("the head\n");
    assert_int_equal(relay_turn(&relay), RELAY_WAIT_SINK);
    assert_int_equal(file.at, 0);
    assert_true(to.unsent);
    while (have < filled && n)
        have += n = (size_t)recv(peer, got, filled - have, MSG_DONTWAIT);
    rig_turn();
    assert_int_equal(run(&have), RELAY_DONE);
    assert_int_equal(have, 1009);
    assert_memory_equal(got, "the head\n", 9);
    assert_memory_equal(got + 9, body, 1000);
}

/* One byte less than announced never looks whole, one more never begins the next message. */
static void lengths_beside_the_announced(void **state)
{
    (void)state;
    size_t have;
    for (int more = -1; more <= 1; more++) {
        start(BODY_LENGTH, BODY / 2, 0, (u64)(BODY / 2 + more));
        assert_int_equal(run(&have), more ? RELAY_SINK_BROKEN : RELAY_DONE);
        assert_int_equal(have, more < 0 ? BODY / 2 - 1 : BODY / 2);
        assert_memory_equal(got, body, have);
        assert_int_equal(to.out_done, more == 0);
        if (more < 1)
            conn_close(conn);
    }
}

static void the_same_as_bytes(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more += 2) {
        size_t have;
        start(BODY_LENGTH, 10, 0, (u64)(10 + more));
        relay.bytes_only = true;
        assert_int_equal(run(&have), RELAY_SINK_BROKEN);
        assert_false(to.out_done);
        if (more < 1)
            conn_close(conn);
    }
}

static void until_close(void **state)
{
    (void)state;
    size_t have;
    start(BODY_UNTIL_CLOSE, 0, 0, BODY);
    assert_int_equal(run(&have), RELAY_DONE);
    assert_int_equal(have, BODY);
    assert_memory_equal(got, body, BODY);
    assert_int_equal(file.peeks, 1);
}

static void chunks_are_bytes(void **state)
{
    (void)state;
    size_t have;
    start(BODY_STREAMED, 0, 0, 10);
    assert_int_equal(run(&have), RELAY_DONE);
    assert_int_equal(have, 3 + 10 + 2 + 5);
    assert_memory_equal(got, "a\r\n", 3);
    assert_memory_equal(got + 3, body, 10);
    assert_int_equal(file.extents, 1);
}

/* A layer has to see what it sends; and so has a copy. */
static void who_has_to_see_them(void **state)
{
    (void)state;
    static struct memory_end end;
    memory_leg(&to, &end);
    conn = end.conn;
    h1_announce_body(&to, BODY_LENGTH, 100000);
    file.n = 100000;
    relay = (struct relay){ .from = { &file_ops, &file }, .to = leg_sink(&to), .most = UINT64_MAX };
    assert_int_equal(relay_turn(&relay), RELAY_DONE);
    assert_int_equal(memory_out(&end).n, 100000);
    assert_memory_equal(end.out, body, 100000);
    assert_int_equal(file.extents, 1);
}

/* Cut under us: what is there goes, and its source says that there is no more. */
static void a_file_that_is_shorter(void **state)
{
    (void)state;
    size_t have;
    start(BODY_LENGTH, BODY, 0, BODY);
    assert_int_equal(ftruncate(file.fd, 300000), 0);
    assert_int_equal(run(&have), RELAY_SOURCE_FAULT);
    assert_int_equal(have, 300000);
    assert_memory_equal(got, body, have);
}

/* Not one that can be sent from. */
static void what_is_no_file(void **state)
{
    (void)state;
    size_t have;
    int good = file.fd;
    start(BODY_LENGTH, 1000, 0, 1000);
    file.fd = open("/tmp", O_RDONLY | O_DIRECTORY);
    assert_int_equal(run(&have), RELAY_SOURCE_FAULT);
    assert_int_equal(have, 0);
    assert_true(relay.bytes_only);
    close(file.fd);
    file.fd = good;
}

static void a_peer_that_has_gone(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as in the daemon: sendfile cannot be told not to raise it */
    start(BODY_LENGTH, BODY, 0, BODY);
    assert_int_equal(relay_turn(&relay), RELAY_WAIT_SINK);
    rig_close(peer);
    rig_turn();
    assert_int_equal(relay_turn(&relay), RELAY_SINK_BROKEN);
    assert_true(conn->write_failed);
}

static void a_share_of_the_turn(void **state)
{
    (void)state;
    int big = 4 << 20;
    start(BODY_LENGTH, BODY, 0, BODY);
    (void)setsockopt(conn->stream.io.fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
    size_t have = 0, before = BODY;
    for (enum relay_result r = RELAY_YIELD; r != RELAY_DONE; have = hear(have)) {
        r = relay_turn(&relay);
        assert_true(before - file.n <= 2 * STEP);
        before = file.n;
    }
    assert_int_equal(have, BODY);
}

static void no_more_than_it_may(void **state)
{
    (void)state;
    start(BODY_UNTIL_CLOSE, 0, 0, BODY);
    relay.most = STEP - 1;
    assert_int_equal(relay_turn(&relay), RELAY_TOO_LARGE);
    assert_int_equal(file.at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(behind_a_head),
        FILE_TEST(behind_what_has_not_gone),
        FILE_TEST(lengths_beside_the_announced),
        FILE_TEST(the_same_as_bytes),
        FILE_TEST(until_close),
        FILE_TEST(chunks_are_bytes),
        FILE_TEST(who_has_to_see_them),
        FILE_TEST(a_file_that_is_shorter),
        FILE_TEST(what_is_no_file),
        FILE_TEST(a_peer_that_has_gone),
        FILE_TEST(a_share_of_the_turn),
        FILE_TEST(no_more_than_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
