/* Packets from resolvers: the good, the negative, the hostile. */
#include "io/dns_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "help_resolver.h"

static u8 packet[65535];
static size_t size;
static struct dns_reply reply;

/* What dns_reply_read makes of `rule` answering a question for its name. */
static void answer(unsigned type, struct rule rule)
{
    u8 q[512];
    size_t n = resolver_question(rule.name, type, q);
    size = resolver_answer(&rule, q, n, packet, sizeof packet);
    dns_reply_read(type == TYPE_A ? AF_INET : AF_INET6, packet, size, &reply);
}

static void addresses(void **state)
{
    (void)state;
    answer(TYPE_A, (struct rule){ "a.test", .addresses = "192.0.2.1 192.0.2.2", .ttl = 60 });
    assert_int_equal(reply.fault, FAULT_NONE);
    assert_int_equal(reply.n, 2);
    assert_int_equal(reply.ttl, 60);
    assert_memory_equal(reply.ip[0], "\xc0\x00\x02\x01", 4);
    assert_memory_equal(reply.ip[1], "\xc0\x00\x02\x02", 4);
    answer(TYPE_AAAA, (struct rule){ "a.test", .addresses = "192.0.2.1 2001:db8::7", .ttl = 60 });
    assert_int_equal(reply.n, 1);
    assert_int_equal(reply.ip[0][15], 7);
}

static void ttl_is_clamped(void **state)
{
    (void)state;
    static const u32 ttl[][2] = {
        { 0, 1 },          { 1, 1 },         { 300, 300 }, { 301, 300 }, { 0x7fffffff, 300 },
        { 0x80000000, 1 }, { 0xffffffff, 1 }
    };
    for (unsigned i = 0; i < countof(ttl); i++) {
        answer(TYPE_A, (struct rule){ "a.test", .addresses = "192.0.2.1", .ttl = ttl[i][0] });
        assert_int_equal(reply.ttl, ttl[i][1]);
    }
}

static void negative(void **state)
{
    (void)state;
    static const u32 minimum[][2] = {
        { 0, 1 }, { 1, 1 }, { 20, 20 }, { 3600, 30 }, { 0xffffffff, 30 }
    };
    for (unsigned i = 0; i < countof(minimum); i++) {
        answer(TYPE_A, (struct rule){ "a.test", .rcode = 3, .minimum = minimum[i][0] });
        assert_int_equal(reply.fault, FAULT_dns_nxdomain);
        assert_int_equal(reply.ttl, minimum[i][1]);
        answer(TYPE_A,
               (struct rule){ "a.test", .addresses = "2001:db8::1", .minimum = minimum[i][0] });
        assert_int_equal(reply.fault, FAULT_dns_no_address);
        assert_int_equal(reply.ttl, minimum[i][1]);
    }
    static const unsigned failing[] = { 1, 2, 4, 5, 15 };
    for (unsigned i = 0; i < countof(failing); i++) {
        answer(TYPE_A, (struct rule){ "a.test", .rcode = failing[i], .addresses = "192.0.2.1" });
        assert_int_equal(reply.fault, FAULT_dns_failure);
        assert_int_equal(reply.n, 0);
    }
}

static void aliases(void **state)
{
    (void)state;
    answer(TYPE_A,
           (struct rule){ "www.test", .cname = "host.test", .addresses = "192.0.2.1", .ttl = 60 });
    assert_int_equal(reply.fault, FAULT_NONE);
    assert_int_equal(reply.n, 1);
    answer(TYPE_A,
           (struct rule){ "www.test", .cname = "HoSt.Test", .addresses = "192.0.2.1", .ttl = 60 });
    assert_int_equal(reply.n, 1);
    answer(TYPE_AAAA, (struct rule){ "www.test", .cname = "host.test", .minimum = 7 });
    assert_int_equal(reply.fault, FAULT_dns_no_address);
    assert_int_equal(reply.ttl, 7);
}

/* An answer for name 0 of a chain of aliases: record i < last leads from name i to name i + 1 (the
 * last one to `end`), record `last` is the address of name `last`. order: which record comes when.
 */
