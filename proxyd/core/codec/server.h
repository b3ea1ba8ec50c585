/* The client side of a listener: from accept to the complete request head, and between requests. */
#ifndef CORE_SERVER_H
#define CORE_SERVER_H

#include "core/conn/conn.h"
#include "core/codec/leg.h"

/* A client has been accepted (accept.c): its listener's layer is being laid on it; it may begin. */
extern const struct conn_user client_handshake_user, client_new_user;
/* So long a client that was meant for somebody else may say nothing before its role is asked
 * whether that one is to speak first. */
enum { CLIENT_SILENCE_MS = 300 };

/* A client has connected: takes over fd. */
void client_accept(struct worker *w, const struct listen_addr *at, int fd, const struct addr *peer);
extern const struct codec codec_h1;
/* Where it came in; NULL: nobody listens there any more. For a connection that awaits a head, here
 * and below. */
const struct listener *client_listener(const struct conn *c);
/* Takes over a connection that begins with no HTTP, or with nothing: core/codec/raw.c. */
void raw_serve(struct conn *c);
/* Takes over a connection that is accepted and through with its handshake. */
void h1_serve(struct conn *c);
/* A connection that is accepted and was passed on by a front which has said whose it is. */
void client_begin(struct conn *c);
/* No request is read from it: an answer with the fault's status, where one can be given, and the
 * end. */
void client_refuse(struct conn *c, enum fault f);
/* An exchange is over, for which `served` is still pinned: on to the next request on this
 * connection. */
void h1_next(struct conn *c, struct snapshot *served);
/* Shuts the sending side and reads on for a while, so that an answer sent while the client still
 * writes is not destroyed by a reset. */
void h1_linger(struct conn *c);
/* What has come from the client and gone to it since the last call is counted. At the end of each
 * exchange and in a tunnel as it flows: a connection may live for days. */
static inline void client_count_bytes(struct conn *c)
{
    struct stats *s = c->worker->stats;
    stat_add(s, STAT_bytes_from_clients_total, c->bytes_in);
    stat_add(s, STAT_bytes_to_clients_total, c->bytes_out);
    c->bytes_in = c->bytes_out = 0;
}
/* Counts the client out and closes. */
void client_close(struct conn *c);
/* Tells every client connection that the worker drains (worker->draining): what that means for it
 * is its user's to know. */
void client_drain(struct worker *w);

/* The worker has adopted another configuration: the clients of an address that it gives up are
 * closed, 64 in 4 ms; who has begun a request by then is served first. */
void client_adopt(struct worker *w, struct snapshot *old);
#endif
