/* SPDX-License-Identifier: MIT */
/* Things of one's own to wait for: who ends a wait, who gives it up, and what is kept for the next one. And what else
 * libraries are given that are built on this one: memory, the poller, holds. */

#include "t.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "one_executor.h"

enum { NOT_YET = -77777 };

static void begin(void)
{
    executor = make_executor(0);
}

static void finish(void)
{
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
}

static void in_a_task(coir_fn *fn, void *arg)
{
    ck_assert_int_eq(coir_await(spawn(fn, arg), NULL), COIR_OK);
}

static void cancel(coir_task *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
}

static void cancel_self(void)
{
    cancel(coir_task_self());
}

static void end(coir_wait *w, int code)
{
    ck_assert_int_eq(coir_wait_end(w, code), COIR_OK);
}

/* A wait of a task, and what came of it. */
typedef struct {
    coir_wait wait; /* the first member, so that give_up finds the rest */
    int64_t deadline;
    int result;
    int64_t when;     /* it had its result */
    int given_up;     /* how often give_up was called, */
    int code;         /* with what at last, */
    int64_t given_up_when; /* when, */
    coir_task *by;    /* in what task, */
    int answer;       /* and with what it ends the wait, or NOT_YET */
    coir_task *task;
} operation;

static void give_up(coir_wait *w, int code)
{
    operation *o = (operation *)(void *)w;

    o->given_up++;
    o->code = code;
    o->given_up_when = coir_now();
    o->by = coir_task_self();
    if (o->answer != NOT_YET)
        end(w, o->answer);
}

static void prepare(operation *o, int64_t deadline)
{
    memset(o, 0, sizeof *o);
    o->deadline = deadline;
    o->result = o->answer = NOT_YET;
}

static int wait_now(operation *o)
{
    o->result = o->deadline == COIR_FOREVER ? coir_wait_for(&o->wait) : coir_wait_for_until(&o->wait, o->deadline);
    o->when = coir_now();
    return o->result;
}

static void *do_wait(void *arg)
{
    wait_now(arg);
    return NULL;
}

static void wait_goes_on(operation *o)
{
    o->result = NOT_YET;
    o->task = spawn(do_wait, o);
    turn();
    ck_assert_int_eq(o->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_WAITING);
}

static void begin_wait(operation *o, int64_t deadline)
{
    prepare(o, deadline);
    wait_goes_on(o);
}

static void expect_result(operation *o, int result)
{
    ck_assert_int_eq(coir_await(o->task, NULL), COIR_OK);
    ck_assert_int_eq(o->result, result);
}

static void expect_to_wait_still(operation *o)
{
    turn();
    ck_assert_int_eq(o->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_WAITING);
}

/* ---- may one wait? ---- */

static int asked[4];

static void ask(void *number)
{
    asked[T_NUMBER(number)] = coir_may_wait();
}

static void *ask_in_a_fiber(void *number)
{
    ask(number);
    return NULL;
}

