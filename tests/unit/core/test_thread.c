/* Workers as threads: started, drained in both ways, joined; and the line of those who wait for
 * memory. */
#include "core/thread.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/codec/server.h"
#include "core/conn/shared_idle.h"
#include "core/conn/memory_wait.h"
#include "help_engine.h"

static int door[RIG_WORKERS]; /* the server's ends, one client per worker */

static void start(struct worker *w)
{
    struct addr peer = { .family = AF_INET };
    client_accept(w, rig.listener->at, door[w->id], &peer);
}

static _Atomic int stopped;

static void stop(struct worker *w)
{
    (void)w;
    stopped++;
}

/* Blocks until something has arrived, or the end; what it is. */
static const char *hears(int fd)
{
    static char area[4096];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 5000), 1);
    ssize_t n = recv(fd, area, sizeof area - 1, 0);
    area[n > 0 ? n : 0] = 0;
    return area;
}

static void says(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Nothing of what was sent waits in the worker's socket: it has read it all. */
static void await_read(int fd)
{
    for (int waits = 1;; usleep(1000)) {
        assert_return_code(ioctl(fd, SIOCOUTQ, &waits), 0);
        if (waits == 0)
            return;
    }
}

/* Every worker has run the call that drains it. */
static void await_stopped(void)
{
    while (stopped < RIG_WORKERS)
        usleep(1000);
}

static _Atomic int answered;

static void answer(struct call *l, void *receiver)
{
    (void)l;
    (void)receiver;
    answered++;
}

/* The worker turns: it has done what it does before its first turn. */
static void await_turning(struct worker *w)
{
    struct call question = { .run = answer };
    answered = 0;
    loop_post(&w->loop, &question);
    while (answered == 0)
        usleep(1000);
}

/* Threads of their own, on an engine of the rig; the rig's workers never run. */
static struct worker *run[RIG_WORKERS];
static int client[RIG_WORKERS];

static void start_threads(void)
{
    stopped = 0;
    rig.engine.accepting.start = start;
    rig.engine.accepting.stop = stop;
    for (u32 i = 0; i < RIG_WORKERS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        client[i] = pair[0];
        door[i] = pair[1];
        run[i] = worker_new(&rig.engine, i);
        assert_non_null(run[i]);
    }
    for (u32 i = 0; i < RIG_WORKERS; i++)
        worker_start(run[i]);
}

static void nothing(struct worker *w)
{
    (void)w;
}

static void join_threads(void)
{
    for (u32 i = 0; i < RIG_WORKERS; i++) {
        worker_join(run[i]);
        close(client[i]);
    }
    for (u32 i = 0; i < RIG_WORKERS; i++)
        worker_free(run[i]);
    rig.engine.accepting.start = rig.engine.accepting.stop = nothing;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void every_worker_serves(void **state)
{
    (void)state;
    start_threads();
    for (u32 i = 0; i < RIG_WORKERS; i++) {
        says(client[i], GET("/here"));
        assert_has(hears(client[i]), "\r\n\r\n/here");
    }
    for (u32 i = 0; i < RIG_WORKERS; i++)
        worker_drain(run[i], DRAIN_GRACEFUL);
    for (u32 i = 0; i < RIG_WORKERS; i++)
        assert_string_equal(hears(client[i]), ""); /* it was idle */
    join_threads();
    assert_int_equal(stopped, RIG_WORKERS);
    assert_int_equal(atomic_load(&rig.engine.clients), 0);
}

/* The other one might still hand a client over, to whom nobody would open. */
static void nobody_leaves_before_all_have_closed(void **state)
{
    (void)state;
    start_threads();
    worker_drain(run[0], DRAIN_GRACEFUL);
    assert_string_equal(hears(client[0]), "");
    usleep(100000);
    assert_false(atomic_load(&run[0]->done));
    worker_drain(run[1], DRAIN_GRACEFUL);
    join_threads();
}

/* Who has begun a request may finish it. */
static void a_graceful_drain_waits(void **state)
{
    (void)state;
    start_threads();
    says(client[0], "GET /half HT");
    says(client[1], GET("/whole"));
    hears(client[1]);
    await_read(client[0]);
    worker_drain(run[0], DRAIN_GRACEFUL);
    worker_drain(run[1], DRAIN_GRACEFUL);
    assert_string_equal(hears(client[1]), "");
    await_stopped();
    assert_false(atomic_load(&run[0]->done));
    says(client[0], "TP/1.1\r\nHost: a\r\n\r\n");
    const char *said = hears(client[0]);
    assert_has(said, "\r\n\r\n/half");
    assert_has(said, "Connection: close\r\n");
    close(client[0]);
    client[0] = dup(client[1]);
    join_threads();
}

static void or_does_not(void **state)
{
    (void)state;
    start_threads();
    says(client[0], "GET /half HT");
    worker_drain(run[0], DRAIN_GRACEFUL);
    worker_drain(run[1], DRAIN_GRACEFUL);
    worker_drain(run[0], DRAIN_NOW);
    worker_drain(run[1], DRAIN_NOW);
    join_threads();
    assert_int_equal(atomic_load(&rig.engine.clients), 0);
}

/* What has begun is finished before anything begins; nobody stands in line twice. */
static void the_queue_for_memory(void **state)
{
    (void)state;
    int fd[3];
    struct conn *head = rig_conn(&rig_waiting, &fd[0]), *other = rig_conn(&rig_waiting, &fd[1]),
                *begun = rig_conn(&rig_begun, &fd[2]);
    memory_wait(rig.worker, head);
    memory_wait(rig.worker, other);
    memory_wait(rig.worker, begun);
    memory_wait(rig.worker, head);
    struct list *heads = &rig.worker->memory_waiters[MEMORY_HEADS],
                *exchanges = &rig.worker->memory_waiters[MEMORY_BEGUN];
    assert_ptr_equal(exchanges->next, &begun->memory_link);
    assert_ptr_equal(exchanges->prev, &begun->memory_link);
    assert_ptr_equal(heads->next, &head->memory_link);
    assert_ptr_equal(heads->next->next, &other->memory_link);
    assert_ptr_equal(heads->prev, &other->memory_link);
    assert_true(head->awaits_memory && timer_armed(&rig.worker->memory_timer));
    conn_close(other);
    conn_close(begun);
    conn_close(head);
    assert_false(memory_awaited(rig.worker));
}

/* What nobody took from the shared idle list for half a minute is closed by the first worker. */
static void the_shared_list_is_swept(void **state)
{
    (void)state;
    int pair[2];
    start_threads();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct shared_idle_item item = { .fd = pair[1], .since_ms = 1 };
    struct target_key key = { .host = SLICE("a"), .port = 80 };
    assert_true(shared_idle_put(rig.engine.shared_idle, 1, &key, &item));
    for (u32 i = 0; i < RIG_WORKERS; i++)
        await_turning(run[i]); /* the sweep is set */
    rig_later(40000);
    for (u32 i = 0; i < RIG_WORKERS; i++) {
        loop_wake(&run[i]->loop);
        hears(client[i]); /* its head did not come in time */
    }
    hears(pair[0]);
    for (u32 i = 0; i < RIG_WORKERS; i++)
        worker_drain(run[i], DRAIN_NOW);
    join_threads();
    close(pair[0]);
}

static void memory_is_divided(void **state)
{
    (void)state;
    assert_int_equal(rig.worker->memory, rig.snapshot->conf.limits.memory / 2);
    assert_int_equal(rig.worker->bufs.budget, rig.worker->memory);
    rig.snapshot->conf.limits.memory = 1000;
    struct worker *w = worker_new(&rig.engine, 0);
    assert_true(w->memory >= 1 << 20);   /* less would serve nobody */
    atomic_store(&rig.engine.closed, 1); /* it ends as one of two */
    worker_drain(w, DRAIN_NOW);
    worker_start(w);
    worker_join(w);
    worker_free(w);
    atomic_store(&rig.engine.closed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST_TWO(nobody_leaves_before_all_have_closed),
        RIG_TEST_TWO(every_worker_serves),
        RIG_TEST_TWO(a_graceful_drain_waits),
        RIG_TEST_TWO(or_does_not),
        RIG_TEST(the_queue_for_memory),
        RIG_TEST_TWO(the_shared_list_is_swept),
        RIG_TEST_TWO(memory_is_divided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
