/* SPDX-License-Identifier: MIT */
/* What fibers are to Windows: the stack that the system knows of, growth and overflow, exceptions that nobody handles,
 * threads that are fibers already, fiber-local storage, the ends of threads. */

#include <config.h>

#include "t.h"

#include <string.h>
#include <windows.h>

#define KIB 1024u

/* ---- the stack that the system knows of ---- */

struct limits {
    ULONG_PTR low, high; /* all of it */
    uintptr_t base, limit; /* what is committed: StackBase and StackLimit */
};

static struct limits current_limits(void)
{
    NT_TIB *block = (NT_TIB *)NtCurrentTeb();
    struct limits limits = {.base = (uintptr_t)block->StackBase, .limit = (uintptr_t)block->StackLimit};

    GetCurrentThreadStackLimits(&limits.low, &limits.high);
    return limits;
}

static void check_limits(void *stack_low, size_t stack_size)
{
    struct limits limits = current_limits();
    char here;

    ck_assert((uintptr_t)&here - limits.limit < limits.base - limits.limit);
    ck_assert(limits.low <= limits.limit && limits.base <= limits.high);
    if (stack_low == NULL)
        return;
    ck_assert(limits.low <= (uintptr_t)stack_low);
    ck_assert(limits.high <= (uintptr_t)stack_low + stack_size);
}

static bool same_stack(struct limits a, struct limits b)
{
    return a.low == b.low && a.high == b.high && a.base == b.base;
}

static void *check_own_limits(void *inner)
{
    struct limits before = current_limits();
    void *low;
    size_t size;

    ck_assert_int_eq(coir_stack_bounds(NULL, &low, &size), COIR_OK);
    check_limits(low, size);
    for (int i = 0; i < 3; i++) {
        if (inner != NULL)
            ck_assert_int_ge(coir_resume(inner, NULL, NULL), 0);
        ck_assert(same_stack(before, current_limits()));
        coir_yield(NULL, NULL);
        ck_assert(same_stack(before, current_limits()));
        check_limits(low, size);
    }
    return NULL;
}

START_TEST(the_system_knows_the_stack_of_the_fiber_that_runs)
{
    struct limits before = current_limits();
    coir_fiber *inner = t_create(check_own_limits, NULL);
    coir_fiber *outer = t_create(check_own_limits, inner);

    while (coir_resume(outer, NULL, NULL) > 0) {
        ck_assert(same_stack(before, current_limits()));
        check_limits(NULL, 0);
    }
    ck_assert_int_eq(coir_destroy(outer), COIR_OK);
    ck_assert_int_eq(coir_destroy(inner), COIR_OK);
    ck_assert(same_stack(before, current_limits()));
}
END_TEST

static coir_fiber *first, *second;

static void *switch_by_turns(void *other)
{
    struct limits before = current_limits();

    for (int i = 0; i < 3; i++) {
        coir_switch(*(coir_fiber **)other, NULL, NULL);
        ck_assert(same_stack(before, current_limits()));
    }
    coir_yield(NULL, NULL);
    return NULL;
}

START_TEST(also_after_a_symmetric_switch)
{
    struct limits before = current_limits();

    first = t_create(switch_by_turns, &second);
    second = t_create(switch_by_turns, &first);
    ck_assert_int_gt(coir_resume(first, NULL, NULL), 0);
    ck_assert(same_stack(before, current_limits()));
    coir_destroy(first);
    coir_destroy(second);
}
END_TEST

static ULONG guarantee(ULONG bytes)
{
    ck_assert(SetThreadStackGuarantee(&bytes)); /* tells the old one; 0 only asks */
    return bytes;
}

static void *set_guarantee(void *bytes)
{
    guarantee((ULONG)(uintptr_t)bytes);
    coir_yield(NULL, NULL);
    return T_VALUE(guarantee(0));
}

