#include "core/report/template.h"

#include "base/must.h"
#include "base/page_variable.h"

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

/* Only what needs no escape in any part of a URL (RFC 3986 section 2.3), hence in HTML. */
static void url_escaped(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (plain || c == '-' || c == '.' || c == '_' || c == '~') {
            text_char(t, (char)c);
            continue;
        }
        text_char(t, '%');
        text_char(t, "0123456789ABCDEF"[c >> 4]);
        text_char(t, "0123456789ABCDEF"[c & 15]);
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

static bool next_name(struct slice *rest, struct slice *before, struct slice *name, bool *in_url)
{
    bool open, any = page_variable_next(rest, before, name, &open);
    must(!open);
    *in_url = any && slice_starts(*name, SLICE("%"));
    if (*in_url)
        *name = slice_skip(*name, 1);
    return any;
}

static bool lacks_value(struct slice line, const struct template_value *values)
{
    struct slice before, name;
    bool in_url;
    while (next_name(&line, &before, &name, &in_url))
        if (value_named(values, name)->value.n == 0)
            return true;
    return false;
}

static void write_line(struct text *t, struct slice line, const struct template_value *values)
{
    struct slice before, name;
    bool in_url;
    while (next_name(&line, &before, &name, &in_url)) {
        const struct template_value *v = value_named(values, name);
        text_add(t, before);
        if (in_url)
            url_escaped(t, v->value);
        else if (v->source == VALUE_MARKUP)
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
