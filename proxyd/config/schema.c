/*
 * Tree against table. Every statement finds its row, every word its type; what is unknown, doubled,
 * missing or unused is reported. The hard part is to stay linear: a hostile file may hold hundreds
 * of thousands of blocks of one name, so names go into one hash table and never through a list.
 */
#include "config/schema.h"

#include <stdlib.h>

#include "base/idn.h"
#include "base/must.h"
#include "base/str.h"
#include "config/schema_key.h"
#include "config/schema_repair.h"
#include "config/schema_type.h"

enum { ROWS_MAX = 64 }; /* rows of one table */

/* Named blocks by (parent, space, name). */
struct name_slot {
    const struct node *parent;
    const char *space;
    struct node *node;
};

struct checker {
    struct tree *t;
    struct diags *d;
    const struct schema_row *top;
    struct node *root;
    struct name_slot *slots;
    size_t nslots; /* a power of two, at most half full */
};

/* ---- names ---- */

static const char *space_of(const struct schema_row *row)
{
    return row->space ? row->space : row->key;
}

static size_t count_nodes(const struct node *n)
{
    size_t count = 0;
    for (const struct node *c = n->children; c; c = c->next)
        count += 1 + count_nodes(c);
    return count;
}

static struct name_slot *slot_of(const struct checker *c, const struct node *parent,
                                 const char *space, struct slice name)
{
    u64 h = 14695981039346656037ull ^ ((uintptr_t)parent >> 4);
    for (const char *p = space; *p; p++)
        h = (h ^ (u8)*p) * 1099511628211ull;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (u8)name.p[i]) * 1099511628211ull;
    for (size_t i = (h ^ h >> 32) & (c->nslots - 1);; i = (i + 1) & (c->nslots - 1)) {
        struct name_slot *s = &c->slots[i];
        if (s->node == NULL || (s->parent == parent && strcmp(s->space, space) == 0 &&
                                slice_eq(node_name(s->node), name)))
            return s;
    }
}

static void add_name(struct checker *c, struct node *n)
{
    const char *space = space_of(n->row);
    struct name_slot *s = slot_of(c, n->parent, space, node_name(n));
    if (s->node == NULL) {
        *s = (struct name_slot){ n->parent, space, n };
    } else if (s->node != n) {
        diag_error(c->d, &n->words[1], "the name %s is already taken, at %s",
                   slice_shown(node_name(n)), position_shown(node_at(s->node)));
    }
}

static bool any_negatable(const struct schema_row *rows)
{
    for (; rows->key; rows++)
        if (rows->negatable)
            return true;
    return false;
}

/* ---- words ---- */

/* Is there a block that may be the one of this name: misspelt, or with a name that is not known? */
static bool may_be_there(const struct checker *c, const char *key, struct slice name)
{
    if (c->root->torn)
        return true;
    for (const struct node *b = c->root->children; b; b = b->next) {
        if (b->nwords < 2)
            continue;
        bool misspelt = b->meant && strcmp(b->meant->key, key) == 0 && slice_eq(node_name(b), name);
        if (misspelt || (b->words[1].reported && slice_is(node_key(b), key)))
            return true;
    }
    return false;
}

static bool check_ref(struct checker *c, const struct schema_row *row, const struct word *w)
{
    struct name_slot *s = slot_of(c, c->root, row->refers, w->text);
    if (s->node)
        s->node->used = true;
    if (s->node || may_be_there(c, row->refers, w->text))
        return true;
    struct guess g = guess_for(w->text);
    bool any = false;
    for (const struct node *b = c->root->children; b; b = b->next)
        if (slice_is(node_key(b), row->refers)) {
            guess_try(&g, node_name(b));
            any = true;
        }
    char area[300];
    struct text block = text_in(area, sizeof area);
    text_fmt(&block, "%s ", row->refers);
    text_put(&block, w->text.p, w->text.n < 200 ? w->text.n : 200);
    diag_error(c->d, w, "there is no block %s",
               w->kind == WORD_SECRET ? "of this name" : slice_shown(text_slice(&block)));
    diag_more(c->d,
              any ? "expected the name of a block \"%s NAME { ... }\""
                  : "expected a block \"%s NAME { ... }\" at the top level",
              row->refers);
    guess_tell(&g, c->d);
    return false;
}

static bool check_choice(struct checker *c, const struct node *n, u32 i)
{
    const struct word *w = &n->words[i];
    if (schema_listed(n->row->bound, w->text))
        return true;
    struct guess g = guess_for(w->text);
    guess_try_list(&g, n->row->bound);
    diag_error(c->d, w, "%s is not a %s", word_shown(w), n->words[i - 1].text.p);
    diag_more(c->d, "expected one of: %s", list_shown(n->row->bound));
    guess_tell(&g, c->d);
    return false;
}

