/*
 * What a resolver's packet says, as a pure function on bytes: no allocation, no channel, so that it
 * can be fuzzed and can never hold up a worker. c-ares checks that the packet answers our question
 * (server, id, name, type); what is in it is still the work of whoever owns the zone.
 *
 * The hard thing is bounding hostile packets. A TCP answer may carry 64 kB of records; reading
 * stops at 256 records, a compressed name at 128 pointers, a chain of aliases at 16. That is also
 * why ares_parse_a_reply is not used: it allocates per record and is quadratic in their number.
 */
#ifndef IO_DNS_REPLY_H
#define IO_DNS_REPLY_H

#include <sys/socket.h>

#include "base/fault.h"

enum {
    DNS_TTL_LEAST = 1, /* seconds */
    DNS_TTL_MOST = 300,
    DNS_TTL_MOST_NEGATIVE = 30,
    DNS_REPLY_ADDRESSES = 8
};

/* No resolver gave a usable answer: an older one may stand in. */
static inline bool dns_not_heard(enum fault f)
{
    return f == FAULT_dns_failure || f == FAULT_dns_timeout || f == FAULT_out_of_descriptors;
}

/* What one question (A or AAAA) came to. */
struct dns_reply {
    enum fault fault; /* FAULT_NONE: n > 0; else one of struct dns_answer's */
    u8 n;
    u32 ttl; /* seconds, clamped; of a negative answer by RFC 2308 section 5 */
    u8 ip[DNS_REPLY_ADDRESSES][16]; /* network order, 4 or 16 bytes used */
};

/* Interprets a whole message for a question of type A (AF_INET) or AAAA (AF_INET6). Follows the
 * CNAME chain whatever the order of the records; takes the first 8 addresses; records of other
 * names, duplicates and IPv4-mapped addresses are passed over. */
void dns_reply_read(sa_family_t family, const u8 *p, size_t n, struct dns_reply *out);

/* May this be asked at all: labels of 1–63 bytes, 253 together, no control, blank, backslash or
 * upper case (names are canonical), no final dot. */
bool dns_name_valid(struct slice name);

#endif
