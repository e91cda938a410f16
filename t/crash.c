/* SPDX-License-Identifier: MIT */
/* The handler of crashes: what it reports, and who comes after it. Each crash is a child's. */

#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

#define KIB 1024u

/* Keeps the call before it from being made a jump. */
#define STAY __asm__ volatile("" : : : "memory")

static char heard[65536];

/* The line of a frame in this function, or in what the compiler made of it (name.part.0), where functions have names
 * and there is a walker. */
static const char *find_frame(const char *where, const char *function)
{
    void *frame;
    char name[64];
    if (coir_backtrace(NULL, &frame, 1) == COIR_ENOTSUP)
        return where;
    where = t_find(where, "  #");
#ifdef _WIN32
    (void)name, (void)function;
    return where;
#else
    snprintf(name, sizeof name, "  %s", function);
    return t_find(where, name);
#endif
}

/* Under valgrind a child that has made a mistake, as these do, ends with the status that valgrind was given for that. */
static void check_status(int status, int wanted)
{
    if (!t_instrumented() || status != 9)
        ck_assert_int_eq(status, wanted);
}

static void install(void)
{
    ck_assert_int_eq(coir_crash_handler_install(), COIR_OK);
}

__attribute__((noinline)) static coir_fiber *create(coir_fn *fn, void *arg, const char *name)
{
    const coir_options opt = {.name = name, .stack_size = 64 * KIB};
    coir_fiber *f = NULL;
    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    return f;
}

/* ---- ways to crash ---- */

__attribute__((noinline)) static int recurse(volatile int *depth)
{
    volatile char frame[300];
    int below;
    frame[0] = (char)++*depth;
    below = *depth > 0 ? recurse(depth) : 0;
    return below + frame[0];
}

static void *overflow(void *arg)
{
    volatile int depth = 0;
    (void)arg;
    return T_VALUE(recurse(&depth));
}

static char *volatile wild_pointer = (char *)16;

static void *write_wildly(void *arg)
{
    *wild_pointer = 1;
    STAY;
    return arg;
}

static void (*volatile no_function)(void);

static void *call_nothing(void *arg)
{
    no_function();
    STAY;
    return arg;
}

static void *resume_inner(void *inner)
{
    coir_resume(inner, NULL, NULL);
    STAY;
    return NULL;
}

/* In a fiber of a fiber. */
static void crash_in_fibers(coir_fn *fn)
{
    coir_fiber *inner = create(fn, NULL, "parser"), *outer = create(resume_inner, inner, "outer");
    coir_resume(outer, NULL, NULL);
    STAY;
}

/* ---- overflows ---- */

static void install_and_overflow(void *arg)
{
    (void)arg;
    install();
    crash_in_fibers(overflow);
    STAY;
}

/* The lines of a report, but for addresses: of an overflow in "parser", made in `creator`. */
static void check_overflow(const char *creator)
{
    const char *rest = t_find(heard, "coir: stack overflow in fiber \"parser\" (0x");
    rest = t_find(t_find(t_find(rest, "\n  stack of "), " bytes at 0x"), "; fault at 0x");
    rest = t_find(t_find(rest, "\n  give it more with coir_options.stack_size\n"), "\n  created by ");
#ifdef _WIN32
    (void)creator;
#else
    void *frame;
    if (coir_backtrace(NULL, &frame, 1) != COIR_ENOTSUP) {
        char by[64];
        snprintf(by, sizeof by, "\n  created by %s", creator);
        t_find(heard, by);
    }
#endif
    ck_assert_ptr_null(strstr(rest, "coir:")); /* once */
}

START_TEST(an_overflow_is_reported_with_stack_creator_and_backtrace)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    const char *rest;
    ck_assert_int_eq(t_listen_to_child(install_and_overflow, NULL, heard, sizeof heard), T_FAULT);
    check_overflow("create");
    t_find(heard, "\n  stack of 65536 bytes at 0x");
    if (!t_instrumented())
        t_find(heard, ", used 65536; fault at 0x");
    /* Under valgrind, a call that faults has moved the stack pointer already, and then no walk gets further. */
    rest = t_under("valgrind") ? heard : find_frame(find_frame(heard, "recurse"), "overflow");
    if (rest != heard) {
        t_find(t_find(rest, "\n  fiber \"outer\" (0x"), ", resuming\n");
        t_find(rest, "\n  thread, resuming\n");
        t_find(heard, " more\n"); /* it has more frames than anyone wants to see */
    }
    find_frame(find_frame(rest, "resume_inner"), "main");
}
END_TEST

