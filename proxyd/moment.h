/* A time as people write it: "2026-11-23 10:00". */
#ifndef PROXYD_MOMENT_H
#define PROXYD_MOMENT_H

#include "base/slice.h"
#include "policy/policy.h"

/* "YYYY-MM-DD HH:MM", with ":SS" perhaps, 'T' instead of the blank, and a 'Z' behind it for UTC;
 * fractions of a second are read and dropped. Years 1970 to 9999. *utc: a 'Z' stood there. */
bool moment_parse(struct slice text, i64 *seconds, bool *utc);
/* Since 1970; without 'Z' it is local time in the policy's zone. False: it is no time. */
bool moment_read(struct slice text, const struct policy *p, u64 *seconds);

#endif
