/* SPDX-License-Identifier: MIT */
/* pth.c - GNU Pth (Debian: libpth-dev).
 *
 * Stacks are of 64 KiB, its default, from malloc. Any variant.
 *
 * Its means to pass items are message ports, which take any number. A channel that holds so many is made of so many
 * messages that go to and fro, the receiver giving each back (pth_msgport_reply) for the sender to fill again.
 *
 * Its queues are lists that are searched from the start, and its timers are looked at one by one whenever it chooses
 * a thread. With many it has no figures, since they would take minutes. */

#include <pth.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "peer.h"

#define MOST_THREADS 20000
#define MOST_TIMERS 1000

static bool may_have(long count, long most)
{
    if (count > most)
        contender_failed("it would take minutes");
    return count <= most;
}

static bool prepare(void)
{
    static bool prepared;

    if (!prepared && !pth_init()) {
        peer_failed("pth_init");
        return false;
    }
    prepared = true;
    return true;
}

static pth_t start_thread(void *(*function)(void *), void *arg)
{
    pth_t thread = pth_spawn(PTH_ATTR_DEFAULT, function, arg);

    if (thread == NULL)
        peer_failed("pth_spawn");
    return thread;
}

/* Runs that function on a thread, till its end; false if there is no thread for it. */
static bool run_thread(void *(*function)(void *), void *arg)
{
    pth_t thread = prepare() ? start_thread(function, arg) : NULL;

    return thread != NULL && pth_join(thread, NULL);
}

/* ---- threads that yield by turns ---- */

/* All yield until all have started. Whichever finds that first starts the clock; and stops it, when all turns are
 * had: the order of the turns is by priorities, which change while a thread waits. */
static long expected, started, turns_left;
static double start, took;

static void *take_turns(void *unused)
{
    started++;
    while (started < expected)
        pth_yield(NULL);
    if (start == 0)
        start = contender_now();
    while (turns_left > 0) {
        turns_left--;
        pth_yield(NULL);
    }
    if (took == 0)
        took = contender_now() - start;
    return unused;
}

static double yield(long times, long count)
{
    pth_t *threads = calloc((size_t)count, sizeof *threads);

    if (!may_have(count, MOST_THREADS) || !prepare())
        return -1;
    expected = count;
    started = 0;
    turns_left = times;
    start = took = 0;
    for (long i = 0; i < count; i++)
        if ((threads[i] = start_thread(take_turns, NULL)) == NULL)
            return -1;
    for (long i = 0; i < count; i++)
        pth_join(threads[i], NULL);
    free(threads);
    return took;
}

/* ---- spawn, run, join ---- */

static void *nothing(void *arg)
{
    return arg;
}

static void *spawn_and_join(void *times)
{
    double from = contender_now();

    took = -1;
    for (long i = 0; i < *(long *)times; i++) {
        pth_t thread = start_thread(nothing, NULL);
        if (thread == NULL || !pth_join(thread, NULL))
            return NULL;
    }
    took = contender_now() - from;
    return NULL;
}

static double spawn(long times, long count)
{
    (void)count;
    return run_thread(spawn_and_join, &times) ? took : -1;
}

/* ---- channels ---- */

#define MOST_MESSAGES 16

struct message {
    pth_message_t head;
    uint64_t item;
};

static struct message messages[MOST_MESSAGES];
static long capacity;
static pth_msgport_t items; /* the receiver's */
static uint64_t sum;

static struct message *await_message(pth_msgport_t port, pth_event_t arrival)
{
    pth_message_t *head;

    while ((head = pth_msgport_get(port)) == NULL)
        pth_wait(arrival);
    return (struct message *)head;
}

static void *send_items(void *count)
{
    pth_msgport_t returned = pth_msgport_create(NULL);
    pth_event_t arrival = pth_event(PTH_EVENT_MSG, returned);

    while (items == NULL)
        pth_yield(NULL);
    for (long i = 0; i < capacity; i++)
        pth_msgport_put(returned, &messages[i].head);
    for (uint64_t i = 1; i <= *(uint64_t *)count; i++) {
        struct message *message = await_message(returned, arrival);
        message->item = i;
        message->head.m_replyport = returned;
        pth_msgport_put(items, &message->head);
    }
    for (long i = 0; i < capacity; i++)
        await_message(returned, arrival);
    pth_event_free(arrival, PTH_FREE_THIS);
    pth_msgport_destroy(returned);
    return NULL;
}

