/* The list of a segment's frames: kept while it is open, written as the footer when it is sealed,
 * read from there, or made anew from the frames themselves. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/disk/segment.h"

/* The footer's payload begins with it; then entries, then names: two bytes of length each, text. */
struct footer_fixed {
    u32 entries, names, name_bytes, zero;
};

struct seg_entry seg_entry_of(const struct seglog_record *r, u32 at, u32 n, u16 vary)
{
    u64 whole = frame_bytes(n);
    for (u32 i = 0; i < r->nparts; i++)
        whole += frame_bytes(r->part[i].n);
    whole /= SEGLOG_UNIT;
    return (struct seg_entry){ .key = r->key,
                               .at = at,
                               .n = n,
                               .until = r->until < UINT32_MAX ? (u32)r->until : UINT32_MAX,
                               .variant = (u32)r->variant,
                               .whole = whole < UINT32_MAX ? (u32)whole : UINT32_MAX,
                               .vary = vary,
                               .kind = SEGLOG_RECORD };
}

static bool has_name(const struct segment *s, u16 vary)
{
    return vary == 0 || (s->has_name[vary / 64] >> vary % 64 & 1);
}

u64 segment_footer_bytes(const struct segment *s, u16 vary, size_t n)
{
    u64 bytes = sizeof(struct footer_fixed) + (s->list.n + 1ull) * sizeof(struct seg_entry);
    bytes += s->names + (has_name(s, vary) ? 0 : sizeof(u16) + n);
    return (bytes + FRAME_HEAD + SEGLOG_UNIT - 1) / SEGLOG_UNIT * SEGLOG_UNIT + SEGLOG_UNIT;
}

bool segment_note(struct segment *s, const struct seg_entry *e, const struct vary_names *names)
{
    if (!seg_list_add(&s->list, e))
        return false;
    if (!has_name(s, e->vary)) {
        s->has_name[e->vary / 64] |= 1ull << e->vary % 64;
        s->names += (u32)(sizeof(u16) + vary_names_text(names, e->vary).n);
    }
    return true;
}

/* ---- the footer written ---- */

/* The numbers that the names of a list have in its footer, in the order of their first use. */
struct names_out {
    u16 number[SEGLOG_NAMES];
    char *to;
    u16 n; /* with "" */
};

static u16 name_out(struct names_out *o, const struct vary_names *names, u16 vary)
{
    if (vary == 0 || o->number[vary])
        return o->number[vary];
    struct slice text = vary_names_text(names, vary);
    u16 n = (u16)text.n;
    memcpy(o->to, &n, sizeof n);
    memcpy(o->to + sizeof n, text.p, text.n);
    o->to += sizeof n + text.n;
    return o->number[vary] = o->n++;
}

static u32 footer_write(const struct segment *s, const struct vary_names *names, char *payload)
{
    struct footer_fixed f = { .entries = s->list.n };
    struct names_out out = { .n = 1 };
    char *to = payload + sizeof f, *begin = to + s->list.n * sizeof(struct seg_entry);
    out.to = begin;
    for (u32 i = 0; i < s->list.n; i++) {
        struct seg_entry e = s->list.entry[i];
        e.vary = name_out(&out, names, e.vary);
        e.uses = 0;
        memcpy(to + i * sizeof e, &e, sizeof e);
    }
    f.names = out.n;
    f.name_bytes = (u32)(out.to - begin);
    memcpy(payload, &f, sizeof f);
    return (u32)(out.to - payload);
}

static bool write_footer(struct segment *s, const struct vary_names *names, u32 *size)
{
    u32 end = atomic_load(&s->end), at = end / SEGLOG_UNIT;
    u64 most = segment_footer_bytes(s, 0, 0);
    char *p = calloc(1, most);
    if (p == NULL)
        return false;
    u32 n = footer_write(s, names, p + FRAME_HEAD);
    u32 bytes = frame_bytes(n);
    struct frame_head h;
    frame_head_write(&h, layout_seed(s->salt, s->number, at), SEGLOG_FOOTER, p + FRAME_HEAD, n);
    memcpy(p, &h, sizeof h);
    layout_last_write(p + bytes, s->salt, s->number, at + bytes / SEGLOG_UNIT, at);
    *size = end + bytes + SEGLOG_UNIT;
    bool good = segment_write_all(s->fd, p, bytes + SEGLOG_UNIT, end);
    free(p);
    return good;
}

