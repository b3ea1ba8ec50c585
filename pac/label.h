/*
 * Inside of pac/: which hosts are direct. A label is a host, the names below one, or a network, and
 * whether it is direct; of all that cover a destination the most specific one counts. They begin as
 * the values of `direct`. The hard thing is that a direct line to what the policy denies would be a
 * way around it: so every host and network that a rule names within a value of `direct` becomes a
 * label of its own, and each label asks the policy.
 */
#ifndef PAC_LABEL_H
#define PAC_LABEL_H

#include "filters/hostset.h"
#include "pac/section.h"
#include "policy/by_host.h"

struct pac_label {
    bool is_net, direct;
    enum host_kind kind; /* HOST_ITSELF or HOST_BELOW; an empty host below which is every name */
    struct slice host;   /* lower case */
    struct cidr net;
    const struct word *word;   /* of `direct`, or of the rule; NULL: loopback */
    bool said;                 /* by `direct` */
    struct host_ruling ruling; /* of what is not direct */
};

struct pac_labels {
    struct pac_label *list;
    u32 n, room;
    struct arena *arena;
};

/* Of a section, for a client; policy NULL: everything may be direct. policy_block is what `policy`
 * was made of. */
void pac_labels_make(struct pac_labels *l, const struct pac_section *s,
                     const struct node *policy_block, const struct policy *policy,
                     const struct addr *client, struct arena *a);

/* An address that is in list[at] and in none of the others within it; false: there is none. Those
 * without family are passed over. */
bool cidr_own_address(const struct cidr *list, u32 n, u32 at, struct addr *out);

#endif
