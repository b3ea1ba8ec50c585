/*
 * A worker with a resolver on a loop of its own, and look-ups that can be waited for; around each
 * test a scripted resolver, a shared part and one worker `w` (lookup_set_up, lookup_tear_down).
 */
#ifndef TESTS_HELP_LOOKUP_H
#define TESTS_HELP_LOOKUP_H

#include <pthread.h>

#include "help_resolver.h"
#include "io/dns.h"

struct worker {
    struct loop loop;
    struct stats stats;
    struct dns *dns;
};

/* One look-up and what came of it. */
struct ask {
    struct dns_wait wait;
    unsigned calls;
    u64 began, took_ms;
    pthread_t thread; /* on which the answer came */
};

extern struct resolver *resolver;
extern struct dns_shared *shared;
extern struct worker w;

int lookup_set_up(void **state);
int lookup_tear_down(void **state);
/* Replace the shared part and w. */
void lookup_stop(void);
void lookup_start(u32 timeout_ms, unsigned nservers, const struct addr *servers);

void lookup_worker_start(struct worker *k, struct dns_shared *s);
void lookup_worker_stop(struct worker *k);
void on_done(struct dns_wait *wait);
/* True: answered at once. */
bool begin(struct worker *k, struct ask *a, const char *name);
void turn_until(struct worker *k, struct ask *a);
void turn_for(struct worker *k, u64 ms);
/* Addresses with blanks between, or the fault's token. */
const char *said(const struct dns_answer *d);
/* begin on w, turn_until, said. */
const char *look_up_first(const char *name, struct ask *a);
/* The same, but half an answer is waited for to become whole, for 45 ms. */
const char *look_up(const char *name, struct ask *a);
/* A rule of the resolver; TTL 60 where it says none. */
void rule(struct rule r);
u64 count(enum stat_id s);

#endif
