/* SPDX-License-Identifier: MIT */
/* Walking the stack of a fiber: by libunwind in two ways, by the compiler's unwinder, by the C library. On the assembly
 * backend a walk goes through the resumers to main; on ucontext it ends cleanly at the fiber's first function. */

#include "t.h"

#include <string.h>
#include <unwind.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <pthread.h>
#endif

#ifdef T_WITH_BACKTRACE
#include <execinfo.h>
#endif

#ifdef T_WITH_UNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif

#define MOST 100
#define KIB 1024u

struct walk {
    void *frames[MOST];
    int count;
    int clean; /* the unwinder said that this is the end, not that it lost its way */
};

typedef void walker(struct walk *walk);

#ifdef T_WITH_BACKTRACE

static void walk_by_backtrace(struct walk *walk)
{
    walk->count = backtrace(walk->frames, MOST);
    walk->clean = walk->count > 0 && walk->count < MOST;
}

#define BACKTRACE_WALKER walk_by_backtrace,
#else
#define BACKTRACE_WALKER
#endif

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    if (walk->count == MOST)
        return _URC_END_OF_STACK;
    walk->frames[walk->count++] = (void *)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

static void walk_by_compiler(struct walk *walk)
{
    walk->clean = _Unwind_Backtrace(note_frame, walk) == _URC_END_OF_STACK && walk->count < MOST;
}

#ifdef T_WITH_UNWIND

static void walk_by_step(struct walk *walk)
{
    unw_context_t context;
    unw_cursor_t cursor;
    int more;
    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    while ((more = unw_step(&cursor)) > 0 && walk->count < MOST) {
        unw_word_t pc;
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        walk->frames[walk->count++] = (void *)pc;
    }
    walk->clean = more == 0;
}

/* libunwind's quick way, which follows a cache of frames' shapes. */
static void walk_by_trace(struct walk *walk)
{
    walk->count = unw_backtrace(walk->frames, MOST);
    walk->clean = walk->count > 0 && walk->count < MOST;
}

#define UNWIND_WALKERS walk_by_step, walk_by_trace,
#else
#define UNWIND_WALKERS
#endif

#if defined(_WIN32) && defined(__x86_64__)

/* The system's unwinder, frame by frame, as debuggers and profilers use it. */
static void walk_by_system(struct walk *walk)
{
    CONTEXT context;
    RtlCaptureContext(&context);
    while (context.Rip != 0 && walk->count < MOST) {
        DWORD64 image, frame;
        PVOID handler_data;
        RUNTIME_FUNCTION *function = RtlLookupFunctionEntry(context.Rip, &image, NULL);
        walk->frames[walk->count++] = (void *)context.Rip;
        if (function == NULL)
            return;
        RtlVirtualUnwind(UNW_FLAG_NHANDLER, image, context.Rip, function, &context, &handler_data, &frame, NULL);
    }
    walk->clean = context.Rip == 0;
}

#define SYSTEM_WALKER walk_by_system,
#else
#define SYSTEM_WALKER
#endif

static walker *const walkers[] = {UNWIND_WALKERS BACKTRACE_WALKER SYSTEM_WALKER walk_by_compiler};
enum { WALKERS = sizeof walkers / sizeof walkers[0] };

/* Is there a frame whose pc lies in the `size` bytes from `start` on? */
static int has_frame_in(const struct walk *walk, uintptr_t start, uintptr_t size)
{
    for (int i = 0; i < walk->count; i++)
        if ((uintptr_t)walk->frames[i] - start < size)
            return 1;
    return 0;
}

/* The functions that are looked for start on a boundary of this, are shorter, and lie apart from others. */
#define APART 512
#define LOOKED_FOR __attribute__((noinline, aligned(APART), section(".text.apart")))

static int has_frame_of(const struct walk *walk, void *(*function)(void *))
{
    return has_frame_in(walk, (uintptr_t)function, APART);
}

static int has_frame_at(const struct walk *walk, uintptr_t pc)
{
    return has_frame_in(walk, pc, 1);
}

/* ---- the chain that is walked: main's case -> outer_body -> inner_body -> leaf ---- */

static struct walk results[WALKERS];

__attribute__((noinline)) static void leaf(void)
{
    for (int i = 0; i < WALKERS; i++)
        walkers[i](&results[i]);
    __asm__ volatile("" : : : "memory");
}

LOOKED_FOR static void *inner_body(void *arg)
{
    leaf();
    coir_yield(NULL, NULL);
    leaf();
    __asm__ volatile("" : : : "memory");
    return arg;
}

