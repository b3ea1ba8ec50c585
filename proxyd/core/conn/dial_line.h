/*
 * Which addresses a dial may try, and in what order: the line of candidates. The role is asked
 * about each address, and what it denies does not stand in the line. For dial.c alone.
 */
#ifndef CORE_DIAL_LINE_H
#define CORE_DIAL_LINE_H

#include "core/conn/dial.h"
#include "io/dns.h"

enum { MOST_ADDRESSES = DNS_ADDRESSES };

struct candidate {
    struct addr addr;
    struct slice rule; /* what allowed it */
    struct slice shadow;
    struct conn *attempt; /* the running connect */
};

struct dial {
    struct dns_wait wait; /* while resolving */
    struct timer timer;
    struct dial_request request;
    struct worker *worker;
    struct candidate
        candidate[MOST_ADDRESSES]; /* in the order of trying; [0, next) are or were tried */
    u8 n, next, running;
    bool resolving;
    bool open;                           /* the family that is missing in line may still come */
    bool over;                           /* result is final; whoever came from the loop finishes */
    const struct connector *const *link; /* the one that runs on the winner; NULL: none has won */
    struct dial_result result;           /* its fault: the most significant one until now */
    u64 deadline;
};

static inline const struct destination *dial_destination(const struct dial *d)
{
    return d->request.to;
}

/* Asks about every address and puts those allowed in line behind those tried, families in turn with
 * `first` ahead. While none has been allowed d->result is the ruling on the first address. */
void dial_queue(struct dial *d, const struct addr *a, u8 n, sa_family_t first);
/* What to say instead of f where no address became known: a client that may not go there anyway
 * does not learn whether the name exists. */
enum fault dial_unresolved(struct dial *d, enum fault f);

#endif