START_TEST(each_fiber_has_its_own_stack_guarantee)
{
    ULONG mine = guarantee(0);
    void *value;
    if (t_is_wine() && t_backend_is("winfiber"))
        T_SKIP("wine's SwitchToFiber leaves the stack guarantee with the thread");
    coir_fiber *f = t_create(set_guarantee, T_VALUE(20480)), *g = t_create(set_guarantee, T_VALUE(40960));
    coir_resume(f, NULL, NULL);
    coir_resume(g, NULL, NULL);
    ck_assert_uint_eq(guarantee(0), mine);
    ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(value), 20480);
    ck_assert_int_eq(coir_resume(g, NULL, &value), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(value), 40960);
    ck_assert_uint_eq(guarantee(0), mine);
    coir_destroy(f);
    coir_destroy(g);
}
END_TEST

/* ---- growth and overflow ---- */

static char *writable;

/* How much of a fiber's stack is memory by now. */
static size_t committed(coir_fiber *f)
{
    MEMORY_BASIC_INFORMATION region;
    char *low, *address;
    size_t size, sum = 0;

    ck_assert_int_eq(coir_stack_bounds(f, (void **)&low, &size), COIR_OK);
    for (address = low; address < low + size; address = (char *)region.BaseAddress + region.RegionSize) {
        ck_assert_uint_ne(VirtualQuery(address, &region, sizeof region), 0);
        if (region.State == MEM_COMMIT && !(region.Protect & PAGE_GUARD))
            sum += region.RegionSize;
    }
    return sum;
}

static void *use_more_and_more(void *arg)
{
    coir_yield(NULL, NULL);
    t_recurse(50 * KIB);
    coir_yield(NULL, NULL);
    t_recurse(200 * KIB);
    coir_yield(NULL, NULL);
    return arg;
}

START_TEST(a_stack_becomes_memory_as_it_is_used)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    coir_fiber *f = t_create(use_more_and_more, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_uint_le(committed(f), 8 * KIB);
    coir_resume(f, NULL, NULL);
    ck_assert_uint_ge(committed(f), 50 * KIB);
    ck_assert_uint_le(committed(f), 80 * KIB);
    coir_resume(f, NULL, NULL);
    ck_assert_uint_ge(committed(f), 200 * KIB);
    coir_destroy(f);
    f = t_create(use_more_and_more, NULL); /* on the same stack */
    coir_resume(f, NULL, NULL);
    if (t_backend_is("asm"))
        ck_assert_uint_ge(committed(f), 200 * KIB);
    while (coir_resume(f, NULL, NULL) > 0)
        ;
    coir_destroy(f);
}
END_TEST

/* All bytes that coir_stack_bounds tells of can be used. */
static void *use_all(void *arg)
{
    char *low;
    size_t size;
    char here;
    ck_assert_int_eq(coir_stack_bounds(NULL, (void **)&low, &size), COIR_OK);
    volatile char *all = __builtin_alloca((size_t)(&here - low) - 512);
    all[0] = 1;
    return arg;
}

START_TEST(all_of_a_stack_can_be_used)
{
    static const size_t sizes[] = {1, 64 * KIB, 256 * KIB, 1000 * KIB};
    for (int i = 0; i < 4; i++) {
        coir_options opt = {.stack_size = sizes[i]};
        coir_fiber *f;
        ck_assert_int_eq(coir_create(&f, use_all, NULL, &opt), COIR_OK);
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
        coir_destroy(f);
    }
}
END_TEST

static LONG CALLBACK exit_on_overflow(EXCEPTION_POINTERS *exception)
{
    if (exception->ExceptionRecord->ExceptionCode == EXCEPTION_STACK_OVERFLOW)
        t_exit(77);
    return EXCEPTION_CONTINUE_SEARCH;
}

static void *recurse_without_end(void *arg)
{
    t_recurse(SIZE_MAX);
    return arg;
}

static void overflow_with_handler(void *arg)
{
    AddVectoredExceptionHandler(1, exit_on_overflow);
    coir_resume(t_create(recurse_without_end, arg), NULL, NULL);
}

