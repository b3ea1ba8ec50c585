#include "base/fault.h"

#include "base/must.h"

static const struct fault_info table[FAULT_COUNT] = {
    [FAULT_NONE] = { "-", FAULT_OF_NOBODY, 0, NULL, "no fault" },
#define FAULT(token, whose, status, error, text)                                                   \
    [FAULT_##token] = { #token, FAULT_OF_##whose, status, error, text },
#include "base/fault.tbl"
#undef FAULT
};

const struct fault_info *fault_info(enum fault f)
{
    must((unsigned)f < FAULT_COUNT);
    return &table[f];
}
