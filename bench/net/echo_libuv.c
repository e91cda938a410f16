/* SPDX-License-Identifier: MIT */
/* echo_libuv.c - an echo server of callbacks, as quick as libuv allows: one buffer for all reads, a write that is tried
 * at once, memory for what was left of one only where a peer is slow. */

#include <uv.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    char *rest; /* what is on its way to a slow peer */
};

static char memory[65536];

static void lend_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)handle, (void)suggested;
    *out = uv_buf_init(memory, sizeof memory);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;

    free(c->rest);
    free(c);
}

static void end(struct connection *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data);

static void on_written(uv_write_t *request, int status)
{
    struct connection *c = request->data;

    free(c->rest);
    c->rest = NULL;
    if (status != 0)
        end(c);
    else
        uv_read_start((uv_stream_t *)&c->tcp, lend_memory, on_read);
}

/* Nothing is read until the rest is with the system. */
static void write_rest(struct connection *c, const char *data, size_t size)
{
    uv_buf_t rest;

    c->rest = malloc(size);
    if (c->rest == NULL) {
        end(c);
        return;
    }
    memcpy(c->rest, data, size);
    rest = uv_buf_init(c->rest, (unsigned int)size);
    uv_read_stop((uv_stream_t *)&c->tcp);
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &rest, 1, on_written) != 0)
        end(c);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    struct connection *c = stream->data;
    uv_buf_t whole;
    int written;

    if (size < 0) {
        end(c);
        return;
    }
    if (size == 0)
        return;
    whole = uv_buf_init(data->base, (unsigned int)size);
    written = uv_try_write(stream, &whole, 1);
    if (written == size)
        return;
    if (written < 0 && written != UV_EAGAIN) {
        end(c);
        return;
    }
    if (written < 0)
        written = 0;
    write_rest(c, data->base + written, (size_t)(size - written));
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;

    if (c == NULL)
        return;
    uv_tcp_init(listener->loop, &c->tcp);
    c->tcp.data = c;
    c->write.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, lend_memory, on_read) != 0)
        end(c);
}

static void tell_port(const uv_tcp_t *listener)
{
    struct sockaddr_in address;
    int size = sizeof address;

    uv_tcp_getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(void)
{
    struct sockaddr_in address;
    uv_tcp_t listener;

    signal(SIGPIPE, SIG_IGN);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(uv_default_loop(), &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, 4096, on_connection) != 0)
        return 1;
    tell_port(&listener);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
