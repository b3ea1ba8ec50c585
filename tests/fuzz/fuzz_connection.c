/*
 * The whole engine between a scripted client and a scripted origin: real sockets on loopback, one
 * worker whose loop is turned here by hand, the forward role with a compiled policy. The input is
 *
 *     SETTINGS ACTIONS 0xff CLIENT 0xff ORIGIN
 *
 * five bytes of settings, one byte per action (enum action below), then what the clients say and
 * what the origins say; 0xfe cuts both into pieces that an action sends. When the actions are done,
 * both say the rest in turns, everything is closed, time passes, and then nothing may be left: no
 * connection, exchange, tunnel, dial, buffer or counter. What went over the sockets is judged by
 * connection_check.h.
 *
 * Requests for hosts beginning with 'x' go to a port where nobody listens, with 'y' to a second
 * origin, CONNECT to a third; no name is ever looked up. The monotonic clock is ours: time passes
 * when an action says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/must.h"
#include "connection_check.h"
#include "connection_stand.h"
#include "core/memory_wait.h"
#include "core/server.h"
#include "core/client_count.h"
#include "core/target.h"
#include "core/thread.h"
#include "http_fuzz.h"

enum {
    CLIENTS = 4,
    ORIGINS = 24,

    MOST_ACTIONS = 200,
    MOST_TURNS = 4000,
    CLIENT_ADDRESSES = 200
};
enum { SETTING_HEAD, SETTING_MEMORY, SETTING_SOCKETS, SETTING_BODY, SETTING_MODE, SETTINGS };
enum { MODE_LAZY = 1, MODE_NO_READ = 2, MODE_RESET = 4, MODE_ORIGIN_LAST = 8, MODE_NO_REST = 16 };

/* ---- the clock ---- */

static u64 ahead_us; /* what actions have added to the monotonic clock */

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

/* ---- one run ---- */

struct end {
    int fd;
    struct wire *wire;
};

static struct run {
    const u8 *settings;
    struct slice text[2]; /* what is left to say: clients, origins */
    struct end client[CLIENTS], origin[ORIGINS];
    u32 nclients, norigins, now_client, now_origin;
    u8 mode;
} run;
static struct wire client_wire[CLIENTS], origin_wire[ORIGINS];
static u64 accepted;  /* connections of the engine to the doors, in all runs */
static char name[32]; /* of proxyd in Via, another one for each run */

static bool loop_has_news(void)
{
    struct pollfd p = { .fd = stand.worker->loop.epoll, .events = POLLIN };
    return stand.worker->loop.queue != NULL || poll(&p, 1, 0) > 0;
}

static void turn(void)
{
    loop_turn(&stand.worker->loop, 0);
}

