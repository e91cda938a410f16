/* SPDX-License-Identifier: MIT */
/* Everything at once: generators and plain fibers in tasks in groups, that sleep, send, receive, lock, await and yield in
 * orders drawn from a thousand seeds; and tasks on every kind of stack. */

#include "t.h"

#include <stdlib.h>

enum { WORKERS = 4, ITEMS = 12, EXPECTED = WORKERS * ITEMS * (ITEMS + 1) / 2 };

/* What the tasks of one run share. */
struct world {
    coir_chan *numbers;
    coir_mutex *mutex;
    coir_sem *permits;
    coir_group *group;
    coir_gen *shared; /* a generator that several tasks want to use */
    int inside;       /* tasks in the critical section */
    int permitted;    /* tasks that have a permit */
    int sum, received, refused, sent_twice, failures;
};

static void expect(struct world *world, bool condition)
{
    world->failures += !condition;
}

/* Several waits in one critical section: nobody else may be in it meanwhile. */
static void enter_and_leave(struct world *world)
{
    expect(world, coir_mutex_lock(world->mutex) == COIR_OK);
    expect(world, world->inside++ == 0);
    expect(world, coir_sleep(3) == COIR_OK);
    expect(world, coir_task_yield() == COIR_OK);
    expect(world, --world->inside == 0);
    expect(world, coir_mutex_unlock(world->mutex) == COIR_OK);
}

/* The innermost: a plain fiber, in a generator, in a generator, in a task. Suspends in both ways. */
static void *wait_and_yield(void *arg)
{
    struct world *world = arg;
    for (intptr_t n = 1; n <= ITEMS; n++) {
        if (n % 3 == 0)
            enter_and_leave(world);
        else
            expect(world, coir_sleep(n) == COIR_OK);
        expect(world, coir_yield((void *)n, NULL) == COIR_OK);
    }
    return NULL;
}

static int count_by_fiber(coir_gen *g, void *arg)
{
    struct world *world = arg;
    coir_fiber *f;
    void *value;
    if (coir_create(&f, wait_and_yield, arg, NULL) != COIR_OK)
        return COIR_ENOMEM;
    while (coir_resume(f, NULL, &value) == COIR_YIELDED) {
        int n = T_NUMBER(value);
        expect(world, coir_fiber_state(coir_self()) == COIR_STATE_RUNNING);
        coir_gen_yield(g, &n);
    }
    return coir_destroy(f);
}

/* Hands on what another generator gives, after waiting for a permit. */
static int hand_on(coir_gen *g, void *arg)
{
    struct world *world = arg;
    coir_gen *source;
    int n, result = coir_gen_create(&source, sizeof n, count_by_fiber, arg, NULL);
    while (result >= 0 && (result = coir_gen_next(source, &n)) > 0) {
        expect(world, coir_sem_wait(world->permits) == COIR_OK);
        expect(world, ++world->permitted <= 2);
        expect(world, coir_task_yield() == COIR_OK);
        world->permitted--;
        expect(world, coir_sem_post(world->permits) == COIR_OK);
        coir_gen_yield(g, &n);
    }
    coir_gen_destroy(source);
    return result;
}

static int work(void *arg)
{
    struct world *world = arg;
    coir_gen *g;
    int n, result = coir_gen_create(&g, sizeof n, hand_on, arg, NULL);
    while (result >= 0 && (result = coir_gen_next(g, &n)) > 0)
        expect(world, coir_chan_send(world->numbers, &n) == COIR_OK);
    coir_gen_destroy(g);
    return result;
}

static void *close_when_done(void *arg)
{
    struct world *world = arg;
    expect(world, coir_group_wait(world->group) == COIR_OK);
    expect(world, coir_chan_close(world->numbers) == COIR_OK);
    return NULL;
}

static void *receive(void *arg)
{
    struct world *world = arg;
    int n;
    while (coir_chan_recv(world->numbers, &n) == COIR_OK) {
        world->sum += n;
        world->received++;
    }
    return NULL;
}

/* A generator that is inside of a wait for one task is busy for the others. */
static int slow_generator(coir_gen *g, void *arg)
{
    for (int n = 0; n < ITEMS; n++) {
        coir_sleep(5);
        coir_gen_yield(g, &n);
    }
    return 0 * T_NUMBER(arg);
}

