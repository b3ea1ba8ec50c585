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

static void add(struct diags *d, bool warning, struct position at, u32 width, const char *fmt,
                va_list ap)
{
    u32 *count = warning ? &d->warnings : &d->errors;
    d->last_kept = (*count)++ < DIAGS_SHOWN;
    if (!d->last_kept)
        return;
    struct diag *g = &d->list[d->nlist];
    *g = (struct diag){ warning, at, width ? width : 1, d->nlist, NULL };
    append(g, "", fmt, ap);
    d->nlist++;
}

void diag_error_at(struct diags *d, struct position at, u32 width, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, false, at, width, fmt, ap);
    va_end(ap);
}

void diag_warning_at(struct diags *d, struct position at, u32 width, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, true, at, width, fmt, ap);
    va_end(ap);
}

void diag_error(struct diags *d, const struct word *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, false, w->at, w->width, fmt, ap);
    va_end(ap);
}

void diag_warning(struct diags *d, const struct word *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(d, true, w->at, w->width, fmt, ap);
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

/* The distance of a guess that is just near enough. */
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
    unsigned far = str_distance(g->wrong, candidate, g->distance - 1);
    if (far >= g->distance && begins_alike(g->wrong, candidate))
        far = guess_limit(g->wrong);
    if (far < g->distance && far < candidate.n) {
        g->best = candidate;
        g->distance = far;
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

static char *rotating(size_t *cap)
{
    static char area[8][ROTATING_ROOM];
    static unsigned turn;
    *cap = sizeof area[0];
    return area[turn++ % countof(area)];
}

const char *slice_shown(struct slice s)
{
    size_t cap, n = 0;
    char *p = rotating(&cap);
    bool clipped = s.n > SHOWN;
    size_t end = clipped ? SHOWN : s.n;
    while (clipped && end > 0 && ((u8)s.p[end] & 0xc0) == 0x80)
        end--;
    p[n++] = '"';
    for (size_t i = 0; i < end; i++) {
        u8 c = (u8)s.p[i];
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(p + n, cap - n, "\\x%02x", c);
        else
            p[n++] = (char)c;
    }
    snprintf(p + n, cap - n, clipped ? "...\"" : "\"");
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

static const struct source *source_of(const struct diags *d, struct position at)
{
    const struct source *s = d->tree ? d->tree->sources : NULL;
    while (s && s->file != at.file)
        s = s->next;
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

static bool continues(char c)
{
    return ((u8)c & 0xc0) == 0x80;
}

/* One byte for a terminal: controls become ?, so that a file cannot move the cursor. */
static void put_safe(FILE *to, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        fputc((c < 0x20 && c != '\t') || c == 0x7f ? '?' : c, to);
    }
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
    put_safe(to, part);
    fprintf(to, "%s\n    %s", cut_right ? "..." : "", cut_left ? "   " : "");
    at -= (size_t)(part.p - line.p);
    for (size_t i = 0; i < at && i < part.n; i++)
        if (!continues(part.p[i]))
            fputc(part.p[i] == '\t' ? '\t' : ' ', to);
    fputc('^', to);
    for (size_t i = at + 1; i < part.n && i < at + g->width; i++)
        if (!continues(part.p[i]))
            fputc('~', to);
    fputc('\n', to);
}

static void print_one(const struct diags *d, const struct diag *g, FILE *to)
{
    const char *kind = g->warning ? "warning" : "error";
    const char *more = strchr(g->message, '\n');
    size_t first = more ? (size_t)(more - g->message) : strlen(g->message);
    if (g->at.file == NULL) {
        fprintf(to, "%s: ", kind);
    } else {
        put_safe(to, slice_of(g->at.file));
        if (g->at.line)
            fprintf(to, ":%u:%u", g->at.line, g->at.column);
        fprintf(to, ": %s: ", kind);
    }
    put_safe(to, (struct slice){ g->message, first });
    fputc('\n', to);
    const struct source *s = source_of(d, g->at);
    if (s && g->at.line)
        print_excerpt(g, s->text, to);
    if (more)
        fprintf(to, "%s\n", more + 1);
    while (s && s->from.file) {
        fprintf(to, "    included from %s:%u:%u\n", s->from.file, s->from.line, s->from.column);
        s = source_of(d, s->from);
    }
}

static u32 source_rank(const struct diags *d, const char *file)
{
    u32 rank = 0;
    for (const struct source *s = d->tree ? d->tree->sources : NULL; s; s = s->next, rank++)
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
    if (d->errors > DIAGS_SHOWN)
        fprintf(to, "and %u more error%s\n", d->errors - DIAGS_SHOWN,
                d->errors - DIAGS_SHOWN == 1 ? "" : "s");
    if (d->warnings > DIAGS_SHOWN)
        fprintf(to, "and %u more warning%s\n", d->warnings - DIAGS_SHOWN,
                d->warnings - DIAGS_SHOWN == 1 ? "" : "s");
}
