/*
 * Pages of the administrator's: HTML with {{name}} where a value stands. The one hard thing is
 * where it stands, for a value is of somebody else's making. In text and in the quotes of an
 * attribute it is escaped as HTML, in the middle of a URL as a part of one; in a script, a style
 * sheet or a tag it would mean something whatever was done to it. So a template is read as a
 * browser reads it, and whatever is wrong is said before the configuration is taken.
 */
#include "base/page_variable.h"
#include "base/str.h"
#include "policy/conf.h"

#include <errno.h>
#include <stdio.h>

enum { PAGE_LONGEST = 64 << 10, CONTACT_LONGEST = 300 };

/* NULL: it has been read; else why not. */
static const char *read_file(struct arena *a, const char *path, struct slice *out)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return strerror(errno);
    char *area = arena_alloc(a, PAGE_LONGEST + 1);
    size_t n = fread(area, 1, PAGE_LONGEST + 1, f);
    const char *wrong = ferror(f)          ? strerror(errno)
                        : n > PAGE_LONGEST ? "it is longer than 64 kB"
                        : n == 0           ? "it is empty"
                                           : NULL;
    (void)fclose(f);
    *out = (struct slice){ area, n };
    return wrong;
}

/* ---- where the reading is ---- */

enum place { IN_TEXT, IN_COMMENT, IN_TAG, IN_BARE, IN_QUOTES, IN_SCRIPT };

struct reading {
    enum place place;
    char quote;
    const char *until;      /* the end tag of a script or style sheet, without its '>' */
    struct slice attribute; /* of IN_TAG the last name */
    bool ended, equals;     /* it is whole; its '=' was there */
    struct slice value;     /* IN_QUOTES: so far */
};

