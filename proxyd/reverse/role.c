/* Which functions and stages make a reverse listener, in order. Read it beside forward/role.c. */
#include "reverse/role.h"

#include "reverse/dress.h"
#include "reverse/greet.h"
#include "reverse/where.h"
#include "reverse/who.h"

static const struct stage who = { "noting who the client is", reverse_who };

static const struct stage *const request_stages[] = { NULL };
static const struct stage *const response_stages[] = { NULL };

const struct role reverse_role = {
    .name = "reverse",
    .greet = reverse_greet,
    .who = &who,
    .request_stages = request_stages,
    .response_stages = response_stages,
    .where = reverse_where,
    .vet = NULL, /* servers are configured, hence trusted */
    .to_upstream = reverse_to_upstream,
    .to_client = reverse_to_client,
    .outcome = NULL,
    .refuse = reverse_refuse,
};
