/* The one process, as the control thread has it: what is made at the start and taken down at the
 * end. */
#ifndef PROXYD_PROCESS_H
#define PROXYD_PROCESS_H

#include "admin/conf.h"
#include "core/worker.h"
#include "engine_conf.h"
#include "user.h"

struct admin;
struct environment;
struct reload;
struct served;
struct watchdog;
struct watcher;

struct process {
    struct engine engine;
    struct arena arena; /* of what is read once, at the start */
    struct admin_conf admin_conf;
    const char *control_path; /* as configured; see served_choose */
    struct user_conf user;
    struct admin *admin;
    int admin_fd; /* its listening socket, until it has started */
    struct served *served;
    struct reload *reload;
    struct watcher *watcher;
    struct environment *environment;
    struct watchdog *watchdog;
    const char *status; /* what the service manager was told last */
    char pseudonym[32];
};

/* A line on standard error, which is given up when nobody reads that for a second. */
void process_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The configuration in force. */
const struct snapshot *process_newest(const struct process *p);
/* `/readyz`: false, and why not. Any thread. */
bool process_is_ready(const char **why);
/* From now on it is not: the end has begun. */
void process_drains(void);

#endif