static void *use_shared(void *arg)
{
    struct world *world = arg;
    int n, result;
    while ((result = coir_gen_next(world->shared, &n)) != 0) {
        if (result == COIR_EBUSY) {
            expect(world, coir_gen_destroy(world->shared) == COIR_EBUSY);
            world->refused++;
            coir_sleep(1);
        } else {
            expect(world, result == 1);
        }
    }
    return NULL;
}

static void make_world(struct world *world, coir_exec *e, size_t capacity)
{
    ck_assert_int_eq(coir_chan_create(&world->numbers, sizeof(int), capacity), COIR_OK);
    ck_assert_int_eq(coir_mutex_create(&world->mutex), COIR_OK);
    ck_assert_int_eq(coir_sem_create(&world->permits, 2), COIR_OK);
    ck_assert_int_eq(coir_group_create(&world->group, e), COIR_OK);
    ck_assert_int_eq(coir_gen_create(&world->shared, sizeof(int), slow_generator, NULL, NULL), COIR_OK);
}

static void destroy_world(struct world *world)
{
    ck_assert_int_eq(coir_gen_destroy(world->shared), COIR_OK);
    ck_assert_int_eq(coir_group_destroy(world->group), COIR_OK);
    ck_assert_int_eq(coir_sem_destroy(world->permits), COIR_OK);
    ck_assert_int_eq(coir_mutex_destroy(world->mutex), COIR_OK);
    ck_assert_int_eq(coir_chan_destroy(world->numbers), COIR_OK);
}

static void run_world(uint64_t seed)
{
    coir_exec_options opt = {.seed = seed, .flags = COIR_VIRTUAL_CLOCK};
    struct world world = {0};
    coir_exec *e;
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    make_world(&world, e, seed % 4);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(coir_group_spawn(world.group, work, &world, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, close_when_done, &world, NULL), COIR_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coir_spawn(NULL, e, receive, &world, NULL), COIR_OK);
        ck_assert_int_eq(coir_spawn(NULL, e, use_shared, &world, NULL), COIR_OK);
    }
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(world.failures, 0);
    ck_assert_int_eq(world.received, WORKERS * ITEMS);
    ck_assert_int_eq(world.sum, EXPECTED);
    ck_assert_int_gt(world.refused, 0);
    destroy_world(&world);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

START_TEST(everything_composes_in_a_thousand_orders)
{
    int seeds = t_instrumented() || t_is_wine() ? 50 : 1000;
    for (int seed = 0; seed <= seeds; seed++)
        run_world((uint64_t)seed);
}
END_TEST

/* ---- cancelled in the middle of it all ---- */

static int endless(coir_gen *g, void *arg)
{
    struct world *world = arg;
    for (int n = 0;; n++) {
        int error = n % 2 ? coir_sleep(2) : coir_sem_wait(world->permits);
        if (error != COIR_OK)
            return error;
        if (n % 2 == 0)
            coir_sem_post(world->permits);
        coir_gen_yield(g, &n);
    }
}

static int use_endless(void *arg)
{
    struct world *world = arg;
    coir_gen *g;
    int n, result = coir_gen_create(&g, sizeof n, endless, arg, NULL);
    while (result >= 0 && (result = coir_gen_next(g, &n)) > 0)
        result = coir_chan_send(world->numbers, &n);
    expect(world, result == COIR_ECANCELED);
    expect(world, coir_gen_destroy(g) == COIR_OK);
    return result;
}

static void *fail_later(void *arg)
{
    struct world *world = arg;
    coir_sleep(20);
    expect(world, coir_group_fail(world->group, -1234) == COIR_OK);
    return NULL;
}

static void *wait_for_failure(void *arg)
{
    struct world *world = arg;
    expect(world, coir_group_wait(world->group) == -1234);
    expect(world, coir_chan_close(world->numbers) == COIR_OK);
    return NULL;
}

START_TEST(a_group_of_generators_is_cancelled_wherever_it_stands)
{
    int seeds = t_instrumented() || t_is_wine() ? 20 : 1000;
    for (int seed = 1; seed <= seeds; seed++) {
        coir_exec_options opt = {.seed = (uint64_t)seed, .flags = COIR_VIRTUAL_CLOCK};
        struct world world = {0};
        coir_exec *e;
        ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
        make_world(&world, e, 1);
        for (int i = 0; i < WORKERS; i++)
            ck_assert_int_eq(coir_group_spawn(world.group, use_endless, &world, NULL), COIR_OK);
        coir_spawn(NULL, e, receive, &world, NULL);
        coir_spawn(NULL, e, wait_for_failure, &world, NULL);
        coir_spawn(NULL, e, fail_later, &world, NULL);
        ck_assert_int_eq(coir_exec_run(e), COIR_OK);
        ck_assert_int_eq(world.failures, 0);
        ck_assert_int_eq(coir_sem_count(world.permits), 2);
        destroy_world(&world);
        ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    }
}
END_TEST

