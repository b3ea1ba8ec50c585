/* What are the first bytes of a client? */
#ifndef FORWARD_DETECT_H
#define FORWARD_DETECT_H

#include "core/exchange/role.h"

struct detected forward_detect(const struct listener *l, struct slice first);

#endif
