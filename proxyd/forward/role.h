/* The direction that acts for clients: explicit forward proxy. */
#ifndef FORWARD_ROLE_H
#define FORWARD_ROLE_H

#include "core/exchange/role.h"

extern const struct role forward_role;

#endif
