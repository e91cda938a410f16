/* SPDX-License-Identifier: MIT */
/* Backtraces: whose frames they have, and in which order; when there is none; how they are printed. Built twice, with
 * and without frame pointers. */

#include "t.h"

#include <stdio.h>
#include <string.h>

#define MOST 100

struct trace {
    void *frames[MOST];
    int count;
};

/* The functions that are looked for start on a boundary of this, are shorter, and lie apart from others. */
#define APART 512
#define LOOKED_FOR __attribute__((noinline, aligned(APART), section(".text.apart")))

/* Keeps the call before it from being made a jump. */
#define STAY __asm__ volatile("" : : : "memory")

/* Does this build walk at all? */
static bool walks(void)
{
    void *frame;

    return coir_backtrace(NULL, &frame, 1) != COIR_ENOTSUP;
}

#define T_SKIP_WITHOUT_WALKER \
    if (!walks())             \
    T_SKIP("there is no walker in this build")

/* Where the first frame of a function is, or -1. A return address may be the one behind its last instruction. */
static int place_of(const struct trace *trace, uintptr_t function)
{
    for (int i = 0; i < trace->count; i++)
        if ((uintptr_t)trace->frames[i] - function < APART)
            return i;
    return -1;
}

#define PLACE_OF(trace, function) place_of(trace, (uintptr_t)(function))

static int place_at(const struct trace *trace, uintptr_t pc)
{
    for (int i = 0; i < trace->count; i++)
        if ((uintptr_t)trace->frames[i] == pc)
            return i;
    return -1;
}

static void trace_fiber(const coir_fiber *f, struct trace *out)
{
    out->count = coir_backtrace(f, out->frames, MOST);
    ck_assert_int_gt(out->count, 0);
}

static void trace_task(const coir_task *t, struct trace *out)
{
    out->count = coir_task_backtrace(t, out->frames, MOST);
    ck_assert_int_gt(out->count, 0);
}

static struct trace seen;

/* ---- the current fiber ---- */

LOOKED_FOR static void look(void)
{
    seen.count = coir_backtrace(NULL, seen.frames, MOST);
    STAY;
}

LOOKED_FOR static void *inner_body(void *arg)
{
    look();
    STAY;
    coir_yield(NULL, NULL);
    STAY;
    look();
    STAY;
    return arg;
}

LOOKED_FOR static void *outer_body(void *inner)
{
    coir_resume(inner, NULL, NULL);
    STAY;
    coir_yield(NULL, NULL);
    STAY;
    coir_resume(inner, NULL, NULL);
    STAY;
    return NULL;
}

/* Resumes a fiber, and notes where in the case that is called. */
LOOKED_FOR static int resume_noting(coir_fiber *f, uintptr_t *caller)
{
    int code;
    *caller = (uintptr_t)__builtin_return_address(0);
    code = coir_resume(f, NULL, NULL);
    STAY;
    return code;
}

/* From `look` in the inner fiber to the case, in this order, and on to where the thread began. */
static void check_chain(uintptr_t caller)
{
    int inner = PLACE_OF(&seen, inner_body), outer = PLACE_OF(&seen, outer_body), here = place_at(&seen, caller);
    ck_assert_int_eq(PLACE_OF(&seen, look), 0);
    ck_assert_int_eq(inner, 1);
    ck_assert_int_gt(outer, inner);
    ck_assert_int_gt(PLACE_OF(&seen, resume_noting), outer);
    ck_assert_int_gt(here, outer);
    ck_assert_int_gt(seen.count, here + 1);
    ck_assert_int_lt(seen.count, MOST);
}

START_TEST(the_current_fibers_backtrace_goes_through_all_resumers)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    coir_fiber *inner = t_create(inner_body, NULL), *outer = t_create(outer_body, inner);
    ck_assert_int_eq(resume_noting(outer, &caller), COIR_YIELDED);
    check_chain(caller);
    ck_assert_int_eq(resume_noting(outer, &caller), COIR_DONE); /* after both were suspended */
    check_chain(caller);
    coir_destroy(inner);
    coir_destroy(outer);
}
END_TEST

