/* Two steps through /proc: the socket's inode from the table of TCP sockets, then the process
 * that has it open. */
#include "port_owner.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "engine_conf.h"

enum { LISTEN_STATE = 0x0a, LEAST_FREE_PORT = 1024 };

/* Reads so many hex digits at *text, and goes behind them. */
static bool read_hex(const char **text, unsigned digits, u32 *out)
{
    for (*out = 0; digits > 0; digits--, (*text)++) {
        int digit = ascii_hex(**text);
        if (digit < 0)
            return false;
        *out = *out << 4 | (u32)digit;
    }
    return true;
}

/* "0100007F:0CEA", or four such words for IPv6: each is as this machine has it in memory. */
static bool read_local(const char *text, struct addr *out)
{
    u32 word[4], port;
    unsigned words = 0;
    while (words < 4 && read_hex(&text, 8, &word[words]))
        words++;
    if ((words != 1 && words != 4) || *text++ != ':' || !read_hex(&text, 4, &port) || *text)
        return false;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((u16)port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((u16)port) };
    memcpy(&in.sin_addr, word, sizeof in.sin_addr);
    if (words == 4)
        memcpy(&in6.sin6_addr, word, sizeof in6.sin6_addr);
    addr_from_sockaddr(out, words == 1 ? (struct sockaddr *)&in : (struct sockaddr *)&in6);
    return true;
}

/* Whether [::] is there for IPv4 too is not in the table: it is taken to be. */
static struct bind_conf widest(const struct addr *a)
{
    return (struct bind_conf){ .addr = *a, .both_families = a->family == AF_INET6 };
}

/* Is this line of the table a listening socket that is in the way of `a`? Then its inode, else 0.
 * The columns: number, local ADDRESS:PORT in hex, remote, state, queues, timers, retransmits, user,
 * timeout, inode. */
static unsigned long inode_of_line(const char *line, const struct addr *a)
{
    char local[80], state[8], inode[32];
    struct addr held;
    if (sscanf(line, "%*s %79s %*s %7s %*s %*s %*s %*s %*s %31s", local, state, inode) != 3)
        return 0;
    if (strtoul(state, NULL, 16) != LISTEN_STATE || !read_local(local, &held))
        return 0;
    struct bind_conf theirs = widest(&held), ours = widest(a);
    return bind_clashes(&theirs, &ours) ? strtoul(inode, NULL, 10) : 0;
}

/* Inode of a listening socket in the way of `a` in one of the kernel's tables, 0: none. */
static unsigned long listening_inode(const char *table, const struct addr *a)
{
    char line[512];
    unsigned long found = 0;
    FILE *f = fopen(table, "re");
    if (f == NULL)
        return 0;
    while (!found && fgets(line, sizeof line, f))
        found = inode_of_line(line, a);
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

bool port_owner(const struct addr *a, struct text *out)
{
    static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
    char wanted[64];
    bool six = a->family == AF_INET6;
    unsigned long inode = listening_inode(tables[six], a);
    if (inode == 0)
        inode = listening_inode(tables[!six], a);
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

void port_owner_complain(const struct addr *a, struct slice written, int error, struct text *out)
{
    text_fmt(out, "cannot listen on %.*s: %s", SLICE_FMT(written), strerror(error));
    if (error == EACCES && a->port < LEAST_FREE_PORT)
        text_lit(out,
                 ", ports below 1024 take root or CAP_NET_BIND_SERVICE; where `user` has given "
                 "both up, a restart opens it");
    if (error != EADDRINUSE)
        return;
    struct text holder = text_in(out->p + out->n, out->cap - out->n);
    text_lit(&holder, ", held by ");
    if (port_owner(a, &holder))
        out->n += holder.n;
}
