/*
 * The commands about the people of an `auth` block, and the help that teaches them. None of them
 * ever prints a password or a hash.
 */
#include "command_users.h"

#include <stdio.h>
#include <stdlib.h>

#include "ask_password.h"
#include "auth_test.h"
#include "command_rows.h"
#include "passwd_file.h"
#include "policy/auth.h"

static struct command usage(const char *command, const char *why, const char *more)
{
    fprintf(stderr, "proxyd %s: %s%s\n\"proxyd %s --help\" explains it\n", command, why, more,
            command);
    return command_leave(EXIT_USAGE);
}

static int change(const char *path, struct slice name, struct slice hash)
{
    char why[512];
    bool found;
    if (!passwd_file_change(path, name, hash, &found, why, sizeof why)) {
        fprintf(stderr, "proxyd passwd: %s\n", why);
        return EXIT_FAILED;
    }
    if (hash.p == NULL && !found) {
        fprintf(stderr, "proxyd passwd: %s has no user %s\n", path, slice_shown(name));
        return EXIT_FAILED;
    }
    printf("%s: %s %s\n", path, slice_shown(name),
           hash.p == NULL ? "is gone"
           : found        ? "has another password"
                          : "was added");
    return EXIT_FINE;
}

static int set(const struct options *o, struct slice name)
{
    enum password_way way = o->yescrypt ? PASSWORD_BY_YESCRYPT : PASSWORD_BY_BCRYPT;
    struct asked_password p;
    char hash[PASSWORD_STORED_MOST];
    int code = EXIT_FAILED;
    if (!ask_password("passwd", o->by_input, true, &p))
        return EXIT_FAILED;
    struct slice given = { p.text, p.n };
    const char *wrong = password_wrong(given, way);
    if (wrong)
        fprintf(stderr, "proxyd passwd: this cannot be a password: %s\n", wrong);
    else if (!password_make(given, way, hash))
        fputs("proxyd passwd: no hash could be made\n", stderr);
    else
        code = change(o->operand[0], name, slice_of(hash));
    explicit_bzero(&p, sizeof p);
    return code;
}

static int verify(const struct options *o, struct slice name)
{
    struct asked_password p;
    char why[512];
    struct users *u = users_load(o->operand[0], NULL, NULL, why, sizeof why);
    const struct user *user = u ? users_find(u, name) : NULL;
    int code = EXIT_FAILED;
    if (user == NULL) {
        if (u)
            fprintf(stderr, "proxyd passwd: %s has no line of %s that can be used\n", o->operand[0],
                    slice_shown(name));
        else
            fprintf(stderr, "proxyd passwd: %s\n", why);
    } else if (ask_password("passwd", o->by_input, false, &p)) {
        bool fits = password_fits(&user->password, (struct slice){ p.text, p.n });
        explicit_bzero(&p, sizeof p);
        puts(fits ? "the password fits" : "the password does not fit");
        code = fits ? EXIT_FINE : EXIT_FAILED;
    }
    users_free(u);
    return code;
}

struct command do_passwd(struct options o)
{
    struct slice name = slice_of(o.operand[1]);
    if (o.operand[1] == NULL)
        return usage("passwd", "expected a file and a name", "");
    if (o.delete_it && (o.verify || o.by_input || o.yescrypt))
        return usage("passwd", "--delete stands alone", "");
    const char *wrong = users_name_wrong(name);
    if (wrong)
        return usage("passwd", "nobody can be called that: ", wrong);
    if (o.delete_it)
        return command_leave(change(o.operand[0], name, (struct slice){ NULL, 0 }));
    return command_leave(o.verify ? verify(&o, name) : set(&o, name));
}

struct command do_auth(struct options o)
{
    if (o.operand[0] == NULL || strcmp(o.operand[0], "test") != 0 || o.operand[1] == NULL)
        return usage("auth", "expected \"test\" and a name", "");
    if (o.listener && o.policy)
        return usage("auth", "expected --listener or --policy, not both", "");
    struct auth_test t = { .config = o.config,
                           .listener = o.listener,
                           .policy = o.policy,
                           .name = o.operand[1],
                           .to = o.to,
                           .from = o.from,
                           .by_input = o.by_input };
    return command_leave(auth_test_run(&t));
}

const char help_passwd[] =
    "Sets the password of a user in a file of users (\"auth basic { file FILE; }\"), which "
    "htpasswd\n"
    "and its like can read as well. The password is asked for twice on the terminal, and is not\n"
    "shown. A proxy that runs takes the file up by itself. All other lines, comments too, stay as\n"
    "they are, and so do owner and mode; a new file has mode 0640.\n"
    "\n"
    "usage: proxyd passwd FILE NAME [--stdin] [--yescrypt]\n"
    "       proxyd passwd FILE NAME --verify [--stdin]\n"
    "       proxyd passwd FILE NAME --delete\n"
    "\n"
    "      --stdin         the password is the first line of standard input\n"
    "      --yescrypt      as a yescrypt hash instead of bcrypt: for passwords of more than 72\n"
    "                      bytes; not every program can read it\n"
    "      --verify        changes nothing, and tells whether the password fits\n"
    "      --delete        takes the user out\n"
    "  -h, --help          this text\n"
    "\n"
    "example:\n"
    "  $ proxyd passwd users.htpasswd ann\n"
    "  Password:\n"
    "  Once more:\n"
    "  users.htpasswd: \"ann\" was added\n"
    "\n"
    "exit codes: 0 done, or the password fits; 1 not done, or it does not fit; 2 wrong usage\n";

const char help_auth[] =
    "Tells step by step what a proxy with this configuration makes of a name and a password: "
    "where\n"
    "the name stands, how its hash is made, how long the comparison takes, which groups it is in,\n"
    "whether it is asked at all, and the verdict. It prints neither password nor hash.\n"
    "\n"
    "usage: proxyd auth test NAME [-c FILE] [OPTION...]\n"
    "\n"
    "  -c, --config FILE   the configuration, \"-\" for standard input; without it the built-in\n"
    "      --listener NAME as a client of that listener; without it of the first with mode "
    "forward\n"
    "      --policy NAME   by that policy\n"
    "      --to URL        what is asked for, for \"except-to\"\n"
    "      --from ADDRESS  the client, for \"clients\" and \"except-from\"\n"
    "      --stdin         the password is the first line of standard input\n"
    "  -h, --help          this text\n"
    "\n"
    "example:\n"
    "  $ proxyd auth test ann -c proxyd.conf\n"
    "  Password:\n"
    "  policy      staff\n"
    "  scheme      basic\n"
    "  user        ann, users.htpasswd:3\n"
    "  hash        bcrypt\n"
    "  groups      builders staff, users.groups\n"
    "  password    fits, after 213 ms\n"
    "  verdict     ann may ask the rules\n"
    "\n"
    "exit codes: 0 it fits, or nobody is asked; 1 it does not fit, or a wrong configuration; 2 "
    "wrong\n"
    "usage\n";
