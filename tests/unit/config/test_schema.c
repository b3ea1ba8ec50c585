/* The schema as a whole: its own examples and defaults, what goes together, what is read back. */
#include "config_text.h"

#include "admin/conf.h"
#include "base/str.h"
#include "engine_conf.h"
#include "reverse/conf.h"

static struct trial t;

static int end(void **state)
{
    (void)state;
    trial_end(&t);
    return 0;
}

static void check(const char *text)
{
    trial_check(&t, slice_of(text));
}

#define POLICY "policy p { default allow; }\n"
#define LISTENER "listener a { bind 127.0.0.1:1; mode forward; policy p; }\n"

static void the_default_is_right(void **state)
{
    (void)state;
    trial_open(&t, NULL);
    assert_true(t.fine);
    assert_string_equal(t.said, "");
}

/* Reading the word failed, so what the block means cannot be asked. */
static void an_unset_variable_stops_the_check_of_its_block(void **state)
{
    (void)state;
    unsetenv("PROXYD_UNSET");
    check(LISTENER
          "policy p { clients ${PROXYD_UNSET}; default allow; rules { allow a { to *; } } }");
    assert_int_equal(t.diags.errors, 1);
    assert_non_null(strstr(t.said, "the environment has no PROXYD_UNSET"));
}

static void assert_errors(const char *text, u32 count, const char *const says[], size_t n)
{
    check(text);
    for (size_t i = 0; i < n; i++)
        assert_says(&t, says[i]);
    if (t.diags.errors != count)
        fail_msg("%u errors, and not %u:\n%s", t.diags.errors, count, t.said);
    trial_end(&t);
}

#define ERRORS(text, count, ...)                                                                   \
    assert_errors(text, count, (const char *const[]){ __VA_ARGS__ },                               \
                  countof(((const char *const[]){ __VA_ARGS__ })))

/* One wrong word does not hide what is wrong beside it. */
static void all_that_is_wrong_at_once(void **state)
{
    (void)state;
    ERRORS("listener a { bind 127.0.0.1; mode forward; }", 2,
           "\"127.0.0.1\" is not an address to listen on", "\"mode forward\" needs \"policy\"");
    ERRORS("listener { bind 127.0.0.1:1; mode forward; }", 2, "\"listener\" needs a name",
           "\"mode forward\" needs \"policy\"");
    ERRORS(LISTENER "policy p { default allow; rules { allow a { method get \"A B\"; } } }", 2,
           "\"get\" is not a method: methods are case-sensitive", "\"A B\" is not a method\n");
    ERRORS(LISTENER "policy p { default allow; rules { allow a { to pool class x; } } }", 2,
           "\"pool\" is not known here", "\"x\" is not a class");
    ERRORS("listener a { bind ${PROXYD_UNSET}; mode forward; }", 2, "has no PROXYD_UNSET",
           "\"mode forward\" needs \"policy\"");
    ERRORS(LISTENER "policy p { include /no/such; } policy q { }", 2, "cannot read \"/no/such\"",
           "\"default\" is missing in the block \"q\"");
    ERRORS("limits { head \"\\x\"; } policy p { }", 3, "an unknown escape in quotes",
           "\"default\" is missing", "\"listener\" is missing");
}

