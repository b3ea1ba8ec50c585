/* What do the heads look like on each side? */
#ifndef FORWARD_HEADERS_H
#define FORWARD_HEADERS_H

#include "core/exchange/role.h"
#include "http/msg.h"

bool forward_edit_request(struct xchg *x);
bool forward_address_request(struct xchg *x);
bool forward_edit_response(struct xchg *x);
void forward_refuse(struct xchg *x, struct msg *resp, struct refusal *r);

#endif
