#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh: measures echo servers, and what requests to libuv cost. It builds what can be built here, and says what
# cannot; runs all by turns, round after round; prints tables, and writes each measurement to net.tsv. In the
# environment:
#
#   srcdir, builddir   the top folders of the sources and of the build, which has the libraries
#   CC CXX GO          compilers, with their options; one that is not there leaves its servers out
#
# A compiler is a list of words, such as `ccache gcc`; so are the names of who takes part:
# shellcheck disable=SC2046,SC2086
# What every sh of a system with these servers has: -nt, ulimit -n. And programs for awk have dollars:
# shellcheck disable=SC3013,SC3045,SC2016

contenders='coir libuv go asio' # the second is what the others are compared with
rounds=7
milliseconds=1000
request_milliseconds=200
connections='100 5000'
sizes='64 1024'
idle=10000
wanted=
out=bench-results
takes_precedence=no

usage() {
    cat << 'END'
usage: run.sh [OPTIONS]
Measures echo servers of coir, libuv, Go and Asio, and what a request to libuv costs a task; prints tables, writes rows.

  --quick            3 rounds, short ones, and messages of one size
  --rounds N         how often each measurement is made (7)
  --milliseconds N   how long each of a server lasts (1000)
  --connections N    how many of them: once or more (100, 5000)
  --size N           how many bytes a message has: once or more (64, 1024)
  --idle N           how many connections memory is measured with (10000)
  --only WHAT        echo, idle, requests, or a contender: once or more
  --first            takes precedence of other programs on this machine, where this user may (Linux, root)
  --build            builds, and measures nothing
  --out FOLDER       where the rows go (bench-results)
END
}

fail() {
    echo "run.sh: $*" >&2
    exit 2
}

is_number() {
    case $1 in '' | *[!0-9]* | 0*) fail "a number is wanted, not '$1'" ;; esac
}

given_connections='' given_sizes='' build_only=no
while [ $# -gt 0 ]; do
    case $1 in
    --quick) rounds=3 milliseconds=300 request_milliseconds=50 sizes=64 ;;
    --first) takes_precedence=yes ;;
    --build) build_only=yes ;;
    --help) usage; exit 0 ;;
    --rounds | --milliseconds | --connections | --size | --idle | --only | --out)
        [ $# -gt 1 ] || fail "$1 wants a value"
        case $1 in --only | --out) ;; *) is_number "$2" ;; esac
        case $1 in
        --rounds) rounds=$2 ;;
        --milliseconds) milliseconds=$2 ;;
        --connections) given_connections="$given_connections $2" ;;
        --size) given_sizes="$given_sizes $2" ;;
        --idle) idle=$2 ;;
        --only)
            case " echo idle requests $contenders " in *" $2 "*) ;; *) fail "$2: nothing of that name" ;; esac
            wanted="$wanted $2"
            ;;
        --out) out=$2 ;;
        esac
        shift
        ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
connections=${given_connections:-$connections}
sizes=${given_sizes:-$sizes}

# wants WHAT NAMES...: is it wanted? It is if --only names it, or none of the names.
wants() {
    what=$1
    shift
    case " $wanted " in *" $what "*) return 0 ;; esac
    for name; do
        case " $wanted " in *" $name "*) return 1 ;; esac
    done
}

# ---- building ----

srcdir=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd) || exit 2
builddir=$(cd "${builddir:-.}" && pwd) || exit 2
sources=$srcdir/bench/net
programs=$builddir/bench/net
CC=${CC:-cc}
mkdir -p "$programs" "$out" || exit 2

is_newer() { # PROGRAM SOURCE
    [ -f "$1" ] && [ ! "$2" -nt "$1" ] && [ ! "$sources/run.sh" -nt "$1" ]
}

# build NAME SOURCE COMMAND...: the command makes the program, whose name is added to it.
build() {
    program=$programs/$1
    source=$sources/$2
    name=$1
    shift 2
    if is_newer "$program" "$source"; then return; fi
    rm -f "$program"
    if "$@" -o "$program" > "$program.log" 2>&1; then
        echo "  NET      $name"
        rm -f "$program.log"
    else
        echo "  NET      $name: not to be had here: see bench/net/$name.log"
    fi
}

