/* How many clients there may be at one time: what is configured, or what the descriptors allow. */
#ifndef PROXYD_CLIENT_LIMIT_H
#define PROXYD_CLIENT_LIMIT_H

#include "core/conf.h"

/* Raises the limit of open files as far as it goes. When less than the configured number is left,
 * `note` (of n bytes) says so, else it is "". */
u32 client_limit(const struct limits_conf *limits, char *note, size_t n);

#endif
