/* Two steps through /proc: the socket's inode from the table of TCP sockets, then the process
 * that has it open. */
#include "holder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LISTEN_STATE = 0x0a };

/* Is this line of the table a listening socket on that port? Then its inode, else 0. The columns:
 * number, local ADDRESS:PORT in hex, remote, state, queues, timers, retransmits, user, timeout,
 * inode. */
static unsigned long inode_of_line(const char *line, unsigned port)
{
    char local[80], state[8], inode[32];
    if (sscanf(line, "%*s %79s %*s %7s %*s %*s %*s %*s %*s %31s", local, state, inode) != 3)
        return 0;
    const char *colon = strrchr(local, ':');
    if (colon == NULL || strtoul(colon + 1, NULL, 16) != port ||
        strtoul(state, NULL, 16) != LISTEN_STATE)
        return 0;
    return strtoul(inode, NULL, 10);
}

/* Inode of a listening socket on that port in one of the kernel's tables, 0: none. */
static unsigned long listening_inode(const char *table, unsigned port)
{
    char line[512];
    unsigned long found = 0;
    FILE *f = fopen(table, "re");
    if (f == NULL)
        return 0;
    while (!found && fgets(line, sizeof line, f))
        found = inode_of_line(line, port);
    fclose(f);
    return found;
}

static bool has_open(const char *pid, const char *wanted)
{
    char path[300], link[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *d = opendir(path);
    if (d == NULL)
        return false;
    for (struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);
        if (n > 0) {
            link[n] = 0;
            found = strcmp(link, wanted) == 0;
        }
    }
    closedir(d);
    return found;
}

static void name_process(const char *pid, struct text *out)
{
    char path[300], name[64] = "";
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fgets(name, sizeof name, f))
            name[strcspn(name, "\n")] = 0;
        fclose(f);
    }
    text_fmt(out, "%s (process %s)", name[0] ? name : "a program", pid);
}

bool holder_of(const struct addr *a, struct text *out)
{
    char wanted[64];
    unsigned long inode = listening_inode("/proc/net/tcp", a->port);
    if (inode == 0)
        inode = listening_inode("/proc/net/tcp6", a->port);
    DIR *d = inode ? opendir("/proc") : NULL;
    if (d == NULL)
        return false;
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(d)) != NULL;)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && has_open(e->d_name, wanted)) {
            name_process(e->d_name, out);
            found = true;
        }
    closedir(d);
    return found;
}

void holder_complain(const struct addr *a, struct slice said, int error, struct text *out)
{
    text_fmt(out, "cannot listen on %.*s: %s", SLICE_FMT(said), strerror(error));
    if (error != EADDRINUSE)
        return;
    struct text holder = text_in(out->p + out->n, out->cap - out->n);
    text_lit(&holder, ", held by ");
    if (holder_of(a, &holder))
        out->n += holder.n;
}
