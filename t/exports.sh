#!/bin/sh
# SPDX-License-Identifier: MIT
# What the library exports is what its headers declare, to the name.
. "$srcdir/t/tap.sh"

declared() {
    cat "$srcdir"/include/coir/*.h include/coir/version.h |
        tr '\n' ' ' | grep -o 'COIR_API [^;(]*(' | grep -o 'coir_[a-z_]*(' | tr -d '(' | sort -u
}
exported() {
    nm -D --defined-only .libs/libcoir.so | awk '$2 ~ /^[A-Z]$/ && $2 != "A" { print $3 }' | sort -u
}
same_names() {
    declared > exports.declared
    exported > exports.exported
    [ -s exports.declared ] || { echo "no declarations found"; return 1; }
    diff exports.declared exports.exported
    status=$?
    rm -f exports.declared exports.exported
    return $status
}
# Every private name that other objects could see begins with coir__: a static library keeps to its namespace too.
private_names() {
    ! nm -g --defined-only .libs/libcoir.a | awk 'NF == 3 { print $3 }' | grep -v '^coir_'
}

if ! have nm; then
    skip "exports are what the headers declare" "no nm here"
elif [ ! -f .libs/libcoir.so ]; then
    skip "exports are what the headers declare" "no shared library in this build"
else
    check "exports are what the headers declare" same_names
fi
if [ -n "$T_INSTRUMENTED" ]; then
    skip "the static library's names begin with coir_" "instrumented: the tool adds names"
elif ! have nm; then
    skip "the static library's names begin with coir_" "no nm here"
elif [ ! -f .libs/libcoir.a ]; then
    skip "the static library's names begin with coir_" "no static library in this build"
else
    check "the static library's names begin with coir_" private_names
fi
plan
