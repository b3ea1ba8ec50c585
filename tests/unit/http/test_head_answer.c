/* Answers and trailers: the table of every refusal, and what passes says about body and connection. */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/http/help_head.h"

#define END "\r\n"

static enum fault answer(struct msg *m, const char *head, enum method method)
{
    msg_init(m, NULL);
    return response_parse(m, head, (u32)strlen(head), &limits, method);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void response_refusals(void **state)
{
    (void)state;
    static const struct text_case cases[] = {
        { OK END, 0, FAULT_NONE },
        { "HTTP/1.1 200 \r\n" END, 0, FAULT_NONE },
        { "HTTP/1.1 200\r\n" END, 0, FAULT_NONE },
        { "HTTP/1.1 999 odd\r\n" END, 0, FAULT_NONE },
        { "HTTP/1.1 200 caf\xc3\xa9\tx\r\n" END, 0, FAULT_NONE },
        { "HTTP/1.1 200OK\r\n" END, 0, FAULT_response_malformed },
        { "HTTP/1.1 2000 OK\r\n" END, 0, FAULT_response_malformed },
        { "HTTP/1.1 20 OK\r\n" END, 0, FAULT_response_malformed },
        { "HTTP/1.1 099 OK\r\n" END, 0, FAULT_response_malformed },
        { "HTTP/1.1 -20 OK\r\n" END, 0, FAULT_response_malformed },
        { " HTTP/1.1 200 OK\r\n" END, 0, FAULT_response_malformed },
        { "HTTP/2.0 200 OK\r\n" END, 0, FAULT_response_malformed },
        { "HTTP/1.1 200 O\rK\r\n" END, 0, FAULT_response_malformed },
        { "HTTP/1.1 200 O\0K\r\n" END, 20, FAULT_response_malformed },
        { "ICY 200 OK\r\n" END, 0, FAULT_response_malformed },
        { "\r\n", 0, FAULT_response_malformed },
        { OK "A: b\rC: d\r\n" END, 0, FAULT_response_malformed },
        { OK "A\r\n" END, 0, FAULT_response_malformed },
        { OK "Content-Length: 5\r\nContent-Length: 6\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Content-Length: 5, 6\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Content-Length: 5, x\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Content-Length: ,\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Content-Length:\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Content-Length: 99999999999999999999\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Content-Length: +5\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n" END, 0,
          FAULT_response_bad_framing },
        { OK "Content-Length: 5\r\nTransfer-Encoding: identity\r\n" END, 0,
          FAULT_response_bad_framing },
        { OK "Transfer-Encoding: chunked, chunked\r\n" END, 0, FAULT_response_bad_framing },
        { OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END, 0,
          FAULT_response_bad_framing },
        { OK "Transfer-Encoding: gzip, chunked\r\n" END, 0, FAULT_response_bad_framing },
        { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" END, 0, FAULT_response_bad_framing },
        { OK "A: b\r\r\n" END, 0, FAULT_response_malformed },
        { OK " A: b\r\n" END, 0, FAULT_response_malformed },
        { OK "A: b\r\n \r\nB: c\r\n" END, 0, FAULT_response_malformed },
        { OK "A\r\n : b\r\n" END, 0, FAULT_response_malformed },
        { OK "A: b\r\n c\rd\r\n" END, 0, FAULT_response_malformed },
        { OK "A\x01: b\r\n" END, 0, FAULT_response_malformed },
        { OK "A: \x01\r\nB\r\n" END, 0, FAULT_response_malformed },
        { OK "A: b\0\r\n" END, 26, FAULT_response_malformed },
        { OK "A B : c\r\n" END, 0, FAULT_response_malformed },
        { OK " : c\r\n" END, 0, FAULT_response_malformed },
        { "\nHTTP/1.1 200 OK\n\n", 0, FAULT_response_malformed },
        { "\n", 0, FAULT_response_malformed },
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < countof(cases); i++) {
        struct msg m;
        struct slice head = case_text(&cases[i]);
        char *p = exact(head);
        msg_init(&m, &arena);
        enum fault got = response_parse(&m, p, (u32)head.n, &limits, METHOD_GET);
        if (got != cases[i].want)
            fail_msg("%s, wanted %s in: %s", fault_info(got)->token,
                     fault_info(cases[i].want)->token, head.p);
        free(p);
    }
    arena_free(&arena);
}

static void more_fields_than_allowed(void **state)
{
    (void)state;
    struct msg m;
    struct head_limits few = { 8192, 2048, 1 };
    msg_init(&m, NULL);
    assert_int_equal(response_parse(&m, OK "A: b\r\nC: d\r\n" END, 31, &few, METHOD_GET),
                     FAULT_response_head_too_large);
}

static void what_an_answer_says(void **state)
{
    (void)state;
    struct msg m;
    assert_int_equal(answer(&m, OK "Content-Length: 5\r\n\r\n", METHOD_GET), FAULT_NONE);
    assert_true(m.response && m.keep_alive);
    assert_int_equal(m.status, 200);
    assert_true(slice_is(m.reason, "OK"));
    assert_int_equal(m.body, BODY_LENGTH);
    assert_int_equal(m.body_len, 5);
    assert_int_equal(answer(&m, OK "\r\n", METHOD_GET), FAULT_NONE);
    assert_int_equal(m.body, BODY_UNTIL_CLOSE);
    assert_false(m.keep_alive);
    assert_int_equal(answer(&m, OK "Transfer-Encoding: chunked\r\n\r\n", METHOD_POST), FAULT_NONE);
    assert_int_equal(m.body, BODY_STREAMED);
    assert_true(m.keep_alive);

    assert_int_equal(answer(&m, OK "Content-Length: 5\r\n\r\n", METHOD_HEAD), FAULT_NONE);
    assert_int_equal(m.body, BODY_NONE);
    assert_int_equal(m.body_len, 5);
    assert_true(msg_has(&m, TOKEN_CONTENT_LENGTH));
    assert_true(m.keep_alive);
    assert_int_equal(answer(&m, OK "Transfer-Encoding: chunked\r\n\r\n", METHOD_HEAD), FAULT_NONE);
    assert_int_equal(m.body, BODY_NONE);
    assert_int_equal(answer(&m, OK "\r\n", METHOD_HEAD), FAULT_NONE);
    assert_true(m.keep_alive);

    const char *not_modified = "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n";
    assert_int_equal(answer(&m, not_modified, METHOD_GET), FAULT_NONE);
    assert_int_equal(m.body, BODY_NONE);
    assert_int_equal(m.body_len, 9);
    assert_int_equal(answer(&m, "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", METHOD_GET),
                     FAULT_NONE);
    assert_int_equal(m.body, BODY_NONE);
    assert_false(msg_has(&m, TOKEN_CONTENT_LENGTH));
    assert_true(m.keep_alive);
    assert_int_equal(answer(&m, "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", METHOD_GET), FAULT_NONE);
    assert_int_equal(m.body, BODY_NONE);

    const char *both = OK "Content-Length: x\r\nTransfer-Encoding: y\r\n\r\n";
    assert_int_equal(answer(&m, both, METHOD_CONNECT), FAULT_NONE);
    assert_int_equal(m.body, BODY_NONE);
    assert_false(msg_has(&m, TOKEN_CONTENT_LENGTH) || msg_has(&m, TOKEN_TRANSFER_ENCODING));
    assert_int_equal(answer(&m, "HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\n", METHOD_CONNECT),
                     FAULT_NONE);
    assert_int_equal(m.body, BODY_LENGTH);

    assert_int_equal(answer(&m, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", METHOD_GET),
                     FAULT_NONE);
    assert_false(m.keep_alive);
    assert_int_equal(answer(&m,
                            "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                            METHOD_GET),
                     FAULT_NONE);
    assert_true(m.upgrade_websocket);
}

static void trailers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum fault want;
        int repair; /* of an answer: -1 none, REPAIR_COUNT refused */
    } cases[] = {
        { "\r\n", FAULT_NONE, -1 },
        { "X-Checksum: 1\r\nETag: \"x\"\r\nServer-Timing: a\r\n\r\n", FAULT_NONE, -1 },
        { "Content-Length: 5\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "transfer-encoding: chunked\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "X: y\r\nHost: b\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Authorization: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Cookie: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Set-Cookie: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Connection: close\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Trailer: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "TE: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Proxy-Authorization: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Proxy-Anything: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "X-Forwarded-For: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Content-Type: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Content-Encoding: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Content-Range: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Cache-Control: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Max-Forwards: 1\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "Range: x\r\n\r\n", FAULT_bad_trailer, REPAIR_trailer_field },
        { "A : b\r\n\r\n", FAULT_bad_trailer, REPAIR_blank_before_colon },
        { "A: b\nC: d\r\n\r\n", FAULT_bad_trailer, REPAIR_line_end },
        { "A: b\r\n c\r\n\r\n", FAULT_bad_trailer, REPAIR_folding },
        { "GET / HTTP/1.1\r\n\r\n", FAULT_bad_trailer, REPAIR_COUNT },
        { "A: b\r\n", FAULT_bad_trailer, REPAIR_COUNT },
        { "\r\n\r\n", FAULT_bad_trailer, REPAIR_COUNT },
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < countof(cases); i++)
        for (unsigned response = 0; response < 2; response++) {
            struct msg m;
            struct slice section = slice_of(cases[i].text);
            char *p = exact(section);
            msg_init(&m, &arena);
            enum fault want = cases[i].want;
            if (response)
                want = cases[i].repair == REPAIR_COUNT ? FAULT_response_bad_chunk : FAULT_NONE;
            assert_int_equal(trailer_parse(&m, p, (u32)section.n, &limits, response), want);
            bool repaired = response && want == FAULT_NONE && cases[i].repair >= 0;
            assert_int_equal(m.repairs, repaired ? 1 << cases[i].repair : 0);
            if (repaired && cases[i].repair == REPAIR_trailer_field)
                assert_int_equal(m.fields[m.nfields - 1].id, FIELD_DELETED);
            free(p);
        }
    arena_free(&arena);
}

static void names_of_upstream_faults(void **state)
{
    (void)state;
    assert_int_equal(head_fault_response(FAULT_NONE), FAULT_NONE);
    assert_int_equal(head_fault_response(FAULT_bad_line_end), FAULT_response_malformed);
    assert_int_equal(head_fault_response(FAULT_target_too_long), FAULT_response_head_too_large);
    assert_int_equal(head_fault_response(FAULT_both_lengths), FAULT_response_bad_framing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(response_refusals),        cmocka_unit_test(more_fields_than_allowed),
        cmocka_unit_test(what_an_answer_says),      cmocka_unit_test(trailers),
        cmocka_unit_test(names_of_upstream_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
