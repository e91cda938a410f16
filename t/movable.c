/* SPDX-License-Identifier: MIT */
/* Fibers that go on in other threads (COIR_MOVABLE), and thread-local variables in them (coir/tls.h). */

#include "t.h"

#include <errno.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- threads with numbers; the one that runs the case has 0 ---- */

COIR_THREAD_LOCAL(int, number);

static int here(void)
{
    return *COIR_THREAD_LOCAL_ADDRESS(number);
}

/* A thread that does what another asks of it, until it is told to end. */
struct host {
    int number;
    t_thread *thread;
    t_monitor *monitor;
    void *(*fn)(void *arg); /* NULL when there is nothing to do */
    void *arg;
    bool is_to_end;
};

static void *serve(void *arg)
{
    struct host *host = arg;

    *COIR_THREAD_LOCAL_ADDRESS(number) = host->number;
    t_monitor_enter(host->monitor);
    while (!host->is_to_end) {
        if (host->fn != NULL) {
            host->fn(host->arg);
            host->fn = NULL;
            t_monitor_wake(host->monitor);
        } else {
            t_monitor_wait(host->monitor);
        }
    }
    t_monitor_leave(host->monitor);
    return NULL;
}

static void start_host(struct host *host, int its_number)
{
    host->number = its_number;
    host->monitor = t_monitor_create();
    host->fn = NULL;
    host->is_to_end = false;
    host->thread = t_thread_start(serve, host);
}

static void end_host(struct host *host)
{
    t_monitor_enter(host->monitor);
    host->is_to_end = true;
    t_monitor_wake(host->monitor);
    t_monitor_leave(host->monitor);
    t_thread_join(host->thread);
    t_monitor_destroy(host->monitor);
}

/* Has it do fn(arg), and waits until that is done. */
static void ask(struct host *host, void *(*fn)(void *arg), void *arg)
{
    t_monitor_enter(host->monitor);
    host->fn = fn;
    host->arg = arg;
    t_monitor_wake(host->monitor);
    while (host->fn != NULL)
        t_monitor_wait(host->monitor);
    t_monitor_leave(host->monitor);
}

/* What it is asked mostly. Without a host the calling thread does it itself. */
struct request {
    coir_fiber *f;
    void *value;
    void *result;
    int code;
};

static void *do_resume(void *arg)
{
    struct request *r = arg;

    r->code = coir_resume(r->f, r->value, &r->result);
    return NULL;
}

static void *do_cancel(void *arg)
{
    struct request *r = arg;

    r->code = coir_cancel(r->f, &r->result);
    return NULL;
}

static void *do_destroy(void *arg)
{
    struct request *r = arg;

    r->code = coir_destroy(r->f);
    return NULL;
}

static int request(struct host *host, void *(*fn)(void *arg), coir_fiber *f, void *value, void **result)
{
    struct request r = {f, value, T_VALUE(-1), 0};

    if (host != NULL)
        ask(host, fn, &r);
    else
        fn(&r);
    if (result != NULL)
        *result = r.result;
    return r.code;
}

static int resume_on(struct host *host, coir_fiber *f, void *value, void **result)
{
    return request(host, do_resume, f, value, result);
}

static int cancel_on(struct host *host, coir_fiber *f, void **result)
{
    return request(host, do_cancel, f, NULL, result);
}

static int destroy_on(struct host *host, coir_fiber *f)
{
    return request(host, do_destroy, f, NULL, NULL);
}

static coir_fiber *create_movable(coir_fn *fn, void *arg)
{
    coir_options opt = {.flags = COIR_MOVABLE};
    coir_fiber *f = NULL;

    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    ck_assert_ptr_nonnull(f);
    return f;
}

/* In a host: makes one there. */
struct creation {
    coir_fn *fn;
    void *arg;
    coir_fiber *f;
};

static void *do_create(void *arg)
{
    struct creation *c = arg;

    c->f = create_movable(c->fn, c->arg);
    return NULL;
}

static coir_fiber *create_on(struct host *host, coir_fn *fn, void *arg)
{
    struct creation c = {fn, arg, NULL};

    ask(host, do_create, &c);
    return c.f;
}

static struct host a, b;

static void start_hosts(void)
{
    start_host(&a, 1);
    start_host(&b, 2);
}

static void end_hosts(void)
{
    end_host(&a);
    end_host(&b);
}

/* What happened, and in which thread: "word1 word0 ". */
static char events[128];

static void event(void *word)
{
    char text[16] = {'0', ' ', '\0'};

    text[0] = (char)('0' + here());
    strcat(events, word);
    strcat(events, text);
}

/* ---- from thread to thread ---- */

/* Yields where it is, and sees to it that it gets what its resumers send; ends with the sum of that. */
static void *tell_where(void *arg)
{
    coir_fiber *self = coir_self();
    int sum = T_NUMBER(arg);

    for (int i = 0; i < 4; i++) {
        void *value = NULL;
        ck_assert_int_eq(coir_yield(T_VALUE(here()), &value), COIR_OK);
        ck_assert_ptr_eq(coir_self(), self);
        ck_assert_int_eq(coir_fiber_state(self), COIR_STATE_RUNNING);
        sum += T_NUMBER(value);
    }
    return T_VALUE(sum);
}

