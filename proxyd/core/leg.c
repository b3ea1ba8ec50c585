#include "core/leg.h"

#include "base/must.h"
#include "http/h1_write.h"

/* Up to here a copy is cheaper than a second iovec and a second buffer's cache lines. */
enum { COPY_MOST = 4000 };

void leg_expect_body(struct leg *l, enum body_kind kind, u64 length)
{
    memset(&l->in, 0, sizeof l->in);
    l->in.kind = (u8)kind;
    l->in.left = length;
    bool none = kind == BODY_NONE || (kind == BODY_LENGTH && length == 0);
    l->in.phase = none ? BODY_DONE : BODY_DATA;
}

void leg_announce_body(struct leg *l, enum body_kind kind, u64 length)
{
    l->out = (struct body_out){ .left = kind == BODY_LENGTH ? length : 0, .kind = (u8)kind };
}

static enum body_result read_trailers(struct leg *l, const struct body_rules *rules,
                                      enum fault *fault)
{
    struct conn *c = l->conn;
    if (c->in == NULL || buf_len(c->in) == 0)
        return BODY_MORE;
    struct slice live = buf_live(c->in);
    if (live.n >= 2 && live.p[0] == '\r' && live.p[1] == '\n') { /* no trailers: nearly always */
        c->in->from += 2;
        l->in.phase = BODY_DONE;
        return BODY_END;
    }
    if (live.n < 2 && live.p[0] == '\r')
        return BODY_MORE;
    u32 n = rules->response
                ? head_scan_answer(&l->in.scan, live.p, (u32)live.n, rules->limits, false, fault)
                : head_scan(&l->in.scan, live.p, (u32)live.n, rules->limits, fault);
    if (*fault != FAULT_NONE) {
        *fault = FAULT_bad_trailer;
        return BODY_FAULT;
    }
    if (n == 0)
        return BODY_MORE;
    *fault = trailer_parse(rules->trailers, live.p, n, rules->limits, rules->response);
    if (*fault != FAULT_NONE)
        return BODY_FAULT;
    c->in->from += n;
    l->repairs |= rules->trailers->repairs;
    l->in.phase = BODY_DONE;
    return BODY_END;
}

static enum body_result chunks_over(struct leg *l, const struct body_rules *rules,
                                    enum fault *fault)
{
    if (unlikely(l->in.chunk.blanks))
        l->repairs |= repair_bit(REPAIR_chunk_blanks);
    l->in.phase = BODY_TRAILERS;
    return read_trailers(l, rules, fault);
}

static enum body_result next_chunk(struct leg *l, const struct body_rules *rules, struct slice *run,
                                   enum fault *fault)
{
    if (l->in.phase == BODY_TRAILERS)
        return read_trailers(l, rules, fault);
    struct conn *c = l->conn;
    if (c->in == NULL)
        return BODY_MORE;
    struct slice live = buf_live(c->in);
    size_t used = 0;
    l->in.chunk.answer = rules->response;
    enum chunk_result r = chunk_decode(&l->in.chunk, live.p, live.n, &used, run);
    c->in->from += (u32)used;
    switch (r) {
    case CHUNK_DATA: return BODY_RUN;
    case CHUNK_LAST: return chunks_over(l, rules, fault);
    case CHUNK_BAD: *fault = FAULT_bad_chunk; return BODY_FAULT;
    case CHUNK_MORE: break;
    }
    return BODY_MORE;
}

enum body_result leg_next(struct leg *l, const struct body_rules *rules, struct slice *run,
                          enum fault *fault)
{
    *fault = FAULT_NONE;
    if (l->in.phase == BODY_DONE)
        return BODY_END;
    if (l->in.kind == BODY_CHUNKED)
        return next_chunk(l, rules, run, fault);
    if (l->conn->in == NULL || buf_len(l->conn->in) == 0)
        return BODY_MORE;
    *run = buf_live(l->conn->in);
    if (l->in.kind == BODY_LENGTH && run->n > l->in.left)
        run->n = l->in.left;
    return BODY_RUN;
}

