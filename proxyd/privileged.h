/*
 * Every bind and every open of a configured path for writing goes through here, so that there is
 * one place where the rights for them are needed. Files that are only read are opened where they
 * are understood, below this: the configuration and what it names at start (config/file.c), the
 * hosts file and resolv.conf at start and whenever they change (io/hosts.c, io/dns_servers.c).
 * Copies of lists are written by list_copy.c, into a folder that is the daemon's own user's.
 */
#ifndef PROXYD_PRIVILEGED_H
#define PROXYD_PRIVILEGED_H

#include "io/sock.h"

/* For appending log lines, mode 0640; -1 with errno. It waits for no reader: ENXIO is a FIFO
 * that nobody reads from, and a full one gives EAGAIN. */
int privileged_open_log(const char *path);
/* As sock_listen and sock_may_listen. */
int privileged_listen(const struct sock_listen *how, int backlog);
bool privileged_may_listen(const struct sock_listen *how);
/* For a path in /run/proxyd: that folder is made if it is missing, and belongs to this user from
 * now on, who makes the socket in it and takes it away. For root; nothing for other paths. */
void privileged_give_folder(const char *path, unsigned uid, unsigned gid);
/* A unix socket that only this user may open (mode 0600, from the first moment); a folder
 * /run/proxyd that is missing is made. -1 with errno. */
struct sockaddr_un;
int privileged_listen_local(const struct sockaddr_un *at);

#endif
