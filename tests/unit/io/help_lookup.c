/* The worker and its look-ups. */
#include "help_lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"

struct resolver *resolver;
struct dns_shared *shared;
struct worker w;

void on_done(struct dns_wait *wait)
{
    struct ask *a = container_of(wait, struct ask, wait);
    a->calls++;
    a->took_ms = clock_us(CLOCK_MONOTONIC) / 1000 - a->began;
    a->thread = pthread_self();
}

void lookup_worker_start(struct worker *k, struct dns_shared *s)
{
    memset(k, 0, sizeof *k);
    must(loop_init(&k->loop, k));
    k->dns = dns_new(s, &k->loop, &k->stats, 2);
    must(k->dns != NULL);
}

void lookup_worker_stop(struct worker *k)
{
    dns_free(k->dns);
    loop_free(&k->loop);
}

void lookup_start(u32 timeout_ms, unsigned nservers, const struct addr *servers)
{
    struct dns_conf_io conf = { .nservers = nservers, .timeout_ms = timeout_ms };
    memcpy(conf.servers, servers, nservers * sizeof *servers);
    shared = dns_shared_new(&conf);
    must(shared != NULL);
    lookup_worker_start(&w, shared);
}

int lookup_set_up(void **state)
{
    (void)state;
    resolver = resolver_start();
    struct addr at = resolver_addr(resolver);
    lookup_start(700, 1, &at);
    return 0;
}

void lookup_stop(void)
{
    lookup_worker_stop(&w);
    dns_shared_free(shared);
}

int lookup_tear_down(void **state)
{
    (void)state;
    lookup_stop();
    resolver_stop(resolver);
    return 0;
}

u64 count(enum stat_id s)
{
    return atomic_load(&w.stats.value[s]);
}

bool begin(struct worker *k, struct ask *a, const char *name)
{
    *a = (struct ask){ .wait.done = on_done, .began = clock_us(CLOCK_MONOTONIC) / 1000 };
    clock_read(&k->loop.now);
    return dns_lookup(k->dns, slice_of(name), NULL, &a->wait);
}

void turn_until(struct worker *k, struct ask *a)
{
    u64 end = clock_us(CLOCK_MONOTONIC) / 1000 + 20000;
    while (a->calls == 0 && clock_us(CLOCK_MONOTONIC) / 1000 < end)
        loop_turn(&k->loop, 100);
    assert_int_equal(a->calls, 1);
}

void turn_for(struct worker *k, u64 ms)
{
    u64 end = clock_us(CLOCK_MONOTONIC) / 1000 + ms;
    while (clock_us(CLOCK_MONOTONIC) / 1000 < end)
        loop_turn(&k->loop, 5);
}

/* Addresses with blanks between, or the fault's token. */
const char *said(const struct dns_answer *d)
{
    static char area[1024];
    struct text t = text_in(area, sizeof area - 1);
    if (d->fault != FAULT_NONE) {
        assert_int_equal(d->n, 0);
        return fault_info(d->fault)->token;
    }
    assert_true(d->n > 0 && d->nv6 <= d->n);
    for (unsigned i = 0; i < d->n; i++) {
        assert_int_equal(d->addr[i].family, i < d->nv6 ? AF_INET6 : AF_INET);
        if (i)
            text_char(&t, ' ');
        addr_text(&t, &d->addr[i]);
    }
    area[t.n] = 0;
    return area;
}

const char *look_up_first(const char *name, struct ask *a)
{
    if (!begin(&w, a, name))
        turn_until(&w, a);
    return said(&a->wait.answer);
}

const char *look_up(const char *name, struct ask *a)
{
    u64 end = clock_us(CLOCK_MONOTONIC) / 1000 + 20000; /* like a caller in no hurry */
    look_up_first(name, a);
    while (a->wait.answer.open && clock_us(CLOCK_MONOTONIC) / 1000 < end) {
        loop_turn(&w.loop, 1);
        assert_true(dns_lookup(w.dns, slice_of(name), NULL, &a->wait));
    }
    return said(&a->wait.answer);
}

void rule(struct rule r)
{
    if (r.ttl == 0)
        r.ttl = 60;
    resolver_rule(resolver, &r);
}
