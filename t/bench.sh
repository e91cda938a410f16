#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks' driver: measures what is there, says what is not, and leaves tables, rows and plots. Nothing is said of
# how long anything takes.
. "$srcdir/t/tap.sh"

out=bench-test
rm -rf $out
run() { $TEST_RUNNER bench/run "$@"; }

measures() {
    run --rounds 2 --milliseconds 1 --only switch --only yield --only memory --most 10000 --out $out > $out.log 2>&1 ||
        { cat $out.log; return 1; }
    for backend in $COIR_TEST_BACKENDS; do
        grep -Eq "^coir $backend +[0-9.]+ +[0-9.]+ +[0-9.]+ " $out.log || { echo "no figures of $backend"; cat $out.log; return 1; }
    done
}
rows() {
    head -1 $out/rows.tsv | grep -q 'question.*count.*contender.*round.*unit.*value' &&
        awk -F '\t' 'NR > 1 && NF != 6 { bad = 1 } END { exit bad || NR < 5 }' $out/rows.tsv
}
plots() {
    for plot in switch yield; do
        if have xmllint; then xmllint --noout $out/$plot.svg || return 1; fi
        grep -q '^<svg ' $out/$plot.svg && grep -q '^</svg>' $out/$plot.svg && grep -q 'coir' $out/$plot.svg || return 1
    done
}
# A folder without any contender.
names_the_absent() {
    run --list --programs "$srcdir" > $out.log 2>&1 && grep -q 'absent' $out.log
}
refuses() {
    run --no-such-option > $out.log 2>&1
    [ $? = 2 ] && grep -q usage $out.log
}

if [ "${T_FEW-}" = 1 ] && [ ! -f bench/run ] && [ ! -f bench/run.exe ]; then not_again "the benchmarks"; fi
if [ -n "$T_INSTRUMENTED" ]; then
    skip "the benchmarks" "instrumented"
    plan
    exit
fi
check "the benchmarks measure each backend" measures
check "each measurement is a row" rows
check "plots are drawn" plots
check "contenders that are not there are named" names_the_absent
check "an unknown option is refused" refuses
rm -rf $out $out.log
plan
