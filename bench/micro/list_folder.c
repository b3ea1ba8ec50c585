/*
 * Loads every list of a folder into one, as a policy would, and says what that took: files of
 * squidGuard by their names (category: their folder), others by their folder's name, else auto.
 *   gcc -O2 -D_GNU_SOURCE -Iproxyd -I. bench/micro/list_folder.c build/librelease.a \
 *       -lhs -lpcre2-8 -lidn2
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "filters/filter_list.h"
#include "filters/list_reader.h"

static struct filter_builder *builder;
static u64 lines, entries, rejected, skipped;

static size_t resident(void)
{
    size_t size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%zu %zu", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static enum list_format format_of(struct slice name, struct slice folder)
{
    static const char *const squidguard[][2] = { { "domains", "squidguard" },
                                                 { "urls", "squidguard-urls" },
                                                 { "expressions", "squidguard-expressions" } };
    for (size_t i = 0; i < countof(squidguard); i++)
        if (slice_is(name, squidguard[i][0]))
            return list_format_find(slice_of(squidguard[i][1]));
    return list_format_find(folder);
}

static int one_file(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    static char bytes[65536];
    (void)st;
    if (kind != FTW_F || where->base < 2)
        return 0;
    struct slice name = slice_of(path + where->base), folder = { path, (size_t)where->base - 1 };
    const char *slash = memrchr(folder.p, '/', folder.n);
    folder = slash ? slice_range(slash + 1, folder.p + folder.n) : folder;
    struct list_options o = { .format = format_of(name, folder) };
    FILE *f = o.format == LIST_FORMATS ? NULL : fopen(path, "r");
    if (f == NULL)
        return 0;
    filter_builder_begin(builder, slice_of(path), folder);
    struct list_reader *r = list_reader_new(&o, filter_builder_take, builder);
    for (size_t n; r && (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        list_reader_feed(r, (struct slice){ bytes, n });
    fclose(f);
    if (r == NULL)
        return 1;
    const struct list_report *report = list_reader_end(r);
    filter_builder_end(builder, report->lines);
    lines += report->lines;
    entries += report->entries;
    rejected += report->rejected;
    for (unsigned i = 0; i < SKIP_KINDS; i++)
        skipped += report->skipped[i];
    list_reader_free(r);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: list_folder FOLDER\n");
        return 2;
    }
    size_t before = resident();
    u64 from = clock_us(CLOCK_MONOTONIC), cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    builder = filter_builder_new();
    if (builder == NULL || nftw(argv[1], one_file, 16, FTW_PHYS) != 0)
        return 1;
    struct filter_list *l = filter_list_build(builder);
    if (l == NULL)
        return 1;
    struct list_sizes n = filter_list_sizes(l);
    printf("%llu lines: %llu entries, %llu rejected, %llu passed over\n", (unsigned long long)lines,
           (unsigned long long)entries, (unsigned long long)rejected, (unsigned long long)skipped);
    printf("%zu hosts, %zu networks, %zu urls, %zu texts, %zu regexes in %.2f MB\n", n.hosts,
           n.nets, n.urls, n.texts, n.regexes, (double)n.bytes / 1e6);
    printf("%.3f s (%.3f s of a CPU), %.2f MB resident growth\n",
           (double)(clock_us(CLOCK_MONOTONIC) - from) / 1e6,
           (double)(clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e6,
           (double)(resident() - before) / 1e6);
    filter_list_free(l);
    return 0;
}
