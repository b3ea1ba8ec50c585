# Reads every source file and holds it against tests/layers.txt, the first argument:
#   awk -f tests/layers.awk tests/layers.txt FILE...
# Prints one line per violation and "layers: N includes, N files"; exits 1 if there was any.

function fail(where, text)
{
    printf "%s: %s\n", where, text
    failed++
}

function folder_of(path)
{
    return match(path, /\/[^\/]*$/) ? substr(path, 1, RSTART - 1) : "."
}

function name_of(path)
{
    sub(/.*\//, "", path)
    return path
}

# The file that #include "name" in a file of folder means: next to it, else -Iproxyd, else -I. .
function resolve(folder, name)
{
    if ((folder "/" name) in is_file)
        return folder "/" name
    if (("proxyd/" name) in is_file)
        return "proxyd/" name
    if (name in is_file)
        return name
    return ""
}

function rule(    i, folder)
{
    if ($1 == "only" || $1 == "never") {
        for (i = 3; i <= NF; i++)
            library[$1, $2, $i]
        library_rule[$1 " " $2]
    } else if ($1 == "twins") {
        twins[++ntwins] = $2 " " $3
        for (i = 5; i <= NF; i++)
            single[ntwins, $i]
    } else if ($1 == "words") {
        for (i = 3; i <= NF; i++)
            word[$2, $i]
    } else {
        folder = $1
        sub(/:$/, "", folder)
        known[folder]
        may[folder, folder]
        for (i = 2; i <= NF; i++)
            may[folder, $i]
    }
}

function check_system(where, folder, header,    r, part)
{
    for (r in library_rule) {
        split(r, part, " ")
        if (index(header, part[2]) != 1)
            continue
        if (part[1] == "only" && !(("only", part[2], folder) in library))
            fail(where, "<" header "> has no place in " folder)
        if (part[1] == "never" && (("never", part[2], folder) in library))
            fail(where, "<" header "> has no place in " folder)
    }
}

function check_include(where, file, line,    folder, name, target)
{
    folder = folder_of(file)
    if (match(line, /<[^>]*>/)) {
        check_system(where, folder, substr(line, RSTART + 1, RLENGTH - 2))
        return
    }
    if (!match(line, /"[^"]*"/))
        return
    name = substr(line, RSTART + 1, RLENGTH - 2)
    includes++
    target = resolve(folder, name)
    if (target == "") {
        fail(where, "\"" name "\" is no file of the house")
        return
    }
    edge[file, ++edges[file]] = target
    if (!((folder, folder_of(target)) in may) && !((folder, "*") in may))
        fail(where, folder " may not include from " folder_of(target) " (" name ")")
}

# Comments out, identifiers cut at _ and case borders, each part looked up.
function check_words(where, folder, line,    n, i, part, id)
{
    while (match(line, /[A-Za-z_][A-Za-z_0-9]*/)) {
        id = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (id ~ /^FAULT_/)
            continue
        n = split(tolower(id), part, "_")
        for (i = 1; i <= n; i++)
            if ((folder, part[i]) in word)
                fail(where, folder " may not say \"" part[i] "\" (" id ")")
    }
}

function without_comments(line,    at)
{
    if (in_comment) {
        at = index(line, "*/")
        if (!at)
            return ""
        line = substr(line, at + 2)
        in_comment = 0
    }
    while (match(line, /\/\*/)) {
        at = index(substr(line, RSTART + 2), "*/")
        if (!at) {
            in_comment = 1
            return substr(line, 1, RSTART - 1)
        }
        line = substr(line, 1, RSTART - 1) " " substr(line, RSTART + 2 + at + 1)
    }
    sub(/\/\/.*/, "", line)
    return line
}

# Depth first; a file met again while it is still open closes a circle.
function visit(file, trail,    i)
{
    if (state[file] == 2)
        return
    if (state[file] == 1) {
        fail(file, "includes itself:" trail " " file)
        return
    }
    state[file] = 1
    for (i = 1; i <= edges[file]; i++)
        visit(edge[file, i], trail " " file)
    state[file] = 2
}

function check_twins(    i, pair, f, other, a, b)
{
    for (i = 1; i <= ntwins; i++) {
        split(twins[i], pair, " ")
        for (f in is_file) {
            a = folder_of(f)
            b = a == pair[1] ? pair[2] : a == pair[2] ? pair[1] : ""
            other = b "/" name_of(f)
            if (b != "" && !(other in is_file) && !((i, name_of(f)) in single))
                fail(f, "has no twin " other)
        }
    }
}

BEGIN {
    for (i = 2; i < ARGC; i++)
        is_file[ARGV[i]]
}

FILENAME == ARGV[1] {
    if ($0 !~ /^#/ && NF)
        rule()
    next
}

FNR == 1 {
    files++
    in_comment = 0
    if (!(folder_of(FILENAME) in known))
        fail(FILENAME, "its folder is not in tests/layers.txt")
}

/^[ \t]*#[ \t]*include/ {
    check_include(FILENAME ":" FNR, FILENAME, $0)
    if (without_comments($0) || 1)
        next
}

{
    check_words(FILENAME ":" FNR, folder_of(FILENAME), without_comments($0))
}

END {
    for (f in is_file)
        visit(f, "")
    check_twins()
    printf "layers: %d files, %d includes, %d violations\n", files, includes, failed
    exit failed > 0
}