no_compiler() {
    echo 'there is no compiler for it'
    return 1
}

in_c() { # NAME FLAGS...: with the system's extensions, which libuv's header needs
    name=$1
    shift
    build "$name" "$name.c" $CC -std=gnu11 -O2 "$sources/$name.c" "$@"
}

with_coir() { # NAME
    in_c "$1" -I"$srcdir/include" -I"$builddir/include" $libuv_cflags -L"$builddir/.libs" \
        -Wl,-rpath,"$builddir/.libs" -lcoir-uv -lcoir $libuv_libs
}

go_build() { # -o PROGRAM: go wants the source last
    GO111MODULE=off GOCACHE="$programs/go-cache" ${GO:-no_compiler} build "$@" "$sources/echo_go.go"
}

libuv_cflags=$(pkg-config --cflags libuv 2> /dev/null)
libuv_libs=$(pkg-config --libs libuv 2> /dev/null || echo '-luv')
in_c load
in_c echo_libuv $libuv_cflags $libuv_libs
with_coir echo_coir
with_coir requests
build echo_go echo_go.go go_build
rm -rf "$programs/go-cache"
build echo_asio echo_asio.cc ${CXX:-no_compiler} -std=c++20 -O2 -pthread "$sources/echo_asio.cc"
[ "$build_only" = no ] || exit 0
[ -x "$programs/load" ] || fail 'without its load generator nothing can be measured'

# ---- the machine ----

# Processors that we may use: the client's is the first, the server's the last.
processors() {
    taskset -pc $$ 2> /dev/null | sed 's/.*: //' | tr ',' '\n' |
        awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }'
}
client_cpu=$(processors | head -n 1)
server_cpu=$(processors | tail -n 1)
if [ -z "$client_cpu" ]; then
    echo 'There is no taskset here: the system chooses processors, and figures vary more.'
elif [ "$client_cpu" = "$server_cpu" ]; then
    echo 'There is one processor only: servers share it with their load, and figures tell little.'
fi

pinned() { # CPU COMMAND...
    cpu=$1
    shift
    if [ -n "$cpu" ]; then exec taskset -c "$cpu" "$@"; else exec "$@"; fi
}

# A connection is a descriptor on either side.
most=$idle
for count in $connections; do [ "$count" -le "$most" ] || most=$count; done
ulimit -n $((most + 100)) 2> /dev/null || ulimit -n "$(ulimit -Hn)" 2> /dev/null
descriptors=$(ulimit -n)
has_descriptors() { # COUNT WHAT
    case $descriptors in unlimited) return 0 ;; esac
    [ $(($1 + 50)) -le "$descriptors" ] || {
        echo "Left out: $2 with $1 connections, for a process may have only $descriptors descriptors (ulimit -n)."
        return 1
    }
}

# ---- ending: nothing is left running, at whatever point it is interrupted ----

server='' job='' group=/proc/self/autogroup group_before=''
scratch=$(mktemp -d) || exit 2

stop_server() {
    if [ -n "$server" ]; then
        kill "$server" 2> /dev/null
        wait "$server" 2> /dev/null
    fi
    server=
}

