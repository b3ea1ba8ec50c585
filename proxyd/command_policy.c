/*
 * The commands that ask a policy what it does, and the help that teaches them.
 */
#include "command_policy.h"

#include <stdio.h>

#include "command_rows.h"

struct command do_explain(struct options o)
{
    struct explain_options e = { .config = o.config,
                                 .socket = o.socket,
                                 .from = o.from,
                                 .at = o.at,
                                 .listener = o.listener,
                                 .json = o.json,
                                 .method = o.operand[1] ? o.operand[0] : NULL,
                                 .url = o.operand[1] ? o.operand[1] : o.operand[0] };
    memcpy(e.header, o.header, sizeof e.header);
    memcpy(e.resolve, o.resolve, sizeof e.resolve);
    if (e.url)
        return command_leave(explain_run(&e));
    fputs("proxyd explain: what? A URL is wanted, such as http://example.com/ or\n"
          "CONNECT example.com:443; \"proxyd explain --help\" explains it\n",
          stderr);
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
    "      --at TIME         when: \"2026-11-23 10:00\" in the policy's time zone, or with a Z "
    "behind it\n"
    "                        in UTC; without it now\n"
    "      --header FIELD    a field of the request, \"User-Agent: curl/8\"; may be repeated\n"
    "      --resolve HOST=ADDRESS[,ADDRESS]\n"
    "                        where HOST leads, instead of looking it up; may be repeated\n"
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
