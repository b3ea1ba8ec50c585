#include "pac/pac.h"

#include <stdio.h>

#include "base/must.h"
#include "config/schema.h"
#include "pac/conf.h"
#include "pac/label.h"
#include "pac/script.h"
#include "policy/conf.h"
#include "policy/explain.h"

struct pac_network {
    struct cidr net;
    const struct pac_script *script;
};

struct pac {
    u32 max_age; /* seconds */
    u32 n;
    struct pac_network *network; /* of all that a client is in, the one with most bits counts */
    const struct pac_script *others;
};

/* What is needed while it is made. */
struct making {
    const struct node *block, *policy_block;
    struct policy *policy; /* without lists: their content changes while a script is in use */
    struct cidr nets[PAC_NETWORKS];
    u32 nnets;
    bool too_many;
    struct arena *arena, *scratch;
    struct diags *d;
    const struct word *told[DIAGS_SHOWN]; /* once for all networks */
    u32 ntold;
};

/* ---- the networks ---- */

static void add_net(struct making *m, struct slice text)
{
    struct cidr net;
    bool host_bits;
    if (!cidr_parse(text, &net, &host_bits))
        return;
    for (u32 i = 0; i < m->nnets; i++)
        if (m->nets[i].bits == net.bits && addr_same_ip(&m->nets[i].base, &net.base))
            return;
    if (m->nnets < PAC_NETWORKS)
        m->nets[m->nnets++] = net;
    else
        m->too_many = true;
}

/* Those of the block first, as they are limited by it alone. */
static void gather_nets(struct making *m)
{
    for (const struct node *f = node_child(m->block, "from"); f; f = node_again(f))
        add_net(m, node_name(f));
    const struct node *rules = node_child(m->policy_block, "rules");
    if (m->block == NULL || m->policy == NULL)
        return;
    for (const struct node *r = rules ? rules->children : NULL; r; r = r->next)
        for (const struct node *from = node_child(r, "from"); from; from = node_again(from))
            for (u32 i = 0; i < node_nargs(from); i++)
                if (word_is_bare(node_arg(from, i), "group"))
                    i++;
                else
                    add_net(m, node_arg(from, i)->text);
}

/* The section for a client: of all that it is in, the one with most bits. */
static struct pac_section section_for(struct making *m, const struct addr *client)
{
    struct pac_section best = pac_section_read(m->block, 0, m->scratch);
    for (u32 i = 1; i < pac_sections(m->block); i++) {
        struct pac_section s = pac_section_read(m->block, i, m->scratch);
        if (cidr_has(&s.net, client) && (best.everybody || s.net.bits > best.net.bits))
            best = s;
    }
    return best;
}

/* ---- what is told ---- */

static bool to_tell(struct making *m, const struct word *w)
{
    if (m->d == NULL || w == NULL)
        return false;
    for (u32 i = 0; i < m->ntold; i++)
        if (m->told[i] == w)
            return false;
    if (m->ntold == countof(m->told))
        return false;
    m->told[m->ntold++] = w;
    return true;
}

static void tell_denied(struct making *m, const struct pac_labels *l)
{
    for (u32 i = 0; i < l->n; i++) {
        const struct pac_label *one = &l->list[i];
        if (one->direct || !one->said || !to_tell(m, one->word))
            continue;
        bool denied = one->ruling.says == BY_HOST_DENIED;
        struct slice rule =
            one->ruling.rule ? policy_rule_name(one->ruling.rule) : SLICE("default");
        diag_warning(m->d, one->word, "%s is not direct in the script: the policy %s it",
                     word_shown(one->word), denied ? "denies" : "may deny");
        diag_more(m->d, "by %.*s, at %s; a direct line would lead around the policy",
                  SLICE_FMT(rule),
                  position_shown(policy_rule_position(m->policy, one->ruling.rule)));
        diag_more(m->d, "expected a rule that allows it, or no \"direct\" for it");
    }
}

static void tell_left_out(struct making *m, const struct pac_left_out *left)
{
    if (left->labels == 0 || !to_tell(m, left->first))
        return;
    diag_warning(m->d, left->first,
                 "the script would be longer than %d kB: from here on %u of "
                 "\"direct\" are left to the proxy",
                 PAC_MAX >> 10, left->labels);
    diag_more(m->d, "expected fewer values, such as one domain instead of its hosts");
}

/* ---- the scripts ---- */

