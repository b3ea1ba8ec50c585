/* Places in flight: shares of clients and zones, and the order of those who wait. */
#include "io/dns_turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"

enum { MANY = 5000 };

static struct dns_turns turns;
static struct dns_turn turn[MANY];
static bool live[MANY];

static int set_up(void **state)
{
    (void)state;
    dns_turns_init(&turns);
    return 0;
}

static void drop(unsigned i)
{
    dns_turn_end(&turns, &turn[i]);
    live[i] = false;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        if (live[i])
            drop(i);
    assert_int_equal(turns.shares.live, 0); /* nobody is remembered */
    assert_int_equal(turns.flying + turns.waiting, 0);
    dns_turns_free(&turns);
    return 0;
}

static struct addr client(u8 last)
{
    return (struct addr){ .family = AF_INET, .ip = { 192, 0, 2, last } };
}

/* Turn i of a client, for the name x<i>.<zone>. */
static enum dns_turn_when take(unsigned i, const char *zone, u8 who)
{
    char name[64];
    struct addr a = client(who);
    snprintf(name, sizeof name, "x%u.%s", i, zone);
    enum dns_turn_when when = dns_turn_take(&turns, &turn[i], slice_of(name), &a);
    live[i] = when != DNS_TURN_NEVER;
    return when;
}

static enum dns_turn_when take_a_zone_of_its_own(unsigned i, u8 who)
{
    char zone[32];
    snprintf(zone, sizeof zone, "z%u.test", i);
    return take(i, zone, who);
}

static void zones(void **state)
{
    (void)state;
    static const char *zone[][2] = { { "intra", "intra" },          { "a.test", "a.test" },
                                     { "x.a.test", "a.test" },      { "y.x.a.test", "a.test" },
                                     { "www.a.co.uk", "a.co.uk" },  { "a.co.uk", "a.co.uk" },
                                     { "co.uk", "co.uk" },          { "x.y.a.com.au", "a.com.au" },
                                     { "www.bbc.de", "bbc.de" },    { "x.co.test", "co.test" },
                                     { "a.b.net.test", "net.test" } };
    for (unsigned i = 0; i < countof(zone); i++)
        assert_true(slice_is(dns_zone(slice_of(zone[i][0])), zone[i][1]));
}

static void a_client_has_its_share_of_a_zone(void **state)
{
    (void)state;
    unsigned n = 0;
    for (; n < 1600; n++)
        assert_int_equal(take(n, "dead.test", 1),
                         n < DNS_TURNS_CLIENT_ZONE ? DNS_TURN_NOW : DNS_TURN_LATER);
    assert_int_equal(take(n++, "other.test", 1), DNS_TURN_NOW); /* of the same client */
    assert_int_equal(take(n++, "other.test", 2), DNS_TURN_NOW);
    assert_int_equal(take(n++, "dead.test", 2),
                     DNS_TURN_NOW); /* the zone is not closed to others */
    assert_null(dns_turn_next(&turns));
    drop(5);
    assert_ptr_equal(dns_turn_next(&turns), &turn[DNS_TURNS_CLIENT_ZONE]); /* who came first */
    assert_null(dns_turn_next(&turns));
    drop(DNS_TURNS_CLIENT_ZONE + 1); /* one that waited leaves: no place is free */
    assert_null(dns_turn_next(&turns));
    drop(DNS_TURNS_CLIENT_ZONE);
    assert_ptr_equal(dns_turn_next(&turns), &turn[DNS_TURNS_CLIENT_ZONE + 2]);
}

static void a_zone_has_its_share(void **state)
{
    (void)state;
    enum { CLIENTS = DNS_TURNS_ZONE / DNS_TURNS_CLIENT_ZONE };
    unsigned n = 0;
    for (; n < DNS_TURNS_ZONE; n++)
        assert_int_equal(take(n, "dead.test", (u8)(n % CLIENTS)), DNS_TURN_NOW);
    assert_int_equal(take(n, "dead.test", CLIENTS), DNS_TURN_LATER);
    assert_int_equal(take(n + 1, "other.test", CLIENTS), DNS_TURN_NOW);
    drop(0);
    assert_ptr_equal(dns_turn_next(&turns), &turn[n]);
}

