/*
 * The schema of a policy and its compilation. Everything has been typed by the schema when it
 * comes here, so compiling cannot fail; what looks right and is wrong is found in conf_check.c.
 */
#include "policy/conf.h"

#include "base/must.h"
#include "base/str.h"
#include "policy/cache_rule.h"
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

static void read_reach(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    u8 *reach = to;
    (void)row;
    (void)a;
    for (u32 i = 0; n && i < node_nargs(n); i++) {
        enum addr_class class;
        must(addr_class_find(node_arg(n, i)->text, &class));
        *reach |= CLASS_BIT(class);
    }
}

static void read_page(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    (void)row;
    if (n)
        (void)policy_page_read(a, node_arg(n, 0), to);
}

/* clang-format off */
#define MODE_ROW \
    { .key = "mode", \
      .type = { TYPE_CHOICE }, \
      .choices = "shadow", \
      .offset = offsetof(struct policy_rule, shadow), \
      .read = read_shadow, \
      .doc = "A rule in shadow does not decide: that it would have is logged (`shadow=RULE`) and " \
             "counted, and the rules behind it are asked. Of several the first is noted.", \
      .example = "mode shadow;" }
#define TEXT_ROW \
    { .key = "text", \
      .type = { TYPE_TEXT }, \
      INTO(struct policy_rule, refusal.text), \
      .doc = "Words for whoever is refused, on the page and in the log.", \
      .example = "text \"ask the helpdesk, extension 42\";" }
/* clang-format on */

static void read_shadow(const struct schema_row *row, const struct node *n, struct arena *a,
                        void *to)
{
    bool *shadow = to;
    (void)row;
    (void)a;
    *shadow = n != NULL;
}

static const struct schema_row deny_rows[] = {
#include "policy/condition_rows.tbl"
    MODE_ROW,
    TEXT_ROW,
    { .key = "respond",
      .type = { TYPE_COUNT },
      .least = 400,
      .most = 599,
      INTO(struct policy_rule, refusal.status),
      .doc = "The status of the refusal instead of 403.",
      .example = "respond 451;" },
    { .key = "page",
      .type = { TYPE_PATH },
      .offset = offsetof(struct policy_rule, refusal.page),
      .read = read_page,
      .doc = "A file with the page for whoever accepts HTML, instead of the policy's `error-page`, "
             "which see.",
      .example = "page refused.html;" },
    { .key = NULL },
};

static const struct schema_row redirect_rows[] = {
#include "policy/condition_rows.tbl" /* NOLINT(readability-duplicate-include) */
    MODE_ROW,
    TEXT_ROW,
    { .key = "location",
      .type = { TYPE_TEXT },
      .required = true,
      INTO(struct policy_rule, refusal.location),
      .doc = "Where the client is sent: an absolute URL.",
      .example = "location https://intranet.example/why;",
      .check = policy_location_check },
    { .key = "respond",
      .type = { TYPE_CHOICE },
      .choices = "301 302 303 307 308",
      INTO(struct policy_rule, refusal.moved),
      .fallback = "302",
      .doc = "The status of the answer.",
      .example = "respond 307;" },
    { .key = NULL },
};

static const struct schema_row allow_rows[] = {
#include "policy/condition_rows.tbl" /* NOLINT(readability-duplicate-include) */
    { .key = "reach",
      .type = { TYPE_CHOICE },
      .offset = offsetof(struct policy_rule, reach),
      .read = read_reach,
      .min = 1,
      .max = SCHEMA_MANY,
      .choices = "metadata loopback link-local private multicast reserved",
      .doc = "The classes of addresses this rule opens besides public ones.",
      .example = "reach private;" },
    MODE_ROW,
    { .key = "request",
      .kind = ROW_BLOCK,
      .offset = offsetof(struct policy_rule, request),
      .read = edits_read,
      .children = edit_rows,
      .doc = "What is changed in the fields of the requests that this rule lets through.",
      .example = "request { set X-Site shop; remove X-Debug; }" },
    { .key = "response",
      .kind = ROW_BLOCK,
      .offset = offsetof(struct policy_rule, response),
      .read = edits_read,
      .children = edit_rows,
      .doc = "What is changed in the fields of the answers to them.",
      .example = "response { remove X-Internal-*; set Cache-Control no-store; }" },
    { .key = "cache",
      .kind = ROW_BLOCK,
      .offset = offsetof(struct policy_rule, cache),
      .read = cache_rule_read,
      .check = cache_rule_check,
      .children = cache_rule_rows,
      .doc = "How the listener's cache treats the requests that this rule lets through. "
             "[The cache](cache.md#steering-it) tells more.",
      .example = "cache { override ttl 10m; key without-params utm_*; }" },
    { .key = "via",
      .type = { TYPE_REF },
      .refers = "parent",
      INTO(struct policy_rule, via),
      .doc = "The parent that these requests go through, and no other way: when none of its "
             "proxies can be connected to, the request fails (`parent_unavailable`). The parent "
             "looks names up, so conditions on addresses, of this rule and of all above it, see "
             "only destinations that are addresses; those still need `reach`.",
      .example = "via upstairs;" },
    { .key = "prefer",
      .type = { TYPE_CHOICE },
      .choices = "any v4 v6",
      INTO(struct policy_rule, prefer),
      .fallback = "any",
      .doc = "The family of addresses that is tried first. Without it: IPv6, or the one that was "
             "quicker of late.",
      .example = "prefer v4;" },
    { .key = NULL },
};

