/*
 * Every worker has a socket of its own for every address (SO_REUSEPORT), so accepting is never
 * contended; the kernel's hash is blind to load, so a worker that is clearly busier than another
 * one hands the new connection over. When descriptors or places run out, or accepting fails for any
 * other cause, it pauses: the sockets are disarmed, clients wait in the kernel's queue, a timer
 * tries again. Nothing spins.
 */
#include "listen.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "core/adopt.h"
#include "core/report/log.h"
#include "core/codec/reject.h"
#include "core/codec/server.h"
#include "core/conn/target.h"
#include "port_owner.h"
#include "privileged.h"

enum { BACKLOG = 4096, ACCEPTS_PER_WAKE = 32, PAUSE_MS = 20 };

struct socket {
    struct io io;
    struct worker *worker;
    const struct listen_addr *at;
    struct socket *next;
    bool closing; /* what it still accepts is served by this worker */
};

struct sockets {
    struct socket *first;
    u32 candidate; /* rotates over the other workers */
};

/* In one group for all workers, even if there is only one: so an address can be opened while a
 * wider one, which a new configuration gives up, is still there. */
static struct sock_listen how(const struct listen_addr *at, bool reuse_port)
{
    return (struct sock_listen){ .addr = at->addr,
                                 .both_families = at->both_families,
                                 .transparent = at->transparent,
                                 .reuse_port = reuse_port };
}

static void complain(const struct listener *l, int why, struct text *error)
{
    if (l->at->transparent && why == EPERM)
        text_fmt(error,
                 "cannot listen on %.*s with `divert tproxy`: that needs the capability "
                 "CAP_NET_RAW (or CAP_NET_ADMIN); with systemd: AmbientCapabilities=CAP_NET_RAW",
                 SLICE_FMT(l->text));
    else
        port_owner_complain(&l->at->addr, l->text, why, error);
}

/* The kernel would let a second process of the same user join the group: bound once without
 * SO_REUSEPORT, the address proves to be free. Where this process has the port already there is
 * nothing to prove. */
static bool prove_free(const struct listener *l, const struct snapshot *old, struct text *error)
{
    struct sock_listen alone = how(l->at, false);
    for (u32 i = 0; old && i < old->nlisteners; i++)
        if (old->listeners[i].at->addr.port == l->at->addr.port)
            return true;
    if (privileged_may_listen(&alone))
        return true;
    complain(l, errno, error);
    return false;
}

static void on_listen(struct io *io);

/* In front of the worker's others. */
static bool open_for(struct worker *w, const struct listener *l, void **opened, struct text *error)
{
    struct sock_listen group = how(l->at, true);
    struct socket *k = must_zalloc(sizeof *k);
    *k = (struct socket){ .worker = w, .at = l->at, .next = *opened };
    k->io.on_ready = on_listen;
    k->io.fd = privileged_listen(&group, BACKLOG);
    if (k->io.fd >= 0) {
        *opened = k;
        return true;
    }
    complain(l, errno, error);
    free(k);
    return false;
}

static void discard(struct socket *k)
{
    while (k) {
        struct socket *next = k->next;
        close(k->io.fd);
        free(k);
        k = next;
    }
}

static bool is_new(const struct listener *l, const struct snapshot *old)
{
    return old == NULL || snapshot_listener(old, l->at) == NULL;
}

bool listen_open(struct engine *e, const struct snapshot *s, const struct snapshot *old,
                 void **opened, struct text *error)
{
    bool good = true;
    for (u32 i = 0; i < s->nlisteners && good; i++)
        good = !is_new(&s->listeners[i], old) || prove_free(&s->listeners[i], old, error);
    for (u32 w = 0; w < e->nworkers; w++)
        for (u32 i = 0; i < s->nlisteners && good; i++)
            if (is_new(&s->listeners[i], old))
                good = open_for(e->workers[w], &s->listeners[i], &opened[w], error);
    for (u32 w = 0; w < e->nworkers && !good; w++) {
        discard(opened[w]);
        opened[w] = NULL;
    }
    return good;
}

/* Without a watch for it in the kernel it is not there; the others serve on. */
static void start(struct worker *w, struct socket *k)
{
    struct sockets *s = w->accept;
    if (!loop_add_level(&w->loop, &k->io, w->accept_paused ? 0 : IO_IN)) {
        log_error(w, LEVEL_ERROR, "cannot watch a listening socket: %s", strerror(errno));
        close(k->io.fd);
        free(k);
        return;
    }
    k->next = s->first;
    s->first = k;
}

static void start_all(struct worker *w, struct socket *k)
{
    while (k) {
        struct socket *next = k->next;
        start(w, k);
        k = next;
    }
}

void listen_prepare(struct worker *w, void *opened)
{
    struct sockets *s = must_zalloc(sizeof *s);
    s->first = opened; /* not watched yet: listen_start */
    w->accept = s;
}

void listen_start(struct worker *w)
{
    struct sockets *s = w->accept;
    struct socket *all = s->first;
    s->first = NULL;
    start_all(w, all);
}

static void arm(struct worker *w, u8 wanted)
{
    struct sockets *s = w->accept;
    for (struct socket *k = s->first; k; k = k->next)
        loop_change_level(&w->loop, &k->io, wanted);
}