START_TEST(outside_of_tasks_nobody_may_wait)
{
    coir_wait w = {0};
    coir_fiber *f = t_create(ask_in_a_fiber, T_VALUE(0));
    ck_assert_int_eq(coir_may_wait(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_wait_for(&w), COIR_ENOTTASK);
    ck_assert_int_eq(coir_wait_for_until(&w, 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_wait_for(NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_wait_for_until(NULL, COIR_FOREVER), COIR_ENOTTASK);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(asked[0], COIR_ENOTTASK);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    begin();
    ck_assert_int_eq(coir_exec_post(executor, ask, T_VALUE(1)), COIR_OK);
    finish();
    ck_assert_int_eq(asked[1], COIR_ENOTTASK);
}
END_TEST

static int asking_generator(coir_gen *g, void *number)
{
    (void)g;
    ask(number);
    return 0;
}

static void *may_wait_everywhere(void *arg)
{
    coir_fiber *f = t_create(ask_in_a_fiber, T_VALUE(1));
    coir_gen *g;
    ask(T_VALUE(0));
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_int_eq(coir_gen_create(&g, 1, asking_generator, T_VALUE(2), NULL), COIR_OK);
    ck_assert_int_eq(coir_gen_next(g, NULL), 0);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    return arg;
}

START_TEST(a_task_and_what_runs_in_it_may_wait)
{
    begin();
    asked[0] = asked[1] = asked[2] = NOT_YET;
    in_a_task(may_wait_everywhere, NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(asked[i], COIR_OK);
    finish();
}
END_TEST

static void *ask_when_cancelled(void *arg)
{
    coir_fiber *f = t_create(ask_in_a_fiber, T_VALUE(1));
    cancel_self();
    ask(T_VALUE(0));
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_int_eq(coir_task_shield(1), 0);
    ask(T_VALUE(2));
    ck_assert_int_eq(coir_task_shield(0), 1);
    ask(T_VALUE(3));
    return arg;
}

START_TEST(a_cancelled_task_may_not_wait_but_under_a_shield)
{
    begin();
    in_a_task(ask_when_cancelled, NULL);
    ck_assert_int_eq(asked[0], COIR_ECANCELED);
    ck_assert_int_eq(asked[1], COIR_ECANCELED);
    ck_assert_int_eq(asked[2], COIR_OK);
    ck_assert_int_eq(asked[3], COIR_ECANCELED);
    finish();
}
END_TEST

static coir_wait ended_already;

static void wait_when_ending(void *number)
{
    ask(number);
    ck_assert_int_eq(coir_wait_for(&ended_already), COIR_ECANCELED);
    ck_assert_int_eq(coir_wait_for_until(NULL, 0), COIR_ECANCELED);
}

static void *defer_asking(void *number)
{
    ck_assert_int_eq(coir_defer(wait_when_ending, number), COIR_OK);
    return NULL;
}

static void *defer_asking_in_a_fiber(void *number)
{
    coir_fiber *f = t_create(defer_asking, number);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ask(T_VALUE(2)); /* the task itself is not ending */
    return NULL;
}

START_TEST(a_fiber_that_is_ending_may_not_wait)
{
    begin();
    asked[0] = asked[1] = asked[2] = NOT_YET;
    end(&ended_already, 5);
    in_a_task(defer_asking, T_VALUE(0));
    in_a_task(defer_asking_in_a_fiber, T_VALUE(1));
    ck_assert_int_eq(asked[0], COIR_ECANCELED);
    ck_assert_int_eq(asked[1], COIR_ECANCELED);
    ck_assert_int_eq(asked[2], COIR_OK);
    finish();
}
END_TEST

static void *wait_with_null(void *arg)
{
    ck_assert_int_eq(coir_wait_for(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_wait_for_until(NULL, COIR_FOREVER), COIR_EINVAL);
    ck_assert_int_eq(coir_wait_for_until(NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_wait_end(NULL, 0), COIR_EINVAL);
    cancel_self();
    ck_assert_int_eq(coir_wait_for(NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_wait_for_until(NULL, 0), COIR_ECANCELED);
    return arg;
}

START_TEST(null_is_no_wait)
{
    begin();
    ck_assert_int_eq(coir_wait_end(NULL, 0), COIR_EINVAL);
    in_a_task(wait_with_null, NULL);
    finish();
}
END_TEST

/* ---- ends ---- */

START_TEST(a_wait_lasts_until_it_is_ended_and_returns_any_code)
{
    static const int codes[] = {0, 1, -1, 77, INT_MAX, INT_MIN, COIR_ETIMEDOUT, COIR_ECANCELED, COIR_EBUSY};
    operation o;
    begin();
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        begin_wait(&o, COIR_FOREVER);
        run_until(coir_exec_now(executor) + COIR_SECOND);
        ck_assert_int_eq(o.result, NOT_YET);
        end(&o.wait, codes[i]);
        ck_assert_int_eq(coir_task_state(o.task), COIR_TASK_READY);
        expect_result(&o, codes[i]);
    }
    finish();
}
END_TEST

static void *end_and_wait(void *arg)
{
    operation o;
    start(note_and_return, "later ");
    prepare(&o, COIR_FOREVER);
    end(&o.wait, 5);
    ck_assert_int_eq(wait_now(&o), 5);
    o.deadline = 0;
    end(&o.wait, 6);
    ck_assert_int_eq(wait_now(&o), 6); /* the deadline has passed, but it is there */
    o.deadline = INT64_MIN;
    end(&o.wait, 0);
    ck_assert_int_eq(wait_now(&o), 0);
    event("first ");
    return arg;
}

START_TEST(a_wait_that_was_ended_before_returns_at_once)
{
    begin();
    in_a_task(end_and_wait, NULL);
    finish();
    ck_assert_str_eq(events, "first later ");
}
END_TEST

START_TEST(of_two_ends_before_a_wait_the_first_stands)
{
    operation o;
    begin();
    prepare(&o, COIR_FOREVER);
    end(&o.wait, 1);
    ck_assert_int_eq(coir_wait_end(&o.wait, 2), COIR_EBUSY);
    ck_assert_int_eq(coir_wait_end(&o.wait, 1), COIR_EBUSY);
    o.task = spawn(do_wait, &o);
    expect_result(&o, 1);
    wait_goes_on(&o); /* the others left nothing */
    end(&o.wait, 3);
    expect_result(&o, 3);
    finish();
}
END_TEST

START_TEST(an_end_after_a_wait_is_for_the_next)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    end(&o.wait, 1);
    expect_result(&o, 1);
    end(&o.wait, 2);
    ck_assert_int_eq(coir_wait_end(&o.wait, 3), COIR_EBUSY);
    o.task = spawn(do_wait, &o);
    expect_result(&o, 2);
    wait_goes_on(&o);
    end(&o.wait, 4);
    expect_result(&o, 4);
    finish();
}
END_TEST

START_TEST(a_second_end_of_a_wait_is_for_the_next)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    end(&o.wait, 1);
    end(&o.wait, 2); /* the task is ready, and waits no more */
    ck_assert_int_eq(coir_wait_end(&o.wait, 3), COIR_EBUSY);
    expect_result(&o, 1);
    o.task = spawn(do_wait, &o);
    expect_result(&o, 2);
    wait_goes_on(&o);
    end(&o.wait, 4);
    expect_result(&o, 4);
    finish();
}
END_TEST

static void *wait_again_and_again(void *arg)
{
    coir_wait *w = arg;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(coir_wait_for_until(w, i % 2 == 0 ? COIR_FOREVER : coir_now() + COIR_SECOND), i);
    return arg;
}

START_TEST(one_wait_serves_many_times)
{
    coir_wait w = {.what = "counts"};
    begin();
    coir_task *t = spawn(wait_again_and_again, &w);
    for (int i = 0; i < 1000; i++) {
        if (i % 3 != 0)
            turn();
        end(&w, i);
        turn();
    }
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    finish();
}
END_TEST

static void *note_after_wait(void *arg)
{
    operation *o = arg;
    wait_now(o);
    ck_assert_uint_lt(strlen(events), 100);
    event(o->result == 1 ? "1" : o->result == 2 ? "2" : "3");
    return NULL;
}

START_TEST(tasks_go_on_in_the_order_in_which_their_waits_were_ended)
{
    operation o[3];
    begin();
    for (int i = 0; i < 3; i++) {
        prepare(&o[i], COIR_FOREVER);
        start(note_after_wait, &o[i]);
    }
    turn();
    end(&o[2].wait, 3);
    start(note_and_return, "new");
    end(&o[0].wait, 1);
    end(&o[1].wait, 2);
    finish();
    ck_assert_str_eq(events, "3new12");
}
END_TEST

static void *end_from_a_task(void *arg)
{
    operation *o = arg;
    end(&o->wait, 8);
    ck_assert_int_eq(o->result, NOT_YET); /* it is put in the queue, and not run */
    return NULL;
}

START_TEST(a_task_may_end_the_wait_of_another)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    in_a_task(end_from_a_task, &o);
    expect_result(&o, 8);
    finish();
}
END_TEST

static void end_in_a_post(void *arg)
{
    end(&((operation *)arg)->wait, 9);
    ck_assert_int_eq(coir_exec_release(executor), COIR_OK);
}

static void *post_the_end(void *arg)
{
    ck_assert_int_eq(coir_exec_post(executor, end_in_a_post, arg), COIR_OK);
    return NULL;
}

START_TEST(another_thread_posts_what_ends_a_wait)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
    t_thread *thread = t_thread_start(post_the_end, &o);
    expect_result(&o, 9);
    t_thread_join(thread);
    finish();
}
END_TEST

static void *try_to_end(void *wait)
{
    return T_VALUE(-coir_wait_end(wait, 1));
}

START_TEST(another_thread_cannot_end_a_wait)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    ck_assert_int_eq(-T_NUMBER(t_on_thread(try_to_end, &o.wait)), COIR_ETHREAD);
    expect_to_wait_still(&o);
    end(&o.wait, 2);
    expect_result(&o, 2);
    finish();
}
END_TEST

/* In a task of another executor of this thread. */
static void *end_another_executors_wait(void *arg)
{
    operation *o = arg, second;
    prepare(&second, COIR_FOREVER);
    ck_assert_int_eq(coir_wait_for(&o->wait), COIR_EBUSY);
    end(&o->wait, 4);
    return NULL;
}

START_TEST(executors_of_one_thread_may_end_each_others_waits)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    coir_exec *outer = executor;
    executor = make_executor(0);
    start(end_another_executors_wait, &o);
    finish();
    executor = outer;
    expect_result(&o, 4);
    finish();
}
END_TEST

