/*
 * The class of an address: both borders of every block of the registries, every IPv6 form of an
 * IPv4 address, and the addresses of this machine.
 */
#include "filters/addrclass.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/help_memory.h"

static void check(const char *text, enum addr_class want)
{
    struct addr a;
    if (!addr_parse(slice_of(text), &a))
        fail_msg("%s", text);
    if (addr_class(&a) != want)
        fail_msg("%s is %s, not %s", text, addr_class_name(addr_class(&a)), addr_class_name(want));
}

struct row {
    const char *text;
    enum addr_class class;
};

static void check_rows(const struct row *rows, size_t n)
{
    addrclass_set_local(NULL, 0);
    for (size_t i = 0; i < n; i++)
        check(rows[i].text, rows[i].class);
}

static void metadata(void **state)
{
    static const struct row rows[] = {
        { "169.254.169.254", CLASS_METADATA },   { "169.254.169.253", CLASS_LINK_LOCAL },
        { "169.254.169.255", CLASS_LINK_LOCAL }, { "100.100.100.200", CLASS_METADATA },
        { "100.100.100.199", CLASS_PRIVATE },    { "100.100.100.201", CLASS_PRIVATE },
        { "168.63.129.16", CLASS_METADATA },     { "168.63.129.15", CLASS_PUBLIC },
        { "168.63.129.17", CLASS_PUBLIC },       { "fd00:ec2::254", CLASS_METADATA },
        { "fd00:ec2::253", CLASS_PRIVATE },      { "fd00:ec2::255", CLASS_PRIVATE },
        { "fd00:ec2:0:1::254", CLASS_PRIVATE },
    };
    (void)state;
    check_rows(rows, countof(rows));
}

static const struct row rows_of_four[] = {
    { "0.0.0.0", CLASS_LOOPBACK },
    { "0.255.255.255", CLASS_LOOPBACK },
    { "1.0.0.0", CLASS_PUBLIC },
    { "9.255.255.255", CLASS_PUBLIC },
    { "10.0.0.0", CLASS_PRIVATE },
    { "10.255.255.255", CLASS_PRIVATE },
    { "11.0.0.0", CLASS_PUBLIC },
    { "100.63.255.255", CLASS_PUBLIC },
    { "100.64.0.0", CLASS_PRIVATE },
    { "100.127.255.255", CLASS_PRIVATE },
    { "100.128.0.0", CLASS_PUBLIC },
    { "126.255.255.255", CLASS_PUBLIC },
    { "127.0.0.0", CLASS_LOOPBACK },
    { "127.0.0.1", CLASS_LOOPBACK },
    { "127.255.255.255", CLASS_LOOPBACK },
    { "128.0.0.0", CLASS_PUBLIC },
    { "169.253.255.255", CLASS_PUBLIC },
    { "169.254.0.0", CLASS_LINK_LOCAL },
    { "169.254.255.255", CLASS_LINK_LOCAL },
    { "169.255.0.0", CLASS_PUBLIC },
    { "172.15.255.255", CLASS_PUBLIC },
    { "172.16.0.0", CLASS_PRIVATE },
    { "172.31.255.255", CLASS_PRIVATE },
    { "172.32.0.0", CLASS_PUBLIC },
    { "191.255.255.255", CLASS_PUBLIC },
    { "192.0.0.0", CLASS_RESERVED },
    { "192.0.0.9", CLASS_RESERVED },
    { "192.0.0.170", CLASS_RESERVED },
    { "192.0.0.192", CLASS_RESERVED },
    { "192.0.0.255", CLASS_RESERVED },
    { "192.0.1.0", CLASS_PUBLIC },
    { "192.0.1.255", CLASS_PUBLIC },
    { "192.0.2.0", CLASS_RESERVED },
    { "192.0.2.255", CLASS_RESERVED },
    { "192.0.3.0", CLASS_PUBLIC },
    { "192.31.195.255", CLASS_PUBLIC },
    { "192.31.196.0", CLASS_RESERVED },
    { "192.31.196.255", CLASS_RESERVED },
    { "192.31.197.0", CLASS_PUBLIC },
    { "192.52.192.255", CLASS_PUBLIC },
    { "192.52.193.0", CLASS_RESERVED },
    { "192.52.193.255", CLASS_RESERVED },
    { "192.52.194.0", CLASS_PUBLIC },
    { "192.88.98.255", CLASS_PUBLIC },
    { "192.88.99.0", CLASS_RESERVED },
    { "192.88.99.255", CLASS_RESERVED },
    { "192.88.100.0", CLASS_PUBLIC },
    { "192.167.255.255", CLASS_PUBLIC },
    { "192.168.0.0", CLASS_PRIVATE },
    { "192.168.255.255", CLASS_PRIVATE },
    { "192.169.0.0", CLASS_PUBLIC },
    { "192.175.47.255", CLASS_PUBLIC },
    { "192.175.48.0", CLASS_RESERVED },
    { "192.175.48.255", CLASS_RESERVED },
    { "192.175.49.0", CLASS_PUBLIC },
    { "198.17.255.255", CLASS_PUBLIC },
    { "198.18.0.0", CLASS_RESERVED },
    { "198.19.255.255", CLASS_RESERVED },
    { "198.20.0.0", CLASS_PUBLIC },
    { "198.51.99.255", CLASS_PUBLIC },
    { "198.51.100.0", CLASS_RESERVED },
    { "198.51.100.255", CLASS_RESERVED },
    { "198.51.101.0", CLASS_PUBLIC },
    { "203.0.112.255", CLASS_PUBLIC },
    { "203.0.113.0", CLASS_RESERVED },
    { "203.0.113.255", CLASS_RESERVED },
    { "203.0.114.0", CLASS_PUBLIC },
    { "223.255.255.255", CLASS_PUBLIC },
    { "224.0.0.0", CLASS_MULTICAST },
    { "239.255.255.255", CLASS_MULTICAST },
    { "240.0.0.0", CLASS_RESERVED },
    { "255.255.255.254", CLASS_RESERVED },
    { "255.255.255.255", CLASS_RESERVED },
    { "8.8.8.8", CLASS_PUBLIC },
};

