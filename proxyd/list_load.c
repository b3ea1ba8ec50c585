/* The hard thing is a folder: which of its files are parts of the list, and that links within it
 * (aliases of categories) are followed while those that lead out of it are not. */
#include "list_load.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/must.h"
#include "base/text.h"
#include "list_file.h"

enum { FOLDERS_DEEP = 8, FILES = 8192 };
static const u64 most_bytes = (u64)2 << 30;

struct loading {
    const struct list_conf *conf;
    struct filter_builder *builder; /* NULL: entries are only looked at, by take */
    list_take *take;
    void *take_ctx;
    const bool *enough; /* set by take: no more is wanted */
    struct list_report_all *report;
    struct list_reader *reader; /* of the file that is read */
    char file[PATH_MAX], root[PATH_MAX];
    u64 left;
    void (*found)(void *ctx, const char *path);
    void *ctx;
};

static bool fail(struct loading *l, const char *file, const char *why)
{
    if (l->report->why[0] == 0)
        snprintf(l->report->why, LIST_LOAD_WHY, "%.200s: %s", file, why);
    return false;
}

/* ---- one file ---- */

static bool begin(struct loading *l, const char *file, struct slice category,
                  enum list_format format, bool diff)
{
    struct list_options o = { .format = format,
                              .subdomains = l->conf->match == MATCH_SUBDOMAINS,
                              .diff = diff };
    if (l->report->files >= FILES)
        return fail(l, file, "there are too many files");
    snprintf(l->file, sizeof l->file, "%s", file);
    l->reader = list_reader_new(&o, l->take, l->take_ctx);
    if (l->reader == NULL)
        return fail(l, file, "no memory is left");
    if (l->builder)
        filter_builder_begin(l->builder, slice_of(file), category);
    return true;
}

static void tell_rejected(struct loading *l, const struct list_report *one)
{
    struct list_report_all *all = l->report;
    u64 n = one->rejected < LIST_TOLD ? one->rejected : LIST_TOLD;
    size_t length = strlen(l->file);
    const char *file = l->file + (length >= LIST_LOAD_FILE ? length - LIST_LOAD_FILE + 1 : 0);
    for (u64 i = 0; i < n && all->ntold < LIST_TOLD; i++) {
        struct list_load_told *t = &all->told[all->ntold++];
        snprintf(t->file, sizeof t->file, "%s", file);
        t->line = one->told[i];
    }
}

static void end(struct loading *l)
{
    const struct list_report *one = list_reader_end(l->reader);
    struct list_report_all *all = l->report;
    if (all->files++ == 0) {
        all->format = one->format;
        all->bare = one->bare;
    }
    all->lines += one->lines;
    all->rejected += one->rejected;
    if (all->suffixes == 0)
        all->first_suffix = one->first_suffix;
    all->suffixes += one->suffixes;
    all->ports += one->ports;
    for (unsigned i = 0; i < SKIP_KINDS; i++)
        all->skipped[i] += one->skipped[i];
    tell_rejected(l, one);
    if (l->builder)
        filter_builder_end(l->builder, one->lines);
    list_reader_free(l->reader);
    l->reader = NULL;
}

static void feed(void *ctx, struct slice bytes)
{
    struct loading *l = ctx;
    list_reader_feed(l->reader, bytes);
    if (l->enough && *l->enough)
        l->left = 0;
}

/* What people know as `name`. */
static bool read_file(struct loading *l, const char *name, const char *path, struct slice category,
                      enum list_format format, bool diff)
{
    char why[LIST_FILE_WHY];
    struct list_file_user u = { .ctx = l, .bytes = feed, .left = &l->left };
    if (!begin(l, name, category, format, diff))
        return false;
    bool good = list_file_read(path, &u, why);
    end(l);
    return good || fail(l, name, why);
}

/* ---- folders of categories ---- */

/* Is a file of this name a part of a category? */
static bool part_of_category(struct slice name, enum list_format *format, bool *diff)
{
    *diff = slice_ends(name, SLICE(".diff"));
    if (*diff)
        name.n -= sizeof ".diff" - 1;
    *format = slice_is(name, "domains")       ? LIST_SQUIDGUARD
              : slice_is(name, "urls")        ? LIST_SQUIDGUARD_URLS
              : slice_is(name, "expressions") ? LIST_EXPRESSIONS
                                              : LIST_FORMATS;
    return *format != LIST_FORMATS;
}

static bool inside(const struct loading *l, const char *path)
{
    char real[PATH_MAX];
    size_t n = strlen(l->root);
    return realpath(path, real) && strncmp(real, l->root, n) == 0 &&
           (real[n] == '/' || real[n] == 0 || (n && l->root[n - 1] == '/'));
}

