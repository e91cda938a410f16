#!/bin/sh
# SPDX-License-Identifier: MIT
# Forced unwinding of frames in Rust: t/rust_frames.rs.
. "$srcdir/t/tap.sh"

library_is_of_the_same_system() {
    echo 'extern "C" { fn coir_version() -> *const u8; } fn main() { unsafe { coir_version(); } }' |
        $RUSTC -L .libs -l coir -o rust.program - 2> /dev/null && LD_LIBRARY_PATH=$PWD/.libs ./rust.program 2> /dev/null
}

# Says what holds here, or why nothing can be said.
why_not() {
    if [ -n "$TEST_RUNNER$T_INSTRUMENTED" ]; then
        echo "the programs are foreign or instrumented"
    elif [ -z "$RUSTC" ] || ! have "$RUSTC"; then
        echo "no rustc here"
    elif [ ! -f .libs/libcoir.so ]; then
        echo "no shared library in this build"
    elif ! echo 'extern "C-unwind" fn f() {} fn main() { f() }' | $RUSTC -o rust.program - 2> /dev/null; then
        echo "this rustc has no \"C-unwind\""
    elif ! ./rust.program; then
        echo "rustc is for another system"
    elif ! library_is_of_the_same_system; then
        echo "rustc is for another C library"
    fi
}

build() { $RUSTC -O --edition 2018 -L .libs -l coir -o rust.program "$srcdir/t/rust_frames.rs"; }

# run WHAT: its output, and its status when it has ended.
run() {
    ulimit -c 0
    LD_LIBRARY_PATH=$PWD/.libs COIR_BACKEND=$backend ./rust.program "$1" 2> rust.errors
    echo "status $?"
}

prints() { # WHAT EXPECTED
    run "$1" > rust.out 2> /dev/null
    printf "$2" | diff - rust.out
}

# Rust's catch_unwind refuses exceptions of others, and ends the program.
aborts() { # WHAT WORDS
    run "$1" > rust.out 2> /dev/null
    cat rust.out rust.errors
    grep -q '^status 134$' rust.out && ! grep -q 'dropped outer' rust.out && grep -q "$2" rust.errors
}

# To Rust a function of plain "C" never unwinds, so what its callers hold during the call is lost. Whether the function
# lets forced unwinding pass or ends the program is for the version of rustc.
loses_what_is_around() { # WHAT
    run "$1" > rust.out 2> /dev/null
    cat rust.out rust.errors
    grep -q '^dropped inner' rust.out && ! grep -q 'dropped outer' rust.out || return 1
    if grep -q '^status 134$' rust.out; then
        grep -q 'cannot unwind' rust.errors
    else
        grep -q '^destroyed: 0' rust.out && grep -q '^status 0$' rust.out
    fi
}

caught_and_resumed='dropped inner\ncaught: true\nresumed: 1\n'
reason=$(why_not)
if [ -n "$reason" ]; then
    skip "frames in Rust are unwound" "$reason"
else
    check "a program in Rust builds" build
    for backend in $COIR_TEST_BACKENDS; do
        check "[$backend] destroy drops what Rust's frames hold" prints destroy \
            'resumed: 1\ndropped inner\ndropped outer\ndestroyed: 0\nstatus 0\n'
        check "[$backend] exit drops what Rust's frames hold" prints exit \
            'dropped inner\ndropped outer\nresumed: 0\ndestroyed: 0\nstatus 0\n'
        check "[$backend] panics are caught inside of a fiber" prints panic \
            "$caught_and_resumed$caught_and_resumed"'destroyed: 0\nstatus 0\n'
        check "[$backend] what is around a call of a function of plain \"C\" is lost" loses_what_is_around plain
        check "[$backend] catch_unwind aborts" aborts catch 'cannot catch foreign'
    done
fi
rm -f rust.program rust.out rust.errors
plan
