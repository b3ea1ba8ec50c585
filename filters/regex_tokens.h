/*
 * Inside of filters/: the plain part of PCRE2's syntax, token by token. What is not plain is
 * strange, and who reads a strange pattern knows nothing of it.
 */
#ifndef FILTERS_REGEX_TOKENS_H
#define FILTERS_REGEX_TOKENS_H

#include "base/slice.h"

enum regex_token {
    TOKEN_END,
    TOKEN_CHAR,   /* a character that stands for itself */
    TOKEN_ONE,    /* some character: a dot, a class, \d … */
    TOKEN_BORDER, /* matches no character: ^ $ \b … */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OR,
    TOKEN_TIMES, /* what is before may be absent, or repeated */
    TOKEN_PLUS,  /* at least once */
    TOKEN_STRANGE,
};

struct regex_tokens {
    struct slice pattern;
    size_t at;
    char c;        /* of TOKEN_CHAR */
    bool repeated; /* the last one was TOKEN_TIMES or TOKEN_PLUS */
};

/* The next one. */
enum regex_token regex_next(struct regex_tokens *t);
/* Behind an opening parenthesis to behind its closing one; false: strange. */
bool regex_skip_group(struct regex_tokens *t);

#endif
