/* The manual leaves out no cause and no metric. */
#include "config/reference_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/stat.h"

static char *manual;

static int print(void **state)
{
    size_t n;
    FILE *to = open_memstream(&manual, &n);
    (void)state;
    if (to == NULL)
        return 1;
    reference_tables(to);
    return fclose(to);
}

static int drop(void **state)
{
    (void)state;
    free(manual);
    return 0;
}

static void has(const char *line)
{
    if (strstr(manual, line) == NULL)
        fail_msg("no line %s", line);
}

static void every_cause(void **state)
{
    (void)state;
    for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        char begins[80], ends[200];
        const struct fault_info *i = fault_info((enum fault)f);
        snprintf(begins, sizeof begins, i->status ? "\n| `%s` | %u | " : "\n| `%s` | | ", i->token,
                 i->status);
        snprintf(ends, sizeof ends, " | %s |\n", i->text);
        has(begins);
        has(ends);
    }
}

static void every_repair(void **state)
{
    (void)state;
    for (unsigned r = 0; r < REPAIR_COUNT; r++) {
        char line[300];
        const struct repair_info *i = repair_info((enum repair)r);
        snprintf(line, sizeof line, "\n| `%s` | %s |\n", i->token, i->text);
        has(line);
    }
}

static void every_metric(void **state)
{
    (void)state;
    for (unsigned s = 0; s < STAT_COUNT; s++) {
        char name[100];
        const struct stat_info *i = stat_info((enum stat_id)s);
        snprintf(name, sizeof name, "\n| `proxyd_%s` | ", i->family);
        has(name);
    }
    has("| `proxyd_requests_total` | counter | | Requests answered, whatever the outcome |\n");
    has("| `proxyd_tunnels_open` | gauge | | ");
    has("| `proxyd_tunnel_bytes_total` | counter | `direction`: `from_client`, `to_client` | ");
    has(" | `code_class`: `1xx`, `2xx`, `3xx`, `4xx`, `5xx` | ");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_cause),
                                        cmocka_unit_test(every_repair),
                                        cmocka_unit_test(every_metric) };
    return cmocka_run_group_tests(tests, print, drop);
}
