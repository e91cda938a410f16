#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that are built with a sanitizer, on the library that was built with none: nothing is reported where nothing is
# wrong, and mistakes on the stacks of fibers are found. With each compiler that is here, on every backend. And the same
# programs, built with no sanitizer, under valgrind's memcheck.
. "$srcdir/t/tap.sh"

here=$srcdir/t/sanitized
work=sanitizers.work
libraries=$PWD/.libs
COIR_LIBRARY=$libraries/libcoir.so needed=

# What random addresses do to shadow memory depends on the kernel; without them both ThreadSanitizer and AddressSanitizer
# find their places.
fixed=
if setarch -R true 2> /dev/null; then fixed='setarch -R'; fi

cxx_of() {
    case $1 in
        gcc) echo g++ ;;
        *) echo "$1++" ;;
    esac
}

# build COMPILER SANITIZER PROGRAM: $work/PROGRAM.COMPILER.SANITIZER; the sanitizer may be `none`.
build() {
    source=$here/$3.c driver=$1
    case $3 in
        *_cpp) source=$srcdir/samples/$3.cc driver="$(cxx_of "$1") -std=c++17" ;;
        exceptions) source=$here/$3.cc driver="$(cxx_of "$1") -std=c++17" ;;
    esac
    flag=-fsanitize=$2
    if [ "$2" = none ]; then flag=; fi
    # shellcheck disable=SC2086 # lists of words
    $driver -O1 -g -fno-omit-frame-pointer -pthread $flag -I"$srcdir/include" -Iinclude \
        -o "$work/$3.$1.$2" "$source" "$COIR_LIBRARY" $needed
}

# ---- one run --------------------------------------------------------------------------------------------------------

# run OPTIONS PROGRAM ARGUMENT...: its status; what it writes is in the files `out` and `err` of this compiler.
run() {
    options=$1
    shift
    LD_LIBRARY_PATH=$libraries ASAN_OPTIONS=$options LSAN_OPTIONS=$options TSAN_OPTIONS=$options \
        $fixed "$work/$@" > "$work/out.$compiler" 2> "$work/err.all.$compiler"
    status=$?
    # AddressSanitizer says so wherever swapcontext is called, for the sake of those who do not tell it of their switches.
    grep -v "WARNING: ASan doesn't fully support makecontext/swapcontext" "$work/err.all.$compiler" > "$work/err.$compiler"
    return $status
}

shows() { sed 's/^/    /' "$work/err.$compiler" | head -60; }

# silent OPTIONS PROGRAM ARGUMENT...: it succeeds, and has nothing to say.
silent() {
    run "$@" && [ ! -s "$work/err.$compiler" ] && return 0
    echo "status $status"
    shows
    return 1
}

# reports KIND FUNCTION OPTIONS PROGRAM ARGUMENT...: it fails, and its report has the kind and, in a line of a trace, the
# function.
reports() {
    kind=$1 function=$2
    shift 2
    if run "$@"; then echo "nothing was found"; shows; return 1; fi
    if ! grep -Eq "(ERROR|WARNING): [A-Za-z]*Sanitizer: .*($kind)" "$work/err.$compiler"; then
        echo "no report of $kind"
        shows
        return 1
    fi
    grep -Eq "^ *#[0-9]+ .*$function" "$work/err.$compiler" && return 0
    echo "$function is in no trace"
    shows
    return 1
}

# ---- what is run ----------------------------------------------------------------------------------------------------

# clean OPTIONS FIBERS: what must not be reported, under one sanitizer.
clean() {
    under="[$backend] $compiler, $sanitizer${1:+ ($1)}:"
    check "$under fibers, all" silent "$1" "fibers.$compiler.$sanitizer" "$2" all
    for case in $threads; do check "$under threads, $case" silent "$1" "threads.$compiler.$sanitizer" "$case"; done
    for program in $cxx_programs; do check "$under $program" silent "$1" "$program.$compiler.$sanitizer"; done
    for case in held_by_suspended_fibers held_by_waiting_tasks held_at_an_exit_in_a_fiber; do
        check "$under fibers, $case" silent "$1" "fibers.$compiler.$sanitizer" 10 "$case"
    done
}

