/* Reading a checked tree: the value that stands there, or else the default of the table. */
#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"
#include "config/file.h"
#include "config/schema_type.h"

static const struct schema_row *row_named(const struct schema_row *rows, const char *key)
{
    while (rows->key && strcmp(rows->key, key) != 0)
        rows++;
    must(rows->key != NULL);
    return rows;
}

struct slice schema_text(const struct schema_row *rows, const struct node *block, const char *key)
{
    const struct schema_row *row = row_named(rows, key);
    const struct node *n = node_child(block, key);
    if (n)
        return node_nargs(n) ? node_arg(n, 0)->text : SLICE("");
    struct slice rest = slice_of(row->fallback), first = SLICE("");
    slice_cut(&rest, ' ', &first);
    return first;
}

u64 schema_number(const struct schema_row *rows, const struct node *block, const char *key)
{
    const struct schema_row *row = row_named(rows, key);
    struct slice text = schema_text(rows, block, key);
    return text.n ? schema_word_number(row, schema_word_type(row, 0), text) : 0;
}

u64 schema_number_of(const struct node *statement, u32 i)
{
    const struct schema_row *row = statement->row;
    return schema_word_number(row, schema_word_type(row, i), node_arg(statement, i)->text);
}

u32 schema_number32(const struct schema_row *rows, const struct node *block, const char *key)
{
    u64 v = schema_number(rows, block, key);
    return v > UINT32_MAX ? UINT32_MAX : (u32)v;
}

const struct node *schema_ref(const struct node *statement, u32 i)
{
    const struct node *n =
        node_named(statement, statement->row->refers, node_arg(statement, i)->text);
    must(n != NULL);
    return n;
}

const char *schema_path(struct arena *a, const struct word *w)
{
    return file_path(a, w->at.file, w->text).p;
}