/* Nothing is reported that may only look wrong because of what was reported. */
static void nothing_that_follows_from_it(void **state)
{
    (void)state;
    static const char *const one_error[] = {
        "lsitener a { bind 127.0.0.1:1; mode forward; policy p; }" POLICY,
        "listener a { bind 127.0.0.1:1; mode; policy p; }" POLICY,
        "listener a { bind 127.0.0.1:1; mode froward; }" POLICY,
        "listener a { bind 127.0.0.1:1; mode forward; polciy p; }" POLICY,
        "listener a { bind 127.0.0.1:1; mode forward; policy; }" POLICY,
        "listener a { bind 127.0.0.1:1; mode forward; policy p; } polciy p { default allow; }",
        "listener a { bind 127.0.0.1:1; mode forward; policy p; } policy ${PROXYD_UNSET} { "
        "default allow; }",
        LISTENER "policy p { defualt deny; rules { allow a { to *; } allow b { } } }",
        LISTENER POLICY "pool 9x { server a:1; } routes w { route r { to pool 9x; } }",
        LISTENER POLICY "\"x\" y;",
        LISTENER POLICY "x${PROXYD_UNSET} y;",
        LISTENER POLICY "dns { hosts ${PROXYD_UNSET}/x; }",
        LISTENER POLICY "log access { to ${PROXYD_UNSET}/x; }",
        LISTENER POLICY "admin { bind 127.0.0.1:1${PROXYD_UNSET}; }",
        LISTENER POLICY "listener b { bind 127.0.0.1:1${PROXYD_UNSET}; mode forward; policy p; }",
        "listener a { bind 127.0.0.1:1; mode forward; } policy p; }" POLICY "#",
        "listener a { bind 127.0.0.1:1; } mode forward; policy p; }" POLICY "#",
        "include /no/such;" POLICY,
        "listener a { include /no/such; } " POLICY,
        "listener a { { } } " POLICY,
        LISTENER "include { } " POLICY,
    };
    unsetenv("PROXYD_UNSET");
    for (size_t i = 0; i < countof(one_error); i++) {
        check(one_error[i]);
        if (t.diags.errors != 1 && one_error[i][strlen(one_error[i]) - 1] != '#')
            fail_msg("%s\n%s", one_error[i], t.said);
        assert_null(strstr(t.said, "is missing"));
        if (strstr(t.said, "needs \"policy\""))
            fail_msg("%s\n%s", one_error[i], t.said);
        trial_end(&t);
    }
    check(LISTENER POLICY);
}

/* ---- the table itself ---- */

/* `key VALUE;` inside the blocks of `path`, checked against these rows alone. */
static void assert_accepted(const struct schema_row *rows, const char *text)
{
    struct trial one = { 0 };
    config_load_text("t", slice_of(text), false, &one.tree, &one.diags);
    one.tree.root.torn = true; /* it need not be complete */
    schema_check(&one.tree, rows, &one.diags);
    trial_print(&one);
    /* What an example refers to stands elsewhere, and its files need not exist. */
    bool elsewhere = strstr(one.said, "there is no ") || strstr(one.said, "may not read");
    if (one.diags.errors && !elsewhere)
        fail_msg("%s", one.said);
    trial_end(&one);
}

static void assert_rows_right(const struct schema_row *rows)
{
    char text[256];
    for (const struct schema_row *r = rows; r->key; r++) {
        assert_non_null(r->doc);
        assert_true(r->doc[strlen(r->doc) - 1] == '.');
        if (r->kind == ROW_STATEMENT) {
            assert_non_null(r->example);
            assert_true(r->type[0] != TYPE_NONE);
        }
        if (r->example)
            assert_accepted(rows, r->example);
        if (r->fallback) {
            snprintf(text, sizeof text, "%s %s;", r->key, r->fallback);
            assert_accepted(rows, text);
        }
        if (r->children)
            assert_rows_right(r->children);
    }
}

static void examples_and_defaults_are_right(void **state)
{
    (void)state;
    assert_rows_right(root_rows);
    check(LISTENER POLICY);
}

static void every_block_of_the_design(void **state)
{
    (void)state;
    check(
        "workers auto;\n"
        "log access { to stdout; }\n"
        "log error  { to stderr; level info; }\n"
        "dns        { server 127.0.0.1:5300; hosts /etc/hosts; timeout 2s; search corp.example; }\n"
        "limits     { head 32k; fields 128; line 16k; body unlimited; clients 20000;\n"
        "             clients-per-address 1000; memory 1g; }\n"
        "timeouts   { head 10s; body 60s; idle 75s; connect 10s; response 60s; tunnel-idle 10m;\n"
        "             tunnel-lifetime unlimited; drain 30s; }\n"
        "listener egress { bind 127.0.0.1:3128; mode forward; policy staff; }\n"
        "listener inside { bind 127.0.0.2:80 [::1]:80; bind 127.0.0.3:80; mode reverse; routes "
        "web; }\n"
        "policy staff {\n"
        "  clients 127.0.0.0/8 ::1 10.0.0.0/8;\n"
        "  connect-ports 443 8443;\n"
        "  http-ports 80 443 1024-65535;\n"
        "  default deny \"not on the company list\";\n"
        "  rules {\n"
        "    deny  uploads     { method PUT POST; to *.filehost.example; from 10.9.0.0/16; }\n"
        "    deny  wiki-admin  { method CONNECT; to wiki.example; }\n"
        "    allow build-tools { to *.packages.example github.com; port 443; from 10.20.0.0/16; }\n"
        "    allow intranet    { to *.corp.example 10.0.0.0/8; reach private; }\n"
        "    allow office      { not to class private; not from 10.3.0.0/16; }\n"
        "  }\n"
        "}\n"
        "routes web { route rest { to pool frontend; } }\n"
        "pool frontend { server app.internal:8080; server 10.1.0.5:8080; }\n"
        "admin { bind 127.0.0.1:3180; }\n");
    assert_string_equal(t.said, "");
    assert_true(t.fine);
    const struct node *rules = node_child(node_child(&t.tree.root, "policy"), "rules");
    const struct node *office = rules->last;
    assert_true(slice_is(node_name(office), "office"));
    assert_true(office->children->negated);
    assert_true(slice_is(node_key(office->children), "to"));
    assert_true(slice_is(node_arg(office->children, 0)->text, "class"));
    assert_non_null(node_again(node_child(&t.tree.root, "listener")));
    assert_non_null(node_child(&t.tree.root, "log error"));
}

