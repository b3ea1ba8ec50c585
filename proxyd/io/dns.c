/*
 * Asking: one c-ares channel on a worker's loop. A flight is one name and its two questions; it
 * ends when both are answered, but tells the cache earlier when the second family is late.
 *
 * The hard thing is c-ares' freedom to call back from within any call: ares_query may end a flight
 * before it returns. Callbacks therefore only write to the cache; askers hear of it through their
 * worker's call queue, never from inside c-ares or dns_lookup.
 */
#include "io/dns.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/slab.h"
#include "io/dns_cache.h"
#include "io/dns_reply.h"
#include "io/dns_socket.h"

enum {
    MOST_FLIGHTS = 500, /* per worker, two questions each */
    MOST_SOCKETS = 4 * DNS_SERVERS,
    RESOLUTION_DELAY_MS = 50, /* RFC 8305 section 3 */
    DEFAULT_TIMEOUT_MS = 2000,
    LEAST_TRY_MS = 20,
    EDNS_SIZE = 1232 /* fits every path without fragments */
};

/* Both uses of the one timer kind. */
struct dns_timer {
    struct timer timer;
    void (*fire)(struct dns_timer *);
};

struct dns_socket {
    struct io io;
    struct dns *dns;
};

struct dns {
    struct dns_shared *shared;
    struct loop *loop;
    struct stats *stats;
    ares_channel channel;
    u32 try_ms;     /* first time-out of a question */
    u32 timeout_ms; /* when the askers are told */
    u8 timer_kind;
    u32 nflights;
    struct slab flights;
    struct dns_timer retry; /* c-ares' own time-outs */
    struct dns_ready ready_queue;
    struct dns_sockets sockets;
    struct dns_socket socket[MOST_SOCKETS];
};

/* One of a flight's two questions. */
struct question {
    struct flight *flight;
    sa_family_t family;
    bool done;
    bool again; /* asked a second time, see on_answer */
    struct dns_reply reply;
};

/* One name being asked for; lives until both questions are done. */
struct flight {
    struct dns *dns;
    struct dns_entry *entry;
    struct dns_timer timer; /* resolution delay or end of patience */
    struct question v6, v4;
};

/* ---- what is shared ---- */

static struct ares_options lean_options(void)
{
    return (struct ares_options){ .lookups = (char *)"b", .ndots = 1 };
}
enum { LEAN_MASK = ARES_OPT_LOOKUPS | ARES_OPT_NDOTS | ARES_OPT_DOMAINS };

static void take_server(struct dns_conf_io *conf, const struct ares_addr_port_node *n)
{
    struct addr *a = &conf->servers[conf->nservers++];
    *a = (struct addr){ .family = (u8)n->family, .port = (u16)n->udp_port };
    memcpy(a->ip, &n->addr, n->family == AF_INET ? 4 : 16);
}

/* The system's resolvers, by c-ares' reading of resolv.conf. */
static bool take_system_servers(struct dns_conf_io *conf)
{
    struct ares_options o = lean_options();
    struct ares_addr_port_node *list = NULL;
    ares_channel channel;
    if (ares_init_options(&channel, &o, LEAN_MASK) != ARES_SUCCESS)
        return false;
    if (ares_get_servers_ports(channel, &list) == ARES_SUCCESS)
        for (struct ares_addr_port_node *n = list; n && conf->nservers < DNS_SERVERS; n = n->next)
            take_server(conf, n);
    ares_free_data(list);
    ares_destroy(channel);
    return conf->nservers > 0;
}

struct dns_shared *dns_shared_new(const struct dns_conf_io *conf)
{
    struct dns_conf_io full = *conf;
    if (full.timeout_ms == 0)
        full.timeout_ms = DEFAULT_TIMEOUT_MS;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    if (full.nservers == 0 && !take_system_servers(&full)) {
        ares_library_cleanup();
        return NULL;
    }
    return dns_cache_of_conf(&full);
}

void dns_shared_free(struct dns_shared *s)
{
    if (s == NULL)
        return;
    dns_cache_free(s);
    ares_library_cleanup();
}

/* ---- the channel's clock ---- */

/* Nothing c-ares waits for comes before its first time-out from now, or before what is armed. */
static void arm_retry(struct dns *d)
{
    u64 soon = loop_ms(d->loop) + d->try_ms + 1;
    if (!timer_armed(&d->retry.timer) || soon < d->retry.timer.deadline)
        timer_set(&d->loop->wheel, &d->retry.timer, soon);
}

