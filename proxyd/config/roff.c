/* Any word may begin a line, and what looks like a request there (a dot, a quote) would be one:
 * lines are made at one place, which sees to that. */
#include "config/roff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/str.h"

enum { COLUMNS = 70, CELLS = 8 };

/* The date of the form of the pages; what is in them is dated by the version. */
#define DATE "2026-11-26"

struct page {
    FILE *to;
    bool fresh;    /* behind a heading, where a paragraph need not begin */
    bool verbatim; /* between .EX and .EE */
    struct slice heads[CELLS];
    unsigned nheads; /* of the table that is read; 0: none */
};

static void put_char(FILE *to, char c)
{
    switch (c) {
    case '\\': fputs("\\e", to); break;
    case '-': fputs("\\-", to); break;
    case '\'': fputs("\\(aq", to); break;
    case '`': fputs("\\(ga", to); break;
    case '^': fputs("\\(ha", to); break;
    case '~': fputs("\\(ti", to); break;
    default: fputc(c, to);
    }
}

static void put_plain(FILE *to, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        put_char(to, s.p[i]);
}

/* What a link shows; n is what it takes in the source. */
static bool find_link(struct slice s, struct slice *shown, size_t *n)
{
    const char *end = s.p + s.n, *close = slice_find(s, ']');
    if (close == NULL || close + 1 >= end || close[1] != '(')
        return false;
    const char *paren = slice_find(slice_range(close, end), ')');
    if (paren == NULL)
        return false;
    *shown = slice_range(s.p + 1, close);
    *n = (size_t)(paren + 1 - s.p);
    return true;
}

/* Code is bold; of a link there is what it shows. */
static void put_inline(FILE *to, struct slice s)
{
    bool code = false;
    for (size_t i = 0, n; i < s.n; i++) {
        struct slice shown, rest = { s.p + i, s.n - i };
        if (s.p[i] == '`') {
            code = !code;
            fputs(code ? "\\fB" : "\\fR", to);
        } else if (!code && s.p[i] == '[' && find_link(rest, &shown, &n)) {
            put_inline(to, shown);
            i += n - 1;
        } else if (s.p[i] != '\\' || i + 1 == s.n || s.p[i + 1] != '|') { /* \| in a cell */
            put_char(to, s.p[i]);
        }
    }
}

static void put_line(FILE *to, struct slice line)
{
    if (line.n && line.p[0] == '.')
        fputs("\\&", to);
    fprintf(to, "%.*s\n", SLICE_FMT(line));
}

/* Filled text: lines of the source break at blanks, as the formatter's do. */
static void put_filled(FILE *to, struct slice s)
{
    char *area;
    size_t n;
    FILE *f = open_memstream(&area, &n);
    must(f != NULL);
    put_inline(f, s);
    fclose(f);
    struct slice rest = { area, n }, word;
    const char *begin = area, *end = area;
    while (slice_cut(&rest, ' ', &word)) {
        if (word.p + word.n - begin > COLUMNS && end > begin) {
            put_line(to, slice_range(begin, end));
            begin = word.p;
        }
        end = word.p + word.n;
    }
    if (end > begin)
        put_line(to, slice_range(begin, end));
    free(area);
}

static void paragraph(struct page *p)
{
    if (!p->fresh)
        fputs(".PP\n", p->to);
    p->fresh = true;
}

static void set_verbatim(struct page *p, bool on)
{
    if (p->verbatim == on)
        return;
    if (on)
        paragraph(p);
    fputs(on ? ".RS 4\n.EX\n" : ".EE\n.RE\n", p->to);
    p->verbatim = on;
    p->fresh = false;
}

static void put_verbatim(struct page *p, struct slice line)
{
    if (line.n && (line.p[0] == '.' || line.p[0] == '\''))
        fputs("\\&", p->to);
    put_plain(p->to, line);
    fputc('\n', p->to);
}

static void heading(struct page *p, const char *macro, struct slice title)
{
    fprintf(p->to, "%s ", macro);
    for (size_t i = 0; i < title.n; i++)
        if (title.p[i] != '`')
            put_char(p->to, title.p[i]);
    fputc('\n', p->to);
    p->fresh = true;
}

/* ---- tables: an entry for each row ---- */

/* The cells of `| a | b |`; in one, \| is a |. */
static unsigned cut_cells(struct slice line, struct slice cell[CELLS])
{
    unsigned n = 0;
    const char *begin = line.p + 1, *end = line.p + line.n;
    for (const char *c = begin; c < end && n < CELLS; c++) {
        if (*c != '|' || c[-1] == '\\')
            continue;
        cell[n++] = slice_trim(slice_range(begin, c));
        begin = c + 1;
    }
    return n;
}

/* `key` and `values` are what a statement looks like; a meaning explains itself, any other cell
 * needs the head of its column. */
