#!/bin/sh
# SPDX-License-Identifier: MIT
# consumer.sh CC DESTDIR PKGCONFIGDIR LIBDIR BINDIR SRCDIR: builds samples/hello.c, outside of the tree, against the
# installed library, shared and static, with what pkg-config says; runs both.
#
#   PKG_CONFIG   the pkg-config for the host
#   TEST_RUNNER  what runs the host's programs, if that is another system
set -e
cc=$1 destdir=$2 pkgconfigdir=$3 libdir=$4 bindir=$5
srcdir=$(cd "$6" && pwd)
pkg_config=${PKG_CONFIG:-pkg-config}
PKG_CONFIG_PATH=$destdir$pkgconfigdir
PKG_CONFIG_SYSROOT_DIR=$destdir
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
LD_LIBRARY_PATH=$destdir$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
dlls=$(printf 'Z:%s' "$destdir$bindir" | tr / '\\') # as Windows' own PATH would find them

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$srcdir/samples/hello.c" "$srcdir/samples/hello.expected" "$work"
cd "$work"

# prints_hello PROGRAM
prints_hello() { $TEST_RUNNER "$1" > output && tr -d '\r' < output | diff hello.expected -; }

[ "$($pkg_config --modversion coir)" != "" ]
if [ -f "$destdir$libdir/libcoir.so" ] || [ -f "$destdir$libdir/libcoir.dll.a" ]; then
    $cc -o shared.exe hello.c $($pkg_config --cflags --libs coir)
    WINEPATH=$dlls prints_hello ./shared.exe
    echo "installed shared library: a program builds and runs"
fi
if [ -f "$destdir$libdir/libcoir.a" ]; then
    $cc -o static.exe hello.c $($pkg_config --cflags coir) "$destdir$libdir/libcoir.a" \
        $($pkg_config --static --libs-only-l coir | sed 's/-lcoir//')
    LD_LIBRARY_PATH='' prints_hello ./static.exe
    echo "installed static library: a program builds and runs"
fi
