/* SPDX-License-Identifier: MIT */
/* mutex.h - what a mutex is inside, for mutex.c and cond.c. */

#ifndef COIR__MUTEX_H
#define COIR__MUTEX_H

#include <coir/sync.h>

#include "object.h"
#include "queue.h"
#include "task.h"

struct coir_mutex {
    struct coir__object object;
    coir_task *holder;  /* NULL: it is free */
    coir_mutex *next;   /* in its holder's list */
    unsigned wanted;    /* tasks that have given it up to wait for a condition, and will want it back */
    bool abandoned;     /* its holder has ended: it is never free again */
    struct coir_queue waiting;
};

/* Does anybody hold it, or did for ever? */
static inline bool coir__mutex_is_taken(const coir_mutex *m)
{
    return m->holder != NULL || m->abandoned;
}

/* Of a task that waits for a mutex: who holds that, if anybody still does. */
const coir_task *coir__mutex_holder(const coir_task *task);

/* Makes a task the holder. Takes that back, from the holder. */
void coir__mutex_take(coir_mutex *m, coir_task *task);
void coir__mutex_drop(coir_mutex *m);

/* Takes it from its holder, and gives it to the one that waits longest, or to nobody. */
void coir__mutex_pass_on(coir_mutex *m);

#endif
