/*
 * The tries of a question, each on a channel of c-ares (dns_channels.h).
 *
 * The hard thing is c-ares' freedom to call back from within any call: a try may end, and with it
 * the question and its owner, before ares_query returns. Nothing touches a question after it has
 * begun a try. c-ares cannot take one back either: a try whose question needs it no more stays
 * until c-ares ends it, and what it says is still a lesson about its server.
 */
#include "io/dns_ask.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/slab.h"
#include "io/dns.h"
#include "io/dns_channels.h"

enum { HEADER = 12 };

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
    struct list link; /* in question->tries */
    struct dns_questions *all;
    struct dns_question *q; /* NULL: nobody needs it any more */
    struct dns_channel *channel;
    sa_family_t family;
};

/* ---- the sets of channels ---- */

static struct dns_channels *new_channels(struct dns_questions *a)
{
    struct dns_channels *cs = dns_channels_new(&a->conf, a->loop);
    if (cs)
        list_push_front(&a->channels, &cs->link);
    return cs;
}

static void free_channels(struct dns_channels *cs)
{
    list_remove(&cs->link);
    dns_channels_free(cs);
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
        dns_channels_expire(cs);
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
static void learn(struct dns_questions *a, struct dns_question *q, const struct dns_channel *c)
{
    u8 bit = (u8)(1u << c->server);
    if (c->edns)
        dns_server_speaks_edns(dns_channel_server(c));
    else if (q && q->edns & bit &&
             dns_server_lacks_edns(dns_channel_server(c), q->rejected & bit, loop_ms(a->loop)))
        stat_add(a->stats, STAT_dns_edns_failures_total, 1);
}

static enum fault fault_of_status(const struct dns_channel *c, int status)
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
    struct dns_questions *a = t->all;
    struct dns_channel *c = t->channel;
    struct dns_question *q = t->q;
    struct dns_reply reply;
    (void)timeouts;
    if (bytes && n >= HEADER)
        dns_reply_read(t->family, bytes, (size_t)n, &reply);
    else
        reply = (struct dns_reply){ .fault = fault_of_status(c, status), .ttl = DNS_TTL_LEAST };
    list_remove(&t->link);
    slab_give(&a->tries, t);
    c->of->tries--;
    if (!dns_not_heard(reply.fault)) {
        learn(a, q, c);
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
    struct dns_channel *c = &q->channels->channel[server][edns];
    struct dns_questions *a = q->all;
    char dotted[DNS_NAME + 2];
    *(edns ? &q->edns : &q->plain) |= (u8)(1u << server);
    struct try *t = dns_channel_open(c) ? slab_take(&a->tries) : NULL;
    if (t == NULL) {
        try_failed(q, server, edns, FAULT_dns_failure);
        return;
    }
    memcpy(dotted, q->name.p, q->name.n);
    memcpy(dotted + q->name.n, ".", 2);
    *t = (struct try){ .all = a, .q = q, .channel = c, .family = q->family };
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
