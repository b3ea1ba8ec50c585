/*
 * Heads of answers that break the grammar: found to their end, and written anew for the strict
 * parser. RFC 9112 lets a proxy do so: section 2.2 for LF alone, 4 for the blanks of a status line,
 * 5.1 for blanks before a colon, 5.2 for folded lines, and RFC 9110 section 5.5 for controls.
 *
 * The hard thing is not to guess. Nothing is read here for its meaning: a line that this file does
 * not mend is copied as it is, and the strict parser has the last word on the whole.
 */
#include "http/head_repair.h"

#include "base/str.h"
#include "http/chars.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A bad line end or control in something that is not an answer at all (TLS, SSH) is reported at
 * once, not when an empty line has come. */
static bool may_go_on(enum fault f, const char *p, u32 n, bool status_line)
{
    bool mendable =
        f == FAULT_bad_line_end || f == FAULT_bad_field_value || f == FAULT_bad_request_line;
    return mendable && (!status_line || (n >= 7 && memcmp(p, "HTTP/1.", 7) == 0));
}

/* What byte i of p does to the head of an answer, given that all before it are fine. */
static enum fault byte_fault(const struct head_scan *s, const char *p, u32 i,
                             const struct head_limits *limits)
{
    bool after_cr = i > s->line && p[i - 1] == '\r';
    if (i >= limits->head)
        return FAULT_head_too_large;
    if (after_cr && p[i] != '\n')
        return FAULT_bad_line_end;
    if (p[i] == '\0')
        return FAULT_bad_field_value;
    bool over = p[i] != '\r' && p[i] != '\n' && i - s->line >= limits->line;
    if (over)
        return s->line == 0 ? FAULT_target_too_long : FAULT_head_too_large; /* as head_scan says */
    return FAULT_NONE;
}

u32 head_scan_answer(struct head_scan *s, const char *p, u32 n, const struct head_limits *limits,
                     bool status_line, enum fault *fault)
{
    u32 end = head_scan(s, p, n, limits, fault);
    if (likely(*fault == FAULT_NONE) || !may_go_on(*fault, p, n, status_line))
        return end;
    for (u32 i = s->scanned; i < n; s->scanned = ++i) {
        *fault = byte_fault(s, p, i, limits);
        if (*fault)
            return 0;
        if (p[i] != '\n')
            continue;
        if (i == s->line || (i - s->line == 1 && p[i - 1] == '\r'))
            return i + 1;
        s->line = i + 1;
    }
    return 0;
}

struct writer {
    char *out, *to;
    size_t longest; /* bytes that a line may have, as received */
    char *field;    /* where the last field begins, NULL: none yet */
    u16 repairs;
};

static void put(struct writer *w, struct slice s)
{
    if (s.n)
        memcpy(w->to, s.p, s.n);
    w->to += s.n;
}

static void put_line_end(struct writer *w)
{
    put(w, SLICE("\r\n"));
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (char_is(s.p[i], CHAR_CONTROL))
            return true;
    return false;
}

/* The next line without its end. False: it has no end, or a byte that ends lines elsewhere, or it
 * is too long. */
static bool next_line(struct writer *w, struct slice *rest, struct slice *line)
{
    const char *lf = memchr(rest->p, '\n', rest->n);
    if (lf == NULL)
        return false;
    *line = slice_range(rest->p, lf);
    *rest = slice_skip(*rest, line->n + 1);
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    else
        w->repairs |= repair_bit(REPAIR_line_end);
    if (line->n > w->longest)
        return false;
    return line->n == 0 || (!memchr(line->p, '\r', line->n) && !memchr(line->p, '\0', line->n));
}

/* "HTTP/1.1", blanks, three digits, and perhaps a blank and a reason. */
static void put_status_line(struct writer *w, struct slice line)
{
    if (line.n < 12 || !is_blank(line.p[8])) {
        put(w, line);
        return;
    }
    struct slice rest = slice_trim(slice_skip(line, 8));
    bool one_blank = line.p[8] == ' ' && rest.p == line.p + 9;
    bool tab = rest.n > 3 && rest.p[3] == '\t';
    if (!one_blank || tab)
        w->repairs |= repair_bit(REPAIR_status_line_blanks);
    if (has_control(rest)) {
        w->repairs |= repair_bit(REPAIR_control_byte);
        rest.n = rest.n < 3 ? rest.n : 3;
    }
    put(w, (struct slice){ line.p, 8 });
    put(w, SLICE(" "));
    char *status = w->to;
    put(w, rest);
    if (tab && rest.n > 3)
        status[3] = ' ';
}

static void put_field(struct writer *w, struct slice line)
{
    const char *colon = memchr(line.p, ':', line.n);
    struct slice name = colon ? slice_range(line.p, colon) : line;
    size_t whole = name.n;
    w->field = w->to;
    while (colon && name.n && is_blank(name.p[name.n - 1]))
        name.n--;
    if (name.n < whole)
        w->repairs |= repair_bit(REPAIR_blank_before_colon);
    if (colon && has_control(slice_skip(line, whole)))
        w->repairs |= repair_bit(REPAIR_control_byte);
    put(w, name);
    put(w, slice_skip(line, whole));
}

/* Behind the field before, whose line end and last blanks become one blank. */
static bool put_folded(struct writer *w, struct slice line)
{
    line = slice_trim(line);
    if (line.n == 0 || w->field == NULL)
        return false;
    w->repairs |= repair_bit(REPAIR_folding);
    if (has_control(line))
        w->repairs |= repair_bit(REPAIR_control_byte);
    w->to -= 2;
    while (w->to > w->field && is_blank(w->to[-1]))
        w->to--;
    put(w, SLICE(" "));
    put(w, line);
    return true;
}

static bool put_lines(struct writer *w, struct slice rest, bool status_line)
{
    struct slice line;
    while (next_line(w, &rest, &line)) {
        bool last = line.n == 0;
        if (last && rest.n)
            return false;
        if (status_line)
            put_status_line(w, line);
        else if (!last && is_blank(line.p[0]) && !put_folded(w, line))
            return false;
        else if (!last && !is_blank(line.p[0]))
            put_field(w, line);
        put_line_end(w);
        status_line = false;
        if (last)
            return true;
    }
    return false;
}

static size_t line_feeds(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

enum fault head_repair(struct arena *arena, struct slice raw, const struct head_limits *limits,
                       bool status_line, struct slice *made, u16 *repairs)
{
    char *out = arena_try(arena, raw.n + line_feeds(raw)); /* no line grows by more than its CR */
    if (out == NULL)
        return FAULT_out_of_memory;
    struct writer w = { .out = out, .to = out, .longest = limits->line };
    if (!put_lines(&w, raw, status_line) || !w.repairs)
        return FAULT_bad_line_end;
    *made = slice_range(w.out, w.to);
    *repairs = w.repairs;
    return FAULT_NONE;
}
