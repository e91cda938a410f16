#!/bin/sh
# SPDX-License-Identifier: MIT
# coverage.sh GCOV SRCDIR: lines of lib/ that the tests executed, of all that there are, by file.
gcov=$1 srcdir=$2
find lib -name '*.gcda' | while read -r data; do
    $gcov -n -o "$(dirname "$data")" "$data" 2> /dev/null
done | awk -v srcdir="$srcdir" '
    /^File / { file = $2; gsub(/\047/, "", file); next }
    /^Lines executed:/ && file ~ /lib\/.*\.[ch]$/ && file !~ /^\/usr/ {
        split($0, part, /[:% ]+/)             # Lines executed : P % of N
        lines = $NF; hit = part[3] * lines / 100
        sub(/^.*lib\//, "lib/", file)
        if (lines > total[file] || hit > covered[file]) { total[file] = lines; covered[file] = hit }
        file = ""
    }
    END {
        for (file in total) {
            printf "%-36s %4d of %4d lines\n", file, covered[file] + .5, total[file] | "sort"
            all += total[file]; hits += covered[file]
        }
        close("sort")
        if (!all) { print "no coverage data"; exit 1 }
        printf "lines executed in lib/: %.1f %%\n", 100 * hits / all
    }'
