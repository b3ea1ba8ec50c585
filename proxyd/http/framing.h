/* What the fields of a head say about its body and its connection (RFC 9112 sections 6 and 9.3).
 * For head_parse.c only; everybody else reads the result in struct msg. */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "http/head.h"

/* Both complete m: body, body_len, keep_alive, expect_continue, upgrade_websocket, te_trailers.
 * `twice` has a bit for each token that occurs more than once. Faults are those of a client; the
 * caller renames them for an answer. */
enum fault request_framing(struct msg *m, const u64 twice[2]);
enum fault response_framing(struct msg *m, const u64 twice[2]);

#endif
