/*
 * A message back into bytes. A field that stands in memory as "Name: value" CRLF is copied with its
 * neighbours in one piece: every byte of it was checked by the parser or written by us, and blanks
 * in other places make it leave the piece and be written anew.
 */
#include "http/h1_write.h"

#include "http/uri.h"

/* Is "Name: value" CRLF what stands there? */
static bool as_it_stands(const char *base, const struct field *f)
{
    return f->voff == f->noff + f->nlen + 2 && memcmp(base + f->voff - 2, ": ", 2) == 0 &&
           base[f->voff + f->vlen] == '\r';
}

/* Where some lines have to be written anew: one after the other. */
__attribute__((cold, noinline)) static const struct field *write_uneven(struct text *out,
                                                                        const struct msg *m)
{
    const struct field *f = m->fields, *stop = f + m->nreceived;
    for (; f < stop; f++) {
        if (f->id == FIELD_DELETED)
            continue;
        if (as_it_stands(m->text, f)) {
            text_put(out, m->text + f->noff, f->nlen + f->vlen + 4);
            continue;
        }
        text_add(out, msg_name(m, f));
        text_lit(out, ": ");
        text_add(out, msg_value(m, f));
        text_lit(out, "\r\n");
    }
    return f;
}

/* What was received comes first among the fields, in lines that follow each other up to the empty
 * one: what stays of them is one copy for each piece between deleted ones. */
static inline const struct field *write_received(struct text *out, const struct msg *m, u32 from)
{
    const struct field *f = m->fields, *stop = f + m->nreceived;
    if (unlikely(f == stop))
        return f;
    if (unlikely(m->uneven)) {
        text_put(out, m->text + from, f->noff - from);
        return write_uneven(out, m);
    }
    for (; f < stop; f++)
        if (unlikely(f->id == FIELD_DELETED)) {
            if (f->noff != from)
                text_put(out, m->text + from, f->noff - from);
            from = f->voff + f->vlen + 2;
        }
    text_put(out, m->text + from, m->text_len - 2 - from);
    return f;
}

/* What was added since stands in the form to be sent, all of it. */
static inline void write_added(struct text *out, const struct msg *m, const struct field *f)
{
    u32 from = 0, to = 0;
    for (const struct field *stop = m->fields + m->nfields; f < stop; f++) {
        if (unlikely(f->id == FIELD_DELETED))
            continue;
        u32 at = f->noff & ~FIELD_EXTRA;
        if (unlikely(at != to)) {
            text_put(out, m->extra + from, to - from);
            from = at;
        }
        to = at + f->nlen + f->vlen + 4;
    }
    if (likely(to > from)) /* without an added field there is no extra */
        text_put(out, m->extra + from, to - from);
}

void h1_write_fields(struct text *out, const struct msg *m)
{
    write_added(out, m, write_received(out, m, m->nreceived ? m->fields->noff : 0));
}

void h1_write_request_line(struct text *out, struct slice method, struct slice target)
{
    text_add(out, method);
    text_char(out, ' ');
    text_add(out, target);
    text_lit(out, " HTTP/1.1\r\n");
}

/* The forms of RFC 9112 section 3.2. */
static inline void write_target(struct text *out, const struct msg *m)
{
    if (unlikely(m->form == TARGET_ABSOLUTE)) {
        text_add(out, m->scheme);
        text_lit(out, "://");
    }
    if (unlikely(m->form == TARGET_ABSOLUTE || m->form == TARGET_AUTHORITY))
        text_add(out, m->authority);
    if (likely(m->form != TARGET_AUTHORITY))
        text_add(out, m->path);
}

static void write_length(struct text *out, u64 n)
{
    text_lit(out, "Content-Length: ");
    text_u64(out, n);
    text_lit(out, "\r\n");
}

static void write_framing(struct text *out, const struct msg *m, enum body_kind kind)
{
    if (likely(m->body == BODY_LENGTH))
        write_length(out, m->body_len);
    else if (kind == BODY_STREAMED)
        text_lit(out, "Transfer-Encoding: chunked\r\n");
}

static enum body_kind write_request(struct text *out, const struct msg *m)
{
    struct text t = *out; /* of our own, so that it lives in registers */
    text_add(&t, m->method_text);
    text_char(&t, ' ');
    write_target(&t, m);
    text_lit(&t, " HTTP/1.1\r\n");
    if (m->authority.n) {
        text_lit(&t, "Host: ");
        text_add(&t, m->authority);
        text_lit(&t, "\r\n");
    }
    *out = t;
    h1_write_fields(out, m);
    write_framing(out, m, m->body);
    if (m->upgrade_websocket)
        text_lit(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    else if (m->te_trailers)
        text_lit(out, "TE: trailers\r\nConnection: TE\r\n");
    return m->body;
}

static enum body_kind response_body(const struct msg *m, u8 peer_minor)
{
    if (m->body == BODY_NONE || m->method == METHOD_HEAD)
        return BODY_NONE;
    if (m->body == BODY_LENGTH)
        return BODY_LENGTH;
    return peer_minor > 0 ? BODY_STREAMED : BODY_UNTIL_CLOSE;
}

/* A status line that arrived as it is to be sent goes with the first fields. */
static void write_status_and_fields(struct text *out, const struct msg *m)
{
    const char *received = m->text, *reason = m->reason.p;
    size_t n = m->reason.n;
    if (likely(received && reason == received + 13 && received[7] == '1' && reason[n] == '\r')) {
        const struct field *added = write_received(out, m, 0);
        if (unlikely(added == m->fields)) /* no field was received */
            text_put(out, received, 13 + n + 2);
        write_added(out, m, added);
        return;
    }
    text_lit(out, "HTTP/1.1 ");
    text_pad(out, m->status, 3);
    text_char(out, ' ');
    text_add(out, m->reason);
    text_lit(out, "\r\n");
    h1_write_fields(out, m);
}

static enum body_kind write_response(struct text *out, const struct msg *m, u8 peer_minor,
                                     bool last)
{
    enum body_kind kind = response_body(m, peer_minor);
    write_status_and_fields(out, m);
    if (m->status == 101) {
        text_lit(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
        return kind;
    }
    if (unlikely(m->status < 200 || (m->method == METHOD_CONNECT && m->status < 300)))
        return kind;
    write_framing(out, m, kind);
    if (unlikely(last || kind == BODY_UNTIL_CLOSE))
        text_lit(out, "Connection: close\r\n");
    else if (unlikely(peer_minor == 0))
        text_lit(out, "Connection: keep-alive\r\n");
    return kind;
}

enum body_kind h1_write_head(struct text *out, const struct msg *m, u8 peer_minor, bool last)
{
    enum body_kind kind =
        m->response ? write_response(out, m, peer_minor, last) : write_request(out, m);
    text_lit(out, "\r\n");
    return kind;
}
