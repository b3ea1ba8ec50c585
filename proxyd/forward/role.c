/* Which functions and stages make a forward listener, in order. Read it beside reverse/role.c. */
#include "forward/role.h"

#include "forward/headers.h"
#include "forward/detect.h"
#include "forward/sni.h"
#include "forward/where.h"
#include "forward/own.h"
#include "forward/auth.h"
#include "forward/identity.h"

static const struct stage who = { .name = "checking the client's address",
                                  .run = forward_identity };
static const struct stage own = { .name = "answering for the proxy itself", .run = forward_own };
static const struct stage rules = { .name = "asking the policy's rules", .run = forward_rules };
static const struct stage where = { .name = "finding the destination", .run = forward_where };

static const struct stage proof = { .name = "comparing name and password",
                                    .run = forward_auth,
                                    .resume = forward_auth_resume,
                                    .cancel = auth_check_cancel };

static const struct stage *const request_stages[] = { &own, &proof, &rules, NULL };
static const struct stage answer = { .name = "asking the policy's rules about the answer",
                                     .run = forward_judge };
static const struct stage *const response_stages[] = { &answer, NULL };

const struct role forward_role = {
    .name = "forward",
    .explains = true,
    .detect = forward_detect,
    .who = &who,
    .request_stages = request_stages,
    .response_stages = response_stages,
    .where = &where,
    .next = forward_next,
    .caching = forward_caching,
    .alters = forward_alters,
    .vet = forward_vet,
    .inspect = forward_inspect,
    .recheck = forward_recheck,
    .edit_request = forward_edit_request,
    .address_request = forward_address_request,
    .edit_response = forward_edit_response,
    .refuse = forward_refuse,
};
