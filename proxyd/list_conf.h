/* The block `list NAME { … }`: its part of the schema, and what it says. */
#ifndef PROXYD_LIST_CONF_H
#define PROXYD_LIST_CONF_H

#include "config/schema.h"
#include "filters/list_reader.h"

enum list_match { MATCH_AS_FORMAT, MATCH_SUBDOMAINS };

struct list_conf {
    struct slice name;
    const struct word *source; /* for messages; valid as long as the tree */
    const char *path;          /* for open(2) */
    struct slice shown;        /* as it is written */
    u8 format;                 /* enum list_format */
    u8 match;                  /* enum list_match */
    u64 min_entries;
    bool optional;
};

extern const struct schema_row list_rows[];

/* Of a block that was checked; texts are copied into a. */
struct list_conf list_conf_read(const struct node *list, struct arena *a);
/* All that decides what a list is, as one text in a: two with the same are the same list. */
struct slice list_conf_key(const struct list_conf *c, struct arena *a);

#endif
