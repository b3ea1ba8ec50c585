/*
 * The configuration as a tree of statements with positions: what the parser makes of the files,
 * what the schema checks, and what each module reads back.
 *
 * A tree lives in one arena and is immutable after schema_check. Everything is typed by the schema
 * before a module sees it, so the readers (config/schema.h) cannot fail: they assert on what the
 * schema guarantees.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "base/arena.h"
#include "base/slice.h"

/* Where something stands. Columns count bytes from 1. `file` is also the identity of the source:
 * two includes of one file have two different pointers. */
struct position {
    const char *file; /* as named on the command line or in include; NULL: nowhere */
    u32 line, column;
};

enum word_kind {
    WORD_BARE,   /* after ${ENV} */
    WORD_QUOTED, /* "…", escapes resolved */
    WORD_REGEX,  /* ~"…": text is what PCRE2 gets */
    WORD_SECRET, /* secret file F: text is the file's first line, never to be printed */
};

struct word {
    struct slice text; /* NUL-terminated (not counted) */
    struct position at;
    u32 width; /* bytes it takes in the source, for the caret */
    enum word_kind kind;
    bool reported; /* a message says what is wrong with it: what it holds is not judged again */
};

/* `key word word … ;` or `key word … { children }`. words[0] is the key. A `not key …` (in a
 * block that allows it) has `negated` set, and words[0] is the key behind the `not`. */
struct node {
    struct word *words;
    u32 nwords;
    bool block;   /* ends in { … } and not in ; */
    bool negated; /* `not` stood before the key; only where the schema allows it */
    bool used;    /* somebody refers to this named block; set by schema_check */
    bool open;    /* a block whose closing } never came; schema_check tells so */
    bool torn; /* of a block: not all of its text could be read, what is missing may stand there */
    bool reported;         /* something in it is wrong, and messages say so; set by schema_check */
    struct node *parent;   /* NULL at the top */
    struct node *children; /* first child, in file order */
    struct node *last;     /* last child */
    struct node *next;     /* next sibling */
    const struct schema_row *row;   /* what the schema says, NULL: unknown; set by schema_check */
    const struct schema_row *meant; /* of an unknown one: what was probably meant, or NULL */
    struct position end;            /* of the closing } or ; */
};

/* One file that was read, kept for the excerpts in messages. */
struct source_text {
    struct source_text *next; /* in the order of reading */
    const char *file;         /* the pointer that is position.file */
    struct slice text;
    struct position from; /* of the include that named it; from.file NULL: the first file */
};

/* A `secret file F` of which the value was taken. */
struct secret_file {
    struct secret_file *next;
    const char *path; /* as it was opened */
    struct slice value;
};

struct tree {
    struct arena arena;
    struct node root; /* a block without words */
    struct source_text *sources;
    struct secret_file *secrets; /* the last one first */
};

/* The key as text ("" for the root): the first word, without `not`. */
static inline struct slice node_key(const struct node *n)
{
    return n->nwords ? n->words[0].text : SLICE("");
}
/* First child with this key, or NULL. Two-word keys of the schema are found as "log access".
 * `block` may be NULL: an absent block has no children. */
const struct node *node_child(const struct node *block, const char *key);
/* Next sibling with the same key, or NULL: for (c = node_child(b, "bind"); c; c = node_again(c)) */
const struct node *node_again(const struct node *n);
/* Does `key` stand in the block, or may it: misspelt, or where the text could not be read? */
bool node_may_have(const struct node *block, const char *key);
/* Number of words after the key, and the i-th of them (0-based). */
static inline u32 node_nargs(const struct node *n)
{
    return n->nwords ? n->nwords - 1 : 0;
}
static inline const struct word *node_arg(const struct node *n, u32 i)
{
    return &n->words[i + 1];
}
/* Is it this word, and not in quotes? */
static inline bool word_is_bare(const struct word *w, const char *text)
{
    return w->kind == WORD_BARE && slice_is(w->text, text);
}
/* The name of a named block: `policy staff { … }` gives "staff"; "" when there is none. */
static inline struct slice node_name(const struct node *n)
{
    return n->nwords > 1 ? n->words[1].text : SLICE("");
}
static inline struct position node_at(const struct node *n)
{
    return n->nwords ? n->words[0].at : (struct position){ NULL, 0, 0 };
}
/* The top of the tree that n stands in. */
const struct node *node_root(const struct node *n);
/* The block `key name { … }` at the top of the tree that n stands in, or NULL. */
const struct node *node_named(const struct node *n, const char *key, struct slice name);

#endif
