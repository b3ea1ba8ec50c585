#include "config/reference_tables.h"

#include "base/job.h"
#include "base/stat.h"

static const char before_causes[] =
    "\n"
    "## Causes\n"
    "\n"
    "Why a request or a tunnel failed: one word for the access log (`cause=`), the page,\n"
    "`Proxy-Status` (RFC 9209) and the counter `proxyd_faults_total`. A page is sent as long as "
    "no\n"
    "answer has begun; where the status is missing, none is possible or due, and the connection "
    "ends.\n"
    "\n"
    "| cause | status | whose doing | meaning |\n"
    "|---|---|---|---|\n";

static const char before_repairs[] =
    "\n"
    "## Repairs\n"
    "\n"
    "Requests are read strictly. An origin's answer that breaks a rule of HTTP is repaired where "
    "one\n"
    "reading of it is left; then its connection is not used again, the counter\n"
    "`proxyd_response_repairs_total{kind=\"…\"}` counts it, and a line of the error log tells it "
    "at "
    "the\n"
    "level `debug`. What could be read in two ways is answered with 502.\n"
    "\n"
    "| kind | what the origin sent, and what becomes of it |\n"
    "|---|---|\n";

static const char before_jobs[] =
    "\n"
    "## Jobs\n"
    "\n"
    "What may block is done by threads of their own (`offload-threads`), never by a worker. Short "
    "jobs\n"
    "come first, and one thread is always left for them. The kind is the label of the metrics\n"
    "`proxyd_offload_…`.\n"
    "\n"
    "| kind | priority | what it does |\n"
    "|---|---|---|\n";

static const char before_metrics[] =
    "\n"
    "## Metrics\n"
    "\n"
    "What the workers count, at `/metrics` of the admin listener.\n"
    "\n"
    "| metric | type | labels | meaning |\n"
    "|---|---|---|---|\n";

static void put_causes(FILE *to)
{
    static const char *const whose[] = { [FAULT_OF_NOBODY] = "",
                                         [FAULT_OF_CLIENT] = "the client's",
                                         [FAULT_OF_UPSTREAM] =
                                             "the destination's, or the way to it",
                                         [FAULT_OF_US] = "the proxy's",
                                         [FAULT_OF_POLICY] = "the policy's" };
    for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        const struct fault_info *i = fault_info((enum fault)f);
        fprintf(to, "| `%s` | ", i->token);
        if (i->status)
            fprintf(to, "%u ", i->status);
        fprintf(to, "| %s | %s |\n", whose[i->whose], i->text);
    }
}

static void put_repairs(FILE *to)
{
    for (unsigned r = 0; r < REPAIR_COUNT; r++) {
        const struct repair_info *i = repair_info((enum repair)r);
        fprintf(to, "| `%s` | %s |\n", i->token, i->text);
    }
}

static void put_jobs(FILE *to)
{
    for (unsigned k = 0; k < JOB_KINDS; k++) {
        const struct job_info *i = job_info((enum job_kind)k);
        fprintf(to, "| `%s` | %s | %s |\n", i->token, i->priority == JOB_SHORT ? "short" : "long",
                i->text);
    }
}

/* Rows of a family stand together; the first has the help for all. */
static void put_labels(FILE *to, unsigned first)
{
    const struct stat_info *i = stat_info((enum stat_id)first);
    if (i->label == NULL)
        return;
    fprintf(to, "`%s`: `%s`", i->label, i->value);
    for (unsigned s = first + 1; s < STAT_COUNT; s++) {
        const struct stat_info *next = stat_info((enum stat_id)s);
        if (next->help)
            break;
        fprintf(to, ", `%s`", next->value);
    }
    fputc(' ', to);
}

static void put_metrics(FILE *to)
{
    for (unsigned s = 0; s < STAT_COUNT; s++) {
        const struct stat_info *i = stat_info((enum stat_id)s);
        if (i->help == NULL)
            continue;
        fprintf(to, "| `proxyd_%s` | %s | ", i->family,
                i->type == STAT_COUNTER ? "counter" : "gauge");
        put_labels(to, s);
        fprintf(to, "| %s |\n", i->help);
    }
}

void reference_tables(FILE *to)
{
    fputs(before_causes, to);
    put_causes(to);
    fputs(before_repairs, to);
    put_repairs(to);
    fputs(before_jobs, to);
    put_jobs(to);
    fputs(before_metrics, to);
    put_metrics(to);
}
