/*
 * One message head: start line, fields, and what they say about the body. It is parsed from what a
 * peer sent, edited as values, and written by the codec of the other side. Names and values
 * are offsets, not pointers: into `text`, the head as it was received, or into `extra`, what was
 * added since. So a head costs 16 bytes per field and deleting one costs a store. Lines of our own
 * lie side by side in `extra` as they go out, so that writing them is one copy.
 *
 * Lifetime: text belongs to the caller and must stay where it is as long as the message is used
 * (method_text, target and reason point into it). More fields than fit inline and `extra` come from
 * the arena. A struct msg must not be copied: `fields` may point into itself.
 */
#ifndef HTTP_MSG_H
#define HTTP_MSG_H

#include "base/arena.h"
#include "base/must.h"
#include "base/repair.h"
#include "base/text.h"
#include "http/token.h"

enum { FIELD_DELETED = 0xFFFF, MSG_INLINE_FIELDS = 32 };
#define FIELD_EXTRA 0x80000000u /* in an offset: counts from `extra`, not from `text` */

struct field {
    u16 id; /* enum token, or FIELD_DELETED */
    u16 nlen;
    u32 noff, voff, vlen; /* the value is without blanks around it */
};

enum body_kind {
    BODY_NONE,       /* nothing follows the head */
    BODY_LENGTH,     /* body_len bytes; 0 only for an explicit Content-Length: 0 */
    BODY_STREAMED,   /* of no known length, its end is marked: http/chunk.h in HTTP/1 */
    BODY_UNTIL_CLOSE /* answers only */
};

struct authority;

struct msg {
    bool response;
    u8 minor;                 /* HTTP/1.minor: 0 or 1 */
    enum method method;       /* of a request; for an answer, of the request it answers */
    struct slice method_text; /* requests */
    struct slice target;      /* requests, as received */
    u8 form;                  /* enum target_form: what is sent on, as values; see msg_address */
    struct slice scheme, authority, path; /* authority is Host, too; path with its query */
    u16 status;                           /* answers: 100–999 */
    struct slice reason;                  /* answers; may be empty */
    const char *text; /* the head with its empty line: as received, or as repaired */
    u32 text_len;
    u32 wire_len; /* answers: its bytes as received */
    u16 repairs;  /* answers: bits of enum repair, see repair_bit */
    char *extra;
    u32 extra_len, extra_cap;
    struct field *fields;
    u16 nfields, nreceived, cap; /* what was received comes first */
    bool uneven; /* some line that was received is not "Name: value" CRLF with the field's value */
    u64 present[2]; /* bit per enum token; bit 0: some field with an unknown name */
    struct arena *arena;
    /* Set by the caller: request_parse leaves the parsed Host there; or NULL. */
    struct authority *host_field;
    enum body_kind body;
    u64 body_len;    /* BODY_LENGTH; for an answer to HEAD and a 304 what Content-Length says */
    bool keep_alive; /* what version, Connection and framing say about persistence */
    bool expect_continue;   /* request 1.1 with Expect: 100-continue and a body to come */
    bool upgrade_websocket; /* Connection nominates Upgrade, which is one token: websocket */
    bool te_trailers;       /* TE: trailers */
    struct field inline_fields[MSG_INLINE_FIELDS];
};

/* An empty message. Cheap: the inline fields stay as they are. The arena is first touched when
 * more than MSG_INLINE_FIELDS fields or an added field come; NULL is fine until then. */
void msg_init(struct msg *m, struct arena *arena);

/* Empty again, to be parsed into once more; what was lent to it stays. */
void msg_again(struct msg *m);

static inline const char *msg_at(const struct msg *m, u32 off)
{
    return off & FIELD_EXTRA ? m->extra + (off & ~FIELD_EXTRA) : m->text + off;
}
static inline struct slice msg_name(const struct msg *m, const struct field *f)
{
    return (struct slice){ msg_at(m, f->noff), f->nlen };
}
static inline struct slice msg_value(const struct msg *m, const struct field *f)
{
    return (struct slice){ msg_at(m, f->voff), f->vlen };
}
static inline bool msg_has(const struct msg *m, enum token t)
{
    return m->present[t >> 6] >> (t & 63) & 1;
}

