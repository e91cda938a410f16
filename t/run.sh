#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh PROGRAM: runs a test program once on each backend of this build and joins the results in one TAP stream.
#
#   COIR_TEST_BACKENDS  the backends, separated by blanks
#   T_FEW               1: this is not the first build that is tested. The programs that do the same on each backend, since
#                       they wait for the world or test what is built on fibers (t/compose has all of that on each), run on
#                       the first one only; and what would find the same in every build is left out, by name
#   TEST_RUNNER         a command to run the program with, such as "valgrind --error-exitcode=9"

program=$1
list=$(mktemp) || exit 99
trap 'rm -f "$list"' EXIT

backends=${COIR_TEST_BACKENDS:?}
case $T_FEW:$program in
    # Not those that end in .exe: Windows is tested in one build only.
    1:*/chan | 1:*/exec | 1:*/gen | 1:*/group | 1:*/sync | 1:*/tasks | 1:*/time | 1:*/wait) backends=${backends%% *} ;;
    1:*/uv_loop* | 1:*/uv_pool* | 1:*/uv_processes* | 1:*/uv_streams* | 1:*/uv_udp*) backends=${backends%% *} ;;
esac
for backend in $backends; do
    COIR_BACKEND=$backend
    export COIR_BACKEND
    cases=$($TEST_RUNNER "$program" --count)
    echo "backend $backend"
    case $cases in
        all | [1-9]*) ;;
        *) echo "1..1"; echo "not ok 1 - it does not start"; echo "status 99"; continue ;;
    esac
    if [ "$cases" = all ]; then
        $TEST_RUNNER "$program" 2>&1
        echo "status $?"
    else
        case=1
        while [ "$case" -le "$cases" ]; do
            $TEST_RUNNER "$program" "$case" 2>&1
            echo "status $?"
            case=$((case + 1))
        done
    fi
done > "$list"

# A program that ended badly without saying which case failed, or that ran fewer cases than it planned, is a failure.
awk '
    function result(verdict, text) { printf "%s %d - [%s] %s\n", verdict, ++count, backend, text }
    function name(line) {
        sub(/^(not )?ok [0-9]+ - /, "", line)
        sub(/^[^ ]*:cases:/, "", line)          # libcheck: file:group:case: message
        sub(/: Passed$/, "", line)
        return line
    }
    /^backend / { backend = $2; planned = seen = failed = 0; next }
    /^1\.\./    { planned = substr($0, 4); next }
    /^ok /      { seen++; result("ok", name($0)); next }
    /^not ok /  { seen++; failed++; result("not ok", name($0)); next }
    /^status /  {
        if (seen != planned)
            result("not ok", "ended with status " $2 " after " seen " of " planned " cases")
        else if ($2 != 0 && failed == 0)
            result("not ok", "ended with status " $2 ", all cases passed")
        planned = seen = failed = 0
        next
    }
    { print "# " $0 }
    END { print "1.." count }
' "$list"
