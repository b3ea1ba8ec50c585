# Holds every source file against tests/layers.txt, what it includes and what it calls:
#   awk -f tests/layers.awk tests/layers.txt SYMBOLS FILE...
# SYMBOLS is what `nm -A -P` says of the objects: an undefined symbol is a call (or a look at data) into
# the object that defines it, and the rows that judge includes judge that too.
# Prints one line per violation and the sums; exits 1 if there was any.

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

function without_ending(path)
{
    sub(/\.[a-z]+$/, "", path)
    return path
}

# Where a file belongs: the room that it is listed in, else its folder.
function room_of(file)
{
    return without_ending(file) in listed ? listed[without_ending(file)] : folder_of(file)
}

# May the room use that file? Items of its row are a room, ROOM/NAME, or, for includes alone, ROOM/NAME.h
# and ROOM/*.h.
function may_use(room, file,    to)
{
    to = room_of(file)
    return (room, to) in may || (room, "*") in may || (room, to "/" without_ending(name_of(file))) in may ||
           file ~ /\.(h|tbl)$/ && ((room, to "/" name_of(file)) in may || (room, to "/*.h") in may)
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
    } else if ($1 == "room") {
        has_rooms[$3]
        for (i = 4; i <= NF; i++)
            listed[$3 "/" $i] = $2
    } else if ($1 == "but") {
        for (i = 3; i <= NF; i++)
            excepted[$2, $i]
    } else if ($1 == "place") {
        for (i = 3; i <= NF; i++)
            placed[$2, $i]
        phrase[$2]
    } else if ($1 == "words") {
        has_words[$2]
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
    if (!may_use(room_of(file), target) && !((file, room_of(target)) in excepted))
        fail(where, room_of(file) " may not include from " room_of(target) " (" name ")")
}

# "OBJECT: SYMBOL TYPE …", the object named like its source.
function read_symbol(    file)
{
    file = $1
    sub(/\.o:$/, ".c", file)
    if ($3 == "U")
        call[++calls] = file " " $2
    else if ($3 ~ /^[A-Z]$/)
        defined_in[$2] = file
}

function check_calls(    i, part, to, a, b)
{
    for (i = 1; i <= calls; i++) {
        split(call[i], part, " ")
        if (!(part[2] in defined_in))
            continue
        inner++
        to = defined_in[part[2]]
        a = room_of(part[1])
        b = room_of(to)
        if ((part[1], b) in excepted)
            continue
        if (!may_use(a, to))
            fail(part[1], a " may not call " b " (" part[2] " of " to ")")
        if (a != b && !((a, "*") in may) && !((a, b) in called)) {
            called[a, b]
            edge[a, ++edges[a]] = b
        }
    }
}

function check_phrases(where, file, line,    p)
{
    for (p in phrase)
        if (index(line, p) && !((p, file) in placed))
            fail(where, "\"" p "\" has no place here")
}

# Comments out, identifiers cut at _ and case borders, each part looked up: words of a folder hold below it
# as well.
function check_words(where, folder, line,    n, i, part, id)
{
    while (!(folder in has_words) && folder != ".")
        folder = folder_of(folder)
    if (!(folder in has_words))
        return
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
        fail(file, "comes back to itself:" trail " " file)
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
    for (i = 3; i < ARGC; i++)
        is_file[ARGV[i]]
}

FILENAME == ARGV[1] {
    if ($0 !~ /^#/ && NF)
        rule()
    next
}

FILENAME == ARGV[2] {
    read_symbol()
    next
}

FNR == 1 {
    files++
    in_comment = 0
    if (!(room_of(FILENAME) in known))
        fail(FILENAME, "its folder is not in tests/layers.txt")
    if (folder_of(FILENAME) in has_rooms && !(without_ending(FILENAME) in listed))
        fail(FILENAME, "is in no room of tests/layers.txt")
}

/^[ \t]*#[ \t]*include/ {
    check_include(FILENAME ":" FNR, FILENAME, $0)
    if (without_comments($0) || 1)
        next
}

{
    text = without_comments($0)
    check_words(FILENAME ":" FNR, folder_of(FILENAME), text)
    check_phrases(FILENAME ":" FNR, FILENAME, text)
}

END {
    check_calls()
    for (f in is_file)
        visit(f, "")
    for (r in known)
        visit(r, "")
    check_twins()
    if (!inner) # an empty list of symbols would pass in silence
        fail(ARGV[2], "tells of no call")
    printf "layers: %d files, %d includes, %d calls, %d violations\n", files, includes, inner, failed
    exit failed > 0
}
