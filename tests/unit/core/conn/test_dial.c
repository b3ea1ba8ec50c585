/* From a name to a connection: every address vetted, families in turn, the next one after 250 ms or
 * at the first failure, the fault that got furthest. */
#include "core/conn/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/common/self_addrs.h"
#include "tests/unit/core/help_engine.h"
#include "io/dns_cache.h"

static int client;
static int fillers[32];
static unsigned nfillers;

static struct xchg *asking(const char *host)
{
    char request[200];
    snprintf(request, sizeof request, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", host);
    client = rig_client();
    rig_say(client, request);
    return rig_exchange();
}

/* A port at which nothing answers at those addresses: the queue of a listener that accepts nothing
 * is full, so the kernel drops what else wants in. */
static void silence(const char *const *addresses, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct sockaddr_storage ss;
        struct addr a;
        int fd = rig_listen(addresses[i], rig.port, 0);
        if (rig.port == 0) {
            socklen_t size = sizeof ss;
            assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &size), 0);
            addr_from_sockaddr(&a, (struct sockaddr *)&ss);
            rig.port = a.port;
        }
        assert_true(addr_parse(slice_of(addresses[i]), &a));
        a.port = rig.port;
        for (int k = 0; k < 3; k++) {
            fillers[nfillers] = sock_connect(&a);
            assert_true(fillers[nfillers++] >= 0);
        }
    }
}

static const char *trying(const struct xchg *x)
{
    static char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area - 1);
    addr_text(&t, x->dial ? &dial_so_far(x->dial)->server : &x->server);
    area[t.n] = 0;
    return area;
}

static int tear_down(void **state)
{
    while (nfillers)
        close(fillers[--nfillers]);
    return rig_tear_down(state);
}

#define DIAL_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, tear_down)

static void a_name_and_a_literal(void **state)
{
    (void)state;
    int origin = rig_origin();
    asking("one.test");
    int upstream = rig_accept(origin);
    assert_begins(rig_hears(upstream), "GET / HTTP/1.1\r\n");
    asking("127.0.0.1");
    rig_accept(origin);
    asking("0x7f.1"); /* another spelling of it */
    rig_accept(origin);
    assert_int_equal(rig_count(STAT_upstream_connects_total), 3);
    assert_int_equal(rig_count(STAT_upstream_connect_failures_total), 0);
}

static void refused(void **state)
{
    (void)state;
    rig_close(rig_origin());
    asking("one.test");
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 502 ");
    assert_has(said, "connect_refused");
    assert_int_equal(rig_count(STAT_upstream_connect_failures_total), 1);
}

/* One family first, then they take turns, each a quarter second after the one before. */
static void the_order_and_the_stagger(void **state)
{
    (void)state;
    static const char *const silent[] = { "::1", "127.0.0.1", "127.0.0.2" };
    silence(silent, 3);
    struct xchg *x = asking("several.test");
    assert_string_equal(trying(x), "::1");
    rig_later(240);
    assert_string_equal(trying(x), "::1");
    rig_later(20);
    assert_string_equal(trying(x), "127.0.0.1");
    rig_later(260);
    assert_string_equal(trying(x), "127.0.0.2");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 3);
    rig_later(9000);
    assert_string_equal(rig_hears(client), "");
    rig_later(1000);
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 504 ");
    assert_has(said, "connect_timeout");
}

/* A failure does not wait for the stagger. */
static void the_next_at_once_after_a_failure(void **state)
{
    (void)state;
    int origin = rig_origin(); /* on 127.0.0.1 only: 127.0.0.3 refuses */
    asking("last.test");
    assert_begins(rig_hears(rig_accept(origin)), "GET / ");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 2);
    assert_int_equal(rig_count(STAT_upstream_connect_failures_total), 1);
}