START_TEST(an_overflow_is_reported_to_handlers_as_one)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    ck_assert_int_eq(t_run_in_child(overflow_with_handler, NULL), 77);
}
END_TEST

/* The fiber gets out of the handler, and ends; the next one on that stack overflows too. */
static void leave_fiber(void)
{
    coir_exit(T_VALUE(1));
}

static LONG CALLBACK leave_on_overflow(EXCEPTION_POINTERS *exception)
{
    CONTEXT *context = exception->ContextRecord;
    if (exception->ExceptionRecord->ExceptionCode != EXCEPTION_STACK_OVERFLOW)
        return EXCEPTION_CONTINUE_SEARCH;
#if defined(__x86_64__)
    context->Rip = (DWORD64)(uintptr_t)leave_fiber;
    context->Rsp = ((context->Rsp - 256) & ~(DWORD64)15) - 8; /* as after a call */
#else
    (void)context, (void)leave_fiber;
#endif
    return EXCEPTION_CONTINUE_EXECUTION;
}

static void overflow_by_turns(void *arg)
{
    AddVectoredExceptionHandler(1, leave_on_overflow);
    for (int i = 0; i < 3; i++) {
        void *low = NULL, *result = NULL;
        coir_fiber *f = t_create(recurse_without_end, arg);
        coir_stack_bounds(f, &low, NULL);
        if (i == 0)
            writable = low;
        if (low != writable || coir_resume(f, NULL, &result) != COIR_DONE || T_NUMBER(result) != 1)
            t_exit(1);
        coir_destroy(f);
    }
}

START_TEST(a_stack_that_has_overflowed_serves_again_and_is_guarded)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    if (t_backend_is("winfiber")) /* another stack each time */
        return;
    ck_assert_int_eq(t_run_in_child(overflow_by_turns, NULL), 0);
}
END_TEST

/* ---- exceptions that nobody handles ---- */

static LONG WINAPI exit_55(EXCEPTION_POINTERS *exception)
{
    t_exit(exception->ExceptionRecord->ExceptionCode == EXCEPTION_ACCESS_VIOLATION ? 55 : 56);
    return EXCEPTION_EXECUTE_HANDLER;
}

static void *write_nowhere(void *arg)
{
    *(volatile int *)arg = 1;
    return NULL;
}

static void write_with_filter(void *arg)
{
    SetUnhandledExceptionFilter(exit_55);
    coir_resume(t_create(write_nowhere, arg), NULL, NULL);
}

static void write_without_filter(void *arg)
{
    coir_resume(t_create(write_nowhere, arg), NULL, NULL);
}

START_TEST(the_unhandled_exception_filter_hears_of_exceptions_in_fibers)
{
    ck_assert_int_eq(t_run_in_child(write_with_filter, T_VALUE(8)), 55);
    ck_assert_int_eq(t_run_in_child(write_without_filter, T_VALUE(8)), T_FAULT);
}
END_TEST

static LONG WINAPI mend_and_continue(EXCEPTION_POINTERS *exception)
{
    DWORD old;
    (void)exception;
    VirtualProtect(writable, t_page_size(), PAGE_READWRITE, &old);
    return EXCEPTION_CONTINUE_EXECUTION;
}

static void write_to_what_is_mended(void *arg)
{
    DWORD old;
    (void)arg;
    writable = t_map(0, t_page_size());
    VirtualProtect(writable, t_page_size(), PAGE_READONLY, &old);
    SetUnhandledExceptionFilter(mend_and_continue);
    if (coir_resume(t_create(write_nowhere, writable), NULL, NULL) != COIR_DONE || *writable != 1)
        t_exit(1);
}

START_TEST(the_filter_can_have_the_fiber_continue)
{
    ck_assert_int_eq(t_run_in_child(write_to_what_is_mended, NULL), 0);
}
END_TEST

/* ---- threads that are fibers of the system ---- */

