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

/* ---- a forgotten } ---- */

static const struct schema_row *block_row(const struct schema_row *rows, const struct node *n)
{
    const struct schema_row *row = rows && n->block ? schema_row_of(rows, n) : NULL;
    return row && row->kind != ROW_STATEMENT ? row : NULL;
}

/* The first child of an open block that belongs to rows `outer` and not to its own, `inner`;
 * *before is the one before it. */
static struct node *first_stray(struct node *open, const struct schema_row *outer,
                                const struct schema_row *inner, struct node **before)
{
    u32 line = open->words[open->nwords - 1].at.line;
    *before = NULL;
    for (struct node *n = open->children; n; *before = n, line = n->end.line, n = n->next)
        if (n->words[0].at.line != line && block_row(outer, n) && !block_row(inner, n))
            return n;
    return NULL;
}

/* The open blocks from `block` down to `open`, each the last child of the one before. */
static void tell_missing_brace(struct node *block, const struct node *open,
                               const struct node *stray, struct diags *d)
{
    diag_error(d, &stray->words[0], "\"}\" is missing before %s", slice_shown(node_key(stray)));
    for (struct node *n = block;; n = n->last) {
        diag_more(d, "the block %s at %s is not closed", slice_shown(node_key(n)),
                  position_shown(node_at(n)));
        n->open = false;
        if (n == open)
            return;
    }
}

static void tell_open(struct node *block, struct diags *d)
{
    block->parent->torn = true;
    for (struct node *n = block; n && n->open; n = n->last) {
        diag_error(d, &n->words[0], "the block %s is not closed", slice_shown(node_key(n)));
        n->torn = true;
        n->open = false;
    }
}

/* Puts `stray` and its followers from the end of `open` behind `block`, a child of parent. */
static void move_behind(struct node *block, struct node *stray, struct node *open,
                        struct node *before)
{
    struct node *parent = block->parent, *last = open->last;
    for (struct node *n = stray; n; n = n->next)
        n->parent = parent;
    last->next = block->next;
    block->next = stray;
    if (parent->last == block)
        parent->last = last;
    open->last = before;
    if (before)
        before->next = NULL;
    else
        open->children = NULL;
}

/* `block` is open, and so may be its last child, and so on. */
static void close_block(struct node *block, const struct schema_row *rows, struct diags *d)
{
    const struct schema_row *row = block_row(rows, block);
    for (struct node *open = block; open && open->open; open = open->last) {
        const struct schema_row *inner = row ? row->children : NULL;
        struct node *before, *stray = first_stray(open, rows, inner, &before);
        if (stray) {
            tell_missing_brace(block, open, stray, d);
            move_behind(block, stray, open, before);
            return;
        }
        row = open->last ? block_row(inner, open->last) : NULL;
    }
    tell_open(block, d);
}

void schema_repair_blocks(struct node *parent, const struct schema_row *rows, struct diags *d)
{
    for (struct node *n = parent->children; n; n = n->next)
        if (n->open)
            close_block(n, rows, d);
}
