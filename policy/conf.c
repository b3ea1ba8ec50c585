/*
 * The schema of a policy and its compilation. Everything has been typed by the schema when it
 * comes here, so compiling cannot fail; what looks right and is wrong is found in conf_check.c.
 */
#include "policy/conf.h"

#include "base/must.h"
#include "base/str.h"
#include "policy/rule.h"

static const struct schema_row deny_rows[] = {
#include "policy/condition_rows.tbl"
    { .key = NULL },
};

static const struct schema_row allow_rows[] = {
#include "policy/condition_rows.tbl" /* NOLINT(readability-duplicate-include) */
    { .key = "reach",
      .type = { TYPE_CHOICE },
      .min = 1,
      .max = SCHEMA_MANY,
      .choices = "metadata loopback link-local private multicast reserved",
      .doc = "The classes of addresses this rule opens besides public ones.",
      .example = "reach private;" },
    { .key = NULL },
};

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

static const struct schema_row rules_rows[] = {
    { .key = "allow",
      .kind = ROW_NAMED,
      .repeat = true,
      .space = "rule",
      .children = allow_rows,
      .doc = "Lets the requests through that meet all conditions; without conditions, every one. "
             "It opens public addresses only, and those that `reach` names.",
      .example = "allow build-tools { to *.packages.example; port 443; from 10.20.0.0/16; }" },
    { .key = "deny",
      .kind = ROW_NAMED,
      .repeat = true,
      .space = "rule",
      .children = deny_rows,
      .doc = "Refuses the requests that meet all conditions; without conditions, every one.",
      .example = "deny uploads { method PUT POST; to *.filehost.example; }" },
    { .key = NULL },
};

const struct schema_row policy_rows[] = {
    { .key = "clients",
      .type = { TYPE_CIDR },
      .min = 1,
      .max = SCHEMA_MANY,
      .fallback = "127.0.0.0/8 ::1",
      .doc = "The addresses that may ask at all; others get 403 and a close.",
      .example = "clients 127.0.0.0/8 ::1 10.0.0.0/8;" },
    { .key = "connect-ports",
      .type = { TYPE_PORTS },
      .min = 1,
      .max = SCHEMA_MANY,
      .also = "any",
      .fallback = "443",
      .doc = "The ports CONNECT may lead to, before any rule is asked.",
      .example = "connect-ports 443 8443;" },
    { .key = "http-ports",
      .type = { TYPE_PORTS },
      .min = 1,
      .max = SCHEMA_MANY,
      .also = "any",
      .fallback = "80 443 1024-65535",
      .doc = "The ports all other requests may go to, before any rule is asked.",
      .example = "http-ports 80 8080;" },
    { .key = "default",
      .type = { TYPE_CHOICE, TYPE_TEXT },
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
      .children = rules_rows,
      .manual = put_classes,
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

/* ---- compiling ---- */

/* The values of statement `key`, or those of the schema's default. */
struct values {
    const struct node *n;
    u32 i;
    struct slice rest;
};

static struct values values_of(const struct node *policy, const char *key)
{
    struct values v = { .n = node_child(policy, key) };
    for (const struct schema_row *r = policy_rows; v.n == NULL && r->key; r++)
        if (strcmp(r->key, key) == 0)
            v.rest = slice_of(r->fallback);
    return v;
}

static bool values_next(struct values *v, struct slice *out)
{
    if (v->n == NULL)
        return slice_cut(&v->rest, ' ', out);
    if (v->i == node_nargs(v->n))
        return false;
    *out = node_arg(v->n, v->i++)->text;
    return true;
}

static size_t values_most(const struct values *v)
{
    return v->n ? node_nargs(v->n) : v->rest.n;
}

static void compile_clients(struct values v, struct cidrset *out, struct arena *a)
{
    struct cidr *list = arena_alloc(a, values_most(&v) * sizeof *list);
    size_t n = 0;
    struct slice text;
    bool host_bits;
    while (values_next(&v, &text))
        must(cidr_parse(text, &list[n++], &host_bits));
    cidrset_build(out, a, list, n);
}

static void compile_ports(struct values v, struct portset *out, struct arena *a)
{
    struct port_range *range = arena_alloc(a, values_most(&v) * sizeof *range);
    size_t n = 0;
    struct slice text;
    for (; values_next(&v, &text); n++) {
        if (slice_is(text, "any"))
            range[n] = (struct port_range){ 0, 65535 };
        else
            must(value_ports(text, &range[n].first, &range[n].last));
    }
    portset_build(out, a, range, n);
}

static void compile_rule(const struct node *n, struct policy_rule *r, struct arena *a)
{
    size_t most = 0, made = 0;
    for (const struct node *c = n->children; c; c = c->next)
        most++;
    struct condition *list = arena_alloc(a, most * sizeof *list);
    *r = (struct policy_rule){ .gate = { ~(u64)0, ~(u32)0, ~(u32)0 },
                               .name = arena_copy(a, node_name(n)),
                               .allow = slice_is(node_key(n), "allow"),
                               .condition = list };
    for (size_t k = 0; k < CONDITION_COUNT; k++) {
        const struct condition_kind *kind = &condition_kinds[k];
        for (const struct node *c = node_child(n, kind->name); c; c = node_again(c)) {
            struct condition *made_now = &list[made++];
            *made_now = (struct condition){ kind, kind->make(c, a), c->negated };
            if (!c->negated)
                kind->narrow(made_now->data, &r->gate);
        }
    }
    r->conditions = (u32)made;
    const struct node *reach = node_child(n, "reach");
    for (u32 i = 0; reach && i < node_nargs(reach); i++) {
        enum addr_class class;
        must(addr_class_find(node_arg(reach, i)->text, &class));
        r->reach |= CLASS_BIT(class);
    }
}

static void compile_rules(const struct node *rules, struct policy *p, struct arena *a)
{
    size_t most = 0;
    for (const struct node *n = rules ? rules->children : NULL; n; n = n->next)
        most++;
    struct policy_rule *list = arena_alloc(a, most * sizeof *list);
    for (const struct node *n = rules ? rules->children : NULL; n; n = n->next)
        compile_rule(n, &list[p->rules++], a);
    p->rule = list;
}

const struct policy *policy_compile(const struct node *policy, struct arena *a, struct diags *d)
{
    (void)d;
    struct policy *p = arena_zalloc(a, sizeof *p);
    p->name = arena_copy(a, node_name(policy));
    compile_clients(values_of(policy, "clients"), &p->clients, a);
    compile_ports(values_of(policy, "connect-ports"), &p->connect_ports, a);
    compile_ports(values_of(policy, "http-ports"), &p->http_ports, a);
    const struct node *fallback = node_child(policy, "default");
    must(fallback);
    p->default_allow = slice_is(node_arg(fallback, 0)->text, "allow");
    if (node_nargs(fallback) > 1)
        p->default_text = arena_copy(a, node_arg(fallback, 1)->text);
    compile_rules(node_child(policy, "rules"), p, a);
    return p;
}
