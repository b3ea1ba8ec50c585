/*
 * Tokens to tree. Blocks are kept by parent pointers and not by recursion, so ten thousand opening
 * braces cost nothing; only includes recurse, at most CONFIG_INCLUDES deep. After an error the
 * parser goes on at the next statement, so that one run shows all errors.
 */
#include "config/parser.h"

#include "base/must.h"

/* Where the parser stands within one text. */
struct place {
    struct loader *l;
    struct lexer lex;
    struct node *top; /* the block the text is in */
    struct node *block;
    u32 depth; /* of block */
};

static void push_word(struct loader *l, const struct token *t)
{
    if (l->nstatement == l->words_cap) {
        l->words_cap = l->words_cap ? l->words_cap * 2 : 64;
        l->words = must_realloc(l->words, l->words_cap * sizeof *l->words);
    }
    l->words[l->nstatement++] = t->word;
    if (++l->nwords > CONFIG_WORDS && !l->full) {
        diag_error(l->d, &t->word, "more than %d words in all files", CONFIG_WORDS);
        l->full = true;
    }
    if (l->nstatement > 1 || t->word.reported)
        return;
    l->words[0].reported = true;
    if (t->word.kind != WORD_BARE)
        diag_error(l->d, &t->word, "a statement begins with a bare word, not with quotes");
    else if (t->expanded)
        diag_error(l->d, &t->word, "a key cannot come from the environment");
    else
        l->words[0].reported = false;
}

static bool bare_is(const struct word *w, const char *text)
{
    return w->kind == WORD_BARE && slice_is(w->text, text);
}

/* `secret file F` behind the key becomes one word. */
static void join_secrets(struct loader *l)
{
    u32 to = 1;
    for (u32 i = 1; i < l->nstatement; i++) {
        struct word *w = &l->words[i];
        bool secret = i + 1 < l->nstatement && bare_is(w, "secret") && bare_is(w + 1, "file");
        if (!secret) {
            l->words[to++] = *w;
        } else if (i + 2 == l->nstatement) {
            diag_error(l->d, w + 1, "\"secret file\" needs the name of a file");
            l->words[to++] = *w;
            i++;
        } else {
            struct word joined = *w;
            u32 before = l->d->errors;
            load_secret(l, w + 2, &joined);
            joined.reported = l->d->errors != before;
            if (w[2].at.line == w->at.line)
                joined.width = w[2].at.column + w[2].width - w->at.column;
            l->words[to++] = joined;
            i += 2;
        }
    }
    l->nstatement = to;
}

/* Makes a node of the words gathered; they are used up. */
static struct node *make_node(struct place *p, bool block)
{
    struct loader *l = p->l;
    join_secrets(l);
    struct node *n = arena_zalloc(&l->t->arena, sizeof *n);
    struct word *words = arena_alloc(&l->t->arena, l->nstatement * sizeof *words);
    memcpy(words, l->words, l->nstatement * sizeof *words);
    n->words = words;
    n->nwords = l->nstatement;
    n->block = block;
    n->parent = p->block;
    if (p->block->last)
        p->block->last->next = n;
    else
        p->block->children = n;
    p->block->last = n;
    l->nstatement = 0;
    return n;
}

/* Behind an opening brace that cannot be entered: goes behind its closing one. */
static void skip_block(struct place *p)
{
    p->block->torn = true;
    for (u64 deep = 1; deep > 0;) {
        struct token t = lexer_next(&p->lex);
        if (t.kind == TOKEN_END)
            return;
        deep += t.kind == TOKEN_OPEN;
        deep -= t.kind == TOKEN_CLOSE;
    }
}

static void on_open(struct place *p, const struct token *t)
{
    struct loader *l = p->l;
    if (l->nstatement == 0) {
        diag_error(l->d, &t->word, "a block without a key before its \"{\"");
        skip_block(p);
    } else if (bare_is(&l->words[0], "include")) {
        diag_error(l->d, &t->word, "\"include\" is a statement and takes no block");
        diag_more(l->d, "expected \";\"");
        l->nstatement = 0;
        skip_block(p);
    } else if (p->depth == CONFIG_DEPTH) {
        diag_error(l->d, &t->word, "blocks are nested more than %d deep", CONFIG_DEPTH);
        l->nstatement = 0;
        skip_block(p);
    } else {
        p->block = make_node(p, true);
        p->depth++;
    }
}

static void on_semicolon(struct place *p, const struct token *t)
{
    struct loader *l = p->l;
    if (l->nstatement == 0) {
        diag_error(l->d, &t->word, "a \";\" without a statement");
        diag_more(l->d, "a block ends in \"}\" alone");
    } else if (bare_is(&l->words[0], "include")) {
        struct word key = l->words[0], path = l->words[l->nstatement > 1];
        u32 n = l->nstatement;
        l->nstatement = 0;
        if (n != 2)
            diag_error(l->d, &key, "\"include\" takes the name of one file or one pattern");
        if (n != 2 || !load_include(l, &path, p->block, p->depth))
            p->block->torn = true;
    } else {
        make_node(p, false)->end = t->word.at;
    }
}

/* Words before a } or the end of the text lack their semicolon. */
static void finish_statement(struct place *p)
{
    struct loader *l = p->l;
    if (l->nstatement == 0)
        return;
    const struct word *last = &l->words[l->nstatement - 1];
    struct position behind = last->at;
    behind.column += last->width;
    diag_error_at(l->d, behind, 1, "a \";\" is missing behind %s", word_shown(last));
    if (bare_is(&l->words[0], "include")) {
        l->nstatement = 0;
        p->block->torn = true;
    } else {
        make_node(p, false)->end = behind;
    }
}

static void tear_open_blocks(struct place *p)
{
    for (struct node *n = p->block; n; n = n->parent)
        n->torn = true;
}

/* The block that was closed last, or one at the end of it, was closed too early. */
static void tear_last_block(struct node *block)
{
    for (struct node *last = block; last && !block->torn; block = last) {
        block->torn = true;
        last = NULL;
        for (struct node *n = block->children; n; n = n->next)
            last = n->block ? n : last;
    }
}

static void on_close(struct place *p, const struct token *t)
{
    finish_statement(p);
    if (p->block == p->top) {
        diag_error(p->l->d, &t->word, "a \"}\" without a block");
        tear_last_block(p->top);
        return;
    }
    p->block->end = t->word.at;
    p->block = p->block->parent;
    p->depth--;
}

/* Where the blocks that are still open should have ended, schema_check knows better. */
static void on_end(struct place *p)
{
    finish_statement(p);
    for (; p->block != p->top; p->block = p->block->parent)
        p->block->open = true;
}

void parse_text(struct loader *l, const struct source_text *s, struct node *block, u32 depth)
{
    struct place p = { .l = l, .top = block, .block = block, .depth = depth };
    p.lex = (struct lexer){ .text = s->text,
                            .line = 1,
                            .file = s->file,
                            .arena = &l->t->arena,
                            .d = l->d,
                            .word = l->word };
    if (slice_starts(s->text, SLICE("\xef\xbb\xbf"))) /* a byte order mark */
        p.lex.i = 3;
    while (!l->full) {
        struct token t = lexer_next(&p.lex);
        switch (t.kind) {
        case TOKEN_WORD: push_word(l, &t); break;
        case TOKEN_SEMICOLON: on_semicolon(&p, &t); break;
        case TOKEN_OPEN: on_open(&p, &t); break;
        case TOKEN_CLOSE: on_close(&p, &t); break;
        case TOKEN_END: on_end(&p); return;
        }
    }
    tear_open_blocks(&p);
    l->nstatement = 0;
}
