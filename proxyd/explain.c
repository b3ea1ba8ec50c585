#include "explain.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "command.h"
#include "ctl.h"
#include "explain_json.h"
#include "explain_show.h"
#include "look_up.h"
#include "offline.h"

static void put(json_t *o, const char *name, const char *text)
{
    if (text)
        must(json_object_set_new(o, name, json_of(slice_of(text))) == 0);
}

static json_t *list(const char *const *text)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < EXPLAIN_MANY && text[i]; i++)
        json_array_append_new(all, json_of(slice_of(text[i])));
    return all;
}

static char *question_of(const struct explain_options *o)
{
    json_t *q = json_object();
    put(q, "method", o->method);
    put(q, "url", o->url);
    put(q, "from", o->from);
    put(q, "user", o->user);
    put(q, "at", o->at);
    put(q, "listener", o->listener);
    put(q, "sni", o->sni);
    json_object_set_new(q, "headers", list(o->header));
    json_object_set_new(q, "resolve", list(o->resolve));
    json_object_set_new(q, "response", list(o->response));
    char *text = json_dumps(q, JSON_COMPACT);
    json_decref(q);
    must(text != NULL);
    return text;
}

/* By a configuration of its own. */
static unsigned ask_file(const char *path, struct slice question, char **text)
{
    struct offline off;
    struct lookup lookup;
    unsigned status = 500;
    if (!offline_open(path, &off))
        return 0;
    struct looking_up *l = look_up_open(&off.snapshot->conf.dns, &lookup);
    if (l)
        status = explain_question(off.snapshot, 0, &lookup, question, text);
    look_up_close(l);
    offline_close(&off);
    return status;
}

static int show(const char *text)
{
    json_error_t error;
    json_t *told = json_loads(text, 0, &error);
    if (told == NULL) {
        fprintf(stderr, "proxyd explain: the answer is no JSON: %s\n", error.text);
        return EXIT_FAILED;
    }
    explain_show(told, stdout, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
    json_decref(told);
    return EXIT_FINE;
}

int explain_run(const struct explain_options *o)
{
    char *question = question_of(o), *text = NULL;
    int code = EXIT_FAILED;
    unsigned status =
        o->config ? ask_file(o->config, slice_of(question), &text)
                  : ctl_get("explain", o->socket, "POST", "/explain", slice_of(question), &text);
    if (status == 200 && o->json)
        code = puts(text) >= 0 ? EXIT_FINE : EXIT_FAILED;
    else if (status == 200)
        code = show(text);
    else if (status)
        fprintf(stderr, "proxyd explain: %s", text ? text : "the resolver could not be started\n");
    free(text);
    free(question);
    return status == 400 ? EXIT_USAGE : code;
}
