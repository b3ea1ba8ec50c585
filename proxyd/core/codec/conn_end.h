/* A connection as the end of a tunnel. */
#ifndef CORE_CONN_END_H
#define CORE_CONN_END_H

#include "core/conn/conn.h"
#include "core/codec/tunnel_end.h"

/* The end owns the connection. What was received and not taken comes first, what is unsent goes
 * first. */
struct tunnel_end client_end(struct conn *c);
struct tunnel_end upstream_end(struct conn *c);
/* Another configuration is in force: every tunnel of the worker's clients is decided again
 * (worker->intake->tunnel_recheck), some in each turn of the loop. */
void conn_end_adopt(struct worker *w, struct snapshot *old);

#endif
