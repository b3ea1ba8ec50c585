/* Two URLs have one key if and only if they are written the same; and what a Location leads to is a
 * path that a client could ask for, of the same origin. */
#include "http_fuzz.h"

#include "base/str.h"
#include "cache/invalidate.h"

static const struct cache_secret secret = { { { 1, 2 } } };

/* "space scheme host port path"; what is missing is empty. */
static struct cache_url url_of(struct slice line)
{
    struct slice w[5] = { { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 } };
    u64 port = 0;
    for (unsigned i = 0; i < 5; i++)
        if (!slice_cut(&line, ' ', &w[i]))
            break;
    slice_u64(w[3], &port);
    return (struct cache_url){ w[0], w[1], w[2], (u16)port, w[4] };
}

static bool same_written(const struct cache_url *a, const struct cache_url *b)
{
    char x[4096], y[4096];
    struct text tx = text_in(x, sizeof x), ty = text_in(y, sizeof y);
    cache_url_write(&tx, a);
    cache_url_write(&ty, b);
    CHECK(!tx.full && !ty.full);
    return slice_eq(a->space, b->space) && slice_eq(a->scheme, b->scheme) &&
           slice_eq(a->host, b->host) && slice_eq(text_slice(&tx), text_slice(&ty));
}

static void check_reference(const struct cache_url *target, struct slice reference)
{
    char area[16384];
    struct text path = text_in(area, sizeof area), again = text_in(area, sizeof area);
    for (size_t i = 0; i < target->path.n; i++)
        if (!char_is(target->path.p[i], CHAR_URI))
            return; /* no target that was taken has such a path */
    if (!same_origin_path(target, reference, &path))
        return;
    for (size_t i = 0; i < path.n; i++)
        CHECK(char_is(area[i], CHAR_URI));
    CHECK(path.n > 0);
    if (area[0] != '/')
        return; /* the target had no such path */
    char *copy = exact_copy(area, path.n);
    struct slice first = { copy, path.n };
    struct cache_url from = *target;
    from.path = SLICE("/");
    CHECK(same_origin_path(&from, first, &again) || slice_starts(first, SLICE("//")));
    free(copy);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size > 1000)
        return 0;
    char *p = exact_copy(data, size);
    struct slice rest = { p, size }, a = { "", 0 }, b = { "", 0 };
    struct cache_key ka, kb;
    slice_cut(&rest, '\n', &a);
    slice_cut(&rest, '\n', &b);
    struct cache_url ua = url_of(a), ub = url_of(b);
    cache_key_of(&secret, &ua, &ka);
    cache_key_of(&secret, &ub, &kb);
    CHECK(cache_key_same(&ka, &kb) == same_written(&ua, &ub));
    check_reference(&ua, b);
    free(p);
    return 0;
}
