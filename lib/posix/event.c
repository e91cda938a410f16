/* SPDX-License-Identifier: MIT */
/* event.c (POSIX) - a condition variable that knows the monotonic clock. */

#include <config.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include <coir/error.h>

#include "allocator.h"
#include "event.h"
#include "os.h"

struct coir__event {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool is_set;
    atomic_uint holders;
    struct coir__event *next; /* in the list of all, for the child of a fork */
    struct coir__event *previous;
};

static struct coir__event *events; /* under the lock */

/* Waits are for a time of the clock that nobody sets. */
static int create_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int error;

    if (pthread_condattr_init(&attributes) != 0)
        return COIR_ENOMEM;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0)
        error = pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return error == 0 ? COIR_OK : COIR_ENOMEM;
}

static int create_parts(struct coir__event *event)
{
    int error;

    if (pthread_mutex_init(&event->mutex, NULL) != 0)
        return COIR_ENOMEM;
    error = create_cond(&event->cond);
    if (error != COIR_OK)
        pthread_mutex_destroy(&event->mutex);
    return error;
}

static void list_event(struct coir__event *event)
{
    coir__lock();
    event->previous = NULL;
    event->next = events;
    if (events != NULL)
        events->previous = event;
    events = event;
    coir__unlock();
}

static void unlist_event(struct coir__event *event)
{
    coir__lock();
    if (event->previous != NULL)
        event->previous->next = event->next;
    else
        events = event->next;
    if (event->next != NULL)
        event->next->previous = event->previous;
    coir__unlock();
}

int coir__event_create(struct coir__event **out)
{
    struct coir__event *event = coir__allocate(sizeof *event);
    int error;

    if (event == NULL)
        return COIR_ENOMEM;
    event->is_set = false;
    event->holders = 0;
    error = create_parts(event);
    if (error != COIR_OK) {
        coir__release(event, sizeof *event);
        return error;
    }
    list_event(event);
    *out = event;
    return COIR_OK;
}

void coir__event_hold(struct coir__event *event)
{
    event->holders++;
}

void coir__event_drop(struct coir__event *event)
{
    event->holders--;
}

void coir__event_destroy(struct coir__event *event)
{
    while (event->holders > 0)
        sched_yield();
    unlist_event(event);
    pthread_cond_destroy(&event->cond);
    pthread_mutex_destroy(&event->mutex);
    coir__release(event, sizeof *event);
}

void coir__event_set(struct coir__event *event)
{
    pthread_mutex_lock(&event->mutex);
    event->is_set = true;
    pthread_cond_signal(&event->cond);
    pthread_mutex_unlock(&event->mutex);
}

static void unlock(void *mutex)
{
    pthread_mutex_unlock(mutex);
}

/* The waits are cancellation points; a thread that is cancelled must not leave others before a locked event. */
void coir__event_wait(struct coir__event *event, int64_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000)};
    bool is_endless = deadline / 1000000000 != (int64_t)until.tv_sec || deadline == INT64_MAX; /* time_t may be short */
    int error = 0;

    pthread_mutex_lock(&event->mutex);
    pthread_cleanup_push(unlock, &event->mutex);
    while (!event->is_set && error == 0) {
        if (is_endless)
            error = pthread_cond_wait(&event->cond, &event->mutex);
        else
            error = pthread_cond_timedwait(&event->cond, &event->mutex, &until);
    }
    event->is_set = false;
    pthread_cleanup_pop(1);
}

/* What was made before can be made again without failing, with the systems' own mutexes and conditions. */
void coir__events_forked(void)
{
    for (struct coir__event *event = events; event != NULL; event = event->next) {
        (void)create_parts(event);
        event->holders = 0;
    }
}
