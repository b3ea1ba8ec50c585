/* Readings of a pattern's top level. What stands in parentheses is looked into only for the
 * branches of an alternation. */
#include "filters/regex_texts.h"

#include "filters/regex_tokens.h"

/* ---- a text that every match contains ---- */

struct run {
    size_t from, n; /* in the buffer */
};

static void end_run(struct run *run, struct run *best, const char *buffer,
                    regex_tells_little *passed_over)
{
    struct slice text = { buffer + run->from, run->n };
    if (run->n > best->n && !(passed_over && passed_over(text)))
        *best = *run;
    *run = (struct run){ run->from + run->n, 0 };
}

size_t regex_required(struct slice pattern, regex_tells_little *passed_over, char *out)
{
    struct regex_tokens t = { .pattern = pattern };
    struct run run = { 0, 0 }, best = { 0, 0 };
    for (enum regex_token found = regex_next(&t);; found = regex_next(&t)) {
        switch (found) {
        case TOKEN_CHAR: out[run.from + run.n++] = t.c; continue;
        case TOKEN_PLUS: break;
        case TOKEN_TIMES: run.n -= run.n > 0; break;
        case TOKEN_OPEN:
            if (!regex_skip_group(&t))
                return 0;
            break;
        case TOKEN_ONE:
        case TOKEN_BORDER: break;
        case TOKEN_END:
            end_run(&run, &best, out, passed_over);
            memmove(out, out + best.from, best.n);
            return best.n;
        default: return 0;
        }
        end_run(&run, &best, out, passed_over);
    }
}

/* ---- texts of which every match contains one ---- */

/* Cuts the first branch off an alternation without its parentheses. False: there is none left, or
 * it is strange. */
static bool next_branch(struct slice *rest, struct slice *branch)
{
    struct regex_tokens t = { .pattern = *rest };
    if (rest->p == NULL)
        return false;
    for (;;) {
        size_t at = t.at;
        enum regex_token found = regex_next(&t);
        if (found == TOKEN_STRANGE || found == TOKEN_CLOSE ||
            (found == TOKEN_OPEN && !regex_skip_group(&t)))
            return false;
        if (found != TOKEN_OR && found != TOKEN_END)
            continue;
        *branch = (struct slice){ rest->p, at };
        *rest = found == TOKEN_OR ? slice_skip(*rest, t.at) : (struct slice){ NULL, 0 };
        return true;
    }
}

/* Has each branch a text? Then they are taken. */
static bool texts_of_branches(struct slice all, regex_tells_little *passed_over, char *room,
                              regex_take_text *take, void *ctx)
{
    struct slice rest = all, branch;
    while (rest.p)
        if (!next_branch(&rest, &branch) || regex_required(branch, passed_over, room) == 0)
            return false;
    for (rest = all; next_branch(&rest, &branch);)
        take(ctx, (struct slice){ room, regex_required(branch, passed_over, room) });
    return true;
}

/* May what stands here be absent? */
static bool is_optional(struct regex_tokens t)
{
    return regex_next(&t) == TOKEN_TIMES;
}

bool regex_texts(struct slice pattern, regex_tells_little *passed_over, char *room,
                 regex_take_text *take, void *ctx)
{
    struct regex_tokens t = { .pattern = pattern };
    struct slice branch, rest = pattern;
    if (!next_branch(&rest, &branch))
        return false;
    if (rest.p || regex_required(pattern, passed_over, room))
        return texts_of_branches(pattern, passed_over, room, take, ctx);
    for (enum regex_token found = regex_next(&t); found != TOKEN_END; found = regex_next(&t)) {
        size_t from = t.at;
        if (found == TOKEN_STRANGE || (found == TOKEN_OPEN && !regex_skip_group(&t)))
            return false;
        struct slice inside = slice_range(pattern.p + from, pattern.p + t.at - 1);
        if (found == TOKEN_OPEN && !is_optional(t) &&
            texts_of_branches(inside, passed_over, room, take, ctx))
            return true;
    }
    return false;
}

/* ---- a part that every match contains ---- */

struct part {
    size_t from, to;
    unsigned plain;
};

static void end_part(struct part *p, struct part *best, size_t next_from)
{
    if (p->plain > best->plain)
        *best = *p;
    *p = (struct part){ next_from, next_from, 0 };
}

struct slice regex_core(struct slice pattern, unsigned *plain_characters)
{
    struct regex_tokens t = { .pattern = pattern };
    struct part now = { 0, 0, 0 }, best = { 0, 0, 0 }, before = now;
    *plain_characters = 0;
    for (;;) {
        enum regex_token found = regex_next(&t);
        switch (found) {
        case TOKEN_CHAR:
        case TOKEN_ONE:
            before = now; /* for the case that this one may be absent */
            now.to = t.at;
            now.plain += found == TOKEN_CHAR;
            continue;
        case TOKEN_TIMES: now = before; break;
        case TOKEN_OPEN:
            if (!regex_skip_group(&t))
                return SLICE("");
            break;
        case TOKEN_PLUS:
        case TOKEN_BORDER: break;
        case TOKEN_END:
            end_part(&now, &best, t.at);
            *plain_characters = best.plain;
            return (struct slice){ pattern.p + best.from, best.to - best.from };
        default: return SLICE("");
        }
        end_part(&now, &best, t.at);
        before = now;
    }
}
