#!/bin/sh
# SPDX-License-Identifier: MIT
# The samples that use the network, on every backend, with clients and servers that are not ours: Python's http.server
# and sockets, curl, nc, node. What of these is not there is left out, by name.
. "$srcdir/t/tap.sh"

if [ ! -x samples/echo_server ] && [ ! -x samples/echo_server.exe ]; then
    echo "1..0 # SKIP built without libuv"
    exit 0
fi

under_wine=
case $TEST_RUNNER in *wine*) under_wine=yes ;; esac

# ---- processes: all that are started here have ended when this ends ----

work=$(mktemp -d) || exit 99
started=

# Of a program under wine the process is t/wine.sh, whose child can be told to end it.
end_process() {
    children=
    if [ -n "$under_wine" ]; then
        children=$(grep -l "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status | cut -d/ -f3)
    fi
    kill ${children:-"$1"}
} 2> /dev/null

finish() {
    for process in $started; do end_process "$process"; done
    { wait; } 2> /dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# run SAMPLE [ARGUMENT...]: no longer than five minutes, which nothing here should take. (One signal to timeout is to be
# one signal to the sample.)
T_TIMEOUT=300
export T_TIMEOUT
run() { (run_here "$@"); }
# The same in the place of this shell.
run_here() {
    sample=samples/$1
    shift
    if [ -n "$under_wine" ]; then exec $TEST_RUNNER "$sample" "$@"; fi
    exec timeout --foreground "$T_TIMEOUT" $TEST_RUNNER "$sample" "$@"
}

# begin OUTPUT COMMAND...: in the background. Its process is $process.
begin() {
    output=$1
    shift
    : > "$work/$output.out"
    "$@" > "$work/$output.out" 2> "$work/$output.err" < /dev/null &
    process=$!
    started="$started $process"
}

# await PROCESS: waits for its end; $status is its status.
await() {
    { wait "$1"; } 2> /dev/null
    status=$?
    left=
    for process in $started; do
        if [ "$process" != "$1" ]; then left="$left $process"; fi
    done
    started=$left
}

# end PROCESS: ends it if it has not ended, and awaits it.
end() { end_process "$1"; await "$1"; }

# eventually COMMAND...: waits until it succeeds, a minute at most.
eventually() {
    tries=600
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

# said_port OUTPUT: what a server says of its port, as the last word of a line.
has_line() { [ "$(wc -l < "$work/$1.out")" -gt 0 ]; }
said_port() { eventually has_line "$1" && sed 's/.* //; q' "$work/$1.out"; }

client() { python3 "$srcdir/t/uv_clients.py" "$@"; }

# serve SAMPLE: begins a server, at $port. (What a program says under wine cannot be read while it runs.)
serve() {
    if [ -n "$under_wine" ]; then
        port=$(client free_port)
        begin "$1" run_here "$1" "$port"
        client answers "$port"
    else
        begin "$1" run_here "$1"
        port=$(said_port "$1")
    fi
    server=$process
}

# prints STATUS TEXT SAMPLE [ARGUMENT...]
prints() {
    wanted_status=$1 wanted=$2
    shift 2
    run "$@" > "$work/out" 2> "$work/err"
    status=$?
    printf '%s\n' "$wanted" > "$work/wanted"
    tr -d '\r' < "$work/out" | diff "$work/wanted" - && [ $status = "$wanted_status" ] && return
    echo "status $status"
    cat "$work/err"
    return 1
}

refuses() {
    run "$@" > "$work/out" 2> "$work/err" < /dev/null
    status=$?
    [ $status = 2 ] && [ ! -s "$work/out" ] && [ -s "$work/err" ] && return
    echo "$*: status $status"
    return 1
}

# ---- echo_server ----

echo_refuses() {
    for word in x 1x -1 65536 ''; do refuses echo_server "$word" || return 1; done
    refuses echo_server 0 0
}

# Whether curl leaves when it has nothing more to say differs.
curl_echoed() { grep -qx 'hello, echo' "$work/curl.out"; }
curl_echoes() {
    mkfifo "$work/curl" || return 1
    curl -sSN -m 60 "telnet://127.0.0.1:$port" < "$work/curl" > "$work/curl.out" 2> "$work/curl.err" &
    curl=$!
    exec 3> "$work/curl"
    rm "$work/curl"
    echo 'hello, echo' >&3
    eventually curl_echoed
    echoed=$?
    exec 3>&-
    kill $curl 2> /dev/null
    wait $curl
    if [ $echoed != 0 ]; then cat "$work/curl.err"; fi
    return $echoed
}

nc_echoes() {
    head -c 10000000 /dev/urandom > "$work/random"
    nc -N 127.0.0.1 "$port" < "$work/random" | cmp - "$work/random"
}

stopped_well() {
    [ "$1" = 0 ] && return
    echo "status $1"
    cat "$work/$2.err"
    return 1
}

test_echo_server() {
    check "[$backend] echo_server refuses what is no port" echo_refuses
    serve echo_server
    if have curl; then
        check "[$backend] echo_server with curl" curl_echoes
    else
        skip "[$backend] echo_server with curl" "no curl"
    fi
    if have nc && nc -h 2>&1 | grep -q -e '-[a-zA-Z]*N'; then
        check "[$backend] echo_server with nc, 10 MB" nc_echoes
    else
        skip "[$backend] echo_server with nc, 10 MB" "no nc with -N"
    fi
    check "[$backend] echo_server: 10 MB there and back" client echo_large "$port" 10000000
    check "[$backend] echo_server: 50 clients at once" client echo_many "$port" 50
    check "[$backend] echo_server: after clients that vanish the next is served" client echo_vanish "$port"
    if [ -n "$under_wine" ]; then
        skip "[$backend] echo_server: told to stop in the middle of an echo, finishes it" "no signals under wine"
        end "$server"
        skip "[$backend] echo_server: ends with status 0" "no signals under wine"
        skip "[$backend] echo_server: stops at an interrupt" "no signals under wine"
        skip "[$backend] echo_server: out of descriptors, and back" "no limit under wine"
        return
    fi
    check "[$backend] echo_server: told to stop in the middle of an echo, finishes it" \
        client echo_stop "$port" "$server"
    end "$server"
    check "[$backend] echo_server: ends with status 0" stopped_well "$status" echo_server
    serve echo_server
    check "[$backend] echo_server: an interrupt closes what is idle" client echo_idle_stop "$port" "$server"
    end "$server"
    check "[$backend] echo_server: stops at an interrupt" stopped_well "$status" echo_server
    if [ "$T_INSTRUMENTED" = valgrind ]; then
        skip "[$backend] echo_server: out of descriptors, and back" "valgrind needs descriptors too"
    else
        limit=$(ulimit -Sn)
        ulimit -Sn 30
        serve echo_server
        ulimit -Sn "$limit"
        check "[$backend] echo_server: out of descriptors, and back" client echo_no_descriptors "$port"
        end "$server"
    fi
}

# ---- two_sites ----

two_sites_refuses() {
    refuses two_sites x && refuses two_sites x y z && refuses two_sites -t && refuses two_sites -t x y z
}

node_pages='require("http").createServer((request, answer) => { answer.write("a"); answer.end("b".repeat(99999)) })
    .listen(0, "127.0.0.1", function () { console.log(this.address().port) })'

test_two_sites() {
    check "[$backend] two_sites refuses what is no pair" two_sites_refuses
    check "[$backend] two_sites: a length, and an end" prints 0 "$pages/length/100000 200 100000
$pages/end/200000 200 200000" two_sites "$pages/length/100000" "$pages/end/200000"
    check "[$backend] two_sites: chunks, and drops" prints 0 "$pages/chunked/300000 200 300000
$pages/drops 200 5" two_sites "$pages/chunked/300000" "$pages/drops"
    check "[$backend] two_sites: a host with several addresses, no page" prints 0 "$by_name/length/0 200 0
$pages/status/404 404 2" two_sites "$by_name/length/0" "$pages/status/404"
    check "[$backend] two_sites: one that does not answer" prints 1 "$pages/hang error: the deadline has passed
$pages/length/5 200 5" two_sites -t 2 "$pages/hang" "$pages/length/5"
    check "[$backend] two_sites: one that is not there" prints 1 "$nowhere error: connection refused
$pages/length/5 200 5" two_sites "$nowhere" "$pages/length/5"
    if have node; then
        begin node node -e "$node_pages"
        node=$process
        site=http://127.0.0.1:$(said_port node)
        check "[$backend] two_sites: node's" prints 0 "$site 200 100000
$site/ 200 100000" two_sites "$site" "$site/"
        end "$node"
    else
        skip "[$backend] two_sites: node's" "no node"
    fi
}

# ---- fetch_many, and more of the HTTP client that it shares with two_sites ----

fetch_many_refuses() {
    for option in -j -r -t -x; do refuses fetch_many $option && refuses fetch_many $option x x || return 1; done
    refuses fetch_many -j 0 x && refuses fetch_many -r -1 x && refuses fetch_many -t -1 x
}

bad_urls_print() {
    no_url='error: not a URL of the form http://host[:port][/path]'
    set --
    text=
    for url in https://x/ http:// http:///x 'http://x y/' http://x:0/ http://x:65536/ http://x:1x/ 'http://[::1/' \
            'http://[::1]x/' http://me@x/ http://me:x@x/ "http://x/$(printf '%02001d' 0)"; do
        set -- "$@" "$url"
        text="$text${text:+
}$url $no_url"
    done
    prints 1 "$text" fetch_many "$@"
}

bad_answers_print() {
    bad='error: the answer is not HTTP'
    short='error: the connection ended in the middle of the answer'
    large='error: the answer has too many header lines, or too long ones'
    prints 1 "$pages/vanish $short
$pages/short $short
$pages/shortchunk $short
$pages/badchunk $bad
$pages/hugechunk $bad
$pages/lengths $bad
$pages/negative $bad
$pages/other $bad
$pages/coding error: the answer has an unknown transfer coding
$pages/line $large
$pages/lines $large
$pages/early 200 4
$pages/nothing 204 0" \
        fetch_many -r 0 "$pages/vanish" "$pages/short" "$pages/shortchunk" "$pages/badchunk" "$pages/hugechunk" \
        "$pages/lengths" "$pages/negative" "$pages/other" "$pages/coding" "$pages/line" "$pages/lines" "$pages/early" \
        "$pages/nothing"
}

page() { python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "$1"; }
was_asked() { [ "$(page "$pages/hits/$1")" = "$2" ]; }

retries() {
    prints 0 "$pages/flaky/$backend/2 200 7" fetch_many -r 2 "$pages/flaky/$backend/2" || return 1
    prints 1 "$pages/flaky/$backend/1 503 0" fetch_many -r 1 "$pages/flaky/$backend/1" || return 1
    prints 1 "$pages/flaky/$backend/0 error: the connection ended in the middle of the answer" \
        fetch_many -r 0 "$pages/flaky/$backend/0"
}

tries_only_what_may_pass() {
    prints 1 "$pages/status/404/$backend 404 2
$pages/status/500/$backend 500 2
$nowhere error: connection refused
$pages/length/3 200 3" fetch_many -r 2 "$pages/status/404/$backend" "$pages/status/500/$backend" "$nowhere" \
        "$pages/length/3" || return 1
    grep -q '^1 of 4 pages, 3 bytes, ' "$work/err" || return 1
    was_asked "status/404/$backend" 1 && was_asked "status/500/$backend" 3
}

gives_up() {
    prints 1 "$pages/hang/$backend/up error: the deadline has passed" \
        fetch_many -t 0.2 -r 1 "$pages/hang/$backend/up" && eventually was_asked "hang/$backend/up" 2
}

# A hundred, the first of which are last to come.
at_most_8() {
    page "$pages/most" > "$work/most"
    set -- "$pages/end/1000000"
    text="$1 200 1000000"
    for i in 1 2 3 4 5 6 7 8 9; do
        for k in 0 1 2 3 4 5 6 7 8 9 10; do
            set -- "$@" "$pages/slow/$i$k"
            text="$text
$pages/slow/$i$k 200 4"
        done
    done
    prints 0 "$text" fetch_many -j 8 "$@" || return 1
    grep -q '^100 of 100 pages, 1000396 bytes, ' "$work/err" || { cat "$work/err"; return 1; }
    most=$(page "$pages/most")
    echo "$most at once"
    [ "$most" -le 8 ] && [ "$most" -gt 1 ]
}

reads_urls() {
    printf '%s\n\n%s\r\n%s' "$pages/length/1" "$pages/length/2" "$pages/length/3" > "$work/urls"
    prints 0 "$pages/length/1 200 1
$pages/length/2 200 2
$pages/length/3 200 3" fetch_many < "$work/urls"
}

interrupted_well() {
    [ "$1" = 1 ] || { echo "status $1"; return 1; }
    echo "$pages/length/1 200 1
$pages/hang/$backend error: cancelled
$pages/hang/x error: cancelled
$pages/hang/y error: cancelled" | diff - "$work/fetch_many.out" || return 1
    grep -q '^1 of 4 pages, 1 bytes, .*; interrupted$' "$work/fetch_many.err"
}

test_fetch_many() {
    check "[$backend] fetch_many refuses what is no option" fetch_many_refuses
    check "[$backend] fetch_many: no URLs" bad_urls_print
    check "[$backend] fetch_many: answers of all kinds" bad_answers_print
    check "[$backend] fetch_many: fails twice, then does not" retries
    check "[$backend] fetch_many: tries again what may pass, and nothing else" tries_only_what_may_pass
    check "[$backend] fetch_many: gives up what hangs" gives_up
    check "[$backend] fetch_many: 100, 8 at once" at_most_8
    if [ -n "$under_wine" ]; then
        skip "[$backend] fetch_many: reads URLs" "t/wine.sh gives a program no input"
        skip "[$backend] fetch_many: interrupted, tells what there is" "no signals under wine"
        return
    fi
    check "[$backend] fetch_many: reads URLs" reads_urls
    begin fetch_many run_here fetch_many -j 2 "$pages/length/1" "$pages/hang/$backend" "$pages/hang/x" "$pages/hang/y"
    fetch_many=$process
    eventually was_asked "hang/$backend" 1
    eventually has_line fetch_many
    kill -INT "$fetch_many"
    await "$fetch_many"
    check "[$backend] fetch_many: interrupted, tells what there is" interrupted_well "$status"
}

# ---- chat ----

test_chat() {
    check "[$backend] chat refuses what is no port" refuses chat x
    serve chat
    check "[$backend] chat: three talk" client chat_three "$port"
    check "[$backend] chat: names" client chat_names "$port"
    check "[$backend] chat: a burst of lines" client chat_burst "$port"
    check "[$backend] chat: one who never reads is dropped, and holds nobody up" client chat_slow "$port"
    if [ -n "$under_wine" ]; then
        end "$server"
        skip "[$backend] chat: a farewell to all" "no signals under wine"
        skip "[$backend] chat: ends with status 0" "no signals under wine"
        return
    fi
    check "[$backend] chat: a farewell to all" client chat_stop "$port" "$server"
    await "$server" # a second signal could come when the server has given up waiting for any
    check "[$backend] chat: ends with status 0" stopped_well "$status" chat
}

# ---- all of it ----

with_python=
if have python3; then
    with_python=yes
    begin pages python3 "$srcdir/t/http_server.py"
    pages_port=$(said_port pages)
    pages=http://127.0.0.1:$pages_port
    by_name=http://localhost:$pages_port
    nowhere=http://127.0.0.1:$(client free_port)/x
fi
if [ "$T_FEW" = 1 ]; then COIR_TEST_BACKENDS=${COIR_TEST_BACKENDS%% *}; fi # as in t/run.sh
for backend in $COIR_TEST_BACKENDS; do
    COIR_BACKEND=$backend
    export COIR_BACKEND
    check "[$backend] two_sites, its own" prints 0 "$(cat "$srcdir/samples/two_sites.expected")" two_sites
    if [ -z "$with_python" ]; then
        skip "[$backend] the samples with real clients and servers" "no python3"
        continue
    fi
    test_echo_server
    test_two_sites
    test_fetch_many
    test_chat
done
plan
