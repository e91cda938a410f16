/* SPDX-License-Identifier: MIT */
/* state_threads.c - the State Threads library (Debian: libst-dev).
 *
 * Stacks are of 64 KiB, its default; it maps them and keeps those of threads that have ended. Variants: "plain"; of
 * yield also "cond".
 *
 * This version (1.9) has no st_thread_yield. What its users do instead is st_usleep(0), which sets a timer and goes
 * by way of the idle thread, thus of the system: that is "plain". Threads that know one another can hand on a
 * condition, which does without the system: that is "cond".
 *
 * It has no channels. They are made of conditions here as its users make them, in the way that needs fewest switches:
 * who finds the other waiting does the work for both, and goes on. The event system is poll, the faster of the two
 * that Debian's build has. */

#include <st.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "peer.h"

#define STACK_SIZE 65536

static bool prepare(void)
{
    static bool prepared;

    if (!prepared && (st_set_eventsys(ST_EVENTSYS_POLL) != 0 || st_init() != 0)) {
        peer_failed("st_init");
        return false;
    }
    prepared = true;
    return true;
}

static st_thread_t start_thread(void *(*function)(void *), void *arg)
{
    st_thread_t thread = st_thread_create(function, arg, 1, STACK_SIZE);

    if (thread == NULL)
        peer_failed("st_thread_create");
    return thread;
}

/* Runs that function on a thread, till its end; false if there is no thread for it. */
static bool run_thread(void *(*function)(void *), void *arg)
{
    st_thread_t thread = prepare() ? start_thread(function, arg) : NULL;

    return thread != NULL && st_thread_join(thread, NULL) == 0;
}

/* ---- threads that yield by turns ---- */

/* All yield until all have started. Whichever finds that first starts the clock; and stops it, when all turns are
 * had: the library does not say in which order the turns are. */
static long expected, started, turns_left;
static double start, took;

static void *take_turns(void *unused)
{
    started++;
    while (started < expected)
        st_usleep(0);
    if (start == 0)
        start = contender_now();
    while (turns_left > 0) {
        turns_left--;
        st_usleep(0);
    }
    if (took == 0)
        took = contender_now() - start;
    return unused;
}

static double yield(long times, long count)
{
    st_thread_t *threads = calloc((size_t)count, sizeof *threads);

    if (!prepare())
        return -1;
    expected = count;
    started = 0;
    turns_left = times;
    start = took = 0;
    for (long i = 0; i < count; i++)
        if ((threads[i] = start_thread(take_turns, NULL)) == NULL)
            return -1;
    for (long i = 0; i < count; i++)
        st_thread_join(threads[i], NULL);
    free(threads);
    return took;
}

/* ---- threads in a ring, each of which signals the next and waits for a signal ---- */

struct place {
    st_cond_t turn;
    struct place *next;
    st_thread_t thread;
};

static void *take_signals(void *arg)
{
    struct place *place = arg;

    while (turns_left > 0) {
        turns_left--;
        st_cond_signal(place->next->turn);
        st_cond_wait(place->turn);
    }
    if (took == 0)
        took = contender_now() - start;
    st_cond_signal(place->next->turn);
    return NULL;
}

/* All but the first wait from the start. */
static void *await_first_signal(void *arg)
{
    st_cond_wait(((struct place *)arg)->turn);
    return take_signals(arg);
}

static bool fill_ring(struct place *ring, long count)
{
    for (long i = 0; i < count; i++) {
        ring[i].turn = st_cond_new();
        ring[i].next = &ring[(i + 1) % count];
    }
    for (long i = 1; i < count; i++)
        if ((ring[i].thread = start_thread(await_first_signal, &ring[i])) == NULL)
            return false;
    st_usleep(0);
    return true;
}

