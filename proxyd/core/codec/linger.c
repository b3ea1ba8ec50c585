/*
 * After the last answer: what the client still sends is read for a while and thrown away, because
 * closing over unread bytes sends a reset, and that may destroy the answer.
 */
#include "core/codec/server.h"

enum { LINGER_MS = 1000, LINGER_BYTES = 1 << 20 };

static void read_linger(struct conn *c)
{
    u64 start = c->bytes_in;
    while (conn_readable(c) && c->bytes_in - start < LINGER_BYTES) {
        if (conn_fill(c) == SOCK_AGAIN)
            break;
        if (c->in)
            c->in->from = c->in->to;
    }
    conn_drop_in(c);
    if (c->eof || c->read_failed)
        client_close(c);
    else if (conn_readable(c) && !c->awaits_memory)
        loop_again(&c->worker->loop, &c->stream.io);
}

static void linger_drain(struct conn *c, enum drain_state how)
{
    if (how == DRAIN_NOW)
        client_close(c);
}

static const struct conn_user lingering = { "lingering", read_linger, client_close, linger_drain,
                                            BUF_FOR_READING };

void h1_linger(struct conn *c)
{
    conn_unpin(c);
    if (c->in)
        c->in->from = c->in->to;
    conn_drop_in(c);
    if (c->eof || c->read_failed || c->worker->draining == DRAIN_NOW) {
        client_close(c);
        return;
    }
    (void)stream_shutdown(&c->stream); /* what does not go now is not waited for */
    conn_hand(c, &lingering, NULL);
    conn_wait(c, WAIT_LINGER, LINGER_MS);
    if (conn_readable(c))
        loop_again(&c->worker->loop, &c->stream.io);
}
