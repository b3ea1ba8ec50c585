/* Text to tokens: words, ; { } and the end. */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include "config/diag.h"
#include "config/tree.h"

enum token_kind { TOKEN_WORD, TOKEN_SEMICOLON, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_END };

struct token {
    enum token_kind kind;
    struct word word; /* of TOKEN_WORD; of all others only `at` and `width` */
    bool expanded;    /* a ${ENV} was in it */
};

/* Words are copied into the arena, so the text may go once it is lexed. */
struct lexer {
    struct slice text;
    size_t i;          /* next byte */
    size_t line_start; /* offset of the current line */
    u32 line;
    const char *file;
    struct arena *arena;
    struct diags *d;
    char *word; /* CONFIG_WORD_MAX bytes, owned by whoever made the lexer */
};

/* What is wrong with a word is reported and the word is returned as far as it goes. */
struct token lexer_next(struct lexer *l);

#endif
