/*
 * A stored password: one of the hashes that htpasswd, mkpasswd and directories write
 * (password.tbl). What it is compared with is hashed the same way, so the file gives nobody's
 * password away.
 *
 * The hard thing is that a good hash is slow: bcrypt of cost 12 takes 0.2 s. So nothing here may be
 * called on a worker but password_read.
 */
#ifndef POLICY_PASSWORD_H
#define POLICY_PASSWORD_H

#include "base/slice.h"

enum password_form {
#define PASSWORD(token, prefix, scheme, name, text) PASSWORD_##token,
#include "policy/password.tbl"
#undef PASSWORD
    PASSWORD_FORMS
};

enum {
    PASSWORD_STORED_MOST = 256,      /* bytes of a hash: SHA-512 with its salt takes 123 */
    PASSWORD_GIVEN_MOST = 511,       /* bytes of what a user sends, as crypt(3) has it */
    PASSWORD_BCRYPT_COST = 16,       /* 2^16 rounds: 4 s */
    PASSWORD_YESCRYPT_LOG_N = 15,    /* 2^15 blocks of 4 kB: 128 MB, half a second */
    PASSWORD_ROUNDS_MOST = 10000000, /* `rounds=` of $5$ and $6$: 5 s */
};

struct password {
    enum password_form form;
    struct slice stored; /* the text that was read; whoever called password_read keeps it */
};

/* NULL: *p can be compared with; else why not, a clause for a message. */
const char *password_read(struct slice stored, struct password *p);
/* "bcrypt", "SHA-512" …: how it is made. */
const char *password_form_name(const struct password *p);
/* The part of the stored text that says how much work a comparison is: equal for equal work. */
struct slice password_cost(const struct password *p);
/* What is to be known of the form, or NULL. */
const char *password_warning(const struct password *p);
/* Does it fit? Takes as long for a wrong one as for the right one; false for what is longer than
 * PASSWORD_GIVEN_MOST or holds a NUL. Any thread but a worker's. */
bool password_fits(const struct password *p, struct slice given);

/* How a new one is stored. */
enum password_way { PASSWORD_BY_BCRYPT, PASSWORD_BY_YESCRYPT };
/* NULL: it may be somebody's password; else why not, a clause. */
const char *password_wrong(struct slice given, enum password_way way);
/* Its hash with a new salt, NUL-terminated, in `out` of PASSWORD_STORED_MOST bytes. Takes as long
 * as a comparison. False: password_wrong, or no memory. */
bool password_make(struct slice given, enum password_way way, char *out);

#endif
