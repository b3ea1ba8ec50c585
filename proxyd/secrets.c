/* Who owns what: a secret belongs to its watch, which frees it when no look can come any more. Of
 * a value only a keyed hash is kept. */
#include "secrets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "config/load.h"
#include "config/schema.h"
#include "pac/conf.h"

struct secret {
    struct secret *next;
    struct secrets_conf conf;
    struct watch *watch;
    char *path;
    bool script;       /* the whole file counts, and not its first line */
    _Atomic u64 print; /* of the value in force, or of the one that a reload was asked for */
    bool reported;     /* that it cannot be used; the looking thread's own */
    bool used;         /* by the newest tree */
};

struct secrets {
    pthread_mutex_t lock; /* guards the list */
    struct secrets_conf conf;
    struct secret *first;
};

static u64 print_of(struct slice value)
{
    return hash64(hash_process_key(), value.p, value.n);
}

/* Its content, or that there is none: what is wrong with it the reload tells. */
static u64 print_of_script(const char *path)
{
    struct arena a;
    struct slice text;
    arena_init(&a, 0);
    (void)pac_file_read(path, &a, &text);
    u64 print = print_of(text);
    arena_free(&a);
    return print;
}

static void tell(struct secret *s, const char *why)
{
    char line[1024];
    if (s->reported)
        return;
    s->reported = true;
    snprintf(line, sizeof line, "the secret %s cannot be used, the former value stays: %s", s->path,
             why);
    s->conf.unusable(s->conf.arg, line);
}

/* False: to be looked at again soon. */
static bool look(void *arg)
{
    struct secret *s = arg;
    struct slice text, value;
    if (s->script) {
        u64 print = print_of_script(s->path);
        if (atomic_exchange(&s->print, print) != print)
            s->conf.changed(s->conf.arg);
        return true;
    }
    const char *why = secret_read(s->path, &text, &value);
    if (why) {
        tell(s, why);
        return false;
    }
    u64 print = print_of(value);
    free((void *)(uintptr_t)text.p);
    s->reported = false;
    if (atomic_exchange(&s->print, print) != print)
        s->conf.changed(s->conf.arg);
    return true;
}

static void forget(void *arg)
{
    struct secret *s = arg;
    free(s->path);
    free(s);
}

static struct secret *find(const struct secrets *all, const char *path, bool script)
{
    struct secret *s = all->first;
    while (s && (s->script != script || strcmp(s->path, path) != 0))
        s = s->next;
    return s;
}

static void add(struct secrets *all, const char *path, bool script, u64 print)
{
    struct secret *s = must_zalloc(sizeof *s);
    s->script = script;
    s->conf = all->conf;
    must((s->path = strdup(path)) != NULL);
    atomic_store(&s->print, print);
    s->used = true;
    s->next = all->first;
    all->first = s;
    struct watch_conf c = { s->path, JOB_secret_file, look, forget, s };
    s->watch = watch_begin(all->conf.watcher, &c);
}

static void drop_unused(struct secrets *all)
{
    for (struct secret **at = &all->first; *at;) {
        struct secret *s = *at;
        if (s->used) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        watch_end(s->watch);
    }
}

struct secrets *secrets_new(const struct secrets_conf *conf)
{
    struct secrets *all = must_zalloc(sizeof *all);
    all->conf = *conf;
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

static void follow(struct secrets *all, const char *path, bool script, u64 print)
{
    struct secret *s = find(all, path, script);
    if (s == NULL) {
        add(all, path, script, print);
        return;
    }
    s->used = true;
    atomic_store(&s->print, print);
}

/* One that has changed since it was compiled is in force when the next change comes, as with an
 * editor that writes twice. */
static void follow_scripts(struct secrets *all, const struct tree *t)
{
    struct arena a;
    arena_init(&a, 0);
    for (const struct node *n = node_child(&t->root, "pac"); n; n = node_again(n)) {
        const struct node *file = node_child(n, "file");
        const char *path = file ? schema_path(&a, node_arg(file, 0)) : NULL;
        if (path)
            follow(all, path, true, print_of_script(path));
    }
    arena_free(&a);
}

void secrets_follow(struct secrets *all, const struct tree *t)
{
    pthread_mutex_lock(&all->lock);
    for (struct secret *s = all->first; s; s = s->next)
        s->used = false;
    for (const struct secret_file *f = t->secrets; f; f = f->next)
        follow(all, f->path, false, print_of(f->value));
    follow_scripts(all, t);
    drop_unused(all);
    pthread_mutex_unlock(&all->lock);
}

void secrets_free(struct secrets *all)
{
    for (struct secret *s = all->first; s; s = s->next)
        s->used = false;
    drop_unused(all);
    pthread_mutex_destroy(&all->lock);
    free(all);
}