static void on_retry(struct dns_timer *t)
{
    struct dns *d = container_of(t, struct dns, retry);
    struct timeval tv;
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (ares_timeout(d->channel, NULL, &tv) == NULL)
        return;
    u64 wait = (u64)tv.tv_sec * 1000 + (u64)tv.tv_usec / 1000 + 1;
    timer_set(&d->loop->wheel, &d->retry.timer, loop_ms(d->loop) + wait);
}

void dns_on_timer(struct timer *t)
{
    struct dns_timer *own = container_of(t, struct dns_timer, timer);
    own->fire(own);
}

static void timer_make(struct dns *d, struct dns_timer *t, void (*fire)(struct dns_timer *))
{
    timer_init(&t->timer, d->timer_kind);
    t->fire = fire;
}

/* ---- the channel's sockets ---- */

static void on_socket(struct io *io)
{
    struct dns *d = container_of(io, struct dns_socket, io)->dns;
    int fd = io->fd;
    bool in = io->ready & (IO_IN | IO_HUP | IO_ERROR), out = io->ready & IO_OUT;
    io->ready = 0;
    ares_process_fd(d->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
    arm_retry(d);
}

static struct dns_socket *socket_of(struct dns *d, int fd)
{
    for (unsigned i = 0; i < MOST_SOCKETS; i++)
        if (d->socket[i].io.fd == fd)
            return &d->socket[i];
    return NULL;
}

/* A socket that finds no slot, or that epoll refuses, is never ready: its questions time out. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns *d = data;
    u8 events = (readable ? IO_IN : 0) | (writable ? IO_OUT : 0);
    struct dns_socket *s = socket_of(d, fd);
    if (s && events) {
        loop_change_level(d->loop, &s->io, events);
    } else if (s) {
        loop_remove(d->loop, &s->io);
        s->io.fd = -1;
    } else if (events && (s = socket_of(d, -1)) != NULL) {
        s->io = (struct io){ .fd = fd, .on_ready = on_socket };
        if (!loop_add_level(d->loop, &s->io, events))
            s->io.fd = -1;
    }
}

/* ---- flights ---- */

static u32 lesser(u32 a, u32 b)
{
    return a < b ? a : b;
}

static enum fault fault_of(const struct question *q)
{
    return q->done ? q->reply.fault : FAULT_dns_timeout;
}

/* Neither family has an address: what that means. A name that does not exist does so for both, but
 * some servers say it of AAAA alone (RFC 4074 section 4.2). */
static void combine_failures(const struct flight *f, struct dns_news *news)
{
    enum fault a = fault_of(&f->v6), b = fault_of(&f->v4);
    if (a == FAULT_dns_no_address)
        a = b == FAULT_dns_nxdomain ? a : b;
    else if (a == FAULT_dns_nxdomain)
        a = b == FAULT_dns_no_address ? b : a;
    else if (b == FAULT_dns_nxdomain || b == FAULT_dns_failure)
        a = b;
    news->fault = a;
    news->ttl = lesser(f->v6.reply.ttl, f->v4.reply.ttl);
    if (news->ttl == 0) /* one is still open */
        news->ttl = DNS_TTL_LEAST;
}

static void combine(const struct flight *f, struct dns_news *news)
{
    const struct dns_reply *v6 = &f->v6.reply, *v4 = &f->v4.reply;
    *news = (struct dns_news){ .fault = FAULT_NONE, .n6 = v6->n, .n4 = v4->n };
    if (v6->n + v4->n == 0) {
        combine_failures(f, news);
        return;
    }
    u8 *to = news->ips;
    for (unsigned i = 0; i < v6->n; i++, to += 16)
        memcpy(to, v6->ip[i], 16);
    for (unsigned i = 0; i < v4->n; i++, to += 4)
        memcpy(to, v4->ip[i], 4);
    news->ttl = lesser(v6->n ? v6->ttl : DNS_TTL_MOST, v4->n ? v4->ttl : DNS_TTL_MOST);
    const struct question *other = v6->n ? &f->v4 : &f->v6;
    if (dns_not_heard(fault_of(other)))
        news->ttl = lesser(news->ttl, DNS_PARTIAL_TTL);
}

/* Tells what is known; the end of the flight when nothing is outstanding any more. */
static void tell(struct flight *f)
{
    struct dns *d = f->dns;
    bool over = f->v6.done && f->v4.done;
    struct dns_news news;
    combine(f, &news);
    dns_cache_store(d->shared, f->entry, &news, loop_ms(d->loop), over);
    if (!over)
        return;
    timer_clear(&d->loop->wheel, &f->timer.timer);
    slab_give(&d->flights, f);
    d->nflights--;
}

static void on_patience_end(struct dns_timer *t)
{
    tell(container_of(t, struct flight, timer));
}

static void ask(struct question *q);

static enum fault fault_of_status(const struct dns *d, int status)
{
    switch (status) {
    case ARES_ECONNREFUSED:
        return d->sockets.no_descriptor ? FAULT_out_of_descriptors : FAULT_dns_failure;
    case ARES_ENOTFOUND: return FAULT_dns_nxdomain;
    case ARES_ENODATA: return FAULT_dns_no_address;
    case ARES_ETIMEOUT: return FAULT_dns_timeout;
    default: return FAULT_dns_failure;
    }
}

/* A server that does not know EDNS answers the first of two questions with FORMERR, upon which
 * c-ares turns EDNS off and repeats that one question only; the other is repeated here. */
static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
    struct question *q = arg;
    struct flight *f = q->flight;
    struct dns *d = f->dns;
    (void)timeouts;
    if (status == ARES_EFORMERR && !q->again) {
        q->again = true;
        ask(q);
        return;
    }
    bool said = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
    if (said && bytes && n > 0)
        dns_reply_read(q->family, bytes, (size_t)n, &q->reply);
    else
        q->reply = (struct dns_reply){ .fault = fault_of_status(d, status), .ttl = DNS_TTL_LEAST };
    q->done = true;
    if (dns_not_heard(q->reply.fault))
        stat_add(d->stats, STAT_dns_failures_total, 1);
    bool both = f->v6.done && f->v4.done;
    if (both || (q == &f->v6 && q->reply.n))
        tell(f);
    else if (q->reply.n) /* IPv4: the other one gets a moment, RFC 8305 section 3 */
        timer_set(&d->loop->wheel, &f->timer.timer, loop_ms(d->loop) + RESOLUTION_DELAY_MS);
}

