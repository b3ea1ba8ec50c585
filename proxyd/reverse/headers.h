/* What do the heads look like on each side? */
#ifndef REVERSE_HEADERS_H
#define REVERSE_HEADERS_H

#include "core/exchange/role.h"
#include "http/msg.h"

bool reverse_edit_request(struct xchg *x);
bool reverse_address_request(struct xchg *x);
bool reverse_edit_response(struct xchg *x);
void reverse_refuse(struct xchg *x, struct msg *resp, struct refusal *r);

#endif
