/* The hosts file: any bytes give a table; whatever name is in it is found under that name. */
#include <stdlib.h>

#include "base/must.h"
#include "io/dns_reply.h"
#include "io/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct hosts *h, struct slice name)
{
    struct addr a[2 * HOSTS_PER_FAMILY];
    u8 nv6;
    unsigned found = hosts_find(h, name, a, &nv6);
    must(found <= countof(a) && nv6 <= found && nv6 <= HOSTS_PER_FAMILY);
    must(found == 0 || dns_name_valid(name));
    for (unsigned i = 0; i < found; i++) {
        must(a[i].family == (i < nv6 ? AF_INET6 : AF_INET));
        for (unsigned k = 0; k < i; k++)
            must(!addr_same_ip(&a[i], &a[k]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = { (const char *)data, n };
    struct hosts *h = hosts_parse(text);
    must(hosts_count(h) <= n);
    check(h, SLICE("localhost"));
    check(h, SLICE("a"));
    for (size_t i = 0; i < n; i++) /* every word of the text */
        if (i == 0 || data[i - 1] == ' ')
            for (size_t k = 1; k < 16 && i + k <= n; k++)
                check(h, (struct slice){ text.p + i, k });
    hosts_free(h);
    return 0;
}
