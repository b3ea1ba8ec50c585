/* What do the heads look like on each side? */
#ifndef FORWARD_HEADERS_H
#define FORWARD_HEADERS_H

#include "base/text.h"
#include "core/types.h"

void forward_to_upstream(struct xchg *x, struct text *out);
void forward_to_client(struct xchg *x, struct text *out);
void forward_refuse(struct xchg *x, struct text *fields, struct text *help);

#endif
