/* SPDX-License-Identifier: MIT */
/* listen.c - listening, and accepting what comes. A connection that nobody accepts yet stays with libuv, which then asks
 * for no more: the system holds those. */

#include <config.h>

#include "stream.h"

/* Takes a connection over from libuv. If there is no memory for it, it stays there. */
static int take(coir_uv_stream *listener)
{
    coir_uv_stream **out = listener->data;
    coir_uv_stream *s;
    int error = coir_uv__stream_make(listener->object.loop, listener->is_tcp, &s);

    if (error != COIR_OK)
        return error;
    listener->unaccepted--;
    error = uv_accept(&listener->handle.stream, &s->handle.stream);
    if (error != 0) {
        coir_uv_destroy(s);
        return coir_uv__error(error);
    }
    s->role = COIR_UV__CONNECTED;
    *out = s;
    return COIR_OK;
}

static void on_connection(uv_stream_t *stream, int status)
{
    coir_uv_stream *listener = stream->data;

    if (status == 0)
        listener->unaccepted++;
    else
        listener->write_result = coir_uv__error(status);
    if (listener->reader == NULL)
        return;
    if (status == 0) {
        coir_uv__end(&listener->reader, take(listener));
    } else {
        coir_uv__end(&listener->reader, listener->write_result);
        listener->write_result = COIR_OK;
    }
}

static int begin(coir_uv_stream *s, int bind_error, int backlog, coir_uv_stream **out)
{
    int error = bind_error == 0 ? uv_listen(&s->handle.stream, backlog, on_connection) : bind_error;

    if (error != 0) {
        coir_uv_destroy(s);
        return coir_uv__error(error);
    }
    s->role = COIR_UV__LISTENING;
    *out = s;
    return COIR_OK;
}

int coir_uv_tcp_listen(coir_uv_stream **out, const struct sockaddr *address, int backlog)
{
    struct coir_uv__loop *loop;
    coir_uv_stream *s;
    int error = coir_uv__here_for(out, &loop);

    if (error == COIR_OK)
        error = address != NULL ? coir_uv__stream_make(loop, true, &s) : COIR_EINVAL;
    return error == COIR_OK ? begin(s, uv_tcp_bind(&s->handle.tcp, address, 0), backlog, out) : error;
}

int coir_uv_pipe_listen(coir_uv_stream **out, const char *name, int backlog)
{
    struct coir_uv__loop *loop;
    coir_uv_stream *s;
    int error = coir_uv__here_for(out, &loop);

    if (error == COIR_OK)
        error = name != NULL ? coir_uv__stream_make(loop, false, &s) : COIR_EINVAL;
    return error == COIR_OK ? begin(s, uv_pipe_bind(&s->handle.pipe, name), backlog, out) : error;
}

int coir_uv_accept_until(coir_uv_stream *listener, coir_uv_stream **out, int64_t deadline)
{
    struct coir_uv__waiter waiter;
    int error = coir_uv__stream_may_wait(listener, COIR_UV__LISTENING);

    if (error != COIR_OK)
        return error;
    if (out == NULL)
        return COIR_EINVAL;
    if (listener->reader != NULL)
        return COIR_EBUSY;
    listener->data = out;
    if (listener->unaccepted > 0)
        return take(listener);
    if (listener->write_result != COIR_OK) {
        error = listener->write_result;
        listener->write_result = COIR_OK;
        return error;
    }
    return coir_uv__wait(&listener->object, &listener->reader, &waiter, "accepts a connection", deadline);
}

int coir_uv_accept(coir_uv_stream *listener, coir_uv_stream **out)
{
    return coir_uv_accept_until(listener, out, COIR_FOREVER);
}