START_TEST(a_movable_fiber_goes_on_in_the_thread_that_resumes_it)
{
    static struct host *const route[] = {&a, &b, NULL};
    coir_fiber *f;
    void *result;

    start_hosts();
    f = create_movable(tell_where, T_VALUE(1000));
    ck_assert_int_eq(resume_on(NULL, f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_SUSPENDED);
        ck_assert_int_eq(resume_on(route[i], f, T_VALUE(i + 1), &result), COIR_YIELDED);
        ck_assert_int_eq(T_NUMBER(result), (i + 1) % 3);
    }
    ck_assert_int_eq(resume_on(&b, f, T_VALUE(4), &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 1010);
    ck_assert_int_eq(resume_on(&a, f, NULL, NULL), COIR_EDEAD);
    ck_assert_int_eq(resume_on(NULL, f, NULL, NULL), COIR_EDEAD);
    ck_assert_int_eq(destroy_on(NULL, f), COIR_OK);
    end_hosts();
}
END_TEST

START_TEST(a_new_one_starts_in_the_thread_that_resumes_it_first)
{
    coir_fiber *f;
    void *result;

    start_hosts();
    f = create_movable(tell_where, NULL);
    ck_assert_int_eq(resume_on(&a, f, T_VALUE(1), NULL), COIR_EINVAL); /* there is no yield to receive it */
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    ck_assert_int_eq(resume_on(&b, f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), 2);
    ck_assert_int_eq(resume_on(NULL, f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), 0);
    ck_assert_int_eq(destroy_on(NULL, f), COIR_OK);
    end_hosts();
}
END_TEST

static void *resume_and_end(void *f)
{
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    return NULL;
}

START_TEST(a_thread_that_never_had_a_fiber_can_take_one_and_leave_it)
{
    coir_fiber *f = create_movable(tell_where, NULL);

    for (int i = 0; i < 4; i++)
        t_on_thread(resume_and_end, f);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}
END_TEST

static void *note_cancellation(void *arg)
{
    coir_defer(event, "deferred");
    event("started");
    if (coir_yield(NULL, NULL) == COIR_ECANCELED)
        event("cancelled");
    if (coir_yield(NULL, NULL) == COIR_ECANCELED)
        event("again");
    return arg;
}

START_TEST(cancel_works_from_any_thread)
{
    coir_fiber *f, *fresh;
    void *result;

    start_hosts();
    f = create_movable(note_cancellation, T_VALUE(5));
    fresh = create_movable(note_cancellation, T_VALUE(5));
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(cancel_on(&a, f, NULL), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&b, f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 5);
    ck_assert_int_eq(cancel_on(&b, fresh, &result), COIR_DONE); /* never ran */
    ck_assert_ptr_null(result);
    ck_assert_int_eq(coir_fiber_state(fresh), COIR_STATE_DONE);
    ck_assert_str_eq(events, "started0 cancelled1 again2 deferred2 ");
    coir_destroy(f);
    coir_destroy(fresh);
    end_hosts();
}
END_TEST

START_TEST(destroy_works_from_any_thread_and_ends_the_fiber_there)
{
    coir_fiber *suspended, *fresh, *moved;

    start_hosts();
    suspended = create_movable(note_cancellation, NULL);
    fresh = create_movable(note_cancellation, NULL);
    moved = create_on(&a, note_cancellation, NULL);
    coir_resume(suspended, NULL, NULL);
    ck_assert_int_eq(resume_on(&b, moved, NULL, NULL), COIR_YIELDED);
    ck_assert_str_eq(events, "started0 started2 ");
    events[0] = '\0';
    ck_assert_int_eq(destroy_on(&a, suspended), COIR_OK);
    ck_assert_int_eq(destroy_on(&a, fresh), COIR_OK);
    ck_assert_int_eq(destroy_on(NULL, moved), COIR_OK);
    ck_assert_str_eq(events, "deferred1 deferred0 ");
    end_hosts();
}
END_TEST

/* ---- coir_switch ---- */

static coir_fiber *target;

static void *switch_to_target(void *arg)
{
    void *value = NULL;

    event("before");
    ck_assert_int_eq(coir_switch(target, arg, &value), COIR_OK);
    event("after");
    coir_yield(value, NULL);
    return value;
}

static void *yield_what_comes(void *arg)
{
    void *value = NULL;

    (void)arg;
    event("first");
    coir_yield(NULL, &value);
    event("second");
    coir_yield(value, &value);
    return value;
}

START_TEST(switch_takes_a_fiber_from_any_thread_and_leaves_one_to_any)
{
    coir_fiber *f;
    void *result;

    start_hosts();
    target = create_on(&b, yield_what_comes, NULL);
    ck_assert_int_eq(resume_on(&b, target, NULL, NULL), COIR_YIELDED);
    f = create_movable(switch_to_target, T_VALUE(7));
    ck_assert_int_eq(resume_on(&a, f, NULL, &result), COIR_SWITCHED);
    ck_assert_int_eq(T_NUMBER(result), 7);
    ck_assert_int_eq(resume_on(&b, f, T_VALUE(8), &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), 8);
    ck_assert_int_eq(resume_on(NULL, target, T_VALUE(9), &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 9);
    ck_assert_str_eq(events, "first2 before1 second1 after2 ");
    coir_destroy(target);
    coir_destroy(f);
    end_hosts();
}
END_TEST

START_TEST(switch_starts_a_new_one_of_another_thread)
{
    coir_fiber *f;

    start_hosts();
    target = create_on(&b, yield_what_comes, NULL);
    f = create_movable(switch_to_target, NULL);
    ck_assert_int_eq(resume_on(&a, f, NULL, NULL), COIR_SWITCHED);
    ck_assert_str_eq(events, "before1 first1 ");
    ck_assert_int_eq(destroy_on(&b, target), COIR_OK);
    ck_assert_int_eq(destroy_on(&b, f), COIR_OK);
    end_hosts();
}
END_TEST

static void *fail_to_switch(void *arg)
{
    ck_assert_int_eq(coir_switch(arg, NULL, NULL), COIR_ETHREAD);
    return NULL;
}

/* ---- those that stay ---- */

static coir_fiber *pinned;

static void *yield_for_ever(void *arg)
{
    for (;;)
        coir_yield(arg, NULL);
    return NULL;
}

/* Its own fiber stays in the thread where it was made. */
static void *resume_a_pinned_one(void *arg)
{
    void *code = NULL;

    pinned = t_create(yield_for_ever, NULL);
    do
        coir_yield(T_VALUE(coir_resume(pinned, NULL, NULL)), &code);
    while (code == NULL);
    ck_assert_int_eq(coir_destroy(pinned), COIR_OK);
    return arg;
}

START_TEST(a_pinned_fiber_that_a_movable_one_made_stays_behind)
{
    coir_fiber *f, *switching;
    void *result;

    start_hosts();
    f = create_movable(resume_a_pinned_one, NULL);
    ck_assert_int_eq(resume_on(&a, f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&b, f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), COIR_ETHREAD);
    ck_assert_int_eq(resume_on(NULL, pinned, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(cancel_on(&b, pinned, NULL), COIR_ETHREAD);
    ck_assert_int_eq(destroy_on(&b, pinned), COIR_ETHREAD);
    switching = create_movable(fail_to_switch, pinned);
    ck_assert_int_eq(resume_on(&b, switching, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(resume_on(&a, f, NULL, &result), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(result), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&a, f, T_VALUE(1), NULL), COIR_DONE);
    coir_destroy(f);
    coir_destroy(switching);
    end_hosts();
}
END_TEST

/* What a fiber resumes itself goes where that fiber is, if it is movable too. */
static int count_up(coir_gen *g, void *arg)
{
    (void)arg;
    for (int i = 1;; i++)
        coir_gen_yield(g, &i);
    return 0;
}

static void *use_its_movable_ones(void *arg)
{
    coir_options opt = {.flags = COIR_MOVABLE};
    coir_fiber *own = create_movable(tell_where, NULL);
    coir_gen *numbers = NULL;

    ck_assert_int_eq(coir_gen_create(&numbers, sizeof(int), count_up, NULL, &opt), COIR_OK);
    for (int i = 1; i <= 4; i++) {
        void *where = NULL;
        int n = 0;
        ck_assert_int_eq(coir_resume(own, NULL, &where), COIR_YIELDED);
        ck_assert_int_eq(T_NUMBER(where), here());
        ck_assert_int_eq(coir_gen_next(numbers, &n), 1);
        ck_assert_int_eq(n, i);
        coir_yield(NULL, NULL);
    }
    ck_assert_int_eq(coir_gen_destroy(numbers), COIR_OK);
    ck_assert_int_eq(coir_destroy(own), COIR_OK);
    return arg;
}

START_TEST(what_a_fiber_resumes_goes_with_it_if_it_is_movable_too)
{
    static struct host *const route[] = {&a, NULL, &b, &a, &b};
    coir_fiber *f;

    start_hosts();
    f = create_movable(use_its_movable_ones, NULL);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(resume_on(route[i], f, NULL, NULL), i < 4 ? COIR_YIELDED : COIR_DONE);
    coir_destroy(f);
    end_hosts();
}
END_TEST

/* While it waits for a fiber that it has resumed it cannot move. */
static coir_fiber *waiting;

static void *have_others_try(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_fiber_state(waiting), COIR_STATE_RESUMING);
    ck_assert_int_eq(resume_on(&a, waiting, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(cancel_on(&a, waiting, NULL), COIR_ETHREAD);
    ck_assert_int_eq(destroy_on(&a, waiting), COIR_ETHREAD);
    ck_assert_int_eq(resume_on(&a, coir_self(), NULL, NULL), COIR_ETHREAD); /* as one that runs */
    ck_assert_int_eq(coir_resume(waiting, NULL, NULL), COIR_EBUSY);
    return NULL;
}

static void *resume_movable_inside(void *arg)
{
    coir_fiber *inner = create_movable(have_others_try, NULL);

    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_DONE);
    coir_destroy(inner);
    return arg;
}

START_TEST(one_that_runs_or_waits_for_another_belongs_to_its_thread)
{
    start_hosts();
    waiting = create_movable(resume_movable_inside, NULL);
    ck_assert_int_eq(coir_resume(waiting, NULL, NULL), COIR_DONE);
    coir_destroy(waiting);
    end_hosts();
}
END_TEST

/* ---- in tasks ---- */

static void *do_nothing(void *arg)
{
    return arg;
}

START_TEST(tasks_cannot_be_movable)
{
    coir_options opt = {.flags = COIR_MOVABLE};
    coir_task *t = T_VALUE(99);
    coir_exec *e = NULL;

    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(&t, e, do_nothing, NULL, &opt), COIR_ENOTSUP);
    ck_assert_ptr_eq(t, T_VALUE(99));
    ck_assert_int_eq((int)coir_exec_tasks(e), 0);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

/* A movable fiber in a task waits as the task does, which keeps it there; else it may leave. */
static coir_fiber *visitor;

static void *wait_and_yield(void *arg)
{
    event("waits");
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event("yields");
    coir_yield(NULL, NULL);
    event("outside");
    ck_assert_int_eq(coir_task_yield(), COIR_ENOTTASK);
    return arg;
}

static void *run_the_visitor(void *arg)
{
    ck_assert_int_eq(coir_resume(visitor, NULL, NULL), COIR_YIELDED);
    return arg;
}

START_TEST(a_movable_fiber_can_leave_a_task_but_not_while_it_waits_there)
{
    coir_exec *e = NULL;

    start_hosts();
    visitor = create_on(&a, wait_and_yield, NULL);
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, run_the_visitor, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_fiber_state(visitor), COIR_STATE_WAITING);
    ck_assert_int_eq(resume_on(&b, visitor, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(destroy_on(&b, visitor), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(resume_on(&b, visitor, NULL, NULL), COIR_DONE);
    ck_assert_str_eq(events, "waits0 yields0 outside2 ");
    coir_destroy(visitor);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    end_hosts();
}
END_TEST

/* ---- threads that end ---- */

static coir_fiber *left_new, *left_suspended, *left_moved;

static void *leave_fibers(void *arg)
{
    left_new = create_movable(note_cancellation, NULL);
    left_suspended = create_movable(note_cancellation, NULL);
    coir_resume(left_suspended, NULL, NULL);
    coir_resume(left_moved, NULL, NULL);
    return arg;
}

START_TEST(fibers_of_a_thread_that_has_ended_go_on_elsewhere)
{
    start_hosts();
    left_moved = create_on(&b, note_cancellation, NULL);
    t_on_thread(leave_fibers, NULL);
    events[0] = '\0';
    ck_assert_int_eq(coir_fiber_state(left_suspended), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(resume_on(&a, left_new, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&a, left_suspended, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&b, left_suspended, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(cancel_on(NULL, left_moved, NULL), COIR_YIELDED);
    ck_assert_int_eq(destroy_on(&b, left_moved), COIR_OK);
    ck_assert_int_eq(destroy_on(&b, left_new), COIR_OK);
    coir_destroy(left_suspended);
    ck_assert_str_eq(events, "started1 deferred2 cancelled0 deferred2 deferred2 ");
    end_hosts();
}
END_TEST

START_TEST(fibers_of_a_thread_that_has_ended_can_be_destroyed_by_any)
{
    left_moved = create_movable(note_cancellation, NULL);
    t_on_thread(leave_fibers, NULL);
    events[0] = '\0';
    ck_assert_int_eq(coir_destroy(left_new), COIR_OK);
    ck_assert_int_eq(coir_destroy(left_suspended), COIR_OK);
    ck_assert_int_eq(coir_destroy(left_moved), COIR_OK);
    ck_assert_str_eq(events, "deferred0 deferred0 ");
}
END_TEST

/* The thread ends in the midst of a fiber of another's, nested in one more. */
static coir_fiber *outer, *inner;

static void *end_the_thread(void *arg)
{
    coir_defer(event, "inner");
    coir_yield(NULL, NULL);
    t_thread_exit(arg);
    return NULL;
}

static void *resume_inner(void *arg)
{
    coir_defer(event, "outer");
    coir_yield(NULL, NULL);
    coir_resume(inner, NULL, NULL);
    event("not-reached");
    return arg;
}

static void *resume_outer(void *arg)
{
    coir_resume(outer, NULL, NULL);
    event("not-reached");
    return arg;
}

START_TEST(a_thread_can_end_in_a_fiber_that_has_moved_there)
{
    if (t_under("tsan"))
        T_SKIP("ThreadSanitizer cannot have a thread end in a fiber");
    start_hosts();
    inner = create_movable(end_the_thread, T_VALUE(42));
    outer = create_on(&a, resume_inner, NULL);
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&b, outer, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(t_on_thread(resume_outer, NULL)), 42);
    ck_assert_int_eq(coir_fiber_state(inner), COIR_STATE_DONE);
    ck_assert_int_eq(coir_fiber_state(outer), COIR_STATE_DONE);
    ck_assert_int_eq(resume_on(&a, inner, NULL, NULL), COIR_EDEAD);
    ck_assert_int_eq(coir_resume(outer, NULL, NULL), COIR_EDEAD);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_destroy(inner), COIR_OK);
    ck_assert_int_eq(destroy_on(&b, outer), COIR_OK);
    ck_assert_str_eq(events, "inner0 outer2 ");
    end_hosts();
}
END_TEST

/* In the child of a fork, the fibers of other threads are as if those had ended. Where there is no fork this is one
 * more process that does the same. */
static void resume_in_the_child(void *f)
{
    if (coir_resume(f, NULL, NULL) != COIR_YIELDED || coir_resume(f, NULL, NULL) != COIR_DONE)
        t_exit(1);
    if (coir_destroy(f) != COIR_OK)
        t_exit(3);
    t_exit(strcmp(events, "started1 deferred0 ") == 0 ? 0 : 2);
}

START_TEST(after_a_fork_a_fiber_of_another_thread_goes_on_in_the_child)
{
    coir_fiber *f;

    if (t_under("tsan"))
        T_SKIP("ThreadSanitizer does not follow the fork of one thread among several");
    start_hosts();
    f = create_on(&a, note_cancellation, NULL);
    ck_assert_int_eq(resume_on(&a, f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(t_run_in_child(resume_in_the_child, f), 0);
    ck_assert_int_eq(destroy_on(&b, f), COIR_OK);
    end_hosts();
}
END_TEST

/* ---- what a fiber has with it ---- */

static coir_key key;

static void *use_its_own(void *arg)
{
    char *text = malloc(8);

    strcpy(text, "text");
    ck_assert_int_eq(coir_local_set(key, "key"), COIR_OK);
    ck_assert_int_eq(coir_defer(event, "noted"), COIR_OK);
    ck_assert_int_eq(coir_defer(event, "called"), COIR_OK);
    coir_yield(NULL, NULL);
    ck_assert_str_eq(coir_local_get(key), "key");
    ck_assert_str_eq(coir_fiber_name(coir_self()), "traveller");
    ck_assert_ptr_eq(coir_fiber_data(coir_self()), arg);
    ck_assert_str_eq(text, "text");
    ck_assert_int_eq(coir_undefer(event, "called", 1), COIR_OK);
    ck_assert_int_eq(coir_defer(event, "late"), COIR_OK);
    coir_yield(NULL, NULL);
    free(text);
    return NULL;
}

START_TEST(name_data_values_and_what_is_deferred_go_with_the_fiber)
{
    int data;
    coir_options opt = {.flags = COIR_MOVABLE, .name = "traveller", .data = &data};
    coir_fiber *f = NULL;

    start_hosts();
    ck_assert_int_eq(coir_key_create(&key, event), COIR_OK);
    ck_assert_int_eq(coir_create(&f, use_its_own, &data, &opt), COIR_OK);
    ck_assert_int_eq(resume_on(&a, f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&b, f, NULL, NULL), COIR_YIELDED);
    ck_assert_str_eq(coir_fiber_name(f), "traveller");
    ck_assert_int_eq(resume_on(NULL, f, NULL, NULL), COIR_DONE);
    ck_assert_str_eq(events, "called2 late0 noted0 key0 ");
    coir_destroy(f);
    ck_assert_int_eq(coir_key_delete(key), COIR_OK);
    end_hosts();
}
END_TEST

static void *round_down_everywhere(void *arg)
{
    fesetround(FE_DOWNWARD);
    for (int i = 0; i < 3; i++) {
        coir_yield(NULL, NULL);
        ck_assert_int_eq(fegetround(), FE_DOWNWARD);
    }
    return arg;
}

static void *check_rounding(void *arg)
{
    do_resume(arg);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    return NULL;
}

START_TEST(floating_point_control_of_its_own_goes_with_the_fiber)
{
    static struct host *const route[] = {&a, &b, NULL, &b};
    coir_options opt = {.flags = COIR_MOVABLE | COIR_KEEP_FPENV};
    coir_fiber *f = NULL;

    if (t_is_wine() && t_backend_is("winfiber"))
        T_SKIP("wine's native fibers do not keep floating-point control");
    start_hosts();
    ck_assert_int_eq(coir_create(&f, round_down_everywhere, NULL, &opt), COIR_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(request(route[i], check_rounding, f, NULL, NULL), i < 3 ? COIR_YIELDED : COIR_DONE);
    coir_destroy(f);
    end_hosts();
}
END_TEST

/* ---- generators ---- */

static int numbers_from_one(coir_gen *g, void *arg)
{
    coir_defer(event, "deferred");
    for (int i = 1; i <= T_NUMBER(arg); i++) {
        event("item");
        coir_gen_yield(g, &i);
    }
    return 0;
}

static coir_gen *gen;
static int item;

static void *do_next(void *arg)
{
    struct request *r = arg;

    r->code = coir_gen_next(gen, &item);
    return NULL;
}

static void *do_destroy_gen(void *arg)
{
    struct request *r = arg;

    r->code = coir_gen_destroy(gen);
    return NULL;
}

static void make_gen(unsigned flags, int count)
{
    coir_options opt = {.flags = flags};

    ck_assert_int_eq(coir_gen_create(&gen, sizeof item, numbers_from_one, T_VALUE(count), &opt), COIR_OK);
}

START_TEST(a_movable_generator_gives_its_items_to_any_thread)
{
    static struct host *const route[] = {&a, NULL, &b, &b};

    start_hosts();
    make_gen(COIR_MOVABLE, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(request(route[i], do_next, NULL, NULL, NULL), 1);
        ck_assert_int_eq(item, i + 1);
    }
    ck_assert_int_eq(request(&a, do_next, NULL, NULL, NULL), 0);
    ck_assert_int_eq(request(&b, do_next, NULL, NULL, NULL), 0);
    ck_assert_str_eq(events, "item1 item0 item2 item2 deferred1 ");
    ck_assert_int_eq(request(&b, do_destroy_gen, NULL, NULL, NULL), COIR_OK);
    end_hosts();
}
END_TEST

START_TEST(a_movable_generator_can_be_destroyed_in_any_thread)
{
    start_hosts();
    make_gen(COIR_MOVABLE, 4);
    ck_assert_int_eq(request(NULL, do_next, NULL, NULL, NULL), 1);
    ck_assert_int_eq(request(&a, do_destroy_gen, NULL, NULL, NULL), COIR_OK);
    ck_assert_str_eq(events, "item0 deferred1 ");
    make_gen(COIR_MOVABLE, 4);
    ck_assert_int_eq(request(&b, do_destroy_gen, NULL, NULL, NULL), COIR_OK); /* new */
    end_hosts();
}
END_TEST

START_TEST(other_generators_stay)
{
    start_hosts();
    make_gen(0, 1);
    ck_assert_int_eq(request(&a, do_next, NULL, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(request(NULL, do_next, NULL, NULL, NULL), 1);
    ck_assert_int_eq(request(&a, do_next, NULL, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(request(&a, do_destroy_gen, NULL, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(request(NULL, do_destroy_gen, NULL, NULL, NULL), COIR_OK);
    end_hosts();
}
END_TEST

/* ---- stacks ---- */

static void *end_and_take_stack(void *arg)
{
    struct request *r = arg;
    void *low, *low_of_next;
    coir_fiber *next;

    ck_assert_int_eq(coir_stack_bounds(r->f, &low, NULL), COIR_OK);
    ck_assert_int_eq(coir_resume(r->f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(r->f), COIR_OK);
    next = t_create(do_nothing, NULL);
    ck_assert_int_eq(coir_stack_bounds(next, &low_of_next, NULL), COIR_OK);
    ck_assert_ptr_eq(low, low_of_next);
    coir_destroy(next);
    return NULL;
}

START_TEST(the_stack_stays_where_the_fiber_has_ended)
{
    coir_fiber *f;

    if (t_backend_is("winfiber"))
        T_SKIP("the system makes a new stack for each of its fibers");
    start_hosts();
    f = create_movable(note_cancellation, NULL);
    ck_assert_int_eq(resume_on(NULL, f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(resume_on(&a, f, NULL, NULL), COIR_YIELDED);
    request(&b, end_and_take_stack, f, NULL, NULL);
    end_hosts();
}
END_TEST

/* One thread only creates, the other only ends: what the one gives the other must not pile up. */
enum { BATCH = 200 };
static coir_fiber *batch[BATCH];

static void *yield_once(void *arg)
{
    coir_yield(NULL, NULL);
    return arg;
}

static void *create_batch(void *arg)
{
    for (int i = 0; i < BATCH; i++)
        batch[i] = create_movable(yield_once, arg);
    return NULL;
}

static void *end_batch(void *arg)
{
    for (int i = 0; i < BATCH; i++) {
        ck_assert_int_eq(coir_resume(batch[i], NULL, NULL), COIR_YIELDED);
        if (i % 2)
            ck_assert_int_eq(coir_resume(batch[i], NULL, NULL), COIR_DONE);
        ck_assert_int_eq(coir_destroy(batch[i]), COIR_OK);
    }
    return arg;
}

START_TEST(one_thread_may_create_what_another_ends_for_ever)
{
    int rounds = t_instrumented() ? 5 : t_backend_is("winfiber") ? 20 : 200;
    long resident = 0, mappings = 0;

    start_hosts();
    for (int i = 0; i < rounds; i++) {
        ask(&a, create_batch, NULL);
        ask(&b, end_batch, NULL);
        if (i == 4) { /* when the pools are filled */
            resident = t_resident_kib();
            mappings = t_mappings();
        }
    }
    if (!t_instrumented()) {
        ck_assert_int_le(t_resident_kib() - resident, 8 * 1024); /* of the 150 MiB that all their pages were */
        ck_assert_int_le(t_mappings() - mappings, BATCH);
    }
    end_hosts();
}
END_TEST

/* Memory of the program's: how much of it is in use. */
static atomic_long stacks, others;

static void *allocate_stack(size_t size, void *context)
{
    (void)context;
    stacks++;
    return t_aligned_allocate(4096, size);
}

static void release_stack(void *stack, size_t size, void *context)
{
    (void)size, (void)context;
    stacks--;
    t_aligned_release(stack);
}

static void *allocate(size_t size, void *context)
{
    (void)context;
    others++;
    return malloc(size);
}

static void release(void *memory, size_t size, void *context)
{
    (void)size, (void)context;
    others--;
    free(memory);
}

static void *trim(void *arg)
{
    coir_pool_trim(0);
    return arg;
}

START_TEST(all_memory_comes_back_from_wherever_fibers_have_ended)
{
    coir_allocator allocator = {allocate_stack, release_stack, allocate, release, NULL, {NULL, NULL, NULL}};
    coir_options opt = {.flags = COIR_MOVABLE, .name = "named"};
    static struct host *const ends[] = {NULL, &a, &b};
    coir_fiber *fibers[60];

    if (t_backend_is("winfiber"))
        allocator.stack_allocate = NULL, allocator.stack_release = NULL;
    ck_assert_int_eq(coir_set_allocator(&allocator), COIR_OK);
    start_hosts();
    for (int i = 0; i < 60; i++) {
        ck_assert_int_eq(coir_create(&fibers[i], note_cancellation, NULL, &opt), COIR_OK);
        for (int turn = 0; turn < i % 4; turn++) {
            events[0] = '\0';
            resume_on(ends[(i + turn) % 3], fibers[i], NULL, NULL);
        }
        ck_assert_int_eq(destroy_on(ends[i % 3], fibers[i]), COIR_OK);
    }
    ask(&a, trim, NULL);
    ask(&b, trim, NULL);
    trim(NULL);
    ck_assert_int_eq((int)stacks, 0);
    end_hosts();
    ck_assert_int_le((int)others, 2); /* this thread's record, and the backend's for it */
}
END_TEST

/* ---- thread-local variables ---- */

COIR_THREAD_LOCAL_DECLARE(long, hops);
COIR_THREAD_LOCAL_DEFINE(long, hops);
COIR_THREAD_LOCAL_OTHER(int, own_errno, errno);

/* Each resumer sends the addresses as it sees them. */
struct addresses {
    int *number;
    long *hops;
    int *own_errno;
};

static void *compare_addresses(void *arg)
{
    void *value = NULL;

    (void)arg;
    coir_yield(NULL, &value);
    for (int i = 0; i < 5; i++) {
        struct addresses *expected = value;
        ck_assert_ptr_eq(COIR_THREAD_LOCAL_ADDRESS(number), expected->number);
        ck_assert_ptr_eq(COIR_THREAD_LOCAL_ADDRESS(hops), expected->hops);
        ck_assert_ptr_eq(COIR_THREAD_LOCAL_ADDRESS(own_errno), expected->own_errno);
        ++*COIR_THREAD_LOCAL_ADDRESS(hops);
        *COIR_THREAD_LOCAL_ADDRESS(own_errno) = 100 + here();
        coir_yield(NULL, &value);
    }
    return NULL;
}

static void *resume_with_addresses(void *arg)
{
    struct addresses mine = {COIR_THREAD_LOCAL_ADDRESS(number), COIR_THREAD_LOCAL_ADDRESS(hops), &errno};
    struct request *r = arg;

    r->value = &mine;
    do_resume(r);
    if (r->code == COIR_YIELDED)
        ck_assert_int_eq(errno, 100 + here());
    return NULL;
}

static void *check_hops(void *arg)
{
    struct request *r = arg;

    r->code = (int)*COIR_THREAD_LOCAL_ADDRESS(hops);
    return NULL;
}

START_TEST(addresses_of_thread_local_variables_are_those_of_the_thread_that_asks)
{
    static struct host *const route[] = {&a, &b, NULL, &b, &a, NULL};
    coir_fiber *f;

    start_hosts();
    f = create_movable(compare_addresses, NULL);
    ck_assert_int_eq(resume_on(NULL, f, NULL, NULL), COIR_YIELDED);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(request(route[i], resume_with_addresses, f, NULL, NULL), i < 5 ? COIR_YIELDED : COIR_DONE);
    ck_assert_int_eq(request(&a, check_hops, NULL, NULL, NULL), 2);
    ck_assert_int_eq(request(&b, check_hops, NULL, NULL, NULL), 2);
    ck_assert_int_eq(request(NULL, check_hops, NULL, NULL, NULL), 1);
    coir_destroy(f);
    end_hosts();
}
END_TEST

/* ---- a great many at once ---- */

enum { THREADS = 4, MOST = 4000, STOPS = 12 };

/* Where those wait that are to go on in one thread. */
static struct station {
    t_monitor *monitor;
    coir_fiber *fibers[MOST];
    int first, count;
    int number;
} stations[THREADS];

static int travellers;
static atomic_int arrived;
static atomic_long total;

static void put(struct station *s, coir_fiber *f)
{
    t_monitor_enter(s->monitor);
    s->fibers[(s->first + s->count) % MOST] = f;
    s->count++;
    t_monitor_wake(s->monitor);
    t_monitor_leave(s->monitor);
}

/* NULL when all have arrived. */
static coir_fiber *take(struct station *s)
{
    coir_fiber *f = NULL;

    t_monitor_enter(s->monitor);
    while (s->count == 0 && arrived < travellers)
        t_monitor_wait(s->monitor);
    if (s->count > 0) {
        f = s->fibers[s->first];
        s->first = (s->first + 1) % MOST;
        s->count--;
    }
    t_monitor_leave(s->monitor);
    return f;
}

static void arrive(void)
{
    if (++arrived < travellers)
        return;
    for (int i = 0; i < THREADS; i++) {
        t_monitor_enter(stations[i].monitor);
        t_monitor_wake(stations[i].monitor);
        t_monitor_leave(stations[i].monitor);
    }
}

/* From station to station, each time in the next thread, who says which it is. */
static void *travel(void *arg)
{
    unsigned seen = 0;
    long sum = 0;

    for (int i = 0; i < STOPS; i++) {
        void *value = NULL;
        ++*COIR_THREAD_LOCAL_ADDRESS(hops);
        seen |= 1u << here();
        sum += T_NUMBER(arg);
        ck_assert_int_eq(coir_yield(NULL, &value), COIR_OK);
        ck_assert_int_eq(T_NUMBER(value), here());
    }
    total += sum;
    return T_VALUE(seen);
}

static void *run_station(void *arg)
{
    struct station *s = arg;
    coir_fiber *f;

    *COIR_THREAD_LOCAL_ADDRESS(number) = s->number;
    for (int i = s->number; i < travellers; i += THREADS)
        put(s, create_movable(travel, T_VALUE(i)));
    while ((f = take(s)) != NULL) {
        void *value = coir_fiber_state(f) == COIR_STATE_NEW ? NULL : T_VALUE(s->number), *seen = NULL;
        if (coir_resume(f, value, &seen) == COIR_YIELDED) {
            put(&stations[(s->number + 1) % THREADS], f);
            continue;
        }
        ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
        ck_assert_int_eq(T_NUMBER(seen), (1 << THREADS) - 1);
        ck_assert_int_eq(coir_destroy(f), COIR_OK);
        arrive();
    }
    return T_VALUE(*COIR_THREAD_LOCAL_ADDRESS(hops));
}

START_TEST(thousands_of_fibers_go_round_several_threads)
{
    t_thread *threads[THREADS];
    long all_hops = 0;

    travellers = t_instrumented() ? 200 : t_backend_is("winfiber") ? 500 : MOST;
    for (int i = 0; i < THREADS; i++) {
        stations[i].monitor = t_monitor_create();
        stations[i].number = i;
    }
    for (int i = 0; i < THREADS; i++)
        threads[i] = t_thread_start(run_station, &stations[i]);
    for (int i = 0; i < THREADS; i++)
        all_hops += T_NUMBER(t_thread_join(threads[i]));
    ck_assert(all_hops == (long)travellers * STOPS);
    ck_assert(total == (long)travellers * (travellers - 1) / 2 * STOPS);
    for (int i = 0; i < THREADS; i++)
        t_monitor_destroy(stations[i].monitor);
}
END_TEST

T_MAIN(a_movable_fiber_goes_on_in_the_thread_that_resumes_it, a_new_one_starts_in_the_thread_that_resumes_it_first,
       a_thread_that_never_had_a_fiber_can_take_one_and_leave_it, cancel_works_from_any_thread,
       destroy_works_from_any_thread_and_ends_the_fiber_there,
       switch_takes_a_fiber_from_any_thread_and_leaves_one_to_any, switch_starts_a_new_one_of_another_thread,
       a_pinned_fiber_that_a_movable_one_made_stays_behind, what_a_fiber_resumes_goes_with_it_if_it_is_movable_too,
       one_that_runs_or_waits_for_another_belongs_to_its_thread, tasks_cannot_be_movable,
       a_movable_fiber_can_leave_a_task_but_not_while_it_waits_there,
       fibers_of_a_thread_that_has_ended_go_on_elsewhere, fibers_of_a_thread_that_has_ended_can_be_destroyed_by_any,
       a_thread_can_end_in_a_fiber_that_has_moved_there, after_a_fork_a_fiber_of_another_thread_goes_on_in_the_child,
       name_data_values_and_what_is_deferred_go_with_the_fiber, floating_point_control_of_its_own_goes_with_the_fiber,
       a_movable_generator_gives_its_items_to_any_thread, a_movable_generator_can_be_destroyed_in_any_thread,
       other_generators_stay, the_stack_stays_where_the_fiber_has_ended,
       one_thread_may_create_what_another_ends_for_ever, all_memory_comes_back_from_wherever_fibers_have_ended,
       addresses_of_thread_local_variables_are_those_of_the_thread_that_asks,
       thousands_of_fibers_go_round_several_threads)
