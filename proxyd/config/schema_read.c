/* Reading a checked tree: what stands there, or else the default of the table, goes where the row
 * says. */
#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"
#include "config/file.h"
#include "config/schema_type.h"

struct schema_values schema_values(const struct schema_row *row, const struct node *n)
{
    return (struct schema_values){ .n = n, .rest = n ? SLICE("") : slice_of(row->fallback) };
}

bool schema_values_next(struct schema_values *v, struct slice *out)
{
    if (v->n == NULL)
        return slice_cut(&v->rest, ' ', out);
    if (v->i == node_nargs(v->n))
        return false;
    *out = node_arg(v->n, v->i++)->text;
    return true;
}

size_t schema_values_most(const struct schema_values *v)
{
    return v->n ? node_nargs(v->n) - v->i : v->rest.n;
}

static struct slice first_word(const struct schema_row *row, const struct node *n)
{
    struct schema_values v = schema_values(row, n);
    struct slice text;
    return schema_values_next(&v, &text) ? text : SLICE("");
}

u64 schema_number(const struct schema_row *row, const struct node *n)
{
    struct slice text = first_word(row, n);
    return text.n ? schema_word_number(row, schema_word_type(row, 0), text) : 0;
}

static u8 choice(const struct schema_row *row, const struct node *n)
{
    struct slice word = first_word(row, n), rest = slice_of(row->choices), one;
    for (u8 i = 0; slice_cut(&rest, ' ', &one); i++)
        if (slice_eq(one, word))
            return i;
    return 0;
}

static void store(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    u64 number;
    switch ((enum schema_store)row->store) {
    case STORE_NOTHING: break;
    case STORE_BOOL: *(bool *)to = choice(row, n) == 0; break;
    case STORE_U8: *(u8 *)to = choice(row, n); break;
    case STORE_U32:
        number = schema_number(row, n);
        *(u32 *)to = number > UINT32_MAX ? UINT32_MAX : (u32)number;
        break;
    case STORE_U64: *(u64 *)to = schema_number(row, n); break;
    case STORE_TEXT: *(struct slice *)to = arena_copy(a, first_word(row, n)); break;
    case STORE_NODE:
        if (n)
            *(const struct node **)to = schema_ref(n, 0);
        break;
    case STORE_BLOCK: schema_fill(row->children, n, a, to); break;
    }
}

enum { MOST_ROWS = 64 };

void schema_fill(const struct schema_row *rows, const struct node *block, struct arena *a, void *to)
{
    const struct node *first[MOST_ROWS] = { NULL };
    for (const struct node *n = block ? block->children : NULL; n; n = n->next) {
        must(n->row >= rows && n->row < rows + MOST_ROWS);
        if (first[n->row - rows] == NULL)
            first[n->row - rows] = n;
    }
    for (u32 i = 0; rows[i].key; i++) {
        void *member = (char *)to + rows[i].offset;
        must(i < MOST_ROWS);
        if (rows[i].read)
            rows[i].read(&rows[i], first[i], a, member);
        else
            store(&rows[i], first[i], a, member);
    }
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
