/* The typed form of repair.tbl. What was repaired in one answer is a set: a bit for each kind. */
#ifndef BASE_REPAIR_H
#define BASE_REPAIR_H

#include "base/types.h"

enum repair {
#define REPAIR(token, text) REPAIR_##token,
#include "base/repair.tbl"
#undef REPAIR
    REPAIR_COUNT
};
_Static_assert(REPAIR_COUNT <= 16, "a set is a u16");

struct repair_info {
    const char *token; /* stable word for the log and the metric */
    const char *text;
};

const struct repair_info *repair_info(enum repair r);

static inline u16 repair_bit(enum repair r)
{
    return (u16)(1u << r);
}

#endif
