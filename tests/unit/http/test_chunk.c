/* The chunked decoder: every refusal, every split, and the encoder against it. */
#include "http/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static bool of_answer;

/* Decodes p in pieces of `piece` bytes (0: whole, UINT32_MAX: random), taking at most `take` bytes
 * of a run at once. Data is appended to out; *end is the offset behind what was consumed. */
static enum chunk_result decode(const char *p, size_t n, u32 piece, size_t take, char *out,
                                size_t *out_n, size_t *end)
{
    struct chunk_in c = { .answer = of_answer };
    enum chunk_result r = CHUNK_MORE;
    size_t at = 0;
    *out_n = 0;
    for (size_t have = 0; have < n || at == 0;) {
        size_t more = piece == 0 ? n : piece == UINT32_MAX ? 1 + (size_t)rand() % 9 : piece;
        have = more < n - have ? have + more : n;
        do {
            size_t used;
            struct slice run;
            char *exact = malloc(have - at + 1);
            memcpy(exact, p + at, have - at);
            r = chunk_decode(&c, exact, have - at, &used, &run);
            at += used;
            if (r == CHUNK_DATA) {
                size_t k = run.n < take ? run.n : take;
                assert_true(run.p == exact + used && run.n > 0);
                memcpy(out + *out_n, run.p, k);
                *out_n += k;
                at += k;
                chunk_took(&c, k);
            } else if (r == CHUNK_MORE) {
                assert_int_equal(at, have);
            }
            free(exact);
        } while (r == CHUNK_DATA);
        if (r != CHUNK_MORE || have == n)
            break;
    }
    *end = at;
    return r;
}

static void check(const char *p, size_t n, enum chunk_result want, const char *data, size_t left)
{
    static const u32 pieces[] = { 0, 1, 2, 3, 5, UINT32_MAX, UINT32_MAX };
    char *out = malloc(n + 1);
    for (size_t i = 0; i < countof(pieces); i++)
        for (size_t take = 1; take < 100; take += 49) {
            size_t got, end;
            enum chunk_result r = decode(p, n, pieces[i], take, out, &got, &end);
            if (r != want)
                fail_msg("piece %u: result %d, wanted %d in: %.*s", pieces[i], (int)r, (int)want,
                         (int)n, p);
            if (want == CHUNK_BAD)
                continue;
            assert_int_equal(got, strlen(data));
            assert_memory_equal(out, data, got);
            assert_int_equal(n - end, left);
        }
    free(out);
}

#define CHECK(text, want, data, left) check(text, sizeof(text) - 1, want, data, left)

static void good(void **state)
{
    (void)state;
    CHECK("0\r\n", CHUNK_LAST, "", 0);
    CHECK("0\r\n\r\n", CHUNK_LAST, "", 2);
    CHECK("5\r\nhello\r\n0\r\n\r\nGET", CHUNK_LAST, "hello", 5);
    CHECK("5\r\nhello\r\n6\r\n world\r\n000\r\nA: b\r\n\r\n", CHUNK_LAST, "hello world", 8);
    CHECK("0000000000000005\r\nhello\r\n0000000000000000\r\n", CHUNK_LAST, "hello", 0);
    CHECK("A\r\n0123456789\r\n9\r\n0\r\n\r\n0\r\n0\r\n0\r\n\r\n", CHUNK_LAST,
          "01234567890\r\n\r\n0\r\n0", 2);
    CHECK("5\r\nhel", CHUNK_MORE, "hel", 0);
    CHECK("5\r\nhello", CHUNK_MORE, "hello", 0);
    CHECK("5\r\nhello\r", CHUNK_MORE, "hello", 0);
    CHECK("5\r", CHUNK_MORE, "", 0);
    CHECK("7fffffffffffffff\r\nx", CHUNK_MORE, "x", 0);
    CHECK("100000000\r\nx", CHUNK_MORE, "x", 0);
    CHECK("100000005\r\nhello\r\n0\r\n", CHUNK_MORE, "hello\r\n0\r\n", 0);
}

