#include "admin/metrics_disks.h"

#include "admin/exposition.h"
#include "cache/cache.h"

struct family {
    const char *name, *type, *help;
    size_t at;   /* of the value in struct disk_counts */
    bool is_yes; /* the value is a bool */
};

#define VALUE(name, type, help, member)                                                            \
    {                                                                                              \
        "proxyd_cache_disk_" name, type, help, offsetof(struct disk_counts, member), false         \
    }
#define YES(name, help, member)                                                                    \
    {                                                                                              \
        "proxyd_cache_disk_" name, "gauge", help, offsetof(struct disk_counts, member), true       \
    }

static const struct family families[] = {
    YES("in_service", "1: the folder is open, and written to", in_service),
    YES("loading", "1: what is there is being read, and not found yet", loading),
    VALUE("objects", "gauge", "Answers that are found on disk", log.objects),
    VALUE("bytes", "gauge", "Bytes of the files of segments", log.bytes),
    VALUE("size_bytes", "gauge", "Bytes that these may have", log.quota),
    VALUE("held_bytes", "gauge", "Bytes of files that have left and are still read",
          log.held_bytes),
    VALUE("segments", "gauge", "Files of segments", log.segments),
    VALUE("index_bytes", "gauge", "Memory in which it is noted what lies where", log.index_bytes),
    VALUE("bans", "gauge", "Purges of more than one URL that hits are compared with", log.bans),
    VALUE("queued_bytes", "gauge", "Bytes that wait to be written", queued_bytes),
    VALUE("appended_bytes_total", "counter", "Bytes written", log.appended_bytes),
    VALUE("dropped_total", "counter", "Answers that left with the oldest segments", log.dropped),
    VALUE("passed_on_total", "counter", "Answers in the oldest segments that were written anew",
          log.passed_on),
    VALUE("refused_total", "counter",
          "Answers not written: too many waited, or the disk had failed", refused),
    VALUE("write_errors_total", "counter", "Times that writing has failed", write_errors),
    VALUE("read_errors_total", "counter",
          "Reads that failed, or gave something else than was written", read_errors),
};

struct row {
    struct text *out;
    const struct family *f;
};

static u64 value_of(const struct family *f, const struct disk_counts *c)
{
    const char *at = (const char *)c + f->at;
    return f->is_yes ? *(const bool *)at : *(const u64 *)(const void *)at;
}

static void put_row(const char *name, const void *entry, void *ctx)
{
    const struct row *row = ctx;
    bool has_disk;
    struct disk_counts c =
        tier_counts(&((const struct cache_entry *)entry)->cache->tier, &has_disk);
    if (has_disk)
        exposition_labelled(row->out, row->f->name, "cache", name, value_of(row->f, &c));
}

static void note_disk(const char *name, const void *entry, void *any)
{
    (void)name;
    *(bool *)any |= tier_has_disk(&((const struct cache_entry *)entry)->cache->tier);
}

void metrics_disks(struct text *out, struct engine *e)
{
    bool any = false;
    registry_each(e->registry, &caches, note_disk, &any);
    for (unsigned i = 0; i < countof(families) && any; i++) {
        const struct family *f = &families[i];
        exposition_family(out, f->name, f->type, f->help);
        registry_each(e->registry, &caches, put_row, &(struct row){ out, f });
    }
}
