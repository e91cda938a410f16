#!/bin/sh
# SPDX-License-Identifier: MIT
# A platform is chosen by file: shared code does not ask which one it is, and neither half knows the other's.
. "$srcdir/t/tap.sh"

asks='^[[:space:]]*#[[:space:]]*(if|elif|ifdef|ifndef).*(_WIN32|_MSC_VER|__MINGW|__CYGWIN|__linux__|__APPLE__|BSD__|__unix__|__x86_64__|__aarch64__|__ELF__)'

none_asks() { ! grep -nE "$asks" "$srcdir"/lib/*.[ch] "$srcdir"/lib/uv/*.[ch]; }
# libcoir-uv is written with public headers only, as any other library on this one would be.
uv_is_outside() { ! grep -nE '#include "(\.\.|posix|win32)/' "$srcdir"/lib/uv/*.[ch]; }
windows_asks() { ! grep -rnE 'unistd\.h|pthread|sys/mman|__linux__' "$srcdir/lib/win32"; }
posix_asks() { ! grep -rnE '_WIN32|__MINGW|windows\.h' "$srcdir/lib/posix"; }
config_first() {
    for file in "$srcdir"/lib/*.c "$srcdir"/lib/*/*.c; do
        [ "$(grep -m1 '^#include' "$file")" = '#include <config.h>' ] || { echo "$file"; return 1; }
    done
}
# Public headers may ask about the compiler in two places only: how a function, and a thread-local variable, is marked.
headers_ask() { ! grep -nE "$asks" "$srcdir"/include/coir/*.h "$srcdir"/include/*.h | grep -vE '/(api|tls)\.h:'; }

check "shared code does not ask for the platform" none_asks
check "libcoir-uv includes no private header of the library" uv_is_outside
check "POSIX code does not know Windows" posix_asks
check "Windows code does not know POSIX" windows_asks
check "every source file includes config.h first" config_first
check "public headers ask in api.h and tls.h only" headers_ask
plan