static const struct pac_script *make_script(struct making *m, const struct cidr *net,
                                            const struct addr *client)
{
    struct pac_script *script = arena_alloc(m->arena, sizeof *script);
    struct pac_section s = section_for(m, client);
    struct pac_labels labels;
    struct pac_left_out left;
    if (m->too_many && net == NULL)
        s.direct = NULL; /* they may be in a network that was passed over */
    pac_labels_make(&labels, &s, m->policy_block, m->policy, client, m->scratch);
    struct slice name = m->block ? node_name(m->block) : SLICE("");
    *script = pac_script_make(name, net, &s, &labels, m->scratch, &left);
    script->before = arena_copy(m->arena, script->before);
    script->after = arena_copy(m->arena, script->after);
    tell_denied(m, &labels);
    tell_left_out(m, &left);
    return script;
}

static struct addr somewhere_else(const struct cidr *nets, u32 n)
{
    struct cidr all[PAC_NETWORKS + 1];
    bool host_bits;
    struct addr a;
    memcpy(all, nets, n * sizeof *nets);
    must(cidr_parse(SLICE("0.0.0.0/0"), &all[n], &host_bits));
    if (!cidr_own_address(all, n + 1, n, &a)) {
        must(cidr_parse(SLICE("::/0"), &all[n], &host_bits));
        if (!cidr_own_address(all, n + 1, n, &a))
            a = all[n].base; /* nobody is anywhere else */
    }
    return a;
}

static void make_all(struct making *m, struct pac *p)
{
    gather_nets(m);
    struct addr client = somewhere_else(m->nets, m->nnets);
    p->network = arena_alloc(m->arena, (m->nnets + 1) * sizeof *p->network);
    p->others = make_script(m, NULL, &client);
    for (u32 i = 0; i < m->nnets; i++)
        if (cidr_own_address(m->nets, m->nnets, i, &client))
            p->network[p->n++] =
                (struct pac_network){ m->nets[i], make_script(m, &m->nets[i], &client) };
    if (m->too_many && m->d)
        diag_warning(m->d, &m->block->words[1],
                     "more than %d networks have something else to say: clients that are in none "
                     "of the first %d have nothing direct",
                     PAC_NETWORKS, PAC_NETWORKS);
}

static const struct pac_script *take_file(const struct word *path, struct arena *a)
{
    struct pac_script *script = arena_zalloc(a, sizeof *script);
    const char *why = pac_file_read(schema_path(a, path), a, &script->after);
    script->print = pac_print(0, why ? SLICE("") : script->after);
    script->whole = true;
    return script;
}

struct pac *pac_compile(const struct node *block, const struct node *policy, struct arena *a,
                        struct diags *d)
{
    struct pac *p = arena_zalloc(a, sizeof *p);
    const struct node *file = node_child(block, "file");
    const struct node *max_age = node_child(block, "max-age");
    p->max_age = (u32)(max_age ? schema_number(max_age->row, max_age) / 1000 : PAC_MAX_AGE);
    if (file) {
        p->others = take_file(node_arg(file, 0), a);
        return p;
    }
    struct arena scratch;
    arena_init(&scratch, 0);
    struct making m = {
        .block = block, .policy_block = policy, .arena = a, .scratch = &scratch, .d = d
    };
    if (block && policy)
        m.policy = policy_compile(policy, &scratch);
    make_all(&m, p);
    arena_free(&scratch);
    return p;
}

const struct pac_script *pac_for(const struct pac *p, const struct addr *client)
{
    const struct pac_network *best = NULL;
    for (u32 i = 0; i < p->n; i++)
        if (cidr_has(&p->network[i].net, client) &&
            (best == NULL || p->network[i].net.bits > best->net.bits))
            best = &p->network[i];
    return best ? best->script : p->others;
}

u32 pac_max_age(const struct pac *p)
{
    return p->max_age;
}

u32 pac_networks(const struct pac *p)
{
    return p->n;
}

struct cidr pac_network_at(const struct pac *p, u32 i)
{
    return p->network[i].net;
}

void pac_write(struct text *out, const struct pac_script *s, struct slice own)
{
    text_add(out, s->before);
    if (!s->whole)
        pac_escape(out, own);
    text_add(out, s->after);
}

void pac_tag(struct text *out, const struct pac_script *s, struct slice own)
{
    text_char(out, '"');
    text_hex(out, s->whole ? s->print : pac_print(s->print, own));
    text_char(out, '"');
}
