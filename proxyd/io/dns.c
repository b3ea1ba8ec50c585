/*
 * Flights: one name and its two questions (dns_ask.h), begun when it has a turn (dns_turn.h). A
 * flight ends when both are answered, but tells the cache earlier when the second family is late,
 * or when those who asked have waited long enough.
 *
 * The hard thing is that a question may be answered before it has been asked to the end, which may
 * end the flight and give its turn to the next. Answers are therefore only written to the cache;
 * who asked hears of it through the call queue of its worker, never from inside dns_lookup; and
 * flights that waited are begun by one loop (begin_waiting), however deep the call stack that set
 * it off is.
 */
#include "io/dns.h"

#include <ares.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/slab.h"
#include "io/dns_ask.h"
#include "io/dns_cache.h"
#include "io/dns_turn.h"

enum {
    MOST_FLIGHTS = DNS_TURNS + DNS_WAITING,
    RESOLUTION_DELAY_MS = 50, /* RFC 8305 section 3 */
    DEFAULT_TIMEOUT_MS = 2000
};

struct dns {
    struct dns_shared *shared;
    struct loop *loop;
    struct stats *stats;
    struct dns_questions *questions;
    struct dns_turns turns;
    struct list flights;
    u32 timeout_ms; /* after it who asked gets an answer in any case */
    u8 timer_kind;
    bool beginning; /* begin_waiting is under way */
    u32 nflights;   /* those that wait for their turn too */
    struct slab slab;
    struct dns_ready ready_queue;
};

/* One name being asked for, or waiting for its turn; lives until both questions are done. */
struct flight {
    struct list link;
    struct dns *dns;
    struct dns_entry *entry;
    struct dns_turn turn;
    bool queued;            /* it waits for its turn, and the entry knows */
    struct dns_timer timer; /* resolution delay or end of patience */
    struct dns_question v6, v4;
};

/* ---- what is shared ---- */

struct dns_shared *dns_shared_new(const struct dns_conf_io *conf)
{
    struct dns_conf_io full = *conf;
    if (full.timeout_ms == 0)
        full.timeout_ms = DEFAULT_TIMEOUT_MS;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    return dns_cache_of_conf(&full);
}

void dns_shared_free(struct dns_shared *s)
{
    if (s == NULL)
        return;
    dns_cache_free(s);
    ares_library_cleanup();
}

void dns_on_timer(struct timer *t)
{
    struct dns_timer *own = container_of(t, struct dns_timer, timer);
    own->fire(own);
}

/* ---- flights ---- */

static u32 lesser(u32 a, u32 b)
{
    return a < b ? a : b;
}

static enum fault fault_of(const struct dns_question *q)
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
    const struct dns_question *other = v6->n ? &f->v4 : &f->v6;
    if (dns_not_heard(fault_of(other)))
        news->ttl = lesser(news->ttl, DNS_PARTIAL_TTL);
}

static void begin_waiting(struct dns *d);

/* The end: whoever asked has an answer. */
static void land(struct flight *f)
{
    struct dns *d = f->dns;
    timer_clear(&d->loop->wheel, &f->timer.timer);
    dns_turn_end(&d->turns, &f->turn);
    list_remove(&f->link);
    slab_give(&d->slab, f);
    d->nflights--;
    begin_waiting(d);
}

/* Tells what is known; the end of the flight when nothing is outstanding any more. */
static void tell(struct flight *f)
{
    struct dns *d = f->dns;
    bool over = f->v6.done && f->v4.done;
    struct dns_news news;
    combine(f, &news);
    dns_cache_store(d->shared, f->entry, &news, loop_ms(d->loop), over);
    if (over)
        land(f);
}

static void give_up(struct flight *f, enum fault fault)
{
    struct dns_news news = { .fault = fault, .unasked = !f->turn.flying };
    dns_ask_end(&f->v6);
    dns_ask_end(&f->v4);
    if (f->queued)
        dns_cache_unqueue(f->entry);
    dns_cache_store(f->dns->shared, f->entry, &news, loop_ms(f->dns->loop), true);
    land(f);
}

/* One that never got its turn is over; the answer to another may still come, for the cache. */
static void on_patience_end(struct dns_timer *t)
{
    struct flight *f = container_of(t, struct flight, timer);
    if (f->turn.flying)
        tell(f);
    else
        give_up(f, FAULT_dns_timeout);
}

static void answered(struct flight *f, const struct dns_question *q)
{
    u64 delay = loop_ms(f->dns->loop) + RESOLUTION_DELAY_MS;
    bool both = f->v6.done && f->v4.done;
    if (both || (q == &f->v6 && q->reply.n))
        tell(f);
    else if (q->reply.n) /* IPv4: the other one gets a moment, RFC 8305 section 3 */
        timer_set(&f->dns->loop->wheel, &f->timer.timer, delay);
}

static void answered6(struct dns_question *q)
{
    answered(container_of(q, struct flight, v6), q);
}

static void answered4(struct dns_question *q)
{
    answered(container_of(q, struct flight, v4), q);
}

/* The flight may be over when this returns, but not before its second question is asked. */
static void ask_both(struct flight *f)
{
    struct dns_questions *all = f->dns->questions;
    struct dns_question *v4 = &f->v4;
    dns_ask(all, &f->v6);
    dns_ask(all, v4);
}

