/* SPDX-License-Identifier: MIT */
/* Creating, resuming, yielding: values, results, states, and every error of these calls. */

#include "t.h"

#include <string.h>

static void *return_argument(void *arg)
{
    return arg;
}

START_TEST(a_fiber_does_not_run_before_its_first_resume)
{
    coir_fiber *f = t_create(return_argument, T_VALUE(7));
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}
END_TEST

START_TEST(the_argument_goes_in_and_the_return_value_comes_out)
{
    void *result = NULL;
    coir_fiber *f = t_create(return_argument, T_VALUE(7));
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 7);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}
END_TEST

/* Yields what it gets plus one, until it gets 0; returns the sum of all it got. */
static void *add_one(void *arg)
{
    intptr_t sum = 0;
    void *value = arg;
    while (value != NULL) {
        sum += (intptr_t)value;
        void *next = T_VALUE(-1);
        ck_assert_int_eq(coir_yield((void *)((intptr_t)value + 1), &next), COIR_OK);
        value = next;
    }
    return (void *)sum;
}

START_TEST(values_go_both_ways)
{
    void *result = NULL;
    coir_fiber *f = t_create(add_one, T_VALUE(1));
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), 2);
    for (int i = 10; i < 20; i++) {
        ck_assert_int_eq(coir_resume(f, T_VALUE(i), &result), COIR_YIELDED);
        ck_assert_int_eq(T_NUMBER(result), i + 1);
    }
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 1 + 145);
    coir_destroy(f);
}
END_TEST

static void *yield_blindly(void *arg)
{
    ck_assert_int_eq(coir_yield(T_VALUE(1), NULL), COIR_OK);
    ck_assert_int_eq(coir_yield(T_VALUE(2), NULL), COIR_OK);
    return arg;
}

START_TEST(values_that_nobody_wants_are_dropped)
{
    coir_fiber *f = t_create(yield_blindly, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, T_VALUE(5), NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, T_VALUE(6), NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

START_TEST(the_first_resume_takes_no_value)
{
    void *result = T_VALUE(99);
    coir_fiber *f = t_create(return_argument, NULL);
    ck_assert_int_eq(coir_resume(f, T_VALUE(1), &result), COIR_EINVAL);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    coir_destroy(f);
}
END_TEST

START_TEST(a_finished_fiber_is_dead)
{
    void *result = T_VALUE(99);
    coir_fiber *f = t_create(return_argument, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_EDEAD);
    ck_assert_int_eq(coir_resume(f, T_VALUE(1), &result), COIR_EDEAD);
    ck_assert_int_eq(T_NUMBER(result), 99);
    coir_destroy(f);
}
END_TEST

START_TEST(resume_of_null_is_invalid)
{
    ck_assert_int_eq(coir_resume(NULL, NULL, NULL), COIR_EINVAL);
    t_create(return_argument, NULL); /* also when the thread has fibers */
    ck_assert_int_eq(coir_resume(NULL, NULL, NULL), COIR_EINVAL);
}
END_TEST

START_TEST(yield_outside_of_a_fiber_is_refused)
{
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_yield(NULL, &result), COIR_ENOTFIBER); /* before the thread's first fiber */
    coir_destroy(t_create(return_argument, NULL));
    ck_assert_int_eq(coir_yield(NULL, &result), COIR_ENOTFIBER); /* and after it */
    ck_assert_int_eq(T_NUMBER(result), 99);
}
END_TEST

static coir_fiber *outer;

static void *resume_self_and_outer(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_resume(coir_self(), NULL, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_resume(outer, NULL, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_fiber_state(outer), COIR_STATE_RESUMING);
    ck_assert_int_eq(coir_fiber_state(coir_self()), COIR_STATE_RUNNING);
    return NULL;
}

static void *resume_inner(void *inner)
{
    ck_assert_ptr_eq(coir_self(), outer);
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_DONE);
    ck_assert_ptr_eq(coir_self(), outer);
    return NULL;
}

START_TEST(running_and_resuming_fibers_are_busy)
{
    coir_fiber *inner = t_create(resume_self_and_outer, NULL);
    outer = t_create(resume_inner, inner);
    ck_assert_int_eq(coir_resume(outer, NULL, NULL), COIR_DONE);
    coir_destroy(inner);
    coir_destroy(outer);
}
END_TEST

START_TEST(self_is_null_outside_and_the_innermost_inside)
{
    ck_assert_ptr_null(coir_self());
    coir_fiber *inner = t_create(resume_self_and_outer, NULL);
    outer = t_create(resume_inner, inner);
    ck_assert_ptr_null(coir_self());
    coir_resume(outer, NULL, NULL);
    ck_assert_ptr_null(coir_self());
}
END_TEST

static void *yield_once(void *arg)
{
    ck_assert_int_eq(coir_fiber_state(coir_self()), COIR_STATE_RUNNING);
    coir_yield(arg, NULL);
    return arg;
}

START_TEST(every_state_is_seen_in_turn)
{
    coir_fiber *f = t_create(yield_once, NULL);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_SUSPENDED);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    ck_assert_int_eq(coir_fiber_state(NULL), COIR_EINVAL);
    coir_destroy(f);
}
END_TEST

