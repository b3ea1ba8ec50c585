/* What are the first bytes of a client? */
#ifndef FORWARD_GREET_H
#define FORWARD_GREET_H

#include "core/role.h"

enum fault forward_greet(const struct listener *l, struct slice first);

#endif
