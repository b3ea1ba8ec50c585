/* The commands that ask a running proxyd by its control socket. */
#ifndef PROXYD_CTL_H
#define PROXYD_CTL_H

#include "base/slice.h"
#include "base/types.h"

/* Sends `method path`, with `?arg=argument` where that is not empty, to the proxyd that listens at
 * `socket`, or at the default path when that is NULL. What it says goes to stdout when it was done,
 * else to stderr. `command` is how the user calls this, for complaints. Returns an exit code. */
int ctl_ask(const char *command, const char *socket, const char *method, const char *path,
            struct slice argument);
/* The same, but what it says is *text, the caller's to free, whatever the status, which is
 * returned. 0: nobody answered, and stderr says so. */
unsigned ctl_get(const char *command, const char *socket, const char *method, const char *path,
                 struct slice argument, char **text);

#endif
