/* SPDX-License-Identifier: MIT */
/* A chat server, for telnet, nc and their like.
 *
 *     chat [PORT]        on 127.0.0.1; 0, or none: a free port
 *
 * A client's first line is its name. What it says after that goes to all others as NAME: LINE, except for /who and
 * /quit. Lines that begin with a star are the server's own.
 *
 * Each client has two tasks in a group: one reads, and gives each line to all others; the other writes what comes
 * through the client's channel. Who gives a line never waits: a client whose channel is full, since it reads too
 * slowly, is dropped. SIGTERM or Ctrl-C stops the server, with a farewell to all; a second one, while that goes on,
 * ends it at once. */
#include <coir.h>
#include <coir/uv.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKLOG = 128, NAME_LIMIT = 16, LINE_LIMIT = 400, CHANNEL_LINES = 64, DATA_SIZE = 4096 };

#define PAUSE (100 * COIR_MILLISECOND) /* before the next accept, where one has failed */
#define GRACE (2 * COIR_SECOND)        /* in which clients get the farewell */

/* Why a client's group fails; codes of the program's own. */
enum { GONE = -1001, TOO_SLOW = -1002 };

/* What goes through channels, in copies. It has its line feed, and no zero after it. */
struct line {
    size_t size;
    char text[NAME_LIMIT + LINE_LIMIT + 64];
};

struct room {
    struct client *clients;
    coir_group *tasks; /* one for each client */
};

struct client {
    struct room *room;
    struct client *next, **in_room; /* the list of clients, and what points to this one in it */
    coir_uv_stream *stream;
    coir_group *tasks;              /* the reader and the writer */
    coir_chan *lines;               /* to the writer */
    char name[NAME_LIMIT + 1];      /* empty: it has not told yet, and hears nobody */
    size_t taken, size;             /* of the data: how much was taken, how much there is */
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
    fprintf(stderr, "chat: %s: %s\n", call, coir_uv_strerror(result));
    exit(1);
}

/* ---- what clients are told: nothing here waits ---- */

static struct line make_line(const char *start, const char *middle, const char *end)
{
    struct line line;
    int size = snprintf(line.text, sizeof line.text, "%s%s%s\n", start, middle, end);

    line.size = (size_t)size < sizeof line.text ? (size_t)size : sizeof line.text - 1;
    return line;
}

/* For a client that has ended, or is about to, this does nothing. */
static void give(struct client *c, const struct line *line)
{
    if (coir_chan_try_send(c->lines, line) == COIR_EAGAIN)
        check("coir_group_fail", coir_group_fail(c->tasks, TOO_SLOW));
}

static void say_to(struct client *c, const char *start, const char *middle, const char *end)
{
    struct line line = make_line(start, middle, end);

    give(c, &line);
}

static void say_to_others(const struct client *from, const char *start, const char *middle, const char *end)
{
    struct line line = make_line(start, middle, end);

    for (struct client *c = from->room->clients; c != NULL; c = c->next)
        if (c != from && c->name[0] != '\0')
            give(c, &line);
}

/* In as many lines as that takes. */
static void say_who(struct client *to)
{
    char names[LINE_LIMIT] = "";
    size_t size = 0;

    for (const struct client *c = to->room->clients; c != NULL; c = c->next) {
        if (c->name[0] == '\0')
            continue;
        if (size + 1 + NAME_LIMIT >= sizeof names) {
            say_to(to, "* here:", names, "");
            size = 0;
        }
        size += (size_t)snprintf(names + size, sizeof names - size, " %s", c->name);
    }
    say_to(to, "* here:", names, "");
}

/* ---- the reader ---- */

static int read_byte(struct client *c)
{
    if (c->taken == c->size) {
        int result = coir_uv_read(c->stream, c->data, sizeof c->data);
        if (result <= 0)
            return result < 0 ? result : GONE;
        c->taken = 0;
        c->size = (size_t)result;
    }
    return (unsigned char)c->data[c->taken++];
}

