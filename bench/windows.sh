#!/bin/sh
# SPDX-License-Identifier: MIT
# windows.sh: builds the library and its contenders for Windows beside a build for another system, if there are a cross
# compiler and wine, and puts scripts into bench/windows that run them. In the environment: srcdir, builddir.

host=x86_64-w64-mingw32
unset CC CXX MAKEFLAGS # those of the other build
top=$(cd "$srcdir" && pwd)
mkdir -p "$builddir/bench/windows"
cd "$builddir/bench/windows" || exit 1
rm -f coir windows_fiber # of an earlier build, which must not be measured if this one fails

have() { command -v "$1" > /dev/null 2>&1; }

if ! have $host-gcc || ! { have wine || have wine64 || [ -x /usr/lib/wine/wine64 ]; }; then
    echo '  WINDOWS  not to be had here: it takes gcc-mingw-w64-x86-64 and wine64'
    exit 0
fi
if [ -f "$top/config.status" ]; then
    echo '  WINDOWS  not to be had here: the folder of the sources is configured, so no other build can be'
    exit 0
fi
echo '  WINDOWS  the library for Windows, to be run under wine'
build() {
    if [ ! -f config.status ]; then "$top/configure" -q --host=$host --disable-static || return 1; fi
    make -s bench/coir.exe bench-peers
}
build > build.log 2>&1 || { tail -5 build.log; echo '  WINDOWS  cannot be built here'; exit 0; }

# script NAME PROGRAM. If the driver kills it, its program may go on, since `timeout` has a group of its own; but for
# less than the 60 s after which the driver kills.
script() {
    cat > "$1" << END
#!/bin/sh
cd '$PWD' && T_TIMEOUT=50 exec sh '$top/t/wine.sh' '$2' "\$@"
END
    chmod +x "$1"
}
script coir bench/coir.exe
script windows_fiber bench/peers/windows_fiber.exe