START_TEST(a_wake_is_not_an_end)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    ck_assert_int_eq(coir_task_wake(o.task), COIR_OK);
    expect_to_wait_still(&o);
    end(&o.wait, 1);
    expect_result(&o, 1);
    finish();
}
END_TEST

/* ---- one task at a time ---- */

static void *wait_with_one_that_is_taken(void *arg)
{
    operation *o = arg;
    ck_assert_int_eq(coir_wait_for(&o->wait), COIR_EBUSY);
    ck_assert_int_eq(coir_wait_for_until(&o->wait, coir_now() + COIR_SECOND), COIR_EBUSY);
    ck_assert_int_eq(coir_wait_for_until(&o->wait, 0), COIR_EBUSY);
    cancel_self();
    ck_assert_int_eq(coir_wait_for(&o->wait), COIR_ECANCELED);
    return NULL;
}

START_TEST(a_second_task_cannot_wait_with_the_same)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    in_a_task(wait_with_one_that_is_taken, &o);
    expect_to_wait_still(&o);
    end(&o.wait, 1);
    expect_result(&o, 1);
    finish();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_deadline_ends_a_wait)
{
    operation o;
    begin();
    begin_wait(&o, 100);
    expect_result(&o, COIR_ETIMEDOUT);
    ck_assert_int_eq(o.when, 100);
    o.deadline = 200;
    wait_goes_on(&o); /* nothing is left of it */
    expect_result(&o, COIR_ETIMEDOUT);
    ck_assert_int_eq(o.when, 200);
    finish();
}
END_TEST

START_TEST(a_wait_that_is_ended_before_its_deadline_forgets_it)
{
    operation o;
    begin();
    begin_wait(&o, 100);
    run_until(99);
    end(&o.wait, 1);
    run_until(101);
    expect_result(&o, 1);
    ck_assert_int_eq(o.when, 99);
    o.deadline = COIR_FOREVER;
    wait_goes_on(&o);
    run_until(1000);
    expect_to_wait_still(&o);
    end(&o.wait, 2);
    expect_result(&o, 2);
    finish();
}
END_TEST

static void *wait_until_the_past(void *arg)
{
    static const int64_t past[] = {0, 50, -1, INT64_MIN};
    operation *o = arg;
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
        o->deadline = past[i];
        start(note_and_return, "a");
        start(note_and_return, "b");
        ck_assert_int_eq(wait_now(o), COIR_ETIMEDOUT);
        ck_assert_int_eq(o->when, 50);
        event("-");
    }
    return NULL;
}

