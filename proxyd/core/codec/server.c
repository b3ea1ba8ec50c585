/*
 * The client side between exchanges: idle, head by pieces. No exchange and no buffer exist before a
 * byte has arrived, and none but the buffer before the head is whole: that is what an idle client
 * costs (about 300 bytes) and what a slow one costs (4 kB).
 */
#include "core/codec/client_exchange.h"

#include "base/must.h"
#include "core/conf.h"
#include "core/listener.h"
#include "core/conn/client_count.h"
#include "core/codec/front.h"
#include "core/codec/h1.h"
#include "core/exchange/role.h"
#include "core/common/snapshot.h"

/* RFC 9112 section 2.2 wants at least one empty line ignored before a request; old clients send a
 * few. */
enum { EMPTY_LINES = 8, CLOSED_A_TICK = 64 };

static const struct conn_user idle_client;

static const struct conf *conf(const struct conn *c)
{
    return &c->worker->snapshot->conf;
}

static bool awaits_head(const struct conn *c)
{
    return conn_user_begins(c->user);
}

/* At an address that the newest configuration has given up, the one before serves once more: then
 * the connection owns a pin of it while it awaits that head. */
const struct listener *client_listener(const struct conn *c)
{
    return snapshot_listener(c->owner ? c->owner : c->worker->snapshot, c->at);
}

struct intercepted *client_intercepted(struct conn *c)
{
    struct way_in *way = conn_intercepted(c);
    return way ? intercepted_anew(&way->intercepted) : NULL;
}

void client_close(struct conn *c)
{
    struct worker *w = c->worker;
    struct snapshot *pinned = awaits_head(c) ? c->owner : NULL;
    if (unlikely(pinned))
        snapshot_unpin(w, &pinned);
    client_count_leave(w->engine->client_count, &c->peer);
    atomic_fetch_sub_explicit(&w->open, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&w->engine->clients, 1, memory_order_relaxed);
    stat_sub(w->stats, STAT_connections_open, 1);
    if (likely(c->at->counts))
        counter_add(&c->at->counts[w->id].open, (u64)0 - 1);
    client_count_bytes(c);
    conn_close(c);
}

void h1_serve(struct conn *c)
{
    conn_hand(c, &client_new_user, c->owner);
    c->user->ready(c);
}

/* What comes from an address that is no front has a name of its own when it is a PROXY header. One
 * of version 2 begins with two empty lines and a NUL. */
static enum fault named(enum fault f, const struct conn *c, struct slice head)
{
    if (likely(f == FAULT_NONE))
        return f;
    bool v2 = c->empty_lines == 2 && head.n > 0 && head.p[0] == 0;
    return v2 || slice_starts(head, SLICE("PROXY ")) ? FAULT_proxy_header_unexpected : f;
}

/* Nearly every head arrives alone and in one piece. What ends as one does is parsed without being
 * scanned before; should the parser find fault with it, the scan has the last word. */
static bool seems_whole(const struct conn *c)
{
    const struct buf *b = c->in;
    return c->head_scan.scanned == 0 && buf_len(b) >= 4 &&
           memcmp(b->data + b->to - 4, "\r\n\r\n", 4) == 0;
}

/* It has been parsed, unscanned and in vain: the head may end earlier, in *len then, or have a
 * fault before that one; then *len is 0. The parser has not come to Host in either case. */
__attribute__((cold, noinline)) static enum fault scan_late(struct msg *req, const char *head,
                                                            u32 *len,
                                                            const struct head_limits *limits,
                                                            enum fault of_parser)
{
    struct head_scan scan = { 0 };
    enum fault f;
    u32 whole = *len;
    *len = head_scan(&scan, head, whole, limits, &f);
    if (*len == whole)
        return of_parser;
    msg_again(req);
    return f ? f : request_parse(req, head, *len, limits);
}

/* A head of *len bytes at the front of c->in, or what seems to be one: *len is 0 if it is none. */
static enum fault parse_request(struct leg *l, struct conn *c, struct msg *req, u32 *len,
                                bool scanned)
{
    struct head_limits limits = h1_head_limits(l->snap);
    const char *head = c->in->data + c->in->from;
    enum fault f = request_parse(req, head, *len, &limits);
    if (unlikely(f != FAULT_NONE) && !scanned)
        f = scan_late(req, head, len, &limits, f);
    return named(f, c, buf_live(c->in));
}

