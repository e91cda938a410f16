#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, in every language it promises, with every compiler that is here, all warnings on.
. "$srcdir/t/tap.sh"

# The C of the Windows Fibers backend, and all that is portable: no extension either. The headers of Windows are mingw's.
plain_c() {
    for file in "$srcdir"/lib/*.c "$srcdir"/lib/win32/os.c "$srcdir"/lib/win32/pages.c "$srcdir"/lib/win32/tools.c \
        "$srcdir"/lib/win32/event.c "$srcdir"/lib/win32/walk.c "$srcdir"/lib/win32/module.c \
        "$srcdir"/lib/win32/crash.c "$srcdir"/lib/win32/backend_winfiber.c "$srcdir"/lib/win32/switch_winfiber.c; do
        clang --target=x86_64-w64-mingw32 -std=c11 -Wall -Wpedantic -Wgnu -Werror -fsyntax-only -I. -Iinclude \
            -I"$srcdir/include" -I"$srcdir/lib" -I"$srcdir/lib/win32" "$file" || return 1
    done
}
name="the C of the Windows Fibers backend uses no extension of gcc's"
case $COIR_TEST_BACKENDS in
    *winfiber*)
        if have clang; then check "$name" plain_c; else skip "$name" "no clang here"; fi ;;
esac

not_again "the headers in every language"

flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror -fsyntax-only -I$srcdir/include -Iinclude"
c_flags="-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wc++-compat"
cxx_flags="-Wold-style-cast -Wzero-as-null-pointer-constant"

# compiles COMPILER STANDARD LANGUAGE MORE-FLAGS: all headers, one by one
compiles() {
    for header in coir.h coir/api.h coir/chan.h coir/debug.h coir/error.h coir/exceptions.h coir/exec.h coir/fiber.h \
        coir/gen.h coir/local.h coir/stack.h coir/sync.h coir/time.h coir/tls.h coir/version.h coir/wait.h; do
        printf '#include <%s>\ntypedef int not_empty;\n' "$header" | $1 -x "$3" "-std=$2" $flags $4 - || { echo "$header: $1 -std=$2"; return 1; }
    done
    printf '%s\n' "$thread_locals" | $1 -x "$3" "-std=$2" $flags $4 - ||
        { echo "thread-local variables: $1 -std=$2"; return 1; }
}

# What coir/tls.h makes of each sort of type has to be good, too.
thread_locals='#include <coir/tls.h>
typedef double row[4];
typedef int function(int);
extern long others;
int use(int n);
COIR_THREAD_LOCAL(int, depth);
COIR_THREAD_LOCAL(const char *, text);
COIR_THREAD_LOCAL(row, numbers);
COIR_THREAD_LOCAL(function *, callee);
COIR_THREAD_LOCAL_DECLARE(row, shared);
COIR_THREAD_LOCAL_DEFINE(row, shared);
COIR_THREAD_LOCAL_OTHER(long, own, others);
int use(int n)
{
    *COIR_THREAD_LOCAL_ADDRESS(depth) += n;
    *COIR_THREAD_LOCAL_ADDRESS(text) = "text";
    (*COIR_THREAD_LOCAL_ADDRESS(shared))[n] = (*COIR_THREAD_LOCAL_ADDRESS(numbers))[n];
    ++*COIR_THREAD_LOCAL_ADDRESS(own);
    return (*COIR_THREAD_LOCAL_ADDRESS(callee))(n);
}'

# libuv's header uses what POSIX has, which a compiler that is told to be strict hides.
compiles_uv() { # COMPILER STANDARD LANGUAGE MORE-FLAGS
    printf '#include <coir/uv.h>\ntypedef int not_empty;\n' | $1 -x "$3" "-std=$2" -D_GNU_SOURCE $flags $4 -
}
check_uv() { # COMPILER STANDARD LANGUAGE MORE-FLAGS
    name="coir/uv.h is good $2 to $1"
    if ! have "$1"; then
        skip "$name" "no $1 here"
    elif ! printf '#include <uv.h>\n' | $1 -x "$3" -D_GNU_SOURCE -fsyntax-only - 2> /dev/null; then
        skip "$name" "no libuv for it here"
    else
        check "$name" compiles_uv "$@"
    fi
}

# Microsoft's compiler is not here; clang, as that compiler would be told to, takes no extension of gcc's.
name="headers are good C to clang as Microsoft's compiler"
if have clang; then
    check "$name" compiles "clang --target=x86_64-pc-windows-msvc -fms-compatibility-version=19.30" c11 c ""
    check "headers are good C++ to clang as Microsoft's compiler" compiles \
        "clang --target=x86_64-pc-windows-msvc -fms-compatibility-version=19.30" c++17 c++ ""
else
    skip "$name" "no clang here"
fi

for compiler in gcc clang; do
    for standard in c99 c11 c17; do
        if have $compiler; then
            check "headers are good $standard to $compiler" compiles $compiler $standard c "$c_flags"
        else
            skip "headers are good $standard to $compiler" "no $compiler here"
        fi
        check_uv $compiler $standard c "$c_flags"
    done
done
# compiles_hpp COMPILER STANDARD: coir.hpp, and a program that uses all of it
compiles_hpp() {
    printf '#include <coir.hpp>\nint main() { return 0; }\n' | $1 -x c++ "-std=$2" $flags $cxx_flags - &&
        for sample in iota lazy throwing_task; do
            $1 "-std=$2" $flags $cxx_flags "$srcdir/samples/${sample}_cpp.cc" || return 1
        done
}
for compiler in g++ clang++ x86_64-w64-mingw32-g++; do
    for standard in c++17 c++20; do
        if have $compiler; then
            check "coir.hpp is good $standard to $compiler" compiles_hpp $compiler $standard
        else
            skip "coir.hpp is good $standard to $compiler" "no $compiler here"
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
        check_uv $compiler $standard c++ "$cxx_flags"
    done
done
plan