/* ---- ends of tasks, one after another, on every kind of stack ---- */

static void *leave_by_exit(void *arg)
{
    if (T_NUMBER(arg) % 2)
        coir_task_yield();
    coir_exit(arg);
    return NULL;
}

START_TEST(detached_tasks_that_end_in_a_row_keep_their_stacks_until_they_are_off_them)
{
    coir_exec *e;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < 100; i++) {
        coir_options opt = {.stack_size = i % 3 ? 0 : 50000, .name = i % 5 ? NULL : "named"};
        ck_assert_int_eq(coir_spawn(NULL, e, leave_by_exit, T_VALUE(i), &opt), COIR_OK);
    }
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

enum { OWN_STACKS = 5 };

START_TEST(tasks_run_on_the_callers_own_memory)
{
    size_t size = coir_stack_min() + 16384;
    void *stacks[OWN_STACKS];
    coir_exec *e;
    if (t_backend_is("winfiber"))
        return; /* the system makes the stacks */
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < OWN_STACKS; i++) {
        coir_options opt = {.stack_size = size};
        opt.stack = stacks[i] = t_aligned_allocate(16, size);
        ck_assert_int_eq(coir_spawn(NULL, e, leave_by_exit, T_VALUE(i), &opt), COIR_OK);
    }
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    for (int i = 0; i < OWN_STACKS; i++)
        t_aligned_release(stacks[i]);
}
END_TEST

static int live_stacks;

static void *allocate_stack(size_t size, void *context)
{
    (void)context;
    live_stacks++;
    return t_aligned_allocate(16, size);
}

static void release_stack(void *stack, size_t size, void *context)
{
    (void)size, (void)context;
    live_stacks--;
    t_aligned_release(stack);
}

START_TEST(stacks_from_an_allocator_go_back_when_their_tasks_have_ended)
{
    static const coir_allocator allocator = {.stack_allocate = allocate_stack, .stack_release = release_stack};
    coir_exec *e;
    if (t_backend_is("winfiber"))
        return;
    ck_assert_int_eq(coir_set_allocator(&allocator), COIR_OK);
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(coir_spawn(NULL, e, leave_by_exit, T_VALUE(i), NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    coir_pool_trim(0);
    ck_assert_int_eq(live_stacks, 0);
}
END_TEST

/* ---- plain fibers, which know nothing of tasks, go from one to another ---- */

static void *yield_for_ever(void *arg)
{
    for (intptr_t n = 0;; n++) {
        coir_sleep(1); /* an error where it is resumed outside of any task */
        coir_yield((void *)n, NULL);
    }
    return arg;
}

static void *resume_thrice(void *f)
{
    intptr_t sum = 0;
    for (int i = 0; i < 3; i++) {
        void *n = NULL;
        int result = coir_resume(f, NULL, &n);
        if (result == COIR_EBUSY) /* it sleeps in the other task */
            coir_sleep(1), i--;
        sum += T_NUMBER(n);
    }
    return (void *)sum;
}

START_TEST(a_fiber_may_be_resumed_by_one_task_after_another_and_by_main)
{
    coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK};
    coir_fiber *f = t_create(yield_for_ever, NULL);
    coir_task *tasks[2];
    void *sums[2], *n;
    coir_exec *e;
    ck_assert_int_eq(coir_resume(f, NULL, &n), COIR_YIELDED);
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(coir_spawn(&tasks[i], e, resume_thrice, f, NULL), COIR_OK);
    ck_assert_int_eq(coir_await_all(tasks, 2, sums), COIR_OK);
    ck_assert_int_eq(T_NUMBER(sums[0]) + T_NUMBER(sums[1]), 1 + 2 + 3 + 4 + 5 + 6);
    ck_assert_int_eq(coir_resume(f, NULL, &n), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(n), 7);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

/* ---- nested deep: neither cancelling nor switching may need more stack for it ---- */

static int deep(coir_gen *g, void *arg)
{
    const coir_options opt = {.stack_size = 1};
    intptr_t levels = (intptr_t)arg;
    coir_gen *inner = NULL;
    int item = 0, result;
    if (levels == 0) {
        coir_task_yield();
        return coir_gen_yield(g, &item);
    }
    result = coir_gen_create(&inner, sizeof item, deep, (void *)(levels - 1), &opt);
    if (result == COIR_OK)
        result = coir_gen_next(inner, &item) == 1 ? coir_gen_yield(g, &item) : COIR_EINVAL;
    coir_gen_destroy(inner);
    return result;
}

static void *go_deep(void *levels)
{
    coir_gen *g;
    int item = 9, result = coir_gen_create(&g, sizeof item, deep, levels, NULL);
    if (result == COIR_OK)
        result = coir_gen_next(g, &item);
    coir_gen_destroy(g);
    return T_VALUE(result + item);
}

static void *nothing(void *arg)
{
    return arg;
}

START_TEST(a_thousand_nested_generators_wait_where_floating_point_control_is_kept)
{
    const coir_options keeping = {.flags = COIR_KEEP_FPENV}, small = {.stack_size = 1};
    coir_fiber *f;
    coir_task *t;
    coir_exec *e;
    void *result;
    ck_assert_int_eq(coir_create(&f, nothing, NULL, &keeping), COIR_OK);
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(&t, e, go_deep, T_VALUE(t_instrumented() || t_is_wine() ? 50 : 1000), NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, leave_by_exit, T_VALUE(1), &small), COIR_OK);
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 1);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    coir_destroy(f);
}
END_TEST