static coir_fiber *successor;

LOOKED_FOR static void *switch_away(void *arg)
{
    coir_switch(successor, NULL, NULL);
    STAY;
    return arg;
}

START_TEST(a_substitutes_backtrace_goes_to_the_resumer_of_whom_it_replaced)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    coir_fiber *f = t_create(switch_away, NULL);
    successor = t_create(inner_body, NULL);
    ck_assert_int_eq(resume_noting(f, &caller), COIR_SWITCHED);
    ck_assert_int_eq(PLACE_OF(&seen, inner_body), 1);
    ck_assert_int_eq(PLACE_OF(&seen, switch_away), -1);
    ck_assert_int_gt(place_at(&seen, caller), 1);
    coir_destroy(f);
    coir_destroy(successor);
}
END_TEST

/* A fiber that is destroyed runs what it deferred on top of its frames. */
static void look_at_the_end(void *arg)
{
    (void)arg;
    look();
    STAY;
}

LOOKED_FOR static void *suspend_with_deferred(void *arg)
{
    coir_defer(look_at_the_end, NULL);
    coir_yield(NULL, NULL);
    STAY;
    return arg;
}

LOOKED_FOR static int destroy_noting(coir_fiber *f, uintptr_t *caller)
{
    int code;
    *caller = (uintptr_t)__builtin_return_address(0);
    code = coir_destroy(f);
    STAY;
    return code;
}

START_TEST(a_deferred_functions_backtrace_goes_on_to_who_destroys)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    coir_fiber *f = t_create(suspend_with_deferred, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(destroy_noting(f, &caller), COIR_OK);
    ck_assert_int_eq(PLACE_OF(&seen, look), 0);
    ck_assert_int_gt(place_at(&seen, caller), 1);
}
END_TEST

/* ---- outside of fibers ---- */

LOOKED_FOR static void look_outside(uintptr_t *caller)
{
    *caller = (uintptr_t)__builtin_return_address(0);
    look();
    STAY;
}

START_TEST(outside_of_fibers_it_is_the_threads_own)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    for (int i = 0; i < 2; i++) {
        look_outside(&caller);
        ck_assert_int_eq(PLACE_OF(&seen, look), 0);
        ck_assert_int_eq(PLACE_OF(&seen, look_outside), 1);
        ck_assert_int_eq(place_at(&seen, caller), 2);
        ck_assert_int_eq(coir_backtrace_print(NULL, -1), COIR_OK);
        coir_destroy(t_create(inner_body, NULL)); /* the next time the library knows the thread */
    }
}
END_TEST

LOOKED_FOR static void *look_in_a_thread(void *arg)
{
    look();
    STAY;
    return arg;
}

START_TEST(a_thread_without_any_fiber_has_one_too)
{
    T_SKIP_WITHOUT_WALKER;
    t_on_thread(look_in_a_thread, NULL);
    ck_assert_int_eq(PLACE_OF(&seen, look), 0);
    ck_assert_int_eq(PLACE_OF(&seen, look_in_a_thread), 1);
}
END_TEST

/* ---- others ---- */

START_TEST(a_new_fibers_backtrace_is_its_function)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = t_create(inner_body, NULL);
    struct trace trace;
    trace_fiber(f, &trace);
    ck_assert_int_eq(trace.count, 1);
    ck_assert((uintptr_t)trace.frames[0] == (uintptr_t)inner_body);
    coir_destroy(f);
}
END_TEST

/* Its frame has a size that only a frame pointer knows, which the walker has to find among the registers. */
LOOKED_FOR static void suspend_in_a_frame_of_any_size(size_t size)
{
    volatile char *room = __builtin_alloca(size);
    room[0] = 1;
    coir_yield(NULL, NULL);
    room[size - 1] = room[0];
    STAY;
}

