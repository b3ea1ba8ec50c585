/* Which functions and stages make a reverse listener, in order. Read it beside forward/role.c. */
#include "reverse/role.h"

#include "reverse/balance.h"
#include "reverse/headers.h"
#include "reverse/detect.h"
#include "reverse/where.h"
#include "reverse/identity.h"

static const struct stage who = { .name = "noting who the client is", .run = reverse_identity };
static const struct stage where = { .name = "choosing a server", .run = reverse_where };

static const struct stage *const request_stages[] = { NULL };
static const struct stage *const response_stages[] = { NULL };

const struct role reverse_role = {
    .name = "reverse",
    .detect = reverse_detect,
    .who = &who,
    .request_stages = request_stages,
    .response_stages = response_stages,
    .where = &where,
    .store = reverse_store,
    .caching = reverse_caching,
    .next = balance_next,
    .vet = NULL, /* servers are configured, hence trusted */
    .edit_request = reverse_edit_request,
    .address_request = reverse_address_request,
    .edit_response = reverse_edit_response,
    .refuse = reverse_refuse,
};
