/* SPDX-License-Identifier: MIT */
/* trace.h - a backtrace: the stack of a fiber, then that of its resumer, and so on. */

#ifndef COIR__TRACE_H
#define COIR__TRACE_H

#include <coir/fiber.h>

#include "walk.h"

struct coir__line;

/* Which stacks, and where on the first of them the walk begins. */
struct coir__trace {
    const coir_fiber *first;
    bool alone;         /* its resumers do not belong to it: it is suspended */
    bool is_here;       /* it is the caller's own */
    const void *caller; /* with is_here: the frames before this return address are the library's, and not shown */
    const void *state;  /* or it was interrupted here: what the system told the handler. Else NULL */
};

/* The stack that comes after that of `f`; NULL: there is none. */
const coir_fiber *coir__trace_next(const struct coir__trace *trace, const coir_fiber *f);

/* Visits the frames of one of the stacks. */
void coir__trace_frames(const struct coir__trace *trace, const coir_fiber *f, coir__visit_fn *visit, void *arg);

/* How a backtrace is printed. */
struct coir__print {
    int fd;
    const char *indent;
    unsigned most; /* frames of one stack: if it has more, those in the midst are left out; 0: all are printed */
};

void coir__trace_print(const struct coir__trace *trace, const struct coir__print *how);

/* Adds to a line what is known of a frame's place, behind a separator: function+offset, if that is wanted, and
 * (module+offset). To find a function's name takes some KiB of the stack. */
void coir__line_add_place(struct coir__line *line, const char *separator, const struct coir__frame *frame,
                          bool with_function);

/* And of a fiber: fiber "name" (address). */
void coir__line_add_fiber(struct coir__line *line, const coir_fiber *f);

#endif
