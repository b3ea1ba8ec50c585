/* Conditions against what is kept. Commas may stand within an entity tag, so their lists are cut at
 * the quotes. */
#include "cache/precondition.h"

#include "base/str.h"
#include "http/date.h"

enum { STRONG_DATE = 60 }; /* seconds between Last-Modified and Date */

/* The length of the entity tag at the beginning of s; 0: none. */
static size_t etag_length(struct slice s)
{
    size_t i = slice_starts(s, SLICE("W/")) ? 2 : 0;
    if (i >= s.n || s.p[i] != '"')
        return 0;
    for (i++; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (c == '"')
            return i + 1;
        if (c <= 0x20 || c == 0x7f)
            return 0;
    }
    return 0;
}

static bool etag_is(struct slice s)
{
    return s.n && etag_length(s) == s.n;
}

bool etag_is_strong(struct slice tag)
{
    return etag_is(tag) && tag.p[0] == '"';
}

bool etag_same_weakly(struct slice a, struct slice b)
{
    if (!etag_is(a) || !etag_is(b))
        return false;
    return slice_eq(a.p[0] == 'W' ? slice_skip(a, 2) : a, b.p[0] == 'W' ? slice_skip(b, 2) : b);
}

/* One field of If-None-Match; what is garbled in it matches nothing, nor does what follows. */
static bool list_has(struct slice list, struct slice tag)
{
    for (;;) {
        while (list.n && (list.p[0] == ',' || list.p[0] == ' ' || list.p[0] == '\t'))
            list = slice_skip(list, 1);
        size_t n = etag_length(list);
        if (n == 0)
            return false;
        if (etag_same_weakly((struct slice){ list.p, n }, tag))
            return true;
        list = slice_trim(slice_skip(list, n));
        if (list.n && list.p[0] != ',')
            return false;
    }
}

static bool none_match_fails(const struct msg *request, const struct msg *stored)
{
    struct slice tag = msg_get(stored, TOKEN_ETAG);
    const struct field *f = msg_find(request, TOKEN_IF_NONE_MATCH);
    if (slice_is(msg_value(request, f), "*"))
        return msg_count(request, TOKEN_IF_NONE_MATCH) == 1;
    for (; f; f = msg_find_next(request, f))
        if (list_has(msg_value(request, f), tag))
            return true;
    return false;
}

static bool not_modified_since(const struct msg *request, const struct msg *stored, u64 now)
{
    time_t since, when;
    if (msg_count(request, TOKEN_IF_MODIFIED_SINCE) != 1 ||
        !date_read(msg_get(request, TOKEN_IF_MODIFIED_SINCE), (time_t)now, &since))
        return false;
    enum token t = msg_has(stored, TOKEN_LAST_MODIFIED) ? TOKEN_LAST_MODIFIED : TOKEN_DATE;
    return date_read(msg_get(stored, t), (time_t)now, &when) && when <= since;
}

enum precondition precondition_of(const struct msg *request, const struct msg *stored, u64 now)
{
    bool same;
    if (stored->status < 200 || stored->status > 299) /* RFC 9110 section 13.2.1 */
        return CONDITION_NONE;
    if (msg_has(request, TOKEN_IF_NONE_MATCH))
        same = none_match_fails(request, stored);
    else
        same =
            msg_has(request, TOKEN_IF_MODIFIED_SINCE) && not_modified_since(request, stored, now);
    return same ? CONDITION_NOT_MODIFIED : CONDITION_NONE;
}

/* Long enough before the Date beside it: else it could be of two versions of one second. */
static bool date_is_strong(const struct msg *m, u64 now, time_t *modified)
{
    time_t date;
    return date_read(msg_get(m, TOKEN_LAST_MODIFIED), (time_t)now, modified) &&
           date_read(msg_get(m, TOKEN_DATE), (time_t)now, &date) && date - *modified >= STRONG_DATE;
}

bool validator_is_strong(const struct msg *response, u64 now)
{
    time_t modified;
    if (msg_has(response, TOKEN_ETAG))
        return msg_count(response, TOKEN_ETAG) == 1 &&
               etag_is_strong(msg_get(response, TOKEN_ETAG));
    return msg_count(response, TOKEN_LAST_MODIFIED) == 1 &&
           date_is_strong(response, now, &modified);
}

/* The codings of a response, one after the other. */
struct codings {
    const struct msg *m;
    const struct field *line;
    struct slice rest;
};

static struct codings codings_of(const struct msg *m)
{
    const struct field *line = msg_find(m, TOKEN_CONTENT_ENCODING);
    return (struct codings){ m, line, line ? msg_value(m, line) : SLICE("") };
}

/* "identity" is none. */
static bool next_coding(struct codings *c, struct slice *coding)
{
    while (c->line) {
        while (list_next(&c->rest, coding))
            if (!slice_eq_nocase(*coding, SLICE("identity")))
                return true;
        c->line = msg_find_next(c->m, c->line);
        c->rest = c->line ? msg_value(c->m, c->line) : SLICE("");
    }
    return false;
}

static bool coding_same(const struct msg *a, const struct msg *b)
{
    struct codings one = codings_of(a), two = codings_of(b);
    struct slice left, right;
    for (;;) {
        bool more = next_coding(&one, &left);
        if (next_coding(&two, &right) != more)
            return false;
        if (!more || !slice_eq_nocase(left, right))
            return !more;
    }
}

bool validator_same(const struct msg *a, const struct msg *b, u64 now)
{
    time_t one, two;
    if (!validator_is_strong(a, now) || !validator_is_strong(b, now) || !coding_same(a, b))
        return false;
    if (msg_has(a, TOKEN_ETAG) || msg_has(b, TOKEN_ETAG))
        return slice_eq(msg_get(a, TOKEN_ETAG), msg_get(b, TOKEN_ETAG));
    return date_is_strong(a, now, &one) && date_is_strong(b, now, &two) && one == two;
}

bool if_range_holds(const struct msg *request, const struct msg *stored, u64 now)
{
    time_t asked, modified;
    struct slice want = msg_get(request, TOKEN_IF_RANGE);
    if (want.p == NULL)
        return true;
    if (msg_count(request, TOKEN_IF_RANGE) != 1)
        return false;
    if (etag_is(want))
        return etag_is_strong(want) && slice_eq(want, msg_get(stored, TOKEN_ETAG));
    return date_read(want, (time_t)now, &asked) && date_is_strong(stored, now, &modified) &&
           asked == modified;
}

bool precondition_validate(struct msg *request, const struct msg *stored)
{
    struct slice tag = msg_get(stored, TOKEN_ETAG);
    struct slice modified = msg_get(stored, TOKEN_LAST_MODIFIED);
    if (!etag_is(tag))
        tag.p = NULL;
    if (tag.p == NULL && modified.p == NULL)
        return false;
    msg_remove(request, TOKEN_IF_NONE_MATCH);
    msg_remove(request, TOKEN_IF_MODIFIED_SINCE);
    msg_remove(request, TOKEN_IF_RANGE);
    msg_remove(request, TOKEN_RANGE);
    if (tag.p && !msg_add(request, SLICE("If-None-Match"), tag))
        return false;
    return !modified.p || msg_add(request, SLICE("If-Modified-Since"), modified);
}
