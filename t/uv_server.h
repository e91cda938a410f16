/* SPDX-License-Identifier: MIT */
/* uv_server.h - an echo server for a case to be beside, and a client that must be served whatever happened before. */

#ifndef UV_SERVER_H
#define UV_SERVER_H

#include "t.h"

#include <coir/uv.h>

#include <stdio.h>
#include <string.h>

struct server {
    coir_uv_stream *listener;
    struct sockaddr_in address;
    int refusals; /* for want of memory */
    bool closed;  /* it had too little */
};

static inline void expect_ok(int code)
{
    if (code < 0)
        ck_assert_str_eq(coir_uv_errname(code), "COIR_OK");
}

static inline void *echo(void *stream)
{
    char data[700];
    int size;

    while ((size = coir_uv_read(stream, data, sizeof data)) > 0)
        if (coir_uv_write(stream, data, (size_t)size) != COIR_OK)
            break;
    coir_uv_destroy(stream);
    return NULL;
}

/* Until the listener is closed, or memory stays short. What there is no memory for is put off, or closed. */
static inline void *serve(void *arg)
{
    struct server *server = arg;
    coir_uv_stream *stream;
    int code;

    for (;;) {
        code = coir_uv_accept(server->listener, &stream);
        if (code == COIR_ENOMEM && ++server->refusals < 10)
            coir_task_yield();
        else if (code != COIR_OK)
            break;
        else if (coir_spawn(NULL, NULL, echo, stream, NULL) != COIR_OK)
            coir_uv_destroy(stream);
    }
    server->closed = code == COIR_ENOMEM;
    coir_uv_destroy(server->listener);
    return NULL;
}

static inline int start_server(struct server *server)
{
    int size = sizeof server->address;
    int error;

    uv_ip4_addr("127.0.0.1", 0, &server->address);
    error = coir_uv_tcp_listen(&server->listener, (const struct sockaddr *)&server->address, 16);
    if (error != COIR_OK)
        return error;
    uv_tcp_getsockname((uv_tcp_t *)coir_uv_stream_handle(server->listener), (struct sockaddr *)&server->address, &size);
    error = coir_spawn(NULL, NULL, serve, server, NULL);
    if (error != COIR_OK)
        coir_uv_destroy(server->listener);
    return error;
}

static inline void be_served(const struct server *server)
{
    char word[5];
    coir_uv_stream *s;

    expect_ok(coir_uv_tcp_connect(&s, (const struct sockaddr *)&server->address));
    expect_ok(coir_uv_write(s, "hello", 5));
    expect_ok(coir_uv_read_all(s, word, 5, NULL));
    ck_assert_int_eq(memcmp(word, "hello", 5), 0);
    expect_ok(coir_uv_destroy(s));
}

#endif