static void answer_chain(unsigned last, unsigned end, const u8 *order, unsigned n)
{
    u8 *p = packet;
    memcpy(p, "\0\1\x81\x80\0\1\0\0\0\0\0\0\1a\1t\0\0\1\0\1", 21);
    p[7] = (u8)n;
    p += 21;
    for (unsigned i = 0; i < n; i++) {
        u8 own = (u8)('a' + order[i]),
           to = (u8)('a' + (order[i] + 1u == last ? end : order[i] + 1u));
        bool address = order[i] == last;
        memcpy(p, "\1_\1t\0\0\1\0\1\0\0\0\7\0\4\x7f\0\0\1", 19);
        p[1] = own;
        if (!address) {
            p[6] = 5;
            memcpy(p + 13, "\0\5\1_\1t", 7);
            p[16] = to;
            p[19] = 0;
        }
        p += address ? 19 : 20;
    }
    size = (size_t)(p - packet);
    dns_reply_read(AF_INET, packet, size, &reply);
}

/* Resolvers send an address before the alias that leads to it, and other orders. */
static void aliases_in_any_order(void **state)
{
    (void)state;
    static const u8 order[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 } };
    for (unsigned i = 0; i < countof(order); i++) {
        answer_chain(2, 2, order[i], 3);
        assert_int_equal(reply.fault, FAULT_NONE);
        assert_int_equal(reply.n, 1);
        assert_int_equal(reply.ttl, 7);
        answer_chain(2, 0, order[i], 3); /* a circle, beside an address that nothing leads to */
        assert_int_equal(reply.fault, FAULT_dns_no_address);
    }
    u8 many[18];
    for (u8 i = 0; i < sizeof many; i++)
        many[i] = (u8)(sizeof many - 1 - i);
    answer_chain(16, 16, many + 1, 17);
    assert_int_equal(reply.n, 1);
    answer_chain(17, 17, many, 18); /* longer than anybody needs */
    assert_int_equal(reply.fault, FAULT_dns_no_address);
}

static void records_of_others_do_not_count(void **state)
{
    (void)state;
    answer(TYPE_A, (struct rule){ "a.test", .addresses = "192.0.2.1" });
    packet[13] = 'b'; /* now the question asks for b.test; the answers point at it */
    dns_reply_read(AF_INET, packet, size, &reply);
    assert_int_equal(reply.n, 1);
    answer(TYPE_A, (struct rule){ "www.test", .cname = "host.test", .addresses = "192.0.2.1" });
    size_t at = 0; /* the CNAME's target no longer is the owner of the address */
    while (memcmp(packet + at, "\4host", 5) != 0)
        at++;
    packet[at + 1] = 'm';
    dns_reply_read(AF_INET, packet, size, &reply);
    assert_int_equal(reply.fault, FAULT_dns_no_address);
}

static void dropped_addresses(void **state)
{
    (void)state;
    answer(TYPE_A,
           (struct rule){ "a.test", .addresses = "192.0.2.1 192.0.2.1 192.0.2.2 192.0.2.1" });
    assert_int_equal(reply.n, 2);
    answer(TYPE_AAAA, (struct rule){ "a.test", .many = 1 });
    memcpy(packet + size - 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16); /* mapped 127.0.0.1 */
    dns_reply_read(AF_INET6, packet, size, &reply);
    assert_int_equal(reply.fault, FAULT_dns_no_address);
    answer(TYPE_A, (struct rule){ "a.test", .many = 100 });
    assert_int_equal(reply.n, 8);
    assert_int_equal(reply.ip[7][3], 7);
}

static void every_cut_is_a_failure(void **state)
{
    (void)state;
    answer(TYPE_A,
           (struct rule){ "www.test", .cname = "host.test", .addresses = "192.0.2.1", .ttl = 60 });
    size_t whole = size;
    for (size_t n = 0; n < whole; n++) {
        u8 *exact = malloc(n ? n : 1); /* so that a sanitizer sees a byte too far */
        memcpy(exact, packet, n);
        dns_reply_read(AF_INET, exact, n, &reply);
        assert_int_equal(reply.fault, FAULT_dns_failure);
        free(exact);
    }
}