/* Each level is a task that waits for a group with the next level in it. */
static int wait_for_the_next_level(void *levels)
{
    const coir_options small = {.stack_size = 1};
    coir_group *g;
    int result;
    if (T_NUMBER(levels) == 0)
        return coir_task_park();
    if (coir_group_create(&g, NULL) != COIR_OK)
        return COIR_ENOMEM;
    result = coir_group_spawn(g, wait_for_the_next_level, T_VALUE(T_NUMBER(levels) - 1), &small);
    if (result == COIR_OK)
        result = coir_group_wait(g);
    coir_group_destroy(g);
    return result;
}

static void *fail_the_group(void *g)
{
    return T_VALUE(coir_group_fail(g, -2000));
}

START_TEST(a_failure_reaches_a_thousand_nested_groups)
{
    const coir_options small = {.stack_size = 1};
    int levels = t_instrumented() || t_is_wine() ? 50 : 1000;
    coir_group *g;
    coir_exec *e;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_group_create(&g, e), COIR_OK);
    ck_assert_int_eq(coir_group_spawn(g, wait_for_the_next_level, T_VALUE(levels), &small), COIR_OK);
    for (int i = 0; i <= levels; i++)
        ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_tasks(e), levels + 1);
    ck_assert_int_eq(coir_spawn(NULL, e, fail_the_group, g, &small), COIR_OK);
    ck_assert_int_eq(coir_group_wait(g), -2000);
    ck_assert_int_eq(coir_group_destroy(g), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

/* ---- executors in executors ---- */

static int results[4];

static void try_to_leave(void *g)
{
    int item = 0;
    results[0] = coir_yield(NULL, NULL);
    results[1] = coir_gen_yield(g, &item);
    results[2] = coir_exit(NULL);
    results[3] = coir_task_yield();
}

static int run_an_executor(coir_gen *g, void *arg)
{
    coir_exec *e = arg;
    int item = 5;
    coir_exec_post(e, try_to_leave, g);
    coir_exec_run(e);
    return coir_gen_yield(g, &item);
}

static void *use_generator(void *g)
{
    int item = 0;
    return T_VALUE(coir_gen_next(g, &item) + item + coir_task_yield());
}

START_TEST(what_an_executor_calls_cannot_leave_the_generator_that_runs_it)
{
    coir_exec *outer, *inner;
    coir_gen *g;
    coir_task *t;
    void *result;
    ck_assert_int_eq(coir_exec_create(&outer, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_create(&inner, NULL), COIR_OK);
    ck_assert_int_eq(coir_gen_create(&g, sizeof(int), run_an_executor, inner, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(&t, outer, use_generator, g, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 6);
    ck_assert_int_eq(results[0], COIR_EINVAL); /* a generator's own fiber at any time */
    ck_assert_int_eq(results[1], COIR_EBUSY);
    ck_assert_int_eq(results[2], COIR_EBUSY);
    ck_assert_int_eq(results[3], COIR_ENOTTASK);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(inner), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(outer), COIR_OK);
}
END_TEST

static void *await_it(void *t)
{
    void *result = NULL;
    return T_VALUE(coir_await(t, &result) + T_NUMBER(result));
}

static void *run_and_destroy(void *e)
{
    results[0] = coir_exec_run(e);
    results[1] = coir_exec_destroy(e);
    return NULL;
}

START_TEST(an_executor_is_busy_until_an_awaiter_from_another_one_has_come)
{
    coir_exec *outer, *inner;
    coir_task *awaited, *awaiter;
    void *result;
    ck_assert_int_eq(coir_exec_create(&outer, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_create(&inner, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(&awaited, inner, nothing, T_VALUE(7), NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(&awaiter, outer, await_it, awaited, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, outer, run_and_destroy, inner, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(awaiter, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 7);
    ck_assert_int_eq(results[0], COIR_OK);
    ck_assert_int_eq(results[1], COIR_EBUSY);
    ck_assert_int_eq(coir_exec_destroy(inner), COIR_OK);
    ck_assert_int_eq(coir_exec_run(outer), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(outer), COIR_OK);
}
END_TEST

/* ---- a thread that ends with an executor in all states at once ---- */

static coir_exec *left;
static coir_group *left_group;
static int deferred;

static void count(void *arg)
{
    (void)arg;
    deferred++;
}

static void *defer_and_park(void *arg)
{
    coir_defer(count, NULL);
    coir_task_park();
    return arg;
}

static int end_the_thread(void *arg)
{
    coir_defer(count, NULL);
    t_thread_exit(arg);
    return 0;
}

static void *leave_executor(void *arg)
{
    coir_exec_create(&left, NULL);
    coir_group_create(&left_group, left);
    coir_spawn(NULL, left, defer_and_park, NULL, NULL);
    coir_spawn(NULL, left, nothing, NULL, NULL); /* detached, and just ended when the thread does */
    coir_group_spawn(left_group, end_the_thread, NULL, NULL);
    coir_exec_run(left);
    return arg;
}

START_TEST(an_executor_whose_thread_ended_in_a_task_is_destroyed_whole)
{
    if (t_under("tsan"))
        T_SKIP("ThreadSanitizer's runtime ends the process at pthread_exit in a fiber");
    t_on_thread(leave_executor, NULL);
    ck_assert_int_eq(coir_exec_destroy(left), COIR_EBUSY); /* the group is still there; the tasks are not */
    ck_assert_int_eq(deferred, 2);
    ck_assert_int_eq(coir_group_destroy(left_group), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(left), COIR_OK);
}
END_TEST

/* ---- posts from a thread that has not returned when the program is done ---- */

static void *post_release(void *e)
{
    coir_exec_post(e, count, NULL);
    return NULL;
}

static void *receive_posts(void *arg)
{
    while (deferred < 2)
        coir_task_yield();
    return arg;
}

START_TEST(an_executor_may_be_destroyed_as_soon_as_what_was_posted_has_run)
{
    int rounds = t_instrumented() || t_is_wine() ? 20 : 300;
    for (int i = 0; i < rounds; i++) {
        t_thread *threads[2];
        coir_exec *e;
        deferred = 0;
        ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
        ck_assert_int_eq(coir_spawn(NULL, e, receive_posts, NULL, NULL), COIR_OK);
        for (int k = 0; k < 2; k++)
            threads[k] = t_thread_start(post_release, e);
        ck_assert_int_eq(coir_exec_run(e), COIR_OK);
        ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
        for (int k = 0; k < 2; k++)
            t_thread_join(threads[k]);
    }
}
END_TEST

T_MAIN(everything_composes_in_a_thousand_orders, a_group_of_generators_is_cancelled_wherever_it_stands,
       detached_tasks_that_end_in_a_row_keep_their_stacks_until_they_are_off_them, tasks_run_on_the_callers_own_memory,
       stacks_from_an_allocator_go_back_when_their_tasks_have_ended,
       a_fiber_may_be_resumed_by_one_task_after_another_and_by_main,
       a_thousand_nested_generators_wait_where_floating_point_control_is_kept,
       a_failure_reaches_a_thousand_nested_groups, what_an_executor_calls_cannot_leave_the_generator_that_runs_it,
       an_executor_is_busy_until_an_awaiter_from_another_one_has_come,
       an_executor_whose_thread_ended_in_a_task_is_destroyed_whole,
       an_executor_may_be_destroyed_as_soon_as_what_was_posted_has_run)
