/* Stored passwords: each form against a hash that another program has made, and what is refused. */
#include "tests/unit/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/password.h"

/* Made by `openssl passwd`, crypt(3) and Python's hashlib, of the same words. */
static const char *const words = "Gr\303\274\303\237e 7";
static const char *const made[] = {
    "$2y$04$abcdefghijklmnopqrstuuD0x2Loz4WdY9kHQ14utPfTng1AdTvrq",
    "$y$j75$abcdefgh$dl/xdXsd3Y0/sPIG2c4Gs3iTFpE9YEGiV0VfoULb0D7",
    "$6$salz$zxIA5OsVk6MBzVYceWpGXSEO0fjG7u7hI1p.OR4vwwk.U1cPnSvLWMFwuz.gnn."
    "C74Zvg8BN0Vr5xElqn6T7C1",
    "$6$rounds=1500$salz$mPG3Qx9lrOwWfVliW7HkuJ0zxc0k6zlFr2ZgLk7KMuR/"
    "7Ox5cDDSANAf1hfXayHg.tCcjZhPAoHCyOOQKS13Q1",
    "$5$salz$TsWqLT26Qbp/86g2VlQr4a7g9OzBAzMXeYsySXGQ1Y4",
    "$1$salz$fsNGz9fBW31sXcsh5f6pv.",
    "$apr1$salz$4VJt0Ja6qub6/m5M98C0j/",
    "{SSHA}H7gQo104wBajEqR2n1ca/u8NSdFzYWx6",
    "{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE=",
};

static bool fits(const char *stored, const char *given)
{
    struct password p;
    assert_null(password_read(slice_of(stored), &p));
    return password_fits(&p, slice_of(given));
}

static void every_form_is_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof made / sizeof *made; i++) {
        char other[PASSWORD_STORED_MOST];
        assert_true(fits(made[i], words));
        assert_false(fits(made[i], "Gr\303\274\303\237e 8"));
        assert_false(fits(made[i], ""));
        assert_false(fits(made[i], made[i]));
        /* One letter of the hash differs. */
        strcpy(other, made[i]);
        char *last = &other[strlen(other) - 3];
        *last = *last == 'q' ? 'r' : 'q';
        assert_false(fits(other, words));
    }
}

/* The digest of Apache's MD5 goes through pieces of 16 bytes, and through the bits of the length. */
static void apr1_of_every_length(void **state)
{
    static const struct {
        size_t n;
        const char *digest;
    } of[] = {
        { 1, "68ZQVfPkWX/wcXr/41VxQ." },  { 7, "Zb8OczsgduNVdli1.Ihr1." },
        { 15, "UoNmOgHEcrJQaCdLmhGly1" }, { 16, "pPoMydtnnQ4iT.v0BCavH1" },
        { 17, "8AQw9bCf0oz5z9HCF5Q4J." }, { 40, "ZB1vyDV5V.sOKjJ6rQyTE1" },
        { 63, "Bg6iwWU0zkF6Tlo8UbfNV0" }, { 64, "MHtLOFTLfswmRvrPErhIx1" },
        { 72, "ZsLnslbpXWT0/l8Lop90L/" },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof of / sizeof *of; i++) {
        char given[80], stored[64] = "$apr1$12345678$";
        memset(given, 'a', of[i].n);
        given[of[i].n] = 0;
        strcat(stored, of[i].digest);
        assert_true(fits(stored, given));
        given[of[i].n - 1] = 'b';
        assert_false(fits(stored, given));
    }
}

