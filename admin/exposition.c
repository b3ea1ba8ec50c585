#include "admin/exposition.h"

void exposition_family(struct text *out, const char *name, const char *type, const char *help)
{
    text_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_sample(struct text *out, const char *name, u64 value)
{
    text_cstr(out, name);
    text_char(out, ' ');
    text_u64(out, value);
    text_char(out, '\n');
}

void exposition_plain(struct text *out, const char *name, const char *type, const char *help,
                      u64 value)
{
    exposition_family(out, name, type, help);
    exposition_sample(out, name, value);
}

void exposition_labelled(struct text *out, const char *name, const char *label, const char *is,
                         u64 value)
{
    text_fmt(out, "%s{%s=\"%s\"} ", name, label, is);
    text_u64(out, value);
    text_char(out, '\n');
}
