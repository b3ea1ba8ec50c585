/*
 * The chunked decoder as a table of small steps, one per byte of framing; data is skipped over, not
 * read. A chunk line is short, so its speed hardly matters; that every byte has exactly one meaning
 * does: a decoder that takes "the longest valid prefix" of a size is how bodies are smuggled.
 */
#include "http/chunk.h"

#include "base/must.h"
#include "base/str.h"
#include "http/chars.h"

enum state {
    SIZE_FIRST, /* the first digit must come */
    SIZE,       /* more digits, then ';' CR or blanks before ';' */
    SIZE_BLANK, /* only ';' may follow */
    NAME_FIRST, /* behind ';': blanks, then a token */
    NAME,
    NAME_BLANK,  /* only '=' or ';' may follow */
    VALUE_FIRST, /* behind '=': blanks, then a token or a quoted string */
    VALUE,
    QUOTED,
    QUOTED_PAIR,
    VALUE_END,   /* behind the closing quote */
    VALUE_BLANK, /* only ';' may follow */
    LINE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LAST,
    BAD
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static enum state add_digit(struct chunk_in *c, int digit)
{
    if (++c->digits > 16 || c->left >> 59) /* the next size would reach 2^63 */
        return BAD;
    c->left = c->left << 4 | (unsigned)digit;
    return SIZE;
}

/* A token, a value or a closing quote is over: what may follow it. */
static enum state after_item(char ch, enum state blank, bool equals)
{
    if (ch == '\r')
        return LINE_LF;
    if (ch == ';')
        return NAME_FIRST;
    if (ch == '=' && equals)
        return VALUE_FIRST;
    return is_blank(ch) ? blank : BAD;
}

static enum state after_blank(char ch, enum state blank, bool equals)
{
    return ch == '\r' ? BAD : after_item(ch, blank, equals);
}

static enum state extension_step(enum state state, char ch)
{
    switch (state) {
    case NAME_FIRST: return is_blank(ch) ? NAME_FIRST : char_is(ch, CHAR_TOKEN) ? NAME : BAD;
    case NAME: return char_is(ch, CHAR_TOKEN) ? NAME : after_item(ch, NAME_BLANK, true);
    case NAME_BLANK: return after_blank(ch, NAME_BLANK, true);
    case VALUE_FIRST:
        if (is_blank(ch) || ch == '"')
            return ch == '"' ? QUOTED : VALUE_FIRST;
        return char_is(ch, CHAR_TOKEN) ? VALUE : BAD;
    case VALUE: return char_is(ch, CHAR_TOKEN) ? VALUE : after_item(ch, VALUE_BLANK, false);
    case QUOTED:
        if (ch == '"' || ch == '\\')
            return ch == '"' ? VALUE_END : QUOTED_PAIR;
        return char_is(ch, CHAR_CONTROL) ? BAD : QUOTED;
    case QUOTED_PAIR: return char_is(ch, CHAR_CONTROL) ? BAD : QUOTED;
    case VALUE_END: return after_item(ch, VALUE_BLANK, false);
    default: /* SIZE_BLANK, VALUE_BLANK */ return after_blank(ch, state, false);
    }
}

/* Blanks behind the size, an extension's name or its value, where CR is out of place. */
static bool ends_in_blanks(enum state s)
{
    return s == SIZE_BLANK || s == NAME_BLANK || s == VALUE_BLANK;
}

/* Data pay for extensions, so that only a body that is mostly extensions ends: an origin that
 * signs each chunk is no attack. */
static enum state line_end(struct chunk_in *c, char ch)
{
    if (ch != '\n')
        return BAD;
    c->extension -= c->left < c->extension ? (u32)c->left : c->extension;
    return c->left ? DATA : LAST;
}

static enum state line_step(struct chunk_in *c, char ch)
{
    if (++c->line > CHUNK_LINE_MAX + 2)
        return BAD;
    if (c->state == LINE_LF)
        return line_end(c, ch);
    int digit = c->state <= SIZE ? ascii_hex(ch) : -1;
    if (digit >= 0)
        return add_digit(c, digit);
    if (c->state == SIZE_FIRST)
        return BAD;
    if (ch == '\r' && c->answer && ends_in_blanks((enum state)c->state)) {
        c->blanks = 1;
        return LINE_LF;
    }
    enum state next = c->state == SIZE ? after_item(ch, SIZE_BLANK, false)
                                       : extension_step((enum state)c->state, ch);
    if (next != LINE_LF && ++c->extension > CHUNK_EXTENSION_MAX)
        return BAD;
    return next;
}

static enum state step(struct chunk_in *c, char ch)
{
    switch ((enum state)c->state) {
    case DATA_CR: return ch == '\r' ? DATA_LF : BAD;
    case DATA_LF: c->line = c->digits = 0; return ch == '\n' ? SIZE_FIRST : BAD;
    default: return line_step(c, ch);
    }
}

enum chunk_result chunk_decode(struct chunk_in *c, const char *p, size_t n, size_t *used,
                               struct slice *run)
{
    size_t i = 0;
    *run = (struct slice){ NULL, 0 };
    while (c->state < LAST && c->state != DATA && i < n)
        c->state = (u8)step(c, p[i++]);
    *used = i;
    if (c->state == BAD)
        return CHUNK_BAD;
    if (c->state == LAST)
        return CHUNK_LAST;
    if (c->state != DATA || i == n)
        return CHUNK_MORE;
    *run = (struct slice){ p + i, n - i < c->left ? n - i : (size_t)c->left };
    return CHUNK_DATA;
}

void chunk_took(struct chunk_in *c, size_t k)
{
    must(c->state == DATA && k <= c->left);
    c->left -= k;
    if (c->left == 0)
        c->state = DATA_CR;
}

unsigned chunk_header(char out[20], u64 len)
{
    unsigned digits = len ? (67 - (unsigned)__builtin_clzll(len)) / 4 : 1;
    for (unsigned i = digits; i-- > 0; len >>= 4)
        out[i] = "0123456789abcdef"[len & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}