/* Reads a line, without what would upset a terminal: how long it is, which may be more than the LINE_LIMIT bytes of it
 * that are kept. First all writers have a turn, so that only a client is too slow, and never its writer. */
static int read_line(struct client *c, char *line)
{
    int size = 0, byte = coir_task_yield();

    if (byte != COIR_OK)
        return byte;
    while ((byte = read_byte(c)) != '\n') {
        if (byte < 0)
            return byte;
        if (byte < ' ' || byte == 0x7f)
            continue;
        if (size < LINE_LIMIT)
            line[size] = (char)byte;
        size += size <= LINE_LIMIT;
    }
    line[size < LINE_LIMIT ? size : LINE_LIMIT] = '\0';
    return size;
}

/* What is wrong with it as a name? */
static const char *refusal_of(const struct room *room, const char *name, int size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    if (size == 0 || size > NAME_LIMIT || name[strspn(name, allowed)] != '\0')
        return "a name has 1 to 16 letters, digits, - and _";
    for (const struct client *c = room->clients; c != NULL; c = c->next)
        if (strcmp(c->name, name) == 0)
            return "somebody has that name already";
    return NULL;
}

static int join(struct client *c)
{
    char line[LINE_LIMIT + 1];
    const char *refusal;

    say_to(c, "* welcome; what is your name?", "", "");
    do {
        int size = read_line(c, line);
        if (size < 0)
            return size;
        refusal = refusal_of(c->room, line, size);
        if (refusal != NULL)
            say_to(c, "* ", refusal, "; what is your name?");
    } while (refusal != NULL);
    memcpy(c->name, line, strlen(line) + 1);
    say_to(c, "* hello ", c->name, "; /who tells who is here, /quit ends this");
    say_to_others(c, "* ", c->name, " is here");
    return COIR_OK;
}

/* Gives a line to whom it is for: GONE for the client's last. */
static int handle(struct client *c, const char *line, int size)
{
    if (strcmp(line, "/quit") == 0) {
        say_to(c, "* good-bye", "", "");
        return GONE;
    }
    if (strcmp(line, "/who") == 0)
        say_who(c);
    else if (size > LINE_LIMIT)
        say_to(c, "* that was too long for a line; nobody has seen it", "", "");
    else if (line[0] == '/')
        say_to(c, "* there are /who and /quit", "", "");
    else if (size > 0)
        say_to_others(c, c->name, ": ", line);
    return COIR_OK;
}

/* At the client's end closes the channel: the writer still writes what is in it. */
static int read_lines(void *arg)
{
    struct client *c = arg;
    char line[LINE_LIMIT + 1];
    int result = join(c);

    while (result == COIR_OK) {
        int size = read_line(c, line);
        result = size < 0 ? size : handle(c, line, size);
    }
    coir_chan_close(c->lines);
    return result == GONE ? COIR_OK : result;
}

/* ---- the writer ---- */

/* When the channel is closed and empty there is nothing more to say: that ends the reader, too. */
static int write_lines(void *arg)
{
    struct client *c = arg;
    struct line line;
    int result;

    while ((result = coir_chan_recv(c->lines, &line)) == COIR_OK) {
        result = coir_uv_write(c->stream, line.text, line.size);
        if (result != COIR_OK)
            return result;
    }
    return result == COIR_ECLOSED ? GONE : result;
}

/* ---- clients ---- */

static void destroy_client(struct client *c)
{
    check("coir_group_destroy", coir_group_destroy(c->tasks));
    check("coir_chan_destroy", coir_chan_destroy(c->lines));
    check("coir_uv_destroy", coir_uv_destroy(c->stream));
    free(c);
}

