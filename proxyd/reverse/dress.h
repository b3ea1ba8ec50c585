/* What do the heads look like on each side? */
#ifndef REVERSE_DRESS_H
#define REVERSE_DRESS_H

#include "base/text.h"
#include "core/types.h"

void reverse_to_upstream(struct xchg *x, struct text *out);
void reverse_to_client(struct xchg *x, struct text *out);
void reverse_refuse(struct xchg *x, struct text *fields, struct text *help);

#endif
