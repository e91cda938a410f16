/* SPDX-License-Identifier: MIT */
/* Forced unwinding: what becomes of the frames of a fiber that is destroyed while it is suspended, or calls
 * coir_exit. */

#include "t.h"

#include <atomic>
#include <cstring>
#include <cxxabi.h>
#include <exception>

#ifdef __GLIBCXX__
#define SKIP_WHERE_HANDLERS_CANNOT_THROW_IT_AGAIN
#else
#define SKIP_WHERE_HANDLERS_CANNOT_THROW_IT_AGAIN T_SKIP("throw; terminates with this C++ library")
#endif

/* What happened, a letter each. Not a std::string: nothing here may need much stack. */
static char marks[256];

static void mark(char letter)
{
    const size_t length = std::strlen(marks);
    ck_assert_uint_lt(length, sizeof marks - 1);
    marks[length] = letter;
}

static void forget_marks()
{
    std::memset(marks, 0, sizeof marks);
}

/* For coir_defer, and the destructors of keys. */
static void mark_first(void *letters)
{
    mark(*static_cast<const char *>(letters));
}

static void *text(const char *letters)
{
    return const_cast<char *>(letters);
}

struct marks_at_end {
    char letter;
    ~marks_at_end() { mark(letter); }
};

/* Objects, and how many of them there are. */
static std::atomic<int> live;

struct counted {
    counted() { live++; }
    counted(const counted &) { live++; }
    ~counted() { live--; }
};

static coir_fiber *create_with(unsigned flags, coir_fn *fn, void *arg)
{
    coir_fiber *f = nullptr;
    coir_options opt = {};
    opt.flags = flags;
    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    return f;
}

static void expect_yield(coir_fiber *f)
{
    ck_assert_int_eq(coir_resume(f, nullptr, nullptr), COIR_YIELDED);
}

static void destroy(coir_fiber *f)
{
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}

/* A fiber that has run until it was suspended. */
static coir_fiber *start(coir_fn *fn, void *arg)
{
    coir_fiber *f = t_create(fn, arg);
    expect_yield(f);
    return f;
}

/* Runs it until it is suspended, and destroys it there. */
static void start_and_destroy(coir_fn *fn)
{
    destroy(start(fn, nullptr));
}

static void *run_to_end(coir_fn *fn, void *arg)
{
    void *result;
    coir_fiber *f = t_create(fn, arg);
    ck_assert_int_eq(coir_resume(f, nullptr, &result), COIR_DONE);
    destroy(f);
    return result;
}

/* How frames come to be unwound: of a suspended fiber by coir_destroy, or by its own coir_exit. */
static void suspend_for_good()
{
    coir_yield(nullptr, nullptr);
    mark('?');
}

static void exit_for_good()
{
    coir_exit(T_VALUE(7));
    mark('?');
}

typedef void leave_fn();

/* ---- the order of things ---- */

__attribute__((noinline)) static void leave_from_below(leave_fn *leave, char letter)
{
    marks_at_end object = {letter};
    if (letter == 'c')
        leave();
    else
        leave_from_below(leave, static_cast<char>(letter + 1));
    mark('?');
}

static coir_key key;

static void note_deferred_and_key()
{
    if (key == 0)
        ck_assert_int_eq(coir_key_create(&key, mark_first), COIR_OK);
    ck_assert_int_eq(coir_local_set(key, text("k")), COIR_OK);
    ck_assert_int_eq(coir_defer(mark_first, text("1")), COIR_OK);
    ck_assert_int_eq(coir_defer(mark_first, text("2")), COIR_OK);
}

static void *be_destroyed_below(void *arg)
{
    note_deferred_and_key();
    leave_from_below(suspend_for_good, 'a');
    return arg;
}

static void *exit_below(void *arg)
{
    note_deferred_and_key();
    leave_from_below(exit_for_good, 'a');
    return arg;
}

START_TEST(destroy_runs_destructors_innermost_first_then_deferred_functions_then_keys)
{
    coir_fiber *f = start(be_destroyed_below, nullptr);
    ck_assert_str_eq(marks, "");
    destroy(f);
    ck_assert_str_eq(marks, "cba21k");
}
END_TEST

START_TEST(exit_does_the_same_and_gives_its_result)
{
    ck_assert_int_eq(T_NUMBER(run_to_end(exit_below, nullptr)), 7);
    ck_assert_str_eq(marks, "cba21k");
}
END_TEST

START_TEST(a_fiber_that_never_ran_or_has_ended_has_no_frames_to_unwind)
{
    destroy(t_create(be_destroyed_below, nullptr));
    ck_assert_str_eq(marks, "");
    coir_fiber *f = t_create(exit_below, nullptr);
    ck_assert_int_eq(coir_resume(f, nullptr, nullptr), COIR_DONE);
    forget_marks();
    destroy(f);
    ck_assert_str_eq(marks, "");
}
END_TEST

