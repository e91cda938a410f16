/* SPDX-License-Identifier: MIT */
/* read.c - reading from streams.
 *
 * libuv asks for memory when there is something to read, and gets the reader's own. While there is no reader it gets
 * none, and takes nothing. Reading is left on, since to turn it off and on again for every read would cost two system
 * calls each; only if the loop finds twice that nobody wants what has come is it turned off, until the next read. */

#include <config.h>

#include "stream.h"

/* Among thousands of connections the reader has left the processor's caches. Libuv asks for memory just before its system
 * call, whose time hides that of bringing back what the read's end and the switch to the task touch: the heads of the
 * two, and the stack about the waiter, from the suspended frames below it to the task's own above. */
static void prefetch_reader(const coir_uv_stream *s)
{
    const char *waiter = (const char *)s->reader;

    coir_uv__prefetch(s->task);
    coir_uv__prefetch((const char *)s->task + 64);
    coir_uv__prefetch(s->fiber);
    for (int line = -8; line < 4; line++)
        coir_uv__prefetch(waiter + 64 * line);
}

static void lend_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    const coir_uv_stream *s = handle->data;

    (void)suggested;
    if (s->reader != NULL)
        prefetch_reader(s);
    *out = s->reader != NULL ? uv_buf_init(s->data, coir_uv__bounded(s->size)) : uv_buf_init(NULL, 0);
}

static void stop_reading(coir_uv_stream *s)
{
    uv_read_stop(&s->handle.stream);
    s->reading = false;
}

/* There is something, but no memory for it: the reader only wanted to know; or there is no reader. */
static void on_no_memory(coir_uv_stream *s)
{
    if (s->reader != NULL)
        coir_uv__end(&s->reader, 0);
    else if (s->starved)
        stop_reading(s);
    s->starved = true;
}

static int code_of(const coir_uv_stream *s)
{
    return s->read_result == COIR_UV__AT_END ? 0 : s->read_result;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *memory)
{
    coir_uv_stream *s = stream->data;
    struct coir_uv__loop *loop = s->object.loop;

    (void)memory;
    /* While somebody reads, it is an error of the system's. */
    if (count == UV_ENOBUFS && (s->reader == NULL || s->size == 0)) {
        on_no_memory(s);
    } else if (count > 0) {
        s->starved = false;
        coir_uv__end(&s->reader, (int)count);
        coir_uv__end_of_callback(loop); /* only here: libuv must not be told to read again in a callback that stopped it */
    } else if (count < 0) {
        s->read_result = count == UV_EOF ? COIR_UV__AT_END : coir_uv__error((int)count);
        stop_reading(s);
        coir_uv__end(&s->reader, code_of(s));
    } /* and 0 is a false alarm */
}

static int start_reading(coir_uv_stream *s)
{
    int error;

    if (s->reading)
        return COIR_OK;
    error = uv_read_start(&s->handle.stream, lend_memory, on_read);
    if (error != 0)
        return coir_uv__error(error);
    s->reading = true;
    s->starved = false;
    return COIR_OK;
}

/* May the caller read now? */
static int check(coir_uv_stream *s, const void *data, size_t size)
{
    int error = coir_uv__stream_may_wait(s, COIR_UV__CONNECTED);

    if (error != COIR_OK)
        return error;
    if (data == NULL && size > 0)
        return COIR_EINVAL;
    return s->reader != NULL || s->in_read ? COIR_EBUSY : COIR_OK;
}

/* The stream may be gone when this returns. */
static int read_some(coir_uv_stream *s, void *data, size_t size, int64_t deadline)
{
    struct coir_uv__waiter waiter;
    int error;

    if (s->read_result != 0)
        return code_of(s);
    error = start_reading(s);
    if (error != COIR_OK)
        return error;
    s->task = coir_task_self();
    s->fiber = coir_self();
    s->data = data;
    s->size = size;
    return coir_uv__wait(&s->object, &s->reader, &waiter, "reads from a stream", deadline);
}

int coir_uv_read_until(coir_uv_stream *s, void *data, size_t size, int64_t deadline)
{
    int error = check(s, data, size);

    return error == COIR_OK ? read_some(s, data, size, deadline) : error;
}

int coir_uv_read(coir_uv_stream *s, void *data, size_t size)
{
    return coir_uv_read_until(s, data, size, COIR_FOREVER);
}

static int read_all(coir_uv_stream *s, char *data, size_t size, int64_t deadline, size_t *done)
{
    while (*done < size) {
        int result = s->object.closed ? COIR_ECLOSED : coir_may_wait();
        if (result == COIR_OK)
            result = read_some(s, data + *done, size - *done, deadline);
        if (result <= 0)
            return result < 0 ? result : COIR_UV_ERROR(UV_EOF);
        *done += (size_t)result;
    }
    return COIR_OK;
}

int coir_uv_read_all_until(coir_uv_stream *s, void *data, size_t size, int64_t deadline, size_t *got)
{
    size_t done = 0;
    int error = check(s, data, size);

    if (error == COIR_OK) {
        s->in_read = true;
        error = read_all(s, data, size, deadline, &done);
        s->in_read = false;
    }
    if (got != NULL)
        *got = done;
    return error;
}

int coir_uv_read_all(coir_uv_stream *s, void *data, size_t size, size_t *got)
{
    return coir_uv_read_all_until(s, data, size, COIR_FOREVER, got);
}
