/* SPDX-License-Identifier: MIT */
/* walk.c (POSIX) - stacks are walked by libunwind. No more than unw_ functions are called: libunwind brings _Unwind_
 * ones of its own, and those of a process must all come from one library, the compiler's.
 *
 * A cursor is always made from a whole set of registers, and no register of one is ever set: in libunwind 1.6 a new
 * stack pointer does not move the frame that the cursor is at. */

#include <config.h>

#include <string.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#ifdef COIR_HAVE_LIBGCC_S
#include <unwind.h>
#endif

#include "backend.h"
#include "registers.h"
#include "walk.h"

#ifdef COIR_HAVE_LIBGCC_S
/* Linkers leave out libraries that nothing refers to. The compiler's must not be, so that it is searched before
 * libunwind, which has functions of the same names. */
typedef _Unwind_Reason_Code unwinder(_Unwind_Trace_Fn visit, void *arg);
__attribute__((used)) static unwinder *const compilers_unwinder = _Unwind_Backtrace;
#endif

/* To find out where a function begins takes as long as a step, so it is asked only where the pc may be in one of those
 * that are looked for. They are small. */
#define NEAR 1024

bool coir__can_walk(void)
{
    return true;
}

static uintptr_t start_of_function(unw_cursor_t *cursor)
{
    unw_proc_info_t info;

    return unw_get_proc_info(cursor, &info) == 0 ? (uintptr_t)info.start_ip : 0;
}

static bool is_end(unw_cursor_t *cursor, uintptr_t pc, const struct coir__walk_end *end)
{
    if (pc == end->pc)
        return true;
    for (int i = 0; i < 2; i++)
        if (end->functions[i] != 0 && pc - end->functions[i] < NEAR && start_of_function(cursor) == end->functions[i])
            return true;
    return false;
}

/* A pc above the frame of a signal is exact again. */
static void walk(unw_cursor_t *cursor, bool exact, const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    struct coir__frame frame = {0, exact};
    unw_word_t pc;

    do {
        if (unw_get_reg(cursor, UNW_REG_IP, &pc) != 0 || is_end(cursor, (uintptr_t)pc, end))
            return;
        frame.pc = (uintptr_t)pc;
        if (!visit(&frame, arg))
            return;
        frame.exact = unw_is_signal_frame(cursor) > 0;
    } while (unw_step(cursor) > 0);
}

void coir__walk_here(const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    unw_context_t context;
    unw_cursor_t cursor;

    if (unw_getcontext(&context) == 0 && unw_init_local(&cursor, &context) == 0)
        walk(&cursor, true, end, visit, arg);
}

void coir__walk_suspended(const struct coir__context *context, const struct coir__walk_end *end, coir__visit_fn *visit,
                          void *arg)
{
    struct coir__registers registers;
    unw_cursor_t cursor;

    coir__backend()->registers(context, &registers);
    if (unw_init_local2(&cursor, &registers.ucontext, 0) == 0)
        walk(&cursor, false, end, visit, arg);
}

/* libunwind reads what it is given, although it says otherwise. */
static unw_context_t *context_of(const void *state)
{
    return (unw_context_t *)(uintptr_t)state;
}

static bool is_code(uintptr_t pc)
{
    uintptr_t offset;
    const char *name;

    return coir__name_module(pc, NULL, 0, &name, &offset);
}

/* A call of a function pointer that leads nowhere has come no further than that call. */
static void walk_from_nowhere(const void *state, const struct coir__frame *nowhere, const struct coir__walk_end *end,
                              coir__visit_fn *visit, void *arg)
{
    struct coir__registers registers = *(const struct coir__registers *)state;
    unw_cursor_t cursor;

    if (visit(nowhere, arg) && coir__registers_return(&registers) &&
        unw_init_local2(&cursor, &registers.ucontext, 0) == 0)
        walk(&cursor, false, end, visit, arg);
}

void coir__walk_interrupted(const void *state, const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    struct coir__frame first = {0, true};
    unw_cursor_t cursor;
    unw_word_t pc;

    if (unw_init_local2(&cursor, context_of(state), UNW_INIT_SIGNAL_FRAME) != 0 ||
        unw_get_reg(&cursor, UNW_REG_IP, &pc) != 0)
        return;
    first.pc = (uintptr_t)pc;
    if (is_code(first.pc))
        walk(&cursor, true, end, visit, arg);
    else
        walk_from_nowhere(state, &first, end, visit, arg);
}

uintptr_t coir__walk_stack_pointer(const void *state)
{
    unw_cursor_t cursor;
    unw_word_t value;

    if (unw_init_local2(&cursor, context_of(state), UNW_INIT_SIGNAL_FRAME) != 0 ||
        unw_get_reg(&cursor, UNW_REG_SP, &value) != 0)
        return 0;
    return (uintptr_t)value;
}

/* A cursor that was made for nothing but its pc, so that an address can be named at any time. */
bool coir__name_function(const struct coir__frame *frame, char *name, size_t size, uintptr_t *offset)
{
    struct coir__registers registers;
    unw_cursor_t cursor;
    unw_word_t distance;
    int error;

    memset(&registers, 0, sizeof registers);
    coir__registers_set_pc(&registers, frame->pc);
    if (unw_init_local2(&cursor, &registers.ucontext, frame->exact ? UNW_INIT_SIGNAL_FRAME : 0) != 0)
        return false;
    error = unw_get_proc_name(&cursor, name, size, &distance);
    *offset = (uintptr_t)distance;
    return error == 0 || error == -UNW_ENOMEM; /* the latter: there is more of the name */
}
