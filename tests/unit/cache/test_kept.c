/* What is kept and what is not, and the reason that is named: RFC 9111 sections 3 and 3.5. */
#include "cache/freshness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

static struct arena arena;

#define CC "Cache-Control: "
#define END "\r\n"
#define TAG "ETag: \"x\"" END
#define AUTH "Authorization: Basic eDp5" END
enum { T = 784111777 };

struct row {
    unsigned status;
    const char *request, *response;
    enum kept want;
    struct cache_override o;
};

static void check(const struct row *row)
{
    struct msg request, response;
    struct freshness f;
    help_request(&request, &arena, row->request);
    help_response(&response, &arena, row->status, row->response);
    enum kept got = response_kept(&request, &response, T, T, &row->o, &f);
    if (got != row->want)
        fail_msg("%u | %s | %s: %s", row->status, row->request, row->response,
                 kept_info(got)->word);
    arena_reset(&arena);
}

static void directives(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { 200, "", CC "max-age=60" END, .want = KEPT_YES },
        { 200, "", CC "no-store, max-age=60" END, .want = KEPT_NO_STORE },
        { 200, "", CC "no-store" END, .want = KEPT_YES, { .ignore_no_store = true, .ttl = 5 } },
        { 200, CC "no-store" END, CC "max-age=60" END, .want = KEPT_REQUEST_NO_STORE },
        { 200,
          CC "no-store" END,
          CC "max-age=60" END,
          .want = KEPT_YES,
          { .ignore_no_store = true } },
        { 200, CC "no-cache" END, CC "max-age=60" END, .want = KEPT_YES },
        { 200, "", CC "private, max-age=60" END, .want = KEPT_PRIVATE },
        { 200, "", CC "private, max-age=60" END, .want = KEPT_YES, { .ignore_private = true } },
        { 200, "", CC "private=\"x-a\", max-age=60" END, .want = KEPT_YES },
        { 200, "", CC "no-cache" END TAG, .want = KEPT_YES },
        { 200, "", CC "no-cache, max-age=60" END, .want = KEPT_NOTHING_TO_GO_BY },
        { 200, "", CC "max-age=0" END, .want = KEPT_NOTHING_TO_GO_BY },
        { 200, "", CC "max-age=0, stale-while-revalidate=5" END, .want = KEPT_YES },
        { 200, "", CC "max-age=0, stale-if-error=5" END, .want = KEPT_YES },
        { 200, "", CC "max-age=60" END "Age: 60" END, .want = KEPT_NOTHING_TO_GO_BY },
        { 200, "", CC "max-age=60" END "Age: 60" END TAG, .want = KEPT_YES },
        { 200, "", "", .want = KEPT_NOTHING_TO_GO_BY },
        { 200, "", TAG, .want = KEPT_YES },
        { 200, "", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT" END, .want = KEPT_YES },
        { 200, "", CC "must-understand, no-store, max-age=60" END, .want = KEPT_YES },
        { 599, "", CC "must-understand, no-store, max-age=60" END, .want = KEPT_STATUS },
        { 599, "", CC "must-understand, max-age=60" END, .want = KEPT_STATUS },
        { 200, "", CC "must-understand=1, no-store, max-age=60" END, .want = KEPT_NO_STORE },
        { 200, "", "Set-Cookie: a=b" END CC "max-age=60, public" END, .want = KEPT_SET_COOKIE },
        { 200,
          "",
          "Set-Cookie: a=b" END CC "max-age=60" END,
          .want = KEPT_YES,
          { .store_set_cookie = true } },
        { 200, "", CC "max-age=60" END "Vary: *" END, .want = KEPT_VARY_STAR },
        { 200, "", CC "max-age=60" END "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" END,
          .want = KEPT_VARY_MANY },
        { 200, "", CC "max-age=60" END "Vary: Accept-Encoding" END, .want = KEPT_YES },
    };
    for (size_t i = 0; i < countof(rows); i++)
        check(&rows[i]);
}

