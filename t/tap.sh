# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# tap.sh - for test scripts: result lines of the Test Anything Protocol.

count=0

ok()     { count=$((count + 1)); echo "ok $count - $*"; }
not_ok() { count=$((count + 1)); echo "not ok $count - $*"; }
skip()   { count=$((count + 1)); echo "ok $count - $1 # SKIP $2"; }
plan()   { echo "1..$count"; }

# not_again WHAT: with T_FEW=1 (t/run.sh) ends a script that would find again what it has found in another build.
not_again() {
    [ "${T_FEW-}" = 1 ] || return 0
    skip "$1" "T_FEW: the same in every build"
    plan
    exit 0
}

# check NAME COMMAND...: ok if the command succeeds; what it prints is a comment.
check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name"; echo "$output" | sed 's/^/# /'; fi
}

# have PROGRAM: is it there?
have() { command -v "$1" > /dev/null 2>&1; }
