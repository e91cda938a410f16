/* SPDX-License-Identifier: MIT */
/* Stacks: sizes, bounds, alignment, guards, memory of the caller's own, how much was used. */

#include "t.h"

#include <signal.h>
#include <string.h>

#ifdef __linux__
#include <sys/auxv.h>
#include <ucontext.h>
#endif
#ifdef _WIN32
#include <windows.h>
#endif

#define KIB 1024u

static coir_fiber *create_sized(coir_fn *fn, void *arg, size_t size)
{
    coir_options opt = {.stack_size = size};
    coir_fiber *f = NULL;
    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    return f;
}

/* A fiber of the system comes with a stack of its own: there the caller's is refused. */
static bool takes_callers_stacks(void)
{
    return !t_backend_is("winfiber");
}

static void *return_frame_address(void *arg)
{
    (void)arg;
    return (void *)((uintptr_t)__builtin_frame_address(0) | 1); /* or the compiler thinks we hand out a local */
}

START_TEST(the_minimum_holds_a_signal_frame_and_some_more)
{
    size_t page = t_page_size();
#ifdef _WIN32
    ck_assert_uint_ge(coir_stack_min(), sizeof(CONTEXT) + 4096);
#endif
#ifdef __linux__
    size_t backend = t_backend_is("asm") ? 300 : 2 * sizeof(ucontext_t) + 300;
    ck_assert_uint_ge(coir_stack_min(), getauxval(AT_MINSIGSTKSZ) + 4096);
    if (getauxval(AT_MINSIGSTKSZ) != 0) /* not under valgrind */
        ck_assert_uint_le(coir_stack_min(), getauxval(AT_MINSIGSTKSZ) + 4096 + backend + page);
#endif
    ck_assert_uint_eq(coir_stack_min() % page, 0);
    ck_assert_uint_ge(coir_stack_default(), 256 * KIB);
    ck_assert_uint_ge(coir_stack_default(), coir_stack_min());
}
END_TEST

START_TEST(bounds_hold_what_was_asked_for_and_the_frames)
{
    static const size_t sizes[] = {0, 1, 4096, 16384, 16385, 65536, 100000, 262144, 300000, 1048576, 5000001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *low = NULL, *frame = NULL;
        size_t size = 0;
        coir_fiber *f = create_sized(return_frame_address, NULL, sizes[i]);
        ck_assert_int_eq(coir_stack_bounds(f, &low, &size), COIR_OK);
        ck_assert_uint_ge(size, sizes[i] != 0 ? sizes[i] : coir_stack_default());
        ck_assert_uint_ge(size, coir_stack_min());
        if (!t_is_wine() || !t_backend_is("winfiber")) /* where no native fiber has less than a MiB */
            ck_assert_uint_le(size, 2 * (sizes[i] > coir_stack_default() ? sizes[i] : coir_stack_default()));
        ck_assert_int_eq(coir_stack_bounds(f, NULL, NULL), COIR_OK);
        ck_assert_int_eq(coir_resume(f, NULL, &frame), COIR_DONE);
        ck_assert(t_instrumented() || (uintptr_t)frame - (uintptr_t)low < size);
        ck_assert_int_eq(coir_stack_bounds(f, &low, &size), COIR_EDEAD);
        coir_destroy(f);
    }
}
END_TEST

