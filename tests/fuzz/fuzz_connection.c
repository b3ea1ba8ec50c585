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
#include <stdio.h>
#include <unistd.h>

#include "base/must.h"
#include "connection_ends.h"
#include "connection_stand.h"
#include "core/conn/client_count.h"
#include "core/codec/server.h"
#include "core/conn/target.h"
#include "core/thread.h"
#include "http_fuzz.h"

enum {
    CLIENTS = 4,
    ORIGINS = 24,

    MOST_ACTIONS = 200
};
enum { SETTING_HEAD, SETTING_MEMORY, SETTING_SOCKETS, SETTING_BODY, SETTING_MODE, SETTINGS };
enum { MODE_LAZY = 1, MODE_NO_READ = 2, MODE_RESET = 4, MODE_ORIGIN_LAST = 8, MODE_NO_REST = 16 };

/* ---- one run ---- */

static struct run {
    const u8 *settings;
    struct slice text[2]; /* what is left to say: clients, origins */
    struct end client[CLIENTS], origin[ORIGINS];
    u32 nclients, norigins, now_client, now_origin;
    u8 mode;
} run;
static struct wire client_wire[CLIENTS], origin_wire[ORIGINS];
static char name[32]; /* of proxyd in Via, another one for each run */

static void begin_client(void)
{
    if (run.nclients == CLIENTS)
        return;
    run.now_client = run.nclients++;
    open_client(&run.client[run.now_client], &client_wire[run.now_client],
                run.settings[SETTING_SOCKETS]);
}

static void accept_origins(void)
{
    while (run.norigins < ORIGINS &&
           open_origin(&run.origin[run.norigins], &origin_wire[run.norigins],
                       run.settings[SETTING_SOCKETS]))
        run.now_origin = run.norigins++;
}

static void receive_all(void)
{
    for (u32 i = 0; i < run.nclients; i++)
        receive(&run.client[i], SIZE_MAX);
    for (u32 i = 0; i < run.norigins; i++)
        receive(&run.origin[i], SIZE_MAX);
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
