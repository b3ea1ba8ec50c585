/*
 * What the commands of the command line do. Each is one function that gets its options and says how
 * the process goes on; what was printed and could not be written is command.c's to find out.
 */
#include "command_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "config/load.h"
#include "config/reference_tables.h"
#include "config/shown.h"
#include "ctl.h"
#include "list_check.h"
#include "made_head.h"
#include "manual.h"

struct command command_leave(int code)
{
    return (struct command){ .what = COMMAND_EXIT, .exit_code = code };
}

struct command do_run(struct options o)
{
    return (struct command){ .what = COMMAND_RUN, .config_path = o.config };
}

static void put_count(FILE *to, const char *before, u32 n, const char *what)
{
    fprintf(to, "%s%u %s%s", before, n, what, n == 1 ? "" : "s");
}

/* The last line: to standard output where it says that all is well. */
static void check_sum(const char *name, bool clean, const struct diags *d)
{
    FILE *to = clean ? stdout : stderr;
    shown_put(to, slice_of(name));
    if (clean) {
        fputs(": no errors", to);
    } else {
        put_count(to, ": ", d->errors, "error");
        put_count(to, ", ", d->warnings, "warning");
    }
    if (d->notes)
        put_count(to, ", ", d->notes, "note");
    fputc('\n', to);
}

struct command do_check(struct options o)
{
    struct tree t = { 0 };
    struct diags d;
    diags_init(&d);
    bool fine = config_open(o.config, &t, &d);
    if (fine)
        lists_check(&t, &d, stdout);
    fine = fine && d.errors == 0;
    if (fine && cases_any(&t))
        fine = cases_run(&t, &d, NULL).failed == 0;
    diags_print(&d, stderr);
    const char *name = o.config == NULL             ? "the built-in configuration"
                       : strcmp(o.config, "-") == 0 ? "standard input"
                                                    : o.config;
    check_sum(name, fine && d.warnings == 0, &d);
    bool refused = !fine || (o.strict && d.warnings);
    diags_free(&d);
    config_free(&t);
    return command_leave(refused ? EXIT_FAILED : EXIT_FINE);
}

