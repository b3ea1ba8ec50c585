/*
 * The two forms of a path that rules look at. Both are written into `out` and then shortened in
 * place, in time linear in their length: dot segments are taken out by moving back to the slash
 * before, and each byte is moved back over at most once.
 */
#include "http/uri.h"

#include "base/str.h"
#include "http/chars.h"

/* RFC 3986 section 5.2.4 on an absolute path, in place; the new length. */
static size_t remove_dots(char *p, size_t n)
{
    size_t from = 0, to = 0;
    while (from < n) {
        size_t next = from + 1; /* p[from] is a slash; the segment behind it ends at next */
        while (next < n && p[next] != '/')
            next++;
        size_t len = next - from - 1;
        bool one = len == 1 && p[from + 1] == '.';
        bool two = len == 2 && p[from + 1] == '.' && p[from + 2] == '.';
        if (two)
            while (to > 0 && p[--to] != '/')
                ;
        if ((one || two) && next == n) /* a final dot segment leaves its slash */
            p[to++] = '/';
        if (!one && !two) {
            memmove(p + to, p + from, len + 1);
            to += len + 1;
        }
        from = next;
    }
    return to;
}

static size_t merge_slashes(char *p, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || p[i] != '/' || p[i - 1] != '/')
            p[to++] = p[i];
    return to;
}

/* Room for the longest result; also says what an empty path is. */
static bool begin(struct text *out, struct slice *path)
{
    if (path->n == 0)
        *path = SLICE("/");
    if (out->full || out->cap - out->n < path->n)
        out->full = true;
    return !out->full;
}

bool path_normal(struct text *out, struct slice path)
{
    if (!begin(out, &path))
        return false;
    char *p = out->p + out->n;
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++) {
        int c = percent_decoded(path.p + i, path.n - i);
        if (c < 0) {
            p[n++] = path.p[i];
        } else if (char_is((char)c, CHAR_UNRESERVED)) {
            p[n++] = (char)c;
            i += 2;
        } else {
            p[n++] = '%';
            p[n++] = "0123456789ABCDEF"[c >> 4];
            p[n++] = "0123456789ABCDEF"[c & 15];
            i += 2;
        }
    }
    out->n += p[0] == '/' ? remove_dots(p, n) : n;
    return true;
}

bool path_folded(struct text *out, struct slice path)
{
    if (!begin(out, &path))
        return false;
    char *p = out->p + out->n;
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++) {
        int c = percent_decoded(path.p + i, path.n - i);
        p[n++] = c < 0 ? path.p[i] : (char)c;
        i += c < 0 ? 0 : 2;
    }
    n = merge_slashes(p, n);
    out->n += p[0] == '/' ? remove_dots(p, n) : n;
    return true;
}