static void extensions(void **state)
{
    (void)state;
    CHECK("5;a\r\nhello\r\n0;b\r\n", CHUNK_LAST, "hello", 0);
    CHECK("5;a=b;c=\"d\\\"\xff e\";f\r\nhello\r\n0\r\n", CHUNK_LAST, "hello", 0);
    CHECK("5 ; a = b ; c\t=\t\"\" ;d\r\nhello\r\n0\r\n", CHUNK_LAST, "hello", 0);
    CHECK("5;\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;;a\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a \r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=b \r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\"b\" \r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\"b\"c\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=b\"c\"\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a b\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=b=c\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\"\r\n\"\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\"\n\"\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\"\\\r\n\"\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\"\\\n\"\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a\rb\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\x01\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\"\x7f\"\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;a=\0\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5;\xe9\r\nhello", CHUNK_BAD, "", 0);
}

static void refusals(void **state)
{
    (void)state;
    CHECK("\r\n", CHUNK_BAD, "", 0);
    CHECK(" 5\r\nhello", CHUNK_BAD, "", 0);
    CHECK("\t5\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5 \r\nhello", CHUNK_BAD, "", 0);
    CHECK("5\t\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5 5\r\nhello", CHUNK_BAD, "", 0);
    CHECK("+5\r\nhello", CHUNK_BAD, "", 0);
    CHECK("-5\r\nhello", CHUNK_BAD, "", 0);
    CHECK("0x5\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5g\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5_\r\nhello", CHUNK_BAD, "", 0);
    CHECK("g\r\nhello", CHUNK_BAD, "", 0);
    CHECK(";a\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5\nhello", CHUNK_BAD, "", 0);
    CHECK("5\rhello", CHUNK_BAD, "", 0);
    CHECK("5\r\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5\0\r\nhello", CHUNK_BAD, "", 0);
    CHECK("\0"
          "5\r\nhello",
          CHUNK_BAD, "", 0);
    CHECK("8000000000000000\r\n", CHUNK_BAD, "", 0);
    CHECK("ffffffffffffffff\r\n", CHUNK_BAD, "", 0);
    CHECK("10000000000000005\r\nhello", CHUNK_BAD, "", 0);
    CHECK("00000000000000005\r\nhello", CHUNK_BAD, "", 0);
    CHECK("5\r\nhello5\r\n", CHUNK_BAD, "", 0);
    CHECK("5\r\nhelloX\n0\r\n", CHUNK_BAD, "", 0);
    CHECK("5\r\nhello\rX0\r\n", CHUNK_BAD, "", 0);
    CHECK("5\r\nhello\n0\r\n", CHUNK_BAD, "", 0);
    CHECK("5\r\nhello\r0\r\n", CHUNK_BAD, "", 0);
    CHECK("5\r\nhello\rX0\r\n", CHUNK_BAD, "", 0);
    CHECK("5\r\nhello world\r\n", CHUNK_BAD, "", 0);
    CHECK("5\r\nhello\r\n\r\n0\r\n", CHUNK_BAD, "", 0);
    CHECK("0\n", CHUNK_BAD, "", 0);
    CHECK("0 \r\n", CHUNK_BAD, "", 0);
}

/* Chunks of `data` bytes with `extension` bytes behind the size, until one is refused. */
static unsigned chunks_until_bad(unsigned extension, unsigned data, unsigned most)
{
    char chunk[400], fill[200];
    struct chunk_in c = { .left = 0 };
    enum chunk_result r = CHUNK_MORE;
    unsigned n = 0;
    memset(fill, 'a', sizeof fill);
    int line = snprintf(chunk, sizeof chunk, "%x;%.*s\r\n", data, (int)extension - 1, fill);
    for (; n < most && r != CHUNK_BAD; n++) {
        size_t used;
        struct slice run;
        r = chunk_decode(&c, chunk, (size_t)line, &used, &run);
        if (r == CHUNK_MORE)
            r = chunk_decode(&c, fill, data, &used, &run);
        if (r == CHUNK_DATA) {
            chunk_took(&c, data);
            r = chunk_decode(&c, "\r\n", 2, &used, &run);
        }
    }
    return n;
}

