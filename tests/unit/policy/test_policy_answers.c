/* Rules that look at the answer, and the edits that a rule carries. */
#include "policy/edits.h"
#include "policy/policy.h"

#include "tests/unit/policy/decide.h"

#define PASSES "allow "
#define EXE "Content-Type: application/x-msdownload\r\n"
#define PNG "content-type: Image/PNG; q=1\r\n"

static void asked_for_answers_only(void **state)
{
    (void)state;
    RULES("deny r { type application/x-msdownload; } allow rest { }",
          { "GET", "a.example", 80, "allow rest" },
          { "GET", "a.example", 80, "deny r rule_denied", .status = 200, .answer = EXE },
          { "GET", "a.example", 80, PASSES, .status = 200, .answer = PNG },
          { "GET", "a.example", 80, PASSES, .status = 200 });
    RULES("deny r { to a.example; } allow s { status 200; }",
          { "GET", "a.example", 80, PASSES "s", .status = 200 },
          { "GET", "b.example", 80, "deny default default_denied" });
}

static void by_type(void **state)
{
    (void)state;
    RULES("allow a { type image/svg+xml; } deny r { type image/* ~\"^video/\"; to .a.example; }",
          { "GET", "a.example", 80, "deny r rule_denied", .status = 200, .answer = PNG },
          { "GET", "b.example", 80, PASSES, .status = 200, .answer = PNG },
          { "GET", "x.a.example", 80, "deny r rule_denied", .status = 206,
            .answer = "Content-Type: video/mp4\r\n" },
          { "GET", "a.example", 80, "allow a", .status = 200,
            .answer = "Content-Type: image/svg+xml; charset=utf-8\r\n" },
          { "GET", "a.example", 80, PASSES, .status = 200, .answer = "Content-Type: images/x\r\n" },
          { "GET", "a.example", 80, PASSES, .status = 200, .answer = "Content-Type: image\r\n" });
}

static void an_answer_of_two_types_is_denied_and_not_allowed(void **state)
{
    (void)state;
    RULES("allow a { type text/plain; } deny r { type application/x-msdownload; }",
          { "GET", "a.example", 80, "deny r rule_denied", .status = 200,
            .answer = EXE "Content-Type: text/plain\r\n" },
          { "GET", "a.example", 80, "deny r rule_denied", .status = 200,
            .answer = "Content-Type: text/plain, application/x-msdownload\r\n" },
          { "GET", "a.example", 80, "allow a", .status = 200,
            .answer = "Content-Type: text/plain\r\nContent-Type: text/plain;x\r\n" });
    RULES("deny r { not type text/plain; }",
          { "GET", "a.example", 80, "deny r rule_denied", .status = 200, .answer = EXE },
          { "GET", "a.example", 80, PASSES, .status = 200 });
}

/* A client asks for two ranges, and the type of what it gets stands in the body. */
static void parts_of_another_type_are_denied_and_not_allowed(void **state)
{
    (void)state;
    static const char parts[] = "Content-Type: Multipart/ByteRanges; boundary=x\r\n";
    RULES("allow a { type text/plain; } deny r { type application/x-msdownload; } allow b { }",
          { "GET", "a.example", 80, "deny r rule_denied", .status = 206, .answer = parts },
          { "GET", "a.example", 80, "deny r rule_denied", .status = 206, .answer = EXE },
          { "GET", "a.example", 80, PASSES, .status = 206, .answer = PNG },
          { "GET", "a.example", 80, PASSES, .status = 200, .answer = parts });
    RULES("allow a { type multipart/*; } deny r { type image/*; }",
          { "GET", "a.example", 80, "allow a", .status = 206, .answer = parts });
}

static void by_length_and_status(void **state)
{
    (void)state;
    RULES(
        "deny l { length 1k-; } deny m { length -10; status 200; } deny s { status 404 500-502; }",
        { "GET", "a.example", 80, "deny l rule_denied", .status = 200, .length = 1024 },
        { "GET", "a.example", 80, PASSES, .status = 200, .length = 1023 },
        { "GET", "a.example", 80, "deny m rule_denied", .status = 200, .length = 10 },
        { "GET", "a.example", 80, PASSES, .status = 201, .length = 10 },
        { "GET", "a.example", 80, PASSES, .status = 200, .length = -1 },
        { "GET", "a.example", 80, "deny s rule_denied", .status = 404, .length = 100 },
        { "GET", "a.example", 80, "deny s rule_denied", .status = 501, .length = -1 },
        { "GET", "a.example", 80, PASSES, .status = 503, .length = 100 });
}

