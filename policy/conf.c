/*
 * The schema of a policy and its compilation, but for its rules (conf_rules.c). Everything has been
 * typed by the schema when it comes here, so compiling cannot fail; what looks right and is wrong
 * is found in conf_check.c.
 */
#include "policy/conf.h"

#include "base/must.h"
#include "base/str.h"
#include "policy/conf_rules.h"
#include "policy/rule.h"
#include "policy/zone.h"

static void read_clients(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct schema_values v = schema_values(row, n);
    struct cidr *list = arena_alloc(a, schema_values_most(&v) * sizeof *list);
    size_t count = 0;
    struct slice text;
    bool host_bits;
    while (schema_values_next(&v, &text))
        must(cidr_parse(text, &list[count++], &host_bits));
    cidrset_build(to, a, list, count);
}

static void read_auth(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct policy_auth *auth = to;
    if (n == NULL)
        return;
    schema_fill(row->children, n, a, auth);
    auth->offers |= 1u << row->tag;
}

static void read_ports(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct schema_values v = schema_values(row, n);
    struct port_range *range = arena_alloc(a, schema_values_most(&v) * sizeof *range);
    size_t count = 0;
    struct slice text;
    for (; schema_values_next(&v, &text); count++) {
        if (slice_is(text, "any"))
            range[count] = (struct port_range){ 0, 65535 };
        else
            must(value_ports(text, &range[count].first, &range[count].last));
    }
    portset_build(to, a, range, count);
}

static void read_default(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct policy *p = to;
    (void)row;
    p->default_at = position_kept(node_at(n), &p->at, a);
    p->default_allow = slice_is(node_arg(n, 0)->text, "allow");
    if (node_nargs(n) > 1)
        p->default_text = arena_copy(a, node_arg(n, 1)->text);
}

static void read_zone(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct policy *p = to;
    (void)row;
    p->zone = zone_load(a, n ? node_arg(n, 0)->text : SLICE(""));
}