/* The first to succeed wins, also when it was not the first to be tried; the others are closed. */
static void a_race(void **state)
{
    (void)state;
    static const char *const silent[] = { "127.0.0.3" };
    int origin = rig_origin();
    silence(silent, 1);
    asking("last.test");
    rig_later(240);
    assert_int_equal(rig_count(STAT_upstream_connects_total), 1);
    rig_later(20);
    int upstream = rig_accept(origin);
    assert_begins(rig_hears(upstream), "GET / ");
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_begins(rig_hears(client), "HTTP/1.1 200 ");
    assert_int_equal(rig.worker->conns.live, 2); /* the client's and the winner */
}

static struct ruling deny_one(const struct xchg *x, const struct addr *a)
{
    (void)x;
    if (a && a->ip[3] == 1)
        return (struct ruling){ FAULT_destination_loopback, SLICE("not-there"), SLICE("why"),
                                SLICE("") };
    return (struct ruling){ .fault = FAULT_NONE, .rule = SLICE("elsewhere") };
}

/* What the role does not allow is not dialled, whatever else the name leads to. */
static void only_what_is_allowed(void **state)
{
    (void)state;
    int origin = rig_origin();
    rig.vet = deny_one;
    asking("several.test"); /* leaves ::1 and 127.0.0.2, where nobody listens */
    const char *said = rig_hears(client);
    assert_has(said, "connect_refused");
    assert_has(said, "rule: elsewhere"); /* what allowed the last one */
    assert_has_not(said, "why");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 2);
    asking("one.test"); /* leaves nothing */
    said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 403 ");
    assert_has(said, "destination_loopback");
    assert_has(said, "rule: not-there");
    assert_has(said, "why");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 2);
    assert_true(sock_accept(origin, &(struct addr){ 0 }) < 0);
}

static void never_one_of_our_own_listeners(void **state)
{
    (void)state;
    struct addr own;
    int origin = rig_origin();
    assert_true(addr_parse(SLICE("127.0.0.1"), &own));
    own.port = rig.port;
    self_addrs_add(rig.snapshot->self_addrs, &own, false);
    asking("one.test");
    assert_has(rig_hears(client), "own_listener");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 0);
    assert_true(sock_accept(origin, &(struct addr){ 0 }) < 0);
}

/* Of several failures the one is reported that got furthest: refused means more than
 * unreachable. */
static void the_worst_fault(void **state)
{
    (void)state;
    static const char *const silent[] = { "127.0.0.3" };
    silence(silent, 1);
    asking("last.test"); /* 127.0.0.3 says nothing, 127.0.0.1 refuses */
    rig_later(10100);
    assert_has(rig_hears(client), "connect_timeout");
}

/* … and the last one is not reported because it was the last, nor the first because it was
 * first. */
static void no_memory_for_the_second_attempt(void **state)
{
    (void)state;
    const char *request = "GET http://last.test/ HTTP/1.1\r\nHost: last.test\r\n\r\n";
    u64 memory = rig.worker->memory;
    rig_close(rig_origin()); /* both refuse */
    client = rig_client();
    assert_int_equal(send(client, request, strlen(request), 0), strlen(request));
    while (rig_count(STAT_upstream_connects_total) == 0)
        loop_turn(&rig.worker->loop, 0);
    rig.worker->memory = 0;
    rig.worker->conns.free = NULL;
    while (rig_count(STAT_upstream_connects_total) == 1) /* the refusal may need a moment */
        loop_turn(&rig.worker->loop, 0);
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 503 ");
    assert_has(said, "out_of_memory");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 2);
    rig.worker->memory = memory;
}

/* The time is for the whole way: an attempt does not begin behind its end, and none is begun by
 * it. */
static void no_attempt_outlives_the_time(void **state)
{
    (void)state;
    static const char *const silent[] = { "::1", "127.0.0.1", "127.0.0.2" };
    silence(silent, 3);
    rig.snapshot->conf.timeouts.connect = 100;
    asking("several.test");
    rig_later(90);
    assert_string_equal(rig_hears(client), "");
    rig_later(20);
    assert_has(rig_hears(client), "connect_timeout");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 1);
}

