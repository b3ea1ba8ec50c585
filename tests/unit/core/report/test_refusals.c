/* What is kept of refusals: bounded, by address, and shown to nobody else. */
#include "core/report/refusals.h"

#include "tests/unit/core/help_engine.h"

static struct addr from(const char *text)
{
    struct addr a;
    assert_true(addr_parse(slice_of(text), &a));
    return a;
}

static void add(struct refusals *r, const char *client, const char *id, const char *target)
{
    refusals_add(r, &(struct refusal_entry){ .client = from(client),
                                             .method = SLICE("GET"),
                                             .target = slice_of(target),
                                             .evidence = { .rule = SLICE("no"),
                                                           .matched = SLICE("to x"),
                                                           .id = slice_of(id) } });
}

static void only_its_own_client_sees_one(void **state)
{
    (void)state;
    struct refusals *r = refusals_new();
    const struct refusal_entry *own[REFUSALS_OF_ADDRESS];
    struct addr one = from("192.0.2.1"), other = from("192.0.2.2"), six = from("2001:db8::1");
    add(r, "192.0.2.1", "a", "http://a.test/?secret");
    add(r, "2001:db8::1", "b", "http://b.test/");
    assert_int_equal(refusals_of(r, &one, own), 1);
    assert_true(slice_is(own[0]->target, "http://a.test/"));
    assert_true(slice_is(own[0]->evidence.rule, "no"));
    assert_true(slice_is(own[0]->evidence.matched, "to x"));
    refusals_release(own[0]);
    assert_int_equal(refusals_of(r, &other, own), 0);
    const struct refusal_entry *found = refusals_find(r, &six, SLICE("b"));
    assert_non_null(found);
    refusals_release(found);
    assert_null(refusals_find(r, &six, SLICE("a")));
    assert_null(refusals_find(r, &one, SLICE("b")));
    assert_null(refusals_find(r, &one, SLICE("")));
    refusals_free(r);
}

static void an_address_has_so_many_and_the_newest_is_first(void **state)
{
    (void)state;
    struct refusals *r = refusals_new();
    const struct refusal_entry *own[REFUSALS_OF_ADDRESS];
    struct addr one = from("192.0.2.1");
    char id[16];
    for (unsigned i = 0; i < REFUSALS_OF_ADDRESS + 7; i++) {
        snprintf(id, sizeof id, "%u", i);
        add(r, "192.0.2.1", id, "/");
    }
    unsigned n = refusals_of(r, &one, own);
    assert_int_equal(n, REFUSALS_OF_ADDRESS);
    for (unsigned i = 0; i < n; i++) {
        snprintf(id, sizeof id, "%u", REFUSALS_OF_ADDRESS + 6 - i);
        assert_true(slice_is(own[i]->evidence.id, id));
        refusals_release(own[i]);
    }
    refusals_free(r);
}

/* Whoever reads one keeps it, however many come meanwhile. */
static void there_are_never_more_than_so_many(void **state)
{
    (void)state;
    struct refusals *r = refusals_new();
    struct addr first = from("10.0.0.0");
    add(r, "10.0.0.0", "first", "/first");
    const struct refusal_entry *held = refusals_find(r, &first, SLICE("first"));
    assert_non_null(held);
    char client[32];
    unsigned kept = 0;
    for (unsigned i = 1; i < 30000; i++) {
        snprintf(client, sizeof client, "10.1.%u.%u", i / 256, i % 256);
        add(r, client, "x", "/");
    }
    for (unsigned i = 1; i < 30000; i++) {
        snprintf(client, sizeof client, "10.1.%u.%u", i / 256, i % 256);
        struct addr a = from(client);
        const struct refusal_entry *found = refusals_find(r, &a, SLICE("x"));
        kept += found != NULL;
        refusals_release(found);
    }
    assert_int_equal(kept, REFUSALS_SHARDS * REFUSALS_OF_SHARD);
    assert_null(refusals_find(r, &first, SLICE("first")));
    assert_true(slice_is(held->target, "/first"));
    refusals_release(held);
    refusals_free(r);
}

/* Texts of any length: cut, and never the line of a place or the id. */
static void long_texts_are_cut(void **state)
{
    (void)state;
    static char longest[5000];
    memset(longest, 'y', sizeof longest);
    memcpy(longest + sizeof longest - 3, ":42", 3);
    struct slice s = { longest, sizeof longest };
    struct refusals *r = refusals_new();
    struct addr one = from("192.0.2.1");
    char id[REFUSAL_ID];
    refusals_make_id(id);
    refusals_add(r, &(struct refusal_entry){ .client = one,
                                             .method = s,
                                             .target = s,
                                             .reason = s,
                                             .evidence = { s, s, s, s, s, s, { id, sizeof id } } });
    const struct refusal_entry *e = refusals_find(r, &one, (struct slice){ id, sizeof id });
    assert_non_null(e);
    assert_true(slice_ends(e->evidence.place, SLICE(":42")));
    assert_true(slice_ends(e->evidence.entry, SLICE(":42")));
    assert_int_equal(e->evidence.rule.n, EVIDENCE_NAME);
    refusals_release(e);
    refusals_free(r);
}

static void ids_differ(void **state)
{
    (void)state;
    char a[REFUSAL_ID], b[REFUSAL_ID];
    refusals_make_id(a);
    refusals_make_id(b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, b, sizeof a / 2);
    assert_memory_not_equal(a + sizeof a / 2, b + sizeof a / 2, sizeof a / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_client_sees_one),
        cmocka_unit_test(an_address_has_so_many_and_the_newest_is_first),
        cmocka_unit_test(there_are_never_more_than_so_many),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(ids_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