/* on_answer may run before this returns, and may end the flight. The final dot keeps any search
 * list out. */
static void ask(struct question *q)
{
    struct dns *d = q->flight->dns;
    struct slice name = dns_entry_name(q->flight->entry);
    char dotted[DNS_NAME + 2];
    memcpy(dotted, name.p, name.n);
    memcpy(dotted + name.n, ".", 2);
    stat_add(d->stats, STAT_dns_queries_total, 1);
    ares_query(d->channel, dotted, 1, q->family == AF_INET ? 1 : 28, on_answer, q);
}

static void no_memory(struct dns *d, struct dns_entry *e)
{
    struct dns_news news = { .fault = FAULT_dns_failure };
    dns_cache_store(d->shared, e, &news, loop_ms(d->loop), true);
}

static void fly(struct dns *d, struct dns_entry *e)
{
    struct flight *f = slab_take(&d->flights);
    if (f == NULL) {
        no_memory(d, e);
        return;
    }
    *f = (struct flight){ .dns = d,
                          .entry = e,
                          .v6 = { .flight = f, .family = AF_INET6 },
                          .v4 = { .flight = f, .family = AF_INET } };
    d->nflights++;
    timer_make(d, &f->timer, on_patience_end);
    timer_set(&d->loop->wheel, &f->timer.timer, loop_ms(d->loop) + d->timeout_ms);
    ask(&f->v6);
    ask(&f->v4);
    arm_retry(d);
}

/* ---- one worker's resolver ---- */

static void on_call(struct call *l, void *receiver)
{
    struct dns_ready *in = container_of(l, struct dns_ready, call);
    struct dns *d = container_of(in, struct dns, ready_queue);
    (void)receiver;
    for (;;) {
        pthread_mutex_lock(&in->lock);
        struct list *n = list_pop(&in->ready);
        if (n == NULL)
            in->posted = false;
        pthread_mutex_unlock(&in->lock);
        if (n == NULL)
            return;
        struct dns_wait *w = container_of(n, struct dns_wait, link);
        w->ready_queue = NULL;
        if (w->answer.stale)
            stat_add(d->stats, STAT_dns_stale_total, 1);
        w->done(w);
    }
}

static bool set_servers(ares_channel channel, const struct dns_conf_io *conf)
{
    struct ares_addr_port_node node[DNS_SERVERS];
    for (unsigned i = 0; i < conf->nservers; i++) {
        const struct addr *a = &conf->servers[i];
        int port = a->port ? a->port : 53;
        node[i] =
            (struct ares_addr_port_node){ .next = i + 1 < conf->nservers ? &node[i + 1] : NULL,
                                          .family = a->family,
                                          .udp_port = port,
                                          .tcp_port = port };
        memcpy(&node[i].addr, a->ip, a->family == AF_INET ? 4 : 16);
    }
    return ares_set_servers_ports(channel, node) == ARES_SUCCESS;
}

/* c-ares doubles the time-out with every round over the servers: one server is given t, 2t and 4t,
 * several two rounds of t and 2t each. A late answer to an earlier try still counts. */
