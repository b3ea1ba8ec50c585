/*
 * The commands that ask a policy what it does, and the help that teaches them.
 */
#include "command_policy.h"

#include <stdio.h>

#include <stdlib.h>

#include "cases.h"
#include "command_rows.h"
#include "config/load.h"
#include "log_diff.h"

struct command do_explain(struct options o)
{
    struct explain_options e = { .config = o.config,
                                 .socket = o.socket,
                                 .from = o.from,
                                 .user = o.user,
                                 .at = o.at,
                                 .listener = o.listener,
                                 .sni = o.sni,
                                 .json = o.json,
                                 .method = o.operand[1] ? o.operand[0] : NULL,
                                 .url = o.operand[1] ? o.operand[1] : o.operand[0] };
    memcpy(e.header, o.header, sizeof e.header);
    memcpy(e.resolve, o.resolve, sizeof e.resolve);
    memcpy(e.response, o.response, sizeof e.response);
    if (e.url)
        return command_leave(explain_run(&e));
    fputs("proxyd explain: what? A URL is wanted, such as http://example.com/ or\n"
          "CONNECT example.com:443; \"proxyd explain --help\" explains it\n",
          stderr);
    return command_leave(EXIT_USAGE);
}

static void tell_tests(const struct cases *c)
{
    printf("%u test%s, %u failed", c->run, c->run == 1 ? "" : "s", c->failed);
    if (c->run && c->unreached)
        printf("; %u rule%s that no test reaches", c->unreached, c->unreached == 1 ? "" : "s");
    putchar('\n');
}

struct command do_test(struct options o)
{
    struct tree t = { 0 };
    struct diags d;
    struct cases c = { 0 };
    diags_init(&d);
    bool fine = config_open(o.config, &t, &d);
    if (fine) {
        diags_free(&d); /* warnings are for `check` to tell */
        diags_init(&d);
        d.tree = &t;
        c = cases_run(&t, &d, cases_any(&t) ? stdout : NULL);
    }
    diags_print(&d, stderr);
    if (fine)
        tell_tests(&c);
    bool failed = !fine || c.failed || (o.strict && c.unreached);
    diags_free(&d);
    config_free(&t);
    return command_leave(failed ? EXIT_FAILED : EXIT_FINE);
}

struct command do_diff(struct options o)
{
    struct log_diff diff = {
        .before = o.both[0], .after = o.both[1], .log = o.log, .strict = o.strict, .examples = 3
    };
    char *end = NULL;
    unsigned long n = o.examples ? strtoul(o.examples, &end, 10) : 3;
    if (o.both[0] && o.both[1] && o.log && (end == NULL || (*end == 0 && n <= LOG_DIFF_EXAMPLES))) {
        diff.examples = (unsigned)n;
        return command_leave(log_diff_run(&diff));
    }
    fprintf(stderr,
            "proxyd diff: expected -c OLD -c NEW --log FILE, and --examples up to %d\n"
            "\"proxyd diff --help\" explains it\n",
            LOG_DIFF_EXAMPLES);
    return command_leave(EXIT_USAGE);
}

const char help_explain[] =
    "Tells why a request is let through or refused: each rule that is asked, in order, what its\n"
    "conditions looked at and said, the line of a list that decided, where the name leads and "
    "what\n"
    "that is, and the answer that the client gets. It is the code that decides about requests, "
    "but\n"
    "nothing is connected to. Without -c it asks the proxy that runs: its rules, its lists as "
    "they\n"
    "are loaded, its resolver.\n"
    "\n"
    "usage: proxyd explain [-c FILE] [OPTION...] [METHOD] URL\n"
    "\n"
    "  METHOD URL            as in a request: GET http://HOST/PATH, CONNECT HOST:PORT. Without "
    "METHOD\n"
    "                        it is GET; of an https:// URL it is the CONNECT that clients send for "
    "it\n"
    "  -c, --config FILE     ask this configuration, \"-\" for standard input, instead of the "
    "proxy\n"
    "                        that runs\n"
    "      --from ADDRESS    the client; without it 127.0.0.1\n"
    "      --user NAME       who has proved to be that one, with the groups that the files of "
    "\"auth\" "
    "give;\n"
    "                        without it nobody\n"
    "      --at TIME         when: \"2026-11-23 10:00\" in the policy's time zone, or with a Z "
    "behind it\n"
    "                        in UTC; without it now\n"
    "      --header FIELD    a field of the request, \"User-Agent: curl/8\"; may be repeated\n"
    "      --resolve HOST=ADDRESS[,ADDRESS]\n"
    "                        where HOST leads, instead of looking it up; may be repeated\n"
    "      --sni NAME        the host that the ClientHello of a tunnel names\n"
    "      --response STATUS the answer that comes back, for rules that look at it; then, each "
    "with\n"
    "                        --response, its fields: \"Content-Type: video/mp4\"\n"
    "      --listener NAME   who is asked; without it the first listener with mode forward\n"
    "      --json            all of it as JSON\n"
    "  -s, --socket PATH     the control socket; \"proxyd reload --help\" names the default\n"
    "  -h, --help            this text\n"
    "\n"
    "A condition says yes, no, unknown (the request does not show it, so its rule does not "
    "match),\n"
    "waits (for the address) or unsafe (it cannot be judged: a deny holds, an allow does not); "
    "behind\n"
    "one that says no the others are not asked.\n"
    "\n"
    "example:\n"
    "  $ proxyd explain -c proxyd.conf --from 10.9.1.1 PUT http://up.filehost.example/x\n"
    "  request     PUT http://up.filehost.example/x\n"
    "  client      10.9.1.1\n"
    "  time        2026-11-23 10:00:00 Mon\n"
    "  listener    egress, policy staff\n"
    "\n"
    "  deny tracking            no                                 proxyd.conf:20:5\n"
    "      to list ads          no           up.filehost.example   proxyd.conf:20:22\n"
    "  deny uploads             matches                            proxyd.conf:21:5\n"
    "      to *.filehost.example  yes        up.filehost.example   proxyd.conf:21:39\n"
    "      method PUT POST      yes          PUT                   proxyd.conf:21:22\n"
    "\n"
    "  decision    deny by uploads, proxyd.conf:21:5\n"
    "  answer      403 rule_denied: a rule of the policy denies it\n"
    "\n"
    "exit codes: 0 explained, 1 no proxyd there or a wrong configuration, 2 wrong usage\n";

