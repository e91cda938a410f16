/* SPDX-License-Identifier: MIT */
/* careful.c - switches that do more than change stacks: tell the program's hook, keep floating-point control apart.
 *
 * They stand in the route between switch.c and the backend only while something asks for them, so who does not need
 * them does not pay. Like all else they do their work before the switch, on the side that leaves. */

#include <config.h>

#include <stddef.h>

#include "fiber.h"

_Static_assert(offsetof(struct coir_fiber, context) == 0, "a context's address is its fiber's");

static struct {
    coir_switch_hook *function;
    void *context;
} hook;

static _Atomic bool keeps_fpenv;

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

static int careful_in(struct coir__context *from, struct coir__context *to, int result)
{
    tell(from, to);
    enter_fpenv(fiber_of(to));
    return coir__backend()->switches.in(from, to, result);
}

static int careful_out(struct coir__context *from, struct coir__context *to, int result)
{
    tell(from, to);
    leave_fpenv(fiber_of(from));
    return coir__backend()->switches.out(from, to, result);
}

static int careful_over(struct coir__context *from, struct coir__context *to, int result)
{
    tell(from, to);
    leave_fpenv(fiber_of(from));
    enter_fpenv(fiber_of(to));
    return coir__backend()->switches.over(from, to, result);
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

static int careful_across(struct coir__context *from, struct coir__context *to, int result)
{
    if (from == to)
        return result;
    tell(from, to);
    if (keeps_fpenv) {
        leave_chain(fiber_of(from));
        enter_chain(fiber_of(to));
    }
    return coir__backend()->switches.across(from, to, result);
}

static void update_route(void)
{
    static const struct coir__switches careful = {careful_in, careful_out, careful_over, careful_across, false};

    coir__route_set(hook.function != NULL || keeps_fpenv ? &careful : &coir__backend()->switches);
}

void coir__careful_fpenv(struct coir__fpenv *out)
{
    if (coir__backend()->fpenv_read == NULL)
        return;
    coir__backend()->fpenv_read(out);
    if (!keeps_fpenv) {
        keeps_fpenv = true;
        update_route();
    }
}

int coir_set_switch_hook(coir_switch_hook *function, void *context)
{
    int error = coir__backend_choose();

    if (error != COIR_OK)
        return error;
    hook.function = function;
    hook.context = context;
    update_route();
    return COIR_OK;
}