static struct ruling deny_unresolved(const struct xchg *x, const struct addr *a)
{
    (void)x;
    return (struct ruling){ .fault = a ? FAULT_NONE : FAULT_rule_denied };
}

/* Who may not go there in any case does not learn whether the name exists. */
static void names_are_no_news_for_who_may_not_go_there(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.connect = 50;
    rig.vet = deny_unresolved;
    asking("unknown.test");
    rig_later(60);
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 403 ");
    assert_has(said, "rule_denied");
    assert_has_not(said, "dns_");
}

static void the_name_does_not_resolve_in_time(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.connect = 50;
    asking("unknown.test"); /* the resolver is a port where nobody listens */
    rig_later(60);
    const char *said = rig_hears(client);
    assert_has(said, "dns_");
    assert_begins(said, "HTTP/1.1 50");
}

/* ---- where it leads besides the name ---- */

static struct addr given[2];

static void to_given(struct destination *to)
{
    assert_true(addr_parse(SLICE("127.0.0.3"), &given[0]) &&
                addr_parse(SLICE("127.0.0.1"), &given[1]));
    to->given = given;
    to->ngiven = 2;
}

/* Addresses that come with the destination are tried in their order, and asked about like others,
 * but nobody is asked for them: this name would lead to 127.0.0.2, and that one to nowhere. */
static void given_is_never_resolved(void **state)
{
    (void)state;
    static const char *const names[] = { "two.test", "unknown.test" };
    int origin = rig_origin(); /* on 127.0.0.1 */
    rig.destination = to_given;
    for (unsigned i = 0; i < countof(names); i++) {
        asking(names[i]);
        assert_begins(rig_hears(rig_accept(origin)), "GET / ");
    }
    assert_int_equal(rig_count(STAT_upstream_connects_total), 4);
    assert_int_equal(rig_count(STAT_dns_lookups_total), 0);
    rig.vet = deny_one;
    asking("two.test");
    assert_has(rig_hears(client), "connect_refused"); /* of 127.0.0.3 */
    assert_int_equal(rig_count(STAT_upstream_connects_total), 5);
}

static void from_a_source(struct destination *to)
{
    struct conn_profile p = { .scheme = SCHEME_HTTP };
    assert_true(addr_parse(SLICE("127.0.0.5"), &p.source));
    to->profile = profile_intern(&p);
}

static void a_source_address(void **state)
{
    (void)state;
    struct addr peer;
    int origin = rig_origin();
    rig.destination = from_a_source;
    asking("one.test");
    int upstream = sock_accept(origin, &peer);
    assert_true(upstream >= 0);
    assert_int_equal(peer.ip[3], 5);
    close(upstream);
}

/* ---- what happens after TCP ---- */

static struct {
    unsigned runs, cancels, fails; /* fails: so many more times */
    enum connect_result result;
} hello, word;

/* Says hello, and is done. */
static enum connect_result say_hello(struct dial *d, struct conn *c, enum fault *fault)
{
    size_t n;
    struct iovec v = { (void *)"hello ", 6 };
    (void)d;
    hello.runs++;
    *fault = FAULT_response_malformed;
    if (hello.fails && hello.fails--)
        return CONNECT_FAULT;
    assert_int_equal(stream_sendv(&c->stream, &v, 1, &n), SOCK_OK);
    return CONNECT_OK;
}

/* Waits for one byte. */
static enum connect_result wait_for_word(struct dial *d, struct conn *c, enum fault *fault)
{
    char byte;
    size_t n;
    (void)d;
    word.runs++;
    *fault = FAULT_response_malformed;
    enum sock_result r = stream_recv(&c->stream, &byte, 1, &n);
    return r == SOCK_AGAIN ? CONNECT_WAIT : r == SOCK_OK ? CONNECT_OK : CONNECT_FAULT;
}

