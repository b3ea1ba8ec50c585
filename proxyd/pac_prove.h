/* `proxyd pac prove`: do script and policy agree about every host that they can tell apart? */
#ifndef PROXYD_PAC_PROVE_H
#define PROXYD_PAC_PROVE_H

#include <stdio.h>

#include "config/tree.h"
#include "core/common/snapshot.h"

struct pac_proof {
    u32 hosts, clients, differences;
    u32 by_address;     /* answers of the policy that depend on where a name leads */
    const char *failed; /* why nothing is proved; NULL: it is */
};

/* Of a listener of mode forward in a configuration without errors; writes each difference as it is
 * found. client NULL: one of each network that the script or the policy knows. */
struct pac_proof pac_prove(const struct tree *t, const struct snapshot *s, const struct listener *l,
                           const struct addr *client, FILE *to);

#endif
