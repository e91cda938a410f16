/* SPDX-License-Identifier: MIT */
/* C++ exceptions inside fibers: thrown, caught, passed through frames with destructors; each fiber's own record of the
 * ones that it handles and the ones that fly; and what happens to one that would leave the fiber. */

#include "t.h"

#include <atomic>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <stdexcept>

#ifndef __GLIBCXX__ /* libc++ has it, but does not declare it */
namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals *__cxa_get_globals() noexcept;
}
#endif

static int destroyed;

struct counted {
    ~counted() { destroyed++; }
};

__attribute__((noinline)) static void throw_at_depth(int depth)
{
    counted object;
    char frame[200];
    std::memset(frame, depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (depth == 0)
        throw std::runtime_error("from below");
    throw_at_depth(depth - 1);
    __asm__ volatile("" : : "r"(frame) : "memory");
}

static void *catch_from_below(void *depth)
{
    try {
        throw_at_depth(T_NUMBER(depth));
    } catch (const std::exception &error) {
        ck_assert_str_eq(error.what(), "from below");
        return T_VALUE(1);
    }
    return nullptr;
}

START_TEST(an_exception_is_caught_in_the_fiber_and_destructors_run)
{
    void *result;
    coir_fiber *f = t_create(catch_from_below, T_VALUE(20));
    ck_assert_int_eq(coir_resume(f, nullptr, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 1);
    ck_assert_int_eq(destroyed, 21);
    coir_destroy(f);
}
END_TEST

/* Again on the same stack, shallow and deep by turns: what the system knows of how far it has grown must be right. */
START_TEST(exceptions_come_from_any_depth_of_a_stack_that_is_used_again)
{
    static const int depths[] = {3, 400, 10, 700, 0, 650, 5};
    for (int full : depths) {
        const int depth = t_instrumented() ? full / 4 : full;
        void *result;
        coir_fiber *f = t_create(catch_from_below, T_VALUE(depth));
        destroyed = 0;
        ck_assert_int_eq(coir_resume(f, nullptr, &result), COIR_DONE);
        ck_assert_int_eq(T_NUMBER(result), 1);
        ck_assert_int_eq(destroyed, depth + 1);
        coir_destroy(f);
    }
}
END_TEST

static void *throw_and_yield(void *arg)
{
    int caught = 0;
    for (int i = 0; i < 10; i++) {
        counted object;
        try {
            coir_yield(nullptr, nullptr);
            throw i;
        } catch (int value) {
            ck_assert_int_eq(value, i);
            caught++;
        }
    }
    *static_cast<int *>(arg) += caught;
    return nullptr;
}

START_TEST(fibers_throw_by_turns)
{
    enum { COUNT = 50 };
    coir_fiber *fibers[COUNT];
    int caught = 0;
    for (auto &f : fibers)
        f = t_create(throw_and_yield, &caught);
    for (int turn = 0; turn <= 10; turn++)
        for (auto f : fibers)
            ck_assert_int_eq(coir_resume(f, nullptr, nullptr), turn < 10 ? COIR_YIELDED : COIR_DONE);
    ck_assert_int_eq(caught, 10 * COUNT);
    ck_assert_int_eq(destroyed, 10 * COUNT);
    for (auto f : fibers)
        coir_destroy(f);
}
END_TEST

/* Each fiber of a chain throws, catches, and runs the next from outside of its handlers. */
static void *nest(void *depth)
{
    void *result = nullptr;
    ck_assert_ptr_nonnull(catch_from_below(T_VALUE(5)));
    if (T_NUMBER(depth) == 0)
        return nullptr;
    coir_fiber *inner = t_create(nest, T_VALUE(T_NUMBER(depth) - 1));
    ck_assert_int_eq(coir_resume(inner, nullptr, &result), COIR_DONE);
    coir_destroy(inner);
    ck_assert_ptr_nonnull(catch_from_below(T_VALUE(5)));
    return nullptr;
}

START_TEST(nested_fibers_throw_before_and_after_they_resume)
{
    coir_fiber *f = t_create(nest, T_VALUE(20));
    ck_assert_int_eq(coir_resume(f, nullptr, nullptr), COIR_DONE);
    coir_destroy(f);
    ck_assert_ptr_nonnull(catch_from_below(T_VALUE(5)));
}
END_TEST

/* Frames larger than many pages, on a stack that may grow page by page. */
__attribute__((noinline)) static int use_large_frame(int fill)
{
    volatile char frame[100 * 1024];
    frame[0] = static_cast<char>(fill);
    frame[sizeof frame - 1] = static_cast<char>(fill);
    if (fill == 3)
        throw std::runtime_error("large");
    return frame[0] + frame[sizeof frame - 1];
}

__attribute__((noinline)) static int use_alloca(size_t size)
{
    volatile char *memory = static_cast<volatile char *>(__builtin_alloca(size));
    memory[0] = 1;
    memory[size - 1] = 2;
    return memory[0] + memory[size - 1];
}

static void *use_large_frames(void *arg)
{
    ck_assert_int_eq(use_alloca(T_NUMBER(arg)), 3);
    ck_assert_int_eq(use_large_frame(2), 4);
    try {
        use_large_frame(3);
    } catch (const std::exception &error) {
        return T_VALUE(std::strcmp(error.what(), "large") == 0);
    }
    return nullptr;
}

START_TEST(large_frames_grow_the_stack_and_exceptions_leave_them)
{
    for (int size = 1000; size < 300 * 1024; size *= 2) {
        void *result;
        coir_options opt = {};
        opt.stack_size = 512 * 1024;
        coir_fiber *f;
        ck_assert_int_eq(coir_create(&f, use_large_frames, T_VALUE(size), &opt), COIR_OK);
        ck_assert_int_eq(coir_resume(f, nullptr, &result), COIR_DONE);
        ck_assert_int_eq(T_NUMBER(result), 1);
        coir_destroy(f);
        coir_pool_trim(0);
    }
}
END_TEST

/* ---- each fiber's own record ---- */

/* An exception that can be told from others. How many there are shows whether all were freed. */
static std::atomic<int> live;

struct numbered {
    int number;
    explicit numbered(int n) : number(n) { live++; }
    numbered(const numbered &other) : number(other.number) { live++; }
    ~numbered() { live--; }
};

/* The number of an exception, 0 for none. */
static int number_of(const std::exception_ptr &thrown)
{
    if (thrown == nullptr)
        return 0;
    try {
        std::rethrow_exception(thrown);
    } catch (const numbered &exception) {
        return exception.number;
    }
}

/* The number of the exception that is being handled here, by this fiber. */
static int current()
{
    return number_of(std::current_exception());
}

#define ASSERT_RECORD(in_hand, in_flight)                         \
    do {                                                          \
        ck_assert_int_eq(current(), in_hand);                     \
        ck_assert_int_eq(std::uncaught_exceptions(), in_flight);  \
    } while (0)

static void yield()
{
    ck_assert_int_eq(coir_yield(nullptr, nullptr), COIR_OK);
}

static void expect_yield(coir_fiber *f)
{
    ck_assert_int_eq(coir_resume(f, nullptr, nullptr), COIR_YIELDED);
}

/* Resumes it to its end, and returns the number that it returns. */
static int finish(coir_fiber *f)
{
    void *result;
    ck_assert_int_eq(coir_resume(f, nullptr, &result), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    return T_NUMBER(result);
}

/* Handles `number`, suspends in the handler, and returns what `throw;` throws then. */
static void *suspend_in_handler(void *number)
{
    ASSERT_RECORD(0, 0);
    try {
        try {
            throw numbered(T_NUMBER(number));
        } catch (const numbered &caught) {
            yield();
            ck_assert_int_eq(caught.number, T_NUMBER(number));
            ASSERT_RECORD(T_NUMBER(number), 0);
            throw;
        }
    } catch (const numbered &again) {
        return T_VALUE(again.number);
    }
}

START_TEST(a_fiber_that_suspends_in_a_handler_throws_its_own_exception_again)
{
    coir_fiber *f = t_create(suspend_in_handler, T_VALUE(1));
    expect_yield(f);
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(2);
    } catch (const numbered &) {
        ASSERT_RECORD(2, 0);
        ck_assert_int_eq(finish(f), 1);
        ASSERT_RECORD(2, 0);
    }
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(fibers_in_handlers_throw_their_own_exceptions_again)
{
    coir_fiber *one = t_create(suspend_in_handler, T_VALUE(1)), *two = t_create(suspend_in_handler, T_VALUE(2)),
               *three = t_create(suspend_in_handler, T_VALUE(3));
    expect_yield(one);
    expect_yield(two);
    expect_yield(three);
    ck_assert_int_eq(finish(two), 2);
    ck_assert_int_eq(finish(one), 1);
    ck_assert_int_eq(finish(three), 3);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* The handlers of main are left one by one while the fiber stands in its own. */
START_TEST(a_handler_of_the_thread_may_be_left_while_a_fiber_stands_in_one)
{
    coir_fiber *f = t_create(suspend_in_handler, T_VALUE(1));
    try {
        throw numbered(2);
    } catch (const numbered &) {
        try {
            throw numbered(3);
        } catch (const numbered &) {
            expect_yield(f);
            ASSERT_RECORD(3, 0);
        }
        ASSERT_RECORD(2, 0);
    }
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(live, 1);
    ck_assert_int_eq(finish(f), 1);
    ck_assert_int_eq(live, 0);
}
END_TEST

static void *nest_handlers(void *first)
{
    const int number = T_NUMBER(first);
    try {
        throw numbered(number);
    } catch (const numbered &) {
        yield();
        ASSERT_RECORD(number, 0);
        try {
            throw numbered(number + 1);
        } catch (const numbered &) {
            yield();
            ASSERT_RECORD(number + 1, 0);
            try {
                yield();
                throw;
            } catch (const numbered &again) {
                ck_assert_int_eq(again.number, number + 1);
                yield();
                ASSERT_RECORD(number + 1, 0);
            }
            ASSERT_RECORD(number + 1, 0);
        }
        ASSERT_RECORD(number, 0);
        yield();
        ASSERT_RECORD(number, 0);
    }
    ASSERT_RECORD(0, 0);
    yield();
    ASSERT_RECORD(0, 0);
    return nullptr;
}

START_TEST(handlers_nest_in_each_fiber_on_its_own)
{
    coir_fiber *one = t_create(nest_handlers, T_VALUE(10)), *two = t_create(nest_handlers, T_VALUE(20));
    for (int i = 0; i < 6; i++) {
        expect_yield(one);
        try {
            throw numbered(1);
        } catch (const numbered &) {
            expect_yield(two);
            ASSERT_RECORD(1, 0);
        }
        ASSERT_RECORD(0, 0);
    }
    finish(one);
    finish(two);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* Leaves its exception to others, who throw it while it is still in their hands, and after. */
static void *give_away(void *to)
{
    try {
        throw numbered(1);
    } catch (const numbered &) {
        *static_cast<std::exception_ptr *>(to) = std::current_exception();
        yield();
        ASSERT_RECORD(1, 0);
    }
    return nullptr;
}

static void *throw_what_was_given(void *given)
{
    try {
        std::rethrow_exception(*static_cast<std::exception_ptr *>(given));
    } catch (const numbered &) {
        yield();
        ASSERT_RECORD(1, 0);
    }
    return nullptr;
}

START_TEST(an_exception_is_carried_from_fiber_to_fiber)
{
    std::exception_ptr carried;
    coir_fiber *from = t_create(give_away, &carried), *to = t_create(throw_what_was_given, &carried);
    expect_yield(from);
    expect_yield(to);
    ASSERT_RECORD(0, 0);
    finish(from);
    ck_assert_int_eq(live, 1);
    carried = nullptr;
    ck_assert_int_eq(live, 1);
    finish(to);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* Suspends when it is destroyed, and finds the same record before and after. */
struct suspends_at_end {
    int in_hand, in_flight;
    ~suspends_at_end()
    {
        ASSERT_RECORD(in_hand, in_flight);
        yield();
        ASSERT_RECORD(in_hand, in_flight);
    }
};

static void *suspend_while_one_flies(void *number)
{
    suspends_at_end after_all = {0, 0};
    try {
        suspends_at_end object = {0, 1};
        throw numbered(T_NUMBER(number));
    } catch (const numbered &caught) {
        ck_assert_int_eq(caught.number, T_NUMBER(number));
        ASSERT_RECORD(T_NUMBER(number), 0);
    }
    ASSERT_RECORD(0, 0);
    return number;
}

START_TEST(an_exception_flies_in_its_own_fiber_only)
{
    coir_fiber *f = t_create(suspend_while_one_flies, T_VALUE(1));
    expect_yield(f);
    ASSERT_RECORD(0, 0);
    expect_yield(f);
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(finish(f), 1);
    ck_assert_int_eq(live, 0);
}
END_TEST

struct resumes_at_end {
    coir_fiber *f;
    ~resumes_at_end()
    {
        ASSERT_RECORD(0, 1);
        expect_yield(f);
        ASSERT_RECORD(0, 1);
    }
};

START_TEST(exceptions_fly_in_several_fibers_and_the_thread_at_once)
{
    coir_fiber *one = t_create(suspend_while_one_flies, T_VALUE(1));
    coir_fiber *two = t_create(suspend_while_one_flies, T_VALUE(2));
    expect_yield(one);
    for (int turn = 0; turn < 2; turn++) {
        try {
            resumes_at_end object = {turn == 0 ? two : one};
            throw numbered(3);
        } catch (const numbered &caught) {
            ck_assert_int_eq(caught.number, 3);
            ASSERT_RECORD(3, 0);
        }
    }
    expect_yield(two);
    ck_assert_int_eq(finish(one), 1);
    ck_assert_int_eq(finish(two), 2);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* While one flies, another is thrown, through an object that suspends, and caught. */
struct throws_at_end {
    ~throws_at_end()
    {
        ASSERT_RECORD(0, 1);
        try {
            suspends_at_end object = {0, 2};
            throw numbered(2);
        } catch (const numbered &caught) {
            ck_assert_int_eq(caught.number, 2);
            yield();
            ASSERT_RECORD(2, 1);
        }
        ASSERT_RECORD(0, 1);
    }
};

START_TEST(an_exception_within_one_that_flies_may_suspend_too)
{
    coir_fiber *f = t_create(
        [](void *) -> void * {
            try {
                throws_at_end object;
                throw numbered(1);
            } catch (const numbered &) {
                return T_VALUE(current());
            }
        },
        nullptr);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coir_resume(f, nullptr, nullptr), COIR_YIELDED);
        ASSERT_RECORD(0, 0);
        try {
            throw numbered(3);
        } catch (const numbered &) {
            ASSERT_RECORD(3, 0);
        }
    }
    ck_assert_int_eq(finish(f), 1);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- a new record ---- */

static void *assert_empty(void *arg)
{
    ASSERT_RECORD(0, 0);
    yield();
    ASSERT_RECORD(0, 0);
    return arg;
}

START_TEST(a_fiber_that_is_made_and_run_in_a_handler_starts_with_an_empty_record)
{
    try {
        throw numbered(1);
    } catch (const numbered &) {
        coir_fiber *f = t_create(assert_empty, T_VALUE(5));
        expect_yield(f);
        ASSERT_RECORD(1, 0);
        ck_assert_int_eq(finish(f), 5);
        ASSERT_RECORD(1, 0);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_fiber_may_start_in_a_handler_and_end_outside_and_the_other_way_round)
{
    coir_fiber *before = t_create(assert_empty, T_VALUE(1)), *inside = nullptr;
    expect_yield(before);
    try {
        throw numbered(1);
    } catch (const numbered &) {
        inside = t_create(assert_empty, T_VALUE(2));
        expect_yield(inside);
        ck_assert_int_eq(finish(before), 1);
        ASSERT_RECORD(1, 0);
    }
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(finish(inside), 2);
    ck_assert_int_eq(live, 0);
}
END_TEST

struct runs_a_fiber_at_end {
    ~runs_a_fiber_at_end()
    {
        coir_fiber *f = t_create(assert_empty, T_VALUE(5));
        expect_yield(f);
        ASSERT_RECORD(0, 1);
        ck_assert_int_eq(finish(f), 5);
        ASSERT_RECORD(0, 1);
    }
};

START_TEST(a_fiber_that_is_run_while_an_exception_flies_starts_with_an_empty_record)
{
    try {
        runs_a_fiber_at_end object;
        throw numbered(1);
    } catch (const numbered &caught) {
        ck_assert_int_eq(caught.number, 1);
        ASSERT_RECORD(1, 0);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

/* Each creates and resumes the next in a handler. */
static void *nest_in_handlers(void *depth)
{
    const int number = T_NUMBER(depth);
    ASSERT_RECORD(0, 0);
    if (number == 0)
        return nullptr;
    try {
        throw numbered(number);
    } catch (const numbered &) {
        coir_fiber *inner = t_create(nest_in_handlers, T_VALUE(number - 1));
        if (number > 1)
            expect_yield(inner);
        ASSERT_RECORD(number, 0);
        yield();
        ASSERT_RECORD(number, 0);
        finish(inner);
        ASSERT_RECORD(number, 0);
    }
    ASSERT_RECORD(0, 0);
    return nullptr;
}

START_TEST(fibers_nest_in_handlers)
{
    coir_fiber *f = t_create(nest_in_handlers, T_VALUE(30));
    expect_yield(f);
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(live, 30);
    finish(f);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* The stack, and what the library kept for a fiber, are used again. */
START_TEST(a_fiber_that_follows_one_which_ended_in_a_handler_starts_with_an_empty_record)
{
    const int first = t_instrumented() ? 1 : 0; /* that one leaks the exception of frames that are dropped */
    for (int way = first; way < 3; way++) {
        coir_options opt = {};
        opt.flags = way == 0 ? COIR_NO_UNWIND : 0;
        coir_fiber *f = nullptr;
        ck_assert_int_eq(coir_create(&f, suspend_in_handler, T_VALUE(1), &opt), COIR_OK);
        expect_yield(f);
        try {
            throw numbered(2);
        } catch (const numbered &) {
            if (way == 2)
                finish(f);
            else
                ck_assert_int_eq(coir_destroy(f), COIR_OK);
            ASSERT_RECORD(2, 0);
            f = t_create(assert_empty, T_VALUE(5));
            expect_yield(f);
            ASSERT_RECORD(2, 0);
            ck_assert_int_eq(finish(f), 5);
            ASSERT_RECORD(2, 0);
        }
        ASSERT_RECORD(0, 0);
    }
    ck_assert_int_eq(live, 1 - first);
}
END_TEST

static void *exit_in_handler(void *number)
{
    try {
        throw numbered(T_NUMBER(number));
    } catch (const numbered &) {
        yield();
        ASSERT_RECORD(T_NUMBER(number), 0);
        coir_exit(T_VALUE(7));
    }
    return nullptr;
}

START_TEST(a_fiber_may_exit_in_its_handler)
{
    coir_fiber *f = t_create(exit_in_handler, T_VALUE(1));
    expect_yield(f);
    try {
        throw numbered(2);
    } catch (const numbered &) {
        ck_assert_int_eq(finish(f), 7);
        ASSERT_RECORD(2, 0);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

static void *be_cancelled_in_handler(void *number)
{
    try {
        throw numbered(T_NUMBER(number));
    } catch (const numbered &) {
        ck_assert_int_eq(coir_yield(nullptr, nullptr), COIR_ECANCELED);
        return T_VALUE(current());
    }
}

START_TEST(a_fiber_that_is_cancelled_in_its_handler_still_has_its_exception)
{
    void *result;
    coir_fiber *f = t_create(be_cancelled_in_handler, T_VALUE(1));
    expect_yield(f);
    try {
        throw numbered(2);
    } catch (const numbered &) {
        ck_assert_int_eq(coir_cancel(f, &result), COIR_DONE);
        ASSERT_RECORD(2, 0);
    }
    ck_assert_int_eq(T_NUMBER(result), 1);
    ck_assert_int_eq(live, 0);
    coir_destroy(f);
}
END_TEST

/* ---- other ways to switch ---- */

static coir_fiber *partners[2];

/* They go to each other from inside of their handlers. */
static void *switch_in_handler(void *index)
{
    coir_fiber *other = partners[1 - T_NUMBER(index)];
    const int number = T_NUMBER(index) + 1;
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(number);
    } catch (const numbered &) {
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(coir_switch(other, nullptr, nullptr), COIR_OK);
            ASSERT_RECORD(number, 0);
        }
    }
    ASSERT_RECORD(0, 0);
    return T_VALUE(number);
}

START_TEST(fibers_switch_to_each_other_in_their_handlers)
{
    void *result;
    partners[0] = t_create(switch_in_handler, T_VALUE(0));
    partners[1] = t_create(switch_in_handler, T_VALUE(1));
    try {
        throw numbered(3);
    } catch (const numbered &) {
        ck_assert_int_eq(coir_resume(partners[0], nullptr, &result), COIR_DONE);
        ck_assert_int_eq(T_NUMBER(result), 1);
        ASSERT_RECORD(3, 0);
    }
    ck_assert_int_eq(finish(partners[1]), 2);
    ck_assert_int_eq(coir_destroy(partners[0]), COIR_OK);
    ck_assert_int_eq(live, 0);
}
END_TEST

static int yield_items_in_handler(coir_gen *g, void *first)
{
    const int number = T_NUMBER(first);
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(number);
    } catch (const numbered &caught) {
        for (int i = 0; i < 5; i++) {
            int item = caught.number + i;
            ck_assert_int_eq(coir_gen_yield(g, &item), COIR_OK);
            ASSERT_RECORD(number, 0);
        }
    }
    ASSERT_RECORD(0, 0);
    return 0;
}

static coir_gen *generate_in_handler(int first)
{
    coir_gen *g = nullptr;
    ck_assert_int_eq(coir_gen_create(&g, sizeof(int), yield_items_in_handler, T_VALUE(first), nullptr), COIR_OK);
    return g;
}

START_TEST(generators_hand_out_items_in_their_handlers)
{
    int a = 0, b = 0;
    coir_gen *one = generate_in_handler(10), *two = generate_in_handler(20);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(coir_gen_next(one, &a), 1);
        ASSERT_RECORD(0, 0);
        try {
            throw numbered(1);
        } catch (const numbered &) {
            ck_assert_int_eq(coir_gen_next(two, &b), 1);
            ASSERT_RECORD(1, 0);
        }
        ck_assert_int_eq(a, 10 + i);
        ck_assert_int_eq(b, 20 + i);
    }
    ck_assert_int_eq(coir_gen_next(one, nullptr), 0);
    ck_assert_int_eq(live, 1);
    coir_gen_destroy(one);
    coir_gen_destroy(two);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_generator_whose_items_are_taken_in_a_handler_starts_with_an_empty_record)
{
    int item = 0;
    coir_gen *g = generate_in_handler(10);
    try {
        throw numbered(1);
    } catch (const numbered &) {
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(coir_gen_next(g, &item), 1);
            ASSERT_RECORD(1, 0);
        }
        ck_assert_int_eq(coir_gen_next(g, &item), 0);
        ASSERT_RECORD(1, 0);
    }
    coir_gen_destroy(g);
    ck_assert_int_eq(live, 0);
}
END_TEST

static void ignore_switch(coir_fiber *, coir_fiber *, void *switches)
{
    ++*static_cast<int *>(switches);
}

START_TEST(records_are_kept_apart_under_a_switch_hook)
{
    int switches = 0;
    ck_assert_int_eq(coir_set_switch_hook(ignore_switch, &switches), COIR_OK);
    coir_fiber *one = t_create(suspend_in_handler, T_VALUE(1)), *two = t_create(suspend_while_one_flies, T_VALUE(2));
    expect_yield(one);
    expect_yield(two);
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(finish(one), 1);
    expect_yield(two);
    ck_assert_int_eq(finish(two), 2);
    ck_assert_int_eq(coir_set_switch_hook(nullptr, nullptr), COIR_OK);
    ck_assert_int_ge(switches, 10);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(records_are_kept_apart_with_floating_point_control)
{
    coir_options opt = {};
    opt.flags = COIR_KEEP_FPENV;
    coir_fiber *one = nullptr, *two = t_create(suspend_in_handler, T_VALUE(2));
    ck_assert_int_eq(coir_create(&one, suspend_in_handler, T_VALUE(1), &opt), COIR_OK);
    expect_yield(one);
    expect_yield(two);
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(3);
    } catch (const numbered &) {
        ck_assert_int_eq(finish(one), 1);
        ck_assert_int_eq(finish(two), 2);
        ASSERT_RECORD(3, 0);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- tasks ---- */

static coir_exec *make_executor()
{
    coir_exec *e = nullptr;
    coir_exec_options opt = {};
    opt.flags = COIR_VIRTUAL_CLOCK;
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

static void *sleep_in_handler(void *number)
{
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(T_NUMBER(number));
    } catch (const numbered &) {
        ck_assert_int_eq(coir_sleep(T_NUMBER(number)), COIR_OK);
        ASSERT_RECORD(T_NUMBER(number), 0);
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
        ASSERT_RECORD(T_NUMBER(number), 0);
    }
    ASSERT_RECORD(0, 0);
    return number;
}

/* Waits in a handler in every way there is, in nested fibers too. */
static void *wait_in_handler(void *number)
{
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(T_NUMBER(number));
    } catch (const numbered &) {
        void *result;
        coir_task *child = nullptr;
        coir_fiber *nested = t_create(sleep_in_handler, T_VALUE(T_NUMBER(number) + 1));
        void *argument = T_VALUE(T_NUMBER(number) + 2);
        ck_assert_int_eq(coir_spawn(&child, nullptr, sleep_in_handler, argument, nullptr), COIR_OK);
        ck_assert_int_eq(coir_await(child, &result), COIR_OK);
        ck_assert_int_eq(T_NUMBER(result), T_NUMBER(number) + 2);
        ASSERT_RECORD(T_NUMBER(number), 0);
        ck_assert_int_eq(finish(nested), T_NUMBER(number) + 1);
        ASSERT_RECORD(T_NUMBER(number), 0);
        ck_assert_int_eq(coir_task_park_until(coir_now() + 5), COIR_ETIMEDOUT);
        ASSERT_RECORD(T_NUMBER(number), 0);
    }
    ASSERT_RECORD(0, 0);
    return number;
}

START_TEST(tasks_wait_in_their_handlers)
{
    coir_exec *e = make_executor();
    for (int i = 1; i <= 40; i++)
        ck_assert_int_eq(coir_spawn(nullptr, e, wait_in_handler, T_VALUE(10 * i), nullptr), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(live, 0);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

START_TEST(tasks_of_an_executor_that_runs_in_a_handler_start_with_an_empty_record)
{
    coir_exec *e = make_executor();
    for (int i = 1; i <= 10; i++)
        ck_assert_int_eq(coir_spawn(nullptr, e, wait_in_handler, T_VALUE(10 * i), nullptr), COIR_OK);
    try {
        throw numbered(1);
    } catch (const numbered &) {
        for (int turn = 0; turn < 5; turn++) {
            ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_TASKS_LEFT);
            ASSERT_RECORD(1, 0);
        }
    }
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(live, 0);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

struct sleeps_at_end {
    int duration;
    ~sleeps_at_end()
    {
        ASSERT_RECORD(0, 1);
        ck_assert_int_eq(coir_sleep(duration), COIR_OK);
        ASSERT_RECORD(0, 1);
    }
};

static void *sleep_while_one_flies(void *number)
{
    for (int i = 0; i < 3; i++) {
        try {
            sleeps_at_end object = {T_NUMBER(number)};
            throw numbered(T_NUMBER(number));
        } catch (const numbered &caught) {
            ck_assert_int_eq(caught.number, T_NUMBER(number));
            ASSERT_RECORD(T_NUMBER(number), 0);
        }
    }
    return nullptr;
}

START_TEST(tasks_wait_while_exceptions_fly)
{
    coir_exec *e = make_executor();
    for (int i = 1; i <= 40; i++) {
        coir_fn *fn = i % 2 == 0 ? sleep_while_one_flies : wait_in_handler;
        ck_assert_int_eq(coir_spawn(nullptr, e, fn, T_VALUE(i), nullptr), COIR_OK);
    }
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(live, 0);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

static void *be_cancelled_in_tasks_handler(void *number)
{
    try {
        throw numbered(T_NUMBER(number));
    } catch (const numbered &) {
        ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
        ASSERT_RECORD(T_NUMBER(number), 0);
        return T_VALUE(current());
    }
}

START_TEST(a_task_that_is_cancelled_in_its_handler_still_has_its_exception)
{
    void *result;
    coir_exec *e = make_executor();
    coir_task *task = nullptr;
    ck_assert_int_eq(coir_spawn(&task, e, be_cancelled_in_tasks_handler, T_VALUE(1), nullptr), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(2);
    } catch (const numbered &) {
        ck_assert_int_eq(coir_task_cancel(task), COIR_OK);
        ck_assert_int_eq(coir_await(task, &result), COIR_OK);
        ASSERT_RECORD(2, 0);
    }
    ck_assert_int_eq(T_NUMBER(result), 1);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- many at random: each fiber, and who resumes them, knows what its own record must be ---- */

enum { WALKERS = 300, DEEPEST = 5 };

struct walker {
    coir_fiber *f;
    int id, thrown, steps, in_flight;
    uint32_t random;
};

static int random_below(uint32_t *state, int bound)
{
    *state = *state * 1664525u + 1013904223u;
    return static_cast<int>((*state >> 16) % static_cast<uint32_t>(bound));
}

static void pause_walk(walker *w, int in_hand)
{
    ASSERT_RECORD(in_hand, w->in_flight);
    yield();
    ASSERT_RECORD(in_hand, w->in_flight);
}

struct pauses_at_end {
    walker *w;
    int in_hand;
    ~pauses_at_end()
    {
        w->in_flight++;
        pause_walk(w, in_hand);
        w->in_flight--;
    }
};

static void walk(walker *w, int depth, int in_hand);

static void walk_in_handler(walker *w, int depth, int in_hand)
{
    const int number = w->id * 1000 + ++w->thrown;
    try {
        try {
            pauses_at_end object = {w, in_hand};
            throw numbered(number);
        } catch (const numbered &caught) {
            walk(w, depth + 1, number);
            ck_assert_int_eq(caught.number, number);
            if (random_below(&w->random, 2) == 0)
                throw;
        }
    } catch (const numbered &again) {
        ck_assert_int_eq(again.number, number);
        pause_walk(w, number);
    }
}

static void walk(walker *w, int depth, int in_hand)
{
    while (w->steps-- > 0) {
        const int choice = random_below(&w->random, 4);
        if (choice == 0 && depth > 0)
            return;
        if (choice >= 2 && depth < DEEPEST)
            walk_in_handler(w, depth, in_hand);
        pause_walk(w, in_hand);
    }
}

static void *start_walk(void *arg)
{
    walk(static_cast<walker *>(arg), 0, 0);
    return nullptr;
}

struct crowd {
    walker walkers[WALKERS];
    int count;
    uint32_t random;
};

static void gather(crowd *all, int count, uint32_t seed, unsigned flags)
{
    all->count = count;
    all->random = seed;
    for (int i = 0; i < count; i++) {
        walker *w = &all->walkers[i];
        coir_options opt = {};
        opt.flags = flags;
        *w = {nullptr, i + 1, 0, 20, 0, seed + static_cast<uint32_t>(i)};
        ck_assert_int_eq(coir_create(&w->f, start_walk, w, &opt), COIR_OK);
    }
}

/* Resumes one of them, unless it has ended. */
static void step(crowd *all)
{
    const int i = random_below(&all->random, all->count);
    walker *w = &all->walkers[i];
    if (coir_fiber_state(w->f) == COIR_STATE_DONE)
        return;
    ck_assert_int_ge(coir_resume(w->f, nullptr, nullptr), COIR_DONE);
}

static bool all_done(const crowd *all)
{
    for (int i = 0; i < all->count; i++)
        if (coir_fiber_state(all->walkers[i].f) != COIR_STATE_DONE)
            return false;
    return true;
}

/* Resumes them by turns, going in and out of handlers of its own. */
static void drive(crowd *all, int depth, int in_hand)
{
    for (int i = 0; i < 100 || (depth == 0 && !all_done(all)); i++) {
        step(all);
        ASSERT_RECORD(in_hand, 0);
        if (depth == DEEPEST || random_below(&all->random, 50) != 0)
            continue;
        try {
            throw numbered(-1 - depth);
        } catch (const numbered &caught) {
            drive(all, depth + 1, caught.number);
        }
    }
}

static void destroy_all(crowd *all)
{
    for (int i = 0; i < all->count; i++)
        ck_assert_int_eq(coir_destroy(all->walkers[i].f), COIR_OK);
}

static void *drive_crowd(void *seed)
{
    static std::atomic<int> next;
    static crowd crowds[4];
    crowd *all = &crowds[next++];
    gather(all, t_instrumented() ? 30 : WALKERS, static_cast<uint32_t>(T_NUMBER(seed)), 0);
    drive(all, 0, 0);
    destroy_all(all);
    return T_VALUE(1);
}

START_TEST(hundreds_of_fibers_keep_their_records_apart)
{
    drive_crowd(T_VALUE(1));
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- threads ---- */

START_TEST(fibers_of_several_threads_keep_their_records_apart)
{
    t_thread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = t_thread_start(drive_crowd, T_VALUE(i + 2));
    drive_crowd(T_VALUE(1));
    for (t_thread *thread : threads)
        ck_assert_int_eq(T_NUMBER(t_thread_join(thread)), 1);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* NULL where fibers cannot move. */
static coir_fiber *create_movable(coir_fn *fn, void *arg)
{
    coir_fiber *f = nullptr;
    coir_options opt = {};
    opt.flags = COIR_MOVABLE;
    const int error = coir_create(&f, fn, arg, &opt);
    if (error != COIR_ENOTSUP)
        ck_assert_int_eq(error, COIR_OK);
    return f;
}

static void *yield_twice_in_handler(void *number)
{
    try {
        throw numbered(T_NUMBER(number));
    } catch (const numbered &) {
        yield();
        ASSERT_RECORD(T_NUMBER(number), 0);
        yield();
        ASSERT_RECORD(T_NUMBER(number), 0);
        return T_VALUE(current());
    }
}

static void *resume_in_handler(void *f)
{
    ASSERT_RECORD(0, 0);
    try {
        throw numbered(9);
    } catch (const numbered &) {
        expect_yield(static_cast<coir_fiber *>(f));
        ASSERT_RECORD(9, 0);
    }
    return T_VALUE(1);
}

START_TEST(a_fiber_takes_its_record_to_another_thread)
{
    coir_fiber *f = create_movable(yield_twice_in_handler, T_VALUE(1));
    if (f == nullptr)
        T_SKIP("no fiber can move to another thread");
    expect_yield(f);
    try {
        throw numbered(2);
    } catch (const numbered &) {
        ck_assert_int_eq(T_NUMBER(t_on_thread(resume_in_handler, f)), 1);
        ASSERT_RECORD(2, 0);
        ck_assert_int_eq(finish(f), 1);
        ASSERT_RECORD(2, 0);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

static void *resume_each_in_handler(void *arg)
{
    crowd *all = static_cast<crowd *>(arg);
    drive(all, DEEPEST - 2, 0);
    return T_VALUE(1);
}

START_TEST(fibers_that_move_at_random_keep_their_records_apart)
{
    static crowd all;
    coir_fiber *f = create_movable(assert_empty, nullptr);
    if (f == nullptr)
        T_SKIP("no fiber can move to another thread");
    coir_destroy(f);
    gather(&all, 30, 1, COIR_MOVABLE);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(T_NUMBER(t_on_thread(resume_each_in_handler, &all)), 1);
    drive(&all, 0, 0);
    destroy_all(&all);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- coir_exceptions_attach ---- */

typedef void *get_globals(void);

static get_globals *runtimes()
{
    return reinterpret_cast<get_globals *>(abi::__cxa_get_globals);
}

static void *some_other_record(void)
{
    static long words[8];
    return words;
}

START_TEST(the_programs_runtime_can_be_attached_again_and_no_other)
{
    coir_fiber *f = t_create(suspend_in_handler, T_VALUE(1));
    ck_assert_int_eq(coir_exceptions_attach(runtimes()), COIR_OK);
    expect_yield(f);
    ck_assert_int_eq(coir_exceptions_attach(runtimes()), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach(nullptr), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach(some_other_record), COIR_EBUSY);
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(finish(f), 1);
}
END_TEST

START_TEST(the_runtime_can_be_attached_before_any_fiber)
{
    ck_assert_int_eq(coir_exceptions_attach(runtimes()), COIR_OK);
    coir_fiber *f = t_create(suspend_in_handler, T_VALUE(1));
    expect_yield(f);
    ASSERT_RECORD(0, 0);
    ck_assert_int_eq(finish(f), 1);
}
END_TEST

static void *attach_in_handler(void *)
{
    try {
        throw numbered(1);
    } catch (const numbered &) {
        ck_assert_int_eq(coir_exceptions_attach(runtimes()), COIR_OK);
        yield();
        ASSERT_RECORD(1, 0);
    }
    return nullptr;
}

START_TEST(the_runtime_can_be_attached_in_a_handler_by_any_thread)
{
    coir_fiber *f = t_create(attach_in_handler, nullptr);
    expect_yield(f);
    ASSERT_RECORD(0, 0);
    t_on_thread([](void *) -> void * { return T_VALUE(coir_exceptions_attach(runtimes())); }, nullptr);
    finish(f);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- an exception that nobody catches ---- */

static void *let_it_out(void *arg)
{
    throw std::runtime_error("out");
    return arg;
}

static void resume_without_a_net(void *arg)
{
    try {
        coir_resume(t_create(let_it_out, arg), nullptr, nullptr);
    } catch (...) { /* it must not come here */
        t_exit(5);
    }
}

START_TEST(an_exception_that_would_leave_the_fiber_ends_the_program)
{
    ck_assert_int_eq(t_run_in_child(resume_without_a_net, nullptr), T_ABORT);
}
END_TEST

static void exit_from_terminate()
{
    t_exit(destroyed == 0 ? 42 : 43); /* the stack is still there */
}

static void resume_with_a_terminate_handler(void *arg)
{
    std::set_terminate(exit_from_terminate);
    coir_resume(t_create(let_it_out, arg), nullptr, nullptr);
}

START_TEST(it_ends_through_the_programs_terminate_handler)
{
    ck_assert_int_eq(t_run_in_child(resume_with_a_terminate_handler, nullptr), 42);
}
END_TEST

T_MAIN(an_exception_is_caught_in_the_fiber_and_destructors_run,
       exceptions_come_from_any_depth_of_a_stack_that_is_used_again, fibers_throw_by_turns,
       nested_fibers_throw_before_and_after_they_resume, large_frames_grow_the_stack_and_exceptions_leave_them,
       a_fiber_that_suspends_in_a_handler_throws_its_own_exception_again,
       fibers_in_handlers_throw_their_own_exceptions_again,
       a_handler_of_the_thread_may_be_left_while_a_fiber_stands_in_one, handlers_nest_in_each_fiber_on_its_own,
       an_exception_is_carried_from_fiber_to_fiber, an_exception_flies_in_its_own_fiber_only,
       exceptions_fly_in_several_fibers_and_the_thread_at_once, an_exception_within_one_that_flies_may_suspend_too,
       a_fiber_that_is_made_and_run_in_a_handler_starts_with_an_empty_record,
       a_fiber_may_start_in_a_handler_and_end_outside_and_the_other_way_round,
       a_fiber_that_is_run_while_an_exception_flies_starts_with_an_empty_record, fibers_nest_in_handlers,
       a_fiber_that_follows_one_which_ended_in_a_handler_starts_with_an_empty_record,
       a_fiber_may_exit_in_its_handler, a_fiber_that_is_cancelled_in_its_handler_still_has_its_exception,
       fibers_switch_to_each_other_in_their_handlers, generators_hand_out_items_in_their_handlers,
       a_generator_whose_items_are_taken_in_a_handler_starts_with_an_empty_record,
       records_are_kept_apart_under_a_switch_hook, records_are_kept_apart_with_floating_point_control,
       tasks_wait_in_their_handlers, tasks_of_an_executor_that_runs_in_a_handler_start_with_an_empty_record,
       tasks_wait_while_exceptions_fly, a_task_that_is_cancelled_in_its_handler_still_has_its_exception,
       hundreds_of_fibers_keep_their_records_apart, fibers_of_several_threads_keep_their_records_apart,
       a_fiber_takes_its_record_to_another_thread, fibers_that_move_at_random_keep_their_records_apart,
       the_programs_runtime_can_be_attached_again_and_no_other, the_runtime_can_be_attached_before_any_fiber,
       the_runtime_can_be_attached_in_a_handler_by_any_thread,
       an_exception_that_would_leave_the_fiber_ends_the_program, it_ends_through_the_programs_terminate_handler)
