/* The client is whoever holds the connection. */
#include "reverse/identity.h"

#include "core/exchange/xchg.h"
#include "http/h1_write.h"
#include "tests/unit/core/help_engine.h"

static void what_a_request_claims(void **state)
{
    (void)state;
    static const char head[] =
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n"
        "x-real-ip: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Other: stays\r\n\r\n";
    struct xchg *x = calloc(1, sizeof *x);
    struct head_limits limits = { .head = 32768, .line = 16384, .fields = 128 };
    char area[1000];
    struct text t = text_in(area, sizeof area);
    arena_init(&x->arena, 0);
    msg_init(&x->req, &x->arena);
    assert_int_equal(request_parse(&x->req, head, sizeof head - 1, &limits), FAULT_NONE);
    assert_int_equal(reverse_identity(x), PASS);
    assert_int_equal(reverse_identity(x), PASS); /* nothing left to take */
    h1_write_fields(&t, &x->req);
    assert_slice(text_slice(&t), "Host: a\r\nX-Other: stays\r\n");
    arena_free(&x->arena);
    free(x);
}

static void what_the_servers_get(void **state)
{
    (void)state;
    static const char *const peers[] = { "192.0.2.1", "2001:db8::1" };
    for (unsigned i = 0; i < countof(peers); i++) {
        struct xchg *x = calloc(1, sizeof *x);
        char area[ADDR_TEXT];
        struct text t = text_in(area, sizeof area);
        assert_true(addr_parse(slice_of(peers[i]), &x->peer));
        x->peer.port = 5000;
        reverse_client(x, &t);
        assert_slice(text_slice(&t), peers[i]);
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_request_claims),
        cmocka_unit_test(what_the_servers_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
