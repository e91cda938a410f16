/* SPDX-License-Identifier: MIT */
/* ucontext.c - the system's own: swapcontext, of the C library. Needs no package.
 *
 * Stacks are malloc'ed, 64 KiB without a guard, and freed when their context has ended; the context itself is in an
 * array beside. Any variant.
 *
 * A context ends as the manual has it: its function returns, and uc_link is resumed. Each switch also sets the signal
 * mask, which is a system call; there is no way to leave that out. */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "peer.h"

#define STACK_SIZE 65536

static ucontext_t main_context;

static bool make_context(ucontext_t *context, void (*entry)(void))
{
    void *stack = malloc(STACK_SIZE);

    if (stack == NULL || getcontext(context) != 0) {
        peer_failed("a context");
        return false;
    }
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK_SIZE;
    context->uc_link = &main_context;
    makecontext(context, entry, 0);
    return true;
}

/* ---- switches ---- */

static ucontext_t *contexts;
static ucontext_t *current; /* where one that yields saves itself */

static void yield_for_ever(void)
{
    ucontext_t *self = current;

    for (;;)
        swapcontext(self, &main_context);
}

/* Makes `count` contexts that have yielded once; false if that cannot be. */
static bool make_contexts(long count)
{
    if (contexts != NULL)
        return true;
    contexts = calloc((size_t)count, sizeof *contexts);
    for (long i = 0; i < count; i++) {
        current = &contexts[i];
        if (!make_context(current, yield_for_ever))
            return false;
        swapcontext(&main_context, current);
    }
    return true;
}

static double one_switch(long times, long count)
{
    long rounds = contender_rounds(times, count);
    double start;

    if (!make_contexts(count))
        return -1;
    start = contender_now();
    for (long r = 0; r < rounds; r++)
        for (long i = 0; i < count; i++)
            swapcontext(&main_context, &contexts[i]);
    return (contender_now() - start) / (double)(rounds * count) * (double)times / 2;
}

static double memory(long times, long count)
{
    (void)times;
    return make_contexts(count) ? (double)count : -1;
}

/* ---- generator ---- */

static ucontext_t numbers;
static uint64_t *item;

static void count_up(void)
{
    for (uint64_t n = 1;; n++) {
        item = &n;
        swapcontext(&numbers, &main_context);
    }
}

static double generator(long times, long count)
{
    static bool made;
    uint64_t sum = 0;
    double start;

    (void)count;
    if (!made && !make_context(&numbers, count_up))
        return -1;
    made = true;
    start = contender_now();
    for (long i = 0; i < times; i++) {
        swapcontext(&main_context, &numbers);
        sum += *item;
    }
    return sum == 0 ? -1 : contender_now() - start;
}

/* ---- create, run, destroy ---- */

static long ended;

static void end(void)
{
    ended++;
}

static double create(long times, long count)
{
    double start = contender_now();

    (void)count;
    ended = 0;
    for (long i = 0; i < times; i++) {
        ucontext_t context;
        if (!make_context(&context, end))
            return -1;
        swapcontext(&main_context, &context);
        free(context.uc_stack.ss_sp);
    }
    return ended == times ? contender_now() - start : -1;
}

static double create_cold(long times, long count)
{
    double start;

    (void)times;
    contexts = calloc((size_t)count, sizeof *contexts);
    start = contender_now();
    for (long i = 0; i < count; i++)
        if (!make_context(&contexts[i], end))
            return -1;
    for (long i = 0; i < count; i++)
        swapcontext(&main_context, &contexts[i]);
    for (long i = 0; i < count; i++)
        free(contexts[i].uc_stack.ss_sp);
    return ended == count ? contender_now() - start : -1;
}

const struct contender_answer contender_answers[] = {
    {NULL, "switch", CONTENDER_REPEATED, one_switch},
    {NULL, "robin", CONTENDER_REPEATED, one_switch},
    {NULL, "generator", CONTENDER_REPEATED, generator},
    {NULL, "create", CONTENDER_REPEATED, create},
    {NULL, "create_cold", CONTENDER_ONCE, create_cold},
    {NULL, "memory", CONTENDER_MEMORY, memory},
    {NULL, NULL, CONTENDER_ONCE, NULL},
};
