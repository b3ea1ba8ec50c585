/* The rig and its ends. */
#include "help_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/must.h"
#include "compile.h"
#include "config/load.h"
#include "core/adopt.h"
#include "core/exchange/local_reply.h"
#include "core/report/log_writer.h"
#include "core/conn/memory_wait.h"
#include "core/codec/server.h"
#include "core/conn/client_count.h"
#include "core/codec/h1.h"
#include "core/conn/shared_idle.h"
#include "core/conn/target.h"
#include "core/thread.h"
#include "http/hop.h"
#include "io/dns.h"
#include "schema_root.h"
#include "tests/unit/help_clock.h"

enum { MOST_TURNS = 5000, MOST_ENDS = 4096 };

struct rig rig;

static int ends[MOST_ENDS];
static unsigned nends;

static int keep_end(int fd)
{
    assert_true(fd >= 0 && nends < MOST_ENDS);
    ends[nends++] = fd;
    return fd;
}

/* ---- the test role: names lead to rig.port of what they resolve to ---- */

static struct detected detect(const struct listener *l, struct slice first)
{
    (void)l;
    return detect_http(first);
}

struct destination rig_to(const struct host *host, u16 port)
{
    return (struct destination){ .profile = profile_intern(&(struct conn_profile){ .id = 0 }),
                                 .host = host,
                                 .port = port };
}

struct target *rig_target(struct worker *w, const struct host *host, u16 port)
{
    struct destination to = rig_to(host, port);
    return target_get(w, &to);
}

static enum verdict where(struct xchg *x)
{
    if (slice_is(x->uri.path, "/denied")) {
        x->fault = FAULT_rule_denied;
        x->rule = SLICE("test-rule");
        x->reason = SLICE("because");
        return REFUSED;
    }
    if (x->uri.form == TARGET_ORIGIN) {
        reply_begin(x, 200, SLICE(""));
        return reply_kept(x, SLICE("text/plain"), x->uri.path);
    }
    x->to = rig_to(&x->uri.host, rig.port);
    if (rig.destination)
        rig.destination(&x->to);
    return PASS;
}

static struct ruling vet(const struct xchg *x, const struct addr *a)
{
    return rig.vet ? rig.vet(x, a) : (struct ruling){ .fault = FAULT_NONE };
}

static bool edit_request(struct xchg *x)
{
    hop_strip(&x->req);
    return msg_add_line(&x->req, TOKEN_VIA, SLICE("Via: 1.1 test\r\n"));
}

static bool address_request(struct xchg *x)
{
    x->req.path = x->uri.path;
    x->req.authority = x->host_field.text; /* Host as it came */
    return true;
}

static bool edit_response(struct xchg *x)
{
    hop_strip(&x->resp);
    return true;
}

static const struct stage *const none[] = { NULL };
static struct ruling recheck(struct worker *w, const struct listener *l,
                             const struct access_record *r, u32 *grace_ms)
{
    (void)w;
    (void)l;
    *grace_ms = 5000;
    return rig.recheck ? rig.recheck(r) : (struct ruling){ .fault = FAULT_NONE };
}

static enum inspection inspect(struct worker *w, const struct listener *l,
                               const struct access_record *r, struct slice first,
                               struct inspected *out)
{
    (void)w;
    (void)l;
    return rig.inspect ? rig.inspect(r, first, out) : INSPECT_PASS;
}

static const struct stage finding = { .name = "finding the destination", .run = where };
static const struct role test_role = { .name = "test",
                                       .detect = detect,
                                       .request_stages = none,
                                       .response_stages = none,
                                       .where = &finding,
                                       .vet = vet,
                                       .inspect = inspect,
                                       .recheck = recheck,
                                       .edit_request = edit_request,
                                       .address_request = address_request,
                                       .edit_response = edit_response };

/* ---- set up, tear down ---- */

