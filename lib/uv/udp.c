/* SPDX-License-Identifier: MIT */
/* udp.c - datagrams. As with streams, libuv gets the receiver's own memory, or none and takes nothing. */

#include <config.h>

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "loop.h"

/* A datagram that the system had no room for: a copy, since the task may leave its call at any time. */
struct datagram {
    uv_udp_send_t request;
    size_t size;
    char data[];
};

struct coir_uv_udp {
    struct coir_uv__object object;
    bool receiving;
    bool starved;
    bool in_send; /* a call that may wait twice goes on: it comes back to the socket, so that stays till then */
    int receive_error; /* that nobody waited for */
    struct coir_uv__waiter *receiver;
    struct coir_uv__waiter *sender;
    char *data; /* where the receiver wants it */
    size_t size;
    struct sockaddr_storage *from;
    int *truncated;
    struct datagram *datagram; /* on its way, or NULL */
    uv_udp_t handle;
};

int coir_uv_udp_create(coir_uv_udp **out, const struct sockaddr *address, unsigned flags)
{
    struct coir_uv__loop *loop;
    coir_uv_udp *u;
    int error = coir_uv__here_for(out, &loop);

    if (error != COIR_OK)
        return error;
    u = coir_uv__object_make(loop, sizeof *u, offsetof(coir_uv_udp, handle));
    if (u == NULL)
        return COIR_ENOMEM;
    error = uv_udp_init(loop->loop, &u->handle);
    if (error != 0) {
        coir_uv__object_unmake(&u->object);
        return coir_uv__error(error);
    }
    coir_uv__object_made(&u->object);
    if (address != NULL)
        error = uv_udp_bind(&u->handle, address, flags);
    if (error != 0) {
        coir_uv__object_destroy(&u->object);
        return coir_uv__error(error);
    }
    *out = u;
    return COIR_OK;
}

/* ---- receiving ---- */

static void lend_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    const coir_uv_udp *u = handle->data;

    (void)suggested;
    *out = u->receiver != NULL ? uv_buf_init(u->data, (unsigned int)u->size) : uv_buf_init(NULL, 0);
}

static void stop_receiving(coir_uv_udp *u)
{
    uv_udp_recv_stop(&u->handle);
    u->receiving = false;
}

