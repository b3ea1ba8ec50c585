/* Which functions and stages make a forward listener, in order. Read it beside reverse/role.c. */
#include "forward/role.h"

#include "forward/headers.h"
#include "forward/detect.h"
#include "forward/where.h"
#include "forward/identity.h"

static const struct stage who = { "checking the client's address", forward_identity };
static const struct stage own = { "answering for the proxy itself", forward_local };
static const struct stage rules = { "asking the policy's rules", forward_rules };

static const struct stage *const request_stages[] = { &own, &rules, NULL };
static const struct stage *const response_stages[] = { NULL };

const struct role forward_role = {
    .name = "forward",
    .detect = forward_detect,
    .who = &who,
    .request_stages = request_stages,
    .response_stages = response_stages,
    .where = forward_where,
    .vet = forward_vet,
    .recheck = forward_recheck,
    .edit_request = forward_edit_request,
    .address_request = forward_address_request,
    .edit_response = forward_edit_response,
    .outcome = NULL, /* the client chose the destination: its health is the client's business */
    .refuse = forward_refuse,
};
