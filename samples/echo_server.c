/* SPDX-License-Identifier: MIT */
/* An echo server: a task for each connection, all of them in a group.
 *
 *     echo_server [PORT]        on 127.0.0.1; 0, or none: a free port
 *
 * SIGTERM or Ctrl-C stops it in good order: it accepts no more, its connections are cancelled, each gets back what it
 * had sent, and is closed. A second one, while that goes on, ends it at once. */
#include <coir.h>
#include <coir/uv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { BACKLOG = 128, DATA_SIZE = 16384 };

#define PAUSE (100 * COIR_MILLISECOND) /* before the next accept, where one has failed */
#define QUIET (500 * COIR_MILLISECOND) /* a client that has not sent anything for so long, has sent all */
#define GRACE (10 * COIR_SECOND)       /* what a client gets in all, once the server stops */

struct connection {
    coir_uv_stream *stream;
    size_t size, written; /* of the data: how much there is, how much of it went back */
    char data[DATA_SIZE];
};

/* Closes the listener when the signal comes. */
struct watch {
    coir_uv_signal *signal;
    coir_uv_stream *listener;
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "echo_server: %s: %s\n", call, coir_uv_strerror(result));
    exit(1);
}

/* ---- a connection ---- */

static int read_some(struct connection *c, int64_t deadline)
{
    int result = coir_uv_read_until(c->stream, c->data, sizeof c->data, deadline);

    if (result > 0) {
        c->size = (size_t)result;
        c->written = 0;
    }
    return result;
}

/* Writes what was read; if it was cancelled in the middle of that, what is left of it. */
static int write_rest(struct connection *c, int64_t deadline)
{
    size_t step;
    int result = coir_uv_write_until(c->stream, c->data + c->written, c->size - c->written, deadline, &step);

    c->written += step;
    return result;
}

/* Until the client ends it, an error, or the task is cancelled. */
static int echo(struct connection *c)
{
    int result;

    while ((result = read_some(c, COIR_FOREVER)) > 0) {
        result = write_rest(c, COIR_FOREVER);
        if (result != COIR_OK)
            break;
    }
    return result;
}

/* For a task that was cancelled: under the shield its calls wait as ever, but now each has a deadline. */
static void echo_rest(struct connection *c)
{
    int64_t end = coir_now() + GRACE;
    int before = check("coir_task_shield", coir_task_shield(1));
    int result = write_rest(c, end);

    while (result == COIR_OK && coir_now() < end && read_some(c, coir_now() + QUIET) > 0)
        result = write_rest(c, end);
    coir_uv_shutdown_until(c->stream, end);
    check("coir_task_shield", coir_task_shield(before));
}

/* What befalls one client is no failure of the group. */
static int serve(void *stream)
{
    struct connection c = {.stream = stream};

    if (echo(&c) == COIR_ECANCELED)
        echo_rest(&c);
    check("coir_uv_destroy", coir_uv_destroy(stream));
    return COIR_OK;
}

/* ---- the server ---- */

static int watch(void *arg)
{
    const struct watch *w = arg;

    if (coir_uv_signal_wait(w->signal) > 0)
        coir_uv_close(w->listener);
    check("coir_uv_signal_destroy", coir_uv_signal_destroy(w->signal));
    return COIR_OK;
}

static void start_watch(coir_group *watches, struct watch *w, int signum, coir_uv_stream *listener)
{
    w->listener = listener;
    check("coir_uv_signal_create", coir_uv_signal_create(&w->signal, signum));
    check("coir_group_spawn", coir_group_spawn(watches, watch, w, NULL));
}

static int accept_one(coir_uv_stream *listener, coir_group *connections)
{
    coir_uv_stream *stream;
    int result = coir_uv_accept(listener, &stream);

    if (result != COIR_OK)
        return result;
    result = coir_group_spawn(connections, serve, stream, NULL);
    if (result != COIR_OK)
        coir_uv_destroy(stream);
    return result;
}

/* Accepts until the listener is closed. If the process is out of descriptors, or of memory, that will pass. */
static void accept_all(coir_uv_stream *listener, coir_group *connections)
{
    int result;

    while ((result = accept_one(listener, connections)) != COIR_ECLOSED) {
        if (result == COIR_OK)
            continue;
        fprintf(stderr, "echo_server: a connection was not accepted: %s\n", coir_uv_strerror(result));
        check("coir_sleep", coir_sleep(PAUSE));
    }
}

static coir_uv_stream *listen_at(int port)
{
    struct sockaddr_in address;
    coir_uv_stream *listener;

    uv_ip4_addr("127.0.0.1", port, &address);
    check("coir_uv_tcp_listen", coir_uv_tcp_listen(&listener, (const struct sockaddr *)&address, BACKLOG));
    return listener;
}

static void say_port(coir_uv_stream *listener)
{
    struct sockaddr_in address;
    int size = sizeof address;

    uv_tcp_getsockname((uv_tcp_t *)coir_uv_stream_handle(listener), (struct sockaddr *)&address, &size);
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

/* Cancels the tasks of a group, and waits for their ends. */
static void end(coir_group *g)
{
    check("coir_group_fail", coir_group_fail(g, COIR_ECANCELED));
    coir_group_wait(g);
    check("coir_group_destroy", coir_group_destroy(g));
}

static void *run(void *port)
{
    coir_uv_stream *listener = listen_at(*(const int *)port);
    coir_group *connections, *watches;
    struct watch on_term, on_interrupt;

    check("coir_group_create", coir_group_create(&connections, NULL));
    check("coir_group_create", coir_group_create(&watches, NULL));
    start_watch(watches, &on_term, SIGTERM, listener);
    start_watch(watches, &on_interrupt, SIGINT, listener);
    say_port(listener);
    accept_all(listener, connections);
    end(watches);
    end(connections);
    check("coir_uv_destroy", coir_uv_destroy(listener));
    return NULL;
}

/* The port in the arguments, or -1. */
static int port_of(int argc, char **argv)
{
    char *rest;
    long port;

    if (argc == 1)
        return 0;
    port = strtol(argv[1], &rest, 10);
    return argc == 2 && rest != argv[1] && *rest == '\0' && port >= 0 && port <= 65535 ? (int)port : -1;
}

int main(int argc, char **argv)
{
    int port = port_of(argc, argv);

    if (port < 0) {
        fprintf(stderr, "usage: echo_server [PORT]\n");
        return 2;
    }
    check("coir_uv_run", coir_uv_run(run, &port, NULL, NULL));
    return 0;
}
