/*
 * An answer as it comes: its head, then a body by length, in chunks or to the end of the
 * connection. The hard thing is to cost less than what is measured: a body is thrown away by the
 * kernel where no TLS is in between (MSG_TRUNC), and a bulk run leaves the thread to the next
 * stream after each piece.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* What a piece of an answer leads to. */
enum after { MORE, SHARE, DONE }; /* read on; read on when others had their turn; nothing more */

static char sink[1 << 16];

static const char *header(const char *h, const char *end, const char *name)
{
    size_t n = strlen(name);
    while ((h = memchr(h, '\n', end - h)) && ++h < end)
        if ((size_t)(end - h) > n && (*h | 32) == (*name | 32) && !strncasecmp(h, name, n) &&
            h[n] == ':') {
            for (h += n + 1; *h == ' '; h++)
                ;
            return h;
        }
    return NULL;
}

/* consume chunked framing; 1 when the body has ended */
static int chunks(struct conn *c)
{
    unsigned i = 0;
    int end = 0;
    while (i < c->have && !end) {
        if (c->chunk == 1) {
            uint64_t n = c->have - i < c->left ? c->have - i : c->left;
            bytes += n;
            c->left -= n;
            i += n;
            if (!c->left)
                c->chunk = 0;
            continue;
        }
        char *nl = memchr(c->in + i, '\n', c->have - i);
        if (!nl)
            break;
        unsigned len = nl + 1 - (c->in + i);
        if (c->chunk == 2) {
            end = len <= 2;
        } else if (len > 2) {
            c->left = strtoull(c->in + i, NULL, 16);
            c->chunk = c->left ? 1 : 2;
        } /* else: the line end after a chunk */
        i += len;
    }
    memmove(c->in, c->in + i, c->have - i);
    c->have -= i;
    return end;
}

static ssize_t receive(struct conn *c)
{
    if (c->state == BODY && !c->ssl) /* let the kernel throw it away */
        return recv(c->fd, NULL, c->left > 1 << 20 ? 1 << 20 : c->left, MSG_TRUNC);
    if (c->state == BODY || c->state == TOEOF)
        return rd(c, sink, sizeof sink);
    return rd(c, c->in + c->have, IN - c->have);
}

/* An idle connection that was closed under us: not the proxy's fault. */
static int closed_idle(const struct conn *c)
{
    return mode == HTTP && !c->fresh && c->state == ANSWER && !c->have;
}

static void no_bytes(struct conn *c, ssize_t n)
{
    int e = n < 0 ? errno : -1;
    if (n == 0 && c->state == TOEOF) {
        c->close_after = 1;
        finished(c);
    } else if (closed_idle(c)) {
        reconn++;
        stop(c);
        if (n < 0 || !quitting)
            start(c);
    } else if (n == 0 && mode == BULK && quitting) {
        stop(c);
    } else {
        fail(c, e);
    }
}

static enum after finish(struct conn *c)
{
    finished(c);
    return DONE;
}

static enum after in_tunnel(struct conn *c, int code)
{
    if (code == 200) {
        request(c);
    } else {
        bad++;
        last_bad = code;
        fail(c, EPROTO);
    }
    return DONE;
}

/* The body's bytes that came with the head begin at e. */
static enum after body_begins(struct conn *c, char *e)
{
    const char *cl = header(c->in, e, "content-length");
    unsigned rest = c->have - (e - c->in);
    if (cl) {
        c->left = strtoull(cl, NULL, 10);
        if (rest > c->left)
            rest = c->left;
        bytes += rest;
        c->left -= rest;
        c->state = BODY;
        if (!c->left)
            return finish(c);
    } else if (header(c->in, e, "transfer-encoding")) {
        memmove(c->in, e, rest);
        c->have = rest;
        c->chunk = 0;
        c->state = CHUNKED;
        if (chunks(c))
            return finish(c);
    } else {
        bytes += rest;
        c->state = TOEOF;
    }
    /* mostly nothing more is there yet, except in a bulk run */
    return c->state == BODY && !c->ssl && c->left < 65536 ? MORE : SHARE;
}

static enum after in_head(struct conn *c, ssize_t n)
{
    c->have += n;
    char *e = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!e && c->have == IN) {
        fail(c, EMSGSIZE);
        return DONE;
    }
    if (!e)
        return MORE;
    e += 4;
    int code = c->have > 12 ? atoi(c->in + 9) : 0;
    if (code == 100) {
        memmove(c->in, e, c->have - (e - c->in));
        c->have -= e - c->in;
        return MORE;
    }
    if (c->state == TUNNEL)
        return in_tunnel(c, code);
    if (code != expect) {
        bad++;
        last_bad = code;
    }
    const char *co = header(c->in, e, "connection");
    c->close_after = (co && !strncasecmp(co, "close", 5)) || (c->in[7] == '0' && !co);
    return body_begins(c, e);
}

static enum after take(struct conn *c, ssize_t n)
{
    switch (c->state) {
    case BODY:
        bytes += n;
        c->left -= n;
        return c->left ? SHARE : finish(c);
    case TOEOF: bytes += n; return SHARE;
    case CHUNKED: c->have += n; return chunks(c) ? finish(c) : SHARE;
    default: return in_head(c, n);
    }
}

void input(struct conn *c)
{
    if (c->state == RESTING) {
        if (rd(c, sink, sizeof sink) == 0) {
            opened--;
            fail(c, -2);
        }
        return;
    }
    for (;;) {
        ssize_t n = receive(c);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            no_bytes(c, n);
            return;
        }
        enum after then = take(c, n);
        if (then == DONE || (then == SHARE && mode == BULK && !c->ssl))
            return;
    }
}
