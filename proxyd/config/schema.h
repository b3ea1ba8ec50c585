/*
 * One table says what may stand in a configuration: keys, types, how often, defaults, and the
 * words of the manual. From it come `check`, the typed readers and docs/reference.md, so the three
 * cannot disagree. Each module has its own rows (`const struct schema_row NAME_rows[]`, ended by an
 * empty row); proxyd/schema_root.c puts them together.
 *
 *   const struct schema_row dns_rows[] = {
 *       { .key = "timeout", .type = { TYPE_DURATION }, .least = 1, .fallback = "2s",
 *         INTO(struct dns_conf, timeout),
 *         .doc = "How long one look-up may take.", .example = "timeout 2s;" },
 *       { .key = NULL },
 *   };
 *
 * A row also says where its value goes (INTO), so that one reader, schema_fill, fills the structs
 * of all modules and no key is looked up by its text again.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stddef.h>

#include "config/diag.h"
#include "config/tree.h"
#include "config/value.h"

enum schema_kind {
    ROW_STATEMENT, /* key words… ; */
    ROW_BLOCK,     /* key { … } */
    ROW_NAMED,     /* key NAME { … }; names are unique in the parent among rows of one `space` */
};

enum schema_type {
    TYPE_NONE,
    TYPE_SIZE,         /* bytes: 32k */
    TYPE_DURATION,     /* milliseconds: 30s */
    TYPE_COUNT,        /* a number */
    TYPE_RATE,         /* N/s, N/min, N/h */
    TYPE_CHOICE,       /* one of .choices */
    TYPE_NAME,         /* of a block */
    TYPE_REF,          /* name of a top-level block with key .refers */
    TYPE_ADDR,         /* ADDR[:PORT] */
    TYPE_BIND,         /* ADDR:PORT, [V6]:PORT, *:PORT */
    TYPE_SERVER,       /* HOST:PORT */
    TYPE_PATH,         /* of a file; relative ones start at the file that names them */
    TYPE_TEXT,         /* any text without control characters */
    TYPE_CIDR,         /* ADDR or ADDR/BITS, no host bits */
    TYPE_DOMAIN,       /* host name */
    TYPE_HOST_PATTERN, /* HOST, *.HOST, .HOST, * */
    TYPE_DESTINATION,  /* HOST_PATTERN or CIDR */
    TYPE_PORTS,        /* 443, 8000-8999 */
    TYPE_METHOD,       /* GET */
    TYPE_URL_PATH,     /* /admin */
    TYPE_CUSTOM,       /* only .check says */
    TYPE_COUNT_OF
};

enum { SCHEMA_TYPES = 3, SCHEMA_MANY = 65535 };

/* What a row's value becomes in the struct that is filled. */
enum schema_store {
    STORE_NOTHING,
    STORE_BOOL, /* TYPE_CHOICE: is it the first word of .choices, as `on` of "on off"? */
    STORE_U8,   /* TYPE_CHOICE: the place of the word in .choices, from 0 */
    STORE_U32,  /* a number; clamped, UINT32_MAX for `unlimited` */
    STORE_U64,  /* a number; UINT64_MAX for `unlimited` */
    STORE_TEXT, /* the first word, copied into the arena */
    STORE_NODE, /* TYPE_REF: the block that it names; left as it is when the key is absent */
    STORE_BLOCK /* ROW_BLOCK: a struct of its own, filled by the row's children */
};
/* The row's value goes into that member of the struct that is filled. */
#define INTO(type, member)                                                                         \
    .offset = offsetof(type, member), .store = _Generic(((type *)NULL)->member,                    \
                                                       bool: STORE_BOOL,                           \
                                                       u8: STORE_U8,                               \
                                                       u32: STORE_U32,                             \
                                                       u64: STORE_U64,                             \
                                                       struct slice: STORE_TEXT,                   \
                                                       const struct node *: STORE_NODE,            \
                                                       default: STORE_BLOCK)

