/*
 * Local time by the system's own tables (TZif, RFC 8536), of any number of zones at once: the C
 * library knows one zone for the whole process.
 */
#ifndef POLICY_ZONE_H
#define POLICY_ZONE_H

#include "base/arena.h"

struct zone;

struct zone_time {
    u8 weekday; /* 0: Monday */
    u16 minute; /* of the day */
};

/* By its name (Europe/Berlin), or, when that is empty, the system's: TZ, else /etc/localtime, else
 * UTC. In the arena. NULL: there is no such zone here. Reads a file: never on a worker. */
const struct zone *zone_load(struct arena *a, struct slice name);
/* From the bytes of a TZif file; NULL: it is none. */
const struct zone *zone_parse(struct arena *a, struct slice file);
/* What local time is ahead of UTC then, in seconds. */
i64 zone_offset(const struct zone *z, u64 seconds);
struct zone_time zone_local(const struct zone *z, u64 seconds); /* since 1970 */

#endif
