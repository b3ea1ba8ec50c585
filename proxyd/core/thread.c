/*
 * Lifetime: worker_new (control thread) → worker_start → the thread runs turns until it is
 * drained, its last client connection is gone and nobody can hand it another one → worker_join →
 * worker_free (control thread). Everything in struct worker but the two atomics belongs to the
 * thread in between.
 */
#include "core/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/must.h"
#include "core/adopt.h"
#include "core/conf.h"
#include "core/conn/dial.h"
#include "core/codec/internal.h"
#include "core/codec/leg.h"
#include "core/report/log.h"
#include "core/report/log_writer.h"
#include "core/conn/memory_wait.h"
#include "core/codec/server.h"
#include "core/conn/shared_idle.h"
#include "core/conn/target.h"
#include "core/exchange/tunnel.h"
#include "core/exchange/via.h"
#include "core/exchange/xchg.h"
#include "io/dns.h"

enum { LEAST_MEMORY = 1 << 20, SWEEP_MS = 5000, SHARED_IDLE_MS = 30000, DRAIN_CALLS = 2 };

/* What the thread needs beyond the core's struct. */
struct thread {
    struct worker worker; /* first */
    pthread_t id;
    struct drain_call {
        struct call call;
        u8 how;
    } drain[DRAIN_CALLS]; /* graceful, now: each is posted once */
    u64 buffers_counted;
};

static struct thread *thread_of(struct worker *w)
{
    return container_of(w, struct thread, worker);
}

static void on_sweep(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, sweep_timer);
    u64 now = worker_ms(w);
    u32 swept =
        shared_idle_sweep(w->engine->shared_idle, now > SHARED_IDLE_MS ? now - SHARED_IDLE_MS : 0);
    stat_sub(w->stats, STAT_upstream_idle, swept);
    timer_set(&w->loop.wheel, &w->sweep_timer, now + SWEEP_MS);
}

static void count_buffers(struct thread *t)
{
    struct worker *w = &t->worker;
    if (w->bufs.held == t->buffers_counted)
        return;
    stat_add(w->stats, STAT_buffer_bytes, w->bufs.held - t->buffers_counted);
    t->buffers_counted = w->bufs.held;
}

static void end_of_turn(struct loop *l)
{
    struct worker *w = l->context;
    if (w->log_pending) {
        log_writer_wake(w->engine->log_writer, w->log_urgent);
        w->log_pending = w->log_urgent = false;
    }
    count_buffers(thread_of(w));
    if (w->draining && list_empty(&w->client_conns) && list_empty(&w->requesters) && w->jobs == 0 &&
        atomic_load(&w->engine->closed) == w->engine->nworkers)
        l->stop = true;
}

/* Nobody leaves while another one may still hand a client over: that call would not run. */
static void close_door(struct worker *w)
{
    struct engine *e = w->engine;
    if (atomic_fetch_add(&e->closed, 1) + 1 < e->nworkers)
        return;
    for (u32 i = 0; i < e->nworkers; i++)
        loop_wake(&e->workers[i]->loop);
}

static void run_drain_call(struct call *l, void *receiver)
{
    struct worker *w = receiver;
    struct drain_call *d = container_of(l, struct drain_call, call);
    bool first = !w->draining;
    if (d->how > w->draining)
        w->draining = d->how;
    if (w->id == 0)
        log_error(w, LEVEL_INFO,
                  d->how == DRAIN_NOW ? "ending at once" : "draining: finishing what runs");
    w->engine->accepting.stop(w);
    idle_drain(w);
    client_drain(w);
    internal_drain(w);
    if (first)
        close_door(w);
}

void worker_drain(struct worker *w, enum drain_state how)
{
    struct drain_call *d = &thread_of(w)->drain[how - DRAIN_GRACEFUL];
    d->call.run = run_drain_call;
    d->how = (u8)how;
    loop_post(&w->loop, &d->call);
}

