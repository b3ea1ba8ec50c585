/* What a script says, asked of the script itself: from the block and a policy to the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/load.h"
#include "pac/conf.h"
#include "pac/engine.h"
#include "pac/pac.h"
#include "policy/conf.h"

static const struct schema_row rows[] = {
    { .key = "policy", .kind = ROW_NAMED, .children = policy_rows },
    { .key = "pac", .kind = ROW_NAMED, .children = pac_rows, .check = pac_check },
    { .key = NULL },
};

struct made {
    struct tree tree;
    struct diags d;
    struct arena arena;
    struct pac *pac;
};

static struct made *make(const char *text)
{
    struct made *m = calloc(1, sizeof *m);
    diags_init(&m->d);
    arena_init(&m->arena, 0);
    assert_true(config_load_text("x.conf", slice_of(text), true, &m->tree, &m->d));
    if (!schema_check(&m->tree, rows, &m->d)) {
        diags_print(&m->d, stderr);
        fail();
    }
    m->pac = pac_compile(node_child(&m->tree.root, "pac"), node_child(&m->tree.root, "policy"),
                         &m->arena, &m->d);
    return m;
}

static void unmake(struct made *m)
{
    arena_free(&m->arena);
    diags_free(&m->d);
    config_free(&m->tree);
    free(m);
}

static struct slice script_of(struct made *m, const char *client)
{
    struct addr a;
    assert_true(addr_parse(slice_of(client), &a));
    struct text t = text_in(arena_alloc(&m->arena, PAC_MAX), PAC_MAX);
    pac_write(&t, pac_for(m->pac, &a), SLICE("192.0.2.1:3128"));
    assert_false(t.full);
    return text_slice(&t);
}

static void answers(struct made *m, const char *client, const char *host, const char *answer)
{
    struct pac_question q = { SLICE("http://x/"), slice_of(host) };
    struct pac_answer got;
    pac_ask(script_of(m, client), &(struct pac_world){ 0 }, &q, 1, &m->arena, &got);
    if (got.why != PAC_ANSWERED || !slice_is(got.text, answer))
        fail_msg("%s for %s: %d %.*s, not %s", host, client, got.why, SLICE_FMT(got.text), answer);
}

#define PROXY "PROXY 192.0.2.1:3128"

static void without_a_block(void **state)
{
    (void)state;
    struct made *m = make("");
    static const char *const direct[] = {
        "intranet", "localhost",  "a.LocalHost.",     "127.9.9.9", "[::1]",
        "0x7f.1",   "2130706433", "::ffff:127.0.0.1", "0:0:0::1",  "017700000001"
    };
    static const char *const proxied[] = { "a.example",         "notlocalhost.example",
                                           "126.0.0.1",         "::2",
                                           "127.0.0.1.example", "1.2.3.4.5",
                                           "127.0.0.256",       "::1::" };
    for (unsigned i = 0; i < countof(direct); i++)
        answers(m, "10.0.0.1", direct[i], "DIRECT");
    for (unsigned i = 0; i < countof(proxied); i++)
        answers(m, "10.0.0.1", proxied[i], PROXY);
    unmake(m);
}

static void direct_hosts(void **state)
{
    (void)state;
    struct made *m = make("pac p { direct *.below.test .both.test Itself.test. 10.0.0.0/8 "
                          "2001:db8::/33 constructor.test; }");
    static const char *const direct[] = { "a.below.test",   "A.B.BELOW.test.", "both.test",
                                          "x.both.test",    "itself.test",     "10.0.0.0",
                                          "10.255.255.255", "012.1",           "2001:db8:7fff::1",
                                          "[2001:DB8::]",   "::ffff:a01:203",  "constructor.test" };
    static const char *const proxied[] = { "below.test",    "notboth.test",   "x.itself.test",
                                           "9.255.255.255", "11.0.0.0",       "2001:db8:8000::",
                                           "10.0.0.1.test", "__proto__.test", "constructor.x" };
    for (unsigned i = 0; i < countof(direct); i++)
        answers(m, "10.0.0.1", direct[i], "DIRECT");
    for (unsigned i = 0; i < countof(proxied); i++)
        answers(m, "10.0.0.1", proxied[i], PROXY);
    assert_int_equal(m->d.warnings, 0);
    unmake(m);
}

#define POLICY                                                                                     \
    "policy p { clients 0.0.0.0/0; default deny; rules {"                                          \
    " deny secret { to .secret.corp.test; from 10.9.0.0/16; }"                                     \
    " allow public { to pub.secret.corp.test; }"                                                   \
    " deny put { to up.corp.test; method PUT; }"                                                   \
    " allow corp { to .corp.test 10.0.0.0/8; reach private; }"                                     \
    " } }\n"

static void the_policy_is_not_passed_by(void **state)
{
    (void)state;
    struct made *m =
        make(POLICY "pac p { direct .corp.test 10.0.0.0/8 other.test 192.168.0.0/16; }");
    answers(m, "10.1.0.1", "corp.test", "DIRECT");
    answers(m, "10.1.0.1", "a.secret.corp.test", "DIRECT");
    answers(m, "10.9.0.1", "a.secret.corp.test", PROXY);
    answers(m, "10.9.0.1", "secret.corp.test", PROXY);
    answers(m, "10.9.0.1", "a.corp.test", "DIRECT");
    answers(m, "10.9.0.1", "up.corp.test", PROXY);
    answers(m, "10.9.0.1", "a.up.corp.test", "DIRECT");
    answers(m, "10.9.0.1", "10.1.2.3", "DIRECT");
    answers(m, "10.9.0.1", "other.test", PROXY);
    answers(m, "10.9.0.1", "192.168.0.1", PROXY);
    assert_int_equal(m->d.warnings, 2); /* other.test, and what `reach` does not open */
    unmake(m);
}

