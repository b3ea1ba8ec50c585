/* The admin listener over a real socket on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "core/common/registry.h"
#include "io/sock.h"

enum { PLACES = 64 }; /* connections at once */

static const char *not_ready; /* NULL: ready */
static struct engine engine;
static struct admin *admin;
static struct addr where;
static char answer[1 << 17];

static bool ready(const char **why)
{
    *why = not_ready ? not_ready : "not asked for";
    return !not_ready;
}

static int start(void **state)
{
    static const struct admin_conf conf = { .on = true };
    (void)state;
    char error[200];
    struct sock_listen how = { 0 };
    assert_true(addr_parse(SLICE("127.0.0.1"), &how.addr));
    int fd = sock_listen(&how, 16);
    assert_true(fd >= 0);
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&where, (struct sockaddr *)&ss);
    admin = admin_start(fd, &conf, ready, &engine, error, sizeof error);
    return admin ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    admin_stop(admin);
    return 0;
}

static void connect_to_it(int fd)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(&where, &ss);
    assert_int_equal(connect(fd, (struct sockaddr *)&ss, n), 0);
}

static int connected(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect_to_it(fd);
    return fd;
}

/* Sends `request` as it is, gives all that comes until the other side closes. */
static const char *ask(const char *request)
{
    int fd = connected();
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    size_t have = 0;
    ssize_t got;
    while ((got = recv(fd, answer + have, sizeof answer - 1 - have, 0)) > 0)
        have += (size_t)got;
    close(fd);
    answer[have] = 0;
    return answer;
}

static const char *get(const char *method, const char *path, const char *host)
{
    char request[300];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
             method, path, host);
    return ask(request);
}

static void says(const char *whole, const char *status, const char *part)
{
    if (strncmp(whole, status, strlen(status)) != 0 || !strstr(whole, part))
        fail_msg("wanted %s and %s in:\n%s", status, part, whole);
}

#define OK "HTTP/1.1 200 "

static void pages_answer(void **state)
{
    (void)state;
    says(get("GET", "/healthz", "127.0.0.1"), OK, "\r\n\r\nok\n");
    says(get("GET", "/version", "127.0.0.1"), OK, "\r\n\r\nproxyd ");
    says(get("GET", "/metrics", "127.0.0.1"), OK, "\nproxyd_connections_total ");
    says(get("GET", "/metrics", "127.0.0.1"), OK, "Content-Type: text/plain; version=0.0.4");
}

static void readiness_has_a_reason(void **state)
{
    (void)state;
    says(get("GET", "/readyz", "127.0.0.1"), OK, "\r\n\r\nready\n");
    not_ready = "draining";
    says(get("GET", "/readyz", "127.0.0.1"), "HTTP/1.1 503 ", "\r\n\r\ndraining\n");
    says(get("GET", "/metrics", "127.0.0.1"), OK, "\nproxyd_ready 0\n");
    says(get("GET", "/healthz", "127.0.0.1"), OK, "ok");
    not_ready = NULL;
}

static void head_has_no_body(void **state)
{
    (void)state;
    const char *whole = get("HEAD", "/healthz", "127.0.0.1");
    says(whole, OK, "Content-Length: 3\r\n");
    assert_string_equal(strstr(whole, "\r\n\r\n"), "\r\n\r\n");
}

static void other_paths_and_methods(void **state)
{
    (void)state;
    says(get("GET", "/nothing", "127.0.0.1"), "HTTP/1.1 404 ", "/healthz");
    says(get("POST", "/nothing", "127.0.0.1"), "HTTP/1.1 404 ", "");
    says(get("POST", "/healthz", "127.0.0.1"), "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
    says(get("DELETE", "/metrics", "127.0.0.1"), "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
    says(ask("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
             "Connection: close\r\n\r\nabc"),
         "HTTP/1.1 405 ", "");
}

static void names_are_refused(void **state)
{
    (void)state;
    static const char *const good[] = { "127.0.0.1",      "127.0.0.1:3180", "localhost",
                                        "LocalHost:3180", "[::1]:3180",     "[::1]",
                                        "10.1.2.3" };
    static const char *const bad[] = { "evil.example",
                                       "evil.example:3180",
                                       "127.0.0.1.evil.example",
                                       "localhost.evil.example",
                                       "localhost:evil",
                                       "127.1",
                                       "[::1" };
    for (size_t i = 0; i < countof(good); i++)
        says(get("GET", "/healthz", good[i]), OK, "ok");
    for (size_t i = 0; i < countof(bad); i++)
        says(get("GET", "/metrics", bad[i]), "HTTP/1.1 403 ", "or as localhost");
    says(ask("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\nConnection: "
             "close\r\n\r\n"),
         "HTTP/1.1 400 ", "");
}

static void keeps_alive(void **state)
{
    (void)state;
    const char *whole =
        ask("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            "GET /version HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    says(whole, OK, "\r\n\r\nok\nHTTP/1.1 200 ");
    says(whole, OK, "proxyd ");
}

/* Seconds of CPU that this process takes in so many microseconds. */
static double cpu_used(unsigned us)
{
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    usleep(us);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    return (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
}

/* Connects with a socket made before and asks. */
static void ask_on(int fd)
{
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    connect_to_it(fd);
    assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
}

static bool answered(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, ms) == 1 && recv(fd, answer, 9, 0) == 9 && !memcmp(answer, "HTTP/1.1 ", 9);
}

/* A client that cannot be accepted waits in the queue of the kernel; nobody tries all the time. */
static void without_descriptors_clients_wait(void **state)
{
    (void)state;
    struct rlimit before, none = { .rlim_cur = 4 }; /* below, poll refuses */
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    ask_on(client);
    bool early = answered(client, 100);
    double cpu = cpu_used(500000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(early);
    assert_true(cpu < 0.1);
    assert_true(answered(client, 5000));
    close(client);
}

/* More than there are places for: the rest waits too, until one of the others goes.
 * slow: libmicrohttpd sees a free place by and by */
static void without_places_clients_wait(void **state)
{
    (void)state;
    int crowd[PLACES], late = socket(AF_INET, SOCK_STREAM, 0);
    for (unsigned i = 0; i < PLACES; i++)
        crowd[i] = connected();
    ask_on(late);
    assert_false(answered(late, 200));
    assert_true(cpu_used(200000) < 0.05);
    close(crowd[0]);
    assert_true(answered(late, 5000));
    close(late);
    for (unsigned i = 1; i < PLACES; i++)
        close(crowd[i]);
}

static void a_taken_port_is_named(void **state)
{
    (void)state;
    char error[200], port[20];
    assert_int_equal(admin_listen(&where, false, error, sizeof error), -1);
    snprintf(port, sizeof port, "127.0.0.1:%u: ", where.port);
    assert_non_null(strstr(error, port));
    assert_non_null(strstr(error, strerror(EADDRINUSE)));
    assert_non_null(strstr(error, ", held by test_admin (process "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_answer),
        cmocka_unit_test(readiness_has_a_reason),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(other_paths_and_methods),
        cmocka_unit_test(names_are_refused),
        cmocka_unit_test(keeps_alive),
        cmocka_unit_test(a_taken_port_is_named),
        cmocka_unit_test(without_descriptors_clients_wait),
        cmocka_unit_test(without_places_clients_wait),
    };
    engine.registry = registry_new();
    int failed = cmocka_run_group_tests(tests, start, stop);
    registry_free(engine.registry);
    return failed;
}
