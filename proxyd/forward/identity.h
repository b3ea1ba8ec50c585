/* Who is asking? */
#ifndef FORWARD_IDENTITY_H
#define FORWARD_IDENTITY_H

#include "core/exchange/stage.h"

enum verdict forward_identity(struct xchg *x);

#endif
