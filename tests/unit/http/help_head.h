/* What the tests of heads share: rows of a table, and a copy beyond which no byte may be read. */
#ifndef TEST_HTTP_HELP_HEAD_H
#define TEST_HTTP_HELP_HEAD_H

#include <stdlib.h>

#include "http/head.h"

static const struct head_limits limits = { 8192, 2048, 50 };

struct text_case {
    const char *text;
    size_t n; /* 0: strlen */
    enum fault want;
};

static inline struct slice case_text(const struct text_case *c)
{
    return (struct slice){ c->text, c->n ? c->n : strlen(c->text) };
}

/* A copy of exactly that size, so that a sanitizer sees any byte read beyond it. */
static inline char *exact(struct slice s)
{
    char *p = malloc(s.n ? s.n : 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

#endif