static const char names[] = "127.0.0.1 origin.test one.test\n"
                            "127.0.0.2 two.test\n"
                            "127.0.0.1 several.test\n"
                            "127.0.0.2 several.test\n"
                            "::1 several.test\n"
                            "127.0.0.3 last.test\n"
                            "127.0.0.1 last.test\n";

static const struct conf plain_conf = {
    .limits = { .head = 32768,
                .line = 16384,
                .fields = 128,
                .body = UINT64_MAX,
                .clients = 1000,
                .clients_per_address = 100,
                .memory = 1 << 25 },
    .timeouts = { .head = 10000,
                  .body = 60000,
                  .idle = 75000,
                  .connect = 10000,
                  .response = 60000,
                  .tunnel_idle = 600000,
                  .tunnel_lifetime = UINT32_MAX,
                  .drain = 30000 },
    .error.to = LOG_NONE,
};

static void accept_nothing(struct worker *w)
{
    (void)w;
}

static void resume_nothing(struct timer *t)
{
    (void)t;
}

static struct dns_shared *make_names(void)
{
    char path[] = "/tmp/proxyd-unit-XXXXXX";
    struct dns_conf_io conf = { .timeout_ms = 100, .nservers = 1, .hosts_path = path };
    int fd = mkstemp(path);
    must(fd >= 0 && write(fd, names, sizeof names - 1) == (ssize_t)sizeof names - 1);
    close(fd);
    must(addr_parse_port(SLICE("127.0.0.1:9"), &conf.servers[0]));
    struct dns_shared *s = dns_shared_new(&conf);
    unlink(path);
    must(s != NULL);
    return s;
}

struct snapshot *rig_snapshot(void)
{
    struct snapshot *s = snapshot_new(RIG_WORKERS);
    s->conf = plain_conf;
    s->nlisteners = 1;
    s->listeners = arena_zalloc(&s->arena, sizeof *s->listeners);
    *s->listeners = (struct listener){
        .name = SLICE("main"), .at = &rig.at, .text = SLICE("127.0.0.1:3128"), .role = &test_role
    };
    snapshot_index(s);
    return s;
}

static void rig_set(struct snapshot *s, bool running)
{
    if (running)
        adopt_publish(&rig.engine, s, NULL);
    else
        atomic_store(&rig.engine.newest, s);
    rig.snapshot = s;
    rig.listener = &s->listeners[0];
}

void rig_publish(struct snapshot *s)
{
    rig_set(s, true);
    rig_turn();
}

static int set_up(u32 nworkers)
{
    memset(&rig, 0, sizeof rig);
    arena_init(&rig.arena, 0);
    nends = 0;
    rig.engine.workers = rig.workers;
    rig.engine.nworkers = nworkers;
    rig.engine.pseudonym = "proxyd-test";
    rig.engine.max_clients = 1000;
    rig.engine.accepting =
        (struct accepting){ accept_nothing, accept_nothing, resume_nothing, NULL };
    rig.engine.registry = registry_new();
    must(addr_parse_port(SLICE("127.0.0.1:3128"), &rig.at.addr));
    rig_set(rig_snapshot(), false);
    rig.engine.shared_idle = shared_idle_new();
    rig.engine.client_count = client_count_new();
    rig.engine.dns = make_names();
    rig.engine.log_writer = log_writer_new(NULL, nworkers);
    for (u32 i = 0; i < nworkers; i++) {
        rig.workers[i] = worker_new(&rig.engine, i);
        must(rig.workers[i] != NULL);
    }
    rig.worker = rig.workers[0];
    return 0;
}

int rig_set_up(void **state)
{
    (void)state;
    return set_up(1);
}

int rig_set_up_two(void **state)
{
    (void)state;
    return set_up(2);
}

void rig_configure(const char *text)
{
    struct diags d;
    struct tree tree;
    diags_init(&d);
    bool good = config_load_text("test", slice_of(text), false, &tree, &d) &&
                root_check(&tree, &d) && d.errors == 0;
    if (!good)
        diags_print(&d, stderr);
    assert_true(good);
    diags_free(&d);
    struct snapshot *s = snapshot_compile(&tree, rig.engine.registry, RIG_WORKERS);
    config_free(&tree);
    s->conf.error.to = LOG_NONE;
    rig_publish(s);
}

