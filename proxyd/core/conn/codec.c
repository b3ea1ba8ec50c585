#include "core/conn/codec.h"

#include "core/conn/conn.h"

const struct codec *codec_of(const struct conn *c)
{
    const struct codec *const *known = c->worker->codecs;
    if (likely(c->stream.top == NULL))
        return *known;
    const struct peer_identity *peer = stream_identity(&c->stream);
    if (peer == NULL || peer->alpn.n == 0)
        return *known;
    while (*known && !slice_is(peer->alpn, (*known)->alpn))
        known++;
    return *known;
}

bool codec_attach_idle(struct worker *w, struct target *t, const struct idle_want *want,
                       u32 *rested, struct addr *server, struct leg *l)
{
    struct conn *c = idle_take(w, t, want, rested);
    if (c == NULL)
        return false;
    *server = c->peer;
    codec_of(c)->attach(c, t, l);
    return true;
}

bool codec_attach(const struct dial_result *r, struct target *t, struct leg *l)
{
    const struct codec *codec = codec_of(r->conn);
    if (codec)
        codec->attach(r->conn, t, l);
    else
        conn_close(r->conn);
    return codec != NULL;
}
