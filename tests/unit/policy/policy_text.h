/* For the tests: a policy from its text, with the diagnostics as one string. */
#ifndef TESTS_POLICY_TEXT_H
#define TESTS_POLICY_TEXT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "policy/conf.h"

static const struct schema_row no_rows[] = { { .key = NULL } };
static const struct schema_row test_rows[] = {
    { .key = "policy",
      .kind = ROW_NAMED,
      .repeat = true,
      .children = policy_rows,
      .check = policy_conf_check },
    { .key = "list", .kind = ROW_NAMED, .repeat = true, .children = no_rows },
    { .key = "parent", .kind = ROW_NAMED, .repeat = true, .children = no_rows },
    { .key = NULL },
};

struct policy_text {
    const struct policy *policy; /* NULL: the text has errors */
    u32 errors, warnings;
    char *messages;
    struct arena arena;
};

static inline struct policy_text policy_from(const char *text)
{
    struct policy_text p = { 0 };
    struct tree tree;
    struct diags d;
    size_t n;
    arena_init(&p.arena, 0);
    diags_init(&d);
    config_load_text("test", slice_of(text), false, &tree, &d);
    schema_check(&tree, test_rows, &d);
    p.errors = d.errors;
    p.warnings = d.warnings;
    if (d.errors == 0)
        p.policy = policy_compile(node_child(&tree.root, "policy"), &p.arena);
    FILE *f = open_memstream(&p.messages, &n);
    diags_print(&d, f);
    fclose(f);
    diags_free(&d);
    config_free(&tree); /* a policy outlives its tree */
    return p;
}

static inline void policy_text_free(struct policy_text *p)
{
    free(p->messages);
    arena_free(&p->arena);
}

#endif