START_TEST(a_deadline_that_has_passed_comes_after_the_others_turn)
{
    operation o;
    begin();
    prepare(&o, 0);
    run_until(50);
    in_a_task(wait_until_the_past, &o);
    ck_assert_str_eq(events, "ab-ab-ab-ab-");
    finish();
}
END_TEST

static void *spawn_the_end_and_wait(void *arg)
{
    operation *o = arg;
    start(end_from_a_task, o);
    return do_wait(o);
}

START_TEST(what_ends_in_the_others_turn_is_before_a_deadline_that_has_passed)
{
    operation o;
    begin();
    prepare(&o, 0);
    in_a_task(spawn_the_end_and_wait, &o);
    ck_assert_int_eq(o.result, 8);
    finish();
}
END_TEST

START_TEST(a_deadline_far_away_does_not_come)
{
    operation o;
    begin();
    begin_wait(&o, INT64_MAX - 1);
    run_until(1000000 * COIR_SECOND);
    expect_to_wait_still(&o);
    end(&o.wait, 1);
    expect_result(&o, 1);
    finish();
}
END_TEST

/* ---- cancellation ---- */

START_TEST(a_cancel_ends_a_wait)
{
    operation o;
    begin();
    begin_wait(&o, 1000);
    cancel(o.task);
    expect_result(&o, COIR_ECANCELED);
    ck_assert_int_eq(o.when, 0);
    end(&o.wait, 1); /* comes too late for that one, and is for the next */
    o.task = spawn(do_wait, &o);
    expect_result(&o, 1);
    finish();
}
END_TEST

START_TEST(the_cancel_of_all_tasks_ends_waits)
{
    operation plain, asked_first;
    begin();
    begin_wait(&plain, COIR_FOREVER);
    prepare(&asked_first, COIR_FOREVER);
    asked_first.wait.give_up = give_up;
    asked_first.answer = 3;
    wait_goes_on(&asked_first);
    ck_assert_int_eq(coir_exec_cancel(executor), COIR_OK);
    expect_result(&plain, COIR_ECANCELED);
    expect_result(&asked_first, 3);
    ck_assert_int_eq(asked_first.code, COIR_ECANCELED);
    finish();
}
END_TEST

static void *wait_when_cancelled(void *arg)
{
    operation *o = arg;
    o->wait.give_up = give_up;
    cancel_self();
    end(&o->wait, 5);
    ck_assert_int_eq(wait_now(o), COIR_ECANCELED);
    o->deadline = 0;
    ck_assert_int_eq(wait_now(o), COIR_ECANCELED);
    ck_assert_int_eq(o->given_up, 0); /* it had not begun */
    coir_task_shield(1);
    ck_assert_int_eq(wait_now(o), 5); /* nor was the end used up */
    o->answer = 6;
    ck_assert_int_eq(wait_now(o), 6);
    ck_assert_int_eq(o->code, COIR_ETIMEDOUT);
    coir_task_shield(0);
    return NULL;
}

START_TEST(a_cancelled_task_does_not_begin_to_wait)
{
    operation o;
    begin();
    prepare(&o, COIR_FOREVER);
    in_a_task(wait_when_cancelled, &o);
    ck_assert_int_eq(o.given_up, 1);
    finish();
}
END_TEST

static void *wait_under_a_shield(void *arg)
{
    operation *o = arg;
    coir_task_shield(1);
    wait_now(o);
    coir_task_shield(0);
    ck_assert_int_eq(coir_may_wait(), COIR_ECANCELED);
    return NULL;
}

START_TEST(under_a_shield_a_wait_goes_on)
{
    operation o;
    begin();
    prepare(&o, COIR_FOREVER);
    o.wait.give_up = give_up;
    o.answer = 1;
    o.task = spawn(wait_under_a_shield, &o);
    turn();
    cancel(o.task);
    expect_to_wait_still(&o);
    ck_assert_int_eq(o.given_up, 0);
    end(&o.wait, 7);
    expect_result(&o, 7);
    finish();
}
END_TEST

static void *wait_twice(void *arg)
{
    operation *o = arg;
    wait_now(o);
    end(&o->wait, 6);
    ck_assert_int_eq(coir_wait_for(&o->wait), COIR_ECANCELED);
    return NULL;
}

START_TEST(a_wait_that_was_ended_before_the_cancel_returns_its_code)
{
    operation o;
    begin();
    prepare(&o, COIR_FOREVER);
    o.wait.give_up = give_up;
    o.task = spawn(wait_twice, &o);
    turn();
    end(&o.wait, 5);
    cancel(o.task);
    expect_result(&o, 5);
    ck_assert_int_eq(o.given_up, 0);
    finish();
}
END_TEST

/* ---- giving up ---- */

static void begin_wait_with_give_up(operation *o, int64_t deadline, int answer)
{
    prepare(o, deadline);
    o->wait.give_up = give_up;
    o->answer = answer;
    wait_goes_on(o);
}

START_TEST(give_up_may_end_the_wait_at_its_deadline)
{
    operation o;
    begin();
    begin_wait_with_give_up(&o, 100, 3);
    expect_result(&o, 3);
    ck_assert_int_eq(o.when, 100);
    ck_assert_int_eq(o.given_up, 1);
    ck_assert_int_eq(o.given_up_when, 100);
    ck_assert_int_eq(o.code, COIR_ETIMEDOUT);
    ck_assert_ptr_null(o.by);
    finish();
}
END_TEST

