/* SPDX-License-Identifier: MIT */
/* channel.c - what it costs to send an item from one task to another that receives it, beside a switch of fibers. */

#include <coir.h>

#include <stdint.h>

#include "bench.h"
#include "fibers.h"

#define FAST_ITEMS 10000000
#define SLOW_ITEMS 300000

static double measure_switch(void)
{
    return fibers_round_trip(FAST_ITEMS) / 2;
}

static coir_chan *channel;

static void *send_items(void *items)
{
    for (uint64_t i = 1; i <= *(uint64_t *)items; i++)
        coir_chan_send(channel, &i);
    coir_chan_close(channel);
    return NULL;
}

static void *receive_items(void *sum)
{
    uint64_t item;

    while (coir_chan_recv(channel, &item) == COIR_OK)
        *(uint64_t *)sum += item;
    return NULL;
}

static double pass(uint64_t items, size_t capacity)
{
    coir_exec *e;
    uint64_t sum = 0;
    double start;

    if (coir_exec_create(&e, NULL) != COIR_OK || coir_chan_create(&channel, sizeof items, capacity) != COIR_OK ||
        coir_spawn(NULL, e, receive_items, &sum, NULL) != COIR_OK ||
        coir_spawn(NULL, e, send_items, &items, NULL) != COIR_OK)
        return -1;
    start = bench_now();
    coir_exec_run(e);
    return sum != items * (items + 1) / 2 ? -1 : (bench_now() - start) / (double)items;
}

static double measure_unbuffered(void)
{
    return pass(FAST_ITEMS, 0);
}

static double measure_buffered(void)
{
    return pass(FAST_ITEMS, 16);
}

#ifdef BENCH_UCONTEXT

static double measure_slow_switch(void)
{
    return fibers_round_trip(SLOW_ITEMS) / 2;
}

static double measure_slow_unbuffered(void)
{
    return pass(SLOW_ITEMS, 0);
}

static double measure_slow_buffered(void)
{
    return pass(SLOW_ITEMS, 16);
}

#endif

int main(int argc, char **argv)
{
    static const struct bench_contender contenders[] = {
        {"asm, a switch", "asm", measure_switch},
        {"asm, unbuffered", "asm", measure_unbuffered},
        {"asm, capacity 16", "asm", measure_buffered},
#ifdef _WIN32
        {"winfiber, a switch", "winfiber", measure_switch},
        {"winfiber, unbuffered", "winfiber", measure_unbuffered},
        {"winfiber, capacity 16", "winfiber", measure_buffered},
#endif
#ifdef BENCH_UCONTEXT
        {"ucontext, a switch", "ucontext", measure_slow_switch},
        {"ucontext, unbuffered", "ucontext", measure_slow_unbuffered},
        {"ucontext, capacity 16", "ucontext", measure_slow_buffered},
#endif
    };

    return bench_run(argc, argv, "send + receive of 8 bytes", contenders, sizeof contenders / sizeof contenders[0]);
}
