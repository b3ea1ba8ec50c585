/*
 * The commands of the command line as the table that they stand in: name, options, what a command
 * does and the help that teaches it. A new one is a row in command_rows.c and a function in
 * command_do.c.
 */
#ifndef PROXYD_COMMAND_ROWS_H
#define PROXYD_COMMAND_ROWS_H

#include "base/types.h"
#include "command.h"
#include "config/diag.h"
#include "explain.h"
#include "nft.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

enum { MOST_OPERANDS = 3 };

/* The options of one command line. */
struct options {
    const char *config, *socket;
    const char *from, *at, *listener, *client, *file;
    const char *header[EXPLAIN_MANY], *resolve[EXPLAIN_MANY], *response[EXPLAIN_MANY], *sni;
    const char *both[2], *log, *examples; /* of `diff`: the configurations, … */
    const char *lan[NFT_MANY], *ports;    /* of `nft` */
    const char *user;
    bool own, remove;
    const char *policy, *to;
    bool by_input, yescrypt, verify, delete_it; /* of `passwd`, and the first of `auth` */
    bool all, prefix, tag, soft;                /* of `cache` */
    bool help, strict, show_default, keys, man, json;
    const char *completion;             /* a shell */
    const char *operand[MOST_OPERANDS]; /* words that are no options; NULL: not given */
};

enum option_for {
    FOR_RUN = 1,
    FOR_CHECK = 2,
    FOR_CONFIG = 4,
    FOR_REFERENCE = 8,
    FOR_RELOAD = 16,
    FOR_CTL = 32,
    FOR_LISTS = 64,
    FOR_EXPLAIN = 128,
    FOR_TEST = 256,
    FOR_DIFF = 512,
    FOR_NFT = 1024,
    FOR_PASSWD = 2048,
    FOR_AUTH = 4096,
    FOR_PAC = 8192,
    FOR_CACHE = 0x4000,
    FOR_HELP = 0x8000,
    FOR_ALL = 0xffff,
    FOR_CONFIG_FILE =
        FOR_RUN | FOR_CHECK | FOR_LISTS | FOR_EXPLAIN | FOR_TEST | FOR_NFT | FOR_AUTH | FOR_PAC
};

struct command_row {
    const char *name;
    unsigned bit;      /* enum option_for */
    unsigned operands; /* most words that are no options */
    struct command (*act)(struct options o);
    const char *line; /* in the list of commands */
    const char *help;
};

extern const struct command_row command_rows[];
extern const size_t command_row_count;

struct option_row {
    const char *name, *brief; /* --name, -b */
    unsigned commands;        /* enum option_for */
    size_t to;                /* offset in struct options: of a bool, or of the value's text */
    const char *value;        /* what it takes, for complaints; NULL: nothing */
    unsigned most;            /* so many of it into an array of texts; 0: one, and no array */
};
extern const struct option_row option_rows[];
extern const size_t option_row_count;
/* Does the command have that option? */
bool command_takes(const struct command_row *c, const struct option_row *o);

/* What the commands do with their options (command_do.c). Each says how to go on, and has
 * complained on standard error when that is to leave with a failure. */
struct command do_run(struct options o);
struct command do_check(struct options o);
struct command do_lists(struct options o);
struct command do_cache(struct options o);
struct command do_explain(struct options o); /* command_policy.c, and the next two */
struct command do_test(struct options o);
struct command do_diff(struct options o);
struct command do_nft(struct options o);
struct command do_passwd(struct options o); /* command_users.c, and the next one */
struct command do_auth(struct options o);
struct command do_pac(struct options o); /* command_pac.c */
struct command do_config(struct options o);
struct command do_reference(struct options o);
struct command do_reload(struct options o);
struct command do_ctl(struct options o);
struct command do_version(struct options o);
struct command do_help(struct options o); /* command.c */

/* To leave with an exit code. */
struct command command_leave(int code);
/* "did you mean", on standard error, when there is a guess. */
void command_guess(const struct guess *g);

#endif
