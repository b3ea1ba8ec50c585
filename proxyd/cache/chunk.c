#include "cache/chunk.h"

#include <string.h>

static struct chunk *new_in_pages(struct budget *b, u32 cap, enum growing how)
{
    struct pages_run run;
    if (cap < PAGES_LEAST || b->pages == NULL || !budget_count_growing(b, cap, how))
        return NULL;
    struct chunk *c = pages_take(b->pages, cap, &run) ? budget_take(b, sizeof *c) : NULL;
    if (c == NULL) {
        budget_uncount(b, cap); /* a piece that was taken stays empty, and costs nothing */
        return NULL;
    }
    *c = (struct chunk){ .cap = cap, .paged = true, .bytes = run.bytes, .run = run };
    return c;
}

struct chunk *chunk_new(struct budget *b, u32 cap, bool stays, enum growing how)
{
    struct chunk *c = stays ? new_in_pages(b, cap, how) : NULL;
    if (c)
        return c;
    c = budget_take_growing(b, sizeof *c + cap, how);
    if (c)
        *c = (struct chunk){ .cap = cap, .bytes = (char *)(c + 1) };
    return c;
}

void chunk_in(struct chunk *c, struct slice bytes)
{
    *c = (struct chunk){ .n = (u32)bytes.n, .cap = (u32)bytes.n, .bytes = (char *)(c + 1) };
    if (bytes.n)
        memcpy(c + 1, bytes.p, bytes.n);
}

void chunk_free(struct budget *b, struct chunk *c)
{
    if (!c->paged) {
        budget_give(b, c, sizeof *c + c->cap);
        return;
    }
    pages_give(b->pages, &c->run);
    budget_uncount(b, c->cap);
    budget_give(b, c, sizeof *c);
}

bool chunk_write(struct chunk *c, struct slice bytes)
{
    if (c->paged)
        return pages_write(&c->run, c->n, bytes);
    memcpy((char *)(c + 1) + c->n, bytes.p, bytes.n);
    return true;
}

bool chunk_extent(const struct chunk *c, u32 from, size_t n, struct extent *e)
{
    if (c->paged)
        *e = (struct extent){ c->run.fd, c->run.offset + from, n };
    return c->paged;
}
