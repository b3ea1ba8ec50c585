/*
 * Rows of the engine's own limits and time-outs. The other blocks that are its own have files of
 * their own: log_conf.c, dns_conf.c, listener_conf.c.
 */
#include "engine_conf.h"

#include "base/must.h"
#include "config/value.h"

enum { KIB = 1024, MIB = 1024 * 1024, SECOND = 1000, DAY = 24 * 3600 * SECOND };

static void read_clients(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct limits_conf *l = to;
    (void)a;
    l->clients = (u32)schema_number(row, n);
    l->clients_given = n != NULL;
}

static void read_rate(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct rate_conf *r = to;
    (void)row;
    (void)a;
    *r = (struct rate_conf){ 0, 0 };
    if (n && !slice_is(node_arg(n, 0)->text, "unlimited"))
        must(value_rate(node_arg(n, 0)->text, &r->count, &r->period_ms));
}

const struct schema_row limits_rows[] = {
    { .key = "head",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, head),
      .least = KIB,
      .most = 128 * KIB,
      .fallback = "32k",
      .doc =
          "Bytes of a whole request or response head. A larger request gets 431, a larger answer "
          "of an origin becomes 502.",
      .example = "head 32k;" },
    { .key = "fields",
      .type = { TYPE_COUNT },
      INTO(struct limits_conf, fields),
      .least = 8,
      .most = 1000,
      .fallback = "128",
      .doc = "Fields in one head. More of them in a request get 431, in an answer 502.",
      .example = "fields 128;" },
    { .key = "line",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, line),
      .least = 256,
      .most = 128 * KIB,
      .fallback = "16k",
      .doc = "Bytes of one line of a head. A longer request line gets 414, a longer field 431.",
      .example = "line 16k;" },
    { .key = "body",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, body),
      .also = "unlimited",
      .fallback = "unlimited",
      .doc = "Bytes of a request body. A larger one gets 413. Bodies are never held in memory, so "
             "this is a rule, not a protection.",
      .example = "body 10m;" },
    { .key = "clients",
      .type = { TYPE_COUNT },
      .read = read_clients,
      .least = 1,
      .most = 10000000,
      .fallback = "20000",
      .doc = "Client connections at one time; a new one waits until another ends. No more than "
             "the limit of file descriptors leaves room for; the start says so.",
      .example = "clients 20000;" },
    { .key = "clients-per-address",
      .type = { TYPE_COUNT },
      INTO(struct limits_conf, clients_per_address),
      .least = 1,
      .most = 10000000,
      .fallback = "1000",
      .doc = "Connections of one client address at one time. One more gets 503 and a close.",
      .example = "clients-per-address 1000;" },
    { .key = "memory",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, memory),
      .least = 4 * MIB,
      .most = 1ull << 44,
      .fallback = "1g",
      .doc = "Bytes of buffers and connections in the whole process, at least 1m for each worker. "
             "When "
             "they are used up, new work waits or gets 503, and what runs goes on.",
      .example = "memory 1g;" },
    { .key = "requests-per-user",
      .type = { TYPE_RATE },
      .offset = offsetof(struct limits_conf, requests_per_user),
      .read = read_rate,
      .also = "unlimited",
      .fallback = "unlimited",
      .doc =
          "How many requests one user may make who has proved who he is (`auth`), `N/s`, `N/min` "
          "or `N/h`: so many at once, then as they come back over the period. One more gets 429 "
          "and `Retry-After`. A CONNECT counts as one; who is not asked who he is, is not "
          "counted. It holds for all listeners whose policies have the same files of users, and "
          "goes on over a reload.",
      .example = "requests-per-user 100/min;" },
    { .key = NULL },
};

const struct schema_row timeouts_rows[] = {
    { .key = "head",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, head),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "10s",
      .doc =
          "From the accepted connection (or the first byte of a further request) to the end of the "
          "request head; then 408.",
      .example = "head 10s;" },
    { .key = "body",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, body),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "60s",
      .doc =
          "The longest pause in reading or writing a body, on either side; answers that a client "
          "does not read are included.",
      .example = "body 60s;" },
    { .key = "idle",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, idle),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "75s",
      .doc = "How long a client connection is kept open between two requests.",
      .example = "idle 75s;" },
    { .key = "connect",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, connect),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "10s",
      .doc = "From the start of the name look-up to the connection with the destination, all tries "
             "together; then 504.",
      .example = "connect 10s;" },
    { .key = "response",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, response),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "60s",
      .doc = "From the request sent to the end of the response head; then 504.",
      .example = "response 60s;" },
    { .key = "tunnel-idle",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, tunnel_idle),
      .least = 1,
      .most = 30 * (u64)DAY,
      .also = "unlimited",
      .fallback = "10m",
      .doc =
          "A tunnel (CONNECT or Upgrade) without a byte in either direction is closed after this "
          "time.",
      .example = "tunnel-idle 10m;" },
    { .key = "tunnel-lifetime",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, tunnel_lifetime),
      .least = 1,
      .most = 30 * (u64)DAY,
      .also = "unlimited",
      .fallback = "unlimited",
      .doc = "A tunnel is closed after this time, however busy it is.",
      .example = "tunnel-lifetime 12h;" },
    { .key = "drain",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, drain),
      .most = 30 * (u64)DAY,
      .fallback = "30s",
      .doc = "After a TERM signal: how long running exchanges and tunnels may take to end.",
      .example = "drain 30s;" },
    { .key = NULL },
};
