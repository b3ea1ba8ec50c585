/* "BASE NUL REFERENCE": what a list's URL and a redirect make together. No path, however it is written,
 * leads to another host; what came out stays what it is. */
#include "http_fuzz.h"

#include "list_url.h"

static struct slice origin_of(struct slice url)
{
    size_t n = 7; /* http:// */
    while (n < url.n && url.p[n] != '/' && url.p[n] != '?')
        n++;
    return (struct slice){ url.p, n };
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    char area[LIST_URL], other[LIST_URL];
    struct text t = text_in(area, sizeof area), again = text_in(other, sizeof other);
    struct slice all = { (const char *)data, size };
    const char *end = slice_find(all, 0);
    if (end == NULL)
        return 0;
    struct slice base = slice_range(all.p, end), to = slice_range(end + 1, all.p + all.n);
    if (list_url_wrong(base) || !list_url_resolve(&t, base, to))
        return 0;
    struct slice out = text_slice(&t);
    if (list_url_wrong(out))
        return 0;
    CHECK(slice_find(out, '#') == NULL);
    CHECK(list_url_resolve(&again, out, SLICE("")) && slice_eq(text_slice(&again), out));
    bool names_host = list_url_is(to) || slice_starts(to, SLICE("//")) || slice_find(to, ':');
    CHECK(names_host || slice_eq(origin_of(out), origin_of(base)));
    return 0;
}