/* The fault says where, and that is in the guard. */
START_TEST(the_address_of_an_overflow_is_below_the_stack)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    unsigned long long low, address;
    t_listen_to_child(install_and_overflow, NULL, heard, sizeof heard);
    low = strtoull(t_find(heard, "bytes at 0x") + 9, NULL, 16);
    address = strtoull(t_find(heard, "fault at 0x") + 9, NULL, 16);
    ck_assert_uint_lt(address, low);
    ck_assert_uint_lt(low - address, 16 * t_page_size());
}
END_TEST

static void overflow_alone(void *arg)
{
    (void)arg;
    crash_in_fibers(overflow);
}

START_TEST(nothing_is_reported_unless_it_was_asked_for)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    ck_assert_int_eq(t_listen_to_child(overflow_alone, NULL, heard, sizeof heard), T_FAULT);
    ck_assert_ptr_null(strstr(heard, "coir:"));
}
END_TEST

static void *overflow_in_a_thread(void *arg)
{
    crash_in_fibers(overflow);
    return arg;
}

static void install_and_overflow_in_a_thread(void *arg)
{
    install();
    install(); /* twice is as good */
    t_on_thread(overflow_in_a_thread, arg);
}

START_TEST(threads_that_come_later_report_too)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    ck_assert_int_eq(t_listen_to_child(install_and_overflow_in_a_thread, NULL, heard, sizeof heard), T_FAULT);
    check_overflow("create");
    find_frame(heard, "overflow_in_a_thread");
}
END_TEST

/* A second fiber of the same executor, nested in whose task it happens. */
static void *overflow_in_a_nested_fiber(void *arg)
{
    crash_in_fibers(overflow);
    return arg;
}

static void install_and_overflow_in_a_task(void *arg)
{
    const coir_options opt = {.name = "worker", .stack_size = 64 * KIB};
    coir_exec *e = NULL;
    install();
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, overflow_in_a_nested_fiber, arg, &opt), COIR_OK);
    coir_exec_run(e);
}

START_TEST(the_backtrace_goes_through_tasks_and_executors)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    const char *rest;
    ck_assert_int_eq(t_listen_to_child(install_and_overflow_in_a_task, NULL, heard, sizeof heard), T_FAULT);
    check_overflow("create");
    rest = find_frame(heard, "overflow_in_a_nested_fiber");
    if (rest != heard) {
        t_find(heard, "\n  fiber \"worker\" (0x");
        t_find(heard, "\n  executor (0x");
    }
    find_frame(rest, "install_and_overflow_in_a_task");
}
END_TEST

static void *overflow_at_once(void *arg)
{
    return overflow(arg);
}

static void install_and_overflow_a_task(void *arg)
{
    const coir_options opt = {.name = "parser", .stack_size = 64 * KIB};
    coir_exec *e = NULL;
    install();
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, overflow_at_once, arg, &opt), COIR_OK);
    STAY;
    coir_exec_run(e);
}

START_TEST(a_task_is_created_by_who_spawned_it)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    ck_assert_int_eq(t_listen_to_child(install_and_overflow_a_task, NULL, heard, sizeof heard), T_FAULT);
    check_overflow("install_and_overflow_a_task");
}
END_TEST

static int overflow_generating(coir_gen *g, void *arg)
{
    (void)g;
    return T_NUMBER(overflow(arg));
}

static void install_and_overflow_a_generator(void *arg)
{
    const coir_options opt = {.name = "parser", .stack_size = 64 * KIB};
    coir_gen *g = NULL;
    install();
    ck_assert_int_eq(coir_gen_create(&g, 4, overflow_generating, arg, &opt), COIR_OK);
    STAY;
    coir_gen_next(g, NULL);
}