static void *ask_own_bounds(void *arg)
{
    void *low, *low_of_self;
    size_t size, used;
    ck_assert_int_eq(coir_stack_bounds(NULL, &low, &size), COIR_OK);
    ck_assert_int_eq(coir_stack_bounds(coir_self(), &low_of_self, NULL), COIR_OK);
    ck_assert_ptr_eq(low, low_of_self);
    ck_assert_int_eq(coir_stack_used(NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_stack_used(NULL, &used), COIR_OK);
    ck_assert_uint_gt(used, 0);
    ck_assert_uint_le(used, size);
    return arg;
}

START_TEST(null_means_the_current_fiber)
{
    size_t used = 99;
    coir_fiber *f = t_create(ask_own_bounds, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_stack_bounds(NULL, NULL, NULL), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_stack_used(NULL, &used), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_stack_used(f, &used), COIR_EDEAD);
    ck_assert_int_eq(coir_stack_used(f, NULL), COIR_EDEAD);
    ck_assert_int_eq(coir_stack_used(NULL, NULL), COIR_ENOTFIBER);
    ck_assert_uint_eq(used, 99);
    coir_destroy(f);
}
END_TEST

/* The address of a 16-byte aligned local tells nothing; what the ABI promises is that a vector of it can be stored with an
 * aligned store, which the compiler does for this. */
static void *store_aligned(void *arg)
{
    _Alignas(16) volatile char block[16];
    memset((void *)block, 1, sizeof block);
    ck_assert_uint_eq((uintptr_t)block % 16, 0);
#if defined(__x86_64__)
    /* At a function's entry (rsp + 8) is a multiple of 16, so with a pushed rbp, rbp is: System V ABI 3.2.2. */
    ck_assert_uint_eq((uintptr_t)__builtin_frame_address(0) % 16, 0);
#endif
    return arg;
}

START_TEST(the_stack_is_aligned_at_entry)
{
    for (size_t size = 16384; size < 16384 + 128; size++) { /* many stacks, so all their colours too */
        coir_fiber *f = create_sized(store_aligned, NULL, size);
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
        t_create(store_aligned, NULL); /* keeps a stack */
        coir_destroy(f);
    }
}
END_TEST

static void *use_500_kib(void *arg)
{
    ck_assert_uint_eq(t_recurse(500 * KIB), 501);
    return arg;
}

static void *use_large_frames(void *arg)
{
    volatile char frame[100 * KIB];
    for (size_t i = 0; i < sizeof frame; i += 512)
        frame[i] = 1;
    if (arg != NULL)
        use_large_frames((char *)arg - 1);
    coir_yield(NULL, NULL);
    for (size_t i = 0; i < sizeof frame; i += 512)
        ck_assert_int_eq(frame[i], 1);
    return arg;
}

START_TEST(deep_recursion_and_large_frames_fit_a_big_stack)
{
    coir_fiber *f = create_sized(use_500_kib, NULL, 1024 * KIB);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    f = create_sized(use_large_frames, T_VALUE(4), 1024 * KIB);
    while (coir_resume(f, NULL, NULL) == COIR_YIELDED)
        ;
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    coir_destroy(f);
}
END_TEST

static void *recurse_without_end(void *arg)
{
    t_recurse(SIZE_MAX);
    return arg;
}

/* A signal, or an exception, on the smallest stack, from the depth of a call or two: what the minimum promises. */
static volatile sig_atomic_t interruptions;

__attribute__((noinline)) static void handle(int number)
{
    char work[1500];
    memset(work, number, sizeof work);
    __asm__ volatile("" : : "r"(work) : "memory");
    interruptions++;
}

#ifdef _WIN32

static LONG CALLBACK handle_exception(EXCEPTION_POINTERS *exception)
{
    (void)exception;
    handle(1);
    return EXCEPTION_CONTINUE_EXECUTION;
}

static void install_handler(void)
{
    AddVectoredExceptionHandler(1, handle_exception);
}

static void interrupt(void)
{
    RaiseException(0xe0000001, 0, 0, NULL);
}

#else

static void install_handler(void)
{
    signal(SIGUSR1, handle);
}

static void interrupt(void)
{
    raise(SIGUSR1);
}

#endif

static void *interrupt_on_small_stack(void *arg)
{
    t_recurse(1000);
    interrupt();
    coir_yield(NULL, NULL);
    interrupt();
    return arg;
}

START_TEST(a_signal_fits_the_smallest_stack)
{
    if (t_instrumented()) /* the tool's own frames are many times as large */
        return;
    install_handler();
    for (int i = 0; i < 20; i++) { /* so that all colours would show */
        coir_fiber *f = create_sized(interrupt_on_small_stack, NULL, 1);
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
        t_create(interrupt_on_small_stack, NULL);
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    }
    ck_assert_int_eq(interruptions, 40);
}
END_TEST

static void overflow(void *flags)
{
    coir_options opt = {.stack_size = 64 * KIB, .flags = (unsigned)(uintptr_t)flags};
    coir_fiber *f;
    coir_create(&f, recurse_without_end, NULL, &opt);
    coir_resume(f, NULL, NULL);
}

START_TEST(an_overflow_hits_the_guard)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    ck_assert_int_eq(t_run_in_child(overflow, NULL), T_FAULT);
}
END_TEST

