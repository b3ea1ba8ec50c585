#include "client_limit.h"

#include <stdio.h>
#include <sys/resource.h>

enum { DESCRIPTORS_KEPT = 256 };

/* A number that the administrator gave is bounded by the descriptors there are; the default
 * leaves every client one for its origin. Too many wanted is no reason not to start. */
u32 client_limit(const struct limits_conf *limits, char *note, size_t n)
{
    struct rlimit l;
    u32 wanted = limits->clients;
    note[0] = 0;
    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return wanted;
    l.rlim_cur = l.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &l);
    u64 room =
        l.rlim_cur > 2 * DESCRIPTORS_KEPT ? l.rlim_cur - DESCRIPTORS_KEPT : l.rlim_cur / 2 + 1;
    u64 most = limits->clients_given ? room : room / 2;
    if (wanted <= most)
        return wanted;
    if (limits->clients_given)
        snprintf(note, n,
                 "warning: limits clients %u is more than the limit of %llu open files allows: "
                 "%llu it is",
                 wanted, (unsigned long long)l.rlim_cur, (unsigned long long)most);
    else
        snprintf(note, n,
                 "note: the limit of %llu open files leaves room for %llu clients at one time, not "
                 "for %u; a higher hard limit ('ulimit -Hn') gives more",
                 (unsigned long long)l.rlim_cur, (unsigned long long)most, wanted);
    return (u32)most;
}
