/* SPDX-License-Identifier: MIT */
/* fcontext.c - Boost.Context's switch, through its C entry points in its shared library (Debian: libboost-context-dev).
 *
 * It has no stacks of its own. Variants: "malloc", 64 KiB without a guard, as most of its users take them; "mmap", with a
 * guard page; "pool", malloc'ed ones that are kept for the next.
 *
 * Each of its switches stores and loads the floating-point control words. A load of MXCSR that changes the sticky
 * exception flags is slow (some 65 ns); no side computes with floating point here, so all have the same. */

#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../contender.h"

#define STACK_SIZE 65536
#define PAGE 4096

typedef void *fcontext;
struct transfer {
    fcontext from;
    void *data;
};

/* boost/context/detail/fcontext.hpp declares these for C++ only. */
struct transfer jump_fcontext(fcontext to, void *data);
fcontext make_fcontext(void *top, size_t size, void (*entry)(struct transfer));

/* ---- stacks ---- */

static bool maps_stacks(void)
{
    return strcmp(contender_variant, "mmap") == 0;
}

static char *stack_from_system(void)
{
    char *low = mmap(NULL, STACK_SIZE + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (low == MAP_FAILED)
        return NULL;
    if (mprotect(low, PAGE, PROT_NONE) != 0) {
        munmap(low, STACK_SIZE + PAGE);
        return NULL;
    }
    return low + PAGE;
}

static char *pool; /* the last word of each unused stack leads to the next */

static char *take_stack(void)
{
    char *stack = pool;

    if (maps_stacks())
        return stack_from_system();
    if (stack == NULL)
        return malloc(STACK_SIZE);
    memcpy(&pool, stack + STACK_SIZE - sizeof pool, sizeof pool);
    return stack;
}

static void give_stack(char *stack)
{
    if (maps_stacks()) {
        munmap(stack - PAGE, STACK_SIZE + PAGE);
    } else if (strcmp(contender_variant, "pool") == 0) {
        memcpy(stack + STACK_SIZE - sizeof pool, &pool, sizeof pool);
        pool = stack;
    } else {
        free(stack);
    }
}

/* ---- switches ---- */

static void yield_for_ever(struct transfer t)
{
    for (;;)
        t = jump_fcontext(t.from, t.data);
}

static fcontext *fibers;

/* Makes `count` fibers that have yielded once; how many could be. */
static long make_fibers(long count)
{
    if (fibers != NULL)
        return count;
    fibers = malloc((size_t)count * sizeof *fibers);
    for (long i = 0; i < count; i++) {
        char *stack = take_stack();
        if (stack == NULL)
            return i;
        fibers[i] = make_fcontext(stack + STACK_SIZE, STACK_SIZE, yield_for_ever);
        fibers[i] = jump_fcontext(fibers[i], NULL).from;
    }
    return count;
}

static double round_robin(long times, long count)
{
    long rounds = contender_rounds(times, count);
    double start;

    if (make_fibers(count) < count)
        return contender_failed("no more stacks");
    start = contender_now();
    for (long r = 0; r < rounds; r++)
        for (long i = 0; i < count; i++)
            fibers[i] = jump_fcontext(fibers[i], NULL).from;
    return (contender_now() - start) / (double)(rounds * count) * (double)times;
}

static double one_switch(long times, long count)
{
    return round_robin(times, count) / 2;
}

static double memory(long times, long count)
{
    (void)times;
    return make_fibers(count) < count ? contender_failed("no more stacks") : (double)count;
}

/* ---- generator ---- */

static void count_up(struct transfer t)
{
    for (uint64_t n = 1;; n++)
        t = jump_fcontext(t.from, &n);
}

static double generator(long times, long count)
{
    fcontext f = make_fcontext(take_stack() + STACK_SIZE, STACK_SIZE, count_up);
    uint64_t sum = 0;
    double start = contender_now();

    (void)count;
    for (long i = 0; i < times; i++) {
        struct transfer t = jump_fcontext(f, NULL);
        f = t.from;
        sum += *(uint64_t *)t.data;
    }
    return sum == 0 ? -1 : contender_now() - start;
}

/* ---- create, run, destroy ---- */

static void end(struct transfer t)
{
    jump_fcontext(t.from, NULL);
}

static double create(long times, long count)
{
    double start = contender_now();

    (void)count;
    for (long i = 0; i < times; i++) {
        char *stack = take_stack();
        jump_fcontext(make_fcontext(stack + STACK_SIZE, STACK_SIZE, end), NULL);
        give_stack(stack);
    }
    return contender_now() - start;
}

static double create_among(long times, long count)
{
    return make_fibers(count) < count ? contender_failed("no more stacks") : create(times, count);
}

/* Makes all, then runs all, then frees all, as the other contenders do. */
static double create_cold(long times, long count)
{
    char **stacks = calloc((size_t)count, sizeof *stacks);
    double start;

    (void)times;
    fibers = calloc((size_t)count, sizeof *fibers);
    start = contender_now();
    for (long i = 0; i < count; i++) {
        stacks[i] = take_stack();
        if (stacks[i] == NULL)
            return contender_failed("no more stacks");
        fibers[i] = make_fcontext(stacks[i] + STACK_SIZE, STACK_SIZE, end);
    }
    for (long i = 0; i < count; i++)
        jump_fcontext(fibers[i], NULL);
    for (long i = 0; i < count; i++)
        give_stack(stacks[i]);
    return contender_now() - start;
}

const struct contender_answer contender_answers[] = {
    {NULL, "switch", CONTENDER_REPEATED, one_switch},
    {NULL, "robin", CONTENDER_REPEATED, one_switch},
    {NULL, "yield", CONTENDER_REPEATED, round_robin}, /* a resume and back, in turn: what an executor on it would need */
    {NULL, "generator", CONTENDER_REPEATED, generator},
    {NULL, "create", CONTENDER_REPEATED, create},
    {NULL, "create_among", CONTENDER_REPEATED, create_among},
    {NULL, "create_cold", CONTENDER_ONCE, create_cold},
    {NULL, "memory", CONTENDER_MEMORY, memory},
    {NULL, NULL, CONTENDER_ONCE, NULL},
};
