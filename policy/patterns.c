/* They have been compiled once by `check` when they come here, so that compiling cannot fail. */
#include "policy/patterns.h"

#include "base/must.h"

static void add(struct patterns *p, const struct word *w, struct arena *a)
{
    char why[PATTERN_WHY];
    const struct pattern *one = pattern_compile(a, w->text, why);
    must(one != NULL);
    p->pattern[p->n++] = one;
}

u32 patterns_read(struct patterns *p, const struct node *n, u32 from, struct arena *a)
{
    u32 i = from;
    p->pattern = arena_alloc(a, (node_nargs(n) - from) * sizeof(struct pattern *));
    for (; i < node_nargs(n) && node_arg(n, i)->kind == WORD_REGEX; i++)
        add(p, node_arg(n, i), a);
    return i - from;
}

void patterns_gather(struct patterns *p, const struct node *n, struct arena *a)
{
    p->pattern = arena_alloc(a, node_nargs(n) * sizeof(struct pattern *));
    for (u32 i = 0; i < node_nargs(n); i++)
        if (node_arg(n, i)->kind == WORD_REGEX)
            add(p, node_arg(n, i), a);
}