LOOKED_FOR static void *suspend_below(void *arg)
{
    for (size_t size = 10; size < 3000; size *= 3)
        suspend_in_a_frame_of_any_size(size);
    STAY;
    return arg;
}

LOOKED_FOR static int resume_in_a_frame_of_any_size(coir_fiber *f, size_t size)
{
    volatile char *room = __builtin_alloca(size);
    int code;
    room[0] = 1;
    code = coir_resume(f, NULL, NULL);
    room[size - 1] = room[0];
    STAY;
    return code;
}

START_TEST(a_suspended_fibers_backtrace_has_its_own_frames_only)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = t_create(suspend_below, NULL);
    struct trace trace;
    for (size_t size = 1; resume_in_a_frame_of_any_size(f, size * 100) == COIR_YIELDED; size++) {
        int first;
        trace_fiber(f, &trace);
        first = PLACE_OF(&trace, suspend_in_a_frame_of_any_size);
        ck_assert_int_ge(first, 0);
        ck_assert_int_eq(PLACE_OF(&trace, suspend_below), first + 1);
        ck_assert_int_eq(trace.count, first + 2);
    }
    coir_destroy(f);
}
END_TEST

static coir_fiber *watched;

LOOKED_FOR static void *look_at_the_watched(void *arg)
{
    trace_fiber(watched, &seen);
    STAY;
    return arg;
}

/* With what its caller's frame needs a frame pointer for. */
LOOKED_FOR static void *resume_the_watcher(void *watcher)
{
    resume_in_a_frame_of_any_size(watcher, 333);
    STAY;
    return NULL;
}

START_TEST(a_fiber_that_has_resumed_another_is_seen_from_that_call)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    int place;
    coir_fiber *watcher = t_create(look_at_the_watched, NULL);
    watched = t_create(resume_the_watcher, watcher);
    resume_noting(watched, &caller);
    ck_assert_int_eq(PLACE_OF(&seen, look_at_the_watched), -1);
    place = PLACE_OF(&seen, resume_in_a_frame_of_any_size);
    ck_assert_int_ge(place, 0);
    ck_assert_int_eq(PLACE_OF(&seen, resume_the_watcher), place + 1);
    ck_assert_int_gt(place_at(&seen, caller), place + 1);
    coir_destroy(watcher);
    coir_destroy(watched);
}
END_TEST

START_TEST(an_ended_fiber_has_none)
{
    T_SKIP_WITHOUT_WALKER;
    void *frame = NULL;
    coir_fiber *f = t_create(inner_body, NULL);
    coir_cancel(f, NULL);
    ck_assert_int_eq(coir_backtrace(f, &frame, 1), COIR_EDEAD);
    ck_assert_int_eq(coir_backtrace_print(f, 2), COIR_EDEAD);
    ck_assert_ptr_null(frame);
    coir_destroy(f);
}
END_TEST

