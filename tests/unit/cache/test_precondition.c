/* Conditions that are answered from what is kept: RFC 9110 section 13.1, RFC 9111 section 4.3. */
#include "cache/precondition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

static struct arena arena;

#define END "\r\n"
#define AT_100 "Sun, 06 Nov 1994 08:47:57 GMT"
#define AT_200 "Sun, 06 Nov 1994 08:49:37 GMT" /* 100 s later */
#define MODIFIED "Last-Modified: " AT_100 END
#define DATE "Date: " AT_200 END
#define A "ETag: \"a\"" END
#define WEAK_A "ETag: W/\"a\"" END
#define INM "If-None-Match: "
#define IMS "If-Modified-Since: "
enum { T = 784111777 };

static void conditions(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *request, *stored;
        bool not_modified;
    } rows[] = {
        { 200, "", A MODIFIED DATE, false },
        { 200, INM "\"a\"" END, A, true },
        { 200, INM "\"a\"" END, WEAK_A, true }, /* weakly */
        { 200, INM "W/\"a\"" END, A, true },
        { 200, INM "w/\"a\"" END, A, false }, /* W is a capital letter */
        { 200, INM "\"A\"" END, A, false },
        { 200, INM "\"b\"" END, A, false },
        { 200, INM "\"b\", \"a\"" END, A, true },
        { 200, INM "\"b\" ,,\t W/\"a\"" END, A, true },
        { 200, INM "\"b\"" END INM "\"a\"" END, A, true },
        { 200, INM "\"b,\\\", \"a\"" END, A, true }, /* no escapes in a tag */
        { 200, INM "\"x, \"a\"" END, A, false },     /* and no blanks */
        { 200, INM "a, \"a\"" END, A, false },
        { 200, INM "\"b\" \"a\"" END, A, false },
        { 200, INM "*" END, A, true },
        { 200, INM "*" END, DATE, true },
        { 200, INM "\"b\", *" END, A, false },
        { 200, INM "*" END INM "\"b\"" END, A, false },
        { 200, INM END, A, false },
        { 200, INM "\"a\"" END, DATE, false },
        { 200, INM "\"\"" END, "ETag: \"\"" END, true },
        { 200, INM "\"a\"" END, "ETag: a" END, false },             /* ours is garbled */
        { 200, INM "\"b\"" END IMS AT_200 END, A MODIFIED, false }, /* the tag decides */
        { 200, INM "\"a\"" END IMS "Sun, 06 Nov 1904 08:47:57 GMT" END, A MODIFIED, true },
        { 200, IMS AT_100 END, MODIFIED DATE, true },
        { 200, IMS AT_200 END, MODIFIED DATE, true },
        { 200, IMS "Sun, 06 Nov 1994 08:47:56 GMT" END, MODIFIED DATE, false },
        { 200, IMS "Sunday, 06-Nov-94 08:47:57 GMT" END, MODIFIED DATE, true },
        { 200, IMS AT_200 END, DATE, true }, /* without Last-Modified by Date */
        { 200, IMS AT_100 END, DATE, false },
        { 200, IMS "x" END, MODIFIED, false },
        { 200, IMS AT_100 END IMS AT_200 END, MODIFIED, false },
        { 200, IMS AT_200 END, "Last-Modified: x" END DATE, false },
        { 404, INM "\"a\"" END, A, false }, /* only what would be 2xx */
        { 301, IMS AT_200 END, MODIFIED, false },
        { 200, "If-Match: \"b\"" END, A, false },
        { 200, "If-Unmodified-Since: " AT_100 END, DATE, false },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg request, stored;
        help_request(&request, &arena, rows[i].request);
        help_response(&stored, &arena, rows[i].status, rows[i].stored);
        if ((precondition_of(&request, &stored, T) == CONDITION_NOT_MODIFIED) !=
            rows[i].not_modified)
            fail_msg("%u | %s | %s", rows[i].status, rows[i].request, rows[i].stored);
        arena_reset(&arena);
    }
}

#define IR "If-Range: "

