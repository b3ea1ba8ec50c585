/* From a checked tree to listeners with their roles. */
#include "compile.h"

#include "core/common/self_addrs.h"
#include "forward/conf.h"
#include "forward/role.h"
#include "reverse/role.h"
#include "tests/unit/config/config_text.h"

static struct trial t;
static struct registry *r;
static struct snapshot *s;

static void make(const char *text)
{
    trial_check(&t, slice_of(text));
    if (!t.fine)
        fail_msg("%s", t.said);
    r = registry_new();
    s = snapshot_compile(&t.tree, r, 1);
    trial_end(&t); /* nothing of the tree is needed */
}

static void done(void)
{
    snapshot_free(s);
    registry_free(r);
}

static void one_listener_per_address(void **state)
{
    (void)state;
    make("listener out { bind 127.0.0.1:3128 127.0.0.2:3128; bind [::]:3129; mode forward; policy "
         "p; }\n"
         "listener site { bind 127.0.0.1:8080; mode reverse; routes r; }\n"
         "policy p { default allow; }\n"
         "routes r { route rest { to pool b; } } pool b { server a.test:80; }\n");
    assert_int_equal(s->nlisteners, 4);
    for (u32 i = 0; i < 3; i++) {
        assert_true(slice_is(s->listeners[i].name, "out"));
        assert_ptr_equal(s->listeners[i].role, &forward_role);
        assert_ptr_equal(s->listeners[i].part, s->listeners[0].part);
    }
    assert_int_equal(s->listeners[1].at->addr.ip[3], 2);
    assert_true(s->listeners[2].at->both_families);
    assert_true(slice_is(s->listeners[2].text, "[::]:3129"));
    assert_true(slice_is(s->listeners[3].name, "site"));
    assert_ptr_equal(s->listeners[3].role, &reverse_role);
    assert_non_null(s->listeners[3].part);
    done();
}

static void each_its_own_policy(void **state)
{
    (void)state;
    make("listener a { bind 127.0.0.1:1; mode forward; policy p; }\n"
         "listener b { bind 127.0.0.1:2; mode forward; policy q; }\n"
         "policy p { default allow; } policy q { default deny; }\n"
         "admin { bind 127.0.0.1:3180; }\n");
    assert_true(slice_is(policy_name(forward_part_of(&s->listeners[0])->policy), "p"));
    assert_true(slice_is(policy_name(forward_part_of(&s->listeners[1])->policy), "q"));
    struct addr admin;
    assert_true(addr_parse_port(SLICE("127.0.0.1:3180"), &admin));
    assert_true(self_addrs_has(s->self_addrs, &admin));
    assert_true(self_addrs_has(s->self_addrs, &s->listeners[1].at->addr));
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_listener_per_address),
        cmocka_unit_test(each_its_own_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