static void drain(struct worker *w)
{
    w->draining = DRAIN_NOW;
    idle_drain(w);
    client_drain(w);
    loop_turn(&w->loop, 0);
    w->draining = DRAIN_NO;
}

static void assert_nothing_left(const struct worker *w)
{
    assert_true(list_empty(&w->client_conns) && !memory_awaited(w) && list_empty(&w->idle_conns));
    assert_int_equal(w->conns.live, 0);
    assert_int_equal(w->xchgs.live, 0);
    assert_int_equal(w->tunnels.live, 0);
    assert_int_equal(w->dials.live, 0);
    assert_int_equal(w->bufs.in_use, 0);
    assert_int_equal(atomic_load(&w->open), 0);
}

/* The threads run only to end: so everything is freed the way it is in the daemon. */
static void free_workers(void)
{
    for (u32 i = 0; i < rig.engine.nworkers; i++) {
        worker_drain(rig.workers[i], DRAIN_NOW);
        worker_start(rig.workers[i]);
    }
    for (u32 i = 0; i < rig.engine.nworkers; i++)
        worker_join(rig.workers[i]);
    for (u32 i = 0; i < rig.engine.nworkers; i++)
        worker_free(rig.workers[i]);
}

int rig_tear_down(void **state)
{
    arena_free(&rig.arena);
    (void)state;
    while (nends)
        close(ends[--nends]);
    rig_turn();
    for (u32 i = 0; i < rig.engine.nworkers; i++) {
        drain(rig.workers[i]);
        assert_nothing_left(rig.workers[i]);
    }
    free_workers();
    assert_int_equal(atomic_load(&rig.engine.clients), 0);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
    log_writer_start(rig.engine.log_writer);
    log_writer_stop(rig.engine.log_writer);
    dns_shared_free(rig.engine.dns);
    client_count_free(rig.engine.client_count);
    shared_idle_free(rig.engine.shared_idle);
    assert_int_equal(atomic_load(&rig.snapshot->holders), 1); /* nobody else's */
    snapshot_retire(&rig.engine);
    registry_free(rig.engine.registry);
    return 0;
}

/* ---- time ---- */

static bool has_news(const struct loop *l)
{
    struct pollfd p = { .fd = l->epoll, .events = POLLIN };
    return l->queue || atomic_load(&l->calls.top) || poll(&p, 1, 0) > 0;
}

void rig_turn(void)
{
    for (unsigned n = 0, news = 1; news; n++) {
        assert_true(n < MOST_TURNS);
        news = 0;
        for (u32 i = 0; i < rig.engine.nworkers; i++) {
            loop_turn(&rig.workers[i]->loop, 0);
            news |= has_news(&rig.workers[i]->loop);
        }
    }
}

void rig_later(u64 ms)
{
    clock_forward(ms);
    rig_turn();
}

/* ---- sockets ---- */

static void nothing(struct conn *c)
{
    (void)c;
}

const struct conn_user rig_begun = { "begun", nothing, nothing, NULL, BUF_FOR_READING };
const struct conn_user rig_waiting = { "waiting", nothing, nothing, NULL, BUF_FOR_NEWCOMER };

struct conn *rig_conn(const struct conn_user *user, int *other)
{
    int pair[2];
    struct addr peer;
    must(addr_parse_port(SLICE("127.0.0.1:1000"), &peer));
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    *other = keep_end(pair[0]);
    struct conn *c = conn_new(rig.worker, pair[1], &peer, user);
    assert_non_null(c);
    return c;
}

int rig_client(void)
{
    int pair[2];
    struct addr peer;
    must(addr_parse_port(SLICE("127.0.0.1:40000"), &peer));
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    client_accept(rig.worker, rig.listener->at, pair[1], &peer);
    return keep_end(pair[0]);
}