/* Words bound to the one before, as in `to class private`: word i binds the next. */
static bool check_bound(struct checker *c, const struct node *n, u32 i)
{
    const struct schema_row *row = n->row;
    struct slice rest = slice_of(row->binds), first;
    bool chooses = row->bound && slice_cut(&rest, ' ', &first) && slice_eq(n->words[i].text, first);
    if (i + 1 >= n->nwords) {
        diag_error(c->d, &n->words[i], "%s needs a word behind it", word_shown(&n->words[i]));
        if (chooses)
            diag_more(c->d, "expected one of: %s", list_shown(row->bound));
        return false;
    }
    if (chooses)
        return check_choice(c, n, i + 1);
    if (row->refers && slice_is(n->words[i].text, row->refers))
        return check_ref(c, row, &n->words[i + 1]);
    return true;
}

/* The example, when there is one, shows what was expected best of all. */
static void tell_example(struct checker *c, const struct schema_row *row)
{
    if (row->example && strchr(row->example, '\n') == NULL)
        diag_more(c->d, "expected something like: %s", row->example);
}

static bool check_count(struct checker *c, const struct node *n, u32 first)
{
    u32 have = n->nwords - first, least = schema_least_words(n->row),
        most = schema_most_words(n->row);
    if (have < least) {
        const struct word *w = &n->words[n->nwords - 1];
        const char *what = n->row->kind == ROW_NAMED ? "a name"
                           : have                    ? "one more word"
                                                     : "a value";
        diag_error(c->d, w, "\"%s\" needs %s", n->row->key, what);
        tell_example(c, n->row);
        return false;
    }
    if (have <= most)
        return true;
    if (most == 0)
        diag_error(c->d, &n->words[first], "\"%s\" takes no name", n->row->key);
    else
        diag_error(c->d, &n->words[first + most], "\"%s\" takes only %u word%s", n->row->key, most,
                   most == 1 ? "" : "s");
    tell_example(c, n->row);
    return false;
}

/* Names in U-labels are A-labels from here on. What has no such form stays and is told. */
static void take_idn(struct checker *c, enum schema_type t, struct word *w)
{
    char area[512];
    struct text ascii = text_in(area, sizeof area);
    bool host = t == TYPE_DOMAIN || t == TYPE_HOST_PATTERN || t == TYPE_DESTINATION;
    struct slice name = w->text;
    const char *colon = t == TYPE_SERVER ? slice_find(name, ':') : NULL;
    if (w->kind == WORD_REGEX || !(host || colon) || likely(!idn_is_needed(name)))
        return;
    if (colon)
        name.n = (size_t)(colon - name.p);
    size_t pattern = slice_starts(name, SLICE("*.")) ? 2 : slice_starts(name, SLICE("."));
    text_put(&ascii, name.p, pattern);
    if (!idn_to_ascii(&ascii, slice_skip(name, pattern)))
        return;
    text_add(&ascii, slice_skip(w->text, name.n));
    if (!ascii.full)
        w->text = arena_copy(&c->t->arena, text_slice(&ascii));
}

/* A word in quotes is the value itself, but for the first of them, which always was a keyword. */
static bool binds_next(const struct schema_row *row, const struct word *w)
{
    struct slice rest = slice_of(row->binds), first;
    if (w->kind == WORD_REGEX || !schema_listed(row->binds, w->text))
        return false;
    return w->kind == WORD_BARE || (slice_cut(&rest, ' ', &first) && slice_eq(first, w->text));
}

/* Marks those that are wrong as reported. False: there are too few or too many of them. */
static bool check_words(struct checker *c, struct node *n)
{
    const struct schema_row *row = n->row;
    u32 first = schema_key_words(row);
    if (!check_count(c, n, first))
        return false;
    for (u32 i = first; i < n->nwords; i++) {
        struct word *w = &n->words[i];
        enum schema_type t = schema_word_type(row, i - first);
        if (w->reported)
            continue;
        if (binds_next(row, w)) {
            w->reported = !check_bound(c, n, i++);
            continue;
        }
        if (t == TYPE_CUSTOM)
            continue;
        take_idn(c, t, w);
        if (t == TYPE_REF && w->kind != WORD_REGEX)
            w->reported = !check_ref(c, row, w);
        else
            w->reported = !schema_word_check(row, t, w, c->d);
    }
    return true;
}

/* ---- blocks ---- */

static bool check_kind(struct checker *c, const struct node *n)
{
    bool block = n->row->kind != ROW_STATEMENT;
    if (block == n->block)
        return true;
    diag_error(c->d, &n->words[0],
               block ? "\"%s\" is a block" : "\"%s\" is a statement, not a block", n->row->key);
    if (block)
        diag_more(c->d, "expected \"{\" and not \";\" behind it");
    else
        diag_more(c->d, "expected \";\" behind its value and not \"{\"");
    return false;
}