/* The first such field, which is there. */
const struct field *msg_find_there(const struct msg *m, enum token t);
/* The first such field or NULL. */
static inline const struct field *msg_find(const struct msg *m, enum token t)
{
    return msg_has(m, t) ? msg_find_there(m, t) : NULL;
}
/* The next field after f with the same name as f (by id; unknown names by text), or NULL. */
const struct field *msg_find_next(const struct msg *m, const struct field *f);
/* By name in any case, known or not. */
const struct field *msg_find_name(const struct msg *m, struct slice name);
unsigned msg_count(const struct msg *m, enum token t);
/* The value of the first such field; p == NULL when there is none. */
struct slice msg_get(const struct msg *m, enum token t);

/* Every field whose name has its bit in mask (token_mask). */
void msg_remove_all(struct msg *m, const u64 mask[2]);
/* Every field of that name, which is there. */
void msg_remove_there(struct msg *m, enum token t);
/* Every field of that name. */
static inline void msg_remove(struct msg *m, enum token t)
{
    if (msg_has(m, t))
        msg_remove_there(m, t);
}
void msg_remove_name(struct msg *m, struct slice name);
void msg_remove_field(struct msg *m, struct field *f);
/* Appends a field; name and value are copied. The name must be a token. Controls in the value (an
 * error of the caller, never of the peer) become blanks, so that no line can be smuggled in here.
 * name and value may lie in this very message. False, and nothing added: no memory. */
bool msg_add(struct msg *m, struct slice name, struct slice value);
/* msg_remove, then msg_add. */
bool msg_set(struct msg *m, enum token t, struct slice value);
/* A block of n bytes for what is added, instead of one from the arena; for a message that has none
 * yet. It must stay as long as m. */
static inline void msg_lend(struct msg *m, char *block, u32 n)
{
    m->extra = block;
    m->extra_cap = n;
}
/* Room for one more field and `most` more bytes of `extra`. False: no memory. */
bool msg_more_room(struct msg *m, size_t most);
static inline bool msg_has_room(const struct msg *m, size_t most)
{
    return likely(most <= m->extra_cap - m->extra_len && m->nfields < m->cap);
}
/* Text of our own, composed in place: room for `most` bytes behind `extra`. It becomes part of m
 * as a field, "Name: value" CRLF (msg_keep_line), or as a value that msg.authority or path may
 * point at (msg_keep_text); nothing else may be added before. Nothing of it is checked, so what a
 * peer sent goes in with msg_add. False: no memory. */
static inline bool msg_compose(struct msg *m, size_t most, struct text *t)
{
    if (!msg_has_room(m, most) && !msg_more_room(m, most))
        return false;
    *t = text_in(m->extra + m->extra_len, most);
    return true;
}
/* The n bytes that follow in `extra` are a line with that name. */
static inline void msg_field_added(struct msg *m, enum token name, u32 n)
{
    u32 at = m->extra_len | FIELD_EXTRA, nlen = (u32)token_names[name].n;
    m->fields[m->nfields++] =
        (struct field){ (u16)name, (u16)nlen, at, at + nlen + 2, n - nlen - 4 };
    m->present[name >> 6] |= 1ull << (name & 63);
    m->extra_len += n;
}
static inline void msg_keep_line(struct msg *m, enum token name, const struct text *t)
{
    must(!t->full);
    msg_field_added(m, name, (u32)t->n);
}
struct slice msg_keep_text(struct msg *m, const struct text *t);
/* Appends a line of our own that stands somewhere already. */
static inline bool msg_add_line(struct msg *m, enum token name, struct slice line)
{
    if (!msg_has_room(m, line.n) && !msg_more_room(m, line.n))
        return false;
    memcpy(m->extra + m->extra_len, line.p, line.n);
    msg_field_added(m, name, (u32)line.n);
    return true;
}
/* Room for more entries than m->cap; entries may move. False: no memory. Used by the parsers. */
bool msg_grow(struct msg *m);

/* Cuts the next non-empty element, without blanks around it, off a comma list (RFC 9110 section
 * 5.6.1; not for lists whose elements may hold quoted commas). False at the end. */
bool list_next(struct slice *rest, struct slice *item);

#endif