START_TEST(what_give_up_has_not_ended_goes_on_after_the_deadline)
{
    operation o;
    begin();
    begin_wait_with_give_up(&o, 100, NOT_YET);
    run_until(500);
    ck_assert_int_eq(o.given_up, 1);
    ck_assert_int_eq(o.code, COIR_ETIMEDOUT);
    expect_to_wait_still(&o);
    end(&o.wait, COIR_OK);
    expect_result(&o, COIR_OK);
    ck_assert_int_eq(o.when, 500);
    ck_assert_int_eq(o.given_up, 1);
    finish();
}
END_TEST

static void *cancel_then(void *arg)
{
    operation *o = arg;
    cancel(o->task);
    ck_assert_int_eq(o->given_up, 1); /* within the call */
    ck_assert_ptr_eq(o->by, coir_task_self());
    return NULL;
}

START_TEST(give_up_may_end_the_wait_of_a_cancelled_task)
{
    operation o;
    begin();
    begin_wait_with_give_up(&o, COIR_FOREVER, COIR_ECANCELED);
    in_a_task(cancel_then, &o);
    expect_result(&o, COIR_ECANCELED);
    ck_assert_int_eq(o.given_up, 1);
    ck_assert_int_eq(o.code, COIR_ECANCELED);
    finish();
}
END_TEST

START_TEST(what_give_up_has_not_ended_goes_on_after_a_cancel)
{
    operation o;
    begin();
    prepare(&o, COIR_FOREVER);
    o.wait.give_up = give_up;
    o.task = spawn(wait_twice, &o);
    turn();
    cancel(o.task);
    ck_assert_int_eq(o.given_up, 1);
    expect_to_wait_still(&o);
    end(&o.wait, 12);
    expect_result(&o, 12);
    ck_assert_int_eq(o.given_up, 1);
    finish();
}
END_TEST

START_TEST(give_up_is_called_once_in_a_wait)
{
    operation o;
    begin();
    begin_wait_with_give_up(&o, 100, NOT_YET); /* the deadline, then cancels */
    run_until(100);
    cancel(o.task);
    cancel(o.task);
    ck_assert_int_eq(o.given_up, 1);
    ck_assert_int_eq(o.code, COIR_ETIMEDOUT);
    expect_to_wait_still(&o);
    end(&o.wait, 1);
    expect_result(&o, 1);
    begin_wait_with_give_up(&o, 200, NOT_YET); /* a cancel, then the deadline */
    cancel(o.task);
    run_until(300);
    cancel(o.task);
    ck_assert_int_eq(o.given_up, 1);
    ck_assert_int_eq(o.code, COIR_ECANCELED);
    expect_to_wait_still(&o);
    end(&o.wait, 2);
    expect_result(&o, 2);
    finish();
}
END_TEST

START_TEST(each_wait_is_given_up_anew)
{
    operation o;
    begin();
    begin_wait_with_give_up(&o, 100, 1);
    expect_result(&o, 1);
    for (int i = 2; i < 10; i++) {
        o.deadline = 100 * i;
        o.answer = i;
        wait_goes_on(&o);
        expect_result(&o, i);
        ck_assert_int_eq(o.given_up, i);
    }
    o.answer = NOT_YET;
    o.deadline = 2000;
    wait_goes_on(&o);
    run_until(2000);
    ck_assert_int_eq(o.given_up, 10);
    end(&o.wait, 0);
    expect_result(&o, 0);
    finish();
}
END_TEST

START_TEST(give_up_is_not_called_when_a_wait_ends_by_itself)
{
    operation o;
    begin();
    begin_wait_with_give_up(&o, 100, 3);
    end(&o.wait, 1);
    expect_result(&o, 1);
    run_until(200);
    end(&o.wait, 2); /* before the wait, whose deadline has passed */
    o.task = spawn(do_wait, &o);
    expect_result(&o, 2);
    ck_assert_int_eq(o.given_up, 0);
    finish();
}
END_TEST

START_TEST(a_deadline_that_has_passed_is_given_up_too)
{
    operation o;
    begin();
    run_until(50);
    prepare(&o, 50);
    o.wait.give_up = give_up;
    o.task = spawn(do_wait, &o);
    turn();
    turn();
    ck_assert_int_eq(o.given_up, 1);
    ck_assert_int_eq(o.code, COIR_ETIMEDOUT);
    ck_assert_int_eq(o.result, NOT_YET);
    end(&o.wait, 5);
    expect_result(&o, 5);
    o.answer = 6;
    o.task = spawn(do_wait, &o);
    expect_result(&o, 6);
    ck_assert_int_eq(o.given_up, 2);
    finish();
}
END_TEST

