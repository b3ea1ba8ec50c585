/*
 * Tries and channels. A channel of c-ares serves one server, with EDNS or without, and tries once.
 *
 * The hard thing is c-ares' freedom to call back from within any call: a try may end, and with it
 * the question and its owner, before ares_query returns. Nothing touches a question after it has
 * begun a try. c-ares cannot take one back either: a try whose question needs it no more stays
 * until c-ares ends it, and what it says is still a lesson about its server.
 */
#include "io/dns_ask.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/slab.h"
#include "io/dns.h"
#include "io/dns_socket.h"

enum {
    LEAST_TRY_MS = 20,
    EDNS_SIZE = 1232,    /* fits every path without fragments */
    CHANNEL_SOCKETS = 4, /* UDP and TCP, and one of each that is being replaced */
    HEADER = 12
};

struct dns_socket {
    struct io io;
    struct channel *channel;
};

struct channel {
    ares_channel ares; /* NULL: not open yet */
    struct dns_channels *of;
    u8 server;
    bool edns;
    struct dns_sockets sockets;
    struct dns_socket socket[CHANNEL_SOCKETS];
};

/* The channels to one set of servers. */
struct dns_channels {
    struct list link; /* in all->channels */
    struct dns_questions *all;
    struct dns_servers *servers;
    u32 tries, questions; /* under way */
    u32 try_ms;           /* t */
    struct channel channel[DNS_SERVERS][2];
};

struct dns_questions {
    struct dns_ask_conf conf;
    struct loop *loop;
    struct stats *stats;
    struct list channels; /* the set in force first, behind it those that are being let go */
    struct dns_timer sweep;
    struct slab tries;
};

struct
try {
    struct list link;       /* in question->tries */
    struct dns_question *q; /* NULL: nobody needs it any more */
    struct channel *channel;
    sa_family_t family;
};

/* ---- a channel's sockets ---- */

static void on_socket(struct io *io)
{
    struct channel *c = container_of(io, struct dns_socket, io)->channel;
    int fd = io->fd;
    bool in = io->ready & (IO_IN | IO_HUP | IO_ERROR), out = io->ready & IO_OUT;
    io->ready = 0;
    ares_process_fd(c->ares, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
}

static struct dns_socket *socket_of(struct channel *c, int fd)
{
    for (unsigned i = 0; i < CHANNEL_SOCKETS; i++)
        if (c->socket[i].io.fd == fd)
            return &c->socket[i];
    return NULL;
}

/* A socket that finds no slot, or that epoll refuses, is never ready: its tries time out. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct channel *c = data;
    struct loop *loop = c->of->all->loop;
    u8 events = (readable ? IO_IN : 0) | (writable ? IO_OUT : 0);
    struct dns_socket *s = socket_of(c, fd);
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

static struct dns_server *server_of(const struct channel *c)
{
    return &c->of->servers->server[c->server];
}

static bool set_server(struct channel *c)
{
    const struct addr *a = &server_of(c)->addr;
    struct ares_addr_port_node node = { .family = a->family,
                                        .udp_port = a->port,
                                        .tcp_port = a->port };
    memcpy(&node.addr, a->ip, a->family == AF_INET ? 4 : 16);
    return ares_set_servers_ports(c->ares, &node) == ARES_SUCCESS;
}

/* Every option that c-ares would otherwise read from a file is given, the server too, which
 * set_server replaces: nothing here touches the disk. */
static bool open_channel(struct channel *c)
{
    const struct dns_ask_conf *conf = &c->of->all->conf;
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
                                       .owner = c->of->all->loop->context,
                                       .hide_formerr = c->edns };
    dns_sockets_use(&c->sockets, c->ares);
    if (set_server(c))
        return true;
    ares_destroy(c->ares);
    c->ares = NULL;
    return false;
}

static struct dns_channels *new_channels(struct dns_questions *a)
{
    struct dns_channels *cs = calloc(1, sizeof *cs);
    if (cs == NULL)
        return NULL;
    cs->all = a;
    cs->servers = dns_servers_hold(a->conf.servers);
    u32 parts = cs->servers->n == 1 ? 7 : 3 * cs->servers->n;
    cs->try_ms =
        a->conf.timeout_ms / parts > LEAST_TRY_MS ? a->conf.timeout_ms / parts : LEAST_TRY_MS;
    for (unsigned i = 0; i < DNS_SERVERS; i++)
        for (unsigned edns = 0; edns < 2; edns++) {
            struct channel *c = &cs->channel[i][edns];
            c->of = cs;
            c->server = (u8)i;
            c->edns = edns;
            for (unsigned s = 0; s < CHANNEL_SOCKETS; s++)
                c->socket[s] = (struct dns_socket){ { .fd = -1 }, c };
        }
    list_push_front(&a->channels, &cs->link);
    return cs;
}

