#include "changes.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"

enum { PATH_MOST = 1024, FIRST_BUCKETS = 64 };

/* A block, or a statement that stands in a block without a name. What stands in a named block is a
 * part of that: several rules would be too many lines for one rule that has changed. */
struct item {
    struct item *next;
    struct item *same; /* the next one in its bucket */
    u64 hash;
    struct slice path; /* "policy staff rules deny uploads" */
    u64 print;         /* of the statements in it */
    u64 order;         /* of the blocks in it, by their names */
    bool restart;      /* takes effect at the next start only */
    bool shell;        /* a block without a name: what is in it speaks for it */
    const struct item *parent;
};

struct noted {
    struct arena arena;
    struct item *first, **end;
    struct item **bucket; /* of all items, by their paths */
    u32 mask, n;
};

static u64 mix(u64 print, struct slice s)
{
    u64 both[2] = { print, hash64(hash_process_key(), s.p, s.n) };
    return hash64(hash_process_key(), both, sizeof both);
}

static u64 hash_of(struct slice path)
{
    return hash64(hash_process_key(), path.p, path.n);
}

static const struct item *find(const struct noted *n, struct slice path)
{
    u64 hash = hash_of(path);
    const struct item *i = n->bucket[hash & n->mask];
    while (i && !(i->hash == hash && slice_eq(i->path, path)))
        i = i->same;
    return i;
}

static void put_in_bucket(struct noted *n, struct item *i)
{
    struct item **head = &n->bucket[i->hash & n->mask];
    i->same = *head;
    *head = i;
}

static void set_buckets(struct noted *n, u32 count)
{
    free(n->bucket);
    n->bucket = must_zalloc(count * sizeof(void *));
    n->mask = count - 1;
    for (struct item *i = n->first; i; i = i->next)
        put_in_bucket(n, i);
}

/* The item of that path; a key that stands several times is one. */
static struct item *item(struct noted *n, struct slice path)
{
    struct item *i = (struct item *)(uintptr_t)find(n, path);
    if (i)
        return i;
    i = arena_zalloc(&n->arena, sizeof *i);
    i->path = arena_copy(&n->arena, path);
    i->hash = hash_of(path);
    *n->end = i;
    n->end = &i->next;
    put_in_bucket(n, i);
    if (n->n++ > n->mask)
        set_buckets(n, 2 * (n->mask + 1));
    return i;
}

static u64 mix_words(u64 print, const struct node *n)
{
    print = mix(print, n->negated ? SLICE("not") : SLICE(""));
    for (u32 i = 0; i < n->nwords; i++)
        print = mix(print, n->words[i].text);
    return print;
}

static void put_path(struct text *t, const struct node *n)
{
    if (t->n)
        text_char(t, ' ');
    text_cstr(t, n->row->key);
    if (n->row->kind == ROW_NAMED) {
        text_char(t, ' ');
        text_add(t, node_name(n));
    }
}

/* The children of a block; `own` is its item, NULL at the top. `path` is as it was afterwards. */
static void note_children(struct noted *n, const struct node *block, struct item *own, bool named,
                          struct text *path)
{
    for (const struct node *c = block->children; c; c = c->next) {
        size_t before = path->n;
        put_path(path, c);
        bool part = named && !c->block;
        struct item *i = part ? own : item(n, text_slice(path));
        if (own && c->block)
            own->order = mix(own->order, text_slice(path));
        i->restart |= c->row->restart;
        if (i != own) {
            i->parent = own;
            i->shell = c->block && c->row->kind != ROW_NAMED;
        }
        if (c->block)
            note_children(n, c, i, c->row->kind == ROW_NAMED, path);
        else
            i->print = mix_words(i->print, c);
        path->n = before;
    }
}

struct noted *noted_of(const struct tree *t)
{
    char area[PATH_MOST];
    struct text path = text_in(area, sizeof area);
    struct noted *n = must_zalloc(sizeof *n);
    arena_init(&n->arena, 0);
    n->end = &n->first;
    set_buckets(n, FIRST_BUCKETS);
    note_children(n, &t->root, NULL, false, &path);
    return n;
}

void noted_free(struct noted *n)
{
    arena_free(&n->arena);
    free(n->bucket);
    free(n);
}

static u32 tell(FILE *to, const struct item *i, const char *what)
{
    fprintf(to, "%.*s: %s%s\n", SLICE_FMT(i->path), what,
            i->restart ? ", which takes effect at the next start only" : "");
    return 1;
}

/* Is it absent over there, and not only because the block that it stands in is? */
static bool is_missing(const struct item *i, const struct noted *other)
{
    if (i->shell || find(other, i->path))
        return false;
    const struct item *in = i->parent;
    while (in && in->shell)
        in = in->parent;
    return in == NULL || find(other, in->path);
}

/* Is a block in i on one side only? Then another order says nothing more. */
static bool differs_inside(const struct noted *one, const struct noted *other, struct slice path)
{
    for (const struct item *i = one->first; i; i = i->next)
        if (i->path.n > path.n && slice_starts(i->path, path) && !find(other, i->path))
            return true;
    return false;
}

u32 changes_write(const struct noted *before, const struct noted *after, FILE *to)
{
    u32 n = 0;
    for (const struct item *i = before->first; i; i = i->next)
        if (is_missing(i, after))
            n += tell(to, i, "removed");
    for (const struct item *i = after->first; i; i = i->next) {
        const struct item *was = find(before, i->path);
        if (was == NULL)
            n += is_missing(i, before) ? tell(to, i, "added") : 0;
        else if (was->print != i->print)
            n += tell(to, i, "changed");
        else if (was->order != i->order && !differs_inside(before, after, i->path) &&
                 !differs_inside(after, before, i->path))
            n += tell(to, i, "in another order");
    }
    return n;
}
