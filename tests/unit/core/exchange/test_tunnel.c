/* Two connections joined byte for byte: what rode behind the head, half-closes both ways, resets,
 * time, and long flows that move to a pipe. */
#include "core/exchange/tunnel.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/report/log_format.h"
#include "core/codec/server.h"
#include "tests/unit/core/help_engine.h"
#include "io/pipe.h"
#include "tests/unit/help_memory.h"

#define CONNECT "CONNECT one.test:80 HTTP/1.1\r\nHost: one.test:80\r\n\r\n"
#define OPENED "HTTP/1.1 200 Connection established\r\n\r\n"

static int client, upstream;
static char bulk[100000];

static void open_tunnel_of(int who, const char *with)
{
    int origin = rig_origin();
    client = who;
    rig_say(client, with);
    upstream = rig_accept(origin);
    assert_begins(rig_hears(client), OPENED);
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
}

static void open_tunnel(const char *with)
{
    open_tunnel_of(rig_client(), with);
}

static void both_ways(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    assert_int_equal(rig.worker->xchgs.live, 0);
    for (int i = 0; i < 3; i++) {
        rig_say(client, "ping");
        assert_string_equal(rig_hears(upstream), "ping");
        rig_say(upstream, "pong.");
        assert_string_equal(rig_hears(client), "pong.");
    }
    assert_int_equal(rig.worker->bufs.in_use, 0); /* an idle one holds none */
    assert_int_equal(rig_count(STAT_tunnel_bytes_from_client), 12);
    assert_int_equal(rig_count(STAT_tunnel_bytes_to_client), 15);
}

static void bytes_right_behind_the_head(void **state)
{
    (void)state;
    open_tunnel(CONNECT "early\r\n\r\nbytes");
    assert_string_equal(rig_hears(upstream), "early\r\n\r\nbytes");
    rig_say(client, " and more");
    assert_string_equal(rig_hears(upstream), " and more");
}

