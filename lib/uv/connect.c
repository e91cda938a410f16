/* SPDX-License-Identifier: MIT */
/* connect.c - connecting: to an address, to a pipe, to a host by its name. */

#include <config.h>

#include "stream.h"

static void on_connected(uv_connect_t *request, int status)
{
    coir_uv_stream *s = request->data;

    if (status == 0)
        s->role = COIR_UV__CONNECTED;
    coir_uv__end(&s->reader, coir_uv__error(status));
}

/* Waits until a stream that was made for it is connected. Nobody else knows it yet, so it is there after the wait. */
static int wait_for_connection(coir_uv_stream *s, int64_t deadline, coir_uv_stream **out)
{
    struct coir_uv__waiter waiter;
    int error = coir_uv__wait(&s->object, &s->reader, &waiter, "connects", deadline);

    if (error == COIR_OK)
        *out = s;
    else
        coir_uv_destroy(s);
    return error;
}

static int tcp_connect(struct coir_uv__loop *loop, const struct sockaddr *address, int64_t deadline,
                       coir_uv_stream **out)
{
    coir_uv_stream *s;
    int error;

    if (coir_uv__is_past(deadline))
        return COIR_ETIMEDOUT;
    error = coir_uv__stream_make(loop, true, &s);
    if (error != COIR_OK)
        return error;
    s->request.connect.data = s;
    error = uv_tcp_connect(&s->request.connect, &s->handle.tcp, address, on_connected);
    if (error == 0)
        return wait_for_connection(s, deadline, out);
    coir_uv_destroy(s);
    return coir_uv__error(error);
}

int coir_uv_tcp_connect_until(coir_uv_stream **out, const struct sockaddr *address, int64_t deadline)
{
    struct coir_uv__loop *loop;
    int error = coir_uv__may_wait_for(out, &loop);

    if (error == COIR_OK)
        error = address != NULL ? tcp_connect(loop, address, deadline, out) : COIR_EINVAL;
    return error;
}

int coir_uv_tcp_connect(coir_uv_stream **out, const struct sockaddr *address)
{
    return coir_uv_tcp_connect_until(out, address, COIR_FOREVER);
}

int coir_uv_pipe_connect_until(coir_uv_stream **out, const char *name, int64_t deadline)
{
    struct coir_uv__loop *loop;
    coir_uv_stream *s;
    int error = coir_uv__may_wait_for(out, &loop);

    if (error != COIR_OK)
        return error;
    if (name == NULL)
        return COIR_EINVAL;
    if (coir_uv__is_past(deadline))
        return COIR_ETIMEDOUT;
    error = coir_uv__stream_make(loop, false, &s);
    if (error != COIR_OK)
        return error;
    s->request.connect.data = s;
    uv_pipe_connect(&s->request.connect, &s->handle.pipe, name, on_connected);
    return wait_for_connection(s, deadline, out);
}

int coir_uv_pipe_connect(coir_uv_stream **out, const char *name)
{
    return coir_uv_pipe_connect_until(out, name, COIR_FOREVER);
}

/* May another address be tried after this? */
static bool is_final(int error)
{
    return error >= 0 || !COIR_UV_IS_ERROR(error);
}

int coir_uv_connect_until(coir_uv_stream **out, const char *host, const char *service, int64_t deadline)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct coir_uv__loop *loop;
    struct addrinfo *list;
    int error = coir_uv__may_wait_for(out, &loop);

    if (error != COIR_OK)
        return error;
    if (host == NULL || service == NULL)
        return COIR_EINVAL;
    error = coir_uv_getaddrinfo_until(&list, host, service, &hints, deadline);
    if (error != COIR_OK)
        return error;
    error = COIR_UV_ERROR(UV_EAI_NODATA);
    for (const struct addrinfo *at = list; at != NULL && !is_final(error); at = at->ai_next) {
        error = coir_may_wait();
        if (error == COIR_OK)
            error = tcp_connect(loop, at->ai_addr, deadline, out);
    }
    uv_freeaddrinfo(list);
    return error;
}

int coir_uv_connect(coir_uv_stream **out, const char *host, const char *service)
{
    return coir_uv_connect_until(out, host, service, COIR_FOREVER);
}
