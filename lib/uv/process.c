/* SPDX-License-Identifier: MIT */
/* process.c - child processes. */

#include <config.h>

#include <stddef.h>

#include "loop.h"

struct coir_uv_process {
    struct coir_uv__object object;
    bool ended;
    int signal; /* with which; */
    int64_t status;
    struct coir_uv__waiter *waiter;
    uv_process_t handle;
};

/* Who waits, and what for. */
struct waiter {
    struct coir_uv__waiter waiter;
    int64_t *status;
    int *signal;
};

static void tell_status(const coir_uv_process *p, const struct waiter *waiter)
{
    if (waiter->status != NULL)
        *waiter->status = p->status;
    if (waiter->signal != NULL)
        *waiter->signal = p->signal;
}

static void on_exit_of_process(uv_process_t *handle, int64_t status, int signal)
{
    coir_uv_process *p = handle->data;

    p->ended = true;
    p->status = status;
    p->signal = signal;
    if (p->waiter != NULL)
        tell_status(p, (const struct waiter *)p->waiter);
    coir_uv__end(&p->waiter, COIR_OK);
}

int coir_uv_process_spawn(coir_uv_process **out, const uv_process_options_t *options)
{
    struct coir_uv__loop *loop;
    uv_process_options_t copy;
    coir_uv_process *p;
    int error = coir_uv__here_for(out, &loop);

    if (error != COIR_OK)
        return error;
    if (options == NULL || options->file == NULL || options->exit_cb != NULL)
        return COIR_EINVAL;
    p = coir_uv__object_make(loop, sizeof *p, offsetof(coir_uv_process, handle));
    if (p == NULL)
        return COIR_ENOMEM;
    copy = *options;
    copy.exit_cb = on_exit_of_process;
    error = uv_spawn(loop->loop, &p->handle, &copy);
    coir_uv__object_made(&p->object); /* in any case: the handle is initialised */
    if (error != 0) {
        coir_uv__object_destroy(&p->object);
        return coir_uv__error(error);
    }
    *out = p;
    return COIR_OK;
}

int coir_uv_process_wait_until(coir_uv_process *p, int64_t *status, int *signal, int64_t deadline)
{
    struct waiter waiter = {.status = status, .signal = signal};
    int error = coir_uv__object_may_wait((const struct coir_uv__object *)p);

    if (error != COIR_OK)
        return error;
    if (p->waiter != NULL)
        return COIR_EBUSY;
    if (p->ended) {
        tell_status(p, &waiter);
        return COIR_OK;
    }
    return coir_uv__wait(&p->object, &p->waiter, &waiter.waiter, "waits for a process", deadline);
}

int coir_uv_process_wait(coir_uv_process *p, int64_t *status, int *signal)
{
    return coir_uv_process_wait_until(p, status, signal, COIR_FOREVER);
}

int coir_uv_process_kill(coir_uv_process *p, int signal)
{
    int error = coir_uv__object_check((struct coir_uv__object *)p);

    if (error != COIR_OK)
        return error;
    return p->ended ? COIR_EDEAD : coir_uv__error(uv_process_kill(&p->handle, signal));
}

int coir_uv_process_id(const coir_uv_process *p)
{
    int error = coir_uv__object_check((const struct coir_uv__object *)p);

    return error == COIR_OK ? (int)uv_process_get_pid(&p->handle) : error;
}

int coir_uv_process_destroy(coir_uv_process *p)
{
    int error;

    if (p == NULL)
        return COIR_OK;
    error = coir_uv__object_check(&p->object);
    if (error != COIR_OK)
        return error;
    if (p->waiter != NULL)
        return COIR_EBUSY;
    coir_uv__object_destroy(&p->object);
    return COIR_OK;
}
