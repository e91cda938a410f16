/* SPDX-License-Identifier: MIT */
/* signal.c - signals that the process gets. */

#include <config.h>

#include <limits.h>
#include <stddef.h>

#include "loop.h"

struct coir_uv_signal {
    struct coir_uv__object object;
    int count;    /* that have come, and nobody has been told */
    bool in_wait; /* a call goes on that comes back to this, for the count */
    struct coir_uv__waiter *waiter;
    uv_signal_t handle;
};

static int take_count(coir_uv_signal *s)
{
    int count = s->count;

    s->count = 0;
    return count;
}

static void on_signal(uv_signal_t *handle, int number)
{
    coir_uv_signal *s = handle->data;

    (void)number;
    if (s->count < INT_MAX)
        s->count++;
    coir_uv__end(&s->waiter, COIR_OK);
}

int coir_uv_signal_create(coir_uv_signal **out, int signum)
{
    struct coir_uv__loop *loop;
    coir_uv_signal *s;
    int error = coir_uv__here_for(out, &loop);

    if (error != COIR_OK)
        return error;
    s = coir_uv__object_make(loop, sizeof *s, offsetof(coir_uv_signal, handle));
    if (s == NULL)
        return COIR_ENOMEM;
    error = uv_signal_init(loop->loop, &s->handle);
    if (error != 0) {
        coir_uv__object_unmake(&s->object);
        return coir_uv__error(error);
    }
    coir_uv__object_made(&s->object);
    error = uv_signal_start(&s->handle, on_signal, signum);
    if (error != 0) {
        coir_uv__object_destroy(&s->object);
        return coir_uv__error(error);
    }
    *out = s;
    return COIR_OK;
}

int coir_uv_signal_wait_until(coir_uv_signal *s, int64_t deadline)
{
    struct coir_uv__waiter waiter;
    int error = coir_uv__object_may_wait((const struct coir_uv__object *)s);

    if (error != COIR_OK)
        return error;
    if (s->in_wait)
        return COIR_EBUSY;
    if (s->count > 0)
        return take_count(s);
    s->in_wait = true;
    error = coir_uv__wait(&s->object, &s->waiter, &waiter, "waits for a signal", deadline);
    s->in_wait = false;
    return error == COIR_OK ? take_count(s) : error;
}

int coir_uv_signal_wait(coir_uv_signal *s)
{
    return coir_uv_signal_wait_until(s, COIR_FOREVER);
}

int coir_uv_signal_destroy(coir_uv_signal *s)
{
    int error;

    if (s == NULL)
        return COIR_OK;
    error = coir_uv__object_check(&s->object);
    if (error != COIR_OK)
        return error;
    if (s->in_wait)
        return COIR_EBUSY;
    coir_uv__object_destroy(&s->object);
    return COIR_OK;
}