static void cancel_word(struct dial *d)
{
    (void)d;
    word.cancels++;
}

static const struct connector hello_connector = { "hello", say_hello, NULL },
                              word_connector = { "word", wait_for_word, cancel_word };
static const struct connector *const chain[] = { &hello_connector, &word_connector, NULL };

static void through_a_chain(struct destination *to)
{
    to->profile = profile_intern(&(struct conn_profile){ .chain = chain });
}

static int with_a_chain(void)
{
    memset(&hello, 0, sizeof hello);
    memset(&word, 0, sizeof word);
    rig.destination = through_a_chain;
    return rig_origin();
}

/* One after the other, each as often as it wants; the request comes behind them. */
static void connectors_in_order(void **state)
{
    (void)state;
    int origin = with_a_chain();
    asking("one.test");
    int upstream = rig_accept(origin);
    assert_string_equal(rig_hears(upstream), "hello ");
    rig_later(2000);
    assert_string_equal(rig_hears(upstream), "");
    rig_say(upstream, "!");
    assert_begins(rig_hears(upstream), "GET / HTTP/1.1\r\n");
    assert_int_equal(hello.runs, 1);
    assert_in_range(word.runs, 2, 3);
    assert_int_equal(word.cancels, 0);
}

/* A connector that fails is a failed address: the next one is tried, and the fault is its own. */
static void a_connector_fails(void **state)
{
    (void)state;
    int origin = with_a_chain(), second = rig_listen("127.0.0.3", rig.port, 4);
    hello.fails = 1;
    asking("last.test"); /* 127.0.0.3, then 127.0.0.1 */
    int upstream = rig_accept(origin);
    assert_string_equal(rig_hears(upstream), "hello ");
    rig_close(upstream);
    assert_has(rig_hears(client), "response_malformed");
    assert_int_equal(rig_count(STAT_upstream_connect_failures_total), 2);
    rig_accept(second);
}

/* The time to connect covers them, and what they hold is given back whoever gives up. */
static void a_connector_has_no_end(void **state)
{
    (void)state;
    int origin = with_a_chain();
    asking("one.test");
    int upstream = rig_accept(origin);
    rig_later(9900);
    assert_string_equal(rig_hears(client), "");
    rig_later(200);
    assert_has(rig_hears(client), "connect_timeout");
    assert_int_equal(word.cancels, 1);
    assert_string_equal(rig_hears(upstream), "hello ");
    assert_true(rig_ended(upstream));
    asking("one.test");
    upstream = rig_accept(origin);
    rig_client_conn()->user->drain(rig_client_conn(), DRAIN_NOW);
    assert_int_equal(word.cancels, 2);
    assert_string_equal(rig_hears(upstream), "hello ");
    assert_true(rig_ended(upstream));
}

/* The one that waits for an answer to its SYN, made to fail. */
static void fail_attempt(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        struct tcp_info info;
        socklen_t n = sizeof info;
        bool filler = false;
        for (unsigned i = 0; i < nfillers; i++)
            filler |= fillers[i] == fd;
        if (filler || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ||
            info.tcpi_state != TCP_SYN_SENT)
            continue;
        shutdown(fd, SHUT_RDWR);
        return;
    }
    fail_msg("nothing connects");
}

static void open_nothing(struct call *l, void *receiver)
{
    (void)l;
    (void)receiver;
}

/* A name of which one family is known and the other one late: longer than the first one may be
 * remembered, so that the dial waits for the answer while its first attempt runs, and fails. */