static void take_not(struct checker *c, struct node *n, const struct schema_row *rows)
{
    if (!slice_is(node_key(n), "not") || !any_negatable(rows))
        return;
    if (n->nwords < 2) {
        diag_error(c->d, &n->words[0], "\"not\" needs a condition behind it");
        return;
    }
    n->negated = true;
    n->words++;
    n->nwords--;
    const struct schema_row *row = schema_row_of(rows, n);
    if (row && !row->negatable)
        diag_error(c->d, n->words - 1, "\"not\" cannot stand before \"%s\"", row->key);
}

static void check_block(struct checker *c, struct node *block, const struct schema_row *rows);

/* Finds n's row. False: there is none, or no second one may stand here. */
static bool find_place(struct checker *c, struct node *n, const struct schema_row *rows,
                       struct node **seen)
{
    u32 before = c->d->errors;
    take_not(c, n, rows);
    if (n->nwords == 1 && slice_is(node_key(n), "not") && c->d->errors != before)
        return false;
    n->row = n->row ? n->row : schema_row_of(rows, n);
    if (n->row == NULL) {
        if (n->parent != c->root) /* schema_check has looked for those */
            n->meant = schema_meant(rows, n);
        if (n->words[0].reported)
            n->parent->torn = true;
        else
            schema_unknown_key(n, rows, c->top, c->d);
        return false;
    }
    struct node **first = &seen[n->row - rows];
    if (*first && n->row->kind != ROW_NAMED && !n->row->repeat) {
        diag_error(c->d, &n->words[0], "\"%s\" stands here for the second time, first at %s",
                   n->row->key, position_shown(node_at(*first)));
        return false;
    }
    *first = n;
    return true;
}

static void check_words_and_children(struct checker *c, struct node *n, u32 errors_before)
{
    const struct schema_row *row = n->row;
    bool counted = check_words(c, n);
    if (row->kind == ROW_NAMED && n->nwords == 2 && n->parent != c->root && !n->words[1].reported)
        add_name(c, n);
    if (n->block && row->children)
        check_block(c, n, row->children);
    n->reported |= n->torn || c->d->errors != errors_before;
    for (u32 i = 0; i < n->nwords; i++)
        n->reported |= n->words[i].reported;
    if (row->check && (counted || n->block))
        row->check(n, c->d);
}

static void check_node(struct checker *c, struct node *n, const struct schema_row *rows,
                       struct node **seen)
{
    u32 before = c->d->errors;
    if (n->parent != c->root)
        schema_repair_statement(c->t, n, rows, c->d);
    if (find_place(c, n, rows, seen) && check_kind(c, n))
        check_words_and_children(c, n, before);
    n->reported |= c->d->errors != before;
    n->parent->reported |= n->reported;
}

static void tell_missing(struct checker *c, const struct node *block, const struct schema_row *row)
{
    if (block->nwords)
        diag_error(c->d, &block->words[0], "\"%s\" is missing in the block %s", row->key,
                   slice_shown(block->words[block->nwords > 1].text));
    else
        diag_error_at(
            c->d, (struct position){ c->d->tree->sources ? c->d->tree->sources->file : NULL, 0, 0 },
            1, "\"%s\" is missing", row->key);
    tell_example(c, row);
}

static void check_block(struct checker *c, struct node *block, const struct schema_row *rows)
{
    struct node *seen[ROWS_MAX] = { NULL };
    size_t nrows = 0;
    while (rows[nrows].key)
        nrows++;
    must(nrows <= ROWS_MAX);
    schema_repair_blocks(block, rows, c->d);
    for (struct node *n = block->children; n; n = n->next)
        check_node(c, n, rows, seen);
    for (const struct schema_row *r = rows; r->key; r++)
        if (r->required && !node_may_have(block, r->key))
            tell_missing(c, block, r);
}

bool schema_check(struct tree *t, const struct schema_row *rows, struct diags *d)
{
    u32 before = d->errors;
    struct checker c = { .t = t, .d = d, .top = rows, .root = &t->root };
    size_t n = count_nodes(&t->root);
    for (c.nslots = 64; c.nslots < 2 * n; c.nslots *= 2)
        ;
    c.slots = must_zalloc(c.nslots * sizeof *c.slots);
    schema_repair_blocks(&t->root, rows, d);
    /* Forward references are allowed, so the top level's names come first. */
    for (struct node *b = t->root.children; b; b = b->next) {
        schema_repair_statement(t, b, rows, d);
        b->row = schema_row_of(rows, b);
        b->meant = b->row ? NULL : schema_meant(rows, b);
        if (b->row && b->row->kind == ROW_NAMED && b->nwords == 2 && b->block &&
            !b->words[1].reported)
            add_name(&c, b);
    }
    check_block(&c, &t->root, rows);
    for (const struct node *b = t->root.children; b && d->errors == 0; b = b->next)
        if (b->row && b->row->warn_unused && !b->used)
            diag_warning(d, &b->words[0], "nothing uses the %s %s", b->row->key,
                         slice_shown(node_name(b)));
    free(c.slots);
    return d->errors == before;
}