static void a_client_has_its_share(void **state)
{
    (void)state;
    unsigned n = 0;
    for (; n < DNS_TURNS_CLIENT + DNS_WAITING_CLIENT + 10; n++)
        assert_int_equal(take_a_zone_of_its_own(n, 1), n < DNS_TURNS_CLIENT ? DNS_TURN_NOW
                                                       : n < DNS_TURNS_CLIENT + DNS_WAITING_CLIENT
                                                           ? DNS_TURN_LATER
                                                           : DNS_TURN_NEVER);
    assert_int_equal(take_a_zone_of_its_own(n, 2), DNS_TURN_NOW);
}

/* An IPv6 host can have any address of its /64. */
static void addresses_of_one_network_are_one_client(void **state)
{
    (void)state;
    struct addr a = { .family = AF_INET6, .ip = { 0x20, 1, 0xd, 0xb8 } };
    char name[32];
    for (unsigned i = 0; i <= DNS_TURNS_CLIENT; i++) {
        snprintf(name, sizeof name, "z%u.test", i);
        a.ip[15] = (u8)i;
        assert_int_equal(dns_turn_take(&turns, &turn[i], slice_of(name), &a),
                         i < DNS_TURNS_CLIENT ? DNS_TURN_NOW : DNS_TURN_LATER);
        live[i] = true;
    }
}

/* When all places are taken: who waits longer goes first, whoever gives the place back. */
static void all_places_are_taken(void **state)
{
    (void)state;
    unsigned n = 0;
    for (; n < DNS_TURNS; n++)
        assert_int_equal(take_a_zone_of_its_own(n, (u8)(1 + n / DNS_TURNS_CLIENT)), DNS_TURN_NOW);
    unsigned first_of_1 = n, of_9 = n + 1;
    assert_int_equal(take_a_zone_of_its_own(n++, 1), DNS_TURN_LATER);
    assert_int_equal(take_a_zone_of_its_own(n++, 9), DNS_TURN_LATER);
    drop(0); /* of client 1 */
    assert_ptr_equal(dns_turn_next(&turns), &turn[of_9]);
    drop(1);
    assert_ptr_equal(dns_turn_next(&turns), &turn[first_of_1]);
    assert_null(dns_turn_next(&turns));
}

/* Any order of coming and going: the bounds hold, nobody is forgotten. */
static void at_random(void **state)
{
    (void)state;
    static enum { NONE, FLIES, WAITS } is[MANY];
    struct dns_turn *next;
    char zone[32];
    u32 seed = 1;
    for (unsigned step = 0; step < 200000; step++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 8) % 1500;
        snprintf(zone, sizeof zone, "z%u.test", (seed >> 20) % 40);
        if (is[i] == NONE) {
            enum dns_turn_when when = take(i, zone, (u8)((seed >> 26) % 4));
            assert_int_not_equal(when, DNS_TURN_NEVER);
            is[i] = when == DNS_TURN_NOW ? FLIES : WAITS;
        } else {
            drop(i);
            is[i] = NONE;
        }
        while ((next = dns_turn_next(&turns)) != NULL) {
            assert_int_equal(is[next - turn], WAITS);
            is[next - turn] = FLIES;
        }
        assert_true(turns.flying <= DNS_TURNS);
    }
    assert_true(turns.waiting > 0);
    for (unsigned left = 1; left;) { /* all that fly land, again and again: all get their turn */
        left = 0;
        for (unsigned i = 0; i < MANY; i++)
            if (is[i] == FLIES) {
                drop(i);
                is[i] = NONE;
                left++;
            }
        while ((next = dns_turn_next(&turns)) != NULL)
            is[next - turn] = FLIES;
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(zones),
        TEST(a_client_has_its_share_of_a_zone),
        TEST(a_zone_has_its_share),
        TEST(a_client_has_its_share),
        TEST(addresses_of_one_network_are_one_client),
        TEST(all_places_are_taken),
        TEST(at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
