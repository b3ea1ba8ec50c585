/* Connections that a front passes on: what comes behind the header is read by whoever reads the
 * connection, a layer too; and what holds no memory. */
#include "core/codec/front.h"

#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_memory.h"
#include "tests/xor_stream.h"

#define HEADER "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct cidr fronts[] = { { .base = { .ip = { 127 }, .family = AF_INET }, .bits = 8 } };

static void has_fronts(void)
{
    rig.listener->fronts = fronts;
    rig.listener->nfronts = 1;
}

static bool transport(const struct listener *l, struct stream *s)
{
    (void)l;
    return xor_push(s, 3);
}

static void send_xored(int fd, const char *text)
{
    char area[300] = "";
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        area[i] = (char)(text[i] ^ XOR_KEY);
    assert_int_equal(write(fd, area, n), (ssize_t)n);
}

/* In one piece: the layer begins at the first byte behind the header. */
static void a_layer_comes_behind_it(void **state)
{
    (void)state;
    has_fronts();
    rig.listener->transport = transport;
    int client = rig_client();
    assert_int_equal(write(client, HEADER "\xa5", sizeof HEADER), sizeof HEADER);
    send_xored(client, GET("/x"));
    rig_turn();
    char heard[1000];
    ssize_t n = read(client, heard, sizeof heard - 1);
    assert_true(n > 1);
    for (ssize_t i = 1; i < n; i++)
        heard[i] ^= XOR_KEY;
    heard[n] = 0;
    assert_has(heard + 1, "\r\n\r\n/x");
    assert_int_equal(rig_count(STAT_proxy_headers_total), 1);
}

/* An answer in the clear would be none. */
static void a_missing_one_before_a_layer(void **state)
{
    (void)state;
    has_fronts();
    rig.listener->transport = transport;
    int client = rig_client();
    rig_say(client, "\xa5");
    assert_string_equal(rig_hears(client), "");
    assert_true(rig_ended(client) || rig_reset(client));
    assert_int_equal(rig_faults(FAULT_proxy_header_missing), 1);
}

static void a_front_that_waits_holds_no_buffer(void **state)
{
    (void)state;
    has_fronts();
    int client = rig_client();
    rig_say(client, "PROXY TCP4 192.0.2.1 ");
    assert_user(rig_client_conn(), "front");
    assert_int_equal(rig.worker->bufs.in_use, 0);
    rig_say(client, "198.51.100.2 12345 443\r\n" GET("/1"));
    assert_has(rig_hears(client), "\r\n\r\n/1");
}

static void no_memory_to_count_the_client(void **state)
{
    (void)state;
    has_fronts();
    int client = rig_client();
    rig_say(client, "PROXY");
    memory_refuse(1, true);
    rig_say(client, &HEADER[5]);
    assert_true(memory_relent() > 0);
    assert_true(rig_ended(client));
    assert_int_equal(rig_count(STAT_connections_open), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_layer_comes_behind_it),
        RIG_TEST(a_missing_one_before_a_layer),
        RIG_TEST(a_front_that_waits_holds_no_buffer),
        RIG_TEST(no_memory_to_count_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
