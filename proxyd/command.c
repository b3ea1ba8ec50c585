/*
 * The command line: from the arguments to a row of the table of commands (command_rows.h).
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>

#include "command_rows.h"
#include "completion.h"
#include "manual.h"

static void list_commands(FILE *to)
{
    fputs(
        "proxyd is an HTTP proxy: forward for clients that know it, reverse in front of servers.\n"
        "\n"
        "usage: proxyd COMMAND [OPTION...]\n\n",
        to);
    for (size_t i = 0; i < command_row_count; i++)
        fprintf(to, "  %-10s %s\n", command_rows[i].name, command_rows[i].line);
    fputs("\n"
          "To begin: \"proxyd run\", then in another terminal\n"
          "  curl -x http://127.0.0.1:3128 http://example.com/\n"
          "Every command explains itself with --help.\n",
          to);
}

struct command do_help(struct options o)
{
    if (o.man) {
        manual_of_commands(stdout);
    } else if (o.completion && !completion_write(o.completion, stdout)) {
        fprintf(stderr, "proxyd help: no completion for %s; there is bash, zsh and fish\n",
                slice_shown(slice_of(o.completion)));
        return command_leave(EXIT_USAGE);
    } else if (o.completion == NULL) {
        list_commands(stdout);
    }
    return command_leave(EXIT_FINE);
}

/* ---- understanding ---- */

static const struct command_row *find_command(const char *name)
{
    for (size_t i = 0; i < command_row_count; i++)
        if (strcmp(command_rows[i].name, name) == 0)
            return &command_rows[i];
    return NULL;
}

static struct command unknown_command(const char *name)
{
    struct guess g = guess_for(slice_of(name));
    fprintf(stderr, "proxyd: there is no command %s\n", slice_shown(slice_of(name)));
    for (size_t i = 0; i < command_row_count; i++)
        guess_try(&g, slice_of(command_rows[i].name));
    command_guess(&g);
    fputs("\"proxyd help\" lists the commands\n", stderr);
    return command_leave(EXIT_USAGE);
}

static struct command wrong_option(const struct command_row *c, const char *arg)
{
    struct guess g = guess_for(slice_of(arg));
    fprintf(stderr, "proxyd %s: %s is not known here\n", c->name, slice_shown(slice_of(arg)));
    for (size_t i = 0; i < option_row_count; i++)
        if (option_rows[i].commands & c->bit)
            guess_try(&g, slice_of(option_rows[i].name));
    if (g.best.n == 0 && arg[0] != '-' && (c->bit & FOR_CONFIG_FILE))
        fprintf(stderr, "did you mean -c %s?\n", slice_shown(slice_of(arg)));
    command_guess(&g);
    fprintf(stderr, "\"proxyd %s --help\" explains it\n", c->name);
    return command_leave(EXIT_USAGE);
}

static struct command wrong_value(const struct command_row *c, const struct option_row *o,
                                  const char *what, const char *value)
{
    fprintf(stderr, "proxyd %s: %s %s%s\n\"proxyd %s --help\" explains it\n", c->name, o->name,
            what, value, c->name);
    return command_leave(EXIT_USAGE);
}

/* The value of an option, from `--config=F` or the next argument; NULL: there is none. */
static char *option_value(const struct option_row *o, char ***argv)
{
    char *arg = **argv;
    size_t n = strlen(o->name);
    if (arg[1] == '-' && arg[n] == '=')
        return arg + n + 1;
    if (arg[1] != '-' && arg[2])
        return arg + 2; /* -cFILE */
    return *++*argv;
}

/* Does arg spell this option? */
static bool option_fits(const struct option_row *o, const char *arg)
{
    size_t n = strlen(o->name);
    if (o->value)
        return (strncmp(arg, o->name, n) == 0 && (arg[n] == 0 || arg[n] == '=')) ||
               (o->brief && strncmp(arg, o->brief, 2) == 0);
    return strcmp(arg, o->name) == 0 || (o->brief && strcmp(arg, o->brief) == 0);
}

static const struct option_row *find_option(const struct command_row *c, const char *arg)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *o = &option_rows[i];
        if (command_takes(c, o) && option_fits(o, arg))
            return o;
    }
    return NULL;
}

/* False: complained about. */
static bool take_value(const struct command_row *c, const struct option_row *row, char ***argv,
                       const char **to, struct command *end)
{
    char *value = option_value(row, argv);
    if (value == NULL || *value == 0)
        *end = wrong_value(c, row, "needs ", row->value);
    else if (*to)
        *end = wrong_value(c, row, row->most ? "stands there too often" : "stands there twice", "");
    else
        *to = value;
    return *to == value && value;
}

/* Where the next one of an option goes; when all places are taken, the last. */
static const char **place_of(const struct option_row *row, struct options *o)
{
    const char **to = (const char **)(void *)((char *)o + row->to);
    for (unsigned i = 1; i < row->most && *to; i++)
        to++;
    return to;
}

/* The arguments behind the command; false: complained about, *end says how to leave. */
static bool parse_options(const struct command_row *c, char **argv, struct options *o,
                          struct command *end)
{
    unsigned operands = 0;
    for (; *argv; argv++) {
        const struct option_row *row = find_option(c, *argv);
        if (row == NULL && (*argv)[0] != '-' && operands < c->operands) {
            o->operand[operands++] = *argv;
            continue;
        }
        if (row == NULL) {
            *end = wrong_option(c, *argv);
            return false;
        }
        if (!row->value)
            *(bool *)((char *)o + row->to) = true;
        else if (!take_value(c, row, &argv, place_of(row, o), end))
            return false;
    }
    return true;
}

/* argv begins with the name of the command to explain. */
static struct command help_on(const struct command_row *help, char **argv)
{
    const struct command_row *c = find_command(argv[0]);
    struct options o = { 0 };
    struct command end;
    if (c == NULL)
        return unknown_command(argv[0]);
    if (!parse_options(help, argv + 1, &o, &end))
        return end;
    fputs(c->help, stdout);
    return command_leave(EXIT_FINE);
}

static struct command understand(int argc, char **argv)
{
    if (argc < 2) {
        list_commands(stderr);
        return command_leave(EXIT_USAGE);
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct command_row *c = find_command(name);
    if (c == NULL)
        return unknown_command(name);
    if (c->act == do_help && argc > 2 && argv[2][0] != '-')
        return help_on(c, argv + 2);
    struct options o = { 0 };
    struct command end;
    if (!parse_options(c, argv + 2, &o, &end))
        return end;
    if (o.help) {
        fputs(c->help, stdout);
        return command_leave(EXIT_FINE);
    }
    return c->act(o);
}

/* What was printed is only good when it has arrived: a disk may be full. */
static bool was_written(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "proxyd: cannot write to standard output: %s\n", strerror(errno));
    return false;
}

struct command command_parse(int argc, char **argv)
{
    struct command c = understand(argc, argv);
    if (c.what == COMMAND_EXIT && !was_written() && c.exit_code == EXIT_FINE)
        c.exit_code = EXIT_FAILED;
    return c;
}
