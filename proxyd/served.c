#include "served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/control.h"
#include "base/must.h"
#include "base/str.h"
#include "cache_report.h"
#include "control_socket.h"
#include "explaining.h"
#include "fetch_report.h"
#include "lists.h"
#include "privileged.h"

struct served {
    int fd; /* the listening socket; control's, once that runs */
    struct control *control;
    struct engine *engine;
    struct reload *reload;
    struct fetching *fetching;
    struct explaining *explaining;
    bool chosen; /* by the administrator */
    char path[CONTROL_PATH];
};

static void do_reload(void *self, struct slice argument, struct control_answer *answer)
{
    struct served *s = self;
    struct reload_result result;
    (void)argument;
    reload_run(s->reload, &result);
    static const unsigned status[] = {
        [RELOAD_DONE] = 200, [RELOAD_WRONG] = 422, [RELOAD_FAILED] = 500, [RELOAD_ENDING] = 503
    };
    answer->status = status[result.outcome];
    answer->text = result.text; /* taken over */
    if (result.outcome == RELOAD_ENDING) {
        free(answer->text);
        answer->text = strdup("not reloaded: the proxy ends\n");
    }
}

static void do_fetch(void *self, struct slice argument, struct control_answer *answer)
{
    struct served *s = self;
    answer->status = fetch_report(s->fetching, argument, answer->caller, &answer->text);
}

static void do_refresh(void *self, struct slice argument, struct control_answer *answer)
{
    struct slice name;
    (void)self;
    slice_cut(&argument, ' ', &name);
    bool anyway = slice_is(argument, "anyway");
    if (argument.n && !anyway) {
        answer->status = 400;
        answer->text = strdup("expected the name of a list, and \"anyway\" or nothing\n");
        return;
    }
    answer->status = lists_refresh(name, anyway, &answer->text) ? 200 : 502;
}

static void do_explain(void *self, struct slice argument, struct control_answer *answer)
{
    struct served *s = self;
    answer->status = explaining_run(s->explaining, argument, &answer->text);
}

static void do_cache(void *self, struct slice argument, struct control_answer *answer)
{
    struct served *s = self;
    answer->status = cache_report(s->engine->registry, argument, &answer->text);
}

static const struct control_command commands[] = {
    { "POST", "/cache", do_cache },   { "POST", "/explain", do_explain },
    { "POST", "/fetch", do_fetch },   { "POST", "/refresh", do_refresh },
    { "POST", "/reload", do_reload }, { NULL, NULL, NULL },
};

static bool choose_path(char path[CONTROL_PATH], const char *chosen)
{
    if (chosen == NULL)
        return control_default(path);
    size_t n = strlen(chosen);
    must(n < CONTROL_PATH); /* the schema's check */
    memcpy(path, chosen, n + 1);
    return n > 0;
}

static const char *why_not(int error)
{
    switch (error) {
    case EADDRINUSE: return "another proxyd listens there";
    case EEXIST: return "there is a file that is no socket";
    default: return strerror(error);
    }
}

struct served *served_choose(const char *path)
{
    struct served *s = must_zalloc(sizeof *s);
    s->fd = -1;
    s->chosen = path && path[0];
    if (choose_path(s->path, path))
        return s;
    free(s);
    return NULL;
}

void served_give(struct served *s, unsigned uid, unsigned gid)
{
    if (s)
        privileged_give_folder(s->path, uid, gid);
}

bool served_open(struct served **at, struct text *note)
{
    struct served *s = *at;
    if (s == NULL)
        return true;
    s->fd = control_listen(s->path);
    if (s->fd >= 0)
        return true;
    bool chosen = s->chosen;
    text_fmt(note, "no control socket at %s: %s", s->path, why_not(errno));
    free(s);
    *at = NULL;
    return !chosen;
}

bool served_start(struct served *s, struct engine *e, struct reload *r, struct text *note)
{
    char error[256];
    if (s == NULL)
        return true;
    s->engine = e;
    s->reload = r;
    s->fetching = fetching_new(e);
    s->explaining = explaining_new(e);
    s->control = control_start(s->fd, commands, s, error, sizeof error);
    if (s->control)
        return true;
    text_fmt(note, "no control socket: %s", error);
    control_unlink(s->path);
    fetching_free(s->fetching);
    explaining_free(s->explaining);
    free(s);
    return false;
}

void served_end(struct served *s)
{
    if (s == NULL)
        return;
    fetching_end(s->fetching);
    explaining_end(s->explaining);
}

void served_stop(struct served *s)
{
    if (s == NULL)
        return;
    control_unlink(s->path);
    control_stop(s->control);
    fetching_free(s->fetching);
}

void served_free(struct served *s)
{
    if (s)
        explaining_free(s->explaining);
    free(s);
}

struct slice served_at(const struct served *s)
{
    return slice_of(s ? s->path : NULL);
}