static bool read_folder(struct loading *l, const char *path, const char *category, unsigned deep);

static bool read_in_folder(struct loading *l, const char *path, const char *name,
                           const char *category, unsigned deep)
{
    char sub[PATH_MAX];
    enum list_format format;
    bool diff;
    struct stat st;
    if (name[0] == '.' || stat(path, &st) < 0)
        return true;
    if (!list_file_name_fits(slice_of(name)))
        return fail(l, l->root, "it has an entry with a control byte in a name");
    if (S_ISREG(st.st_mode) && category[0] && part_of_category(slice_of(name), &format, &diff)) {
        if (!inside(l, path))
            return fail(l, path, "it leads out of the folder of the list");
        if (l->found)
            l->found(l->ctx, path);
        return read_file(l, path, path, slice_of(category), format, diff);
    }
    if (!S_ISDIR(st.st_mode))
        return true;
    if (!inside(l, path))
        return fail(l, path, "it leads out of the folder of the list");
    if (snprintf(sub, sizeof sub, "%s%s%s", category, category[0] ? "/" : "", name) >=
        (int)sizeof sub)
        return fail(l, path, "its path is too long");
    return read_folder(l, path, sub, deep + 1);
}

static bool read_folder(struct loading *l, const char *path, const char *category, unsigned deep)
{
    struct dirent **entry;
    char next[PATH_MAX];
    if (l->found)
        l->found(l->ctx, path);
    if (deep > FOLDERS_DEEP)
        return fail(l, path, "its folders are too deep");
    int n = scandir(path, &entry, NULL, alphasort);
    if (n < 0)
        return fail(l, path, strerror(errno));
    bool good = true;
    for (int i = 0; i < n; i++) {
        int length = snprintf(next, sizeof next, "%s/%s", path, entry[i]->d_name);
        if (good)
            good = length < (int)sizeof next
                       ? read_in_folder(l, next, entry[i]->d_name, category, deep)
                       : fail(l, path, "its path is too long");
        free(entry[i]);
    }
    free(entry);
    return good;
}

/* ---- archives ---- */

/* The folder that collections are packed in is no category. */
static struct slice without_top(struct slice folder)
{
    static const char *const tops[] = { "BL", "blacklists", "dest" };
    for (unsigned i = 0; i < countof(tops); i++) {
        struct slice top = slice_of(tops[i]);
        if (slice_starts(folder, top) && folder.n > top.n && folder.p[top.n] == '/')
            return slice_skip(folder, top.n + 1);
    }
    return folder;
}

static bool begin_member(void *ctx, struct slice path)
{
    struct loading *l = ctx;
    enum list_format format;
    bool diff;
    char file[PATH_MAX];
    const char *slash = memrchr(path.p, '/', path.n);
    if (slash == NULL)
        return false;
    struct slice name = slice_range(slash + 1, path.p + path.n);
    struct slice folder = slice_range(path.p, slash);
    if (!part_of_category(name, &format, &diff))
        return false;
    snprintf(file, sizeof file, "%s/%.*s", l->conf->path, SLICE_FMT(path));
    return begin(l, file, without_top(folder), format, diff);
}

static void end_member(void *ctx)
{
    end(ctx);
}

static bool read_tar(struct loading *l, const char *path)
{
    char why[LIST_FILE_WHY];
    struct list_file_user u = {
        .ctx = l, .member = begin_member, .bytes = feed, .member_end = end_member, .left = &l->left
    };
    l->report->categories = true;
    bool good = list_file_read_tar(path, &u, why);
    if (l->reader) /* in the middle of a file */
        end(l);
    return good ? l->report->why[0] == 0 : fail(l, l->conf->path, why);
}

/* ---- the whole ---- */

static bool read_source(struct loading *l)
{
    struct stat st;
    const char *name = l->conf->path, *path = l->conf->fetched ? l->conf->copy : name;
    if (path == NULL)
        return fail(l, name, "it has not been fetched yet");
    if (stat(path, &st) < 0)
        return fail(l, name, strerror(errno));
    bool squidguard = l->conf->format == LIST_AUTO || l->conf->format == LIST_SQUIDGUARD;
    bool folder = S_ISDIR(st.st_mode);
    bool tar = !folder && (l->conf->fetched ? list_file_holds_tar(path) : list_file_is_tar(path));
    if ((folder || tar) && !squidguard)
        return fail(l, name, "a folder or a tar has categories: format squidguard, or auto");
    if (tar)
        return read_tar(l, path);
    if (!folder)
        return read_file(l, name, path, SLICE(""), (enum list_format)l->conf->format, false);
    l->report->categories = true;
    if (realpath(path, l->root) == NULL)
        return fail(l, path, strerror(errno));
    return read_folder(l, path, "", 0);
}

