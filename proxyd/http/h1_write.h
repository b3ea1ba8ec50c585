/*
 * HTTP/1.1 onto the wire (RFC 9112). Nobody else writes a head: roles and steps edit struct msg,
 * and what a hop needs of its own (Host, the framing, Connection, Upgrade, TE) is made here from
 * the values in it.
 */
#ifndef HTTP_H1_WRITE_H
#define HTTP_H1_WRITE_H

#include "base/text.h"
#include "http/msg.h"

/* An upper bound of what h1_write_head writes for m. */
static inline size_t h1_head_room(const struct msg *m)
{
    enum { OWN = 256 }; /* version, status, the names of what is written here, CRLFs */
    return m->text_len + m->extra_len + m->nfields + /* perhaps a blank each */
           m->reason.n + m->scheme.n + m->authority.n * 2 + m->path.n + OWN;
}

/* A whole head with its empty line. Returns how the body that follows is to be framed, which the
 * head has announced: a request keeps the framing of m; a response is chunked for whoever speaks
 * 1.1 and was promised no length, and until close for others. With BODY_LENGTH and the method HEAD
 * the length stands there and BODY_NONE comes back. Interim responses, and a 2xx to CONNECT, have
 * neither framing nor Connection. peer_minor and last (no further exchange on this connection) are
 * looked at for responses only. Check out->full. */
enum body_kind h1_write_head(struct text *out, const struct msg *m, u8 peer_minor, bool last);

/* Every field that is not deleted, as "Name: value" CRLF; neither start line nor empty line. Runs
 * of untouched fields are one memcpy. Check out->full. For trailer sections, and TRACE. */
void h1_write_fields(struct text *out, const struct msg *m);
/* "METHOD target HTTP/1.1" CRLF. */
void h1_write_request_line(struct text *out, struct slice method, struct slice target);

#endif
