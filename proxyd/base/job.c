#include "base/job.h"

#include "base/must.h"

static const struct job_info table[JOB_KINDS] = {
#define JOB(token, priority, text) [JOB_##token] = { #token, JOB_##priority, text },
#include "base/job.tbl"
#undef JOB
};

const struct job_info *job_info(enum job_kind k)
{
    must((unsigned)k < JOB_KINDS);
    return &table[k];
}
