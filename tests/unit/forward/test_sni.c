/* What a policy says of how a tunnel begins, by its record alone, then and later. */
#include "forward/sni.h"

#include "core/report/logrec.h"
#include "forward/conf.h"
#include "forward/where.h"
#include "tests/unit/core/help_engine.h"

#define POLICY(more)                                                                               \
    "listener main { bind 127.0.0.1:3128; mode forward; policy p; }\n"                             \
    "policy p { clients 127.0.0.0/8; connect-ports any; default deny \"not listed\"; " more " }\n"
#define RULES                                                                                      \
    "rules { deny secret { to secret.test; text \"no\"; } deny net { to 10.0.0.0/8; } "            \
    "deny seen { to seen.test; mode shadow; } allow far { to far.test; } "                         \
    "allow all { to one.test also.test seen.test 10.1.2.3; reach loopback private; } }"

static struct inspected seen;
static char hello[300];

/* A tunnel to one.test at 127.0.0.1, or to `target`. */
static struct access_record *record(const char *target, const char *named)
{
    static char area[sizeof(struct access_record) + 600];
    struct access_record *r = (struct access_record *)(void *)area;
    memset(area, 0, sizeof area);
    r->tunnel = true;
    assert_true(addr_parse(SLICE("127.0.0.1"), &r->client));
    assert_true(addr_parse_port(SLICE("127.0.0.1:443"), &r->server));
    struct text t = text_in((char *)(r + 1), 600);
    text_lit(&t, "CONNECT");
    text_cstr(&t, target);
    text_cstr(&t, named);
    r->head.length[STRING_METHOD] = 7;
    r->head.length[STRING_TARGET] = (u16)strlen(target);
    r->head.length[STRING_HOST] = (u16)strlen(named);
    return r;
}

static void put_u16(struct text *t, size_t n)
{
    text_char(t, (char)(n >> 8));
    text_char(t, (char)n);
}

static struct slice hello_of(const char *name)
{
    struct text t = text_in(hello, sizeof hello);
    size_t n = strlen(name), extensions = n ? 9 + n : 0, body = 34 + 1 + 4 + 2 + 2 + extensions;
    text_lit(&t, "\x16\3\1");
    put_u16(&t, 4 + body);
    text_lit(&t, "\1\0");
    put_u16(&t, body);
    text_lit(&t, "\3\3rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\0\2\x13\1\1\0");
    put_u16(&t, extensions);
    if (n) {
        text_lit(&t, "\0\0");
        put_u16(&t, n + 5);
        put_u16(&t, n + 3);
        text_char(&t, 0);
        put_u16(&t, n);
        text_cstr(&t, name);
    }
    return text_slice(&t);
}

static enum inspection begin(const char *target, struct slice first)
{
    memset(&seen, 0, sizeof seen);
    return forward_inspect(rig.worker, rig.listener, record(target, ""), first, &seen);
}

static void the_name(void **state)
{
    (void)state;
    rig_configure(POLICY(RULES));
    assert_int_equal(begin("one.test:443", hello_of("ONE.test.")), INSPECT_PASS);
    assert_true(seen.named);
    assert_slice(seen.name, "");
    assert_int_equal(begin("one.test:443", hello_of("also.test")), INSPECT_PASS);
    assert_false(seen.named);
    assert_slice(seen.name, "also.test");
    assert_int_equal(begin("one.test:443", hello_of("secret.test")), INSPECT_DENY);
    assert_int_equal(seen.ruling.fault, FAULT_sni_denied);
    assert_slice(evidence_read(seen.ruling.rule).rule, "secret");
    assert_slice(seen.ruling.reason, "no");
    assert_int_equal(begin("one.test:443", hello_of("none.test")), INSPECT_DENY);
    assert_slice(evidence_read(seen.ruling.rule).rule, "default");
    assert_slice(seen.ruling.reason, "not listed");
    assert_int_equal(begin("one.test:443", hello_of("")), INSPECT_PASS);
    assert_slice(seen.name, "");
    assert_int_equal(begin("one.test:443", SLICE("\x16\3\1")), INSPECT_MORE);
    assert_int_equal(begin("one.test:443", SLICE("\x16\2\1")), INSPECT_DENY);
    assert_int_equal(seen.ruling.fault, FAULT_client_hello_malformed);
}