/* The head of len bytes at the front of c->in. */
static enum fault read_request(struct leg *l, struct conn *c, struct msg *req, u32 len,
                               bool scanned)
{
    enum fault f = parse_request(l, c, req, &len, scanned);
    if (unlikely(len == 0)) {
        l->taken = buf_len(c->in);
        return f;
    }
    c->pin = c->in;
    c->refilled = false;
    c->in->from += len;
    l->h1.head_len = len;
    l->h1.body_at = c->in->from;
    l->taken = len;
    l->minor = req->minor;
    l->h1.keep = req->keep_alive && f == FAULT_NONE;
    if (f == FAULT_NONE) {
        h1_expect_body(l, req->body, req->body_len);
        l->in_here = l->in_done || (req->body == BODY_LENGTH && req->body_len <= buf_len(c->in));
    }
    return f;
}

/* An exchange for a whole head, or for none (len 0) and the fault that it has earned: then what
 * there is of it waits in the buffer. Without memory there is nobody to answer either. */
static void open_request(struct conn *c, u32 len, bool scanned, enum fault f)
{
    struct worker *w = c->worker;
    struct leg *l;
    struct msg *req;
    struct xchg *x = client_exchange(c, &l, &req);
    if (unlikely(x == NULL))
        return;
    h1_client_leg(l, c);
    if (f == FAULT_NONE)
        f = read_request(l, c, req, len, scanned);
    else
        l->taken = c->in ? buf_len(c->in) : 0;
    w->intake->run(x, f);
}

void client_refuse(struct conn *c, enum fault f)
{
    const struct listener *l = client_listener(c);
    if (l && l->transport == NULL) {
        open_request(c, 0, true, f);
        return;
    }
    stat_fault(c->worker->stats, f); /* in the clear it would be no answer */
    client_close(c);
}

/* What is no HTTP goes on as it is, if its listener says so. False: more may tell. */
static bool take_raw(struct conn *c, unsigned as)
{
    if (as == DETECTED_RAW)
        raw_serve(c);
    return as == DETECTED_RAW;
}

/* Opens the exchange if the head is whole or hopeless. */
static bool try_head(struct conn *c)
{
    struct buf *b = c->in;
    struct head_limits limits = h1_head_limits(c->worker->snapshot);
    enum fault f = FAULT_NONE;
    if (c->head_scan.scanned == 0) {
        u32 n;
        while (c->empty_lines < EMPTY_LINES &&
               (n = head_skip_empty(b->data + b->from, buf_len(b))) > 0) {
            b->from += n;
            c->empty_lines++;
        }
        if (buf_len(b) == 0 || (buf_len(b) == 1 && b->data[b->from] == '\r'))
            return false; /* nothing yet, or half an empty line */
        const struct listener *l = client_listener(c);
        struct detected d = l->role->detect(l, buf_live(b));
        if (unlikely(d.as != DETECTED_HTTP))
            return take_raw(c, d.as);
        f = (enum fault)d.fault;
    }
    if (likely(f == FAULT_NONE && seems_whole(c))) {
        open_request(c, buf_len(b), false, FAULT_NONE);
        return true;
    }
    u32 len = 0;
    if (f == FAULT_NONE)
        len = head_scan(&c->head_scan, b->data + b->from, buf_len(b), &limits, &f);
    if (f == FAULT_NONE && len == 0)
        return false;
    memset(&c->head_scan, 0, sizeof c->head_scan);
    open_request(c, f == FAULT_NONE ? len : 0, true, named(f, c, buf_live(b)));
    return true;
}

/* Has something of a request been read? Empty lines are none, nor is a half of one. */
static bool has_begun(const struct conn *c)
{
    const struct buf *b = c->in;
    return b && (buf_len(b) > 1 || (buf_len(b) == 1 && b->data[b->from] != '\r'));
}

/* The client's stream has ended while a head was awaited. */
static void ended(struct conn *c)
{
    if (has_begun(c))
        open_request(c, 0, true, FAULT_client_closed);
    else
        client_close(c);
}

static void read_head(struct conn *c)
{
    for (;;) {
        if (c->in && buf_len(c->in) && try_head(c))
            return;
        if (c->eof || c->read_failed) {
            ended(c);
            return;
        }
        if (!conn_readable(c) || conn_fill(c) == SOCK_AGAIN)
            break;
    }
    conn_drop_in(c);
    if ((has_begun(c) || c->awaits_memory) && c->wait != WAIT_HEAD)
        conn_wait(c, WAIT_HEAD, conf(c)->timeouts.head);
}