void leg_took(struct leg *l, size_t n)
{
    l->conn->in->from += (u32)n;
    l->in.total += n;
    if (l->in.kind == BODY_CHUNKED) {
        chunk_took(&l->in.chunk, n);
    } else if (l->in.kind == BODY_LENGTH) {
        l->in.left -= n;
        if (l->in.left == 0)
            l->in.phase = BODY_DONE;
    }
}

enum body_result leg_ended(struct leg *l)
{
    if (l->in.phase == BODY_DONE)
        return BODY_END;
    if (l->in.kind != BODY_UNTIL_CLOSE)
        return BODY_FAULT;
    l->in.phase = BODY_DONE;
    return BODY_END;
}

/* Opens a chunk that covers the whole run; it stays open until the run has gone, however many
 * calls that takes. */
static bool open_chunk(struct leg *l, struct slice run)
{
    struct text t;
    if (!conn_room(l->conn, 20, &t))
        return false;
    t.n = chunk_header(t.p, run.n);
    conn_wrote(l->conn, &t);
    l->out.left = run.n;
    l->out.open = true;
    return true;
}

/* When there is no room for two bytes they stay owed until the next call. */
static bool close_chunk(struct leg *l)
{
    struct text t;
    if (!l->out.open || l->out.left)
        return true;
    if (!conn_room(l->conn, 2, &t))
        return false;
    text_lit(&t, "\r\n");
    conn_wrote(l->conn, &t);
    l->out.open = false;
    return true;
}

static void account(struct leg *l, size_t n)
{
    l->out.total += n;
    if (l->out.kind != BODY_UNTIL_CLOSE)
        l->out.left -= n;
}

/* Small and there is room beside what waits: one call will take all of it. */
static bool copy_behind(struct leg *l, struct slice run)
{
    struct text t;
    u32 waiting = l->conn->out ? buf_len(l->conn->out) : 0;
    if (run.n + waiting > COPY_MOST || !conn_room(l->conn, run.n, &t))
        return false;
    text_add(&t, run);
    conn_wrote(l->conn, &t);
    return true;
}

enum sock_result leg_write(struct leg *l, struct slice run, size_t *taken)
{
    *taken = 0;
    if (l->out.kind == BODY_CHUNKED && l->out.left == 0 && (!close_chunk(l) || !open_chunk(l, run)))
        return SOCK_AGAIN;
    if (l->out.kind != BODY_UNTIL_CLOSE && run.n > l->out.left)
        run.n = l->out.left;
    enum sock_result r = SOCK_OK;
    if (copy_behind(l, run))
        *taken = run.n;
    else
        r = conn_send(l->conn, run, taken);
    account(l, *taken);
    if (l->out.kind == BODY_CHUNKED && r == SOCK_OK && !close_chunk(l))
        return SOCK_AGAIN;
    return r;
}

static bool write_end(struct leg *l, const struct msg *trailers)
{
    struct text t;
    size_t need = 8;
    for (u32 i = 0; trailers && i < trailers->nfields; i++)
        need += trailers->fields[i].nlen + trailers->fields[i].vlen + 4u;
    if (!conn_room(l->conn, need, &t))
        return false;
    text_lit(&t, "0\r\n");
    if (trailers)
        h1_write_fields(&t, trailers);
    text_lit(&t, "\r\n");
    must(!t.full);
    conn_wrote(l->conn, &t);
    return true;
}

enum sock_result leg_finish(struct leg *l, const struct msg *trailers)
{
    if (!l->out.done) {
        if (l->out.kind == BODY_CHUNKED && (!close_chunk(l) || !write_end(l, trailers)))
            return SOCK_AGAIN;
        l->out.done = true;
    }
    return conn_flush(l->conn);
}
