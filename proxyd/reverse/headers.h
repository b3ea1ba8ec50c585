/* What do the heads look like on each side? */
#ifndef REVERSE_HEADERS_H
#define REVERSE_HEADERS_H

#include "base/text.h"
#include "core/types.h"

void reverse_to_upstream(struct xchg *x, struct text *out);
void reverse_to_client(struct xchg *x, struct text *out);
void reverse_refuse(struct xchg *x, struct text *fields, struct text *help);

#endif
