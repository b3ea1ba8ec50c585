/*
 * Where the control socket is, and its two ends: the daemon listens there, `proxyd reload`
 * connects. Both use the same default, so that neither needs a word about it.
 */
#ifndef PROXYD_CONTROL_SOCKET_H
#define PROXYD_CONTROL_SOCKET_H

#include "base/types.h"

enum { CONTROL_PATH = 108 }; /* bytes of a path that a unix socket takes, its NUL included */

/* The path without `control`: $RUNTIME_DIRECTORY/control.sock (systemd), else for root
 * /run/proxyd/control.sock, else $XDG_RUNTIME_DIR/proxyd.sock. False: none of them is to be had. */
bool control_default(char path[CONTROL_PATH]);

/* Listens there, mode 0600; a socket that nobody answers any more is replaced. -1 with errno:
 * EADDRINUSE when another process answers, EEXIST when the path is no socket, ENAMETOOLONG. */
int control_listen(const char *path);
/* Takes the path away; for who listens there. */
void control_unlink(const char *path);

/* Connected to the daemon that listens there; -1 with errno. */
int control_connect(const char *path);

#endif
