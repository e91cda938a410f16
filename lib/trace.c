/* SPDX-License-Identifier: MIT */
/* trace.c - a backtrace: which stacks it goes through, and how it is printed. Each stack is walked by itself, to the
 * fiber's first function, so that it comes out alike on all backends: where those lead a walker on into the resumer,
 * and where they do not. */

#include <config.h>

#include "backend.h"
#include "fiber.h"
#include "line.h"
#include "task.h"
#include "thread.h"
#include "trace.h"
#include "unwinding.h"

/* A task's first fiber, rather than that of its executor. */
static bool is_task(const coir_fiber *f)
{
    return (f->special & COIR__TASK) && f->keeper->waits == coir__task_waits;
}

static bool is_running(const coir_task *task)
{
    return task->exec->running == task;
}

const coir_fiber *coir__trace_next(const struct coir__trace *trace, const coir_fiber *f)
{
    if (trace->alone || (f->special & COIR__ROOT) || (is_task(f) && !is_running(f->arg)))
        return NULL;
    return f->resumer;
}

/* ---- one stack ---- */

/* Lets frames pass once that of the caller was seen. */
struct filter {
    const void *caller;
    bool passes;
    coir__visit_fn *visit;
    void *arg;
};

static bool visit_from_caller(const struct coir__frame *frame, void *arg)
{
    struct filter *filter = arg;

    if (!filter->passes && frame->pc != (uintptr_t)filter->caller)
        return true;
    filter->passes = true;
    return filter->visit(frame, filter->arg);
}

/* Where the compiler made no tables, the walker may not have come as far as to the caller. */
static void walk_from_caller(const void *caller, const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    struct filter filter = {caller, caller == NULL, visit, arg};
    struct coir__frame frame = {(uintptr_t)caller, false};

    coir__walk_here(end, visit_from_caller, &filter);
    if (!filter.passes)
        visit(&frame, arg);
}

static void visit_new(const coir_fiber *f, coir__visit_fn *visit, void *arg)
{
    const coir_task *task = f->arg;
    struct coir__frame frame = {is_task(f) ? (uintptr_t)task->fn : (uintptr_t)f->fn, true};

    visit(&frame, arg);
}

/* The functions of the library's own that a fiber begins with. A thread's stack ends by itself. */
static struct coir__walk_end end_of(const coir_fiber *f)
{
    struct coir__walk_end end = {{0, 0}, 0};

    if (f->special & COIR__ROOT)
        return end;
    end.functions[0] = (uintptr_t)coir__fiber_main;
    if (f->special & COIR__KEPT)
        end.functions[1] = (uintptr_t)(f->life == COIR__NEW ? f->fn : f->unwinding->fn);
    end.pc = (uintptr_t)coir__backend()->end_of_walks;
    return end;
}

void coir__trace_frames(const struct coir__trace *trace, const coir_fiber *f, coir__visit_fn *visit, void *arg)
{
    struct coir__walk_end end = end_of(f);

    if (f == trace->first && trace->is_here)
        walk_from_caller(trace->caller, &end, visit, arg);
    else if (f == trace->first && trace->state != NULL)
        coir__walk_interrupted(trace->state, &end, visit, arg);
    else if (f->life == COIR__NEW)
        visit_new(f, visit, arg);
    else
        coir__walk_suspended(&f->context, &end, visit, arg);
}

/* ---- printing ---- */

#define LONGEST_FUNCTION 512
#define LONGEST_MODULE 260 /* where the name has to be copied: MAX_PATH of Windows */

static bool add_function(struct coir__line *line, const char *separator, const struct coir__frame *frame)
{
    char name[LONGEST_FUNCTION];
    uintptr_t offset;

    if (!coir__name_function(frame, name, sizeof name, &offset))
        return false;
    coir__line_add(line, separator);
    coir__line_add(line, name);
    coir__line_add(line, "+");
    coir__line_add_hex(line, offset, 1);
    return true;
}

static void add_module(struct coir__line *line, const char *separator, uintptr_t pc)
{
    char buffer[LONGEST_MODULE];
    const char *name;
    uintptr_t offset;

    if (!coir__name_module(pc, buffer, sizeof buffer, &name, &offset))
        return;
    coir__line_add(line, separator);
    coir__line_add(line, "(");
    coir__line_add(line, name);
    coir__line_add(line, "+");
    coir__line_add_hex(line, offset, 1);
    coir__line_add(line, ")");
}

