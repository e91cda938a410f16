/* SPDX-License-Identifier: MIT */
/* The ways a fiber ends: return, exit, cancel, destroy; and what it deferred. */

#include "t.h"

#include <string.h>

static char events[128];

static void event(void *text)
{
    strcat(events, text);
}

static void *never_run(void *arg)
{
    event("run");
    return arg;
}

/* ---- cancel ---- */

START_TEST(cancel_of_a_new_fiber_ends_it_without_running)
{
    void *result = T_VALUE(99);
    coir_fiber *f = t_create(never_run, NULL);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_DONE);
    ck_assert_ptr_null(result);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_EDEAD);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_EDEAD);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    f = t_create(never_run, NULL);
    ck_assert_int_eq(coir_cancel(f, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

static void *end_when_cancelled(void *arg)
{
    void *value = T_VALUE(99);
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_yield(NULL, &value), COIR_ECANCELED);
    ck_assert_ptr_null(value);
    return arg;
}

START_TEST(a_cancelled_yield_says_so_and_the_fiber_can_return)
{
    void *result;
    coir_fiber *f = t_create(end_when_cancelled, "bye");
    coir_resume(f, NULL, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_DONE);
    ck_assert_str_eq(result, "bye");
    coir_destroy(f);
}
END_TEST

static void *stubborn(void *arg)
{
    void *value;
    ck_assert_int_eq(coir_yield(T_VALUE(1), NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_yield(T_VALUE(2), &value), COIR_ECANCELED);
    ck_assert_int_eq(T_NUMBER(value), 22);
    ck_assert_int_eq(coir_yield(T_VALUE(3), NULL), COIR_ECANCELED);
    return arg;
}

START_TEST(a_stubborn_fiber_hears_it_at_every_yield)
{
    void *result;
    coir_fiber *f = t_create(stubborn, T_VALUE(4));
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), 2);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_resume(f, T_VALUE(22), &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), 3);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 4);
    coir_destroy(f);
}
END_TEST

static coir_fiber *other;

static void *switch_to_other(void *arg)
{
    ck_assert_int_eq(coir_switch(other, NULL, NULL), COIR_ECANCELED);
    return arg;
}

static void *yield_once(void *arg)
{
    coir_yield(arg, NULL);
    return arg;
}

START_TEST(cancel_reaches_a_fiber_that_left_by_switch)
{
    coir_fiber *f = t_create(switch_to_other, NULL);
    other = t_create(yield_once, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_SWITCHED);
    ck_assert_int_eq(coir_cancel(f, NULL), COIR_DONE);
    coir_destroy(f);
    coir_destroy(other);
}
END_TEST

static void *cancel_self(void *arg)
{
    ck_assert_int_eq(coir_cancel(coir_self(), NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_cancel(other, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_destroy(coir_self()), COIR_EBUSY);
    ck_assert_int_eq(coir_destroy(other), COIR_EBUSY);
    ck_assert_int_eq(coir_fiber_state(other), COIR_STATE_RESUMING);
    return arg;
}

static void *resume_it(void *inner)
{
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_DONE);
    return NULL;
}

START_TEST(running_and_resuming_fibers_cannot_be_cancelled_or_destroyed)
{
    coir_fiber *inner = t_create(cancel_self, NULL);
    other = t_create(resume_it, inner);
    ck_assert_int_eq(coir_resume(other, NULL, NULL), COIR_DONE);
    coir_destroy(inner);
    coir_destroy(other);
    ck_assert_int_eq(coir_cancel(NULL, NULL), COIR_EINVAL);
}
END_TEST

/* ---- defer ---- */

static void *defer_three(void *how)
{
    ck_assert_int_eq(coir_defer(event, "1"), COIR_OK);
    ck_assert_int_eq(coir_defer(event, "2"), COIR_OK);
    ck_assert_int_eq(coir_defer(event, "3"), COIR_OK);
    if (strcmp(how, "exit") == 0)
        coir_exit("exited");
    else if (strcmp(how, "return") != 0)
        coir_yield(NULL, NULL);
    event("r");
    return "returned";
}

START_TEST(deferred_functions_run_last_first_on_return)
{
    void *result;
    coir_fiber *f = t_create(defer_three, "return");
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_str_eq(result, "returned");
    ck_assert_str_eq(events, "r321");
    coir_destroy(f);
    ck_assert_str_eq(events, "r321");
}
END_TEST

START_TEST(deferred_functions_run_on_exit)
{
    void *result;
    coir_fiber *f = t_create(defer_three, "exit");
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_str_eq(result, "exited");
    ck_assert_str_eq(events, "321");
    coir_destroy(f);
}
END_TEST

START_TEST(deferred_functions_run_on_destroy)
{
    coir_fiber *f = t_create(defer_three, "yield");
    coir_resume(f, NULL, NULL);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_str_eq(events, "321");
}
END_TEST

START_TEST(deferred_functions_run_after_a_cancel)
{
    coir_fiber *f = t_create(defer_three, "yield");
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_cancel(f, NULL), COIR_DONE);
    ck_assert_str_eq(events, "r321");
    coir_destroy(f);
}
END_TEST

