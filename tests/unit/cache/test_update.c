/* The head that is kept, and what a 304 makes of it: RFC 9111 sections 3.1, 3.2 and 4.3.4. */
#include "cache/freshness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#include "tests/unit/cache/help_message.h"
#include "tests/unit/help_memory.h"

static struct arena arena;

#define END "\r\n"
#define DATE_T "Date: Sun, 06 Nov 1994 08:49:37 GMT" END
enum { T = 784111777 };

static void strip(const char *fields, const char *want)
{
    struct msg m;
    help_response(&m, &arena, 200, fields);
    freshness_strip(&m, &(struct freshness){ .dated = false });
    assert_string_equal(help_fields(&m, &arena), want);
}

static void stripping(void **state)
{
    (void)state;
    strip("Content-Type: a/b" END "ETag: \"x\"" END "Set-Cookie: a" END "Via: 1.1 v" END,
          "Content-Type: a/b" END "ETag: \"x\"" END "Set-Cookie: a" END "Via: 1.1 v" END);
    strip("Connection: keep-alive, x-hop" END "Keep-Alive: 5" END "X-Hop: 1" END "X-End: 2" END
          "Upgrade: h2c" END "Transfer-Encoding: chunked" END "Trailer: X-T" END,
          "X-End: 2" END);
    strip("Proxy-Authenticate: Basic" END "Proxy-Status: a" END "Cache-Status: b; hit" END
          "Age: 5" END "Content-Length: 0" END "Server: s" END,
          "Server: s" END);
    strip("Cache-Control: private=\"x-user\"" END "X-User: me" END "Server: s" END,
          "Cache-Control: private=\"x-user\"" END "Server: s" END);
}

static void dating(void **state)
{
    (void)state;
    struct msg m;
    const struct freshness f = { .received = T };
    help_response(&m, &arena, 200, "Server: s" END);
    assert_true(freshness_dated(&m, &f));
    assert_string_equal(help_fields(&m, &arena), "Server: s" END DATE_T);
    help_response(&m, &arena, 200, "Date: x" END);
    assert_true(freshness_dated(&m, &f));
    assert_string_equal(help_fields(&m, &arena), DATE_T);
    help_response(&m, &arena, 200, "Date: Sun, 06 Nov 1994 08:00:00 GMT" END);
    assert_true(freshness_dated(&m, &f));
    assert_string_equal(help_fields(&m, &arena), "Date: Sun, 06 Nov 1994 08:00:00 GMT" END);
}

#define A "ETag: \"a\"" END
#define WEAK_A "ETag: W/\"a\"" END
#define MODIFIED "Last-Modified: Sun, 06 Nov 1994 08:32:57 GMT" END
#define MODIFIED_LATER "Last-Modified: Sun, 06 Nov 1994 08:32:58 GMT" END

struct row {
    const char *stored, *update, *want; /* NULL: it is not about what is stored */
};

static void check(const struct row *row)
{
    struct msg stored, update;
    help_response(&stored, &arena, 200, row->stored);
    help_response(&update, &arena, 304, row->update);
    const char *before = help_fields(&stored, &arena);
    if (freshness_update(&stored, &update) != (row->want != NULL))
        fail_msg("%s | %s: not as wanted", row->stored, row->update);
    assert_string_equal(help_fields(&stored, &arena), row->want ? row->want : before);
    arena_reset(&arena);
}

static void updates(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* which representation it is about */
        { A, A, A },
        { A, "ETag: \"b\"" END, NULL },
        { A, WEAK_A, WEAK_A },
        { WEAK_A, WEAK_A, WEAK_A },
        { WEAK_A, A, NULL }, /* a strong one has to be the same one */
        { A, "ETag: W/\"b\"" END, NULL },
        { A, "ETag: garbled" END, NULL },
        { MODIFIED, A, NULL },
        { MODIFIED, MODIFIED, MODIFIED },
        { MODIFIED, MODIFIED_LATER, NULL },
        { A MODIFIED, A MODIFIED_LATER, A MODIFIED_LATER }, /* the tag decides */
        { A MODIFIED, "X: 1" END, A MODIFIED "X: 1" END },
        { "X: 1" END, "X: 2" END, "X: 2" END },
        /* what is taken over: each field as a whole */
        { A "Cache-Control: max-age=1" END "Cache-Control: public" END "Server: s" END,
          "cache-control: max-age=9" END, A "Server: s" END "cache-control: max-age=9" END },
        { A "X: 1" END, "X: 2" END "X: 3" END, A "X: 2" END "X: 3" END },
        { A "Content-Type: a/b" END, "Content-Type: c/d" END, A "Content-Type: c/d" END },
        /* and what is not */
        { A "Content-Encoding: gzip" END, "Content-Encoding: br" END,
          A "Content-Encoding: gzip" END },
        { A, "Content-Length: 77" END "Content-Range: bytes 0-1/2" END, A },
        { A, "Set-Cookie: a=b" END "Cache-Status: x; hit" END, A },
        { A "X-Hop: 1" END, "Connection: x-hop" END "X-Hop: 2" END "Keep-Alive: 1" END,
          A "X-Hop: 1" END },
        /* Date and Age are those of the 304, present or not */
        { A "Date: x" END "Age: 5" END, "X: 1" END, A "X: 1" END },
        { A "Date: x" END "Age: 5" END, DATE_T "Age: 7" END, A DATE_T "Age: 7" END },
    };
    for (size_t i = 0; i < countof(rows); i++)
        check(&rows[i]);
}

