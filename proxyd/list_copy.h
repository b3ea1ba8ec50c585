/*
 * The last good copies of lists that were fetched, in the folder `state`: so that a start needs no
 * network. Beside each content stands what it is: where it came from, how to ask whether it has
 * changed, its length and its SHA-256, without which it does not count.
 *
 * The hard thing is that a crash at any moment must leave one that is whole. A content is written
 * to a file without a name, gets a name by its checksum, and counts from the moment when the file
 * that describes it is renamed into place; the one before it goes afterwards.
 *
 * All of this may block. Names of lists are names of files: letters, digits, _ and -.
 */
#ifndef PROXYD_LIST_COPY_H
#define PROXYD_LIST_COPY_H

#include "base/slice.h"
#include "io/digest.h"
#include "list_url.h"

enum { LIST_ETAG = 256, LIST_MODIFIED = 64, LIST_COPY_PATH = 4096 };

/* What a content is. */
struct list_stamp {
    char from[LIST_URL];          /* behind all redirects */
    char etag[LIST_ETAG];         /* of there; empty: none was sent, or it was too long */
    char modified[LIST_MODIFIED]; /* likewise, Last-Modified */
    char sum[DIGEST_TEXT];        /* empty: there is no content */
    u64 bytes;
    u64 checked_s; /* since 1970: fetched, or found unchanged */
};

struct list_place {
    const char *folder; /* NULL: nothing is kept */
    const char *name, *url;
};

/* Where copies are kept when the configuration does not say: malloc'd; NULL: nowhere. */
char *list_copy_folder(void);

/* For root, before it becomes another user: a folder that is missing is made, and belongs to that
 * user from now on, as does the one of the system. Any other one is as its administrator wants it.
 */
void list_copy_give_folder(const char *folder, unsigned uid, unsigned gid);

/* Is there a whole copy of that list from that URL? *out, and its path for open(2). */
bool list_copy_find(const struct list_place *p, struct list_stamp *out, char path[LIST_COPY_PATH]);
/* A file for a new content; *is_kept: false: in memory, because the folder cannot be written to
 * (errno says why; 0: there is none). -1 with errno: neither. */
int list_copy_begin(const struct list_place *p, bool *is_kept);
/* Makes the content of fd, from list_copy_begin, the copy; false with errno. fd stays open. */
bool list_copy_keep(const struct list_place *p, int fd, const struct list_stamp *s);
/* The copy, found unchanged, is described anew. */
bool list_copy_confirm(const struct list_place *p, const struct list_stamp *s);

#endif
