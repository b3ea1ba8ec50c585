/*
 * Which form of the page does the client want? RFC 9110 section 12.5.1: the most specific range
 * gives a form its weight, 0 excludes it, and the heaviest form wins. Of equal ones that which is
 * named wins over that which a wildcard covers (curl and browsers end in one), then the one named
 * first; nothing named is text.
 */
#include "base/str.h"
#include "core/report/page.h"
#include "http/token.h"

enum { FORMS = PAGE_JSON + 1, WHOLE = 1000 };
enum specificity { UNSAID, ANYTHING, TYPE, ALIAS, EXACT };

static const struct range {
    const char *text;
    enum page_form form;
    enum specificity specificity;
} ranges[] = {
    { "text/html", PAGE_HTML, EXACT },
    { "application/xhtml+xml", PAGE_HTML, ALIAS },
    { "application/json", PAGE_JSON, EXACT },
    { "application/problem+json", PAGE_JSON, ALIAS },
    { "text/plain", PAGE_TEXT, EXACT },
    { "text/*", PAGE_TEXT, TYPE },
    { "text/*", PAGE_HTML, TYPE },
    { "application/*", PAGE_JSON, TYPE },
    { "*/*", PAGE_TEXT, ANYTHING },
    { "*/*", PAGE_HTML, ANYTHING },
    { "*/*", PAGE_JSON, ANYTHING },
};

/* What Accept says of one form. */
struct wish {
    enum specificity specificity;
    unsigned weight; /* in thousandths */
    unsigned place;  /* in the list */
};

/* "0.35" in thousandths; a weight that is none counts as not given. */
static unsigned weight_of(struct slice text)
{
    unsigned v = 0, scale = WHOLE;
    if (text.n == 0 || text.n > 5 || (text.n > 1 && text.p[1] != '.'))
        return WHOLE;
    for (size_t i = 0; i < text.n; i++) {
        if (i == 1)
            continue;
        if (!ascii_digit(text.p[i]))
            return WHOLE;
        v += (unsigned)(text.p[i] - '0') * scale;
        scale /= 10;
    }
    return v < WHOLE ? v : WHOLE;
}

static unsigned weight_among(struct slice parameters)
{
    struct slice one;
    while (slice_cut(&parameters, ';', &one)) {
        one = slice_trim(one);
        if (one.n > 2 && ascii_lower(one.p[0]) == 'q' && one.p[1] == '=')
            return weight_of(slice_skip(one, 2));
    }
    return WHOLE;
}

static void note(struct wish wishes[FORMS], struct slice item, unsigned place)
{
    struct slice parameters = item, type;
    slice_cut(&parameters, ';', &type);
    type = slice_trim(type);
    for (unsigned i = 0; i < countof(ranges); i++) {
        const struct range *r = &ranges[i];
        struct wish *w = &wishes[r->form];
        if (r->specificity > w->specificity && slice_eq_nocase(type, slice_of(r->text)))
            *w = (struct wish){ r->specificity, weight_among(parameters), place };
    }
}

static bool is_better(const struct wish *a, const struct wish *b)
{
    bool named = a->specificity >= ALIAS, other_named = b->specificity >= ALIAS;
    if (a->weight != b->weight)
        return a->weight > b->weight;
    if (named != other_named)
        return named;
    return a->place < b->place;
}

enum page_form page_form(const struct msg *request)
{
    struct wish wishes[FORMS] = { 0 };
    struct slice rest = msg_get(request, TOKEN_ACCEPT), item;
    for (unsigned place = 0; rest.p && list_next(&rest, &item); place++)
        note(wishes, item, place);
    unsigned best = PAGE_TEXT;
    for (unsigned f = 0; f < FORMS; f++)
        if (wishes[f].weight && is_better(&wishes[f], &wishes[best]))
            best = f;
    return (enum page_form)best;
}
