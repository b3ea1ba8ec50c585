/* Vary: which requests get the same variant, and which never do (RFC 9111 section 4.1). */
#include "cache/vary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

static struct arena arena;
static const struct cache_secret secret = { { { 1, 2 } } };

#define END "\r\n"

static void naming(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        enum vary_answer want;
        const char *names;
    } rows[] = {
        { "", VARY_NONE, "" },
        { "Vary: " END, VARY_NONE, "" },
        { "Vary: , ," END, VARY_NONE, "" },
        { "Vary: Accept-Encoding" END, VARY_SOME, "accept-encoding" },
        { "Vary: b, A,B ,c" END "Vary: a" END, VARY_SOME, "a,b,c" },
        { "Vary: ab, a, abc" END, VARY_SOME, "a,ab,abc" },
        { "Vary: *" END, VARY_STAR, "" },
        { "Vary: a, *" END, VARY_STAR, "" },
        { "Vary: a" END "Vary: *" END, VARY_STAR, "" },
        { "Vary: a b" END, VARY_STAR, "" },
        { "Vary: \"a\"" END, VARY_STAR, "" },
        { "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,p,P" END, VARY_SOME,
          "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p" },
        { "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" END, VARY_TOO_MUCH, "" },
        { "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,*" END, VARY_STAR, "" },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg m;
        char area[VARY_TEXT];
        struct text t = text_in(area, sizeof area);
        help_response(&m, &arena, 200, rows[i].fields);
        enum vary_answer got = vary_names(&m, &t);
        if (got != rows[i].want || (got != VARY_STAR && !slice_is(text_slice(&t), rows[i].names)))
            fail_msg("%s: %d, %.*s", rows[i].fields, got, (int)t.n, area);
        arena_reset(&arena);
    }
}

static u64 key(const char *names, const char *fields)
{
    struct msg m;
    help_request(&m, &arena, fields);
    u64 k = vary_key(&secret, slice_of(names), &m);
    arena_reset(&arena);
    return k;
}

#define AE "Accept-Encoding: "
#define AL "Accept-Language: "

struct pair {
    const char *names, *a, *b;
};

static void equal(void **state)
{
    (void)state;
    static const struct pair rows[] = {
        { "accept-encoding", "", "X: 1" END },
        { "accept-encoding", AE "gzip, br" END, AE "br,gzip" END },
        { "accept-encoding", AE "gzip, br" END, AE "gzip" END AE "br" END },
        { "accept-encoding", AE "GZip;q=1.0 , br" END, AE "br , gzip" END },
        { "accept-encoding", AE "x-gzip" END, AE "gzip" END },
        { "accept-encoding", AE "gzip, gzip,," END, AE "gzip" END },
        { "accept-encoding", AE "br; q = 0.5" END, AE "br;q=0.5" END },
        { "accept-language", AL "en-US, en;q=0.5" END, AL "en-us,en; q=0.5" END },
        { "accept", "Accept: a/b, c/d" END, "Accept: a/b ,c/d" END },
        { "x", "X: a" END "x: b" END, "X: a, b" END },
        { "x", "X:  a  " END, "X: a" END },
        { "x,y", "X: 1" END "Y: 2" END "Z: 3" END, "Y: 2" END "X: 1" END },
    };
    for (size_t i = 0; i < countof(rows); i++)
        if (key(rows[i].names, rows[i].a) != key(rows[i].names, rows[i].b))
            fail_msg("%s: %s | %s", rows[i].names, rows[i].a, rows[i].b);
}

static void different(void **state)
{
    (void)state;
    static const struct pair rows[] = {
        { "accept-encoding", "", AE END }, /* an absent field matches absent ones only */
        { "accept-encoding", AE "gzip" END, AE "br" END },
        { "accept-encoding", AE "gzip" END, AE "gzip;q=0" END },
        { "accept-encoding", AE "gzip, br;q=0" END, AE "gzip;q=0, br" END },
        { "accept-encoding", AE "gzip" END, AE "\"gzip\"" END },
        { "accept-encoding", AE "gz ip" END, AE "gzip" END },
        { "accept-language", AL "en, de" END, AL "de, en" END },
        { "accept", "Accept: a/b;x=\"A, b\"" END, "Accept: a/b;x=\"A,b\"" END },
        { "accept", "Accept: a/b;x=A" END, "Accept: a/b;x=a" END },
        { "x", "X: a" END, "X: A" END },
        { "x", "X: a,b" END, "X: a, b" END }, /* needlessly: its syntax is not known */
        { "x", "X: a b" END, "X: a  b" END },
        { "x,y", "X: 1" END "Y: 2" END, "X: 2" END "Y: 1" END },
        { "x,y", "X: 12" END "Y: " END, "X: 1" END "Y: 2" END },
        { "x,y", "X: 1" END, "Y: 1" END },
        { "user-agent", "User-Agent: a" END, "User-Agent: b" END },
    };
    for (size_t i = 0; i < countof(rows); i++)
        if (key(rows[i].names, rows[i].a) == key(rows[i].names, rows[i].b))
            fail_msg("%s: %s | %s", rows[i].names, rows[i].a, rows[i].b);
    assert_true(key("x", "") != key("y", ""));
}

/* Values beyond what is normalised count in full. */
static void long_values(void **state)
{
    (void)state;
    char a[6000], b[6000];
    memset(a, 'x', sizeof a);
    memcpy(a, AE, sizeof AE - 1);
    memcpy(a + 5000, END, sizeof END);
    memcpy(b, a, sizeof b);
    assert_true(key("accept-encoding", a) == key("accept-encoding", b));
    b[4999] = 'y';
    assert_true(key("accept-encoding", a) != key("accept-encoding", b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(naming),
        cmocka_unit_test(equal),
        cmocka_unit_test(different),
        cmocka_unit_test(long_values),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
