/* A log in a folder of its own, and records that say themselves what is in them: whatever is found
 * can be told from anything that was never appended. */
#ifndef TESTS_HELP_LOG_H
#define TESTS_HELP_LOG_H

#include "cache/disk/seglog.h"

/* HELP_SMALL is less than anybody can configure: full soon. */
enum { HELP_QUOTA = SEGLOG_LEAST, HELP_SMALL = 16 << 20 };

/* Of a new folder, or of the one that is there; loaded. Nothing waits for the disk: what is written
 * survives the process, if not the machine. */
struct seglog *help_log(u64 quota);
/* Of a new folder, in memory: for a test that writes much. */
struct seglog *help_log_in_memory(u64 quota);
/* Closed (NULL: it is already), and its folder deleted. */
void help_log_end(struct seglog *l);
struct seglog *help_log_again(struct seglog *l); /* closed, opened, loaded */
struct seglog *help_log_only_opened(u64 quota);
/* Its path, NULL before; deleted with all in it. */
const char *help_log_folder(void);
void help_log_delete(void);

struct cache_key help_key(u64 n);
/* Fills n bytes that the seed says. */
void help_bytes(char *to, size_t n, u64 seed);
/* Record n in a `version` (which is its meta), its body in the record, or in parts of so many
 * bytes; until: seconds since 1970. */
struct help_record {
    u64 n, version, variant, until;
    const char *vary, *tags;
    u32 body, part, parts;
};
bool help_append(struct seglog *l, const struct help_record *r);
/* The version of what is found for n with a variant of 0, or 0: nothing. All that is found has to
 * be whole and right; -1: it is not. */
i64 help_found(struct seglog *l, u64 n);
i64 help_found_variant(struct seglog *l, u64 n, u64 variant);
/* Where it is; false: nowhere. */
bool help_place(struct seglog *l, u64 n, struct seglog_place *p);

#endif