static void a_late_family_and_a_failure(void **state)
{
    (void)state;
    static const char *const silent[] = { "::1" };
    struct dns_news v6 = { .n6 = 1, .ttl = 1, .ips = { [15] = 1 } };
    struct dns_news v4 = { .n4 = 1, .ttl = 1, .ips = { 127, 0, 0, 1 } };
    struct dns_ready ready_queue = { .loop = &rig.worker->loop, .call.run = open_nothing };
    struct dns_wait wait;
    struct dns_entry *e;
    pthread_mutex_init(&ready_queue.lock, NULL);
    list_init(&ready_queue.ready);
    int origin = rig_origin();
    silence(silent, 1);
    assert_int_equal(dns_cache_find(rig.engine.dns, SLICE("half.test"), worker_ms(rig.worker), true,
                                    &ready_queue, &wait, &e),
                     DNS_PARKED_ASK);
    dns_cache_store(rig.engine.dns, e, &v6, worker_ms(rig.worker), false);
    struct xchg *x = asking("half.test");
    assert_string_equal(trying(x), "::1");
    rig_later(1100); /* now it waits */
    u64 asked = rig_count(STAT_dns_lookups_total);
    fail_attempt();
    for (int i = 0; i < 5; i++)
        rig_later(20);
    assert_int_equal(rig_count(STAT_dns_lookups_total), asked);
    dns_cache_store(rig.engine.dns, e, &v4, worker_ms(rig.worker), true);
    assert_begins(rig_hears(rig_accept(origin)), "GET / ");
    pthread_mutex_destroy(&ready_queue.lock);
}

static void given_up_while_connecting(void **state)
{
    (void)state;
    static const char *const silent[] = { "127.0.0.3" };
    silence(silent, 1);
    asking("last.test");
    assert_int_equal(rig.worker->dials.live, 1);
    struct linger now = { 1, 0 };
    (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    rig_close(client);
    rig_later(10100);
    assert_int_equal(rig.worker->dials.live, 0);
}

static void ask_as(int who, const char *host)
{
    char request[200];
    snprintf(request, sizeof request, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", host);
    rig_say(who, request);
}

static void answer_it(int upstream)
{
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* Another thread may take the descriptor that one idle connection has given up: the next one gives
 * way too. Here the first one's has a number beyond the limit. */
static void more_than_one_gives_way(void **state)
{
    (void)state;
    struct rlimit before, low;
    int taken[512], n = 0, who[3];
    int origin = rig_origin();
    for (unsigned i = 0; i < countof(who); i++)
        who[i] = rig_client();
    int hole = dup(origin);
    assert_true(hole >= 0);
    ask_as(who[0], "one.test");
    int upstream = rig_accept(origin);
    close(hole);
    ask_as(who[1], "one.test"); /* at the lower number */
    int other = rig_accept(origin);
    answer_it(upstream);
    answer_it(other);
    assert_int_equal(rig_count(STAT_upstream_idle), 2);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)hole + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < (int)countof(taken) && (taken[n] = dup(origin)) >= 0)
        n++;
    ask_as(who[2], "two.test"); /* where nobody listens */
    const char *said = rig_hears(who[2]);
    while (n > 0)
        close(taken[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_has(said, "connect_refused");
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIAL_TEST(given_is_never_resolved),
        DIAL_TEST(a_source_address),
        DIAL_TEST(connectors_in_order),
        DIAL_TEST(a_connector_fails),
        DIAL_TEST(a_connector_has_no_end),
        DIAL_TEST(a_name_and_a_literal),
        DIAL_TEST(refused),
        DIAL_TEST(the_order_and_the_stagger),
        DIAL_TEST(the_next_at_once_after_a_failure),
        DIAL_TEST(a_race),
        DIAL_TEST(only_what_is_allowed),
        DIAL_TEST(never_one_of_our_own_listeners),
        DIAL_TEST(the_worst_fault),
        DIAL_TEST(no_memory_for_the_second_attempt),
        DIAL_TEST(no_attempt_outlives_the_time),
        DIAL_TEST(names_are_no_news_for_who_may_not_go_there),
        DIAL_TEST(the_name_does_not_resolve_in_time),
        DIAL_TEST(a_late_family_and_a_failure),
        DIAL_TEST(given_up_while_connecting),
        DIAL_TEST(more_than_one_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
