/* The typed form of job.tbl: kinds of work for the offload threads. */
#ifndef BASE_JOB_H
#define BASE_JOB_H

#include "base/types.h"

enum job_kind {
#define JOB(token, priority, text) JOB_##token,
#include "base/job.tbl"
#undef JOB
    JOB_KINDS
};

enum job_priority { JOB_SHORT, JOB_LONG, JOB_PRIORITIES };

struct job_info {
    const char *token; /* stable word for the metrics */
    enum job_priority priority;
    const char *text;
};

const struct job_info *job_info(enum job_kind k);

#endif
