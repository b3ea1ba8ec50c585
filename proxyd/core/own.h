/*
 * The proxy's own addresses: what it listens on is never dialled, whatever a rule allows. A
 * listener on a wildcard address stands for every address of this machine.
 */
#ifndef CORE_OWN_H
#define CORE_OWN_H

#include "base/addr.h"

struct own;

struct own *own_new(void);
void own_free(struct own *o);
/* Before the workers start. */
void own_add(struct own *o, const struct addr *listening, bool both_families);
bool own_has(const struct own *o, const struct addr *a);

#endif
