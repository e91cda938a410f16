/* SPDX-License-Identifier: MIT */
/* spawn.c - what a task costs that is spawned, runs to its end and is awaited, beside a fiber. One at a time, so that
 * each has what the last one had. */

#include <coir.h>

#include <stddef.h>

#include "bench.h"
#include "fibers.h"

#define TIMES 5000000
#define SLOW_TIMES 50000

static double measure_fiber(void)
{
    return fibers_create_run_destroy(TIMES);
}

static void *nothing(void *arg)
{
    return arg;
}

static int spawn_and_await(coir_exec *e, long times)
{
    for (long i = 0; i < times; i++) {
        coir_task *t;
        if (coir_spawn(&t, e, nothing, NULL, NULL) != COIR_OK || coir_await(t, NULL) != COIR_OK)
            return -1;
    }
    return 0;
}

static double tasks(coir_exec *e, long times)
{
    double start;

    if (spawn_and_await(e, times / 50) != 0)
        return -1;
    start = bench_now();
    if (spawn_and_await(e, times) != 0)
        return -1;
    return (bench_now() - start) / (double)times;
}

static double from_outside(long times)
{
    coir_exec *e;

    return coir_exec_create(&e, NULL) != COIR_OK ? -1 : tasks(e, times);
}

struct inside {
    long times;
    double figure;
};

static void *parent(void *arg)
{
    struct inside *inside = arg;

    inside->figure = tasks(NULL, inside->times);
    return NULL;
}

static double from_inside(long times)
{
    struct inside inside = {times, -1};
    coir_exec *e;

    if (coir_exec_create(&e, NULL) != COIR_OK || coir_spawn(NULL, e, parent, &inside, NULL) != COIR_OK)
        return -1;
    coir_exec_run(e);
    return inside.figure;
}

static double measure_inside(void)
{
    return from_inside(TIMES);
}

static double measure_outside(void)
{
    return from_outside(TIMES);
}

#if defined _WIN32 || defined BENCH_UCONTEXT

static double measure_slow_fiber(void)
{
    return fibers_create_run_destroy(SLOW_TIMES);
}

static double measure_slow_inside(void)
{
    return from_inside(SLOW_TIMES);
}

static double measure_slow_outside(void)
{
    return from_outside(SLOW_TIMES);
}

#endif

int main(int argc, char **argv)
{
    static const struct bench_contender contenders[] = {
        {"asm, a fiber", "asm", measure_fiber},
        {"asm, from a task", "asm", measure_inside},
        {"asm, from outside", "asm", measure_outside},
#ifdef _WIN32
        {"winfiber, a fiber", "winfiber", measure_slow_fiber},
        {"winfiber, from a task", "winfiber", measure_slow_inside},
        {"winfiber, from outside", "winfiber", measure_slow_outside},
#endif
#ifdef BENCH_UCONTEXT
        {"ucontext, a fiber", "ucontext", measure_slow_fiber},
        {"ucontext, from a task", "ucontext", measure_slow_inside},
        {"ucontext, from outside", "ucontext", measure_slow_outside},
#endif
    };

    return bench_run(argc, argv, "spawn + run + await", contenders, sizeof contenders / sizeof contenders[0]);
}
