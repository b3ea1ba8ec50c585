/* The text format of Prometheus (version 0.0.4), line by line. */
#ifndef ADMIN_EXPOSITION_H
#define ADMIN_EXPOSITION_H

#include "base/text.h"

/* The two lines before a family's samples; type: "counter" or "gauge". */
void exposition_family(struct text *out, const char *name, const char *type, const char *help);
/* A sample without labels. */
void exposition_sample(struct text *out, const char *name, u64 value);
/* Of a family that has no other. */
void exposition_plain(struct text *out, const char *name, const char *type, const char *help,
                      u64 value);
/* One with a label, whose value needs no escaping. */
void exposition_labelled(struct text *out, const char *name, const char *label, const char *is,
                         u64 value);

#endif
