/*
 * probe - how fast is this processor right now? Sends 1 KB to itself over a
 * loopback TCP connection for a moment and prints the CPU time of one send and
 * one receive, in ns. On a shared machine this moves by tens of per cent
 * within seconds, and the cost of a proxy moves with it.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static uint64_t cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int main(int argc, char **argv)
{
    uint64_t want = (argc > 1 ? atoi(argv[1]) : 60) * 1000000ull, n = 0, t0, t;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t l = sizeof a;
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d;
    static char b[65536];
    if (bind(s, (void *)&a, sizeof a) || listen(s, 1) || getsockname(s, (void *)&a, &l) ||
        connect(c, (void *)&a, sizeof a) || (d = accept(s, NULL, NULL)) < 0)
        return perror("probe"), 1;
    setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(d, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    t0 = cpu();
    do {
        for (int i = 0; i < 200; i++, n += 2) {
            char *p = b + (n * 1024 & 65535 & ~1023u);
            if (send(c, p, 1024, 0) < 0 || recv(d, p, 1024, 0) < 0 || send(d, p, 1024, 0) < 0 ||
                recv(c, p, 1024, 0) < 0)
                return 1;
        }
        t = cpu() - t0;
    } while (t < want);
    printf("%.1f\n", (double)t / n);
    return 0;
}