START_TEST(without_unwinding_only_deferred_functions_and_keys_run)
{
    coir_fiber *f = create_with(COIR_NO_UNWIND, be_destroyed_below, nullptr);
    expect_yield(f);
    destroy(f);
    ck_assert_str_eq(marks, "21k");
    forget_marks();
    void *result;
    f = create_with(COIR_NO_UNWIND, exit_below, nullptr);
    ck_assert_int_eq(coir_resume(f, nullptr, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 7);
    destroy(f);
    ck_assert_str_eq(marks, "21k");
}
END_TEST

START_TEST(a_fiber_that_left_by_switch_is_unwound_too)
{
    static coir_fiber *first, *second;
    first = t_create(
        [](void *arg) -> void * {
            marks_at_end object = {'a'};
            coir_switch(second, nullptr, nullptr);
            return arg;
        },
        nullptr);
    second = t_create(
        [](void *arg) -> void * {
            marks_at_end object = {'b'};
            coir_yield(nullptr, nullptr);
            return arg;
        },
        nullptr);
    ck_assert_int_eq(coir_resume(first, nullptr, nullptr), COIR_SWITCHED);
    destroy(first);
    ck_assert_str_eq(marks, "a");
    destroy(second);
    ck_assert_str_eq(marks, "ab");
}
END_TEST

START_TEST(a_fiber_on_the_programs_own_memory_is_unwound_too)
{
    alignas(16) static char memory[256 * 1024];
    coir_fiber *f = nullptr;
    coir_options opt = {};
    opt.stack = memory;
    opt.stack_size = sizeof memory;
    if (t_backend_is("winfiber"))
        T_SKIP("Windows Fibers have stacks of the system's");
    ck_assert_int_eq(coir_create(&f, be_destroyed_below, nullptr, &opt), COIR_OK);
    expect_yield(f);
    destroy(f);
    ck_assert_str_eq(marks, "cba21k");
}
END_TEST

/* ---- what destructors find, and what they may do ---- */

__attribute__((noinline)) static bool stack_is_aligned()
{
    alignas(16) char object[16];
    uintptr_t address = reinterpret_cast<uintptr_t>(object);
    __asm__ volatile("" : "+r"(address) : : "memory");
    return address % 16 == 0;
}

static coir_fiber *expected_self;

struct looks_around {
    ~looks_around()
    {
        ck_assert_ptr_eq(coir_self(), expected_self);
        ck_assert(stack_is_aligned());
        ck_assert_int_eq(std::uncaught_exceptions(), 1);
        ck_assert_ptr_eq(coir_local_get(key), text("k"));
        ck_assert(std::current_exception() == nullptr);
        mark('l');
    }
};

static void *be_destroyed_with_a_look(void *leave)
{
    looks_around object;
    expected_self = coir_self();
    note_deferred_and_key();
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
    if (leave == nullptr)
        suspend_for_good();
    exit_for_good();
    return nullptr;
}

START_TEST(destructors_run_in_the_fiber_and_see_one_exception_in_flight)
{
    start_and_destroy(be_destroyed_with_a_look);
    ck_assert_str_eq(marks, "l21k");
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
    forget_marks();
    run_to_end(be_destroyed_with_a_look, T_VALUE(1));
    ck_assert_str_eq(marks, "l21k");
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
}
END_TEST

struct suspends_in_vain {
    coir_fiber *other;
    ~suspends_in_vain()
    {
        ck_assert_int_eq(coir_yield(nullptr, nullptr), COIR_ECANCELED);
        ck_assert_int_eq(coir_switch(other, nullptr, nullptr), COIR_ECANCELED);
        ck_assert_int_eq(coir_exit(nullptr), COIR_ECANCELED);
        mark('v');
    }
};

static void *suspend_in_destructors_in_vain(void *other)
{
    suspends_in_vain outer = {static_cast<coir_fiber *>(other)};
    suspends_in_vain inner = {static_cast<coir_fiber *>(other)};
    suspend_for_good();
    return nullptr;
}

START_TEST(a_suspension_in_a_destructor_is_refused_at_once)
{
    coir_fiber *other = t_create(be_destroyed_below, nullptr);
    destroy(start(suspend_in_destructors_in_vain, other));
    ck_assert_str_eq(marks, "vv");
    ck_assert_int_eq(coir_fiber_state(other), COIR_STATE_NEW);
    destroy(other);
}
END_TEST

struct defers_at_end {
    ~defers_at_end()
    {
        ck_assert_int_eq(coir_defer(mark_first, text("3")), COIR_OK);
        ck_assert_int_eq(coir_undefer(mark_first, text("1"), 1), COIR_OK);
        mark('u');
    }
};

START_TEST(destructors_may_defer_and_undefer)
{
    start_and_destroy([](void *arg) -> void * {
        defers_at_end object;
        note_deferred_and_key();
        suspend_for_good();
        return arg;
    });
    ck_assert_str_eq(marks, "1u32k");
}
END_TEST

/* Objects that own fibers. */
struct owner {
    coir_fiber *f;
    ~owner()
    {
        ck_assert_int_eq(std::uncaught_exceptions(), 1);
        destroy(f);
        ck_assert_int_eq(std::uncaught_exceptions(), 1);
        mark('o');
    }
};

static void *own_another(void *depth)
{
    marks_at_end object = {static_cast<char>('a' + T_NUMBER(depth))};
    if (T_NUMBER(depth) == 0)
        suspend_for_good();
    owner of_inner = {start(own_another, T_VALUE(T_NUMBER(depth) - 1))};
    suspend_for_good();
    return nullptr;
}

START_TEST(destructors_may_destroy_fibers_that_are_unwound_in_turn)
{
    destroy(start(own_another, T_VALUE(4)));
    ck_assert_str_eq(marks, "aobocodoe");
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
}
END_TEST

struct runs_fibers_at_end {
    coir_fiber *suspended;
    ~runs_fibers_at_end()
    {
        ck_assert_int_eq(coir_resume(suspended, nullptr, nullptr), COIR_YIELDED);
        run_to_end(exit_below, nullptr);
        start_and_destroy(be_destroyed_below);
        mark('r');
    }
};

static void *yield_for_ever(void *arg)
{
    marks_at_end object = {'y'};
    for (;;) {
        coir_yield(arg, nullptr);
        ck_assert_int_eq(std::uncaught_exceptions(), 0);
        mark('.');
    }
}

START_TEST(destructors_may_create_resume_and_destroy_other_fibers)
{
    coir_fiber *other = start(yield_for_ever, nullptr);
    coir_fiber *f = start(
        [](void *suspended) -> void * {
            runs_fibers_at_end object = {static_cast<coir_fiber *>(suspended)};
            suspend_for_good();
            return nullptr;
        },
        other);
    destroy(f);
    ck_assert_str_eq(marks, ".cba21kcba21kr");
    expect_yield(other);
    destroy(other);
    ck_assert_str_eq(marks, ".cba21kcba21kr.y");
}
END_TEST

struct throws_and_catches_at_end {
    ~throws_and_catches_at_end()
    {
        try {
            counted object;
            ck_assert_int_eq(std::uncaught_exceptions(), 1);
            throw counted();
        } catch (const counted &) {
            ck_assert_int_eq(std::uncaught_exceptions(), 1);
            ck_assert(std::current_exception() != nullptr);
            mark('t');
        }
        try {
            throw 1;
        } catch (...) {
            mark('t');
        }
        ck_assert_int_eq(std::uncaught_exceptions(), 1);
        ck_assert(std::current_exception() == nullptr);
    }
};

START_TEST(destructors_may_throw_and_catch)
{
    start_and_destroy([](void *arg) -> void * {
        throws_and_catches_at_end outer, inner;
        suspend_for_good();
        return arg;
    });
    ck_assert_str_eq(marks, "tttt");
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- who destroys ---- */

struct destroys_at_end {
    coir_fiber *f;
    ~destroys_at_end()
    {
        ck_assert_int_eq(std::uncaught_exceptions(), 1);
        destroy(f);
        ck_assert_int_eq(std::uncaught_exceptions(), 1);
    }
};

START_TEST(who_destroys_a_fiber_keeps_its_own_exceptions)
{
    coir_fiber *one = start(be_destroyed_with_a_look, nullptr), *two = start(be_destroyed_with_a_look, nullptr);
    try {
        expected_self = one;
        destroys_at_end object = {one};
        throw 5;
    } catch (int) {
        expected_self = two;
        destroy(two);
        try {
            throw;
        } catch (int number) {
            ck_assert_int_eq(number, 5);
        }
    }
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
    ck_assert(std::current_exception() == nullptr);
    ck_assert_str_eq(marks, "l21kl21k");
}
END_TEST

START_TEST(a_fiber_destroys_another_that_it_has_not_made)
{
    coir_fiber *f = start(be_destroyed_below, nullptr);
    run_to_end(
        [](void *other) -> void * {
            marks_at_end object = {'x'};
            destroy(static_cast<coir_fiber *>(other));
            return nullptr;
        },
        f);
    ck_assert_str_eq(marks, "cba21kx");
}
END_TEST

static coir_fiber *left_behind;

START_TEST(a_fiber_that_a_thread_has_left_behind_is_unwound_by_who_destroys_it)
{
    t_on_thread(
        [](void *) -> void * {
            left_behind = start(be_destroyed_below, nullptr);
            return nullptr;
        },
        nullptr);
    ck_assert_str_eq(marks, "");
    destroy(left_behind);
    ck_assert_str_eq(marks, "cba21k");
}
END_TEST

START_TEST(a_fiber_that_can_move_is_unwound_on_the_thread_that_destroys_it)
{
    coir_fiber *f = nullptr;
    coir_options opt = {};
    opt.flags = COIR_MOVABLE;
    if (coir_create(&f, be_destroyed_with_a_look, nullptr, &opt) == COIR_ENOTSUP)
        T_SKIP("no fiber can move to another thread");
    expect_yield(f);
    t_on_thread(
        [](void *moved) -> void * {
            destroy(static_cast<coir_fiber *>(moved));
            return nullptr;
        },
        f);
    ck_assert_str_eq(marks, "l21k");
}
END_TEST

/* ---- cancel ---- */

struct sees_flight {
    int expected;
    ~sees_flight() { ck_assert_int_eq(std::uncaught_exceptions(), expected); }
};

START_TEST(a_fiber_that_returns_when_it_is_cancelled_is_not_unwound)
{
    coir_fiber *f = start(
        [](void *arg) -> void * {
            sees_flight object = {0};
            marks_at_end another = {'a'};
            ck_assert_int_eq(coir_yield(nullptr, nullptr), COIR_ECANCELED);
            mark('-');
            return arg;
        },
        nullptr);
    ck_assert_int_eq(coir_cancel(f, nullptr), COIR_DONE);
    ck_assert_str_eq(marks, "-a");
    destroy(f);
    ck_assert_str_eq(marks, "-a");
}
END_TEST

START_TEST(a_fiber_that_was_cancelled_and_yields_all_the_same_is_unwound)
{
    coir_fiber *f = start(
        [](void *arg) -> void * {
            sees_flight object = {1};
            ck_assert_int_eq(coir_yield(nullptr, nullptr), COIR_ECANCELED);
            leave_from_below(suspend_for_good, 'a');
            return arg;
        },
        nullptr);
    ck_assert_int_eq(coir_cancel(f, nullptr), COIR_YIELDED);
    destroy(f);
    ck_assert_str_eq(marks, "cba");
}
END_TEST

/* ---- generators and tasks ---- */

struct yields_item_in_vain {
    coir_gen *g;
    ~yields_item_in_vain()
    {
        int item = 0;
        ck_assert_int_eq(coir_gen_yield(g, &item), COIR_ECANCELED);
        mark('g');
    }
};

static int yield_items(coir_gen *g, void *arg)
{
    yields_item_in_vain object = {g};
    marks_at_end another = {'a'};
    for (int item = 0; item < 3; item++)
        ck_assert_int_eq(coir_gen_yield(g, &item), COIR_OK);
    coir_exit(arg);
    return -1000;
}

static coir_gen *generate(coir_gen_fn *fn, void *arg, unsigned flags)
{
    coir_gen *g = nullptr;
    coir_options opt = {};
    opt.flags = flags;
    ck_assert_int_eq(coir_gen_create(&g, sizeof(int), fn, arg, &opt), COIR_OK);
    ck_assert_int_eq(coir_gen_next(g, nullptr), 1);
    return g;
}

START_TEST(a_generator_that_is_destroyed_is_unwound)
{
    coir_gen *g = generate(yield_items, nullptr, 0);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    ck_assert_str_eq(marks, "ag");
    ck_assert_int_eq(coir_gen_destroy(generate(yield_items, nullptr, COIR_NO_UNWIND)), COIR_OK);
    ck_assert_str_eq(marks, "ag");
}
END_TEST

START_TEST(a_generator_that_exits_is_unwound)
{
    coir_gen *g = generate(yield_items, nullptr, 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(coir_gen_next(g, nullptr), 1);
    ck_assert_int_eq(coir_gen_next(g, nullptr), 0);
    ck_assert_str_eq(marks, "ag");
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    ck_assert_str_eq(marks, "ag");
}
END_TEST

struct gen_owner {
    coir_gen *g;
    ~gen_owner() { ck_assert_int_eq(coir_gen_destroy(g), COIR_OK); }
};

static int pass_on(coir_gen *g, void *depth)
{
    marks_at_end object = {static_cast<char>('0' + T_NUMBER(depth))};
    if (T_NUMBER(depth) == 0)
        return yield_items(g, nullptr);
    gen_owner inner = {generate(pass_on, T_VALUE(T_NUMBER(depth) - 1), 0)};
    for (int item = 0;; item++)
        coir_gen_yield(g, &item);
}

START_TEST(generators_that_own_generators_are_unwound_in_turn)
{
    ck_assert_int_eq(coir_gen_destroy(generate(pass_on, T_VALUE(3), 0)), COIR_OK);
    ck_assert_str_eq(marks, "ag0123");
}
END_TEST

static coir_exec *make_executor()
{
    coir_exec *e = nullptr;
    coir_exec_options opt = {};
    opt.flags = COIR_VIRTUAL_CLOCK;
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

struct waits_in_vain {
    ~waits_in_vain()
    {
        ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
        ck_assert_int_eq(coir_sleep(5), COIR_ECANCELED);
        ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
        mark('w');
    }
};

static void *exit_task_below(void *arg)
{
    waits_in_vain object;
    sees_flight another = {1};
    ck_assert_int_eq(coir_sleep(5), COIR_OK);
    leave_from_below(exit_for_good, 'a');
    return arg;
}

START_TEST(a_task_that_exits_is_unwound_and_its_result_can_be_awaited)
{
    void *result;
    coir_exec *e = make_executor();
    coir_task *task = nullptr;
    ck_assert_int_eq(coir_spawn(&task, e, exit_task_below, nullptr, nullptr), COIR_OK);
    ck_assert_int_eq(coir_await(task, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 7);
    ck_assert_str_eq(marks, "cbaw");
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

START_TEST(a_task_without_unwinding_exits_all_the_same)
{
    void *result;
    coir_exec *e = make_executor();
    coir_task *task = nullptr;
    coir_options opt = {};
    opt.flags = COIR_NO_UNWIND;
    ck_assert_int_eq(coir_spawn(&task, e, exit_below, nullptr, &opt), COIR_OK);
    ck_assert_int_eq(coir_await(task, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 7);
    ck_assert_str_eq(marks, "21k");
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

static void *nest_a_fiber_that_exits(void *arg)
{
    marks_at_end object = {'t'};
    ck_assert_int_eq(T_NUMBER(run_to_end(exit_task_below, nullptr)), 7);
    mark('-');
    ck_assert_int_eq(coir_sleep(5), COIR_OK);
    return arg;
}

START_TEST(a_fiber_in_a_task_that_exits_is_unwound_and_the_task_goes_on)
{
    coir_exec *e = make_executor();
    ck_assert_int_eq(coir_spawn(nullptr, e, nest_a_fiber_that_exits, nullptr, nullptr), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(marks, "cbaw-t");
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

static coir_exec *executor_left_behind;

static void *park_below(void *letter)
{
    marks_at_end object = {*static_cast<const char *>(letter)};
    coir_task_park();
    mark('?');
    return nullptr;
}

START_TEST(tasks_that_a_thread_has_left_behind_are_unwound_with_their_executor)
{
    t_on_thread(
        [](void *) -> void * {
            coir_exec *e = executor_left_behind = make_executor();
            ck_assert_int_eq(coir_spawn(nullptr, e, park_below, text("a"), nullptr), COIR_OK);
            ck_assert_int_eq(coir_spawn(nullptr, e, park_below, text("b"), nullptr), COIR_OK);
            ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
            return nullptr;
        },
        nullptr);
    ck_assert_str_eq(marks, "");
    ck_assert_int_eq(coir_exec_destroy(executor_left_behind), COIR_OK);
    ck_assert(std::strcmp(marks, "ab") == 0 || std::strcmp(marks, "ba") == 0);
}
END_TEST

/* ---- handlers ---- */

static void *throw_again(void *arg)
{
    sees_flight outermost = {1};
    marks_at_end outer = {'a'};
    try {
        marks_at_end middle = {'b'};
        try {
            marks_at_end inner = {'c'};
            suspend_for_good();
        } catch (...) {
            ck_assert(std::current_exception() == nullptr);
            mark('1');
            throw;
        }
    } catch (...) {
        mark('2');
        throw;
    }
    return arg;
}

START_TEST(handlers_of_everything_catch_it_and_throw_it_again)
{
    SKIP_WHERE_HANDLERS_CANNOT_THROW_IT_AGAIN;
    start_and_destroy(throw_again);
    ck_assert_str_eq(marks, "c1b2a");
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
}
END_TEST

static void *throw_again_by_name(void *arg)
{
    marks_at_end outer = {'a'};
    try {
        marks_at_end inner = {'b'};
        suspend_for_good();
    } catch (const std::exception &) {
        mark('?');
#ifdef __GLIBCXX__
    } catch (abi::__forced_unwind &) {
        mark('f');
        throw;
#endif
    } catch (...) {
        mark('?');
    }
    return arg;
}

START_TEST(handlers_of_forced_unwinding_catch_it_and_throw_it_again)
{
    SKIP_WHERE_HANDLERS_CANNOT_THROW_IT_AGAIN;
    if (t_instrumented())
        T_SKIP("UBSan takes the reference for a mistake, since there is no object that it could be to");
    start_and_destroy(throw_again_by_name);
    ck_assert_str_eq(marks, "bfa");
}
END_TEST

/* What a handler uses of its frame may be in registers that calls preserve. */
__attribute__((noinline)) static int number(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n;
}

__attribute__((noinline)) static double real(int n)
{
    return number(n) / 2.0;
}

static int sum;
static double product;

static void *use_registers_in_a_handler(void *arg)
{
    const int a = number(1), b = number(20), c = number(300), d = number(4000), e = number(50000), f = number(600000);
    const double u = real(1), v = real(2), w = real(3), x = real(4), y = real(5), z = real(6);
    try {
        leave_from_below(suspend_for_good, 'a');
    } catch (...) {
        sum = a + b + c + d + e + f;
        product = u * v * w * x * y * z;
        throw;
    }
    return arg;
}

START_TEST(handlers_find_their_frames_registers_as_they_were)
{
    SKIP_WHERE_HANDLERS_CANNOT_THROW_IT_AGAIN;
    start_and_destroy(use_registers_in_a_handler);
    ck_assert_int_eq(sum, 654321);
    ck_assert(product == 720 / 64.0);
}
END_TEST

static void *swallow_once(void *arg)
{
    note_deferred_and_key();
    marks_at_end outer = {'a'};
    try {
        marks_at_end inner = {'b'};
        suspend_for_good();
    } catch (...) {
        mark('!');
    }
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
    try {
        throw counted();
    } catch (const counted &) {
        mark('-');
    }
    marks_at_end another = {'c'};
    if (arg == nullptr)
        suspend_for_good();
    else if (T_NUMBER(arg) == 1)
        exit_for_good();
    return T_VALUE(5);
}

START_TEST(a_fiber_that_swallows_it_goes_on_until_it_is_suspended_again)
{
    start_and_destroy(swallow_once);
    ck_assert_str_eq(marks, "b!-ca21k");
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
}
END_TEST

START_TEST(a_fiber_that_swallows_it_may_exit)
{
    destroy(start(swallow_once, T_VALUE(1)));
    ck_assert_str_eq(marks, "b!-ca21k");
}
END_TEST

START_TEST(a_fiber_that_swallows_it_may_return)
{
    destroy(start(swallow_once, T_VALUE(2)));
    ck_assert_str_eq(marks, "b!-ca21k");
    forget_marks();
    run_to_end(exit_below, nullptr); /* on the same stack */
    ck_assert_str_eq(marks, "cba21k");
}
END_TEST

static int in_flight_then, in_flight_at_last;

static void *throw_instead(void *)
{
    try {
        try {
            suspend_for_good();
        } catch (...) {
            throw 5;
        }
    } catch (int number) {
        ck_assert_int_eq(number, 5);
        in_flight_then = std::uncaught_exceptions();
    }
    in_flight_at_last = std::uncaught_exceptions();
    return nullptr;
}

START_TEST(a_handler_may_throw_something_else_instead)
{
    in_flight_then = in_flight_at_last = -1;
    destroy(start(throw_instead, nullptr));
    ck_assert_int_eq(in_flight_then, 0);
    ck_assert_int_eq(in_flight_at_last, 0);
}
END_TEST

static void *swallow_and_exit_the_thread(void *value)
{
    try {
        suspend_for_good();
    } catch (...) {
    }
    t_thread_exit(value);
    return nullptr;
}

/* The fiber in which a thread has ended: that thread cannot free it any more. */
static coir_fiber *ended_its_thread;

static void *destroy_what_exits_the_thread(void *value)
{
    ended_its_thread = start(swallow_and_exit_the_thread, value);
    destroy(ended_its_thread);
    return nullptr;
}

/* The thread's own unwinding is not taken for the fiber's. */
START_TEST(a_fiber_that_swallows_it_may_end_its_thread)
{
    if (t_under("tsan"))
        T_SKIP("ThreadSanitizer's runtime ends the process at pthread_exit in a fiber");
    ck_assert_int_eq(T_NUMBER(t_on_thread(destroy_what_exits_the_thread, T_VALUE(42))), 42);
    destroy(ended_its_thread);
}
END_TEST

static bool looked, had_its_exception;

struct looks_at_end {
    ~looks_at_end()
    {
        looked = true;
        had_its_exception = std::current_exception() != nullptr;
    }
};

static void *exit_the_thread(void *value)
{
    t_thread_exit(value);
    return nullptr;
}

/* A resumer that is not unwound loses its exception with its stack, which a tool would report if nobody held it. */
static std::exception_ptr *of_the_resumer;

static void *resume_in_a_handler_what_exits_the_thread(void *value)
{
    try {
        throw 1;
    } catch (int) {
        looks_at_end here;
        of_the_resumer = new std::exception_ptr(std::current_exception());
        ended_its_thread = t_create(exit_the_thread, value);
        coir_resume(ended_its_thread, nullptr, nullptr);
    }
    return nullptr;
}

/* Where the end of the thread unwinds the resumer at all. */
START_TEST(when_a_thread_ends_in_a_fiber_its_resumer_has_its_own_exceptions)
{
    if (t_under("tsan"))
        T_SKIP("ThreadSanitizer's runtime ends the process at pthread_exit in a fiber");
    looked = false;
    ck_assert_int_eq(T_NUMBER(t_on_thread(resume_in_a_handler_what_exits_the_thread, T_VALUE(42))), 42);
    ck_assert(!looked || had_its_exception);
    destroy(ended_its_thread);
    if (looked)
        delete of_the_resumer;
}
END_TEST

static void *swallow_an_exit(void *then)
{
    marks_at_end outer = {'a'};
    try {
        exit_for_good();
    } catch (...) {
        mark('!');
    }
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
    if (T_NUMBER(then) == 0)
        suspend_for_good();
    if (T_NUMBER(then) == 1)
        coir_exit(T_VALUE(8));
    return T_VALUE(9);
}

START_TEST(a_fiber_that_swallows_its_exit_ends_with_what_it_said_last)
{
    for (int then = 0; then < 3; then++) {
        forget_marks();
        ck_assert_int_eq(T_NUMBER(run_to_end(swallow_an_exit, T_VALUE(then))), 7 + then);
        ck_assert_str_eq(marks, "!a");
    }
}
END_TEST

static coir_fiber *never_reached;

static void *swallow_and_switch(void *arg)
{
    marks_at_end outer = {'a'};
    try {
        suspend_for_good();
    } catch (...) {
        mark('!');
    }
    coir_switch(never_reached, nullptr, nullptr);
    mark('?');
    return arg;
}

START_TEST(a_fiber_that_swallows_it_cannot_leave_by_switch)
{
    never_reached = t_create(be_destroyed_below, nullptr);
    start_and_destroy(swallow_and_switch);
    ck_assert_str_eq(marks, "!a");
    ck_assert_int_eq(coir_fiber_state(never_reached), COIR_STATE_NEW);
    destroy(never_reached);
}
END_TEST

static int swallowed;

static void *swallow_for_ever(void *leave)
{
    marks_at_end dropped = {'?'};
    ck_assert_int_eq(coir_defer(mark_first, text("d")), COIR_OK);
    for (;;) {
        try {
            counted object;
            reinterpret_cast<leave_fn *>(leave)();
        } catch (...) {
            swallowed++;
        }
    }
}

START_TEST(a_fiber_that_swallows_every_suspension_is_dropped_after_sixteen)
{
    destroy(start(swallow_for_ever, reinterpret_cast<void *>(suspend_for_good)));
    ck_assert_int_eq(swallowed, 16);
    ck_assert_str_eq(marks, "d");
}
END_TEST

START_TEST(a_fiber_that_swallows_every_exit_is_dropped_after_sixteen)
{
    ck_assert_int_eq(T_NUMBER(run_to_end(swallow_for_ever, reinterpret_cast<void *>(exit_for_good))), 7);
    ck_assert_int_eq(swallowed, 16);
    ck_assert_str_eq(marks, "d");
}
END_TEST

static int swallow_items(coir_gen *g, void *)
{
    marks_at_end dropped = {'?'};
    for (int item = 0;; item++) {
        try {
            coir_gen_yield(g, &item);
        } catch (...) {
            swallowed++;
        }
    }
}

START_TEST(a_generator_that_swallows_every_yield_is_dropped_after_sixteen)
{
    ck_assert_int_eq(coir_gen_destroy(generate(swallow_items, nullptr, 0)), COIR_OK);
    ck_assert_int_eq(swallowed, 16);
    ck_assert_str_eq(marks, "");
}
END_TEST

static void *swallow_and_sleep(void *arg)
{
    marks_at_end outer = {'a'};
    try {
        exit_for_good();
    } catch (...) {
        mark('!');
    }
    coir_sleep(5);
    mark('?');
    return arg;
}

START_TEST(a_task_that_swallows_its_exit_ends_when_it_waits)
{
    coir_exec *e = make_executor();
    ck_assert_int_eq(coir_spawn(nullptr, e, swallow_and_sleep, nullptr, nullptr), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(marks, "!a");
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

static void *suspend_in_its_handler(void *arg)
{
    marks_at_end outer = {'a'};
    try {
        suspend_for_good();
    } catch (...) {
        ck_assert_int_eq(coir_yield(nullptr, nullptr), COIR_ECANCELED);
        mark('!');
        throw;
    }
    return arg;
}

START_TEST(a_suspension_in_a_handler_that_has_caught_it_is_refused_at_once)
{
    SKIP_WHERE_HANDLERS_CANNOT_THROW_IT_AGAIN;
    start_and_destroy(suspend_in_its_handler);
    ck_assert_str_eq(marks, "!a");
}
END_TEST

/* ---- a fiber that is suspended in a handler ---- */

static void *suspend_in_handlers(void *arg)
{
    marks_at_end outermost = {'a'};
    try {
        throw counted();
    } catch (const counted &) {
        marks_at_end outer = {'b'};
        try {
            throw counted();
        } catch (const counted &) {
            marks_at_end inner = {'c'};
            try {
                suspend_for_good();
            } catch (const std::exception &) {
                mark('?');
            }
        }
    }
    return arg;
}

START_TEST(exceptions_in_the_hands_of_a_fiber_are_freed)
{
    coir_fiber *f = start(suspend_in_handlers, nullptr);
    ck_assert_int_eq(live, 2);
    destroy(f);
    ck_assert_int_eq(live, 0);
    ck_assert_str_eq(marks, "cba");
    ck_assert(std::current_exception() == nullptr);
}
END_TEST

START_TEST(an_exception_that_somebody_else_holds_outlives_the_fiber)
{
    static std::exception_ptr held;
    coir_fiber *f = start(
        [](void *arg) -> void * {
            try {
                throw counted();
            } catch (const counted &) {
                held = std::current_exception();
                suspend_for_good();
            }
            return arg;
        },
        nullptr);
    destroy(f);
    ck_assert_int_eq(live, 1);
    held = nullptr;
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- what ends the program ---- */

static void exit_from_terminate()
{
    t_exit(std::strcmp(marks, "") == 0 ? 42 : 43);
}

static void start_and_destroy_to_terminate(void *fn)
{
    std::set_terminate(exit_from_terminate);
    start_and_destroy(reinterpret_cast<coir_fn *>(fn));
}

#define ASSERT_TERMINATES(fn) \
    ck_assert_int_eq(t_run_in_child(start_and_destroy_to_terminate, reinterpret_cast<void *>(fn)), 42)

static void suspend_or_terminate() noexcept
{
    suspend_for_good();
}

static void *suspend_in_noexcept(void *arg)
{
    suspend_or_terminate();
    return arg;
}

START_TEST(a_function_that_lets_no_exception_out_terminates)
{
    ASSERT_TERMINATES(suspend_in_noexcept);
}
END_TEST

struct suspends_at_end {
    ~suspends_at_end() { suspend_for_good(); }
};

static void *suspend_in_destructor(void *arg)
{
    {
        suspends_at_end object;
    }
    return arg;
}

START_TEST(a_destructor_in_which_the_fiber_was_suspended_terminates)
{
    ASSERT_TERMINATES(suspend_in_destructor);
}
END_TEST

static void *suspend_in_a_handler_within_a_handler(void *arg)
{
    try {
        throw 1;
    } catch (int) {
        try {
            suspend_for_good();
        } catch (...) {
            throw;
        }
    }
    return arg;
}

START_TEST(a_handler_of_everything_within_another_handler_terminates)
{
    ASSERT_TERMINATES(suspend_in_a_handler_within_a_handler);
}
END_TEST

static void exit_or_terminate() noexcept
{
    exit_for_good();
}

static void run_exit_in_noexcept(void *)
{
    std::set_terminate(exit_from_terminate);
    run_to_end(
        [](void *arg) -> void * {
            exit_or_terminate();
            return arg;
        },
        nullptr);
}

START_TEST(an_exit_in_a_function_that_lets_no_exception_out_terminates)
{
    ck_assert_int_eq(t_run_in_child(run_exit_in_noexcept, nullptr), 42);
}
END_TEST

/* ---- depth, room and number ---- */

__attribute__((noinline)) static void suspend_at_depth(int depth)
{
    counted object;
    char frame[100];
    std::memset(frame, depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (depth == 0)
        suspend_for_good();
    else
        suspend_at_depth(depth - 1);
    __asm__ volatile("" : : "r"(frame) : "memory");
}

static void *suspend_deep(void *depth)
{
    suspend_at_depth(T_NUMBER(depth));
    return nullptr;
}

START_TEST(a_thousand_frames_are_unwound)
{
    coir_fiber *f = nullptr;
    coir_options opt = {};
    opt.stack_size = 1024 * 1024;
    ck_assert_int_eq(coir_create(&f, suspend_deep, T_VALUE(999), &opt), COIR_OK);
    expect_yield(f);
    ck_assert_int_eq(live, 1000);
    destroy(f);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* Calls itself until so many bytes of the stack are left, then is suspended. */
__attribute__((noinline)) static void suspend_with_bytes_left(uintptr_t lowest)
{
    counted object;
    char frame[64];
    std::memset(frame, 1, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (reinterpret_cast<uintptr_t>(frame) <= lowest)
        coir_yield(nullptr, nullptr);
    else
        suspend_with_bytes_left(lowest);
    __asm__ volatile("" : : "r"(frame) : "memory");
}

static void *fill_stack(void *left)
{
    void *low;
    coir_yield(nullptr, nullptr); /* the linker looks for it on its first call, which takes some stack */
    ck_assert_int_eq(coir_stack_bounds(nullptr, &low, nullptr), COIR_OK);
    suspend_with_bytes_left(reinterpret_cast<uintptr_t>(low) + reinterpret_cast<uintptr_t>(left));
    return nullptr;
}

START_TEST(frames_are_unwound_with_room_and_dropped_without)
{
    start_and_destroy(be_destroyed_below); /* again for the linker's sake */
    if (t_instrumented())
        T_SKIP("instrumented: frames are larger, and their checks need stack too");
    /* Where it is suspended coir_yield has frames too: a ucontext_t, on the backend that has one. */
    for (int left = t_backend_is("ucontext") ? 2048 : 1024; left <= 12288; left += 256) {
        coir_fiber *f = start(fill_stack, T_VALUE(left));
        live = 0;
        expect_yield(f);
        const int frames = live;
        ck_assert_int_gt(frames, 100);
        destroy(f);
        if (left >= 8192 + 2048)
            ck_assert_int_eq(live, 0);
        else
            ck_assert(live == 0 || live == frames);
    }
}
END_TEST

START_TEST(many_fibers_are_unwound_by_turns_and_their_stacks_are_used_again)
{
    enum { COUNT = 200 };
    static coir_fiber *fibers[COUNT];
    live = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < COUNT; i++)
            fibers[i] = start(suspend_deep, T_VALUE((i * 7 + round) % 50));
        for (int i = 0; i < COUNT; i += 2) {
            const int before = live;
            destroy(fibers[i]);
            ck_assert_int_eq(live, before - (i * 7 + round) % 50 - 1);
            fibers[i] = start(suspend_deep, T_VALUE(3));
            ck_assert_int_eq(live, before - (i * 7 + round) % 50 + 3);
        }
        for (int i = 0; i < COUNT; i++)
            destroy(fibers[(i * 77 + 5) % COUNT]);
        ck_assert_int_eq(live, 0);
    }
}
END_TEST

static void *unwind_many(void *seed)
{
    coir_fiber *fibers[20];
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 20; i++)
            fibers[i] = start(suspend_deep, T_VALUE((T_NUMBER(seed) + i * round) % 30));
        for (coir_fiber *f : fibers)
            destroy(f);
    }
    return T_VALUE(1);
}

START_TEST(threads_unwind_their_fibers_at_the_same_time)
{
    t_thread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = t_thread_start(unwind_many, T_VALUE(i + 1));
    unwind_many(T_VALUE(7));
    for (t_thread *thread : threads)
        ck_assert_int_eq(T_NUMBER(t_thread_join(thread)), 1);
    ck_assert_int_eq(live, 0);
}
END_TEST

T_MAIN(destroy_runs_destructors_innermost_first_then_deferred_functions_then_keys,
       exit_does_the_same_and_gives_its_result, a_fiber_that_never_ran_or_has_ended_has_no_frames_to_unwind,
       without_unwinding_only_deferred_functions_and_keys_run, a_fiber_that_left_by_switch_is_unwound_too,
       a_fiber_on_the_programs_own_memory_is_unwound_too,
       destructors_run_in_the_fiber_and_see_one_exception_in_flight, a_suspension_in_a_destructor_is_refused_at_once,
       destructors_may_defer_and_undefer, destructors_may_destroy_fibers_that_are_unwound_in_turn,
       destructors_may_create_resume_and_destroy_other_fibers, destructors_may_throw_and_catch,
       who_destroys_a_fiber_keeps_its_own_exceptions, a_fiber_destroys_another_that_it_has_not_made,
       a_fiber_that_a_thread_has_left_behind_is_unwound_by_who_destroys_it,
       a_fiber_that_can_move_is_unwound_on_the_thread_that_destroys_it,
       a_fiber_that_returns_when_it_is_cancelled_is_not_unwound,
       a_fiber_that_was_cancelled_and_yields_all_the_same_is_unwound, a_generator_that_is_destroyed_is_unwound,
       a_generator_that_exits_is_unwound, generators_that_own_generators_are_unwound_in_turn,
       a_task_that_exits_is_unwound_and_its_result_can_be_awaited, a_task_without_unwinding_exits_all_the_same,
       a_fiber_in_a_task_that_exits_is_unwound_and_the_task_goes_on,
       tasks_that_a_thread_has_left_behind_are_unwound_with_their_executor,
       handlers_of_everything_catch_it_and_throw_it_again, handlers_of_forced_unwinding_catch_it_and_throw_it_again,
       handlers_find_their_frames_registers_as_they_were,
       a_fiber_that_swallows_it_goes_on_until_it_is_suspended_again, a_fiber_that_swallows_it_may_exit,
       a_fiber_that_swallows_it_may_return,
       a_handler_may_throw_something_else_instead, a_fiber_that_swallows_it_may_end_its_thread,
       when_a_thread_ends_in_a_fiber_its_resumer_has_its_own_exceptions, a_fiber_that_swallows_its_exit_ends_with_what_it_said_last,
       a_fiber_that_swallows_it_cannot_leave_by_switch,
       a_fiber_that_swallows_every_suspension_is_dropped_after_sixteen,
       a_fiber_that_swallows_every_exit_is_dropped_after_sixteen,
       a_generator_that_swallows_every_yield_is_dropped_after_sixteen,
       a_task_that_swallows_its_exit_ends_when_it_waits,
       a_suspension_in_a_handler_that_has_caught_it_is_refused_at_once, exceptions_in_the_hands_of_a_fiber_are_freed,
       an_exception_that_somebody_else_holds_outlives_the_fiber, a_function_that_lets_no_exception_out_terminates,
       a_destructor_in_which_the_fiber_was_suspended_terminates,
       a_handler_of_everything_within_another_handler_terminates,
       an_exit_in_a_function_that_lets_no_exception_out_terminates, a_thousand_frames_are_unwound,
       frames_are_unwound_with_room_and_dropped_without,
       many_fibers_are_unwound_by_turns_and_their_stacks_are_used_again,
       threads_unwind_their_fibers_at_the_same_time)
