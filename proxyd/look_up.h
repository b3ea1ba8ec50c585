/* Look-ups of a command that has no worker: the daemon's resolver on a loop of its own. */
#ifndef PROXYD_LOOK_UP_H
#define PROXYD_LOOK_UP_H

#include "core/conf.h"
#include "forecast.h"

/* How the engine's resolver is set up by the configuration; make_room is left to the caller. */
struct dns_conf_io look_up_conf(const struct dns_conf *c);

struct looking_up;

/* NULL: the resolver cannot start. */
struct looking_up *look_up_open(const struct dns_conf *c, struct lookup *out);
/* NULL is fine. */
void look_up_close(struct looking_up *l);

#endif
