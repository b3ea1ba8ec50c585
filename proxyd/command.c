/*
 * The command line. One table of commands, with the help that teaches each of them; options are
 * few, so they are one table as well.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "config/reference_tables.h"
#include "config/shown.h"
#include "ctl.h"
#include "list_check.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

enum { MOST_OPERANDS = 3 };

/* The options of one command line. */
struct options {
    const char *config, *socket;
    bool help, strict, show_default, keys;
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
    FOR_ALL = 255,
    FOR_CONFIG_FILE = FOR_RUN | FOR_CHECK | FOR_LISTS
};

static const struct option_row {
    const char *name, *brief; /* --name, -b */
    unsigned commands;        /* enum option_for */
    size_t to;                /* offset in struct options: of a bool, or of the value's text */
    const char *value;        /* what it takes, for complaints; NULL: nothing */
} options_table[] = {
    { "--help", "-h", FOR_ALL, offsetof(struct options, help), NULL },
    { "--config", "-c", FOR_CONFIG_FILE, offsetof(struct options, config), "the name of a file" },
    { "--socket", "-s", FOR_RELOAD | FOR_CTL, offsetof(struct options, socket),
      "the path of a control socket" },
    { "--strict", NULL, FOR_CHECK, offsetof(struct options, strict), NULL },
    { "--default", NULL, FOR_CONFIG, offsetof(struct options, show_default), NULL },
    { "--keys", NULL, FOR_REFERENCE, offsetof(struct options, keys), NULL },
};

static struct command leave(int code)
{
    return (struct command){ .what = COMMAND_EXIT, .exit_code = code };
}

static struct command do_run(struct options o)
{
    return (struct command){ .what = COMMAND_RUN, .config_path = o.config };
}

static struct command do_check(struct options o)
{
    struct tree t = { 0 };
    struct diags d;
    diags_init(&d);
    bool fine = config_open(o.config, &t, &d);
    if (fine)
        lists_check(&t, &d, stdout);
    fine = fine && d.errors == 0;
    diags_print(&d, stderr);
    const char *name = o.config == NULL             ? "the built-in configuration"
                       : strcmp(o.config, "-") == 0 ? "standard input"
                                                    : o.config;
    bool clean = fine && d.warnings == 0;
    FILE *to = clean ? stdout : stderr;
    shown_put(to, slice_of(name));
    if (clean)
        fputs(": no errors\n", to);
    else
        fprintf(to, ": %u error%s, %u warning%s\n", d.errors, d.errors == 1 ? "" : "s", d.warnings,
                d.warnings == 1 ? "" : "s");
    bool refused = !fine || (o.strict && d.warnings);
    diags_free(&d);
    config_free(&t);
    return leave(refused ? EXIT_FAILED : EXIT_FINE);
}

/* `show`, or `find` with what is looked for. */
static struct command do_lists(struct options o)
{
    bool show = o.operand[0] && strcmp(o.operand[0], "show") == 0;
    bool find = o.operand[0] && strcmp(o.operand[0], "find") == 0;
    if (!(show && o.operand[1] == NULL) && !(find && o.operand[1] && o.operand[2] == NULL)) {
        fputs("proxyd lists: expected \"show\", or \"find\" and a host or a URL\n"
              "\"proxyd lists --help\" explains it\n",
              stderr);
        return leave(EXIT_USAGE);
    }
    struct tree t = { 0 };
    struct diags d;
    diags_init(&d);
    bool fine = config_open(o.config, &t, &d);
    if (!fine)
        diags_print(&d, stderr);
    else if (show)
        fine = lists_show(&t, stdout);
    else
        fine = lists_find(&t, o.operand[1], stdout);
    diags_free(&d);
    config_free(&t);
    return leave(fine ? EXIT_FINE : EXIT_FAILED);
}

static struct command do_config(struct options o)
{
    if (!o.show_default) {
        fprintf(stderr,
                "proxyd config: nothing to do\n"
                "expected \"proxyd config --default\"; \"proxyd config --help\" tells more\n");
        return leave(EXIT_USAGE);
    }
    fputs(default_conf, stdout);
    return leave(EXIT_FINE);
}

static struct command do_reference(struct options o)
{
    if (o.keys) {
        schema_keys(root_rows, stdout);
    } else {
        schema_reference(root_rows, stdout);
        reference_tables(stdout);
    }
    return leave(EXIT_FINE);
}

