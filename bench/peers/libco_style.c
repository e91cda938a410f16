/* SPDX-License-Identifier: MIT */
/* libco_style.c - a bare switch, as libco has it: libco_style_switch.c, as a shared library. Needs no package.
 *
 * Stacks are of 64 KiB without a guard, from malloc, where libco itself takes them, and freed. Any variant.
 *
 * There are no values: an item goes through a global variable, as users of libco pass them. A side does not end: its
 * last act is to switch back. */

#include <stdint.h>
#include <stdlib.h>

#include "libco_style_switch.h"
#include "peer.h"

#define STACK_SIZE 65536

static struct bare *main_side;

static struct bare *make_side(void (*entry)(void))
{
    void *memory = malloc(STACK_SIZE);

    return memory != NULL ? bare_prepare(memory, STACK_SIZE, entry) : NULL;
}

/* False if this processor has no such switch. */
static bool prepare(void)
{
    if (!bare_available()) {
        contender_failed("not for this processor");
        return false;
    }
    main_side = bare_active();
    return true;
}

/* ---- switches ---- */

static void yield_for_ever(void)
{
    for (;;)
        bare_switch(main_side);
}

static struct bare **sides;

/* Makes `count` sides that have yielded once; false if that cannot be. */
static bool make_sides(long count)
{
    if (sides != NULL)
        return true;
    if (!prepare())
        return false;
    sides = calloc((size_t)count, sizeof *sides);
    for (long i = 0; i < count; i++) {
        sides[i] = make_side(yield_for_ever);
        if (sides[i] == NULL) {
            peer_failed("malloc");
            return false;
        }
        bare_switch(sides[i]);
    }
    return true;
}

static double one_switch(long times, long count)
{
    long rounds = contender_rounds(times, count);
    double start;

    if (!make_sides(count))
        return -1;
    start = contender_now();
    for (long r = 0; r < rounds; r++)
        for (long i = 0; i < count; i++)
            bare_switch(sides[i]);
    return (contender_now() - start) / (double)(rounds * count) * (double)times / 2;
}

static double memory(long times, long count)
{
    (void)times;
    return make_sides(count) ? (double)count : -1;
}

/* ---- generator ---- */

static uint64_t *item;

static void count_up(void)
{
    for (uint64_t n = 1;; n++) {
        item = &n;
        bare_switch(main_side);
    }
}

static double generator(long times, long count)
{
    static struct bare *side;
    uint64_t sum = 0;
    double start;

    (void)count;
    if (side == NULL && (!prepare() || (side = make_side(count_up)) == NULL))
        return -1;
    start = contender_now();
    for (long i = 0; i < times; i++) {
        bare_switch(side);
        sum += *item;
    }
    return sum == 0 ? -1 : contender_now() - start;
}

/* ---- create, run, destroy ---- */

static double create(long times, long count)
{
    double start;

    (void)count;
    if (!prepare())
        return -1;
    start = contender_now();
    for (long i = 0; i < times; i++) {
        struct bare *side = make_side(yield_for_ever);
        if (side == NULL)
            return peer_failed("malloc");
        bare_switch(side);
        free(side);
    }
    return contender_now() - start;
}

static double create_cold(long times, long count)
{
    double start;

    (void)times;
    if (!prepare())
        return -1;
    sides = calloc((size_t)count, sizeof *sides);
    start = contender_now();
    for (long i = 0; i < count; i++)
        if ((sides[i] = make_side(yield_for_ever)) == NULL)
            return peer_failed("malloc");
    for (long i = 0; i < count; i++)
        bare_switch(sides[i]);
    for (long i = 0; i < count; i++)
        free(sides[i]);
    return contender_now() - start;
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