static void do_all_but_wait(coir_wait *w, int code)
{
    (void)code;
    end(w, 1);
    ck_assert_int_eq(coir_may_wait(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_wait_for(w), COIR_ENOTTASK);
    start(note_and_return, "spawned");
}

START_TEST(give_up_may_do_all_but_wait)
{
    operation o;
    begin();
    prepare(&o, 100);
    o.wait.give_up = do_all_but_wait;
    wait_goes_on(&o);
    expect_result(&o, 1);
    finish();
    ck_assert_str_eq(events, "spawned");
}
END_TEST

static operation chained;

static void cancel_the_next(coir_wait *w, int code)
{
    cancel(chained.task);
    end(w, code);
}

START_TEST(give_up_may_cancel_another_task)
{
    operation o;
    begin();
    begin_wait_with_give_up(&chained, COIR_FOREVER, COIR_ECANCELED);
    prepare(&o, COIR_FOREVER);
    o.wait.give_up = cancel_the_next;
    wait_goes_on(&o);
    cancel(o.task);
    expect_result(&chained, COIR_ECANCELED);
    expect_result(&o, COIR_ECANCELED);
    ck_assert_int_eq(chained.given_up, 1);
    finish();
}
END_TEST

/* ---- other fibers in a task ---- */

static int wait_and_hand_out(coir_gen *g, void *arg)
{
    operation *o = arg;
    int item;
    for (int i = 0; i < 3; i++) {
        item = wait_now(o);
        ck_assert_int_eq(coir_gen_yield(g, &item), COIR_OK);
    }
    return 0;
}

static coir_gen *waiting_generator;

static void *take_all(void *arg)
{
    int item;
    ck_assert_int_eq(coir_gen_create(&waiting_generator, sizeof item, wait_and_hand_out, arg, NULL), COIR_OK);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(coir_gen_next(waiting_generator, &item), 1);
        ck_assert_int_eq(item, i == 3 ? COIR_ECANCELED : i);
    }
    ck_assert_int_eq(coir_gen_destroy(waiting_generator), COIR_OK);
    return NULL;
}

START_TEST(a_generator_waits_for_its_task)
{
    operation o;
    begin();
    prepare(&o, COIR_FOREVER);
    coir_task *t = spawn(take_all, &o);
    for (int i = 1; i <= 2; i++) {
        turn();
        ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
        ck_assert_int_eq(coir_gen_next(waiting_generator, NULL), COIR_EBUSY);
        end(&o.wait, i);
    }
    turn();
    cancel(t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(o.given_up, 0);
    finish();
}
END_TEST

static coir_fiber *inner;

static void *wait_in_a_fiber(void *arg)
{
    wait_now(arg);
    coir_yield(NULL, NULL);
    wait_now(arg);
    return NULL;
}

static void *resume_one_that_waits(void *arg)
{
    operation *o = arg;
    inner = t_create(wait_in_a_fiber, o);
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(o->result, 1);
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(o->result, 2);
    ck_assert_int_eq(coir_destroy(inner), COIR_OK);
    return NULL;
}

START_TEST(a_fiber_that_a_task_has_resumed_waits_for_it)
{
    operation o;
    begin();
    prepare(&o, COIR_FOREVER);
    coir_task *t = spawn(resume_one_that_waits, &o);
    for (int i = 1; i <= 2; i++) {
        turn();
        ck_assert_int_eq(coir_fiber_state(inner), COIR_STATE_WAITING);
        ck_assert_int_eq(coir_fiber_state(coir_task_fiber(t)), COIR_STATE_RESUMING);
        ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_EBUSY);
        ck_assert_int_eq(coir_destroy(inner), COIR_EBUSY);
        end(&o.wait, i);
    }
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    finish();
}
END_TEST

/* ---- deadlocks ---- */

START_TEST(the_report_of_a_deadlock_tells_what_each_does)
{
    operation named, unnamed;
    begin();
    begin_wait(&unnamed, COIR_FOREVER);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_ptr_nonnull(strstr(reported, "waits"));
    reported[0] = '\0';
    prepare(&named, COIR_FOREVER);
    named.wait.what = "reads from a socket";
    wait_goes_on(&named);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_ptr_nonnull(strstr(reported, "reads from a socket"));
    end(&named.wait, 1); /* the tasks are as they were */
    end(&unnamed.wait, 2);
    expect_result(&named, 1);
    expect_result(&unnamed, 2);
    finish();
}
END_TEST

START_TEST(a_deadline_is_no_deadlock_before_it_has_come)
{
    operation o;
    begin();
    begin_wait_with_give_up(&o, 100, NOT_YET);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_int_eq(o.given_up, 1);
    end(&o.wait, 1);
    expect_result(&o, 1);
    finish();
}
END_TEST

START_TEST(an_executor_with_a_task_that_waits_cannot_be_destroyed)
{
    operation o;
    begin();
    begin_wait(&o, COIR_FOREVER);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_EBUSY);
    end(&o.wait, 1);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_EBUSY);
    expect_result(&o, 1);
    finish();
}
END_TEST

/* ---- at random ---- */

enum { OPERATIONS = 12 };

/* What should come of each operation, as far as its events tell that have happened. */
typedef struct {
    operation o;
    int expected;
    bool with_give_up;
} drawn;

static drawn all[OPERATIONS];

static void draw(drawn *d)
{
    int64_t deadline = random_below(2) == 0 ? COIR_FOREVER : coir_exec_now(executor) + 1 + random_below(40);
    prepare(&d->o, deadline);
    d->expected = NOT_YET;
    d->with_give_up = random_below(2) == 0;
    d->o.wait.give_up = d->with_give_up ? give_up : NULL;
    d->o.answer = random_below(2) == 0 ? 1000 : NOT_YET;
    d->o.task = spawn(do_wait, &d->o);
}

