/* The one switch from "something happened on a connection" to whoever the connection serves now. */
#ifndef CORE_DISPATCH_H
#define CORE_DISPATCH_H

#include "base/wheel.h"
#include "io/loop.h"

/* on_ready of every connection. */
void conn_ready(struct io *io);
/* Wheel callback of TIMER_CONN. */
void conn_expired(struct timer *t);

#endif
