/* SPDX-License-Identifier: MIT */
/* wait.c - how tasks wait at objects, and get a last chance when their time is up. */

#include <config.h>

#include "loop.h"

static void list_chance(struct coir_uv__loop *loop, struct coir_uv__waiter *waiter)
{
    struct coir_uv__waiter **list = loop->in_batch ? &loop->late : &loop->chances;

    waiter->next = *list;
    waiter->in_list = list;
    if (waiter->next != NULL)
        waiter->next->in_list = &waiter->next;
    *list = waiter;
}

static void unlist_chance(struct coir_uv__waiter *waiter)
{
    *waiter->in_list = waiter->next;
    if (waiter->next != NULL)
        waiter->next->in_list = waiter->in_list;
    waiter->in_list = NULL;
}

static void end_waiter(struct coir_uv__waiter *waiter, int code)
{
    *waiter->place = NULL;
    if (--waiter->object->waiters == 0)
        uv_unref(waiter->object->handle);
    if (waiter->in_list != NULL)
        unlist_chance(waiter);
    coir_wait_end(&waiter->wait, code);
}

static void give_up(coir_wait *wait, int code)
{
    end_waiter((struct coir_uv__waiter *)wait, code);
}

int coir_uv__wait(struct coir_uv__object *object, struct coir_uv__waiter **place, struct coir_uv__waiter *waiter,
                  const char *what, int64_t deadline)
{
    waiter->wait = (coir_wait){.what = what, .give_up = give_up};
    waiter->object = object;
    waiter->place = place;
    waiter->in_list = NULL;
    *place = waiter;
    if (object->waiters++ == 0)
        uv_ref(object->handle);
    if (coir_uv__is_past(deadline)) {
        list_chance(object->loop, waiter);
        deadline = COIR_FOREVER;
    }
    return coir_wait_for_until(&waiter->wait, deadline);
}

void coir_uv__end(struct coir_uv__waiter **place, int code)
{
    if (*place != NULL)
        end_waiter(*place, code);
}

void coir_uv__end_chances(struct coir_uv__loop *loop)
{
    while (loop->chances != NULL)
        end_waiter(loop->chances, COIR_ETIMEDOUT);
    loop->chances = loop->late;
    loop->late = NULL;
    if (loop->chances != NULL)
        loop->chances->in_list = &loop->chances;
}
