/*
 * The block `cache { … }` of a rule or a route: how far it departs from what RFC 9111 says of the
 * requests that the rule decides on.
 */
#ifndef POLICY_CACHE_RULE_H
#define POLICY_CACHE_RULE_H

#include "base/cache_rule.h"
#include "base/text.h"
#include "config/schema.h"

/* What may stand in the block; a row with it as .children has cache_rule_read as .read and
 * cache_rule_check as .check. */
extern const struct schema_row cache_rule_rows[];
/* Into a const struct cache_rule *: NULL without a block. It has the name of the block's parent. */
void cache_rule_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to);
void cache_rule_check(const struct node *n, struct diags *d);

/* Patterns of names, as in `without-params utm_* fbclid`: the words of a statement from the i-th
 * on, copied. *n: how many. */
const struct slice *cache_names_read(const struct node *n, u32 i, struct arena *a, u32 *count);
/* Of one such word: an error is told. */
void cache_name_check(const struct word *w, struct diags *d);

/* What it says, as a list for people: "override ttl 600s, ignore private". At most
 * CACHE_RULE_TEXT bytes. */
enum { CACHE_RULE_TEXT = 512 };
void cache_rule_text(struct text *out, const struct cache_rule *r);

#endif
