#!/bin/sh
# SPDX-License-Identifier: MIT
# consumer.sh CC DESTDIR PKGCONFIGDIR LIBDIR SRCDIR: builds samples/hello.c, outside of the tree, against the installed
# library, shared and static, with what pkg-config says; runs both.
set -e
cc=$1 destdir=$2 pkgconfigdir=$3 libdir=$4
srcdir=$(cd "$5" && pwd)
PKG_CONFIG_PATH=$destdir$pkgconfigdir
PKG_CONFIG_SYSROOT_DIR=$destdir
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
LD_LIBRARY_PATH=$destdir$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$srcdir/samples/hello.c" "$srcdir/samples/hello.expected" "$work"
cd "$work"
[ "$(pkg-config --modversion coir)" != "" ]
if ls "$destdir$libdir"/libcoir.so > /dev/null 2>&1; then
    $cc -o shared hello.c $(pkg-config --cflags --libs coir)
    ./shared | diff hello.expected -
    echo "installed shared library: a program builds and runs"
fi
if ls "$destdir$libdir"/libcoir.a > /dev/null 2>&1; then
    $cc -o static hello.c $(pkg-config --cflags coir) "$destdir$libdir/libcoir.a" \
        $(pkg-config --static --libs-only-l coir | sed 's/-lcoir//')
    LD_LIBRARY_PATH='' ./static | diff hello.expected -
    echo "installed static library: a program builds and runs"
fi
