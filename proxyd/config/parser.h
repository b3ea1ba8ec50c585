/* Inside of config/: what load.c and parser.c share while a configuration is read. */
#ifndef CONFIG_PARSER_H
#define CONFIG_PARSER_H

#include "config/file.h"
#include "config/lexer.h"
#include "config/load.h"

/* A file that is being parsed, and the one whose include opened it. */
struct open_file {
    struct open_file *includer;
    struct file_id id;
    const char *name;
};

struct loader {
    struct tree *t;
    struct diags *d;
    bool files; /* include and secret file may open files */
    bool full;  /* too many words: nothing more is read */
    u32 nfiles, nwords;
    size_t total;           /* bytes read */
    struct open_file *open; /* innermost */
    u32 nopen;
    struct word *words; /* of the statement being read; grows */
    u32 nstatement, words_cap;
    char *word; /* the lexer's area */
};

/* Parses one text into `block`, which stands `depth` blocks deep. */
void parse_text(struct loader *l, const struct source_text *s, struct node *block, u32 depth);

/* `include WORD;` in load.c. False: not all of it could be read. */
bool load_include(struct loader *l, const struct word *path, struct node *block, u32 depth);
/* Puts the first line of the file `path` into *secret, as a WORD_SECRET. */
void load_secret(struct loader *l, const struct word *path, struct word *secret);

#endif
