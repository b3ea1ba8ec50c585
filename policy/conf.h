/* The `policy NAME { … }` block: its part of the schema, its checks, and the way to a policy. */
#ifndef POLICY_CONF_H
#define POLICY_CONF_H

#include "config/schema.h"
#include "policy/policy.h"

/* What may stand in the block; its own row names policy_conf_check as .check. */
extern const struct schema_row policy_rows[];

/* What types cannot say: values that mean something else than they look like, rules that can never
 * decide, a deny by path around which CONNECT leads. Warnings, all of them, and only about a policy
 * without errors. */
void policy_conf_check(const struct node *policy, struct diags *d);

/* Parts of it, one row each. */
void policy_to_check(const struct node *n, struct diags *d);
void policy_url_check(const struct node *n, struct diags *d);
void policy_header_check(const struct node *n, struct diags *d);
void policy_pairs_check(const struct node *n, struct diags *d);
void policy_time_check(const struct node *n, struct diags *d);
void policy_deny_check(const struct node *n, struct diags *d);
void policy_error_page_check(const struct node *policy, struct diags *d);
void policy_contact_check(const struct node *n, struct diags *d);
void policy_location_check(const struct node *n, struct diags *d);
void policy_status_check(const struct node *n, struct diags *d);
void policy_length_check(const struct node *n, struct diags *d);
void policy_type_check(const struct node *n, struct diags *d);
void policy_zone_check(const struct node *n, struct diags *d);
void policy_user_check(const struct node *n, struct diags *d);
void policy_method_check(const struct node *n, struct diags *d);
void policy_default_check(const struct node *n, struct diags *d);

/* The template of a page (core/report/page.h), in the arena; false, and *out as it was: it cannot
 * be read, is too long, or is wrong. */
bool policy_page_read(struct arena *a, const struct word *w, struct slice *out);
/* The reader of a row whose value is the name of such a file. */
void policy_read_page(const struct schema_row *row, const struct node *n, struct arena *a,
                      void *to);
/* Names and meanings of the values of pages, for the manual. */
void policy_put_variables(FILE *to);

/* The block as rules, in the arena; everything the policy needs is copied or parsed, the tree may
 * go. Never NULL for a block that was checked without errors. */
struct policy *policy_compile(const struct node *policy, struct arena *a);

#endif