/* What the thread is when it ends, after the library has left it: this program's own callback comes after those of the
 * libraries it uses, and after the library's where that is linked into it. */
static BOOL was_fiber_at_end;
static bool uses_stack_at_end;
static size_t stack_used_at_end;

static void NTAPI on_thread_event(PVOID module, DWORD reason, PVOID reserved)
{
    (void)module, (void)reserved;
    if (reason != DLL_THREAD_DETACH)
        return;
    was_fiber_at_end = IsThreadAFiber();
    if (uses_stack_at_end)
        stack_used_at_end = t_recurse(100 * KIB);
}

__attribute__((section(".CRT$XLC"), used)) static const PIMAGE_TLS_CALLBACK tls_callback = on_thread_event;

static void *yield_once(void *arg)
{
    coir_yield(arg, NULL);
    return arg;
}

static void use_a_fiber(void)
{
    coir_fiber *f = t_create(yield_once, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}

static void *be_an_ordinary_thread(void *arg)
{
    ck_assert(!IsThreadAFiber());
    use_a_fiber();
    ck_assert_int_eq(IsThreadAFiber(), t_backend_is("winfiber"));
    return arg;
}

START_TEST(a_thread_that_was_made_a_fiber_is_none_at_its_end)
{
    was_fiber_at_end = TRUE;
    t_on_thread(be_an_ordinary_thread, NULL);
    ck_assert(!was_fiber_at_end);
}
END_TEST

static void *be_a_fiber_already(void *arg)
{
    void *self = ConvertThreadToFiberEx(arg, FIBER_FLAG_FLOAT_SWITCH);
    ck_assert_ptr_nonnull(self);
    use_a_fiber();
    ck_assert_ptr_eq(GetCurrentFiber(), self);
    ck_assert_ptr_eq(GetFiberData(), arg);
    return NULL;
}

START_TEST(a_thread_that_is_a_fiber_already_stays_one)
{
    int data;
    was_fiber_at_end = FALSE;
    t_on_thread(be_a_fiber_already, &data);
    ck_assert(was_fiber_at_end);
}
END_TEST

/* A program with system fibers of its own, which use ours by turns. */
static void *home;
static coir_fiber *shared;

static void CALLBACK resume_from_a_system_fiber(void *arg)
{
    struct limits before = current_limits();
    (void)arg;
    for (;;) {
        ck_assert_int_eq(coir_resume(shared, NULL, NULL), COIR_YIELDED);
        ck_assert(same_stack(before, current_limits()));
        SwitchToFiber(home);
    }
}

static void *yield_for_ever(void *arg)
{
    while (coir_yield(NULL, NULL) == COIR_OK)
        ;
    return arg;
}

START_TEST(system_fibers_of_the_program_use_ours_by_turns)
{
    struct limits before = current_limits();
    void *other;
    home = ConvertThreadToFiberEx(NULL, FIBER_FLAG_FLOAT_SWITCH);
    other = CreateFiberEx(8192, 256 * KIB, FIBER_FLAG_FLOAT_SWITCH, resume_from_a_system_fiber, NULL);
    shared = t_create(yield_for_ever, NULL);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(coir_resume(shared, NULL, NULL), COIR_YIELDED);
        ck_assert(same_stack(before, current_limits()));
        SwitchToFiber(other);
        ck_assert(same_stack(before, current_limits()));
    }
    coir_destroy(shared);
    DeleteFiber(other);
}
END_TEST

/* ---- fiber-local storage of others ---- */

static DWORD fls;
static int released;
static void *last_released;

static VOID CALLBACK release_fls(void *value)
{
    released++;
    last_released = value;
}

static void *use_fls(void *arg)
{
    bool own = t_backend_is("winfiber"); /* else the thread's is seen */
    ck_assert_ptr_eq(FlsGetValue(fls), own ? NULL : T_VALUE(1));
    ck_assert(FlsSetValue(fls, arg));
    coir_yield(NULL, NULL);
    ck_assert_ptr_eq(FlsGetValue(fls), own ? arg : T_VALUE(1));
    return NULL;
}

