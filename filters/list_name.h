/*
 * Names as lists spell them, brought to the form in which hosts are looked up: lower case, without
 * the final dot, Unicode as A-labels (IDNA 2008, libidn2), addresses recognised in every spelling
 * that a client could use for them. `_` is allowed, real hosts have it.
 */
#ifndef FILTERS_LIST_NAME_H
#define FILTERS_LIST_NAME_H

#include "base/addr.h"

enum { LIST_NAME = 253 };

struct list_name {
    bool is_address;
    struct cidr net; /* a single address */
    size_t n;        /* of text; an address is in its canonical spelling */
    char text[LIST_NAME + 1];
};

/* NULL: done; else why it is no name. */
const char *list_name(struct list_name *out, struct slice s);

/* Nearly always a mistake together with all names below: one label, or a suffix under which anybody
 * registers ("co.uk"). A short table, not the Public Suffix List. */
bool list_name_is_suffix(struct slice name);

#endif
