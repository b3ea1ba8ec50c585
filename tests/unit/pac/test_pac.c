/* The script is exact, whatever address it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pac/pac.h"

static struct slice written(char *area, const char *proxy)
{
    struct text t = text_in(area, PAC_MAX);
    pac_write(&t, slice_of(proxy));
    assert_false(t.full);
    return text_slice(&t);
}

static void ends(struct slice s, const char *tail)
{
    if (!slice_ends(s, slice_of(tail)))
        fail_msg("%.*s does not end in %s", SLICE_FMT(s), tail);
}

static void names_the_listener(void **state)
{
    (void)state;
    char area[PAC_MAX];
    struct slice s = written(area, "127.0.0.1:3128");
    assert_true(slice_starts(s, SLICE("function FindProxyForURL(url, host) {\n")));
    ends(s, "    return \"PROXY 127.0.0.1:3128\";\n}\n");
    ends(written(area, "[2001:db8::1]:3128"), "return \"PROXY [2001:db8::1]:3128\";\n}\n");
}

static void cannot_be_broken_out_of(void **state)
{
    (void)state;
    char area[PAC_MAX];
    ends(written(area, "a\";evil()//\n\\"),
         "return \"PROXY a\\x22\\x3bevil\\x28\\x29\\x2f\\x2f\\x0a\\x5c\";\n}\n");
}

static void braces_match(void **state)
{
    (void)state;
    char area[PAC_MAX];
    struct slice s = written(area, "h:1");
    int round = 0, curly = 0, quotes = 0;
    for (size_t i = 0; i < s.n; i++) {
        round += (s.p[i] == '(') - (s.p[i] == ')');
        curly += (s.p[i] == '{') - (s.p[i] == '}');
        quotes += s.p[i] == '"';
    }
    assert_int_equal(round, 0);
    assert_int_equal(curly, 0);
    assert_int_equal(quotes % 2, 0);
}

static void longest_fits(void **state)
{
    (void)state;
    char area[PAC_MAX], host[260];
    memset(host, 'h', sizeof host);
    memcpy(host + 253, ":65535", 7);
    ends(written(area, host), "h:65535\";\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_listener),
        cmocka_unit_test(cannot_be_broken_out_of),
        cmocka_unit_test(braces_match),
        cmocka_unit_test(longest_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
