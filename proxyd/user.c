/* The order is what is hard: groups before the user, who may not change them any more; and of the
 * capabilities only what setresuid would take too has to be kept beforehand. */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/schema.h"

struct ids {
    uid_t uid;
    gid_t gid;
};

static bool find_ids(const struct user_conf *u, struct ids *out)
{
    const struct passwd *p = getpwnam(u->name);
    if (p == NULL)
        return false;
    *out = (struct ids){ p->pw_uid, p->pw_gid };
    const struct group *g = u->group ? getgrnam(u->group) : NULL;
    if (g)
        out->gid = g->gr_gid;
    return g || u->group == NULL;
}

bool user_ids(const struct user_conf *u, unsigned *uid, unsigned *gid)
{
    struct ids ids = { geteuid(), getegid() };
    bool known = u->name == NULL || find_ids(u, &ids);
    *uid = ids.uid;
    *gid = ids.gid;
    return known;
}

/* ---- the configuration ---- */

/* Only of the file: a directory of a whole company is not asked for its list. */
static void guess_user(const struct word *w, struct diags *d)
{
    struct guess g = guess_for(w->text);
    char best[64];
    FILE *f = fopen("/etc/passwd", "re");
    for (struct passwd *p; f && (p = fgetpwent(f)) != NULL;) {
        struct slice before = g.best;
        guess_try(&g, slice_of(p->pw_name));
        if (g.best.p != before.p && g.best.n < sizeof best) { /* the next entry overwrites it */
            memcpy(best, g.best.p, g.best.n);
            g.best.p = best;
        }
    }
    if (f)
        fclose(f);
    guess_tell(&g, d);
}

void user_check(const struct node *n, struct diags *d)
{
    const struct word *user = node_arg(n, 0);
    const struct word *group = node_nargs(n) > 1 ? node_arg(n, 1) : NULL;
    if (!user->reported && getpwnam(user->text.p) == NULL) {
        diag_error(d, user, "there is no user %s on this machine", word_shown(user));
        diag_more(d, "expected a user for this program alone; to make one: useradd --system "
                     "--user-group --no-create-home --shell /usr/sbin/nologin proxyd");
        guess_user(user, d);
    }
    if (group && !group->reported && getgrnam(group->text.p) == NULL)
        diag_error(d, group, "there is no group %s on this machine", word_shown(group));
}

void user_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct user_conf *u = to;
    (void)row;
    *u = (struct user_conf){ NULL, NULL };
    if (n == NULL)
        return;
    u->name = arena_copy(a, node_arg(n, 0)->text).p;
    if (node_nargs(n) > 1)
        u->group = arena_copy(a, node_arg(n, 1)->text).p;
}

/* ---- the change ---- */

static bool set_capabilities(u32 kept)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { .effective = kept, .permitted = kept } };
    return syscall(SYS_capset, &head, data) == 0;
}

/* What the process holds in memory, as secrets and bodies, is not for a file on disk, and no
 * program that it might be made to run gets more rights than it has. */
static bool shut_doors(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool change(const char *name, const struct ids *to, u32 kept)
{
    return prctl(PR_SET_KEEPCAPS, (long)(kept != 0), 0, 0, 0) == 0 &&
           initgroups(name, to->gid) == 0 && setresgid(to->gid, to->gid, to->gid) == 0 &&
           setresuid(to->uid, to->uid, to->uid) == 0 && set_capabilities(kept) && shut_doors() &&
           prctl(PR_SET_KEEPCAPS, 0L, 0, 0, 0) == 0;
}

static bool is_already(const struct ids *to)
{
    return geteuid() == to->uid && getuid() == to->uid && getegid() == to->gid;
}

bool user_become(const struct user_conf *u, struct user_rights keep, struct text *note)
{
    struct ids to;
    if (u->name == NULL) {
        if (geteuid() == 0)
            text_lit(note, "running as root, and so does whoever breaks in; `user NAME` gives that "
                           "up once the addresses are bound");
        return true;
    }
    if (!find_ids(u, &to)) {
        text_fmt(note, "the user %s, or the group, is gone from this machine", u->name);
        return false;
    }
    if (is_already(&to))
        return shut_doors();
    if (geteuid() != 0) {
        text_fmt(note,
                 "cannot become the user %s: only root can, and this is user %u; start as root or "
                 "as %s, or take `user` out of the configuration",
                 u->name, (unsigned)geteuid(), u->name);
        return false;
    }
    u32 kept = (keep.low_ports ? 1u << CAP_NET_BIND_SERVICE : 0) |
               (keep.any_address ? 1u << CAP_NET_RAW : 0);
    if (change(u->name, &to, kept) && (to.uid == 0 || setuid(0) != 0))
        return true;
    text_fmt(note, "cannot become the user %s: %s", u->name, strerror(errno));
    return false;
}