struct schema_row {
    /* NULL ends a table. Two words ("log access") make a key of both. A key may have two rows, a
     * statement and a block. */
    const char *key;
    enum schema_kind kind;
    /* Types of the words of a statement: the first, the second, …; the last one given holds for
     * all that follow. Of a ROW_NAMED: of its name, TYPE_NAME without it. */
    enum schema_type type[SCHEMA_TYPES];
    u16 min, max;         /* words after the key; 0, 0 means exactly one; SCHEMA_MANY: any number */
    bool required;        /* must stand in its block */
    bool repeat;          /* may stand more than once */
    bool negatable;       /* `not key …` is allowed */
    bool warn_unused;     /* ROW_NAMED: a warning when no TYPE_REF leads here */
    bool regex;           /* a word may be ~"…" as well; what it holds .check says */
    bool restart;         /* a change takes effect at the next start only, not by a reload */
    const char *choices;  /* TYPE_CHOICE: the words, separated by blanks */
    const char *also;     /* for any type: words accepted instead of a value, separated by blanks:
                             "unlimited", "auto", "none", "any", "stdout" … */
    const char *binds;    /* words that bind the next word as one value, as in `to class private`,
                             separated by blanks; what follows is checked by .bound */
    const char *bound;    /* the words that may follow the first of .binds, NULL: any text; the one
                             that is .refers takes the name of such a block, any other any text */
    const char *refers;   /* TYPE_REF: key of the top-level block */
    const char *space;    /* ROW_NAMED: rows with the same space share names; NULL: the key */
    u64 least, most;      /* bounds of a number; most 0: none. Durations in milliseconds. */
    const char *fallback; /* the default, in the language; NULL: none */
    const char *doc;      /* one or two sentences */
    const char *example;  /* in the language */
    void (*manual)(FILE *to); /* writes, in Markdown, what the manual of a block says besides */
    const struct schema_row *children; /* of a block */
    /* Called on each node of this row: on a block always, on a statement when the number of its
     * words is right. Words and children may be wrong: those that are `reported` are passed over,
     * and so is any `torn` block when something is missing in it. May be NULL. */
    void (*check)(const struct node *n, struct diags *d);
    u8 store;   /* enum schema_store; see INTO */
    u16 offset; /* of the member */
    u8 tag;     /* a number that the module gives its row, for its readers */
    /* Instead of `store`, for what is no single value: called once for each struct that is filled,
     * with the first statement of this row (the others by node_again) or NULL when there is none,
     * and with the struct's address plus offset. */
    void (*read)(const struct schema_row *row, const struct node *first, struct arena *a, void *to);
};

/* Checks the tree against the rows of the top level: sets node.row, node.negated, node.used, and
 * reports everything that is wrong. Returns true when no error was found. */
bool schema_check(struct tree *t, const struct schema_row *rows, struct diags *d);

/* ---- readers; only on a tree that schema_check found right ---- */

/* Fills the struct at `to` from a block, which has these rows: each row with a place (INTO, read)
 * gets what its statement says, or its default when that, or the whole block (NULL), is absent. A
 * row without default and statement gives 0 or an empty text. Texts are copied into a: what is
 * filled outlives the tree. */
void schema_fill(const struct schema_row *rows, const struct node *block, struct arena *a,
                 void *to);
/* The words of one row, its default's when n is NULL: for readers. */
struct schema_values {
    const struct node *n;
    u32 i;
    struct slice rest;
};
struct schema_values schema_values(const struct schema_row *row, const struct node *n);
bool schema_values_next(struct schema_values *v, struct slice *out);
/* No more than so many are left. */
size_t schema_values_most(const struct schema_values *v);
/* Number of the first word of n, or of the default when n is NULL. Size in bytes, duration in ms.
 * `unlimited` and `any` are UINT64_MAX; `auto` and `none` are 0. */
u64 schema_number(const struct schema_row *row, const struct node *n);
/* The i-th argument of a TYPE_REF word: the block it names. Never NULL. */
const struct node *schema_ref(const struct node *statement, u32 i);
/* A path as open(2) wants it: an absolute one as it is, a relative one behind the folder of the
 * file it was written in. In arena a. */
const char *schema_path(struct arena *a, const struct word *w);

/* ---- for messages and the manual ---- */

/* Is `word` one of the blank-separated words of list (NULL: none)? */
bool schema_listed(const char *list, struct slice word);
/* SIZE, DURATION, HOST:PORT: how the manual writes it. */
const char *schema_type_sign(enum schema_type t);

/* Writes the manual (Markdown) for these top-level rows. */
void schema_reference(const struct schema_row *rows, FILE *to);
/* Every key as a path, one per line: "limits head". Blocks come before what is in them. */
void schema_keys(const struct schema_row *rows, FILE *to);

#endif
