/* Who is asking? */
#ifndef REVERSE_IDENTITY_H
#define REVERSE_IDENTITY_H

#include "base/text.h"
#include "core/exchange/stage.h"

enum verdict reverse_identity(struct xchg *x);
/* The client as it is shown to the servers: its address. */
void reverse_client(const struct xchg *x, struct text *out);

#endif
