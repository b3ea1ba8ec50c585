/*
 * Files to tree: reading, includes, environment, secrets. What is found wrong goes to the
 * diagnostics; the tree then holds what could be understood.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/diag.h"
#include "config/tree.h"

enum {
    CONFIG_DEPTH = 64,            /* blocks within blocks */
    CONFIG_FILES = 1000,          /* files in all */
    CONFIG_INCLUDES = 16,         /* files within files */
    CONFIG_FILE_MAX = 64 << 20,   /* bytes of one file */
    CONFIG_TOTAL_MAX = 256 << 20, /* bytes of all files */
    CONFIG_WORDS = 1 << 20,       /* words of all files: bounds the tree to about 200 MB */
    CONFIG_WORD_MAX = 64 << 10,   /* bytes of one word */
    CONFIG_SECRET_MAX = 64 << 10, /* bytes of a secret's file */
};

/* Both initialise *t (also on false) and point d at it: *t must outlive d. True: no error. */

/* Reads a file and what it includes; "-" is standard input. */
bool config_load_file(const char *path, struct tree *t, struct diags *d);
/* The text itself, under a name for messages. With files false `include` and `secret file` are
 * errors: for text from where no file may be opened. */
bool config_load_text(const char *name, struct slice text, bool files, struct tree *t,
                      struct diags *d);
void config_free(struct tree *t);

/* The value in the file of a secret: its first line, without its end. Blocks on the disk. NULL:
 * *value is in *text, whose p is to be freed; else what is wrong. */
const char *secret_read(const char *path, struct slice *text, struct slice *value);

#endif