static void everything_may_be_direct(void **state)
{
    (void)state;
    struct made *m =
        make("policy p { clients 0.0.0.0/0; default allow; rules {"
             " deny bad { to .bad.test; } } }\npac p { direct *; plain-names proxy; }");
    answers(m, "10.0.0.1", "any.test", "DIRECT");
    answers(m, "10.0.0.1", "bad.test", PROXY);
    answers(m, "10.0.0.1", "a.bad.test", PROXY);
    answers(m, "10.0.0.1", "192.0.1.1", "DIRECT");
    answers(m, "10.0.0.1", "10.0.0.1", PROXY);
    answers(m, "10.0.0.1", "169.254.169.254", PROXY);
    unmake(m);
}

static void rows_of_proxies(void **state)
{
    (void)state;
    struct made *m =
        make("pac p { proxy a.test:1; https-proxy b.test:2; proxy [::1]:3; fallback direct; "
             "from 10.0.0.0/8 { fallback none; } from 10.1.0.0/16 { proxy near.test:9; } }");
    answers(m, "192.0.2.9", "x.test", "PROXY a.test:1; HTTPS b.test:2; PROXY [::1]:3; DIRECT");
    answers(m, "10.0.0.1", "x.test", "PROXY a.test:1; HTTPS b.test:2; PROXY [::1]:3");
    answers(m, "10.1.0.1", "x.test", "PROXY near.test:9; DIRECT");
    unmake(m);
}

enum { SHARDED = 150 };

static void first_of_each(struct made *m, struct slice *first)
{
    static char host[SHARDED][32];
    struct pac_question q[SHARDED];
    struct pac_answer got[SHARDED];
    for (u32 i = 0; i < SHARDED; i++) {
        snprintf(host[i], sizeof host[i], "h%u.test", i);
        q[i] = (struct pac_question){ SLICE("http://x/"), slice_of(host[i]) };
    }
    pac_ask(script_of(m, "10.0.0.1"), &(struct pac_world){ 0 }, q, SHARDED, &m->arena, got);
    for (u32 i = 0; i < SHARDED; i++) {
        assert_int_equal(got[i].why, PAC_ANSWERED);
        first[i] = slice_range(got[i].text.p, slice_find(got[i].text, ';'));
    }
}

