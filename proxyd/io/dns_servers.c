/*
 * Sets of servers and the file they come from. The set in force has one user more, the list; it is
 * replaced under a lock that dns_servers_hold takes too, so that nobody takes hold of a set that is
 * being let go.
 */
#include "io/dns_servers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"

enum { LONGEST_FILE = 64 * 1024, DOMAIN_PORT = 53, MUTE_MOST = 2 };

struct dns_server_list {
    pthread_mutex_t lock;
    _Atomic(struct dns_servers *) now;
    char *path;       /* NULL: fixed by the configuration */
    struct stat seen; /* the refreshing thread's own */
};

/* ---- what is known of a server ---- */

bool dns_server_is_plain(const struct dns_server *s, u64 now_ms)
{
    return now_ms < atomic_load_explicit(&s->plain_until, memory_order_relaxed);
}

void dns_server_speaks_edns(struct dns_server *s)
{
    atomic_store_explicit(&s->mute, 0, memory_order_relaxed);
    atomic_store_explicit(&s->plain_until, 0, memory_order_relaxed);
}

bool dns_server_lacks_edns(struct dns_server *s, bool answered, u64 now_ms)
{
    if (!answered && atomic_fetch_add_explicit(&s->mute, 1, memory_order_relaxed) + 1 < MUTE_MOST)
        return false;
    atomic_store_explicit(&s->mute, 0, memory_order_relaxed);
    atomic_store_explicit(&s->plain_until, now_ms + DNS_PLAIN_MS, memory_order_relaxed);
    return true;
}

/* ---- the file ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, empty at its end. */
static struct slice take_word(struct slice *line)
{
    while (line->n && is_blank(line->p[0]))
        line->p++, line->n--;
    struct slice word = { line->p, 0 };
    while (word.n < line->n && !is_blank(line->p[word.n]))
        word.n++;
    line->p += word.n;
    line->n -= word.n;
    return word;
}

unsigned dns_servers_parse(struct slice text, struct addr out[DNS_SERVERS])
{
    unsigned n = 0;
    struct slice line;
    while (n < DNS_SERVERS && text.n && slice_cut(&text, '\n', &line)) {
        if (!slice_is(take_word(&line), "nameserver"))
            continue;
        struct slice word = take_word(&line);
        if (!addr_parse(word, &out[n]) && !addr_parse_port(word, &out[n]))
            continue;
        if (out[n].port == 0)
            out[n].port = DOMAIN_PORT;
        n++;
    }
    return n;
}

/* O_NONBLOCK so that a FIFO does not hang whoever looks. */
static unsigned read_file(const char *path, struct addr out[DNS_SERVERS])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    size_t n = 0;
    ssize_t k = 1;
    char *text = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? malloc(LONGEST_FILE) : NULL;
    while (text && n < LONGEST_FILE && k > 0) {
        k = read(fd, text + n, LONGEST_FILE - n);
        n += k > 0 ? (size_t)k : 0;
    }
    close(fd);
    unsigned found = text ? dns_servers_parse((struct slice){ text, n }, out) : 0;
    free(text);
    return found;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
           a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* ---- sets ---- */

static struct dns_servers *new_set(const struct addr *addr, unsigned n)
{
    struct dns_servers *s = must_zalloc(sizeof *s);
    s->users = 1;
    s->n = n;
    for (unsigned i = 0; i < n; i++) {
        s->server[i].addr = addr[i];
        if (addr[i].port == 0)
            s->server[i].addr.port = DOMAIN_PORT;
    }
    return s;
}

static bool same_set(const struct dns_servers *s, const struct addr *addr, unsigned n)
{
    unsigned i = 0;
    while (i < n && i < s->n && addr_same(&s->server[i].addr, &addr[i]))
        i++;
    return i == n && i == s->n;
}

struct dns_server_list *dns_server_list_new(const struct addr *servers, unsigned n,
                                            const char *path)
{
    struct dns_server_list *l = must_zalloc(sizeof *l);
    struct addr found[DNS_SERVERS];
    pthread_mutex_init(&l->lock, NULL);
    if (n == 0) {
        l->path = strdup(path);
        must(l->path != NULL);
        if (stat(path, &l->seen) < 0)
            l->seen = (struct stat){ .st_size = 0 };
        servers = found;
        n = read_file(path, found);
    }
    if (n == 0) {
        found[0] = addr_loopback(AF_INET, DOMAIN_PORT);
        n = 1;
    }
    l->now = new_set(servers, n);
    return l;
}

void dns_server_list_free(struct dns_server_list *l)
{
    dns_servers_release(l->now);
    pthread_mutex_destroy(&l->lock);
    free(l->path);
    free(l);
}

/* The file is looked at before it is read: what is written meanwhile is seen the next time. */
bool dns_server_list_refresh(struct dns_server_list *l)
{
    struct stat st;
    struct addr found[DNS_SERVERS];
    if (l->path == NULL || stat(l->path, &st) < 0 || same_file(&st, &l->seen))
        return false;
    l->seen = st;
    unsigned n = read_file(l->path, found);
    if (n == 0 || same_set(l->now, found, n))
        return false;
    struct dns_servers *fresh = new_set(found, n);
    pthread_mutex_lock(&l->lock);
    struct dns_servers *old = atomic_exchange(&l->now, fresh);
    pthread_mutex_unlock(&l->lock);
    dns_servers_release(old);
    return true;
}

struct dns_servers *dns_servers_hold(struct dns_server_list *l)
{
    pthread_mutex_lock(&l->lock);
    struct dns_servers *s = atomic_load(&l->now);
    atomic_fetch_add(&s->users, 1);
    pthread_mutex_unlock(&l->lock);
    return s;
}

void dns_servers_release(struct dns_servers *s)
{
    if (atomic_fetch_sub(&s->users, 1) == 1)
        free(s);
}

bool dns_servers_in_force(const struct dns_server_list *l, const struct dns_servers *s)
{
    return atomic_load_explicit(&l->now, memory_order_relaxed) == s;
}
