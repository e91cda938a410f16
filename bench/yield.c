/* SPDX-License-Identifier: MIT */
/* yield.c - what it costs that a task yields and the next one goes on: tasks that yield by turns, beside a program in
 * Rust in which futures, which have no stack, do the same on an executor of some lines (peers/stackless.rs). */

#include <coir.h>

#include <stdio.h>

#include "bench.h"

#define FAST_YIELDS 40000000 /* of all tasks together */
#define SLOW_YIELDS 1000000

static double stackless(int tasks)
{
#ifdef BENCH_STACKLESS
    char command[2048];

    snprintf(command, sizeof command, "test -x '%s' && '%s' %d %d", BENCH_STACKLESS, BENCH_STACKLESS,
             FAST_YIELDS / tasks, tasks);
    return bench_run_command(command);
#else
    (void)tasks;
    return -1;
#endif
}

static double measure_stackless_2(void)
{
    return stackless(2);
}

static double measure_stackless_100(void)
{
    return stackless(100);
}

static double measure_stackless_10000(void)
{
    return stackless(10000);
}

static void *take_turns(void *turns)
{
    coir_task_yield(); /* until all tasks have started */
    for (long i = *(long *)turns; i > 0; i--)
        coir_task_yield();
    return NULL;
}

static double took;

/* The first of the tasks: when it has had its last turn, so have the others. */
static void *time_turns(void *turns)
{
    double start;

    coir_task_yield();
    start = bench_now();
    for (long i = *(long *)turns; i > 0; i--)
        coir_task_yield();
    took = bench_now() - start;
    return NULL;
}

static double yields(int tasks, long times)
{
    coir_exec *e;
    long turns = times / tasks;

    if (coir_exec_create(&e, NULL) != COIR_OK)
        return -1;
    for (int i = 0; i < tasks; i++)
        if (coir_spawn(NULL, e, i == 0 ? time_turns : take_turns, &turns, NULL) != COIR_OK)
            return -1;
    if (coir_exec_run(e) != COIR_OK)
        return -1;
    return took / (double)turns / tasks;
}

static double measure_2(void)
{
    return yields(2, FAST_YIELDS);
}

static double measure_100(void)
{
    return yields(100, FAST_YIELDS);
}

static double measure_10000(void)
{
    return yields(10000, FAST_YIELDS);
}

#ifdef BENCH_UCONTEXT

static double measure_slow_2(void)
{
    return yields(2, SLOW_YIELDS);
}

#endif

int main(int argc, char **argv)
{
    static const struct bench_contender contenders[] = {
        {"stackless Rust, 2 tasks", NULL, measure_stackless_2},
        {"asm, 2 tasks", "asm", measure_2},
#ifdef _WIN32
        {"winfiber, 2 tasks", "winfiber", measure_2},
#endif
#ifdef BENCH_UCONTEXT
        {"ucontext, 2 tasks", "ucontext", measure_slow_2},
#endif
        {"stackless Rust, 100", NULL, measure_stackless_100},
        {"asm, 100", "asm", measure_100},
        {"stackless Rust, 10,000", NULL, measure_stackless_10000},
        {"asm, 10,000", "asm", measure_10000},
    };

    return bench_run(argc, argv, "one yield of a task", contenders, sizeof contenders / sizeof contenders[0]);
}
