#!/bin/sh
# SPDX-License-Identifier: MIT
# The compiler's unwinder stays the only one: libunwind, which makes the backtraces, has functions of the same names, and
# no program's exceptions may end up there because it uses this library.
. "$srcdir/t/tap.sh"

cat > unwinder.c << 'END'
#include <coir.h>
#include <stdio.h>
#include <unwind.h>
static _Unwind_Reason_Code count(struct _Unwind_Context *context, void *frames)
{
    (void)context;
    ++*(int *)frames;
    return _URC_NO_REASON;
}
static void *walk(void *frames)
{
    void *here;
    _Unwind_Backtrace(count, frames);
    return coir_backtrace(NULL, &here, 1) > 0 ? frames : NULL;
}
int main(void)
{
    int frames = 0;
    coir_fiber *f;
    coir_create(&f, walk, &frames, NULL);
    coir_resume(f, NULL, NULL);
    coir_destroy(f);
    return frames > 0 ? 0 : 1;
}
END
cat > unwinder.cc << 'END'
#include <coir.h>
#include <stdexcept>
static void *throw_and_catch(void *arg)
{
    try {
        throw std::runtime_error("");
    } catch (const std::exception &) {
        return arg;
    }
}
int main()
{
    void *frame, *result = nullptr;
    coir_fiber *f;
    coir_backtrace(nullptr, &frame, 1);
    coir_create(&f, throw_and_catch, &frame, nullptr);
    coir_resume(f, nullptr, &result);
    coir_destroy(f);
    return result == &frame ? 0 : 1;
}
END

# binds COMPILER SOURCE: runs the program, and looks where the dynamic linker found what.
binds() {
    $1 -o unwinder.program "$2" -Iinclude -I"$srcdir/include" -L.libs -lcoir || return 1
    LD_LIBRARY_PATH=$PWD/.libs LD_BIND_NOW=1 LD_DEBUG=bindings ./unwinder.program 2> unwinder.bindings || return 1
    grep -q "symbol \`_Unwind_" unwinder.bindings || { echo "no _Unwind_ function in the process"; return 1; }
    ! grep "symbol \`_Unwind_" unwinder.bindings | grep -v 'to [^ ]*/libgcc_s\.'
}
libgcc_first() {
    readelf -d .libs/libcoir.so | grep NEEDED | grep -E 'libgcc_s|libunwind' > unwinder.needed
    sed -n 1p unwinder.needed | grep -q libgcc_s && sed -n 2p unwinder.needed | grep -q libunwind
}

if [ -n "$T_INSTRUMENTED$TEST_RUNNER" ]; then
    why="instrumented, or for another system"
elif [ ! -f .libs/libcoir.so ]; then
    why="no shared library in this build"
elif ! have readelf || ! readelf -d .libs/libcoir.so | grep -q libunwind; then
    why="the library does not use libunwind"
elif [ ! -e "$($CC -print-file-name=libgcc_s.so.1)" ]; then
    why="the compiler's unwinder is not libgcc_s"
else
    why=
fi
if [ -n "$why" ]; then
    for name in "libgcc_s is searched before libunwind" "a C program's _Unwind_ functions are the compiler's" \
        "a C++ program's _Unwind_ functions are the compiler's"; do
        skip "$name" "$why"
    done
else
    check "libgcc_s is searched before libunwind" libgcc_first
    check "a C program's _Unwind_ functions are the compiler's" binds "$CC" unwinder.c
    if have g++; then
        check "a C++ program's _Unwind_ functions are the compiler's" binds "${CXX:-g++}" unwinder.cc
    else
        skip "a C++ program's _Unwind_ functions are the compiler's" "no C++ compiler here"
    fi
fi
rm -f unwinder.c unwinder.cc unwinder.program unwinder.bindings unwinder.needed
plan