bool segment_seal(struct segment *s, const struct vary_names *names)
{
    u32 size = 0;
    s->sealed = write_footer(s, names, &size) && ftruncate(s->fd, size) == 0;
    int why = errno;
    if (s->sealed)
        seg_list_end(&s->list);
    else
        size = atomic_load(&s->end);
    if (ftruncate(s->fd, size) == 0)
        s->file = size;
    errno = why;
    return s->sealed;
}

/* ---- and read ---- */

bool segment_find_footer(struct segment *s)
{
    char last[SEGLOG_UNIT];
    u32 at = s->file / SEGLOG_UNIT - 1, footer;
    if (s->file % SEGLOG_UNIT ||
        !segment_read_all(s->fd, last, sizeof last, (off_t)at * SEGLOG_UNIT) ||
        !layout_last_read(last, s->salt, s->number, at, &footer) || footer == 0)
        return false;
    atomic_store(&s->end, footer * SEGLOG_UNIT);
    s->sealed = true;
    return true;
}

/* The numbers in memory of a footer's names; those that have no room: -1. */
static bool names_in(struct slice text, u32 n, int *number, struct vary_names *names)
{
    number[0] = 0;
    for (u32 i = 1; i < n; i++) {
        u16 len;
        if (text.n < sizeof len)
            return false;
        memcpy(&len, text.p, sizeof len);
        text = slice_skip(text, sizeof len);
        if (text.n < len)
            return false;
        number[i] = names ? vary_names_add(names, (struct slice){ text.p, len }) : 0;
        text = slice_skip(text, len);
    }
    return true;
}

static bool entry_good(const struct segment *s, const struct seg_entry *e, u32 names)
{
    return e->at > 0 && e->n <= FRAME_MOST &&
           (u64)e->at * SEGLOG_UNIT + frame_bytes(e->n) <= atomic_load(&s->end) &&
           e->kind >= SEGLOG_RECORD && e->kind <= SEGLOG_BAN && e->vary < names;
}

static bool footer_take(const struct segment *s, struct slice payload, struct seg_list *out,
                        struct vary_names *names)
{
    struct footer_fixed f;
    int number[SEGLOG_NAMES];
    if (payload.n < sizeof f)
        return false;
    memcpy(&f, payload.p, sizeof f);
    u64 entries = (u64)f.entries * sizeof *out->entry;
    if (f.names == 0 || f.names > SEGLOG_NAMES || sizeof f + entries + f.name_bytes != payload.n ||
        !names_in(slice_skip(payload, sizeof f + entries), f.names, number, names))
        return false;
    if (f.entries && (out->entry = malloc(entries)) == NULL)
        return false;
    out->room = f.entries;
    for (u32 i = 0; i < f.entries; i++) {
        struct seg_entry e;
        memcpy(&e, payload.p + sizeof f + i * sizeof e, sizeof e);
        if (!entry_good(s, &e, f.names))
            return false;
        int vary = number[e.vary];
        e.vary = (u16)vary;
        if (vary >= 0)
            out->entry[out->n++] = e;
    }
    return true;
}

bool segment_footer_read(const struct segment *s, struct seg_list *out, struct vary_names *names)
{
    struct frame_head h;
    u32 end = atomic_load(&s->end), at = end / SEGLOG_UNIT;
    *out = (struct seg_list){ 0 };
    if (!s->sealed || !segment_read_all(s->fd, &h, sizeof h, end) ||
        !frame_head_good(&h, layout_seed(s->salt, s->number, at)) || h.n > s->file - end)
        return false;
    char *p = malloc(h.n ? h.n : 1);
    bool good = p && segment_payload(s, at, SEGLOG_FOOTER, h.n, p) &&
                footer_take(s, (struct slice){ p, h.n }, out, names);
    free(p);
    if (!good)
        seg_list_end(out);
    return good;
}