# finds CASE KIND FUNCTION OPTIONS
finds() {
    check "[$backend] $compiler, $sanitizer${4:+ ($4)}: finds $1" \
        reports "$2" "$3" "$4" "mistakes.$compiler.$sanitizer" "$1"
}

address() {
    threads='all exit_of_another_thread'
    for options in detect_stack_use_after_return=0 detect_stack_use_after_return=1; do
        clean "$options" 2000
        finds overflow stack-buffer-overflow writes_past_a_local "$options"
        finds overflow_after_yield stack-buffer-overflow writes_past_a_local "$options"
        finds overflow_from_outside stack-buffer-overflow overflow_from_outside "$options"
        finds overflow_in_main stack-buffer-overflow writes_past_a_local_of_main "$options"
        finds recursion stack-overflow recurses_for_ever "$options"
        finds leak 'detected memory leaks' allocates_and_forgets "$options"
        finds leak_of_a_destroyed_fiber 'detected memory leaks' allocates_and_forgets "$options"
    done
    finds after_return stack-use-after-return reads_a_dead_local "$options"
    finds after_return_and_yield stack-use-after-return reads_a_dead_local "$options"
    # The memory that the sanitizer had the fiber's locals in may be unmapped by then.
    finds ended 'stack-use-after-return|use-after-poison|SEGV' reads_a_local_of_an_ended_fiber "$options"
}

thread() {
    # pthread_exit in a fiber ends in a failed check of ThreadSanitizer's own.
    threads='each_for_itself stacks_of_another_thread posts_from_threads work_in_another_thread fibers_left_behind
        movable_fibers moved_for_the_end exit_of_another_thread'
    clean '' 100 # gcc's runtime takes near a megabyte for each
    finds race 'data race' increments_unlocked ''
    finds race_after_post 'data race' writes_too_late ''
}

# Its own way to find the callers of malloc does not leave the thread's stack, and blocks without callers are not reported.
leak() {
    threads='all exit_of_another_thread'
    clean '' 2000
    finds leak 'detected memory leaks' allocates_and_forgets fast_unwind_on_malloc=0
    finds leak_of_a_destroyed_fiber 'detected memory leaks' allocates_and_forgets fast_unwind_on_malloc=0
}

# ---- memcheck -------------------------------------------------------------------------------------------------------

# under_memcheck PROGRAM ARGUMENT...: valgrind's report is in the file `report`.
under_memcheck() {
    LD_LIBRARY_PATH=$libraries valgrind --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --error-exitcode=9 --log-file="$work/report" "$work/$@"
}
# Not even that the stack was changed under it.
nothing_under_memcheck() {
    under_memcheck "$@" && ! grep 'Warning' "$work/report" && return 0
    head -60 "$work/report"
    return 1
}
# found_by_memcheck WORDS FUNCTION PROGRAM ARGUMENT...
found_by_memcheck() {
    words=$1 function=$2
    shift 2
    under_memcheck "$@"
    [ $? = 9 ] && grep -q "$words" "$work/report" && grep -Eq "(at|by) 0x[0-9A-F]+: $function" "$work/report" && return 0
    head -60 "$work/report"
    return 1
}