static void broken_names(void **state)
{
    (void)state;
    static const char header[] = "\0\1\x81\x80\0\1\0\1\0\0\0\0";
    static const struct slice body[] = {
        SLICE("\xc0\x0c\0\1\0\1"),    /* points at itself */
        SLICE("\1a\xc0\x0c\0\1\0\1"), /* a loop that grows */
        SLICE("\xff\xff\0\1\0\1"),    /* beyond the end */
        SLICE("\x40\0\1\0\1"),        /* reserved label type */
        SLICE("\x3f\0\1\0\1"),        /* label beyond the end */
        SLICE("\1a\0\0\1\0\1\xc0"),   /* half a pointer */
    };
    for (unsigned i = 0; i < countof(body); i++) {
        memcpy(packet, header, 12);
        memcpy(packet + 12, body[i].p, body[i].n);
        dns_reply_read(AF_INET, packet, 12 + body[i].n, &reply);
        assert_int_equal(reply.fault, FAULT_dns_failure);
    }
}

static void header_bits(void **state)
{
    (void)state;
    answer(TYPE_A, (struct rule){ "a.test", .addresses = "192.0.2.1" });
    packet[2] &= 0x7f; /* a question, not an answer */
    dns_reply_read(AF_INET, packet, size, &reply);
    assert_int_equal(reply.fault, FAULT_dns_failure);
    packet[2] |= 0x80;
    packet[5] = 2; /* two questions */
    dns_reply_read(AF_INET, packet, size, &reply);
    assert_int_equal(reply.fault, FAULT_dns_failure);
}

/* The largest packet there is, without a record that counts: a worker must not notice. */
static void large_packets_are_cheap(void **state)
{
    (void)state;
    u64 worst = 0;
    answer(TYPE_A, (struct rule){ "a.test", .many = 4000 });
    for (unsigned type = 0; type < 2; type++)
        for (unsigned i = 0; i < 10; i++) {
            u64 t0 = clock_us(CLOCK_THREAD_CPUTIME_ID);
            dns_reply_read(type ? AF_INET6 : AF_INET, packet, size, &reply);
            u64 took = clock_us(CLOCK_THREAD_CPUTIME_ID) - t0;
            worst = took > worst ? took : worst;
        }
    print_message("%zu bytes in %llu us\n", size, (unsigned long long)worst);
    assert_int_equal(reply.n, 0);
    assert_true(worst < 20000);
}

static void valid_names(void **state)
{
    (void)state;
    static const char *good[] = { "a",     "a.b", "x_y.z",   "xn--bcher-kva.example",
                                  "1.2.3", "-a",  "\xc3\xa9" };
    static const char *bad[] = { "", ".", ".a", "a.", "a..b", "A", "a b", "a\\b", "a\tb", "a\x7f" };
    for (unsigned i = 0; i < countof(good); i++)
        assert_true(dns_name_valid(slice_of(good[i])));
    for (unsigned i = 0; i < countof(bad); i++)
        assert_false(dns_name_valid(slice_of(bad[i])));
    assert_false(dns_name_valid(SLICE("a\0b")));
    char name[256];
    memset(name, 'a', sizeof name);
    assert_true(dns_name_valid((struct slice){ name, 63 }));
    assert_false(dns_name_valid((struct slice){ name, 64 }));
    for (unsigned i = 63; i < 256; i += 64)
        name[i] = '.';
    assert_true(dns_name_valid((struct slice){ name, 253 }));
    assert_false(dns_name_valid((struct slice){ name, 254 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(ttl_is_clamped),
        cmocka_unit_test(negative),
        cmocka_unit_test(aliases),
        cmocka_unit_test(aliases_in_any_order),
        cmocka_unit_test(records_of_others_do_not_count),
        cmocka_unit_test(dropped_addresses),
        cmocka_unit_test(every_cut_is_a_failure),
        cmocka_unit_test(broken_names),
        cmocka_unit_test(header_bits),
        cmocka_unit_test(large_packets_are_cheap),
        cmocka_unit_test(valid_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
