/* SPDX-License-Identifier: MIT */
/* sem.c - semaphores. A permit that is added goes straight to the task that waits longest: there is none to be had
 * while somebody waits. */

#include <config.h>

#include <coir/sync.h>

#include "allocator.h"
#include "object.h"
#include "queue.h"
#include "task.h"

struct coir_sem {
    struct coir__object object;
    struct coir_queue waiting;
    unsigned count;
};

static const struct coir__wait waits = {"waits for semaphore", true, NULL, coir__give_up_queue};

int coir_sem_create(coir_sem **out, unsigned count)
{
    coir_sem *s;
    int error;

    if (out == NULL || count > COIR_SEM_MAX)
        return COIR_EINVAL;
    s = coir__object_make(sizeof *s, &error);
    if (s == NULL)
        return error;
    s->count = count;
    *out = s;
    return COIR_OK;
}

static int check(const coir_sem *s)
{
    return coir__object_check((const struct coir__object *)s);
}

int coir_sem_try_wait(coir_sem *s)
{
    int error = check(s);

    if (error != COIR_OK)
        return error;
    if (s->count == 0)
        return COIR_EAGAIN;
    s->count--;
    return COIR_OK;
}

int coir_sem_wait_until(coir_sem *s, int64_t deadline)
{
    struct coir__caller caller;
    int error;

    if (!coir__may_wait(&caller))
        return coir__why_not_wait();
    error = coir_sem_try_wait(s);
    if (error != COIR_EAGAIN)
        return error;
    return coir__suspend_in(&s->waiting, caller, &waits, s, deadline);
}

int coir_sem_wait(coir_sem *s)
{
    return coir_sem_wait_until(s, COIR_FOREVER);
}

int coir_sem_post(coir_sem *s)
{
    int error = check(s);
    struct coir_waiter *next;

    if (error != COIR_OK)
        return error;
    next = s->waiting.first;
    if (next != NULL) {
        coir__queue_remove(next);
        coir__ready(next->task, COIR_OK);
        return COIR_OK;
    }
    if (s->count == COIR_SEM_MAX)
        return COIR_EAGAIN;
    s->count++;
    return COIR_OK;
}

int coir_sem_count(const coir_sem *s)
{
    int error = check(s);

    return error == COIR_OK ? (int)s->count : error;
}

int coir_sem_destroy(coir_sem *s)
{
    int error;

    if (s == NULL)
        return COIR_OK;
    error = coir__object_check_destroy(&s->object, s->waiting.first != NULL);
    if (error == COIR_OK)
        coir__release(s, sizeof *s);
    return error;
}