static void tell_guess(const struct guess *g)
{
    if (g->best.n)
        fprintf(stderr, "did you mean \"%.*s\"?\n", SLICE_FMT(g->best));
}

static struct command do_reload(struct options o)
{
    return leave(ctl_ask("reload", o.socket, "POST", "/reload", SLICE("")));
}

/* What a running proxyd does for `proxyd ctl`. */
static const struct ctl_row {
    const char *name, *method, *path, *argument;
} ctl_rows[] = {
    { "fetch", "POST", "/fetch", "a URL" },
};

/* The words behind the command are its argument. */
static int ask_ctl(const struct options *o, const struct ctl_row *r)
{
    char *argument = NULL;
    int code = EXIT_FAILED;
    if (asprintf(&argument, "%s%s%s", o->operand[1], o->operand[2] ? " " : "",
                 o->operand[2] ? o->operand[2] : "") >= 0)
        code = ctl_ask("ctl", o->socket, r->method, r->path, slice_of(argument));
    free(argument);
    return code;
}

static struct command do_ctl(struct options o)
{
    struct guess g = guess_for(slice_of(o.operand[0]));
    for (size_t i = 0; o.operand[0] && i < countof(ctl_rows); i++) {
        const struct ctl_row *r = &ctl_rows[i];
        guess_try(&g, slice_of(r->name));
        if (strcmp(r->name, o.operand[0]) != 0)
            continue;
        if (o.operand[1])
            return leave(ask_ctl(&o, r));
        fprintf(stderr, "proxyd ctl %s: needs %s\n", r->name, r->argument);
        return leave(EXIT_USAGE);
    }
    fprintf(stderr, "proxyd ctl: %s%s\n", o.operand[0] ? "there is no command " : "what?",
            o.operand[0] ? slice_shown(slice_of(o.operand[0])) : "");
    tell_guess(&g);
    fputs("\"proxyd ctl --help\" explains it\n", stderr);
    return leave(EXIT_USAGE);
}

static struct command do_version(struct options o)
{
    (void)o;
    puts("proxyd " PROXYD_VERSION);
    return leave(EXIT_FINE);
}

static struct command do_help(struct options o);

