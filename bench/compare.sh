#!/bin/sh
# SPDX-License-Identifier: MIT
# compare.sh OTHER [ROUNDS]: how this build of the library compares with another build of it, such as one of an earlier
# revision, by turns on one processor. Run it in a build folder; OTHER is another. In both `make bench/coir` comes first.
#
#     git worktree add /somewhere REVISION, bootstrap and configure there, and: make bench/coir; then here
#     make bench/coir && sh ../../bench/compare.sh /somewhere/build
#
# Prints the median of each build, and the median of the rounds' ratios, this one by the other; first as a program in C, then
# with a C++ runtime in the process, whose record of exceptions switches look at.

other=${1:?another build folder}
rounds=${2:-9}
for folder in . "$other"; do
    [ -x "$folder/bench/coir" ] || { echo "$folder: no bench/coir there: make bench/coir" >&2; exit 2; }
done

on_one_processor=
if command -v taskset > /dev/null 2>&1; then on_one_processor="taskset -c $(($(nproc) - 1))"; fi
cxx_runtime=$(${CXX:-g++} -print-file-name=libstdc++.so.6 2> /dev/null)

ask() { # FOLDER PRELOAD VARIANT QUESTION COUNT
    LD_PRELOAD=$2 COIR_BACKEND=asm $on_one_processor "$1/bench/coir" "$3" "$4" "$5" 100
}

compare() { # PRELOAD VARIANT QUESTION COUNT
    round=0
    while [ $round -lt "$rounds" ]; do
        ours=$(ask . "$@") && theirs=$(ask "$other" "$@") || return
        echo "$ours $theirs"
        round=$((round + 1))
    done | awk -v what="$2 $3 $4" '
        { ours[NR] = $1; theirs[NR] = $2; ratio[NR] = $1 / $2 }
        function median(values, n,    i, j, swap) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
                    swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
                }
            return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
        }
        END { if (NR > 0) printf "  %-28s %8.2f ns  %8.2f ns  %6.3f\n", what, median(ours, NR), median(theirs, NR), median(ratio, NR) }'
}

compare_all() { # PRELOAD
    printf '  %-28s %11s  %11s  %6s\n' question this other ratio
    compare "$1" plain switch 1
    compare "$1" plain robin 100
    compare "$1" plain generator 1
    compare "$1" plain yield 2
    compare "$1" plain yield 100
    compare "$1" plain channel 1
    compare "$1" plain create 1
}

echo 'a program in C:'
compare_all ''
if [ -f "$cxx_runtime" ]; then
    echo 'with a C++ runtime in the process:'
    compare_all "$cxx_runtime"
fi
