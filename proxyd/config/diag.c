/*
 * The list of diagnostics and how it is printed. The hard part is the excerpt: a line may be ten
 * megabytes long, hold tabs, wide characters or control bytes, and the caret has to stand under the
 * right place all the same.
 */
#include "config/diag.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"
#include "base/text.h"
#include "config/shown.h"

enum {
    EXCERPT = 100,     /* bytes of a line that are shown at most */
    EXCERPT_LEFT = 40, /* of them before the column, when the line is longer */
    SHOWN = 80,        /* bytes of a word in a message */
    ROTATING_ROOM = 512,
    GUESS_PREFIX = 3, /* letters that two words must begin with when one is the other's beginning */
};

void diags_init(struct diags *d)
{
    memset(d, 0, sizeof *d);
}

void diags_free(struct diags *d)
{
    for (u32 i = 0; i < d->nlist; i++)
        free(d->list[i].message);
    for (struct source_text *s = d->more, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    memset(d, 0, sizeof *d);
}

static void append(struct diag *g, const char *prefix, const char *fmt, va_list ap)
{
    char line[DIAG_TEXT];
    vsnprintf(line, sizeof line, fmt, ap);
    size_t have = g->message ? strlen(g->message) : 0, pre = strlen(prefix), n = strlen(line);
    g->message = must_realloc(g->message, have + pre + n + 1);
    memcpy(g->message + have, prefix, pre);
    memcpy(g->message + have + pre, line, n + 1);
}

static void add(struct diags *d, enum diag_kind kind, struct position at, u32 width,
                const char *fmt, va_list ap)
{
    u32 *const count[DIAG_KINDS] = { &d->errors, &d->warnings, &d->notes };
    d->last_kept = (*count[kind])++ < DIAGS_SHOWN;
    if (!d->last_kept)
        return;
    struct diag *g = &d->list[d->nlist];
    *g = (struct diag){ kind, at, width ? width : 1, d->nlist, NULL };
    append(g, "", fmt, ap);
    d->nlist++;
}

void diag_error_at(struct diags *d, struct position at, u32 width, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, DIAG_ERROR, at, width, fmt, ap);
    va_end(ap);
}

const char *diag_source(struct diags *d, const char *file, struct slice text, struct position from)
{
    size_t name = strlen(file) + 1;
    struct source_text *s = malloc(sizeof *s + name + text.n);
    must(s != NULL);
    char *copy = (char *)(s + 1);
    memcpy(copy, file, name);
    if (text.n)
        memcpy(copy + name, text.p, text.n);
    *s = (struct source_text){ d->more, copy, { copy + name, text.n }, from };
    d->more = s;
    return copy;
}

void diag_error(struct diags *d, const struct word *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, DIAG_ERROR, w->at, w->width, fmt, ap);
    va_end(ap);
}

void diag_warning(struct diags *d, const struct word *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, DIAG_WARNING, w->at, w->width, fmt, ap);
    va_end(ap);
}

void diag_note(struct diags *d, const struct word *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, DIAG_NOTE, w->at, w->width, fmt, ap);
    va_end(ap);
}

void diag_more(struct diags *d, const char *fmt, ...)
{
    if (!d->last_kept)
        return;
    va_list ap;
    va_start(ap, fmt);
    append(&d->list[d->nlist - 1], "\n    ", fmt, ap);
    va_end(ap);
}

/* The largest distance that a guess may have. */
static unsigned guess_limit(struct slice wrong)
{
    size_t third = wrong.n / 3;
    return third < 1 ? 1 : third > 4 ? 4 : (unsigned)third;
}

struct guess guess_for(struct slice wrong)
{
    return (struct guess){ wrong, { NULL, 0 }, guess_limit(wrong) + 1 };
}

static bool begins_alike(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    return n >= GUESS_PREFIX && slice_eq_nocase((struct slice){ a.p, n }, (struct slice){ b.p, n });
}

void guess_try(struct guess *g, struct slice candidate)
{
    if (g->distance == 0 || candidate.n == 0)
        return;
    unsigned away = str_distance(g->wrong, candidate, g->distance - 1);
    if (away >= g->distance && begins_alike(g->wrong, candidate))
        away = guess_limit(g->wrong);
    if (away < g->distance && away < candidate.n) {
        g->best = candidate;
        g->distance = away;
    }
}

void guess_try_list(struct guess *g, const char *list)
{
    struct slice rest = slice_of(list), piece;
    while (slice_cut(&rest, ' ', &piece))
        guess_try(g, piece);
}

void guess_tell(const struct guess *g, struct diags *d)
{
    if (g->best.n)
        diag_more(d, "did you mean \"%.*s\"?", SLICE_FMT(g->best));
}

/* A byte of a character that is not its first. */
static bool continues(char c)
{
    return ((u8)c & 0xc0) == 0x80;
}

static char *rotating(size_t *cap)
{
    static char area[8][ROTATING_ROOM];
    static unsigned turn;
    *cap = sizeof area[0];
    return area[turn++ % countof(area)];
}

const char *slice_shown(struct slice s)
{
    size_t cap;
    char *p = rotating(&cap);
    struct text t = text_in(p, cap - 1);
    bool clipped = s.n > SHOWN;
    size_t end = clipped ? SHOWN : s.n;
    while (clipped && end > 0 && continues(s.p[end]))
        end--;
    text_char(&t, '"');
    shown_escape(&t, (struct slice){ s.p, end });
    text_cstr(&t, clipped ? "...\"" : "\"");
    p[t.n] = 0;
    return p;
}

const char *word_shown(const struct word *w)
{
    return w->kind == WORD_SECRET ? "(a secret)" : slice_shown(w->text);
}

