/* What the tests of tunnels share: one that is open between a client and an origin. */
#ifndef TEST_EXCHANGE_HELP_TUNNEL_H
#define TEST_EXCHANGE_HELP_TUNNEL_H

#include "tests/unit/core/help_engine.h"

#define CONNECT "CONNECT one.test:80 HTTP/1.1\r\nHost: one.test:80\r\n\r\n"
#define OPENED "HTTP/1.1 200 Connection established\r\n\r\n"

static int client, upstream;

static inline void open_tunnel_of(int who, const char *with)
{
    int origin = rig_origin();
    client = who;
    rig_say(client, with);
    upstream = rig_accept(origin);
    assert_begins(rig_hears(client), OPENED);
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
}

static inline void open_tunnel(const char *with)
{
    open_tunnel_of(rig_client(), with);
}

#endif
