# Lengths and jumps: a file has at most 410 lines (400 is the aim) and begins with a comment, a function has at most
# 45 lines, goto only leads forward to out:. Functions are found by their braces in column 0.
function fail(where, text)
{
    printf "%s: %s\n", where, text
    failed++
}

function end_of_file()
{
    if (last && lines > 410)
        fail(last, lines " lines, 410 are the limit")
}

FNR == 1 {
    end_of_file()
    last = FILENAME
    body = 0
    if ($0 !~ /^\/\*/ && $0 !~ /^#include "/)
        fail(FILENAME ":1", "does not begin with a comment that says what it is for")
}

{ lines = FNR }

/\t/ { fail(FILENAME ":" FNR, "a tab") }
{
    columns = length($0)
    if (columns > 100) { # bytes, so far: those that continue a character are no columns
        line = $0
        columns -= gsub(/[\200-\277]/, "", line)
    }
    if (columns > 100)
        fail(FILENAME ":" FNR, columns " columns, 100 are the limit")
}
/^[ ]*goto / && !/goto out;/ { fail(FILENAME ":" FNR, "goto to another place than out:") }
/^\{/ { body = FNR }
/^\}/ {
    if (body && FNR - body > 45)
        fail(FILENAME ":" body, "a function of " (FNR - body) " lines, 45 are the limit")
    body = 0
}

END {
    end_of_file()
    printf "style: %d violations\n", failed
    exit failed > 0
}
