/* SPDX-License-Identifier: MIT */
/* Two downloads at once, each of which reads as if it were alone, and one deadline for both.
 *
 *     two_sites [-t SECONDS] URL URL        10 seconds, if not told otherwise
 *     two_sites                             two pages that it serves itself, on 127.0.0.1
 *
 * Prints a line for each, in the order of the arguments: URL STATUS BYTES, or URL error: SENTENCE, and then the
 * program's own status is 1. */
#include "http.h"
#include <coir.h>
#include <coir/uv.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITES = 2, BACKLOG = 16, REQUEST_SIZE = 4096, URL_SIZE = 64 };

struct site {
    const char *name, *url;
    int result;
    struct http_page page; /* if the result is COIR_OK */
};

struct visit {
    struct site sites[SITES];
    double seconds;
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "two_sites: %s: %s\n", call, coir_uv_strerror(result));
    exit(1);
}

/* ---- two sites ---- */

/* What becomes of one site is no failure of the group, which would cancel the other. */
static int get(void *arg)
{
    struct site *s = arg;

    s->result = http_get(s->url, &s->page);
    return COIR_OK;
}

/* When the deadline comes, those that are still at it are cancelled, wherever they wait. */
static void get_all(struct site *sites, int64_t deadline)
{
    coir_group *g;

    check("coir_group_create", coir_group_create(&g, NULL));
    for (size_t i = 0; i < SITES; i++)
        check("coir_group_spawn", coir_group_spawn(g, get, &sites[i], NULL));
    if (coir_group_wait_until(g, deadline) == COIR_ETIMEDOUT) {
        check("coir_group_fail", coir_group_fail(g, COIR_ETIMEDOUT));
        coir_group_wait(g);
    }
    check("coir_group_destroy", coir_group_destroy(g));
}

static void print(const struct site *s)
{
    if (s->result == COIR_OK)
        printf("%s %d %" PRIu64 "\n", s->name, s->page.status, s->page.bytes);
    else
        printf("%s error: %s\n", s->name, http_strerror(s->result == COIR_ECANCELED ? COIR_ETIMEDOUT : s->result));
}

static void *visit(void *arg)
{
    struct visit *v = arg;

    get_all(v->sites, coir_now() + (int64_t)(v->seconds * COIR_SECOND));
    for (size_t i = 0; i < SITES; i++)
        print(&v->sites[i]);
    return NULL;
}

/* ---- the sites of its own ---- */

static const char *answer_to(const char *request)
{
    if (strncmp(request, "GET /one ", 9) == 0)
        return "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHello, world!\n";
    if (strncmp(request, "GET /two ", 9) == 0)
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nHello, \r\nA\r\nfibers!\n:)\r\n0\r\n\r\n";
    return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
}

/* Reads a request to its end, an empty line. */
static int read_request(coir_uv_stream *stream, char *request)
{
    size_t size = 0;

    request[0] = '\0';
    while (strstr(request, "\r\n\r\n") == NULL) {
        int result = coir_uv_read(stream, request + size, REQUEST_SIZE - 1 - size);
        if (result <= 0)
            return result < 0 ? result : COIR_UV_ERROR(UV_EOF);
        size += (size_t)result;
        request[size] = '\0';
    }
    return COIR_OK;
}

static int serve(void *stream)
{
    char request[REQUEST_SIZE];

    if (read_request(stream, request) == COIR_OK) {
        const char *answer = answer_to(request);
        coir_uv_write(stream, answer, strlen(answer));
    }
    check("coir_uv_destroy", coir_uv_destroy(stream));
    return COIR_OK;
}

struct server {
    coir_group *tasks;
    coir_uv_stream *listener;
};

static int accept_all(void *arg)
{
    const struct server *s = arg;
    coir_uv_stream *stream;
    int result;

    while ((result = coir_uv_accept(s->listener, &stream)) == COIR_OK)
        check("coir_group_spawn", coir_group_spawn(s->tasks, serve, stream, NULL));
    return result;
}

static int start_server(struct server *s)
{
    struct sockaddr_in address;
    int size = sizeof address;

    uv_ip4_addr("127.0.0.1", 0, &address);
    check("coir_uv_tcp_listen", coir_uv_tcp_listen(&s->listener, (const struct sockaddr *)&address, BACKLOG));
    check("coir_group_create", coir_group_create(&s->tasks, NULL));
    check("coir_group_spawn", coir_group_spawn(s->tasks, accept_all, s, NULL));
    uv_tcp_getsockname((uv_tcp_t *)coir_uv_stream_handle(s->listener), (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

static void stop_server(struct server *s)
{
    check("coir_group_fail", coir_group_fail(s->tasks, COIR_ECANCELED));
    coir_group_wait(s->tasks);
    check("coir_group_destroy", coir_group_destroy(s->tasks));
    check("coir_uv_destroy", coir_uv_destroy(s->listener));
}

static void *visit_own(void *arg)
{
    static const char *const names[SITES] = {"one", "two"};
    char urls[SITES][URL_SIZE];
    struct visit *v = arg;
    struct server server;
    int port = start_server(&server);

    for (size_t i = 0; i < SITES; i++) {
        snprintf(urls[i], URL_SIZE, "http://127.0.0.1:%d/%s", port, names[i]);
        v->sites[i] = (struct site){.name = names[i], .url = urls[i]};
    }
    visit(v);
    stop_server(&server);
    return NULL;
}

/* ---- the program ---- */

static double seconds_of(const char *text)
{
    char *rest;
    double seconds = strtod(text, &rest);

    if (rest != text && *rest == '\0' && seconds >= 0 && seconds <= 1e9)
        return seconds;
    fprintf(stderr, "two_sites: '%s' is no number of seconds\n", text);
    exit(2);
}

int main(int argc, char **argv)
{
    struct visit v = {.seconds = 10};
    int first = 1;

    if (argc > 2 && strcmp(argv[1], "-t") == 0) {
        v.seconds = seconds_of(argv[2]);
        first = 3;
    }
    if (argc != 1 && argc != first + SITES) {
        fprintf(stderr, "usage: two_sites [-t SECONDS] URL URL\n");
        return 2;
    }
    for (size_t i = 0; i < SITES && argc > 1; i++)
        v.sites[i].name = v.sites[i].url = argv[first + (int)i];
    check("coir_uv_run", coir_uv_run(argc > 1 ? visit : visit_own, &v, NULL, NULL));
    return v.sites[0].result == COIR_OK && v.sites[1].result == COIR_OK ? 0 : 1;
}