/* Of a body of four bytes. */
static void what_a_head_tells(void **state)
{
    (void)state;
    static const struct {
        const char *stored, *head;
        u16 before, now;
        bool differs;
    } rows[] = {
        { A, A, 200, 200, false },
        { A, A "Content-Length: 4" END, 200, 200, false },
        { A, A "Content-Length: 5" END, 200, 200, true },
        { A, "ETag: \"b\"" END, 200, 200, true },
        { A, WEAK_A, 200, 200, true },
        { A, "X: 1" END, 200, 200, false }, /* only what it says counts */
        { "X: 1" END, A, 200, 200, true },
        { MODIFIED, MODIFIED, 200, 200, false },
        { MODIFIED, MODIFIED_LATER, 200, 200, true },
        { "X: 1" END, "X: 1" END, 404, 200, true },
        { A, "ETag: \"b\"" END, 200, 500, false },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg stored, head;
        help_response(&stored, &arena, rows[i].before, rows[i].stored);
        help_response(&head, &arena, rows[i].now, rows[i].head);
        if (freshness_differs(&stored, 4, &head) != rows[i].differs)
            fail_msg("%s | %s: not as wanted", rows[i].stored, rows[i].head);
        arena_reset(&arena);
    }
}

/* Once it has been asked whether it may be kept it is known whether there are fields to be looked
 * for: also where another field has taken the place of the one that names them. */
static void stripping_what_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *left;
        bool names_none;
    } rows[] = {
        { "Cache-Control: max-age=9" END, "Cache-Control: max-age=9" END, true },
        { "Cache-Control: max-age=9, private=x-user" END "X-User: me" END,
          "Cache-Control: max-age=9, private=x-user" END, false },
        { "CDN-Cache-Control: max-age=9" END "Cache-Control: private=x-user" END "X-User: me" END,
          "CDN-Cache-Control: max-age=9" END "Cache-Control: private=x-user" END, false },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct cache_override targeted = { .targeted = true };
        struct msg request, m;
        struct freshness f;
        help_request(&request, &arena, "");
        help_response(&m, &arena, 200, rows[i].fields);
        assert_int_equal(response_kept(&request, &m, T, T, &targeted, &f), KEPT_YES);
        assert_int_equal(f.names_none, rows[i].names_none);
        freshness_strip(&m, &f);
        assert_string_equal(help_fields(&m, &arena), rows[i].left);
    }
}

/* A 304 makes it fresh again, and its own times count. */
static void fresh_again(void **state)
{
    (void)state;
    struct msg request, stored, update;
    struct freshness f;
    help_request(&request, &arena, "");
    help_response(&stored, &arena, 200,
                  A DATE_T "Cache-Control: max-age=10" END "Content-Type: a/b" END);
    freshness_strip(&stored, &(struct freshness){ .dated = false });
    help_response(&update, &arena, 304, A "Cache-Control: max-age=20" END "Age: 3" END);
    assert_true(freshness_update(&stored, &update));
    assert_int_equal(response_kept(&request, &stored, T + 100, T + 101, NULL, &f), KEPT_YES);
    assert_int_equal(f.age, 4);
    assert_int_equal(f.lifetime, 20);
    assert_int_equal(f.received, T + 101);
}

static void no_memory(void **state)
{
    (void)state;
    struct msg stored, update;
    char fields[12000] = A;
    struct text t = text_in(fields, sizeof fields - 1);
    text_cstr(&t, A);
    for (unsigned i = 0; i < 200; i++)
        text_fmt(&t, "X-%u: 0123456789012345678901234567890123456789" END, i);
    fields[t.n] = '\0';
    help_response(&stored, &arena, 200, A "X-1: old" END);
    help_response(&update, &arena, 304, fields);
    memory_refuse(1, true);
    bool done = freshness_update(&stored, &update);
    assert_true(memory_relent() > 0);
    assert_false(done);
    assert_string_equal(help_fields(&stored, &arena), A "X-1: old" END);
    assert_true(freshness_update(&stored, &update));
    assert_int_equal(stored.nfields, 2 + 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stripping),
        cmocka_unit_test(dating),
        cmocka_unit_test(updates),
        cmocka_unit_test(what_a_head_tells),
        cmocka_unit_test(fresh_again),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(stripping_what_is_kept),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
