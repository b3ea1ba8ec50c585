/* See connection_ends.h. */
#include "connection_ends.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/must.h"
#include "connection_stand.h"
#include "core/conn/memory_wait.h"
#include "core/codec/server.h"
#include "core/conn/target.h"
#include "http_fuzz.h"

enum { MOST_TURNS = 4000 };

static u64 accepted; /* connections of the engine to the doors, in all runs */

static u64 ahead_us; /* what pass_time has added to the monotonic clock */

int clock_gettime(clockid_t id, struct timespec *ts)
{
    long r = syscall(SYS_clock_gettime, id, ts);
    if (id == CLOCK_MONOTONIC) {
        u64 ns = (u64)ts->tv_nsec + ahead_us % 1000000 * 1000;
        ts->tv_sec += (time_t)(ahead_us / 1000000 + ns / 1000000000);
        ts->tv_nsec = (long)(ns % 1000000000);
    }
    return (int)r;
}

static bool loop_has_news(void)
{
    struct pollfd p = { .fd = stand.worker->loop.epoll, .events = POLLIN };
    return stand.worker->loop.queue != NULL || poll(&p, 1, 0) > 0;
}

void turn(void)
{
    loop_turn(&stand.worker->loop, 0);
}

void settle(void)
{
    for (unsigned n = 0; n == 0 || loop_has_news(); n++) {
        must(n < MOST_TURNS);
        turn();
    }
}

static void small_buffer(int fd, int which, unsigned bits)
{
    static const int sizes[] = { 0, 2048, 8192, 65536 };
    int size = sizes[bits & 3];
    if (size)
        setsockopt(fd, SOL_SOCKET, which, &size, sizeof size);
}

/* What is sent is there at once: no small piece waits for the one before to be acknowledged. */
static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void wire_begin(struct wire *w)
{
    if (w->sent == NULL) {
        w->sent = must_alloc(WIRE_BYTES);
        w->got = must_alloc(WIRE_BYTES);
    }
    w->nsent = w->ngot = 0;
    w->got_end = w->sent_end = END_OPEN;
    w->tunnel = w->overflow = false;
}

