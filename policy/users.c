/*
 * Two passes over each file: count the lines, then take them. Users stand in an array in the order
 * of the file, found by a table of their numbers; memberships are collected as pairs and written
 * behind the names once all are known.
 */
#include "policy/users.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/str.h"

struct users {
    struct arena arena;
    struct user *user;
    u32 count;
    u32 *slot; /* number + 1 of a user; 0: empty */
    u32 mask;
    const struct password *usual;
    u64 print;
    u32 *identity_bytes; /* of each user's */
};

struct membership {
    u32 user;
    struct slice group;
};

struct memberships {
    struct membership *m;
    size_t count, room;
};

/* What a line of a file is read with. */
struct lines {
    struct slice rest;
    u32 number;
    enum users_file file;
    const struct users_report *report;
};

static void tell(const struct lines *l, bool warning, const char *why)
{
    if (l->report && l->report->line)
        l->report->line(l->report->ctx, l->file, l->number, warning, why);
}

/* The next line that says something. */
static bool next_line(struct lines *l, struct slice *line)
{
    while (slice_cut(&l->rest, '\n', line)) {
        l->number++;
        if (line->n && line->p[line->n - 1] == '\r')
            line->n--;
        struct slice text = slice_trim(*line);
        if (text.n && text.p[0] != '#')
            return true;
    }
    return false;
}

