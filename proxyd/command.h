/* The command line: everything but the running of the proxy itself happens in command_parse. */
#ifndef PROXYD_COMMAND_H
#define PROXYD_COMMAND_H

#include "schema_root.h"

/* Exit codes of the process. */
enum {
    EXIT_FINE = 0,
    EXIT_FAILED = 1,  /* check found errors, the output could not be written; run failed for another
                         reason than its configuration */
    EXIT_USAGE = 2,   /* the command line is wrong */
    EXIT_CONFIG = 78, /* run: the configuration is wrong (EX_CONFIG); do not restart */
};

struct command {
    enum { COMMAND_RUN, COMMAND_EXIT } what;
    int exit_code;           /* of COMMAND_EXIT */
    const char *config_path; /* of COMMAND_RUN; NULL: the built-in configuration */
};

/* Understands the command line. check, config, reference, version and help are done here, with
 * their output on stdout and complaints on stderr. */
struct command command_parse(int argc, char **argv);

#endif