int rig_client_tcp(void)
{
    struct addr peer;
    u16 port = rig.port;
    int door = rig_origin(), fd;
    assert_true(addr_parse(SLICE("127.0.0.1"), &peer));
    peer.port = rig.port;
    rig.port = port;
    int client = keep_end(sock_connect(&peer));
    struct pollfd p = { .fd = door, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 1000), 1);
    fd = sock_accept(door, &peer);
    assert_true(fd >= 0);
    rig_close(door);
    client_accept(rig.worker, rig.listener->at, fd, &peer);
    return client;
}

struct conn *rig_client_conn(void)
{
    assert_false(list_empty(&rig.worker->client_conns));
    return container_of(rig.worker->client_conns.prev, struct conn, link);
}

struct xchg *rig_exchange(void)
{
    struct conn *c = rig_client_conn();
    return strcmp(c->user->name, "exchange") == 0 ? ((struct leg *)c->owner)->xchg : NULL;
}

int rig_listen(const char *address, u16 port, int backlog)
{
    struct sock_listen how = { 0 };
    must(addr_parse(slice_of(address), &how.addr));
    how.addr.port = port;
    return keep_end(sock_listen(&how, backlog));
}

int rig_origin(void)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    struct addr a;
    int fd = rig_listen("127.0.0.1", 0, 64);
    must(getsockname(fd, (struct sockaddr *)&ss, &n) == 0);
    addr_from_sockaddr(&a, (struct sockaddr *)&ss);
    rig.port = a.port;
    return fd;
}

int rig_accept(int listening)
{
    struct addr peer;
    rig_turn();
    return keep_end(sock_accept(listening, &peer));
}

void rig_say(int fd, const char *text)
{
    size_t n = strlen(text);
    while (n > 0) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
        assert_true(sent > 0);
        text += sent;
        n -= (size_t)sent;
        rig_turn();
    }
}

const char *rig_hears(int fd)
{
    static char area[RIG_LINE];
    size_t have = 0;
    ssize_t n = 0;
    do {
        rig_turn();
        n = recv(fd, area + have, sizeof area - 1 - have, 0);
        have += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    area[have] = 0;
    return area;
}

bool rig_ended(int fd)
{
    char byte;
    rig_turn();
    return recv(fd, &byte, 1, MSG_PEEK) == 0;
}

bool rig_reset(int fd)
{
    char byte;
    rig_turn();
    return recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == ECONNRESET;
}

void rig_close(int fd)
{
    for (unsigned i = 0; i < nends; i++)
        if (ends[i] == fd) {
            ends[i] = ends[--nends];
            close(fd);
            return;
        }
    fail_msg("no end of ours");
}

const char *rig_ask(int client, const char *request)
{
    rig_say(client, request);
    return rig_hears(client);
}

unsigned rig_comes_to(const int *listening, unsigned n, const char *request)
{
    int client = rig_client();
    unsigned found = n;
    rig_say(client, request);
    for (unsigned i = 0; i < n; i++) {
        struct addr peer;
        int fd = listening[i] < 0 ? -1 : sock_accept(listening[i], &peer);
        if (fd < 0)
            continue;
        assert_int_equal(found, n);
        found = i;
        close(fd);
    }
    rig_close(client);
    rig_turn();
    return found;
}

u64 rig_count(enum stat_id s)
{
    return atomic_load(&rig.worker->stats->value[s]);
}

u64 rig_faults(enum fault f)
{
    return atomic_load(&rig.worker->stats->fault[f]);
}

void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("expected \"%s\" in:\n%s", part, text);
}

void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("did not expect \"%s\" in:\n%s", part, text);
}

void assert_slice(struct slice s, const char *text)
{
    if (!slice_is(s, text))
        fail_msg("expected \"%s\", not \"%.*s\"", text, SLICE_FMT(s));
}

