/* `proxyd pac`: the script that browsers get, what it says, and whether the policy agrees. */
#include "command_pac.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "command_rows.h"
#include "config/shown.h"
#include "forecast.h"
#include "forward/conf.h"
#include "pac/engine.h"
#include "pac/pac.h"
#include "pac_offline.h"
#include "pac_prove.h"
#include "offline.h"

struct asking {
    const struct options *o;
    struct offline off;
    const struct listener *listener;
    struct addr client;
    struct arena arena;
};

static int complain(const char *text, const char *about)
{
    fprintf(stderr, "proxyd pac: %s%s%s\n\"proxyd pac --help\" explains it\n", text,
            about ? " " : "", about ? slice_shown(slice_of(about)) : "");
    return EXIT_USAGE;
}

static int print_script(struct asking *q)
{
    struct slice script = pac_offline_script(q->listener, &q->client, &q->arena);
    (void)fwrite(script.p, 1, script.n, stdout);
    return EXIT_FINE;
}

/* ---- eval ---- */

static struct slice read_script(const char *path, struct arena *a)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *area = arena_alloc(a, PAC_FILE_MAX + 1);
    if (f == NULL) {
        fprintf(stderr, "proxyd pac: cannot read %s: %s\n", slice_shown(slice_of(path)),
                strerror(errno));
        return (struct slice){ NULL, 0 };
    }
    size_t n = fread(area, 1, PAC_FILE_MAX, f);
    if (f != stdin)
        (void)fclose(f);
    return (struct slice){ area, n };
}