START_TEST(a_generator_is_created_by_who_called_for_it)
{
    T_SKIP_WHERE_STACKS_ARE_WHOLE;
    ck_assert_int_eq(t_listen_to_child(install_and_overflow_a_generator, NULL, heard, sizeof heard), T_FAULT);
    check_overflow("install_and_overflow_a_generator");
}
END_TEST

/* ---- other faults ---- */

static void install_and_write_wildly(void *arg)
{
    (void)arg;
    install();
    crash_in_fibers(write_wildly);
}

START_TEST(another_fault_in_a_fiber_is_told_apart)
{
    const char *rest;
    ck_assert_int_eq(t_listen_to_child(install_and_write_wildly, NULL, heard, sizeof heard), T_FAULT);
    rest = t_find(heard, "coir: fault at 0x10 in fiber \"parser\" (0x");
    rest = t_find(t_find(rest, "\n  stack of "), " bytes at 0x");
    ck_assert_ptr_null(strstr(heard, "overflow"));
    ck_assert_ptr_null(strstr(heard, "give it more"));
    t_find(rest, "\n  created by ");
    rest = find_frame(heard, "write_wildly");
    if (rest != heard)
        t_find(heard, " left\n");
    find_frame(find_frame(rest, "resume_inner"), "main");
}
END_TEST

static void install_and_call_nothing(void *arg)
{
    (void)arg;
    install();
    crash_in_fibers(call_nothing);
}

START_TEST(a_call_of_nothing_is_traced_to_who_called)
{
    ck_assert_int_eq(t_listen_to_child(install_and_call_nothing, NULL, heard, sizeof heard), T_FAULT);
    t_find(heard, "coir: fault at 0x0 in fiber \"parser\" (0x");
    find_frame(find_frame(heard, "call_nothing"), "resume_inner");
}
END_TEST

static void install_and_crash_outside(void *arg)
{
    install();
    coir_destroy(create(overflow, NULL, "parser"));
    write_wildly(arg);
}

START_TEST(a_fault_outside_of_fibers_is_not_reported)
{
    ck_assert_int_eq(t_listen_to_child(install_and_crash_outside, NULL, heard, sizeof heard), T_FAULT);
    ck_assert_ptr_null(strstr(heard, "coir:"));
}
END_TEST

#ifdef _WIN32

/* ---- who comes after it ---- */

static LONG WINAPI exit_by_filter(EXCEPTION_POINTERS *pointers)
{
    t_exit(pointers->ExceptionRecord->ExceptionCode == EXCEPTION_ACCESS_VIOLATION ? 42 : 43);
    return EXCEPTION_CONTINUE_SEARCH;
}

static void crash_with_a_filter(void *arg)
{
    SetUnhandledExceptionFilter(exit_by_filter);
    install_and_write_wildly(arg);
}

START_TEST(the_filter_that_was_there_is_asked_afterwards)
{
    check_status(t_listen_to_child(crash_with_a_filter, NULL, heard, sizeof heard), 42);
    t_find(heard, "coir: fault at 0x10");
}
END_TEST

#define SYSTEM_CASES the_filter_that_was_there_is_asked_afterwards

#else

/* ---- who comes after it ---- */

static void set_handler(void (*handler)(int signal, siginfo_t *info, void *context), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR1);
    ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
}

/* With what it was called with, and with the signals blocked that it wants. */
static void exit_if_told_all(int signal, siginfo_t *info, void *context)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    if (signal != SIGSEGV || info->si_addr != (void *)wild_pointer || context == NULL)
        _exit(43);
    _exit(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGSEGV) ? 42 : 43);
}

static void crash_with_an_informed_handler(void *arg)
{
    set_handler(exit_if_told_all, 0);
    install_and_write_wildly(arg);
}

START_TEST(a_handler_that_wants_information_gets_it_afterwards)
{
    check_status(t_listen_to_child(crash_with_an_informed_handler, NULL, heard, sizeof heard), 42);
    t_find(heard, "coir: fault at 0x10");
}
END_TEST

static void exit_plainly(int signal)
{
    _exit(signal == SIGSEGV ? 44 : 45);
}

static void crash_with_a_plain_handler(void *arg)
{
    signal(SIGSEGV, exit_plainly);
    install_and_overflow(arg);
}