/* Writes to the byte below the lowest of a stack: the guard, whatever is mapped below that. */
static void touch_guard(void *stack_number)
{
    void *low;
    coir_fiber *f = NULL;
    for (int i = 0; i <= T_NUMBER(stack_number); i++)
        f = t_create(ask_own_bounds, NULL);
    coir_stack_bounds(f, &low, NULL);
#ifndef _WIN32 /* where only the fiber itself can make it memory, from above */
    *(volatile char *)low = 1; /* this one is ours */
#endif
    ((volatile char *)low)[-1] = 1;
}

START_TEST(every_stack_has_a_guard_below)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    for (int i = 0; i < 40; i += 3)
        ck_assert_int_eq(t_run_in_child(touch_guard, T_VALUE(i)), T_FAULT);
}
END_TEST

START_TEST(guards_hold_after_the_pool_has_given_memory_back)
{
    enum { COUNT = 600 };
    static coir_fiber *fibers[COUNT];
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++)
            fibers[i] = t_create(ask_own_bounds, NULL);
        for (int i = 0; i < COUNT - 1; i++)
            coir_destroy(fibers[i]);
    }
    coir_pool_trim(0);
    for (int i = 0; i < 40; i += 7)
        ck_assert_int_eq(t_run_in_child(touch_guard, T_VALUE(i)), T_FAULT);
}
END_TEST

static void write_below(void *arg)
{
    coir_options opt = {.flags = COIR_NO_GUARD, .stack_size = 64 * KIB};
    coir_fiber *first, *second;
    void *low, *lower;
    (void)arg;
    coir_create(&first, ask_own_bounds, NULL, &opt);
    coir_create(&second, ask_own_bounds, NULL, &opt);
    coir_stack_bounds(first, &low, NULL);
    coir_stack_bounds(second, &lower, NULL);
    if ((uintptr_t)lower > (uintptr_t)low)
        low = lower;
    ((volatile char *)low)[-1] = 1; /* the neighbour's */
}

START_TEST(without_a_guard_stacks_lie_side_by_side)
{
#ifdef _WIN32
    T_SKIP("on Windows a stack grows by its guard, so that each has one");
#endif
    ck_assert_int_eq(t_run_in_child(write_below, NULL), 0);
}
END_TEST

/* ---- memory of the caller's own ---- */

START_TEST(a_callers_stack_is_refused_where_the_system_makes_them)
{
    coir_options opt = {.stack = t_map(0, 128 * KIB), .stack_size = 128 * KIB};
    coir_fiber *f = T_VALUE(99);
    if (takes_callers_stacks())
        return;
    ck_assert_int_eq(coir_create(&f, ask_own_bounds, NULL, &opt), COIR_ENOTSUP);
    ck_assert_ptr_eq(f, T_VALUE(99));
}
END_TEST

START_TEST(a_callers_stack_is_used_as_it_is)
{
    size_t size = 128 * KIB;
    char *memory = t_aligned_allocate(16, size);
    coir_options opt = {.stack = memory, .stack_size = size};
    void *low, *frame;
    size_t actual;
    coir_fiber *f;

    if (!takes_callers_stacks())
        return;
    ck_assert_int_eq(coir_create(&f, return_frame_address, NULL, &opt), COIR_OK);
    ck_assert_int_eq(coir_stack_bounds(f, &low, &actual), COIR_OK);
    ck_assert_ptr_eq(low, memory);
    ck_assert_uint_eq(actual, size);
    ck_assert_int_eq(coir_resume(f, NULL, &frame), COIR_DONE);
    ck_assert(t_instrumented() || ((uintptr_t)frame > (uintptr_t)memory && (uintptr_t)frame < (uintptr_t)memory + size));
    coir_destroy(f);
    memset(memory, 1, size); /* and it is still ours */
    t_aligned_release(memory);
}
END_TEST

