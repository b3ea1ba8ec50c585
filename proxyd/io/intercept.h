/*
 * Connections that the network has led here though they were meant for somebody else: where they
 * were going, and what a socket needs to stand in for an address that is not this machine's
 * (ip(7), IP_TRANSPARENT).
 */
#ifndef IO_INTERCEPT_H
#define IO_INTERCEPT_H

#include "base/addr.h"

/* Where an accepted connection was going. After NAT the kernel's connection tracking tells; without
 * it, as with TPROXY, that is our own end. A client that has connected to this machine itself gives
 * our own end as well. False: it has no IP address. */
bool intercept_original(int fd, struct addr *original);

/* May from now on be bound to any address. False with errno; EPERM: neither CAP_NET_RAW nor
 * CAP_NET_ADMIN. */
bool intercept_any_address(int fd, int family);

/* May this thread do so? */
bool intercept_may(void);

#endif
