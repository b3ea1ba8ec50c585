#include "admin/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/exposition.h"
#include "admin/metrics_disks.h"
#include "admin/metrics_listeners.h"
#include "admin/metrics_registry.h"
#include "base/stat.h"
#include "forward/conf.h"
#include "forward/parents.h"
#include "io/offload.h"
#include "core/report/log_counts.h"
#include "lists.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

static void counters(struct text *out)
{
    for (enum stat_id s = 0; s < STAT_COUNT; s++) {
        const struct stat_info *info = stat_info(s);
        char name[96];
        snprintf(name, sizeof name, "proxyd_%s", info->family);
        if (info->help)
            exposition_family(out, name, info->type == STAT_COUNTER ? "counter" : "gauge",
                              info->help);
        if (info->label)
            exposition_labelled(out, name, info->label, info->value, stat_sum(s));
        else
            exposition_sample(out, name, stat_sum(s));
    }
}

static void faults(struct text *out)
{
    exposition_family(out, "proxyd_faults_total", "counter", "Exchanges that failed, by cause");
    for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++)
        exposition_labelled(out, "proxyd_faults_total", "cause", fault_info(f)->token,
                            fault_sum(f));
}

static void repairs(struct text *out)
{
    const char *name = "proxyd_response_repairs_total";
    exposition_family(out, name, "counter", "Answers of origins that were repaired, by kind");
    for (enum repair r = 0; r < REPAIR_COUNT; r++)
        exposition_labelled(out, name, "kind", repair_info(r)->token, repair_sum(r));
}

static void jobs_of(struct text *out, const char *name, const char *type, const char *help,
                    u64 (*value)(const struct offload_account *))
{
    exposition_family(out, name, type, help);
    for (enum job_kind k = 0; k < JOB_KINDS; k++) {
        struct offload_account a = offload_account(k);
        exposition_labelled(out, name, "kind", job_info(k)->token, value(&a));
    }
}

static u64 queued(const struct offload_account *a)
{
    return a->queued;
}
static u64 running(const struct offload_account *a)
{
    return a->running;
}
static u64 done(const struct offload_account *a)
{
    return a->done;
}
static u64 cancelled(const struct offload_account *a)
{
    return a->cancelled;
}

static void jobs(struct text *out)
{
    const char *seconds = "proxyd_offload_seconds_total";
    jobs_of(out, "proxyd_offload_queued", "gauge", "Jobs that wait for an offload thread", queued);
    jobs_of(out, "proxyd_offload_running", "gauge", "Jobs that offload threads work on", running);
    jobs_of(out, "proxyd_offload_done_total", "counter", "Jobs done by offload threads", done);
    jobs_of(out, "proxyd_offload_cancelled_total", "counter",
            "Jobs that were called off, before they began or while they ran", cancelled);
    exposition_family(out, seconds, "counter",
                      "Time that offload threads spent on jobs that have ended");
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        text_fmt(out, "%s{kind=\"%s\"} %.6f\n", seconds, job_info(k)->token,
                 (double)offload_account(k).us / 1e6);
}

/* A label's value may hold anything but these as they are. */
static void put_label(struct text *out, const char *is)
{
    for (; *is; is++) {
        if (*is == '"' || *is == '\\')
            text_char(out, '\\');
        if (*is == '\n')
            text_lit(out, "\\n");
        else
            text_char(out, *is);
    }
}

static void log_family(struct text *out, const char *name, const char *help, bool torn)
{
    const struct log_counts *l;
    exposition_family(out, name, "counter", help);
    for (unsigned i = 0; (l = log_counts_at(i)) != NULL; i++) {
        text_fmt(out, "%s{log=\"", name);
        put_label(out, l->name);
        text_lit(out, "\"} ");
        text_u64(out, atomic_load(torn ? &l->torn : &l->lost));
        text_char(out, '\n');
    }
}

static void logs(struct text *out)
{
    log_family(out, "proxyd_log_lost_total", "Lines that a log could not take, by where it goes",
               false);
    log_family(out, "proxyd_log_torn_total",
               "Lines of which only the beginning stands in a log, by where it goes", true);
}

/* ---- rules and parents ---- */

static u64 decided(const void *entry)
{
    return rule_decided(entry);
}
static u64 shadowed(const void *entry)
{
    return rule_shadowed(entry);
}
static u64 is_up(const void *entry)
{
    return atomic_load(&((const struct parent *)entry)->rests_until_ms) == 0;
}
static u64 uses(const void *entry)
{
    return atomic_load(&((const struct parent *)entry)->uses);
}
static u64 failures(const void *entry)
{
    return atomic_load(&((const struct parent *)entry)->failures);
}

static const struct registry_family of_rules[] = {
    { "proxyd_rule_decisions_total", "counter",
      "Decisions by a rule: one for an exchange, or one for each address where that decides",
      decided },
    { "proxyd_rule_shadowed_total", "counter", "Decisions that a rule in shadow would have made",
      shadowed },
};