/* Until the engine has nothing to do; it always comes to that, for nobody feeds it meanwhile. */
static void settle(void)
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
static int connect_client(void)
{
    static u32 serial;
    for (unsigned i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in from = stand_at((u8)(10 + serial++ % CLIENT_ADDRESSES), 0);
        must(fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
        small_buffer(fd, SO_RCVBUF, run.settings[SETTING_SOCKETS]);
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

static void begin_client(void)
{
    if (run.nclients == CLIENTS)
        return;
    struct end *e = &run.client[run.nclients];
    struct addr peer;
    e->fd = connect_client();
    int fd = accept_client(e->fd, &peer);
    small_buffer(fd, SO_SNDBUF, run.settings[SETTING_SOCKETS] >> 2);
    e->wire = &client_wire[run.nclients];
    wire_begin(e->wire);
    run.now_client = run.nclients++;
    client_accept(stand.worker, stand.snapshot->listeners[0].at, fd, &peer);
}

static void accept_origins(void)
{
    for (unsigned i = 0; i < DOORS; i++) {
        int fd;
        while (run.norigins < ORIGINS &&
               (fd = accept4(stand.door[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
            struct end *e = &run.origin[run.norigins];
            small_buffer(fd, SO_SNDBUF, run.settings[SETTING_SOCKETS] >> 4);
            e->fd = fd;
            e->wire = &origin_wire[run.norigins];
            wire_begin(e->wire);
            e->wire->tunnel = i == DOOR_TUNNELS;
            accepted++;
            run.now_origin = run.norigins++;
        }
    }
}

static void receive(struct end *e, size_t most)
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

static void receive_all(void)
{
    for (u32 i = 0; i < run.nclients; i++)
        receive(&run.client[i], SIZE_MAX);
    for (u32 i = 0; i < run.norigins; i++)
        receive(&run.origin[i], SIZE_MAX);
}

/* The first n bytes of what is left, as many as the socket takes. */
static void say(struct end *e, struct slice *left, size_t n)
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

static void say_piece(struct end *e, struct slice *left)
{
    const char *cut = left->n ? memchr(left->p, 0xfe, left->n) : NULL;
    if (cut == NULL) {
        say(e, left, left->n);
        return;
    }
    say(e, left, (size_t)(cut - left->p));
    if (left->n && left->p == cut)
        *left = slice_skip(*left, 1);
}

static void half_close(struct end *e)
{
    if (e->fd < 0 || e->wire->sent_end != END_OPEN)
        return;
    shutdown(e->fd, SHUT_WR);
    e->wire->sent_end = END_ORDERLY;
}

/* What the other side has said and nobody has read would make a reset of any close. */
static void close_end(struct end *e, bool reset)
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

static void pass_time(u32 ms)
{
    ahead_us += (u64)ms * 1000;
    turn();
}

/* ---- actions ---- */

static const u32 sizes[16] = { 1,   2,   3,    4,    7,    16,   33,    64,
                               128, 500, 1000, 4000, 4096, 9000, 20000, 1 << 20 };
static const u32 times[16] = { 1,    4,    10,   12,    50,    200,   300,   900,
                               1100, 3000, 6000, 11000, 21000, 31000, 61000, 120000 };

static struct end *client(void)
{
    return &run.client[run.now_client];
}

static struct end *origin(void)
{
    static struct wire nothing;
    static struct end nobody = { -1, &nothing };
    return run.norigins ? &run.origin[run.now_origin] : &nobody;
}

static void drain_engine(enum drain_state how)
{
    if (how > stand.worker->draining)
        stand.worker->draining = (u8)how;
    idle_drain(stand.worker);
    client_drain(stand.worker);
}

static void act_on_client(u8 arg)
{
    switch (arg) {
    case 0: half_close(client()); break;
    case 1: close_end(client(), false); break;
    case 2: close_end(client(), true); break;
    case 3: run.now_client = (run.now_client + 1) % run.nclients; break;
    case 4: drain_engine(DRAIN_GRACEFUL); break;
    case 5: drain_engine(DRAIN_NOW); break;
    default: begin_client(); break;
    }
}

static void act_on_origin(u8 arg)
{
    switch (arg) {
    case 0: half_close(origin()); break;
    case 1: close_end(origin(), false); break;
    case 2: close_end(origin(), true); break;
    default: run.now_origin = run.norigins ? arg % run.norigins : 0; break;
    }
}

static void act(u8 action)
{
    u8 arg = action >> 4;
    switch (action & 15) {
    case 0: say_piece(client(), &run.text[0]); break;
    case 1: say(client(), &run.text[0], sizes[arg]); break;
    case 2: say_piece(origin(), &run.text[1]); break;
    case 3: say(origin(), &run.text[1], sizes[arg]); break;
    case 4: act_on_client(arg); break;
    case 5: act_on_origin(arg); break;
    case 6: pass_time(times[arg]); break;
    case 7: receive(client(), sizes[arg]); break;
    case 8: receive(origin(), sizes[arg]); break;
    case 9: run.mode ^= arg & (MODE_LAZY | MODE_NO_READ); break;
    case 10: settle(); break;
    case 11: turn(); break;
    case 12: /* the common round: a request and its answer */
        say_piece(client(), &run.text[0]);
        settle();
        accept_origins();
        say_piece(origin(), &run.text[1]);
        break;
    default: break;
    }
    if (run.mode & MODE_LAZY)
        turn();
    else
        settle();
    accept_origins();
    if (!(run.mode & MODE_NO_READ))
        receive_all();
}

static void say_the_rest(void)
{
    size_t before;
    do {
        before = run.text[0].n + run.text[1].n;
        say_piece(client(), &run.text[0]);
        settle();
        accept_origins();
        say_piece(origin(), &run.text[1]);
        settle();
        receive_all();
    } while (run.text[0].n + run.text[1].n < before);
}

/* Whom the engine has left already gets a reset: it would keep its port for a minute. */
static void close_all(struct end *e, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        receive(&e[i], SIZE_MAX);
        close_end(&e[i], (run.mode & MODE_RESET) || e[i].wire->got_end != END_OPEN);
    }
    settle();
    accept_origins();
}

/* ---- nothing may be left ---- */

static const char *left_over(void)
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
        { "starved", memory_awaited(w) },
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

static void check_nothing_left(void)
{
    static const u32 passing[] = { 20, 2000, 6000, 21000, 31000, 61000, 101000, 20, 20, 20 };
    const char *what = left_over();
    for (unsigned i = 0; what && i < 60; i++) {
        pass_time(passing[i % countof(passing)]);
        settle();
        accept_origins();
        close_all(run.origin, run.norigins);
        what = left_over();
        if (i > 20 && what) /* the kernel may be late */
            usleep(1000);
    }
    if (what) {
        fprintf(stderr, "%s are left\n", what);
        abort();
    }
    for (u8 i = 10; i < 10 + CLIENT_ADDRESSES; i++) {
        struct addr peer = { .family = AF_INET, .ip = { 127, 0, 77, i } };
        must(client_count_enter(stand.engine.client_count, &peer, 1) == FAULT_NONE);
        client_count_leave(stand.engine.client_count, &peer);
    }
}

/* ---- the input ---- */

/* Takes what stands in the queues still, or comes late: the next run must not find it there. */
static void sweep_doors(void)
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

static void begin(const u8 *settings, struct slice said, struct slice answered)
{
    static const u32 heads[] = { 128 << 10, 4096, 1024, 32 << 10 };
    static const u64 memory[] = { 32 << 20,  2 << 20,  1 << 20,  256 << 10,
                                  128 << 10, 64 << 10, 40 << 10, 24 << 10 };
    static const u64 bodies[] = { UINT64_MAX, 1000, 10 };
    struct limits_conf *l = &stand.snapshot->conf.limits;
    l->head = heads[settings[SETTING_HEAD] & 3];
    l->line = l->head / 2;
    l->fields = settings[SETTING_HEAD] & 4 ? 12 : 200;
    l->body = bodies[settings[SETTING_BODY] % countof(bodies)];
    buf_allocator_resize(&stand.worker->bufs, memory[settings[SETTING_MEMORY] % countof(memory)]);
    run = (struct run){ .settings = settings,
                        .text = { said, answered },
                        .mode = settings[SETTING_MODE] };
    static u32 serial;
    snprintf(name, sizeof name, "proxyd-fuzz-%u", ++serial);
    stand.engine.pseudonym = name;
    stand.worker->draining = DRAIN_NO;
    begin_client();
}

static void finish(u64 retries)
{
    if (!(run.mode & MODE_NO_REST))
        say_the_rest();
    accept_origins();
    receive_all();
    if (run.mode & MODE_ORIGIN_LAST)
        close_all(run.client, run.nclients);
    close_all(run.origin, run.norigins);
    receive_all();
    check_wires(client_wire, run.nclients, origin_wire, run.norigins,
                (u32)(stat_sum(STAT_upstream_retries_total) - retries), name);
    close_all(run.client, run.nclients);
    check_nothing_left();
    sweep_doors();
}

static struct slice cut_at(struct slice *rest, char c)
{
    const char *p = rest->n ? memchr(rest->p, c, rest->n) : NULL;
    struct slice head = { rest->p, p ? (size_t)(p - rest->p) : rest->n };
    *rest = slice_skip(*rest, p ? head.n + 1 : head.n);
    return head;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size < SETTINGS || size > 300000)
        return 0;
    if (stand.worker == NULL)
        stand_start();
    struct slice rest = { (const char *)data + SETTINGS, size - SETTINGS };
    struct slice actions = cut_at(&rest, (char)0xff);
    struct slice said = cut_at(&rest, (char)0xff);
    u64 retries = stat_sum(STAT_upstream_retries_total);
    begin(data, said, rest);
    for (size_t i = 0; i < actions.n && i < MOST_ACTIONS; i++)
        act((u8)actions.p[i]);
    finish(retries);
    return 0;
}