static void with_what_the_request_showed(void **state)
{
    (void)state;
    RULES("deny r { status 200; method GET; path /x; from 127.0.0.1; to 10.0.0.0/8; }",
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x/y", .status = 200,
            .at = "10.0.0.1" },
          { "GET", "a.example", 80, PASSES, .path = "/x/y", .status = 200, .at = "11.0.0.1" },
          { "GET", "a.example", 80, PASSES, .path = "/y", .status = 200, .at = "10.0.0.1" },
          { "POST", "a.example", 80, PASSES, .path = "/x", .status = 200, .at = "10.0.0.1" });
}

/* ---- edits ---- */

static void edits_in_their_order(void **state)
{
    (void)state;
    struct policy_text p = policy_from(
        "policy p { default deny; rules { allow r { request { remove x-a X-In-*; set Accept b; add "
        "X-New 1; add X-New 2; set X-Late l; remove X-Late; set x-odd \"v w\"; } response { remove "
        "*; } } allow s { } } }");
    if (p.policy == NULL)
        fail_msg("%s", p.messages);
    struct arena a;
    struct msg m;
    arena_init(&a, 0);
    const struct policy_rule *r = policy_rule_at(p.policy, 0);
    assert_true(policy_edits(p.policy));
    assert_null(policy_rule_edits(policy_rule_at(p.policy, 1), false));
    put_fields(&m,
               "X-A: 1\r\nAccept: x\r\nx-in-b: 2\r\nX-a: 3\r\naccept: y\r\nX-Odd: 4\r\nZ: 5\r\n");
    m.arena = &a;
    assert_true(edits_apply(policy_rule_edits(r, false), &m));
    char area[512];
    struct text t = text_in(area, sizeof area);
    for (u32 i = 0; i < m.nfields; i++)
        if (m.fields[i].id != FIELD_DELETED)
            text_fmt(&t, "%.*s=%.*s;", SLICE_FMT(msg_name(&m, &m.fields[i])),
                     SLICE_FMT(msg_value(&m, &m.fields[i])));
    area[t.n] = 0;
    assert_string_equal(area, "Z=5;Accept=b;X-New=1;X-New=2;x-odd=v w;");
    put_fields(&m, "A: 1\r\nContent-Length: 5\r\nTrailer: x\r\nVia: 1.1 x\r\nDate: d\r\n");
    m.arena = &a;
    assert_true(edits_apply(policy_rule_edits(r, true), &m));
    assert_false(msg_has(&m, TOKEN_DATE));
    assert_true(msg_has(&m, TOKEN_CONTENT_LENGTH) && msg_has(&m, TOKEN_TRAILER) &&
                msg_has(&m, TOKEN_VIA));
    assert_true(edits_apply(NULL, &m));
    arena_free(&a);
    policy_text_free(&p);
}

static void what_is_the_proxys_own(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Connection",  "keep-alive", "TE",           "Trailer",          "Transfer-Encoding",
        "Upgrade",     "Host",       "Expect",       "Content-Length",   "Proxy-Authorization",
        "Proxy-Other", "Via",        "Max-Forwards", "Proxy-Connection",
    };
    for (size_t i = 0; i < countof(names); i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "policy p { default deny; rules { allow r { request { remove %s; } } } }",
                 names[i]);
        struct policy_text p = policy_from(text);
        if (p.errors != 1 || !strstr(p.messages, "cannot be edited"))
            fail_msg("%s: %s", names[i], p.messages);
        policy_text_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_for_answers_only),
        cmocka_unit_test(by_type),
        cmocka_unit_test(an_answer_of_two_types_is_denied_and_not_allowed),
        cmocka_unit_test(parts_of_another_type_are_denied_and_not_allowed),
        cmocka_unit_test(by_length_and_status),
        cmocka_unit_test(with_what_the_request_showed),
        cmocka_unit_test(edits_in_their_order),
        cmocka_unit_test(what_is_the_proxys_own),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
