/*
 * The lexer. A newline is a blank; # begins a comment only where a word may begin; "…" and ~"…"
 * end on their line, so that a forgotten quote is reported where it stands and not at the end of
 * the file. ${ENV} is put into the word and never lexed again: a value from outside cannot end a
 * statement or open a block.
 */
#include "config/lexer.h"

#include <stdlib.h>

#include "base/str.h"
#include "base/text.h"
#include "config/load.h"

/* Length of a ${NAME} that may stand in a message and in getenv. */
enum { ENV_NAME = 128 };

static bool at_end(const struct lexer *l)
{
    return l->i >= l->text.n;
}

static char peek(const struct lexer *l, size_t ahead)
{
    return ahead < l->text.n - l->i ? l->text.p[l->i + ahead] : 0;
}

static struct position position_of(const struct lexer *l, size_t offset)
{
    return (struct position){ l->file, l->line, (u32)(offset - l->line_start) + 1 };
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool control(char c)
{
    return ((u8)c < 0x20 && !blank(c)) || c == 0x7f;
}

static void skip_blanks(struct lexer *l)
{
    while (!at_end(l)) {
        char c = l->text.p[l->i];
        if (c == '#') {
            const char *from = l->text.p + l->i;
            const char *nl = memchr(from, '\n', l->text.n - l->i);
            l->i += nl ? (size_t)(nl - from) : l->text.n - l->i;
        } else if (c == '\n') {
            l->i++;
            l->line++;
            l->line_start = l->i;
        } else if (blank(c)) {
            l->i++;
        } else {
            return;
        }
    }
}

static void complain(struct lexer *l, size_t from, size_t width, const char *what)
{
    diag_error_at(l->d, position_of(l, from), (u32)width, "%s", what);
}

/* Behind a ${ that names no variable: behind its closing brace, if it has one. */
static void skip_expansion(struct lexer *l)
{
    for (size_t i = l->i; i < l->text.n && !memchr("\n;{\"", l->text.p[i], 4); i++)
        if (l->text.p[i] == '}') {
            l->i = i + 1;
            return;
        }
}

/* l->i stands on `${`; moves behind the `}`. */
static void expand(struct lexer *l, struct text *out)
{
    size_t from = l->i, i = from + 2;
    char name[ENV_NAME];
    while (i < l->text.n && (ascii_alnum(l->text.p[i]) || l->text.p[i] == '_'))
        i++;
    size_t n = i - from - 2;
    bool named = n > 0 && n < sizeof name && !ascii_digit(l->text.p[from + 2]);
    if (i >= l->text.n || l->text.p[i] != '}' || !named) {
        l->i = i;
        skip_expansion(l);
        complain(l, from, l->i - from, "this is not a ${NAME} of the environment");
        diag_more(l->d, "expected a name of letters, digits and _, then }");
        return;
    }
    memcpy(name, l->text.p + from + 2, n);
    name[n] = 0;
    l->i = i + 1;
    const char *value = getenv(name);
    if (value == NULL) {
        diag_error_at(l->d, position_of(l, from), (u32)(l->i - from), "the environment has no %s",
                      name);
        diag_more(l->d, "expected it to be set, as in: %s=value proxyd ...", name);
    } else if (!utf8_valid(slice_of(value), NULL)) {
        diag_error_at(l->d, position_of(l, from), (u32)(l->i - from),
                      "the value of %s in the environment is not UTF-8", name);
    } else {
        text_cstr(out, value);
    }
}

static void bare(struct lexer *l, struct text *out, bool *expanded)
{
    while (!at_end(l)) {
        char c = l->text.p[l->i];
        if (blank(c) || c == ';' || c == '{' || c == '}')
            return;
        if (c == '$' && peek(l, 1) == '{') {
            *expanded = true;
            expand(l, out);
            continue;
        }
        if (c == '"') {
            complain(l, l->i, 1, "a quote in the middle of a word");
            diag_more(l->d, "expected quotes around the whole word, or none");
            while (!at_end(l) && l->text.p[l->i] != '\n')
                l->i++;
            return;
        }
        if (control(c))
            complain(l, l->i, 1, "a control character in a word");
        text_char(out, c);
        l->i++;
    }
}

/* Behind a closing quote only a blank or the end of the statement may follow. */
static void after_quote(struct lexer *l)
{
    char c = peek(l, 0);
    if (at_end(l) || blank(c) || c == ';' || c == '{' || c == '}')
        return;
    complain(l, l->i, 1, "a blank is missing behind the closing quote");
}

/* Does the quote whose text begins here end on its line? */
static bool is_closed(const struct lexer *l)
{
    for (size_t i = l->i; i < l->text.n && l->text.p[i] != '\n'; i++) {
        if (l->text.p[i] == '"')
            return true;
        if (l->text.p[i] == '\\' && i + 1 < l->text.n && l->text.p[i + 1] != '\n')
            i++;
    }
    return false;
}

/* A quote that is not closed is taken to end with its statement, so that what follows on the line
 * is read. Braces are common in regular expressions. */
static void unclosed(struct lexer *l, size_t from, bool regex, struct text *out)
{
    const char *ends = regex ? "\n;" : "\n;{}";
    size_t start = l->i;
    complain(l, from, start - from, "the quote is not closed on its line");
    diag_more(l->d, "expected a closing \"");
    while (!at_end(l) && !strchr(ends, l->text.p[l->i])) {
        bool variable = !regex && l->text.p[l->i] == '$' && peek(l, 1) == '{';
        l->i += variable ? 2 : 1;
        if (variable)
            skip_expansion(l);
    }
    text_add(out, slice_trim(slice_range(l->text.p + start, l->text.p + l->i)));
}

/* l->i stands behind the opening quote. */
static void quoted(struct lexer *l, bool regex, struct text *out, bool *expanded)
{
    while (l->text.p[l->i] != '"') {
        char c = l->text.p[l->i], next = peek(l, 1);
        if (c == '\\') {
            if (regex)
                text_char(out, c);
            else if (next != '"' && next != '\\') {
                complain(l, l->i, 2, "an unknown escape in quotes");
                diag_more(l->d, "expected \\\" or \\\\");
            }
            text_char(out, next);
            l->i += 2;
        } else if (c == '$' && next == '{' && !regex) {
            *expanded = true;
            expand(l, out);
        } else {
            if (control(c))
                complain(l, l->i, 1, "a control character in quotes");
            text_char(out, c);
            l->i++;
        }
    }
    l->i++;
    after_quote(l);
}

static struct token word(struct lexer *l)
{
    struct token t = { .kind = TOKEN_WORD };
    struct text out = text_in(l->word, CONFIG_WORD_MAX);
    size_t from = l->i;
    u32 before = l->d->errors;
    t.word.at = position_of(l, from);
    bool regex = peek(l, 0) == '~' && peek(l, 1) == '"';
    t.word.kind = regex ? WORD_REGEX : peek(l, 0) == '"' ? WORD_QUOTED : WORD_BARE;
    l->i += regex ? 2 : t.word.kind == WORD_QUOTED;
    if (t.word.kind == WORD_BARE)
        bare(l, &out, &t.expanded);
    else if (is_closed(l))
        quoted(l, regex, &out, &t.expanded);
    else
        unclosed(l, from, regex, &out);
    t.word.width = (u32)(l->i - from);
    if (out.full)
        diag_error_at(l->d, t.word.at, 1, "a word of more than %d bytes", CONFIG_WORD_MAX);
    t.word.reported = l->d->errors != before;
    t.word.text = arena_copy(l->arena, text_slice(&out));
    return t;
}

struct token lexer_next(struct lexer *l)
{
    skip_blanks(l);
    struct token t = { .kind = TOKEN_END };
    t.word.at = position_of(l, l->i);
    t.word.width = 1;
    if (at_end(l))
        return t;
    switch (l->text.p[l->i]) {
    case ';': t.kind = TOKEN_SEMICOLON; break;
    case '{': t.kind = TOKEN_OPEN; break;
    case '}': t.kind = TOKEN_CLOSE; break;
    default: return word(l);
    }
    l->i++;
    return t;
}
