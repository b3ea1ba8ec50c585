/* Finding one's way in the tree. */
#include "config/tree.h"

#include "config/schema.h"

/* The schema's spelling where there is one, so that "log access" is found as such. */
static struct slice key_of(const struct node *n)
{
    return n->row ? slice_of(n->row->key) : node_key(n);
}

const struct node *node_child(const struct node *block, const char *key)
{
    struct slice wanted = slice_of(key);
    for (const struct node *n = block ? block->children : NULL; n; n = n->next)
        if (slice_eq(key_of(n), wanted))
            return n;
    return NULL;
}

bool node_may_have(const struct node *block, const char *key)
{
    if (block->torn || node_child(block, key))
        return true;
    for (const struct node *n = block->children; n; n = n->next)
        if (n->meant && strcmp(n->meant->key, key) == 0)
            return true;
    return false;
}

const struct node *node_again(const struct node *n)
{
    struct slice wanted = key_of(n);
    while ((n = n->next) != NULL)
        if (slice_eq(key_of(n), wanted))
            return n;
    return NULL;
}

const struct node *node_root(const struct node *n)
{
    while (n->parent)
        n = n->parent;
    return n;
}

const struct node *node_named(const struct node *n, const char *key, struct slice name)
{
    const struct node *c = node_child(node_root(n), key);
    while (c && !slice_eq(node_name(c), name))
        c = node_again(c);
    return c;
}