START_TEST(arguments_are_checked)
{
    void *frame = NULL;
    ck_assert_int_eq(coir_backtrace(NULL, NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_backtrace(NULL, &frame, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_backtrace(NULL, &frame, -1), COIR_EINVAL);
    ck_assert_int_eq(coir_task_backtrace(NULL, &frame, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_task_backtrace_print(NULL, 2), COIR_EINVAL);
    ck_assert_ptr_null(frame);
}
END_TEST

LOOKED_FOR static void *look_with_less_room(void *arg)
{
    look();
    for (int max = 1; max <= seen.count; max++) {
        void *frames[MOST + 1];
        memset(frames, 0, sizeof frames);
        ck_assert_int_eq(coir_backtrace(NULL, frames, max), max);
        for (int i = 1; i < max; i++) /* the first frames differ: `look` is not among them */
            ck_assert_ptr_eq(frames[i], seen.frames[i + 1]);
        ck_assert_ptr_null(frames[max]);
        if (max == seen.count - 1)
            break;
    }
    return arg;
}

START_TEST(no_more_is_stored_than_there_is_room_for)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = t_create(look_with_less_room, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

/* ---- generators ---- */

LOOKED_FOR static int generate(coir_gen *g, void *out)
{
    int item = 0;
    *(coir_fiber **)out = coir_self();
    for (; item < 2; item++) {
        look();
        coir_gen_yield(g, &item);
    }
    STAY;
    return 0;
}

LOOKED_FOR static int next_noting(coir_gen *g, int *item, uintptr_t *caller)
{
    int code;
    *caller = (uintptr_t)__builtin_return_address(0);
    code = coir_gen_next(g, item);
    STAY;
    return code;
}

START_TEST(a_generators_backtrace_is_a_fibers)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    struct trace trace;
    coir_fiber *f = NULL;
    coir_gen *g = NULL;
    int item;
    ck_assert_int_eq(coir_gen_create(&g, sizeof item, generate, &f, NULL), COIR_OK);
    while (next_noting(g, &item, &caller) > 0) {
        ck_assert_int_eq(PLACE_OF(&seen, generate), 1);
        ck_assert_int_gt(place_at(&seen, caller), 1);
        trace_fiber(f, &trace);
        ck_assert_int_eq(PLACE_OF(&trace, generate), trace.count - 1);
    }
    coir_gen_destroy(g);
}
END_TEST

/* ---- tasks ---- */

static coir_fiber *nested_fiber;

LOOKED_FOR static void *park_in_a_fiber(void *arg)
{
    nested_fiber = coir_self();
    coir_task_park();
    STAY;
    return arg;
}

static coir_fiber *root_fiber;

LOOKED_FOR static void *park_in_a_task(void *nested)
{
    root_fiber = coir_self();
    coir_resume(nested, NULL, NULL);
    STAY;
    return NULL;
}

LOOKED_FOR static int run_noting(coir_exec *e, uintptr_t *caller)
{
    int code;
    *caller = (uintptr_t)__builtin_return_address(0);
    code = coir_exec_run_once_until(e, 0);
    STAY;
    return code;
}

static coir_exec *make_exec(void)
{
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    return e;
}

static coir_task *spawn(coir_exec *e, coir_fn *fn, void *arg, const char *name)
{
    const coir_options opt = {.name = name};
    coir_task *t = NULL;
    ck_assert_int_eq(coir_spawn(&t, e, fn, arg, &opt), COIR_OK);
    return t;
}

/* Is it the chain of the parked task, and no more? */
static void check_parked(const struct trace *trace, uintptr_t caller)
{
    int place = PLACE_OF(trace, park_in_a_fiber);
    ck_assert_int_ge(place, 0);
    ck_assert_int_gt(PLACE_OF(trace, park_in_a_task), place);
    ck_assert_int_eq(PLACE_OF(trace, park_in_a_task), trace->count - 1);
    ck_assert_int_eq(place_at(trace, caller), -1);
}

START_TEST(a_waiting_tasks_backtrace_goes_from_its_innermost_fiber_to_its_first_function)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    struct trace trace;
    coir_fiber *nested = t_create(park_in_a_fiber, NULL);
    coir_exec *e = make_exec();
    coir_task *t = spawn(e, park_in_a_task, nested, NULL);
    run_noting(e, &caller);
    trace_task(t, &trace);
    check_parked(&trace, caller);
    trace_fiber(nested_fiber, &trace); /* it waits as the task does */
    check_parked(&trace, caller);
    trace_fiber(root_fiber, &trace); /* it waits for the nested one */
    ck_assert_int_eq(PLACE_OF(&trace, park_in_a_fiber), -1);
    ck_assert_int_eq(PLACE_OF(&trace, park_in_a_task), trace.count - 1);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    coir_destroy(nested);
    coir_exec_destroy(e);
}
END_TEST

LOOKED_FOR static void *look_at_itself(void *arg)
{
    trace_task(coir_task_self(), arg);
    STAY;
    look();
    STAY;
    return NULL;
}

START_TEST(the_running_tasks_backtrace_goes_on_through_who_runs_its_executor)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    struct trace trace;
    coir_exec *e = make_exec();
    coir_task *t = spawn(e, look_at_itself, &trace, NULL);
    run_noting(e, &caller);
    ck_assert_int_ge(PLACE_OF(&trace, look_at_itself), 0);
    ck_assert_int_gt(PLACE_OF(&trace, run_noting), PLACE_OF(&trace, look_at_itself));
    ck_assert_int_gt(place_at(&trace, caller), PLACE_OF(&trace, run_noting));
    ck_assert_int_eq(PLACE_OF(&seen, look_at_itself), 1);
    ck_assert_int_gt(place_at(&seen, caller), 1);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    coir_exec_destroy(e);
}
END_TEST

START_TEST(a_task_that_has_not_run_has_its_function)
{
    T_SKIP_WITHOUT_WALKER;
    struct trace trace;
    coir_exec *e = make_exec();
    coir_task *t = spawn(e, inner_body, NULL, NULL);
    trace_task(t, &trace);
    ck_assert_int_eq(trace.count, 1);
    ck_assert((uintptr_t)trace.frames[0] == (uintptr_t)inner_body);
    coir_task_cancel(t);
    coir_await(t, NULL);
    coir_exec_destroy(e);
}
END_TEST

/* A task that runs an executor, of which a task looks. */
static coir_task *outer_task;

LOOKED_FOR static void *look_at_the_outer_task(void *arg)
{
    trace_task(outer_task, arg);
    STAY;
    return NULL;
}

LOOKED_FOR static void *run_an_executor(void *trace)
{
    coir_exec *e = make_exec();
    coir_task *t = spawn(e, look_at_the_outer_task, trace, NULL);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    STAY;
    coir_await(t, NULL);
    coir_exec_destroy(e);
    return NULL;
}

START_TEST(a_task_that_runs_an_executor_is_seen_from_there)
{
    T_SKIP_WITHOUT_WALKER;
    uintptr_t caller;
    struct trace trace;
    coir_exec *e = make_exec();
    outer_task = spawn(e, run_an_executor, &trace, NULL);
    run_noting(e, &caller);
    ck_assert_int_eq(PLACE_OF(&trace, look_at_the_outer_task), -1);
    ck_assert_int_ge(PLACE_OF(&trace, run_an_executor), 0);
    ck_assert_int_gt(place_at(&trace, caller), PLACE_OF(&trace, run_an_executor));
    coir_await(outer_task, NULL);
    coir_exec_destroy(e);
}
END_TEST

static void *nothing(void *arg)
{
    return arg;
}

START_TEST(an_ended_task_has_none)
{
    T_SKIP_WITHOUT_WALKER;
    void *frame = NULL;
    coir_exec *e = make_exec();
    coir_task *t = spawn(e, nothing, NULL, NULL);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_task_backtrace(t, &frame, 1), COIR_EDEAD);
    ck_assert_int_eq(coir_task_backtrace_print(t, 2), COIR_EDEAD);
    ck_assert_ptr_null(frame);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    coir_exec_destroy(e);
}
END_TEST

