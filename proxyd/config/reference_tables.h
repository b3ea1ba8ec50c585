/* The part of the manual about what the program tells: every cause, repair, job and metric. */
#ifndef CONFIG_REFERENCE_TABLES_H
#define CONFIG_REFERENCE_TABLES_H

#include <stdio.h>

/* Markdown, made from the tables in base/. */
void reference_tables(FILE *to);

#endif