/* The deadline has come, or a cancel. */
static void expect_given_up(drawn *d, int code)
{
    if (d->expected == NOT_YET && (!d->with_give_up || d->o.answer != NOT_YET))
        d->expected = d->with_give_up ? d->o.answer : code;
}

static void do_something_to(drawn *d)
{
    if (random_below(3) == 0) {
        cancel(d->o.task);
        expect_given_up(d, COIR_ECANCELED);
    } else if (d->expected == NOT_YET) {
        d->expected = random_below(100);
        end(&d->o.wait, d->expected);
    }
}

static void expect_and_draw_again(drawn *d)
{
    if (d->expected == NOT_YET) {
        ck_assert_int_eq(d->o.result, NOT_YET);
        return;
    }
    ck_assert_int_eq(coir_await(d->o.task, NULL), COIR_OK);
    ck_assert_int_eq(d->o.result, d->expected);
    ck_assert_int_le(d->o.given_up, 1);
    draw(d);
}

static void let_time_pass(int64_t when)
{
    run_until(when);
    turn();
    for (int i = 0; i < OPERATIONS; i++)
        if (all[i].o.deadline <= when)
            expect_given_up(&all[i], COIR_ETIMEDOUT);
}

static void end_all(void)
{
    for (int i = 0; i < OPERATIONS; i++) {
        if (all[i].expected == NOT_YET)
            end(&all[i].o.wait, all[i].expected = 5);
        ck_assert_int_eq(coir_await(all[i].o.task, NULL), COIR_OK);
        ck_assert_int_eq(all[i].o.result, all[i].expected);
    }
}

static void try_random_events(uint64_t seed)
{
    executor = make_executor(seed);
    random_state = (uint32_t)seed;
    for (int i = 0; i < OPERATIONS; i++)
        draw(&all[i]);
    turn();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++)
            do_something_to(&all[random_below(OPERATIONS)]);
        let_time_pass(coir_exec_now(executor) + 1 + random_below(10));
        for (int i = 0; i < OPERATIONS; i++)
            expect_and_draw_again(&all[i]);
        turn(); /* so that all wait again */
    }
    end_all();
    finish();
}

START_TEST(whatever_comes_first_is_the_result)
{
    for (uint64_t seed = 1; seed <= seeds() / 5; seed++)
        try_random_events(seed);
}
END_TEST

/* ---- the poller and holds ---- */

static int poll_nothing(void *context, int64_t deadline)
{
    (void)context;
    (void)deadline;
    return COIR_OK;
}

static void wake_nobody(void *context)
{
    (void)context;
}

static int is_not_active(void *context)
{
    (void)context;
    return 0;
}

static void *ask_for_the_poller(void *e)
{
    const coir_poller *p = coir_exec_poller(e);
    return T_VALUE(p != NULL && p->wait == poll_nothing);
}

START_TEST(an_executor_tells_its_copy_of_its_poller)
{
    static int context;
    coir_poller poller = {poll_nothing, wake_nobody, is_not_active, &context};
    const coir_exec_options opt = {.poller = &poller};
    ck_assert_int_eq(coir_exec_create(&executor, &opt), COIR_OK);
    memset(&poller, 0, sizeof poller);
    const coir_poller *copy = coir_exec_poller(executor);
    ck_assert_ptr_nonnull(copy);
    ck_assert_ptr_ne(copy, &poller);
    ck_assert(copy->wait == poll_nothing && copy->wake == wake_nobody && copy->active == is_not_active);
    ck_assert_ptr_eq(copy->context, &context);
    start(note_and_return, "a");
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_ptr_eq(coir_exec_poller(executor), copy);
    ck_assert_int_eq(T_NUMBER(t_on_thread(ask_for_the_poller, executor)), 1);
    finish();
}
END_TEST

START_TEST(an_executor_without_a_poller_has_none)
{
    begin();
    ck_assert_ptr_null(coir_exec_poller(executor));
    ck_assert_ptr_null(coir_exec_poller(NULL));
    finish();
}
END_TEST

static void *ask_for_holds(void *e)
{
    return T_VALUE(-coir_exec_holds(e));
}

START_TEST(holds_are_counted)
{
    begin();
    ck_assert_int_eq(coir_exec_holds(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_holds(executor), 0);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
        ck_assert_int_eq(coir_exec_holds(executor), i);
    }
    ck_assert_int_eq(-T_NUMBER(t_on_thread(ask_for_holds, executor)), COIR_ETHREAD);
    for (int i = 2; i >= 0; i--) {
        ck_assert_int_eq(coir_exec_release(executor), COIR_OK);
        ck_assert_int_eq(coir_exec_holds(executor), i);
    }
    ck_assert_int_eq(coir_exec_release(executor), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_holds(executor), 0);
    finish();
}
END_TEST

/* ---- memory ---- */

static size_t allocated, released, calls;
static bool has_none;

static void *allocate_counted(size_t size, void *context)
{
    ck_assert_ptr_eq(context, &has_none);
    calls++;
    if (has_none)
        return NULL;
    allocated += size;
    return malloc(size);
}

static void release_counted(void *memory, size_t size, void *context)
{
    ck_assert_ptr_eq(context, &has_none);
    ck_assert_ptr_nonnull(memory);
    calls++;
    released += size;
    free(memory);
}

static const coir_allocator counted = {.allocate = allocate_counted, .release = release_counted, .context = &has_none};