static void four(void **state)
{
    (void)state;
    check_rows(rows_of_four, countof(rows_of_four));
}

static void six(void **state)
{
    static const struct row rows[] = {
        { "::", CLASS_LOOPBACK },
        { "::1", CLASS_LOOPBACK },
        { "100::", CLASS_RESERVED }, /* discard-only */
        { "100::ffff", CLASS_RESERVED },
        { "100:0:0:1::", CLASS_RESERVED }, /* dummy prefix */
        { "200::", CLASS_RESERVED },       /* never assigned */
        { "1fff:ffff::", CLASS_RESERVED },
        { "2000::", CLASS_PUBLIC },
        { "2000:ffff::", CLASS_PUBLIC },
        { "2001:1::1", CLASS_RESERVED },    /* PCP anycast */
        { "2001:1::2", CLASS_RESERVED },    /* TURN anycast */
        { "2001:2::", CLASS_RESERVED },     /* benchmarking */
        { "2001:3::", CLASS_RESERVED },     /* AMT */
        { "2001:4:112::", CLASS_RESERVED }, /* AS112 */
        { "2001:10::", CLASS_RESERVED },    /* ORCHID */
        { "2001:20::", CLASS_RESERVED },    /* ORCHIDv2 */
        { "2001:2f:ffff::", CLASS_RESERVED },
        { "2001:30::", CLASS_RESERVED }, /* remote ID */
        { "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", CLASS_RESERVED },
        { "2001:200::", CLASS_PUBLIC },
        { "2001:db7:ffff::", CLASS_PUBLIC },
        { "2001:db8::", CLASS_RESERVED },
        { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", CLASS_RESERVED },
        { "2001:db9::", CLASS_PUBLIC },
        { "2001:4860:4860::8888", CLASS_PUBLIC },
        { "2620:4f:7fff:ffff::", CLASS_PUBLIC },
        { "2620:4f:8000::", CLASS_RESERVED }, /* AS112 */
        { "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", CLASS_RESERVED },
        { "2620:4f:8001::", CLASS_PUBLIC },
        { "3ffe:ffff::", CLASS_PUBLIC },
        { "3fff::", CLASS_RESERVED }, /* documentation */
        { "3fff:fff:ffff::", CLASS_RESERVED },
        { "3fff:1000::", CLASS_PUBLIC },
        { "3fff:ffff::", CLASS_PUBLIC },
        { "4000::", CLASS_RESERVED },
        { "5f00::", CLASS_RESERVED }, /* segment routing */
        { "fbff:ffff::", CLASS_RESERVED },
        { "fc00::", CLASS_PRIVATE },
        { "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLASS_PRIVATE },
        { "fe00::", CLASS_RESERVED },
        { "fe7f:ffff::", CLASS_RESERVED },
        { "fe80::", CLASS_LINK_LOCAL },
        { "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLASS_LINK_LOCAL },
        { "fec0::", CLASS_RESERVED }, /* site-local, deprecated */
        { "feff:ffff::", CLASS_RESERVED },
        { "ff00::", CLASS_MULTICAST },
        { "ff02::1", CLASS_MULTICAST },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLASS_MULTICAST },
    };
    (void)state;
    check_rows(rows, countof(rows));
}

/* Each IPv6 form with each kind of IPv4 address inside has the class of what is inside. */
static void four_in_six(void **state)
{
    static const struct row inside[] = {
        { "8.8.8.8", CLASS_PUBLIC },      { "169.254.169.254", CLASS_METADATA },
        { "127.0.0.1", CLASS_LOOPBACK },  { "169.254.1.1", CLASS_LINK_LOCAL },
        { "10.1.2.3", CLASS_PRIVATE },    { "100.64.0.1", CLASS_PRIVATE },
        { "224.0.0.1", CLASS_MULTICAST }, { "192.0.2.1", CLASS_RESERVED },
        { "240.0.0.1", CLASS_RESERVED },  { "0.1.2.3", CLASS_LOOPBACK },
    };
    (void)state;
    addrclass_set_local(NULL, 0);
    for (size_t i = 0; i < countof(inside); i++) {
        struct addr v4, a;
        enum addr_class want = inside[i].class,
                        capped = want == CLASS_PUBLIC ? CLASS_RESERVED : want;
        assert_true(addr_parse(slice_of(inside[i].text), &v4));
        const struct {
            u8 prefix[16];
            unsigned at;
            u8 mask;
            enum addr_class class;
        } forms[] = {
            { { 0 }, 12, 0, want },                                    /* compatible */
            { { [10] = 0xff, [11] = 0xff }, 12, 0, want },             /* mapped */
            { { 0x00, 0x64, 0xff, 0x9b }, 12, 0, want },               /* NAT64 */
            { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 12, 0, capped }, /* local NAT64 */
            { { [8] = 0xff, [9] = 0xff }, 12, 0, capped },             /* translated */
            { { 0x20, 0x02 }, 2, 0, want },                            /* 6to4 */
            { { 0x20, 0x02, [15] = 1 }, 2, 0, want },
            { { 0x20, 0x01, 0, 0, 8, 8, 8, 8 }, 12, 0xff, want },                /* Teredo client */
            { { 0x20, 0x01, 0, 0, [12] = 0xf7, 0xf7, 0xf7, 0xf7 }, 4, 0, want }, /* Teredo server */
        };
        for (size_t k = 0; k < countof(forms); k++) {
            a = (struct addr){ .family = AF_INET6 };
            memcpy(a.ip, forms[k].prefix, 16);
            for (unsigned b = 0; b < 4; b++)
                a.ip[forms[k].at + b] = v4.ip[b] ^ forms[k].mask;
            if (addr_class(&a) != forms[k].class)
                fail_msg("%s in form %zu is %s", inside[i].text, k,
                         addr_class_name(addr_class(&a)));
        }
    }
    check("::ffff:169.254.169.254", CLASS_METADATA);
    check("::7f00:1", CLASS_LOOPBACK);
    check("64:ff9b::a9fe:a9fe", CLASS_METADATA);
    check("64:ff9b::8.8.8.8", CLASS_PUBLIC);
    check("64:ff9b:0:0:1::", CLASS_RESERVED); /* beyond the /96 */
    check("64:ff9b:0:1::", CLASS_RESERVED);
    check("64:ff9a::8.8.8.8", CLASS_RESERVED);
    check("64:ff9b:2::8.8.8.8", CLASS_RESERVED);
    check("2002:a9fe:a9fe::1", CLASS_METADATA);
    check("2002:7f00:1::", CLASS_LOOPBACK);
    check("2002:808:808::1", CLASS_PUBLIC);
    check("2003::", CLASS_PUBLIC);
}

static void own_addresses(void **state)
{
    struct addr list[3];
    (void)state;
    assert_true(addr_parse(SLICE("192.0.2.77"), &list[0]));
    assert_true(addr_parse(SLICE("9.9.9.9"), &list[1]));
    assert_true(addr_parse(SLICE("2606:4700::1"), &list[2]));
    list[2].port = 80; /* neither port nor scope matter */
    check("9.9.9.9", CLASS_PUBLIC);
    addrclass_set_local(list, 3);
    check("192.0.2.77", CLASS_LOOPBACK);
    check("192.0.2.78", CLASS_RESERVED);
    check("9.9.9.9", CLASS_LOOPBACK);
    check("::ffff:9.9.9.9", CLASS_LOOPBACK);
    check("::9.9.9.9", CLASS_LOOPBACK);
    check("64:ff9b::9.9.9.9", CLASS_LOOPBACK);
    check("2002:909:909::1", CLASS_LOOPBACK);
    check("2606:4700::1", CLASS_LOOPBACK);
    check("2606:4700::2", CLASS_PUBLIC);
    check("169.254.169.254", CLASS_METADATA);
    addrclass_set_local(NULL, 0);
    check("9.9.9.9", CLASS_PUBLIC);
}

/* A metadata address on an own interface stays metadata: the first class that fits. */
static void order_of_classes(void **state)
{
    struct addr list[2];
    (void)state;
    assert_true(addr_parse(SLICE("169.254.169.254"), &list[0]));
    assert_true(addr_parse(SLICE("fd00:ec2::254"), &list[1]));
    addrclass_set_local(list, 2);
    check("169.254.169.254", CLASS_METADATA);
    check("fd00:ec2::254", CLASS_METADATA);
    addrclass_set_local(NULL, 0);
}

static void many_own_addresses(void **state)
{
    enum { N = 3000 };
    struct addr *list = calloc(N, sizeof *list);
    (void)state;
    for (unsigned i = 0; i < N; i++)
        list[i] = (struct addr){ .ip = { 9, 9, (u8)(i >> 8), (u8)i }, .family = AF_INET };
    addrclass_set_local(list, N);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(addr_class(&list[i]), CLASS_LOOPBACK);
    for (unsigned i = N; i < 2 * N; i++) {
        struct addr a = { .ip = { 9, 9, (u8)(i >> 8), (u8)i }, .family = AF_INET };
        assert_int_equal(addr_class(&a), CLASS_PUBLIC);
    }
    addrclass_set_local(NULL, 0);
    free(list);
}

static void refresh_reads_interfaces(void **state)
{
    (void)state;
    assert_true(addrclass_refresh_local());
    assert_true(addrclass_refresh_local());
    check("127.0.0.1", CLASS_LOOPBACK);
    addrclass_set_local(NULL, 0);
}

/* It is read again all the time: without memory for a new set the old one stays. */
static void refresh_without_memory(void **state)
{
    struct addr a = { .ip = { 9, 9, 9, 9 }, .family = AF_INET };
    (void)state;
    addrclass_set_local(&a, 1);
    for (unsigned nth = 1;; nth++) {
        memory_refuse(nth, false);
        bool done = addrclass_refresh_local();
        if (memory_relent() == 0) {
            assert_true(done && nth > 2);
            break;
        }
        assert_false(done);
        assert_int_equal(addr_class(&a), CLASS_LOOPBACK);
    }
    assert_int_equal(addr_class(&a), CLASS_PUBLIC);
    addrclass_set_local(NULL, 0);
}

static atomic_bool stop;

static void *ask(void *arg)
{
    struct addr a = { .ip = { 9, 9, 9, 9 }, .family = AF_INET };
    u64 seen = 0;
    (void)arg;
    while (!atomic_load(&stop))
        seen += addr_class(&a) == CLASS_LOOPBACK;
    return (void *)(uintptr_t)seen;
}

static void readers_during_refresh(void **state)
{
    pthread_t t[2];
    struct addr a = { .ip = { 9, 9, 9, 9 }, .family = AF_INET };
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, ask, NULL), 0);
    for (unsigned i = 0; i < 2000; i++)
        addrclass_set_local(&a, i % 2);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    addrclass_set_local(NULL, 0);
}