/* Whoever closes first keeps the port for a minute: many addresses have ports for all runs. */
static int connect_client(u8 buffers)
{
    static u32 serial;
    for (unsigned i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in from = stand_at((u8)(10 + serial++ % CLIENT_ADDRESSES), 0);
        must(fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
        small_buffer(fd, SO_RCVBUF, buffers);
        if (connect(fd, (struct sockaddr *)&stand.client_door_at, sizeof stand.client_door_at) ==
            0) {
            fcntl(fd, F_SETFL, O_NONBLOCK);
            return fd;
        }
        close(fd);
    }
    perror("connect");
    abort();
}

/* The other end of that client, and none that an interrupted connect has left in the queue. */
static int accept_client(int client, struct addr *peer)
{
    struct sockaddr_in here;
    socklen_t n = sizeof here;
    must(getsockname(client, (struct sockaddr *)&here, &n) == 0);
    for (unsigned i = 0; i < 10000; i++) {
        int fd = sock_accept(stand.client_door, peer);
        if (fd >= 0 && peer->port == ntohs(here.sin_port))
            return fd;
        if (fd >= 0)
            close(fd);
        else
            usleep(10);
    }
    perror("accept");
    abort();
}

void open_client(struct end *e, struct wire *w, u8 buffers)
{
    struct addr peer;
    e->fd = connect_client(buffers);
    no_delay(e->fd);
    e->wire = w;
    int fd = accept_client(e->fd, &peer);
    small_buffer(fd, SO_SNDBUF, buffers >> 2);
    wire_begin(w);
    client_accept(stand.worker, stand.snapshot->listeners[0].at, fd, &peer);
}

bool open_origin(struct end *e, struct wire *w, u8 buffers)
{
    for (unsigned i = 0; i < DOORS; i++) {
        e->fd = accept4(stand.door[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (e->fd < 0)
            continue;
        e->wire = w;
        small_buffer(e->fd, SO_SNDBUF, buffers >> 4);
        no_delay(e->fd);
        wire_begin(w);
        w->tunnel = i == DOOR_TUNNELS;
        accepted++;
        return true;
    }
    return false;
}

void receive(struct end *e, size_t most)
{
    while (e->fd >= 0 && most > 0 && e->wire->got_end == END_OPEN) {
        char area[16384];
        ssize_t n = recv(e->fd, area, most < sizeof area ? most : sizeof area, 0);
        if (n == 0)
            e->wire->got_end = END_ORDERLY;
        else if (n < 0 && errno != EAGAIN)
            e->wire->got_end = END_RESET;
        if (n <= 0)
            return;
        if (WIRE_BYTES - e->wire->ngot < (size_t)n) {
            e->wire->overflow = true;
            return;
        }
        memcpy(e->wire->got + e->wire->ngot, area, (size_t)n);
        e->wire->ngot += (u32)n;
        most -= (size_t)n;
    }
}

void say(struct end *e, struct slice *left, size_t n)
{
    if (n > left->n)
        n = left->n;
    if (e->fd < 0 || e->wire->sent_end != END_OPEN || n == 0)
        return;
    ssize_t sent = send(e->fd, left->p, n, MSG_NOSIGNAL);
    if (sent <= 0)
        return;
    must(e->wire->nsent + (size_t)sent <= WIRE_BYTES);
    memcpy(e->wire->sent + e->wire->nsent, left->p, (size_t)sent);
    e->wire->nsent += (u32)sent;
    *left = slice_skip(*left, (size_t)sent);
}

void half_close(struct end *e)
{
    if (e->fd < 0 || e->wire->sent_end != END_OPEN)
        return;
    shutdown(e->fd, SHUT_WR);
    e->wire->sent_end = END_ORDERLY;
}

/* What the other side has sent and nobody has read would make a reset of any close. */
void close_end(struct end *e, bool reset)
{
    if (e->fd < 0)
        return;
    receive(e, SIZE_MAX);
    if (reset)
        sock_abort(e->fd);
    if (e->wire->sent_end == END_OPEN)
        e->wire->sent_end = reset ? END_RESET : END_ORDERLY;
    close(e->fd);
    e->fd = -1;
}

void pass_time(u32 ms)
{
    ahead_us += (u64)ms * 1000;
    turn();
}

const char *left_over(void)
{
    struct worker *w = stand.worker;
    struct {
        const char *what;
        u64 n;
    } const counts[] = {
        { "connections", w->conns.live },
        { "exchanges", w->xchgs.live },
        { "tunnels", w->tunnels.live },
        { "dials", w->dials.live },
        { "buffers", w->bufs.in_use },
        { "open", atomic_load(&w->open) },
        { "clients", atomic_load(&stand.engine.clients) },
        { "pipes", atomic_load(&stand.engine.pipes) },
        { "connections_open", stat_sum(STAT_connections_open) },
        { "requests_in_flight", stat_sum(STAT_requests_in_flight) },
        { "tunnels_open", stat_sum(STAT_tunnels_open) },
        { "upstream_idle", stat_sum(STAT_upstream_idle) },
        { "memory_waited", memory_awaited(w) },
        { "client", !list_empty(&w->client_conns) },
        { "idle", !list_empty(&w->idle_conns) },
    };
    for (unsigned i = 0; i < countof(counts); i++)
        if (counts[i].n)
            return counts[i].what;
    for (unsigned i = 0; i < TARGET_BUCKETS; i++)
        if (!list_empty(&w->targets[i]))
            return "targets";
    return NULL;
}

void sweep_doors(void)
{
    u64 made =
        stat_sum(STAT_upstream_connects_total) - stat_sum(STAT_upstream_connect_failures_total);
    for (unsigned patience = 0; patience < 100; patience++) {
        int fd;
        for (unsigned i = 0; i < DOORS; i++)
            while ((fd = accept4(stand.door[i], NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                sock_abort(fd);
                close(fd);
                accepted++;
            }
        if (accepted >= made)
            break;
        usleep(200);
    }
    accepted = made;
}