const struct schema_row policy_rows[] = {
    { .key = "clients",
      .type = { TYPE_CIDR },
      .offset = offsetof(struct policy, clients),
      .read = read_clients,
      .min = 1,
      .max = SCHEMA_MANY,
      .fallback = "127.0.0.0/8 ::1",
      .doc = "The addresses that may ask at all; others get 403 and a close.",
      .example = "clients 127.0.0.0/8 ::1 10.0.0.0/8;" },
    { .key = "auth basic",
      .kind = ROW_BLOCK,
      .tag = AUTH_basic,
      .offset = offsetof(struct policy, auth),
      .read = read_auth,
      .children = auth_basic_rows,
      .doc = "Everybody has to say who he is before any rule is asked, by name and password "
             "(RFC 7617); who does not gets 407.",
      .example = "auth basic { file users.htpasswd; realm \"Example egress\"; }" },
    { .key = "connect-ports",
      .type = { TYPE_PORTS },
      .offset = offsetof(struct policy, connect_ports),
      .read = read_ports,
      .min = 1,
      .max = SCHEMA_MANY,
      .also = "any",
      .fallback = "443",
      .doc = "The ports CONNECT may lead to, before any rule is asked.",
      .example = "connect-ports 443 8443;" },
    { .key = "http-ports",
      .type = { TYPE_PORTS },
      .offset = offsetof(struct policy, http_ports),
      .read = read_ports,
      .min = 1,
      .max = SCHEMA_MANY,
      .also = "any",
      .fallback = "80 443 1024-65535",
      .doc = "The ports all other requests may go to, before any rule is asked.",
      .example = "http-ports 80 8080;" },
    { .key = "sni",
      .type = { TYPE_CHOICE },
      .choices = "match require ignore",
      INTO(struct policy, sni),
      .fallback = "match",
      .doc =
          "What is asked of a CONNECT tunnel that begins with a TLS ClientHello. `match`: if it "
          "names another host than the target, that one has to be allowed as well, on the same "
          "port and at the address that was dialled. `require`: that, and a tunnel without a "
          "ClientHello that names a host ends. `ignore`: nothing. The client's first bytes wait "
          "until the ClientHello is whole; what the other side sends never waits. Whatever "
          "begins as TLS and is no well-formed ClientHello of at most 16 kB ends the tunnel, and "
          "so does one that is not whole within `timeouts head`. With Encrypted Client Hello it "
          "is the outer name.",
      .example = "sni require;" },
    { .key = "other",
      .type = { TYPE_CHOICE },
      .choices = "deny tunnel",
      INTO(struct policy, other),
      .fallback = "deny",
      .doc = "With `mode transparent`: what becomes of a connection that begins with neither HTTP "
             "nor TLS. `tunnel`: it is asked about as CONNECT to the address that it was going to, "
             "so `connect-ports` has to allow the port; one whose client says nothing for 300 ms "
             "too, because there the server speaks first (SMTP, SSH); where it does not, and the "
             "client begins with HTTP or TLS then, it is reset. `deny`: it is reset.",
      .example = "other tunnel;" },
    { .key = "grace",
      .type = { TYPE_DURATION },
      .most = 30ull * 24 * 3600 * 1000,
      INTO(struct policy, grace),
      .fallback = "30s",
      .doc = "How long a tunnel may go on that another configuration no longer allows: each is "
             "decided again when the configuration is replaced.",
      .example = "grace 30s;" },
    { .key = "contact",
      .type = { TYPE_TEXT },
      INTO(struct policy, contact),
      .doc = "Whom to ask about a refusal, on its page: a URL, a mail address (both become links), "
             "or words.",
      .example = "contact helpdesk@example.com;",
      .check = policy_contact_check },
    { .key = "error-page",
      .type = { TYPE_PATH },
      .offset = offsetof(struct policy, page),
      .read = policy_read_page,
      .doc =
          "A file with the page for whoever accepts HTML, instead of the usual one, for all that "
          "the listener refuses or cannot serve; at most 64 kB. It is read when the "
          "configuration is. `{{name}}` in it stands for a value: [rules](#policy--rules) lists "
          "them.",
      .example = "error-page refused.html;" },
    { .key = "time-zone",
      .type = { TYPE_TEXT },
      .read = read_zone,
      .doc = "The zone of all `time` conditions, by its name in the system's tables; without it, "
             "the system's own.",
      .example = "time-zone Europe/Berlin;",
      .check = policy_zone_check },
    { .key = "default",
      .type = { TYPE_CHOICE, TYPE_TEXT },
      .read = read_default,
      .min = 1,
      .max = 2,
      .required = true,
      .choices = "allow deny",
      .doc = "What happens to a request that no rule matches. `deny` takes a text for the page. "
             "`allow` opens public addresses only.",
      .example = "default deny \"not on the company list\";",
      .check = policy_default_check },
    { .key = "rules",
      .kind = ROW_BLOCK,
      .read = policy_read_rules,
      .children = rules_rows,
      .manual = policy_put_manual,
      .doc = "In this order; the first rule that matches decides. All conditions of a rule must "
             "hold; several values of one condition are alternatives; `not` before a condition "
             "means none of its values. A condition on something that the request does not show "
             "is no match, with or without `not`.",
      .example = "rules {\n"
                 "    deny  uploads { method PUT POST; not to *.backup.example 192.0.2.7; }\n"
                 "    allow office  { from 10.20.0.0/16; port 80 443; not to class reserved; }\n"
                 "}" },
    { .key = NULL },
};

struct policy *policy_compile(const struct node *policy, struct arena *a)
{
    struct policy *p = arena_zalloc(a, sizeof *p);
    p->name = arena_copy(a, node_name(policy));
    p->at = position_kept(node_at(policy), NULL, a);
    schema_fill(policy_rows, policy, a, p);
    return p;
}