static void names_and_faults(void **state)
{
    (void)state;
    struct slice rest = slice_of(addr_class_names);
    for (enum addr_class c = 0; c < CLASS_COUNT; c++) {
        enum addr_class found;
        struct slice name = slice_of(addr_class_name(c));
        assert_true(addr_class_find(name, &found));
        assert_int_equal(found, c);
        assert_true(slice_starts(rest, name));
        rest = slice_skip(rest, name.n + (c + 1 < CLASS_COUNT));
        if (c == CLASS_PUBLIC)
            assert_int_equal(addr_class_fault(c), FAULT_NONE);
        else
            assert_int_equal(fault_info(addr_class_fault(c))->whose, FAULT_OF_POLICY);
    }
    assert_int_equal(rest.n, 0);
    enum addr_class none;
    assert_false(addr_class_find(SLICE("Private"), &none));
    assert_false(addr_class_find(SLICE(""), &none));
    assert_int_equal(addr_class(&(struct addr){ 0 }), CLASS_RESERVED);
}

#define BIT(class) CLASS_BIT(CLASS_##class)

static void classes_of_networks(void **state)
{
    static const struct {
        const char *net;
        u8 classes;
    } rows[] = {
        { "10.0.0.0/8", BIT(PRIVATE) },
        { "10.1.2.3", BIT(PRIVATE) },
        { "8.0.0.0/7", BIT(PUBLIC) },
        { "8.0.0.0/6", BIT(PUBLIC) | BIT(PRIVATE) },
        { "169.254.0.0/16", BIT(LINK_LOCAL) | BIT(METADATA) },
        { "169.254.0.0/17", BIT(LINK_LOCAL) },
        { "169.254.169.254", BIT(METADATA) },
        { "168.63.129.16/31", BIT(METADATA) | BIT(PUBLIC) },
        { "100.64.0.0/10", BIT(METADATA) | BIT(PRIVATE) },
        { "224.0.0.0/3", BIT(MULTICAST) | BIT(RESERVED) },
        { "198.18.0.0/15", BIT(RESERVED) },
        { "0.0.0.0/0", 0x7f },
        { "255.255.255.255", BIT(RESERVED) },
        { "::1", BIT(LOOPBACK) },
        { "::/127", BIT(LOOPBACK) },
        { "::ffff:10.0.0.0/104", BIT(PRIVATE) },
        { "64:ff9b::/96", 0x7f },
        { "2002:a00::/24", 0x7f },
        { "2001::/33", 0x7f },
        { "2001:2::/48", BIT(RESERVED) },
        { "fc00::/7", BIT(PRIVATE) | BIT(METADATA) },
        { "fd01::/16", BIT(PRIVATE) },
        { "fe00::/8", BIT(RESERVED) | BIT(LINK_LOCAL) },
        { "2600::/8", BIT(PUBLIC) | BIT(RESERVED) },
        { "2a00::/8", BIT(PUBLIC) },
        { "::/0", 0x7f },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct cidr net;
        bool host_bits;
        assert_true(cidr_parse(slice_of(rows[i].net), &net, &host_bits) && !host_bits);
        if (addr_classes_in(&net) != rows[i].classes)
            fail_msg("%s: %x", rows[i].net, addr_classes_in(&net));
    }
}

