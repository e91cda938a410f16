/* SPDX-License-Identifier: MIT */
/* crash.c - the report of a fault in a fiber. Most of what it calls is not among what may be called in the handler of
 * a signal by the letter of POSIX (dladdr and libunwind take locks of the dynamic linker): it is the best that can be
 * done for a process that is about to end. So what is certain is written first, line by line. */

#include <config.h>

#include <stdatomic.h>

#include <coir/debug.h>
#include <coir/stack.h>

#include "crash.h"
#include "fiber.h"
#include "line.h"
#include "os.h"
#include "pages.h"
#include "thread.h"
#include "trace.h"

#define STANDARD_ERROR 2

/* An overflow has thousands of frames, most of them alike. */
#define MOST_FRAMES 32

static atomic_bool is_installed;

/* ---- the report ---- */

static bool is_in_guard(const coir_fiber *f, uintptr_t address)
{
    uintptr_t low = (uintptr_t)f->stack.low;

    return coir__stack_is_own(&f->stack) && low - address - 1 < coir__pages_guard_size(!f->stack.unguarded);
}

static void write_title(struct coir__line *line, const coir_fiber *f, const struct coir__fault *fault,
                        bool is_overflow)
{
    coir__line_begin(line);
    coir__line_add(line, is_overflow ? "coir: stack overflow" : "coir: fault at ");
    if (!is_overflow)
        coir__line_add_hex(line, fault->address, 1);
    coir__line_add(line, " in ");
    coir__line_add_fiber(line, f);
    coir__line_write(line, STANDARD_ERROR);
}

static void begin_stack(struct coir__line *line, const coir_fiber *f)
{
    coir__line_begin(line);
    coir__line_add(line, "  stack of ");
    coir__line_add_number(line, f->stack.size);
    coir__line_add(line, " bytes at ");
    coir__line_add_hex(line, (uintptr_t)f->stack.low, 1);
}

static void write_overflow(struct coir__line *line, const coir_fiber *f, const struct coir__fault *fault)
{
    size_t used;

    begin_stack(line, f);
    if (coir_stack_used(f, &used) == COIR_OK) {
        coir__line_add(line, ", used ");
        coir__line_add_number(line, used);
    }
    coir__line_add(line, "; fault at ");
    coir__line_add_hex(line, fault->address, 1);
    coir__line_write(line, STANDARD_ERROR);
    coir__line_begin(line);
    coir__line_add(line, "  give it more with coir_options.stack_size");
    coir__line_write(line, STANDARD_ERROR);
}

static void write_rest_of_stack(struct coir__line *line, const coir_fiber *f, const struct coir__fault *fault)
{
    uintptr_t left = coir__walk_stack_pointer(fault->state) - (uintptr_t)f->stack.low;

    begin_stack(line, f);
    if (left <= f->stack.size) {
        coir__line_add(line, ", ");
        coir__line_add_number(line, left);
        coir__line_add(line, " left");
    }
    coir__line_write(line, STANDARD_ERROR);
}

static void write_creator(struct coir__line *line, const coir_fiber *f, bool has_room)
{
    struct coir__frame frame = {(uintptr_t)f->created_by, false};

    if (f->created_by == NULL)
        return;
    coir__line_begin(line);
    coir__line_add(line, "  created by");
    coir__line_add_place(line, " ", &frame, has_room);
    coir__line_write(line, STANDARD_ERROR);
}

static void write_backtrace(const coir_fiber *f, const void *state)
{
    struct coir__trace trace = {.first = f, .state = state};
    struct coir__print how = {.fd = STANDARD_ERROR, .indent = "  ", .most = MOST_FRAMES};

    coir__trace_print(&trace, &how);
}

void coir__crash_report(const struct coir__fault *fault)
{
    const coir_fiber *f = fault->thread->current;
    bool is_overflow = fault->is_overflow || is_in_guard(f, fault->address);
    struct coir__line line;

    if (f->special & COIR__ROOT)
        return;
    write_title(&line, f, fault, is_overflow);
    if (is_overflow)
        write_overflow(&line, f, fault);
    else
        write_rest_of_stack(&line, f, fault);
    write_creator(&line, f, fault->has_room);
    if (fault->has_room && coir__can_walk())
        write_backtrace(f, fault->state);
}

/* ---- the handler ---- */

int coir__crash_new_thread(struct coir__thread *thread)
{
    return is_installed ? coir__crash_enter_thread(thread) : COIR_OK;
}

static int install(void)
{
    int error = COIR_OK;

    coir__lock();
    if (!is_installed)
        error = coir__crash_install();
    if (error == COIR_OK)
        is_installed = true;
    coir__unlock();
    return error;
}

int coir_crash_handler_install(void)
{
    struct coir__thread *thread;
    int error = coir__thread_enter(&thread);

    if (error == COIR_OK)
        error = coir__crash_enter_thread(thread);
    if (error != COIR_OK)
        return error;
    error = install();
    if (error != COIR_OK)
        coir__crash_leave_thread(thread);
    return error;
}
