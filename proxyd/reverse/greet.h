/* What are the first bytes of a client? */
#ifndef REVERSE_GREET_H
#define REVERSE_GREET_H

#include "core/role.h"

enum fault reverse_greet(const struct listener *l, struct slice first);

#endif
