#include "core/conn/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "core/conn/memory_wait.h"
#include "core/common/returning.h"
#include "core/common/snapshot.h"
#include "io/intercept.h"

enum { OUT_MOST = 262144 - sizeof(struct buf) };

/* Connections are a part of the memory limit: what their slab takes from the system, the buffers no
 * longer have. Clients may take a half of it, so that there is something to serve them with. */
static bool room_for_conn(struct worker *w, bool client)
{
    u64 held = w->conns.held + SLAB_BLOCK;
    if (likely(w->conns.free != NULL))
        return true;
    if (held > w->memory / 4 * (client ? 2 : 3))
        return false;
    buf_allocator_resize(&w->bufs, w->memory - held);
    return true;
}

bool conn_affordable(struct worker *w)
{
    return room_for_conn(w, true);
}

static void on_ready(struct io *io)
{
    struct conn *c = container_of(io, struct conn, stream.io);
    stream_event(&c->stream);
    c->user->ready(c);
}

void conn_expired(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    if (c->user->expired)
        c->user->expired(c);
}

static struct conn *make(struct worker *w, int fd, const struct conn_user *user)
{
    bool begins = conn_user_begins(user);
    struct conn *c = room_for_conn(w, begins) ? slab_take(&w->conns) : NULL;
    if (c == NULL)
        return NULL;
    memset(c, 0, sizeof *c);
    c->stream.io.fd = fd;
    c->stream.io.on_ready = on_ready;
    c->stream.ops = &stream_plain;
    c->worker = w;
    c->user = user;
    c->in_class = begins ? BUF_4K : BUF_16K;
    timer_init(&c->timer, TIMER_CONN);
    list_init(&c->link);
    list_init(&c->idle_link);
    return c;
}

struct conn *conn_new(struct worker *w, int fd, const struct addr *peer,
                      const struct conn_user *user)
{
    struct conn *c = make(w, fd, user);
    if (c == NULL) {
        close(fd);
        return NULL;
    }
    c->peer = *peer;
    if (!loop_add(&w->loop, &c->stream.io)) {
        close(fd);
        slab_give(&w->conns, c);
        return NULL;
    }
    return c;
}

struct way_in *conn_intercepted(struct conn *c)
{
    if (c->has_way_in)
        return conn_way_in(c);
    struct way_in *way = calloc(1, sizeof *way);
    if (way == NULL)
        return NULL;
    way->at = *c->at;
    way->listening = c->at;
    (void)intercept_original(c->stream.io.fd, &way->intercepted.original);
    c->at = &way->at;
    c->has_way_in = true;
    return way;
}

void conn_drop_way_in(struct conn *c)
{
    struct way_in *way = conn_way_in(c);
    if (likely(way == NULL))
        return;
    c->at = way->listening;
    c->has_way_in = false;
    free(way);
}

static void free_conn(struct deferred *g, void *context)
{
    struct worker *w = context;
    struct conn *c = container_of(g, struct conn, deferred);
    conn_drop_way_in(c);
    slab_give(&w->conns, c);
}

/* While its descriptor lives. */
static void forget_returning(struct conn *c)
{
    struct addr own;
    if (unlikely(c->may_return) && conn_local(c, &own))
        returning_forget(&own, &c->peer);
}

static void dismantle(struct conn *c)
{
    struct worker *w = c->worker;
    timer_clear(&w->loop.wheel, &c->timer);
    if (unlikely(w->recheck_at == &c->link))
        w->recheck_at = c->link.next;
    list_remove(&c->link);
    list_remove(&c->idle_link);
    stream_close(&c->stream);
    conn_unpin(c);
    buf_give(&w->bufs, &c->in);
    buf_give(&w->bufs, &c->out);
    loop_defer(&w->loop, &c->deferred, free_conn);
}

void conn_close(struct conn *c)
{
    forget_returning(c);
    loop_close(&c->worker->loop, &c->stream.io);
    dismantle(c);
}

/* Unregistered by hand: a descriptor that lives on keeps its place in the epoll set. */
int conn_release(struct conn *c)
{
    int fd = c->stream.io.fd;
    forget_returning(c);
    loop_remove(&c->worker->loop, &c->stream.io);
    c->stream.io.fd = -1;
    dismantle(c);
    return fd;
}

int conn_error(const struct conn *c)
{
    return sock_connect_error(c->stream.io.fd);
}

bool conn_local(const struct conn *c, struct addr *local)
{
    return sock_local(c->stream.io.fd, local);
}

bool conn_is_quiet(struct conn *c)
{
    u8 ready = c->stream.io.ready;
    if (likely(c->stream.top == NULL) || (ready & (IO_HUP | IO_ERROR)))
        return !(ready & (IO_IN | IO_HUP | IO_ERROR));
    return stream_pending(&c->stream) == 0 && stream_quiet(&c->stream) == SOCK_AGAIN;
}

void conn_drop_in(struct conn *c)
{
    if (c->in == NULL || c->in->from != c->in->to)
        return;
    if (c->in == c->pin)
        c->in = NULL;
    else
        buf_give(&c->worker->bufs, &c->in);
}

void conn_unpin(struct conn *c)
{
    if (c->pin == c->in)
        c->pin = NULL;
    else
        buf_give(&c->worker->bufs, &c->pin);
}

/* Another buffer with the same live bytes; false over budget. A pinned one stays with its pin. */
static bool replace(struct conn *c, struct buf **b, enum buf_class klass, enum buf_use use)
{
    struct buf *bigger = buf_take_for(&c->worker->bufs, klass, use);
    if (bigger == NULL)
        return false;
    if (*b) {
        bigger->to = buf_len(*b);
        memcpy(bigger->data, (*b)->data + (*b)->from, bigger->to);
        if (*b != c->pin)
            buf_give(&c->worker->bufs, b);
    }
    *b = bigger;
    return true;
}

