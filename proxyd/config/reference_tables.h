/* The part of the manual that is about what the program tells: every cause and every metric. */
#ifndef CONFIG_REFERENCE_TABLES_H
#define CONFIG_REFERENCE_TABLES_H

#include <stdio.h>

/* Markdown, made from base/fault.tbl and base/stat.tbl. */
void reference_tables(FILE *to);

#endif
