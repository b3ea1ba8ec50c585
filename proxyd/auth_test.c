/*
 * The steps are those of a request, by the functions that decide about requests; only the files are
 * read anew, because of a line that was left out the reader alone knows why. Nothing secret is ever
 * printed: of a hash its form, of a password whether it fits.
 */
#include "auth_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "ask_password.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/str.h"
#include "command.h"
#include "config/file.h"
#include "config/shown.h"
#include "forecast.h"
#include "forward/conf.h"
#include "offline.h"
#include "policy/auth.h"

/* Of the line that a name begins, what the reader said. */
struct said {
    const char *path;
    struct slice name;
    u32 line; /* 0: no line begins with the name */
    bool warning;
    const char *why; /* NULL: nothing */
};

static void show(const char *what, struct slice s)
{
    printf("%-11s ", what);
    shown_put(stdout, s);
}

static void show_line(const char *what, const char *text)
{
    show(what, slice_of(text));
    putchar('\n');
}

/* ---- who is asked ---- */

static const struct listener *listener_of(const struct auth_test *t, const struct snapshot *s)
{
    const struct listener *l = forecast_listener(s, slice_of(t->listener));
    if (t->policy == NULL)
        return l;
    for (u32 i = 0; i < s->nlisteners; i++) {
        l = &s->listeners[i];
        if (l->role == forecast_listener(s, SLICE(""))->role &&
            slice_is(policy_name(forward_part_of(l)->policy), t->policy))
            return l;
    }
    return NULL;
}

/* A URL, an authority or a host. */
static bool read_host(struct slice to, struct host *host)
{
    const char *slashes = memmem(to.p, to.n, "//", 2);
    struct slice rest = slashes ? slice_range(slashes + 2, to.p + to.n) : to;
    u16 port;
    bool has_port;
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    return authority_parse((struct slice){ rest.p, n }, host, &port, &has_port) == FAULT_NONE;
}

/* EXIT_FINE: he is asked who he is. Else *end says that it ends here, with which code. */
static bool is_asked(const struct auth_test *t, const struct forward_part *part, int *end)
{
    struct addr client;
    struct host host = { .len = 0 };
    *end = EXIT_USAGE;
    if (!addr_parse(slice_of(t->from ? t->from : "127.0.0.1"), &client)) {
        fprintf(stderr, "proxyd auth: --from needs an address, such as 10.1.2.3\n");
        return false;
    }
    if (t->to && !read_host(slice_of(t->to), &host)) {
        fprintf(stderr, "proxyd auth: --to needs a URL or a host, such as http://example.com/\n");
        return false;
    }
    *end = EXIT_FAILED;
    if (t->from && !policy_client_allowed(part->policy, &client)) {
        show_line("verdict", "refused: this client address may not use the proxy");
        return false;
    }
    *end = EXIT_FINE;
    if (part->auth == NULL)
        show_line("verdict", "nobody is asked: the policy has no block \"auth\"");
    else if (t->from && cidrset_has(&part->auth->except_from, &client))
        show_line("verdict", "nobody is asked: \"except-from\" has this client");
    else if (t->to && policy_auth_excepts(part->auth, &client, &host))
        show_line("verdict", "nobody is asked: \"except-to\" has this host");
    else
        return true;
    return false;
}

/* ---- what the files say ---- */

/* The first line that begins with the name, if it was that one. */
static void hear(void *ctx, enum users_file file, u32 line, bool warning, const char *why)
{
    struct said *s = ctx;
    if (file == USERS_PASSWORDS && line == s->line) {
        s->warning = warning;
        s->why = why;
    }
}

static void find_line(struct said *s)
{
    struct slice text = { NULL, 0 }, rest, line;
    struct file_id id;
    u32 number = 0;
    if (file_read(s->path, USERS_FILE_MOST, &text, &id))
        return;
    rest = text;
    while (s->line == 0 && rest.n && slice_cut(&rest, '\n', &line)) {
        number++;
        if (line.n > s->name.n && line.p[s->name.n] == ':' &&
            slice_eq((struct slice){ line.p, s->name.n }, s->name))
            s->line = number;
    }
    free((void *)(uintptr_t)text.p);
}

static void show_groups(const struct user *user, const char *path)
{
    struct slice rest = user->identity, group;
    (void)slice_cut(&rest, 0, &group);
    if (path == NULL)
        return;
    printf("%-11s", "groups");
    if (rest.p == NULL)
        fputs(" none", stdout);
    while (slice_cut(&rest, 0, &group)) {
        putchar(' ');
        shown_put(stdout, group);
    }
    fputs(", ", stdout);
    shown_put(stdout, slice_of(path));
    putchar('\n');
}

static void show_user(const struct said *s, const struct user *user, const char *groups)
{
    show("user", s->name);
    fputs(", ", stdout);
    shown_put(stdout, slice_of(s->path));
    if (s->line)
        printf(":%u", s->line);
    putchar('\n');
    if (user)
        show_line("hash", password_form_name(&user->password));
    if (s->why)
        show_line(s->warning ? "warning" : "left out", s->why);
    if (user)
        show_groups(user, groups);
}

static int compare(const struct user *user, bool by_input)
{
    struct asked_password p;
    if (!ask_password("auth", by_input, false, &p))
        return EXIT_FAILED;
    u64 from = clock_us(CLOCK_MONOTONIC);
    bool fits = password_fits(&user->password, (struct slice){ p.text, p.n });
    u64 took = clock_us(CLOCK_MONOTONIC) - from;
    explicit_bzero(&p, sizeof p);
    printf("%-11s %s, after %llu.%llu ms\n", "password", fits ? "fits" : "does not fit",
           (unsigned long long)(took / 1000), (unsigned long long)(took / 100 % 10));
    show("verdict", fits ? user->name : SLICE("407: name and password do not fit"));
    puts(fits ? " may ask the rules" : "");
    return fits ? EXIT_FINE : EXIT_FAILED;
}

static int try_files(const struct auth_test *t, const struct policy_auth *auth)
{
    struct said s = { .path = auth->passwords, .name = slice_of(t->name) };
    char why[512];
    find_line(&s);
    struct users *u =
        users_load(s.path, auth->groups, &(struct users_report){ hear, &s }, why, sizeof why);
    const struct user *user = u ? users_find(u, s.name) : NULL;
    int code = EXIT_FAILED;
    show_line("scheme", "basic");
    if (u == NULL) {
        show_line("files", why);
        show_line("verdict", "503: passwords cannot be compared now");
    } else {
        if (user)
            s.line = user->line;
        else if (s.line == 0)
            s.why = "no line begins with this name";
        show_user(&s, user, auth->groups);
        if (user)
            code = compare(user, t->by_input);
        else
            show_line("verdict", "407: name and password do not fit");
    }
    users_free(u);
    return code;
}

int auth_test_run(const struct auth_test *t)
{
    struct offline off;
    int code = EXIT_USAGE;
    if (!offline_open(t->config, &off))
        return EXIT_FAILED;
    const struct listener *l = listener_of(t, off.snapshot);
    if (l) {
        const struct forward_part *part = forward_part_of(l);
        show("policy", policy_name(part->policy));
        fputs(", listener ", stdout);
        shown_put(stdout, l->name);
        putchar('\n');
        if (is_asked(t, part, &code))
            code = try_files(t, part->auth);
    } else {
        fprintf(stderr, "proxyd auth: there is no listener with mode forward and that %s\n",
                t->policy ? "policy" : "name");
    }
    offline_close(&off);
    return code;
}
