/*
 * One table says what may stand in a configuration: keys, types, how often, defaults, and the
 * words of the manual. From it come `check`, the typed readers and docs/reference.md, so the three
 * cannot disagree. Each module has its own rows (`const struct schema_row NAME_rows[]`, ended by an
 * empty row); proxyd/schema_root.c puts them together.
 *
 *   const struct schema_row dns_rows[] = {
 *       { .key = "timeout", .type = { TYPE_DURATION }, .least = 1, .fallback = "2s",
 *         .doc = "How long one look-up may take.", .example = "timeout 2s;" },
 *       { .key = NULL },
 *   };
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

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

struct schema_row {
    const char *key; /* NULL ends a table. Two words ("log access") make a key of both. */
    enum schema_kind kind;
    /* Types of the words of a statement: the first, the second, …; the last one given holds for
     * all that follow. */
    enum schema_type type[SCHEMA_TYPES];
    u16 min, max;         /* words after the key; 0, 0 means exactly one; SCHEMA_MANY: any number */
    bool required;        /* must stand in its block */
    bool repeat;          /* may stand more than once */
    bool negatable;       /* `not key …` is allowed */
    bool warn_unused;     /* ROW_NAMED: a warning when no TYPE_REF leads here */
    const char *choices;  /* TYPE_CHOICE: the words, separated by blanks */
    const char *also;     /* for any type: words accepted instead of a value, separated by blanks:
                             "unlimited", "auto", "none", "any", "stdout" … */
    const char *binds;    /* words that bind the next word as one value, as in `to class private`,
                             separated by blanks; what follows is checked by .bound */
    const char *bound;    /* the words that may follow one of .binds */
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
};

/* Checks the tree against the rows of the top level: sets node.row, node.negated, node.used, and
 * reports everything that is wrong. Returns true when no error was found. */
bool schema_check(struct tree *t, const struct schema_row *rows, struct diags *d);

/* ---- readers; only on a tree that schema_check found right ---- */

/* The number of statement `key` in `block` (its first word), or the row's default when the
 * statement or the whole block (block NULL) is absent. Size in bytes, duration in ms. `unlimited`
 * and `any` are UINT64_MAX; `auto` and `none` are 0. A row without default gives `none` (0). */
u64 schema_number(const struct schema_row *rows, const struct node *block, const char *key);
/* The same clamped into 32 bits: UINT32_MAX for unlimited and for anything above. */
u32 schema_number32(const struct schema_row *rows, const struct node *block, const char *key);
/* The number that the i-th argument of a statement is (numeric types only). */
u64 schema_number_of(const struct node *statement, u32 i);
/* The first word of statement `key` in `block`, or the default's text, or "". */
struct slice schema_text(const struct schema_row *rows, const struct node *block, const char *key);
/* The i-th argument of a TYPE_REF word: the block it names. Never NULL. */
const struct node *schema_ref(const struct node *statement, u32 i);
/* A path as open(2) wants it: an absolute one as it is, a relative one behind the folder of the
 * file it was written in. In arena a. */
const char *schema_path(struct arena *a, const struct word *w);

/* ---- for messages and the manual ---- */

/* Is `word` one of the blank-separated words of list (NULL: none)? */
bool schema_listed(const char *list, struct slice word);
/* "a size such as 32k, 10m or 1g": what a word of this type looks like. */
const char *schema_type_expected(enum schema_type t);
/* SIZE, DURATION, HOST:PORT: how the manual writes it. */
const char *schema_type_sign(enum schema_type t);

/* Writes the manual (Markdown) for these top-level rows. */
void schema_reference(const struct schema_row *rows, FILE *to);
/* Every key as a path, one per line: "limits head". Blocks come before what is in them. */
void schema_keys(const struct schema_row *rows, FILE *to);

#endif
