/* What an intercepted client begins with: HTTP, something else, or nothing that tells yet; whatever
 * the pieces are that it comes in. */
#include "forward/transparent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "core/intercepted.h"
#include "tests/unit/policy/policy_text.h"

static const struct row {
    const char *said;
    enum detection as;
} rows[] = {
    { "GET / HTTP/1.1\r\n", DETECTED_HTTP },
    { "OPTIONS * HTTP/1.1\r\n", DETECTED_HTTP },
    { "get HTTP://shop.example/ HTTP/1.1\r\n", DETECTED_HTTP },
    { "CONNECT shop.example:443 HTTP/1.1\r\n", DETECTED_HTTP },
    { "PROPFIND /dav HTTP/1.1\r\n", DETECTED_HTTP },
    { "GET", DETECTED_MORE },
    { "GET ", DETECTED_MORE },
    { "GET http:/", DETECTED_MORE },
    { "GET https://shop.example/", DETECTED_RAW },
    { "NICK somebody\r\n", DETECTED_RAW },
    { "SSH-2.0-OpenSSH_9.2\r\n", DETECTED_RAW },
    { "EHLO mail.example\r\n", DETECTED_RAW },
    { "\x16\x03\x01", DETECTED_RAW },
    { " GET / HTTP/1.1\r\n", DETECTED_RAW },
    { "AMETHODOFMORETHANTHIRTYTWOLETTERSINALL / HTTP/1.1\r\n", DETECTED_RAW },
};

static void what_it_is(void **state)
{
    (void)state;
    for (unsigned i = 0; i < countof(rows); i++) {
        size_t n = strlen(rows[i].said);
        for (size_t part = 1; part <= n; part++) {
            struct slice first = { rows[i].said, part };
            struct detected d = transparent_detect(NULL, first);
            assert_int_equal(d.fault, FAULT_NONE);
            if (part == n || d.as != DETECTED_MORE) /* once it is known it stays so */
                assert_int_equal(d.as, rows[i].as);
        }
    }
}

/* Who says nothing waits, unless the policy lets pass what is no HTTP. */
static void silence(void **state)
{
    (void)state;
    for (int tunnel = 0; tunnel < 2; tunnel++) {
        struct policy_text p = policy_from(tunnel ? "policy p { default deny; other tunnel; }"
                                                  : "policy p { default deny; }");
        struct forward_part part = { .policy = p.policy };
        struct listener l = { .part = &part };
        struct detected d = transparent_detect(&l, (struct slice){ NULL, 0 });
        assert_int_equal(d.as, tunnel ? DETECTED_RAW : DETECTED_MORE);
        policy_text_free(&p);
    }
}

/* One byte in a tunnel's record says all that rules may ask about the name. */
static void what_is_kept(void **state)
{
    (void)state;
    struct intercepted i = {
        .raw = true, .hello = HELLO_NO_NAME, .encrypted = true, .told_as = TOLD_NOTHING
    };
    struct policy_question q = { .host = NULL };
    transparent_ask(intercepted_told(&i), &q);
    assert_true(q.tls && q.sni_absent && q.sni_encrypted && q.name == NAME_ABSENT);
    i = (struct intercepted){ .raw = true, .hello = HELLO_NOT_TLS, .told_as = TOLD_NOTHING };
    transparent_ask(intercepted_told(&i), &q);
    assert_true(!q.tls && !q.sni_absent && !q.sni_encrypted && q.name == NAME_ABSENT);
    i = (struct intercepted){ .told_as = TOLD_UNCONFIRMED };
    transparent_ask(intercepted_told(&i), &q);
    assert_true(!q.tls && q.name == NAME_UNCONFIRMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_it_is), cmocka_unit_test(silence),
                                        cmocka_unit_test(what_is_kept) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