/* `show`, or `find` with what is looked for. */
struct command do_lists(struct options o)
{
    bool show = o.operand[0] && strcmp(o.operand[0], "show") == 0;
    bool find = o.operand[0] && strcmp(o.operand[0], "find") == 0;
    if (!(show && o.operand[1] == NULL) && !(find && o.operand[1] && o.operand[2] == NULL)) {
        fputs("proxyd lists: expected \"show\", or \"find\" and a host or a URL\n"
              "\"proxyd lists --help\" explains it\n",
              stderr);
        return command_leave(EXIT_USAGE);
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
    return command_leave(fine ? EXIT_FINE : EXIT_FAILED);
}

struct command do_nft(struct options o)
{
    struct nft_options n = { .config = o.config,
                             .listener = o.listener,
                             .ports = o.ports,
                             .user = o.user,
                             .own = o.own,
                             .remove = o.remove };
    memcpy(n.lan, o.lan, sizeof n.lan);
    return command_leave(nft_run(&n));
}

struct command do_config(struct options o)
{
    if (!o.show_default) {
        fprintf(stderr,
                "proxyd config: nothing to do\n"
                "expected \"proxyd config --default\"; \"proxyd config --help\" tells more\n");
        return command_leave(EXIT_USAGE);
    }
    fputs(default_conf, stdout);
    return command_leave(EXIT_FINE);
}

struct command do_reference(struct options o)
{
    if (o.keys) {
        schema_keys(root_rows, stdout);
    } else if (o.man) {
        manual_of_configuration(stdout);
    } else {
        schema_reference(root_rows, stdout);
        reference_tables(stdout);
    }
    return command_leave(EXIT_FINE);
}

void command_guess(const struct guess *g)
{
    if (g->best.n)
        fprintf(stderr, "did you mean \"%.*s\"?\n", SLICE_FMT(g->best));
}

struct command do_reload(struct options o)
{
    return command_leave(ctl_ask("reload", o.socket, "POST", "/reload", SLICE("")));
}

/* What a running proxyd does for `proxyd ctl`. */
static const struct ctl_row {
    const char *name, *method, *path, *argument;
} ctl_rows[] = {
    { "fetch", "POST", "/fetch", "a URL" },
    { "refresh", "POST", "/refresh", "the name of a list" },
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

struct command do_ctl(struct options o)
{
    struct guess g = guess_for(slice_of(o.operand[0]));
    for (size_t i = 0; o.operand[0] && i < countof(ctl_rows); i++) {
        const struct ctl_row *r = &ctl_rows[i];
        guess_try(&g, slice_of(r->name));
        if (strcmp(r->name, o.operand[0]) != 0)
            continue;
        if (o.operand[1])
            return command_leave(ask_ctl(&o, r));
        fprintf(stderr, "proxyd ctl %s: needs %s\n", r->name, r->argument);
        return command_leave(EXIT_USAGE);
    }
    fprintf(stderr, "proxyd ctl: %s%s\n", o.operand[0] ? "there is no command " : "what?",
            o.operand[0] ? slice_shown(slice_of(o.operand[0])) : "");
    command_guess(&g);
    fputs("\"proxyd ctl --help\" explains it\n", stderr);
    return command_leave(EXIT_USAGE);
}

struct command do_version(struct options o)
{
    (void)o;
    puts("proxyd " PROXYD_VERSION);
    return command_leave(EXIT_FINE);
}

/* The words as the proxy is asked, in *area; false: they are no question. */
static bool cache_question(const struct options *o, struct text *t)
{
    static const struct {
        const char *verb;
        unsigned words; /* behind it */
    } verbs[] = { { "stat", 0 }, { "verify", 0 }, { "show", 1 }, { "why", 2 }, { "purge", 1 } };
    enum { WHY = 3, PURGE };
    unsigned words = 0, i = 0;
    while (words < MOST_OPERANDS && o->operand[words])
        words++;
    while (i < countof(verbs) && !(words && strcmp(verbs[i].verb, o->operand[0]) == 0))
        i++;
    bool purge = i == PURGE;
    unsigned sets = (unsigned)o->all + o->prefix + o->tag;
    if (i == countof(verbs) || words != verbs[i].words + 1 - (purge && o->all) || sets > 1 ||
        ((sets || o->soft) && !purge) || (o->header[0] && i != WHY))
        return false;
    text_cstr(t, o->operand[0]);
    text_cstr(t, o->soft ? " --soft" : "");
    text_cstr(t, o->all ? " --all" : o->prefix ? " --prefix" : o->tag ? " --tag" : "");
    for (unsigned k = 1; k < words; k++)
        text_fmt(t, " %s", o->operand[k]);
    for (unsigned k = 0; k < EXPLAIN_MANY && o->header[k]; k++)
        text_fmt(t, "\n%s", o->header[k]);
    return !t->full;
}

/* A sentence; NULL: nothing is. The proxy looks, too, but to it a line end makes two of one. */
static const char *header_wrong(const struct options *o)
{
    const char *wrong = NULL;
    for (unsigned i = 0; i < EXPLAIN_MANY && o->header[i] && !wrong; i++)
        wrong = made_head_field_wrong(slice_of(o->header[i]));
    return wrong;
}

struct command do_cache(struct options o)
{
    char area[8192];
    struct text question = text_in(area, sizeof area);
    const char *wrong = header_wrong(&o);
    bool good = cache_question(&o, &question);
    if (wrong || question.full) {
        fprintf(stderr, "proxyd cache: %s\n", wrong ? wrong : "the question is too long");
        return command_leave(EXIT_USAGE);
    }
    if (good)
        return command_leave(ctl_ask("cache", o.socket, "POST", "/cache", text_slice(&question)));
    fputs("proxyd cache: expected stat, verify, show URL, why METHOD URL [--header FIELD], or "
          "purge [--soft] with "
          "[--prefix] "
          "URL, --tag TAG or --all\n\"proxyd cache --help\" explains it\n",
          stderr);
    return command_leave(EXIT_USAGE);
}
