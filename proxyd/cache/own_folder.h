/* Where a cache lies whose `path` is `auto`: below the folder that the system has for such things
 * of this user. */
#ifndef CACHE_OWN_FOLDER_H
#define CACHE_OWN_FOLDER_H

#include "base/arena.h"

/* BASE/NAME in a; BASE is the first that is known: $CACHE_DIRECTORY (of a service), proxyd in
 * $XDG_CACHE_HOME, /var/cache/proxyd of root, ~/.cache/proxyd. It stays what it was for the first
 * caller, whoever the process becomes. NULL: there is no home either. */
const char *own_folder(struct arena *a, struct slice name);
/* Makes the folders in which that one lies. What fails is told when it is opened. */
void own_folder_make_parents(const char *path);

#endif