/* ---- other threads ---- */

static coir_task *foreign_task;

static void *try_from_another_thread(void *f)
{
    void *frame = NULL;
    ck_assert_int_eq(coir_backtrace(f, &frame, 1), COIR_ETHREAD);
    ck_assert_int_eq(coir_backtrace_print(f, 2), COIR_ETHREAD);
    if (foreign_task != NULL)
        ck_assert_int_eq(coir_task_backtrace(foreign_task, &frame, 1), COIR_ETHREAD);
    ck_assert_ptr_null(frame);
    return NULL;
}

static void *run_and_be_looked_at(void *resumer)
{
    t_on_thread(try_from_another_thread, coir_self());
    t_on_thread(try_from_another_thread, resumer);
    return NULL;
}

static void *resume_who_is_looked_at(void *arg)
{
    coir_fiber *f = t_create(run_and_be_looked_at, coir_self());
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    return arg;
}

START_TEST(what_runs_in_another_thread_cannot_be_walked)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = t_create(resume_who_is_looked_at, NULL);
    coir_exec *e = make_exec();
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    foreign_task = spawn(e, resume_who_is_looked_at, NULL, NULL);
    ck_assert_int_eq(coir_await(foreign_task, NULL), COIR_OK);
    coir_exec_destroy(e);
}
END_TEST

