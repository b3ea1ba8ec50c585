/* Who listens on an address already? For the message when a start is refused. */
#ifndef PROXYD_PORT_OWNER_H
#define PROXYD_PORT_OWNER_H

#include "base/addr.h"
#include "base/text.h"

/* Appends "NAME (process PID)"; false when it cannot be found out (no right to look, or gone). */
bool port_owner(const struct addr *a, struct text *out);
/* Appends why listening on `a`, as `written`, failed with `error`, and who has it. */
void port_owner_complain(const struct addr *a, struct slice written, int error, struct text *out);

#endif