static void what_proves_too_little_is_refused(void **state)
{
    static const struct {
        const char *stored, *why;
    } no[] = {
        { "", "no password" },
        { "abYH7TYgEKz2Q", "DES" },
        { "_J9..K0AyUubFNTXCuHs", "DES" },
        { "secret", "plain text" },
        { "$2x$04$abcdefghijklmnopqrstuuD0x2Loz4WdY9kHQ14utPfTng1AdTvrq", "old fault" },
        { "$9$salt$hash", "unknown form" },
        { "{CRYPT}x", "braces" },
        { "{SHA}short", "malformed" },
        { "{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE", "malformed" },
        { "{SSHA}Odm1Em9sVqXCr1LcEmCP5US4klE=", "malformed" },
        { "$apr1$salz", "malformed" },
        { "$apr1$salzsalzs$4VJt0Ja6qub6/m5M98C0j/", "malformed" },
        { "$apr1$$4VJt0Ja6qub6/m5M98C0j/", "malformed" },
        { "$2y$17$abcdefghijklmnopqrstuuD0x2Loz4WdY9kHQ14utPfTng1AdTvrq", "4 s" },
        { "$2y$xx$abcdefghijklmnopqrstuuD0x2Loz4WdY9kHQ14utPfTng1AdTvrq", "4 s" },
        { "$6$rounds=999999999$salz$x", "5 s" },
        { "$y$jFT$abcdefgh$dl/xdXsd3Y0/sPIG2c4Gs3iTFpE9YEGiV0VfoULb0D7", "128 MB" },
        { "$y$j9z$abcdefgh$dl/xdXsd3Y0/sPIG2c4Gs3iTFpE9YEGiV0VfoULb0D7", "128 MB" },
        { "$y$j9T.$abcdefgh$dl/xdXsd3Y0/sPIG2c4Gs3iTFpE9YEGiV0VfoULb0D7", "128 MB" },
        { "$y$", "128 MB" },
    };
    struct password p;
    char line[300];
    (void)state;
    for (unsigned i = 0; i < sizeof no / sizeof *no; i++) {
        const char *why = password_read(slice_of(no[i].stored), &p);
        if (why == NULL || strstr(why, no[i].why) == NULL)
            fail_msg("%s: %s", no[i].stored, why ? why : "taken");
    }
    memset(line, 'a', sizeof line);
    assert_non_null(password_read((struct slice){ line, sizeof line }, &p));
    assert_non_null(password_read(SLICE("$1$a\0b$c"), &p));
}

static void weak_forms_are_told(void **state)
{
    struct password p;
    (void)state;
    assert_null(password_read(slice_of(made[0]), &p));
    assert_null(password_warning(&p));
    assert_null(password_read(slice_of("$1$salz$fsNGz9fBW31sXcsh5f6pv."), &p));
    assert_non_null(strstr(password_warning(&p), "MD5"));
    assert_null(password_read(slice_of("{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE="), &p));
    assert_non_null(strstr(password_warning(&p), "SHA-1"));
}

static bool costs(const char *stored, const char *cost)
{
    struct password p;
    assert_null(password_read(slice_of(stored), &p));
    return slice_is(password_cost(&p), cost);
}

static void what_a_comparison_costs(void **state)
{
    (void)state;
    assert_true(costs(made[0], "$2y$04"));
    assert_true(costs(made[1], "$y$j75"));
    assert_true(costs(made[2], "$6$"));
    assert_true(costs(made[3], "$6$rounds=1500"));
    assert_true(costs(made[8], "{SHA}"));
}

static void a_new_one(void **state)
{
    static const enum password_way way[] = { PASSWORD_BY_BCRYPT, PASSWORD_BY_YESCRYPT };
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char stored[PASSWORD_STORED_MOST], other[PASSWORD_STORED_MOST];
        assert_true(password_make(slice_of(words), way[i], stored));
        assert_true(password_make(slice_of(words), way[i], other));
        assert_string_not_equal(stored, other);
        assert_true(fits(stored, words));
        assert_false(fits(stored, "other"));
        assert_false(password_make(SLICE(""), way[i], stored));
        assert_non_null(password_wrong(SLICE("a\nb"), way[i]));
        assert_non_null(password_wrong(SLICE("\377"), way[i]));
    }
}

static void what_is_given_is_bounded(void **state)
{
    char given[PASSWORD_GIVEN_MOST + 1];
    struct password p;
    (void)state;
    memset(given, 'a', sizeof given);
    assert_null(password_read(slice_of(made[5]), &p));
    assert_false(password_fits(&p, (struct slice){ given, sizeof given }));
    assert_false(password_fits(&p, (struct slice){ given, sizeof given - 1 }));
    assert_false(password_fits(&p, SLICE("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(apr1_of_every_length),
        cmocka_unit_test(what_proves_too_little_is_refused),
        cmocka_unit_test(weak_forms_are_told),
        cmocka_unit_test(what_a_comparison_costs),
        cmocka_unit_test(a_new_one),
        cmocka_unit_test(what_is_given_is_bounded),
    };
    return cmocka_run_group_tests_name("policy/password", tests, NULL, NULL);
}
