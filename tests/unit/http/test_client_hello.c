/* The name in a ClientHello: every split, every length that does not add up, and what no server has to
 * read as another one does. */
#include "http/client_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* What is written so far; counted() puts a length before what is written from there on. */
static char made[40000];
static size_t n;

static void put(const char *bytes, size_t count)
{
    memcpy(made + n, bytes, count);
    n += count;
}
#define PUT(literal) put(literal, sizeof(literal) - 1)

static void counted(size_t from, unsigned bytes)
{
    size_t count = n - from;
    memmove(made + from + bytes, made + from, count);
    for (unsigned i = 0; i < bytes; i++)
        made[from + i] = (char)(count >> 8 * (bytes - 1 - i));
    n += bytes;
}

static void name_extension(const char *name, size_t length)
{
    PUT("\0\0");
    size_t extension = n;
    PUT("\0");
    size_t text = n;
    put(name, length);
    counted(text, 2);
    counted(extension, 2);
    counted(extension, 2);
}

/* What a test may make of the extensions before they are counted. */
static void (*extensions)(void);

static void one_name(void)
{
    PUT("\x0a\x0a\0\0"); /* GREASE */
    name_extension("Shop.Example.", 13);
    PUT("\0\x2b\0\3\2\3\4");
}

static void begin_message(void)
{
    n = 0;
    PUT("\3\3");
    for (unsigned i = 0; i < 32; i++)
        PUT("r");
    PUT("\0\0\4\x13\x01\x13\x02\1\0");
}

/* The message, with its head. */
static void message(void)
{
    begin_message();
    if (extensions) {
        size_t at = n;
        extensions();
        counted(at, 2);
    }
    counted(0, 3);
    memmove(made + 1, made, n++);
    made[0] = 1;
}

/* As records of at most `piece` bytes. */
static void records(size_t piece)
{
    static char whole[sizeof made];
    size_t count = n;
    memcpy(whole, made, count);
    n = 0;
    for (size_t at = 0; at < count; at += piece) {
        size_t more = count - at < piece ? count - at : piece;
        PUT("\x16\3\1");
        made[n++] = (char)(more >> 8);
        made[n++] = (char)more;
        put(whole + at, more);
    }
}

static void hello_of(void (*what)(void))
{
    extensions = what;
    message();
    records(16384);
}

static struct host name;

static enum hello read_first(size_t count)
{
    char *exact = malloc(count + 1);
    memcpy(exact, made, count);
    enum hello h = client_hello_read((struct slice){ exact, count }, &name);
    free(exact);
    return h;
}

/* In one piece, and MORE before the byte that decides, and the same from there on. */
static void check(enum hello want)
{
    enum hello h = HELLO_MORE;
    for (size_t count = 0; count <= n; count++) {
        enum hello now = read_first(count);
        if (h != HELLO_MORE)
            assert_int_equal(now, h);
        h = now;
    }
    if (h != want)
        fail_msg("%d instead of %d", (int)h, (int)want);
}

static void a_name(void **state)
{
    (void)state;
    hello_of(one_name);
    check(HELLO_NAME);
    assert_string_equal(name.name, "shop.example");
    PUT("\x14\3\3\0\1\1\x17\3\3\0\3xyz"); /* early data, as a client may send it at once */
    check(HELLO_NAME);
}

static void in_records(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 80; piece++) {
        extensions = one_name;
        message();
        records(piece);
        check(HELLO_NAME);
        assert_string_equal(name.name, "shop.example");
    }
}

static void nothing_in_it(void)
{
}

static void no_name(void **state)
{
    (void)state;
    hello_of(NULL);
    check(HELLO_NO_NAME);
    hello_of(nothing_in_it);
    check(HELLO_NO_NAME);
}

static void padding(void)
{
    one_name();
    PUT("\0\x15");
    size_t at = n;
    static const char zero[15000];
    put(zero, sizeof zero);
    counted(at, 2);
}

static void a_long_one(void **state)
{
    (void)state;
    hello_of(padding);
    assert_int_equal(read_first(n), HELLO_NAME);
    assert_int_equal(read_first(n - 1), HELLO_MORE);
    message();
    records(50); /* which is more than 16 kB with all the heads */
    assert_int_equal(read_first(n), HELLO_BROKEN);
    assert_int_equal(read_first(HELLO_MOST - 100), HELLO_MORE);
    memcpy(made, "\x16\3\1\x30\0\1\0\x40", 8);
    n = 8;
    assert_int_equal(read_first(n), HELLO_MORE);
    memcpy(made, "\x16\3\1\x30\0\1\0\x40\0", 9);
    assert_int_equal(read_first(9), HELLO_BROKEN); /* it says so itself */
}

static void other_protocols(void **state)
{
    (void)state;
    static const char *const said[] = {
        "SSH-2.0-x\r\n", "GET / HTTP/1.1\r\n", "EHLO x\r\n", "\x80\x2e\1", "\x14", "\x14\4", "\1"
    };
    static const enum hello want[] = { HELLO_NOT_TLS, HELLO_NOT_TLS, HELLO_NOT_TLS, HELLO_NOT_TLS,
                                       HELLO_MORE,    HELLO_NOT_TLS, HELLO_NOT_TLS };
    for (size_t i = 0; i < countof(said); i++) {
        n = 0;
        put(said[i], strlen(said[i]));
        check(want[i]);
    }
}

