/* Keys are made from the parts as they are compared, each behind its length, so that no part can be
 * taken for the end of the one before. Nothing is copied but what changes. */
#include "cache/key.h"

#include "base/str.h"
#include "http/chars.h"

static u16 port_of(const struct cache_url *url)
{
    if (url->port)
        return url->port;
    return slice_eq(url->scheme, SLICE("https")) ? 443 : 80;
}

static bool is_scheme_port(const struct cache_url *url)
{
    return port_of(url) == port_of(&(struct cache_url){ .scheme = url->scheme });
}

static struct slice path_of(const struct cache_url *url)
{
    return url->path.n ? url->path : SLICE("/");
}

/* Of %XX in path or query: three bytes, one when they need not be encoded; 0 when it is not one. */
static size_t encoded(struct slice s, char out[3])
{
    int decoded = percent_decoded(s.p, s.n);
    if (decoded < 0)
        return 0;
    char c = (char)decoded;
    if (char_is(c, CHAR_UNRESERVED)) {
        out[0] = c;
        return 1;
    }
    out[0] = '%';
    out[1] = "0123456789ABCDEF"[(u8)c >> 4];
    out[2] = "0123456789ABCDEF"[(u8)c & 15];
    return 3;
}

/* Calls put for each piece of the path as it is compared. */
static void path_pieces(struct slice path, void (*put)(void *to, const char *p, size_t n), void *to)
{
    while (path.n) {
        const char *percent = slice_find(path, '%');
        size_t plain = percent ? (size_t)(percent - path.p) : path.n;
        put(to, path.p, plain);
        path = slice_skip(path, plain);
        char three[3];
        size_t n = encoded(path, three);
        if (n)
            put(to, three, n);
        else if (path.n)
            put(to, path.p, 1);
        path = slice_skip(path, n ? 3 : path.n ? 1 : 0);
    }
}

static void put_mix(void *to, const char *p, size_t n)
{
    mix_bytes(to, p, n);
}

static void put_text(void *to, const char *p, size_t n)
{
    text_put(to, p, n);
}

/* The path comes last, so it needs no length, which its pieces would have to be counted for. */
void cache_key_of(const struct cache_secret *secret, const struct cache_url *url,
                  struct cache_key *out)
{
    struct mix m;
    mix_begin(&m, secret);
    mix_text(&m, url->space);
    mix_text(&m, url->scheme);
    mix_text(&m, url->host);
    mix_number(&m, port_of(url));
    struct slice path = path_of(url);
    if (likely(!slice_find(path, '%')))
        mix_bytes(&m, path.p, path.n);
    else
        path_pieces(path, put_mix, &m);
    mix_end(&m, out->bits);
}

void cache_url_write(struct text *out, const struct cache_url *url)
{
    bool brackets = slice_find(url->host, ':') != NULL;
    text_add(out, url->scheme);
    text_cstr(out, brackets ? "://[" : "://");
    text_add(out, url->host);
    text_cstr(out, brackets ? "]" : "");
    if (!is_scheme_port(url)) {
        text_char(out, ':');
        text_u64(out, port_of(url));
    }
    path_pieces(path_of(url), put_text, out);
}
