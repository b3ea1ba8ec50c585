/*
 * Pages as files: a template is HTML with {{name}} where a value stands. It is embedded in the
 * binary by the build (base/embed.h), so that a page needs no file at run time.
 *
 * A line with a value that is empty is left out whole: that is all the logic a page needs.
 */
#ifndef CORE_TEMPLATE_H
#define CORE_TEMPLATE_H

#include "base/embed.h"
#include "base/slice.h"
#include "base/text.h"

/* Where the bytes of a value come from, which decides how they are shown. */
enum value_source {
    VALUE_OF_PEER,          /* hostile, of any encoding: bytes beyond ASCII become '?' */
    VALUE_OF_ADMINISTRATOR, /* hostile no less, but UTF-8, as all of the configuration */
    VALUE_MARKUP            /* ours: written as it is */
};

struct template_value {
    const char *name;
    struct slice value;
    enum value_source source;
};

/* Writes the template with its values, escaped for HTML, or, as {{%name}}, for a URL; they end
 * with a NULL name. A name that no value has is a mistake of ours and ends the process (must). */
void template_write(struct text *t, struct slice template, const struct template_value *values);
/* s as HTML text and attribute value. */
void html_escaped(struct text *t, struct slice s, enum value_source source);
/* May a byte of that source be shown as it is? Controls never. */
bool byte_shown(u8 c, enum value_source source);

#endif
