/* The typed form of fault.tbl: a fault is a small number, 0 is none. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/slice.h"

enum fault {
    FAULT_NONE,
#define FAULT(token, whose, status, error, text) FAULT_##token,
#include "base/fault.tbl"
#undef FAULT
    FAULT_COUNT
};

enum fault_whose {
    FAULT_OF_NOBODY,
    FAULT_OF_CLIENT,
    FAULT_OF_UPSTREAM,
    FAULT_OF_US,
    FAULT_OF_POLICY
};

struct fault_info {
    const char *token; /* stable word for logs, pages, metrics */
    enum fault_whose whose;
    u16 status;               /* status of the answer, 0: none is sent */
    const char *proxy_status; /* RFC 9209 error type or NULL */
    const char *text;         /* one clause, lower case, no final dot */
};

/* Never NULL; FAULT_NONE has token "-". */
const struct fault_info *fault_info(enum fault f);

#endif
