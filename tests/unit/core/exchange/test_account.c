/* What an exchange leaves on the ring and in the counters. */
#include "core/exchange/account.h"
#include "core/report/log.h"

#include <stdio.h>

#include "core/report/log_format.h"
#include "tests/unit/core/help_engine.h"

static char area[LOG_LINE + 1];
static struct log_style style;

static int log_set_up(void **state)
{
    rig_set_up(state);
    style = (struct log_style){ 0 };
    rig.snapshot->conf.log_wants = WANT_RECORD;
    rig.snapshot->conf.error.to = LOG_STDOUT;
    rig.snapshot->conf.error.level = LEVEL_WARNING;
    return 0;
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, log_set_up, rig_tear_down)

/* The oldest record as its line, without time, duration and id; "" when there is none. */
static const char *logged(void)
{
    static struct log_clock clock;
    struct slice record = ring_peek(rig.worker->log);
    struct text t = text_in(area, LOG_LINE);
    if (record.p == NULL)
        return "";
    const struct log_head *h = (const void *)record.p;
    if (h->kind == LOG_ACCESS) {
        struct access_record *r = malloc(record.n);
        memcpy(r, record.p, record.n);
        assert_true(r->id != 0);
        r->total_us = 0;
        r->id = 0;
        log_format_access(&t, &clock, &style, r);
        free(r);
    } else {
        log_format_error(&t, &clock, (const void *)record.p);
    }
    ring_pop(rig.worker->log);
    area[t.n] = 0;
    return area + 25;
}

static void a_line_for_each_exchange(void **state)
{
    (void)state;
    int client = rig_client();
    rig_ask(client, "GET /abc?secret HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(logged(), "127.0.0.1 \"GET /abc?...\" 200 in=37 out=105 0.0ms "
                                  "id=0000000000000000\n");
    rig_ask(client, "GET http://one.test/denied HTTP/1.1\r\nHost: one.test\r\n\r\n");
    assert_has(logged(), "\"GET http://one.test/denied\" 403 in=55 ");
    assert_has(area, "rule=test-rule cause=rule_denied reason=\"because\" id=");
    assert_string_equal(logged(), "");
    assert_int_equal(rig_count(STAT_requests_total), 2);
    assert_int_equal(rig_count(STAT_requests_in_flight), 0);
    assert_int_equal(rig_count(STAT_responses_2xx), 1);
    assert_int_equal(rig_count(STAT_responses_4xx), 1);
    assert_int_equal(rig_faults(FAULT_rule_denied), 1);
}

static void what_the_origin_took_part_in(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    rig_say(client, "POST http://one.test/p HTTP/1.1\r\nHost: one.test\r\n"
                    "Content-Length: 15\r\n\r\nfifteen bytes..");
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 8\r\n\r\nthe body");
    assert_int_equal(strlen(rig_hears(client)), 55);
    const char *said = logged();
    assert_has(said, "\"POST http://one.test/p\" 200 in=86 out=55 0.0ms to=127.0.0.1:");
}

static void a_client_that_left_early(void **state)
{
    (void)state;
    int client = rig_client();
    rig_say(client, "GET /half");
    rig_close(client);
    rig_turn();
    assert_has(logged(), "\"-\" - in=9 out=0 0.0ms cause=client_closed ");
    assert_int_equal(rig_count(STAT_bytes_from_clients_total), 9);
}

