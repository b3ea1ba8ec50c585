/*
 * Connections of the proxy's own that the network leads back to it, because the rules that redirect
 * do not leave out what it sends itself. HTTP would be stopped by Via, a tunnel by nothing: so who
 * dials a place that clients are intercepted on the way to notes its own end, and whoever comes in
 * from that very end, on the way to the same place, is the proxy itself.
 */
#ifndef CORE_RETURNING_H
#define CORE_RETURNING_H

#include "base/addr.h"

/* Any thread. Of many at once some are forgotten: a loop is then found in its next round. */
void returning_note(const struct addr *own, const struct addr *to);
/* That connection is closed, or has proved to lead elsewhere: its end may be somebody else's next,
 * for with `source client` the address is a client's, who chooses among the same ports. */
void returning_forget(const struct addr *own, const struct addr *to);
bool returning_is(const struct addr *client, const struct addr *to);

#endif
