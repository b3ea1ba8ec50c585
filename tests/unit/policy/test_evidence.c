/* What a decision rests upon: the text of the request that each condition of the rule matched. */
#include "policy/evidence.h"

#include "tests/unit/policy/decide.h"

static const char *const RULES_TEXT =
    "policy p {\n default deny;\n connect-ports 443; http-ports any; rules {\n"
    " deny url    { url ~\"/(banner|sponsor)s?/[^/]*$\"; method GET POST; }\n"
    " deny host   { to ~\"^ads[0-9]\" x.test 192.0.2.0/24; port 80 8000-8999; }\n"
    " deny path   { path /admin; from 10.0.0.0/8; }\n"
    " deny fields { header Authorization ~\"secret\"; not method POST; }\n"
    " deny pairs  { query token=hunter2; }\n"
    " deny type   { type video/*; status 200-299; }\n"
    " allow fine  { to fine.test; }\n} }";

static const struct row {
    struct ask ask;
    const char *matched, *place;
} rows[] = {
    { { "GET", "a.test", 80, "", "/banners/x", .query = "u=hunter2" },
      "method GET, url /banners/x?…",
      "test:4" },
    { { "GET", "a.test", 80, "", "/banner/" }, "method GET, url /banner/", "test:4" },
    { { "PUT", "ads7.test", 8080, "" }, "to ads7.test, port 8080", "test:5" },
    { { "PUT", "y.test", 80, "", .at = "192.0.2.7" }, "to y.test at 192.0.2.7, port 80", "test:5" },
    { { "GET", "a.test", 80, "", "/x/../%61dmin/y", "10.1.2.3", "198.51.100.1" },
      "from 10.1.2.3, path /admin/y",
      "test:6" },
    /* only the folded form is below /admin */
    { { "GET", "a.test", 80, "", "/admin%2fy", "10.1.2.3", "198.51.100.1" },
      "from 10.1.2.3, path /admin/y",
      "test:6" },
    { { "GET", "a.test", 80, "", .at = "198.51.100.1",
        .fields = "Authorization: Bearer secret\r\n" },
      "not method POST, header Authorization",
      "test:7" },
    { { "GET", "a.test", 80, "", .at = "198.51.100.1", .query = "token=hunter2" },
      "query token",
      "test:8" },
    { { "GET", "a.test", 80, "", .status = 206, .answer = "Content-Type: video/mp4\r\n" },
      "status 206, type video/mp4",
      "test:9" },
    { { "GET", "fine.test", 80, "", .at = "10.0.0.1" }, "to fine.test at 10.0.0.1", "test:10" },
    { { "GET", "other.test", 80, "", .at = "198.51.100.1" }, "", "test:2" },
    { { "CONNECT", "other.test", 22, "" }, "port 22", "test:1" },
};

static void each_condition_tells_what_it_matched(void **state)
{
    (void)state;
    struct policy_text p = policy_from(RULES_TEXT);
    if (p.policy == NULL)
        fail_msg("%s", p.messages);
    for (size_t i = 0; i < countof(rows); i++) {
        char matched[EVIDENCE_MATCHED + 1], place[EVIDENCE_PLACE + 1];
        struct text mt = text_in(matched, EVIDENCE_MATCHED), pt = text_in(place, EVIDENCE_PLACE);
        struct question room;
        struct policy_decision d;
        const struct policy_question *q = question_of(&rows[i].ask, &room);
        decide(p.policy, &rows[i].ask, &d);
        policy_evidence_matched(&mt, p.policy, q, &d);
        policy_evidence_place(&pt, p.policy, &d);
        matched[mt.n] = place[pt.n] = 0;
        if (strcmp(matched, rows[i].matched) != 0 || strcmp(place, rows[i].place) != 0)
            fail_msg("row %zu: \"%s\" at %s instead of \"%s\" at %s", i, matched, place,
                     rows[i].matched, rows[i].place);
    }
    policy_text_free(&p);
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    struct policy_text p = policy_from("policy p { default deny; rules { deny a { path /; } } }");
    struct question room;
    struct policy_decision d;
    char area[EVIDENCE_MATCHED + 1];
    struct text t = text_in(area, EVIDENCE_MATCHED);
    struct ask ask = { "GET", "a.test", 80, "", "/a", .path_bytes = 9000 };
    decide(p.policy, &ask, &d);
    policy_evidence_matched(&t, p.policy, question_of(&ask, &room), &d);
    assert_true(slice_starts(text_slice(&t), SLICE("path /aaaa")));
    assert_true(slice_ends(text_slice(&t), SLICE("a…")));
    policy_text_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_tells_what_it_matched),
        cmocka_unit_test(what_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
