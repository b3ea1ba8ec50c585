/* A listener's script outside of the process that serves it, for commands and tests. */
#ifndef PROXYD_PAC_OFFLINE_H
#define PROXYD_PAC_OFFLINE_H

#include "core/common/snapshot.h"
#include "io/hosts.h"
#include "pac/engine.h"

/* As a client would get it that has reached the listener by its address, and by 127.0.0.1 or [::1]
 * where that is a wildcard; in the arena. */
struct slice pac_offline_script(const struct listener *l, const struct addr *client,
                                struct arena *a);

/* Where names lead: what is given as HOST=ADDRESS[,…] (NULL: nothing), then a hosts file (NULL:
 * none), and nowhere else. For pac_world.lookup, with this as its ctx. */
struct pac_names {
    const char *const *given;
    u32 ngiven;
    const struct hosts *hosts;
};
bool pac_offline_lookup(void *names, struct slice name, struct addr *out);

#endif
