/* The page of a refusal: nothing from outside in it could speak to a browser, a parser or a
 * terminal. */
#include "core/report/page.h"

#include "tests/unit/core/help_engine.h"

static char area[PAGE_ROOM + 1];
static const char *help = "", *contact = "", *why = "";
static bool is_why;

static const char *page(enum page_form f, const char *target, const char *reason)
{
    struct text t = text_in(area, sizeof area - 1);
    struct page p = { .fault = fault_info(FAULT_rule_denied),
                      .status = 403,
                      .target = slice_of(target),
                      .rule = SLICE("office"),
                      .reason = slice_of(reason),
                      .help = slice_of(help),
                      .contact = slice_of(contact),
                      .why = slice_of(why),
                      .is_why = is_why,
                      .client = SLICE("10.0.0.7"),
                      .id = SLICE("0123456789abcdef") };
    page_write(&t, f, &p);
    assert_false(t.full);
    area[t.n] = 0;
    return area;
}

static void as_text(void **state)
{
    (void)state;
    assert_string_equal(page(PAGE_TEXT, "http://a.test/x", "not on the list"),
                        "rule_denied: a rule of the policy denies it\n"
                        "rule: office\n"
                        "reason: not on the list\n"
                        "request: http://a.test/x\n"
                        "id: 0123456789abcdef\n");
    const char *said = page(PAGE_TEXT, "http://a.test/\x1b[2J\"\xff", "line\r\nid: fake\x1b");
    assert_has(said, "request: http://a.test/\\x1B[2J\\x22\\xFF\n");
    assert_has(said, "reason: line  id: fake \n");
}

static void as_json(void **state)
{
    (void)state;
    assert_string_equal(page(PAGE_JSON, "http://a.test/x", "says \"no\"\n"),
                        "{\"status\":403,\"cause\":\"rule_denied\","
                        "\"text\":\"a rule of the policy denies it\",\"rule\":\"office\","
                        "\"reason\":\"says \\\"no\\\"\\u000a\",\"request\":\"http://a.test/x\","
                        "\"id\":\"0123456789abcdef\"}\n");
    assert_has(page(PAGE_JSON, "/\\\"},{\x01\x7f\xc3", ""),
               "\"request\":\"/\\\\\\\"},{\\u0001\\u007f\\u00c3\"");
}

static void as_html(void **state)
{
    (void)state;
    const char *said = page(PAGE_HTML, "/<script>alert('1')&\"", "<b>no</b> & \xc3\xa9");
    assert_begins(said, "<!DOCTYPE html>");
    assert_has(said, "/&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;<");
    assert_has(said, "&lt;b&gt;no&lt;/b&gt; &amp; \xc3\xa9");
    assert_has_not(said, "<script");
    assert_has_not(said, "<b>");
    assert_has(said, "0123456789abcdef");
    assert_has(said, "rule_denied");
    assert_has_not(page(PAGE_HTML, "/\x1b\xff\n", ""), "\xff");
    assert_has_not(area, "\x1b");
}

/* The words of a role for the client. */
static void with_help(void **state)
{
    (void)state;
    help = "try <this>";
    assert_has(page(PAGE_TEXT, "/", ""),
               "rule_denied: a rule of the policy denies it\nhelp: try <this>\nrule: office\n");
    assert_has(page(PAGE_JSON, "/", ""), ",\"help\":\"try <this>\",\"rule\":");
    assert_has(page(PAGE_HTML, "/", ""), "<p>try &lt;this&gt;</p>\n");
    help = "";
}

static void whom_to_ask(void **state)
{
    (void)state;
    contact = "the <desk>, 42";
    assert_has(page(PAGE_HTML, "/", ""), "</strong> the &lt;desk&gt;, 42</p>");
    assert_has_not(area, "<a ");
    assert_has(page(PAGE_TEXT, "/", ""), "\ncontact: the <desk>, 42\n");
    assert_has(page(PAGE_JSON, "/", ""), ",\"contact\":\"the <desk>, 42\"");
    contact = "desk@a.test";
    assert_has(page(PAGE_HTML, "/", ""), "<a href=\"mailto:desk@a.test\">desk@a.test</a>");
    contact = "https://a.test/?a=\"&b";
    assert_has(page(PAGE_HTML, "/", ""), "<a href=\"https://a.test/?a=&quot;&amp;b\">https");
    contact = "javascript:alert(1)";
    assert_has_not(page(PAGE_HTML, "/", ""), "<a ");
    contact = "https://a.test/ or b";
    assert_has_not(page(PAGE_HTML, "/", ""), "<a ");
    contact = "";
}