static bool is_plausible(struct loading *l, const struct list_content *list)
{
    struct list_report_all *r = l->report;
    char why[128];
    r->entries = list->entries;
    r->bytes = list->bytes;
    if (r->categories && r->files == 0)
        return fail(l, l->conf->path,
                    "no CATEGORY/domains, CATEGORY/urls or CATEGORY/expressions is in it");
    if (r->rejected > r->entries) {
        snprintf(why, sizeof why, "%llu lines are wrong and only %llu entries right",
                 (unsigned long long)r->rejected, (unsigned long long)r->entries);
        return fail(l, l->conf->path, why);
    }
    if (r->entries < l->conf->min_entries) {
        snprintf(why, sizeof why, "it has only %llu entries, %llu are the least (min-entries)",
                 (unsigned long long)r->entries, (unsigned long long)l->conf->min_entries);
        return fail(l, l->conf->path, why);
    }
    return true;
}

struct list_content *list_load(const struct list_conf *c, u32 readers, struct list_report_all *r,
                               void (*found)(void *ctx, const char *path), void *ctx)
{
    struct loading *l = must_zalloc(sizeof *l);
    *r = (struct list_report_all){ .files = 0 };
    l->conf = c;
    l->report = r;
    l->left = most_bytes;
    l->found = found;
    l->ctx = ctx;
    must((l->builder = filter_builder_new()) != NULL);
    l->take = filter_builder_take;
    l->take_ctx = l->builder;
    struct list_content *list = NULL;
    if (read_source(l)) {
        struct filter_list *built = filter_list_build(l->builder);
        list = built ? list_content_new(built, readers) : NULL;
        if (list == NULL)
            (void)fail(l, c->path, "no memory is left");
    } else {
        filter_builder_free(l->builder);
    }
    if (list && !is_plausible(l, list)) {
        list_content_free(list);
        list = NULL;
    }
    free(l);
    return list;
}

bool list_walk(const struct list_conf *c, list_take *take, void *ctx, const bool *enough)
{
    struct list_report_all r = { .files = 0 };
    struct loading *l = must_zalloc(sizeof *l);
    l->conf = c;
    l->report = &r;
    l->left = most_bytes;
    l->take = take;
    l->take_ctx = ctx;
    l->enough = enough;
    bool good = read_source(l);
    free(l);
    return good;
}

/* ---- for people ---- */

const char *list_report_format(const struct list_report_all *r)
{
    return r->categories ? "categories of squidGuard" : list_format_name(r->format);
}

const char *list_report_bare(const struct list_report_all *r)
{
    return list_meaning_text(r->categories ? MEANS_SUBDOMAINS : r->bare);
}

void list_report_line(const struct list_report_all *r, FILE *to)
{
    fprintf(to, "%s, %s; %llu entries from %u file%s", list_report_format(r),
            r->categories ? "a bare name means it and its subdomains" : list_report_bare(r),
            (unsigned long long)r->entries, r->files, r->files == 1 ? "" : "s");
    if (r->rejected)
        fprintf(to, ", %llu line%s rejected", (unsigned long long)r->rejected,
                r->rejected == 1 ? "" : "s");
    fputc('\n', to);
}

void list_report_table(const struct list_report_all *r, FILE *to)
{
    fprintf(to, "  format   %s\n  bare     %s\n  files    %u\n  lines    %llu\n  entries  %llu\n",
            list_report_format(r), list_report_bare(r), r->files, (unsigned long long)r->lines,
            (unsigned long long)r->entries);
    for (enum list_skip i = 0; i < SKIP_KINDS; i++)
        if (r->skipped[i])
            fprintf(to, "  passed over %llu: %s\n", (unsigned long long)r->skipped[i],
                    list_skip_text(i));
    if (r->ports)
        fprintf(to, "  %llu entries had a port, which does not count\n",
                (unsigned long long)r->ports);
    fprintf(to, "  memory   %llu kB\n  rejected %llu\n", (unsigned long long)(r->bytes / 1024),
            (unsigned long long)r->rejected);
}

void list_report_rejected(const struct list_report_all *r, FILE *to)
{
    for (u32 i = 0; i < r->ntold; i++)
        fprintf(to, "%s:%u: %s: %s\n", r->told[i].file, r->told[i].line.line, r->told[i].line.why,
                r->told[i].line.text);
    if (r->rejected > r->ntold)
        fprintf(to, "and %llu more lines are rejected\n",
                (unsigned long long)(r->rejected - r->ntold));
}
