/* What the configuration's tests share: text in, tree and printed diagnostics out. */
#ifndef UNIT_CONFIG_TEXT_H
#define UNIT_CONFIG_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "schema_root.h"

struct trial {
    struct tree tree;
    struct diags diags;
    bool fine;
    char *said; /* all diagnostics, printed */
    size_t nsaid;
};

static inline void trial_print(struct trial *t)
{
    FILE *to = open_memstream(&t->said, &t->nsaid);
    diags_print(&t->diags, to);
    fclose(to);
}

/* Lexed and parsed only. */
static inline void trial_parse(struct trial *t, struct slice text)
{
    *t = (struct trial){ 0 };
    t->fine = config_load_text("t.conf", text, true, &t->tree, &t->diags);
    trial_print(t);
}

/* Against the whole schema. */
static inline void trial_check(struct trial *t, struct slice text)
{
    *t = (struct trial){ 0 };
    t->fine = config_load_text("t.conf", text, true, &t->tree, &t->diags);
    t->fine = root_check(&t->tree, &t->diags) && t->fine;
    trial_print(t);
}

static inline void trial_open(struct trial *t, const char *path)
{
    *t = (struct trial){ 0 };
    t->fine = config_open(path, &t->tree, &t->diags);
    trial_print(t);
}

static inline void trial_end(struct trial *t)
{
    free(t->said);
    diags_free(&t->diags);
    config_free(&t->tree);
}

static inline void assert_says(const struct trial *t, const char *part)
{
    if (!strstr(t->said, part))
        fail_msg("expected to read \"%s\" in:\n%s", part, t->said);
}

static inline void assert_word(const struct node *n, u32 i, const char *text)
{
    assert_true(i < n->nwords);
    assert_string_equal(n->words[i].text.p, text);
}

#endif
