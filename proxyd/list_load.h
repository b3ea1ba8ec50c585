/*
 * From the files of a list to its content. Whatever is wrong with them comes back as a sentence;
 * nothing is taken by half.
 */
#ifndef PROXYD_LIST_LOAD_H
#define PROXYD_LIST_LOAD_H

#include <stdio.h>

#include "filters/list_slot.h"
#include "list_conf.h"

enum { LIST_LOAD_WHY = 512, LIST_LOAD_FILE = 160 };

struct list_load_told {
    char file[LIST_LOAD_FILE]; /* its end, when it is longer */
    struct list_told line;
};

struct list_report_all {
    char why[LIST_LOAD_WHY]; /* empty: loaded */
    enum list_format format; /* of the first file */
    enum list_meaning bare;
    bool categories; /* a folder, or an archive of one */
    u32 files;
    u64 lines, bytes, entries, rejected, suffixes, ports;
    u64 skipped[SKIP_KINDS];
    u32 first_suffix;
    struct list_load_told told[LIST_TOLD];
    u32 ntold;
};

/* On a thread that may block. NULL: r->why says why not. found (NULL: nothing) is called with each
 * folder and file of a folder. */
struct list_content *list_load(const struct list_conf *c, u32 readers, struct list_report_all *r,
                               void (*found)(void *ctx, const char *path), void *ctx);
/* Hands each entry to take, which keeps nothing of it, until *enough. True: all of them. */
bool list_walk(const struct list_conf *c, list_take *take, void *ctx, const bool *enough);
/* How it is read, and what a bare name means there. */
const char *list_report_format(const struct list_report_all *r);
const char *list_report_bare(const struct list_report_all *r);
/* "domains, a bare name means exact names, 12 entries from 1 file". */
void list_report_line(const struct list_report_all *r, FILE *to);
/* The same and more as a table. */
void list_report_table(const struct list_report_all *r, FILE *to);
/* The rejected lines that are told of, one a line, and how many more there are. */
void list_report_rejected(const struct list_report_all *r, FILE *to);

#endif
