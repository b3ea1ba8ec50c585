#!/bin/bash
# Runs one kind of test and counts it; `all` runs every kind and adds up. Called by the Makefile:
#   tests/run.sh units VARIANT PROGRAM...      cmocka programs
#   tests/run.sh layers [PROGRAM]              the house rules; PROGRAM is the core with the echo role
#   tests/run.sh documents                    manual, covered keys, links, places of the mutants
#   tests/run.sh fuzz SECONDS PROGRAM...       0: without end; short: SHORT seconds for all together
#   tests/run.sh e2e VARIANT [PYTEST-ARGUMENT...]
#   tests/run.sh smoke                         a good part of e2e in a few seconds
#   tests/run.sh all
# Every kind ends in a line `KIND: N passed, N failed`, also left in $BUILD/results for the sum, where
# times-KIND has what each test took, "SECONDS NAME" a line.
set -uo pipefail
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
PYTHON=${PYTHON:-/usr/bin/python3}
JOBS=${JOBS:-$(nproc)}
MAKE=${MAKE:-make}
results=$BUILD/results
mkdir -p "$results"

export ASAN_OPTIONS=detect_stack_use_after_return=1:detect_leaks=1:exitcode=99
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode=98
export TSAN_OPTIONS=exitcode=97:second_deadlock_stack=1

# More than so many that failed on time in one stage are no chance: none of them is tried again.
CHANCE=10

# verdict KIND PASSED FAILED [SKIPPED UNSTEADY]
verdict() {
    echo "$1 $2 $3 ${4:-0} ${5:-0}" >"$results/verdict-$1"
    echo "$1: $2 passed, $3 failed${4:+, $4 skipped, $5 unsteady}"
    [ "$3" = 0 ]
}

# told VARIANT FILE...: the failures in cmocka's XML, each with its test, and all else that a file says
# when it ends otherwise than by a failed test; counts both. In .failed-units-VARIANT each test that
# failed and the line where it did, "FOLDER.FILE:TEST SOURCE LINE", but for files in which more was wrong.
told() {
    : >"$results/.failed-units-$1"
    awk 'FNR == 1 { name = FILENAME; sub(/.*\//, "", name); bad = 0; other = places = "" }
         /<testcase / { split($0, part, "\""); test = part[2]; cases++
                        print part[4], name ":" test > times }
         /<(failure|error)>/ { bad++; failed++; text = 1; sub(/.*CDATA\[/, ""); print "--- " name ": " test }
         text { text = !sub(/\]\]>.*/, ""); print
                if (/^tests.*:[0-9]+: error/) { split($0, part, ":"); places = places name ":" test " " part[1] " " part[2] "\n" }
                next }
         /^exit / && $2 == bad { printf "%s", places > where }
         /^exit / && !bad { failed++; print "--- " name ": " $0 other; next }
         !/^ *<|^$/ { other = other "\n" $0 }
         END { print cases - failed + 0, failed + 0 > verdict }' \
        times="$results/times-units-$1" verdict="$results/.units-$1" where="$results/.failed-units-$1" "${@:2}"
}

# units_again VARIANT: as `again` below, for unit tests that failed at a line that compares a time.
units_again() {
    local name source line file all=$results/.failed-units-$1
    : >"$results/unsteady-units-$1"
    while read -r name source line; do
        file=${name%%:*}
        sed -n "${line}p" "$source" | grep -qE 'took|worst|clock_|late\b' || continue
        if [ "$(wc -l <"$all")" -le $CHANCE ] &&
            timeout 120 "$BUILD/$1/units/${file%%.*}" "${file#*.}" "${name##*:}" >/dev/null 2>&1 </dev/null; then
            mended=$((mended + 1))
            printf '%s\t%s\n' "$name" "$source:$line" >>"$results/unsteady-units-$1"
        fi
    done <"$all"
}

# stalled: microseconds for which any task of this machine has waited for a core, where the kernel tells.
stalled() {
    local words=()
    [ -r /proc/pressure/cpu ] && read -ra words </proc/pressure/cpu
    echo "${words[4]:-total=0}" | tr -dc 0-9
}

# seconds_alone VARIANT FOLDER.FILE:TEST: what it takes when nothing else is tested, less the time in which a task
# waited for a core, as in tests/e2e/lib/slow.py.
seconds_alone() {
    local file=${2%%:*} before
    before=$(stalled)
    CMOCKA_MESSAGE_OUTPUT=XML timeout 120 "$BUILD/$1/units/${file%%.*}" "${file#*.}" "${2##*:}" 2>&1 |
        awk -v before="$before" '/<testcase / { split($0, part, "\""); seconds = part[4] }
            END { "cat /proc/pressure/cpu 2>/dev/null" | getline; sub(/.*total=/, "")
                  print seconds - ($0 - before) / 1e6 }'
}