static const struct registry_family of_parents[] = {
    { "proxyd_parent_up", "gauge",
      "0 from when a proxy of a parent could not be connected to until it can be", is_up },
    { "proxyd_parent_uses_total", "counter",
      "Requests and tunnels that were given to a proxy of a parent", uses },
    { "proxyd_parent_failures_total", "counter",
      "Attempts in vain to connect to a proxy of a parent", failures },
};

static void rules(struct text *out, struct registry *r)
{
    static const struct registry_labels labels = { "policy", "rule", '/' };
    metrics_registry(out, r, &forward_rule_counts, &labels, of_rules, countof(of_rules));
}

static void parents(struct text *out, struct registry *r)
{
    static const struct registry_labels labels = { "parent", "proxy", ' ' };
    if (registry_count(r, &forward_parents))
        metrics_registry(out, r, &forward_parents, &labels, of_parents, countof(of_parents));
}

size_t metrics_room(struct engine *e)
{
    struct registry *r = e->registry;
    enum { RELOADED = 256 }; /* rules that come meanwhile */
    enum {
        NAME = 2 * 64,
        RULE = 2 * (sizeof "proxyd_rule_decisions_total{policy=\"\",rule=\"\"} \n" + 20 + NAME)
    };
    enum {
        PARENT = 3 * (sizeof "proxyd_parent_failures_total{parent=\"\",proxy=\"\"} \n" + 20 + 400)
    };
    return METRICS_MAX + metrics_listeners_room(e) +
           ((size_t)registry_count(r, &forward_rule_counts) + RELOADED) * RULE +
           ((size_t)registry_count(r, &forward_parents) + RELOADED) * PARENT;
}

/* The first line of a /proc file that begins with `prefix`, without it; false: there is none. */
static bool proc_line(const char *path, const char *prefix, char *line, int size)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool found = false;
    size_t n = strlen(prefix);
    while (!found && fgets(line, size, f))
        found = strncmp(line, prefix, n) == 0;
    fclose(f);
    if (found)
        memmove(line, line + n, strlen(line + n) + 1);
    return found;
}

/* Seconds since the epoch: boot time, and the 22nd field of stat in clock ticks after it. */
static double start_time(void)
{
    char line[1024], boot[256];
    if (!proc_line("/proc/self/stat", "", line, sizeof line) ||
        !proc_line("/proc/stat", "btime ", boot, sizeof boot))
        return 0;
    char *p = strrchr(line, ')'); /* the name before it may hold blanks */
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (!p)
        return 0;
    return strtod(boot, NULL) + strtod(p, NULL) / (double)sysconf(_SC_CLK_TCK);
}

static u64 open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    u64 n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n - 1; /* the one that reads the folder */
}

static void process(struct text *out)
{
    char line[256];
    u64 page = (u64)sysconf(_SC_PAGESIZE), size = 0, resident = 0;
    if (proc_line("/proc/self/statm", "", line, sizeof line)) {
        char *end;
        size = strtoull(line, &end, 10) * page;
        resident = strtoull(end, NULL, 10) * page;
    }
    struct rusage use = { 0 };
    getrusage(RUSAGE_SELF, &use);
    struct rlimit files = { 0 };
    getrlimit(RLIMIT_NOFILE, &files);

    exposition_family(out, "process_cpu_seconds_total", "counter",
                      "User and system CPU time spent");
    text_fmt(out, "process_cpu_seconds_total %.6f\n",
             (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    exposition_family(out, "process_start_time_seconds", "gauge",
                      "Start of the process since the epoch");
    text_fmt(out, "process_start_time_seconds %.2f\n", start_time());
    exposition_plain(out, "process_resident_memory_bytes", "gauge", "Resident memory", resident);
    exposition_plain(out, "process_virtual_memory_bytes", "gauge", "Virtual memory", size);
    exposition_plain(out, "process_open_fds", "gauge", "Open file descriptors", open_descriptors());
    exposition_plain(out, "process_max_fds", "gauge", "Limit of open file descriptors",
                     files.rlim_cur);
}

void metrics_write(struct text *out, bool ready, struct engine *e)
{
    struct registry *r = e->registry;
    exposition_family(out, "proxyd_build_info", "gauge",
                      "What this binary is; the value is always 1");
    text_lit(out, "proxyd_build_info{version=\"" PROXYD_VERSION "\"} 1\n");
    exposition_plain(out, "proxyd_ready", "gauge", "1 while new work is taken, as /readyz says",
                     ready);
    counters(out);
    faults(out);
    repairs(out);
    metrics_caches(out, e);
    metrics_disks(out, e);
    metrics_listeners(out, e);
    jobs(out);
    logs(out);
    rules(out, r);
    parents(out, r);
    lists_metrics(out);
    process(out);
}
