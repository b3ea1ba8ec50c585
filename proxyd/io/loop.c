#include "io/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/must.h"

enum { BATCH = 256, LONGEST_SLEEP_MS = 1000 };

static void on_wake(struct io *io)
{
    u64 n;
    (void)!read(io->fd, &n, sizeof n);
    io->ready = 0;
}

bool loop_init(struct loop *l, void *context)
{
    memset(l, 0, sizeof *l);
    l->context = context;
    l->queue_end = &l->queue;
    clock_read(&l->now);
    wheel_init(&l->wheel, loop_ms(l));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->wake_io = (struct io){ .fd = l->wake, .on_ready = on_wake };
    /* Not for EPOLLOUT: every read makes it writable anew, an edge and an idle turn per wake-up. */
    return l->epoll >= 0 && l->wake >= 0 && loop_add_level(l, &l->wake_io, IO_IN);
}

void loop_free(struct loop *l)
{
    close(l->epoll);
    close(l->wake);
}

static bool control(struct loop *l, int op, struct io *io, u32 events)
{
    struct epoll_event ev = { .events = events, .data.ptr = io };
    return epoll_ctl(l->epoll, op, io->fd, &ev) == 0;
}

bool loop_add(struct loop *l, struct io *io)
{
    return control(l, EPOLL_CTL_ADD, io, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

/* An error or a hang-up comes even to who wants nothing: then once, not all the time. */
static u32 level_events(u8 wanted)
{
    if (wanted == 0)
        return EPOLLET;
    return (wanted & IO_IN ? EPOLLIN : 0u) | (wanted & IO_OUT ? EPOLLOUT : 0u);
}

bool loop_add_level(struct loop *l, struct io *io, u8 wanted)
{
    io->level = 1;
    return control(l, EPOLL_CTL_ADD, io, level_events(wanted));
}

void loop_change_level(struct loop *l, struct io *io, u8 wanted)
{
    expect(io->level);
    control(l, EPOLL_CTL_MOD, io, level_events(wanted));
}

static void unqueue(struct loop *l, struct io *io)
{
    if (!(io->ready & IO_QUEUED))
        return;
    for (struct io **p = &l->queue; *p; p = &(*p)->next_ready)
        if (*p == io) {
            *p = io->next_ready;
            if (*p == NULL)
                l->queue_end = p;
            l->queued--;
            break;
        }
    io->ready &= (u8)~IO_QUEUED;
}

void loop_remove(struct loop *l, struct io *io)
{
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, NULL);
    unqueue(l, io);
}

void loop_close(struct loop *l, struct io *io)
{
    unqueue(l, io);
    if (io->fd < 0) /* a stream that ends in memory */
        return;
    close(io->fd);
    io->fd = -1;
    io->ready = 0;
}

void loop_again(struct loop *l, struct io *io)
{
    if (io->ready & IO_QUEUED)
        return;
    io->ready |= IO_QUEUED;
    io->next_ready = NULL;
    *l->queue_end = io;
    l->queue_end = &io->next_ready;
    l->queued++;
}

void loop_defer(struct loop *l, struct deferred *g, void (*run)(struct deferred *, void *))
{
    g->run = run;
    g->next = l->deferred;
    l->deferred = g;
}

void loop_wake(struct loop *l)
{
    u64 one = 1;
    (void)!write(l->wake, &one, sizeof one);
}

/* The box being non-empty before means somebody else's wake-up is on its way. The sleeper sets
 * `sleeping` and looks at the box once more before it sleeps, both sequentially consistent, so
 * either it sees the call or we see it sleeping. */
void loop_post(struct loop *l, struct call *call)
{
    if (call_post(&l->calls, call) && atomic_load(&l->sleeping))
        loop_wake(l);
}

static void run_calls(struct loop *l)
{
    struct call *m = call_take(&l->calls);
    while (m) {
        struct call *next = m->next;
        m->run(m, l->context);
        m = next;
    }
}

/* Runs as many as stand in the queue now; what is queued meanwhile waits for the next turn. */
static void run_queue(struct loop *l)
{
    for (u32 n = l->queued; n > 0 && l->queue; n--) {
        struct io *io = l->queue;
        l->queue = io->next_ready;
        if (l->queue == NULL)
            l->queue_end = &l->queue;
        l->queued--;
        io->ready &= (u8)~IO_QUEUED;
        io->on_ready(io);
    }
}

static void free_deferred(struct loop *l)
{
    while (l->deferred) {
        struct deferred *g = l->deferred;
        l->deferred = g->next;
        g->run(g, l->context);
    }
}

static u8 ready_bits(u32 events)
{
    u8 r = 0;
    if (events & EPOLLIN)
        r |= IO_IN;
    if (events & EPOLLOUT)
        r |= IO_OUT;
    if (unlikely(events & EPOLLPRI))
        r |= IO_URGENT | IO_IN;
    if (events & EPOLLRDHUP)
        r |= IO_HUP | IO_IN;
    if (events & (EPOLLERR | EPOLLHUP))
        r |= IO_ERROR | IO_IN | IO_OUT;
    return r;
}

static int sleep_for_events(struct loop *l, struct epoll_event *events, u32 most_ms)
{
    u32 ms = l->queue ? 0 : wheel_wait(&l->wheel, loop_ms(l), most_ms);
    if (ms) {
        atomic_store(&l->sleeping, true);
        if (atomic_load(&l->calls.top) != NULL)
            ms = 0;
    }
    int n = epoll_wait(l->epoll, events, BATCH, (int)ms);
    atomic_store_explicit(&l->sleeping, false, memory_order_relaxed);
    return n;
}

void loop_turn(struct loop *l, u32 most_ms)
{
    struct epoll_event events[BATCH];
    int n = sleep_for_events(l, events, most_ms);
    clock_read(&l->now);
    for (int i = 0; i < n; i++) {
        struct io *io = events[i].data.ptr;
        if (io->fd < 0) /* closed earlier in this batch; its memory lives until free_deferred */
            continue;
        io->ready |= ready_bits(events[i].events);
        io->on_ready(io);
    }
    run_calls(l);
    run_queue(l);
    wheel_run(&l->wheel, loop_ms(l));
    if (l->end_of_turn)
        l->end_of_turn(l);
    free_deferred(l);
}

void loop_run(struct loop *l)
{
    while (!l->stop)
        loop_turn(l, LONGEST_SLEEP_MS);
}
