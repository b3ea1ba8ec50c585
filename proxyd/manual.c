#include "manual.h"

#include <stdlib.h>

#include "base/must.h"
#include "command_rows.h"
#include "config/reference_tables.h"
#include "config/roff.h"
#include "schema_root.h"

#define SOURCE "proxyd " PROXYD_VERSION

static const char about[] =
    "proxyd carries HTTP between clients and servers: forward, for the programs and browsers of a "
    "network on their way out, with a policy of who may go where; and reverse, in front of "
    "servers. What it refuses it says, with the rule and the reason, in the answer and in the "
    "log.\n"
    "\n"
    "Without a configuration `proxyd run` is a forward proxy on 127.0.0.1:3128 for this machine. "
    "With one it listens, becomes the user that the configuration names, opens its logs and "
    "serves until it gets a signal.\n";

static const char files[] =
    "| file | meaning |\n"
    "|---|---|\n"
    "| `/etc/proxyd/proxyd.conf` | the configuration that the unit for systemd starts with |\n"
    "| `/run/proxyd/control.sock` | the control socket, which `reload` and `ctl` talk to |\n"
    "| `/var/log/proxyd` | the folder for logs, of the user proxyd |\n";

static const char environment[] =
    "| variable | meaning |\n"
    "|---|---|\n"
    "| `RUNTIME_DIRECTORY` | the folder of the control socket, when the configuration names none "
    "|\n"
    "| `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID` | where the service manager is told how "
    "the process is, and how often (`sd_notify`(3)) |\n";

static void section(FILE *to, const char *title, const char *table)
{
    char *markdown;
    must(asprintf(&markdown, "\n## %s\n\n%s", title, table) >= 0);
    roff_markdown(to, markdown);
    free(markdown);
}

void manual_of_commands(FILE *to)
{
    roff_begin(to, "PROXYD", "8", SOURCE, "System administration",
               "proxyd \\- HTTP proxy, forward and reverse");
    roff_section(to, "SYNOPSIS");
    fputs(".B proxyd\n.I COMMAND\n.RI [ OPTION \\&...]\n", to);
    roff_section(to, "DESCRIPTION");
    roff_text(to, about);
    roff_section(to, "COMMANDS");
    for (size_t i = 0; i < command_row_count; i++) {
        char title[64];
        snprintf(title, sizeof title, "proxyd %s", command_rows[i].name);
        roff_subsection(to, title);
        roff_help(to, command_rows[i].help);
    }
    section(to, "FILES", files);
    section(to, "ENVIRONMENT", environment);
    roff_section(to, "SEE ALSO");
    fputs(".BR proxyd.conf (5)\n", to);
}

void manual_of_configuration(FILE *to)
{
    char *markdown;
    size_t n;
    FILE *f = open_memstream(&markdown, &n);
    must(f != NULL);
    schema_reference(root_rows, f);
    reference_tables(f);
    fclose(f);
    roff_begin(to, "PROXYD.CONF", "5", SOURCE, "File formats",
               "proxyd.conf \\- configuration of proxyd");
    roff_section(to, "DESCRIPTION");
    roff_text(to, "The configuration says where the proxy listens, who may ask it, and where "
                  "requests may go. `proxyd check -c FILE` tells what is wrong with one, "
                  "`proxyd config --default` prints one to begin with.");
    roff_markdown(to, markdown);
    free(markdown);
    roff_section(to, "SEE ALSO");
    fputs(".BR proxyd (8)\n", to);
}
