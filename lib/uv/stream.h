/* SPDX-License-Identifier: MIT */
/* stream.h - what a stream is inside. */

#ifndef COIR_UV__STREAM_H
#define COIR_UV__STREAM_H

#include "loop.h"

/* Bytes on their way to a peer that is slow to take them. They are copies, since a task may leave its write at any
 * time, and libuv keeps what it was given. */
#define COIR_UV__CHUNK 16384
struct coir_uv__chunk {
    uv_write_t request;
    char data[COIR_UV__CHUNK];
};

enum coir_uv__role {
    COIR_UV__UNUSED,    /* not open yet */
    COIR_UV__CONNECTED,
    COIR_UV__LISTENING
};

struct coir_uv_stream {
    struct coir_uv__object object;
    uint8_t role;
    bool is_tcp;
    bool reading;     /* libuv reads, or would if there were somebody to read for */
    bool starved;     /* there was something to read, and nobody to read it, since the last read */
    bool writing;     /* the chunk is on its way */
    bool shuts;       /* the writer waits for the end of the own side, not for the chunk */
    bool in_read;     /* a call of several reads goes on, */
    bool in_write;    /* or of several writes: these come back to the stream after a wait, so it stays till then */
    int unaccepted;   /* connections that libuv has, and nobody has accepted yet: on POSIX one at most, and it takes no
                         other meanwhile; on Windows as many as it has asked for */
    int read_result;  /* with which reading has ended, COIR_UV__AT_END or an error; 0: it has not */
    int write_result; /* with which a chunk has failed that nobody waited for; or with which accepting has */

    struct coir_uv__waiter *reader; /* or who accepts, or connects */
    struct coir_uv__waiter *writer; /* or who shuts down */
    const void *task, *fiber;       /* who reads: to be prefetched */
    void *data;                     /* where the reader wants it; where the new stream is wanted */
    size_t size;
    struct coir_uv__chunk *chunk;
    union {
        uv_connect_t connect;
        uv_shutdown_t shutdown;
    } request;
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
};

#define COIR_UV__AT_END 1

/* stream.c: makes one, not open, to be freed by coir_uv_destroy. */
int coir_uv__stream_make(struct coir_uv__loop *loop, bool is_tcp, coir_uv_stream **out);

/* stream.c: may the caller wait with this stream, which is to be of that role? */
int coir_uv__stream_may_wait(coir_uv_stream *s, int role);

#endif