static void *receive_items(void *count)
{
    pth_event_t arrival;

    items = pth_msgport_create(NULL);
    arrival = pth_event(PTH_EVENT_MSG, items);
    for (uint64_t i = 1; i <= *(uint64_t *)count; i++) {
        struct message *message = await_message(items, arrival);
        sum += message->item;
        pth_msgport_reply(&message->head);
    }
    pth_event_free(arrival, PTH_FREE_THIS);
    pth_msgport_destroy(items);
    items = NULL;
    return NULL;
}

static double pass_items(uint64_t count, long most)
{
    double from = contender_now();
    pth_t receiver;

    capacity = most;
    sum = 0;
    receiver = prepare() ? start_thread(receive_items, &count) : NULL;
    if (receiver == NULL || !run_thread(send_items, &count) || !pth_join(receiver, NULL))
        return -1;
    return sum == count * (count + 1) / 2 ? contender_now() - from : -1;
}

static double channel(long times, long count)
{
    (void)count;
    return pass_items((uint64_t)times, 1);
}

static double channel_16(long times, long count)
{
    (void)count;
    return pass_items((uint64_t)times, MOST_MESSAGES);
}

/* ---- timers ---- */

static pth_cond_t morning = PTH_COND_INIT;
static pth_mutex_t night = PTH_MUTEX_INIT;
static bool is_waking;

static void *sleep_long(void *number)
{
    pth_nap(pth_time(3600, (long)(uintptr_t)number));
    return NULL;
}

/* Waits with a deadline that never comes: each wait sets a timer, and each wake takes it back. */
static void *wait_often(void *times)
{
    static pth_key_t key = PTH_KEY_INIT;

    pth_mutex_acquire(&night, FALSE, NULL);
    for (long i = 0; i < *(long *)times; i++)
        pth_cond_await(&morning, &night,
                       pth_event(PTH_EVENT_TIME | PTH_MODE_STATIC, &key, pth_timeout(1, i % 7919)));
    pth_mutex_release(&night);
    is_waking = false;
    return NULL;
}

/* To notify is to yield, too. */
static void *wake_often(void *unused)
{
    double from = contender_now();

    while (is_waking)
        pth_cond_notify(&morning, FALSE);
    took = contender_now() - from;
    return unused;
}

/* `count` threads that sleep; they stay. */
static bool make_sleepers(long count)
{
    static bool made;

    for (long i = 1; !made && i <= count; i++)
        if (start_thread(sleep_long, (void *)(uintptr_t)(i * 7919 % (count + 1))) == NULL)
            return false;
    made = true;
    return true;
}

static double timer(long times, long count)
{
    pth_t waiter;

    if (!may_have(count, MOST_TIMERS) || !prepare() || !make_sleepers(count - 1))
        return -1;
    is_waking = true;
    waiter = start_thread(wait_often, &times);
    if (waiter == NULL || !run_thread(wake_often, NULL) || !pth_join(waiter, NULL))
        return -1;
    return took;
}

/* ---- memory ---- */

static void *yield_for_ever(void *unused)
{
    started++;
    for (;;)
        pth_yield(NULL);
    return unused;
}

static double memory(long times, long count)
{
    (void)times;
    if (!may_have(count, MOST_THREADS) || !prepare())
        return -1;
    for (long i = 0; i < count; i++)
        if (start_thread(yield_for_ever, NULL) == NULL)
            return -1;
    while (started < count)
        pth_yield(NULL);
    return (double)count;
}

const struct contender_answer contender_answers[] = {
    {NULL, "yield", CONTENDER_REPEATED, yield},
    {NULL, "spawn", CONTENDER_REPEATED, spawn},
    {NULL, "channel", CONTENDER_REPEATED, channel},
    {NULL, "channel_16", CONTENDER_REPEATED, channel_16},
    {NULL, "timer", CONTENDER_REPEATED, timer},
    {NULL, "memory", CONTENDER_MEMORY, memory},
    {NULL, NULL, CONTENDER_ONCE, NULL},
};