START_TEST(a_plain_handler_is_called_afterwards)
{
    check_status(t_listen_to_child(crash_with_a_plain_handler, NULL, heard, sizeof heard), 44);
    check_overflow("create");
}
END_TEST

static void return_plainly(int signal)
{
    (void)signal;
}

/* Which is how programs leave what follows to the system. */
static void crash_with_a_handler_for_once(void *arg)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = return_plainly;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGSEGV, &action, NULL);
    install_and_overflow(arg);
}

START_TEST(a_handler_that_asked_for_one_signal_is_called_once)
{
    ck_assert_int_eq(t_listen_to_child(crash_with_a_handler_for_once, NULL, heard, sizeof heard), T_FAULT);
    t_find(heard, "coir: stack overflow");
}
END_TEST

static void ignore_what_is_sent(void *arg)
{
    signal(SIGSEGV, SIG_IGN);
    install();
    raise(SIGSEGV);
    (void)arg;
    _exit(46);
}

START_TEST(a_signal_that_was_sent_can_be_ignored)
{
    check_status(t_listen_to_child(ignore_what_is_sent, NULL, heard, sizeof heard), 46);
    ck_assert_str_eq(heard, "");
}
END_TEST

static void crash_while_faults_are_ignored(void *arg)
{
    signal(SIGSEGV, SIG_IGN);
    install_and_overflow(arg);
}

START_TEST(a_fault_that_was_ignored_ends_the_process)
{
    ck_assert_int_eq(t_listen_to_child(crash_while_faults_are_ignored, NULL, heard, sizeof heard), T_FAULT);
    check_overflow("create");
}
END_TEST

/* A program that makes memory there when it is touched. */
static char *lazy_page;

static void make_memory(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    if (info->si_addr == lazy_page)
        mprotect(lazy_page, t_page_size(), PROT_READ | PROT_WRITE);
    else
        _exit(46);
}

static void touch_lazy_page(void *arg)
{
    (void)arg;
    set_handler(make_memory, SA_ONSTACK);
    install();
    wild_pointer = lazy_page = t_map(0, t_page_size());
    mprotect(lazy_page, t_page_size(), PROT_NONE);
    crash_in_fibers(write_wildly);
    _exit(*lazy_page == 1 ? 47 : 48);
}

START_TEST(a_handler_may_mend_what_was_wrong)
{
    check_status(t_listen_to_child(touch_lazy_page, NULL, heard, sizeof heard), 47);
    t_find(heard, "coir: fault at 0x");
}
END_TEST

/* The program's own report, from its handler: through the signal's frame and the resumers. */
static void print_and_exit(int signal)
{
    (void)signal;
    _exit(coir_backtrace_print(NULL, STDERR_FILENO) == COIR_OK ? 49 : 50);
}

static void crash_with_a_handler_that_prints(void *arg)
{
    signal(SIGSEGV, print_and_exit);
    install_and_write_wildly(arg);
}

START_TEST(a_backtrace_in_a_handler_begins_there)
{
    const char *own;
    void *frame;
    if (coir_backtrace(NULL, &frame, 1) == COIR_ENOTSUP)
        T_SKIP("there is no walker in this build");
    check_status(t_listen_to_child(crash_with_a_handler_that_prints, NULL, heard, sizeof heard), 49);
    own = t_find(heard, "\nfiber \"parser\" (0x");
    find_frame(find_frame(find_frame(own, "print_and_exit"), "write_wildly"), "resume_inner");
}
END_TEST

static void *send_itself_a_signal(void *arg)
{
    kill(getpid(), SIGSEGV);
    return arg;
}

static void install_and_send(void *arg)
{
    install();
    coir_resume(create(send_itself_a_signal, arg, "sender"), NULL, NULL);
}

START_TEST(a_signal_that_was_sent_is_no_fault)
{
    ck_assert_int_eq(t_listen_to_child(install_and_send, NULL, heard, sizeof heard), T_FAULT);
    ck_assert_ptr_null(strstr(heard, "coir:"));
}
END_TEST

/* ---- alternate stacks ---- */

static char own_alternate[64 * KIB];

