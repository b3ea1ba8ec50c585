/* What the first bytes of a client say to both directions. */
#ifndef TESTS_HELP_DETECT_H
#define TESTS_HELP_DETECT_H

#include "base/fault.h"
#include "base/slice.h"
#include "core/exchange/role.h"

/* Fails when a direction's detect function takes something else for HTTP than HTTP. */
void detect_check(struct detected (*detect)(const struct listener *, struct slice));

#endif
