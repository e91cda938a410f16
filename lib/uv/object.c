/* SPDX-License-Identifier: MIT */
/* object.c - what streams, sockets, processes and signals have in common: a handle of libuv, which can only be freed some
 * time after it was closed. */

#include <config.h>

#include <string.h>

#include "loop.h"

static void list_object(struct coir_uv__loop *loop, struct coir_uv__object *object)
{
    object->next = loop->objects;
    object->in_list = &loop->objects;
    if (object->next != NULL)
        object->next->in_list = &object->next;
    loop->objects = object;
}

static void unlist_object(struct coir_uv__object *object)
{
    *object->in_list = object->next;
    if (object->next != NULL)
        object->next->in_list = object->in_list;
}

void *coir_uv__object_make(struct coir_uv__loop *loop, size_t size, size_t handle)
{
    struct coir_uv__object *object = coir_allocate(size);

    if (object == NULL)
        return NULL;
    memset(object, 0, size);
    object->size = size;
    object->loop = loop;
    object->handle = (uv_handle_t *)(void *)((char *)object + handle);
    list_object(loop, object);
    loop->references++;
    return object;
}

static void release(struct coir_uv__object *object)
{
    struct coir_uv__loop *loop = object->loop;

    if (object->release != NULL)
        object->release(object);
    coir_release(object, object->size);
    coir_uv__drop(loop);
}

void coir_uv__object_unmake(struct coir_uv__object *object)
{
    unlist_object(object);
    release(object);
}

void coir_uv__object_made(struct coir_uv__object *object)
{
    object->handle->data = object;
    uv_unref(object->handle);
}

static void on_closed(uv_handle_t *handle)
{
    struct coir_uv__object *object = handle->data;

    object->gone = true;
    if (object->destroyed)
        release(object);
}

void coir_uv__object_close(struct coir_uv__object *object)
{
    if (object->closed)
        return;
    object->closed = true;
    uv_close(object->handle, on_closed);
}

void coir_uv__object_destroy(struct coir_uv__object *object)
{
    coir_uv__object_close(object);
    unlist_object(object);
    object->destroyed = true;
    if (object->gone)
        release(object);
}

int coir_uv__object_may_wait(const struct coir_uv__object *object)
{
    int error;

    if (object == NULL) {
        error = coir_may_wait();
        return error == COIR_OK ? COIR_EINVAL : error;
    }
    error = coir_uv__may_wait_in(object->loop);
    if (error != COIR_OK)
        return error;
    return object->closed ? COIR_ECLOSED : COIR_OK;
}

int coir_uv__object_check(const struct coir_uv__object *object)
{
    return object != NULL ? coir_uv__check(object->loop) : COIR_EINVAL;
}
