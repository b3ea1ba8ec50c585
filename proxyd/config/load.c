/*
 * Which files are read: the first one, what it includes, and the files of secrets. Includes are
 * bounded three ways: a file that is still open is a cycle, no more than CONFIG_INCLUDES lie within
 * each other, and no more than CONFIG_FILES and CONFIG_TOTAL_MAX are read at all (a file that
 * includes another twice, sixteen times over, would be 65536 files).
 */
#include "config/load.h"

#include <glob.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"
#include "config/parser.h"

/* The name of "-". Only the command line may give it: in a file it would wait for ever. */
static const char standard_input[] = "standard input";

/* NUL and broken UTF-8 anywhere, also in comments, mean that this is no text. */
static bool is_text(struct loader *l, const struct source_text *s)
{
    const char *nul = slice_find(s->text, 0);
    size_t bad;
    bool valid = utf8_valid(s->text, &bad);
    if (nul && (valid || (size_t)(nul - s->text.p) < bad))
        bad = (size_t)(nul - s->text.p);
    else if (valid)
        return true;
    else
        nul = NULL;
    struct position at = { s->file, 1, 1 };
    for (size_t i = 0; i < bad; i++) {
        at.column++;
        if (s->text.p[i] == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    if (nul)
        diag_error_at(l->d, at, 1, "a NUL byte, byte %zu of the file", bad + 1);
    else
        diag_error_at(l->d, at, 1, "invalid UTF-8: the byte 0x%02x, byte %zu of the file",
                      (u8)s->text.p[bad], bad + 1);
    diag_more(l->d, "expected text in UTF-8; the rest of this file was not read");
    return false;
}

static bool parse_source(struct loader *l, struct slice text, const char *file,
                         struct position from, struct node *block, u32 depth)
{
    struct source_text *s = arena_zalloc(&l->t->arena, sizeof *s);
    *s = (struct source_text){ NULL, file, text, from };
    struct source_text **end = &l->t->sources;
    while (*end)
        end = &(*end)->next;
    *end = s;
    if (!is_text(l, s))
        return false;
    parse_text(l, s, block, depth);
    return true;
}

static bool budget_ok(struct loader *l, struct position from, u32 width)
{
    if (l->nfiles >= CONFIG_FILES)
        diag_error_at(l->d, from, width, "more than %d files are included", CONFIG_FILES);
    else if (l->total >= CONFIG_TOTAL_MAX)
        diag_error_at(l->d, from, width, "the files are larger than %d MiB together",
                      CONFIG_TOTAL_MAX >> 20);
    else
        return true;
    l->full = true;
    return false;
}

/* Standard input has no identity, and no file has that. */
static bool is_open(const struct loader *l, const struct file_id *id)
{
    for (const struct open_file *o = l->open; o; o = o->includer)
        if (o->id.dev == id->dev && o->id.ino == id->ino)
            return true;
    return false;
}

static bool load_file(struct loader *l, const char *path, struct position from, u32 width,
                      struct node *block, u32 depth)
{
    struct slice text;
    struct file_id id;
    struct position where = from.file ? from : (struct position){ path, 0, 0 };
    if (!budget_ok(l, where, width))
        return false;
    const char *wrong = path == standard_input ? file_read_input(CONFIG_FILE_MAX, &text, &id)
                                               : file_read(path, CONFIG_FILE_MAX, &text, &id);
    if (wrong) {
        diag_error_at(l->d, where, width, "cannot read %s: %s", slice_shown(slice_of(path)), wrong);
        return false;
    }
    if (is_open(l, &id)) {
        diag_error_at(l->d, where, width, "%s includes itself", slice_shown(slice_of(path)));
        for (const struct open_file *o = l->open; o; o = o->includer)
            diag_more(l->d, "%s %s", o == l->open ? "which is read by" : "included by", o->name);
        free((void *)(uintptr_t)text.p);
        return false;
    }
    l->nfiles++;
    l->total += text.n;
    const char *name = arena_copy(&l->t->arena, slice_of(path)).p;
    struct open_file o = { l->open, id, name };
    l->open = &o;
    l->nopen++;
    bool read = parse_source(l, text, name, from, block, depth);
    l->nopen--;
    l->open = o.includer;
    return read;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool load_pattern(struct loader *l, const char *pattern, const struct word *w,
                         struct node *block, u32 depth)
{
    glob_t g = { 0 };
    int rc = glob(pattern, GLOB_NOSORT, NULL, &g);
    bool read = rc == 0 || rc == GLOB_NOMATCH;
    if (!read)
        diag_error(l->d, w, "cannot list the files of this pattern");
    if (rc == 0 && g.gl_pathc > CONFIG_FILES) {
        diag_error(l->d, w, "this pattern names %zu files, more than %d", g.gl_pathc, CONFIG_FILES);
        read = false;
    } else if (rc == 0) {
        qsort(g.gl_pathv, g.gl_pathc, sizeof *g.gl_pathv, by_bytes);
        for (size_t i = 0; i < g.gl_pathc && !l->full; i++)
            read &= load_file(l, g.gl_pathv[i], w->at, w->width, block, depth);
    }
    globfree(&g);
    return read;
}

static bool may_open(struct loader *l, const struct word *w)
{
    if (w->reported)
        return false;
    if (!l->files) {
        diag_error(l->d, w, "this text may not read other files");
        return false;
    }
    if (slice_is(w->text, "-")) {
        diag_error(l->d, w, "\"-\" stands for standard input on the command line only");
        diag_more(l->d, "a file of this name is written ./-");
        return false;
    }
    return true;
}

bool load_include(struct loader *l, const struct word *w, struct node *block, u32 depth)
{
    if (!w->reported && (w->kind == WORD_REGEX || w->kind == WORD_SECRET || w->text.n == 0)) {
        diag_error(l->d, w, "\"include\" takes a file or a pattern such as conf.d/*.conf");
        return false;
    }
    if (!may_open(l, w))
        return false;
    if (l->nopen >= CONFIG_INCLUDES) {
        diag_error(l->d, w, "files include each other more than %d deep", CONFIG_INCLUDES);
        return false;
    }
    const char *path = file_path(&l->t->arena, w->at.file, w->text).p;
    if (strpbrk(w->text.p, "*?["))
        return load_pattern(l, path, w, block, depth);
    return load_file(l, path, w->at, w->width, block, depth);
}

const char *secret_read(const char *path, struct slice *text, struct slice *value)
{
    struct file_id id;
    const char *wrong = file_read(path, CONFIG_SECRET_MAX, text, &id);
    if (wrong)
        return wrong;
    struct slice rest = *text;
    *value = SLICE("");
    slice_cut(&rest, '\n', value);
    if (value->n && value->p[value->n - 1] == '\r')
        value->n--;
    if (value->n == 0)
        wrong = "its first line is empty";
    else if (slice_find(*value, 0))
        wrong = "its first line holds a NUL byte";
    if (wrong)
        free((void *)(uintptr_t)text->p);
    return wrong;
}

void load_secret(struct loader *l, const struct word *w, struct word *secret)
{
    secret->kind = WORD_SECRET;
    secret->text = SLICE("");
    if (w->kind == WORD_REGEX || !may_open(l, w))
        return;
    struct slice text, value;
    const char *path = file_path(&l->t->arena, w->at.file, w->text).p;
    const char *wrong = secret_read(path, &text, &value);
    if (wrong) {
        diag_error(l->d, w, "cannot read the secret %s: %s", slice_shown(slice_of(path)), wrong);
        return;
    }
    secret->text = arena_copy(&l->t->arena, value);
    free((void *)(uintptr_t)text.p);
    struct secret_file *f = arena_zalloc(&l->t->arena, sizeof *f);
    *f = (struct secret_file){ l->t->secrets, path, secret->text };
    l->t->secrets = f;
}

static void begin(struct loader *l, bool files, struct tree *t, struct diags *d)
{
    memset(t, 0, sizeof *t);
    arena_init(&t->arena, 64 << 10);
    t->root.block = true;
    d->tree = t;
    *l = (struct loader){ .t = t, .d = d, .files = files };
    l->word = must_alloc(CONFIG_WORD_MAX);
}

static bool end(struct loader *l)
{
    free(l->words);
    free(l->word);
    return l->d->errors == 0;
}

bool config_load_file(const char *path, struct tree *t, struct diags *d)
{
    struct loader l;
    begin(&l, true, t, d);
    const char *name = strcmp(path, "-") == 0 ? standard_input : path;
    t->root.torn |= !load_file(&l, name, (struct position){ NULL, 0, 0 }, 1, &t->root, 0);
    return end(&l);
}

bool config_load_text(const char *name, struct slice text, bool files, struct tree *t,
                      struct diags *d)
{
    struct loader l;
    begin(&l, files, t, d);
    char *copy = must_alloc(text.n);
    if (text.n)
        memcpy(copy, text.p, text.n);
    const char *file = arena_copy(&t->arena, slice_of(name)).p;
    t->root.torn |= !parse_source(&l, (struct slice){ copy, text.n }, file,
                                  (struct position){ NULL, 0, 0 }, &t->root, 0);
    return end(&l);
}

void config_free(struct tree *t)
{
    for (struct source_text *s = t->sources; s; s = s->next)
        free((void *)(uintptr_t)s->text.p);
    arena_free(&t->arena);
    memset(t, 0, sizeof *t);
}
