/*
 * The table of commands, with the help that teaches each of them.
 */
#include "command_rows.h"

#include "command_pac.h"
#include "command_policy.h"
#include "command_users.h"

const struct command_row command_rows[] = {
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
      "keys, wrong values, names that lead nowhere, addresses used twice; as warnings what is\n"
      "allowed but hardly meant; and as notes what can only be meant and has a price, as a\n"
      "departure from RFC 9111. It needs no root, no network, no free port, and changes nothing.\n"
      "\n"
      "usage: proxyd check [-c FILE] [--strict]\n"
      "\n"
      "  -c, --config FILE   the configuration, \"-\" for standard input; without it the built-in\n"
      "      --strict        warnings count as errors, notes do not\n"
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
      "       proxyd ctl [-s PATH] refresh LIST [anyway]\n"
      "\n"
      "  fetch URL           the proxy itself requests URL, as a client of LISTENER would (without "
      "it,\n"
      "                      of the first listener): by its resolver, its rules and its limits. "
      "Tells\n"
      "                      what became of it, and how long each phase took\n"
      "  refresh LIST        fetches that list now, or reads its files again, and tells what "
      "became "
      "of\n"
      "                      it; with \"anyway\" a content that has shrunk is taken as well\n"
      "  -s, --socket PATH   the control socket; \"proxyd reload --help\" names the default\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  $ proxyd ctl fetch http://example.com/\n"
      "  url         http://example.com/\n"
      "  listener    egress\n"
      "  status      200 OK\n"
      "  rule        default\n"
      "  cache       miss\n"
      "  server      93.184.216.34:80\n"
      "  look-up     12.1 ms\n"
      "  connect     88.0 ms\n"
      "  first byte  90.4 ms\n"
      "  all         190.6 ms\n"
      "  body        1256 bytes\n"
      "\n"
      "exit codes: 0 an answer came, whatever it says, 1 none came or no proxyd there, 2 wrong "
      "usage\n" },
    { "cache", FOR_CACHE, 3, do_cache, "show what the running proxy keeps, or take it out",
      "Asks the proxyd that runs, by its control socket, about the caches of its configuration.\n"
      "\n"
      "usage: proxyd cache [-s PATH] stat\n"
      "       proxyd cache [-s PATH] verify\n"
      "       proxyd cache [-s PATH] show URL\n"
      "       proxyd cache [-s PATH] why METHOD URL [--header FIELD]...\n"
      "       proxyd cache [-s PATH] purge [--soft] [--prefix] URL\n"
      "       proxyd cache [-s PATH] purge [--soft] --tag TAG\n"
      "       proxyd cache [-s PATH] purge [--soft] --all\n"
      "\n"
      "  stat                what is kept in all, and what the caches were to requests\n"
      "  verify              reads all that is on disk; what is not as it was written is "
      "forgotten\n"
      "  show URL            each variant that is kept of it\n"
      "  why METHOD URL      the same, and why the last answer (of an hour) was not kept\n"
      "      --header FIELD  a field of a request, \"Accept-Encoding: gzip\"; may be repeated. "
      "Then "
      "also\n"
      "                      what each variant is to that request, or why the cache is not asked\n"
      "  purge URL           takes out all variants of it, for all listeners at once\n"
      "      --prefix        … and of every URL that begins so\n"
      "      --tag           … all with that tag of Surrogate-Key or Cache-Tag\n"
      "      --all           … everything\n"
      "      --soft          makes it stale instead: it has to be validated, and serves in need\n"
      "  -s, --socket PATH   the control socket; \"proxyd reload --help\" names the default\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  $ proxyd cache show http://example.com/\n"
      "  cache main:\n"
      "    200, 1256 bytes, age 12 s, fresh for 48 s, from 93.184.216.34:80, by accept-encoding\n"
      "\n"
      "exit codes: 0 answered, 1 not understood or no proxyd there, 2 wrong usage\n" },
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
    { "explain", FOR_EXPLAIN, 2, do_explain, "tell why a request is let through or refused",
      help_explain },
    { "test", FOR_TEST, 0, do_test, "run the tests of a configuration", help_test },
    { "diff", FOR_DIFF, 0, do_diff, "replay a log against two configurations", help_diff },
    { "nft", FOR_NFT, 0, do_nft, "print the firewall rules of a transparent listener",
      "Prints nftables rules that lead connections to a listener with \"mode transparent\", made "
      "for\n"
      "its addresses and its \"divert\", for IPv4 and IPv6. What is meant for this machine itself "
      "is\n"
      "left alone, and QUIC (UDP to port 443) is refused, so that browsers take TCP. Nothing is "
      "put\n"
      "in force; loaded twice the rules are as once.\n"
      "\n"
      "usage: proxyd nft [-c FILE] [--listener NAME] [--lan INTERFACE]... [--ports LIST]\n"
      "                  [--own [--user NAME]] [--remove]\n"
      "\n"
      "  -c, --config FILE   the configuration, \"-\" for standard input; without it the built-in\n"
      "      --listener NAME which listener; without it the first with \"mode transparent\"\n"
      "      --lan INTERFACE whose connections are led, up to eight times; without it those from "
      "the\n"
      "                      networks of the policy's \"clients\"\n"
      "      --ports LIST    the TCP ports that are led, as in 80,443,8000-8080; without it "
      "80,443\n"
      "      --own           connections of this machine's own programs too, with its own "
      "addresses\n"
      "                      as clients; not with \"divert tproxy\"\n"
      "      --user NAME     with --own: whose are left alone, the proxy's; without it the "
      "\"user\" "
      "of\n"
      "                      the configuration\n"
      "      --remove        print what takes the rules away\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  proxyd nft -c proxyd.conf --lan eth1 | nft -f -\n"
      "  proxyd nft -c proxyd.conf --remove | nft -f -\n"
      "\n"
      "exit codes: 0 printed, 1 no such listener, a wrong configuration or could not write, 2 "
      "wrong\n"
      "usage\n" },
    { "passwd", FOR_PASSWD, 2, do_passwd, "set the password of a user", help_passwd },
    { "auth", FOR_AUTH, 2, do_auth, "try a name and a password against a configuration",
      help_auth },
    { "pac", FOR_PAC, 2, do_pac, "the script by which browsers find the proxy", help_pac },
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
      "usage: proxyd reference [--keys | --man]\n"
      "\n"
      "      --keys          only the keys, one path a line, such as \"limits head\"\n"
      "      --man           as the manual page proxyd.conf(5)\n"
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
    { "help", FOR_HELP, 0, do_help, "this list; \"help COMMAND\" explains one command",
      "Lists the commands, or explains one of them.\n"
      "\n"
      "usage: proxyd help [COMMAND]\n"
      "       proxyd help --man\n"
      "       proxyd help --completion bash|zsh|fish\n"
      "\n"
      "      --man           all of them as the manual page proxyd(8)\n"
      "      --completion SHELL\n"
      "                      what a shell needs to complete commands and options\n"
      "  -h, --help          this text\n"
      "\n"
      "example:\n"
      "  proxyd help check\n"
      "\n"
      "exit codes: 0 printed, 1 could not write, 2 wrong usage\n" },
};

