/* The block `auth basic`: its part of the schema, its exceptions and the reading of its files. */
#include "policy/auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "config/file.h"
#include "policy/rule.h"

static void read_path(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    const char **path = to;
    (void)row;
    *path = n ? arena_copy(a, slice_of(schema_path(a, node_arg(n, 0)))).p : NULL;
}

static void read_except_to(const struct schema_row *row, const struct node *n, struct arena *a,
                           void *to)
{
    u32 words = n ? node_nargs(n) : 0;
    (void)row;
    hostset_init(to, a, words);
    for (u32 i = 0; i < words; i++)
        must(hostset_add(to, node_arg(n, i)->text, 1));
}

static void read_except_from(const struct schema_row *row, const struct node *n, struct arena *a,
                             void *to)
{
    u32 words = n ? node_nargs(n) : 0;
    struct cidr *list = arena_alloc(a, (words + 1) * sizeof *list);
    bool host_bits;
    (void)row;
    for (u32 i = 0; i < words; i++)
        must(cidr_parse(node_arg(n, i)->text, &list[i], &host_bits));
    cidrset_build(to, a, list, words);
}

/* It is sent in a quoted-string of Proxy-Authenticate. */
static void check_realm(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    if (!w->reported && w->text.n > 128)
        diag_error(d, w, "a realm has at most 128 bytes");
    if (!w->reported && (slice_find(w->text, '"') || slice_find(w->text, '\\')))
        diag_error(d, w, "a realm holds no quote and no backslash");
}

static void check_except_to(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++)
        if (slice_is(node_arg(n, i)->text, "*")) {
            diag_error(d, node_arg(n, i), "with this nobody has to say who he is");
            diag_more(d, "leave the block \"auth\" out instead");
        }
}

const struct schema_row auth_basic_rows[] = {
    { .key = "file",
      .type = { TYPE_PATH },
      .required = true,
      .offset = offsetof(struct policy_auth, passwords),
      .read = read_path,
      .doc = "The password file, `NAME:HASH` a line as `htpasswd` writes it: "
             "bcrypt, yescrypt, SHA-512, SHA-256, Apache's MD5, and with a warning `$1$`, {SHA} "
             "and {SSHA}. It is read again when it changes.",
      .example = "file users.htpasswd;" },
    { .key = "groups",
      .type = { TYPE_PATH },
      .offset = offsetof(struct policy_auth, groups),
      .read = read_path,
      .doc = "The groups file, `GROUP: NAME NAME` a line, for `from group GROUP`. It is read again "
             "when it changes.",
      .example = "groups users.groups;" },
    { .key = "realm",
      .type = { TYPE_TEXT },
      INTO(struct policy_auth, realm),
      .fallback = "proxyd",
      .doc = "What a browser shows when it asks for name and password.",
      .example = "realm \"Example egress\";",
      .check = check_realm },
    { .key = "except-to",
      .type = { TYPE_HOST_PATTERN },
      .min = 1,
      .max = SCHEMA_MANY,
      .offset = offsetof(struct policy_auth, except_to),
      .read = read_except_to,
      .doc = "Hosts for which nobody is asked who he is. There the user is absent, and `user *` "
             "does not hold.",
      .example = "except-to *.packages.example;",
      .check = check_except_to },
    { .key = "except-from",
      .type = { TYPE_CIDR },
      .min = 1,
      .max = SCHEMA_MANY,
      .offset = offsetof(struct policy_auth, except_from),
      .read = read_except_from,
      .doc = "Clients that are not asked who they are.",
      .example = "except-from 127.0.0.0/8 ::1;" },
    { .key = NULL },
};

const struct policy_auth *policy_auth(const struct policy *p)
{
    return p->auth.offers ? &p->auth : NULL;
}

bool policy_auth_excepts(const struct policy_auth *a, const struct addr *client,
                         const struct host *host)
{
    struct host_prints prints;
    if (cidrset_has(&a->except_from, client))
        return true;
    if (host == NULL || host->literal || a->except_to.entries == 0)
        return false;
    host_prints(&prints, (struct slice){ host->name, host->len });
    return hostset_find(&a->except_to, &prints) != 0;
}

/* ---- the files ---- */

static bool read_one(const char *path, struct slice *text, char *why, size_t why_size)
{
    struct file_id id;
    const char *wrong = path ? file_read(path, USERS_FILE_MOST, text, &id) : NULL;
    if (wrong)
        snprintf(why, why_size, "%s cannot be read: %s", path, wrong);
    return wrong == NULL;
}

struct users *users_load(const char *passwords, const char *groups, const struct users_report *r,
                         char *why, size_t why_size)
{
    struct slice p = { NULL, 0 }, g = { NULL, 0 };
    struct users *u = NULL;
    if (read_one(passwords, &p, why, why_size) && read_one(groups, &g, why, why_size))
        u = users_new(p, g, r);
    free((void *)(uintptr_t)p.p);
    free((void *)(uintptr_t)g.p);
    return u;
}

struct told {
    struct diags *d;
    const struct word *at[2];
    const char *path[2];
};

static void tell_line(void *ctx, enum users_file file, u32 line, bool warning, const char *why)
{
    struct told *t = ctx;
    (void)warning;
    diag_warning(t->d, t->at[file], "%s:%u: %s", t->path[file], line, why);
}

void auth_check(const struct node *auth, struct diags *d)
{
    struct arena a;
    struct policy_auth conf = { 0 };
    char why[512];
    arena_init(&a, 0);
    schema_fill(auth_basic_rows, auth, &a, &conf);
    const struct node *file = node_child(auth, "file"), *groups = node_child(auth, "groups");
    struct told t = { d,
                      { node_arg(file, 0), groups ? node_arg(groups, 0) : NULL },
                      { conf.passwords, conf.groups } };
    struct users *u = users_load(conf.passwords, conf.groups,
                                 &(struct users_report){ tell_line, &t }, why, sizeof why);
    if (u == NULL)
        diag_error(d, t.at[USERS_PASSWORDS], "%s", why);
    else if (users_count(u) == 0)
        diag_warning(d, t.at[USERS_PASSWORDS], "%s has no user, so nobody can say who he is",
                     conf.passwords);
    users_free(u);
    arena_free(&a);
}