/* Those of RFC 9110 section 15.1 by themselves, others when the response says for how long. */
static void statuses(void **state)
{
    (void)state;
    static const unsigned cacheable[] = { 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501 };
    static const unsigned others[] = { 201, 202, 205, 302, 303, 307, 400, 401, 402, 403,
                                       406, 409, 412, 416, 418, 429, 500, 502, 503, 504 };
    for (size_t i = 0; i < countof(cacheable); i++)
        check(&(struct row){ cacheable[i], "", TAG, .want = KEPT_YES });
    for (size_t i = 0; i < countof(others); i++) {
        check(&(struct row){ others[i], "", TAG, .want = KEPT_STATUS });
        check(&(struct row){ others[i], "", TAG, .want = KEPT_STATUS, { .ttl = 60 } });
        check(&(struct row){ others[i], "", CC "max-age=60" END, .want = KEPT_YES });
        check(&(struct row){ others[i], "", CC "s-maxage=60" END, .want = KEPT_YES });
        check(&(struct row){ others[i], "", TAG CC "public" END, .want = KEPT_YES });
        check(&(struct row){ others[i], "", TAG "Expires: 0" END, .want = KEPT_YES });
    }
    check(&(struct row){ 404, "", "", .want = KEPT_NOTHING_TO_GO_BY });
    check(&(struct row){ 404, "", "", .want = KEPT_YES, { .ttl = 60 } });
    check(&(struct row){ 206, "", CC "max-age=60" END "Content-Range: bytes 0-0/1" END,
                         .want = KEPT_PARTIAL });
    check(&(struct row){ 206, "", CC "max-age=60" END, .want = KEPT_PARTIAL });
    check(&(struct row){ 304, "", CC "max-age=60" END, .want = KEPT_STATUS });
    check(&(struct row){ 416, "", CC "max-age=60" END "Content-Range: bytes */1" END,
                         .want = KEPT_PARTIAL });
    check(&(struct row){ 302,
                         "",
                         TAG "CDN-Cache-Control: x" END "Expires: 0" END,
                         .want = KEPT_STATUS,
                         { .targeted = true } });
}

static void authorized(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { 200, AUTH, CC "max-age=60" END, .want = KEPT_AUTHORIZED },
        { 200, AUTH, CC "max-age=60, public" END, .want = KEPT_YES },
        { 200, AUTH, CC "s-maxage=60" END, .want = KEPT_YES },
        { 200, AUTH, CC "max-age=60, must-revalidate" END, .want = KEPT_YES },
        { 200, AUTH, CC "max-age=60, proxy-revalidate" END, .want = KEPT_AUTHORIZED },
        { 200, AUTH, CC "max-age=60, public, x={" END, .want = KEPT_AUTHORIZED },
        { 200, AUTH, CC "max-age=60, s-maxage=x" END TAG, .want = KEPT_AUTHORIZED },
        { 200, AUTH, CC "max-age=60, public, private" END, .want = KEPT_PRIVATE },
        { 200, AUTH, CC "max-age=60" END, .want = KEPT_AUTHORIZED, { .ttl = 60 } },
    };
    for (size_t i = 0; i < countof(rows); i++)
        check(&rows[i]);
}

static void methods(void **state)
{
    (void)state;
    struct msg request, response;
    struct freshness f;
    for (enum method m = METHOD_OTHER; m <= METHOD_PATCH; m++) {
        help_request(&request, &arena, "");
        help_response(&response, &arena, 200, CC "max-age=60, public" END);
        request.method = m;
        assert_int_equal(response_kept(&request, &response, T, T, NULL, &f),
                         m == METHOD_GET ? KEPT_YES : KEPT_METHOD);
        arena_reset(&arena);
    }
}

/* What is kept by a departure alone is marked as that, and nothing else is. */
static void departures(void **state)
{
    (void)state;
    static const struct {
        const char *response;
        struct cache_override o;
        u64 want;
    } rows[] = {
        { CC "max-age=60" END, { .ignore_private = true, .sign = 7 }, 0 },
        { CC "max-age=60, private" END, { .ignore_private = true, .sign = 7 }, 7 },
        { CC "max-age=60, no-store" END, { .ignore_no_store = true, .sign = 7 }, 7 },
        { CC "max-age=60, no-cache" END TAG, { .ignore_no_cache = true, .sign = 7 }, 7 },
        { CC "max-age=60" END, { .ttl = 60, .sign = 7 }, 0 },
        { CC "max-age=60" END, { .ttl = 61, .sign = 7 }, 7 },
        { CC "max-age=60" END "Set-Cookie: a=b" END, { .store_set_cookie = true, .sign = 7 }, 7 },
        { CC "max-age=9" END "CDN-Cache-Control: max-age=5" END,
          { .targeted = true, .sign = 7 },
          0 },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg request, response;
        struct freshness f;
        help_request(&request, &arena, "");
        help_response(&response, &arena, 200, rows[i].response);
        assert_int_equal(response_kept(&request, &response, T, T, &rows[i].o, &f), KEPT_YES);
        assert_int_equal(f.departs, rows[i].want);
        arena_reset(&arena);
    }
}

/* Words are tokens, each its own, and every reason has a sentence. */
static void words(void **state)
{
    (void)state;
    for (enum kept a = KEPT_YES; a < KEPT_COUNT; a++) {
        assert_in_range(strlen(kept_info(a)->word), 1, 32);
        assert_true(strlen(kept_info(a)->text) > 0);
        for (enum kept b = KEPT_YES; b < a; b++)
            assert_false(strcmp(kept_info(a)->word, kept_info(b)->word) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directives), cmocka_unit_test(statuses),   cmocka_unit_test(authorized),
        cmocka_unit_test(methods),    cmocka_unit_test(departures), cmocka_unit_test(words),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
