/* SPDX-License-Identifier: MIT */
/* stream.c - a stream's life: how it is made, closed, destroyed. */

#include <config.h>

#include <stddef.h>

#include "stream.h"

static void release_chunk(struct coir_uv__object *object)
{
    coir_uv_stream *s = (coir_uv_stream *)object;

    coir_release(s->chunk, sizeof *s->chunk);
}

static int initialise(struct coir_uv__loop *loop, coir_uv_stream *s, bool is_tcp)
{
    return is_tcp ? uv_tcp_init(loop->loop, &s->handle.tcp) : uv_pipe_init(loop->loop, &s->handle.pipe, 0);
}

int coir_uv__stream_make(struct coir_uv__loop *loop, bool is_tcp, coir_uv_stream **out)
{
    coir_uv_stream *s = coir_uv__object_make(loop, sizeof *s, offsetof(coir_uv_stream, handle));
    int error;

    if (s == NULL)
        return COIR_ENOMEM;
    s->is_tcp = is_tcp;
    s->object.release = release_chunk;
    error = initialise(loop, s, is_tcp);
    if (error != 0) {
        coir_uv__object_unmake(&s->object);
        return coir_uv__error(error);
    }
    coir_uv__object_made(&s->object);
    *out = s;
    return COIR_OK;
}

/* Opened, or not: then it goes. */
static int opened(coir_uv_stream *s, int uv, coir_uv_stream **out)
{
    if (uv != 0) {
        coir_uv_destroy(s);
        return coir_uv__error(uv);
    }
    s->role = COIR_UV__CONNECTED;
    *out = s;
    return COIR_OK;
}

int coir_uv_tcp_open(coir_uv_stream **out, uv_os_sock_t socket)
{
    struct coir_uv__loop *loop;
    coir_uv_stream *s;
    int error = coir_uv__here_for(out, &loop);

    if (error == COIR_OK)
        error = coir_uv__stream_make(loop, true, &s);
    return error == COIR_OK ? opened(s, uv_tcp_open(&s->handle.tcp, socket), out) : error;
}

int coir_uv_pipe_open(coir_uv_stream **out, uv_file descriptor)
{
    struct coir_uv__loop *loop;
    coir_uv_stream *s;
    int error = coir_uv__here_for(out, &loop);

    if (error == COIR_OK)
        error = coir_uv__stream_make(loop, false, &s);
    return error == COIR_OK ? opened(s, uv_pipe_open(&s->handle.pipe, descriptor), out) : error;
}

int coir_uv_pipe_create(coir_uv_stream **out)
{
    struct coir_uv__loop *loop;
    int error = coir_uv__here_for(out, &loop);

    return error == COIR_OK ? coir_uv__stream_make(loop, false, out) : error;
}

/* A pipe that was made for uv_spawn is open when libuv says so; and from then on, whatever becomes of it. */
static void look_if_open(coir_uv_stream *s)
{
    if (s->role == COIR_UV__UNUSED && (uv_is_readable(&s->handle.stream) || uv_is_writable(&s->handle.stream)))
        s->role = COIR_UV__CONNECTED;
}

int coir_uv__stream_may_wait(coir_uv_stream *s, int role)
{
    int error = coir_uv__object_may_wait((const struct coir_uv__object *)s);

    if (error != COIR_OK)
        return error;
    look_if_open(s);
    return s->role == role ? COIR_OK : COIR_EINVAL;
}

int coir_uv_close(coir_uv_stream *s)
{
    int error = coir_uv__object_check((struct coir_uv__object *)s);

    if (error != COIR_OK)
        return error;
    if (s->object.closed)
        return COIR_ECLOSED;
    coir_uv__end(&s->reader, COIR_ECLOSED);
    coir_uv__end(&s->writer, COIR_ECLOSED);
    coir_uv__object_close(&s->object);
    return COIR_OK;
}

int coir_uv_destroy(coir_uv_stream *s)
{
    int error;

    if (s == NULL)
        return COIR_OK;
    error = coir_uv__object_check(&s->object);
    if (error != COIR_OK)
        return error;
    if (s->reader != NULL || s->writer != NULL || s->in_read || s->in_write)
        return COIR_EBUSY;
    coir_uv__object_destroy(&s->object);
    return COIR_OK;
}

uv_stream_t *coir_uv_stream_handle(coir_uv_stream *s)
{
    return s != NULL ? &s->handle.stream : NULL;
}
