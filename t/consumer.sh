#!/bin/sh
# SPDX-License-Identifier: MIT
# consumer.sh CC DESTDIR PKGCONFIGDIR LIBDIR BINDIR SRCDIR: builds samples, outside of the tree, against the installed
# library, in C with the shared and the static one, in C++ with the shared one, with what pkg-config says; runs them.
#
#   CXX          the C++ compiler; empty where there is none
#   PKG_CONFIG   the pkg-config for the host
#   TEST_RUNNER  what runs the host's programs, if that is another system
set -e
cc=$1 destdir=$2 pkgconfigdir=$3 libdir=$4 bindir=$5
srcdir=$(cd "$6" && pwd)
pkg_config=${PKG_CONFIG:-pkg-config}
uv_flags=$($pkg_config --cflags --libs libuv 2> /dev/null || true) # where it is installed, not in DESTDIR
PKG_CONFIG_PATH=$destdir$pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
PKG_CONFIG_SYSROOT_DIR=$destdir
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
LD_LIBRARY_PATH=$destdir$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
dlls=$(printf 'Z:%s' "$destdir$bindir" | tr / '\\')${WINEPATH:+;$WINEPATH} # as Windows' own PATH would find them

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for sample in hello.c hello.expected pipeline.c pipeline.expected iota_cpp.cc iota_cpp.expected \
    two_sites.c two_sites.expected http.c http.h; do
    cp "$srcdir/samples/$sample" "$work"
done
cd "$work"

# prints SAMPLE PROGRAM
prints() { $TEST_RUNNER "$2" > output && tr -d '\r' < output | diff "$1.expected" -; }

[ "$($pkg_config --modversion coir)" != "" ]
if [ -f "$destdir$libdir/libcoir.so" ] || [ -f "$destdir$libdir/libcoir.dll.a" ]; then
    for sample in hello pipeline; do
        $cc -o shared.exe $sample.c $($pkg_config --cflags --libs coir)
        WINEPATH=$dlls prints $sample ./shared.exe
    done
    if [ -n "$CXX" ]; then
        static=
        if [ -f "$destdir$libdir/libcoir.dll.a" ]; then static='-static-libgcc -static-libstdc++'; fi
        $CXX -std=c++17 $static -o shared.exe iota_cpp.cc $($pkg_config --cflags --libs coir)
        WINEPATH=$dlls prints iota_cpp ./shared.exe
    fi
    if [ -f "$destdir$pkgconfigdir/coir-uv.pc" ]; then
        $cc -o shared.exe two_sites.c http.c $($pkg_config --cflags --libs coir-uv) $uv_flags
        WINEPATH=$dlls prints two_sites ./shared.exe
        echo "installed shared libcoir-uv: a program builds and runs"
    fi
    echo "installed shared library: a program builds and runs"
fi
if [ -f "$destdir$libdir/libcoir.a" ]; then
    $cc -o static.exe hello.c $($pkg_config --cflags coir) "$destdir$libdir/libcoir.a" \
        $($pkg_config --static --libs-only-l coir | sed 's/-lcoir//')
    LD_LIBRARY_PATH='' prints hello ./static.exe
    echo "installed static library: a program builds and runs"
fi
