#include "cache/manifest.h"

#include "base/str.h"

void manifest_write(struct text *out, const struct manifest *m)
{
    text_lit(out, "slices ");
    text_u64(out, m->id);
    text_char(out, ' ');
    text_u64(out, m->size);
    text_char(out, ' ');
    text_u64(out, m->length);
}

static bool next_number(struct slice *rest, u64 *out)
{
    struct slice piece;
    return slice_cut(rest, ' ', &piece) && slice_u64(piece, out);
}

bool manifest_read(struct slice body, struct manifest *out)
{
    struct slice piece;
    struct manifest m;
    if (!slice_cut(&body, ' ', &piece) || !slice_is(piece, "slices") ||
        !next_number(&body, &m.id) || !next_number(&body, &m.size) ||
        !next_number(&body, &m.length) || slice_cut(&body, ' ', &piece))
        return false;
    if (m.size == 0 || m.length == 0)
        return false;
    *out = m;
    return true;
}

/* The body is whole, and lies in one piece. */
bool manifest_of(const struct object *o, struct manifest *out)
{
    const struct chunk *c = o->body->first;
    return object_is_manifest(o) && c && manifest_read((struct slice){ c->bytes, c->n }, out);
}

struct byte_range block_range(u64 length, u64 size, u64 number)
{
    u64 from = number * size;
    return (struct byte_range){ from, length - from > size ? from + size - 1 : length - 1 };
}

void block_path(struct text *out, struct slice path, const struct manifest *m, u64 number)
{
    text_add(out, path);
    text_lit(out, " slice-");
    text_u64(out, number);
    text_char(out, '-');
    text_hex(out, m->id);
}

bool block_is_of(struct slice url, const struct manifest *m)
{
    char area[24];
    struct text t = text_in(area, sizeof area);
    text_char(&t, '-');
    text_hex(&t, m->id);
    return url_is_block(url) && slice_ends(url, text_slice(&t));
}

bool content_range_read(struct slice value, struct byte_range *r, u64 *length)
{
    struct slice from, to;
    u64 whole;
    if (value.n < 6 || !slice_eq_nocase((struct slice){ value.p, 6 }, SLICE("bytes ")))
        return false;
    value = slice_skip(value, 6);
    if (!slice_cut(&value, '-', &from) || !slice_cut(&value, '/', &to) ||
        !slice_u64(from, &r->from) || !slice_u64(to, &r->to) || !slice_u64(value, &whole) ||
        r->from > r->to || r->to >= whole)
        return false;
    *length = whole;
    return true;
}
