/*
 * The manual, made from the rows of the schema, so that it cannot say anything else than what
 * `check` enforces. Only the introduction is prose of its own: the rules of the language.
 */
#include "base/str.h"
#include "config/schema_type.h"

static const char introduction[] =
    "# Configuration reference\n"
    "\n"
    "Made by `proxyd reference` from the table that `proxyd check` checks against; do not edit.\n"
    "\n"
    "## The language\n"
    "\n"
    "A configuration is made of statements, `KEY VALUE ... ;`, and blocks, `KEY NAME { ... }`. A\n"
    "newline is a blank. `#` begins a comment where a word may begin, up to the end of the line.\n"
    "Order matters only inside `rules` and `routes`; a block may be named before it is defined. "
    "What\n"
    "is not known is an error, and so is a key that stands twice where it may stand once.\n"
    "\n"
    "| written | meaning |\n"
    "|---|---|\n"
    "| `word` | a bare word: hosts, addresses, numbers, `*.example.com`; ends at a blank, `;`, `{` "
    "or "
    "`}` |\n"
    "| `\"two words\"` | a text; `\\\"` and `\\\\` stand for `\"` and `\\`; ends on its line |\n"
    "| `~\"^/[a-z]+\"` | a regular expression, as it stands up to the closing quote |\n"
    "| `${NAME}` | in bare words and in quotes: the environment variable; unset is an error |\n"
    "| `secret file PATH` | instead of a value: the first line of that file, which is watched; it "
    "is never printed "
    "|\n"
    "| `include PATH;` | anywhere a statement may stand: the file, or the files of a pattern such "
    "as "
    "`conf.d/*.conf` |\n"
    "\n"
    "Relative paths start at the folder of the file that names them. Names of blocks are letters,\n"
    "digits, `_` and `-`, and do not begin with a digit.\n"
    "\n"
    "| value | form |\n"
    "|---|---|\n"
    "| SIZE | bytes, with `k`, `m`, `g` or `t` (powers of 1024): `32k` |\n"
    "| DURATION | a number with `ms`, `s`, `m`, `h`, `d` or `w`: `30s` |\n"
    "| N | a number |\n"
    "| NAME | the name of a block |\n"
    "| ADDR[:PORT] | an IPv4 or IPv6 address, and perhaps a port: `192.0.2.53`, "
    "`[2001:db8::53]:5300` |\n"
    "| ADDR:PORT | to listen on: `127.0.0.1:3128`, `[::1]:3128`, or `*:3128` and `[::]:3128` for "
    "both families |\n"
    "| HOST:PORT | `app.internal:8080`, `10.1.0.5:80`, `[2001:db8::5]:80` |\n"
    "| DOMAIN | a host name: letters, digits, `-` and `_`, in parts with dots between them: "
    "`corp.example` |\n"
    "| CIDR | an address or a network: `10.0.0.0/8`; bits behind the prefix are an error |\n"
    "| DEST | `HOST`, `*.HOST` (what is below it), `.HOST` (both), `*` (everything), an address or "
    "a "
    "CIDR |\n"
    "| PORTS | a port or a range: `443`, `8000-8999` |\n"
    "| PATH | of a file |\n"
    "| /PATH | of a URL |\n"
    "| METHOD | of a request, in capitals: `POST` |\n"
    "| TEXT | any text, in quotes when it has blanks |\n";

/* In a table a | would end the cell. */
static void put_cell(FILE *to, const char *s)
{
    for (; s && *s; s++)
        if (*s == '|')
            fputs("\\|", to);
        else
            fputc(*s == '\n' ? ' ' : *s, to);
}

static void put_words(FILE *to, const char *list, const char *before, const char *between)
{
    struct slice rest = slice_of(list), word;
    const char *lead = before;
    while (slice_cut(&rest, ' ', &word)) {
        fprintf(to, "%s`%.*s`", lead, SLICE_FMT(word));
        lead = between;
    }
}

static void put_value(FILE *to, const struct schema_row *row, enum schema_type t, const char *lead)
{
    fputs(lead, to);
    if (t == TYPE_CHOICE)
        put_words(to, row->choices, "", ", ");
    else
        fputs(schema_type_sign(t), to);
}