static void *overflow_with_own_alternate(void *size)
{
    stack_t own = {.ss_sp = own_alternate, .ss_size = *(size_t *)size}, now;
    ck_assert_int_eq(sigaltstack(&own, NULL), 0);
    coir_destroy(create(overflow, NULL, NULL));
    sigaltstack(NULL, &now);
    if (now.ss_sp != own.ss_sp || now.ss_size != own.ss_size)
        _exit(51);
    crash_in_fibers(overflow);
    return NULL;
}

static void overflow_with_own_alternate_of(void *size)
{
    install();
    t_on_thread(overflow_with_own_alternate, size);
}

START_TEST(a_thread_may_have_its_own_alternate_stack)
{
    size_t size = sizeof own_alternate;
    ck_assert_int_eq(t_listen_to_child(overflow_with_own_alternate_of, &size, heard, sizeof heard), T_FAULT);
    check_overflow("create");
    find_frame(heard, "recurse");
}
END_TEST

START_TEST(on_a_small_alternate_stack_there_is_no_backtrace)
{
    size_t size = 28 * KIB;
    ck_assert_int_eq(t_listen_to_child(overflow_with_own_alternate_of, &size, heard, sizeof heard), T_FAULT);
    t_find(heard, "coir: stack overflow in fiber \"parser\"");
    t_find(heard, "\n  created by (");
    ck_assert_ptr_null(strstr(heard, "#0"));
}
END_TEST

static void *make_a_fiber(void *arg)
{
    coir_destroy(create(overflow, arg, NULL));
    return arg;
}

START_TEST(the_librarys_alternate_stack_goes_with_its_thread)
{
    long before;
    install();
    t_on_thread(make_a_fiber, NULL);
    before = t_mappings();
    for (int i = 0; i < 20; i++)
        t_on_thread(make_a_fiber, NULL);
    ck_assert_int_lt(t_mappings(), before + 10);
}
END_TEST

/* ---- stacks without a guard of the library's ---- */

static void overflow_the_callers_memory(void *arg)
{
    size_t page = t_page_size();
    char *memory = t_map(0, 64 * KIB + page);
    const coir_options opt = {.name = "parser", .stack = memory + page, .stack_size = 64 * KIB};
    coir_fiber *f = NULL;
    mprotect(memory, page, PROT_NONE);
    install();
    ck_assert_int_eq(coir_create(&f, overflow, arg, &opt), COIR_OK);
    coir_resume(f, NULL, NULL);
}

START_TEST(what_is_below_the_callers_memory_is_not_known_as_a_guard)
{
    ck_assert_int_eq(t_listen_to_child(overflow_the_callers_memory, NULL, heard, sizeof heard), T_FAULT);
    t_find(heard, "coir: fault at 0x");
    ck_assert_ptr_null(strstr(heard, "overflow in"));
}
END_TEST

#define SYSTEM_CASES                                                                                             \
    a_handler_that_wants_information_gets_it_afterwards, a_plain_handler_is_called_afterwards,                   \
        a_handler_that_asked_for_one_signal_is_called_once, a_signal_that_was_sent_can_be_ignored,               \
        a_fault_that_was_ignored_ends_the_process, a_handler_may_mend_what_was_wrong,                            \
        a_backtrace_in_a_handler_begins_there, a_signal_that_was_sent_is_no_fault,                               \
        a_thread_may_have_its_own_alternate_stack, on_a_small_alternate_stack_there_is_no_backtrace,             \
        the_librarys_alternate_stack_goes_with_its_thread, what_is_below_the_callers_memory_is_not_known_as_a_guard

#endif

T_MAIN(an_overflow_is_reported_with_stack_creator_and_backtrace, the_address_of_an_overflow_is_below_the_stack,
       nothing_is_reported_unless_it_was_asked_for, threads_that_come_later_report_too,
       the_backtrace_goes_through_tasks_and_executors, a_task_is_created_by_who_spawned_it,
       a_generator_is_created_by_who_called_for_it, another_fault_in_a_fiber_is_told_apart,
       a_call_of_nothing_is_traced_to_who_called, a_fault_outside_of_fibers_is_not_reported, SYSTEM_CASES)
