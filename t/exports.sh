#!/bin/sh
# SPDX-License-Identifier: MIT
# What each library exports is what its headers declare, to the name.
. "$srcdir/t/tap.sh"

declared() { # by HEADER...
    cat "$@" | tr '\n' ' ' | grep -o 'COIR_API [^;(]*(' | grep -o 'coir_[a-z_]*(' | tr -d '(' | sort -u
}
dll=$(ls .libs/libcoir-[0-9]*.dll 2> /dev/null)
uv_dll=$(ls .libs/libcoir-uv-*.dll 2> /dev/null)
exported() { # by LIBRARY
    case $1 in *.dll)
        ${OBJDUMP:-objdump} -p "$1" | awk '/Name Pointer\] Table/ { inside = 1; next } /^$/ { inside = 0 } inside { print $NF }' | sort -u ;;
    *)
        ${NM:-nm} -D --defined-only "$1" | awk '$2 ~ /^[A-Z]$/ && $2 != "A" { print $3 }' | sort -u ;;
    esac
}
same_names() { # LIBRARY HEADER...
    exported "$1" > exports.exported
    shift
    declared "$@" > exports.declared
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
core_headers=
for header in "$srcdir"/include/coir/*.h include/coir/version.h; do
    case $header in */uv.h) ;; *) core_headers="$core_headers $header" ;; esac
done
uv_header=$srcdir/include/coir/uv.h

# Every private name that other objects could see begins with coir__: a static library keeps to its namespace too.
private_names() { # of LIBRARY
    ! ${NM:-nm} -g --defined-only "$1" | awk 'NF == 3 { print $3 }' | grep -v '^coir_' | grep -v -e '^\.refptr\.coir_' -e '^DW\.ref\.__'
}

private_uv_names() {
    ! ${NM:-nm} -g --defined-only .libs/libcoir-uv.a | awk 'NF == 3 { print $3 }' | grep -v '^coir_uv_' | grep -v '^\.refptr\.coir_uv_'
}

if ! have nm; then
    skip "exports are what the headers declare" "no nm here"
elif [ ! -f .libs/libcoir.so ] && [ -z "$dll" ]; then
    skip "exports are what the headers declare" "no shared library in this build"
else
    check "exports are what the headers declare" same_names "${dll:-.libs/libcoir.so}" $core_headers
    if [ -f .libs/libcoir-uv.so ] || [ -n "$uv_dll" ]; then
        check "libcoir-uv's exports are what its header declares" same_names "${uv_dll:-.libs/libcoir-uv.so}" "$uv_header"
    fi
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
    check "the static library's names begin with coir_" private_names .libs/libcoir.a
    if [ -f .libs/libcoir-uv.a ]; then
        check "the names of libcoir-uv as a static library begin with coir_uv_" private_uv_names
    fi
fi
plan