static void pause_accepting(struct worker *w)
{
    if (w->accept_paused || w->draining)
        return;
    w->accept_paused = true;
    stat_add(w->stats, STAT_accept_paused_total, 1);
    arm(w, 0);
    timer_set(&w->loop.wheel, &w->accept_timer, worker_ms(w) + PAUSE_MS);
}

void listen_resume(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, accept_timer);
    if (w->draining)
        return;
    w->accept_paused = false;
    arm(w, IO_IN);
}

struct handed_over {
    struct call call;
    int fd;
    struct addr peer;
    const struct listen_addr *at;
};

/* A worker that has adopted a newer configuration may send a client from an address that it names
 * first. */
static bool is_known(struct worker *w, const struct listen_addr *at)
{
    if (unlikely(snapshot_listener(w->snapshot, at) == NULL))
        adopt_newest(w);
    return snapshot_listener(w->snapshot, at) != NULL;
}

static void take_over(struct call *l, void *receiver)
{
    struct handed_over *h = container_of(l, struct handed_over, call);
    struct worker *w = receiver;
    if (w->loop.stop ||
        !is_known(w, h->at)) /* drained, or given up, while the call was on its way */
        client_reject(w, h->fd, FAULT_draining);
    else
        client_accept(w, h->at, h->fd, &h->peer);
    free(h);
}

/* The less loaded of two rotating candidates, if this worker is clearly busier: two relaxed loads
 * when all is balanced. */
static struct worker *less_loaded(struct worker *w)
{
    struct engine *e = w->engine;
    struct sockets *s = w->accept;
    struct worker *best = w;
    u32 mine = atomic_load_explicit(&w->open, memory_order_relaxed), least = mine;
    for (unsigned i = 0; i < 2 && e->nworkers > 1; i++) {
        struct worker *c = e->workers[s->candidate++ % e->nworkers];
        u32 open = atomic_load_explicit(&c->open, memory_order_relaxed);
        if (c != w && open < least && mine > open + open / 4 + 16) {
            best = c;
            least = open;
        }
    }
    return best;
}

static void dispatch(struct socket *k, int fd, const struct addr *peer)
{
    struct worker *w = k->worker;
    struct worker *to = w->draining || k->closing ? w : less_loaded(w);
    struct handed_over *h = to == w ? NULL : malloc(sizeof *h);
    if (h == NULL) { /* also for want of memory: it is served here as well */
        client_accept(w, k->at, fd, peer);
        return;
    }
    *h = (struct handed_over){ .call.run = take_over, .fd = fd, .peer = *peer, .at = k->at };
    stat_add(w->stats, STAT_connections_handed_over_total, 1);
    loop_post(&to->loop, &h->call);
}

static bool full(const struct engine *e)
{
    return atomic_load_explicit(&e->clients, memory_order_relaxed) >= e->max_clients;
}

/* Trouble of one client alone sock_accept has passed over. An idle connection to an origin gives
 * way to a client for whom something is missing. */
static void cannot_accept(struct worker *w, int error)
{
    if (log_limited(w, LIMITED_DESCRIPTORS))
        log_error(w, LEVEL_ERROR, "cannot accept clients for now: %s", strerror(error));
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
        idle_evict_spare(w);
    pause_accepting(w);
}

/* False: nothing more to accept now. */
static bool accept_one(struct socket *k)
{
    struct worker *w = k->worker;
    struct addr peer;
    if (full(w->engine)) {
        if (log_limited(w, LIMITED_CLIENTS))
            log_error(w, LEVEL_WARNING, "limits clients %u is reached: new clients wait",
                      w->engine->max_clients);
        pause_accepting(w);
        return false;
    }
    int fd = sock_accept(k->io.fd, &peer);
    if (fd >= 0) {
        dispatch(k, fd, &peer);
        return true;
    }
    if (errno != EAGAIN)
        cannot_accept(w, errno);
    return false;
}

static void on_listen(struct io *io)
{
    struct socket *k = container_of(io, struct socket, io);
    if (k->worker->accept_paused) /* an error comes unasked for */
        return;
    for (unsigned i = 0; i < ACCEPTS_PER_WAKE && accept_one(k); i++)
        ;
}

/* Accepts what waits in its queue, which closing would reset. */
static void end(struct socket *k)
{
    k->closing = true;
    for (unsigned i = 0; i < BACKLOG && accept_one(k); i++)
        ;
    loop_close(&k->worker->loop, &k->io);
    free(k);
}

static void give_up(struct sockets *s, const struct snapshot *next)
{
    for (struct socket **at = &s->first; *at;) {
        struct socket *k = *at;
        if (snapshot_listener(next, k->at)) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        end(k);
    }
}

void listen_change(struct worker *w, const struct snapshot *next, void *opened)
{
    if (w->accept == NULL) { /* it drains */
        discard(opened);
        return;
    }
    give_up(w->accept, next);
    start_all(w, opened);
}

void listen_stop(struct worker *w)
{
    struct sockets *s = w->accept;
    if (s == NULL)
        return;
    while (s->first) {
        struct socket *k = s->first;
        s->first = k->next;
        end(k);
    }
    free(s);
    w->accept = NULL;
}
