/*
 * The people of an `auth` block: a password file (`name:hash`, as htpasswd writes it) and a groups
 * file (`group: name name …`), read once and never changed; another reading makes another one.
 *
 * A line that cannot be used is left out and reported, so that a slip locks one out and not all.
 * The hard thing is the first line of two with the same name: it wins, as it does in Apache, nginx
 * and the htpasswd tool.
 */
#ifndef POLICY_USERS_H
#define POLICY_USERS_H

#include "policy/password.h"

struct users;

/* Who asks, as one text that can be copied: a name, and behind NULs the groups. p NULL: nobody has
 * proved to be anybody. */
struct slice identity_name(struct slice identity);
bool identity_in_group(struct slice identity, struct slice group);

struct user {
    struct slice name;
    u32 line; /* in the password file, from 1 */
    struct password password;
    struct slice identity; /* the name and each of the groups, with a NUL between them */
};

enum {
    USERS_NAME_MOST = 255,      /* bytes of a user's or a group's name */
    USERS_FILE_MOST = 64 << 20, /* bytes of either file */
    USERS_IDENTITY_MOST = 4096  /* bytes of one: it is copied into each exchange */
};

enum users_file { USERS_PASSWORDS, USERS_GROUPS };

/* Is told of lines, from 1: one that is left out, or (`warning`) one to think about. */
struct users_report {
    void (*line)(void *ctx, enum users_file file, u32 line, bool warning, const char *why);
    void *ctx;
};

/* NULL: somebody may be called that, and a line of a password file may begin with it; else why not.
 */
const char *users_name_wrong(struct slice name);

/* The texts are copied; at most USERS_FILE_MOST bytes each. Never NULL. */
struct users *users_new(struct slice passwords, struct slice groups, const struct users_report *r);
void users_free(struct users *u); /* NULL: nothing */

/* NULL: there is none. The user lives as long as `u`. */
const struct user *users_find(const struct users *u, struct slice name);
/* A keyed hash of both texts: equal for the same. */
u64 users_print(const struct users *u);
size_t users_count(const struct users *u);
/* The i-th, in the order of the file. */
const struct user *users_at(const struct users *u, size_t i);
/* One that takes as long to compare with as most of the file's: for names that are not in it. NULL:
 * the file has no user. */
const struct password *users_usual_password(const struct users *u);

#endif
