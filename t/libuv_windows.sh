#!/bin/sh
# SPDX-License-Identifier: MIT
# libuv_windows.sh HOST PREFIX WORK: cross-builds libuv for Windows, from Debian's source package, and installs it.
#
#   HOST     whose compiler builds it: x86_64-w64-mingw32
#   PREFIX   where it is installed: bin/libuv-1.dll, lib/libuv.dll.a, lib/pkgconfig/libuv.pc, include/uv.h
#   WORK     a folder for the source and all that is made of it; the log is WORK/log
#
# Does nothing where PREFIX holds a finished build. The source comes from the mirrors that apt knows here, checked with
# the keys that apt knows here, but with lists, caches and locks of its own in WORK: apt's own stay as they are, and it
# takes no root. When something fails, the last line on stderr says what.

set -u

die() { printf '%s\n' "libuv_windows: $*" >&2; exit 1; }
have() { command -v "$1" > /dev/null 2>&1; }

[ $# = 3 ] || die 'usage: libuv_windows.sh HOST PREFIX WORK'

absolute() { mkdir -p "$1" && (CDPATH='' cd "$1" && pwd); }

host=$1
prefix=$(absolute "$2") || die "cannot make the folder $2"
work=$(absolute "$3") || die "cannot make the folder $3"

stamp=$prefix/libuv_windows.stamp # holds what it was built for
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$host $prefix" ]; then exit 0; fi
rm -f "$stamp"

for tool in apt-get apt-config autoconf automake libtoolize make "$host-gcc"; do
    have "$tool" || die "no $tool here"
done

# What whoever calls this has set for a build of its own: make, a test suite.
unset CC CXX CPP AR AS LD NM RANLIB STRIP OBJDUMP DLLTOOL WINDRES RC CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LIBS \
    ACLOCAL AUTOCONF AUTOHEADER AUTOM4TE AUTOMAKE LIBTOOL LIBTOOLIZE LIBUV_RELEASE \
    MAKE MAKEFLAGS MFLAGS GNUMAKEFLAGS MAKEFILES MAKELEVEL DESTDIR V
CONFIG_SITE=/dev/null LC_ALL=C
export CONFIG_SITE LC_ALL

log=$work/log
: > "$log" || die "cannot write $log"

# step WHAT-FAILED COMMAND...
step() {
    what=$1
    shift
    "$@" >> "$log" 2>&1 < /dev/null || { tail -15 "$log" >&2; die "$what, see $log"; }
}

# fresh FOLDER: makes it anew, and goes there.
fresh() { { rm -rf "$1" && mkdir "$1" && cd "$1"; } || die "cannot make the folder $1"; }

# ---- the source -----------------------------------------------------------------------------------------------------

# The lines of a .list, each once, for sources.
list_of_sources() {
    awk '$1 ~ /^deb(-src)?$/ && !/[ \t]cdrom:/ { $1 = "deb-src"; if (!seen[$0]++) print }' "$1"
}

# The same for a .sources: stanzas of fields, parted by empty lines; a line that begins with a blank belongs to the
# field above it.
stanzas_of_sources() {
    awk '
        function finish() { if (stanza != "" && !without) print stanza "Types: deb-src\n"; stanza = ""; without = 0 }
        /^#/ { next }
        /^[ \t\r]*$/ { finish(); next }
        /^[^ \t]/ { field = tolower($0); sub(/[ \t]*:.*/, "", field) }
        field == "enabled" && tolower($0) ~ /[: \t](no|false|without|off|disable|0)[ \t\r]*$/ { without = 1 }
        field == "uris" && /[: \t]cdrom:/ { without = 1 }
        field != "types" { stanza = stanza $0 "\n" }
        END { finish() }' "$1"
}

configure_apt() {
    apt=$work/apt
    rm -rf "$apt/sources"
    mkdir -p "$apt/sources" "$apt/state/lists/partial" "$apt/cache/archives/partial" || return 1
    main='' parts=''
    eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for list in "$main" "${parts%/}"/*.list; do
        if [ -r "$list" ]; then list_of_sources "$list" > "$apt/sources/${list##*/}" || return 1; fi
    done
    for list in "${parts%/}"/*.sources; do
        if [ -r "$list" ]; then stanzas_of_sources "$list" > "$apt/sources/${list##*/}" || return 1; fi
    done
    # Commands that are to follow an update are meant for the lists of the machine. No other user need be let into WORK.
    cat > "$apt/apt.conf" << END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::State "$apt/state";
Dir::State::lists "lists/";
Dir::Cache "$apt/cache";
Dir::Cache::archives "archives/";
Dir::Log "$apt";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
END
}

# The first error that apt tells of, or the first warning.
complaint() {
    { grep '^E: ' "$1"; grep '^W: ' "$1"; } | grep -v 'configured multiple times' |
        sed -n '1{ s/^.: *//; s/  */ /g; s/\.$//; p; }'
}

# Some list may fail, of a mirror that has no sources, say: what counts is whether the package is found.
download() {
    fresh "$work/download"
    apt-get -q -c "$apt/apt.conf" update > "$apt/update.log" 2>&1 < /dev/null
    apt-get -q -y -c "$apt/apt.conf" source --download-only libuv1 > "$apt/source.log" 2>&1 < /dev/null
    status=$?
    cat "$apt/update.log" "$apt/source.log" >> "$log"
    if [ $status != 0 ]; then
        first=$(complaint "$apt/update.log")
        why=$(complaint "$apt/source.log")
        die "the source package cannot be had: ${first:+$first; then: }${why:-apt-get ends with status $status}"
    fi
}

unpack() {
    download=$work/download
    fresh "$work/source"
    if have dpkg-source; then
        cd ..
        rmdir source
        step 'dpkg-source cannot unpack the source package' dpkg-source --no-copy -x "$download"/*.dsc source
        return
    fi
    for tarball in "$download"/*.orig.tar.*; do
        case $tarball in *.asc) continue ;; esac # its signature
        step 'tar cannot unpack the source package' tar -xf "$tarball" --strip-components=1
    done
    if have patch && tar -xf "$download"/*.debian.tar.* >> "$log" 2>&1; then
        # shellcheck disable=SC2013 # a word a line
        for patch in $(sed 's/#.*//' debian/patches/series); do
            step "Debian's patch $patch does not apply" patch -p1 -i "debian/patches/$patch"
        done
    fi
}

# ---- the build ------------------------------------------------------------------------------------------------------

jobs() { nproc 2> /dev/null || getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2; }

build() {
    fresh "$work/build"
    step 'autogen.sh of libuv fails' sh "$work/source/autogen.sh"
    # Told the machine that builds, configure does not try whether it can run the host's programs.
    step 'configure of libuv fails' "$work/source/configure" \
        --build="$(sh "$work/source/config.guess")" --host="$host" --prefix="$prefix" \
        --disable-static --disable-dependency-tracking
    step 'libuv does not build' make -j"$(jobs)"
    step 'libuv cannot be installed' make install
    rm -f "$prefix/lib/libuv.la" # as in Debian: libuv.pc tells all, and does not add -pthread
    for file in bin/libuv-1.dll lib/libuv.dll.a lib/pkgconfig/libuv.pc include/uv.h; do
        [ -f "$prefix/$file" ] || die "the build made no $file, see $log"
    done
}

step "cannot write apt's configuration" configure_apt
download
unpack
build
printf '%s\n' "$host $prefix" > "$stamp" || die "cannot write $stamp"