static void look_around(void *expected_self)
{
    char here;
    void *low, *result = T_VALUE(99);
    size_t size;

    ck_assert_ptr_eq(coir_self(), *(coir_fiber **)expected_self);
    ck_assert_int_eq(coir_fiber_state(coir_self()), COIR_STATE_RUNNING);
    ck_assert_int_eq(coir_stack_bounds(NULL, &low, &size), COIR_OK);
    ck_assert((uintptr_t)&here - (uintptr_t)low < size || t_instrumented());
    ck_assert_int_eq(coir_yield(NULL, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_switch(other, NULL, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_exit(NULL), COIR_ECANCELED);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_destroy(coir_self()), COIR_EBUSY);
    ck_assert_int_eq(coir_defer(event, "deferred late"), COIR_OK);

    /* Other fibers can still be used from here. */
    ck_assert_int_eq(coir_resume(other, NULL, NULL), COIR_YIELDED);
    event("looked ");
}

static void *defer_a_look(void *self)
{
    coir_defer(look_around, self);
    coir_yield(NULL, NULL);
    return NULL;
}

START_TEST(a_deferred_function_is_in_the_fiber_but_cannot_suspend_it)
{
    static coir_fiber *f;
    other = t_create(yield_once, NULL);
    f = t_create(defer_a_look, &f);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_str_eq(events, "looked deferred late");
    ck_assert_ptr_null(coir_self());

    f = t_create(defer_a_look, &f);
    coir_destroy(other);
    other = t_create(yield_once, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    coir_destroy(other);
}
END_TEST

static void *undefer_some(void *arg)
{
    coir_defer(event, "a");
    coir_defer(event, "b");
    coir_defer(event, "c");
    coir_defer(event, "b");
    ck_assert_int_eq(coir_undefer(event, "b", 0), COIR_OK); /* the last one */
    ck_assert_int_eq(coir_undefer(event, "c", 1), COIR_OK);
    ck_assert_str_eq(events, "c");
    ck_assert_int_eq(coir_undefer(event, "c", 1), COIR_EINVAL);
    ck_assert_int_eq(coir_undefer(look_around, "a", 1), COIR_EINVAL);
    ck_assert_int_eq(coir_undefer(NULL, NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_defer(NULL, NULL), COIR_EINVAL);
    ck_assert_str_eq(events, "c");
    return arg;
}

START_TEST(undefer_takes_back_the_last_equal_entry)
{
    coir_fiber *f = t_create(undefer_some, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_str_eq(events, "cba");
    coir_destroy(f);
}
END_TEST

START_TEST(defer_and_exit_outside_of_a_fiber_are_refused)
{
    ck_assert_int_eq(coir_defer(event, NULL), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_defer(NULL, NULL), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_undefer(event, NULL, 1), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_exit(NULL), COIR_ENOTFIBER);
}
END_TEST

/* ---- exit ---- */

static void exit_at_depth(int depth)
{
    volatile char frame[100];
    frame[0] = 1;
    if (depth > 0)
        exit_at_depth(depth - 1);
    else
        coir_exit("from below");
    event(frame[0] ? "returned" : "");
}

static void *exit_deep(void *arg)
{
    coir_yield(NULL, NULL);
    exit_at_depth(200);
    return arg;
}

START_TEST(exit_ends_the_fiber_from_any_depth)
{
    void *result;
    coir_fiber *f = t_create(exit_deep, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_str_eq(result, "from below");
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    coir_destroy(f);
}
END_TEST

/* ---- destroy ---- */

START_TEST(destroy_works_in_each_state)
{
    coir_fiber *f = t_create(never_run, NULL);
    ck_assert_int_eq(coir_destroy(NULL), COIR_OK);
    ck_assert_int_eq(coir_destroy(f), COIR_OK); /* new */
    ck_assert_str_eq(events, "");
    f = t_create(yield_once, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_destroy(f), COIR_OK); /* suspended */
    f = t_create(yield_once, NULL);
    coir_resume(f, NULL, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(coir_destroy(f), COIR_OK); /* done */
}
END_TEST

static void *destroy_it(void *f)
{
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    event("destroyer");
    return coir_self();
}

START_TEST(a_fiber_can_destroy_another)
{
    void *result;
    coir_fiber *victim = t_create(defer_three, "yield");
    coir_fiber *f = t_create(destroy_it, victim);
    coir_resume(victim, NULL, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_ptr_eq(result, f);
    ck_assert_str_eq(events, "321destroyer");
    coir_destroy(f);
}
END_TEST

/* A fiber whose deferred function destroys another suspended one, whose deferred function destroys a third. */
static void destroy_next(void *next)
{
    event("d");
    ck_assert_int_eq(coir_destroy(next), COIR_OK);
}

static void *defer_destruction(void *next)
{
    coir_defer(destroy_next, next);
    coir_yield(NULL, NULL);
    return NULL;
}

START_TEST(destruction_can_nest)
{
    coir_fiber *f = NULL;
    for (int i = 0; i < 50; i++) {
        f = t_create(defer_destruction, f);
        coir_resume(f, NULL, NULL);
    }
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_uint_eq(strlen(events), 50);
}
END_TEST

/* The stack of a fiber that was destroyed in the middle serves the next one, but not one that asks for the impossible. */
START_TEST(no_request_is_too_large_to_be_refused_after_a_destroy)
{
    for (int i = 0; i < 3; i++) {
        coir_options opt = {.stack_size = SIZE_MAX - (size_t)i};
        coir_fiber *f = t_create(yield_once, NULL);
        coir_resume(f, NULL, NULL);
        ck_assert_int_eq(coir_destroy(f), COIR_OK);
        ck_assert_int_eq(coir_create(&f, yield_once, NULL, &opt), COIR_ENOMEM);
    }
}
END_TEST

/* Yields from within a fiber that it resumes while ending: that one suspends as any. */
static void resume_other_twice(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_resume(other, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(other, NULL, NULL), COIR_DONE);
}

static void *end_substituted(void *arg)
{
    coir_defer(resume_other_twice, NULL);
    return arg;
}

static coir_fiber *substitute;

static void *switch_to_substitute(void *arg)
{
    coir_switch(substitute, NULL, NULL);
    return arg;
}

START_TEST(a_substitute_that_ends_through_deferred_functions_answers_switched)
{
    void *result;
    coir_fiber *f = t_create(switch_to_substitute, NULL);
    substitute = t_create(end_substituted, "sub");
    other = t_create(yield_once, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_SWITCHED);
    ck_assert_str_eq(result, "sub");
    ck_assert_int_eq(coir_fiber_state(other), COIR_STATE_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    coir_destroy(substitute);
    coir_destroy(other);
}
END_TEST

T_MAIN(cancel_of_a_new_fiber_ends_it_without_running, a_cancelled_yield_says_so_and_the_fiber_can_return,
       a_stubborn_fiber_hears_it_at_every_yield, cancel_reaches_a_fiber_that_left_by_switch,
       running_and_resuming_fibers_cannot_be_cancelled_or_destroyed, deferred_functions_run_last_first_on_return,
       deferred_functions_run_on_exit, deferred_functions_run_on_destroy, deferred_functions_run_after_a_cancel,
       a_deferred_function_is_in_the_fiber_but_cannot_suspend_it, undefer_takes_back_the_last_equal_entry,
       defer_and_exit_outside_of_a_fiber_are_refused, exit_ends_the_fiber_from_any_depth, destroy_works_in_each_state,
       a_fiber_can_destroy_another, destruction_can_nest, no_request_is_too_large_to_be_refused_after_a_destroy,
       a_substitute_that_ends_through_deferred_functions_answers_switched)