static bool open_channel(struct dns *d)
{
    const struct dns_conf_io *conf = dns_cache_conf(d->shared);
    u32 parts = conf->nservers == 1 ? 7 : 3 * conf->nservers;
    d->timeout_ms = conf->timeout_ms;
    d->try_ms = conf->timeout_ms / parts > LEAST_TRY_MS ? conf->timeout_ms / parts : LEAST_TRY_MS;
    struct ares_options o = lean_options();
    o.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    o.ednspsz = EDNS_SIZE;
    o.timeout = (int)d->try_ms;
    o.tries = conf->nservers == 1 ? 3 : 2;
    o.sock_state_cb = on_socket_state;
    o.sock_state_cb_data = d;
    int mask = LEAN_MASK | ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
    if (ares_init_options(&d->channel, &o, mask) != ARES_SUCCESS)
        return false;
    d->sockets = (struct dns_sockets){ .make_room = conf->make_room, .owner = d->loop->context };
    dns_sockets_use(&d->sockets, d->channel);
    if (set_servers(d->channel, conf))
        return true;
    ares_destroy(d->channel);
    return false;
}

struct dns *dns_new(struct dns_shared *s, struct loop *loop, struct stats *stats, u8 timer_kind)
{
    struct dns *d = must_zalloc(sizeof *d);
    d->shared = s;
    d->loop = loop;
    d->stats = stats;
    d->timer_kind = timer_kind;
    for (unsigned i = 0; i < MOST_SOCKETS; i++)
        d->socket[i] = (struct dns_socket){ { .fd = -1 }, d };
    if (!open_channel(d)) {
        free(d);
        return NULL;
    }
    loop->wheel.on_expire[timer_kind] = dns_on_timer;
    timer_make(d, &d->retry, on_retry);
    slab_init(&d->flights, sizeof(struct flight));
    pthread_mutex_init(&d->ready_queue.lock, NULL);
    list_init(&d->ready_queue.ready);
    d->ready_queue.call.run = on_call;
    d->ready_queue.loop = loop;
    return d;
}

/* ares_destroy ends every question with ARES_EDESTRUCTION, and so every flight; askers on other
 * workers get a failure. */
void dns_free(struct dns *d)
{
    if (d == NULL)
        return;
    dns_cache_forget(d->shared, &d->ready_queue);
    ares_destroy(d->channel);
    must(d->nflights == 0);
    timer_clear(&d->loop->wheel, &d->retry.timer);
    slab_destroy(&d->flights);
    pthread_mutex_destroy(&d->ready_queue.lock);
    free(d);
}

/* RFC 6761 section 6.3: localhost and everything below it is this machine; nobody is asked. */
static bool is_localhost(struct slice name)
{
    return slice_eq(name, SLICE("localhost")) || slice_ends(name, SLICE(".localhost"));
}

static bool answered_here(struct dns *d, struct slice name, struct dns_wait *w)
{
    struct dns_answer *a = &w->answer;
    if (!dns_name_valid(name)) {
        *a = (struct dns_answer){ .fault = FAULT_dns_nxdomain };
        return true;
    }
    if (is_localhost(name)) {
        *a = (struct dns_answer){ .n = 2,
                                  .nv6 = 1,
                                  .addr = { { .family = AF_INET6, .ip = { [15] = 1 } },
                                            { .family = AF_INET, .ip = { 127, 0, 0, 1 } } } };
        return true;
    }
    return dns_cache_hosts(d->shared, name, a);
}

bool dns_lookup(struct dns *d, struct slice name, struct dns_wait *w)
{
    stat_add(d->stats, STAT_dns_lookups_total, 1);
    w->ready_queue = NULL;
    if (answered_here(d, name, w))
        return true;
    struct dns_entry *e;
    enum dns_found found = dns_cache_find(d->shared, name, loop_ms(d->loop),
                                          d->nflights < MOST_FLIGHTS, &d->ready_queue, w, &e);
    if (found == DNS_FOUND_ASK || found == DNS_PARKED_ASK)
        fly(d, e);
    if (found == DNS_PARKED || found == DNS_PARKED_ASK)
        return false;
    if (found != DNS_REFUSED)
        stat_add(d->stats, STAT_dns_cache_hits_total, 1);
    if (w->answer.stale)
        stat_add(d->stats, STAT_dns_stale_total, 1);
    return true;
}

void dns_cancel(struct dns *d, struct dns_wait *w)
{
    expect(w->ready_queue == NULL || w->ready_queue == &d->ready_queue);
    (void)d;
    dns_cache_leave(w);
}

void dns_note_winner(struct dns *d, struct slice name, sa_family_t family)
{
    dns_cache_prefer(d->shared, name, loop_ms(d->loop), family);
}