/* In the order of conditions.tbl, whatever the order in the file. */
static void read_conditions(const struct node *n, struct policy_rule *r, struct arena *a)
{
    size_t most = 0, made = 0;
    for (const struct node *c = n->children; c; c = c->next)
        most++;
    struct condition *list = arena_alloc(a, most * sizeof *list);
    struct written *written = arena_alloc(a, most * sizeof *written);
    for (u8 k = 0; k < CONDITION_COUNT; k++)
        for (const struct node *c = n->children; c; c = c->next) {
            const struct condition_kind *kind = &condition_kinds[k];
            if (c->row->tag != CONDITION_TAG(k))
                continue;
            written[made] = statement_written(c, r->at, a);
            struct condition *made_now = &list[made++];
            *made_now = (struct condition){ kind, kind->make(c, a), c->negated };
            r->on_answer |= kind->on_answer;
            if (!c->negated)
                kind->narrow(made_now->data, &r->gate);
        }
    r->condition = list;
    r->written = written;
    r->conditions = (u32)made;
    r->gate.traits &= ~(u32)(r->on_answer ? TRAIT_REQUEST : TRAIT_ANSWER);
}

enum { RULE_DENY, RULE_ALLOW }; /* tags */

static void read_rule(const struct node *n, const struct position *before, struct policy_rule *r,
                      struct arena *a)
{
    *r = (struct policy_rule){ .at = position_kept(node_at(n), before, a),
                               .gate = { ~(u64)0, ~(u32)0, ~(u32)0 },
                               .name = arena_copy(a, node_name(n)),
                               .allow = n->row->tag == RULE_ALLOW };
    schema_fill(n->row->children, n, a, r);
    read_conditions(n, r, a);
    if (r->via.n && !r->on_answer && !r->shadow)
        r->gate.traits &= ~(u32)TRAIT_DIRECT;
}

static void read_rules(const struct schema_row *row, const struct node *rules, struct arena *a,
                       void *to)
{
    struct policy *p = to;
    size_t most = 0;
    (void)row;
    for (const struct node *n = rules ? rules->children : NULL; n; n = n->next)
        most++;
    struct policy_rule *list = arena_alloc(a, most * sizeof *list);
    for (const struct node *n = rules ? rules->children : NULL; n; n = n->next) {
        struct policy_rule *r = &list[p->rules++];
        read_rule(n, r > list ? &r[-1].at : &p->at, r, a);
        p->judges |= r->on_answer;
        p->edits |= r->request || r->response;
        p->steers_cache |= r->cache != NULL;
        p->has_parents |= r->via.n && !r->on_answer && !r->shadow;
    }
    p->rule = list;
}

/* The words of `class` and `reach`. */
static void put_classes(FILE *to)
{
    fputs("\nEach address has one class, the first that it fits. A name has the classes of the "
          "addresses it leads\nto. An IPv6 address that carries an IPv4 address has the class of "
          "that "
          "one, or a stricter one.\n\n| class | addresses |\n|---|---|\n",
          to);
    for (enum addr_class c = 0; c < CLASS_COUNT; c++) {
        char area[1024];
        struct text t = text_in(area, sizeof area);
        addr_class_text(&t, c);
        fprintf(to, "| `%s` | %.*s |\n", addr_class_name(c), SLICE_FMT(text_slice(&t)));
    }
}

static void put_manual(FILE *to)
{
    put_classes(to);
    policy_put_variables(to);
}

static const struct schema_row rules_rows[] = {
    { .key = "allow",
      .kind = ROW_NAMED,
      .tag = RULE_ALLOW,
      .repeat = true,
      .space = "rule",
      .children = allow_rows,
      .doc = "Lets the requests through that meet all conditions; without conditions, every one. "
             "It opens public addresses only, and those that `reach` names.",
      .example = "allow build-tools { to *.packages.example; port 443; from 10.20.0.0/16; }" },
    { .key = "deny",
      .kind = ROW_NAMED,
      .tag = RULE_DENY,
      .repeat = true,
      .space = "rule",
      .children = deny_rows,
      .check = policy_deny_check,
      .doc = "Refuses the requests that meet all conditions; without conditions, every one.",
      .example = "deny uploads { method PUT POST; to *.filehost.example; }" },
    { .key = "redirect",
      .kind = ROW_NAMED,
      .tag = RULE_DENY,
      .repeat = true,
      .space = "rule",
      .children = redirect_rows,
      .doc = "Refuses as `deny` does, by sending the client to another place; inside of it CONNECT "
             "is only refused, because clients follow no redirect there.",
      .example = "redirect moved { to old.example; location https://new.example/; }" },
    { .key = NULL },
};

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
      .read = read_page,
      .doc =
          "A file with the page for whoever accepts HTML, instead of the usual one, for all that "
          "the listener refuses or cannot serve; at most 64 kB. It is read when the "
          "configuration is. `{{name}}` in it stands for a value: [rules](#policy-rules) lists "
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
      .read = read_rules,
      .children = rules_rows,
      .manual = put_manual,
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
