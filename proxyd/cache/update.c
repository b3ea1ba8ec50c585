/*
 * The head that is kept: what is left out of it, what a 304 changes in it, and what an answer to
 * HEAD says of it (RFC 9111 sections 3.1, 3.2, 4.3.4 and 4.3.5). The hard thing is a 304 that is
 * about something else than what is kept: an origin that has changed in between, or a server of a
 * pool that has another version.
 */
#include "base/str.h"
#include "cache/freshness.h"
#include "cache/precondition.h"
#include "http/date.h"
#include "http/hop.h"

static void drop_made_anew(struct msg *m)
{
    hop_strip(m);
    msg_remove(m, TOKEN_TRAILER);
    msg_remove(m, TOKEN_CACHE_STATUS);
    msg_remove(m, TOKEN_PROXY_STATUS);
}

void freshness_strip(struct msg *response, const struct freshness *f)
{
    if (!f->names_none)
        control_strip(response);
    drop_made_anew(response);
    msg_remove(response, TOKEN_AGE);
    msg_remove(response, TOKEN_CONTENT_LENGTH);
}

bool freshness_dated(struct msg *response, const struct freshness *f)
{
    time_t t;
    char date[DATE_TEXT];
    if (f->dated || date_read(msg_get(response, TOKEN_DATE), (time_t)f->received, &t))
        return true;
    date_text(date, (time_t)f->received);
    return msg_set(response, TOKEN_DATE, (struct slice){ date, sizeof date });
}

/* A strong tag has to be the same one, a weak one weakly so, and without a tag the date. A 304 that
 * has neither answers the only question that was asked. */
static bool is_about(const struct msg *stored, const struct msg *not_modified)
{
    struct slice theirs = msg_get(not_modified, TOKEN_ETAG), ours = msg_get(stored, TOKEN_ETAG);
    if (theirs.p)
        return etag_is_strong(theirs) ? slice_eq(theirs, ours) : etag_same_weakly(theirs, ours);
    theirs = msg_get(not_modified, TOKEN_LAST_MODIFIED);
    ours = msg_get(stored, TOKEN_LAST_MODIFIED);
    return theirs.p == NULL || ours.p == NULL || slice_eq(theirs, ours);
}

static bool is_of_the_bytes(enum token t)
{
    return t == TOKEN_CONTENT_LENGTH || t == TOKEN_CONTENT_ENCODING || t == TOKEN_CONTENT_RANGE ||
           t == TOKEN_SET_COOKIE;
}

/* All at once before anything is changed, so that a refusal of memory changes nothing. */
static bool make_room(struct msg *stored, const struct msg *from)
{
    size_t bytes = 0, fields = 0;
    for (unsigned i = 0; i < from->nfields; i++)
        if (from->fields[i].id != FIELD_DELETED) {
            bytes += from->fields[i].nlen + from->fields[i].vlen + 4;
            fields++;
        }
    if (stored->nfields + fields >= FIELD_DELETED || !msg_more_room(stored, bytes))
        return false;
    while (stored->cap < stored->nfields + fields)
        if (!msg_grow(stored))
            return false;
    return true;
}

bool freshness_update(struct msg *stored, struct msg *not_modified)
{
    struct msg *from = not_modified;
    drop_made_anew(from);
    if (!is_about(stored, from) || !make_room(stored, from))
        return false;
    msg_remove(stored, TOKEN_AGE);
    msg_remove(stored, TOKEN_DATE);
    for (unsigned i = 0; i < from->nfields; i++) {
        const struct field *f = &from->fields[i];
        if (f->id != FIELD_DELETED && !is_of_the_bytes((enum token)f->id))
            msg_remove_name(stored, msg_name(from, f));
    }
    for (unsigned i = 0; i < from->nfields; i++) {
        const struct field *f = &from->fields[i];
        if (f->id != FIELD_DELETED && !is_of_the_bytes((enum token)f->id) &&
            !msg_add(stored, msg_name(from, f), msg_value(from, f)))
            return false;
    }
    return true;
}

static bool field_differs(const struct msg *stored, const struct msg *head, enum token t)
{
    return msg_has(head, t) && !slice_eq(msg_get(head, t), msg_get(stored, t));
}

bool freshness_differs(const struct msg *stored, u64 length, const struct msg *head)
{
    u64 told;
    struct slice text = msg_get(head, TOKEN_CONTENT_LENGTH);
    if (head->status != 200)
        return false;
    if (stored->status != 200 || (text.p && (!slice_u64(text, &told) || told != length)))
        return true;
    return field_differs(stored, head, TOKEN_ETAG) ||
           field_differs(stored, head, TOKEN_LAST_MODIFIED);
}
