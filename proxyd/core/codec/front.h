/* A front: what stands before a listener and passes connections of others on to it. Each of them
 * begins with a PROXY header, which says whose it is. */
#ifndef CORE_FRONT_H
#define CORE_FRONT_H

#include "core/conn/conn.h"
#include "core/listener.h"

/* Is it a front of that listener? */
bool front_is(const struct listener *l, const struct addr *peer);
/* Has a connection that is just accepted from one: it is read as any other (client_begin) once the
 * header has come. */
extern const struct conn_user front_user;

#endif
