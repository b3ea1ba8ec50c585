#include "cache/head.h"

#include "base/str.h"
#include "http/chars.h"
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

static void note_field(struct stored_head *h, u16 id, u32 at, u32 nlen, u32 vlen)
{
    h->fields[h->nfields++] = (struct field){ id, (u16)nlen, at, at + nlen + 2, vlen };
    h->present[id >> 6] |= 1ull << (id & 63);
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
        note_field(h, (u16)t, at, nlen, vlen);
        at += nlen + vlen + 4;
    }
}

/* Likewise, of lines that have just been written from m: nothing has to be looked for. */
static void note_fields_of(struct stored_head *h, u32 from, const struct msg *m)
{
    u32 at = from;
    for (unsigned i = 0; i < m->nfields; i++) {
        const struct field *f = &m->fields[i];
        if (f->id == FIELD_DELETED)
            continue;
        note_field(h, f->id, at, f->nlen, f->vlen);
        at += f->nlen + f->vlen + 4;
    }
    expect(at + 2 == h->text_len);
}

static size_t size_of(const struct head_plan *p)
{
    return sizeof(struct stored_head) + p->nfields * sizeof(struct field) + p->text_len;
}

enum { STATUS_LINE = sizeof "HTTP/1.1 200 " - 1, LINE_MORE = sizeof ": \r\n" - 1 };

struct head_plan head_plan(const struct msg *m)
{
    struct head_plan p = { .m = m, .status = m->status, .minor = m->minor };
    p.fields_at = (u32)(STATUS_LINE + m->reason.n + 2);
    p.text_len = p.fields_at + 2;
    for (unsigned i = 0; i < m->nfields; i++) {
        const struct field *f = &m->fields[i];
        if (f->id == FIELD_DELETED)
            continue;
        p.text_len += f->nlen + f->vlen + LINE_MORE;
        p.nfields++;
    }
    p.size = size_of(&p);
    return p;
}

static void write_head(struct stored_head *h, const struct msg *m)
{
    struct text t = text_in(h->text, h->text_len);
    text_lit(&t, "HTTP/1.1 ");
    text_pad(&t, m->status, 3);
    text_char(&t, ' ');
    text_add(&t, m->reason);
    text_lit(&t, "\r\n");
    h1_write_fields(&t, m);
    text_lit(&t, "\r\n");
    expect(t.n == h->text_len);
}

void stored_head_make(struct stored_head *h, const struct head_plan *p)
{
    *h = (struct stored_head){ .status = p->status,
                               .minor = p->minor,
                               .text_len = (u32)p->text_len,
                               .fields = (struct field *)(void *)(h + 1) };
    h->text = (char *)(h->fields + p->nfields);
    if (p->m) {
        write_head(h, p->m);
        note_fields_of(h, p->fields_at, p->m);
    } else {
        memcpy(h->text, p->text.p, p->text.n);
        note_fields(h, p->fields_at);
    }
}

/* ---- from a file ---- */

/* The line without its end, in which no control character may stand. */
static bool next_line(struct slice *rest, struct slice *line)
{
    const char *stop = slice_find(*rest, '\r');
    if (stop == NULL || (size_t)(stop - rest->p) + 2 > rest->n || stop[1] != '\n')
        return false;
    *line = slice_range(rest->p, stop);
    *rest = slice_skip(*rest, line->n + 2);
    for (size_t i = 0; i < line->n; i++)
        if (char_is(line->p[i], CHAR_CONTROL))
            return false;
    return true;
}

/* "Name: value", and none that the cache or the hop makes itself. */
static bool is_field(struct slice line)
{
    const char *colon = slice_find(line, ':');
    if (colon == NULL || colon - line.p > UINT16_MAX || line.p + line.n - colon < 2 ||
        colon[1] != ' ' || !slice_is_token(slice_range(line.p, colon)))
        return false;
    switch (token_find(slice_range(line.p, colon))) {
    case TOKEN_CONTENT_LENGTH:
    case TOKEN_TRANSFER_ENCODING:
    case TOKEN_CONNECTION:
    case TOKEN_KEEP_ALIVE:
    case TOKEN_UPGRADE:
    case TOKEN_TRAILER:
    case TOKEN_AGE: return false;
    default: return true;
    }
}

/* 0: it is none. */
static u16 status_of(struct slice line)
{
    if (line.n < STATUS_LINE || !slice_starts(line, SLICE("HTTP/1.1 ")) || line.p[12] != ' ')
        return 0;
    u16 status = 0;
    for (unsigned i = 9; i < 12; i++) {
        if (!ascii_digit(line.p[i]))
            return 0;
        status = (u16)(status * 10 + (line.p[i] - '0'));
    }
    return status >= 200 ? status : 0;
}

bool head_plan_read(struct slice text, struct head_plan *out)
{
    struct slice rest = text, line;
    *out = (struct head_plan){ .text = text, .text_len = text.n, .minor = 1 };
    out->status = next_line(&rest, &line) ? status_of(line) : 0;
    out->fields_at = (u32)(text.n - rest.n);
    if (out->status == 0 || text.n > UINT32_MAX / 2)
        return false;
    for (;; out->nfields++) {
        if (!next_line(&rest, &line))
            return false;
        if (line.n == 0)
            break;
        if (!is_field(line) || out->nfields == FIELD_DELETED - 8)
            return false;
    }
    out->size = size_of(out);
    return rest.n == 0;
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
