#!/bin/sh
# SPDX-License-Identifier: MIT
# valgrind.sh PROGRAM...: the program under memcheck; its children too, each with its own report. Exit status 9 where it
# found something.
case $2 in --count) exec "$@" ;; esac
T_INSTRUMENTED=valgrind
export T_INSTRUMENTED
supp=$(dirname "$0")/valgrind.supp
exec valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --max-stackframe=100000 --suppressions="$supp" "$@"