static void bounds(void **state)
{
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        char line[CHUNK_LINE_MAX + 20];
        int n = snprintf(
            line, sizeof line, "0;%.*s\r\n", CHUNK_LINE_MAX - 2 + (int)over,
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaa");
        check(line, (size_t)n, over ? CHUNK_BAD : CHUNK_LAST, "", 0);
    }
    /* 16 bytes of extension for one of data, of which one is paid for */
    assert_int_equal(chunks_until_bad(16, 1, 100000), (CHUNK_EXTENSION_MAX - 16) / 15 + 2);
    /* an origin that signs each of its chunks */
    assert_int_equal(chunks_until_bad(100, 100, 100000), 100000);
}

static void bad_stays_bad(void **state)
{
    (void)state;
    struct chunk_in c = { .left = 0 };
    size_t used;
    struct slice run;
    assert_int_equal(chunk_decode(&c, "x", 1, &used, &run), CHUNK_BAD);
    assert_int_equal(chunk_decode(&c, "5\r\n", 3, &used, &run), CHUNK_BAD);
    assert_int_equal(used, 0);
    c = (struct chunk_in){ .left = 0 };
    assert_int_equal(chunk_decode(&c, "0\r\n", 3, &used, &run), CHUNK_LAST);
    assert_int_equal(chunk_decode(&c, "5\r\n", 3, &used, &run), CHUNK_LAST);
    assert_int_equal(used, 0);
}

static void headers(void **state)
{
    (void)state;
    static const u64 sizes[] = { 0, 1, 9, 10, 15, 16, 255, 256, 4095, 65536, 0x7fffffffffffffff };
    for (size_t i = 0; i < countof(sizes); i++) {
        char out[20], want[32];
        struct chunk_in c = { .left = 0 };
        size_t used;
        struct slice run;
        unsigned n = chunk_header(out, sizes[i]);
        snprintf(want, sizeof want, "%llx\r\n", (unsigned long long)sizes[i]);
        assert_int_equal(n, strlen(want));
        assert_memory_equal(out, want, n);
        assert_int_equal(chunk_decode(&c, out, n, &used, &run), sizes[i] ? CHUNK_MORE : CHUNK_LAST);
        assert_true(c.left == sizes[i]);
    }
    char out[20];
    assert_int_equal(chunk_header(out, UINT64_MAX), 18);
}

static void blanks_of_an_answer(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool repaired; /* else refused in an answer as well */
    } cases[] = { { "2 ", true },         { "2\t \t", true }, { "2;a ", true },  { "2;a=b ", true },
                  { "2;a=\"b\" ", true }, { " 2", false },    { "2 3", false },  { "2; ", false },
                  { "2;a= ", false },     { "2 x", false },   { "0x2 ", false }, { "", false } };
    for (size_t i = 0; i < countof(cases); i++) {
        char body[64];
        int n = snprintf(body, sizeof body, "%s\r\nab\r\n0 \r\n", cases[i].line);
        check(body, (size_t)n, CHUNK_BAD, "", 0);
        of_answer = true;
        check(body, (size_t)n, cases[i].repaired ? CHUNK_LAST : CHUNK_BAD, "ab", 0);
        of_answer = false;
        for (int k = 0; k < n; k++) /* LF alone ends no chunk line, and CR none either */
            if (body[k] == '\r' || body[k] == '\n') {
                char bare[64];
                memcpy(bare, body, (size_t)k);
                memcpy(bare + k, body + k + 1, (size_t)(n - k - 1));
                of_answer = true;
                check(bare, (size_t)n - 1, k == n - 1 && cases[i].repaired ? CHUNK_MORE : CHUNK_BAD,
                      "ab", 0);
                of_answer = false;
            }
    }
}

static void blanks_are_counted(void **state)
{
    (void)state;
    struct chunk_in c = { .answer = 1 };
    size_t used;
    struct slice run;
    assert_int_equal(chunk_decode(&c, "0\r\n", 3, &used, &run), CHUNK_LAST);
    assert_false(c.blanks);
    c = (struct chunk_in){ .answer = 1 };
    assert_int_equal(chunk_decode(&c, "0 \r\n", 4, &used, &run), CHUNK_LAST);
    assert_true(c.blanks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_of_an_answer),
        cmocka_unit_test(blanks_are_counted),
        cmocka_unit_test(good),
        cmocka_unit_test(extensions),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bounds),
        cmocka_unit_test(headers),
        cmocka_unit_test(bad_stays_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