START_TEST(memory_comes_from_malloc)
{
    char *small = coir_allocate(1), *large = coir_allocate(1000000);
    ck_assert_ptr_nonnull(small);
    ck_assert_ptr_nonnull(large);
    ck_assert_uint_eq((uintptr_t)large % _Alignof(max_align_t), 0);
    *small = 1;
    memset(large, 2, 1000000);
    coir_release(small, 1);
    coir_release(large, 1000000);
    coir_release(NULL, 0);
    coir_release(NULL, 100);
}
END_TEST

START_TEST(memory_comes_from_the_programs_own_allocator)
{
    ck_assert_int_eq(coir_set_allocator(&counted), COIR_OK);
    void *memory = coir_allocate(12345);
    ck_assert_ptr_nonnull(memory);
    ck_assert_uint_eq(allocated, 12345);
    memset(memory, 1, 12345);
    coir_release(memory, 12345);
    ck_assert_uint_eq(released, 12345);
    ck_assert_uint_eq(calls, 2);
    coir_release(NULL, 10);
    ck_assert_uint_eq(calls, 2);
}
END_TEST

START_TEST(there_may_be_no_memory)
{
    has_none = true;
    ck_assert_int_eq(coir_set_allocator(&counted), COIR_OK);
    ck_assert_ptr_null(coir_allocate(10));
    ck_assert_uint_eq(calls, 1);
    has_none = false;
    void *memory = coir_allocate(10);
    ck_assert_ptr_nonnull(memory);
    coir_release(memory, 10);
}
END_TEST

START_TEST(after_memory_was_allocated_the_allocator_stays)
{
    ck_assert_int_eq(coir_set_allocator(&counted), COIR_OK);
    ck_assert_int_eq(coir_set_allocator(NULL), COIR_OK);
    coir_release(NULL, 1);
    ck_assert_int_eq(coir_set_allocator(&counted), COIR_OK);
    void *memory = coir_allocate(10);
    ck_assert_int_eq(coir_set_allocator(&counted), COIR_EBUSY);
    ck_assert_int_eq(coir_set_allocator(NULL), COIR_EBUSY);
    coir_release(memory, 10);
    ck_assert_int_eq(coir_set_allocator(&counted), COIR_EBUSY);
    ck_assert_int_eq(coir_set_allocator(NULL), COIR_EBUSY);
    ck_assert_uint_eq(allocated, released);
}
END_TEST

static void *allocate_there(void *out)
{
    *(void **)out = coir_allocate(100);
    return NULL;
}

START_TEST(what_one_thread_has_allocated_another_may_release)
{
    void *memory = NULL;
    t_on_thread(allocate_there, &memory);
    ck_assert_ptr_nonnull(memory);
    memset(memory, 1, 100);
    coir_release(memory, 100);
}
END_TEST

T_MAIN(outside_of_tasks_nobody_may_wait, a_task_and_what_runs_in_it_may_wait,
       a_cancelled_task_may_not_wait_but_under_a_shield, a_fiber_that_is_ending_may_not_wait, null_is_no_wait,
       a_wait_lasts_until_it_is_ended_and_returns_any_code, a_wait_that_was_ended_before_returns_at_once,
       of_two_ends_before_a_wait_the_first_stands, an_end_after_a_wait_is_for_the_next,
       a_second_end_of_a_wait_is_for_the_next, one_wait_serves_many_times,
       tasks_go_on_in_the_order_in_which_their_waits_were_ended, a_task_may_end_the_wait_of_another,
       another_thread_posts_what_ends_a_wait, another_thread_cannot_end_a_wait,
       executors_of_one_thread_may_end_each_others_waits, a_wake_is_not_an_end, a_second_task_cannot_wait_with_the_same,
       a_deadline_ends_a_wait, a_wait_that_is_ended_before_its_deadline_forgets_it,
       a_deadline_that_has_passed_comes_after_the_others_turn,
       what_ends_in_the_others_turn_is_before_a_deadline_that_has_passed, a_deadline_far_away_does_not_come,
       a_cancel_ends_a_wait, the_cancel_of_all_tasks_ends_waits, a_cancelled_task_does_not_begin_to_wait,
       under_a_shield_a_wait_goes_on, a_wait_that_was_ended_before_the_cancel_returns_its_code,
       give_up_may_end_the_wait_at_its_deadline, what_give_up_has_not_ended_goes_on_after_the_deadline,
       give_up_may_end_the_wait_of_a_cancelled_task, what_give_up_has_not_ended_goes_on_after_a_cancel,
       give_up_is_called_once_in_a_wait, each_wait_is_given_up_anew,
       give_up_is_not_called_when_a_wait_ends_by_itself, a_deadline_that_has_passed_is_given_up_too,
       give_up_may_do_all_but_wait, give_up_may_cancel_another_task, a_generator_waits_for_its_task,
       a_fiber_that_a_task_has_resumed_waits_for_it, the_report_of_a_deadlock_tells_what_each_does,
       a_deadline_is_no_deadlock_before_it_has_come, an_executor_with_a_task_that_waits_cannot_be_destroyed,
       whatever_comes_first_is_the_result, an_executor_tells_its_copy_of_its_poller,
       an_executor_without_a_poller_has_none, holds_are_counted, memory_comes_from_malloc,
       memory_comes_from_the_programs_own_allocator, there_may_be_no_memory,
       after_memory_was_allocated_the_allocator_stays, what_one_thread_has_allocated_another_may_release)