static void put_row(struct page *p, const struct slice *cell, unsigned n)
{
    unsigned first = p->nheads > 1 && slice_is(p->heads[1], "values") ? 2 : 1;
    fputs(".TP\n", p->to);
    put_inline(p->to, cell[0]);
    if (first == 2 && cell[1].n) {
        fputc(' ', p->to);
        put_inline(p->to, cell[1]);
    }
    fputc('\n', p->to);
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = first; i < n; i++) {
            bool meaning = i < p->nheads && (n == 2 || slice_is(p->heads[i], "meaning"));
            if (meaning == (pass == 1) || cell[i].n == 0)
                continue;
            if (!meaning)
                fprintf(p->to, ".br\n%.*s: ", SLICE_FMT(p->heads[i]));
            put_filled(p->to, cell[i]);
        }
}

static void table_line(struct page *p, struct slice line)
{
    struct slice cell[CELLS];
    if (line.n > 1 && line.p[1] == '-')
        return;
    unsigned n = cut_cells(line, cell);
    if (p->nheads == 0) {
        p->nheads = n;
        memcpy(p->heads, cell, sizeof cell);
    } else {
        put_row(p, cell, n);
    }
    p->fresh = false;
}

/* ---- whole texts ---- */

static bool is_fence(struct slice line)
{
    return line.n >= 3 && memcmp(line.p, "```", 3) == 0;
}

/* The lines up to a blank one, or one that is something else, are one text. */
static struct slice whole_paragraph(struct slice line, struct slice *rest)
{
    struct slice next;
    for (struct slice r = *rest; slice_cut(&r, '\n', &next); *rest = r) {
        if (next.n == 0 || strchr("|# ", next.p[0]) || is_fence(next))
            break;
        line.n = (size_t)(next.p + next.n - line.p);
    }
    return line;
}

static void put_paragraph(struct page *p, struct slice text)
{
    char *flat = must_alloc(text.n + 1);
    for (size_t i = 0; i < text.n; i++)
        flat[i] = text.p[i] == '\n' ? ' ' : text.p[i];
    paragraph(p);
    put_filled(p->to, (struct slice){ flat, text.n });
    p->fresh = false;
    free(flat);
}

static void markdown_line(struct page *p, struct slice line, struct slice *rest)
{
    if (line.n == 0 || line.p[0] != '|')
        p->nheads = 0;
    if (is_fence(line))
        set_verbatim(p, !p->verbatim);
    else if (p->verbatim)
        put_verbatim(p, line);
    else if (line.n > 3 && memcmp(line.p, "## ", 3) == 0)
        heading(p, ".SH", (struct slice){ line.p + 3, line.n - 3 });
    else if (line.n && line.p[0] == '|')
        table_line(p, line);
    else if (line.n)
        put_paragraph(p, whole_paragraph(line, rest));
}

void roff_markdown(FILE *to, const char *markdown)
{
    struct page p = { .to = to, .fresh = true };
    const char *first = strstr(markdown, "\n## ");
    struct slice rest = slice_of(first ? first + 1 : ""), line;
    while (slice_cut(&rest, '\n', &line))
        markdown_line(&p, line, &rest);
}

void roff_help(FILE *to, const char *help)
{
    struct page p = { .to = to, .fresh = true };
    struct slice rest = slice_of(help), line;
    while (slice_cut(&rest, '\n', &line)) {
        bool as_it_is = line.n && (line.p[0] == ' ' || strncmp(line.p, "usage: ", 7) == 0);
        if (line.n == 0 && p.verbatim) {
            set_verbatim(&p, rest.n && rest.p[0] == ' ');
            if (p.verbatim)
                fputc('\n', to);
            continue;
        }
        set_verbatim(&p, as_it_is);
        if (as_it_is)
            put_verbatim(&p, line);
        else if (line.n)
            put_paragraph(&p, whole_paragraph(line, &rest));
    }
    set_verbatim(&p, false);
}

void roff_begin(FILE *to, const char *title, const char *section, const char *source,
                const char *volume, const char *name_line)
{
    fprintf(to, ".TH %s %s %s \"%s\" \"%s\"\n.SH NAME\n%s\n", title, section, DATE, source, volume,
            name_line);
}

void roff_section(FILE *to, const char *title)
{
    fprintf(to, ".SH %s\n", title);
}

void roff_subsection(FILE *to, const char *title)
{
    fprintf(to, ".SS %s\n", title);
}

void roff_text(FILE *to, const char *text)
{
    struct page p = { .to = to, .fresh = true };
    struct slice rest = slice_of(text), line;
    while (slice_cut(&rest, '\n', &line))
        if (line.n)
            put_paragraph(&p, whole_paragraph(line, &rest));
}