static void later_keys_are_not_known(void **state)
{
    (void)state;
    static const char *const later[] = {
        "user proxyd;",
        "cache main { pth /x; }",
        "list ads { }",
        "test \"x\" { }",
        "log access { to syslog; to2 x; }",
        "listener x { tls { } }",
        "listener x { pac office; }",
        "listener x { mode transparent; }",
        "listener x { bind unix:/run/x; }",
        "policy x { auth basic { } }",
        "policy x { rules { allow a { user *; } } }",
        "policy x { rules { allow a { url ~\"x\"; } } }",
        "policy x { rules { allow a { mode shadow; } } }",
        "policy x { rules { allow a { to list ads; } } }",
        "policy x { rules { allow a { to ~\"x\"; } } }",
        "routes x { route y { host a.example; } }",
        "routes x { route y { to pool a 90 pool b 10; } }",
        "pool x { balance least-conn; }",
        "pool x { server a:80 weight 3; }",
        "admin { token x; }",
    };
    for (size_t i = 0; i < countof(later); i++) {
        if (i)
            trial_end(&t);
        char text[512];
        snprintf(text, sizeof text, LISTENER POLICY "%s\n", later[i]);
        check(text);
        if (t.fine)
            fail_msg("accepted: %s", later[i]);
    }
}

/* ---- what goes together ---- */

static void assert_all_refused(const char *const (*cases)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            trial_end(&t);
        check(cases[i][0]);
        assert_false(t.fine);
        assert_says(&t, cases[i][1]);
    }
}