/* Of five proxies one is taken away: the hosts of the others stay, and it had its share. */
static void shards_stay(void **state)
{
    (void)state;
    struct made *all = make("pac p { shard on; proxy a:1 b:1 c:1 d:1 e:1; }");
    struct made *less = make("pac p { shard on; proxy d:1 a:1 c:1 e:1; }");
    struct slice was[SHARDED], is[SHARDED];
    u32 moved = 0;
    first_of_each(all, was);
    first_of_each(less, is);
    for (u32 i = 0; i < SHARDED; i++) {
        bool gone = slice_is(was[i], "PROXY b:1");
        moved += gone;
        if (!gone && !slice_eq(was[i], is[i]))
            fail_msg("h%u.test moved from %.*s to %.*s", i, SLICE_FMT(was[i]), SLICE_FMT(is[i]));
    }
    assert_in_range(moved, SHARDED / 5 / 2, SHARDED * 2 / 5);
    unmake(all);
    unmake(less);
}

/* However much is written, and what is not direct is never what is left out. */
static void stays_short(void **state)
{
    (void)state;
    char *text = malloc(1 << 20);
    struct text t = text_in(text, (1 << 20) - 1);
    text_lit(
        &t,
        "policy p { clients 0.0.0.0/0; default allow; rules { deny bad { to bad.zone.test; } } }\n"
        "pac p { direct .zone.test");
    for (u32 i = 0; i < 3000; i++)
        text_fmt(&t, " host-number-%u.elsewhere.test", i);
    text_lit(&t, "; }");
    text[t.n] = 0;
    struct made *m = make(text);
    assert_in_range(script_of(m, "10.0.0.1").n, PAC_MAX / 2, PAC_MAX);
    answers(m, "10.0.0.1", "host-number-0.elsewhere.test", "DIRECT");
    answers(m, "10.0.0.1", "host-number-2999.elsewhere.test", PROXY);
    answers(m, "10.0.0.1", "bad.zone.test", PROXY);
    assert_int_equal(m->d.warnings, 1);
    unmake(m);
    free(text);
}

static void addresses_of_names_on_request(void **state)
{
    (void)state;
    struct made *m = make("pac p { direct 10.0.0.0/8; }");
    assert_null(memmem(script_of(m, "10.0.0.1").p, script_of(m, "10.0.0.1").n, "dnsResolve", 10));
    unmake(m);
    m = make("pac p { direct 10.0.0.0/8; dns on; }");
    assert_non_null(
        memmem(script_of(m, "10.0.0.1").p, script_of(m, "10.0.0.1").n, "dnsResolve", 10));
    unmake(m);
}

static void cannot_be_broken_out_of(void **state)
{
    (void)state;
    char area[PAC_MAX];
    struct text t = text_in(area, sizeof area);
    pac_escape(&t, SLICE("a\";evil()//\n\\"));
    assert_true(slice_is(text_slice(&t), "a\\x22\\x3bevil\\x28\\x29\\x2f\\x2f\\x0a\\x5c"));
}

static void tags_tell_scripts_apart(void **state)
{
    (void)state;
    struct made *m = make("pac p { from 10.0.0.0/8 { fallback direct; } }");
    static const struct {
        const char *client, *own;
    } one[] = { { "192.0.2.1", "a:1" }, { "192.0.2.1", "b:1" }, { "10.0.0.1", "a:1" } };
    char area[3][32];
    struct slice tag[3];
    for (unsigned i = 0; i < 3; i++) {
        struct addr a;
        assert_true(addr_parse(slice_of(one[i].client), &a));
        struct text t = text_in(area[i], sizeof area[i]);
        pac_tag(&t, pac_for(m->pac, &a), slice_of(one[i].own));
        tag[i] = text_slice(&t);
    }
    assert_false(slice_eq(tag[0], tag[1]) || slice_eq(tag[0], tag[2]) || slice_eq(tag[1], tag[2]));
    unmake(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_block),
        cmocka_unit_test(direct_hosts),
        cmocka_unit_test(the_policy_is_not_passed_by),
        cmocka_unit_test(everything_may_be_direct),
        cmocka_unit_test(rows_of_proxies),
        cmocka_unit_test(shards_stay),
        cmocka_unit_test(stays_short),
        cmocka_unit_test(addresses_of_names_on_request),
        cmocka_unit_test(cannot_be_broken_out_of),
        cmocka_unit_test(tags_tell_scripts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
