/*
 * The control socket: HTTP on a unix socket that only the user of the daemon may open (mode 0600),
 * for `proxyd reload` and `proxyd ctl`. libmicrohttpd speaks the HTTP.
 *
 * A command may take its time (a reload reads files, a fetch waits for an origin), so each
 * connection has a thread of its own, and no more than 16 are served at once.
 *
 * Lifetime: control_start … control_stop, both on the main thread. control_stop waits for the
 * commands that run, so what they wait for has to be ended before.
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include "base/slice.h"
#include "base/types.h"

struct control_answer {
    unsigned status; /* HTTP's: 200 done; 4xx, 5xx not done, and the text says why */
    char *text;      /* malloc'd lines for people; taken over. NULL: none */
    int caller;      /* given: its socket. POLLHUP there says that nobody waits for the answer */
};

/* One command. `run` is called on a thread of its connection and may block. `argument` is what
 * stands behind `?arg=` in the URL, %XX decoded; empty: there was none. */
struct control_command {
    const char *method, *path; /* "POST", "/reload" */
    void (*run)(void *self, struct slice argument, struct control_answer *answer);
};

struct control;

/* Answers on fd, a listening unix socket that it takes over. `commands` end with a NULL path;
 * `self` is handed to them. NULL: `error` (of n bytes) says why. */
struct control *control_start(int fd, const struct control_command *commands, void *self,
                              char *error, size_t n);
/* NULL is fine. */
void control_stop(struct control *c);

#endif