/* ---- ends in memory ---- */

static enum sock_result memory_recv(struct io *io, struct layer *l, void *p, size_t n, size_t *got)
{
    struct memory_end *m = container_of(l, struct memory_end, layer);
    m->reads++;
    if (m->in.n == 0) {
        io->ready &= (u8)~IO_IN;
        return m->in_breaks ? SOCK_ERROR : m->in_ends ? SOCK_END : SOCK_AGAIN;
    }
    if (n > m->piece)
        n = m->piece;
    if (n > m->in.n)
        n = m->in.n;
    memcpy(p, m->in.p, n);
    m->in = slice_skip(m->in, n);
    *got = n;
    return SOCK_OK;
}

static enum sock_result memory_sendv(struct io *io, struct layer *l, const struct iovec *v,
                                     unsigned nv, size_t *sent)
{
    struct memory_end *m = container_of(l, struct memory_end, layer);
    size_t all = 0;
    m->sends++;
    *sent = 0;
    if (m->out_breaks)
        return SOCK_ERROR;
    for (unsigned i = 0; i < nv; i++) {
        size_t n = v[i].iov_len < m->quota ? v[i].iov_len : m->quota;
        assert_true(m->nout + n <= sizeof m->out);
        memcpy(m->out + m->nout, v[i].iov_base, n);
        m->nout += n;
        m->quota -= n;
        *sent += n;
        all += v[i].iov_len;
    }
    if (*sent < all)
        io->ready &= (u8)~IO_OUT;
    return *sent ? SOCK_OK : SOCK_AGAIN;
}

static const struct stream_ops stream_test = { .name = "test",
                                               .recv = memory_recv,
                                               .sendv = memory_sendv };

/* The descriptor below is a pipe of which no event ever comes. */
struct conn *memory_open(struct memory_end *m, const struct conn_user *user)
{
    struct addr nobody = { .family = 0 };
    int fd[2];
    memset(m, 0, offsetof(struct memory_end, out));
    m->piece = m->quota = SIZE_MAX;
    m->nout = m->reads = m->sends = 0;
    must(pipe2(fd, O_NONBLOCK | O_CLOEXEC) == 0);
    keep_end(fd[1]);
    m->conn = conn_new(rig.worker, fd[0], &nobody, user);
    assert_non_null(m->conn);
    stream_push(&m->conn->stream, &stream_test, &m->layer);
    m->conn->stream.io.ready = IO_OUT;
    m->conn->at = rig.listener->at;
    return m->conn;
}

void memory_leg(struct leg *l, struct memory_end *m)
{
    *l = (struct leg){ .snap = rig.worker->snapshot, .arena = &rig.arena };
    h1_client_leg(l, memory_open(m, &rig_begun));
    conn_hand(m->conn, &rig_begun, NULL);
}

void memory_leg_done(struct leg *l)
{
    conn_close(conn_of(l));
    rig_turn();
}

void memory_feed(struct memory_end *m, struct slice more)
{
    m->in = more;
    m->conn->stream.io.ready |= IO_IN;
}

void memory_feed_end(struct memory_end *m)
{
    m->in_ends = true;
    m->conn->stream.io.ready |= IO_IN;
}

void memory_allow(struct memory_end *m, size_t quota)
{
    m->quota = quota;
    m->conn->stream.io.ready |= IO_OUT;
}

struct slice memory_out(const struct memory_end *m)
{
    return (struct slice){ m->out, m->nout };
}

static struct buf *eaten;

void rig_exhaust(void)
{
    struct buf *b;
    for (unsigned c = BUF_CLASSES; c-- > 0;)
        while ((b = buf_take(&rig.worker->bufs, (enum buf_class)c)) != NULL) {
            b->next = eaten;
            eaten = b;
        }
}

void rig_relieve(void)
{
    while (eaten) {
        struct buf *b = eaten;
        eaten = b->next;
        buf_give(&rig.worker->bufs, &b);
    }
}