static int tell_answer(const struct pac_answer *answer)
{
    static const char *const what[] = {
        [PAC_BROKEN] = "the script is broken",       [PAC_THREW] = "the script fails",
        [PAC_ENDLESS] = "the script does not end",   [PAC_TOO_BIG] = "the script grows",
        [PAC_NO_CHILD] = "the script cannot be run",
    };
    if (answer->why == PAC_ANSWERED) {
        shown_put(stdout, answer->text);
        fputc('\n', stdout);
        return EXIT_FINE;
    }
    fprintf(stderr, "proxyd pac: %s: ", what[answer->why]);
    shown_put(stderr, answer->text);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

static int ask_script(struct asking *q, struct slice script, const char *hosts)
{
    struct pac_question question;
    struct pac_answer answer;
    struct pac_names names = { q->o->resolve, EXPLAIN_MANY, hosts ? hosts_load(hosts) : NULL };
    struct pac_world world = { .client = q->client, .lookup = pac_offline_lookup, .ctx = &names };
    struct slice url = slice_of(q->o->operand[1]);
    if (!pac_url(url, &q->arena, &question))
        return complain("that is no URL:", q->o->operand[1]);
    if (!slice_eq(question.url, url))
        fprintf(stderr, "asked as browsers ask: %s\n", slice_shown(question.url));
    pac_ask(script, &world, &question, 1, &q->arena, &answer);
    if (names.hosts)
        hosts_free((struct hosts *)(uintptr_t)names.hosts);
    return tell_answer(&answer);
}

static int eval(struct asking *q)
{
    return ask_script(q, pac_offline_script(q->listener, &q->client, &q->arena),
                      q->off.snapshot->conf.dns.hosts);
}

static int eval_file(struct asking *q)
{
    struct slice script = read_script(q->o->file, &q->arena);
    return script.p ? ask_script(q, script, "/etc/hosts") : EXIT_FAILED;
}

/* ---- prove ---- */

static int prove(struct asking *q)
{
    struct pac_proof p = pac_prove(&q->off.tree, q->off.snapshot, q->listener,
                                   q->o->client ? &q->client : NULL, stdout);
    if (p.failed) {
        fprintf(stderr, "proxyd pac: %s\n", p.failed);
        return EXIT_FAILED;
    }
    printf("%u hosts for %u client%s: %u difference%s\n", p.hosts, p.clients,
           p.clients == 1 ? "" : "s", p.differences, p.differences == 1 ? "" : "s");
    if (p.by_address)
        printf("%u times the policy decides by the address behind a name, which is not compared\n",
               p.by_address);
    return p.differences ? EXIT_FAILED : EXIT_FINE;
}

/* ---- all ---- */

static int with_configuration(struct asking *q, int (*act)(struct asking *q))
{
    if (!offline_open(q->o->config, &q->off))
        return EXIT_FAILED;
    q->listener = forecast_listener(q->off.snapshot, slice_of(q->o->listener));
    int code = EXIT_FAILED;
    if (q->listener)
        code = act(q);
    else
        fputs("proxyd pac: there is no such listener with mode forward\n", stderr);
    offline_close(&q->off);
    return code;
}

struct command do_pac(struct options o)
{
    struct asking q = { .o = &o, .client = addr_loopback(AF_INET, 0) };
    const char *what = o.operand[0] ? o.operand[0] : "";
    bool is_eval = strcmp(what, "eval") == 0 && o.operand[1];
    int code;
    if (o.client && !addr_parse(slice_of(o.client), &q.client))
        return command_leave(
            complain("--client is an address, such as 10.1.2.3, and not", o.client));
    if (o.file && !is_eval)
        return command_leave(complain("--file goes with \"eval\" and a URL", NULL));
    arena_init(&q.arena, 0);
    if (is_eval)
        code = o.file ? eval_file(&q) : with_configuration(&q, eval);
    else if (strcmp(what, "print") == 0 && o.operand[1] == NULL)
        code = with_configuration(&q, print_script);
    else if (strcmp(what, "prove") == 0 && o.operand[1] == NULL)
        code = with_configuration(&q, prove);
    else
        code = complain("expected \"print\", \"prove\", or \"eval\" and a URL", NULL);
    arena_free(&q.arena);
    return command_leave(code);
}

const char help_pac[] =
    "Shows the script by which browsers find the proxy (PAC), as the listener would serve it; "
    "tells\n"
    "what it says about a URL; or proves that script and policy agree. Nothing is looked up or\n"
    "connected to.\n"
    "\n"
    "usage: proxyd pac print [-c FILE] [--listener NAME] [--client ADDRESS]\n"
    "       proxyd pac eval URL [-c FILE] [--listener NAME] [--client ADDRESS] [--file F]\n"
    "                           [--resolve HOST=ADDRESS]\n"
    "       proxyd pac prove [-c FILE] [--listener NAME] [--client ADDRESS]\n"
    "\n"
    "  print               the script\n"
    "  eval URL            what it answers. Of an https:// URL it is shown host and port alone, as "
    "by\n"
    "                      browsers. It may take a second for each answer, and 16 MB\n"
    "  prove               asks script and policy about every host at a border of what they tell "
    "apart:\n"
    "                      each name, those around it, both ends of each network and what is "
    "beside\n"
    "                      them, and the entries of lists. Tells what is direct though the policy\n"
    "                      denies it, and what is not though the configuration calls it direct.\n"
    "                      Loopback is left out: it is the client's own machine\n"
    "  -c, --config FILE   the configuration, \"-\" for standard input; without it the built-in\n"
    "      --listener NAME whose script; without it the first listener with mode forward\n"
    "      --client ADDRESS\n"
    "                      who asks; without it 127.0.0.1, and with \"prove\" one client of each\n"
    "                      network that script or policy name\n"
    "      --file F        this script instead, \"-\" for standard input\n"
    "      --resolve HOST=ADDRESS\n"
    "                      where HOST leads for a script that asks; may be repeated. Other names "
    "lead\n"
    "                      where the hosts file says, and nowhere else\n"
    "  -h, --help          this text\n"
    "\n"
    "example:\n"
    "  $ proxyd pac eval https://wiki.corp.example/start -c proxyd.conf\n"
    "  asked as browsers ask: \"https://wiki.corp.example/\"\n"
    "  DIRECT\n"
    "  $ proxyd pac prove -c proxyd.conf\n"
    "  27 hosts for 2 clients: 0 differences\n"
    "\n"
    "exit codes: 0 done, and with \"prove\" no difference; 1 a difference, a script that fails or "
    "a\n"
    "wrong configuration; 2 wrong usage\n";