static const struct command_row {
    const char *name;
    unsigned bit;      /* enum option_for */
    unsigned operands; /* most words that are no options */
    struct command (*act)(struct options o);
    const char *line; /* in the list of commands */
    const char *help;
} commands[] = {
    { "run", FOR_RUN, 0, do_run, "run the proxy in the foreground",
      "Runs the proxy in the foreground until it gets a signal. Without -c it uses the built-in\n"
      "configuration: a forward proxy on 127.0.0.1:3128 for the programs of this machine.\n"
      "\n"
      "usage: proxyd run [-c FILE]\n"
      "\n"
      "  -c, --config FILE   the configuration; \"-\" is standard input\n"
      "  -h, --help          this text\n"
      "\n"
      "signals:\n"
      "  TERM, QUIT          stop accepting, finish what runs within \"timeouts drain\", end\n"
      "  INT, or any again   end at once\n"
      "  HUP                 read the configuration again; a wrong one changes nothing\n"
      "  USR1                open the files of the logs again, for rotation\n"
      "  any other           a line in the error log, and nothing else\n"
      "\n"
      "example:\n"
      "  proxyd run &\n"
      "  curl -x http://127.0.0.1:3128 http://example.com/\n"
      "\n"
      "exit codes: 0 ended by a signal, 1 could not start or failed, 2 wrong usage, 78 wrong\n"
      "configuration (starting it again does not help)\n" },
    { "check", FOR_CHECK, 0, do_check, "tell what is wrong with a configuration",
      "Reads a configuration as \"run\" would and tells everything that is wrong with it: unknown\n"
      "keys, wrong values, names that lead nowhere, addresses used twice, and as warnings what is\n"
      "allowed but hardly meant. It needs no root, no network, no free port, and changes nothing.\n"
      "\n"
      "usage: proxyd check [-c FILE] [--strict]\n"
      "\n"
      "  -c, --config FILE   the configuration, \"-\" for standard input; without it the built-in\n"
      "      --strict        warnings count as errors\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  $ proxyd check -c proxyd.conf\n"
      "  proxyd.conf:12:11: error: \"30\" is not a duration\n"
      "      connect 30;\n"
      "              ^~\n"
      "      expected a number with a unit (ms, s, m, h, d or w), such as 30s\n"
      "      did you mean \"30s\"?\n"
      "  proxyd.conf: 1 error, 0 warnings\n"
      "\n"
      "exit codes: 0 no errors, 1 errors (with --strict also warnings) or could not write, 2 "
      "wrong\n"
      "usage\n" },
    { "reload", FOR_RELOAD, 0, do_reload, "let the running proxy take up its changed configuration",
      "Lets the proxyd that runs read its configuration anew, and prints what has changed. "
      "Requests\n"
      "and tunnels go on. A configuration that is wrong changes nothing and is explained here and "
      "in\n"
      "the error log. The signal HUP does the same without an answer.\n"
      "\n"
      "usage: proxyd reload [-s PATH]\n"
      "\n"
      "  -s, --socket PATH   the control socket, as in the key \"control\"; without it the "
      "default:\n"
      "                      $RUNTIME_DIRECTORY/control.sock, for root /run/proxyd/control.sock,\n"
      "                      else $XDG_RUNTIME_DIR/proxyd.sock\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  $ proxyd reload\n"
      "  policy staff rules deny uploads: added\n"
      "\n"
      "exit codes: 0 reloaded, 1 not reloaded or no proxyd there, 2 wrong usage\n" },
    { "ctl", FOR_CTL, 3, do_ctl, "ask the running proxy for something",
      "Asks the proxyd that runs, by its control socket.\n"
      "\n"
      "usage: proxyd ctl [-s PATH] fetch URL [LISTENER]\n"
      "\n"
      "  fetch URL           the proxy itself requests URL, as a client of LISTENER would (without "
      "it,\n"
      "                      of the first listener): by its resolver, its rules and its limits. "
      "Tells\n"
      "                      what became of it, and how long each phase took\n"
      "  -s, --socket PATH   the control socket; \"proxyd reload --help\" names the default\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  $ proxyd ctl fetch http://example.com/\n"
      "  url         http://example.com/\n"
      "  listener    egress\n"
      "  status      200 OK\n"
      "  rule        default\n"
      "  server      93.184.216.34:80\n"
      "  look-up     12.1 ms\n"
      "  connect     88.0 ms\n"
      "  first byte  90.4 ms\n"
      "  all         190.6 ms\n"
      "  body        1256 bytes\n"
      "\n"
      "exit codes: 0 an answer came, whatever it says, 1 none came or no proxyd there, 2 wrong "
      "usage\n" },
    { "lists", FOR_LISTS, 3, do_lists, "show the lists of a configuration, or find a host in them",
      "Loads the lists of a configuration as \"run\" would. \"show\" tells of each how it is read, "
      "what\n"
      "a bare name means in it, how many entries it has and which lines are rejected. \"find\" "
      "tells\n"
      "which line of which list means a host or a URL (of https only the host shows), and what "
      "each\n"
      "policy decides about it for a client on this machine.\n"
      "\n"
      "usage: proxyd lists show [-c FILE]\n"
      "       proxyd lists find HOST|URL [-c FILE]\n"
      "\n"
      "  -c, --config FILE   the configuration, \"-\" for standard input; without it the built-in\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  $ proxyd lists find www.bet.example -c proxyd.conf\n"
      "  list ut1: lists/ut1/gambling/domains:1234, category gambling, matches bet.example\n"
      "  policy staff: denied by gambling, by the list ut1\n"
      "\n"
      "exit codes: 0 found, or all lists shown; 1 in no list, a list that cannot be loaded or a "
      "wrong\n"
      "configuration; 2 wrong usage\n" },
    { "config", FOR_CONFIG, 0, do_config, "print the built-in configuration",
      "Prints the configuration that \"run\" uses when it is given none. It is commented and\n"
      "meant as the start of your own.\n"
      "\n"
      "usage: proxyd config --default\n"
      "\n"
      "      --default       print the built-in configuration\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  proxyd config --default > proxyd.conf\n"
      "  proxyd run -c proxyd.conf\n"
      "\n"
      "exit codes: 0 printed, 1 could not write, 2 wrong usage\n" },
    { "reference", FOR_REFERENCE, 0, do_reference, "print the manual of the configuration",
      "Prints the manual of the configuration language in Markdown: every block and key with its\n"
      "values, its default, its meaning and an example.\n"
      "\n"
      "usage: proxyd reference [--keys]\n"
      "\n"
      "      --keys          only the keys, one path a line, such as \"limits head\"\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  proxyd reference | less\n"
      "\n"
      "exit codes: 0 printed, 1 could not write, 2 wrong usage\n" },
    { "version", 0, 0, do_version, "print the version",
      "Prints the name and the version of the program in one line.\n"
      "\n"
      "usage: proxyd version\n"
      "\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  $ proxyd version\n"
      "  proxyd " PROXYD_VERSION "\n"
      "\n"
      "exit codes: 0 printed, 1 could not write, 2 wrong usage\n" },
    { "help", 0, 0, do_help, "this list; \"help COMMAND\" explains one command",
      "Lists the commands, or explains one of them.\n"
      "\n"
      "usage: proxyd help [COMMAND]\n"
      "\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  proxyd help check\n"
      "\n"
      "exit codes: 0 printed, 1 could not write, 2 wrong usage\n" },
};