const char *list_shown(const char *list)
{
    size_t cap;
    char *p = rotating(&cap);
    struct text t = text_in(p, cap - 1);
    struct slice rest = slice_of(list), word;
    for (bool first = true; slice_cut(&rest, ' ', &word); first = false) {
        text_cstr(&t, first ? "" : ", ");
        text_add(&t, word);
    }
    p[t.n] = 0;
    return p;
}

const char *position_shown(struct position at)
{
    size_t cap;
    char *p = rotating(&cap);
    snprintf(p, cap, "%s:%u:%u", at.file ? at.file : "?", at.line, at.column);
    return p;
}

/* ---- printing ---- */

static const char *const kind_name[DIAG_KINDS] = { "error", "warning", "note" };

static const struct source_text *source_of(const struct diags *d, struct position at)
{
    const struct source_text *s = d->tree ? d->tree->sources : NULL;
    while (s && s->file != at.file)
        s = s->next;
    for (const struct source_text *m = d->more; m && s == NULL; m = m->next)
        s = m->file == at.file ? m : NULL;
    return s;
}

static struct slice line_of(struct slice text, u32 line)
{
    const char *p = text.p, *end = text.p + text.n;
    for (u32 i = 1; i < line && p; i++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        p = nl ? nl + 1 : NULL;
    }
    if (p == NULL)
        return SLICE("");
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    struct slice s = slice_range(p, nl ? nl : end);
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

/* The part of a line around offset `at` that is shown; cuts fall between characters. */
static struct slice window(struct slice line, size_t at)
{
    if (line.n <= EXCERPT)
        return line;
    size_t from = at > EXCERPT_LEFT ? at - EXCERPT_LEFT : 0;
    size_t to = from + EXCERPT < line.n ? from + EXCERPT : line.n;
    if (to - from < EXCERPT)
        from = to - EXCERPT;
    for (int i = 0; i < 3 && from > 0 && continues(line.p[from]); i++)
        from--;
    for (int i = 0; i < 3 && to < line.n && continues(line.p[to]); i++)
        to++;
    return (struct slice){ line.p + from, to - from };
}

static void print_excerpt(const struct diag *g, struct slice text, FILE *to)
{
    struct slice line = line_of(text, g->at.line);
    if (line.n == 0)
        return;
    size_t at = g->at.column ? g->at.column - 1 : 0;
    if (at > line.n)
        at = line.n;
    struct slice part = window(line, at);
    bool cut_left = part.p > line.p, cut_right = part.p + part.n < line.p + line.n;
    fprintf(to, "    %s", cut_left ? "..." : "");
    shown_put(to, part);
    fprintf(to, "%s\n    %s", cut_right ? "..." : "", cut_left ? "   " : "");
    struct slice rest = slice_skip(line, at);
    rest.n = (size_t)(part.p + part.n - rest.p);
    shown_fill(to, slice_range(part.p, rest.p), ' ', 0);
    fputc('^', to);
    if (rest.n > g->width)
        rest.n = g->width;
    shown_fill(to, rest, '~', 1);
    fputc('\n', to);
}

static void print_lines(struct slice lines, FILE *to)
{
    struct slice line;
    while (slice_cut(&lines, '\n', &line)) {
        shown_put(to, line);
        fputc('\n', to);
    }
}

static void print_one(const struct diags *d, const struct diag *g, FILE *to)
{
    const char *kind = kind_name[g->kind];
    struct slice more = slice_of(g->message), first;
    slice_cut(&more, '\n', &first);
    if (g->at.file == NULL) {
        fprintf(to, "%s: ", kind);
    } else {
        shown_put(to, slice_of(g->at.file));
        if (g->at.line)
            fprintf(to, ":%u:%u", g->at.line, g->at.column);
        fprintf(to, ": %s: ", kind);
    }
    print_lines(first, to);
    const struct source_text *s = source_of(d, g->at);
    if (s && g->at.line)
        print_excerpt(g, s->text, to);
    print_lines(more, to);
    while (s && s->from.file) {
        fputs("    included from ", to);
        shown_put(to, slice_of(s->from.file));
        fprintf(to, ":%u:%u\n", s->from.line, s->from.column);
        s = source_of(d, s->from);
    }
}

static u32 source_rank(const struct diags *d, const char *file)
{
    u32 rank = 0;
    for (const struct source_text *s = d->tree ? d->tree->sources : NULL; s; s = s->next, rank++)
        if (s->file == file)
            return rank + 1;
    return file ? rank + 1 : 0;
}

static bool stands_before(const struct diags *d, const struct diag *a, const struct diag *b)
{
    u32 ra = source_rank(d, a->at.file), rb = source_rank(d, b->at.file);
    if (ra != rb)
        return ra < rb;
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line;
    if (a->at.column != b->at.column)
        return a->at.column < b->at.column;
    return a->order < b->order;
}

void diags_print(const struct diags *d, FILE *to)
{
    const struct diag *sorted[countof(d->list)];
    for (u32 i = 0; i < d->nlist; i++) {
        u32 k = i;
        for (; k > 0 && stands_before(d, &d->list[i], sorted[k - 1]); k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = &d->list[i];
    }
    for (u32 i = 0; i < d->nlist; i++)
        print_one(d, sorted[i], to);
    const u32 count[DIAG_KINDS] = { d->errors, d->warnings, d->notes };
    for (u32 i = 0; i < DIAG_KINDS; i++)
        if (count[i] > DIAGS_SHOWN)
            fprintf(to, "and %u more %s%s\n", count[i] - DIAGS_SHOWN, kind_name[i],
                    count[i] - DIAGS_SHOWN == 1 ? "" : "s");
}
