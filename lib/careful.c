/* SPDX-License-Identifier: MIT */
/* careful.c - switches that do more than change stacks: tell the program's hook, keep records of exceptions and
 * floating-point control apart, tell sanitizers.
 *
 * Changes of fiber come by here only while something asks for it (thread.h, `watched`), so who does not need that does not
 * pay. Like all else they do their work before the switch, on the side that leaves; but AddressSanitizer wants to hear
 * of the arrival too. */

#include <config.h>

#include <stddef.h>

#include "fiber.h"
#include "likely.h"
#include "os.h"
#include "thread.h"
#include "tools.h"

_Static_assert(offsetof(struct coir_fiber, context) == 0, "a context's address is its fiber's");

static struct {
    coir_switch_hook *function;
    void *context;
} hook;

/* Written under the lock. */
static _Atomic bool keeps_fpenv;
static _Atomic bool keeps_exceptions;

static coir_fiber *fiber_of(struct coir__context *context)
{
    return (coir_fiber *)(void *)context;
}

static coir_fiber *fiber_or_null(struct coir__context *context)
{
    coir_fiber *f = fiber_of(context);

    return f->special & COIR__ROOT ? NULL : f;
}

static void tell(struct coir__context *from, struct coir__context *to)
{
    if (hook.function != NULL)
        hook.function(fiber_or_null(from), fiber_or_null(to), hook.context);
}

static bool has_own_fpenv(const coir_fiber *f)
{
    return (f->flags & COIR_KEEP_FPENV) && coir__backend()->fpenv_read != NULL;
}

static void enter_fpenv(coir_fiber *to)
{
    if (!has_own_fpenv(to))
        return;
    coir__backend()->fpenv_read(&to->outer_fpenv);
    coir__backend()->fpenv_load(&to->fpenv);
}

static void leave_fpenv(coir_fiber *from)
{
    if (!has_own_fpenv(from))
        return;
    coir__backend()->fpenv_read(&from->fpenv);
    coir__backend()->fpenv_load(&from->outer_fpenv);
}

/* Does the current thread go by here at each change of fiber? */
static bool is_careful_always(void)
{
    return coir__watches_always(coir__thread_here());
}

/* Leaves the record of exceptions with the side that it is of, and makes that of the other the thread's. From the first time
 * that there is something to leave, it has to be looked at whenever a side is continued. */
static void exchange_exceptions(coir_fiber *from, const coir_fiber *to)
{
    struct coir__exceptions *record = coir__exceptions_of(coir__thread_here());

    from->exceptions = *record;
    if (coir__exceptions_empty(record) && coir__exceptions_empty(&to->exceptions))
        return;
    *record = to->exceptions;
    if (!is_careful_always())
        coir__careful_exceptions();
}

static bool is_left_for_good(const coir_fiber *f)
{
    return f->life == COIR__DONE;
}

/* Tells tools that follow all switches of one from `from`, whose stack is noted elsewhere if it is left for good. */
COIR__UNNOTED static void tell_tools(coir_fiber *from, coir_fiber *to)
{
    struct coir__thread *thread = coir__thread_here();

    thread->left = from;
    if (is_left_for_good(from))
        coir__tools_leave_for_good(&thread->leaving, &to->stack);
    else
        coir__tools_leave(&from->stack, &to->stack);
}

/* On arrival; the thread may be another than that of the departure. Of the side that was left the tool tells where its
 * stack lies, which is how the thread's own becomes known. */
COIR__NOINLINE void coir__careful_arrive(void)
{
    struct coir__thread *thread = coir__thread_here();
    struct coir__stack *left = thread->left->special & COIR__ROOT ? &thread->left->stack : NULL;

    coir__tools_arrive(&thread->current->stack, left);
}

/* What is done before any change of fiber but for floating-point control. */
static void depart(struct coir__context *from, struct coir__context *to)
{
    tell(from, to);
    exchange_exceptions(fiber_of(from), fiber_of(to));
}

/* Changes stacks. The one place in the library where something is done after a switch. */
static int go(coir__switch_fn *change, struct coir__context *from, struct coir__context *to, int result)
{
    if (!coir__tools_follow)
        return change(from, to, result);
    tell_tools(fiber_of(from), fiber_of(to));
    result = change(from, to, result);
    coir__careful_arrive();
    return result;
}

int coir__careful_in(struct coir__context *from, struct coir__context *to, int result)
{
    depart(from, to);
    enter_fpenv(fiber_of(to));
    return go(coir__backend()->switches.in, from, to, result);
}

int coir__careful_out(struct coir__context *from, struct coir__context *to, int result)
{
    depart(from, to);
    leave_fpenv(fiber_of(from));
    return go(coir__backend()->switches.out, from, to, result);
}

int coir__careful_over(struct coir__context *from, struct coir__context *to, int result)
{
    depart(from, to);
    leave_fpenv(fiber_of(from));
    enter_fpenv(fiber_of(to));
    return go(coir__backend()->switches.over, from, to, result);
}

/* Enters a fiber of a task with all it is nested in: each that has control of its own is inside of what the next outer one
 * has, the outermost of what is there now. From the inside out, for they may be nested deep. */
static void enter_chain(coir_fiber *to)
{
    const coir_fiber *innermost = NULL;
    coir_fiber *last = NULL;

    for (coir_fiber *f = to;; f = f->resumer) {
        if (has_own_fpenv(f)) {
            if (last != NULL)
                last->outer_fpenv = f->fpenv;
            else
                innermost = f;
            last = f;
        }
        if (f->special & COIR__TASK)
            break;
    }
    if (last == NULL)
        return;
    coir__backend()->fpenv_read(&last->outer_fpenv);
    coir__backend()->fpenv_load(&innermost->fpenv);
}

static void leave_chain(coir_fiber *from)
{
    leave_fpenv(from);
    while (!(from->special & COIR__TASK)) {
        from = from->resumer;
        leave_fpenv(from);
    }
}

int coir__careful_across(struct coir__context *from, struct coir__context *to, int result)
{
    if (from == to)
        return result;
    depart(from, to);
    if (keeps_fpenv) {
        leave_chain(fiber_of(from));
        enter_chain(fiber_of(to));
    }
    return go(coir__backend()->switches.across, from, to, result);
}

void coir__careful_choose(const struct coir__backend *backend)
{
    coir__threads_watch(hook.function != NULL || keeps_fpenv || keeps_exceptions || coir__tools_follow ||
                        !backend->switches.entries);
}

/* `what` is asked for from now on. The calling thread's own switches must not run ahead of that, whoever else may be asking
 * for the same: so what is looked at before is not what was asked for, but what has come of it. */
static void ask_for(_Atomic bool *what)
{
    coir__lock();
    *what = true;
    if (coir__backend() != NULL)
        coir__careful_choose(coir__backend());
    coir__unlock();
}

void coir__careful_fpenv(struct coir__fpenv *out)
{
    if (coir__backend()->fpenv_read == NULL)
        return;
    coir__backend()->fpenv_read(out);
    if (!keeps_fpenv || !is_careful_always())
        ask_for(&keeps_fpenv);
}

void coir__careful_exceptions(void)
{
    ask_for(&keeps_exceptions);
}

int coir_set_switch_hook(coir_switch_hook *function, void *context)
{
    int error = coir__backend_choose();

    if (error != COIR_OK)
        return error;
    coir__lock();
    hook.function = function;
    hook.context = context;
    coir__careful_choose(coir__backend());
    coir__unlock();
    return COIR_OK;
}
