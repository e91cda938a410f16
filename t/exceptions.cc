/* SPDX-License-Identifier: MIT */
/* C++ exceptions inside fibers: thrown, caught, passed through frames with destructors; and what happens to one that
 * would leave the fiber. */

#include "t.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

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
    for (int depth : depths) {
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
       an_exception_that_would_leave_the_fiber_ends_the_program, it_ends_through_the_programs_terminate_handler)
