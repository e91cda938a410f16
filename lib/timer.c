/* SPDX-License-Identifier: MIT */
/* timer.c - an executor's timers. */

#include <config.h>

#include <stdbool.h>
#include <string.h>

#include "allocator.h"
#include "task.h"
#include "timer.h"

#define CHILDREN 4

int coir__timers_reserve(struct coir__timers *timers, uint32_t capacity)
{
    struct coir__timer *heap;

    if (capacity <= timers->capacity)
        return COIR_OK;
    heap = coir__allocate(capacity * sizeof *heap);
    if (heap == NULL)
        return COIR_ENOMEM;
    if (timers->count > 0)
        memcpy(heap, timers->heap, timers->count * sizeof *heap);
    coir__timers_release(timers);
    timers->heap = heap;
    timers->capacity = capacity;
    return COIR_OK;
}

void coir__timers_release(struct coir__timers *timers)
{
    coir__release(timers->heap, timers->capacity * sizeof *timers->heap);
}

static bool is_before(const struct coir__timer *a, const struct coir__timer *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->serial < b->serial;
}

static void put(struct coir__timers *timers, uint32_t place, struct coir__timer timer)
{
    timers->heap[place] = timer;
    timer.task->timer = place + 1;
}

/* Puts a timer at the place that is free, or at one further up, whose timers move down. */
static void put_up(struct coir__timers *timers, uint32_t place, struct coir__timer timer)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / CHILDREN;
        if (!is_before(&timer, &timers->heap[parent]))
            break;
        put(timers, place, timers->heap[parent]);
        place = parent;
    }
    put(timers, place, timer);
}

/* The first of the children, or `count` if there are none. */
static uint32_t first_child(const struct coir__timers *timers, uint32_t place)
{
    uint32_t child = place * CHILDREN + 1;
    uint32_t best = child;

    if (child >= timers->count)
        return timers->count;
    for (uint32_t i = child + 1; i < child + CHILDREN && i < timers->count; i++)
        if (is_before(&timers->heap[i], &timers->heap[best]))
            best = i;
    return best;
}

/* The same downwards. */
static void put_down(struct coir__timers *timers, uint32_t place, struct coir__timer timer)
{
    uint32_t child = first_child(timers, place);

    while (child < timers->count && is_before(&timers->heap[child], &timer)) {
        put(timers, place, timers->heap[child]);
        place = child;
        child = first_child(timers, place);
    }
    put(timers, place, timer);
}

void coir__timer_set(struct coir__timers *timers, coir_task *task, int64_t deadline)
{
    struct coir__timer timer = {deadline, timers->next_serial++, task};

    put_up(timers, timers->count++, timer);
}

void coir__timer_clear(struct coir__timers *timers, coir_task *task)
{
    uint32_t place = task->timer - 1;
    struct coir__timer last = timers->heap[--timers->count];

    task->timer = 0;
    if (last.task == task)
        return;
    if (place > 0 && is_before(&last, &timers->heap[(place - 1) / CHILDREN]))
        put_up(timers, place, last);
    else
        put_down(timers, place, last);
}