static const char *check_name(struct slice name)
{
    if (name.n == 0 || name.n > USERS_NAME_MOST)
        return "a name has 1 to 255 bytes";
    for (size_t i = 0; i < name.n; i++)
        if ((u8)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return "a name holds a control character";
    return utf8_valid(name, NULL) ? NULL : "a name is not UTF-8";
}

const char *users_name_wrong(struct slice name)
{
    struct slice trimmed = slice_trim(name);
    if (slice_find(name, ':'))
        return "a name holds no colon: behind it the password begins";
    if (name.n && (trimmed.n == 0 || trimmed.p[0] == '#'))
        return "a line that begins so is a comment";
    return check_name(name);
}

/* ---- identities ---- */

struct slice identity_name(struct slice identity)
{
    struct slice name = { NULL, 0 };
    (void)slice_cut(&identity, 0, &name);
    return name;
}

bool identity_in_group(struct slice identity, struct slice group)
{
    struct slice one;
    (void)slice_cut(&identity, 0, &one);
    while (slice_cut(&identity, 0, &one))
        if (slice_eq(one, group))
            return true;
    return false;
}

/* ---- users ---- */

static u32 *slot_of(const struct users *u, struct slice name)
{
    u32 at = (u32)hash64(hash_process_key(), name.p, name.n) & u->mask;
    while (u->slot[at] && !slice_eq(u->user[u->slot[at] - 1].name, name))
        at = (at + 1) & u->mask;
    return &u->slot[at];
}

static void make_room(struct users *u, struct slice text)
{
    size_t lines = 1, slots = 16;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    while (slots < 2 * lines)
        slots *= 2;
    u->user = arena_alloc(&u->arena, lines * sizeof *u->user);
    u->identity_bytes = arena_zalloc(&u->arena, lines * sizeof *u->identity_bytes);
    u->slot = arena_zalloc(&u->arena, slots * sizeof *u->slot);
    u->mask = (u32)(slots - 1);
}

/* name:hash, and behind another colon whatever nginx's users have noted there. */
static const char *read_user(struct users *u, u32 number, struct slice line, const char **warning)
{
    struct slice rest = line, name, hash;
    struct password p;
    if (slice_find(line, ':') == NULL)
        return "no colon: a line is NAME:HASH";
    (void)slice_cut(&rest, ':', &name);
    (void)slice_cut(&rest, ':', &hash);
    const char *why = check_name(name);
    if (why || (why = password_read(hash, &p)))
        return why;
    u32 *slot = slot_of(u, name);
    if (*slot)
        return "the name stands further up already, and the first one counts";
    *warning = password_warning(&p);
    u->user[u->count] = (struct user){ .name = name, .line = number, .password = p };
    u->identity_bytes[u->count] = (u32)name.n;
    *slot = ++u->count;
    return NULL;
}

static void read_passwords(struct users *u, struct lines *l)
{
    struct slice line;
    while (next_line(l, &line)) {
        const char *warning = NULL, *why = read_user(u, l->number, line, &warning);
        if (why || warning)
            tell(l, why == NULL, why ? why : warning);
    }
}

/* ---- groups ---- */

static void add(struct memberships *all, u32 user, struct slice group)
{
    if (all->count == all->room) {
        all->room = all->room ? 2 * all->room : 64;
        all->m = must_realloc(all->m, all->room * sizeof *all->m);
    }
    all->m[all->count++] = (struct membership){ user, group };
}

static struct slice cut_word(struct slice *rest)
{
    struct slice s = slice_trim(*rest);
    size_t n = 0;
    while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t' && s.p[n] != ',')
        n++;
    struct slice word = { s.p, n };
    *rest = slice_skip(s, n < s.n && s.p[n] == ',' ? n + 1 : n);
    return word;
}

/* `group: name name`, as Apache has it; commas between names are taken too. */
static const char *read_group(struct users *u, struct slice line, struct memberships *all,
                              bool *unknown)
{
    const char *colon = slice_find(line, ':'), *why;
    if (colon == NULL)
        return "no colon: a line is GROUP: NAME NAME";
    struct slice group = slice_trim(slice_range(line.p, colon));
    struct slice rest = slice_range(colon + 1, line.p + line.n);
    if ((why = check_name(group)))
        return why;
    while (slice_trim(rest).n) {
        struct slice name = cut_word(&rest);
        u32 number = name.n ? *slot_of(u, name) : 0;
        *unknown |= name.n && number == 0;
        if (number == 0)
            continue;
        u32 *bytes = &u->identity_bytes[number - 1];
        if (*bytes + 1 + group.n > USERS_IDENTITY_MOST)
            return "the names of the groups of one user are longer than 4 kB together";
        *bytes += 1 + (u32)group.n;
        add(all, number - 1, group);
    }
    return NULL;
}

static void read_groups(struct users *u, struct lines *l, struct memberships *all)
{
    struct slice line;
    while (next_line(l, &line)) {
        bool unknown = false;
        const char *why = read_group(u, line, all, &unknown);
        if (why || unknown)
            tell(l, why == NULL, why ? why : "a name that the password file does not have");
    }
}

static void put(struct slice *identity, struct slice text)
{
    char *end = (char *)(uintptr_t)identity->p + identity->n;
    memcpy(end, text.p, text.n);
    identity->n += text.n;
}

static void write_identities(struct users *u, const struct memberships *all)
{
    for (u32 i = 0; i < u->count; i++) {
        u->user[i].identity.p = arena_alloc(&u->arena, u->identity_bytes[i]);
        put(&u->user[i].identity, u->user[i].name);
    }
    for (size_t i = 0; i < all->count; i++) {
        struct slice *identity = &u->user[all->m[i].user].identity;
        if (identity_in_group(*identity, all->m[i].group))
            continue;
        put(identity, (struct slice){ "", 1 });
        put(identity, all->m[i].group);
    }
}

/* ---- the whole ---- */

/* By the work that a comparison is. Of a file with more kinds of it, those that come first. */
static const struct password *most_usual(const struct users *u)
{
    enum { KINDS = 32 };
    struct {
        struct slice cost;
        const struct password *of;
        u32 count;
    } kind[KINDS];
    u32 n = 0, best = 0;
    for (u32 i = 0, k; i < u->count; i++) {
        struct slice cost = password_cost(&u->user[i].password);
        for (k = 0; k < n && !slice_eq(kind[k].cost, cost);)
            k++;
        if (k == KINDS)
            continue;
        if (k == n) {
            kind[n].cost = cost;
            kind[n].of = &u->user[i].password;
            kind[n++].count = 0;
        }
        if (++kind[k].count > kind[best].count)
            best = k;
    }
    return n ? kind[best].of : NULL;
}

struct users *users_new(struct slice passwords, struct slice groups, const struct users_report *r)
{
    struct users *u = must_zalloc(sizeof *u);
    struct memberships all = { NULL, 0, 0 };
    must(passwords.n <= USERS_FILE_MOST && groups.n <= USERS_FILE_MOST);
    arena_init(&u->arena, 0);
    passwords = arena_copy(&u->arena, passwords);
    groups = arena_copy(&u->arena, groups);
    u->print = hash64(hash_process_key(), passwords.p, passwords.n) * 31 +
               hash64(hash_process_key(), groups.p, groups.n);
    make_room(u, passwords);
    read_passwords(u, &(struct lines){ passwords, 0, USERS_PASSWORDS, r });
    read_groups(u, &(struct lines){ groups, 0, USERS_GROUPS, r }, &all);
    write_identities(u, &all);
    u->usual = most_usual(u);
    free(all.m);
    return u;
}

void users_free(struct users *u)
{
    if (u == NULL)
        return;
    arena_free(&u->arena);
    free(u);
}

const struct user *users_find(const struct users *u, struct slice name)
{
    u32 number = *slot_of(u, name);
    return number ? &u->user[number - 1] : NULL;
}

u64 users_print(const struct users *u)
{
    return u->print;
}

size_t users_count(const struct users *u)
{
    return u->count;
}

const struct user *users_at(const struct users *u, size_t i)
{
    return &u->user[i];
}

const struct password *users_usual_password(const struct users *u)
{
    return u->usual;
}
