#include "core/dispatch.h"

#include "core/dial.h"
#include "core/server.h"
#include "core/target.h"
#include "core/tunnel.h"
#include "core/xchg.h"

void conn_ready(struct io *io)
{
    struct conn *c = container_of(io, struct conn, stream.io);
    switch ((enum conn_serves)c->serves) {
    case CONN_EXCHANGE: xchg_wake(c->owner.xchg); break;
    case CONN_HEAD:
    case CONN_LINGER: h1_ready(c); break;
    case CONN_TUNNEL: tunnel_ready(c); break;
    case CONN_DIALLING: dial_ready(c); break;
    case CONN_IDLE: idle_ready(c); break;
    }
}

void conn_expired(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    switch ((enum conn_serves)c->serves) {
    case CONN_HEAD:
    case CONN_LINGER: h1_expired(c); break;
    case CONN_IDLE: idle_expired(c); break;
    default: /* exchanges, dials and tunnels have timers of their own */ break;
    }
}