static const char *const listener_cases[][2] = {
    { POLICY, "\"listener\" is missing" },
    { "listener a { mode forward; policy p; }" POLICY, "\"bind\" is missing" },
    { "listener a { bind 127.0.0.1:1; policy p; }" POLICY, "\"mode\" is missing" },
    { "listener a { bind 127.0.0.1:1; mode forward; }", "\"mode forward\" needs \"policy\"" },
    { "listener a { bind 127.0.0.1:1; mode reverse; }", "\"mode reverse\" needs \"routes\"" },
    { "listener a { bind 127.0.0.1:1; mode reverse; routes w; policy p; }" POLICY
      "routes w { route x { to pool q; } } pool q { server a:1; }",
      "\"policy\" does not go with \"mode reverse\"" },
    { LISTENER POLICY "listener b { bind 127.0.0.1:1; mode forward; policy p; }",
      "\"127.0.0.1:1\" is already listened on, at t.conf:1:19" },
    { LISTENER POLICY "listener b { bind *:1; mode forward; policy p; }",
      "\"*:1\" is already listened on, at t.conf:1:19" },
    { "listener b { bind [::]:1; mode forward; policy p; }" LISTENER POLICY,
      "\"127.0.0.1:1\" is already listened on" },
    { "listener b { bind 0.0.0.0:1; mode forward; policy p; }" LISTENER POLICY,
      "\"127.0.0.1:1\" is already listened on" },
    { LISTENER LISTENER POLICY, "the name \"a\" is already taken, at t.conf:1:1" },
    { LISTENER POLICY "admin { bind 127.0.0.1:1; }",
      "\"127.0.0.1:1\" is already listened on by the listener \"a\", at t.conf:1:19" },
    { LISTENER POLICY "admin { bind *:1; }", "is already listened on by the listener \"a\"" },
    { LISTENER POLICY "admin { }", "\"bind\" is missing in the block \"admin\"" },
    { LISTENER POLICY "limits 5;", "\"limits\" is a block" },
    { LISTENER POLICY "workers { }", "\"workers\" is a statement, not a block" },
    { LISTENER POLICY "limits x { }", "\"limits\" takes no name" },
    { LISTENER POLICY "pool { }", "\"pool\" needs a name" },
    { LISTENER POLICY "pool 9x { server a:1; }", "\"9x\" is not a name" },
    { LISTENER POLICY "workers 0;", "\"0\" is too small" },
    { LISTENER POLICY "workers;", "\"workers\" needs a value" },
    { LISTENER POLICY "workers 1 2;", "\"workers\" takes only 1 word" },
    { LISTENER POLICY "log acces { }", "did you mean \"access\"?" },
    { LISTENER POLICY "log { to x; }", "\"log\" needs \"access\" or \"error\" behind it\n" },
    { LISTENER POLICY "log;", "\"log\" needs \"access\" or \"error\" behind it\n" },
    { LISTENER POLICY "listener b { timeouts { } }", "it is known at the top level\n" },
    { LISTENER POLICY "pool q { policy p; }", "it is known at the top level\n" },
    { LISTENER POLICY "pool q { log error { } }", "it is known at the top level\n" },
    { LISTENER POLICY "pool q { fields 9; }", "it is known in the block \"limits\"\n" },
    { LISTENER POLICY "routes w { route r { to frontend x; } }", "expected \"pool\"\n" },
    { LISTENER POLICY "timeouts { connect 31d; }", "expected at most 30d" },
    { LISTENER POLICY "dns { hosts /no/such; }", "cannot read \"/no/such\"" },
    { LISTENER POLICY "log access { to /no/such/file; }", "there is no folder \"/no/such\"" },
    { LISTENER POLICY "log access { to /tmp; }", "it is a directory" },
    { LISTENER "policy p { default allow; clients 10.1.2.3/8; }", "did you mean \"10.0.0.0/8\"?" },
    { LISTENER "policy p { default allow; rules { allow a { } deny a { } } }",
      "the name \"a\" is already taken" },
    { LISTENER "policy p { default allow; rules { allow a { to class privat; } } }",
      "did you mean \"private\"?" },
    { LISTENER "policy p { default allow; rules { allow a { to class; } } }",
      "\"class\" needs a word behind it" },
    { LISTENER "policy p { default allow; rules { allow a { not; } } }",
      "\"not\" needs a condition behind it" },
    { LISTENER "policy p { default allow; rules { allow a { not reach private; } } }",
      "\"not\" cannot stand before \"reach\"" },
    { LISTENER "policy p { default allow; rules { allow a { cache x; } } }",
      "\"cache\" is a block" },
    { LISTENER POLICY "routes w { route r { to pool q; cache x { } } } pool q { server a:1; }",
      "\"cache\" takes no name" },
    { LISTENER POLICY "routes w { route r { to pool q; cache { } cache { } } }",
      "\"cache\" stands here for the second time" },
    { LISTENER "policy p { default allow; rules { allow a { cache { key without-query x; } } } "
               "}",
      "\"without-query\" takes no names" },
    { LISTENER "policy p { default allow; rules { allow a { cache { key without-params; } } } }",
      "\"without-params\" needs names" },
    { LISTENER "policy p { default allow; rules { allow a { cache { key without-params a*b; } "
               "} } }",
      "\"a*b\" is not a name" },
    { LISTENER "policy p { default allow; rules { allow a { to 0x7f.1; } } }",
      "did you mean \"127.0.0.1\"?" },
};

static void listeners(void **state)
{
    (void)state;
    assert_all_refused(listener_cases, countof(listener_cases));
}

static void different_ports_and_families_do_not_clash(void **state)
{
    (void)state;
    check("listener a { bind 127.0.0.1:1 127.0.0.1:2 127.0.0.2:1 [::1]:1 0.0.0.0:3; mode forward; "
          "policy p; }" POLICY "admin { bind [::1]:3; }");
    assert_int_equal(t.diags.errors, 0);
}

static void warnings(void **state)
{
    (void)state;
    check(LISTENER POLICY "policy q { default allow; }\n"
                          "routes w { route a { to pool x; } route b { to pool x; } }\n"
                          "pool x { server a:1; }\n");
    assert_true(t.fine);
    assert_int_equal(t.diags.warnings, 3);
    assert_says(&t, "nothing uses the policy \"q\"");
    assert_says(&t, "nothing uses the routes \"w\"");
    assert_says(&t, "the route \"b\" is never reached");
}