/* From now on the client is in the room, though it is not heard, and the stream is the client's. */
static int create_client(struct room *room, coir_uv_stream *stream, struct client **out)
{
    struct client *c = calloc(1, sizeof *c);
    int result;

    if (c == NULL) {
        coir_uv_destroy(stream);
        return COIR_ENOMEM;
    }
    c->stream = stream;
    result = coir_group_create(&c->tasks, NULL);
    if (result == COIR_OK)
        result = coir_chan_create(&c->lines, sizeof(struct line), CHANNEL_LINES);
    if (result != COIR_OK) {
        destroy_client(c);
        return result;
    }
    c->room = room;
    c->next = room->clients;
    c->in_room = &room->clients;
    if (c->next != NULL)
        c->next->in_room = &c->next;
    *c->in_room = c;
    *out = c;
    return COIR_OK;
}

static void leave(struct client *c, int reason)
{
    *c->in_room = c->next;
    if (c->next != NULL)
        c->next->in_room = c->in_room;
    if (c->name[0] != '\0')
        say_to_others(c, "* ", c->name, reason == TOO_SLOW ? " was too slow, and is dropped" : " is gone");
    destroy_client(c);
}

/* A client, from its first to its last. What befalls it is no failure of the room. */
static int serve(void *arg)
{
    struct client *c = arg;
    int result = coir_group_spawn(c->tasks, write_lines, c, NULL);

    if (result == COIR_OK)
        result = coir_group_spawn(c->tasks, read_lines, c, NULL);
    if (result != COIR_OK)
        check("coir_group_fail", coir_group_fail(c->tasks, result));
    leave(c, coir_group_wait(c->tasks));
    return COIR_OK;
}

/* ---- the server ---- */

static int accept_one(coir_uv_stream *listener, struct room *room)
{
    coir_uv_stream *stream;
    struct client *c;
    int result = coir_uv_accept(listener, &stream);

    if (result != COIR_OK)
        return result;
    uv_tcp_nodelay((uv_tcp_t *)coir_uv_stream_handle(stream), 1);
    result = create_client(room, stream, &c);
    if (result != COIR_OK)
        return result;
    result = coir_group_spawn(room->tasks, serve, c, NULL);
    if (result != COIR_OK)
        leave(c, result);
    return result;
}

/* Accepts until the listener is closed. If the process is out of descriptors, or of memory, that will pass. */
static void accept_all(coir_uv_stream *listener, struct room *room)
{
    int result;

    while ((result = accept_one(listener, room)) != COIR_ECLOSED) {
        if (result == COIR_OK)
            continue;
        fprintf(stderr, "chat: a connection was not accepted: %s\n", coir_uv_strerror(result));
        check("coir_sleep", coir_sleep(PAUSE));
    }
}

/* Has all hear of the end; those that take too long to are cancelled. */
static void close_room(struct room *room)
{
    struct line farewell = make_line("* the server stops; good-bye", "", "");

    for (struct client *c = room->clients; c != NULL; c = c->next) {
        give(c, &farewell);
        coir_chan_close(c->lines);
    }
    if (coir_group_wait_until(room->tasks, coir_now() + GRACE) == COIR_ETIMEDOUT) {
        check("coir_group_fail", coir_group_fail(room->tasks, COIR_ECANCELED));
        coir_group_wait(room->tasks);
    }
    check("coir_group_destroy", coir_group_destroy(room->tasks));
}

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

static void end_watches(coir_group *watches)
{
    check("coir_group_fail", coir_group_fail(watches, COIR_ECANCELED));
    coir_group_wait(watches);
    check("coir_group_destroy", coir_group_destroy(watches));
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

static void *run(void *port)
{
    coir_uv_stream *listener = listen_at(*(const int *)port);
    struct watch on_term, on_interrupt;
    struct room room = {0};
    coir_group *watches;

    check("coir_group_create", coir_group_create(&room.tasks, NULL));
    check("coir_group_create", coir_group_create(&watches, NULL));
    start_watch(watches, &on_term, SIGTERM, listener);
    start_watch(watches, &on_interrupt, SIGINT, listener);
    say_port(listener);
    accept_all(listener, &room);
    end_watches(watches);
    close_room(&room);
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
        fprintf(stderr, "usage: chat [PORT]\n");
        return 2;
    }
    check("coir_uv_run", coir_uv_run(run, &port, NULL, NULL));
    return 0;
}
