#!/bin/sh
# SPDX-License-Identifier: MIT
# What packagers look for in the objects: stacks that need not be executable, honest notes, no text relocations.
. "$srcdir/t/tap.sh"

objdump=${OBJDUMP:-objdump}
# objects_of FOLDER PATTERN...: those of the shared library, or else of the static one
objects_of() {
    folder=$1
    shift
    for pattern; do
        ls "$folder"/.libs/$pattern 2> /dev/null || ls "$folder"/$pattern 2> /dev/null
    done
}
objects=$(objects_of lib/posix '*-switch_*.o' '*-entries_*.o')
windows_objects=$(objects_of lib/win32 '*-switch_x86_64_*.o' '*-switch_winfiber_x*.o')
library=$(ls .libs/libcoir.so .libs/libcoir-*.dll 2> /dev/null)

stack_note() {
    for object in $objects; do
        readelf -SW "$object" | grep -q '\.note\.GNU-stack' || { echo "$object"; return 1; }
        readelf -SW "$object" | grep '\.note\.GNU-stack' | grep -q ' X ' && { echo "$object: executable"; return 1; }
    done
    return 0
}
property_note() {
    for object in $objects; do
        readelf -nW "$object" | grep -q 'x86 feature: IBT, SHSTK' || { echo "$object"; return 1; }
    done
}
# Entries that are reached through pointers begin with a landing pad; every indirect jump is notrack, and none returns.
landing_pads() {
    objdump -d --no-show-raw-insn $objects | awk '
        /^[0-9a-f]+ <.*>:$/ { name = $2; fresh = 1; next }
        fresh && /^ / {
            fresh = 0
            if (name ~ /switch_|trampoline|interrupted|<coir_[a-z]/ && $2 != "endbr64") { print name " has no endbr64"; bad = 1 }
        }
        $2 == "jmp" && $3 ~ /^\*/  { print name " jumps without notrack"; bad = 1 }
        $2 ~ /^ret/                { print name " returns"; bad = 1 }
        END { exit bad }'
}
# An entry that leaves an unusual case to C does so with the stack as it came: its last row says what its first one says.
unwind_data_of_entries() {
    entries=$(objects_of lib/posix '*-entries_*.o')
    [ -n "$entries" ] || return 0
    readelf --debug-dump=frames-interp $entries | awk '
        / FDE /              { check(); last = ""; functions++ }
        /^[0-9a-f]+ rsp\+/  { last = $2 " " $NF }
        END                  { check(); exit bad || functions == 0 }
        function check()     { if (functions > 0 && last != "rsp+8 c-8") { print "ends with " last; bad = 1 } }'
}
# Each function has unwind data, that of the trampoline a handler too.
unwind_data() {
    for object in $windows_objects; do
        functions=$($objdump -t "$object" | grep -c '(ty  *20).* coir__')
        entries=$($objdump -h "$object" | awk '$2 == ".pdata" { print "0x" $3 }')
        [ "$functions" -gt 0 ] && [ $((entries)) = $((functions * 12)) ] || { echo "$object: $functions functions, .pdata $entries"; return 1; }
    done
    $objdump -r $windows_objects | grep -q coir__win64_handler
}
# But for those that the switches of Windows Fibers have for shadow stacks, which are asked for before.
no_returns() {
    for object in $windows_objects; do
        $objdump -dr --no-show-raw-insn "$object" | awk '
            $2 ~ /^ret/ && !asked { print; bad = 1 }
            $2 ~ /^ret/           { asked = 0 }
            /winfiber_returns/    { asked = 1 }
            END { exit bad }' || return 1
    done
}
no_text_relocations() { ! readelf -dW .libs/libcoir.so | grep -i textrel; }
no_executable_stack() { readelf -lW .libs/libcoir.so | awk '/GNU_STACK/ { found = 1; bad = /RWE/ } END { exit !found || bad }'; }
not_unloaded() { readelf -dW .libs/libcoir.so | grep -q NODELETE; }

# In optimised builds whatever changes fibers does its work and jumps: into the machine's switch, or, where it is in
# assembly whole, to the other side. No call, so no return after it. Also the C functions that the assembly leaves unusual
# cases to.
tail_calls() {
    $objdump -d --no-show-raw-insn $library > assembly.listing
    functions="coir_resume coir_yield coir_switch coir_gen_next coir_gen_yield coir_task_yield"
    if grep -q '<coir__resume>:' assembly.listing; then
        functions="$functions coir__resume coir__yield coir__gen_next coir__gen_yield"
    fi
    for function in $functions; do
        awk -v name="<$function>:" '
            $2 == name { inside = 1; next }
            inside && /^$/ { exit }
            inside && $2 ~ /^call/ { print name " calls"; bad = 1 }
            inside && /jmp +\*/ { jumps = 1 }
            END { if (!jumps) { print name " does not jump"; bad = 1 } exit bad }' assembly.listing || return 1
    done
    rm -f assembly.listing
}

name="resume, yield and switch, also of generators and tasks, end in a jump"
if [ -n "$T_INSTRUMENTED" ]; then
    skip "$name" "instrumented"
elif ! have $objdump || [ -z "$library" ]; then
    skip "$name" "no objdump, or no shared library in this build"
else
    case " $CFLAGS " in
        *" -O2 "*) check "$name" tail_calls ;;
        *) skip "$name" "not compiled with -O2" ;;
    esac
fi

if [ -n "$windows_objects" ]; then
    check "assembly has unwind data, and the trampoline a handler" unwind_data
    check "assembly leaves by jumps, never by ret" no_returns
    plan
    exit
fi
if ! have readelf || ! have objdump; then
    skip "objects of the assembly" "no readelf or objdump here"
elif [ -z "$objects" ]; then
    skip "objects of the assembly" "no assembly in this build"
else
    check "assembly needs no executable stack" stack_note
    check "assembly carries the IBT and SHSTK marks" property_note
    check "assembly keeps to them: landing pads, notrack, no ret" landing_pads
    check "entries have the caller's frame where they jump to C" unwind_data_of_entries
fi
if ! have readelf; then
    skip "the shared library" "no readelf here"
elif [ ! -f .libs/libcoir.so ]; then
    skip "the shared library" "no shared library in this build"
else
    check "the library has no text relocations" no_text_relocations
    check "the library needs no executable stack" no_executable_stack
    check "the library stays loaded" not_unloaded
fi
plan
