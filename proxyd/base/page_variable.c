/* Names of values in templates. The one hard thing is a template that is wrong: it is told apart
 * here, so that whoever writes pages never meets one. */
#include "base/page_variable.h"

enum { SOMETIMES, ALWAYS };

const struct page_variable_info page_variables[PAGE_VARIABLES] = {
#define PAGE_VARIABLE(name, source, presence, text) { #name, text, presence },
#include "base/page_variable.tbl"
#undef PAGE_VARIABLE
};

bool page_variable_next(struct slice *rest, struct slice *before, struct slice *name, bool *open)
{
    const char *at = rest->n ? memmem(rest->p, rest->n, "{{", 2) : NULL;
    struct slice from = at ? slice_range(at + 2, rest->p + rest->n) : *rest;
    const char *end = at && from.n ? memmem(from.p, from.n, "}}", 2) : NULL;
    *open = at != NULL && end == NULL;
    if (end == NULL) {
        *before = *rest;
        return false;
    }
    *before = slice_range(rest->p, at);
    *name = slice_range(from.p, end);
    *rest = slice_skip(from, name->n + 2);
    return true;
}

enum page_variable page_variable_find(struct slice name)
{
    unsigned v = 0;
    while (v < PAGE_VARIABLES && !slice_is(name, page_variables[v].name))
        v++;
    return (enum page_variable)v;
}

enum contact_kind contact_kind(struct slice contact)
{
    const char *at = slice_find(contact, '@');
    bool one_word = true;
    for (size_t i = 0; i < contact.n; i++)
        one_word = one_word && contact.p[i] > ' ' && contact.p[i] < 0x7f;
    if (!one_word)
        return CONTACT_WORDS;
    if (slice_starts(contact, SLICE("http://")) || slice_starts(contact, SLICE("https://")))
        return CONTACT_URL;
    bool inside = at && at != contact.p && at + 1 != contact.p + contact.n;
    return inside && memchr(at + 1, '@', (size_t)(contact.p + contact.n - at - 1)) == NULL
               ? CONTACT_MAIL
               : CONTACT_WORDS;
}