START_TEST(fiber_local_storage_is_each_system_fibers)
{
    bool own = t_backend_is("winfiber");
    fls = FlsAlloc(release_fls);
    FlsSetValue(fls, T_VALUE(1));
    for (int i = 2; i < 5; i++) { /* the later ones do not find what the earlier ones left */
        coir_fiber *f = t_create(use_fls, T_VALUE(i));
        coir_resume(f, NULL, NULL);
        ck_assert_ptr_eq(FlsGetValue(fls), own ? T_VALUE(1) : T_VALUE(i));
        FlsSetValue(fls, T_VALUE(1));
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
        coir_destroy(f);
        if (own) {
            ck_assert_int_eq(released, i - 1);
            ck_assert_int_eq(T_NUMBER(last_released), i);
        }
    }
    ck_assert_ptr_eq(FlsGetValue(fls), T_VALUE(1));
}
END_TEST

/* ---- the rest ---- */

static void *keep_last_error(void *arg)
{
    ck_assert_int_eq((int)GetLastError(), 1001);
    SetLastError(1002);
    coir_yield(NULL, NULL);
    ck_assert_int_eq((int)GetLastError(), 1003);
    return arg;
}

START_TEST(a_switch_leaves_the_last_error_alone)
{
    coir_fiber *f = t_create(keep_last_error, NULL);
    SetLastError(1001);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq((int)GetLastError(), 1002);
    SetLastError(1003);
    coir_resume(f, NULL, NULL);
    coir_destroy(f);
}
END_TEST

static void *end_the_thread(void *arg)
{
    t_thread_exit(arg);
    return NULL;
}

static void *resume_the_ending(void *f)
{
    *(coir_fiber **)f = t_create(end_the_thread, NULL);
    coir_resume(*(coir_fiber **)f, NULL, NULL);
    return NULL;
}

START_TEST(the_rest_of_a_threads_end_has_the_fibers_whole_stack)
{
    coir_fiber *f;
    uses_stack_at_end = true;
    t_on_thread(resume_the_ending, &f);
    ck_assert_uint_eq(stack_used_at_end, 101);
    uses_stack_at_end = false;
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}
END_TEST

START_TEST(threads_that_end_in_fibers_leave_no_memory_behind)
{
    coir_fiber *f;
    if (t_backend_is("winfiber"))
        T_SKIP("the system keeps a thread's own stack when the thread ends in one of the system's fibers");
    for (int i = 0; i < 10; i++) { /* what the first ones leave for good */
        t_on_thread(resume_the_ending, &f);
        ck_assert_int_eq(coir_destroy(f), COIR_OK);
    }
    long before = t_mappings();
    for (int i = 0; i < 100; i++) {
        t_on_thread(resume_the_ending, &f);
        ck_assert_int_eq(coir_destroy(f), COIR_OK);
    }
    ck_assert_int_le(t_mappings() - before, 10);
}
END_TEST

T_MAIN(the_system_knows_the_stack_of_the_fiber_that_runs, also_after_a_symmetric_switch,
       each_fiber_has_its_own_stack_guarantee, a_stack_becomes_memory_as_it_is_used, all_of_a_stack_can_be_used,
       an_overflow_is_reported_to_handlers_as_one, a_stack_that_has_overflowed_serves_again_and_is_guarded,
       the_unhandled_exception_filter_hears_of_exceptions_in_fibers,
       the_filter_can_have_the_fiber_continue, a_thread_that_was_made_a_fiber_is_none_at_its_end,
       a_thread_that_is_a_fiber_already_stays_one, system_fibers_of_the_program_use_ours_by_turns,
       fiber_local_storage_is_each_system_fibers, a_switch_leaves_the_last_error_alone,
       the_rest_of_a_threads_end_has_the_fibers_whole_stack, threads_that_end_in_fibers_leave_no_memory_behind)
