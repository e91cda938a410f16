/* SPDX-License-Identifier: MIT */
/* Mistakes that a sanitizer finds, if it knows of fibers. mistakes CASE: one of them. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include <coir.h>

#include "want.h"

static volatile int sink;

/* Runs fn(arg) in a fiber until its end. */
static void run(coir_fn *fn, void *arg)
{
    coir_fiber *f;

    WANT(coir_create(&f, fn, arg, NULL) == COIR_OK);
    while (coir_resume(f, NULL, NULL) == COIR_YIELDED)
        ;
    WANT(coir_destroy(f) == COIR_OK);
}

/* ---- a local of a function that has returned ---- */

__attribute__((noinline)) static int *address_of_a_local(void)
{
    int local[10];
    int *volatile address = local;

    local[3] = 5;
    return address;
}

static void *reads_a_dead_local(void *arg)
{
    int *local = address_of_a_local();

    if (arg != NULL)
        coir_yield(NULL, NULL);
    sink = local[3];
    return NULL;
}

static void after_return(void)
{
    run(reads_a_dead_local, NULL);
}

/* The function's frame was there before the fiber was suspended. */
static void after_return_and_yield(void)
{
    run(reads_a_dead_local, "yield");
}

/* ---- out of a local's bounds ---- */

static void *writes_past_a_local(void *arg)
{
    char local[16];
    volatile int end = 16;

    memset(local, 0, sizeof local);
    if (arg != NULL)
        coir_yield(local, NULL);
    local[end] = 1;
    return NULL;
}

static void overflow(void)
{
    run(writes_past_a_local, NULL);
}

static void overflow_after_yield(void)
{
    run(writes_past_a_local, "yield");
}

/* By its resumer, while the fiber is suspended. */
static void overflow_from_outside(void)
{
    coir_fiber *f;
    void *local;
    volatile int end = 16;

    WANT(coir_create(&f, writes_past_a_local, "yield", NULL) == COIR_OK);
    WANT(coir_resume(f, NULL, &local) == COIR_YIELDED);
    ((char *)local)[end] = 1;
}

/* In the frames of the thread itself, after fibers have run. */
static void *do_nothing(void *arg)
{
    coir_yield(arg, NULL);
    return NULL;
}

__attribute__((noinline)) static void writes_past_a_local_of_main(void)
{
    char local[16];
    volatile int end = 16;

    run(do_nothing, local);
    local[end] = 1;
    sink = local[3];
}

/* ---- more frames than the stack has room for ---- */

__attribute__((noinline)) static int recurses_for_ever(int depth)
{
    volatile char local[200];

    local[depth % 200] = 1;
    return recurses_for_ever(depth + 1) + local[(depth + 1) % 200];
}

static void *runs_out_of_stack(void *arg)
{
    sink = recurses_for_ever(0);
    return arg;
}

static void recursion(void)
{
    run(runs_out_of_stack, NULL);
}

/* ---- a local of a fiber that has ended ---- */

static void *gives_a_local_away(void *arg)
{
    char local[100];

    memset(local, 1, sizeof local);
    *(char **)arg = local;
    coir_yield(NULL, NULL);
    return NULL;
}

static void reads_a_local_of_an_ended_fiber(void)
{
    char *local;

    run(gives_a_local_away, &local);
    sink = local[3];
}

/* ---- a block that nobody holds any more ---- */

static void *allocates_and_forgets(void *arg)
{
    char *volatile block[10];

    for (int i = 0; i < 10; i++)
        block[i] = malloc(1000);
    if (arg != NULL)
        coir_yield(block[3], NULL);
    return NULL;
}

static void leak(void)
{
    run(allocates_and_forgets, NULL);
}

/* A fiber that is destroyed in the middle. */
static void leak_of_a_destroyed_fiber(void)
{
    coir_fiber *f;

    WANT(coir_create(&f, allocates_and_forgets, "yield", NULL) == COIR_OK);
    WANT(coir_resume(f, NULL, NULL) == COIR_YIELDED);
    WANT(coir_destroy(f) == COIR_OK);
}

/* ---- a local without a value ---- */

__attribute__((noinline)) static void fill_stack(void)
{
    char local[2000];

    memset(local, 1, sizeof local);
    sink = local[(unsigned)sink % 2000];
}

/* Where frames with values have been, of this fiber and of others on the same stack. */
static void *reads_what_was_never_written(void *arg)
{
    volatile int local[100];

    fill_stack();
    local[1] = 0;
    if (arg != NULL)
        coir_yield(NULL, NULL);
    if (local[70] != 0)
        sink = 1;
    return NULL;
}

static void *fills_stack(void *arg)
{
    fill_stack();
    return arg;
}

static void uninitialised(void)
{
    run(fills_stack, NULL);
    run(reads_what_was_never_written, "yield");
}

/* ---- a variable of two threads ---- */

static int shared;
static atomic_int arrived;

static void wait_until(int number)
{
    while (atomic_load_explicit(&arrived, memory_order_relaxed) < number)
        sched_yield();
}

static void *increments_unlocked(void *arg)
{
    coir_yield(NULL, NULL);
    shared++;
    return arg;
}

/* The threads meet without synchronising, after all that may synchronise them inside of the library; then one goes after
 * the other, since what happens in the very same moment may be missed. */
static void *run_one(void *arg)
{
    coir_fiber *f;

    WANT(coir_create(&f, increments_unlocked, NULL, NULL) == COIR_OK);
    WANT(coir_resume(f, NULL, NULL) == COIR_YIELDED);
    atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    wait_until(arg != NULL ? 2 : 3);
    WANT(coir_resume(f, NULL, NULL) == COIR_DONE);
    atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    WANT(coir_destroy(f) == COIR_OK);
    return NULL;
}

static void race(void)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        WANT(pthread_create(&threads[i], NULL, run_one, i == 0 ? "first" : NULL) == 0);
    for (int i = 0; i < 2; i++)
        WANT(pthread_join(threads[i], NULL) == 0);
}

/* What is written after the post that should hand it over. */
static void reads_the_message(void *arg)
{
    sink = *(int *)arg;
    atomic_store_explicit(&arrived, 1, memory_order_relaxed);
    WANT(coir_exec_release(coir_exec_current()) == COIR_OK);
}

static void *writes_too_late(void *arg)
{
    int *message = &shared;

    WANT(coir_exec_post(arg, reads_the_message, message) == COIR_OK);
    wait_until(1);
    *message = 1;
    return NULL;
}

static void race_after_post(void)
{
    pthread_t thread;
    coir_exec *e;

    WANT(coir_exec_create(&e, NULL) == COIR_OK);
    WANT(coir_exec_hold(e) == COIR_OK);
    WANT(pthread_create(&thread, NULL, writes_too_late, e) == 0);
    WANT(coir_exec_run(e) == COIR_OK);
    WANT(pthread_join(thread, NULL) == 0);
    WANT(coir_exec_destroy(e) == COIR_OK);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"after_return", after_return},
    {"after_return_and_yield", after_return_and_yield},
    {"overflow", overflow},
    {"overflow_after_yield", overflow_after_yield},
    {"overflow_from_outside", overflow_from_outside},
    {"overflow_in_main", writes_past_a_local_of_main},
    {"recursion", recursion},
    {"ended", reads_a_local_of_an_ended_fiber},
    {"leak", leak},
    {"leak_of_a_destroyed_fiber", leak_of_a_destroyed_fiber},
    {"uninitialised", uninitialised},
    {"race", race},
    {"race_after_post", race_after_post},
};

int main(int argc, char **argv)
{
    WANT(argc == 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}
