#include "policy/written.h"

#include "base/text.h"

struct position position_kept(struct position at, const struct position *before, struct arena *a)
{
    if (at.file == NULL)
        return at;
    if (before && before->file && strcmp(before->file, at.file) == 0)
        at.file = before->file;
    else
        at.file = arena_copy(a, slice_of(at.file)).p;
    return at;
}

static void put_quoted(struct text *t, struct slice s)
{
    text_char(t, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            text_char(t, '\\');
        text_char(t, s.p[i]);
    }
    text_char(t, '"');
}

static void put_word(struct text *t, const struct word *w)
{
    switch (w->kind) {
    case WORD_BARE: text_add(t, w->text); break;
    case WORD_QUOTED: put_quoted(t, w->text); break;
    case WORD_REGEX:
        text_lit(t, "~\"");
        text_add(t, w->text);
        text_char(t, '"');
        break;
    case WORD_SECRET: text_lit(t, "(a secret)"); break;
    }
}

struct written statement_written(const struct node *n, struct position before, struct arena *a)
{
    size_t most = sizeof "not ";
    for (u32 i = 0; i < n->nwords; i++)
        most += 2 * n->words[i].text.n + sizeof " ~\"(a secret)\"";
    struct text t = text_in(arena_alloc(a, most), most);
    if (n->negated)
        text_lit(&t, "not ");
    for (u32 i = 0; i < n->nwords; i++) {
        if (i)
            text_char(&t, ' ');
        put_word(&t, &n->words[i]);
    }
    struct written w = { .at = position_kept(node_at(n), &before, a), .text = text_slice(&t) };
    if (node_nargs(n) && node_arg(n, 0)->kind != WORD_SECRET)
        w.first = arena_copy(a, node_arg(n, 0)->text);
    return w;
}
