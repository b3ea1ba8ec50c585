/* What are the first bytes of a client? */
#ifndef REVERSE_DETECT_H
#define REVERSE_DETECT_H

#include "core/exchange/role.h"

struct detected reverse_detect(const struct listener *l, struct slice first);

#endif