/* Of the class that the flow has earned, or, when memory is short, a smaller one that holds what is
 * there. */
static bool take_in(struct conn *c)
{
    unsigned least = c->in ? c->in->klass : BUF_4K,
             klass = c->in_class > least ? c->in_class : least;
    while (!replace(c, &c->in, klass, c->user->reads))
        if (klass-- == least)
            return false;
    return true;
}

/* Makes c->in ready to receive: an empty one starts at the front; one that was filled twice in a
 * row is promoted, because bulk depends on the read size more than on anything else (16 kB reads
 * cost 1.3 s/GB, 256 kB 0.55). */
static bool ready_in(struct conn *c)
{
    c->refilled = true;
    if (c->in == NULL || c->in == c->pin)
        return take_in(c);
    if (c->in->from == c->in->to) {
        c->in->from = c->in->to = 0;
        if (c->in->klass != c->in_class)
            (void)replace(c, &c->in, c->in_class, c->user->reads);
        return true;
    }
    if (buf_room(c->in) > 0)
        return true;
    if (c->in->from > 0) {
        buf_compact(c->in);
        return true;
    }
    return c->in->klass + 1 < BUF_CLASSES && replace(c, &c->in, c->in->klass + 1, c->user->reads);
}

static void note_read_size(struct conn *c, size_t asked, size_t got)
{
    if (got < asked) {
        c->full_reads = 0;
        return;
    }
    if (++c->full_reads >= 2 && c->in_class + 1 < BUF_CLASSES) {
        c->in_class++;
        c->full_reads = 0;
    }
}

enum sock_result conn_fill(struct conn *c)
{
    if (unlikely(!ready_in(c))) {
        memory_wait(c->worker, c);
        return SOCK_AGAIN;
    }
    c->awaits_memory = false;
    size_t room = buf_room(c->in), got = 0;
    enum sock_result r = stream_recv(&c->stream, c->in->data + c->in->to, room, &got);
    switch (r) {
    case SOCK_OK:
        c->in->to += (u32)got;
        c->bytes_in += got;
        note_read_size(c, room, got);
        return SOCK_OK;
    case SOCK_END: c->eof = true; break;
    case SOCK_ERROR: c->read_failed = true; break;
    case SOCK_AGAIN: break;
    }
    conn_drop_in(c);
    return r;
}

static unsigned pieces(const struct conn *c, struct slice more, struct iovec v[2])
{
    unsigned n = 0;
    if (c->out && buf_len(c->out))
        v[n++] = (struct iovec){ c->out->data + c->out->from, buf_len(c->out) };
    if (more.n)
        v[n++] = (struct iovec){ (void *)more.p, more.n };
    return n;
}

/* Of what went c->out was the first; how much was of what stands behind it. */
static size_t count_sent(struct conn *c, size_t sent)
{
    size_t of_out = c->out ? buf_len(c->out) : 0;
    if (of_out > sent)
        of_out = sent;
    if (c->out)
        c->out->from += (u32)of_out;
    c->bytes_out += sent;
    return sent - of_out;
}

enum sock_result conn_send(struct conn *c, struct slice more, size_t *taken)
{
    *taken = 0;
    for (;;) {
        struct iovec v[2];
        unsigned n = pieces(c, slice_skip(more, *taken), v);
        if (n == 0)
            break;
        if (!(c->stream.io.ready & IO_OUT))
            return SOCK_AGAIN;
        size_t sent = 0;
        enum sock_result r = stream_sendv(&c->stream, v, n, &sent);
        if (r != SOCK_OK) {
            c->write_failed = r == SOCK_ERROR;
            return r;
        }
        *taken += count_sent(c, sent);
    }
    buf_give(&c->worker->bufs, &c->out);
    return SOCK_OK;
}

enum sock_result conn_send_file(struct conn *c, const struct extent *e, size_t *taken)
{
    *taken = 0;
    while (*taken < e->n) {
        struct extent rest = extent_skip(*e, *taken);
        size_t sent = 0;
        if (!(c->stream.io.ready & IO_OUT))
            return SOCK_AGAIN;
        enum sock_result r =
            stream_sendfile(&c->stream, c->out ? buf_live(c->out) : SLICE(""), &rest, &sent);
        if (r != SOCK_OK) {
            c->write_failed = r == SOCK_ERROR;
            return r;
        }
        *taken += count_sent(c, sent);
        if (c->out && buf_len(c->out) == 0)
            buf_give(&c->worker->bufs, &c->out);
    }
    return SOCK_OK;
}

/* What is unsent and n more are too much for any buffer: it has to go out first. Of a dead
 * connection nobody misses it. */
static bool send_first(struct conn *c, size_t n)
{
    if (n + buf_len(c->out) <= OUT_MOST)
        return true;
    if (conn_flush(c) == SOCK_ERROR)
        buf_give(&c->worker->bufs, &c->out);
    return c->out == NULL || n + buf_len(c->out) <= OUT_MOST;
}

bool conn_room(struct conn *c, size_t n, struct text *t)
{
    if (c->out && unlikely(!send_first(c, n)))
        return false;
    if (c->out == NULL || buf_room(c->out) < n) {
        size_t need = n + (c->out ? buf_len(c->out) : 0);
        enum buf_class klass = BUF_4K;
        while (klass < BUF_256K && (4096u << (2 * klass)) - sizeof(struct buf) < need)
            klass++;
        if (unlikely(!replace(c, &c->out, klass, BUF_FOR_SENDING))) {
            memory_wait(c->worker, c);
            return false;
        }
        c->awaits_memory = false;
    }
    *t = text_in(c->out->data + c->out->to, buf_room(c->out));
    return true;
}
