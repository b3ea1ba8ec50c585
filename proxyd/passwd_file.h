/*
 * A file with a line for each user, changed as a whole: it is written anew beside the old one and
 * takes its name, so that nobody ever reads half of it, a full disk loses nothing, and two who
 * change it at a time take turns.
 *
 * The hard thing is all that is not to change: every other line, owner, mode, and where a symbolic
 * link leads.
 */
#ifndef PROXYD_PASSWD_FILE_H
#define PROXYD_PASSWD_FILE_H

#include "base/slice.h"

/* Sets the hash of the first line of that name, or adds a line; hash p NULL: takes all lines of
 * the name away. A file that is not there is made, with mode 0640, unless lines are to go. False: a
 * line of what went wrong in `why`, and the file is as it was. *found: the name was there. */
bool passwd_file_change(const char *path, struct slice name, struct slice hash, bool *found,
                        char *why, size_t why_size);

#endif
