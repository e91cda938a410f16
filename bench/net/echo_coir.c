/* SPDX-License-Identifier: MIT */
/* echo_coir.c - an echo server, a task for each connection. With an argument: the size of their stacks. */

#include <coir.h>
#include <coir/uv.h>

#include <stdio.h>
#include <stdlib.h>

static coir_options options;

static void *serve(void *stream)
{
    char data[1536];
    int size;

    while ((size = coir_uv_read(stream, data, sizeof data)) > 0)
        if (coir_uv_write(stream, data, (size_t)size) != COIR_OK)
            break;
    coir_uv_destroy(stream);
    return NULL;
}

static void tell_port(coir_uv_stream *listener)
{
    struct sockaddr_in address;
    int size = sizeof address;

    uv_tcp_getsockname((uv_tcp_t *)coir_uv_stream_handle(listener), (struct sockaddr *)&address, &size);
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static void *listen_and_accept(void *arg)
{
    struct sockaddr_in address;
    coir_uv_stream *listener, *stream;
    int error;

    uv_ip4_addr("127.0.0.1", 0, &address);
    error = coir_uv_tcp_listen(&listener, (struct sockaddr *)&address, 4096);
    if (error != COIR_OK)
        return arg;
    tell_port(listener);
    while ((error = coir_uv_accept(listener, &stream)) == COIR_OK)
        if (coir_spawn(NULL, NULL, serve, stream, &options) != COIR_OK)
            coir_uv_destroy(stream);
    fprintf(stderr, "echo_coir: %s\n", coir_uv_strerror(error));
    coir_uv_destroy(listener);
    return arg;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        options.stack_size = (size_t)atol(argv[1]);
    coir_uv_run(listen_and_accept, NULL, NULL, NULL);
    return 1; /* it is ended by a signal */
}