static void texts_of_classes(void **state)
{
    static const char *const texts[CLASS_COUNT] = {
        [CLASS_METADATA] = "169.254.169.254, 100.100.100.200, 168.63.129.16, fd00:ec2::254",
        [CLASS_LOOPBACK] = "0.0.0.0/8, 127.0.0.0/8, ::, ::1, and the addresses of this machine's "
                           "interfaces",
        [CLASS_LINK_LOCAL] = "169.254.0.0/16, fe80::/10",
        [CLASS_PRIVATE] = "10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16, fc00::/7",
        [CLASS_MULTICAST] = "224.0.0.0/4, ff00::/8",
        [CLASS_PUBLIC] = "2000::/3, and every other IPv4 address",
    };
    (void)state;
    for (enum addr_class c = 0; c < CLASS_COUNT; c++) {
        char area[1024];
        struct text t = text_in(area, sizeof area);
        addr_class_text(&t, c);
        assert_false(t.full);
        if (texts[c] && !slice_is(text_slice(&t), texts[c]))
            fail_msg("%.*s", SLICE_FMT(text_slice(&t)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_networks),
        cmocka_unit_test(texts_of_classes),
        cmocka_unit_test(metadata),
        cmocka_unit_test(four),
        cmocka_unit_test(six),
        cmocka_unit_test(four_in_six),
        cmocka_unit_test(own_addresses),
        cmocka_unit_test(order_of_classes),
        cmocka_unit_test(many_own_addresses),
        cmocka_unit_test(refresh_reads_interfaces),
        cmocka_unit_test(refresh_without_memory),
        cmocka_unit_test(readers_during_refresh),
        cmocka_unit_test(names_and_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
