/*
 * What was forgotten shows by what follows. Only the schema can tell a key from a value, so this is
 * found here and not by the parser.
 */
#include "config/schema_repair.h"

#include "config/schema_key.h"
#include "config/schema_type.h"

/* Cuts n before its word i; what follows is a node of its own, to which the block belongs. */
static struct node *cut_node(struct tree *t, struct node *n, u32 i, struct diags *d)
{
    const struct word *before = &n->words[i - 1];
    struct position behind = before->at;
    behind.column += before->width;
    diag_error_at(d, behind, 1, "a \";\" is missing behind %s", word_shown(before));
    struct node *rest = arena_alloc(&t->arena, sizeof *rest);
    *rest = *n;
    rest->words = &n->words[i];
    rest->nwords = n->nwords - i;
    n->nwords = i;
    n->block = n->torn = false;
    n->children = n->last = NULL;
    n->end = behind;
    n->next = rest;
    return rest;
}

/* How many words a statement may have, its key included; any number when it is none of `rows`. */
static u32 most_words(const struct node *n, const struct schema_row *rows)
{
    const struct schema_row *row = schema_row_of(rows, n);
    if (row == NULL || row->kind != ROW_STATEMENT)
        return UINT32_MAX;
    return schema_key_words(row) + schema_most_words(row);
}

void schema_repair_statement(struct tree *t, struct node *n, const struct schema_row *rows,
                             struct diags *d)
{
    struct node *last = n;
    u32 most = most_words(n, rows);
    for (u32 i = 2; i < last->nwords; i++) {
        const struct word *w = &last->words[i];
        bool may_begin = i >= most || w->at.line != w[-1].at.line;
        if (!may_begin || w->kind != WORD_BARE || !schema_is_key(rows, w->text))
            continue;
        last = cut_node(t, last, i, d);
        most = most_words(last, rows);
        i = 1;
    }
    if (last == n)
        return;
    for (struct node *child = last->children; child; child = child->next)
        child->parent = last;
    if (n->parent->last == n)
        n->parent->last = last;
}