START_TEST(create_refuses_bad_arguments_and_touches_nothing)
{
    coir_fiber *f = T_VALUE(99);
    coir_options opt;

    ck_assert_int_eq(coir_create(NULL, return_argument, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_create(&f, NULL, NULL, NULL), COIR_EINVAL);
    memset(&opt, 0, sizeof opt);
    opt.flags = 0x80000000u;
    ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_EINVAL);
    opt.flags = 16;
    ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_EINVAL);
    opt.flags = 0;
    opt.reserved_flags = 1;
    ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_EINVAL);
    opt.reserved_flags = 0;
    for (int i = 0; i < 3; i++) {
        opt.reserved[i] = &f;
        ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_EINVAL);
        opt.reserved[i] = NULL;
    }
    opt.stack_size = SIZE_MAX;
    ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_ENOMEM);
    opt.stack_size = SIZE_MAX / 4;
    ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_ENOMEM);
    ck_assert_ptr_eq(f, T_VALUE(99));
    opt.stack_size = 0;
    ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_OK);
    coir_destroy(f);
}
END_TEST

START_TEST(name_and_data_are_kept)
{
    char name[] = "worker";
    int mine;
    coir_options opt = {.name = name, .data = &mine};
    coir_fiber *f, *unnamed = t_create(return_argument, NULL);

    ck_assert_int_eq(coir_create(&f, return_argument, NULL, &opt), COIR_OK);
    name[0] = 'W';
    ck_assert_str_eq(coir_fiber_name(f), "worker");
    ck_assert_str_eq(coir_fiber_name(unnamed), "");
    ck_assert_ptr_null(coir_fiber_name(NULL));
    ck_assert_ptr_eq(coir_fiber_data(f), &mine);
    ck_assert_ptr_null(coir_fiber_data(unnamed));
    ck_assert_ptr_null(coir_fiber_data(NULL));
    ck_assert_int_eq(coir_fiber_set_data(f, name), COIR_OK);
    ck_assert_ptr_eq(coir_fiber_data(f), name);
    ck_assert_int_eq(coir_fiber_set_data(NULL, name), COIR_EINVAL);
    coir_resume(f, NULL, NULL);
    ck_assert_str_eq(coir_fiber_name(f), "worker"); /* also when it is done */
    coir_destroy(f);
    coir_destroy(unnamed);
}
END_TEST

/* Each of a chain of fibers creates and resumes the next, and passes on what comes out plus one. */
static void *nest(void *depth)
{
    if (depth == NULL)
        return NULL;
    void *result;
    coir_options opt = {.stack_size = 1};
    coir_fiber *inner;
    ck_assert_int_eq(coir_create(&inner, nest, (char *)depth - 1, &opt), COIR_OK);
    ck_assert_int_eq(coir_resume(inner, NULL, &result), T_NUMBER(depth) == 1 ? COIR_DONE : COIR_YIELDED);
    if (T_NUMBER(depth) > 1)
        ck_assert_int_eq(coir_resume(inner, NULL, &result), COIR_DONE);
    coir_destroy(inner);
    coir_yield(NULL, NULL);
    return (char *)result + 1;
}

START_TEST(ten_thousand_fibers_resume_one_another)
{
    int depth = t_instrumented() ? 300 : 10000;
    void *result;
    coir_fiber *f = t_create(nest, T_VALUE(depth));
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), depth);
    coir_destroy(f);
}
END_TEST

START_TEST(a_hundred_thousand_fibers_are_alive_at_once)
{
    enum { MOST = 100000 };
    static coir_fiber *fibers[MOST];
    coir_options opt = {.flags = t_guards_are_free() ? 0 : COIR_NO_GUARD};
    int count = t_instrumented() ? 500 : t_is_wine() ? 20000 : MOST;

    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(coir_create(&fibers[i], add_one, T_VALUE(i + 1), &opt), COIR_OK);
        ck_assert_int_eq(coir_resume(fibers[i], NULL, NULL), COIR_YIELDED);
    }
    for (int turn = 1; turn <= 2; turn++) {
        for (int i = 0; i < count; i++) {
            void *result;
            ck_assert_int_eq(coir_resume(fibers[i], T_VALUE(turn), &result), COIR_YIELDED);
            ck_assert_int_eq(T_NUMBER(result), turn + 1);
        }
    }
    for (int i = 0; i < count; i++) {
        void *result;
        ck_assert_int_eq(coir_resume(fibers[i], NULL, &result), COIR_DONE);
        ck_assert_int_eq(T_NUMBER(result), i + 1 + 1 + 2);
        ck_assert_int_eq(coir_destroy(fibers[i]), COIR_OK);
    }
    if (t_is_wine())
        T_SKIP("wine's mappings end near 30,000 stacks; 20,000 were alive at once");
}
END_TEST

static int yield_at_depth(int depth)
{
    volatile char frame[64];
    frame[0] = (char)depth;
    if (depth == 0)
        coir_yield(NULL, NULL);
    else
        yield_at_depth(depth - 1);
    return frame[0];
}

static void *yield_from_below(void *arg)
{
    ck_assert_int_eq(yield_at_depth(100), 100);
    ck_assert_int_eq(yield_at_depth(50), 50);
    return arg;
}

START_TEST(a_fiber_can_yield_from_deep_calls)
{
    coir_fiber *f = t_create(yield_from_below, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

T_MAIN(a_fiber_does_not_run_before_its_first_resume, the_argument_goes_in_and_the_return_value_comes_out,
       values_go_both_ways, values_that_nobody_wants_are_dropped, the_first_resume_takes_no_value,
       a_finished_fiber_is_dead, resume_of_null_is_invalid, yield_outside_of_a_fiber_is_refused,
       running_and_resuming_fibers_are_busy, self_is_null_outside_and_the_innermost_inside, every_state_is_seen_in_turn,
       create_refuses_bad_arguments_and_touches_nothing, name_and_data_are_kept, ten_thousand_fibers_resume_one_another,
       a_hundred_thousand_fibers_are_alive_at_once, a_fiber_can_yield_from_deep_calls)