/* Has something of a request arrived, read or not yet? */
static bool has_asked(struct conn *c)
{
    return has_begun(c) || stream_quiet(&c->stream) == SOCK_OK;
}

/* It has said nothing for a while: perhaps it waits for the other side to speak. */
static void silent(struct conn *c)
{
    const struct listener *l = client_listener(c);
    conn_wait(c, WAIT_HEAD, conf(c)->timeouts.head - CLIENT_SILENCE_MS);
    if (c->in == NULL && !c->awaits_memory)
        (void)take_raw(c, l->role->detect(l, (struct slice){ NULL, 0 }).as);
}

static void head_expired(struct conn *c)
{
    if (c->wait == WAIT_SILENCE) {
        silent(c);
        return;
    }
    if (c->owner && c->wait == WAIT_IDLE && has_asked(c)) { /* just before it was to be closed */
        conn_wait(c, WAIT_HEAD, conf(c)->timeouts.head);
        loop_again(&c->worker->loop, &c->stream.io);
        return;
    }
    if (c->wait != WAIT_HEAD || !(has_begun(c) || c->awaits_memory)) {
        client_close(c);
        return;
    }
    memset(&c->head_scan, 0, sizeof c->head_scan);
    enum fault f = c->awaits_memory ? FAULT_out_of_memory : FAULT_request_head_timeout;
    open_request(c, 0, true, f);
}

static void head_drain(struct conn *c, enum drain_state how)
{
    if (how == DRAIN_NOW || !has_asked(c))
        client_close(c);
}

const struct conn_user client_new_user = { "new client", read_head, head_expired, head_drain,
                                           BUF_FOR_NEWCOMER };
static const struct conn_user idle_client = { "idle client", read_head, head_expired, head_drain,
                                              BUF_FOR_CLIENT };

void h1_next(struct conn *c, struct snapshot *served)
{
    struct worker *w = c->worker;
    bool given_up =
        unlikely(served != w->snapshot) && snapshot_listener(w->snapshot, c->at) == NULL;
    conn_unpin(c);
    conn_drop_in(c);
    conn_hand(c, &idle_client, NULL);
    c->empty_lines = 0;
    c->in_class = BUF_4K;
    c->full_reads = 0;
    if ((c->eof && c->in == NULL) || ((w->draining || given_up) && !has_asked(c))) {
        client_close(c);
        return;
    }
    if (c->in || conn_readable(c))
        loop_again(&w->loop, &c->stream.io);
    if (unlikely(given_up)) { /* served if that is a request, and at once closed if it is none */
        c->owner = snapshot_pin(w, served);
        conn_wait(c, WAIT_IDLE, WHEEL_TICK_MS);
        return;
    }
    conn_wait(c, WAIT_IDLE, conf(c)->timeouts.idle);
}

void client_drain(struct worker *w)
{
    struct list *n = w->client_conns.next;
    while (n != &w->client_conns) {
        struct conn *c = container_of(n, struct conn, link);
        n = n->next;
        c->user->drain(c, w->draining);
    }
}

/* Waiting for a request at an address that `w->snapshot` does not name, with nothing pinned yet. */
static bool is_given_up(const struct worker *w, const struct conn *c)
{
    return awaits_head(c) && c->owner == NULL && snapshot_listener(w->snapshot, c->at) == NULL;
}

static bool gives_up(const struct snapshot *old, const struct snapshot *newer)
{
    for (u32 i = 0; i < old->nlisteners; i++)
        if (snapshot_listener(newer, old->listeners[i].at) == NULL)
            return true;
    return false;
}

/* Until they are closed they are served, if they ask, by the configuration that knows them. */
void client_adopt(struct worker *w, struct snapshot *old)
{
    struct list *n = w->client_conns.next;
    u32 idle = 0;
    if (!gives_up(old, w->snapshot))
        return;
    while (n != &w->client_conns) {
        struct conn *c = container_of(n, struct conn, link);
        n = n->next;
        if (!is_given_up(w, c))
            continue;
        if (c->user == &client_handshake_user || c->user == &front_user) {
            client_close(c);
            continue;
        }
        c->owner = snapshot_pin(w, old);
        if (!has_begun(c))
            conn_wait(c, WAIT_IDLE, (1 + idle++ / CLOSED_A_TICK) * WHEEL_TICK_MS);
    }
}
