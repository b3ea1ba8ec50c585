/* Who is asking? */
#ifndef FORWARD_WHO_H
#define FORWARD_WHO_H

#include "core/stage.h"

enum verdict forward_who(struct xchg *x);

#endif