static double yield_by_conditions(long times, long count)
{
    struct place *ring = calloc((size_t)count, sizeof *ring);

    if (count < 2)
        return contender_failed("one thread cannot signal itself");
    if (!prepare() || !fill_ring(ring, count))
        return -1;
    turns_left = times;
    took = 0;
    start = contender_now();
    if (!run_thread(take_signals, &ring[0]))
        return -1;
    for (long i = 1; i < count; i++)
        st_thread_join(ring[i].thread, NULL);
    for (long i = 0; i < count; i++)
        st_cond_destroy(ring[i].turn);
    free(ring);
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
        st_thread_t thread = start_thread(nothing, NULL);
        if (thread == NULL || st_thread_join(thread, NULL) != 0)
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

static st_cond_t for_sender, for_receiver;
static const uint64_t *offered; /* by the sender, while it waits */
static uint64_t *wanted;        /* by the receiver, while it waits */

#define PLACES 16
static uint64_t buffer[PLACES];
static size_t first, held;

static void send_item(uint64_t item)
{
    if (wanted != NULL) {
        *wanted = item;
        wanted = NULL;
        st_cond_signal(for_receiver);
        return;
    }
    offered = &item;
    while (offered != NULL)
        st_cond_wait(for_sender);
}

static uint64_t receive_item(void)
{
    uint64_t item;

    if (offered != NULL) {
        item = *offered;
        offered = NULL;
        st_cond_signal(for_sender);
        return item;
    }
    wanted = &item;
    while (wanted != NULL)
        st_cond_wait(for_receiver);
    return item;
}

static void put_item(uint64_t item)
{
    while (held == PLACES)
        st_cond_wait(for_sender);
    buffer[(first + held++) % PLACES] = item;
    st_cond_signal(for_receiver);
}

static uint64_t get_item(void)
{
    uint64_t item;

    while (held == 0)
        st_cond_wait(for_receiver);
    item = buffer[first];
    first = (first + 1) % PLACES;
    held--;
    st_cond_signal(for_sender);
    return item;
}

static void *send_items(void *items)
{
    for (uint64_t i = 1; i <= *(uint64_t *)items; i++)
        send_item(i);
    return NULL;
}

static void *put_items(void *items)
{
    for (uint64_t i = 1; i <= *(uint64_t *)items; i++)
        put_item(i);
    return NULL;
}

static uint64_t sum;

static void *receive_items(void *items)
{
    for (uint64_t i = 1; i <= *(uint64_t *)items; i++)
        sum += receive_item();
    return NULL;
}

static void *get_items(void *items)
{
    for (uint64_t i = 1; i <= *(uint64_t *)items; i++)
        sum += get_item();
    return NULL;
}

static double pass_items(uint64_t items, void *(*send)(void *), void *(*receive)(void *))
{
    st_thread_t receiver;
    double from;

    if (!prepare())
        return -1;
    for_sender = st_cond_new();
    for_receiver = st_cond_new();
    sum = 0;
    from = contender_now();
    receiver = start_thread(receive, &items);
    if (receiver == NULL || !run_thread(send, &items) || st_thread_join(receiver, NULL) != 0)
        return -1;
    from = contender_now() - from;
    st_cond_destroy(for_sender);
    st_cond_destroy(for_receiver);
    return sum == items * (items + 1) / 2 ? from : -1;
}

static double channel(long times, long count)
{
    (void)count;
    return pass_items((uint64_t)times, send_items, receive_items);
}

static double channel_16(long times, long count)
{
    (void)count;
    return pass_items((uint64_t)times, put_items, get_items);
}

/* ---- timers ---- */

static st_cond_t morning, evening;
static bool is_waking;

static void *sleep_long(void *number)
{
    st_usleep((st_utime_t)3600 * 1000000 + (st_utime_t)(uintptr_t)number);
    return NULL;
}

/* Waits with a deadline that never comes: each wait sets a timer, and each wake takes it back. The two wake one
 * another, for want of a yield that sets no timer. */
static void *wait_often(void *times)
{
    for (long i = 0; i < *(long *)times; i++) {
        st_cond_signal(evening);
        st_cond_timedwait(morning, (st_utime_t)1000000 + (st_utime_t)(i % 7919));
    }
    is_waking = false;
    st_cond_signal(evening);
    return NULL;
}

static void *wake_often(void *unused)
{
    double from = contender_now();

    while (is_waking) {
        st_cond_signal(morning);
        st_cond_wait(evening);
    }
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
    st_thread_t waiter;

    if (!prepare() || !make_sleepers(count - 1))
        return -1;
    morning = st_cond_new();
    evening = st_cond_new();
    is_waking = true;
    waiter = start_thread(wait_often, &times);
    if (waiter == NULL || !run_thread(wake_often, NULL) || st_thread_join(waiter, NULL) != 0)
        return -1;
    st_cond_destroy(morning);
    st_cond_destroy(evening);
    return took;
}

/* ---- memory ---- */

static void *wait_for_ever(void *unused)
{
    st_usleep(ST_UTIME_NO_TIMEOUT);
    return unused;
}

static double memory(long times, long count)
{
    (void)times;
    if (!prepare())
        return -1;
    for (long i = 0; i < count; i++)
        if (start_thread(wait_for_ever, NULL) == NULL)
            return -1;
    st_usleep(0);
    return (double)count;
}

const struct contender_answer contender_answers[] = {
    {"plain", "yield", CONTENDER_REPEATED, yield},
    {"cond", "yield", CONTENDER_REPEATED, yield_by_conditions},
    {"plain", "spawn", CONTENDER_REPEATED, spawn},
    {"plain", "channel", CONTENDER_REPEATED, channel},
    {"plain", "channel_16", CONTENDER_REPEATED, channel_16},
    {"plain", "timer", CONTENDER_REPEATED, timer},
    {"plain", "memory", CONTENDER_MEMORY, memory},
    {NULL, NULL, CONTENDER_ONCE, NULL},
};