static void *trace_in_another_thread(void *f)
{
    trace_fiber(f, &seen);
    return NULL;
}

START_TEST(what_is_suspended_in_another_thread_can)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = t_create(suspend_below, NULL);
    coir_resume(f, NULL, NULL);
    t_on_thread(trace_in_another_thread, f);
    ck_assert_int_ge(PLACE_OF(&seen, suspend_in_a_frame_of_any_size), 0);
    ck_assert_int_eq(PLACE_OF(&seen, suspend_below), seen.count - 1);
    coir_destroy(f);
}
END_TEST

static void *leave_a_suspended_fiber(void *out)
{
    coir_fiber *f = t_create(suspend_below, NULL);
    coir_resume(f, NULL, NULL);
    *(coir_fiber **)out = f;
    return NULL;
}

START_TEST(what_an_ended_thread_left_suspended_can)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = NULL;
    t_on_thread(leave_a_suspended_fiber, &f);
    trace_fiber(f, &seen);
    ck_assert_int_eq(PLACE_OF(&seen, suspend_below), seen.count - 1);
    coir_destroy(f);
}
END_TEST

/* ---- printing ---- */

static char text[65536];

/* A function's name, where the system tells it. */
static const char *find_function(const char *where, const char *name)
{
#ifdef _WIN32
    (void)name;
    return where;
#else
    return t_find(where, name);
#endif
}

static void print_fiber(int fd, void *f)
{
    ck_assert_int_eq(coir_backtrace_print(f, fd), COIR_OK);
    STAY;
}

static void print_task(int fd, void *t)
{
    ck_assert_int_eq(coir_task_backtrace_print(t, fd), COIR_OK);
    STAY;
}

static coir_fiber *create_named(coir_fn *fn, void *arg, const char *name)
{
    const coir_options opt = {.name = name};
    coir_fiber *f = NULL;
    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    return f;
}

static void find_title(const char *where, const coir_fiber *f, const char *name, const char *state)
{
    char title[128];
    snprintf(title, sizeof title, "fiber \"%s\" (0x%llx), %s\n", name, (unsigned long long)(uintptr_t)f, state);
    t_find(where, title);
}

START_TEST(a_printed_backtrace_names_fiber_functions_and_module)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = create_named(suspend_below, NULL, "reader");
    coir_resume(f, NULL, NULL);
    t_listen(print_fiber, f, text, sizeof text);
    find_title(text, f, "reader", "suspended");
    ck_assert_int_eq(strncmp(text, "fiber \"reader\"", 14), 0);
    find_function(find_function(t_find(text, "  #0  0x"), "  suspend_in_a_frame_of_any_size+0x"), "  suspend_below+0x");
    t_find(text, "backtrace"); /* the program */
    ck_assert_ptr_nonnull(strstr(text, "+0x"));
    ck_assert_int_eq(text[strlen(text) - 2], ')');
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    coir_destroy(f);
}
END_TEST

static void *print_itself(void *arg)
{
    (void)arg;
    t_listen(print_fiber, NULL, text, sizeof text);
    return NULL;
}

LOOKED_FOR static void *resume_the_printer(void *f)
{
    coir_resume(f, NULL, NULL);
    STAY;
    return NULL;
}

