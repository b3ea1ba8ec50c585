#include "core/report/template.h"

#include "base/must.h"

bool byte_shown(u8 c, enum value_source source)
{
    return c >= 0x20 && (c < 0x7f || (c > 0x7f && source == VALUE_OF_ADMINISTRATOR));
}

void html_escaped(struct text *t, struct slice s, enum value_source source)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        switch (c) {
        case '<': text_lit(t, "&lt;"); break;
        case '>': text_lit(t, "&gt;"); break;
        case '&': text_lit(t, "&amp;"); break;
        case '"': text_lit(t, "&quot;"); break;
        case '\'': text_lit(t, "&#39;"); break;
        default: text_char(t, byte_shown(c, source) ? (char)c : '?');
        }
    }
}

static const struct template_value *value_named(const struct template_value *values,
                                                struct slice name)
{
    while (values->name && !slice_is(name, values->name))
        values++;
    must(values->name != NULL);
    return values;
}

/* Cuts the part of *rest before the next {{name}} off, and then the name. False: no name follows,
 * and `before` is all. */
static bool next_name(struct slice *rest, struct slice *before, struct slice *name)
{
    for (size_t i = 0; i + 1 < rest->n; i++) {
        if (rest->p[i] != '{' || rest->p[i + 1] != '{')
            continue;
        struct slice from = slice_skip(*rest, i + 2);
        const char *end = slice_find(from, '}');
        must(end != NULL);
        *before = (struct slice){ rest->p, i };
        *name = slice_range(from.p, end);
        *rest = slice_skip(from, name->n + 2);
        return true;
    }
    *before = *rest;
    return false;
}

static bool lacks_value(struct slice line, const struct template_value *values)
{
    struct slice before, name;
    while (next_name(&line, &before, &name))
        if (value_named(values, name)->value.n == 0)
            return true;
    return false;
}

static void write_line(struct text *t, struct slice line, const struct template_value *values)
{
    struct slice before, name;
    while (next_name(&line, &before, &name)) {
        const struct template_value *v = value_named(values, name);
        text_add(t, before);
        if (v->source == VALUE_MARKUP)
            text_add(t, v->value);
        else
            html_escaped(t, v->value, v->source);
    }
    text_add(t, before);
}

void template_write(struct text *t, struct slice template, const struct template_value *values)
{
    while (template.n) {
        const char *end = slice_find(template, '\n');
        struct slice line = end ? slice_range(template.p, end + 1) : template;
        template = slice_skip(template, line.n);
        if (!lacks_value(line, values))
            write_line(t, line, values);
    }
}
