/* The block `list NAME { … }`: its part of the schema, and what it says. */
#ifndef PROXYD_LIST_CONF_H
#define PROXYD_LIST_CONF_H

#include "config/schema.h"
#include "filters/list_reader.h"

enum list_match { MATCH_AS_FORMAT, MATCH_SUBDOMAINS };

struct list_conf {
    struct slice name;
    const struct word *source; /* for messages; valid as long as the tree */
    bool fetched;              /* it is a URL, else a path */
    const char *path;          /* for open(2), or the URL */
    const char *copy;          /* of a URL: what was fetched, for open(2); NULL: nothing so far */
    struct slice shown;        /* as it is written */
    u8 format;                 /* enum list_format */
    u8 match;                  /* enum list_match */
    u64 min_entries;
    bool optional;
    u32 most_loss; /* per cent of its entries that it may lose at once */
    /* Of a URL. */
    u32 every, timeout;     /* ms */
    u64 max_size;           /* bytes */
    struct slice checksum;  /* a SHA-256 in hexadecimal, a URL where it stands, or empty */
    u8 reach;               /* CLASS_BIT of what it may be fetched from besides public addresses */
    const struct node *via; /* the parent that it is fetched through, valid as long as the tree */
};

extern const struct schema_row list_rows[];
/* What the rows cannot say: keys that do not go together, an address that `reach` does not open. */
void list_conf_check(const struct node *list, struct diags *d);

/* Of a block that was checked; texts are copied into a. */
struct list_conf list_conf_read(const struct node *list, struct arena *a);
/* All that decides what a list is, as one text in a: two with the same are the same list. */
struct slice list_conf_key(const struct list_conf *c, struct arena *a);

#endif
