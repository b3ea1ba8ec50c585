/*
 * Rows by their keys. A key may have two words ("log access"), so a statement is asked for both.
 */
#include "config/schema_key.h"

#include "base/str.h"
#include "base/text.h"

/* Length of the first word of a row's key. */
static size_t key_head(const char *key)
{
    const char *blank = strchr(key, ' ');
    return blank ? (size_t)(blank - key) : strlen(key);
}

static bool begins_with(const struct schema_row *row, struct slice word)
{
    return slice_eq(word, (struct slice){ row->key, key_head(row->key) });
}

static bool row_fits(const struct schema_row *row, const struct node *n)
{
    size_t head = key_head(row->key);
    if (!begins_with(row, node_key(n)))
        return false;
    return row->key[head] == 0 ||
           (n->nwords > 1 && slice_is(n->words[1].text, row->key + head + 1));
}

/* One key may be a statement and a block: `cache main;` and `cache { … }`. */
const struct schema_row *schema_row_of(const struct schema_row *rows, const struct node *n)
{
    const struct schema_row *first = NULL;
    for (; rows->key; rows++) {
        if (!row_fits(rows, n))
            continue;
        if ((rows->kind != ROW_STATEMENT) == n->block)
            return rows;
        first = first ? first : rows;
    }
    return first;
}

bool schema_is_key(const struct schema_row *rows, struct slice word)
{
    for (; rows->key; rows++)
        if (begins_with(rows, word))
            return true;
    return slice_is(word, "include");
}

/* The block that knows `key`, looked for in these rows and then in all below; "" is the top level,
 * NULL: none does. */
static const char *home_of(const struct schema_row *rows, const char *within, struct slice key,
                           unsigned depth)
{
    const char *found = NULL;
    for (const struct schema_row *r = rows; r->key; r++)
        if (begins_with(r, key))
            return within;
    for (const struct schema_row *r = rows; r->key && depth < 8 && !found; r++)
        found = r->children ? home_of(r->children, r->key, key, depth + 1) : NULL;
    return found;
}

static void where_text(struct text *t, const struct node *block)
{
    if (block->nwords == 0) {
        text_lit(t, "at the top level");
        return;
    }
    text_lit(t, "in the block \"");
    for (u32 i = 0; i < block->nwords && i < 2; i++) {
        text_cstr(t, i ? " " : "");
        text_add(t, block->words[i].text);
    }
    text_lit(t, "\"");
}

/* `log acess`: the first word of a key of two words, and a second that belongs to none of them. */
static void unknown_second(const struct node *n, const struct schema_row *rows, const char *where,
                           struct diags *d)
{
    const struct word *second = &n->words[1];
    struct guess g = guess_for(second->text);
    char known[200];
    struct text k = text_in(known, sizeof known - 1);
    diag_error(d, second, "%s is not known behind \"%s\" %s", word_shown(second),
               n->words[0].text.p, where);
    for (const struct schema_row *r = rows; r->key; r++) {
        size_t head = key_head(r->key);
        if (r->key[head] == 0 || !begins_with(r, node_key(n)))
            continue;
        text_cstr(&k, k.n ? ", " : "");
        text_cstr(&k, r->key);
        guess_try(&g, slice_of(r->key + head + 1));
    }
    known[k.n] = 0;
    diag_more(d, "expected one of: %s", known);
    guess_tell(&g, d);
}

/* `log { }`: the first word alone. */
static void missing_second(const struct node *n, const struct schema_row *rows, struct diags *d)
{
    char area[200];
    struct text known = text_in(area, sizeof area - 1);
    for (const struct schema_row *r = rows; r->key; r++)
        if (begins_with(r, node_key(n)))
            text_fmt(&known, "%s\"%s\"", known.n ? " or " : "", r->key + key_head(r->key) + 1);
    area[known.n] = 0;
    diag_error(d, &n->words[0], "%s needs %s behind it", slice_shown(node_key(n)), area);
}

/* The key that `word` probably is, and "include", which stands in every block. */
static struct guess guess_key(const struct schema_row *rows, struct slice word)
{
    struct guess g = guess_for(word);
    for (; rows->key; rows++)
        guess_try(&g, (struct slice){ rows->key, key_head(rows->key) });
    guess_try(&g, SLICE("include"));
    return g;
}

const struct schema_row *schema_meant(const struct schema_row *rows, const struct node *n)
{
    struct guess g = guess_key(rows, node_key(n));
    while (rows->key && rows->key != g.best.p)
        rows++;
    return rows->key ? rows : NULL;
}

static const struct foreign {
    const char *word, *program, *here;
} foreign[] = {
#define FOREIGN(word, program, here) { word, program, here },
#include "config/foreign.tbl"
#undef FOREIGN
};

/* A word that somebody brings from another program. */
static const struct foreign *foreign_word(struct slice word)
{
    for (size_t i = 0; i < countof(foreign); i++)
        if (slice_is(word, foreign[i].word))
            return &foreign[i];
    return NULL;
}

static void tell_unknown(const struct node *n, const struct schema_row *rows,
                         const struct schema_row *top, struct diags *d)
{
    char where[200], known[700];
    struct text w = text_in(where, sizeof where - 1), k = text_in(known, sizeof known - 1);
    struct guess g = guess_key(rows, node_key(n));
    where_text(&w, n->parent);
    where[w.n] = 0;
    if (schema_is_key(rows, node_key(n))) {
        if (n->nwords > 1)
            unknown_second(n, rows, where, d);
        else
            missing_second(n, rows, d);
        return;
    }
    for (const struct schema_row *r = rows; r->key; r++) {
        if (r > rows && strcmp(r->key, r[-1].key) == 0)
            continue; /* a value and a block by one name */
        text_cstr(&k, r == rows ? "" : ", ");
        text_cstr(&k, r->key);
    }
    known[k.n] = 0;
    diag_error(d, &n->words[0], "%s is not known %s", slice_shown(node_key(n)), where);
    const struct foreign *f = foreign_word(node_key(n));
    if (f) {
        diag_more(d, "this is a word of %s; here: %s", f->program, f->here);
        return;
    }
    if (rows[0].key && rows[1].key)
        diag_more(d, "expected one of: %s", known);
    else
        diag_more(d, "expected \"%s\"", known);
    guess_tell(&g, d);
    const char *home = g.best.n ? NULL : home_of(top, "", node_key(n), 0);
    if (home && *home)
        diag_more(d, "it is known in the block \"%s\"", home);
    else if (home)
        diag_more(d, "it is known at the top level");
}

/* One that is only counted needs no words: guesses for a million take 5 s. */
void schema_unknown_key(const struct node *n, const struct schema_row *rows,
                        const struct schema_row *top, struct diags *d)
{
    if (d->errors < DIAGS_SHOWN)
        tell_unknown(n, rows, top, d);
    else
        diag_error(d, &n->words[0], "not known");
}