LOOKED_FOR static void *outer_body(void *inner)
{
    volatile int code = coir_resume(inner, NULL, NULL);
    __asm__ volatile("" : : : "memory");
    coir_yield(NULL, NULL);
    code = coir_resume(inner, NULL, NULL);
    return T_VALUE(code);
}

static void check_walks(uintptr_t caller)
{
    for (int i = 0; i < WALKERS; i++) {
        ck_assert_int_gt(results[i].count, 2);
        ck_assert(results[i].clean);
        ck_assert(has_frame_of(&results[i], inner_body));
        if (t_backend_is("asm")) {
            ck_assert(has_frame_of(&results[i], outer_body));
            ck_assert(has_frame_at(&results[i], caller));
        }
    }
    memset(results, 0, sizeof results);
}

static coir_fiber *create_on(void *stack, coir_fn *fn, void *arg)
{
    coir_options opt = {.stack = stack, .stack_size = 128 * KIB};
    coir_fiber *f = NULL;
    if (t_backend_is("winfiber")) /* the system makes them */
        opt.stack = NULL;
    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    return f;
}

/* Resumes the chain, and takes note of where in its caller that is. */
LOOKED_FOR static int resume_noting(coir_fiber *f, uintptr_t *caller)
{
    int code;
    *caller = (uintptr_t)__builtin_return_address(0);
    code = coir_resume(f, NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return code;
}

static void walk_chain(void *outer_stack, void *inner_stack)
{
    uintptr_t caller;
    coir_fiber *inner = create_on(inner_stack, inner_body, NULL);
    coir_fiber *outer = create_on(outer_stack, outer_body, inner);
    ck_assert_int_eq(resume_noting(outer, &caller), COIR_YIELDED);
    check_walks(caller);
    ck_assert_int_eq(resume_noting(outer, &caller), COIR_DONE); /* after both were suspended */
    check_walks(caller);
    coir_destroy(inner);
    coir_destroy(outer);
}

/* Isolated mappings, with nothing above them: an unwinder that reads beyond the top dies. */
START_TEST(walks_from_stacks_below_main_reach_it)
{
    walk_chain(t_map(0x10000000, 128 * KIB), t_map(0x20000000, 128 * KIB));
}
END_TEST

START_TEST(walks_through_descending_stacks_reach_main)
{
    walk_chain(t_map(0x20000000, 128 * KIB), t_map(0x10000000, 128 * KIB));
}
END_TEST

#ifndef _WIN32 /* where a thread's stack is the system's */

/* The thread's own stack lies low here, so the fibers' are above it. */
static void *walk_from_a_low_thread(void *arg)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    void *outer = t_map(0x7e0000000000, 128 * KIB), *inner = t_map(0x7d0000000000, 128 * KIB);
    ck_assert((uintptr_t)outer > here && (uintptr_t)inner > here);
    walk_chain(outer, inner);
    return arg;
}

START_TEST(walks_from_stacks_above_the_threads_reach_it)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, t_map(0x30000000, 1024 * KIB), 1024 * KIB), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, walk_from_a_low_thread, NULL), 0);
    pthread_join(thread, NULL);
}
END_TEST

#define LOW_THREAD_CASES walks_from_stacks_above_the_threads_reach_it,
#else
#define LOW_THREAD_CASES
#endif

START_TEST(walks_work_on_the_librarys_own_stacks)
{
    uintptr_t caller;
    coir_fiber *inner = t_create(inner_body, NULL), *outer = t_create(outer_body, inner);
    resume_noting(outer, &caller);
    check_walks(caller);
    coir_destroy(inner);
    coir_destroy(outer);
}
END_TEST

/* A fiber that took another's place: the walk goes to the place's resumer, not into the fiber that left. */
static coir_fiber *successor;

