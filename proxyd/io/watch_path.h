/*
 * The way to a file: the places where inotify tells of a change that matters to it. Every folder on
 * the way is watched for the one name in it that leads on, links are followed, and so is the file
 * itself. Paths are touched here and nowhere else of the watching, so all of it is for offload
 * threads.
 */
#ifndef IO_WATCH_PATH_H
#define IO_WATCH_PATH_H

#include "base/types.h"

enum { PLACES = 64 };

/* An inotify watch, and a name in it. */
struct place {
    int wd;
    u64 name; /* hash; 0: of the file itself, or of an event that concerns the whole folder */
};

struct places {
    u32 n;
    struct place at[PLACES];
};

/* The name of a place; never 0. */
u64 watch_name(const char *name);
/* Adds inotify watches for all of path to the descriptor `inotify` and says where. NULL, or why the
 * kernel does not report all changes on the way: then the file has to be looked at now and then. */
const char *watch_path(int inotify, const char *path, struct places *out);

#endif
