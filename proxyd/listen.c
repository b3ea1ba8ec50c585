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
#include "core/conf.h"
#include "core/log.h"
#include "core/server.h"
#include "core/target.h"
#include "port_owner.h"
#include "privileged.h"

enum { BACKLOG = 4096, ACCEPTS_PER_WAKE = 32, PAUSE_MS = 20 };

struct socket {
    struct io io;
    struct worker *worker;
    const struct listener *listener;
};

struct sockets {
    u32 n;
    u32 candidate; /* rotates over the other workers */
    struct socket socket[];
};

static struct sock_listen how(const struct listener *l, bool reuse_port)
{
    return (struct sock_listen){ .addr = l->bound,
                                 .both_families = l->both_families,
                                 .reuse_port = reuse_port };
}

/* The kernel would let a second process of the same user join the group: bound once without
 * SO_REUSEPORT, the address proves to be free. */
static bool prove_free(const struct listener *l, struct text *error)
{
    struct sock_listen alone = how(l, false);
    if (privileged_may_listen(&alone))
        return true;
    port_owner_complain(&l->bound, l->text, errno, error);
    return false;
}

static void on_listen(struct io *io);

static bool open_for(struct engine *e, struct worker *w, struct text *error)
{
    struct sockets *s = must_zalloc(sizeof *s + e->nlisteners * sizeof s->socket[0]);
    w->accept = s;
    for (u32 i = 0; i < e->nlisteners; i++) {
        struct sock_listen group = how(&e->listeners[i], e->nworkers > 1);
        struct socket *k = &s->socket[s->n];
        *k = (struct socket){ .worker = w, .listener = &e->listeners[i] };
        k->io.fd = privileged_listen(&group, BACKLOG);
        k->io.on_ready = on_listen;
        if (k->io.fd < 0) {
            port_owner_complain(&e->listeners[i].bound, e->listeners[i].text, errno, error);
            return false;
        }
        s->n++;
    }
    return true;
}

bool listen_open(struct engine *e, struct text *error)
{
    for (u32 i = 0; i < e->nlisteners; i++)
        if (!prove_free(&e->listeners[i], error))
            return false;
    for (u32 i = 0; i < e->nworkers; i++)
        if (!open_for(e, e->workers[i], error))
            return false;
    return true;
}

void listen_start(struct worker *w)
{
    struct sockets *s = w->accept;
    for (u32 i = 0; i < s->n; i++)
        must(loop_add_level(&w->loop, &s->socket[i].io, IO_IN));
}

static void arm(struct worker *w, u8 wanted)
{
    struct sockets *s = w->accept;
    for (u32 i = 0; i < s->n; i++)
        loop_change_level(&w->loop, &s->socket[i].io, wanted);
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
    const struct listener *listener;
};

static void take_over(struct call *l, void *receiver)
{
    struct handed_over *h = container_of(l, struct handed_over, call);
    struct worker *w = receiver;
    if (w->loop.stop) /* drained while the call was on its way */
        client_reject(w, h->fd, FAULT_draining);
    else
        client_accept(w, h->listener, h->fd, &h->peer);
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

static void dispatch(struct worker *w, const struct listener *l, int fd, const struct addr *peer)
{
    struct worker *to = w->draining ? w : less_loaded(w);
    struct handed_over *h = to == w ? NULL : malloc(sizeof *h);
    if (h == NULL) { /* also for want of memory: it is served here as well */
        client_accept(w, l, fd, peer);
        return;
    }
    *h = (struct handed_over){ .call.run = take_over, .fd = fd, .peer = *peer, .listener = l };
    stat_add(w->stats, STAT_connections_handed_over_total, 1);
    loop_post(&to->loop, &h->call);
}

static bool full(const struct engine *e)
{
    return atomic_load_explicit(&e->clients, memory_order_relaxed) >= e->max_clients;
}

/* What is the trouble of one client only sock_accept has passed over. What rests in the pool gives
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
        dispatch(w, k->listener, fd, &peer);
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

void listen_stop(struct worker *w)
{
    struct sockets *s = w->accept;
    if (s == NULL)
        return;
    for (u32 i = 0; i < s->n; i++) {
        for (unsigned k = 0; k < BACKLOG && accept_one(&s->socket[i]); k++)
            ;
        loop_close(&w->loop, &s->socket[i].io);
    }
    free(s);
    w->accept = NULL;
}
