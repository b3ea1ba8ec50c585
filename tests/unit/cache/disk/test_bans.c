/* What bans are about: of several, in any order, by length, without a place yet, and when so many
 * are there that they become one. In a log, and when it applies them: test_seglog_bans.c. */
#include "cache/disk/bans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct bans b;
static u32 last; /* the place of the newest one is (1, last) */

static int set_up(void **state)
{
    (void)state;
    bans_init(&b);
    last = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bans_end(&b);
    return 0;
}

static u64 add_unplaced(enum seglog_ban_kind kind, bool soft, struct slice text)
{
    u64 id;
    struct ban ban = { .before = BAN_UNPLACED, .kind = kind, .soft = soft, .text = text };
    assert_true(bans_add(&b, &ban, &id));
    return id;
}

static void add(enum seglog_ban_kind kind, bool soft, struct slice text)
{
    bans_set_place(&b, add_unplaced(kind, soft, text), ban_place(1, ++last));
}

/* Of what stands before all of them. */
static enum seglog_standing standing(const char *url, const char *tags)
{
    return bans_standing(&b, 0, slice_of(url), slice_of(tags));
}

/* In whatever order they came, and whatever they look at. */
static void the_hard_one_counts(void **state)
{
    (void)state;
    add(SEGLOG_BAN_TAG, false, SLICE("red"));
    add(SEGLOG_BAN_TAG, true, SLICE("red"));
    add(SEGLOG_BAN_TAG, true, SLICE("blue"));
    add(SEGLOG_BAN_TAG, false, SLICE("blue"));
    add(SEGLOG_BAN_PREFIX, false, SLICE("http://h/"));
    add(SEGLOG_BAN_URL, true, SLICE("http://h/x"));
    add(SEGLOG_BAN_TAG, true, SLICE("grey"));
    assert_int_equal(standing("http://o/", "red"), SEGLOG_BANNED);
    assert_int_equal(standing("http://o/", "blue"), SEGLOG_BANNED);
    assert_int_equal(standing("http://h/x", "grey"), SEGLOG_BANNED);
    assert_int_equal(standing("http://o/", "grey red"), SEGLOG_BANNED);
    assert_int_equal(standing("http://o/", "grey"), SEGLOG_STALE);
    assert_int_equal(standing("http://o/", "green"), SEGLOG_STANDS);
}

/* A prefix is about what it is itself and what is longer, at the borders of a word of the map of
 * lengths, too; when one of two of a length goes the other one stays. */
static void prefixes(void **state)
{
    (void)state;
    static const u32 lengths[] = { 1, 63, 64, 65, 128, BAN_TEXT_MOST };
    char a[BAN_TEXT_MOST + 2], other[BAN_TEXT_MOST + 2];
    memset(a, 'a', sizeof a);
    memset(other, 'b', sizeof other);
    for (u32 i = 0; i < countof(lengths); i++) {
        u32 n = lengths[i];
        add(SEGLOG_BAN_PREFIX, false, (struct slice){ other, n });
        add(SEGLOG_BAN_PREFIX, false, (struct slice){ a, n });
        bans_forget(&b, ban_place(1, last));
        for (u32 more = 0; more < 2; more++) {
            struct slice url = { a, n + more }, gone = { other, n + more };
            assert_int_equal(bans_standing(&b, 0, url, SLICE("")), SEGLOG_BANNED);
            assert_int_equal(bans_standing(&b, 0, gone, SLICE("")), SEGLOG_STANDS);
        }
        assert_int_equal(bans_standing(&b, 0, (struct slice){ a, n - 1 }, SLICE("")),
                         SEGLOG_STANDS);
        bans_forget(&b, ban_place(1, last + 1));
        assert_int_equal(bans_standing(&b, 0, (struct slice){ a, n }, SLICE("")), SEGLOG_STANDS);
    }
}

/* It is about all that there is, until it is known what stands behind it. */
static void without_a_place(void **state)
{
    (void)state;
    add(SEGLOG_BAN_TAG, false, SLICE("old"));
    u64 id = add_unplaced(SEGLOG_BAN_TAG, false, SLICE("red"));
    assert_int_equal(bans_standing(&b, ban_place(9, 9), SLICE("u"), SLICE("red")), SEGLOG_BANNED);
    bans_set_place(&b, id, ban_place(9, 9));
    assert_int_equal(bans_standing(&b, ban_place(9, 9), SLICE("u"), SLICE("red")), SEGLOG_STANDS);
    assert_int_equal(bans_standing(&b, ban_place(9, 8), SLICE("u"), SLICE("red")), SEGLOG_BANNED);
}

static void add_long(u32 n, bool soft)
{
    char text[BAN_TEXT_MOST + 1];
    snprintf(text, sizeof text, "%0*u", BAN_TEXT_MOST, n);
    add(SEGLOG_BAN_URL, soft, (struct slice){ text, BAN_TEXT_MOST });
}

/* The older half becomes one about all before it, when they would take too many bytes: a hard one,
 * if any of them was. */
static void too_many_bytes(void **state)
{
    (void)state;
    enum { TOO_MANY = BANS_BYTES / BAN_TEXT_MOST + 1 };
    for (unsigned hard = 0; hard < 2; hard++) {
        for (u32 n = 0; n < TOO_MANY; n++) {
            add_long(n, n > 0 || !hard);
            assert_true(b.bytes <= BANS_BYTES);
        }
        assert_int_equal(standing("u", ""), hard ? SEGLOG_BANNED : SEGLOG_STALE);
        assert_int_equal(bans_standing(&b, ban_place(1, last), SLICE("u"), SLICE("")),
                         SEGLOG_STANDS);
        bans_forget(&b, BAN_UNPLACED);
        assert_true(b.bytes == 0);
    }
}

#define BANS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BANS_TEST(the_hard_one_counts),
        BANS_TEST(prefixes),
        BANS_TEST(without_a_place),
        BANS_TEST(too_many_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