const size_t command_row_count = countof(command_rows);

const struct option_row option_rows[] = {
    { "--help", "-h", FOR_ALL, offsetof(struct options, help), NULL, 0 },
    { "--config", "-c", FOR_CONFIG_FILE, offsetof(struct options, config), "the name of a file",
      0 },
    { "--socket", "-s", FOR_RELOAD | FOR_CTL | FOR_EXPLAIN | FOR_CACHE,
      offsetof(struct options, socket), "the path of a control socket", 0 },
    { "--config", "-c", FOR_DIFF, offsetof(struct options, both), "the name of a file", 2 },
    { "--log", NULL, FOR_DIFF, offsetof(struct options, log), "the name of a file", 0 },
    { "--examples", NULL, FOR_DIFF, offsetof(struct options, examples), "a number", 0 },
    { "--strict", NULL, FOR_CHECK | FOR_TEST | FOR_DIFF, offsetof(struct options, strict), NULL,
      0 },
    { "--default", NULL, FOR_CONFIG, offsetof(struct options, show_default), NULL, 0 },
    { "--keys", NULL, FOR_REFERENCE, offsetof(struct options, keys), NULL, 0 },
    { "--man", NULL, FOR_REFERENCE | FOR_HELP, offsetof(struct options, man), NULL, 0 },
    { "--completion", NULL, FOR_HELP, offsetof(struct options, completion), "the name of a shell",
      0 },
    { "--all", NULL, FOR_CACHE, offsetof(struct options, all), NULL, 0 },
    { "--prefix", NULL, FOR_CACHE, offsetof(struct options, prefix), NULL, 0 },
    { "--tag", NULL, FOR_CACHE, offsetof(struct options, tag), NULL, 0 },
    { "--soft", NULL, FOR_CACHE, offsetof(struct options, soft), NULL, 0 },
    { "--json", NULL, FOR_EXPLAIN, offsetof(struct options, json), NULL, 0 },
    { "--from", NULL, FOR_EXPLAIN | FOR_AUTH, offsetof(struct options, from),
      "the address of a client", 0 },
    { "--at", NULL, FOR_EXPLAIN, offsetof(struct options, at), "a time", 0 },
    { "--lan", NULL, FOR_NFT, offsetof(struct options, lan), "the name of an interface", NFT_MANY },
    { "--own", NULL, FOR_NFT, offsetof(struct options, own), NULL, 0 },
    { "--user", NULL, FOR_NFT | FOR_EXPLAIN, offsetof(struct options, user), "the name of a user",
      0 },
    { "--ports", NULL, FOR_NFT, offsetof(struct options, ports), "ports", 0 },
    { "--remove", NULL, FOR_NFT, offsetof(struct options, remove), NULL, 0 },
    { "--listener", NULL, FOR_EXPLAIN | FOR_NFT | FOR_AUTH | FOR_PAC,
      offsetof(struct options, listener), "the name of a listener", 0 },
    { "--policy", NULL, FOR_AUTH, offsetof(struct options, policy), "the name of a policy", 0 },
    { "--to", NULL, FOR_AUTH, offsetof(struct options, to), "a URL or a host", 0 },
    { "--stdin", NULL, FOR_PASSWD | FOR_AUTH, offsetof(struct options, by_input), NULL, 0 },
    { "--yescrypt", NULL, FOR_PASSWD, offsetof(struct options, yescrypt), NULL, 0 },
    { "--verify", NULL, FOR_PASSWD, offsetof(struct options, verify), NULL, 0 },
    { "--delete", NULL, FOR_PASSWD, offsetof(struct options, delete_it), NULL, 0 },
    { "--header", NULL, FOR_EXPLAIN | FOR_CACHE, offsetof(struct options, header),
      "a field, NAME: VALUE", EXPLAIN_MANY },
    { "--sni", NULL, FOR_EXPLAIN, offsetof(struct options, sni), "the name in a ClientHello", 0 },
    { "--response", NULL, FOR_EXPLAIN, offsetof(struct options, response),
      "a status, or a field, NAME: VALUE", EXPLAIN_MANY },
    { "--client", NULL, FOR_PAC, offsetof(struct options, client), "the address of a client", 0 },
    { "--file", NULL, FOR_PAC, offsetof(struct options, file), "the name of a file", 0 },
    { "--resolve", NULL, FOR_EXPLAIN | FOR_PAC, offsetof(struct options, resolve), "HOST=ADDRESS",
      EXPLAIN_MANY },
};

const size_t option_row_count = countof(option_rows);

bool command_takes(const struct command_row *c, const struct option_row *o)
{
    return o->commands == FOR_ALL || (o->commands & c->bit);
}
