/* The fact tables: every fault and counter has what its readers rely on; the sums add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/stat.h"
#include "base/str.h"

static bool is_token(const char *s)
{
    for (const char *p = s; *p; p++)
        if (!ascii_alnum(*p) && *p != '_')
            return false;
    return *s != 0;
}

static void faults(void **state)
{
    (void)state;
    assert_string_equal(fault_info(FAULT_NONE)->token, "-");
    for (unsigned f = 1; f < FAULT_COUNT; f++) {
        const struct fault_info *i = fault_info((enum fault)f);
        assert_true(is_token(i->token));
        assert_true(i->whose != FAULT_OF_NOBODY);
        assert_true(i->status == 0 || (i->status >= 400 && i->status < 600));
        assert_true(i->status == 0 || i->proxy_status != NULL);
        assert_true(strlen(i->text) > 5 && !slice_ends(slice_of(i->text), SLICE(".")));
        bool after_200 = f == FAULT_sni_missing || f == FAULT_sni_denied || f == FAULT_began_late;
        bool too_often = f == FAULT_auth_too_often || f == FAULT_user_rate;
        bool of_users = too_often || strncmp(i->token, "auth_", 5) == 0;
        if (i->whose == FAULT_OF_POLICY && of_users)
            assert_int_equal(i->status, too_often ? 429 : 407);
        else if (i->whose == FAULT_OF_POLICY)
            assert_int_equal(i->status, after_200 ? 0 : 403);
        if (i->whose == FAULT_OF_UPSTREAM)
            assert_true(i->status >= 502 && i->status <= 504);
        for (unsigned g = 1; g < f; g++)
            assert_string_not_equal(fault_info((enum fault)g)->token, i->token);
    }
}

/* Nowhere before is its name. */
static void family_begins(unsigned s)
{
    for (unsigned before = 0; before < s; before++)
        assert_string_not_equal(stat_info((enum stat_id)before)->family,
                                stat_info((enum stat_id)s)->family);
}

static void belongs_to(const struct stat_info *i, const struct stat_info *before)
{
    assert_string_equal(i->family, before->family);
    assert_string_equal(i->label, before->label);
    assert_string_not_equal(i->value, before->value);
    assert_int_equal(i->type, before->type);
}

static void stats(void **state)
{
    (void)state;
    for (unsigned s = 0; s < STAT_COUNT; s++) {
        const struct stat_info *i = stat_info((enum stat_id)s);
        assert_true(is_token(i->family));
        assert_true(slice_ends(slice_of(i->family), SLICE("_total")) == (i->type == STAT_COUNTER));
        assert_true((i->label == NULL) == (i->value == NULL));
        if (i->help) {
            assert_true(strlen(i->help) > 5);
            family_begins(s);
        } else {
            belongs_to(i, stat_info((enum stat_id)(s - 1)));
        }
    }
}

static void sums(void **state)
{
    (void)state;
    static struct stats a, b;
    stats_register(&a);
    stats_register(&b);
    stat_add(&a, STAT_requests_total, 3);
    stat_add(&b, STAT_requests_total, 4);
    assert_int_equal(stat_sum(STAT_requests_total), 7);
    stat_sub(&a, STAT_connections_open, 2); /* a gauge may go down where it never went up */
    assert_int_equal(stat_sum(STAT_connections_open), 0);
    stat_add(&b, STAT_connections_open, 5);
    assert_int_equal(stat_sum(STAT_connections_open), 3);
    stat_fault(&a, FAULT_dns_timeout);
    stat_fault(&b, FAULT_dns_timeout);
    assert_int_equal(fault_sum(FAULT_dns_timeout), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(faults), cmocka_unit_test(stats),
                                        cmocka_unit_test(sums) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
