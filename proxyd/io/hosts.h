/*
 * The hosts file as an immutable table. It is read on a thread that may block, never by a look-up
 * (c-ares reads it at every one, on the calling thread). struct hosts_file keeps the current table:
 * look-ups read-lock it for one find, a refresh parses outside the lock and write-locks it for one
 * store; nobody can hold the old table after that, so it is freed at once.
 *
 * The hard thing is that the file may be a block list of a million lines, or no hosts file at all:
 * any byte may stand anywhere. What cannot be understood is passed over line by line, name by name.
 * A table takes its text once, 24 bytes per name and 4 to 8 of index; at most 64 MB are read.
 */
#ifndef IO_HOSTS_H
#define IO_HOSTS_H

#include "base/addr.h"

enum { HOSTS_PER_FAMILY = 8, HOSTS_LONGEST_FILE = 64 << 20 };

struct hosts;

/* A table from text: lines "ADDRESS NAME…", `#` to the end of the line is a comment. Names lose
 * case and one final dot. A name of several lines has all their addresses, in order, at most 8 per
 * family. The text is copied; longer than HOSTS_LONGEST_FILE is cut there. NULL: no memory. */
struct hosts *hosts_parse(struct slice text);
/* A table from a regular file; NULL with errno (EFBIG: longer than HOSTS_LONGEST_FILE; EINVAL: no
 * regular file; ENOMEM). */
struct hosts *hosts_load(const char *path);
void hosts_free(struct hosts *h);

/* Addresses of a canonical name: IPv6 in out[0, *nv6), then IPv4. Returns how many; 0: not there.
 * Any number of threads at once. */
unsigned hosts_find(const struct hosts *h, struct slice name, struct addr out[2 * HOSTS_PER_FAMILY],
                    u8 *nv6);
/* The file at path, loaded now and again when it changes; path NULL: always empty. Never NULL. */
struct hosts_file;
struct hosts_file *hosts_file_new(const char *path);
void hosts_file_free(struct hosts_file *f);
/* One thread only, one that may block. A file that is gone is an empty table; one that cannot be
 * read now, for want of memory too, leaves the old table. True: the table is the file's. */
bool hosts_file_refresh(struct hosts_file *f);
/* hosts_find on the current table; any thread. */
unsigned hosts_file_find(struct hosts_file *f, struct slice name,
                         struct addr out[2 * HOSTS_PER_FAMILY], u8 *nv6);

/* How many name-address pairs. */
u32 hosts_count(const struct hosts *h);

#endif
