#!/bin/bash
# clang-tidy and cppcheck over the files given; says everything they find, then fails if they did. With
# PROXYD_DEBUG they know what expect() says (proxyd/base/must.h).
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
out=$(printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -n 4 sh -c '
    clang-tidy --quiet "$@" -- -std=c17 -D_GNU_SOURCE -DPROXYD_DEBUG -Iproxyd -I. 2>/dev/null' tidy) || failed=1
[ -z "$out" ] || printf '%s\n' "$out"
cppcheck --quiet --std=c11 -j "${JOBS:-2}" --enable=warning,performance,portability --inline-suppr \
    --suppressions-list=tools/cppcheck.txt --error-exitcode=1 -D_GNU_SOURCE -Iproxyd -I. "$@" || failed=1
echo "lint: $([ $failed = 0 ] && echo clean || echo not clean)"
exit $failed
