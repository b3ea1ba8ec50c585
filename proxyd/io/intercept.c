#include "io/intercept.h"

#include <netinet/in.h>
#include <unistd.h>

#include "io/sock.h"

enum { ORIGINAL_DST = 80 }; /* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST */

static bool tracked(int fd, int level, struct addr *original)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    if (getsockopt(fd, level, ORIGINAL_DST, &ss, &n) != 0)
        return false;
    addr_from_sockaddr(original, (struct sockaddr *)&ss);
    return original->family != 0;
}

/* A socket for both families has the connections of IPv4 under that one's level. */
bool intercept_original(int fd, struct addr *original)
{
    struct addr own;
    if (!sock_local(fd, &own))
        return false;
    if (!tracked(fd, own.family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, original))
        *original = own;
    return true;
}

bool intercept_any_address(int fd, int family)
{
    int on = 1;
    if (family == AF_INET6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on) == 0;
    return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) == 0;
}

bool intercept_may(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool may = fd >= 0 && intercept_any_address(fd, AF_INET);
    if (fd >= 0)
        close(fd);
    return may;
}
