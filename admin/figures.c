#include "admin/figures.h"

static void put(FILE *to, double n, double base, const char *const units[6], const char *after)
{
    unsigned u = 0;
    while (n >= 999.5 && u < 5) {
        n /= base;
        u++;
    }
    int digits = n >= 99.95 || (u == 0 && n == (double)(u64)n) ? 0 : n >= 9.995 ? 1 : u ? 2 : 1;
    fprintf(to, "%.*f%s%s", digits, n, units[u], after);
}

static const char *const counts[6] = { "", " k", " M", " G", " T", " P" };
static const char *const bytes[6] = { " B", " kB", " MB", " GB", " TB", " PB" };

void figure_count(FILE *to, double n)
{
    put(to, n, 1000, counts, "");
}

void figure_bytes(FILE *to, double n)
{
    put(to, n, 1024, bytes, "");
}

void figure_rate(FILE *to, double n)
{
    put(to, n, 1000, counts, "/s");
}

void figure_byte_rate(FILE *to, double n)
{
    put(to, n < 1 ? 0 : n, 1024, bytes, "/s");
}

void figure_time(FILE *to, u64 s)
{
    static const struct {
        u64 seconds;
        const char *name;
    } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    unsigned u = 0;
    while (u < 3 && s < units[u].seconds)
        u++;
    fprintf(to, "%llu %s", (unsigned long long)(s / units[u].seconds), units[u].name);
    u64 rest = u < 2 ? s % units[u].seconds / units[u + 1].seconds : 0;
    if (rest)
        fprintf(to, " %llu %s", (unsigned long long)rest, units[u + 1].name);
}

void figure_share(FILE *to, u64 part, u64 whole)
{
    double percent = whole ? 100.0 * (double)part / (double)whole : 0;
    if (whole == 0)
        fputs("–", to);
    else
        fprintf(to, "%.*f %%", (percent > 0 && percent < 9.95) || (percent > 99 && part < whole),
                percent > 99.9 && part < whole ? 99.9 : percent);
}

double figure_above(double n, double base)
{
    double unit = 1;
    while (n > 500 * unit) /* 1000 is the next unit's one, or less than it */
        unit *= base;
    while (n > 5 * unit)
        unit *= 10;
    return n > 2 * unit ? 5 * unit : n > unit ? 2 * unit : unit;
}