/* ---- reading ---- */

/* Listeners that nobody can use, that everybody can use, and that tell everybody. */
static void exposure(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } rows[] = {
#define LISTENS(at) "listener a { bind " at "; mode forward; policy p; }"
        { LISTENS("*:1") "policy p { default deny; }", "other machines reach \"*:1\" and get 403" },
        { LISTENS("127.0.0.1:1 192.0.2.1:1") "policy p { clients ::1; default deny; }",
          "are this machine only" },
        { LISTENS("127.0.0.1:1") "policy p { default deny; }", NULL },
        { LISTENS("*:1") "policy p { clients 10.0.0.0/8; default deny; }", NULL },
#define OPEN(clients, ports, rule)                                                                 \
    LISTENS("*:1")                                                                                 \
    "policy p { clients " clients "; connect-ports " ports "; default deny; rules { " rule " } }"
        { OPEN("0.0.0.0/0", "any", "allow all { reach private loopback; }"), "is an open proxy" },
        { OPEN("0.0.0.0/0", "443", "allow all { reach private loopback; }"), NULL },
        { OPEN("10.0.0.0/8", "any", "allow all { reach private loopback; }"), NULL },
        { OPEN("0.0.0.0/0", "any", "allow all { reach private loopback; from 10.0.0.0/8; }"),
          NULL },
        { OPEN("::/0", "any", "allow all { }"), NULL },
        { LISTENS("127.0.0.1:1") "policy p { default deny; } admin { bind *:2; }",
          "can read the admin listener" },
        { LISTENS("127.0.0.1:1") "policy p { default deny; } admin { bind 8.8.8.8:2; }",
          "can read the admin listener" },
        { LISTENS("127.0.0.1:1") "policy p { default deny; } admin { bind 10.0.0.1:2; }", NULL },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        check(rows[i].text);
        if (t.diags.errors || t.diags.warnings != (rows[i].said != NULL) ||
            (rows[i].said && !strstr(t.said, rows[i].said)))
            fail_msg("%s:\n%s", rows[i].text, t.said);
        end(NULL);
    }
    check("");
}

static void words_of_other_programs(void **state)
{
    (void)state;
    check("http_access allow all;\nserver_name a.example;\n" POLICY
          "listener a { bind 127.0.0.1:1; mode forward; policy p; proxy_pass http://x; }");
    assert_int_equal(t.diags.errors, 3);
    assert_non_null(strstr(t.said, "this is a word of squid; here: the rules of a policy"));
    assert_non_null(strstr(t.said, "this is a word of nginx; here: routes NAME"));
    end(NULL);
    check(
        "cache_dir ufs /var/spool/squid 20000 16 256;\nproxy_cache_lock on;\nbackend b { }\n" POLICY
            LISTENER);
    assert_int_equal(t.diags.errors, 3);
    assert_non_null(strstr(t.said, "a word of squid; here: cache NAME { path auto; size 20g; }"));
    assert_non_null(strstr(t.said, "a word of nginx; here: it is always so"));
    assert_non_null(strstr(t.said, "a word of Varnish; here: pool NAME"));
}

static void a_value_and_a_block_by_one_name_are_told_once(void **state)
{
    (void)state;
    check("routes w { route a { bogus x; } }");
    assert_says(&t, "expected one of: to, cache, cache-ignore-cookies\n");
}

/* One of each kind of value; test_engine_conf.c has them all. */
static void defaults_are_read(void **state)
{
    (void)state;
    check(LISTENER POLICY);
    struct root_conf root = root_read(&t.tree, &t.tree.arena);
    assert_int_equal(root.engine.workers, 0);
    assert_int_equal(root.engine.limits.head, 32768);
    assert_true(root.engine.limits.body == UINT64_MAX);
    assert_int_equal(root.engine.timeouts.head, 10000);
    assert_int_equal(root.engine.access[0].to, LOG_STDOUT);
    assert_int_equal(root.engine.error.level, LEVEL_INFO);
    assert_string_equal(root.engine.dns.hosts, "/etc/hosts");
    assert_false(root.admin.on);
}