static void if_range(void **state)
{
    (void)state;
    static const struct {
        const char *request, *stored;
        bool holds;
    } rows[] = {
        { "", A, true },
        { IR "\"a\"" END, A, true },
        { IR "\"b\"" END, A, false },
        { IR "W/\"a\"" END, WEAK_A, false }, /* strongly */
        { IR "\"a\"" END, WEAK_A, false },
        { IR "W/\"a\"" END, A, false },
        { IR "\"a\"" END, DATE, false },
        { IR "\"a\", \"b\"" END, A, false },
        { IR "*" END, A, false },
        { IR "\"a\"" END IR "\"a\"" END, A, false },
        { IR AT_100 END, MODIFIED DATE, true },
        { IR "Sunday, 06-Nov-94 08:47:57 GMT" END, MODIFIED DATE, true },
        { IR AT_200 END, MODIFIED DATE, false }, /* not later: the same */
        { IR AT_100 END, MODIFIED, false },      /* no telling whether it is strong */
        { IR AT_200 END, "Last-Modified: " AT_200 END DATE, false },
        { IR AT_100 END, A DATE, false },
        { IR "x" END, A MODIFIED DATE, false },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg request, stored;
        help_request(&request, &arena, rows[i].request);
        help_response(&stored, &arena, 200, rows[i].stored);
        if (if_range_holds(&request, &stored, T) != rows[i].holds)
            fail_msg("%s | %s", rows[i].request, rows[i].stored);
        arena_reset(&arena);
    }
}

#define CODED(codings) "Content-Encoding: " codings END

/* Are slices of the one slices of the other? */
static void same(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        { A DATE, A DATE, true },
        { A DATE, "ETag: \"b\"" END DATE, false },
        { WEAK_A DATE, WEAK_A DATE, false },
        { WEAK_A MODIFIED DATE, WEAK_A MODIFIED DATE,
          false }, /* the tag says that they may differ */
        { A MODIFIED DATE, MODIFIED DATE, false },
        { A A, A, false },
        { MODIFIED DATE, MODIFIED DATE, true },
        { MODIFIED DATE, "Last-Modified: Sun, 06 Nov 1994 08:47:56 GMT" END DATE, false },
        { MODIFIED DATE, MODIFIED, false }, /* no telling whether it is strong */
        { MODIFIED MODIFIED DATE, MODIFIED DATE, false },
        { "Last-Modified: " AT_200 END DATE, "Last-Modified: " AT_200 END DATE, false },
        { DATE, DATE, false },
        { A DATE, A CODED("gzip") DATE, false }, /* though the tag says that they are one */
        { A CODED("gzip") DATE, A CODED("br") DATE, false },
        { A CODED("gzip") CODED("br") DATE, A CODED("gzip") DATE, false },
        { A CODED("gzip") CODED("br") DATE, A CODED(" GZIP ,, br") DATE, true },
        { A CODED("identity") DATE, A DATE, true },
        { A "Content-Type: text/plain" END DATE, A DATE, true },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg a, b;
        help_response(&a, &arena, 200, rows[i].a);
        help_response(&b, &arena, 200, rows[i].b);
        if (validator_same(&a, &b, T) != rows[i].same || validator_same(&b, &a, T) != rows[i].same)
            fail_msg("%s | %s", rows[i].a, rows[i].b);
        arena_reset(&arena);
    }
}

static void validating(void **state)
{
    (void)state;
    struct msg request, stored;
    const char *asked =
        INM "\"z\"" END IMS "z" END "Range: bytes=0-1" END IR "\"z\"" END "If-Match: \"m\"" END;
    static const struct {
        const char *stored, *want;
    } rows[] = {
        { A MODIFIED, "If-Match: \"m\"" END INM "\"a\"" END IMS AT_100 END },
        { WEAK_A, "If-Match: \"m\"" END INM "W/\"a\"" END },
        { MODIFIED, "If-Match: \"m\"" END IMS AT_100 END },
        { "ETag: garbled" END MODIFIED, "If-Match: \"m\"" END IMS AT_100 END },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        help_request(&request, &arena, asked);
        msg_remove(&request, TOKEN_HOST);
        help_response(&stored, &arena, 200, rows[i].stored);
        assert_true(precondition_validate(&request, &stored));
        assert_string_equal(help_fields(&request, &arena), rows[i].want);
        arena_reset(&arena);
    }
    help_request(&request, &arena, asked);
    help_response(&stored, &arena, 200, DATE "ETag: garbled" END);
    assert_false(precondition_validate(&request, &stored));
    assert_true(msg_has(&request, TOKEN_RANGE) && msg_has(&request, TOKEN_IF_NONE_MATCH));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions),
        cmocka_unit_test(if_range),
        cmocka_unit_test(same),
        cmocka_unit_test(validating),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
