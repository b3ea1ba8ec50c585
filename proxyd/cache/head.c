#include "cache/head.h"

#include <stdlib.h>

#include "base/str.h"
#include "http/h1_write.h"

static bool reserve_fields(struct msg *m, unsigned n)
{
    while (m->cap < n)
        if (!msg_grow(m))
            return false;
    return true;
}

bool msg_share(struct msg *to, const struct msg *from, struct arena *a)
{
    msg_init(to, a);
    if (!reserve_fields(to, from->nfields))
        return false;
    struct field *fields = to->fields;
    u16 cap = to->cap;
    memcpy(to, from, offsetof(struct msg, inline_fields));
    memcpy(fields, from->fields, from->nfields * sizeof *fields);
    to->fields = fields;
    to->cap = cap;
    to->arena = a;
    to->extra_cap = to->extra_len; /* what is added goes into memory of its own */
    return true;
}

static unsigned count_fields(const struct msg *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->nfields; i++)
        n += m->fields[i].id != FIELD_DELETED;
    return n;
}

/* Each line is "Name: value" CRLF. */
static void note_fields(struct stored_head *h, u32 from)
{
    for (u32 at = from; at + 2 < h->text_len;) {
        const char *line = h->text + at, *end = h->text + h->text_len;
        const char *colon = memchr(line, ':', (size_t)(end - line));
        const char *stop = memchr(line, '\r', (size_t)(end - line));
        u32 nlen = (u32)(colon - line), vlen = (u32)(stop - colon - 2);
        enum token t = token_find((struct slice){ line, nlen });
        h->fields[h->nfields++] = (struct field){ (u16)t, (u16)nlen, at, at + nlen + 2, vlen };
        h->present[t >> 6] |= 1ull << (t & 63);
        at += nlen + vlen + 4;
    }
}

struct stored_head *stored_head_make(struct budget *b, const struct msg *m)
{
    unsigned n = count_fields(m);
    size_t room = h1_head_room(m), fields = n * sizeof(struct field);
    char *area = malloc(room); /* how long it is is known when it is written */
    if (area == NULL)
        return NULL;
    struct text t = text_in(area, room);
    text_lit(&t, "HTTP/1.1 ");
    text_pad(&t, m->status, 3);
    text_char(&t, ' ');
    text_add(&t, m->reason);
    text_lit(&t, "\r\n");
    u32 from = (u32)t.n;
    h1_write_fields(&t, m);
    text_lit(&t, "\r\n");
    size_t size = sizeof(struct stored_head) + fields + t.n;
    struct stored_head *h = t.full ? NULL : budget_take(b, size);
    if (h) {
        *h = (struct stored_head){ .status = m->status, .minor = m->minor, .size = (u32)size };
        h->fields = (struct field *)(void *)(h + 1);
        h->text = (char *)(h->fields + n);
        h->text_len = (u32)t.n;
        memcpy(h->text, t.p, t.n);
        note_fields(h, from);
    }
    free(area);
    return h;
}

void stored_head_free(struct budget *b, struct stored_head *h)
{
    if (h)
        budget_give(b, h, h->size);
}

bool stored_head_give(const struct stored_head *h, struct msg *m)
{
    if (!reserve_fields(m, h->nfields + 4u))
        return false;
    memcpy(m->fields, h->fields, h->nfields * sizeof *m->fields);
    m->nfields = m->nreceived = h->nfields;
    m->present[0] = h->present[0];
    m->present[1] = h->present[1];
    m->response = true;
    m->status = h->status;
    m->minor = h->minor;
    m->text = h->text;
    m->text_len = h->text_len;
    const char *reason = h->text + sizeof "HTTP/1.1 200 " - 1;
    m->reason = slice_range(reason, memchr(reason, '\r', h->text_len));
    m->keep_alive = true;
    return true;
}
