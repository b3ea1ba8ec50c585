/*
 * Manual pages out of what there is already: the manual, which is Markdown, and the help of the
 * commands, which is plain text. Only what these two use is understood: headings, paragraphs,
 * tables, fences, code and links.
 */
#ifndef CONFIG_ROFF_H
#define CONFIG_ROFF_H

#include <stdio.h>

/* The head of a page and its NAME. The program's version belongs to `source`. */
void roff_begin(FILE *to, const char *title, const char *section, const char *source,
                const char *volume, const char *name_line);
/* A section; text in paragraphs, with code in backticks. */
void roff_section(FILE *to, const char *title);
void roff_subsection(FILE *to, const char *title);
void roff_text(FILE *to, const char *text);
/* Markdown from its first section on: what stands before is about the document. */
void roff_markdown(FILE *to, const char *markdown);
/* Help as the commands print it: what is indented, and the usage, stays as it is. */
void roff_help(FILE *to, const char *help);

#endif