memcheck() {
    compiler=gcc
    if ! have valgrind || ! have gcc; then
        skip "memcheck" "no valgrind or no gcc here"
        return
    elif ! grep -q 'define HAVE_VALGRIND_MEMCHECK_H 1' config.h; then
        skip "memcheck" "the library was built without valgrind's header"
        return
    fi
    for program in fibers threads mistakes; do build gcc none $program || return; done
    if ! COIR_BACKEND=${COIR_TEST_BACKENDS%% *} under_memcheck fibers.gcc.none 1 all > /dev/null 2>&1 &&
        grep -q "Valgrind: I can't recover" "$work/report"; then
        skip "memcheck" "this valgrind cannot read what the library's compiler writes for debuggers"
        return
    fi
    for backend in $COIR_TEST_BACKENDS; do
        COIR_BACKEND=$backend
        export COIR_BACKEND
        under="[$backend] memcheck:"
        for case in all held_by_suspended_fibers held_by_waiting_tasks held_at_an_exit_in_a_fiber; do
            check "$under fibers, $case" nothing_under_memcheck fibers.gcc.none 200 $case
        done
        check "$under threads, all" nothing_under_memcheck threads.gcc.none all
        for case in leak leak_of_a_destroyed_fiber; do
            check "$under finds $case" found_by_memcheck 'definitely lost' allocates_and_forgets \
                mistakes.gcc.none $case
        done
        check "$under finds uninitialised" found_by_memcheck 'uninitialised value' reads_what_was_never_written \
            mistakes.gcc.none uninitialised
    done
}

# ---- all of it ------------------------------------------------------------------------------------------------------

# Does a program that knows nothing of fibers build with the sanitizer, and run?
usable() {
    cat > "$work/trial.$compiler.c" <<'END'
#include <stdio.h>
#include <coir.h>
int main(void) { return puts(coir_version()) < 0; }
END
    $compiler -pthread -fsanitize="$sanitizer" -I"$srcdir/include" -Iinclude \
        -o "$work/trial.$compiler" "$work/trial.$compiler.c" "$COIR_LIBRARY" $needed > /dev/null 2>&1 && run '' "trial.$compiler"
}

programs() {
    for program in fibers threads mistakes $cxx_programs; do
        build "$compiler" "$sanitizer" "$program" || return 1
    done
}

with() {
    compiler=$1 cxx_programs='exceptions iota_cpp throwing_task_cpp'
    if have "$compiler" && ! have "$(cxx_of "$compiler")"; then
        skip "$compiler, C++" "no $(cxx_of "$compiler") here"
        cxx_programs=
    fi
    for sanitizer in $sanitizers; do
        if ! have "$compiler"; then
            skip "$compiler, $sanitizer" "no $compiler here"
        elif ! usable; then
            skip "$compiler, $sanitizer" "a trivial program with -fsanitize=$sanitizer does not build or run here"
        elif ! programs > "$work/build.$compiler" 2>&1; then
            check "$compiler, $sanitizer: the programs build" sh -c "cat '$work/build.$compiler'; false"
        else
            for backend in $COIR_TEST_BACKENDS; do
                COIR_BACKEND=$backend
                export COIR_BACKEND
                $sanitizer
            done
        fi
    done
}

# Where executed lines are counted, those of lib/posix/tools.c are counted here, for which a part of all this will do.
sanitizers='address thread leak' counting=
if grep -q '^COVERAGE_CFLAGS = .*coverage' Makefile; then
    sanitizers='address thread' counting=yes COIR_TEST_BACKENDS=${COIR_TEST_BACKENDS%% *}
    COIR_LIBRARY=$libraries/libcoir.a needed=$(sed -n "s/^dependency_libs='\(.*\)'$/\1/p" libcoir.la)
else
    not_again 'programs with sanitizers'
fi
if [ -n "$T_INSTRUMENTED$TEST_RUNNER" ] || [ ! -f "$COIR_LIBRARY" ]; then
    skip "programs with sanitizers" "instrumented, foreign, or no library for it in this build"
    plan
    exit 0
fi
mkdir -p $work
trap 'rm -rf $work' EXIT
# Side by side, since there is much to build and run; the numbers are given at the end.
{ with gcc; [ -n "$counting" ] || memcheck; } > $work/gcc.tap &
{ [ -n "$counting" ] || with clang; } > $work/clang.tap
wait
cat $work/gcc.tap $work/clang.tap |
    awk '/^(not )?ok / { sub(/ok [0-9]+/, "ok " ++count) } { print } END { print "1.." count }'