static void values_are_read(void **state)
{
    (void)state;
    check(POLICY
          "workers 3;\n"
          "listener a { bind 127.0.0.1:1 [::]:2; bind *:3; mode forward; policy p; }\n"
          "listener b { bind 127.0.0.1:9; mode reverse; routes w; }\n"
          "routes w { route one { to pool q; } } pool q { server [::1]:80; server h.x:81; }\n"
          "limits { head 1k; fields 8; line 256; body 10m; clients 7; clients-per-address 2;\n"
          "         memory 8m; }\n"
          "timeouts { head 1ms; body 2s; idle 3s; connect 4s; response 5s; tunnel-idle unlimited;\n"
          "           tunnel-lifetime 1d; drain 0s; }\n"
          "log access { to /tmp/a.log; } log error { to none; level debug; }\n"
          "dns { server 127.0.0.1 [::1]:5300; server ::1; hosts none; timeout 500ms;\n"
          "      search corp.example.; }\n"
          "admin { bind *:3180; }\n");
    assert_int_equal(t.diags.errors, 0);
    struct root_conf root = root_read(&t.tree, &t.tree.arena);
    struct conf c = root.engine;
    assert_int_equal(c.workers, 3);
    assert_int_equal(c.limits.head, 1024);
    assert_true(c.limits.body == 10 << 20);
    assert_int_equal(c.limits.memory, 8 << 20);
    assert_int_equal(c.timeouts.head, 1);
    assert_true(c.timeouts.tunnel_idle == UINT32_MAX);
    assert_int_equal(c.timeouts.tunnel_lifetime, 86400000);
    assert_int_equal(c.timeouts.drain, 0);
    assert_int_equal(c.access[0].to, LOG_PATH);
    assert_string_equal(c.access[0].path, "/tmp/a.log");
    assert_int_equal(c.error.to, LOG_NONE);
    assert_int_equal(c.error.level, LEVEL_DEBUG);
    assert_int_equal(c.dns.nservers, 3);
    assert_int_equal(c.dns.servers[0].port, 53);
    assert_int_equal(c.dns.servers[1].port, 5300);
    assert_int_equal(c.dns.servers[2].family, AF_INET6);
    assert_null(c.dns.hosts);
    assert_int_equal(c.dns.timeout, 500);
    assert_true(slice_is(c.dns.search, "corp.example"));
    struct listener_conf *l = root.listeners;
    assert_int_equal(root.nlisteners, 2);
    assert_int_equal(l[0].nbinds, 3);
    assert_int_equal(l[0].binds[0].addr.port, 1);
    assert_false(l[0].binds[0].both_families);
    assert_true(l[0].binds[1].both_families);
    assert_true(l[0].binds[2].both_families);
    assert_true(slice_is(l[0].mode, "forward"));
    assert_true(slice_is(l[1].name, "b"));
    struct routes_conf r;
    routes_conf_read(l[1].node, &t.tree.arena, &r);
    assert_true(slice_is(r.name, "w") && slice_is(r.route, "one") && slice_is(r.pool.name, "q"));
    assert_int_equal(r.pool.nservers, 2);
    assert_true(slice_is(r.pool.servers[0].host, "::1") && r.pool.servers[0].port == 80);
    assert_true(slice_is(r.pool.servers[1].host, "h.x") && r.pool.servers[1].port == 81);
    struct admin_conf a = root.admin;
    assert_true(a.on && a.both_families && a.bind.port == 3180);
}

struct filled {
    struct slice text, none;
    u64 large;
    u32 small, absent;
    u8 choice;
    bool on, off;
    struct within {
        u32 number;
    } within, without;
    u32 words;
};

static void count_words(const struct schema_row *row, const struct node *n, struct arena *a,
                        void *to)
{
    struct schema_values v = schema_values(row, n);
    struct slice word;
    (void)a;
    while (schema_values_next(&v, &word))
        ++*(u32 *)to;
}

