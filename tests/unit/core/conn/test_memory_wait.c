/* Connections that stand in line for memory: what becomes of them when they go on without it. */
#include <unistd.h>

#include "core/conn/memory_wait.h"
#include "core/codec/server.h"
#include "core/conn/target.h"
#include "tests/unit/core/help_engine.h"

/* One list node serves the line of those who wait for memory and that of the idle: in both at once,
 * the worker would go round in it for ever. */
static void one_that_is_idle_leaves_the_line(void **state)
{
    (void)state;
    int other;
    struct worker *w = rig.worker;
    struct host h;
    assert_int_equal(host_parse(slice_of("origin.test"), &h), FAULT_NONE);
    struct target *t = rig_target(w, &h, 80);
    struct conn *c = rig_conn(&rig_begun, &other);
    rig_turn(); /* it is writable */
    target_busy(w, t);
    memory_wait(w, c);
    target_rest(t);
    idle_give(t, c);
    assert_false(c->awaits_memory);
    assert_false(memory_awaited(w));
    assert_ptr_equal(w->idle_conns.next, &c->idle_link);
    rig_later(50);
    rig_turn();
    assert_int_equal(t->nidle, 1);
    assert_true(idle_evict(w));
    target_put(w, &t);
    rig_close(other);
}

/* Readable, and no buffer to read into: its place is the line, not the ready queue. */
static void one_that_lingers_does_not_spin(void **state)
{
    (void)state;
    int client = rig_client();
    struct conn *c = rig_client_conn();
    h1_linger(c);
    rig_exhaust();
    assert_int_equal(write(client, "more", 4), 4);
    rig_turn(); /* until nothing happens any more */
    assert_true(c->awaits_memory);
    rig_relieve();
    rig_later(50);
    rig_turn();
    assert_false(c->awaits_memory);
    rig_later(2000);
    rig_turn();
    assert_true(rig_ended(client));
}

/* What is unsent goes out before more is heaped on it. */
static void room_for_much(void **state)
{
    (void)state;
    static struct memory_end m;
    static char much[200000];
    struct conn *c = memory_open(&m, &rig_begun);
    struct text t;
    rig_exhaust();
    assert_false(conn_room(c, 100, &t));
    assert_true(c->awaits_memory);
    rig_relieve();
    assert_true(conn_room(c, sizeof much, &t));
    assert_false(c->awaits_memory);
    text_put(&t, much, sizeof much);
    conn_wrote(c, &t);
    memory_allow(&m, 0);
    assert_false(conn_room(c, 100000, &t));
    assert_false(c->awaits_memory);
    memory_allow(&m, 150000);
    assert_true(conn_room(c, 100000, &t));
    assert_int_equal(memory_out(&m).n, 150000);
    m.nout = 0;
    text_put(&t, much, 100000);
    assert_false(t.full);
    conn_wrote(c, &t);
    memory_allow(&m, SIZE_MAX);
    assert_int_equal(conn_flush(c), SOCK_OK);
    assert_int_equal(memory_out(&m).n, 150000);
    conn_close(c);
}

/* Tries in vain and stands in line again. */
static void in_vain(struct conn *c)
{
    ++*(u32 *)c->owner;
    memory_wait(c->worker, c);
}

/* However long the line is, nobody in it is overtaken for ever by those who stand in it again. */
static void everybody_has_a_turn(void **state)
{
    (void)state;
    static const struct conn_user user = { "in vain", in_vain, NULL, NULL, BUF_FOR_READING };
    struct conn *c[150];
    u32 turns[150] = { 0 };
    int other;
    for (unsigned i = 0; i < countof(c); i++) {
        c[i] = rig_conn(&user, &other);
        c[i]->owner = &turns[i];
    }
    rig_turn(); /* they are writable, and stand in line */
    for (unsigned i = 0; i < 9; i++)
        rig_later(10);
    assert_true(turns[0] > 2);
    for (unsigned i = 0; i < countof(c); i++)
        assert_in_range(turns[i], turns[0] - 1, turns[0]);
    for (unsigned i = 0; i < countof(c); i++)
        conn_close(c[i]);
}

/* A request that was read before memory ran out, and has none for its answer. */
static int asked_without_memory(void)
{
    int client = rig_client();
    rig_say(client, "GET /own HT");
    rig_exhaust();
    rig_say(client, "TP/1.1\r\nHost: a\r\n\r\n");
    assert_true(rig_client_conn()->awaits_memory);
    return client;
}

/* It waits as long as a body may, then for room to say so as long again, and then no more. */
static void no_memory_for_an_answer(void **state)
{
    (void)state;
    int client = asked_without_memory();
    rig_later(59000);
    assert_int_equal(rig_faults(FAULT_out_of_memory), 0);
    rig_later(2000);
    rig_later(61000);
    assert_int_equal(rig_faults(FAULT_out_of_memory), 1);
    assert_true(list_empty(&rig.worker->client_conns));
    rig_relieve();
    assert_string_equal(rig_hears(client), "");
    assert_true(rig_ended(client));
}

/* Memory that came in time leaves no mark: the connection is idle like any other. */
static void memory_for_an_answer_in_time(void **state)
{
    (void)state;
    int client = asked_without_memory();
    rig_relieve();
    rig_later(20);
    assert_has(rig_hears(client), "\r\n\r\n/own");
    rig_say(client, "\r\n");
    rig_later(70000);
    assert_false(rig_ended(client));
    rig_later(6000);
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_out_of_memory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(one_that_is_idle_leaves_the_line),
        RIG_TEST(one_that_lingers_does_not_spin),
        RIG_TEST(room_for_much),
        RIG_TEST(everybody_has_a_turn),
        RIG_TEST(no_memory_for_an_answer),
        RIG_TEST(memory_for_an_answer_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