clean_up() {
    trap '' INT TERM HUP
    if [ -n "$job" ]; then kill "$job" 2> /dev/null; fi
    stop_server
    if [ -n "$group_before" ]; then echo "$group_before" > $group; fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'echo "Interrupted."; exit 130' INT TERM HUP

# The scheduler shares a processor between sessions first, so it is the session that takes precedence.
if [ $takes_precedence = yes ]; then
    group_before=$(sed -n 's/.* nice //p' $group 2> /dev/null)
    echo -20 2> /dev/null > $group || group_before=
    renice -n -20 -p $$ > /dev/null 2>&1 || echo 'This user may not take precedence of others.'
fi

# In the background, since a shell that waits for one in the foreground is deaf to signals until it ends.
run_job() { # COMMAND...: its output goes to $scratch/answer
    pinned "$@" > "$scratch/answer" 2> "$scratch/error" < /dev/null &
    job=$!
    wait "$job"
    result=$?
    job=
    [ $result -eq 0 ] || echo "$*: $(cat "$scratch/error")" >&2
    return $result
}

start_server() { # CONTENDER: its port goes to $port
    pinned "$server_cpu" "$programs/echo_$1" > "$scratch/server" 2>&1 < /dev/null &
    server=$!
    port=
    tries=0
    while [ -z "$port" ] && [ $tries -lt 100 ] && kill -0 "$server" 2> /dev/null; do
        sleep 0.02
        port=$(sed -n 's/^listening on //p' "$scratch/server")
        tries=$((tries + 1))
    done
    [ -n "$port" ] || {
        echo "echo_$1 does not listen: $(cat "$scratch/server")" >&2
        stop_server
        return 1
    }
}

# ---- measuring ----

rows=$out/net.tsv
printf 'question\tconnections\tbytes\tcontender\tround\tunit\tvalue\n' > "$rows" || exit 2

write_rows() { # QUESTION CONNECTIONS BYTES CONTENDER ROUND UNITS...: of the answer, a unit for each figure
    place="$1	$2	$3	$4	$5"
    shift 5
    column=1
    for unit; do
        printf '%s\t%s\t%s\n' "$place" "$unit" "$(cut -f $column "$scratch/answer")" >> "$rows"
        column=$((column + 1))
    done
}

# Who takes part, another one first in each round; and every other round goes backwards.
in_turn() { # ROUND NAMES...
    turn=$1
    shift
    echo "$@" | awk -v round="$turn" '{
        for (i = 0; i < NF; i++) {
            place = (i + int((round - 1) / 2)) % NF
            printf "%s ", $((round % 2 == 1 ? place : NF - 1 - place) + 1)
        }
    }'
}

taking_part() {
    for contender in $contenders; do
        [ ! -x "$programs/echo_$contender" ] || ! wants "$contender" $contenders || printf '%s ' "$contender"
    done
}