static size_t size_of(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static void on_datagram(coir_uv_udp *u, ssize_t size, const struct sockaddr *from, unsigned flags)
{
    u->starved = false;
    if (u->receiver == NULL)
        return;
    if (u->from != NULL)
        memcpy(u->from, from, size_of(from));
    if (u->truncated != NULL)
        *u->truncated = (flags & UV_UDP_PARTIAL) != 0;
    coir_uv__end(&u->receiver, (int)size);
}

static void on_receive_error(coir_uv_udp *u, int uv)
{
    stop_receiving(u); /* as libuv does itself on Windows */
    if (u->receiver == NULL)
        u->receive_error = coir_uv__error(uv);
    coir_uv__end(&u->receiver, coir_uv__error(uv));
}

/* No batch of tasks runs at the end of this: on Windows libuv must not be told to receive in the midst of it. */
static void on_receive(uv_udp_t *handle, ssize_t size, const uv_buf_t *memory, const struct sockaddr *from,
                       unsigned flags)
{
    coir_uv_udp *u = handle->data;

    (void)memory;
    if (flags & UV_UDP_PARTIAL)
        size = (ssize_t)u->size; /* it filled the memory; on Windows libuv's own number is not to be relied on */
    if (size == UV_ENOBUFS && u->receiver == NULL) { /* else it is an error of the system's */
        if (u->starved)
            stop_receiving(u);
        u->starved = true;
    } else if (size < 0) {
        on_receive_error(u, (int)size);
    } else if (from != NULL) {
        on_datagram(u, size, from, flags);
    } /* else there is nothing more */
}

static int start_receiving(coir_uv_udp *u)
{
    int error;

    if (u->receiving)
        return COIR_OK;
    error = uv_udp_recv_start(&u->handle, lend_memory, on_receive);
    if (error != 0)
        return coir_uv__error(error);
    u->receiving = true;
    u->starved = false;
    return COIR_OK;
}

int coir_uv_udp_recv_until(coir_uv_udp *u, void *data, size_t size, struct sockaddr_storage *from, int *truncated,
                           int64_t deadline)
{
    struct coir_uv__waiter waiter;
    int error = coir_uv__object_may_wait((const struct coir_uv__object *)u);

    if (error != COIR_OK)
        return error;
    if (data == NULL || size == 0)
        return COIR_EINVAL;
    if (u->receiver != NULL)
        return COIR_EBUSY;
    error = u->receive_error;
    u->receive_error = COIR_OK;
    if (error == COIR_OK)
        error = start_receiving(u);
    if (error != COIR_OK)
        return error;
    u->data = data;
    u->size = coir_uv__bounded(size);
    u->from = from;
    u->truncated = truncated;
    return coir_uv__wait(&u->object, &u->receiver, &waiter, "receives a datagram", deadline);
}

int coir_uv_udp_recv(coir_uv_udp *u, void *data, size_t size, struct sockaddr_storage *from, int *truncated)
{
    return coir_uv_udp_recv_until(u, data, size, from, truncated, COIR_FOREVER);
}

/* ---- sending ---- */

static size_t size_of_datagram(size_t size)
{
    return sizeof(struct datagram) + size;
}

static void on_sent(uv_udp_send_t *request, int status)
{
    coir_uv_udp *u = request->data;
    struct datagram *datagram = u->datagram;

    u->datagram = NULL;
    coir_release(datagram, size_of_datagram(datagram->size));
    coir_uv__end(&u->sender, coir_uv__error(status));
}

static int send_later(coir_uv_udp *u, const uv_buf_t *piece, const struct sockaddr *to)
{
    struct datagram *datagram = coir_allocate(size_of_datagram(piece->len));
    uv_buf_t copy;
    int error;

    if (datagram == NULL)
        return COIR_ENOMEM;
    datagram->size = piece->len;
    datagram->request.data = u;
    if (piece->len > 0)
        memcpy(datagram->data, piece->base, piece->len);
    copy = uv_buf_init(datagram->data, (unsigned int)piece->len);
    error = uv_udp_send(&datagram->request, &u->handle, &copy, 1, to, on_sent);
    if (error != 0) {
        coir_release(datagram, size_of_datagram(datagram->size));
        return coir_uv__error(error);
    }
    u->datagram = datagram;
    return COIR_OK;
}

/* Waits for the datagram that is on its way. */
static int wait_until_sent(coir_uv_udp *u, int64_t deadline)
{
    struct coir_uv__waiter waiter;

    return coir_uv__wait(&u->object, &u->sender, &waiter, "sends a datagram", deadline);
}

/* One that an earlier call has left on its way is waited for first. What became of it is nobody's business. */
static int wait_for_earlier(coir_uv_udp *u, int64_t deadline)
{
    int error;

    if (u->datagram == NULL)
        return COIR_OK;
    error = wait_until_sent(u, deadline);
    if (COIR_UV_IS_ERROR(error))
        error = COIR_OK;
    return error == COIR_OK && u->object.closed ? COIR_ECLOSED : error;
}

static int send_datagram(coir_uv_udp *u, const uv_buf_t *piece, const struct sockaddr *to, int64_t deadline)
{
    int result = wait_for_earlier(u, deadline);

    if (result != COIR_OK)
        return result;
    result = uv_udp_try_send(&u->handle, piece, 1, to);
    if (result != UV_EAGAIN)
        return coir_uv__error(result);
    if (coir_uv__is_past(deadline))
        return COIR_ETIMEDOUT;
    result = coir_may_wait();
    if (result == COIR_OK)
        result = send_later(u, piece, to);
    return result == COIR_OK ? wait_until_sent(u, deadline) : result;
}

int coir_uv_udp_send_until(coir_uv_udp *u, const void *data, size_t size, const struct sockaddr *to, int64_t deadline)
{
    uv_buf_t piece = uv_buf_init((char *)data, (unsigned int)size);
    int error = coir_uv__object_may_wait((const struct coir_uv__object *)u);

    if (error != COIR_OK)
        return error;
    if (data == NULL && size > 0)
        return COIR_EINVAL;
    if (size > INT_MAX)
        return COIR_UV_ERROR(UV_EMSGSIZE);
    if (u->sender != NULL || u->in_send)
        return COIR_EBUSY;
    u->in_send = true;
    error = send_datagram(u, &piece, to, deadline);
    u->in_send = false;
    return error;
}

int coir_uv_udp_send(coir_uv_udp *u, const void *data, size_t size, const struct sockaddr *to)
{
    return coir_uv_udp_send_until(u, data, size, to, COIR_FOREVER);
}

/* ---- closing ---- */

int coir_uv_udp_close(coir_uv_udp *u)
{
    int error = coir_uv__object_check((struct coir_uv__object *)u);

    if (error != COIR_OK)
        return error;
    if (u->object.closed)
        return COIR_ECLOSED;
    coir_uv__end(&u->receiver, COIR_ECLOSED);
    coir_uv__end(&u->sender, COIR_ECLOSED);
    coir_uv__object_close(&u->object);
    return COIR_OK;
}

int coir_uv_udp_destroy(coir_uv_udp *u)
{
    int error;

    if (u == NULL)
        return COIR_OK;
    error = coir_uv__object_check(&u->object);
    if (error != COIR_OK)
        return error;
    if (u->receiver != NULL || u->sender != NULL || u->in_send)
        return COIR_EBUSY;
    coir_uv__object_destroy(&u->object);
    return COIR_OK;
}

uv_udp_t *coir_uv_udp_handle(coir_uv_udp *u)
{
    return u != NULL ? &u->handle : NULL;
}
