/*
 * What conditions look at and what is made only when the first of them asks: the forms of path,
 * query and URL. A URL is built around the path where that lies, so that neither is copied.
 */
#include "base/str.h"
#include "http/chars.h"
#include "policy/condition.h"

bool evaluation_paths(struct evaluation *e)
{
    if (!e->paths_known) {
        struct text normal = text_in(e->area[FORM_NORMAL] + URL_HEAD, PATH_LONGEST);
        struct text folded = text_in(e->area[FORM_FOLDED] + URL_HEAD, PATH_LONGEST);
        struct slice raw = e->q->path.n ? e->q->path : SLICE("/");
        e->paths_known = true;
        e->paths_unsafe =
            !path_normal(&normal, raw) || normal.full || !path_folded(&folded, raw) || folded.full;
        e->path[FORM_NORMAL] = text_slice(&normal);
        e->path[FORM_FOLDED] = text_slice(&folded);
        e->paths_equal = slice_eq(e->path[FORM_NORMAL], e->path[FORM_FOLDED]);
    }
    return !e->paths_unsafe;
}

/* In the normal form, what has to be encoded stays so. */
static void put_query(struct text *t, struct slice q, enum path_form form)
{
    for (size_t i = 0; i < q.n && !t->full; i++) {
        int decoded = percent_decoded(q.p + i, q.n - i);
        char c = decoded < 0 ? q.p[i] : (char)decoded;
        if (decoded >= 0 && form == FORM_NORMAL && !char_is(c, CHAR_UNRESERVED)) {
            text_char(t, '%');
            text_char(t, "0123456789ABCDEF"[(u8)c >> 4]);
            text_char(t, "0123456789ABCDEF"[(u8)c & 15]);
        } else {
            text_char(t, c);
        }
        i += decoded < 0 ? 0 : 2;
    }
}

/* The query behind the path. */
static bool add_query(struct evaluation *e, enum path_form form, struct slice *url)
{
    struct text t = { (char *)e->path[form].p, e->path[form].n, PATH_LONGEST, false };
    if (e->q->query.p) {
        text_char(&t, '?');
        put_query(&t, e->q->query, form);
    }
    *url = text_slice(&t);
    return !t.full;
}

/* Right before the path. */
static void add_head(const struct evaluation *e, struct slice *url)
{
    char area[URL_HEAD];
    struct text t = text_in(area, sizeof area);
    bool tunnel = e->q->path.p == NULL;
    if (tunnel)
        text_lit(&t, "https://");
    else
        text_lit(&t, "http://");
    host_write(&t, e->q->host, e->q->port == (tunnel ? 443 : 80) ? 0 : e->q->port);
    memcpy((char *)url->p - t.n, area, t.n);
    *url = (struct slice){ url->p - t.n, url->n + t.n };
}

bool evaluation_urls(struct evaluation *e)
{
    if (!e->urls_known) {
        e->urls_known = true;
        e->urls_unsafe = !evaluation_paths(e) || !add_query(e, FORM_NORMAL, &e->url[FORM_NORMAL]) ||
                         !add_query(e, FORM_FOLDED, &e->url[FORM_FOLDED]);
        if (!e->urls_unsafe) {
            add_head(e, &e->url[FORM_NORMAL]);
            add_head(e, &e->url[FORM_FOLDED]);
            e->urls_equal = slice_eq(e->url[FORM_NORMAL], e->url[FORM_FOLDED]);
        }
    }
    return !e->urls_unsafe;
}

enum match evaluation_search(struct evaluation *e, const struct pattern *p, struct slice text)
{
    enum match m = pattern_find(p, text);
    if (unlikely(m == MATCH_UNSAFE))
        e->exhausted = true;
    return m;
}