static void where_it_is_told_again(void **state)
{
    (void)state;
    why = "http://10.0.0.1:3128/why?id=0123456789abcdef";
    assert_has(page(PAGE_HTML, "/", ""),
               "<a href=\"http://10.0.0.1:3128/why?id=0123456789abcdef\">");
    assert_has_not(area, "href=\"/why\"");
    assert_has(page(PAGE_TEXT, "/", ""), "\nwhy: http://10.0.0.1:3128/why?id=0123456789abcdef\n");
    why = "";
    is_why = true;
    assert_has(page(PAGE_HTML, "/", ""), "<a href=\"/why\">");
    is_why = false;
}

/* Whoever's script runs on the page's host can read it: it does not learn who the client is. */
static void the_client_is_named_in_own_templates_alone(void **state)
{
    (void)state;
    struct text t = text_in(area, sizeof area - 1);
    struct page p = { .fault = fault_info(FAULT_rule_denied),
                      .status = 403,
                      .wall_us = 1795417200000000,
                      .method = SLICE("GET"),
                      .target = SLICE("http://a.test/<x>?secret"),
                      .client = SLICE("10.0.0.7"),
                      .user = SLICE("ann\0staff"),
                      .place = SLICE("/etc/proxyd/office.conf:7"),
                      .id = SLICE("id") };
    for (enum page_form f = PAGE_TEXT; f <= PAGE_JSON; f++) {
        assert_has_not(page(f, "/", ""), "10.0.0.7");
    }
    page_write_own(&t,
                   SLICE("{{status}} {{client}} {{user}} {{url}} {{%url}} {{time}} {{configured}}\n"
                         "{{rule}}\n{{title}}|{{side}}|{{cause}}"),
                   &p);
    assert_slice(
        text_slice(&t),
        "403 10.0.0.7 ann http://a.test/&lt;x&gt; http%3A%2F%2Fa.test%2F%3Cx%3E "
        "2026-11-23 07:00:00 UTC office.conf:7\nThis request is not allowed|rules|rule_denied");
}

/* Queries hold secrets: none is repeated in any form. */
static void without_the_query(void **state)
{
    (void)state;
    for (enum page_form f = PAGE_TEXT; f <= PAGE_JSON; f++) {
        const char *said = page(f, "http://a.test/x?token=hunter2", "");
        assert_has(said, "http://a.test/x");
        assert_has_not(said, "hunter2");
    }
}

/* The worst that can be asked for fits an answer, and no character is cut in two. */
static void long_texts_are_clipped(void **state)
{
    (void)state;
    static char target[5000], reason[5000];
    memset(target, '"', sizeof target - 1);
    for (unsigned i = 0; i + 2 < sizeof reason; i += 2)
        memcpy(reason + i, "\xc3\xa9", 2);
    reason[0] = 'x';
    memmove(reason + 1, reason + 2, sizeof reason - 2);
    for (enum page_form f = PAGE_TEXT; f <= PAGE_JSON; f++) {
        const char *said = page(f, target, reason);
        assert_true(strlen(said) < PAGE_ROOM);
        const char *cut = strstr(said, "\xc3\xa9");
        assert_non_null(cut);
        while (memcmp(cut, "\xc3\xa9", 2) == 0)
            cut += 2;
        assert_true((*cut & 0x80) == 0);
    }
}

static void every_fault_has_a_page(void **state)
{
    (void)state;
    for (unsigned i = 1; i < FAULT_COUNT; i++) {
        const struct fault_info *info = fault_info((enum fault)i);
        struct page p = {
            .fault = info, .status = info->status, .target = SLICE("/"), .id = SLICE("id")
        };
        if (info->status == 0)
            continue;
        for (enum page_form f = PAGE_TEXT; f <= PAGE_JSON; f++) {
            struct text t = text_in(area, PAGE_ROOM);
            page_write(&t, f, &p);
            assert_false(t.full);
            area[t.n] = 0;
            assert_has(area, info->token);
            assert_has_not(area, "rule:");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_text),
        cmocka_unit_test(as_json),
        cmocka_unit_test(as_html),
        cmocka_unit_test(with_help),
        cmocka_unit_test(whom_to_ask),
        cmocka_unit_test(where_it_is_told_again),
        cmocka_unit_test(the_client_is_named_in_own_templates_alone),
        cmocka_unit_test(without_the_query),
        cmocka_unit_test(long_texts_are_clipped),
        cmocka_unit_test(every_fault_has_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
