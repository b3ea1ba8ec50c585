/* Departures from RFC 9111, thrown at random: none makes kept what its own word does not allow, one
 * more never makes less kept, and what is for all is what would have been kept without any. */
#include "cache/freshness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

enum { T = 784111777, ROUNDS = 30000, SIGN = 77 };

static struct arena arena;
static u64 seed;

static u32 any(u32 below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (u32)(seed >> 33) % below;
}

enum {
    NO_STORE,
    NO_CACHE,
    PRIVATE,
    PUBLIC,
    MAX_AGE,
    NO_AGE,
    S_MAXAGE,
    MUST_REVALIDATE,
    MUST_UNDERSTAND,
    SWR,
    PRIVATE_FIELD,
    WORDS
};
static const char *const words[WORDS] = { "no-store",        "no-cache",
                                          "private",         "public",
                                          "max-age=60",      "max-age=0",
                                          "s-maxage=60",     "must-revalidate",
                                          "must-understand", "stale-while-revalidate=5",
                                          "private=\"x-a\"" };

enum { ETAG, MODIFIED, SET_COOKIE, VARY_ANY, VARY_ONE, AGE, EXPIRES, PART, FIELDS };
static const char *const fields[FIELDS] = {
    "ETag: \"x\"\r\n",     "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "Set-Cookie: a=b\r\n", "Vary: *\r\n",
    "Vary: Accept\r\n",    "Age: 60\r\n",
    "Expires: 0\r\n",      "Content-Range: bytes 0-0/1\r\n"
};
static const unsigned statuses[] = { 200, 200, 200, 404, 302, 206, 304, 500, 599 };

/* What was thrown. */
static struct {
    bool word[WORDS], field[FIELDS], no_store, authorized;
    char text[1000];
    struct msg request, response;
} it;

static void throw(void)
{
    size_t n = 0;
    char request[200];
    memset(&it, 0, sizeof it);
    for (unsigned i = 0; i < WORDS; i++) {
        it.word[i] = any(5) == 0;
        if (it.word[i])
            n += (size_t)snprintf(it.text + n, sizeof it.text - n, "Cache-Control: %s\r\n",
                                  words[i]);
    }
    for (unsigned i = 0; i < FIELDS; i++) {
        it.field[i] = any(i == ETAG ? 2 : 6) == 0;
        if (it.field[i])
            n += (size_t)snprintf(it.text + n, sizeof it.text - n, "%s", fields[i]);
    }
    it.no_store = any(8) == 0;
    it.authorized = any(8) == 0;
    snprintf(request, sizeof request, "%s%s", it.no_store ? "Cache-Control: no-store\r\n" : "",
             it.authorized ? "Authorization: Basic eDp5\r\n" : "");
    help_request(&it.request, &arena, request);
    help_response(&it.response, &arena, statuses[any(countof(statuses))], it.text);
}

static struct cache_override some(void)
{
    struct cache_override o = { .ttl = any(2) * 600,
                                .ignore_no_cache = any(2),
                                .ignore_no_store = any(2),
                                .ignore_private = any(2),
                                .store_set_cookie = any(2),
                                .sign = SIGN };
    return o;
}

static bool kept(const struct cache_override *o, struct freshness *f)
{
    memset(f, 0, sizeof *f);
    return response_kept(&it.request, &it.response, T, T, o, f) == KEPT_YES;
}

#define TELL(o)                                                                                    \
    fail_msg("%s:%d: %u, ttl %u, ignores %d %d %d, stores %d: %s", __FILE__, __LINE__,             \
             it.response.status, (o).ttl, (o).ignore_no_cache, (o).ignore_no_store,                \
             (o).ignore_private, (o).store_set_cookie, it.text)

/* Nothing that it does not name itself. */
static void is_allowed(const struct cache_override *o, const struct freshness *f)
{
    bool no_store = it.no_store || (it.word[NO_STORE] && !it.word[MUST_UNDERSTAND]);
    bool shared = it.word[PUBLIC] || it.word[S_MAXAGE] || it.word[MUST_REVALIDATE];
    if ((no_store && !o->ignore_no_store) || (it.word[PRIVATE] && !o->ignore_private) ||
        (it.field[SET_COOKIE] && !o->store_set_cookie) || (it.authorized && !shared) ||
        it.field[VARY_ANY] || it.field[PART] || it.response.status == 206 ||
        it.response.status == 304)
        TELL(*o);
    if (it.word[NO_CACHE] && !o->ignore_no_cache && f->lifetime > 0)
        TELL(*o);
    if (it.word[MUST_REVALIDATE] && !f->must_revalidate)
        TELL(*o);
}

/* For all is only what is kept just so without it. */
static void is_for_those(const struct cache_override *o, const struct freshness *f)
{
    static const struct cache_override none;
    struct freshness plain;
    bool as_is = kept(&none, &plain);
    bool same =
        as_is && plain.lifetime == f->lifetime && plain.must_revalidate == f->must_revalidate;
    if (f->departs != (same ? 0 : SIGN))
        TELL(*o);
}

/* What is allowed beside it takes nothing away. */
static void stays_with_more(struct cache_override o)
{
    struct freshness f;
    bool *const more[] = { &o.ignore_no_cache, &o.ignore_no_store, &o.ignore_private,
                           &o.store_set_cookie };
    *more[any(countof(more))] = true;
    o.ttl = o.ttl ? o.ttl : any(2) * 600;
    if (!kept(&o, &f))
        TELL(o);
}

static void at_random(void **state)
{
    (void)state;
    unsigned n = 0;
    for (seed = 1; n < ROUNDS; n++) {
        struct cache_override o = some();
        struct freshness f;
        throw();
        if (kept(&o, &f)) {
            is_allowed(&o, &f);
            is_for_those(&o, &f);
            stays_with_more(o);
        }
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_random),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
