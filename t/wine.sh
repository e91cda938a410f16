#!/bin/sh
# SPDX-License-Identifier: MIT
# wine.sh PROGRAM...: runs a Windows program of this build tree, or one somewhere else, under wine.
#
#   WINEPREFIX   where wine keeps its Windows; by default a folder of its own in the build tree, made at the first call
#   T_TIMEOUT    seconds after which the program is killed; 300
#   CXX          whose runtime's DLLs are to be found

for wine in wine64 /usr/lib/wine/wine64 wine; do
    if command -v $wine > /dev/null 2>&1; then break; fi
done
WINEPREFIX=${WINEPREFIX:-$PWD/wine-prefix}
WINEDEBUG=-all
WINEDLLOVERRIDES='mscoree,mshtml=' # or it asks whether to download them
export WINEPREFIX WINEDEBUG WINEDLLOVERRIDES

# The server of this prefix, before anything starts one that does not stay. This one stays for a minute after its last
# program; otherwise it would go after some seconds, and kill programs that start while it does (exit status 1).
mkdir -p "$WINEPREFIX"
for server in wineserver /usr/lib/wine/wineserver64 /usr/lib/wine/wineserver; do
    if command -v $server > /dev/null 2>&1; then $server -p60 > /dev/null 2>&1; break; fi
done

# Once, however many start at the same time.
if [ ! -f "$WINEPREFIX/ready" ]; then
    (
        flock 9
        [ -f "$WINEPREFIX/ready" ] || { timeout 120 $wine wineboot -i > /dev/null 2>&1 9>&- && : > "$WINEPREFIX/ready"; }
    ) 9> "$WINEPREFIX/lock"
fi

# All that follows is done thousands of times, so as much as can be by the shell itself.

# The programs of the build tree are libtool's wrappers; the true ones, and the DLL, are in folders named .libs.
program=${1%.exe}.exe
shift
case $program in
    */*) real=${program%/*}/.libs/${program##*/} ;;
    *) real=.libs/$program ;;
esac
if [ -f "$real" ]; then program=$real; fi

# Windows takes slashes for backslashes.
WINEPATH="Z:$PWD/.libs${WINEPATH:+;$WINEPATH}"
if [ -n "$CXX" ]; then
    known=$WINEPREFIX/runtime
    if [ -f "$known" ]; then { read -r asked && read -r runtime; } < "$known"; fi
    if [ "${asked-}" != "$CXX" ]; then
        runtime=$(dirname "$($CXX -print-file-name=libstdc++-6.dll)")
        printf '%s\n' "$CXX" "$runtime" > "$known.$$" && mv "$known.$$" "$known"
    fi
    WINEPATH="$WINEPATH;Z:$runtime"
fi
export WINEPATH

# Once in some thousand times wine does not get as far as to start a program, and ends with status 1: without a word, or
# saying that it has lost its server. Ours always say something, so it was not them, and it is tried again.
silent() { [ ! -s "$output" ] && ! grep -qv '^wine client error:.*Connection reset by peer' "$errors"; }
output=$WINEPREFIX/output.$$ errors=$WINEPREFIX/errors.$$
trap 'rm -f "$output" "$errors"' EXIT
for attempt in 1 2 3; do
    timeout "${T_TIMEOUT:-300}" $wine "$program" "$@" > "$output" 2> "$errors" < /dev/null
    status=$?
    if [ $status != 1 ] || ! silent; then break; fi
done
cat "$output"
if [ -s "$errors" ]; then cat "$errors" >&2; fi
exit $status
