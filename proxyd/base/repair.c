#include "base/repair.h"

#include "base/must.h"

static const struct repair_info table[REPAIR_COUNT] = {
#define REPAIR(token, text) [REPAIR_##token] = { #token, text },
#include "base/repair.tbl"
#undef REPAIR
};

const struct repair_info *repair_info(enum repair r)
{
    must((unsigned)r < REPAIR_COUNT);
    return &table[r];
}
