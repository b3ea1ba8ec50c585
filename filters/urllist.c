/* A path is cut before each "/" and "?", so that a link of the chain of prints is one segment and a
 * prefix that ends with such a byte is one more link of that byte alone. */
#include "filters/urllist.h"

#include "base/hash.h"
#include "base/must.h"
#include "base/str.h"
#include "filters/print.h"

enum { HOST_BYTES = 255 };

struct slice urllist_host(struct slice host)
{
    if (!slice_starts(host, SLICE("www")) && !slice_starts(host, SLICE("web")) &&
        !slice_starts(host, SLICE("ftp")))
        return host;
    size_t i = 3;
    while (i < host.n && ascii_digit(host.p[i]))
        i++;
    if (i == host.n || host.p[i] != '.')
        return host;
    struct slice rest = slice_skip(host, i + 1);
    return slice_find(rest, '.') ? rest : host;
}

static inline bool is_border(char c)
{
    return c == '/' || c == '?';
}

static void lower(char *to, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        to[i] = ascii_lower(s.p[i]);
}

static u64 host_print(const struct hash_key *key, struct slice host)
{
    return print_link(key->k[0] ^ PRINT_SALT, key->k[1], host.p, host.n);
}

/* Where the segment that begins at `from` ends. */
static size_t segment_end(struct slice path, size_t from)
{
    size_t end = from + 1;
    while (end < path.n && !is_border(path.p[end]))
        end++;
    return end;
}

bool urllist_add(struct urllist_builder *b, struct slice host, struct slice path, u32 place,
                 bool removes)
{
    const struct hash_key *key = hash_process_key();
    char copy[URLLIST_LONGEST];
    must(path.n <= sizeof copy && (path.n == 0 || path.p[0] == '/'));
    lower(copy, path);
    path.n = path.n == 1 ? 0 : path.n;
    path.p = copy;
    u64 h = host_print(key, urllist_host(host));
    for (size_t at = 0, end; at < path.n; at = end) {
        end = segment_end(path, at);
        h = print_link(h, key->k[1], copy + at, end - at);
    }
    b->longest = path.n > b->longest ? path.n : b->longest;
    return printmap_add(&b->prints, h, 1 | (removes ? PRINT_REMOVE : 0), place);
}

void urllist_drop(struct urllist_builder *b)
{
    printmap_drop(&b->prints);
    *b = (struct urllist_builder){ 0 };
}

bool urllist_build(struct urllist *l, struct urllist_builder *b, const struct sources *s)
{
    *l = (struct urllist){ .longest = b->longest };
    bool ok = printmap_build(&l->map, &b->prints, s);
    urllist_drop(b);
    return ok;
}

void urllist_free(struct urllist *l)
{
    printmap_free(&l->map);
    *l = (struct urllist){ 0 };
}

static bool probe(const struct urllist *l, u64 print, const struct places *in, size_t length,
                  struct urllist_hit *hit)
{
    u32 kept = printmap_seek(&l->map, print);
    u32 place = kept ? printmap_place(&l->map, kept, 1, in) : 0;
    if (place)
        *hit = (struct urllist_hit){ place, (u16)length };
    return place != 0;
}

bool urllist_find(const struct urllist *l, struct slice host, struct slice path,
                  const struct places *in, struct urllist_hit *hit)
{
    const struct hash_key *key = hash_process_key();
    char copy[URLLIST_LONGEST + 1];
    if (l->map.entries == 0 || host.n == 0 || host.n > HOST_BYTES)
        return false;
    size_t whole = path.n;
    path.n = path.n > l->longest ? l->longest + 1 : path.n; /* one more, to see what follows */
    lower(copy, path);
    path.p = copy;
    u64 h = host_print(key, urllist_host(host));
    bool found = probe(l, h, in, 0, hit);
    for (size_t at = 0, end; at < path.n; at = end) {
        if (at && probe(l, print_link(h, key->k[1], copy + at, 1), in, at + 1, hit))
            found = true; /* "/a/" and "/a?" of "/a/b", "/a?b" */
        end = segment_end(path, at);
        if (end == path.n && path.n < whole)
            break; /* the segment goes on: no entry is as long */
        h = print_link(h, key->k[1], copy + at, end - at);
        if (probe(l, h, in, end, hit))
            found = true;
    }
    return found;
}
