/* SPDX-License-Identifier: MIT */
/* coir_switch: taking another fiber's place, and what the resumer of that place sees. */

#include "t.h"

#include <string.h>

static char events[64];

static void event(const char *text)
{
    strcat(events, text);
}

static coir_fiber *a, *b, *c;

static void *yield_its_name(void *name)
{
    event(name);
    coir_yield(name, NULL);
    event(name);
    return name;
}

static void *switch_to_b(void *name)
{
    void *value = NULL;
    event(name);
    ck_assert_int_eq(coir_switch(b, NULL, &value), COIR_OK);
    event(value != NULL ? value : "-");
    return name;
}

START_TEST(the_resumer_hears_that_another_fiber_yielded)
{
    void *result;
    a = t_create(switch_to_b, "a");
    b = t_create(yield_its_name, "b");
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_SWITCHED);
    ck_assert_str_eq(result, "b");
    ck_assert_int_eq(coir_fiber_state(a), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_fiber_state(b), COIR_STATE_SUSPENDED);
    ck_assert_ptr_null(coir_self());

    /* Both are ordinary suspended fibers now, each in a place of its own. */
    ck_assert_int_eq(coir_resume(a, "x", &result), COIR_DONE);
    ck_assert_str_eq(result, "a");
    ck_assert_int_eq(coir_resume(b, NULL, &result), COIR_DONE);
    ck_assert_str_eq(result, "b");
    ck_assert_str_eq(events, "abxb");
    coir_destroy(a);
    coir_destroy(b);
}
END_TEST

static void *return_its_name(void *name)
{
    event(name);
    return name;
}

START_TEST(the_resumer_hears_that_another_fiber_ended)
{
    void *result;
    a = t_create(switch_to_b, "a");
    b = t_create(return_its_name, "b");
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_SWITCHED);
    ck_assert_str_eq(result, "b");
    ck_assert_int_eq(coir_fiber_state(b), COIR_STATE_DONE);
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_DONE);
    coir_destroy(a);
    coir_destroy(b);
}
END_TEST

static void *pass_to_b(void *arg)
{
    void *value = arg;
    while (coir_switch(b, value, &value) == COIR_OK)
        ;
    return NULL;
}

static void *pass_to_c_twice(void *arg)
{
    void *value;
    ck_assert_int_eq(coir_switch(c, NULL, &value), COIR_OK);
    event(value);
    ck_assert_int_eq(coir_switch(c, "2", &value), COIR_OK);
    event(value);
    ck_assert_int_eq(coir_switch(a, "3", &value), COIR_OK);
    return arg;
}

static void *pass_back(void *arg)
{
    void *value;
    (void)arg;
    ck_assert_int_eq(coir_switch(b, "1", &value), COIR_OK);
    event(value);
    ck_assert_int_eq(coir_switch(b, "!", &value), COIR_OK);
    return NULL;
}

static void *start_round(void *arg)
{
    void *value;
    (void)arg;
    ck_assert_int_eq(coir_switch(b, NULL, &value), COIR_OK);
    event(value);
    coir_yield("own", NULL);
    return NULL;
}

START_TEST(three_fibers_pass_values_in_one_place)
{
    void *result;
    a = t_create(start_round, NULL);
    b = t_create(pass_to_c_twice, NULL);
    c = t_create(pass_back, NULL);
    /* a has its own place back when it yields: no substitute, so YIELDED. */
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_YIELDED);
    ck_assert_str_eq(result, "own");
    ck_assert_str_eq(events, "12!3");
    ck_assert_int_eq(coir_fiber_state(b), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_fiber_state(c), COIR_STATE_SUSPENDED);
    coir_destroy(a);
    coir_destroy(b);
    coir_destroy(c);
}
END_TEST

static void *resume_and_report(void *inner)
{
    void *result;
    int code = coir_resume(inner, NULL, &result);
    event(result);
    return T_VALUE(code);
}

START_TEST(a_fiber_that_resumed_the_place_hears_too)
{
    void *result;
    a = t_create(switch_to_b, "a");
    b = t_create(yield_its_name, "b");
    c = t_create(resume_and_report, a);
    ck_assert_int_eq(coir_resume(c, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), COIR_SWITCHED);
    ck_assert_str_eq(events, "abb");
    coir_destroy(a);
    coir_destroy(b);
    coir_destroy(c);
}
END_TEST

/* a, asked for, switches to b, which switches to c, which yields: still c's yield in a's place. Then the substitute's
 * mark is off: c's next yield is its own. */
static void *switch_to_c(void *arg)
{
    ck_assert_int_eq(coir_switch(c, NULL, NULL), COIR_OK);
    return arg;
}

START_TEST(a_place_can_be_handed_on_and_on)
{
    void *result;
    a = t_create(switch_to_b, "a");
    b = t_create(switch_to_c, "b");
    c = t_create(yield_its_name, "c");
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_SWITCHED);
    ck_assert_str_eq(result, "c");
    ck_assert_int_eq(coir_resume(c, NULL, &result), COIR_DONE);
    ck_assert_int_eq(coir_resume(b, NULL, &result), COIR_DONE);
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_DONE);
    coir_destroy(a);
    coir_destroy(b);
    coir_destroy(c);
}
END_TEST

