#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh: builds each peer that can be built here, and says which cannot. In the environment:
#
#   srcdir, builddir   the top folders of the sources and of the build
#   CC CXX GO RUSTC    compilers, with their options; one that is not there leaves its peers out
#   host               "windows" for the peers that are for Windows
#
# What is up to date stays.
#
# A compiler is a list of words, such as `ccache gcc`:
# shellcheck disable=SC2086

sources=$srcdir/bench/peers
out=$builddir/bench/peers
contender=$builddir/bench/.libs/libcontender.a
mkdir -p "$out"
out=$(cd "$out" && pwd)

no_compiler() {
    echo 'there is no compiler for it'
    return 1
}

is_newer() { # PROGRAM SOURCES...
    program=$1
    shift
    [ -f "$program" ] || return 1
    for source; do
        if [ "$source" -nt "$program" ]; then return 1; fi
    done
}

# peer NAME SOURCE COMMAND...: the command makes the program, whose name is added to it.
peer() {
    program=$out/$1
    source=$sources/$2
    name=$1
    shift 2
    if is_newer "$program" "$source" "$contender" "$sources/../contender.h" "$sources"/*.h "$sources/build.sh"; then
        return
    fi
    rm -f "$program"
    if "$@" -o "$program" > "$out/$name.log" 2>&1; then
        echo "  PEER     $name"
        rm -f "$out/$name.log"
    else
        echo "  PEER     $name: not to be had here: see bench/peers/$name.log"
    fi
}

# in_c NAME LIBRARIES..., in_cxx NAME LIBRARIES...: contenders that contender.c has the main of.
in_c() {
    name=$1
    shift
    peer "$name" "$name.c" $CC -std=c11 -O2 "$sources/$name.c" "$contender" "$@"
}
in_cxx() {
    name=$1
    shift
    peer "$name" "$name.cc" ${CXX:-no_compiler} -std=c++20 -O2 "$sources/$name.cc" "$contender" "$@"
}

if [ "$host" = windows ]; then
    peer windows_fiber.exe windows_fiber.c $CC -std=c11 -O2 "$sources/windows_fiber.c" "$contender"
    exit 0
fi

# As libco would be: in a shared library.
peer libco_style_switch.so libco_style_switch.c \
    $CC -std=c11 -O2 -fPIC -shared -Wl,-soname,libco_style_switch.so "$sources/libco_style_switch.c"
in_c libco_style "$out/libco_style_switch.so" "-Wl,-rpath,$out"
in_c fcontext -lboost_context
in_c ucontext
in_c pages
in_c pth -lpth
in_c state_threads -lst
in_cxx boost_coroutine2 -lboost_context
in_cxx boost_fiber -lboost_fiber -lboost_context
in_cxx cxx20
peer stackless stackless.rs \
    ${RUSTC:-no_compiler} -C opt-level=3 -C lto=fat -C codegen-units=1 --edition 2021 "$sources/stackless.rs"
go_build() { # -o PROGRAM: go wants the source last
    GO111MODULE=off GOCACHE="$out/go-cache" ${GO:-no_compiler} build "$@" "$sources/goroutines.go"
}
peer goroutines goroutines.go go_build
rm -rf "$out/go-cache"
[ "$sources/coroutines.lua" -ef "$out/coroutines.lua" ] || cp "$sources/coroutines.lua" "$out"