LOOKED_FOR static void *switch_away(void *arg)
{
    coir_switch(successor, NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return arg;
}

START_TEST(a_walk_from_a_substitute_goes_to_its_resumer)
{
    uintptr_t caller;
    coir_fiber *f = t_create(switch_away, NULL);
    successor = t_create(inner_body, NULL);
    ck_assert_int_eq(resume_noting(f, &caller), COIR_SWITCHED);
    for (int i = 0; i < WALKERS; i++) {
        ck_assert(results[i].clean);
        ck_assert(has_frame_of(&results[i], inner_body));
        ck_assert(!has_frame_in(&results[i], (uintptr_t)switch_away, 128)); /* it is no longer than that */
        ck_assert_int_eq(has_frame_at(&results[i], caller), t_backend_is("asm"));
    }
    coir_destroy(f);
    coir_destroy(successor);
}
END_TEST

/* A task: on through its executor into whoever runs that, wherever that was the last time. */
LOOKED_FOR static int run_noting(coir_exec *e, uintptr_t *caller)
{
    int code;
    *caller = (uintptr_t)__builtin_return_address(0);
    code = coir_exec_run_once_until(e, 0);
    __asm__ volatile("" : : : "memory");
    return code;
}

LOOKED_FOR static void *yield_and_walk(void *inner)
{
    coir_task_yield();
    coir_resume(inner, NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return NULL;
}

LOOKED_FOR static void *yield_often(void *arg)
{
    for (int i = 0; i < 10; i++)
        coir_task_yield();
    return arg;
}

LOOKED_FOR static void *run_from_a_fiber(void *e)
{
    uintptr_t caller;
    run_noting(e, &caller);
    for (int i = 0; i < WALKERS; i++) {
        ck_assert(results[i].clean);
        ck_assert(has_frame_of(&results[i], inner_body));
        if (t_backend_is("asm")) {
            ck_assert(has_frame_of(&results[i], yield_and_walk));
            ck_assert(!has_frame_of(&results[i], yield_often)); /* from which the task was come to */
            ck_assert(has_frame_at(&results[i], caller));
            ck_assert(has_frame_of(&results[i], run_from_a_fiber));
        }
    }
    return NULL;
}

START_TEST(a_walk_from_a_task_goes_on_where_its_executor_is_run)
{
    coir_fiber *inner = t_create(inner_body, NULL), *host;
    uintptr_t caller;
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, yield_often, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, yield_and_walk, inner, NULL), COIR_OK);
    ck_assert_int_eq(run_noting(e, &caller), COIR_TASKS_LEFT);
    host = t_create(run_from_a_fiber, e);
    ck_assert_int_eq(coir_resume(host, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    coir_destroy(host);
    coir_destroy(inner);
    coir_exec_destroy(e);
}
END_TEST

/* A deferred function of a fiber that is destroyed: above it are the frames that the fiber was suspended in. */
static void walk_at_the_end(void *arg)
{
    (void)arg;
    leaf();
}

LOOKED_FOR static void *suspend_with_deferred(void *arg)
{
    coir_defer(walk_at_the_end, NULL);
    coir_yield(NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return arg;
}

LOOKED_FOR static int destroy_noting(coir_fiber *f, uintptr_t *caller)
{
    int code;
    *caller = (uintptr_t)__builtin_return_address(0);
    code = coir_destroy(f);
    __asm__ volatile("" : : : "memory");
    return code;
}

START_TEST(a_walk_from_an_interrupted_fiber_passes_its_frames)
{
    const coir_options as_they_are = {.flags = COIR_NO_UNWIND};
    uintptr_t caller;
    coir_fiber *f;
    ck_assert_int_eq(coir_create(&f, suspend_with_deferred, NULL, &as_they_are), COIR_OK);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(destroy_noting(f, &caller), COIR_OK);
    for (int i = 0; i < WALKERS; i++) {
        ck_assert(results[i].clean);
        ck_assert(has_frame_of(&results[i], suspend_with_deferred));
        ck_assert_int_eq(has_frame_at(&results[i], caller), t_backend_is("asm"));
    }
}
END_TEST

/* ---- an exception finds no handler beyond the fiber ---- */

static void *raise_exception(void *arg)
{
    static struct _Unwind_Exception exception;
    memset(&exception, 0, sizeof exception);
    memcpy(&exception.exception_class, "COIRTEST", 8);
    *(int *)arg = (int)_Unwind_RaiseException(&exception);
    return NULL;
}

START_TEST(an_exception_does_not_leave_the_fiber)
{
    int reason = -1;
    coir_fiber *f = t_create(raise_exception, &reason);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    /* The assembly refuses it. Elsewhere the end of the stack does, whose code gcc before 14 garbles on some processors
     * (GCC bug 114843). */
#ifdef _WIN32
    ck_assert_int_eq(reason, _URC_END_OF_STACK);
#else
    if (t_backend_is("asm"))
        ck_assert_int_eq(reason, _URC_FATAL_PHASE1_ERROR);
    else
        ck_assert_int_ne(reason, -1);
#endif
    coir_destroy(f);
}
END_TEST

T_MAIN(walks_from_stacks_below_main_reach_it, walks_through_descending_stacks_reach_main,
       LOW_THREAD_CASES walks_work_on_the_librarys_own_stacks,
       a_walk_from_a_substitute_goes_to_its_resumer,
       a_walk_from_a_task_goes_on_where_its_executor_is_run, a_walk_from_an_interrupted_fiber_passes_its_frames,
       an_exception_does_not_leave_the_fiber)
