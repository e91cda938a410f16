#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, in every language it promises, with every compiler that is here, all warnings on.
. "$srcdir/t/tap.sh"

flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror -fsyntax-only -I$srcdir/include -Iinclude"
c_flags="-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wc++-compat"
cxx_flags="-Wold-style-cast -Wzero-as-null-pointer-constant"

# compiles COMPILER STANDARD LANGUAGE MORE-FLAGS: all headers, one by one
compiles() {
    for header in coir.h coir/api.h coir/error.h coir/fiber.h coir/local.h coir/stack.h coir/version.h; do
        printf '#include <%s>\ntypedef int not_empty;\n' "$header" | $1 -x "$3" "-std=$2" $flags $4 - || { echo "$header: $1 -std=$2"; return 1; }
    done
}

for compiler in gcc clang; do
    for standard in c99 c11 c17; do
        if have $compiler; then
            check "headers are good $standard to $compiler" compiles $compiler $standard c "$c_flags"
        else
            skip "headers are good $standard to $compiler" "no $compiler here"
        fi
    done
done
for compiler in g++ clang++; do
    for standard in c++11 c++17 c++20; do
        if have $compiler; then
            check "headers are good $standard to $compiler" compiles $compiler $standard c++ "$cxx_flags"
        else
            skip "headers are good $standard to $compiler" "no $compiler here"
        fi
    done
done
plan
