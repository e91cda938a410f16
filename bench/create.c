/* SPDX-License-Identifier: MIT */
/* create.c - what a fiber costs that is created, runs to its end and is destroyed. */

#include <coir.h>

#include <stdlib.h>
#ifdef BENCH_UCONTEXT
#include <ucontext.h>
#endif

#include "bench.h"
#include "fibers.h"

#define TIMES 5000000
#define COLD 20000

static double measure_warm(void)
{
    return fibers_create_run_destroy(TIMES);
}

#ifdef _WIN32
static double measure_winfiber(void)
{
    return fibers_create_run_destroy(COLD); /* the system takes its time to make one */
}
#endif

static void *suspend(void *arg)
{
    coir_yield(NULL, NULL);
    return arg;
}

/* Many at a time: each stack is new address space. */
static double measure_cold(void)
{
    static coir_fiber *fibers[COLD];
    double start = bench_now();

    for (long i = 0; i < COLD; i++) {
        if (coir_create(&fibers[i], suspend, NULL, NULL) != COIR_OK)
            return -1;
        coir_resume(fibers[i], NULL, NULL);
    }
    for (long i = 0; i < COLD; i++) {
        coir_resume(fibers[i], NULL, NULL);
        coir_destroy(fibers[i]);
    }
    return (bench_now() - start) / COLD;
}

#ifdef BENCH_UCONTEXT

#define STACK_SIZE 65536

static ucontext_t main_context, fiber_context;

static void ucontext_nothing(void)
{
    swapcontext(&fiber_context, &main_context);
}

/* With stacks from malloc, which gives out the same one each time; no guard. */
static double measure_ucontext(void)
{
    double start = bench_now();

    for (long i = 0; i < TIMES / 10; i++) {
        char *stack = malloc(STACK_SIZE);
        getcontext(&fiber_context);
        fiber_context.uc_stack.ss_sp = stack;
        fiber_context.uc_stack.ss_size = STACK_SIZE;
        makecontext(&fiber_context, ucontext_nothing, 0);
        swapcontext(&main_context, &fiber_context);
        free(stack);
    }
    return (bench_now() - start) / (TIMES / 10);
}

#endif

int main(int argc, char **argv)
{
    static const struct bench_contender contenders[] = {
        {"coir asm, warm", "asm", measure_warm},
        {"coir asm, 20,000 at once", "asm", measure_cold},
#ifdef _WIN32
        {"coir winfiber", "winfiber", measure_winfiber},
#endif
#ifdef BENCH_UCONTEXT
        {"coir ucontext, warm", "ucontext", measure_warm},
        {"bare ucontext, malloc", NULL, measure_ucontext},
#endif
    };

    return bench_run(argc, argv, "create + run + destroy", contenders, sizeof contenders / sizeof contenders[0]);
}
