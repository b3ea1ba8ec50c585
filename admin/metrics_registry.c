/* The registry is gone through once for each family, for its samples have to stand together. */
#include "admin/metrics_registry.h"

#include "admin/exposition.h"
#include "base/str.h"

struct row {
    struct text *out;
    const struct registry_labels *labels;
    const struct registry_family *family;
};

static void put_row(const char *name, const void *entry, void *ctx)
{
    const struct row *row = ctx;
    const struct registry_labels *labels = row->labels;
    struct slice rest = slice_of(name), first = rest;
    if (labels->between)
        (void)slice_cut(&rest, labels->between, &first);
    text_fmt(row->out, "%s{%s=\"%.*s\"", row->family->name, labels->first, SLICE_FMT(first));
    if (labels->between)
        text_fmt(row->out, ",%s=\"%.*s\"", labels->second, SLICE_FMT(rest));
    text_lit(row->out, "} ");
    text_u64(row->out, row->family->value(entry));
    text_char(row->out, '\n');
}

void metrics_registry(struct text *out, struct registry *r, const struct registry_kind *kind,
                      const struct registry_labels *labels, const struct registry_family *family,
                      unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        exposition_family(out, family[i].name, family[i].type, family[i].help);
        registry_each(r, kind, put_row, &(struct row){ out, labels, &family[i] });
    }
}
