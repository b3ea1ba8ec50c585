/* Families of metrics that have a sample for each entry of some kind in the registry. */
#ifndef ADMIN_METRICS_REGISTRY_H
#define ADMIN_METRICS_REGISTRY_H

#include "base/text.h"
#include "core/common/registry.h"

struct registry_family {
    const char *name, *type, *help; /* as exposition_family has them */
    u64 (*value)(const void *entry);
};

/* What an entry's name becomes: one label, or, cut at the first `between`, two. */
struct registry_labels {
    const char *first, *second;
    char between; /* 0: it is one label */
};

/* Writes n families, each with all its samples. Names need no escaping. */
void metrics_registry(struct text *out, struct registry *r, const struct registry_kind *kind,
                      const struct registry_labels *labels, const struct registry_family *family,
                      unsigned n);

#endif