/* What some server takes before a ClientHello, or for one. */
static void not_quite_a_hello(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        size_t n;
    } ahead[] = {
        { "\x15\3\1\0\2\1\x5a", 7 },                                /* a warning */
        { "\x14\3\1\0\1\1", 6 },     { "\x16\3\1\0\0", 5 },         /* an empty record */
        { "\x17\3\1\0\1x", 6 },      { "\x16\3\1\0\4\0\0\0\0", 9 }, /* HelloRequest */
    };
    for (size_t i = 0; i < countof(ahead); i++) {
        hello_of(one_name);
        memmove(made + ahead[i].n, made, n);
        memcpy(made, ahead[i].before, ahead[i].n);
        n += ahead[i].n;
        check(HELLO_BROKEN);
    }
    hello_of(one_name);
    made[1] = 2; /* another version of the record, which RFC 8446 says to ignore */
    check(HELLO_BROKEN);
    hello_of(one_name);
    made[9] = 2; /* of the message */
    check(HELLO_BROKEN);
}

static void between_its_records(void **state)
{
    (void)state;
    extensions = one_name;
    message();
    records(60);
    memmove(made + 65 + 7, made + 65, n - 65);
    memcpy(made + 65, "\x15\3\1\0\2\1\x5a", 7);
    n += 7;
    check(HELLO_BROKEN);
    extensions = one_name;
    message();
    PUT("\1"); /* the same record holds one byte more */
    records(16384);
    check(HELLO_BROKEN);
}

/* Each length one too many and one too few. */
static void odd_lengths(void **state)
{
    (void)state;
    hello_of(one_name);
    size_t whole = n;
    static const size_t lengths[] = { 8, 43, 45, 50, 53, 57, 61, 63, 66, 83 };
    for (size_t i = 0; i < countof(lengths); i++)
        for (int by = -1; by <= 1; by += 2) {
            hello_of(one_name);
            made[lengths[i]] = (char)(made[lengths[i]] + by);
            enum hello h = read_first(whole);
            if (h != HELLO_BROKEN && h != HELLO_MORE)
                fail_msg("the length at %zu, by %d", lengths[i], by);
        }
}

static void two_names(void)
{
    name_extension("a.test", 6);
    name_extension("b.test", 6);
}
static void two_in_one(void)
{
    PUT("\0\0\0\x14\0\x12\0\0\6a.test\0\0\6b.test");
}
static void another_type(void)
{
    PUT("\0\0\0\x0b\0\x09\1\0\6a.test");
}
static void an_empty_list(void)
{
    PUT("\0\0\0\2\0\0");
}
static void an_empty_extension(void)
{
    PUT("\0\0\0\0");
}
static void an_empty_name(void)
{
    name_extension("", 0);
}
static void a_nul(void)
{
    name_extension("a.test\0.b.test", 14);
}
static void a_blank(void)
{
    name_extension("a .test", 7);
}
static void no_host(void)
{
    name_extension("1.2.3.4.5", 9);
}
static void a_port(void)
{
    name_extension("a.test:443", 10);
}
static void one_type_twice(void)
{
    name_extension("a.test", 6);
    PUT("\0\x2b\0\0\0\x2b\0\0");
}
static void too_many(void)
{
    for (unsigned i = 0; i < 129; i++) {
        char e[] = { (char)(1 + i), 1, 0, 0 };
        put(e, 4);
    }
}

static void names_that_are_none(void **state)
{
    (void)state;
    static void (*const made_of[])(void) = { two_names,     two_in_one,     another_type,
                                             an_empty_list, an_empty_name,  an_empty_extension,
                                             a_nul,         a_blank,        no_host,
                                             a_port,        one_type_twice, too_many };
    for (size_t i = 0; i < countof(made_of); i++) {
        hello_of(made_of[i]);
        if (read_first(n) != HELLO_BROKEN)
            fail_msg("number %zu", i);
        check(HELLO_BROKEN);
    }
}

static void a_literal(void)
{
    name_extension("0x7f.1", 6);
}
static void u_labels(void)
{
    name_extension("M\xc3\x9cnchen.test", 13);
}
static void encrypted(void)
{
    PUT("\xfe\x0d\0\4\0\0\0\0");
    name_extension("outer.test", 10);
}

static void in_canonical_form(void **state)
{
    (void)state;
    hello_of(a_literal);
    check(HELLO_NAME);
    assert_true(name.literal);
    assert_string_equal(name.name, "127.0.0.1");
    hello_of(u_labels);
    check(HELLO_NAME);
    assert_string_equal(name.name, "xn--mnchen-3ya.test");
    hello_of(encrypted);
    check(HELLO_NAME);
    assert_string_equal(name.name, "outer.test");
}

static void a_plain_one(void)
{
    name_extension("shop.example", 12);
}

static void one_with_another_inside(void)
{
    PUT("\xfe\x0d\0\1x");
    name_extension("outer.example", 13);
}

static void an_encrypted_one_is_told(void **state)
{
    (void)state;
    bool encrypted;
    hello_of(a_plain_one);
    assert_int_equal(client_hello_look((struct slice){ made, n }, &name, &encrypted), HELLO_NAME);
    assert_false(encrypted);
    hello_of(one_with_another_inside);
    assert_int_equal(client_hello_look((struct slice){ made, n }, &name, &encrypted), HELLO_NAME);
    assert_true(encrypted);
    assert_string_equal(name.name, "outer.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_encrypted_one_is_told),
        cmocka_unit_test(a_name),
        cmocka_unit_test(in_records),
        cmocka_unit_test(no_name),
        cmocka_unit_test(a_long_one),
        cmocka_unit_test(other_protocols),
        cmocka_unit_test(not_quite_a_hello),
        cmocka_unit_test(between_its_records),
        cmocka_unit_test(odd_lengths),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(in_canonical_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
