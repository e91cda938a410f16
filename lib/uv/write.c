/* SPDX-License-Identifier: MIT */
/* write.c - writing to streams, and ending them.
 *
 * A write gives the system as much as that takes at once. The rest goes through the stream's chunk, piece by piece; the
 * task waits until each is with the system. */

#include <config.h>

#include <limits.h>
#include <string.h>

#include "stream.h"

/* How far a write has come. */
struct cursor {
    const uv_buf_t *pieces;
    size_t count;
    size_t offset; /* in the first of the pieces */
    size_t done;   /* bytes, in all */
};

static void skip_empty(struct cursor *at)
{
    while (at->count > 0 && at->offset == at->pieces->len) {
        at->pieces++;
        at->count--;
        at->offset = 0;
    }
}

static void advance(struct cursor *at, size_t size)
{
    at->done += size;
    while (size > 0) {
        size_t rest = at->pieces->len - at->offset;
        size_t step = size < rest ? size : rest;
        at->offset += step;
        size -= step;
        skip_empty(at);
    }
}

/* As many pieces as a call of libuv is given at once. */
#define MOST_PIECES 16

/* What comes next, for one call of libuv, whose results are int: the number of pieces. */
static unsigned int next_pieces(const struct cursor *at, uv_buf_t *out)
{
    size_t room = INT_MAX;
    size_t offset = at->offset;
    unsigned int count = 0;

    while (count < MOST_PIECES && count < at->count && room > 0) {
        const uv_buf_t *piece = &at->pieces[count];
        size_t size = piece->len - offset < room ? piece->len - offset : room;
        out[count++] = uv_buf_init(piece->base + offset, (unsigned int)size);
        offset = 0;
        room -= size;
    }
    return count;
}

/* Gives the system what it takes at once: COIR_OK, or an error. */
static int write_now(coir_uv_stream *s, struct cursor *at)
{
    uv_buf_t pieces[MOST_PIECES];

    while (at->count > 0) {
        unsigned int count = next_pieces(at, pieces);
        int result = uv_try_write(&s->handle.stream, pieces, count);
        if (result <= 0)
            return result == UV_EAGAIN ? COIR_OK : coir_uv__error(result);
        advance(at, (size_t)result);
    }
    return COIR_OK;
}

static void on_written(uv_write_t *request, int status)
{
    coir_uv_stream *s = request->data;

    s->writing = false;
    if (s->writer != NULL && !s->shuts)
        coir_uv__end(&s->writer, coir_uv__error(status));
    else if (status != 0)
        s->write_result = coir_uv__error(status);
}

/* Fills the chunk and sends it on its way. */
static int start_chunk(coir_uv_stream *s, struct cursor *at)
{
    size_t size = 0;
    uv_buf_t piece;
    int error;

    if (s->chunk == NULL)
        s->chunk = coir_allocate(sizeof *s->chunk);
    if (s->chunk == NULL)
        return COIR_ENOMEM;
    while (at->count > 0 && size < COIR_UV__CHUNK) {
        size_t rest = at->pieces->len - at->offset;
        size_t step = rest < COIR_UV__CHUNK - size ? rest : COIR_UV__CHUNK - size;
        memcpy(s->chunk->data + size, at->pieces->base + at->offset, step);
        size += step;
        advance(at, step);
    }
    piece = uv_buf_init(s->chunk->data, (unsigned int)size);
    s->chunk->request.data = s;
    error = uv_write(&s->chunk->request, &s->handle.stream, &piece, 1, on_written);
    if (error != 0) {
        at->done -= size;
        return coir_uv__error(error);
    }
    s->writing = true;
    return COIR_OK;
}

/* What has become of a chunk that nobody waited for. */
static int take_result(coir_uv_stream *s)
{
    int result = s->write_result;

    s->write_result = COIR_OK;
    return result;
}

static int wait_for_chunk(coir_uv_stream *s, int64_t deadline)
{
    struct coir_uv__waiter waiter;

    if (!s->writing)
        return take_result(s);
    s->shuts = false;
    return coir_uv__wait(&s->object, &s->writer, &waiter, "writes to a stream", deadline);
}

/* Is there still a reason to go on after a wait? */
static int go_on(const coir_uv_stream *s, int64_t deadline)
{
    if (s->object.closed)
        return COIR_ECLOSED;
    return coir_uv__is_past(deadline) ? COIR_ETIMEDOUT : coir_may_wait();
}