static void list_commands(FILE *to)
{
    fputs(
        "proxyd is an HTTP proxy: forward for clients that know it, reverse in front of servers.\n"
        "\n"
        "usage: proxyd COMMAND [OPTION...]\n\n",
        to);
    for (size_t i = 0; i < countof(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].line);
    fputs("\n"
          "To begin: \"proxyd run\", then in another terminal\n"
          "  curl -x http://127.0.0.1:3128 http://example.com/\n"
          "Every command explains itself with --help.\n",
          to);
}

static struct command do_help(struct options o)
{
    (void)o;
    list_commands(stdout);
    return leave(EXIT_FINE);
}

/* ---- understanding ---- */

static const struct command_row *find_command(const char *name)
{
    for (size_t i = 0; i < countof(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static struct command unknown_command(const char *name)
{
    struct guess g = guess_for(slice_of(name));
    fprintf(stderr, "proxyd: there is no command %s\n", slice_shown(slice_of(name)));
    for (size_t i = 0; i < countof(commands); i++)
        guess_try(&g, slice_of(commands[i].name));
    tell_guess(&g);
    fputs("\"proxyd help\" lists the commands\n", stderr);
    return leave(EXIT_USAGE);
}

static struct command wrong_option(const struct command_row *c, const char *arg)
{
    struct guess g = guess_for(slice_of(arg));
    fprintf(stderr, "proxyd %s: %s is not known here\n", c->name, slice_shown(slice_of(arg)));
    for (size_t i = 0; i < countof(options_table); i++)
        if (options_table[i].commands & c->bit)
            guess_try(&g, slice_of(options_table[i].name));
    if (g.best.n == 0 && arg[0] != '-' && (c->bit & FOR_CONFIG_FILE))
        fprintf(stderr, "did you mean -c %s?\n", slice_shown(slice_of(arg)));
    tell_guess(&g);
    fprintf(stderr, "\"proxyd %s --help\" explains it\n", c->name);
    return leave(EXIT_USAGE);
}

static struct command wrong_value(const struct command_row *c, const struct option_row *o,
                                  const char *what, const char *value)
{
    fprintf(stderr, "proxyd %s: %s %s%s\n\"proxyd %s --help\" explains it\n", c->name, o->name,
            what, value, c->name);
    return leave(EXIT_USAGE);
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
    for (size_t i = 0; i < countof(options_table); i++) {
        const struct option_row *o = &options_table[i];
        bool here = o->commands == FOR_ALL || (o->commands & c->bit);
        if (here && option_fits(o, arg))
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
        *end = wrong_value(c, row, "stands there twice", "");
    else
        *to = value;
    return *to == value && value;
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
        void *to = (char *)o + row->to;
        if (!row->value)
            *(bool *)to = true;
        else if (!take_value(c, row, &argv, to, end))
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
    return leave(EXIT_FINE);
}

static struct command understand(int argc, char **argv)
{
    if (argc < 2) {
        list_commands(stderr);
        return leave(EXIT_USAGE);
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
        return leave(EXIT_FINE);
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
