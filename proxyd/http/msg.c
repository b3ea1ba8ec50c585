/* Finding and changing fields of a parsed head: see msg.h for where their text lives. */
#include "http/msg.h"

#include "base/must.h"
#include "base/str.h"
#include "http/chars.h"

void msg_init(struct msg *m, struct arena *arena)
{
    set_zero(m, offsetof(struct msg, inline_fields));
    m->fields = m->inline_fields;
    m->cap = MSG_INLINE_FIELDS;
    m->arena = arena;
}

void msg_again(struct msg *m)
{
    char *lent = m->extra;
    u32 n = m->extra_cap;
    struct authority *host_field = m->host_field;
    msg_init(m, m->arena);
    msg_lend(m, lent, n);
    m->host_field = host_field;
}

const struct field *msg_find_there(const struct msg *m, enum token t)
{
    for (const struct field *f = m->fields, *end = f + m->nfields; f < end; f++)
        if (f->id == t)
            return f;
    return NULL;
}

const struct field *msg_find_next(const struct msg *m, const struct field *f)
{
    const struct field *first = f, *end = m->fields + m->nfields;
    while (++f < end)
        if (f->id == first->id &&
            (f->id != TOKEN_OTHER || slice_eq_nocase(msg_name(m, f), msg_name(m, first))))
            return f;
    return NULL;
}

const struct field *msg_find_name(const struct msg *m, struct slice name)
{
    enum token t = token_find(name);
    if (t != TOKEN_OTHER || !msg_has(m, TOKEN_OTHER))
        return msg_find(m, t);
    for (const struct field *f = m->fields, *end = f + m->nfields; f < end; f++)
        if (f->id == TOKEN_OTHER && slice_eq_nocase(msg_name(m, f), name))
            return f;
    return NULL;
}

unsigned msg_count(const struct msg *m, enum token t)
{
    unsigned n = 0;
    if (msg_has(m, t))
        for (unsigned i = 0; i < m->nfields; i++)
            n += m->fields[i].id == t;
    return n;
}

struct slice msg_get(const struct msg *m, enum token t)
{
    const struct field *f = msg_find(m, t);
    return f ? msg_value(m, f) : (struct slice){ NULL, 0 };
}

static void forget(struct msg *m, enum token t)
{
    m->present[t >> 6] &= ~(1ull << (t & 63));
}

void msg_remove_there(struct msg *m, enum token t)
{
    for (struct field *f = m->fields, *end = f + m->nfields; f < end; f++)
        if (f->id == t)
            f->id = FIELD_DELETED;
    forget(m, t);
}

static inline void remove_of_word(struct msg *m, unsigned w, u64 there)
{
    for (; unlikely(there); there &= there - 1)
        msg_remove_there(m, (enum token)(64 * w + (unsigned)__builtin_ctzll(there)));
}

/* Nearly always one name or none is there, so each has a pass of its own. */
void msg_remove_all(struct msg *m, const u64 mask[2])
{
    remove_of_word(m, 0, m->present[0] & mask[0]);
    remove_of_word(m, 1, m->present[1] & mask[1]);
}

void msg_remove_name(struct msg *m, struct slice name)
{
    const struct field *f;
    while ((f = msg_find_name(m, name)) != NULL)
        msg_remove_field(m, &m->fields[f - m->fields]);
}

void msg_remove_field(struct msg *m, struct field *f)
{
    u16 id = f->id;
    f->id = FIELD_DELETED;
    if (id != FIELD_DELETED && msg_count(m, (enum token)id) == 0)
        forget(m, (enum token)id);
}

bool msg_grow(struct msg *m)
{
    unsigned cap = m->cap < 0x8000 ? m->cap * 2u : 0xFFFF;
    must(m->arena != NULL && m->nfields < cap);
    struct field *more = arena_try(m->arena, cap * sizeof *more);
    if (more == NULL)
        return false;
    memcpy(more, m->fields, m->nfields * sizeof *more);
    m->fields = more;
    m->cap = (u16)cap;
    return true;
}

/* Room for n more bytes of extra; what it held before stays readable in the arena. */
static bool extra_room(struct msg *m, size_t n)
{
    if (likely(n <= m->extra_cap - m->extra_len))
        return true;
    size_t cap = m->extra_cap ? m->extra_cap * 2u : 256;
    while (cap < m->extra_len + n)
        cap *= 2;
    must(m->arena != NULL && cap < FIELD_EXTRA);
    char *more = arena_try(m->arena, cap);
    if (more == NULL)
        return false;
    if (m->extra_len)
        memcpy(more, m->extra, m->extra_len);
    m->extra = more;
    m->extra_cap = (u32)cap;
    return true;
}

bool msg_add(struct msg *m, struct slice name, struct slice value)
{
    must(name.n <= UINT16_MAX && slice_is_token(name));
    value = slice_trim(value);
    if (!msg_more_room(m, name.n + value.n + 4))
        return false;
    char *p = m->extra + m->extra_len, *v = p + name.n + 2;
    memcpy(p, name.p, name.n);
    memcpy(p + name.n, ": ", 2);
    for (size_t i = 0; i < value.n; i++)
        v[i] = char_is(value.p[i], CHAR_CONTROL) ? ' ' : value.p[i];
    memcpy(v + value.n, "\r\n", 2);

    enum token t = token_find(name);
    m->fields[m->nfields++] = (struct field){
        .id = (u16)t,
        .nlen = (u16)name.n,
        .noff = m->extra_len | FIELD_EXTRA,
        .voff = (u32)(m->extra_len + name.n + 2) | FIELD_EXTRA,
        .vlen = (u32)value.n,
    };
    m->present[t >> 6] |= 1ull << (t & 63);
    m->extra_len += (u32)(name.n + value.n + 4);
    return true;
}

bool msg_set(struct msg *m, enum token t, struct slice value)
{
    msg_remove(m, t);
    return msg_add(m, token_name(t), value);
}

bool msg_more_room(struct msg *m, size_t most)
{
    return extra_room(m, most) && (m->nfields < m->cap || msg_grow(m));
}

struct slice msg_keep_text(struct msg *m, const struct text *t)
{
    must(!t->full);
    m->extra_len += (u32)t->n;
    return text_slice(t);
}

bool list_next(struct slice *rest, struct slice *item)
{
    while (slice_cut(rest, ',', item)) {
        *item = slice_trim(*item);
        if (item->n)
            return true;
    }
    return false;
}