START_TEST(a_callers_stack_must_be_aligned_and_large_enough)
{
    static _Alignas(16) char memory[256 * KIB];
    coir_options opt = {.stack = memory};
    coir_fiber *f = T_VALUE(99);

    if (!takes_callers_stacks())
        return;
    ck_assert_int_eq(coir_create(&f, ask_own_bounds, NULL, &opt), COIR_EINVAL); /* no size */
    opt.stack_size = coir_stack_min() - 1;
    ck_assert_int_eq(coir_create(&f, ask_own_bounds, NULL, &opt), COIR_EINVAL);
    opt.stack = memory + 8;
    opt.stack_size = coir_stack_min();
    ck_assert_int_eq(coir_create(&f, ask_own_bounds, NULL, &opt), COIR_EINVAL);
    opt.stack = memory + 16;
    opt.stack_size = SIZE_MAX - 15;
    ck_assert_int_eq(coir_create(&f, ask_own_bounds, NULL, &opt), COIR_EINVAL);
    ck_assert_ptr_eq(f, T_VALUE(99));
    opt.stack_size = coir_stack_min() + 5; /* an odd size is fine */
    ck_assert_int_eq(coir_create(&f, ask_own_bounds, NULL, &opt), COIR_OK);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

START_TEST(stacks_above_and_below_the_callers_work_alike)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    char *low = t_map(0x10000000, 256 * KIB);
    char *high = t_map((here + ((uintptr_t)32 << 20)) & ~(uintptr_t)0xffff, 256 * KIB);
    char *places[] = {low, high};

    if (!takes_callers_stacks())
        return;
#ifndef _WIN32 /* where a thread's stack may lie very low */
    ck_assert((uintptr_t)low < here);
#endif
    if ((uintptr_t)high < here) /* nothing is free above the thread's stack: then run on a stack that has room above */
        places[1] = low + 128 * KIB;
    for (int i = 0; i < 2; i++) {
        coir_options opt = {.stack = places[i], .stack_size = 128 * KIB};
        coir_fiber *f;
        ck_assert_int_eq(coir_create(&f, use_large_frames, NULL, &opt), COIR_OK);
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
        coir_destroy(f);
    }
}
END_TEST

/* ---- how much was used ---- */

static void *use_some(void *bytes)
{
    t_recurse((size_t)(uintptr_t)bytes);
    coir_yield(NULL, NULL);
    return NULL;
}

START_TEST(the_high_water_mark_follows_the_depth)
{
    static const size_t depths[] = {1, 40 * KIB, 200 * KIB, 600 * KIB};
    for (int i = 0; i < 4; i++) {
        coir_options opt = {.stack_size = (1024 + 64) * KIB};
        size_t used = 0;
        coir_fiber *f;
        if (takes_callers_stacks()) /* else it is new anyway */
            opt.stack = t_map(0, opt.stack_size);
        ck_assert_int_eq(coir_create(&f, use_some, (void *)depths[i], &opt), COIR_OK);
        coir_resume(f, NULL, NULL);
        ck_assert_int_eq(coir_stack_used(f, &used), COIR_OK);
        ck_assert_uint_ge(used, depths[i]);
        ck_assert_uint_le(used, depths[i] + depths[i] / 4 + 40 * KIB);
        coir_destroy(f);
        if (opt.stack != NULL)
            t_unmap(opt.stack, opt.stack_size);
    }
}
END_TEST

START_TEST(a_used_up_stack_counts_in_full)
{
    static _Alignas(4096) char memory[64 * KIB];
    coir_options opt = {.stack = memory + 16, .stack_size = sizeof memory - 16};
    size_t used = 0;
    coir_fiber *f;
    if (!takes_callers_stacks())
        return;
    memset(memory, 1, sizeof memory);
    ck_assert_int_eq(coir_create(&f, use_some, NULL, &opt), COIR_OK);
    ck_assert_int_eq(coir_stack_used(f, &used), COIR_OK);
    ck_assert_uint_eq(used, opt.stack_size);
    coir_destroy(f);
}
END_TEST

T_MAIN(the_minimum_holds_a_signal_frame_and_some_more, bounds_hold_what_was_asked_for_and_the_frames,
       null_means_the_current_fiber, the_stack_is_aligned_at_entry, deep_recursion_and_large_frames_fit_a_big_stack,
       a_signal_fits_the_smallest_stack, an_overflow_hits_the_guard, every_stack_has_a_guard_below,
       guards_hold_after_the_pool_has_given_memory_back,
       without_a_guard_stacks_lie_side_by_side, a_callers_stack_is_refused_where_the_system_makes_them,
       a_callers_stack_is_used_as_it_is,
       a_callers_stack_must_be_aligned_and_large_enough, stacks_above_and_below_the_callers_work_alike,
       the_high_water_mark_follows_the_depth, a_used_up_stack_counts_in_full)