/* A chunk may be on its way from a write that was left. */
static int write_all(coir_uv_stream *s, struct cursor *at, int64_t deadline)
{
    int error = wait_for_chunk(s, deadline);

    skip_empty(at);
    while (error == COIR_OK && at->count > 0) {
        error = s->object.closed ? COIR_ECLOSED : write_now(s, at);
        if (error != COIR_OK || at->count == 0)
            return error;
        error = go_on(s, deadline);
        if (error == COIR_OK)
            error = start_chunk(s, at);
        if (error == COIR_OK)
            error = wait_for_chunk(s, deadline);
    }
    return error;
}

static bool are_pieces(const uv_buf_t *pieces, size_t count)
{
    if (pieces == NULL && count > 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (pieces[i].base == NULL && pieces[i].len > 0)
            return false;
    return true;
}

static int check(coir_uv_stream *s)
{
    int error = coir_uv__stream_may_wait(s, COIR_UV__CONNECTED);

    if (error != COIR_OK)
        return error;
    return s->writer != NULL || s->in_write ? COIR_EBUSY : COIR_OK;
}

int coir_uv_writev_until(coir_uv_stream *s, const uv_buf_t *pieces, size_t count, int64_t deadline, size_t *written)
{
    struct cursor at = {pieces, count, 0, 0};
    int error = check(s);

    if (error == COIR_OK && !are_pieces(pieces, count))
        error = COIR_EINVAL;
    if (error == COIR_OK) {
        s->in_write = true;
        error = write_all(s, &at, deadline);
        s->in_write = false;
    }
    if (written != NULL)
        *written = at.done;
    return error;
}

int coir_uv_writev(coir_uv_stream *s, const uv_buf_t *pieces, size_t count)
{
    return coir_uv_writev_until(s, pieces, count, COIR_FOREVER, NULL);
}

/* What the system did not take at once. The length of a piece may be a smaller number than a size (of 32 bits, on
 * Windows). Not inline: its frame would put the stack of a task that waits to read next on a second page. */
COIR_UV__NOINLINE static int write_rest(coir_uv_stream *s, const char *data, size_t size, int64_t deadline, size_t *done)
{
    int error;

    do {
        size_t step;
        uv_buf_t piece = uv_buf_init((char *)data + *done, coir_uv__bounded(size - *done));
        error = coir_uv_writev_until(s, &piece, 1, deadline, &step);
        *done += step;
    } while (error == COIR_OK && *done < size);
    return error;
}

/* The usual write is one that the system takes whole. */
int coir_uv_write_until(coir_uv_stream *s, const void *data, size_t size, int64_t deadline, size_t *written)
{
    size_t done = 0;
    int error = check(s);

    if (error == COIR_OK && data != NULL && size > 0 && size <= INT_MAX && !s->writing && s->write_result == COIR_OK) {
        uv_buf_t piece = uv_buf_init((char *)data, (unsigned int)size);
        int result = uv_try_write(&s->handle.stream, &piece, 1);
        if (result > 0)
            done = (size_t)result;
        else if (result != UV_EAGAIN)
            error = coir_uv__error(result);
    }
    if (error == COIR_OK && (done < size || size == 0))
        error = write_rest(s, data, size, deadline, &done);
    if (written != NULL)
        *written = done;
    return error;
}

int coir_uv_write(coir_uv_stream *s, const void *data, size_t size)
{
    return coir_uv_write_until(s, data, size, COIR_FOREVER, NULL);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    coir_uv_stream *s = request->data;

    if (s->writer == NULL || !s->shuts)
        return;
    coir_uv__end(&s->writer, s->write_result != COIR_OK ? take_result(s) : coir_uv__error(status));
}

int coir_uv_shutdown_until(coir_uv_stream *s, int64_t deadline)
{
    struct coir_uv__waiter waiter;
    int error = check(s);

    if (error != COIR_OK)
        return error;
    s->request.shutdown.data = s;
    error = uv_shutdown(&s->request.shutdown, &s->handle.stream, on_shutdown);
    if (error != 0)
        return coir_uv__error(error);
    s->shuts = true;
    return coir_uv__wait(&s->object, &s->writer, &waiter, "shuts a stream down", deadline);
}

int coir_uv_shutdown(coir_uv_stream *s)
{
    return coir_uv_shutdown_until(s, COIR_FOREVER);
}