static void put_values(FILE *to, const struct schema_row *row)
{
    put_value(to, row, row->type[0], "");
    for (u32 i = 1; i < SCHEMA_TYPES && row->type[i]; i++)
        put_value(to, row, row->type[i], i >= schema_least_words(row) ? " and perhaps " : " ");
    put_words(to, row->also, ", ", ", ");
    if (row->binds) {
        struct slice rest = slice_of(row->binds), first;
        (void)slice_cut(&rest, ' ', &first);
        fprintf(to, ", `%.*s`", SLICE_FMT(first));
        put_words(to, row->bound, " with ", ", ");
        fputs(row->bound ? "" : " with a name", to);
        put_words(to, rest.n ? rest.p : NULL, "; ", ", ");
        fputs(rest.n ? " with a name" : "", to);
    }
    if (schema_most_words(row) > 1 && row->type[1] == TYPE_NONE)
        fputs("; several", to);
    if (row->least || row->most) {
        char area[64];
        struct text t = text_in(area, sizeof area - 1);
        schema_number_text(&t, row->type[0], row->least);
        if (row->most) {
            text_lit(&t, " to ");
            schema_number_text(&t, row->type[0], row->most);
        } else {
            text_lit(&t, " or more");
        }
        area[t.n] = 0;
        fprintf(to, "; %s", area);
    }
}

static void put_fallback(FILE *to, const struct schema_row *row)
{
    if (row->required)
        fputs("required", to);
    else if (row->fallback)
        fprintf(to, "`%s`", row->fallback);
}

static void put_statement(FILE *to, const struct schema_row *row)
{
    fprintf(to, "| `%s` | ", row->key);
    put_values(to, row);
    fputs(" | ", to);
    put_fallback(to, row);
    fputs(" | ", to);
    put_cell(to, row->doc);
    if (row->repeat && row->negatable)
        fputs(" May stand several times, each must hold; `not` may stand before it.", to);
    else if (row->repeat)
        fputs(" May stand several times.", to);
    if (row->restart)
        fputs(" A change takes a restart.", to);
    fprintf(to, " | `");
    put_cell(to, row->example);
    fputs("` |\n", to);
}

static void put_table(FILE *to, const struct schema_row *rows)
{
    bool begun = false;
    for (const struct schema_row *r = rows; r->key; r++) {
        if (r->kind != ROW_STATEMENT)
            continue;
        if (!begun)
            fputs("\n| key | values | default | meaning | example |\n|---|---|---|---|---|\n", to);
        begun = true;
        put_statement(to, r);
    }
}

static void put_blocks(FILE *to, const struct schema_row *rows, const char *path)
{
    for (const struct schema_row *r = rows; r->key; r++) {
        char here[128];
        if (r->kind == ROW_STATEMENT)
            continue;
        snprintf(here, sizeof here, "%s%s%s", path, path[0] ? " / " : "", r->key);
        fprintf(to, "\n## `%s`\n\n`%s%s { ... }`%s%s. %s\n", here, r->key,
                r->kind == ROW_NAMED ? " NAME" : "", r->required ? ", required" : "",
                r->repeat ? ", may stand several times" : "", r->doc);
        if (r->example)
            fprintf(to, "\n```\n%s\n```\n", r->example);
        if (r->manual)
            r->manual(to);
        if (r->children) {
            put_table(to, r->children);
            put_blocks(to, r->children, here);
        }
    }
}

void schema_reference(const struct schema_row *rows, FILE *to)
{
    fputs(introduction, to);
    fputs("\n## At the top level\n", to);
    put_table(to, rows);
    put_blocks(to, rows, "");
}

static void put_keys(FILE *to, const struct schema_row *rows, const char *path)
{
    for (const struct schema_row *r = rows; r->key; r++) {
        char here[128];
        snprintf(here, sizeof here, "%s%s%s", path, path[0] ? " " : "", r->key);
        fprintf(to, "%s\n", here);
        if (r->children)
            put_keys(to, r->children, here);
    }
}

void schema_keys(const struct schema_row *rows, FILE *to)
{
    put_keys(to, rows, "");
}
