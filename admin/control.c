#include "admin/control.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* Commands come from people and scripts: a few at a time. There are connections for some more,
 * which are told so. */
enum {
    COMMANDS = 16,
    CONNECTIONS = 2 * COMMANDS,
    CONNECTION_SECONDS = 10,
    CONNECTION_MEMORY = 32 << 10
};

struct control {
    struct MHD_Daemon *daemon;
    const struct control_command *commands;
    void *self;
    atomic_uint running; /* commands */
};

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, char *text)
{
    struct MHD_Response *r =
        text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE)
             : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (r == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", "text/plain; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

static const struct control_command *command_at(const struct control *control, const char *path)
{
    const struct control_command *k = control->commands;
    while (k->path && strcmp(k->path, path) != 0)
        k++;
    return k->path ? k : NULL;
}

static void refuse(struct control_answer *answer)
{
    answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    must(asprintf(
             &answer->text,
             "%u commands are under way, which is all that may be: once more when one has ended\n",
             COMMANDS) >= 0);
}

/* MHD cuts a query at '&' and '='; a command has one argument, `?arg=TEXT`. */
static enum MHD_Result run(struct control *control, struct MHD_Connection *c, const char *path,
                           const char *method)
{
    const struct control_command *k = command_at(control, path);
    struct control_answer answer = {
        .status = MHD_HTTP_OK,
        .caller = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
    };
    if (k == NULL)
        return say(c, MHD_HTTP_NOT_FOUND, strdup("this proxyd does not know that command\n"));
    if (strcmp(k->method, method) != 0)
        return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, NULL);
    const char *argument = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "arg");
    if (atomic_fetch_add(&control->running, 1) < COMMANDS)
        k->run(control->self, slice_of(argument), &answer);
    else
        refuse(&answer);
    atomic_fetch_sub(&control->running, 1);
    return say(c, answer.status, answer.text);
}

/* The first call comes with the head, before the body: it only marks that the request was seen. A
 * body is taken and dropped, no command has one. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **seen)
{
    (void)version;
    (void)upload;
    bool first = !*seen;
    *seen = self;
    if (first)
        return MHD_YES;
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    return run(self, c, url, method);
}

/* Signals are main's: the threads inherit a mask that lets none in. */
static struct MHD_Daemon *start_daemon(struct control *control, int fd)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                             MHD_USE_POLL | MHD_USE_ITC,
                         0, NULL, NULL, on_request, control, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                         MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return d;
}

struct control *control_start(int fd, const struct control_command *commands, void *self,
                              char *error, size_t n)
{
    struct control *control = must_zalloc(sizeof *control);
    control->commands = commands;
    control->self = self;
    control->daemon = start_daemon(control, fd);
    if (control->daemon)
        return control;
    snprintf(error, n, "the control thread does not start: %s", strerror(errno));
    free(control);
    return NULL;
}

void control_stop(struct control *control)
{
    if (control == NULL)
        return;
    MHD_stop_daemon(control->daemon);
    free(control);
}
