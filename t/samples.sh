#!/bin/sh
# SPDX-License-Identifier: MIT
# Each sample prints what is in its .expected file, on every backend. And the README's first program is samples/hello.c.
. "$srcdir/t/tap.sh"

# prints_expected SAMPLE [COUNT]: COUNT is an argument, and what the expected output's million becomes.
prints_expected() {
    $TEST_RUNNER "samples/$1" $2 > samples.out 2> samples.err || { cat samples.err; return 1; }
    sed "s/1000000/${2:-1000000}/" "$srcdir/samples/$1.expected" > samples.wanted
    tr -d '\r' < samples.out | diff samples.wanted -
}
# A million, which is the default; or where guards take mappings, about as many as there can be.
many_prints_expected() {
    if $TEST_RUNNER samples/many 40000 2>&1 | grep -q 'too many memory mappings'; then
        prints_expected many 30000
    else
        prints_expected many
    fi
}
many_refuses() {
    for word in 0 -1 x 1x ''; do
        $TEST_RUNNER samples/many "$word" > samples.out 2> samples.err
        [ $? = 2 ] || { echo "many '$word'"; return 1; }
    done
}
many_fails() {
    $TEST_RUNNER samples/many 3 2000000000000000000 > samples.out 2> samples.err && return 1
    grep -q 'out of memory' samples.err
}
# A report on standard error: without numbers and addresses; of its frames, the names of the program's functions, once each in
# a row. Where functions have no names, without the frames; and where there is no walker, without the stacks. What a sanitizer adds is not the sample's.
without_numbers() {
    tr -d '\r' < samples.out | grep -vE "libcoir|libc\.|__asan|WARNING: ASan doesn't fully" | sed -e 's/0x[0-9a-f]*/X/g' -e 's/ of [0-9]* bytes/ of X bytes/' -e 's/used [0-9]*/used X/' \
        -e 's/ *([^()]*+X)$//' -e 's/^  created by \([a-z_]*\).*/  created by \1/' -e '/ more$/d' \
        -e 's/^    #[0-9]*  *X//' -e 's/^  \([a-z_]*\)[.a-z0-9]*+X$/    \1/' |
        grep -vE '^    (_|coir_|swap|enter)' | uniq
}
overflow_prints_expected() {
    $TEST_RUNNER samples/overflow > samples.out 2>&1 || { cat samples.out; return 1; }
    cp "$srcdir/samples/overflow.expected" samples.wanted
    if ! grep -q 'main+0x' samples.out; then
        sed -i -e '/^    /d' -e 's/created by .*/created by/' samples.wanted
        without_numbers | sed -e 's/created by .*/created by/' -e '/^ *$/d' > samples.text
    else
        without_numbers > samples.text
    fi
    grep -q '#0' samples.out || sed -i -e '/^  fiber/d' -e '/^  thread/d' samples.wanted
    diff samples.wanted samples.text
}
in_readme() {
    awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' "$srcdir/README.md" > samples.out
    [ -s samples.out ] && sed 1,2d "$srcdir/samples/hello.c" | diff samples.out -
}

plain_samples='executor game_loop handle hello iota lazy naps pipeline same_fringe sequence structured timeouts'
if [ -x samples/iota_cpp ] || [ -x samples/iota_cpp.exe ]; then
    plain_samples="$plain_samples exceptions_cpp iota_cpp lazy_cpp throwing_task_cpp"
fi
executor_refuses() {
    for words in 0 x 1x '' '1 2'; do
        if [ -n "$words" ]; then set -- $words; else set -- ''; fi
        $TEST_RUNNER samples/executor "$@" > samples.out 2> samples.err
        [ $? = 2 ] || { echo "executor '$words'"; return 1; }
    done
}
executor_measures() { $TEST_RUNNER samples/executor 1000 | grep -q 'ns'; }

under_wine=
case $TEST_RUNNER in *wine*) under_wine=yes ;; esac

builds_against_the_build_tree() {
    $CC -o samples.program "$srcdir/samples/hello.c" \
        $(PKG_CONFIG_PATH=$PWD pkg-config --cflags --libs coir) || return 1
    LD_LIBRARY_PATH=$PWD/.libs ./samples.program | diff "$srcdir/samples/hello.expected" -
    status=$?
    rm -f samples.program
    return $status
}

name="a program builds against the build tree through pkg-config"
if ! have pkg-config; then
    skip "$name" "no pkg-config here"
elif [ -n "$T_INSTRUMENTED$TEST_RUNNER" ] || [ ! -f .libs/libcoir.so ]; then
    skip "$name" "instrumented, foreign, or no shared library in this build"
else
    check "$name" builds_against_the_build_tree
fi
for backend in $COIR_TEST_BACKENDS; do
    COIR_BACKEND=$backend
    export COIR_BACKEND
    for sample in $plain_samples; do
        check "[$backend] $sample" prints_expected $sample
    done
    # The million is what the sample is for; under a tool, where it would take an hour, the sum of a few must do.
    if [ -n "$T_INSTRUMENTED" ]; then
        skip "[$backend] many" "instrumented: run with 1000 by hand"
    elif [ "${T_FEW-}" = 1 ] && [ -z "$under_wine" ]; then
        check "[$backend] many, 30,000" prints_expected many 30000
        skip "[$backend] many" "T_FEW: a million takes long, and was made in another build"
    elif [ -n "$under_wine" ]; then
        check "[$backend] many, 20,000" prints_expected many 20000
        skip "[$backend] many" "wine's mappings end near 30,000 stacks"
    else
        check "[$backend] many" many_prints_expected
    fi
    if [ "$under_wine.$backend" = yes.winfiber ]; then
        skip "[$backend] overflow" "wine commits the stacks of native fibers whole, and an overflow of one ends the process"
    else
        check "[$backend] overflow" overflow_prints_expected
    fi
    check "[$backend] executor refuses what is no number" executor_refuses
    check "[$backend] executor measures" executor_measures
    check "[$backend] many refuses what is no number" many_refuses
    check "[$backend] many says that memory is short" many_fails
done
check "the README's program is the sample" in_readme
rm -f samples.out samples.err samples.wanted samples.text
plan
