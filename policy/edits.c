/* The rows and their application; the one thing to watch is that no edit may touch what the codec
 * or the engine says itself. */
#include "policy/edits.h"

#include "base/str.h"
#include "http/chars.h"

enum edit_kind { EDIT_SET, EDIT_ADD, EDIT_REMOVE }; /* tags */

struct edit {
    u8 kind;
    bool prefix; /* of a removal: all names that begin so */
    struct slice name, value;
};

struct edits {
    u32 n;
    struct edit *edit;
};

/* ---- what is the proxy's own ---- */

static bool is_own(struct slice name)
{
    static const enum token framing[] = { TOKEN_HOST, TOKEN_CONTENT_LENGTH, TOKEN_EXPECT, TOKEN_VIA,
                                          TOKEN_MAX_FORWARDS };
    enum token t = token_find(name);
    for (size_t i = 0; i < countof(framing); i++)
        if (t == framing[i])
            return true;
    return (t != TOKEN_OTHER && (token_flags(t) & (TOKEN_HOP | TOKEN_PROXY))) ||
           (name.n > 6 && slice_eq_nocase((struct slice){ name.p, 6 }, SLICE("Proxy-")));
}

static bool begins(struct slice name, struct slice with)
{
    return name.n >= with.n && slice_eq_nocase((struct slice){ name.p, with.n }, with);
}

/* ---- check ---- */

static void check_name(const struct word *w, bool pattern, struct diags *d)
{
    struct slice name = w->text;
    if (w->reported)
        return;
    if (pattern && slice_ends(name, SLICE("*")))
        name.n--;
    bool token = w->kind != WORD_REGEX && (name.n > 0 || pattern);
    for (size_t i = 0; i < name.n; i++)
        token = token && char_is(name.p[i], CHAR_TOKEN) && name.p[i] != '*';
    if (!token) {
        diag_error(d, w, "%s is not the name of a field", word_shown(w));
        diag_more(d, pattern ? "expected a name such as X-Debug, or its beginning: X-*"
                             : "expected a name, then its value: set X-Site shop");
    } else if (name.n == w->text.n && is_own(name)) {
        diag_error(d, w, "%s cannot be edited", word_shown(w));
        diag_more(d, "what frames a message, belongs to one connection or says where it goes, the "
                     "proxy writes itself");
    }
}

static void check_value(const struct node *n, struct diags *d)
{
    check_name(node_arg(n, 0), false, d);
}

static void check_names(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++)
        check_name(node_arg(n, i), true, d);
}

const struct schema_row edit_rows[] = {
    { .key = "set",
      .type = { TYPE_TEXT, TYPE_TEXT },
      .min = 2,
      .max = 2,
      .repeat = true,
      .tag = EDIT_SET,
      .doc = "The field has this value and no other, whether it was there or not.",
      .example = "set X-Site shop;",
      .check = check_value },
    { .key = "add",
      .type = { TYPE_TEXT, TYPE_TEXT },
      .min = 2,
      .max = 2,
      .repeat = true,
      .tag = EDIT_ADD,
      .doc = "One more field, beside those that are there.",
      .example = "add Vary Accept-Language;",
      .check = check_value },
    { .key = "remove",
      .type = { TYPE_TEXT },
      .min = 1,
      .max = SCHEMA_MANY,
      .repeat = true,
      .tag = EDIT_REMOVE,
      .doc = "All fields of these names; `X-*` is every name that begins so.",
      .example = "remove X-Debug X-Internal-*;",
      .check = check_names },
    { .key = NULL },
};

/* ---- compiling ---- */

static struct edit edit_of(const struct node *n, u32 word, struct arena *a)
{
    struct slice name = node_arg(n, word)->text;
    bool prefix = n->row->tag == EDIT_REMOVE && slice_ends(name, SLICE("*"));
    name.n -= prefix;
    return (struct edit){
        .kind = n->row->tag,
        .prefix = prefix,
        .name = arena_copy(a, name),
        .value = n->row->tag == EDIT_REMOVE ? SLICE("") : arena_copy(a, node_arg(n, 1)->text),
    };
}

void edits_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    const struct edits **out = to;
    size_t most = 0;
    (void)row;
    for (const struct node *c = n ? n->children : NULL; c; c = c->next)
        most += node_nargs(c);
    if (most == 0)
        return;
    struct edits *e = arena_zalloc(a, sizeof *e);
    e->edit = arena_alloc(a, most * sizeof *e->edit);
    for (const struct node *c = n->children; c; c = c->next)
        for (u32 i = 0; i < (c->row->tag == EDIT_REMOVE ? node_nargs(c) : 1); i++)
            e->edit[e->n++] = edit_of(c, i, a);
    *out = e;
}

/* ---- applying ---- */

static void remove_prefix(struct msg *m, struct slice prefix)
{
    for (u32 i = 0; i < m->nfields; i++) {
        struct slice name = msg_name(m, &m->fields[i]);
        if (m->fields[i].id != FIELD_DELETED && begins(name, prefix) && !is_own(name))
            msg_remove_field(m, &m->fields[i]);
    }
}

bool edits_apply(const struct edits *e, struct msg *m)
{
    for (u32 i = 0; e && i < e->n; i++) {
        const struct edit *one = &e->edit[i];
        if (one->prefix)
            remove_prefix(m, one->name);
        else if (one->kind != EDIT_ADD)
            msg_remove_name(m, one->name);
        if (one->kind != EDIT_REMOVE && !msg_add(m, one->name, one->value))
            return false;
    }
    return true;
}
