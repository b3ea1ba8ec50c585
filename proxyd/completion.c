/* What may follow a command is its options, and the small words of its usage: `proxyd lists show`,
 * `proxyd ctl [-s PATH] fetch URL`. */
#include "completion.h"

#include <string.h>

#include "base/slice.h"
#include "base/str.h"
#include "command_rows.h"

#define SHELLS "bash zsh fish"

static bool is_small_word(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 'a' || s.p[i] > 'z')
            return false;
    return s.n > 0;
}

/* The first small word behind the command that stands in no brackets. */
static struct slice word_of_usage(struct slice usage)
{
    struct slice word;
    int depth = 0;
    while (slice_cut(&usage, ' ', &word)) {
        if (depth == 0 && is_small_word(word))
            return word;
        for (size_t i = 0; i < word.n; i++)
            depth += (word.p[i] == '[') - (word.p[i] == ']');
    }
    return SLICE("");
}

static void put_names(FILE *to)
{
    for (size_t i = 0; i < command_row_count; i++)
        fprintf(to, " %s", command_rows[i].name);
}

/* Each with a blank before it. */
static void put_operands(FILE *to, const struct command_row *c)
{
    char form[64];
    struct slice rest = slice_of(c->help), line;
    int n = snprintf(form, sizeof form, "proxyd %s ", c->name);
    while (slice_cut(&rest, '\n', &line)) {
        if (line.n < 7 + (size_t)n || memcmp(line.p + 7, form, (size_t)n) != 0 ||
            (memcmp(line.p, "usage: ", 7) != 0 && memcmp(line.p, "       ", 7) != 0))
            continue;
        struct slice word = word_of_usage(slice_range(line.p + 7 + n, line.p + line.n));
        if (word.n)
            fprintf(to, " %.*s", SLICE_FMT(word));
        if (strncmp(line.p + 7 + n, "[COMMAND]", 9) == 0)
            put_names(to);
    }
}

static bool takes_file(const struct option_row *o)
{
    return o->value && (strstr(o->value, "file") || strstr(o->value, "path"));
}

static bool takes_shell(const struct option_row *o)
{
    return o->value && strstr(o->value, "shell");
}

/* `-c|--config|…` of the options for which that holds. */
static void put_cases(FILE *to, bool (*holds)(const struct option_row *))
{
    const char *between = "";
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *o = &option_rows[i];
        if (!holds(o))
            continue;
        fprintf(to, "%s%s", between, o->name);
        if (o->brief)
            fprintf(to, "|%s", o->brief);
        between = "|";
    }
}

static void put_options(FILE *to, const struct command_row *c)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *o = &option_rows[i];
        if (!command_takes(c, o))
            continue;
        fprintf(to, " %s", o->name);
        if (o->brief)
            fprintf(to, " %s", o->brief);
    }
}

/* One case for each command: `run) BEFORE --help -h … AFTER ;;`. */
static void put_commands(FILE *to, const char *before, const char *after)
{
    for (size_t i = 0; i < command_row_count; i++) {
        fprintf(to, "    %s) %s", command_rows[i].name, before);
        put_operands(to, &command_rows[i]);
        put_options(to, &command_rows[i]);
        fprintf(to, "%s ;;\n", after);
    }
}

static void write_bash(FILE *to)
{
    fputs("# Completion of proxyd for bash; made by proxyd help --completion bash\n"
          "_proxyd() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
          "    case ${COMP_WORDS[COMP_CWORD-1]} in\n    ",
          to);
    put_cases(to, takes_file);
    fputs(")\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "        return ;;\n    ",
          to);
    put_cases(to, takes_shell);
    fputs(") COMPREPLY=($(compgen -W '" SHELLS "' -- \"$cur\")); return ;;\n"
          "    esac\n"
          "    case ${COMP_WORDS[1]} in\n",
          to);
    put_commands(to, "words='", "'");
    fputs("    esac\n"
          "    [ \"$COMP_CWORD\" -gt 1 ] || words='",
          to);
    put_names(to);
    fputs("'\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "}\n"
          "complete -F _proxyd proxyd\n",
          to);
}

static void write_zsh(FILE *to)
{
    fputs("#compdef proxyd\n"
          "# Made by proxyd help --completion zsh\n"
          "local -a commands=(\n",
          to);
    for (size_t i = 0; i < command_row_count; i++)
        fprintf(to, "    '%s:%s'\n", command_rows[i].name, command_rows[i].line);
    fputs(")\n"
          "if (( CURRENT == 2 )); then\n"
          "    _describe command commands\n"
          "    return\n"
          "fi\n"
          "case ${words[CURRENT-1]} in\n    ",
          to);
    put_cases(to, takes_file);
    fputs(") _files; return ;;\n    ", to);
    put_cases(to, takes_shell);
    fputs(") compadd " SHELLS "; return ;;\n"
          "esac\n"
          "case ${words[2]} in\n",
          to);
    put_commands(to, "compadd --", "");
    fputs("esac\n", to);
}

static void put_fish_option(FILE *to, const struct command_row *c, const struct option_row *o)
{
    fprintf(to, "complete -c proxyd -n '__fish_seen_subcommand_from %s' -l %s", c->name,
            o->name + 2);
    if (o->brief)
        fprintf(to, " -s %s", o->brief + 1);
    if (takes_file(o))
        fputs(" -r -F", to);
    else if (takes_shell(o))
        fputs(" -x -a '" SHELLS "'", to);
    else if (o->value)
        fputs(" -x", to);
    fputc('\n', to);
}

static void write_fish(FILE *to)
{
    fputs("# Completion of proxyd for fish; made by proxyd help --completion fish\n"
          "complete -c proxyd -f\n",
          to);
    for (size_t i = 0; i < command_row_count; i++) {
        const struct command_row *c = &command_rows[i];
        fprintf(to, "complete -c proxyd -n __fish_use_subcommand -a %s -d '%s'\n", c->name,
                c->line);
        fprintf(to, "complete -c proxyd -n '__fish_seen_subcommand_from %s' -a '", c->name);
        put_operands(to, c);
        fputs("'\n", to);
        for (size_t k = 0; k < option_row_count; k++)
            if (command_takes(c, &option_rows[k]))
                put_fish_option(to, c, &option_rows[k]);
    }
}

bool completion_write(const char *shell, FILE *to)
{
    static const struct {
        const char *name;
        void (*write)(FILE *to);
    } shells[] = { { "bash", write_bash }, { "zsh", write_zsh }, { "fish", write_fish } };
    for (size_t i = 0; i < countof(shells); i++)
        if (strcmp(shell, shells[i].name) == 0) {
            shells[i].write(to);
            return true;
        }
    return false;
}