/* A name that may only lead to public addresses does not lead here. */
static void the_address(void **state)
{
    (void)state;
    rig_configure(POLICY(RULES));
    assert_int_equal(begin("one.test:443", hello_of("far.test")), INSPECT_DENY);
    assert_slice(evidence_read(seen.ruling.rule).rule, "far");
    assert_int_equal(begin("one.test:443", hello_of("10.1.2.3")), INSPECT_DENY);
    assert_slice(evidence_read(seen.ruling.rule).rule, "net");
    assert_slice(seen.name, "10.1.2.3");
    assert_int_equal(begin("127.0.0.1:443", hello_of("127.1")), INSPECT_PASS);
    assert_true(seen.named);
    assert_int_equal(begin("[::1]:443", hello_of("[0::1]")), INSPECT_PASS);
    assert_true(seen.named);
}

static void in_shadow(void **state)
{
    (void)state;
    rig_configure(POLICY(RULES));
    const struct forward_part *part = forward_part_of(rig.listener);
    assert_int_equal(begin("one.test:443", hello_of("seen.test")), INSPECT_PASS);
    assert_slice(seen.ruling.shadow, "seen");
    assert_int_equal(rule_shadowed(part->counts[2]), 1);
    assert_int_equal(rule_decided(part->counts[4]), 0); /* the rule that allowed the target did */
    assert_int_equal(begin("one.test:443", hello_of("secret.test")), INSPECT_DENY);
    assert_int_equal(rule_decided(part->counts[0]), 1);
}

static void what_is_asked(void **state)
{
    (void)state;
    rig_configure(POLICY("sni require; " RULES));
    assert_int_equal(begin("one.test:443", hello_of("")), INSPECT_DENY);
    assert_int_equal(seen.ruling.fault, FAULT_sni_missing);
    assert_slice(evidence_read(seen.ruling.rule).rule, "sni");
    assert_int_equal(begin("one.test:443", SLICE("SSH-2.0")), INSPECT_DENY);
    assert_int_equal(seen.ruling.fault, FAULT_sni_missing);
    assert_int_equal(begin("one.test:443", hello_of("one.test")), INSPECT_PASS);
    assert_int_equal(begin("one.test:443", hello_of("secret.test")), INSPECT_DENY);
    rig_configure(POLICY("sni ignore; " RULES));
    assert_int_equal(begin("one.test:443", hello_of("secret.test")), INSPECT_PASS);
    assert_int_equal(begin("one.test:443", SLICE("\x16")), INSPECT_PASS);
}

static enum fault later(const char *named)
{
    u32 grace;
    return forward_recheck(rig.worker, rig.listener, record("one.test:443", named), &grace).fault;
}

static void decided_again(void **state)
{
    (void)state;
    rig_configure(POLICY(RULES));
    assert_int_equal(later(""), FAULT_NONE);
    assert_int_equal(later("also.test"), FAULT_NONE);
    assert_int_equal(later("secret.test"), FAULT_sni_denied);
    assert_int_equal(later("far.test"), FAULT_sni_denied);
    assert_int_equal(later("10.1.2.3"), FAULT_sni_denied);
    rig_configure(POLICY("sni ignore; " RULES));
    assert_int_equal(later("secret.test"), FAULT_NONE);
}

/* A record that holds less than the whole target. */
static void a_target_that_was_cut(void **state)
{
    (void)state;
    rig_configure(POLICY(RULES));
    assert_int_equal(begin("one.test", hello_of("one.test")), INSPECT_DENY);
    assert_int_equal(seen.ruling.fault, FAULT_bad_connect_target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(the_name),      RIG_TEST(the_address),   RIG_TEST(in_shadow),
        RIG_TEST(what_is_asked), RIG_TEST(decided_again), RIG_TEST(a_target_that_was_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