static void free_channels(struct dns_channels *cs)
{
    list_remove(&cs->link);
    for (unsigned i = 0; i < DNS_SERVERS; i++)
        for (unsigned edns = 0; edns < 2; edns++)
            if (cs->channel[i][edns].ares)
                ares_destroy(cs->channel[i][edns].ares);
    dns_servers_release(cs->servers);
    free(cs);
}

static struct dns_channels *newest(struct dns_questions *a)
{
    return container_of(a->channels.next, struct dns_channels, link);
}

/* Those of the set in force. The old ones go when nothing is under way on them. */
static struct dns_channels *channels_in_force(struct dns_questions *a)
{
    struct dns_channels *now = newest(a), *fresh;
    if (dns_servers_in_force(a->conf.servers, now->servers))
        return now;
    fresh = new_channels(a);
    return fresh ? fresh : now;
}

/* ---- c-ares' own time-outs ---- */

static void arm_sweep(struct dns_questions *a)
{
    if (!timer_armed(&a->sweep.timer))
        timer_set(&a->loop->wheel, &a->sweep.timer, loop_ms(a->loop) + a->conf.timeout_ms + 1);
}

/* They only end tries that nobody waits for, so it does not matter when they are noticed. */
static void on_sweep(struct dns_timer *t)
{
    struct dns_questions *a = container_of(t, struct dns_questions, sweep);
    bool more = false;
    for (struct list *n = a->channels.next, *next; n != &a->channels; n = next) {
        struct dns_channels *cs = container_of(n, struct dns_channels, link);
        next = n->next;
        for (unsigned i = 0; i < 2 * DNS_SERVERS; i++)
            if (cs->tries && cs->channel[i / 2][i % 2].ares)
                ares_process_fd(cs->channel[i / 2][i % 2].ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        more |= cs->tries + cs->questions > 0;
        if (cs != newest(a) && cs->tries + cs->questions == 0)
            free_channels(cs);
    }
    if (more)
        arm_sweep(a);
}

/* ---- one question ---- */

static void next_try(struct dns_question *q);
static void try_server(struct dns_question *q, unsigned server, bool edns);

void dns_ask_end(struct dns_question *q)
{
    struct list *n;
    if (q->channels == NULL)
        return;
    while ((n = list_pop(&q->tries)) != NULL)
        container_of(n, struct try, link)->q = NULL;
    timer_clear(&q->all->loop->wheel, &q->timer.timer);
    q->channels->questions--;
    q->channels = NULL;
}

static void finish(struct dns_question *q, const struct dns_reply *reply)
{
    dns_ask_end(q);
    q->reply = *reply;
    q->done = true;
    if (dns_not_heard(reply->fault))
        stat_add(q->all->stats, STAT_dns_failures_total, 1);
    q->answered(q);
}

static void fail(struct dns_question *q, enum fault f)
{
    struct dns_reply reply = { .fault = f, .ttl = DNS_TTL_LEAST };
    finish(q, &reply);
}

static void on_timer(struct dns_timer *t)
{
    struct dns_question *q = container_of(t, struct dns_question, timer);
    if (loop_ms(q->all->loop) >= q->end)
        fail(q, FAULT_dns_timeout);
    else
        next_try(q);
}

/* The next server in turn that has not failed; when all have had their turns, the end is waited
 * for. */
static void next_try(struct dns_question *q)
{
    unsigned n = q->channels->servers->n, rounds = n == 1 ? 3 : 2;
    u64 now = loop_ms(q->all->loop);
    while (q->next < n * rounds && q->failed & 1u << q->next % n)
        q->next++;
    if (q->next == n * rounds) {
        timer_set(&q->all->loop->wheel, &q->timer.timer, q->end);
        return;
    }
    unsigned server = q->next % n, round = q->next / n;
    q->next++;
    u64 next = now + ((u64)q->channels->try_ms << round);
    timer_set(&q->all->loop->wheel, &q->timer.timer, next < q->end ? next : q->end);
    bool edns = q->all->conf.edns && !(q->edns & 1u << server) &&
                !dns_server_is_plain(&q->channels->servers->server[server], now);
    try_server(q, server, edns);
}

/* A try has come to nothing. */
static void try_failed(struct dns_question *q, unsigned server, bool edns, enum fault f)
{
    unsigned n = q->channels->servers->n;
    q->fault = f;
    if (edns && q->plain & 1u << server)
        return; /* asked without it meanwhile: that try decides */
    if (edns) {
        try_server(q, server, false);
        return;
    }
    q->failed |= (u8)(1u << server);
    if (q->failed == (1u << n) - 1)
        fail(q, q->fault);
    else
        next_try(q);
}

/* What a usable answer says of its server. */
static void learn(struct dns_question *q, const struct channel *c)
{
    struct dns_questions *a = c->of->all;
    u8 bit = (u8)(1u << c->server);
    if (c->edns)
        dns_server_speaks_edns(server_of(c));
    else if (q && q->edns & bit &&
             dns_server_lacks_edns(server_of(c), q->rejected & bit, loop_ms(a->loop)))
        stat_add(a->stats, STAT_dns_edns_failures_total, 1);
}

static enum fault fault_of_status(const struct channel *c, int status)
{
    switch (status) {
    case ARES_ECONNREFUSED:
        return c->sockets.no_descriptor ? FAULT_out_of_descriptors : FAULT_dns_failure;
    case ARES_ETIMEOUT: return FAULT_dns_timeout;
    default: return FAULT_dns_failure;
    }
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
    struct try *t = arg;
    struct channel *c = t->channel;
    struct dns_question *q = t->q;
    struct dns_reply reply;
    (void)timeouts;
    if (bytes && n >= HEADER)
        dns_reply_read(t->family, bytes, (size_t)n, &reply);
    else
        reply = (struct dns_reply){ .fault = fault_of_status(c, status), .ttl = DNS_TTL_LEAST };
    list_remove(&t->link);
    slab_give(&c->of->all->tries, t);
    c->of->tries--;
    if (!dns_not_heard(reply.fault)) {
        learn(q, c);
        if (q)
            finish(q, &reply);
    } else if (q) {
        if (c->edns && bytes)
            q->rejected |= (u8)(1u << c->server);
        try_failed(q, c->server, c->edns, reply.fault);
    }
}

/* The question may be over when this returns. The final dot keeps any search list out. */
static void try_server(struct dns_question *q, unsigned server, bool edns)
{
    struct channel *c = &q->channels->channel[server][edns];
    struct dns_questions *a = q->all;
    char dotted[DNS_NAME + 2];
    *(edns ? &q->edns : &q->plain) |= (u8)(1u << server);
    struct try *t = c->ares || open_channel(c) ? slab_take(&a->tries) : NULL;
    if (t == NULL) {
        try_failed(q, server, edns, FAULT_dns_failure);
        return;
    }
    memcpy(dotted, q->name.p, q->name.n);
    memcpy(dotted + q->name.n, ".", 2);
    *t = (struct try){ .q = q, .channel = c, .family = q->family };
    list_push_back(&q->tries, &t->link);
    c->of->tries++;
    ares_query(c->ares, dotted, 1, q->family == AF_INET ? 1 : 28, on_answer, t);
}

void dns_ask(struct dns_questions *a, struct dns_question *q)
{
    q->all = a;
    q->channels = channels_in_force(a);
    q->channels->questions++;
    q->done = false;
    q->end = loop_ms(a->loop) + a->conf.timeout_ms;
    q->fault = FAULT_dns_failure;
    q->next = q->edns = q->rejected = q->plain = q->failed = 0;
    list_init(&q->tries);
    dns_timer_make(&q->timer, a->conf.timer_kind, on_timer);
    stat_add(a->stats, STAT_dns_queries_total, 1);
    arm_sweep(a);
    next_try(q);
}

/* ---- one worker's channels ---- */

struct dns_questions *dns_questions_new(const struct dns_ask_conf *conf, struct loop *loop,
                                        struct stats *stats)
{
    struct dns_questions *a = must_zalloc(sizeof *a);
    a->conf = *conf;
    a->loop = loop;
    a->stats = stats;
    list_init(&a->channels);
    slab_init(&a->tries, sizeof(struct try));
    dns_timer_make(&a->sweep, conf->timer_kind, on_sweep);
    must(new_channels(a) != NULL);
    return a;
}

void dns_questions_free(struct dns_questions *a)
{
    while (!list_empty(&a->channels))
        free_channels(newest(a));
    timer_clear(&a->loop->wheel, &a->sweep.timer);
    slab_destroy(&a->tries);
    free(a);
}
