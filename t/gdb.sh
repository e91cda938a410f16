#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb's bt from inside a nested fiber: to main on the assembly backend, and never "Backtrace stopped".
. "$srcdir/t/tap.sh"

# The case's own code is run in gdb's process (CK_FORK=no); leaf is where the walks of t/walk.c are made.
backtrace_of() {
    COIR_BACKEND=$1 CK_FORK=no gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'set confirm off' \
        -ex 'break leaf' -ex run -ex bt --args t/walk "$2" 2>&1 < /dev/null
}
ends_cleanly() {
    output=$(backtrace_of "$1" "$2")
    echo "$output"
    echo "$output" | grep -q 'inner_body' || return 1
    ! echo "$output" | grep -Eq 'Backtrace stopped|previous frame|corrupt'
}
reaches_main() {
    ends_cleanly "$@" && echo "$output" | grep -q 'outer_body' && echo "$output" | grep -q ' main '
}

for backend in $COIR_TEST_BACKENDS; do
    for case in 1 2 4; do
        name="[$backend] gdb's bt in case $case of t/walk"
        if [ "${TEST_RUNNER#*wine}" != "$TEST_RUNNER" ]; then
            skip "$name" "gdb does not know wine's processes"
        elif [ -n "$TEST_RUNNER" ]; then
            skip "$name" "the program runs under $TEST_RUNNER"
        elif ! have gdb; then
            skip "$name" "no gdb here"
        elif [ ! -x t/walk ]; then
            skip "$name" "t/walk cannot be built here"
        elif ! gdb -nx -batch -ex run --args true 2> /dev/null | grep -q 'exited normally'; then
            skip "$name" "gdb may not trace processes here"
        elif [ -n "$T_INSTRUMENTED" ]; then
            skip "$name" "instrumented"
        elif [ "$backend" = asm ]; then
            check "$name reaches main" reaches_main "$backend" "$case"
        else
            check "$name ends cleanly" ends_cleanly "$backend" "$case"
        fi
    done
done
plan
