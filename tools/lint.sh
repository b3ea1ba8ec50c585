#!/bin/bash
# What reads the C without running it: says all that it finds, then fails if that is anything.
#   tools/lint.sh cppcheck FILE...   twenty seconds of a core
#   tools/lint.sh all FILE...        clang-tidy as well, some minutes
# With PROXYD_DEBUG both know what expect() says (proxyd/base/must.h).
set -uo pipefail
cd "$(dirname "$0")/.."
JOBS=${JOBS:-2}
kind=$1
shift
failed=0
defines="-D_GNU_SOURCE -DPROXYD_DEBUG -Iproxyd -I."
if [ "$kind" = all ]; then
    printf '%s\n' "$@" | xargs -P "$JOBS" -n 4 sh -c "
        clang-tidy --quiet \"\$@\" -- -std=c17 $defines 2>/dev/null" tidy || failed=1
fi
# By two at least: alone it would look through calls as well, and take what a call fills in for never set.
cppcheck --quiet --std=c11 -j $((JOBS < 2 ? 2 : JOBS)) --enable=warning,performance,portability --inline-suppr \
    --suppressions-list=tools/cppcheck.txt --error-exitcode=1 $defines "$@" || failed=1
echo "lint: $([ $failed = 0 ] && echo clean || echo not clean)"
exit $failed
