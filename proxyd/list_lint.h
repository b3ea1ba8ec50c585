/*
 * Lists that say nothing because another one of the same rule says it all: each entry of the one is
 * held against the content of the other.
 */
#ifndef PROXYD_LIST_LINT_H
#define PROXYD_LIST_LINT_H

#include "filters/list_slot.h"
#include "list_conf.h"

/* Is each entry of `inner`, which is read once more, covered by `outer`? False also where that
 * cannot be known: entries about URLs, and an outer list with exceptions. */
bool list_is_inside(const struct list_conf *inner, const struct list_content *outer);

#endif
