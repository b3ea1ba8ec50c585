/*
 * How single values are spelled. Pure functions from text to a typed value; false, with *out
 * untouched, for anything that is not exactly of that form.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/addr.h"
#include "base/slice.h"

/* Bytes: digits and an optional k, m, g or t (powers of 1024, either case). */
bool value_size(struct slice s, u64 *bytes);
/* Milliseconds: digits and one of ms, s, m, h, d, w. The unit is needed, also for 0. */
bool value_duration(struct slice s, u64 *ms);
/* A plain decimal number. */
bool value_count(struct slice s, u64 *n);
/* So many in so many milliseconds: N/s, N/min or N/h, N from 1 to 1,000,000. */
bool value_rate(struct slice s, u32 *count, u32 *period_ms);
/* PORT or FIRST-LAST, 1–65535, FIRST not above LAST. */
bool value_ports(struct slice s, u16 *first, u16 *last);
/* [A-Za-z_][A-Za-z0-9_-]*, at most 64 bytes. */
bool value_name(struct slice s);
/* ADDR or ADDR:PORT; an IPv6 address with port stands in brackets, without port it may. Port 0 when
 * none is given. */
bool value_addr(struct slice s, struct addr *out);
/* ADDR:PORT, [V6]:PORT or *:PORT. `both` is set for [::]:PORT and *:PORT, whose address is :: and
 * which take IPv4 as well. */
bool value_bind(struct slice s, struct addr *out, bool *both);
/* HOST:PORT, where HOST is a name, an IPv4 address or an IPv6 address in brackets. *host is a part
 * of s, without brackets. */
bool value_server(struct slice s, struct slice *host, u16 *port);
/* A host name: labels of letters, digits, - and _, 1–63 bytes each, 253 in all, an optional final
 * dot. Says nothing about whether it looks like an address. */
bool value_host(struct slice s);
/* HOST, *.HOST, .HOST or *. */
bool value_host_pattern(struct slice s);
/* A method: a token of RFC 9110. */
bool value_method(struct slice s);
/* A path of a URL: begins with /, no blanks, controls, ? or #. */
bool value_url_path(struct slice s);

#endif
