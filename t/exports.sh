#!/bin/sh
# SPDX-License-Identifier: MIT
# What the library exports is what its headers declare, to the name.
. "$srcdir/t/tap.sh"

declared() {
    cat "$srcdir"/include/coir/*.h include/coir/version.h |
        tr '\n' ' ' | grep -o 'COIR_API [^;(]*(' | grep -o 'coir_[a-z_]*(' | tr -d '(' | sort -u
}
dll=$(ls .libs/libcoir-*.dll 2> /dev/null)
exported() {
    if [ -n "$dll" ]; then
        ${OBJDUMP:-objdump} -p "$dll" | awk '/Name Pointer\] Table/ { inside = 1; next } /^$/ { inside = 0 } inside { print $NF }' | sort -u
    else
        ${NM:-nm} -D --defined-only .libs/libcoir.so | awk '$2 ~ /^[A-Z]$/ && $2 != "A" { print $3 }' | sort -u
    fi
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
# What Windows shows of the DLL, and what a program that was linked with it needs: nothing but what each Windows has.
resource_version() {
    wanted=$(sed -n 's/^#define COIR_VERSION "\(.*\)"/\1/p' include/coir/version.h)
    strings -el "$dll" | grep -A1 '^ProductVersion$' | grep -qxF "$wanted"
}
system_dlls_only() { ! ${OBJDUMP:-objdump} -p "$dll" | grep 'DLL Name' | grep -viE 'kernel32|msvcrt|api-ms-win-crt|ucrtbase'; }
# Every private name that other objects could see begins with coir__: a static library keeps to its namespace too.
private_names() {
    ! ${NM:-nm} -g --defined-only .libs/libcoir.a | awk 'NF == 3 { print $3 }' | grep -v '^coir_' | grep -v '^\.refptr\.coir_'
}

if ! have nm; then
    skip "exports are what the headers declare" "no nm here"
elif [ ! -f .libs/libcoir.so ] && [ -z "$dll" ]; then
    skip "exports are what the headers declare" "no shared library in this build"
else
    check "exports are what the headers declare" same_names
fi
if [ -n "$dll" ]; then
    check "the DLL has the version as a resource" resource_version
    check "the DLL needs no other than the system's" system_dlls_only
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
