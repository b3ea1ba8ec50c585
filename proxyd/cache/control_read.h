/*
 * What the two syntaxes of Cache-Control share: the table of directives, and what becomes of one
 * whose argument has been cut out. Only control.c and control_targeted.c include this.
 */
#ifndef CACHE_CONTROL_READ_H
#define CACHE_CONTROL_READ_H

#include "cache/control.h"

enum directive_rule {
    CONTROL_FORBIDS,         /* believed in whatever form it comes */
    CONTROL_ALLOWS,          /* only without an argument */
    CONTROL_NAMES_FIELDS,    /* FORBIDS without an argument or with a bad one */
    CONTROL_SMALLEST,        /* a number of seconds; garbled: 0 */
    CONTROL_LARGEST,         /* garbled: UINT32_MAX */
    CONTROL_SMALLEST_OR_ALL, /* without an argument: UINT32_MAX */
};

enum { IN_REQUEST = 1, IN_RESPONSE = 2 };

enum argument { ARGUMENT_NONE, ARGUMENT_TEXT, ARGUMENT_BAD };

/* An index into the table, or -1: unknown in such a message. */
int directive_find(struct slice name, unsigned in, bool any_case);
/* Adds it to *c. `text` counts with ARGUMENT_TEXT: a token, or what stood between quotes. */
void directive_add(struct cache_control *c, int directive, enum argument kind, struct slice text);
/* As if it had not been there: in a dictionary the last one of a name counts. */
void directive_clear(struct cache_control *c, int directive);

/* The targeted fields of m, all together a dictionary (RFC 9213 section 2.1). False, and *c
 * untouched: there is none, it is empty, or malformed. */
bool control_targeted(const struct msg *m, struct cache_control *c);

#endif
