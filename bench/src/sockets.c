/* Files and listeners, for all programs of the harness: sockets.h. */
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

void die(const char *what)
{
    perror(what);
    exit(1);
}

size_t open_many_files(void)
{
    struct rlimit limit = { 1 << 19, 1 << 19 };
    if (setrlimit(RLIMIT_NOFILE, &limit)) { /* only root raises the hard limit */
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}

int listen_on(uint32_t address, int port, int flags)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(address) };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, 4096))
        die("listen");
    return fd;
}