show() { # WHAT: where it is, on a terminal
    [ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2
}

measure_echo() { # CONNECTIONS BYTES
    round=1
    while [ $round -le "$rounds" ]; do
        for contender in $(in_turn $round $(taking_part)); do
            show "echo, $1 connections, $2 bytes, round $round: $contender"
            start_server "$contender" || continue
            if run_job "$client_cpu" "$programs/load" echo "$port" "$server" "$1" "$2" "$milliseconds"; then
                write_rows echo "$1" "$2" "$contender" $round messages/s p50 p99 max cpu busy
            fi
            stop_server
        done
        round=$((round + 1))
    done
    show
}

measure_idle() { # CONNECTIONS BYTES
    for contender in $(taking_part); do
        show "idle, $1 connections: $contender"
        start_server "$contender" || continue
        if run_job "$client_cpu" "$programs/load" idle "$port" "$server" "$1" "$2"; then
            write_rows idle "$1" "$2" "$contender" 1 resident tables
        fi
        stop_server
    done
    show
}

measure_requests() {
    for kind in $("$programs/requests" list | cut -f 1); do
        for variant in coir libuv; do
            run_job "$server_cpu" "$programs/requests" count "$kind" $variant &&
                write_rows "$kind" 1 0 $variant 1 switches coir_allocations libuv_allocations
        done
        round=1
        while [ $round -le "$rounds" ]; do
            for variant in $(in_turn $round coir libuv); do
                show "requests, $kind, round $round: $variant"
                run_job "$server_cpu" "$programs/requests" time "$kind" $variant "$request_milliseconds" &&
                    write_rows "$kind" 1 0 $variant $round ns
            done
            round=$((round + 1))
        done
    done
    show
}

# ---- telling ----

# Medians of the rows of one question. A ratio is the median of the ratios of the rounds, for a machine may be slower
# in one round than in the next, for all.
tell='
function sort(a, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = a[i]
        for (j = i - 1; j >= 1 && a[j] > x; j--) a[j + 1] = a[j]
        a[j + 1] = x
    }
}
function middle(a, n) {
    if (n == 0) return -1
    sort(a, n)
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
function median(who, unit,    r, n, a) {
    n = 0
    for (r = 1; r <= rounds; r++) if ((who, unit, r) in value) a[++n] = value[who, unit, r]
    return middle(a, n)
}
function ratio(who, unit,    r, n, a) {
    n = 0
    for (r = 1; r <= rounds; r++)
        if ((who, unit, r) in value && (reference, unit, r) in value && value[reference, unit, r] > 0)
            a[++n] = value[who, unit, r] / value[reference, unit, r]
    return middle(a, n)
}
function ratio_text(who, unit,    r) {
    r = ratio(who, unit)
    return r < 0 ? "-" : sprintf("%.2f", r)
}
BEGIN { FS = "\t"; reference = "libuv"; count = split(names, name, " ") }
$1 == question && $2 == connections && $3 == bytes {
    value[$4, $6, $5] = $7
    known[$4] = 1
    if ($5 > rounds) rounds = $5
}
'
tell_echo='
END {
    printf "\necho, %d connections, messages of %d bytes (ratio to libuv)\n", connections, bytes
    printf "%-8s %18s %12s %18s %12s %18s %6s\n", "", "messages/s", "p50, us", "p99, us", "max, us", "cpu, ns/message",
        "busy"
    for (i = 1; i <= count; i++) {
        who = name[i]
        if (!(who in known)) continue
        printf "%-8s %10d (%5s) %12.1f %10.1f (%5s) %12.1f %10d (%5s) %5.0f%%\n", who, median(who, "messages/s"),
            ratio_text(who, "messages/s"), median(who, "p50") / 1e3, median(who, "p99") / 1e3, ratio_text(who, "p99"),
            median(who, "max") / 1e3, median(who, "cpu"), ratio_text(who, "cpu"), median(who, "busy")
    }
}'
tell_idle='
END {
    printf "\nidle, %d connections, bytes of the server for each, beyond an empty server\n", connections
    printf "%-8s %10s %12s\n", "", "resident", "page tables"
    for (i = 1; i <= count; i++)
        if (name[i] in known)
            printf "%-8s %10d %12d\n", name[i], median(name[i], "resident"), median(name[i], "tables")
}'
tell_request='
END {
    printf "%-16s %9.2f %8.2f %8.2f %8.2f %12.0f %12.0f %8s   %s\n", question, median("coir", "switches"),
        median("coir", "coir_allocations"), median("coir", "libuv_allocations"), median("libuv", "libuv_allocations"),
        median("coir", "ns"), median("libuv", "ns"), ratio_text("coir", "ns"), meaning
}'

tell() { # PROGRAM QUESTION CONNECTIONS BYTES
    awk -v question="$2" -v connections="$3" -v bytes="$4" -v names="$contenders" -v meaning="$meaning" \
        "$tell $1" "$rows"
}

printf 'Medians of %s rounds. Servers on processor %s, their load on %s.\n' \
    "$rounds" "${server_cpu:-any}" "${client_cpu:-any}"
for contender in $contenders; do
    [ -x "$programs/echo_$contender" ] ||
        echo "Left out: $contender, which could not be built (bench/net/echo_$contender.log)."
done
if wants echo echo idle requests; then
    for bytes in $sizes; do
        for count in $connections; do
            has_descriptors "$count" echo || continue
            measure_echo "$count" "$bytes"
            tell "$tell_echo" echo "$count" "$bytes"
        done
    done
fi
if wants idle echo idle requests && has_descriptors "$idle" idle; then
    measure_idle "$idle" 64
    tell "$tell_idle" idle "$idle" 64
fi
if wants requests echo idle requests && [ -x "$programs/requests" ]; then
    measure_requests
    printf '\nrequests, each awaited by a task, or followed by a callback\n'
    printf '%-16s %9s %8s %8s %8s %12s %12s %8s\n' '' switches allocs 'of libuv' callback coir,ns callback,ns ratio
    "$programs/requests" list | while IFS='	' read -r kind meaning; do tell "$tell_request" "$kind" 1 0; done
fi
printf '\nRows are in %s.\n' "$rows"
