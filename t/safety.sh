#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/safety.md: no row without a test, and each test that it names is there.
. "$srcdir/t/tap.sh"

table=$srcdir/docs/safety.md

# A row of a table that is no heading names a test in its last column.
rows_have_tests() {
    awk '/^\|/ && !/^\| hazard/ && !/^\|---/ {
             rows++
             if ($0 !~ /`t\/[a-z0-9_]+\.[a-z]+:[^`]*` \|$/) { print; bad = 1 }
         }
         END { exit bad || rows < 30 }' "$table"
}

# FILE:NAME: a case of a program; part of a test's name in a script; without a name, the file.
is_there() {
    file=$srcdir/${1%%:*} name=${1#*:}
    [ -f "$file" ] || return 1
    case $file in
        *.sh) grep -q -F -e "$name" "$file" ;;
        *) [ -z "$name" ] || grep -q "START_TEST($name)" "$file" ;;
    esac
}
tests_are_there() {
    missing=0
    while IFS= read -r named; do
        is_there "$named" || { echo "$named"; missing=$((missing + 1)); }
    done <<NAMES
$(grep -o '`t/[^`]*:[^`]*`' "$table" | tr -d '`')
NAMES
    return $missing
}

check "each row of docs/safety.md names a test" rows_have_tests
check "each test that docs/safety.md names is there" tests_are_there
plan