/* ---- without one ---- */

enum { WINDOW = 2 << 20 }; /* bytes read at once: more than a frame */

struct scan {
    struct segment *s;
    char *window;
    u32 from, n; /* of the file, what the window has */
    u32 end;     /* of what is to be read */
    struct vary_names *names;
};

/* Bytes [at, at + n) of the file, or NULL: it ends before. */
static const char *scan_bytes(struct scan *c, u32 at, u32 n)
{
    if (at >= c->from && (u64)at + n <= (u64)c->from + c->n)
        return c->window + (at - c->from);
    u32 left = c->end - at, want = left < WINDOW ? left : WINDOW;
    c->from = at;
    c->n = 0;
    if (n > want || !segment_read_all(c->s->fd, c->window, want, at))
        return NULL;
    c->n = want;
    return c->window;
}

static bool note_frame(struct scan *c, u32 at, enum seglog_kind kind, struct slice payload)
{
    struct seg_entry e = { .at = at, .n = (u32)payload.n, .kind = (u8)kind };
    struct seglog_record r;
    struct iovec piece;
    if (kind == SEGLOG_BYTES)
        return true;
    if (kind == SEGLOG_RECORD) {
        if (!seglog_record_read(payload, &r, &piece))
            return false;
        int vary = vary_names_add(c->names, r.vary);
        if (vary < 0)
            return true;
        e = seg_entry_of(&r, at, e.n, (u16)vary);
    } else if (kind == SEGLOG_GONE) {
        if (payload.n != sizeof e.key)
            return false;
        memcpy(&e.key, payload.p, sizeof e.key);
    }
    return segment_note(c->s, &e, c->names);
}

enum scanned { SCAN_ON, SCAN_END, SCAN_BAD };

static bool all_zero(const char *p, size_t n)
{
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static enum scanned scan_frame(struct scan *c, u32 at, u32 *next)
{
    struct frame_head h;
    u64 seed = layout_seed(c->s->salt, c->s->number, at / SEGLOG_UNIT);
    if (at + SEGLOG_UNIT > c->end)
        return SCAN_END;
    const char *p = scan_bytes(c, at, SEGLOG_UNIT);
    if (p == NULL)
        return SCAN_BAD;
    memcpy(&h, p, sizeof h);
    if (all_zero(p, SEGLOG_UNIT))
        return SCAN_END;
    if (!frame_head_good(&h, seed))
        return SCAN_BAD;
    if (h.kind == SEGLOG_FOOTER)
        return SCAN_END;
    if (h.n > FRAME_MOST || (p = scan_bytes(c, at, FRAME_HEAD + h.n)) == NULL)
        return SCAN_BAD;
    struct slice payload = { p + FRAME_HEAD, h.n };
    *next = at + frame_bytes(h.n);
    return frame_payload_good(&h, seed, payload) &&
                   note_frame(c, at / SEGLOG_UNIT, (enum seglog_kind)h.kind, payload)
               ? SCAN_ON
               : SCAN_BAD;
}

bool segment_scan(struct segment *s, struct vary_names *names)
{
    struct scan c = { .s = s, .window = malloc(WINDOW), .names = names };
    c.end = s->sealed ? atomic_load(&s->end) : s->file;
    enum scanned is = c.window ? SCAN_ON : SCAN_BAD;
    u32 at = SEGLOG_UNIT;
    s->sealed = false;
    seg_list_end(&s->list);
    while (is == SCAN_ON) {
        u32 next = at;
        is = scan_frame(&c, at, &next);
        at = is == SCAN_ON ? next : at;
    }
    free(c.window);
    atomic_store(&s->end, at);
    return is == SCAN_END;
}
