#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [OPTION OF LIBFUZZER]...: fuzzes the library with random calls (operations.h), under AddressSanitizer, with
# clang.
#
#   sh t/fuzz/run.sh -max_total_time=600        ten minutes
#   sh t/fuzz/run.sh -runs=100000               so many programs
#   sh t/fuzz/run.sh crash-1234                 what was found, again; with FUZZ_TRACE=1 call by call
#   sh t/fuzz/run.sh --merge                    adds what is new of $FUZZ_BUILD/found to t/fuzz/corpus
#
# COIR_BACKEND chooses the backend, FUZZ_STACKS=1 has stacks from the program's allocator, FUZZ_BUILD is the folder to
# build in (build/fuzz), FUZZ_CC the compiler.

top=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
build=${FUZZ_BUILD:-$top/build/fuzz}
cc=${FUZZ_CC:-clang}
flags='-g -O1 -fno-omit-frame-pointer -fsanitize=address'

mkdir -p "$build/found" || exit 1
if [ ! -f "$build/Makefile" ]; then
    (cd "$build" && "$top/configure" --disable-shared --without-libuv --without-check \
        CC="$cc" CFLAGS="$flags -fsanitize=fuzzer-no-link") > "$build/configure.out" 2>&1 || {
        echo "cannot configure: see $build/configure.out" >&2
        exit 1
    }
fi
make -C "$build" libcoir.la > "$build/make.out" 2>&1 || { echo "cannot build: see $build/make.out" >&2; exit 1; }
dependency_libs=
. "$build/libcoir.la" # libtool's: what the static library needs
# shellcheck disable=SC2086 # flags and libraries are several words
"$cc" -std=c11 $flags -fsanitize=fuzzer -I"$build/include" -I"$top/include" -I"$top/t/fuzz" "$top"/t/fuzz/*.c \
    "$build/.libs/libcoir.a" $dependency_libs -lpthread -o "$build/fuzz" || exit 1

ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=0}
export ASAN_OPTIONS
case $1 in
    --merge) exec "$build/fuzz" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$top/t/fuzz/corpus" "$build/found" ;;
    -* | '')
        exec "$build/fuzz" -max_len=4096 -len_control=20 -artifact_prefix="$build/" "$@" "$build/found" \
            "$top/t/fuzz/corpus"
        ;;
    *) exec "$build/fuzz" "$@" ;;
esac