const char help_test[] =
    "Runs the tests that stand in a configuration: requests, and what its policies have to say "
    "about\n"
    "them. Names are not looked up and nothing is connected to. Tells of each test that fails "
    "what\n"
    "came instead and by which rule, and which rules no test reaches. \"check\" runs them as "
    "well.\n"
    "\n"
    "usage: proxyd test [-c FILE] [--strict]\n"
    "\n"
    "  -c, --config FILE   the configuration, \"-\" for standard input; without it the built-in\n"
    "      --strict        a rule that no test reaches is a failure\n"
    "  -h, --help          this text\n"
    "\n"
    "example:\n"
    "  $ cat proxyd.conf\n"
    "  ...\n"
    "  test \"metadata stays shut\" { request CONNECT 169.254.169.254:443; expect allow; }\n"
    "  $ proxyd test -c proxyd.conf\n"
    "  proxyd.conf:30:78: error: the test \"metadata stays shut\" fails\n"
    "      test \"metadata stays shut\" { request CONNECT 169.254.169.254:443; expect allow; }\n"
    "                                                                               ^~~~~\n"
    "      it is denied by rest, at proxyd.conf:22:5: destination_metadata\n"
    "  proxyd.conf:20:5: no test reaches the rule uploads of the policy staff\n"
    "  1 test, 1 failed; 1 rule that no test reaches\n"
    "\n"
    "exit codes: 0 all passed, 1 one failed (with --strict also: a rule is not reached) or the\n"
    "configuration is wrong, 2 wrong usage\n";

const char help_diff[] =
    "Replays an access log in the format json against two configurations, and tells which "
    "requests\n"
    "would be decided otherwise, grouped by the rules that decide, with some examples of each. No\n"
    "name is looked up: the address is the one that the log names, or a public one.\n"
    "\n"
    "usage: proxyd diff -c OLD -c NEW --log FILE [--examples N] [--strict]\n"
    "\n"
    "  -c, --config FILE   twice: the configuration that is, and the one that is to be\n"
    "      --log FILE      the log; \"-\" is standard input\n"
    "      --examples N    so many requests of each group; without it 3\n"
    "      --strict        a request that is decided otherwise is a failure\n"
    "  -h, --help          this text\n"
    "\n"
    "Who asked is the user of the log, with the groups that each configuration's files give now.\n"
    "A log has no fields and, unless its block says \"query on\", no queries: conditions on fields "
    "are\n"
    "unknown, so that their rules do not match, and that is told.\n"
    "\n"
    "example:\n"
    "  $ proxyd diff -c proxyd.conf -c new.conf --log /var/log/proxyd/access.jsonl\n"
    "  allow by rest -> deny by gambling: 2 requests\n"
    "    10.20.1.1 CONNECT bet.example:443\n"
    "    10.20.1.7 GET http://bet.example/\n"
    "  1000 requests compared, 2 are decided otherwise\n"
    "\n"
    "exit codes: 0 compared, 1 a file cannot be read or is wrong (with --strict also: a request "
    "is\n"
    "decided otherwise), 2 wrong usage\n";
