/* The direction that acts for servers: gateway in front of a pool. */
#ifndef REVERSE_ROLE_H
#define REVERSE_ROLE_H

#include "core/exchange/role.h"

extern const struct role reverse_role;

#endif