static void init_wheel(struct worker *w)
{
    void (**on)(struct timer *) = w->loop.wheel.on_expire;
    on[TIMER_CONN] = conn_expired;
    on[TIMER_DIAL] = dial_expired;
    on[TIMER_TUNNEL] = tunnel_expired;
    on[TIMER_MEMORY] = memory_wait_expired;
    on[TIMER_ACCEPT] = w->engine->accepting.resume;
    on[TIMER_SWEEP] = on_sweep;
    on[TIMER_XCHG] = xchg_expired;
    on[TIMER_ROLE] = role_timer_expired;
    timer_init(&w->memory_timer, TIMER_MEMORY);
    timer_init(&w->accept_timer, TIMER_ACCEPT);
    timer_init(&w->sweep_timer, TIMER_SWEEP);
}

static u64 memory_of(const struct worker *w)
{
    u64 part = w->snapshot->conf.limits.memory / w->engine->nworkers;
    return part < LEAST_MEMORY ? LEAST_MEMORY : part;
}

void thread_adopt_memory(struct worker *w, struct snapshot *old)
{
    (void)old;
    w->memory = memory_of(w);
    buf_allocator_resize(&w->bufs, w->memory > w->conns.held ? w->memory - w->conns.held : 0);
}

static void init_memory(struct worker *w)
{
    w->memory = memory_of(w);
    buf_allocator_init(&w->bufs, w->memory);
    slab_init(&w->conns, sizeof(struct conn));
    slab_init(&w->xchgs, sizeof(struct xchg));
    slab_init(&w->tunnels, tunnel_size());
    slab_init(&w->dials, dial_size());
    for (unsigned i = 0; i < TARGET_BUCKETS; i++)
        list_init(&w->targets[i]);
    list_init(&w->idle_conns);
    list_init(&w->client_conns);
    list_init(&w->requesters);
    for (unsigned i = 0; i < MEMORY_QUEUES; i++)
        list_init(&w->memory_waiters[i]);
    w->stats = aligned_alloc(CACHE_LINE, sizeof *w->stats);
    must(w->stats != NULL);
    memset(w->stats, 0, sizeof *w->stats);
    stats_register(w->stats);
}

static const struct codec *const codecs[] = { &codec_h1, NULL };

struct worker *worker_new(struct engine *e, u32 id)
{
    struct thread *t =
        aligned_alloc(CACHE_LINE, (sizeof *t + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    must(t != NULL);
    memset(t, 0, sizeof *t);
    struct worker *w = &t->worker;
    w->id = id;
    w->engine = e;
    w->intake = &xchg_intake;
    w->codecs = codecs;
    if (!loop_init(&w->loop, w))
        return NULL;
    w->loop.end_of_turn = end_of_turn;
    via_init(w);
    adopt_first(w);
    init_wheel(w);
    init_memory(w);
    if (getrandom(&w->exchange_serial, sizeof w->exchange_serial, 0) < 0)
        w->exchange_serial = clock_us(CLOCK_REALTIME);
    w->exchange_serial &= 0x00ffffffffffffffull;
    w->log = log_writer_ring(e->log_writer, id);
    w->dns = dns_new(e->dns, &w->loop, w->stats, TIMER_DNS);
    return w->dns ? w : NULL;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    char name[16];
    struct text t = text_in(name, sizeof name - 1);
    text_lit(&t, "worker-");
    text_u64(&t, w->id);
    name[t.n] = 0;
    pthread_setname_np(pthread_self(), name);
    clock_read(&w->loop.now);
    w->engine->accepting.start(w);
    if (w->id == 0)
        timer_set(&w->loop.wheel, &w->sweep_timer, worker_ms(w) + SWEEP_MS);
    loop_run(&w->loop);
    idle_drain(w);
    loop_turn(&w->loop, 0); /* frees what the last turn closed */
    atomic_store(&w->done, true);
    return NULL;
}

void worker_start(struct worker *w)
{
    must(pthread_create(&thread_of(w)->id, NULL, run, w) == 0);
}

void worker_join(struct worker *w)
{
    pthread_join(thread_of(w)->id, NULL);
}

void worker_free(struct worker *w)
{
    dns_free(w->dns);
    snapshot_let_go(w->engine, w->snapshot);
    target_free_all(w);
    loop_free(&w->loop);
    buf_allocator_destroy(&w->bufs);
    slab_destroy(&w->conns);
    slab_destroy(&w->xchgs);
    slab_destroy(&w->tunnels);
    slab_destroy(&w->dials);
    free(thread_of(w)); /* the counters stay: readers may still sum them */
}