# A test that takes more than two seconds (five with a sanitizer) says why: `slow: …` in the comment
# above it. How many do not say.
unmarked_slow() {
    local limit=$((2 * ${SLOW:-1})) seconds name file count=0
    [ "$1" = release ] || limit=5
    while read -r seconds name; do
        file=${name%%:*}
        # A program is named by its folder: core-conn by core/conn.
        file=tests/unit/$(tr - / <<<"${file%%.*}")/${file#*.}.c
        awk -v test="${name##*:}" '/^$/ { said = 0 } /slow: ./ { said = 1 }
            $0 ~ "^static void " test "\\(" { exit !said }' "${file/\/top\///}" && continue
        seconds=$(seconds_alone "$1" "$name")
        awk -v s="$seconds" -v limit=$limit 'BEGIN { exit s > limit }' && continue
        echo "--- $name took $seconds s, $limit s are allowed: make it faster, or say why not (slow: …)"
        count=$((count + 1))
    done < <(awk -v limit=$limit '$1 > limit' "$results/times-units-$1")
    return $count
}

# Each file is a process, and most of them sleep most of the time: twice as many as there are cores.
units() {
    local variant=$1 out=$results/units-$1.d program file passed failed mended=0
    shift
    rm -rf "$out" && mkdir -p "$out"
    for program; do
        for file in $("$program" --files); do echo "$program" "$file" "$out/${program##*/}.$file"; done
    done | xargs -P $((JOBS * 2)) -n 3 sh -c \
        'CMOCKA_MESSAGE_OUTPUT=XML timeout 120 "$0" "$1" >"$2" 2>&1 || echo "exit $?" >>"$2"'
    told "$variant" "$out"/*
    slowest "units-$variant"
    read -r passed failed <"$results/.units-$variant"
    units_again "$variant"
    unmarked_slow "$variant" || failed=$((failed + $?))
    told_unsteady "$results/unsteady-units-$variant"
    verdict "units-$variant" $((passed + mended)) $((failed - mended)) 0 $mended
}

layers() {
    local passed=0 failed=0
    local files
    mapfile -t files < <(find proxyd filters policy pac admin -name '*.[ch]' -o -name '*.tbl')
    (cd "$BUILD/release" && printf '%s\n' "${files[@]}" | sed -n 's/\.c$/.o/p' | xargs nm -A -P) >"$results/symbols"
    if awk -f tests/layers.awk tests/layers.txt "$results/symbols" "${files[@]}"; then
        passed=1
    else
        failed=1
    fi
    if [ $# -gt 0 ]; then
        # What a direction costs to write is told by its smallest one.
        if [ "$(wc -l <tests/echo_role.c)" -le 80 ]; then passed=$((passed + 1)); else
            echo "tests/echo_role.c: $(wc -l <tests/echo_role.c) lines, 80 are the limit"
            failed=$((failed + 1))
        fi
        if timeout 30 "$1"; then passed=$((passed + 1)); else
            echo "the core with the echo role alone does not work"
            failed=$((failed + 1))
        fi
    fi
    verdict layers $passed $failed
}

# A key is covered by a line `# covers: KEY[, KEY…]` in an end-to-end test; a block by what is in it.
documents() {
    local passed=0 failed=0 keys marks bad
    if "$BUILD/proxyd" reference | diff -u docs/reference.md - >"$results/reference.diff"; then
        passed=1
    else
        failed=1
        echo "docs/reference.md is not current; 'make reference' writes it"
        head -n 20 "$results/reference.diff"
    fi
    keys=$("$BUILD/proxyd" reference --keys | sort -u)
    marks=$(grep -rhoP '#\s*covers:\s*\K.*' tests/e2e --include='*.py' | tr ',' '\n' |
        sed 's/^ *//; s/ *$//' | sort -u)
    bad=$(awk 'NR == FNR { key[$0]; for (n = $0; sub(/ [^ ]*$/, "", n);) block[n]; next }
               !($0 in key) { print "no such key is to be covered: " $0; next }
               { covered[$0] }
               END { for (k in key) if (!(k in covered) && !(k in block)) print "no test covers: " k }' \
        <(echo "$keys") <(echo "$marks") | sort)
    if [ -z "$bad" ]; then passed=$((passed + 1)); else
        echo "$bad"
        failed=$((failed + 1))
    fi
    if "$PYTHON" -B tests/links.py; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    if "$PYTHON" -B tests/mutants/run.py --places; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    verdict documents $passed $failed
}

# fuzz_one SECONDS PROGRAM: its own folder keeps what it learned, the seeds stay untouched.
fuzz_one() {
    local name=${2##*/fuzz_} limit="-max_total_time=$1" dict=
    local learned=$BUILD/fuzz/corpus/$name
    [ "$1" = 0 ] && limit=
    [ -e "tests/fuzz/$name.dict" ] && dict=-dict=tests/fuzz/$name.dict
    local seeds=$BUILD/fuzz/seeds/$name # made from the tables of other tests
    mkdir -p "$learned" "tests/fuzz/corpus/$name" "$seeds" "$BUILD/fuzz/found"
    ASAN_OPTIONS= UBSAN_OPTIONS=print_stacktrace=1 "$2" $limit $dict -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=0 -verbosity=0 -artifact_prefix="$BUILD/fuzz/found/$name-" \
        "$learned" "tests/fuzz/corpus/$name" "$seeds" >"$BUILD/fuzz/$name.log" 2>&1
    local rc=$?
    if [ $rc != 0 ]; then
        echo "--- fuzz $name (exit $rc), input in $BUILD/fuzz/found"
        tail -n 40 "$BUILD/fuzz/$name.log"
        return 1
    fi
    echo "fuzz $name: nothing found in ${1} s"
}

# So that a new fuzzer makes `make test` no longer; none has less than 5 s.
SHORT=130

fuzz() {
    local seconds=$1 program passed=0 failed=0
    shift
    if [ "$seconds" = short ]; then
        seconds=$((SHORT / $#))
        [ "$seconds" -ge 5 ] || seconds=5
    fi
    "$PYTHON" -B tests/fuzz/seeds.py "$BUILD/fuzz/seeds/splits" || { verdict fuzz 0 1; return; }
    if [ "$seconds" = 0 ]; then
        [ $# = 1 ] && { fuzz_one 0 "$1"; return; }
        while :; do for program; do fuzz_one 300 "$program" || return; done; done
    fi
    for program; do
        while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
        (fuzz_one "$seconds" "$program" && touch "$results/.fuzz-${program##*/}") &
    done
    wait
    for program; do
        if [ -e "$results/.fuzz-${program##*/}" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
        rm -f "$results/.fuzz-${program##*/}"
    done
    verdict fuzz $passed $failed
}

# e2e VARIANT [PYTEST-ARGUMENT...]: without arguments the whole suite, as far as this variant can tell
# (tests/e2e/lib/selection.py).
e2e() {
    local variant=$1
    shift
    if [ $# -gt 0 ]; then
        pytests "e2e-$variant" "$variant" 1 "$@"
    else
        E2E_WHOLE=1 pytests "e2e-$variant" "$variant" $((JOBS * 2)) tests/e2e
    fi
}

smoke() {
    pytests smoke release "$JOBS" -m 'smoke and not slow' tests/e2e
}

# pytests KIND VARIANT PROCESSES PYTEST-ARGUMENT...: most tests wait most of the time, so there are more
# processes than cores. With four for two cores, those were idle for more than half of the time.
pytests() {
    local kind=$1 variant=$2 processes=$3 n passed=0 failed=0 skipped=0 mended=0 unsteady=0 p f k
    shift 3
    case $variant in
    release) PROXYD=$BUILD/proxyd SANITIZER= ;;
    *) PROXYD=$BUILD/$variant/bin/proxyd SANITIZER=$variant SLOW=${SLOW:-5} ;;
    esac
    PROXYD=$(realpath "$PROXYD") SLOW=${SLOW:-2}
    export PROXYD SANITIZER SLOW E2E_GREEN=$BUILD/green PYTHONPYCACHEPREFIX=$BUILD/pycache
    local claims=$results/.claims-$kind
    rm -rf "$claims" && mkdir -p "$claims"
    for ((n = 1; n <= processes; n++)); do pytest_process "$kind" "$n" "$claims" "$@" & done
    wait
    for ((n = 1; n <= processes; n++)); do
        read -r p f k <"$results/.$kind-$n"
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + k))
    done
    for ((n = 1; n <= processes; n++)); do cat "$results/.times-$kind-$n"; done >"$results/times-$kind"
    again "$kind" "$processes"
    slowest "$kind"
    told_unsteady "$results/unsteady-$kind"
    verdict "$kind" $((passed + mended)) $((failed - mended)) $skipped $unsteady
}

# again KIND PROCESSES: tries each test once more, by itself, that failed on time alone or took too long beside others
# (tests/e2e/lib/unsteady.py), and notes in $results/unsteady-KIND those that pass now: TEST<tab>WHY, without WHY
# when it was only slow. Counts in the caller's mended all that pass now, in unsteady those that had failed.
again() {
    local kind=$1 processes=$2 how test why n
    local all=$results/.again-$kind report=$results/$kind-again.txt
    : >"$results/unsteady-$kind"
    for ((n = 1; n <= processes; n++)); do cat "$results/.again-$kind-$n" 2>/dev/null; done >"$all"
    if [ "$(grep -c '^time ' "$all")" -gt $CHANCE ]; then
        echo "$(grep -c '^time ' "$all") tests failed on time, which is no chance: none is tried again"
        return
    fi
    while IFS=$'\t' read -r test why; do
        how=${test%% *} test=${test#* }
        if E2E_TIMES='' E2E_VERDICT='' \
            "$PYTHON" -m pytest -q --tb=short "tests/e2e/$test" >"$report" 2>&1 </dev/null; then
            mended=$((mended + 1))
            if [ "$how" = long ]; then why=; else unsteady=$((unsteady + 1)); fi
            printf '%s\t%s\n' "$test" "$why" >>"$results/unsteady-$kind"
        else
            echo "--- $test failed again, by itself"
            cat "$report"
        fi
    done <"$all"
}

# told_unsteady FILE...: what `again` has noted.
told_unsteady() {
    awk -F '\t' '$2 { print "unsteady: " $1 ": " $2; next } { print "slow only beside others: " $1 }' "$@"
}

pytest_process() {
    local kind=$1 n=$2 claims=$3 report rc passed=0 failed=0 skipped=0 again=$results/.again-$1-$2
    shift 3
    report=$results/$kind-$n.txt
    rm -f "$results/.$kind-$n" "$again"
    : >"$results/.times-$kind-$n"
    E2E_AGAIN=$again E2E_CLAIMS=$claims E2E_TIMES=$results/.times-$kind-$n E2E_VERDICT=$results/.$kind-$n \
        "$PYTHON" -m pytest -q --tb=short "$@" >"$report" 2>&1
    rc=$?
    [ ! -e "$results/.$kind-$n" ] || read -r passed failed skipped <"$results/.$kind-$n"
    [ $rc = 0 ] || [ "$failed" != 0 ] || failed=1
    echo "$passed $failed $skipped" >"$results/.$kind-$n"
    # What is tried again tells itself when it fails again.
    if [ "$failed" -gt "$(cat "$again" 2>/dev/null | wc -l)" ]; then cat "$report"; else
        grep -E '^SKIPPED' "$report"
        tail -n 1 "$report"
    fi
}

# slowest [KIND]: the ten slowest tests, without KIND of all.
slowest() {
    local file
    echo "slowest:"
    for file in "$results"/times-${1:-*}; do sed "s/\$/ (${file##*/times-})/" "$file"; done |
        sort -rn | head -n 10 | sed 's/^/  /'
}

all() {
    local started=$SECONDS failed=0 m="$MAKE --no-print-directory"
    rm -rf "$results" && mkdir -p "$results"
    stage() { echo "== $1 ($((SECONDS - started)) s)"; shift; "$@" || failed=1; }
    stage "build" $m -j"$JOBS" all build-tests || { echo "test: the build failed"; return 1; }
    [ $failed = 0 ] || { echo "test: the build failed"; return 1; }
    stage "units" $m units units-asan units-tsan
    stage "layers" $m layers
    stage "documents" $m documents
    stage "fuzz" $m fuzz-short
    stage "end to end" $m e2e
    stage "end to end, address and undefined behaviour" $m asan
    stage "end to end, threads" $m tsan
    echo "== $((SECONDS - started)) s"
    slowest
    told_unsteady "$results"/unsteady-*
    cat "$results"/verdict-* |
        awk 'function more(n, what) { return n ? ", " n " " what : "" }
             { printf "%-14s %5d passed, %d failed%s%s\n", $1, $2, $3, more($4, "skipped"), more($5, "unsteady")
               p += $2; f += $3; s += $4; u += $5 }
             END { printf "test: %d passed, %d failed%s%s\n", p, f, more(s, "skipped"), more(u, "unsteady") }'
    return $failed
}

kind=$1
shift
case $kind in
units | layers | documents | fuzz | e2e | smoke | all) "$kind" "$@" ;;
*) sed -n '3,10s/^# *//p' "$0" >&2; exit 2 ;;
esac
