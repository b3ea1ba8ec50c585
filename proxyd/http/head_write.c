/*
 * A parsed head back into bytes. A field that arrived as "Name: value" CRLF is copied with its
 * neighbours in one piece: every byte of it was checked by the parser, and blanks in other places
 * make it leave the piece and be written anew.
 */
#include "http/head.h"

/* The field as it stands in memory, when that is the form to be sent; else NULL. */
static const char *as_it_stands(struct slice name, struct slice value, const char **end)
{
    bool adjacent = value.p == name.p + name.n + 2 && name.p[name.n] == ':' &&
                    name.p[name.n + 1] == ' ' && value.p[value.n] == '\r';
    *end = value.p + value.n + 2;
    return adjacent ? name.p : NULL;
}

static void put_run(struct text *out, const char *run, const char *end)
{
    if (run)
        text_put(out, run, (size_t)(end - run));
}

void head_write_fields(struct text *out, const struct msg *m)
{
    const char *run = NULL, *run_end = NULL;
    for (const struct field *f = m->fields, *stop = f + m->nfields; f < stop; f++) {
        if (f->id == FIELD_DELETED)
            continue;
        struct slice name = msg_name(m, f), value = msg_value(m, f);
        const char *end, *piece = as_it_stands(name, value, &end);
        if (piece && piece == run_end) {
            run_end = end;
            continue;
        }
        put_run(out, run, run_end);
        run = piece;
        run_end = piece ? end : NULL;
        if (!piece) {
            text_add(out, name);
            text_lit(out, ": ");
            text_add(out, value);
            text_lit(out, "\r\n");
        }
    }
    put_run(out, run, run_end);
}

void head_write_request_line(struct text *out, struct slice method, struct slice target)
{
    text_add(out, method);
    text_char(out, ' ');
    text_add(out, target);
    text_lit(out, " HTTP/1.1\r\n");
}

void head_write_status_line(struct text *out, unsigned status, struct slice reason)
{
    text_lit(out, "HTTP/1.1 ");
    text_pad(out, status, 3);
    text_char(out, ' ');
    text_add(out, reason);
    text_lit(out, "\r\n");
}