static const struct schema_row within_rows[] = {
    { .key = "number", .type = { TYPE_COUNT }, .fallback = "9", INTO(struct within, number) },
    { .key = NULL },
};
static const struct schema_row filled_rows[] = {
    { .key = "text", .type = { TYPE_TEXT }, INTO(struct filled, text) },
    { .key = "none", .type = { TYPE_TEXT }, INTO(struct filled, none) },
    { .key = "large", .type = { TYPE_SIZE }, .also = "unlimited", INTO(struct filled, large) },
    { .key = "small", .type = { TYPE_SIZE }, .also = "unlimited", INTO(struct filled, small) },
    { .key = "absent", .type = { TYPE_SIZE }, .fallback = "2k", INTO(struct filled, absent) },
    { .key = "choice", .type = { TYPE_CHOICE }, .choices = "a b c", INTO(struct filled, choice) },
    { .key = "on", .type = { TYPE_CHOICE }, .choices = "on off", INTO(struct filled, on) },
    { .key = "off",
      .type = { TYPE_CHOICE },
      .choices = "on off",
      .fallback = "off",
      INTO(struct filled, off) },
    { .key = "within", .kind = ROW_BLOCK, .children = within_rows, INTO(struct filled, within) },
    { .key = "without", .kind = ROW_BLOCK, .children = within_rows, INTO(struct filled, without) },
    { .key = "words",
      .type = { TYPE_TEXT },
      .max = 9,
      .fallback = "two words",
      .offset = offsetof(struct filled, words),
      .read = count_words },
    { .key = NULL },
};

/* Every kind of place, with a statement and without one. */
static void values_go_where_their_rows_say(void **state)
{
    (void)state;
    struct arena a;
    struct diags d;
    struct tree tree;
    struct filled f = { .words = 0 };
    arena_init(&a, 0);
    diags_init(&d);
    const char *text = "text \"some text\"; large unlimited; small unlimited; choice c; on on;\n"
                       "within { number 4; }\n";
    assert_true(config_load_text("test", slice_of(text), false, &tree, &d));
    assert_true(schema_check(&tree, filled_rows, &d));
    schema_fill(filled_rows, &tree.root, &a, &f);
    config_free(&tree); /* what was filled does not need it */
    diags_free(&d);
    assert_true(slice_is(f.text, "some text") && f.none.n == 0);
    assert_true(f.large == UINT64_MAX && f.small == UINT32_MAX && f.absent == 2048);
    assert_int_equal(f.choice, 2);
    assert_true(f.on && !f.off);
    assert_int_equal(f.within.number, 4);
    assert_int_equal(f.without.number, 9);
    assert_int_equal(f.words, 2);
    arena_free(&a);
}

static void the_manual_names_every_key(void **state)
{
    (void)state;
    char *manual = NULL, *keys = NULL;
    size_t n;
    FILE *to = open_memstream(&manual, &n);
    schema_reference(root_rows, to);
    fclose(to);
    to = open_memstream(&keys, &n);
    schema_keys(root_rows, to);
    fclose(to);
    struct slice rest = { keys, n }, line;
    while (slice_cut(&rest, '\n', &line)) {
        if (line.n == 0)
            continue;
        const char *last = line.p + line.n;
        while (last > line.p && last[-1] != ' ')
            last--;
        char cell[64];
        snprintf(cell, sizeof cell, "%.*s`", (int)(line.p + line.n - last), last);
        if (!strstr(manual, cell))
            fail_msg("the manual lacks %s", cell);
    }
    assert_non_null(strstr(keys, "\nlimits clients-per-address\n"));
    assert_non_null(strstr(manual, "\n| `private` | 10.0.0.0/8, "));
    assert_non_null(strstr(manual, "several values of one condition are alternatives"));
    assert_non_null(strstr(manual, "; not to "));
    assert_non_null(strstr(manual, "\n| DOMAIN | "));
    assert_non_null(strstr(keys, "\npolicy rules allow reach\n"));
    free(manual);
    free(keys);
    check(LISTENER POLICY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_default_is_right, end),
        cmocka_unit_test_teardown(an_unset_variable_stops_the_check_of_its_block, end),
        cmocka_unit_test(all_that_is_wrong_at_once),
        cmocka_unit_test_teardown(nothing_that_follows_from_it, end),
        cmocka_unit_test_teardown(examples_and_defaults_are_right, end),
        cmocka_unit_test_teardown(every_block_of_the_design, end),
        cmocka_unit_test_teardown(later_keys_are_not_known, end),
        cmocka_unit_test_teardown(listeners, end),
        cmocka_unit_test_teardown(different_ports_and_families_do_not_clash, end),
        cmocka_unit_test_teardown(warnings, end),
        cmocka_unit_test_teardown(exposure, end),
        cmocka_unit_test_teardown(words_of_other_programs, end),
        cmocka_unit_test_teardown(a_value_and_a_block_by_one_name_are_told_once, end),
        cmocka_unit_test_teardown(defaults_are_read, end),
        cmocka_unit_test_teardown(values_are_read, end),
        cmocka_unit_test(values_go_where_their_rows_say),
        cmocka_unit_test_teardown(the_manual_names_every_key, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