/* One that has waited. */
static void begin(struct flight *f)
{
    f->queued = false;
    if (dns_cache_begin(f->entry, loop_ms(f->dns->loop)))
        ask_both(f);
    else
        land(f);
}

static void begin_waiting(struct dns *d)
{
    struct dns_turn *turn;
    if (d->beginning)
        return;
    d->beginning = true;
    while ((turn = dns_turn_next(&d->turns)) != NULL)
        begin(container_of(turn, struct flight, turn));
    d->beginning = false;
}

static void cannot_ask(struct dns *d, struct dns_entry *e)
{
    struct dns_news news = { .fault = FAULT_dns_failure, .unasked = true };
    dns_cache_store(d->shared, e, &news, loop_ms(d->loop), true);
}

/* Where another flight waits for its turn already (`in_line`), only one that can go at once is of
 * use. NULL: none came about. */
static struct flight *new_flight(struct dns *d, struct slice name, const struct addr *client,
                                 bool in_line, enum dns_turn_when *when)
{
    struct flight *f = slab_take(&d->slab);
    *when = f ? dns_turn_take(&d->turns, &f->turn, name, client) : DNS_TURN_NEVER;
    if (*when == DNS_TURN_NOW || (*when == DNS_TURN_LATER && !in_line))
        return f;
    if (*when == DNS_TURN_LATER)
        dns_turn_end(&d->turns, &f->turn);
    if (f)
        slab_give(&d->slab, f);
    return NULL;
}

static void fly(struct dns *d, struct dns_entry *e, const struct addr *client, bool in_line)
{
    struct slice name = dns_entry_name(e);
    enum dns_turn_when when;
    struct flight *f = new_flight(d, name, client, in_line, &when);
    if (f == NULL) {
        if (in_line)
            dns_cache_leave_flight(e);
        else
            cannot_ask(d, e);
        begin_waiting(d); /* as after any turn that has ended */
        return;
    }
    f->dns = d;
    f->entry = e;
    f->v6 = (struct dns_question){ .name = name, .family = AF_INET6, .answered = answered6 };
    f->v4 = (struct dns_question){ .name = name, .family = AF_INET, .answered = answered4 };
    list_push_back(&d->flights, &f->link);
    d->nflights++;
    dns_timer_make(&f->timer, d->timer_kind, on_patience_end);
    timer_set(&d->loop->wheel, &f->timer.timer, loop_ms(d->loop) + d->timeout_ms);
    f->queued = when == DNS_TURN_LATER;
    if (!f->queued) {
        ask_both(f);
        return;
    }
    dns_cache_queue(e);
    stat_add(d->stats, STAT_dns_waits_total, 1);
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

struct dns *dns_new(struct dns_shared *s, struct loop *loop, struct stats *stats, u8 timer_kind)
{
    const struct dns_conf_io *conf = dns_cache_conf(s);
    struct dns_ask_conf ask = { .servers = dns_cache_servers(s),
                                .timeout_ms = conf->timeout_ms,
                                .edns = !conf->no_edns,
                                .make_room = conf->make_room,
                                .timer_kind = timer_kind };
    struct dns *d = must_zalloc(sizeof *d);
    d->shared = s;
    d->loop = loop;
    d->stats = stats;
    d->timer_kind = timer_kind;
    d->timeout_ms = conf->timeout_ms;
    loop->wheel.on_expire[timer_kind] = dns_on_timer;
    d->questions = dns_questions_new(&ask, loop, stats);
    dns_turns_init(&d->turns);
    list_init(&d->flights);
    slab_init(&d->slab, sizeof(struct flight));
    pthread_mutex_init(&d->ready_queue.lock, NULL);
    list_init(&d->ready_queue.ready);
    d->ready_queue.call.run = on_call;
    d->ready_queue.loop = loop;
    return d;
}

/* Who has asked on another worker gets a failure. */
void dns_free(struct dns *d)
{
    if (d == NULL)
        return;
    dns_cache_forget(d->shared, &d->ready_queue);
    d->beginning = true; /* none begins in the place of one that ends */
    while (!list_empty(&d->flights))
        give_up(container_of(d->flights.next, struct flight, link), FAULT_dns_failure);
    must(d->nflights == 0);
    dns_questions_free(d->questions);
    dns_turns_free(&d->turns);
    slab_destroy(&d->slab);
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

bool dns_lookup(struct dns *d, struct slice name, const struct addr *client, struct dns_wait *w)
{
    stat_add(d->stats, STAT_dns_lookups_total, 1);
    w->ready_queue = NULL;
    if (answered_here(d, name, w))
        return true;
    struct dns_entry *e;
    enum dns_found found = dns_cache_find(d->shared, name, loop_ms(d->loop),
                                          d->nflights < MOST_FLIGHTS, &d->ready_queue, w, &e);
    if (found == DNS_FOUND_ASK || found == DNS_PARKED_ASK || found == DNS_PARKED_TRY)
        fly(d, e, client, found == DNS_PARKED_TRY);
    if (found == DNS_PARKED || found == DNS_PARKED_ASK || found == DNS_PARKED_TRY)
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