static bool begins(struct slice s, const char *word)
{
    struct slice w = slice_of(word);
    return s.n >= w.n && slice_eq_nocase((struct slice){ s.p, w.n }, w);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void read_text(struct reading *r, struct slice s)
{
    char next = s.n > 1 ? s.p[1] : ' ';
    bool letter = (next | 0x20) >= 'a' && (next | 0x20) <= 'z';
    if (s.p[0] != '<' || !(letter || strchr("/!?{", next)))
        return;
    *r = (struct reading){ .place = begins(s, "<!--") ? IN_COMMENT : IN_TAG };
    r->until = begins(s, "<script") ? "</script" : begins(s, "<style") ? "</style" : NULL;
}

/* Between the quotes of values. The name of the tag passes for an attribute's. */
static void read_tag(struct reading *r, struct slice s)
{
    char c = s.p[0];
    if (c == '>') {
        r->place = r->until ? IN_SCRIPT : IN_TEXT;
    } else if (is_blank(c)) {
        r->ended = true;
    } else if (c == '=' && r->attribute.n) {
        r->equals = true;
    } else if (r->equals) {
        bool quoted = c == '"' || c == '\'';
        r->place = quoted ? IN_QUOTES : IN_BARE;
        r->quote = c;
        r->value = (struct slice){ s.p + 1, 0 };
    } else if (r->ended || r->attribute.n == 0 || c == '/') {
        r->attribute = (struct slice){ s.p, c != '/' };
        r->ended = false;
    } else {
        r->attribute.n++;
    }
}

static void end_value(struct reading *r)
{
    r->place = IN_TAG;
    r->equals = false;
    r->ended = true;
}

/* One byte on, the first of s. */
static void read_on(struct reading *r, struct slice s)
{
    char c = s.p[0];
    switch (r->place) {
    case IN_TEXT: read_text(r, s); break;
    case IN_TAG: read_tag(r, s); break;
    case IN_COMMENT:
        if (begins(s, "-->"))
            r->place = IN_TEXT;
        break;
    case IN_BARE:
        if (is_blank(c) || c == '>')
            end_value(r);
        if (c == '>')
            read_tag(r, s);
        break;
    case IN_QUOTES:
        if (c == r->quote)
            end_value(r);
        else
            r->value.n++;
        break;
    case IN_SCRIPT:
        if (begins(s, r->until))
            *r = (struct reading){ .place = IN_TAG };
        break;
    }
}

/* ---- what a value would be there ---- */

static bool is_one_of(struct slice name, const char *const *list)
{
    for (; *list; list++)
        if (slice_eq_nocase(name, slice_of(*list)))
            return true;
    return false;
}

/* NULL: it can stand there; else where it stands. *in_url: as a part of a URL. */
static const char *place_wrong(const struct reading *r, enum page_variable v, bool *in_url)
{
    static const char *const urls[] = { "href",       "src",        "action", "formaction",
                                        "poster",     "cite",       "srcset", "data",
                                        "background", "xlink:href", "ping",   NULL };
    static const char *const codes[] = { "style", "srcdoc", NULL };
    *in_url = false;
    if (r->place == IN_SCRIPT)
        return "in a script or style sheet";
    if (r->place == IN_TAG || r->place == IN_BARE)
        return "in a tag, not in quotes";
    if (r->place != IN_QUOTES)
        return NULL;
    if (begins(r->attribute, "on") || is_one_of(r->attribute, codes))
        return "in an attribute that is code";
    if (!is_one_of(r->attribute, urls))
        return NULL;
    struct slice so_far = r->value;
    while (so_far.n && is_blank(so_far.p[0]))
        so_far = slice_skip(so_far, 1);
    if (begins(so_far, "javascript:") || begins(so_far, "data:"))
        return "in a URL that is code";
    *in_url = so_far.n > 0;
    bool whole = v == PAGE_why || v == PAGE_contact_url;
    return so_far.n || whole ? NULL : "at the beginning of a URL";
}

/* ---- messages ---- */

struct page_at {
    const char *name; /* of the file, as the configuration writes it */
    struct slice whole;
    struct diags *d; /* NULL: nothing is said */
};

static struct position position_of(const struct page_at *page, const char *at)
{
    struct position p = { page->name, 1, 1 };
    for (const char *c = page->whole.p; c < at; c++) {
        p.column = *c == '\n' ? 1 : p.column + 1;
        p.line += *c == '\n';
    }
    return p;
}

static void tell_unknown(const struct page_at *page, struct slice name)
{
    diag_error_at(page->d, position_of(page, name.p), (u32)name.n,
                  "no value of a page is called %s", slice_shown(name));
    struct guess g = guess_for(name);
    for (unsigned v = 0; v < PAGE_VARIABLES; v++)
        guess_try(&g, slice_of(page_variables[v].name));
    guess_tell(&g, page->d);
}

static bool check_name(const struct page_at *page, const struct reading *r, struct slice name,
                       bool *in_url)
{
    enum page_variable v = page_variable_find(name);
    const char *wrong = v == PAGE_VARIABLES ? NULL : place_wrong(r, v, in_url);
    if (v != PAGE_VARIABLES && wrong == NULL)
        return true;
    if (page->d && wrong) {
        diag_error_at(page->d, position_of(page, name.p), (u32)name.n,
                      "{{%.*s}} stands %s, where it cannot be escaped", SLICE_FMT(name), wrong);
        diag_more(page->d, "expected it in text, or in the quotes of an attribute; of those, only "
                           "{{why}} and {{contact_url}} begin a URL");
    } else if (page->d) {
        tell_unknown(page, name);
    }
    return false;
}

/* ---- reading ---- */

/* Brings it into the form that is written from (base/page_variable.h). False: something is wrong,
 * and page->d says what. */
static bool read_page(const struct page_at *page, struct text *out)
{
    struct slice rest = page->whole, before, name;
    struct reading r = { .place = IN_TEXT };
    bool open, right = true, in_url = false;
    while (page_variable_next(&rest, &before, &name, &open)) {
        const char *end = page->whole.p + page->whole.n;
        for (const char *at = before.p; at < name.p - 2; at++)
            read_on(&r, slice_range(at, end));
        right = check_name(page, &r, name, &in_url) && right;
        if (r.place == IN_QUOTES)
            r.value = slice_range(r.value.p, name.p + name.n + 2);
        text_add(out, before);
        text_cstr(out, in_url ? "{{%" : "{{");
        text_add(out, name);
        text_lit(out, "}}");
    }
    text_add(out, before);
    if (open && page->d)
        diag_error_at(page->d, position_of(page, memmem(before.p, before.n, "{{", 2)), 2,
                      "{{ has no }} behind it");
    return right && !open;
}

static struct text room_for(struct arena *a, struct slice page)
{
    size_t most = page.n + page.n / strlen("{{id}}") + 1;
    return text_in(arena_alloc(a, most), most);
}

bool policy_page_read(struct arena *a, const struct word *w, struct slice *out)
{
    struct arena own;
    struct page_at page = { .name = NULL };
    arena_init(&own, 0);
    bool right = read_file(&own, schema_path(&own, w), &page.whole) == NULL;
    if (right) {
        struct text t = room_for(a, page.whole);
        right = read_page(&page, &t);
        *out = right ? text_slice(&t) : *out;
    }
    arena_free(&own);
    return right;
}

void policy_read_page(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    (void)row;
    if (n)
        (void)policy_page_read(a, node_arg(n, 0), to);
}

/* What stands between two values of the frame of a document must not go with one of them. */
static void warn_of_lines(const struct page_at *page, const struct word *w)
{
    struct slice rest = page->whole, line, before, name;
    bool open;
    while (slice_cut(&rest, '\n', &line)) {
        bool frame = memmem(line.p, line.n, "<html", 5) || memmem(line.p, line.n, "<body", 5) ||
                     memmem(line.p, line.n, "</html", 6);
        while (frame && page_variable_next(&line, &before, &name, &open)) {
            enum page_variable v = page_variable_find(name);
            if (v == PAGE_VARIABLES || page_variables[v].always)
                continue;
            diag_warning(page->d, w,
                         "%s: its line %u, which holds the document, is left out when "
                         "{{%.*s}} has no value",
                         word_shown(w), position_of(page, name.p).line, SLICE_FMT(name));
            diag_more(page->d, "expected such values on lines of their own");
            return;
        }
    }
}

static void check_page(const struct node *block, const char *key, struct diags *d)
{
    struct arena a;
    const struct node *n = node_child(block, key);
    if (n == NULL || node_nargs(n) != 1 || node_arg(n, 0)->reported)
        return;
    const struct word *w = node_arg(n, 0);
    struct page_at page = { .name = NULL };
    arena_init(&a, 0);
    const char *wrong = read_file(&a, schema_path(&a, w), &page.whole);
    if (wrong) {
        diag_error(d, w, "the page %s cannot be used: %s", word_shown(w), wrong);
    } else {
        struct text t = room_for(&a, page.whole), again = room_for(&a, page.whole);
        page.d = NULL;
        bool right = read_page(&page, &t);
        page.d = d;
        if (right) {
            warn_of_lines(&page, w);
        } else {
            page.name = diag_source(d, w->text.p, page.whole, w->at);
            (void)read_page(&page, &again);
        }
    }
    arena_free(&a);
}

/* Not checks of the statements: their examples name files that are not there. */
void policy_deny_check(const struct node *rule, struct diags *d)
{
    check_page(rule, "page", d);
}

void policy_error_page_check(const struct node *policy, struct diags *d)
{
    check_page(policy, "error-page", d);
}

void policy_contact_check(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    if (w->reported || w->text.n <= CONTACT_LONGEST)
        return;
    diag_error(d, w, "the contact is too long");
    diag_more(d, "expected a URL, a mail address or words for people, of at most %d bytes",
              CONTACT_LONGEST);
}

void policy_put_variables(FILE *to)
{
    fputs("\nWhat may stand in a page of your own, for `error-page` and `page`, as `{{name}}`, in "
          "the "
          "text or in the quotes of an attribute. A value is\nescaped as HTML, within a URL as a "
          "part of one; only `{{why}}` and `{{contact_url}}` may begin a URL. A line with a value "
          "that is empty is left out whole.\n\n| name | what it is |\n|---|---|\n",
          to);
    for (unsigned v = 0; v < PAGE_VARIABLES; v++)
        fprintf(to, "| `%s` | %s%s |\n", page_variables[v].name, page_variables[v].text,
                page_variables[v].always ? "" : "; may be empty");
}
