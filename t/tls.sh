#!/bin/sh
# SPDX-License-Identifier: MIT
# The addresses of coir/tls.h are fresh also where the compiler sees the whole program at once: the cases of t/movable,
# optimised at link time.
. "$srcdir/t/tap.sh"

program=tls_lto
trap 'rm -f "$program" "$program.c"' EXIT

library=.libs/libcoir.so
[ -f "$library" ] || library=.libs/libcoir.a

build() {
    # shellcheck disable=SC2086
    $CC $CFLAGS -O3 -flto -I"$srcdir/include" -Iinclude -I"$srcdir/t" "$@" -o "$program" "$library" \
        -Wl,-rpath,"$(pwd)/.libs" -lpthread -lm
}
build_empty() { echo 'int main(void) { return 0; }' > "$program.c" && build "$program.c"; }
build_movable() { build "$srcdir/t/movable.c" "$srcdir/t/t_run.c" "$srcdir/t/t_posix.c"; }

# Each case in a process of its own.
runs() { # BACKEND
    cases=$(./"$program" --count) || return 1
    case=1
    while [ "$case" -le "$cases" ]; do
        COIR_BACKEND=$1 ./"$program" "$case" || return 1
        case=$((case + 1))
    done
}

name="t/movable can be optimised at link time"
if [ -n "$TEST_RUNNER" ] || [ -n "$T_INSTRUMENTED" ]; then
    skip "$name" "the program would run under a tool, or on another system"
elif ! build_empty > /dev/null 2>&1; then
    skip "$name" "$CC does not optimise at link time here"
else
    check "$name" build_movable
    for backend in $COIR_TEST_BACKENDS; do
        check "[$backend] then all of it holds" runs "$backend"
    done
fi
plan
