/*
 * The proxy's own addresses: what it listens on is never dialled, whatever a rule allows. A
 * listener on a wildcard address stands for every address of this machine.
 */
#ifndef CORE_SELF_ADDRS_H
#define CORE_SELF_ADDRS_H

#include "base/addr.h"

struct self_addrs;

struct self_addrs *self_addrs_new(void);
void self_addrs_free(struct self_addrs *o);
/* Before the workers start. */
void self_addrs_add(struct self_addrs *o, const struct addr *listening, bool both_families);
bool self_addrs_has(const struct self_addrs *o, const struct addr *a);

#endif
