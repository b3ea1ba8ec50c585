/* What the tests of the exchange share: one request from a client to an origin, and its answer. */
#ifndef TEST_EXCHANGE_HELP_XCHG_H
#define TEST_EXCHANGE_HELP_XCHG_H

#include "tests/unit/core/help_engine.h"

#define ASK(method, path, more)                                                                    \
    method " http://one.test" path " HTTP/1.1\r\nHost: one.test\r\n" more "\r\n"

static int client, origin, upstream;

static inline void begin(const char *request)
{
    if (origin == 0) {
        origin = rig_origin();
        client = rig_client_tcp();
    }
    rig_say(client, request);
}

static inline int set_up(void **state)
{
    origin = client = upstream = 0;
    return rig_set_up(state);
}

#define XCHG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

static inline void ask(const char *request)
{
    begin(request);
    upstream = rig_accept(origin);
    rig_hears(upstream);
}

static inline const char *answered(const char *answer)
{
    rig_say(upstream, answer);
    return rig_hears(client);
}

#endif