static void the_client_ends_first(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    rig_say(client, "last words");
    shutdown(client, SHUT_WR);
    assert_string_equal(rig_hears(upstream), "last words");
    assert_true(rig_ended(upstream));
    rig_say(upstream, "still an answer"); /* the other direction goes on */
    assert_string_equal(rig_hears(client), "still an answer");
    assert_false(rig_ended(client));
    rig_close(upstream);
    assert_true(rig_ended(client));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

static void the_origin_ends_first(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    rig_say(upstream, "banner");
    shutdown(upstream, SHUT_WR);
    assert_string_equal(rig_hears(client), "banner");
    assert_true(rig_ended(client));
    rig_say(client, "still a question");
    assert_string_equal(rig_hears(upstream), "still a question");
    rig_close(client);
    assert_true(rig_ended(upstream));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* The end waits for the bytes before it. */
static void an_end_behind_what_cannot_be_sent_yet(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    size_t sent = 0;
    ssize_t n;
    memset(bulk, 'b', sizeof bulk);
    do {
        while ((n = send(client, bulk, sizeof bulk, MSG_NOSIGNAL)) > 0)
            sent += (size_t)n;
        rig_turn();
        n = send(client, bulk, sizeof bulk, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    shutdown(client, SHUT_WR);
    rig_turn();
    size_t got = 0;
    do {
        rig_turn();
        n = recv(upstream, bulk, sizeof bulk, 0);
        got += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    assert_int_equal(n, 0);
    assert_int_equal(got, sent);
}

/* An abrupt end on one side must not look orderly on the other. */
static void resets_pass_through(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    sock_abort(upstream);
    rig_close(upstream);
    assert_true(rig_reset(client));
    open_tunnel_of(rig_client_tcp(), CONNECT);
    sock_abort(client);
    rig_close(client);
    assert_true(rig_reset(upstream));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

static enum sock_result refuse_to_send(struct io *io, struct layer *l, const struct iovec *v,
                                       unsigned n, size_t *sent)
{
    (void)io, (void)l, (void)v, (void)n;
    *sent = 0;
    return SOCK_ERROR;
}

/* The system may refuse a write though the connection lives: its peer sees no orderly end either.
 */
static void a_write_that_fails(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    struct stream_ops refusing = *rig_client_conn()->stream.ops;
    refusing.sendv = refuse_to_send;
    rig_client_conn()->stream.ops = &refusing;
    rig_say(upstream, "x");
    assert_true(rig_reset(upstream));
    assert_true(rig_reset(client));
}

/* ---- what the client begins with ---- */

/* Three letters decide. */
static enum inspection by_letters(const struct access_record *r, struct slice first,
                                  struct inspected *out)
{
    assert_slice(access_record_string(r, STRING_TARGET), "one.test:80");
    assert_true(first.n > 0);
    if (first.n < 3)
        return INSPECT_MORE;
    out->name = SLICE("other.test");
    if (first.p[0] == 'g')
        return INSPECT_PASS;
    out->ruling = (struct ruling){ FAULT_sni_denied, SLICE("letters"), SLICE("no"), SLICE("") };
    return INSPECT_DENY;
}

static void held_until_it_is_known(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel(CONNECT);
    rig_say(upstream, "220 hello"); /* never held */
    assert_string_equal(rig_hears(client), "220 hello");
    rig_say(client, "g");
    rig_say(client, "o");
    assert_string_equal(rig_hears(upstream), "");
    rig_say(upstream, "still here");
    assert_string_equal(rig_hears(client), "still here");
    rig_say(client, "od");
    assert_string_equal(rig_hears(upstream), "good");
    rig_say(client, "bad"); /* nobody looks any more */
    assert_string_equal(rig_hears(upstream), "bad");
    rig_later(rig.snapshot->conf.timeouts.head + 1000);
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
}

static void held_behind_the_head(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel(CONNECT "go");
    assert_string_equal(rig_hears(upstream), "");
    rig_say(client, "on");
    assert_string_equal(rig_hears(upstream), "goon");
}

static void refused_by_what_it_begins_with(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    rig_say(client, "bad");
    assert_true(rig_reset(upstream));
    assert_int_equal(rig_count(STAT_tunnel_bytes_from_client), 0);
    assert_true(rig_reset(client));
    assert_int_equal(rig_faults(FAULT_sni_denied), 1);
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* What is not known in time, and what ends before it is. */
static void never_known(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    rig_later(rig.snapshot->conf.timeouts.head + 1000); /* nothing has come: it may wait */
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
    rig_say(client, "g");
    rig_later(rig.snapshot->conf.timeouts.head + 1000);
    assert_true(rig_reset(client));
    assert_int_equal(rig_faults(FAULT_client_hello_timeout), 1);
    open_tunnel_of(rig_client_tcp(), CONNECT);
    rig_say(client, "go");
    shutdown(client, SHUT_WR);
    assert_true(rig_reset(upstream));
    assert_int_equal(rig_faults(FAULT_client_closed), 1);
    open_tunnel(CONNECT);
    shutdown(client, SHUT_WR);
    assert_true(rig_ended(upstream)); /* which asks for nothing */
    rig_say(upstream, "bye");
    assert_string_equal(rig_hears(client), "bye");
}

#define UPGRADE                                                                                    \
    "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\nConnection: Upgrade\r\n"                   \
    "Upgrade: websocket\r\n\r\n"
#define SWITCHED                                                                                   \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

/* Asks, with the nth allocation of all that follows refused. False: there were fewer. */
static bool ask_in_need(const char *request, unsigned nth)
{
    int origin = rig_origin();
    client = rig_client_tcp();
    memory_refuse(nth, false);
    rig_say(client, request);
    rig_turn();
    upstream = sock_accept(origin, &(struct addr){ 0 });
    if (upstream >= 0 && request[0] == 'G')
        rig_say(upstream, SWITCHED);
    rig_turn();
    return memory_relent();
}

/* Whatever allocation is refused: a 200 or 101 comes with a tunnel, and a tunnel with that; all else
 * is an answer like any other. */
static void never_promised_and_not_there(void **state)
{
    (void)state;
    static const char *const requests[] = { CONNECT, UPGRADE };
    for (unsigned i = 0; i < countof(requests); i++) {
        unsigned refused = 0;
        bool more = true;
        for (unsigned nth = 1; more; nth++) {
            more = ask_in_need(requests[i], nth);
            const char *said = rig_hears(client);
            bool promised =
                !strncmp(said, "HTTP/1.1 200 ", 13) || !strncmp(said, "HTTP/1.1 101 ", 13);
            assert_int_equal(promised, rig_count(STAT_tunnels_open));
            refused += !strncmp(said, "HTTP/1.1 503 ", 13);
            if (promised) {
                rig_say(client, "ping");
                assert_has(rig_hears(upstream), "ping");
            }
            close(upstream);
            rig_close(client);
            rig_turn();
            assert_int_equal(rig_count(STAT_tunnels_open), 0);
        }
        assert_int_not_equal(refused, 0);
    }
}

/* ---- ends that are no connections ---- */

static struct scripted_end {
    struct tunnel *tunnel;
    const char *in; /* to be read; in_piece bytes become visible by each fill */
    size_t shown, piece;
    bool ended, broken, slow_end, was_reset;
    size_t quota, nout;
    char out[256];
    unsigned finished, dropped, closed, agains;
} side[2];

static enum flow scripted_peek(void *self, struct slice *run)
{
    struct scripted_end *e = self;
    *run = (struct slice){ e->in, e->shown };
    if (e->shown)
        return FLOW_OK;
    return e->broken ? FLOW_FAULT : e->ended && *e->in == 0 ? FLOW_END : FLOW_WAIT;
}

static void scripted_took(void *self, size_t n)
{
    struct scripted_end *e = self;
    e->in += n;
    e->shown -= n;
}

static enum flow scripted_fill(void *self)
{
    struct scripted_end *e = self;
    size_t left = strlen(e->in);
    e->shown = left < e->piece ? left : e->piece;
    return e->shown || e->ended || e->broken ? FLOW_OK : FLOW_WAIT;
}

static enum flow scripted_put(void *self, struct slice run, size_t *taken)
{
    struct scripted_end *e = self;
    *taken = run.n < e->quota ? run.n : e->quota;
    assert_true(e->nout + *taken < sizeof e->out);
    memcpy(e->out + e->nout, run.p, *taken);
    e->nout += *taken;
    e->quota -= *taken;
    return *taken < run.n ? FLOW_WAIT : FLOW_OK;
}

static enum flow scripted_flush(void *self)
{
    (void)self;
    return FLOW_OK;
}

static enum flow scripted_finish(void *self, const struct msg *trailers)
{
    struct scripted_end *e = self;
    assert_null(trailers);
    if (e->slow_end) {
        e->slow_end = false;
        return FLOW_WAIT;
    }
    e->finished++;
    return FLOW_OK;
}

static void scripted_drop(void *self, enum fault why)
{
    struct scripted_end *e = self;
    (void)why;
    e->dropped++;
}

static void scripted_join(void *self, struct tunnel *t)
{
    ((struct scripted_end *)self)->tunnel = t;
}

static void scripted_again(void *self)
{
    ((struct scripted_end *)self)->agains++;
}

static bool scripted_gone(void *self)
{
    return ((struct scripted_end *)self)->was_reset;
}

static struct io *scripted_whole(void *self)
{
    (void)self;
    return NULL;
}

static void scripted_close(void *self)
{
    struct scripted_end *e = self;
    e->closed++;
    e->tunnel = NULL;
}

static const struct tunnel_end_ops scripted_ops = {
    .in = { .peek = scripted_peek, .took = scripted_took, .fill = scripted_fill },
    .out = { .put = scripted_put,
             .finish = scripted_finish,
             .flush = scripted_flush,
             .drop = scripted_drop },
    .join = scripted_join,
    .again = scripted_again,
    .gone = scripted_gone,
    .whole = scripted_whole,
    .close = scripted_close,
};

static void begin_scripted(size_t piece, size_t quota)
{
    struct tunnel *t = tunnel_reserve(rig.worker, calloc(1, sizeof(struct access_record)));
    assert_non_null(t);
    memset(side, 0, sizeof side);
    for (unsigned i = 0; i < 2; i++) {
        side[i].in = i ? "what comes down" : "what goes up";
        side[i].piece = piece;
        side[i].quota = quota;
    }
    tunnel_begin(&t, (struct tunnel_end){ &scripted_ops, &side[0] },
                 (struct tunnel_end){ &scripted_ops, &side[1] });
    assert_null(t);
    assert_int_equal(side[0].agains, 1);
}

/* Events as long as anything can move; each end may take `quota` bytes more every time. */
static void events(size_t quota)
{
    for (unsigned i = 0; i < 64 && side[0].tunnel; i++) {
        side[0].quota = side[1].quota = quota;
        tunnel_ready(side[i % 2].tunnel);
    }
}

/* In any pieces, with any room: in order, nothing lost, and the end behind the last byte. */
static void in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 20; piece += 3)
        for (size_t quota = 1; quota < 20; quota += 2) {
            begin_scripted(piece, quota);
            side[0].ended = side[0].slow_end = side[1].slow_end = true;
            events(quota);
            assert_string_equal(side[1].out, "what goes up");
            assert_string_equal(side[0].out, "what comes down");
            assert_int_equal(side[1].finished, 1);
            assert_int_equal(side[0].finished + side[0].closed + side[1].closed, 0);
            side[1].ended = true; /* the other way went on; closing says the rest */
            events(quota);
            assert_int_equal(side[0].finished, 0);
            assert_int_equal(side[0].closed, 1);
            assert_int_equal(side[1].closed, 1);
            assert_int_equal(side[0].dropped + side[1].dropped, 0);
        }
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* One that breaks takes the other with it, abruptly, also when it has sent its end before. */
static void an_end_that_breaks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin_scripted(100, 100);
        events(100);
        if (i)
            side[1].ended = true, events(100);
        side[i].broken = !i;
        side[i].was_reset = i;
        events(100);
        assert_int_equal(side[0].dropped, 1);
        assert_int_equal(side[1].dropped, 1);
        assert_int_equal(side[0].closed + side[1].closed, 2);
    }
}

static void a_reset_after_its_half_close(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    shutdown(upstream, SHUT_WR);
    assert_true(rig_ended(client));
    sock_abort(upstream);
    rig_close(upstream);
    rig_turn();
    assert_true(send(client, "x", 1, MSG_NOSIGNAL) < 0); /* it has been asked to */
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

static void idle_too_long(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_idle = 60000;
    open_tunnel(CONNECT);
    for (int i = 0; i < 4; i++) {
        rig_later(50000);
        rig_say(i % 2 ? client : upstream, "x");
    }
    rig_hears(client), rig_hears(upstream);
    assert_false(rig_ended(client));
    rig_later(61000);
    assert_true(rig_ended(client));
    assert_true(rig_ended(upstream));
    assert_int_equal(rig_faults(FAULT_tunnel_idle_timeout), 1);
}

static void lived_too_long(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_lifetime = 60000;
    rig.snapshot->conf.timeouts.tunnel_idle = UINT32_MAX;
    open_tunnel(CONNECT);
    for (int i = 0; i < 6; i++) {
        rig_later(9900);
        rig_say(client, "x");
        rig_hears(upstream);
    }
    rig_later(1000);
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_tunnel_lifetime), 1);
}

static void without_limits_for_ever(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_idle = UINT32_MAX;
    open_tunnel(CONNECT);
    rig_later(30ull * 24 * 3600 * 1000);
    assert_false(rig_ended(client));
    rig_say(client, "x");
    assert_string_equal(rig_hears(upstream), "x");
}

/* `total` numbered bytes through the tunnel, sent as fast as it takes them, read as they come. */
static void flow(int from, int to, size_t total)
{
    static unsigned char out[1 << 18], in[1 << 18];
    size_t sent = 0, got = 0;
    while (got < total) {
        for (size_t i = 0; i < sizeof out; i++)
            out[i] = (unsigned char)((sent + i) * 31 >> 3);
        size_t most = total - sent < sizeof out ? total - sent : sizeof out;
        ssize_t n = most ? send(from, out, most, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        loop_turn(&rig.worker->loop, 0);
        while ((n = recv(to, in, sizeof in, 0)) > 0) {
            for (ssize_t i = 0; i < n; i += 97)
                assert_int_equal(in[i], (unsigned char)((got + (size_t)i) * 31 >> 3));
            got += (size_t)n;
        }
    }
    assert_int_equal(got, total);
}

static void a_long_flow_moves_to_a_pipe(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 1);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    rig_say(client, "the other way goes on as it was");
    assert_string_equal(rig_hears(upstream), "the other way goes on as it was");
    flow(client, upstream, 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 2);
    /* Nothing moved for a while: pipes are few and go back. */
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
    flow(upstream, client, 1 << 20);
    shutdown(upstream, SHUT_WR);
    assert_true(rig_ended(client));
}

static void an_end_through_the_pipe(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    rig_say(upstream, "last words");
    shutdown(upstream, SHUT_WR);
    assert_string_equal(rig_hears(client), "last words");
    assert_true(rig_ended(client));
    rig_close(client);
    rig_turn();
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
}

/* A byte every second and a half, for that many of them: the pipe is never at rest. */
static void trickle_through_the_pipe(unsigned seconds)
{
    for (unsigned ms = 0; ms < seconds * 1000; ms += 1500) {
        rig_later(1500);
        rig_say(upstream, "x");
        assert_string_equal(rig_hears(client), "x");
        assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    }
}

static void lived_too_long_in_a_pipe(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_lifetime = 60000;
    rig.snapshot->conf.timeouts.tunnel_idle = UINT32_MAX;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    trickle_through_the_pipe(58);
    rig_later(1600);
    assert_true(rig_ended(client));   /* a socket pair knows no reset */
    assert_true(rig_reset(upstream)); /* bytes are under way: no orderly end */
    assert_int_equal(rig_faults(FAULT_tunnel_lifetime), 1);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
}

/* What goes through the pipe keeps the tunnel alive; the pipe's rest does not. */
static void idle_too_long_in_a_pipe(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_idle = 60000;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    trickle_through_the_pipe(70);
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
    rig_later(57000);
    assert_false(rig_ended(client));
    rig_later(2000);
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_tunnel_idle_timeout), 1);
}

/* Sends from the origin until nothing goes any more; how much went. */
static size_t stuff(void)
{
    size_t sent = 0;
    memset(bulk, 'b', sizeof bulk);
    for (unsigned stuck = 0; stuck < 10;) { /* what is under way may need a moment */
        ssize_t n = send(upstream, bulk, sizeof bulk, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        stuck = n > 0 ? 0 : stuck + 1;
        rig_turn();
        usleep(n > 0 ? 0 : 500);
    }
    return sent;
}

/* A pipe whose bytes the sink does not take is not at rest. */
static void a_pipe_that_is_not_empty_stays(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    size_t sent = stuff(), got = 0;
    rig_later(2100);
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    while (got < sent) {
        rig_turn();
        ssize_t n = recv(client, bulk, sizeof bulk, 0);
        assert_int_not_equal(n, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, sent);
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
}

/* Nor does it outlive the tunnel's time. */
static void lived_too_long_with_a_full_pipe(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_lifetime = 60000;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    stuff();
    for (unsigned i = 0; i < 59; i++)
        rig_later(1000);
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    rig_later(1100);
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
    assert_int_equal(rig_faults(FAULT_tunnel_lifetime), 1);
}

static void resets_pass_through_the_pipe(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    flow(upstream, client, 12 << 20);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    sock_abort(upstream);
    rig_close(upstream);
    assert_true(rig_reset(client));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* Spliced or copied, each direction counts for itself. */
static void what_went_through_the_pipe_is_counted(void **state)
{
    (void)state;
    rig.snapshot->conf.log_wants = WANT_RECORD;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    flow(client, upstream, 10 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 2);
    assert_int_equal(rig_count(STAT_tunnel_bytes_to_client), 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_bytes_from_client), 10 << 20);
    rig_close(client);
    rig_close(upstream);
    rig_turn();
    const struct access_record *r = (const void *)ring_peek(rig.worker->log).p;
    assert_non_null(r);
    assert_int_equal(r->bytes_in, 10 << 20);
    assert_int_equal(r->bytes_out, 12 << 20);
    assert_int_equal(rig_count(STAT_bytes_from_clients_total), (10 << 20) + strlen(CONNECT));
    assert_int_equal(rig_count(STAT_bytes_to_clients_total), (12 << 20) + strlen(OPENED));
}

static void no_pipe_left(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    atomic_store(&rig.engine.pipes, PIPE_MOST);
    flow(upstream, client, 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 0);
    assert_int_equal(atomic_load(&rig.engine.pipes), PIPE_MOST);
    atomic_store(&rig.engine.pipes, 0);
}

/* The line is written at the end and counts the tunnel's own bytes. */
static void what_it_leaves_in_the_log(void **state)
{
    (void)state;
    static char area[LOG_LINE];
    struct log_clock clock = { 0 };
    struct text t = text_in(area, sizeof area - 1);
    rig.snapshot->conf.log_wants = WANT_RECORD;
    open_tunnel(CONNECT);
    rig_say(client, "12345");
    rig_say(upstream, "123");
    rig_hears(client), rig_hears(upstream);
    assert_null(ring_peek(rig.worker->log).p);
    rig_later(1000);
    rig_close(client);
    rig_close(upstream);
    rig_turn();
    const struct access_record *r = (const void *)ring_peek(rig.worker->log).p;
    assert_non_null(r);
    assert_true(r->tunnel);
    log_format_access(&t, &clock, &(struct log_style){ 0 }, r);
    area[t.n] = 0;
    assert_has(area, " \"CONNECT one.test:80\" 200 in=5 out=3 10");
    assert_int_equal(rig_count(STAT_requests_total), 1);
    assert_int_equal(rig_count(STAT_requests_in_flight), 0);
}

static void cut_by_the_drain(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    rig.worker->draining = DRAIN_GRACEFUL;
    client_drain(rig.worker);
    rig_say(client, "goes on");
    assert_string_equal(rig_hears(upstream), "goes on");
    rig.worker->draining = DRAIN_NOW;
    client_drain(rig.worker);
    assert_true(rig_ended(client));
    assert_int_equal(atomic_load(&rig.engine.cut), 1);
    assert_int_equal(rig_faults(FAULT_draining), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(both_ways),
        RIG_TEST(bytes_right_behind_the_head),
        RIG_TEST(the_client_ends_first),
        RIG_TEST(the_origin_ends_first),
        RIG_TEST(an_end_behind_what_cannot_be_sent_yet),
        RIG_TEST(resets_pass_through),
        RIG_TEST(a_write_that_fails),
        RIG_TEST(held_until_it_is_known),
        RIG_TEST(held_behind_the_head),
        RIG_TEST(refused_by_what_it_begins_with),
        RIG_TEST(never_known),
        RIG_TEST(never_promised_and_not_there),
        RIG_TEST(in_any_pieces),
        RIG_TEST(an_end_that_breaks),
        RIG_TEST(a_reset_after_its_half_close),
        RIG_TEST(idle_too_long),
        RIG_TEST(lived_too_long),
        RIG_TEST(without_limits_for_ever),
        RIG_TEST(a_long_flow_moves_to_a_pipe),
        RIG_TEST(an_end_through_the_pipe),
        RIG_TEST(lived_too_long_in_a_pipe),
        RIG_TEST(idle_too_long_in_a_pipe),
        RIG_TEST(a_pipe_that_is_not_empty_stays),
        RIG_TEST(lived_too_long_with_a_full_pipe),
        RIG_TEST(resets_pass_through_the_pipe),
        RIG_TEST(what_went_through_the_pipe_is_counted),
        RIG_TEST(no_pipe_left),
        RIG_TEST(what_it_leaves_in_the_log),
        RIG_TEST(cut_by_the_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