/* Whatever made it no head, its bytes have come from the client. */
static void what_never_became_a_head(void **state)
{
    (void)state;
    rig_ask(rig_client(), "\x16\x03\x01 hello");
    assert_has(logged(), "\"-\" 400 in=9 ");
    assert_has(area, " cause=tls_to_plain_port ");
    int client = rig_client();
    rig_ask(client, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(logged(), "\"GET /first\" 200 in=32 ");
    rig_ask(client, "GET /\x01");
    assert_has(logged(), "\"-\" 400 in=6 ");
    assert_has(area, " cause=bad_request_line ");
}

/* Of a connection that lives on, each exchange has its own bytes. */
static void each_exchange_counts_for_itself(void **state)
{
    (void)state;
    char counts[24];
    int client = rig_client();
    rig_ask(client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    const char *said = strstr(logged(), " in=");
    assert_non_null(said);
    snprintf(counts, sizeof counts, "%.*s", (int)strcspn(strstr(said, "out="), " ") + 7, said);
    assert_has(counts, " in=28 out=");
    rig_ask(client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(logged(), counts);
}

/* What some format wants is in the record, and only then. */
static void what_a_format_wants(void **state)
{
    (void)state;
    int client = rig_client();
    const char *request = "GET http://one.test/denied HTTP/1.1\r\nHost: one.test\r\nReferer: r\r\n"
                          "User-Agent: a\r\n\r\n";
    style.format = FORMAT_JSON;
    rig_ask(client, request);
    assert_has(logged(), "\"content\":");
    assert_has(area, "\"referer\":null,\"user_agent\":null,\"type\":null,");
    rig.snapshot->conf.log_wants |= WANT_AGENT;
    rig_ask(client, request);
    assert_has((logged(), area), "\"referer\":\"r\",\"user_agent\":\"a\",\"type\":null,");
    rig.snapshot->conf.log_wants = WANT_RECORD | WANT_TYPE;
    rig_ask(client, request);
    assert_has((logged(), area), "\"referer\":null,\"user_agent\":null,\"type\":\"text/");
}

/* Fields stand in the log as the client sent them, whatever the role makes of them. */
static void as_they_were_received(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    style.format = FORMAT_COMBINED;
    rig.snapshot->conf.log_wants |= WANT_AGENT;
    rig_say(client, "GET http://one.test/p HTTP/1.1\r\nHost: one.test\r\nREFERER: r\r\n"
                    "User-Agent: a\r\n\r\n");
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    struct xchg *x = rig_exchange();
    msg_remove(&x->req, TOKEN_REFERER);
    assert_true(msg_set(&x->req, TOKEN_USER_AGENT, SLICE("other")));
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    rig_hears(client);
    assert_has((logged(), area), " 200 - \"r\" \"a\"\n");
}

/* Of what the client gets, only the body is content. */
static void content_is_without_heads(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    style.format = FORMAT_COMMON;
    rig_say(client, "GET http://one.test/p HTTP/1.1\r\nHost: one.test\r\n\r\n");
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "8\r\nthe body\r\n0\r\n\r\n");
    rig_hears(client);
    assert_has((logged(), area), " \"GET http://one.test/p HTTP/1.1\" 200 8\n");
}

static void no_log_wanted(void **state)
{
    (void)state;
    rig.snapshot->conf.log_wants = 0;
    int client = rig_client();
    rig_ask(client, "GET /abc HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(logged(), "");
    assert_int_equal(rig_count(STAT_requests_total), 1);
}

/* A record is bounded, whatever a client sends. */
static void long_texts_are_cut(void **state)
{
    (void)state;
    static char request[12000];
    int client = rig_client();
    snprintf(request, sizeof request, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 9000, 1);
    rig_ask(client, request);
    assert_true(strlen(logged()) < 2200);
    assert_has(area, "00000\" 200 in=");
}

static void a_full_ring_drops_and_counts(void **state)
{
    (void)state;
    int client = rig_client();
    while (ring_reserve(rig.worker->log, 60000))
        ring_commit(rig.worker->log, 60000);
    while (ring_reserve(rig.worker->log, 8))
        ring_commit(rig.worker->log, 8);
    assert_has(rig_ask(client, "GET /abc HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK");
    assert_int_equal(rig_count(STAT_log_lines_lost_total), 1);
    log_error(rig.worker, LEVEL_ERROR, "lost");
    assert_int_equal(rig_count(STAT_log_lines_lost_total), 2);
    while (ring_peek(rig.worker->log).p)
        ring_pop(rig.worker->log);
    rig_ask(client, "GET /abc HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(logged(), "\"GET /abc\" 200");
}

static void errors_by_level(void **state)
{
    (void)state;
    log_error(rig.worker, LEVEL_INFO, "not asked for");
    log_error(rig.worker, LEVEL_WARNING, "%d things", 3);
    assert_string_equal(logged(), "warning: 3 things\n");
    assert_string_equal(logged(), "");
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    log_error(rig.worker, LEVEL_ERROR, "%s", text);
    assert_true(strlen(logged()) < 600);
    rig.snapshot->conf.error.to = LOG_NONE;
    log_error(rig.worker, LEVEL_ERROR, "nowhere");
    assert_string_equal(logged(), "");
}

static void reported_again_after_a_while(void **state)
{
    (void)state;
    assert_true(log_limited(rig.worker, LIMITED_MEMORY));
    assert_false(log_limited(rig.worker, LIMITED_MEMORY));
    assert_true(log_limited(rig.worker, LIMITED_CLIENTS));
    rig_later(9000);
    assert_false(log_limited(rig.worker, LIMITED_MEMORY));
    rig_later(2000);
    assert_true(log_limited(rig.worker, LIMITED_MEMORY));
}

static void the_request_id(void **state)
{
    (void)state;
    char id[REQUEST_ID_TEXT];
    struct worker *w = calloc(1, sizeof *w);
    w->id = 3;
    account_id_text(id, w, 0xabcdef);
    assert_memory_equal(id, "0300000000abcdef", 16);
    account_id_text(id, w, UINT64_MAX); /* the serial never reaches the worker's place */
    assert_memory_equal(id, "03ffffffffffffff", 16);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_for_each_exchange),     LOG_TEST(what_the_origin_took_part_in),
        LOG_TEST(a_client_that_left_early),     LOG_TEST(each_exchange_counts_for_itself),
        LOG_TEST(what_a_format_wants),          LOG_TEST(as_they_were_received),
        LOG_TEST(content_is_without_heads),     LOG_TEST(no_log_wanted),
        LOG_TEST(what_never_became_a_head),     LOG_TEST(long_texts_are_cut),
        LOG_TEST(a_full_ring_drops_and_counts), LOG_TEST(errors_by_level),
        LOG_TEST(reported_again_after_a_while), cmocka_unit_test(the_request_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
