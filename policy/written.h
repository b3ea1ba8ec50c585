/* What a rule looks like in its file, for people: it is kept after the tree is gone. */
#ifndef POLICY_WRITTEN_H
#define POLICY_WRITTEN_H

#include "base/arena.h"
#include "config/tree.h"

struct written {
    struct position at;
    struct slice text;  /* without the final ';' */
    struct slice first; /* its first value, empty when there is none */
};

/* A position whose file is in the arena. before: one that was kept already, whose file is shared if
 * it is the same; NULL: none. */
struct position position_kept(struct position at, const struct position *before, struct arena *a);
/* The statement as it could be written: blanks and comments between its words are gone. `at` shares
 * the file of `before`, which is in the arena and stands in the same file. */
struct written statement_written(const struct node *n, struct position before, struct arena *a);

#endif