START_TEST(switch_outside_of_a_fiber_is_refused)
{
    b = t_create(return_its_name, "b");
    ck_assert_int_eq(coir_switch(b, NULL, NULL), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_switch(NULL, NULL, NULL), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_fiber_state(b), COIR_STATE_NEW);
}
END_TEST

static void *switch_wrongly(void *done)
{
    void *result = "untouched";
    ck_assert_int_eq(coir_switch(NULL, NULL, &result), COIR_EINVAL);
    ck_assert_int_eq(coir_switch(done, NULL, &result), COIR_EDEAD);
    ck_assert_int_eq(coir_switch(coir_self(), NULL, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_switch(a, NULL, &result), COIR_EBUSY);        /* it waits for this one */
    ck_assert_int_eq(coir_switch(b, "value", &result), COIR_EINVAL);    /* it is new */
    ck_assert_int_eq(coir_fiber_state(b), COIR_STATE_NEW);
    ck_assert_str_eq(result, "untouched");
    ck_assert_int_eq(coir_fiber_state(coir_self()), COIR_STATE_RUNNING);
    return NULL;
}

static void *resume_c(void *arg)
{
    ck_assert_int_eq(coir_resume(c, NULL, NULL), COIR_DONE);
    return arg;
}

START_TEST(bad_switches_change_nothing)
{
    coir_fiber *done = t_create(return_its_name, "done");
    coir_resume(done, NULL, NULL);
    b = t_create(return_its_name, "b");
    c = t_create(switch_wrongly, done);
    a = t_create(resume_c, NULL);
    ck_assert_int_eq(coir_resume(a, NULL, NULL), COIR_DONE);
    coir_destroy(a);
    coir_destroy(b);
    coir_destroy(c);
    coir_destroy(done);
}
END_TEST

START_TEST(a_fiber_that_was_left_can_be_destroyed)
{
    void *result;
    a = t_create(pass_to_b, "start");
    b = t_create(yield_its_name, "b");
    /* pass_to_b hands a value to a new fiber, which is an error in the fiber; so start b first. */
    ck_assert_int_eq(coir_resume(b, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_SWITCHED);
    ck_assert_str_eq(result, "b");
    ck_assert_int_eq(coir_destroy(a), COIR_OK);
    coir_destroy(b);
}
END_TEST

/* The place's value goes to the resumer's variable, or nowhere, whoever is in the place and whoever is gone. */
static void *destroy_a_and_yield(void *arg)
{
    coir_destroy(a);
    coir_yield(arg, NULL);
    return NULL;
}

START_TEST(the_first_of_a_place_may_be_destroyed_by_its_successor)
{
    a = t_create(switch_to_b, "a");
    b = t_create(destroy_a_and_yield, "b");
    ck_assert_int_eq(coir_resume(a, NULL, NULL), COIR_SWITCHED);
    ck_assert_int_eq(coir_resume(b, NULL, NULL), COIR_DONE);
    coir_destroy(b);
}
END_TEST

/* A fiber that is made where the first of a place was is not the first of that place. */
static void *replace_a(void *arg)
{
    coir_fiber *first = a;
    coir_destroy(a);
    a = t_create(yield_its_name, arg);
    ck_assert(t_instrumented() || a == first); /* or this test shows nothing */
    coir_switch(a, NULL, NULL);
    return NULL;
}

START_TEST(a_new_fiber_at_the_address_of_the_first_is_another)
{
    void *result;
    a = t_create(switch_to_b, "a");
    b = t_create(replace_a, "new a");
    ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_SWITCHED);
    ck_assert_str_eq(result, "new a");
    coir_destroy(a);
    coir_destroy(b);
}
END_TEST

static void *prefetch_itself(void *arg)
{
    coir_prefetch(coir_self());
    coir_prefetch(arg);
    coir_yield(NULL, NULL);
    return NULL;
}

START_TEST(a_prefetch_changes_nothing_in_any_state)
{
    coir_fiber *f = t_create(prefetch_itself, NULL);
    coir_prefetch(NULL);
    coir_prefetch(f);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    coir_prefetch(f);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_prefetch(f);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    coir_destroy(f);
}
END_TEST

T_MAIN(the_resumer_hears_that_another_fiber_yielded, the_resumer_hears_that_another_fiber_ended,
       three_fibers_pass_values_in_one_place, a_fiber_that_resumed_the_place_hears_too, a_place_can_be_handed_on_and_on,
       switch_outside_of_a_fiber_is_refused, bad_switches_change_nothing,
       a_fiber_that_was_left_can_be_destroyed, the_first_of_a_place_may_be_destroyed_by_its_successor,
       a_new_fiber_at_the_address_of_the_first_is_another, a_prefetch_changes_nothing_in_any_state)
