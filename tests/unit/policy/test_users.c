/* Password and groups files: which lines count, what is said of the others. */
#include "tests/unit/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "policy/users.h"

#define SHA "{SHA}Odm1Em9sVqXCr1LcEmCP5US4klE="
#define MD5 "$1$salz$fsNGz9fBW31sXcsh5f6pv."
#define BCRYPT "$2y$04$abcdefghijklmnopqrstuuD0x2Loz4WdY9kHQ14utPfTng1AdTvrq"

/* "p3 w" for a warning about line 3 of the password file, "g2 " for an error in the groups file. */
static char told[2048];

static void note(void *ctx, enum users_file file, u32 line, bool warning, const char *why)
{
    char one[256];
    (void)ctx;
    snprintf(one, sizeof one, "%c%u%s %.20s\n", file == USERS_GROUPS ? 'g' : 'p', line,
             warning ? " w" : "", why);
    strncat(told, one, sizeof told - strlen(told) - 1);
}

static struct users *read_both(const char *passwords, const char *groups)
{
    const struct users_report report = { note, NULL };
    told[0] = 0;
    return users_new(slice_of(passwords), slice_of(groups), &report);
}

static void lines_of_a_password_file(void **state)
{
    struct users *u = read_both("# people\n"
                                "\n"
                                "ann:" BCRYPT "\n"
                                "bob:" BCRYPT ":Bob of sales\r\n"
                                "ann:" SHA "\n"
                                "no colon\n"
                                ":" BCRYPT "\n"
                                "carl:plain\n"
                                "dora:" SHA "\n"
                                "\xff:" BCRYPT "\n"
                                "last:" BCRYPT,
                                "");
    (void)state;
    assert_int_equal(users_count(u), 4);
    assert_true(slice_is(users_at(u, 1)->name, "bob"));
    assert_true(slice_is(users_find(u, SLICE("ann"))->password.stored, BCRYPT));
    assert_true(slice_is(users_find(u, SLICE("bob"))->password.stored, BCRYPT));
    assert_non_null(users_find(u, SLICE("dora")));
    assert_non_null(users_find(u, SLICE("last")));
    assert_null(users_find(u, SLICE("carl")));
    assert_null(users_find(u, SLICE("Ann")));
    assert_null(users_find(u, SLICE("")));
    assert_string_equal(
        told, "p5 the name stands furt\np6 no colon: a line is \np7 a name has 1 to 255 \n"
              "p8 a password in plain \np9 w SHA-1 without salt i\np10 a name is not UTF-8\n");
    users_free(u);
}

static void groups_of_users(void **state)
{
    struct users *u = read_both("ann:" BCRYPT "\nbob:" BCRYPT "\n", "staff: ann bob\n"
                                                                    "# more\n"
                                                                    "it: ann,bob nobody\n"
                                                                    "staff: ann\n"
                                                                    "empty:\n"
                                                                    "none\n");
    (void)state;
    struct slice ann = users_find(u, SLICE("ann"))->identity,
                 bob = users_find(u, SLICE("bob"))->identity;
    assert_true(slice_eq(ann, SLICE("ann\0staff\0it")));
    assert_true(slice_eq(identity_name(ann), SLICE("ann")));
    assert_true(identity_in_group(ann, SLICE("staff")) && identity_in_group(ann, SLICE("it")));
    assert_true(identity_in_group(bob, SLICE("it")));
    assert_false(identity_in_group(bob, SLICE("bob")));
    assert_false(identity_in_group(bob, SLICE("empty")));
    assert_false(identity_in_group(bob, SLICE("STAFF")));
    assert_false(identity_in_group((struct slice){ NULL, 0 }, SLICE("staff")));
    assert_string_equal(told, "g3 w a name that the pass\ng6 no colon: a line is \n");
    users_free(u);
}

/* Who asks for a name that is not there waits as long as the others. */
static void the_usual_password(void **state)
{
    struct users *u =
        read_both("a:" MD5 "\nb:" BCRYPT "\nc:" BCRYPT "\nd:" MD5 "\ne:" BCRYPT "\n", "");
    (void)state;
    assert_int_equal(users_usual_password(u)->form, PASSWORD_bcrypt_y);
    users_free(u);
    u = read_both("", "");
    assert_null(users_usual_password(u));
    assert_null(users_find(u, SLICE("a")));
    users_free(u);
}

static void one_in_too_many_groups(void **state)
{
    static char groups[64 * 1024];
    struct text t = text_in(groups, sizeof groups - 1);
    (void)state;
    for (u32 i = 0; i < 1000; i++) {
        text_lit(&t, "group");
        text_u64(&t, 1000 + i);
        text_lit(&t, ": ann\n");
    }
    groups[t.n] = 0;
    struct users *u = read_both("ann:" BCRYPT "\n", groups);
    assert_int_equal(users_find(u, SLICE("ann"))->identity.n, 3 + 409 * 10);
    assert_non_null(strstr(told, "g410 "));
    users_free(u);
}

static void a_hundred_thousand(void **state)
{
    enum { MANY = 100000 };
    char *area = malloc(MANY * 80), name[16];
    struct text t = text_in(area, MANY * 80);
    (void)state;
    for (u32 i = 0; i < MANY; i++) {
        text_u64(&t, i);
        text_lit(&t, ":" MD5 "\n");
    }
    struct users *u = users_new(text_slice(&t), SLICE(""), NULL);
    free(area);
    assert_int_equal(users_count(u), MANY);
    for (u32 i = 0; i < MANY; i += 997) {
        snprintf(name, sizeof name, "%u", i);
        assert_ptr_equal(users_find(u, slice_of(name)), users_at(u, i));
    }
    users_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_password_file), cmocka_unit_test(groups_of_users),
        cmocka_unit_test(the_usual_password),       cmocka_unit_test(one_in_too_many_groups),
        cmocka_unit_test(a_hundred_thousand),
    };
    return cmocka_run_group_tests_name("policy/users", tests, NULL, NULL);
}