START_TEST(a_printed_backtrace_has_a_line_for_each_fiber_on_the_way)
{
    T_SKIP_WITHOUT_WALKER;
    const char *rest;
    coir_fiber *inner = create_named(print_itself, NULL, "inner");
    coir_fiber *outer = create_named(resume_the_printer, inner, "outer");
    ck_assert_int_eq(coir_resume(outer, NULL, NULL), COIR_DONE);
    find_title(text, inner, "inner", "running");
    rest = find_function(text, "  print_itself+0x");
    find_title(rest, outer, "outer", "resuming");
    rest = find_function(rest, "  resume_the_printer+0x");
    find_function(t_find(rest, "\nthread, resuming\n"), "  main+0x");
    coir_destroy(inner);
    coir_destroy(outer);
}
END_TEST

START_TEST(a_new_fibers_function_is_named_as_itself)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *f = create_named(suspend_below, NULL, NULL);
    t_listen(print_fiber, f, text, sizeof text);
    find_title(text, f, "", "new");
    find_function(text, "  suspend_below+0x0 ");
    coir_destroy(f);
}
END_TEST

START_TEST(a_printed_task_shows_its_fibers)
{
    T_SKIP_WITHOUT_WALKER;
    coir_fiber *nested = create_named(park_in_a_fiber, NULL, "nested");
    coir_exec *e = make_exec();
    coir_task *t = spawn(e, park_in_a_task, nested, "task");
    coir_exec_run_once_until(e, 0);
    t_listen(print_task, t, text, sizeof text);
    find_title(text, nested, "nested", "waiting");
    find_title(find_function(text, "  park_in_a_fiber+0x"), root_fiber, "task", "resuming");
    find_function(text, "  park_in_a_task+0x");
    ck_assert_ptr_null(strstr(text, "thread"));
    coir_task_wake(t);
    coir_await(t, NULL);
    coir_destroy(nested);
    coir_exec_destroy(e);
}
END_TEST

START_TEST(a_printed_running_task_shows_its_executor)
{
    T_SKIP_WITHOUT_WALKER;
    char title[64];
    coir_exec *e = make_exec();
    coir_task *t = spawn(e, print_itself, NULL, "task");
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    snprintf(title, sizeof title, "\nexecutor (0x%llx)\n", (unsigned long long)(uintptr_t)e);
    t_find(t_find(t_find(text, "fiber \"task\" ("), title), "\nthread, resuming\n");
    coir_exec_destroy(e);
}
END_TEST

T_MAIN(the_current_fibers_backtrace_goes_through_all_resumers,
       a_substitutes_backtrace_goes_to_the_resumer_of_whom_it_replaced,
       a_deferred_functions_backtrace_goes_on_to_who_destroys, outside_of_fibers_it_is_the_threads_own,
       a_thread_without_any_fiber_has_one_too, a_new_fibers_backtrace_is_its_function,
       a_suspended_fibers_backtrace_has_its_own_frames_only, a_fiber_that_has_resumed_another_is_seen_from_that_call,
       an_ended_fiber_has_none, arguments_are_checked, no_more_is_stored_than_there_is_room_for,
       a_generators_backtrace_is_a_fibers,
       a_waiting_tasks_backtrace_goes_from_its_innermost_fiber_to_its_first_function,
       the_running_tasks_backtrace_goes_on_through_who_runs_its_executor, a_task_that_has_not_run_has_its_function,
       a_task_that_runs_an_executor_is_seen_from_there, an_ended_task_has_none,
       what_runs_in_another_thread_cannot_be_walked, what_is_suspended_in_another_thread_can,
       what_an_ended_thread_left_suspended_can, a_printed_backtrace_names_fiber_functions_and_module,
       a_printed_backtrace_has_a_line_for_each_fiber_on_the_way, a_new_fibers_function_is_named_as_itself,
       a_printed_task_shows_its_fibers, a_printed_running_task_shows_its_executor)
