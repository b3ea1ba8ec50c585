/*
 * `user NAME [GROUP]`: who the process is once its addresses are bound. Root's rights are for
 * binding and for nothing else, so they are given up before a log is opened, a thread started or a
 * byte of a client read: what works at the start, such as a log in a folder of that user, works the
 * same at a rotation and a reload later on.
 */
#ifndef PROXYD_USER_H
#define PROXYD_USER_H

#include "base/text.h"
#include "config/tree.h"
#include "config/diag.h"

struct user_conf {
    const char *name, *group; /* NULL: none; no group: the user's own */
};

struct schema_row;
/* The reader and the check of `user`: names that this machine does not know are errors. */
void user_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to);
void user_check(const struct node *n, struct diags *d);

/* What is kept of root's rights. */
struct user_rights {
    bool low_ports;   /* to bind ports below 1024, for a reload */
    bool any_address; /* to bind addresses that are not this machine's: io/intercept.h */
};

/* Becomes that user in all: ids, groups, no way back, no core dump, no rights by an execve, but for
 * those that are kept. Before any thread is started. *note gets a clause for the start's messages
 * when there is something to say, as that the process is root and stays so. False: *note says why
 * not. */
bool user_become(const struct user_conf *u, struct user_rights keep, struct text *note);

/* The ids it will have; those of the process when there is no other user. False: unknown. */
bool user_ids(const struct user_conf *u, unsigned *uid, unsigned *gid);

#endif
