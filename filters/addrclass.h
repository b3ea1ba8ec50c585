/*
 * What kind of address a destination is. An allow opens public addresses only, so this is the wall
 * between a client and the networks behind the proxy: it has to see through every form in which an
 * IPv4 address can be written as IPv6, and it has to be cheap, since every dial asks it.
 */
#ifndef FILTERS_ADDRCLASS_H
#define FILTERS_ADDRCLASS_H

#include "base/addr.h"
#include "base/fault.h"

/* In the order in which they are tried: an address has the first one that fits. */
enum addr_class {
    CLASS_METADATA, /* the credential services of clouds */
    CLASS_LOOPBACK, /* 127/8, ::1, 0/8, ::, and every address of this machine's interfaces */
    CLASS_LINK_LOCAL,
    CLASS_PRIVATE, /* RFC 1918, 100.64/10, fc00::/7 */
    CLASS_MULTICAST,
    CLASS_RESERVED, /* the rest of the IANA special registries, and what is not assigned */
    CLASS_PUBLIC,
    CLASS_COUNT
};

#define CLASS_BIT(class) ((u8)(1u << (class)))

/* The class of an address. Mapped, compatible, NAT64, 6to4 and Teredo addresses have that of the
 * IPv4 address inside (Teredo of both inside: client and server). No family: reserved. */
enum addr_class addr_class(const struct addr *a);

/* The IPv4 addresses that a mapped, compatible, NAT64, 6to4 or Teredo address carries, with its
 * port; how many: 0 to 2. */
unsigned addr_carried(const struct addr *a, struct addr out[2]);

/* CLASS_BIT of every class that an address of the network may have while none of them is this
 * machine's own; all classes where an IPv4 address is carried. */
u8 addr_classes_in(const struct cidr *net);

/* What is in a class, for the manual: its addresses and networks, less what classes before it
 * have. */
void addr_class_text(struct text *t, enum addr_class c);

/* "metadata", "loopback", "link-local" … as rules spell them. */
const char *addr_class_name(enum addr_class c);
bool addr_class_find(struct slice name, enum addr_class *out);
/* The names, separated by blanks, for messages and the schema. */
extern const char addr_class_names[];
/* FAULT_destination_…; FAULT_NONE for public. */
enum fault addr_class_fault(enum addr_class c);

/* Reads the addresses of this machine's interfaces: at start, then on one of the offload threads
 * whenever they may have changed, one call at a time. Look-ups go on meanwhile, without a lock.
 * False when the kernel refuses or memory is short; the former set then stays. */
bool addrclass_refresh_local(void);
/* The same with a given list, for tests. */
bool addrclass_set_local(const struct addr *list, size_t n);

#endif
