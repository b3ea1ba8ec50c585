/*
 * Characters by their width. The C library knows it, but only within a UTF-8 locale, which the
 * user's need not be: its own "C.UTF-8" is used, and where there is none each is one column wide.
 */
#include "config/shown.h"

#include <locale.h>
#include <wchar.h>

#include "base/str.h"

/* The first character of a text. */
struct glyph {
    size_t bytes;
    unsigned columns;
    bool safe;
};

static unsigned columns_of(u32 point)
{
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!utf8)
        return 1;
    locale_t before = uselocale(utf8);
    int columns = wcwidth((wchar_t)point);
    uselocale(before);
    return columns < 0 ? 1 : (unsigned)columns;
}

static bool is_control(u32 point)
{
    return (point < 0x20 && point != '\t') || (point >= 0x7f && point < 0xa0);
}

/* Marks of direction, and the two separators that are line ends to some. */
static bool turns_the_line(u32 point)
{
    return point == 0x061c || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static struct glyph first_glyph(struct slice s)
{
    u32 point;
    size_t n = utf8_first(s, &point);
    if (n == 0)
        return (struct glyph){ 1, 1, false };
    if (is_control(point) || turns_the_line(point))
        return (struct glyph){ n, 1, false };
    return (struct glyph){ n, point < 0x80 ? 1 : columns_of(point), true };
}

void shown_put(FILE *to, struct slice s)
{
    while (s.n) {
        struct glyph g = first_glyph(s);
        fwrite(g.safe ? s.p : "?", 1, g.safe ? g.bytes : 1, to);
        s = slice_skip(s, g.bytes);
    }
}

void shown_fill(FILE *to, struct slice s, char fill, unsigned less)
{
    while (s.n) {
        struct glyph g = first_glyph(s);
        for (unsigned i = 0; i < g.columns; i++) {
            if (less)
                less--;
            else
                fputc(s.p[0] == '\t' ? '\t' : fill, to);
        }
        s = slice_skip(s, g.bytes);
    }
}

void shown_escape(struct text *t, struct slice s)
{
    while (s.n) {
        struct glyph g = first_glyph(s);
        if (g.safe && s.p[0] != '\t')
            text_put(t, s.p, g.bytes);
        else
            for (size_t i = 0; i < g.bytes; i++)
                text_fmt(t, "\\x%02x", (u8)s.p[i]);
        s = slice_skip(s, g.bytes);
    }
}
