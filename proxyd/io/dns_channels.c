#include "io/dns_channels.h"

#include <netinet/in.h>
#include <stdlib.h>

enum {
    LEAST_TRY_MS = 20,
    EDNS_SIZE = 1232 /* fits every path without fragments */
};

/* ---- a channel's sockets ---- */

static void on_socket(struct io *io)
{
    struct dns_channel *c = container_of(io, struct dns_channel_socket, io)->channel;
    int fd = io->fd;
    bool in = io->ready & (IO_IN | IO_HUP | IO_ERROR), out = io->ready & IO_OUT;
    io->ready = 0;
    ares_process_fd(c->ares, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
}

static struct dns_channel_socket *socket_of(struct dns_channel *c, int fd)
{
    for (unsigned i = 0; i < CHANNEL_SOCKETS; i++)
        if (c->socket[i].io.fd == fd)
            return &c->socket[i];
    return NULL;
}

/* A socket that finds no slot, or that epoll refuses, is never ready: its tries time out. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns_channel *c = data;
    struct loop *loop = c->of->loop;
    u8 events = (readable ? IO_IN : 0) | (writable ? IO_OUT : 0);
    struct dns_channel_socket *s = socket_of(c, fd);
    if (s && events) {
        loop_change_level(loop, &s->io, events);
    } else if (s) {
        loop_remove(loop, &s->io);
        s->io.fd = -1;
    } else if (events && (s = socket_of(c, -1)) != NULL) {
        s->io = (struct io){ .fd = fd, .on_ready = on_socket };
        if (!loop_add_level(loop, &s->io, events))
            s->io.fd = -1;
    }
}

/* ---- channels ---- */

static bool set_server(struct dns_channel *c)
{
    const struct addr *a = &dns_channel_server(c)->addr;
    struct ares_addr_port_node node = { .family = a->family,
                                        .udp_port = a->port,
                                        .tcp_port = a->port };
    memcpy(&node.addr, a->ip, a->family == AF_INET ? 4 : 16);
    return ares_set_servers_ports(c->ares, &node) == ARES_SUCCESS;
}

/* Every option that c-ares would otherwise read from a file is given, the server too, which
 * set_server replaces: nothing here touches the disk. */
static bool open_channel(struct dns_channel *c)
{
    const struct dns_ask_conf *conf = c->of->conf;
    struct in_addr none = { 0 };
    struct ares_options o = { .lookups = (char *)"b",
                              .ndots = 1,
                              .servers = &none,
                              .nservers = 1,
                              .tries = 1,
                              .timeout = (int)conf->timeout_ms,
                              .ednspsz = EDNS_SIZE,
                              .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
                                       ARES_FLAG_NOCHECKRESP | (c->edns ? ARES_FLAG_EDNS : 0),
                              .sock_state_cb = on_socket_state,
                              .sock_state_cb_data = c };
    int mask = ARES_OPT_LOOKUPS | ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST |
               ARES_OPT_SERVERS | ARES_OPT_TRIES | ARES_OPT_TIMEOUTMS | ARES_OPT_FLAGS |
               ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
    if (ares_init_options(&c->ares, &o, mask) != ARES_SUCCESS) {
        c->ares = NULL;
        return false;
    }
    c->sockets = (struct dns_sockets){ .make_room = conf->make_room,
                                       .owner = c->of->loop->context,
                                       .hide_formerr = c->edns };
    dns_sockets_use(&c->sockets, c->ares);
    if (set_server(c))
        return true;
    ares_destroy(c->ares);
    c->ares = NULL;
    return false;
}

struct dns_channels *dns_channels_new(const struct dns_ask_conf *conf, struct loop *loop)
{
    struct dns_channels *cs = calloc(1, sizeof *cs);
    if (cs == NULL)
        return NULL;
    cs->conf = conf;
    cs->loop = loop;
    cs->servers = dns_servers_hold(conf->servers);
    u32 parts = cs->servers->n == 1 ? 7 : 3 * cs->servers->n;
    cs->try_ms = conf->timeout_ms / parts > LEAST_TRY_MS ? conf->timeout_ms / parts : LEAST_TRY_MS;
    for (unsigned i = 0; i < DNS_SERVERS; i++)
        for (unsigned edns = 0; edns < 2; edns++) {
            struct dns_channel *c = &cs->channel[i][edns];
            c->of = cs;
            c->server = (u8)i;
            c->edns = edns;
            for (unsigned s = 0; s < CHANNEL_SOCKETS; s++)
                c->socket[s] = (struct dns_channel_socket){ { .fd = -1 }, c };
        }
    return cs;
}

void dns_channels_free(struct dns_channels *cs)
{
    for (unsigned i = 0; i < DNS_SERVERS; i++)
        for (unsigned edns = 0; edns < 2; edns++)
            if (cs->channel[i][edns].ares)
                ares_destroy(cs->channel[i][edns].ares);
    dns_servers_release(cs->servers);
    free(cs);
}

bool dns_channel_open(struct dns_channel *c)
{
    return c->ares || open_channel(c);
}

void dns_channels_expire(struct dns_channels *cs)
{
    for (unsigned i = 0; i < 2 * DNS_SERVERS; i++)
        if (cs->tries && cs->channel[i / 2][i % 2].ares)
            ares_process_fd(cs->channel[i / 2][i % 2].ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}
