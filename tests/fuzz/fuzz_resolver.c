/*
 * A resolver's packet, as c-ares hands it over. The first byte chooses the family; the rest is read
 * as it stands, and once more with a header that lets more of it be reached.
 */
#include <stdlib.h>

#include "base/must.h"
#include "io/dns_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(sa_family_t family, const u8 *p, size_t n)
{
    static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct dns_reply r;
    u8 *exact = malloc(n ? n : 1);
    must(exact != NULL);
    memcpy(exact, p, n);
    dns_reply_read(family, exact, n, &r);
    free(exact);
    size_t size = family == AF_INET ? 4 : 16;
    must(r.n <= DNS_REPLY_ADDRESSES && (r.fault == FAULT_NONE) == (r.n > 0));
    must(r.ttl >= DNS_TTL_LEAST && r.ttl <= (r.n ? DNS_TTL_MOST : DNS_TTL_MOST_NEGATIVE));
    must(r.n || r.fault == FAULT_dns_nxdomain || r.fault == FAULT_dns_no_address ||
         r.fault == FAULT_dns_failure);
    must(r.n * (size + 11) <= n);
    for (unsigned i = 0; i < r.n; i++) {
        must(size == 4 || memcmp(r.ip[i], mapped, sizeof mapped) != 0);
        for (unsigned k = 0; k < i; k++)
            must(memcmp(r.ip[i], r.ip[k], size) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 13)
        return 0;
    sa_family_t family = data[0] & 1 ? AF_INET6 : AF_INET;
    check(family, data + 1, n - 1);
    u8 *lenient = malloc(n - 1);
    must(lenient != NULL);
    memcpy(lenient, data + 1, n - 1);
    lenient[2] |= 0x80;               /* an answer */
    lenient[3] = data[0] & 2 ? 3 : 0; /* NXDOMAIN or not */
    lenient[4] = 0, lenient[5] = 1;   /* one question */
    check(family, lenient, n - 1);
    free(lenient);
    return 0;
}