void coir__line_add_place(struct coir__line *line, const char *separator, const struct coir__frame *frame,
                          bool with_function)
{
    if (with_function && add_function(line, separator, frame))
        separator = "  ";
    add_module(line, separator, frame->pc);
}

void coir__line_add_fiber(struct coir__line *line, const coir_fiber *f)
{
    coir__line_add(line, "fiber \"");
    coir__line_add(line, coir_fiber_name(f));
    coir__line_add(line, "\" (");
    coir__line_add_hex(line, (uintptr_t)f, 1);
    coir__line_add(line, ")");
}

static const char *name_of_state(const coir_fiber *f)
{
    switch (coir_fiber_state(f)) {
    case COIR_STATE_NEW:
        return ", new";
    case COIR_STATE_SUSPENDED:
        return ", suspended";
    case COIR_STATE_RUNNING:
        return ", running";
    case COIR_STATE_WAITING:
        return ", waiting";
    default:
        return ", resuming";
    }
}

/* A thread without a record has no fibers, and so runs. */
static void add_stack(struct coir__line *line, const coir_fiber *f)
{
    if (f->special & COIR__ROOT) {
        coir__line_add(line, f->owner == NULL || f->owner->current == f ? "thread, running" : "thread, resuming");
        return;
    }
    if ((f->special & COIR__TASK) && !is_task(f)) {
        coir__line_add(line, "executor (");
        coir__line_add_hex(line, (uintptr_t)f->arg, 1);
        coir__line_add(line, ")");
        return;
    }
    coir__line_add_fiber(line, f);
    coir__line_add(line, name_of_state(f));
}

struct printer {
    const struct coir__print *how;
    struct coir__line line;
    unsigned long number;                 /* of the frame in the backtrace */
    unsigned long count;                  /* the frames of this stack that were visited */
    unsigned long left_out, left_out_end; /* of them those from here to there are not printed */
};

static void begin_line(struct printer *printer)
{
    coir__line_begin(&printer->line);
    coir__line_add(&printer->line, printer->how->indent);
}

static void print_frame(struct printer *printer, const struct coir__frame *frame)
{
    struct coir__line *line = &printer->line;

    begin_line(printer);
    coir__line_add(line, "  #");
    coir__line_add_number(line, printer->number);
    coir__line_add(line, printer->number < 10 ? "  " : " ");
    coir__line_add_hex(line, frame->pc, 2 * (int)sizeof(void *));
    coir__line_add_place(line, "  ", frame, true);
    coir__line_write(line, printer->how->fd);
}

static void print_gap(struct printer *printer)
{
    begin_line(printer);
    coir__line_add(&printer->line, "  ... ");
    coir__line_add_number(&printer->line, printer->left_out_end - printer->left_out);
    coir__line_add(&printer->line, " more");
    coir__line_write(&printer->line, printer->how->fd);
}

static bool visit_printing(const struct coir__frame *frame, void *arg)
{
    struct printer *printer = arg;
    unsigned long index = printer->count++;

    if (index < printer->left_out || index >= printer->left_out_end)
        print_frame(printer, frame);
    else if (index == printer->left_out)
        print_gap(printer);
    printer->number++;
    return true;
}

static bool visit_counting(const struct coir__frame *frame, void *arg)
{
    unsigned long *count = arg;

    (void)frame;
    (*count)++;
    return true;
}

/* Which frames of a stack are too many: those behind the innermost three quarters of what may be printed. */
static void choose_frames(struct printer *printer, const struct coir__trace *trace, const coir_fiber *f)
{
    unsigned long count = 0, most = printer->how->most;

    printer->left_out = printer->left_out_end = 0;
    if (most == 0)
        return;
    coir__trace_frames(trace, f, visit_counting, &count);
    if (count <= most)
        return;
    printer->left_out = most - most / 4;
    printer->left_out_end = count - most / 4;
}

void coir__trace_print(const struct coir__trace *trace, const struct coir__print *how)
{
    struct printer printer;

    printer.how = how;
    printer.number = 0;
    for (const coir_fiber *f = trace->first; f != NULL; f = coir__trace_next(trace, f)) {
        begin_line(&printer);
        add_stack(&printer.line, f);
        coir__line_write(&printer.line, how->fd);
        choose_frames(&printer, trace, f);
        printer.count = 0;
        coir__trace_frames(trace, f, visit_printing, &printer);
    }
}
