#!/bin/sh
# SPDX-License-Identifier: MIT
# windows.sh: builds the library and its contenders for Windows beside a build for another system, if there are a cross
# compiler and wine, and puts scripts into bench/windows that run them. In the environment: srcdir, builddir.

host=x86_64-w64-mingw32
unset CC CXX MAKEFLAGS # those of the other build
top=$(cd "$srcdir" && pwd)
mkdir -p "$builddir/bench/windows"
cd "$builddir/bench/windows" || exit 1

have() { command -v "$1" > /dev/null 2>&1; }

if ! have $host-gcc || ! { have wine || have wine64 || [ -x /usr/lib/wine/wine64 ]; }; then
    echo '  WINDOWS  not to be had here: it takes gcc-mingw-w64-x86-64 and wine64'
    rm -f coir windows_fiber
    exit 0
fi
echo '  WINDOWS  the library for Windows, to be run under wine'
[ -f config.status ] || "$top/configure" -q --host=$host --disable-static > build.log 2>&1
make -s bench/coir.exe bench-peers >> build.log 2>&1 || { tail -5 build.log; echo '  WINDOWS  cannot be built here'; exit 0; }

# script NAME PROGRAM
script() {
    cat > "$1" << END
#!/bin/sh
cd '$PWD' && T_TIMEOUT=50 exec sh '$top/t/wine.sh' '$2' "\$@"
END
    chmod +x "$1"
}
script coir bench/coir.exe
script windows_fiber bench/peers/windows_fiber.exe
