/* Pages of the administrator's: a value is escaped as the place wants it where it stands, or is not
 * taken there at all; whatever is wrong is told with its line before the policy is in force. */
#include "tests/unit/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "tests/unit/policy/policy_text.h"

static char path[64];

static struct policy_text with_page(const char *page, size_t n)
{
    char text[256];
    snprintf(path, sizeof path, "/tmp/proxyd-page-%d.html", (int)getpid());
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(page, 1, n, f), n);
    fclose(f);
    snprintf(text, sizeof text, "policy p { default deny; error-page %s; }", path);
    struct policy_text p = policy_from(text);
    unlink(path);
    return p;
}

static void taken(const char *page, const char *as)
{
    struct policy_text p = with_page(page, strlen(page));
    if (p.errors + p.warnings)
        fail_msg("%s:\n%s", page, p.messages);
    assert_true(slice_is(policy_page(p.policy), as));
    policy_text_free(&p);
}

static void told(const char *page, const char *message)
{
    struct policy_text p = with_page(page, strlen(page));
    if (!strstr(p.messages, message))
        fail_msg("%s: not \"%s\" but\n%s", page, message, p.messages);
    policy_text_free(&p);
}

static void where_a_value_may_stand(void **state)
{
    (void)state;
    taken("plain", "plain");
    taken("a < {{text}} > b", "a < {{text}} > b");
    taken("<p title='{{reason}}' lang=en class=\"x\">{{reason}}</p>",
          "<p title='{{reason}}' lang=en class=\"x\">{{reason}}</p>");
    taken("<!-- it's <a href={{url}} --> {{url}}", "<!-- it's <a href={{url}} --> {{url}}");
    taken("<script>if (a < b) x('</p>')</script><p>{{url}}",
          "<script>if (a < b) x('</p>')</script><p>{{url}}");
    taken("<STYLE>a>b{c:d}</STYLE>{{url}}", "<STYLE>a>b{c:d}</STYLE>{{url}}");
    taken("<a href='{{why}}'><a href=\"{{contact_url}}\">",
          "<a href='{{why}}'><a href=\"{{contact_url}}\">");
    taken("<a href='mailto:a@b?subject={{id}}&amp;body={{url}}'>",
          "<a href='mailto:a@b?subject={{%id}}&amp;body={{%url}}'>");
    taken("<br/><img src=/x.png alt='{{text}}'/>{{text}}",
          "<br/><img src=/x.png alt='{{text}}'/>{{text}}");
}

static void where_it_may_not(void **state)
{
    (void)state;
    told("<script>x = '{{url}}'", "in a script or style sheet");
    told("<style>a{b:{{side}}}", "in a script or style sheet");
    told("<a title={{url}}>", "in a tag, not in quotes");
    told("<a title=x{{url}}>", "in a tag, not in quotes");
    told("<a {{url}}>", "in a tag, not in quotes");
    told("<{{host}}>", "in a tag, not in quotes");
    told("<a onClick='x({{id}})'>", "in an attribute that is code");
    told("<p style=\"color:{{side}}\">", "in an attribute that is code");
    told("<a href='{{url}}'>", "at the beginning of a URL");
    told("<a title='x' HREF = ' {{url}}'>", "at the beginning of a URL");
    told("<a href='JavaScript:x({{id}})'>", "in a URL that is code");
}

static void names(void **state)
{
    (void)state;
    told("a\n<p>b {{reson}}",
         ":2:8: error: no value of a page is called \"reson\"\n    <p>b {{reson}}\n");
    told("{{reson}}", "did you mean \"reason\"?\n    included from test:1:37\n");
    told("{{%id}}", "no value of a page is called");
    told("{{}}", "no value of a page is called");
    told("{{a\nb}}", "no value of a page is called");
    told("x\n y{{id", ":2:3: error: {{ has no }} behind it");
    told("{{x}} {{y}}", "{{y}}\n"); /* one error does not hide the next */
}

static void a_line_that_holds_the_document(void **state)
{
    (void)state;
    told("<html><body>{{reason}}</body></html>",
         "its line 1, which holds the document, is left out");
    taken("<html><body>{{text}}</body></html>", "<html><body>{{text}}</body></html>");
    taken("<html><body>\n{{reason}}\n</body></html>", "<html><body>\n{{reason}}\n</body></html>");
}

static void lengths(void **state)
{
    (void)state;
    char *big = malloc((64 << 10) + 1);
    memset(big, 'x', (64 << 10) + 1);
    struct policy_text p = with_page(big, 64 << 10);
    assert_int_equal(p.errors, 0);
    policy_text_free(&p);
    p = with_page(big, (64 << 10) + 1);
    assert_non_null(strstr(p.messages, "longer than 64 kB"));
    policy_text_free(&p);
    free(big);
    told("", "it is empty");
}

static void contacts(void **state)
{
    (void)state;
    char text[400];
    snprintf(text, sizeof text, "policy p { default deny; contact %0301d; }", 1);
    struct policy_text p = policy_from(text);
    assert_non_null(strstr(p.messages, "the contact is too long"));
    policy_text_free(&p);
    p = policy_from("policy p { default deny; contact a@b.test; }");
    assert_true(slice_is(policy_contact(p.policy), "a@b.test"));
    policy_text_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_a_value_may_stand),
        cmocka_unit_test(where_it_may_not),
        cmocka_unit_test(names),
        cmocka_unit_test(a_line_that_holds_the_document),
        cmocka_unit_test(lengths),
        cmocka_unit_test(contacts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
