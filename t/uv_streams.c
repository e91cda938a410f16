/* SPDX-License-Identifier: MIT */
/* TCP and pipes: connecting, listening, reading, writing; that no byte and no connection is lost, whatever cuts the
 * calls short; and who gets which error. */

#include "t.h"

#include <coir/uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <sys/resource.h>
#include <unistd.h>
#endif

enum { NOT_YET = 77, SECOND = 1000 };

/* More than is on its way between two sides, whatever systems hold. */
#define LARGE ((size_t)(t_instrumented() || t_is_wine() ? 4 : 16) << 20)

#define PAST ((int64_t)0) /* a deadline that has passed */

static unsigned char untouched; /* what pointers show before a call that is to fail */
#define UNTOUCHED ((coir_uv_stream *)(void *)&untouched)

/* ---- running: a loop and an executor, whose end shows what has been left open ---- */

static uv_loop_t loop;
static coir_exec *executor;

/* How many descriptors are open; negative where the system does not tell. (Wine has that folder, but with what its own
 * server opens.) */
static int descriptors(void)
{
    uv_fs_t request;
    int count = -1;
    if (!t_is_wine()) {
        count = uv_fs_scandir(NULL, &request, "/proc/self/fd", 0, NULL);
        uv_fs_req_cleanup(&request);
    }
    return count;
}

static void drop_line(const char *line, void *context)
{
    (void)line;
    (void)context;
}

static void begin(uint64_t seed)
{
    const coir_exec_options opt = {.seed = seed, .report = drop_line};
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(coir_uv_exec_create(&executor, &loop, &opt), COIR_OK);
}

/* Every stream has been destroyed. */
static void finish(void)
{
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_OK);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void start(coir_fn *fn)
{
    ck_assert_int_eq(coir_spawn(NULL, executor, fn, NULL, NULL), COIR_OK);
}

/* Runs fn as a task: by the executor in the order of the queue, in another order, and by the loop. */
static void in_a_task(coir_fn *fn)
{
    begin(0); /* what libuv opens once and keeps */
    finish();
    for (int way = 0; way < 3; way++) {
        int before = descriptors();
        begin(way == 1 ? 4711 : 0);
        start(fn);
        if (way == 2)
            ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        else
            ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
        ck_assert_int_eq(coir_exec_tasks(executor), 0);
        finish();
        ck_assert_int_eq(descriptors(), before);
    }
}

static enum { TCP, PIPE } kind;

static void over_tcp(coir_fn *fn)
{
    kind = TCP;
    in_a_task(fn);
}

static void over_pipes(coir_fn *fn)
{
    kind = PIPE;
    in_a_task(fn);
}

static void over_both(coir_fn *fn)
{
    over_tcp(fn);
    over_pipes(fn);
}

/* Over what one side of which can end while the other goes on. */
static void over_what_has_two_ends(coir_fn *fn)
{
    over_tcp(fn);
#ifndef _WIN32
    over_pipes(fn);
#endif
}

static coir_task *spawn(coir_fn *fn, void *arg)
{
    coir_task *t = NULL;
    ck_assert_int_eq(coir_spawn(&t, NULL, fn, arg, NULL), COIR_OK);
    return t;
}

static void await(coir_task *t)
{
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
}

static void cancel(coir_task *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
}

static void yield(void)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
}

/* Lets it come to where it waits, for it cannot go on from there by itself. */
static void until_it_waits(coir_task *t)
{
    while (coir_task_state(t) != COIR_TASK_WAITING) {
        ck_assert_int_ne(coir_task_state(t), COIR_TASK_DONE);
        yield();
    }
}

/* Lets it come to where it waits, or to its end. */
static void until_it_waits_or_ends(coir_task *t)
{
    while (coir_task_state(t) == COIR_TASK_READY)
        yield();
}

/* Lets the loop look at all that has happened, several times. */
static void look_around(void)
{
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
}

static int64_t in_milliseconds(int n)
{
    return coir_now() + n * COIR_MILLISECOND;
}

static uint32_t random_state;

static unsigned random_below(unsigned bound)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

/* ---- streams ---- */

static struct sockaddr_storage place; /* where the last listener is */
static char name[300];

static const struct sockaddr *there(void)
{
    return (const struct sockaddr *)&place;
}

static const struct sockaddr *any_port(void)
{
    static struct sockaddr_in address;
    ck_assert_int_eq(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    return (const struct sockaddr *)&address;
}

/* A name of a pipe that nobody else has. */
static void choose_name(void)
{
    static int number;
#ifdef _WIN32
    snprintf(name, sizeof name, "\\\\.\\pipe\\coir-%d-%d", (int)uv_os_getpid(), ++number);
#else
    char folder[200];
    size_t size = sizeof folder;
    ck_assert_int_eq(uv_os_tmpdir(folder, &size), 0);
    snprintf(name, sizeof name, "%s/coir-%d-%d", folder, (int)uv_os_getpid(), ++number);
#endif
}

static void find_place(coir_uv_stream *s)
{
    int size = sizeof place;
    ck_assert_int_eq(uv_tcp_getsockname((uv_tcp_t *)coir_uv_stream_handle(s), (struct sockaddr *)&place, &size), 0);
}

static void port_in_digits(char *digits, size_t size)
{
    snprintf(digits, size, "%d", ntohs(((struct sockaddr_in *)&place)->sin_port));
}

static coir_uv_stream *listen_for(int backlog)
{
    coir_uv_stream *listener = NULL;
    if (kind == PIPE) {
        choose_name();
        ck_assert_int_eq(coir_uv_pipe_listen(&listener, name, backlog), COIR_OK);
    } else {
        ck_assert_int_eq(coir_uv_tcp_listen(&listener, any_port(), backlog), COIR_OK);
        find_place(listener);
    }
    ck_assert_ptr_nonnull(listener);
    return listener;
}

static int try_to_connect(coir_uv_stream **out, int64_t deadline)
{
    if (deadline == COIR_FOREVER)
        return kind == PIPE ? coir_uv_pipe_connect(out, name) : coir_uv_tcp_connect(out, there());
    return kind == PIPE ? coir_uv_pipe_connect_until(out, name, deadline)
                        : coir_uv_tcp_connect_until(out, there(), deadline);
}

static coir_uv_stream *connect_there(void)
{
    coir_uv_stream *s = NULL;
    ck_assert_int_eq(try_to_connect(&s, COIR_FOREVER), COIR_OK);
    ck_assert_ptr_nonnull(s);
    return s;
}

static coir_uv_stream *accept_one(coir_uv_stream *listener)
{
    coir_uv_stream *s = NULL;
    ck_assert_int_eq(coir_uv_accept(listener, &s), COIR_OK);
    ck_assert_ptr_nonnull(s);
    return s;
}

static void destroy(coir_uv_stream *s)
{
    ck_assert_int_eq(coir_uv_destroy(s), COIR_OK);
}

/* Both sides of a connection. */
static coir_uv_stream *near_side, *far_side;

static void make_pair(void)
{
    coir_uv_stream *listener = listen_for(8);
    near_side = connect_there();
    far_side = accept_one(listener);
    destroy(listener);
}

static void destroy_pair(void)
{
    destroy(near_side);
    destroy(far_side);
    near_side = far_side = NULL;
}

/* So that little fills them. Not where the system has no such thing. (If receivers had as little as senders, TCP would
 * send by its timers, some packets a second, for the loopback's are larger than that.) */
static void small_buffers(coir_uv_stream *s)
{
    int size = 8192;
    uv_send_buffer_size((uv_handle_t *)coir_uv_stream_handle(s), &size);
    size = 262144;
    uv_recv_buffer_size((uv_handle_t *)coir_uv_stream_handle(s), &size);
}

static void make_narrow_pair(void)
{
    make_pair();
    small_buffers(near_side);
    small_buffers(far_side);
}

static void set_linger(coir_uv_stream *s)
{
    struct linger at_once;
    uv_os_fd_t descriptor;
    memset(&at_once, 0, sizeof at_once);
    at_once.l_onoff = 1;
    ck_assert_int_eq(uv_fileno((uv_handle_t *)coir_uv_stream_handle(s), &descriptor), 0);
    ck_assert_int_eq(setsockopt((uv_os_sock_t)descriptor, SOL_SOCKET, SO_LINGER, (const char *)&at_once,
                                sizeof at_once),
                     0);
}

/* Ends a TCP connection by a reset. */
static void vanish(coir_uv_stream *s)
{
    set_linger(s);
    destroy(s);
}

/* What a stream consists of, by position: no part of it looks like another. */
static unsigned char byte_at(size_t position)
{
    return (unsigned char)((position * 2654435761u) >> 11 ^ position >> 8);
}

static void fill(unsigned char *data, size_t size, size_t position)
{
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(position + i);
}

static void expect_pattern(const unsigned char *data, size_t size, size_t position)
{
    size_t right = 0;
    while (right < size && data[right] == byte_at(position + right))
        right++;
    ck_assert_uint_eq(right, size);
}

static unsigned char *new_pattern(size_t size, size_t position)
{
    unsigned char *data = malloc(size + 1);
    ck_assert_ptr_nonnull(data);
    fill(data, size, position);
    return data;
}

/* Makes sure that nobody looks at it any more. */
static void drop(unsigned char *data, size_t size)
{
    memset(data, 0xee, size);
    free(data);
}

static void write_text(coir_uv_stream *s, const char *text)
{
    ck_assert_int_eq(coir_uv_write(s, text, strlen(text)), COIR_OK);
}

static void expect_text(coir_uv_stream *s, const char *text)
{
    char data[64];
    size_t got = NOT_YET;
    ck_assert_uint_lt(strlen(text), sizeof data);
    ck_assert_int_eq(coir_uv_read_all(s, data, strlen(text), &got), COIR_OK);
    ck_assert_uint_eq(got, strlen(text));
    ck_assert_int_eq(memcmp(data, text, got), 0);
}

static void expect_end(coir_uv_stream *s)
{
    char data[8];
    ck_assert_int_eq(coir_uv_read(s, data, sizeof data), 0);
}

static void expect_nothing_to_read(coir_uv_stream *s)
{
    char data[8];
    ck_assert_int_eq(coir_uv_read_until(s, data, sizeof data, PAST), COIR_ETIMEDOUT);
}

static void until_readable(coir_uv_stream *s)
{
    char data;
    ck_assert_int_eq(coir_uv_read(s, &data, 0), 0);
}

/* Reads on, exactly so many bytes of the pattern. */
static void expect_bytes(coir_uv_stream *s, size_t size, size_t position)
{
    static unsigned char data[65536];
    while (size > 0) {
        int n = coir_uv_read(s, data, size < sizeof data ? size : sizeof data);
        ck_assert_int_gt(n, 0);
        expect_pattern(data, (size_t)n, position);
        position += (size_t)n;
        size -= (size_t)n;
    }
}

/* ---- one call in a task of its own ---- */

typedef struct {
    coir_uv_stream *stream;
    coir_uv_stream *accepted;
    unsigned char *data;
    size_t size;
    int64_t deadline;
    size_t done; /* *got, *written */
    int result;
    coir_task *task;
} call;

static void *do_read(void *arg)
{
    call *c = arg;
    c->result = c->deadline == COIR_FOREVER ? coir_uv_read(c->stream, c->data, c->size)
                                            : coir_uv_read_until(c->stream, c->data, c->size, c->deadline);
    return NULL;
}

static void *do_read_all(void *arg)
{
    call *c = arg;
    c->result = c->deadline == COIR_FOREVER
                    ? coir_uv_read_all(c->stream, c->data, c->size, &c->done)
                    : coir_uv_read_all_until(c->stream, c->data, c->size, c->deadline, &c->done);
    return NULL;
}

static void *do_write(void *arg)
{
    call *c = arg;
    c->result = coir_uv_write_until(c->stream, c->data, c->size, c->deadline, &c->done);
    return NULL;
}

static void *do_writev(void *arg)
{
    call *c = arg;
    uv_buf_t pieces[5];
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        size_t size = i == 4 ? c->size - at : (c->size - at) / 3;
        pieces[i] = uv_buf_init((char *)c->data + at, (unsigned)size);
        at += size;
    }
    c->result = coir_uv_writev_until(c->stream, pieces, 5, c->deadline, &c->done);
    memset(pieces, 0xee, sizeof pieces);
    return NULL;
}

static void *do_shutdown(void *arg)
{
    call *c = arg;
    c->result = c->deadline == COIR_FOREVER ? coir_uv_shutdown(c->stream)
                                            : coir_uv_shutdown_until(c->stream, c->deadline);
    return NULL;
}

static void *do_accept(void *arg)
{
    call *c = arg;
    c->result = c->deadline == COIR_FOREVER ? coir_uv_accept(c->stream, &c->accepted)
                                            : coir_uv_accept_until(c->stream, &c->accepted, c->deadline);
    return NULL;
}

static void *do_connect(void *arg)
{
    call *c = arg;
    c->result = try_to_connect(&c->accepted, c->deadline);
    return NULL;
}

static void prepare(call *c, coir_uv_stream *s, void *data, size_t size)
{
    memset(c, 0, sizeof *c);
    c->stream = s;
    c->data = data;
    c->size = size;
    c->deadline = COIR_FOREVER;
    c->result = NOT_YET;
    c->done = NOT_YET;
    c->accepted = UNTOUCHED;
}

static void begin_call(call *c, coir_fn *fn)
{
    c->task = spawn(fn, c);
}

/* It can only wait. */
static void call_waits(call *c, coir_fn *fn)
{
    begin_call(c, fn);
    until_it_waits(c->task);
    ck_assert_int_eq(c->result, NOT_YET);
}

static void expect_result(call *c, int result)
{
    await(c->task);
    ck_assert_int_eq(c->result, result);
}

/* A write to a peer that does not read: more than any system holds. */
static void write_waits(call *c, coir_uv_stream *s)
{
    small_buffers(s);
    if (s == near_side)
        small_buffers(far_side);
    prepare(c, s, new_pattern(LARGE, 0), LARGE);
    call_waits(c, do_write);
}

static void write_is_over(call *c, int result)
{
    expect_result(c, result);
    ck_assert_uint_lt(c->done, c->size);
    drop(c->data, c->size);
}

/* ---- all calls ---- */

static void every_connect_is(int code)
{
    coir_uv_stream *s = UNTOUCHED;
    choose_name();
    ck_assert_int_eq(coir_uv_connect(&s, "127.0.0.1", "1"), code);
    ck_assert_int_eq(coir_uv_connect_until(&s, "127.0.0.1", "1", PAST), code);
    ck_assert_int_eq(coir_uv_connect_until(&s, "127.0.0.1", "1", COIR_FOREVER), code);
    ck_assert_int_eq(coir_uv_tcp_connect(&s, any_port()), code);
    ck_assert_int_eq(coir_uv_tcp_connect_until(&s, any_port(), PAST), code);
    ck_assert_int_eq(coir_uv_tcp_connect_until(&s, any_port(), COIR_FOREVER), code);
    ck_assert_int_eq(coir_uv_pipe_connect(&s, name), code);
    ck_assert_int_eq(coir_uv_pipe_connect_until(&s, name, PAST), code);
    ck_assert_int_eq(coir_uv_pipe_connect_until(&s, name, COIR_FOREVER), code);
    ck_assert_ptr_eq(s, UNTOUCHED);
}

static void every_maker_is(int code)
{
    coir_uv_stream *s = UNTOUCHED;
    choose_name();
    ck_assert_int_eq(coir_uv_tcp_listen(&s, any_port(), 1), code);
    ck_assert_int_eq(coir_uv_pipe_listen(&s, name, 1), code);
    ck_assert_int_eq(coir_uv_tcp_open(&s, (uv_os_sock_t)-1), code);
    ck_assert_int_eq(coir_uv_pipe_open(&s, -1), code);
    ck_assert_int_eq(coir_uv_pipe_create(&s), code);
    ck_assert_ptr_eq(s, UNTOUCHED);
}

static void every_accept_is(coir_uv_stream *listener, int code)
{
    coir_uv_stream *s = UNTOUCHED;
    ck_assert_int_eq(coir_uv_accept(listener, &s), code);
    ck_assert_int_eq(coir_uv_accept_until(listener, &s, PAST), code);
    ck_assert_int_eq(coir_uv_accept_until(listener, &s, in_milliseconds(SECOND)), code);
    ck_assert_int_eq(coir_uv_accept_until(listener, &s, COIR_FOREVER), code);
    ck_assert_ptr_eq(s, UNTOUCHED);
}

static void every_read_is(coir_uv_stream *s, int code)
{
    char data[4] = "abc";
    size_t got = NOT_YET;
    ck_assert_int_eq(coir_uv_read(s, data, sizeof data), code);
    ck_assert_int_eq(coir_uv_read(s, data, 0), code);
    ck_assert_int_eq(coir_uv_read_until(s, data, sizeof data, PAST), code);
    ck_assert_int_eq(coir_uv_read_until(s, data, sizeof data, in_milliseconds(SECOND)), code);
    ck_assert_int_eq(coir_uv_read_until(s, data, 0, COIR_FOREVER), code);
    ck_assert_int_eq(coir_uv_read_all(s, data, sizeof data, NULL), code);
    ck_assert_int_eq(coir_uv_read_all(s, data, sizeof data, &got), code);
    ck_assert_uint_eq(got, 0);
    got = NOT_YET;
    ck_assert_int_eq(coir_uv_read_all_until(s, data, sizeof data, PAST, &got), code);
    ck_assert_uint_eq(got, 0);
    ck_assert_int_eq(coir_uv_read_all_until(s, data, sizeof data, COIR_FOREVER, NULL), code);
    ck_assert_str_eq(data, "abc");
}

static void every_write_is(coir_uv_stream *s, int code)
{
    uv_buf_t piece = uv_buf_init((char *)&untouched, 1);
    size_t written = NOT_YET;
    ck_assert_int_eq(coir_uv_write(s, "x", 1), code);
    ck_assert_int_eq(coir_uv_write_until(s, "x", 1, PAST, &written), code);
    ck_assert_uint_eq(written, 0);
    ck_assert_int_eq(coir_uv_write_until(s, "x", 1, COIR_FOREVER, NULL), code);
    written = NOT_YET;
    ck_assert_int_eq(coir_uv_writev(s, &piece, 1), code);
    ck_assert_int_eq(coir_uv_writev_until(s, &piece, 1, PAST, &written), code);
    ck_assert_uint_eq(written, 0);
    ck_assert_int_eq(coir_uv_writev_until(s, &piece, 1, COIR_FOREVER, NULL), code);
    ck_assert_int_eq(coir_uv_shutdown(s), code);
    ck_assert_int_eq(coir_uv_shutdown_until(s, PAST), code);
    ck_assert_int_eq(coir_uv_shutdown_until(s, COIR_FOREVER), code);
}

static void every_call_that_waits_is(coir_uv_stream *s, coir_uv_stream *listener, int code)
{
    every_accept_is(listener, code);
    every_read_is(s, code);
    every_write_is(s, code);
}

/* ---- arguments and places ---- */

static void *pass_null(void *arg)
{
    coir_uv_stream *s = UNTOUCHED;
    choose_name();
    ck_assert_int_eq(coir_uv_connect(NULL, "127.0.0.1", "1"), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_connect(&s, NULL, "1"), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_connect(&s, "127.0.0.1", NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_connect_until(&s, NULL, "1", PAST), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_tcp_connect(NULL, any_port()), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_tcp_connect(&s, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_tcp_connect_until(&s, NULL, PAST), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_pipe_connect(NULL, name), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_pipe_connect(&s, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_pipe_connect_until(&s, NULL, PAST), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_tcp_listen(NULL, any_port(), 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_tcp_listen(&s, NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_pipe_listen(NULL, name, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_pipe_listen(&s, NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_tcp_open(NULL, (uv_os_sock_t)-1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_pipe_open(NULL, -1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_pipe_create(NULL), COIR_EINVAL);
    ck_assert_ptr_eq(s, UNTOUCHED);
    every_call_that_waits_is(NULL, NULL, COIR_EINVAL);
    ck_assert_int_eq(coir_uv_close(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_destroy(NULL), COIR_OK);
    ck_assert_ptr_null(coir_uv_stream_handle(NULL));
    return arg;
}

START_TEST(null_is_refused)
{
    in_a_task(pass_null);
    ck_assert_int_eq(coir_uv_close(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_destroy(NULL), COIR_OK);
    ck_assert_ptr_null(coir_uv_stream_handle(NULL));
}
END_TEST

static void *pass_no_data(void *arg)
{
    size_t done = NOT_YET;
    make_pair();
    ck_assert_int_eq(coir_uv_read(near_side, NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_read_until(near_side, NULL, 1, PAST), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_read_all(near_side, NULL, 1, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_read_all_until(near_side, NULL, 1, PAST, &done), COIR_EINVAL);
    ck_assert_uint_eq(done, 0);
    ck_assert_int_eq(coir_uv_write(near_side, NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_write_until(near_side, NULL, 1, PAST, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_writev(near_side, NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_writev_until(near_side, NULL, 1, PAST, NULL), COIR_EINVAL);
    write_text(near_side, "after all");
    expect_text(far_side, "after all");
    destroy_pair();
    return arg;
}

START_TEST(data_that_are_null_are_refused)
{
    over_both(pass_no_data);
}
END_TEST

static void *use_for_what_they_are_not(void *arg)
{
    coir_uv_stream *listener = listen_for(1);
    coir_uv_stream *s = NULL;
    char data;
    make_pair();
    every_accept_is(near_side, COIR_EINVAL);
    ck_assert_int_eq(coir_uv_accept(listener, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_accept_until(listener, NULL, PAST), COIR_EINVAL);
    every_read_is(listener, COIR_EINVAL);
    ck_assert_int_eq(coir_uv_write(listener, "x", 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_write_until(listener, "x", 1, PAST, NULL), COIR_EINVAL);
    ck_assert_int_lt(coir_uv_shutdown(listener), 0);
    ck_assert_int_eq(coir_uv_pipe_create(&s), COIR_OK);
    every_read_is(s, COIR_EINVAL);
    ck_assert_int_eq(coir_uv_read_until(s, &data, 1, PAST), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_write(s, "x", 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_write_until(s, "x", 1, PAST, NULL), COIR_EINVAL);
    ck_assert_int_lt(coir_uv_shutdown(s), 0);
    every_accept_is(s, COIR_EINVAL);
    destroy(s);
    destroy(listener);
    destroy_pair();
    return arg;
}

START_TEST(a_connection_does_not_accept_and_others_do_not_read_or_write)
{
    over_both(use_for_what_they_are_not);
}
END_TEST

static coir_uv_stream *kept_listener;

static void *make_some(void *arg)
{
    make_pair();
    kept_listener = listen_for(1);
    return arg;
}

static void destroy_some(void)
{
    destroy_pair();
    destroy(kept_listener);
}

START_TEST(outside_of_tasks_nothing_is_made_and_nothing_waits_but_all_is_closed)
{
    for (kind = TCP; kind <= PIPE; kind++) {
        begin(0);
        every_connect_is(COIR_ENOTTASK);
        every_maker_is(COIR_ENOTTASK);
        every_call_that_waits_is(NULL, NULL, COIR_ENOTTASK);
        ck_assert_int_eq(coir_uv_tcp_connect(NULL, NULL), COIR_ENOTTASK);
        start(make_some);
        ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
        every_call_that_waits_is(near_side, kept_listener, COIR_ENOTTASK);
        ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
        ck_assert_ptr_nonnull(coir_uv_stream_handle(near_side));
        ck_assert_int_eq(coir_uv_close(near_side), COIR_OK);
        every_call_that_waits_is(near_side, kept_listener, COIR_ENOTTASK);
        ck_assert_int_eq(coir_uv_close(near_side), COIR_ECLOSED);
        destroy_some();
        finish();
    }
}
END_TEST

static void *be_cancelled(void *arg)
{
    coir_uv_stream *s = NULL;
    char data;
    make_some(NULL);
    write_text(far_side, "there");
    until_readable(near_side);
    cancel(coir_task_self());
    every_connect_is(COIR_ECANCELED);
    every_call_that_waits_is(near_side, kept_listener, COIR_ECANCELED);
    every_call_that_waits_is(NULL, NULL, COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_connect(NULL, NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_tcp_connect(NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_pipe_connect_until(NULL, NULL, PAST), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_read(near_side, NULL, 1), COIR_ECANCELED);
    every_call_that_waits_is(kept_listener, near_side, COIR_ECANCELED);
    destroy(listen_for(1));
    ck_assert_int_eq(coir_uv_pipe_create(&s), COIR_OK);
    destroy(s);
    ck_assert_int_eq(coir_task_shield(1), 0);
    expect_text(near_side, "there");
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_uv_close(far_side), COIR_OK);
    ck_assert_int_eq(coir_uv_read(far_side, &data, 1), COIR_ECANCELED);
    destroy_some();
    return arg;
}

START_TEST(in_cancelled_tasks_nothing_waits_but_all_is_closed)
{
    over_both(be_cancelled);
}
END_TEST

static int deferred_calls;

static void destroy_deferred(void *arg)
{
    deferred_calls++;
    every_connect_is(COIR_ECANCELED);
    every_call_that_waits_is(near_side, kept_listener, COIR_ECANCELED);
    ck_assert_ptr_null(arg);
    destroy_some();
}

static void *end_with_streams(void *arg)
{
    make_some(NULL);
    ck_assert_int_eq(coir_defer(destroy_deferred, NULL), COIR_OK);
    return arg;
}

START_TEST(deferred_functions_do_not_wait_but_destroy)
{
    over_both(end_with_streams);
    ck_assert_int_eq(deferred_calls, 6);
}
END_TEST

static void *use_without_a_loop(void *arg)
{
    every_connect_is(COIR_EINVAL);
    every_maker_is(COIR_EINVAL);
    every_call_that_waits_is(near_side, kept_listener, COIR_EINVAL);
    return arg;
}

START_TEST(an_executor_without_a_loop_is_refused)
{
    coir_exec *other;
    begin(0);
    start(make_some);
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_int_eq(coir_exec_create(&other, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, other, use_without_a_loop, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(other), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(other), COIR_OK);
    destroy_some();
    finish();
}
END_TEST

static void *use_of_another_executor(void *arg)
{
    every_call_that_waits_is(near_side, kept_listener, COIR_EINVAL);
    ck_assert_int_eq(coir_uv_destroy(near_side), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_OK);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_ECLOSED);
    return arg;
}

static void *run_another_executor(void *arg)
{
    call reading;
    char data[8];
    make_some(NULL);
    prepare(&reading, near_side, data, sizeof data);
    call_waits(&reading, do_read);
    ck_assert_int_eq(coir_uv_run(use_of_another_executor, NULL, NULL, NULL), COIR_OK);
    expect_result(&reading, COIR_ECLOSED);
    destroy_some();
    return arg;
}

START_TEST(tasks_of_another_executor_can_only_close)
{
    over_both(run_another_executor);
}
END_TEST

static void *use_of_another_thread(void *arg)
{
    every_call_that_waits_is(near_side, kept_listener, COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_destroy(near_side), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_destroy(kept_listener), COIR_ETHREAD);
    return arg;
}

static void *run_in_another_thread(void *arg)
{
    every_call_that_waits_is(near_side, kept_listener, COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_destroy(near_side), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_run(use_of_another_thread, NULL, NULL, NULL), COIR_OK);
    return arg;
}

static void *have_another_thread(void *arg)
{
    make_some(NULL);
    t_on_thread(run_in_another_thread, NULL);
    write_text(near_side, "as before");
    expect_text(far_side, "as before");
    destroy_some();
    return arg;
}

START_TEST(another_threads_streams_cannot_be_used)
{
    over_both(have_another_thread);
}
END_TEST

/* ---- connecting ---- */

static void *connect_to_nobody(void *arg)
{
    coir_uv_stream *s = UNTOUCHED;
    uv_tcp_t bound; /* it has the port, and does not listen */
    int size = sizeof place;
    char port[16];
    ck_assert_int_eq(uv_tcp_init(coir_uv_loop(NULL), &bound), 0);
    ck_assert_int_eq(uv_tcp_bind(&bound, any_port(), 0), 0);
    ck_assert_int_eq(uv_tcp_getsockname(&bound, (struct sockaddr *)&place, &size), 0);
    port_in_digits(port, sizeof port);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_uv_tcp_connect(&s, there()), COIR_UV_ERROR(UV_ECONNREFUSED));
        ck_assert_int_eq(coir_uv_tcp_connect_until(&s, there(), COIR_FOREVER), COIR_UV_ERROR(UV_ECONNREFUSED));
        ck_assert_int_eq(coir_uv_connect(&s, "127.0.0.1", port), COIR_UV_ERROR(UV_ECONNREFUSED));
        ck_assert_int_lt(coir_uv_tcp_connect_until(&s, there(), PAST), 0);
    }
    ck_assert_ptr_eq(s, UNTOUCHED);
    uv_close((uv_handle_t *)&bound, NULL);
    look_around();
    return arg;
}

START_TEST(a_connection_that_is_refused_is_an_error_and_leaves_nothing_open)
{
    in_a_task(connect_to_nobody);
}
END_TEST

static void *connect_to_no_pipe(void *arg)
{
    coir_uv_stream *s = UNTOUCHED;
    choose_name();
    ck_assert_int_eq(coir_uv_pipe_connect(&s, name), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(coir_uv_pipe_connect_until(&s, name, COIR_FOREVER), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_lt(coir_uv_pipe_connect_until(&s, name, PAST), 0);
    ck_assert_ptr_eq(s, UNTOUCHED);
    return arg;
}

START_TEST(a_pipe_that_nobody_listens_at_is_not_found)
{
    in_a_task(connect_to_no_pipe);
}
END_TEST

static void *connect_by_name(void *arg)
{
    coir_uv_stream *listener = listen_for(8), *s = NULL, *t = NULL;
    struct sockaddr_storage peer;
    int size = sizeof peer;
    char port[16];
    port_in_digits(port, sizeof port);
    ck_assert_int_eq(coir_uv_connect(&s, "127.0.0.1", port), COIR_OK);
    ck_assert_int_eq(uv_tcp_getpeername((uv_tcp_t *)coir_uv_stream_handle(s), (struct sockaddr *)&peer, &size), 0);
    ck_assert_int_eq(((struct sockaddr_in *)&peer)->sin_port, ((struct sockaddr_in *)&place)->sin_port);
    t = accept_one(listener);
    write_text(s, "by digits");
    expect_text(t, "by digits");
    destroy(s);
    destroy(t);
    ck_assert_int_eq(coir_uv_connect_until(&s, "localhost", port, COIR_FOREVER), COIR_OK);
    t = accept_one(listener);
    write_text(t, "by name");
    expect_text(s, "by name");
    destroy(s);
    destroy(t);
    destroy(listener);
    return arg;
}

START_TEST(a_server_is_found_by_its_name_and_port)
{
    over_tcp(connect_by_name);
}
END_TEST

static void *connect_to_strange_names(void *arg)
{
    coir_uv_stream *s = UNTOUCHED;
    char *name_of_100000 = malloc(100001);
    memset(name_of_100000, 'x', 100000);
    name_of_100000[100000] = 0;
    ck_assert(COIR_UV_IS_ERROR(coir_uv_connect(&s, "127.0.0.1", "no such service")));
    ck_assert_int_lt(coir_uv_connect(&s, name_of_100000, "1"), 0);
    ck_assert_int_lt(coir_uv_connect_until(&s, "127.0.0.1", "no such service", PAST), 0);
    ck_assert_int_lt(coir_uv_pipe_connect(&s, name_of_100000), 0);
    ck_assert_ptr_eq(s, UNTOUCHED);
    free(name_of_100000);
    return arg;
}

START_TEST(names_that_lead_nowhere_are_the_systems_errors)
{
    in_a_task(connect_to_strange_names);
}
END_TEST

static void *use_a_strange_family(void *arg)
{
    coir_uv_stream *s = UNTOUCHED;
    struct sockaddr_storage nothing;
    memset(&nothing, 0, sizeof nothing);
    ck_assert_int_lt(coir_uv_tcp_connect(&s, (struct sockaddr *)&nothing), 0);
    ck_assert_int_lt(coir_uv_tcp_connect_until(&s, (struct sockaddr *)&nothing, PAST), 0);
    ck_assert_int_lt(coir_uv_tcp_listen(&s, (struct sockaddr *)&nothing, 1), 0);
    ck_assert_ptr_eq(s, UNTOUCHED);
    return arg;
}

START_TEST(addresses_of_no_family_are_refused)
{
    in_a_task(use_a_strange_family);
}
END_TEST

/* With whatever deadline: there is a connection or there is nothing. */
static void *connect_in_no_time(void *arg)
{
    coir_uv_stream *listener = listen_for(128);
    char port[16];
    port_in_digits(port, sizeof port);
    for (int i = 0; i < 40; i++) {
        coir_uv_stream *s = UNTOUCHED;
        int64_t deadline = i % 2 == 0 ? PAST : coir_now() + (int64_t)random_below(200000);
        int result = i % 4 < 2 || kind == PIPE ? try_to_connect(&s, deadline)
                                               : coir_uv_connect_until(&s, "127.0.0.1", port, deadline);
        ck_assert(result == COIR_OK || result == COIR_ETIMEDOUT);
        if (result == COIR_OK)
            destroy(s);
        else
            ck_assert_ptr_eq(s, UNTOUCHED);
    }
    destroy(listener);
    return arg;
}

START_TEST(a_connect_whose_deadline_has_passed_leaves_nothing_open)
{
    over_both(connect_in_no_time);
}
END_TEST

/* One that listens, but whose queue is full. Not by this library, so that nothing takes connections out of it. */
static uv_tcp_t full_listener;
static coir_uv_stream *in_queue[300];
static int in_queue_count;

static void ignore_connection(uv_stream_t *listener, int status)
{
    (void)listener;
    (void)status;
}

static int fill_the_queue(void)
{
    int result = COIR_OK;
    int size = sizeof place;
    ck_assert_int_eq(uv_tcp_init(coir_uv_loop(NULL), &full_listener), 0);
    ck_assert_int_eq(uv_tcp_bind(&full_listener, any_port(), 0), 0);
    ck_assert_int_eq(uv_listen((uv_stream_t *)&full_listener, 1, ignore_connection), 0);
    ck_assert_int_eq(uv_tcp_getsockname(&full_listener, (struct sockaddr *)&place, &size), 0);
    in_queue_count = 0;
    while (in_queue_count < 300 && result == COIR_OK) {
        in_queue[in_queue_count] = UNTOUCHED;
        result = coir_uv_tcp_connect_until(&in_queue[in_queue_count], there(), in_milliseconds(30));
        if (result == COIR_OK)
            in_queue_count++;
        else
            ck_assert_ptr_eq(in_queue[in_queue_count], UNTOUCHED);
    }
    return result;
}

static void empty_the_queue(void)
{
    for (int i = 0; i < in_queue_count; i++)
        destroy(in_queue[i]);
    uv_close((uv_handle_t *)&full_listener, NULL);
    look_around();
}

static void *connect_to_a_full_queue(void *arg)
{
    call connecting;
    int result = fill_the_queue();
    ck_assert(result == COIR_ETIMEDOUT || COIR_UV_IS_ERROR(result));
    if (result == COIR_ETIMEDOUT) {
        prepare(&connecting, NULL, NULL, 0);
        call_waits(&connecting, do_connect);
        cancel(connecting.task);
        await(connecting.task);
        ck_assert(connecting.result == COIR_ECANCELED || connecting.result == COIR_OK);
        if (connecting.result == COIR_OK)
            destroy(connecting.accepted);
        else
            ck_assert_ptr_eq(connecting.accepted, UNTOUCHED);
    }
    empty_the_queue();
    return arg;
}

START_TEST(a_connect_that_is_not_answered_times_out_and_can_be_cancelled)
{
    over_tcp(connect_to_a_full_queue);
}
END_TEST

static uv_sem_t go_on; /* a semaphore for threads */

static void *hold_a_thread(void *arg)
{
    uv_sem_wait(&go_on);
    return arg;
}

static void *hold_the_pool(void *arg)
{
    ck_assert_int_eq(coir_uv_work(hold_a_thread, NULL, NULL), COIR_OK);
    return arg;
}

static void *do_connect_by_name(void *arg)
{
    call *c = arg;
    c->result = coir_uv_connect(&c->accepted, "localhost", "1");
    return NULL;
}

static void *connect_with_a_pool_that_is_held(void *arg)
{
    coir_uv_stream *s = UNTOUCHED;
    call connecting;
    coir_task *holder = spawn(hold_the_pool, NULL);
    until_it_waits(holder);
    ck_assert_int_eq(coir_uv_connect_until(&s, "localhost", "1", in_milliseconds(1)), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_uv_connect_until(&s, "localhost", "1", PAST), COIR_ETIMEDOUT);
    ck_assert_ptr_eq(s, UNTOUCHED);
    prepare(&connecting, NULL, NULL, 0);
    call_waits(&connecting, do_connect_by_name);
    cancel(connecting.task);
    expect_result(&connecting, COIR_ECANCELED);
    ck_assert_ptr_eq(connecting.accepted, UNTOUCHED);
    uv_sem_post(&go_on);
    await(holder);
    return arg;
}

START_TEST(a_connect_that_looks_up_a_name_times_out_and_can_be_cancelled)
{
    t_setenv("UV_THREADPOOL_SIZE", "1");
    ck_assert_int_eq(uv_sem_init(&go_on, 0), 0);
    in_a_task(connect_with_a_pool_that_is_held);
    uv_sem_destroy(&go_on);
}
END_TEST

static void *connect_and_be_cancelled(void *arg)
{
    coir_uv_stream *listener = listen_for(128);
    for (int i = 0; i < 40; i++) {
        call connecting;
        prepare(&connecting, NULL, NULL, 0);
        begin_call(&connecting, do_connect);
        for (unsigned n = random_below(4); n > 0; n--)
            yield();
        coir_task_cancel(connecting.task);
        await(connecting.task);
        ck_assert(connecting.result == COIR_OK || connecting.result == COIR_ECANCELED);
        if (connecting.result == COIR_OK)
            destroy(connecting.accepted);
        else
            ck_assert_ptr_eq(connecting.accepted, UNTOUCHED);
    }
    destroy(listener);
    return arg;
}

START_TEST(a_connect_that_is_cancelled_leaves_nothing_open)
{
    over_both(connect_and_be_cancelled);
}
END_TEST

static void *use_version_6(void *arg)
{
    struct sockaddr_in6 address;
    coir_uv_stream *listener = NULL;
    char port[16];
    ck_assert_int_eq(uv_ip6_addr("::1", 0, &address), 0);
    if (coir_uv_tcp_listen(&listener, (struct sockaddr *)&address, 1) != COIR_OK)
        return arg;
    find_place(listener);
    near_side = connect_there();
    far_side = accept_one(listener);
    write_text(near_side, "six");
    expect_text(far_side, "six");
    destroy_pair();
    snprintf(port, sizeof port, "%d", ntohs(((struct sockaddr_in6 *)&place)->sin6_port));
    ck_assert_int_eq(coir_uv_connect(&near_side, "::1", port), COIR_OK);
    far_side = accept_one(listener);
    write_text(far_side, "by digits");
    expect_text(near_side, "by digits");
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(addresses_may_be_of_version_6_where_there_is_one)
{
    over_tcp(use_version_6);
}
END_TEST

/* ---- listening and accepting ---- */

static void *listen_twice(void *arg)
{
    coir_uv_stream *listener = listen_for(4), *s = UNTOUCHED;
    int result = kind == PIPE ? coir_uv_pipe_listen(&s, name, 4) : coir_uv_tcp_listen(&s, there(), 4);
    if (kind == PIPE && t_is_wine() && result == COIR_OK) { /* it has no first instance of a pipe */
        destroy(s);
        s = UNTOUCHED;
        result = COIR_UV_ERROR(UV_EADDRINUSE);
    }
    ck_assert_int_eq(result, COIR_UV_ERROR(UV_EADDRINUSE));
    ck_assert_ptr_eq(s, UNTOUCHED);
    near_side = connect_there(); /* the first has not noticed */
    far_side = accept_one(listener);
    write_text(far_side, "here");
    expect_text(near_side, "here");
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(an_address_is_used_once)
{
    over_both(listen_twice);
}
END_TEST

static void *listen_again(void *arg)
{
    coir_uv_stream *listener = listen_for(4);
    destroy(listener);
    listener = NULL;
    if (kind == PIPE)
        ck_assert_int_eq(coir_uv_pipe_listen(&listener, name, 4), COIR_OK);
    else
        ck_assert_int_eq(coir_uv_tcp_listen(&listener, there(), 4), COIR_OK);
    near_side = connect_there();
    far_side = accept_one(listener);
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(when_a_listener_is_destroyed_its_address_is_free_again)
{
    over_both(listen_again);
}
END_TEST

static void *accept_those_that_wait(void *arg)
{
    coir_uv_stream *listener = listen_for(16), *clients[4]; /* so many a pipe of Windows has */
    unsigned seen = 0;
    for (unsigned char i = 0; i < 4; i++) {
        clients[i] = connect_there();
        ck_assert_int_eq(coir_uv_write(clients[i], &i, 1), COIR_OK);
    }
    for (int i = 0; i < 4; i++) {
        coir_uv_stream *s = accept_one(listener);
        unsigned char number = 99;
        ck_assert_int_eq(coir_uv_read(s, &number, 1), 1);
        ck_assert_int_lt(number, 4);
        seen |= 1u << number;
        destroy(s);
    }
    ck_assert_uint_eq(seen, 0xf);
    ck_assert_int_eq(coir_uv_accept_until(listener, &clients[0], PAST), COIR_ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        destroy(clients[i]);
    destroy(listener);
    return arg;
}

START_TEST(connections_that_came_before_the_accept_are_kept)
{
    over_both(accept_those_that_wait);
}
END_TEST

static void *wait_for_a_connection(void *arg)
{
    coir_uv_stream *listener = listen_for(16);
    call accepting;
    for (int i = 0; i < 3; i++) {
        prepare(&accepting, listener, NULL, 0);
        if (i == 2)
            accepting.deadline = in_milliseconds(1000 * SECOND);
        call_waits(&accepting, do_accept);
        near_side = connect_there();
        expect_result(&accepting, COIR_OK);
        far_side = accepting.accepted;
        write_text(near_side, "ping");
        expect_text(far_side, "ping");
        write_text(far_side, "pong");
        expect_text(near_side, "pong");
        destroy_pair();
    }
    destroy(listener);
    return arg;
}

START_TEST(accept_waits_for_a_connection)
{
    over_both(wait_for_a_connection);
}
END_TEST

static void *accept_with_deadlines(void *arg)
{
    coir_uv_stream *listener = listen_for(16), *s = UNTOUCHED;
    call accepting;
    int64_t deadline = in_milliseconds(3);
    ck_assert_int_eq(coir_uv_accept_until(listener, &s, PAST), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_uv_accept_until(listener, &s, deadline), COIR_ETIMEDOUT);
    ck_assert(coir_now() >= deadline);
    ck_assert_ptr_eq(s, UNTOUCHED);
    prepare(&accepting, listener, NULL, 0);
    accepting.deadline = in_milliseconds(2);
    call_waits(&accepting, do_accept);
    expect_result(&accepting, COIR_ETIMEDOUT);
    ck_assert_ptr_eq(accepting.accepted, UNTOUCHED);
    near_side = connect_there();
    far_side = accept_one(listener);
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(an_accept_whose_deadline_comes_leaves_the_listener_as_it_was)
{
    over_both(accept_with_deadlines);
}
END_TEST

/* It is there at once or soon, as systems have it; and no other call lets the loop look for it. */
static void *accept_at_once(void *arg)
{
    coir_uv_stream *listener = listen_for(16);
    for (int i = 0; i < 5; i++) {
        int result;
        near_side = connect_there();
        do
            result = coir_uv_accept_until(listener, &far_side, i % 2 == 0 ? PAST : coir_now());
        while (result == COIR_ETIMEDOUT);
        ck_assert_int_eq(result, COIR_OK);
        write_text(near_side, "x");
        expect_text(far_side, "x");
        destroy_pair();
    }
    destroy(listener);
    return arg;
}

START_TEST(an_accept_whose_deadline_has_passed_finds_who_is_there)
{
    over_both(accept_at_once);
}
END_TEST

static void *accept_twice(void *arg)
{
    coir_uv_stream *listener = listen_for(16), *s = UNTOUCHED;
    call accepting;
    prepare(&accepting, listener, NULL, 0);
    call_waits(&accepting, do_accept);
    ck_assert_int_eq(coir_uv_accept(listener, &s), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_accept_until(listener, &s, PAST), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_destroy(listener), COIR_EBUSY);
    ck_assert_ptr_eq(s, UNTOUCHED);
    near_side = connect_there();
    expect_result(&accepting, COIR_OK);
    destroy(accepting.accepted);
    destroy(near_side);
    destroy(listener);
    return arg;
}

START_TEST(one_task_accepts_at_a_time)
{
    over_both(accept_twice);
}
END_TEST

static void *accept_until_closed(void *arg)
{
    coir_uv_stream *listener = listen_for(16);
    call accepting;
    prepare(&accepting, listener, NULL, 0);
    call_waits(&accepting, do_accept);
    ck_assert_int_eq(coir_uv_close(listener), COIR_OK);
    expect_result(&accepting, COIR_ECLOSED);
    ck_assert_ptr_eq(accepting.accepted, UNTOUCHED);
    every_accept_is(listener, COIR_ECLOSED);
    ck_assert_int_eq(coir_uv_close(listener), COIR_ECLOSED);
    destroy(listener);
    return arg;
}

START_TEST(who_accepts_when_the_listener_is_closed_is_told)
{
    over_both(accept_until_closed);
}
END_TEST

static void *accept_and_be_cancelled(void *arg)
{
    coir_uv_stream *listener = listen_for(16);
    call accepting;
    prepare(&accepting, listener, NULL, 0);
    call_waits(&accepting, do_accept);
    cancel(accepting.task);
    expect_result(&accepting, COIR_ECANCELED);
    ck_assert_ptr_eq(accepting.accepted, UNTOUCHED);
    near_side = connect_there();
    far_side = accept_one(listener);
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(an_accept_that_is_cancelled_leaves_the_listener_as_it_was)
{
    over_both(accept_and_be_cancelled);
}
END_TEST

enum { VISITORS = 60 };
static coir_uv_stream *visitors[VISITORS];

static void *visit(void *arg)
{
    for (unsigned char i = 0; i < VISITORS; i++) {
        visitors[i] = connect_there();
        ck_assert_int_eq(coir_uv_write(visitors[i], &i, 1), COIR_OK);
        if (random_below(3) == 0)
            ck_assert_int_eq(coir_sleep(random_below(1500) * COIR_MICROSECOND), COIR_OK);
    }
    return arg;
}

/* Accepts in one of several ways that may be cut short. */
static coir_uv_stream *accept_somehow(coir_uv_stream *listener)
{
    call accepting;
    prepare(&accepting, listener, NULL, 0);
    switch (random_below(3)) {
    case 0:
        accepting.deadline = PAST;
        do_accept(&accepting);
        break;
    case 1:
        accepting.deadline = coir_now() + (int64_t)random_below(1500) * COIR_MICROSECOND;
        do_accept(&accepting);
        break;
    default:
        begin_call(&accepting, do_accept);
        for (unsigned n = random_below(5); n > 0; n--)
            yield();
        if (random_below(2) == 0)
            ck_assert_int_eq(coir_sleep(random_below(1000) * COIR_MICROSECOND), COIR_OK);
        coir_task_cancel(accepting.task);
        await(accepting.task);
    }
    if (accepting.result == COIR_OK)
        return accepting.accepted;
    ck_assert(accepting.result == COIR_ETIMEDOUT || accepting.result == COIR_ECANCELED);
    ck_assert_ptr_eq(accepting.accepted, UNTOUCHED);
    return NULL;
}

static void *accept_all_somehow(void *arg)
{
    coir_uv_stream *listener = listen_for(VISITORS);
    coir_task *coming = spawn(visit, NULL);
    bool seen[VISITORS] = {false};
    for (int count = 0; count < VISITORS;) {
        coir_uv_stream *s = accept_somehow(listener);
        unsigned char number = 255;
        if (s == NULL)
            continue;
        ck_assert_int_eq(coir_uv_read(s, &number, 1), 1);
        ck_assert_int_lt(number, VISITORS);
        ck_assert(!seen[number]);
        seen[number] = true;
        destroy(s);
        count++;
    }
    await(coming);
    for (int i = 0; i < VISITORS; i++)
        destroy(visitors[i]);
    destroy(listener);
    return arg;
}

START_TEST(accepts_that_are_cut_short_lose_no_connection)
{
    random_state = 1;
    over_both(accept_all_somehow);
}
END_TEST

/* Those that nobody accepts go with the listener. */
static void *leave_connections(void *arg)
{
    coir_uv_stream *listener = listen_for(16), *clients[4];
    char data[4];
    for (int i = 0; i < 4; i++)
        clients[i] = connect_there();
    look_around();
    destroy(listener);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_le(coir_uv_read(clients[i], data, sizeof data), 0);
        destroy(clients[i]);
    }
    return arg;
}

START_TEST(connections_that_nobody_accepts_end_with_the_listener)
{
    over_both(leave_connections);
}
END_TEST

/* ---- streams of descriptors ---- */

static void *open_a_socket(void *arg)
{
    coir_uv_stream *listener = listen_for(4);
    uv_os_sock_t s = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(s, there(), sizeof(struct sockaddr_in)), 0);
    near_side = NULL;
    ck_assert_int_eq(coir_uv_tcp_open(&near_side, s), COIR_OK);
    far_side = accept_one(listener);
    write_text(near_side, "there");
    expect_text(far_side, "there");
    write_text(far_side, "back");
    expect_text(near_side, "back");
    ck_assert_int_eq(coir_uv_shutdown(near_side), COIR_OK);
    expect_end(far_side);
    destroy_pair();
    destroy(listener);
    s = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(s, any_port(), sizeof(struct sockaddr_in)), 0);
    ck_assert_int_eq(coir_uv_tcp_open(&near_side, s), COIR_OK);
    find_place(near_side);
    ck_assert_int_ne(((struct sockaddr_in *)&place)->sin_port, 0);
    destroy(near_side);
    return arg;
}

START_TEST(a_socket_becomes_a_stream_that_owns_it)
{
    over_tcp(open_a_socket);
}
END_TEST

static void *open_nothing(void *arg)
{
    coir_uv_stream *s = UNTOUCHED;
    ck_assert_int_lt(coir_uv_pipe_open(&s, -1), 0);
    ck_assert_int_lt(coir_uv_tcp_open(&s, (uv_os_sock_t)-1), 0);
    ck_assert_ptr_eq(s, UNTOUCHED);
    return arg;
}

START_TEST(what_is_no_descriptor_is_refused)
{
    in_a_task(open_nothing);
}
END_TEST

static void *open_pipes(void *arg)
{
#if UV_VERSION_HEX >= 0x012900
    uv_file ends[2];
    coir_uv_stream *reading = NULL, *writing = NULL;
    call c;
    near_side = NULL;
    ck_assert_int_eq(uv_pipe(ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    ck_assert_int_eq(coir_uv_pipe_open(&reading, ends[0]), COIR_OK);
    ck_assert_int_eq(coir_uv_pipe_open(&writing, ends[1]), COIR_OK);
    expect_nothing_to_read(reading);
    write_text(writing, "through");
    expect_text(reading, "through");
    write_waits(&c, writing);
    expect_bytes(reading, LARGE, 0);
    expect_result(&c, COIR_OK);
    ck_assert_uint_eq(c.done, LARGE);
    drop(c.data, c.size);
    destroy(writing);
    expect_end(reading);
    expect_end(reading);
    destroy(reading);
#endif
    return arg;
}

START_TEST(a_pipe_becomes_two_streams)
{
    in_a_task(open_pipes);
}
END_TEST

#if UV_VERSION_HEX >= 0x012900 && !defined _WIN32
static void *use_the_wrong_end(void *arg)
{
    uv_file ends[2];
    coir_uv_stream *reading = NULL, *writing = NULL;
    char data[4];
    size_t written = NOT_YET;
    ck_assert_int_eq(uv_pipe(ends, 0, 0), 0);
    ck_assert_int_eq(coir_uv_pipe_open(&reading, ends[0]), COIR_OK);
    ck_assert_int_eq(coir_uv_pipe_open(&writing, ends[1]), COIR_OK);
    ck_assert_int_lt(coir_uv_write_until(reading, "x", 1, COIR_FOREVER, &written), 0);
    ck_assert_uint_eq(written, 0);
    ck_assert_int_lt(coir_uv_read(writing, data, sizeof data), 0);
    ck_assert_int_lt(coir_uv_read_until(writing, data, sizeof data, PAST), 0);
    write_text(writing, "ok");
    expect_text(reading, "ok");
    destroy(reading); /* the reader is gone: SIGPIPE, if it were not ignored */
    while (coir_uv_write(writing, "x", 1) == COIR_OK)
        yield();
    ck_assert_int_eq(coir_uv_write(writing, "x", 1), COIR_UV_ERROR(UV_EPIPE));
    destroy(writing);
    return arg;
}

START_TEST(the_wrong_end_of_a_pipe_neither_reads_nor_writes)
{
    in_a_task(use_the_wrong_end);
}
END_TEST
#endif

/* ---- reading ---- */

static void *read_parts(void *arg)
{
    char data[16];
    make_pair();
    write_text(near_side, "abcdefgh");
    until_readable(far_side);
    ck_assert_int_eq(coir_uv_read(far_side, data, 3), 3);
    ck_assert_int_eq(memcmp(data, "abc", 3), 0);
    ck_assert_int_eq(coir_uv_read(far_side, data, 1), 1);
    ck_assert_int_eq(data[0], 'd');
    ck_assert_int_eq(coir_uv_read_until(far_side, data, sizeof data, PAST), 4);
    ck_assert_int_eq(memcmp(data, "efgh", 4), 0);
    expect_nothing_to_read(far_side);
    destroy(near_side);
    for (int i = 0; i < 3; i++) {
        expect_end(far_side);
        until_readable(far_side);
        ck_assert_int_eq(coir_uv_read_until(far_side, data, sizeof data, PAST), 0);
        ck_assert_int_eq(coir_uv_read_until(far_side, data, 1, in_milliseconds(SECOND)), 0);
    }
    destroy(far_side);
    return arg;
}

START_TEST(read_takes_what_is_there_and_then_finds_the_end)
{
    over_both(read_parts);
}
END_TEST

static void *wait_to_read(void *arg)
{
    call reading;
    unsigned char data[16];
    make_pair();
    for (int i = 0; i < 3; i++) {
        prepare(&reading, far_side, data, sizeof data);
        if (i == 2)
            reading.deadline = in_milliseconds(1000 * SECOND);
        call_waits(&reading, do_read);
        look_around();
        ck_assert_int_eq(reading.result, NOT_YET);
        write_text(near_side, "x");
        expect_result(&reading, 1);
        ck_assert_int_eq(data[0], 'x');
    }
    prepare(&reading, far_side, data, sizeof data);
    call_waits(&reading, do_read);
    destroy(near_side);
    expect_result(&reading, 0);
    destroy(far_side);
    return arg;
}

START_TEST(read_waits_for_bytes_or_the_end)
{
    over_both(wait_to_read);
}
END_TEST

static void *read_nothing(void *arg)
{
    call reading;
    unsigned char data[16];
    make_pair();
    ck_assert_int_eq(coir_uv_read_until(far_side, data, 0, PAST), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_uv_read_until(far_side, data, 0, in_milliseconds(2)), COIR_ETIMEDOUT);
    prepare(&reading, far_side, data, 0);
    call_waits(&reading, do_read);
    write_text(near_side, "text");
    expect_result(&reading, 0);
    for (int i = 0; i < 5; i++)
        until_readable(far_side);
    ck_assert_int_eq(coir_uv_read_until(far_side, data, 0, PAST), 0);
    expect_text(far_side, "text");
    ck_assert_int_eq(coir_uv_read_until(far_side, data, 0, PAST), COIR_ETIMEDOUT);
    destroy(near_side);
    until_readable(far_side);
    expect_end(far_side);
    destroy(far_side);
    return arg;
}

START_TEST(a_read_of_size_0_waits_and_takes_nothing)
{
    over_both(read_nothing);
}
END_TEST

static void *read_with_deadlines(void *arg)
{
    unsigned char *data = new_pattern(64, 0);
    int64_t deadline;
    make_pair();
    ck_assert_int_eq(coir_uv_read_until(far_side, data, 64, PAST), COIR_ETIMEDOUT);
    deadline = in_milliseconds(3);
    ck_assert_int_eq(coir_uv_read_until(far_side, data, 64, deadline), COIR_ETIMEDOUT);
    ck_assert(coir_now() >= deadline);
    expect_pattern(data, 64, 0); /* it has put nothing there */
    drop(data, 64);
    write_text(near_side, "later");
    expect_text(far_side, "later");
    destroy_pair();
    return arg;
}

START_TEST(a_read_whose_deadline_comes_has_taken_nothing)
{
    over_both(read_with_deadlines);
}
END_TEST

static void *read_twice(void *arg)
{
    call reading;
    unsigned char data[16];
    char other[4];
    size_t got = NOT_YET;
    make_pair();
    prepare(&reading, far_side, data, sizeof data);
    call_waits(&reading, do_read);
    ck_assert_int_eq(coir_uv_read(far_side, other, sizeof other), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_read(far_side, other, 0), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_read_until(far_side, other, sizeof other, PAST), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_read_all(far_side, other, sizeof other, &got), COIR_EBUSY);
    ck_assert_uint_eq(got, 0);
    ck_assert_int_eq(coir_uv_destroy(far_side), COIR_EBUSY);
    write_text(far_side, "out"); /* this may be done meanwhile */
    expect_text(near_side, "out");
    write_text(near_side, "in");
    await(reading.task);
    ck_assert_int_gt(reading.result, 0);
    ck_assert_int_eq(data[0], 'i');
    destroy_pair();
    return arg;
}

START_TEST(one_task_reads_at_a_time)
{
    over_both(read_twice);
}
END_TEST

static void *read_and_be_cancelled(void *arg)
{
    call reading;
    make_pair();
    for (int i = 0; i < 3; i++) {
        prepare(&reading, far_side, new_pattern(16, 0), 16);
        call_waits(&reading, i == 1 ? do_read_all : do_read);
        cancel(reading.task);
        expect_result(&reading, COIR_ECANCELED);
        expect_pattern(reading.data, 16, 0);
        drop(reading.data, 16);
        if (i == 1)
            ck_assert_uint_eq(reading.done, 0);
        write_text(near_side, "next");
        expect_text(far_side, "next");
    }
    destroy_pair();
    return arg;
}

START_TEST(a_read_that_is_cancelled_has_taken_nothing)
{
    over_both(read_and_be_cancelled);
}
END_TEST

static void *read_whole(void *arg)
{
    unsigned char data[64];
    size_t got = NOT_YET;
    call reading;
    make_pair();
    ck_assert_int_eq(coir_uv_read_all(far_side, data, 0, &got), COIR_OK);
    ck_assert_uint_eq(got, 0);
    prepare(&reading, far_side, data, 6);
    call_waits(&reading, do_read_all);
    write_text(near_side, "ab");
    until_it_waits(reading.task);
    look_around();
    write_text(near_side, "cdefgh");
    expect_result(&reading, COIR_OK);
    ck_assert_uint_eq(reading.done, 6);
    ck_assert_int_eq(memcmp(data, "abcdef", 6), 0);
    ck_assert_int_eq(coir_uv_read_all_until(far_side, data, 2, PAST, NULL), COIR_OK);
    ck_assert_int_eq(memcmp(data, "gh", 2), 0);
    ck_assert_int_eq(coir_uv_read_all_until(far_side, data, 2, PAST, &got), COIR_ETIMEDOUT);
    ck_assert_uint_eq(got, 0);
    write_text(near_side, "ij");
    ck_assert_int_eq(coir_uv_read_all_until(far_side, data, 5, in_milliseconds(20), &got), COIR_ETIMEDOUT);
    ck_assert_uint_le(got, 2);
    ck_assert_int_eq(memcmp(data, "ij", got), 0);
    expect_text(far_side, &"ij"[got]);
    prepare(&reading, far_side, data, 6);
    call_waits(&reading, do_read_all);
    write_text(near_side, "kl");
    look_around();
    cancel(reading.task);
    expect_result(&reading, COIR_ECANCELED);
    ck_assert_uint_le(reading.done, 2);
    ck_assert_int_eq(memcmp(data, "kl", reading.done), 0);
    expect_text(far_side, &"kl"[reading.done]);
    write_text(near_side, "mn");
    destroy(near_side);
    got = NOT_YET;
    ck_assert_int_eq(coir_uv_read_all(far_side, data, 6, &got), COIR_UV_ERROR(UV_EOF));
    ck_assert_uint_eq(got, 2);
    ck_assert_int_eq(memcmp(data, "mn", 2), 0);
    ck_assert_int_eq(coir_uv_read_all(far_side, data, 6, NULL), COIR_UV_ERROR(UV_EOF));
    ck_assert_int_eq(coir_uv_read_all_until(far_side, data, 1, PAST, &got), COIR_UV_ERROR(UV_EOF));
    ck_assert_uint_eq(got, 0);
    destroy(far_side);
    return arg;
}

START_TEST(read_all_waits_for_all_or_says_how_much_there_is)
{
    over_both(read_whole);
}
END_TEST

static void *be_reset(void *arg)
{
    char data[16];
    size_t got = NOT_YET;
    make_pair();
    vanish(near_side);
    ck_assert_int_eq(coir_uv_read(far_side, data, sizeof data), COIR_UV_ERROR(UV_ECONNRESET));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_uv_read(far_side, data, sizeof data), COIR_UV_ERROR(UV_ECONNRESET));
        ck_assert_int_eq(coir_uv_read(far_side, data, 0), COIR_UV_ERROR(UV_ECONNRESET));
        ck_assert_int_eq(coir_uv_read_until(far_side, data, sizeof data, PAST), COIR_UV_ERROR(UV_ECONNRESET));
        ck_assert_int_eq(coir_uv_read_all(far_side, data, 4, &got), COIR_UV_ERROR(UV_ECONNRESET));
        ck_assert_uint_eq(got, 0);
    }
    ck_assert(COIR_UV_IS_ERROR(coir_uv_write(far_side, "x", 1)));
    destroy(far_side);
    make_pair();
    vanish(near_side);
    ck_assert_int_eq(coir_uv_read(far_side, data, 0), 0); /* so there is something to be had, and that is */
    ck_assert_int_eq(coir_uv_read_until(far_side, data, 4, PAST), COIR_UV_ERROR(UV_ECONNRESET));
    destroy(far_side);
    return arg;
}

START_TEST(a_reset_is_an_error_for_every_read_that_follows)
{
    if (t_is_wine())
        T_SKIP("under wine a reset may be read as an end");
    over_tcp(be_reset);
}
END_TEST

static void *be_reset_in_all_calls(void *arg)
{
    call reading, writing;
    unsigned char data[16];
    make_narrow_pair();
    prepare(&reading, far_side, data, sizeof data);
    call_waits(&reading, do_read);
    write_waits(&writing, far_side);
    vanish(near_side);
    await(writing.task);
    ck_assert(COIR_UV_IS_ERROR(writing.result));
    ck_assert_uint_lt(writing.done, LARGE);
    drop(writing.data, LARGE);
    await(reading.task);
    ck_assert(reading.result == 0 || COIR_UV_IS_ERROR(reading.result));
    ck_assert_int_eq(coir_uv_read(far_side, data, sizeof data), reading.result);
    ck_assert(COIR_UV_IS_ERROR(coir_uv_write(far_side, "x", 1)));
    destroy(far_side);
    return arg;
}

START_TEST(a_reset_wakes_who_reads_and_who_writes)
{
    over_tcp(be_reset_in_all_calls);
}
END_TEST

static void *read_byte_by_byte(void *arg)
{
    size_t size = t_instrumented() ? 2000 : 20000;
    call writing;
    prepare(&writing, near_side, NULL, 0);
    make_narrow_pair();
    prepare(&writing, near_side, new_pattern(size, 0), size);
    begin_call(&writing, do_write);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = 0;
        if (coir_uv_read(far_side, &c, 1) != 1 || c != byte_at(i))
            ck_abort_msg("a byte is not what it was");
    }
    expect_result(&writing, COIR_OK);
    drop(writing.data, size);
    destroy_pair();
    return arg;
}

START_TEST(a_reader_may_take_a_byte_at_a_time)
{
    over_both(read_byte_by_byte);
}
END_TEST

/* ---- writing ---- */

static int turns;

static void *count_turns(void *arg)
{
    while (turns >= 0) {
        turns++;
        yield();
    }
    return arg;
}

static void *write_at_once(void *arg)
{
    coir_task *counting;
    int before;
    size_t written = NOT_YET;
    uv_buf_t pieces[] = {uv_buf_init((char *)(uintptr_t)"abc", 3), uv_buf_init((char *)(uintptr_t)"de", 2)};
    make_pair();
    turns = 0;
    counting = spawn(count_turns, NULL);
    yield();
    before = turns;
    write_text(near_side, "small");
    ck_assert_int_eq(coir_uv_write_until(near_side, " and ", 5, PAST, &written), COIR_OK);
    ck_assert_uint_eq(written, 5);
    ck_assert_int_eq(coir_uv_writev(near_side, pieces, 2), COIR_OK);
    ck_assert_int_eq(coir_uv_writev_until(near_side, pieces, 2, PAST, &written), COIR_OK);
    ck_assert_uint_eq(written, 5);
    ck_assert_int_eq(turns, before);
    turns = -1;
    await(counting);
    expect_text(far_side, "small and abcdeabcde");
    destroy_pair();
    return arg;
}

START_TEST(a_write_that_the_system_takes_at_once_does_not_wait)
{
    over_tcp(write_at_once);
}
END_TEST

static void *write_little(void *arg)
{
    uv_buf_t none[] = {uv_buf_init(NULL, 0), uv_buf_init((char *)&untouched, 0)};
    size_t written = NOT_YET;
    make_pair();
    ck_assert_int_eq(coir_uv_write(near_side, "", 0), COIR_OK);
    ck_assert_int_eq(coir_uv_write_until(near_side, "", 0, PAST, NULL), COIR_OK);
    ck_assert_int_eq(coir_uv_writev(near_side, none, 0), COIR_OK);
    ck_assert_int_eq(coir_uv_writev(near_side, none, 2), COIR_OK);
    ck_assert_int_eq(coir_uv_writev_until(near_side, none, 2, PAST, &written), COIR_OK);
    ck_assert_uint_eq(written, 0);
    expect_nothing_to_read(far_side);
    write_text(near_side, "more");
    expect_text(far_side, "more");
    destroy_pair();
    return arg;
}

START_TEST(a_write_of_nothing_is_done)
{
    over_both(write_little);
}
END_TEST

/* As many as no system takes in one call; some are empty. */
static void *write_many_pieces(void *arg)
{
    enum { PIECES = 5000 };
    static uv_buf_t pieces[PIECES];
    unsigned char *data = new_pattern(PIECES * 50, 0);
    size_t size = 0, written = NOT_YET;
    coir_task *writing;
    call c;
    make_pair();
    for (unsigned i = 0; i < PIECES; i++) {
        unsigned length = i < 3 || i % 7 == 0 ? 0 : i * 31 % 50;
        pieces[i] = uv_buf_init((char *)data + size, length);
        size += length;
    }
    memset(&c, 0, sizeof c);
    prepare(&c, far_side, malloc(size), size);
    writing = c.task = spawn(do_read_all, &c);
    ck_assert_int_eq(coir_uv_writev_until(near_side, pieces, PIECES, COIR_FOREVER, &written), COIR_OK);
    ck_assert_uint_eq(written, size);
    await(writing);
    ck_assert_int_eq(c.result, COIR_OK);
    expect_pattern(c.data, size, 0);
    drop(c.data, size);
    drop(data, PIECES * 50);
    destroy_pair();
    return arg;
}

START_TEST(any_number_of_pieces_is_written_in_order)
{
    over_both(write_many_pieces);
}
END_TEST

static void *write_to_who_does_not_read(void *arg)
{
    call writing;
    make_pair();
    write_waits(&writing, near_side);
    look_around();
    ck_assert_int_eq(writing.result, NOT_YET); /* no system holds that much */
    ck_assert_int_ne(coir_task_state(writing.task), COIR_TASK_DONE);
    expect_bytes(far_side, LARGE, 0);
    expect_result(&writing, COIR_OK);
    ck_assert_uint_eq(writing.done, LARGE);
    drop(writing.data, LARGE);
    expect_nothing_to_read(far_side);
    destroy_pair();
    return arg;
}

START_TEST(a_write_waits_while_the_peer_does_not_read)
{
    over_both(write_to_who_does_not_read);
}
END_TEST

static void *cut_a_write(void *arg)
{
    size_t at = 0, written;
    make_narrow_pair();
    for (int i = 0; i < 6; i++) {
        unsigned char *data = new_pattern(LARGE / 4, at);
        call writing;
        if (i < 3) {
            written = NOT_YET;
            ck_assert_int_eq(coir_uv_write_until(near_side, data, LARGE / 4, i == 0 ? PAST : in_milliseconds(3),
                                                 &written),
                             COIR_ETIMEDOUT);
        } else {
            prepare(&writing, near_side, data, LARGE / 4);
            call_waits(&writing, i == 4 ? do_writev : do_write);
            cancel(writing.task);
            expect_result(&writing, COIR_ECANCELED);
            written = writing.done;
        }
        drop(data, LARGE / 4);
        ck_assert_uint_lt(written, LARGE / 4);
        if (i % 2 == 1 && at + written > 0) { /* or else it is one long queue */
            expect_bytes(far_side, at + written, 0);
            destroy_pair();
            make_narrow_pair();
            at = 0;
        } else {
            at += written;
        }
    }
    ck_assert_int_eq(coir_uv_write(near_side, "", 0), COIR_OK);
    destroy_pair();
    return arg;
}

START_TEST(a_write_that_is_cut_short_says_what_the_peer_will_get)
{
    over_both(cut_a_write);
}
END_TEST

/* Cut, and not read before the next writes: what was handed over comes once, and nothing else. */
static void *cut_and_go_on(void *arg)
{
    size_t at = 0;
    call last;
    make_narrow_pair();
    for (int i = 0; i < 10; i++) {
        unsigned char *data = new_pattern(100000, at);
        size_t written = NOT_YET;
        int result = coir_uv_write_until(near_side, data, 100000, i % 2 == 0 ? PAST : in_milliseconds(1), &written);
        drop(data, 100000);
        ck_assert(result == COIR_OK || result == COIR_ETIMEDOUT);
        ck_assert_uint_le(written, 100000);
        at += written;
    }
    prepare(&last, near_side, new_pattern(100000, at), 100000);
    begin_call(&last, do_write);
    expect_bytes(far_side, at + 100000, 0);
    expect_result(&last, COIR_OK);
    drop(last.data, 100000);
    expect_nothing_to_read(far_side);
    destroy_pair();
    return arg;
}

START_TEST(writes_go_on_where_the_last_was_cut_short)
{
    over_both(cut_and_go_on);
}
END_TEST

/* What has been handed over comes without another call, though the writer has ended. */
static void *cut_and_wait(void *arg)
{
    unsigned char *data = new_pattern(LARGE / 4, 0);
    size_t written = NOT_YET;
    make_narrow_pair();
    ck_assert_int_eq(coir_uv_write_until(near_side, data, LARGE / 4, in_milliseconds(5), &written), COIR_ETIMEDOUT);
    drop(data, LARGE / 4);
    expect_bytes(far_side, written, 0);
    look_around();
    expect_nothing_to_read(far_side);
    destroy_pair();
    return arg;
}

START_TEST(what_was_handed_over_arrives_by_itself)
{
    over_both(cut_and_wait);
}
END_TEST

static void *write_twice(void *arg)
{
    call writing;
    char data[4];
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)"x", 1);
    size_t written = NOT_YET;
    make_pair();
    write_waits(&writing, near_side);
    ck_assert_int_eq(coir_uv_write(near_side, "x", 1), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_write_until(near_side, "x", 1, PAST, &written), COIR_EBUSY);
    ck_assert_uint_eq(written, 0);
    ck_assert_int_eq(coir_uv_writev(near_side, &piece, 1), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_writev_until(near_side, &piece, 1, PAST, &written), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_shutdown(near_side), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_shutdown_until(near_side, PAST), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_destroy(near_side), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_read_until(near_side, data, 4, PAST), COIR_ETIMEDOUT); /* this may be done meanwhile */
    write_text(far_side, "in");
    expect_text(near_side, "in");
    expect_bytes(far_side, LARGE, 0);
    expect_result(&writing, COIR_OK);
    drop(writing.data, LARGE);
    destroy_pair();
    return arg;
}

START_TEST(one_task_writes_at_a_time)
{
    over_both(write_twice);
}
END_TEST

static void *write_to_who_is_gone(void *arg)
{
    call writing;
    size_t written = NOT_YET;
    int result;
    make_narrow_pair();
    write_waits(&writing, near_side);
    destroy(far_side);
    await(writing.task);
    ck_assert(COIR_UV_IS_ERROR(writing.result));
    ck_assert_uint_lt(writing.done, LARGE);
    drop(writing.data, LARGE);
    for (int i = 0; i < 3; i++) {
        result = coir_uv_write_until(near_side, "x", 1, i == 1 ? PAST : COIR_FOREVER, &written);
        ck_assert(COIR_UV_IS_ERROR(result) || (i == 1 && result == COIR_ETIMEDOUT));
        ck_assert_uint_eq(written, 0);
    }
    destroy(near_side);
    return arg;
}

START_TEST(a_write_to_who_is_gone_fails)
{
    over_both(write_to_who_is_gone);
}
END_TEST

static void *write_small_to_who_is_gone(void *arg)
{
    int result;
    make_pair();
    destroy(far_side);
    do
        result = coir_uv_write(near_side, "small", 5);
    while (result == COIR_OK);
    ck_assert(result == COIR_UV_ERROR(UV_EPIPE) || result == COIR_UV_ERROR(UV_ECONNRESET) ||
              result == COIR_UV_ERROR(UV_ECONNABORTED));
    destroy(near_side);
    return arg;
}

START_TEST(small_writes_to_who_is_gone_fail_at_last)
{
    over_both(write_small_to_who_is_gone);
}
END_TEST

/* ---- shutdown, close, destroy ---- */

static void *end_one_side(void *arg)
{
    unsigned char *data = new_pattern(300000, 0);
    call writing;
    make_pair();
    write_text(near_side, "the last");
    ck_assert_int_eq(coir_uv_shutdown(near_side), COIR_OK);
    expect_text(far_side, "the last");
    expect_end(far_side);
    expect_end(far_side);
    prepare(&writing, far_side, data, 300000);
    begin_call(&writing, do_write);
    expect_bytes(near_side, 300000, 0);
    expect_result(&writing, COIR_OK);
    drop(data, 300000);
    ck_assert(COIR_UV_IS_ERROR(coir_uv_write(near_side, "x", 1)));
    ck_assert_int_eq(coir_uv_shutdown(near_side), COIR_UV_ERROR(UV_ENOTCONN));
    write_text(far_side, "and back");
    ck_assert_int_eq(coir_uv_shutdown_until(far_side, COIR_FOREVER), COIR_OK);
    expect_text(near_side, "and back");
    expect_end(near_side);
    destroy_pair();
    return arg;
}

START_TEST(a_side_that_has_been_shut_down_still_reads)
{
    over_what_has_two_ends(end_one_side);
}
END_TEST

/* From the other side: the server reads to the end, then answers. */
static void *end_one_side_then_the_other(void *arg)
{
    char data[8];
    make_pair();
    ck_assert_int_eq(coir_uv_shutdown_until(far_side, COIR_FOREVER), COIR_OK);
    ck_assert_int_eq(coir_uv_read(near_side, data, sizeof data), 0);
    for (int i = 0; i < 3; i++) {
        write_text(near_side, "still here");
        expect_text(far_side, "still here");
        expect_nothing_to_read(far_side);
    }
    vanish(near_side);
    ck_assert_int_eq(coir_uv_read(far_side, data, sizeof data), COIR_UV_ERROR(UV_ECONNRESET));
    destroy(far_side);
    return arg;
}

START_TEST(an_accepted_side_that_has_been_shut_down_still_reads)
{
    over_tcp(end_one_side_then_the_other);
}
END_TEST

static void *shut_down_after_a_cut(void *arg)
{
    for (int i = 0; i < 4; i++) {
        unsigned char *data = new_pattern(LARGE / 4, 0);
        size_t written = NOT_YET;
        call ending;
        make_narrow_pair();
        ck_assert_int_eq(coir_uv_write_until(near_side, data, LARGE / 4, in_milliseconds(3), &written),
                         COIR_ETIMEDOUT);
        drop(data, LARGE / 4);
        prepare(&ending, near_side, NULL, 0);
        if (i == 1)
            ending.deadline = PAST;
        if (i == 2)
            ending.deadline = in_milliseconds(3);
        begin_call(&ending, do_shutdown);
        if (i == 1 || i == 2) {
            await(ending.task);
            ck_assert(ending.result == COIR_OK || ending.result == COIR_ETIMEDOUT);
        } else if (i == 3) {
            until_it_waits_or_ends(ending.task);
            coir_task_cancel(ending.task);
            await(ending.task);
            ck_assert(ending.result == COIR_OK || ending.result == COIR_ECANCELED);
        }
        expect_bytes(far_side, written, 0);
        expect_end(far_side);
        if (i == 0)
            expect_result(&ending, COIR_OK);
        write_text(far_side, "reading goes on");
        expect_text(near_side, "reading goes on");
        destroy_pair();
    }
    return arg;
}

START_TEST(the_end_comes_after_all_that_was_written_even_if_nobody_waits_for_it)
{
    over_what_has_two_ends(shut_down_after_a_cut);
}
END_TEST

static void *shut_down_twice(void *arg)
{
    unsigned char *data = new_pattern(LARGE / 4, 0);
    size_t written = NOT_YET;
    call ending;
    make_narrow_pair();
    ck_assert_int_eq(coir_uv_write_until(near_side, data, LARGE / 4, in_milliseconds(3), &written), COIR_ETIMEDOUT);
    drop(data, LARGE / 4);
    prepare(&ending, near_side, NULL, 0);
    begin_call(&ending, do_shutdown);
    until_it_waits_or_ends(ending.task);
    if (coir_task_state(ending.task) == COIR_TASK_WAITING) {
        ck_assert_int_eq(coir_uv_shutdown(near_side), COIR_EBUSY);
        ck_assert_int_eq(coir_uv_write(near_side, "x", 1), COIR_EBUSY);
        ck_assert_int_eq(coir_uv_destroy(near_side), COIR_EBUSY);
        ck_assert_int_eq(coir_uv_close(near_side), COIR_OK);
        expect_result(&ending, COIR_ECLOSED);
    } else {
        await(ending.task);
    }
    destroy_pair();
    return arg;
}

START_TEST(who_waits_to_shut_down_is_a_writer)
{
    over_what_has_two_ends(shut_down_twice);
}
END_TEST

static void *close_while_others_wait(void *arg)
{
    call reading, writing;
    unsigned char data[16];
    make_pair();
    prepare(&reading, near_side, data, sizeof data);
    call_waits(&reading, do_read);
    write_waits(&writing, near_side);
    ck_assert_int_eq(coir_uv_destroy(near_side), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_OK);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_ECLOSED);
    expect_result(&reading, COIR_ECLOSED);
    write_is_over(&writing, COIR_ECLOSED);
    ck_assert(uv_is_closing((uv_handle_t *)coir_uv_stream_handle(near_side)));
    look_around();
    every_read_is(near_side, COIR_ECLOSED);
    every_write_is(near_side, COIR_ECLOSED);
    ck_assert_int_lt(coir_uv_accept_until(near_side, &near_side, PAST), 0);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_ECLOSED);
    destroy_pair();
    return arg;
}

START_TEST(close_wakes_all_who_wait_and_every_later_call_says_so)
{
    over_both(close_while_others_wait);
}
END_TEST

/* Before those who waited have returned: whether it can be destroyed then or not, they do not miss it. */
static void close_and_destroy(coir_uv_stream *s, call *c)
{
    int result;
    ck_assert_int_eq(coir_uv_close(s), COIR_OK);
    result = coir_uv_destroy(s);
    ck_assert(result == COIR_OK || result == COIR_EBUSY);
    if (result == COIR_OK)
        look_around(); /* its memory goes */
    expect_result(c, COIR_ECLOSED);
    if (result == COIR_EBUSY)
        destroy(s);
}

static void *destroy_after_close(void *arg)
{
    coir_fn *const reads[] = {do_read, do_read_all};
    unsigned char data[16];
    call c;
    for (int i = 0; i < 2; i++) {
        make_pair();
        prepare(&c, near_side, data, sizeof data);
        call_waits(&c, reads[i]);
        close_and_destroy(near_side, &c);
        destroy(far_side);
    }
    make_pair();
    write_waits(&c, near_side);
    close_and_destroy(near_side, &c);
    drop(c.data, c.size);
    destroy(far_side);
    prepare(&c, listen_for(1), NULL, 0);
    call_waits(&c, do_accept);
    close_and_destroy(c.stream, &c);
    return arg;
}

START_TEST(a_closed_stream_is_destroyed_at_once_or_when_all_have_returned)
{
    over_both(destroy_after_close);
}
END_TEST

static void *close_in_read_all(void *arg)
{
    call reading;
    unsigned char data[16];
    make_pair();
    write_text(far_side, "abc");
    prepare(&reading, near_side, data, sizeof data);
    begin_call(&reading, do_read_all);
    look_around();
    until_it_waits(reading.task);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_OK);
    expect_result(&reading, COIR_ECLOSED);
    ck_assert_uint_le(reading.done, 3);
    ck_assert_int_eq(memcmp(data, "abc", reading.done), 0);
    destroy_pair();
    return arg;
}

START_TEST(a_read_of_all_that_ends_by_close_says_how_much_there_is)
{
    over_both(close_in_read_all);
}
END_TEST

static void *close_with_unread_bytes(void *arg)
{
    char data[4];
    make_pair();
    write_text(far_side, "unread");
    until_readable(near_side);
    ck_assert_int_eq(coir_uv_close(near_side), COIR_OK);
    ck_assert_int_eq(coir_uv_read(near_side, data, sizeof data), COIR_ECLOSED);
    ck_assert_int_eq(coir_uv_read_until(near_side, data, sizeof data, PAST), COIR_ECLOSED);
    ck_assert_int_le(coir_uv_read(far_side, data, sizeof data), 0);
    destroy_pair();
    return arg;
}

START_TEST(a_closed_stream_gives_no_bytes)
{
    over_both(close_with_unread_bytes);
}
END_TEST

static void *destroy_in_vain(void *arg)
{
    call reading, writing;
    unsigned char data[16];
    make_pair();
    prepare(&reading, near_side, data, sizeof data);
    call_waits(&reading, do_read);
    write_waits(&writing, near_side);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(coir_uv_destroy(near_side), COIR_EBUSY);
    write_text(far_side, "y");
    expect_result(&reading, 1);
    ck_assert_int_eq(data[0], 'y');
    ck_assert_int_eq(coir_uv_destroy(near_side), COIR_EBUSY);
    expect_bytes(far_side, LARGE, 0);
    expect_result(&writing, COIR_OK);
    drop(writing.data, LARGE);
    destroy_pair();
    return arg;
}

START_TEST(a_destroy_while_somebody_waits_changes_nothing)
{
    over_both(destroy_in_vain);
}
END_TEST

/* A write that was cut short may have left something in the stream's buffer. */
static void *destroy_with_a_full_buffer(void *arg)
{
    for (int i = 0; i < 5; i++) {
        unsigned char *data = new_pattern(LARGE / 4, 0);
        size_t written = NOT_YET, read = 0;
        char part[4096];
        int n;
        make_narrow_pair();
        ck_assert_int_eq(coir_uv_write_until(near_side, data, LARGE / 4, in_milliseconds(2), &written),
                         COIR_ETIMEDOUT);
        drop(data, LARGE / 4);
        if (i % 2 == 0)
            ck_assert_int_eq(coir_uv_close(near_side), COIR_OK);
        destroy(near_side);
        while ((n = coir_uv_read(far_side, part, sizeof part)) > 0) {
            expect_pattern((unsigned char *)part, (size_t)n, read);
            read += (size_t)n;
        }
        ck_assert_uint_le(read, written);
        destroy(far_side);
    }
    return arg;
}

START_TEST(a_stream_can_be_destroyed_with_bytes_that_nobody_takes)
{
    over_both(destroy_with_a_full_buffer);
}
END_TEST

static void *look_at_handles(void *arg)
{
    struct sockaddr_storage a, b;
    int size = sizeof a;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    make_pair();
    ck_assert_int_eq(coir_uv_stream_handle(near_side)->type, UV_TCP);
    ck_assert_int_eq(uv_tcp_nodelay((uv_tcp_t *)coir_uv_stream_handle(near_side), 1), 0);
    ck_assert_int_eq(uv_tcp_getsockname((uv_tcp_t *)coir_uv_stream_handle(near_side), (struct sockaddr *)&a, &size), 0);
    size = sizeof b;
    ck_assert_int_eq(uv_tcp_getpeername((uv_tcp_t *)coir_uv_stream_handle(far_side), (struct sockaddr *)&b, &size), 0);
    ck_assert_int_eq(((struct sockaddr_in *)&a)->sin_port, ((struct sockaddr_in *)&b)->sin_port);
    ck_assert_ptr_eq(coir_uv_stream_handle(near_side)->loop, coir_uv_loop(NULL));
    destroy_pair();
    kind = PIPE;
    make_pair();
    ck_assert_int_eq(coir_uv_stream_handle(near_side)->type, UV_NAMED_PIPE);
    ck_assert_int_eq(coir_uv_stream_handle(far_side)->type, UV_NAMED_PIPE);
    destroy_pair();
    kind = TCP;
    return arg;
}

START_TEST(the_handle_of_a_stream_can_be_asked_and_set)
{
    over_tcp(look_at_handles);
}
END_TEST

/* ---- nothing is lost ---- */

/* One direction of a connection: bytes by pattern, of which so many are to go. Both sides do what comes to their
 * minds. */
typedef struct {
    coir_uv_stream *from, *to;
    size_t total;
    size_t written, read; /* so far */
} direction;

static direction onward, backward;

static void *read_somehow(void *arg)
{
    direction *d = arg;
    while (d->read < d->total) {
        size_t size = random_below(8) == 0 ? random_below(3) : 1 + random_below(30000);
        call c;
        prepare(&c, d->to, malloc(size + 1), size);
        c.done = SIZE_MAX;
        switch (random_below(6)) {
        case 0:
            c.deadline = PAST;
            do_read(&c);
            break;
        case 1:
            c.deadline = coir_now() + (int64_t)random_below(400) * COIR_MICROSECOND;
            do_read(&c);
            break;
        case 2:
            begin_call(&c, do_read);
            for (unsigned n = random_below(6); n > 0; n--)
                yield();
            coir_task_cancel(c.task);
            await(c.task);
            break;
        case 3:
            c.deadline = coir_now() + (int64_t)random_below(400) * COIR_MICROSECOND;
            do_read_all(&c);
            break;
        case 4:
            begin_call(&c, do_read_all);
            for (unsigned n = random_below(6); n > 0; n--)
                yield();
            coir_task_cancel(c.task);
            await(c.task);
            break;
        default:
            do_read(&c);
        }
        if (c.done == SIZE_MAX) /* it was not read_all */
            c.done = c.result > 0 ? (size_t)c.result : 0;
        ck_assert(c.result >= 0 || c.result == COIR_ETIMEDOUT || c.result == COIR_ECANCELED ||
                  c.result == COIR_UV_ERROR(UV_EOF));
        ck_assert_uint_le(c.done, size);
        expect_pattern(c.data, c.done, d->read);
        drop(c.data, size);
        d->read += c.done;
        if (random_below(10) == 0)
            ck_assert_int_eq(coir_sleep(random_below(300) * COIR_MICROSECOND), COIR_OK);
    }
    return NULL;
}

static void *write_somehow(void *arg)
{
    direction *d = arg;
    while (d->written < d->total) {
        size_t size = random_below(4) == 0 ? random_below(100) : random_below(60000);
        call c;
        if (size > d->total - d->written)
            size = d->total - d->written;
        prepare(&c, d->from, new_pattern(size, d->written), size);
        c.done = size + 1;
        switch (random_below(5)) {
        case 0:
            c.deadline = PAST;
            do_write(&c);
            break;
        case 1:
            c.deadline = coir_now() + (int64_t)random_below(400) * COIR_MICROSECOND;
            do_write(&c);
            break;
        case 2:
            begin_call(&c, do_writev);
            for (unsigned n = random_below(6); n > 0; n--)
                yield();
            coir_task_cancel(c.task);
            await(c.task);
            break;
        case 3:
            begin_call(&c, do_write);
            for (unsigned n = random_below(6); n > 0; n--)
                yield();
            coir_task_cancel(c.task);
            await(c.task);
            break;
        default:
            do_writev(&c);
        }
        ck_assert(c.result == COIR_OK || c.result == COIR_ETIMEDOUT || c.result == COIR_ECANCELED);
        ck_assert_uint_le(c.done, size);
        if (c.result == COIR_OK)
            ck_assert_uint_eq(c.done, size);
        drop(c.data, size);
        d->written += c.done;
        if (random_below(10) == 0)
            ck_assert_int_eq(coir_sleep(random_below(300) * COIR_MICROSECOND), COIR_OK);
    }
    ck_assert_int_eq(coir_uv_write(d->from, "", 0), COIR_OK);
    return NULL;
}

static void *do_all_somehow(void *arg)
{
    size_t total = t_instrumented() ? 400000 : 3000000;
    coir_task *tasks[4];
    make_narrow_pair();
    onward = (direction){near_side, far_side, total, 0, 0};
    backward = (direction){far_side, near_side, total, 0, 0};
    tasks[0] = spawn(write_somehow, &onward);
    tasks[1] = spawn(read_somehow, &onward);
    tasks[2] = spawn(write_somehow, &backward);
    tasks[3] = spawn(read_somehow, &backward);
    ck_assert_int_eq(coir_await_all(tasks, 4, NULL), COIR_OK);
    expect_nothing_to_read(near_side);
    expect_nothing_to_read(far_side);
    destroy_pair();
    return arg;
}

START_TEST(whatever_cuts_reads_and_writes_short_no_byte_is_lost_and_none_comes_twice)
{
    random_state = 2;
    over_both(do_all_somehow);
}
END_TEST

static void *do_write_all(void *arg)
{
    const direction *d = arg;
    for (size_t at = 0; at < d->total;) {
        size_t size = 1 + at % 70000;
        unsigned char *data;
        if (size > d->total - at)
            size = d->total - at;
        data = new_pattern(size, at);
        ck_assert_int_eq(coir_uv_write(d->from, data, size), COIR_OK);
        drop(data, size);
        at += size;
    }
    ck_assert_int_eq(coir_uv_shutdown(d->from), COIR_OK);
    return NULL;
}

static void *do_read_to_the_end(void *arg)
{
    const direction *d = arg;
    unsigned char *data = malloc(65536);
    size_t at = 0;
    int n;
    while ((n = coir_uv_read(d->to, data, 1 + at % 65536)) > 0) {
        expect_pattern(data, (size_t)n, at);
        at += (size_t)n;
    }
    free(data);
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(at, d->total);
    return NULL;
}

static void *do_both_at_once(void *arg)
{
    size_t total = t_instrumented() ? 2000000 : 20000000;
    coir_task *tasks[4];
    make_pair();
    onward = (direction){near_side, far_side, total, 0, 0};
    backward = (direction){far_side, near_side, total, 0, 0};
    tasks[0] = spawn(do_write_all, &onward);
    tasks[1] = spawn(do_read_to_the_end, &onward);
    tasks[2] = spawn(do_write_all, &backward);
    tasks[3] = spawn(do_read_to_the_end, &backward);
    ck_assert_int_eq(coir_await_all(tasks, 4, NULL), COIR_OK);
    destroy_pair();
    return arg;
}

START_TEST(a_reader_and_a_writer_share_a_stream_for_megabytes)
{
    over_what_has_two_ends(do_both_at_once);
}
END_TEST

/* ---- generators ---- */

static int lines(coir_gen *g, void *stream)
{
    char line[32];
    size_t length = 0;
    for (;;) {
        char c;
        int n = coir_uv_read(stream, &c, 1);
        if (n <= 0)
            return n;
        if (c != '\n') {
            line[length++] = c;
            continue;
        }
        line[length] = 0;
        coir_gen_yield(g, line);
        length = 0;
    }
}

static int send_lines(coir_gen *g, void *stream)
{
    for (int i = 0; i < 100; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "line %d\n", i);
        int error = coir_uv_write(stream, line, (size_t)length / 2);
        if (error == COIR_OK)
            error = coir_uv_write(stream, line + length / 2, (size_t)length - (size_t)length / 2);
        if (error != COIR_OK)
            return error;
        coir_gen_yield(g, &i);
    }
    return coir_uv_shutdown(stream);
}

static void *generate(void *stream)
{
    coir_gen *g;
    int item, count = 0;
    ck_assert_int_eq(coir_gen_create(&g, sizeof item, send_lines, stream, NULL), COIR_OK);
    while (coir_gen_next(g, &item) > 0)
        ck_assert_int_eq(item, count++);
    ck_assert_int_eq(coir_gen_next(g, NULL), COIR_OK);
    ck_assert_int_eq(count, 100);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    return NULL;
}

static void *read_lines(void *arg)
{
    coir_gen *g;
    char line[32], expected[32];
    coir_task *writer;
    make_pair();
    ck_assert_int_eq(coir_gen_create(&g, sizeof line, lines, far_side, NULL), COIR_OK);
    writer = spawn(generate, near_side);
    for (int i = 0; i < 100; i++) {
        snprintf(expected, sizeof expected, "line %d", i);
        ck_assert_int_eq(coir_gen_next(g, line), 1);
        ck_assert_str_eq(line, expected);
    }
    ck_assert_int_eq(coir_gen_next(g, line), 0);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    await(writer);
    destroy_pair();
    return arg;
}

START_TEST(generators_read_and_write_for_their_tasks)
{
    over_what_has_two_ends(read_lines);
}
END_TEST

static coir_gen *generator;

static void *next_line(void *arg)
{
    char line[32];
    *(int *)arg = coir_gen_next(generator, line);
    return NULL;
}

static void *cancel_a_generator(void *arg)
{
    int result = NOT_YET;
    coir_task *t;
    make_pair();
    ck_assert_int_eq(coir_gen_create(&generator, 32, lines, far_side, NULL), COIR_OK);
    t = spawn(next_line, &result);
    until_it_waits(t);
    ck_assert_int_eq(coir_gen_destroy(generator), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_destroy(far_side), COIR_EBUSY);
    cancel(t);
    await(t);
    ck_assert_int_eq(result, COIR_ECANCELED);
    ck_assert_int_eq(coir_gen_destroy(generator), COIR_OK);
    write_text(near_side, "not lost");
    expect_text(far_side, "not lost");
    destroy_pair();
    return arg;
}

START_TEST(a_generator_that_reads_is_cancelled_with_its_task)
{
    over_both(cancel_a_generator);
}
END_TEST

/* ---- servers ---- */

static void *echo_one(void *stream)
{
    char data[1000];
    int size;
    while ((size = coir_uv_read(stream, data, sizeof data)) > 0)
        if (coir_uv_write(stream, data, (size_t)size) != COIR_OK)
            break;
    destroy(stream);
    return NULL;
}

static void *echo_all(void *listener)
{
    coir_uv_stream *s;
    while (coir_uv_accept(listener, &s) == COIR_OK)
        ck_assert_int_eq(coir_spawn(NULL, NULL, echo_one, s, NULL), COIR_OK);
    destroy(listener);
    return NULL;
}

static int served;

static void *ask_the_echo(void *arg)
{
    coir_uv_stream *s = connect_there();
    size_t at = (size_t)T_NUMBER(arg) * 1000;
    for (int round = 0; round < 4; round++) {
        size_t size = 1 + random_below(3000);
        unsigned char *data = new_pattern(size, at);
        ck_assert_int_eq(coir_uv_write(s, data, size), COIR_OK);
        memset(data, 0, size);
        ck_assert_int_eq(coir_uv_read_all(s, data, size, NULL), COIR_OK);
        expect_pattern(data, size, at);
        drop(data, size);
        at += size;
    }
    destroy(s);
    served++;
    return NULL;
}

static void *ask_all_at_once(void *arg)
{
    enum { MANY = 300 };
    static coir_task *tasks[MANY];
    int many = t_instrumented() ? 60 : MANY;
    coir_uv_stream *listener = listen_for(MANY);
    coir_task *server = spawn(echo_all, listener);
    served = 0;
    for (int i = 0; i < many; i++)
        tasks[i] = spawn(ask_the_echo, T_VALUE(i));
    ck_assert_int_eq(coir_await_all(tasks, (size_t)many, NULL), COIR_OK);
    ck_assert_int_eq(served, many);
    ck_assert_int_eq(coir_uv_close(listener), COIR_OK);
    await(server);
    return arg;
}

START_TEST(some_hundred_connections_are_served_at_once)
{
    random_state = 3;
    over_both(ask_all_at_once);
}
END_TEST

/* They close without a word, in the middle of a message, by a reset, or while they are answered. */
static void *behave_badly(void *arg)
{
    int i = T_NUMBER(arg);
    coir_uv_stream *s = connect_there();
    unsigned char *data = new_pattern(200000, 0);
    if (i % 4 != 0)
        coir_uv_write_until(s, data, 1 + (size_t)i % 3 * 90000, in_milliseconds(1), NULL);
    if (i % 5 == 0)
        coir_uv_read_until(s, data, 10, in_milliseconds(1));
    drop(data, 200000);
    if (i % 2 == 0 && kind == TCP)
        vanish(s);
    else
        destroy(s);
    return NULL;
}

static void *serve_the_bad_and_the_good(void *arg)
{
    coir_uv_stream *listener = listen_for(64);
    coir_task *server = spawn(echo_all, listener);
    served = 0;
    for (int i = 0; i < 30; i++) {
        coir_task *bad = spawn(behave_badly, T_VALUE(i));
        if (i % 3 == 0)
            await(spawn(ask_the_echo, T_VALUE(i)));
        await(bad);
    }
    await(spawn(ask_the_echo, NULL));
    ck_assert_int_eq(served, 11);
    ck_assert_int_eq(coir_uv_close(listener), COIR_OK);
    await(server);
    return arg;
}

START_TEST(clients_that_vanish_do_not_harm_the_next)
{
    random_state = 4;
    over_both(serve_the_bad_and_the_good);
}
END_TEST

/* Writes on and on and never reads what comes back. */
static void *flood(void *arg)
{
    coir_uv_stream *s = connect_there();
    unsigned char data[5000] = {0};
    int result;
    do
        result = coir_uv_write(s, data, sizeof data);
    while (result == COIR_OK);
    ck_assert(COIR_UV_IS_ERROR(result));
    destroy(s);
    return arg;
}

/* Echoes to who takes it in time. */
static int echo_in_time(coir_uv_stream *s)
{
    char data[10000];
    int n, result = COIR_OK;
    while (result == COIR_OK && (n = coir_uv_read(s, data, sizeof data)) > 0)
        result = coir_uv_write_until(s, data, (size_t)n, in_milliseconds(100), NULL);
    destroy(s);
    return result;
}

static void *serve_a_flood(void *arg)
{
    coir_uv_stream *listener = listen_for(8);
    coir_task *client;
    for (int i = 0; i < 2; i++) {
        client = spawn(flood, NULL);
        ck_assert_int_eq(echo_in_time(accept_one(listener)), COIR_ETIMEDOUT);
        await(client);
    }
    client = spawn(echo_all, listener);
    await(spawn(ask_the_echo, NULL));
    ck_assert_int_eq(coir_uv_close(listener), COIR_OK);
    await(client);
    return arg;
}

START_TEST(who_floods_without_reading_is_stopped_by_a_deadline)
{
    random_state = 5;
    over_both(serve_a_flood);
}
END_TEST

static void ignore_connect(uv_connect_t *request, int status)
{
    (void)request;
    (void)status;
}

static void *reset_by_libuv(void *arg)
{
    uv_tcp_t client;
    uv_connect_t request;
    coir_uv_stream *listener = listen_for(4);
    char data[10];
    size_t got = NOT_YET;
    int result;
    memset(&request, 0, sizeof request);
    ck_assert_int_eq(uv_tcp_init(coir_uv_loop(NULL), &client), 0);
    ck_assert_int_eq(uv_tcp_connect(&request, &client, there(), ignore_connect), 0);
    far_side = accept_one(listener);
    look_around();
    {
        uv_buf_t piece = uv_buf_init((char *)(uintptr_t)"half", 4);
        while (uv_try_write((uv_stream_t *)&client, &piece, 1) == UV_EAGAIN)
            look_around();
    }
    until_readable(far_side);
    ck_assert_int_eq(uv_tcp_close_reset(&client, NULL), 0);
    look_around();
    /* libuv may take a reset that comes right behind bytes for an end; systems may drop what came before a reset. */
    result = coir_uv_read_all(far_side, data, sizeof data, &got);
    ck_assert(result == COIR_UV_ERROR(UV_ECONNRESET) || result == COIR_UV_ERROR(UV_EOF));
    ck_assert_uint_le(got, 4);
    ck_assert_int_eq(memcmp(data, "half", got), 0);
    destroy(far_side);
    near_side = connect_there();
    far_side = accept_one(listener);
    write_text(near_side, "next");
    expect_text(far_side, "next");
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(a_message_that_a_reset_cuts_short_is_an_error)
{
    over_tcp(reset_by_libuv);
}
END_TEST

#ifndef _WIN32
static struct rlimit usual;

static void allow_no_more_descriptors(void)
{
    struct rlimit limit = usual;
    int next = dup(0);
    ck_assert_int_ge(next, 0);
    close(next);
    limit.rlim_cur = (rlim_t)next;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void allow_the_usual(void)
{
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

static void *run_out_of_descriptors(void *arg)
{
    coir_uv_stream *listener = listen_for(16), *clients[6], *s;
    int accepted = 0, closed = 0;
    char c;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
    near_side = connect_there(); /* one before */
    far_side = accept_one(listener);
    for (int i = 0; i < 6; i++)
        clients[i] = connect_there();
    allow_no_more_descriptors();
    s = UNTOUCHED;
    ck_assert_int_eq(try_to_connect(&s, COIR_FOREVER), COIR_UV_ERROR(UV_EMFILE));
    ck_assert_int_eq(coir_uv_tcp_listen(&s, any_port(), 1), COIR_UV_ERROR(UV_EMFILE));
    ck_assert_ptr_eq(s, UNTOUCHED);
    for (int i = 0; i < 8; i++) {
        int result = coir_uv_accept_until(listener, &s, in_milliseconds(2));
        ck_assert(result == COIR_OK || result == COIR_ETIMEDOUT || result == COIR_UV_ERROR(UV_EMFILE));
        if (result == COIR_OK) { /* libuv had it already */
            accepted++;
            destroy(s);
            allow_no_more_descriptors();
        }
    }
    write_text(near_side, "goes on");
    expect_text(far_side, "goes on");
    allow_the_usual();
    while (coir_uv_accept_until(listener, &s, PAST) == COIR_OK) {
        accepted++;
        destroy(s);
    }
    destroy_pair();
    near_side = connect_there();
    far_side = accept_one(listener);
    write_text(near_side, "again");
    expect_text(far_side, "again");
    for (int i = 0; i < 6; i++) { /* served or not, none is left hanging */
        if (coir_uv_read(clients[i], &c, 1) <= 0)
            closed++;
        destroy(clients[i]);
    }
    ck_assert_int_eq(closed, 6);
    ck_assert_int_le(accepted, 6);
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(a_listener_survives_a_time_without_descriptors)
{
    over_both(run_out_of_descriptors);
}
END_TEST
#endif

/* ---- memory ---- */

static bool no_memory;

static void *allocate_or_not(size_t size, void *context)
{
    (void)context;
    return no_memory ? NULL : malloc(size);
}

static void release(void *memory, size_t size, void *context)
{
    (void)size;
    (void)context;
    free(memory);
}

static void *run_out_of_memory(void *arg)
{
    coir_uv_stream *listener = listen_for(8), *s = UNTOUCHED;
    uv_os_sock_t own;
    size_t written = NOT_YET;
    unsigned char *data;
    int result;
    call writing;
    near_side = connect_there();
    look_around();
    no_memory = true;
    ck_assert_int_eq(try_to_connect(&s, COIR_FOREVER), COIR_ENOMEM);
    ck_assert_int_eq(coir_uv_connect(&s, "127.0.0.1", "1"), COIR_ENOMEM);
    ck_assert_int_eq(coir_uv_tcp_listen(&s, any_port(), 1), COIR_ENOMEM);
    choose_name();
    ck_assert_int_eq(coir_uv_pipe_listen(&s, name, 1), COIR_ENOMEM);
    ck_assert_int_eq(coir_uv_pipe_create(&s), COIR_ENOMEM);
    own = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(coir_uv_tcp_open(&s, own), COIR_ENOMEM);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(coir_uv_accept(listener, &s), COIR_ENOMEM);
    ck_assert_int_eq(coir_uv_accept_until(listener, &s, PAST), COIR_ENOMEM);
    ck_assert_ptr_eq(s, UNTOUCHED);
    no_memory = false;
    ck_assert_int_eq(coir_uv_tcp_open(&s, own), COIR_OK); /* it was still mine */
    destroy(s);
    far_side = accept_one(listener);
    write_text(near_side, "kept");
    expect_text(far_side, "kept");
    no_memory = true;
    data = new_pattern(LARGE, 0);
    result = coir_uv_write_until(near_side, data, LARGE, in_milliseconds(20), &written);
    ck_assert(result == COIR_ENOMEM || result == COIR_ETIMEDOUT || (result == COIR_OK && t_is_wine()));
    ck_assert(written < LARGE || t_is_wine()); /* whose sockets take all */
    drop(data, LARGE);
    no_memory = false;
    prepare(&writing, near_side, new_pattern(100000, written), 100000);
    begin_call(&writing, do_write);
    expect_bytes(far_side, written + 100000, 0);
    expect_result(&writing, COIR_OK);
    drop(writing.data, 100000);
    destroy_pair();
    destroy(listener);
    return arg;
}

START_TEST(without_memory_nothing_is_made_and_nothing_is_lost)
{
    const coir_allocator allocator = {.allocate = allocate_or_not, .release = release};
    ck_assert_int_eq(coir_set_allocator(&allocator), COIR_OK);
    over_both(run_out_of_memory);
}
END_TEST

/* ---- what is left open ---- */

static void *leave_all_open(void *arg)
{
    make_some(NULL);
    write_text(near_side, "unread");
    return arg;
}

START_TEST(what_is_left_open_is_closed_when_all_is_over)
{
    int before;
    ck_assert_int_eq(coir_uv_run(pass_null, NULL, NULL, NULL), COIR_OK);
    before = descriptors();
    for (kind = TCP; kind <= PIPE; kind++)
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(coir_uv_run(leave_all_open, NULL, NULL, NULL), COIR_OK);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

static call left[3];

static void *stop_with_all_that_waits(void *arg)
{
    static unsigned char data[4];
    make_some(NULL);
    prepare(&left[0], near_side, data, sizeof data);
    call_waits(&left[0], do_read);
    prepare(&left[1], kept_listener, NULL, 0);
    call_waits(&left[1], do_accept);
    write_waits(&left[2], near_side);
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    return arg;
}

START_TEST(tasks_that_are_left_waiting_are_cancelled_when_the_run_is_stopped)
{
    int before;
    ck_assert_int_eq(coir_uv_run(pass_null, NULL, NULL, NULL), COIR_OK);
    before = descriptors();
    for (kind = TCP; kind <= PIPE; kind++) {
        ck_assert_int_eq(coir_uv_run(stop_with_all_that_waits, NULL, NULL, NULL), COIR_TASKS_LEFT);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(left[i].result, COIR_ECANCELED);
        drop(left[2].data, LARGE);
    }
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

/* Does the loop, when it runs the executor, find that nothing can happen any more? */
static bool loop_ends(void)
{
    for (int i = 0; i < 10; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    return uv_run(&loop, UV_RUN_NOWAIT) == 0;
}

static void *make_and_read(void *arg)
{
    char data[4];
    make_pair();
    expect_nothing_to_read(near_side);
    write_text(near_side, "text");
    ck_assert_int_eq(coir_uv_read(far_side, data, 4), 4);
    return arg;
}

START_TEST(the_loop_ends_though_a_connection_is_open)
{
    for (kind = TCP; kind <= PIPE; kind++) {
        begin(0);
        start(make_some);
        ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
        destroy(kept_listener);
        ck_assert(loop_ends());
        destroy_pair();
        finish();
    }
}
END_TEST

START_TEST(the_loop_ends_though_a_connection_is_open_that_was_read)
{
    for (kind = TCP; kind <= PIPE; kind++) {
        begin(0);
        start(make_and_read);
        ck_assert(loop_ends());
        destroy_pair();
        finish();
    }
}
END_TEST

static void *listen_in_vain(void *arg)
{
    coir_uv_stream *s;
    kept_listener = listen_for(4);
    ck_assert_int_eq(coir_uv_accept_until(kept_listener, &s, PAST), COIR_ETIMEDOUT);
    return arg;
}

START_TEST(the_loop_ends_though_a_listener_is_open)
{
    for (kind = TCP; kind <= PIPE; kind++) {
        begin(0);
        start(listen_in_vain);
        ck_assert(loop_ends());
        destroy(kept_listener);
        finish();
    }
}
END_TEST

#ifdef _WIN32
#define POSIX_ONLY(...)
#else
#define POSIX_ONLY(...) __VA_ARGS__
#endif

T_MAIN(null_is_refused, data_that_are_null_are_refused, a_connection_does_not_accept_and_others_do_not_read_or_write,
       outside_of_tasks_nothing_is_made_and_nothing_waits_but_all_is_closed,
       in_cancelled_tasks_nothing_waits_but_all_is_closed, deferred_functions_do_not_wait_but_destroy,
       an_executor_without_a_loop_is_refused, tasks_of_another_executor_can_only_close,
       another_threads_streams_cannot_be_used, a_connection_that_is_refused_is_an_error_and_leaves_nothing_open,
       a_pipe_that_nobody_listens_at_is_not_found, a_server_is_found_by_its_name_and_port,
       names_that_lead_nowhere_are_the_systems_errors, addresses_of_no_family_are_refused,
       a_connect_whose_deadline_has_passed_leaves_nothing_open,
       a_connect_that_is_not_answered_times_out_and_can_be_cancelled,
       a_connect_that_looks_up_a_name_times_out_and_can_be_cancelled, a_connect_that_is_cancelled_leaves_nothing_open,
       addresses_may_be_of_version_6_where_there_is_one, an_address_is_used_once,
       when_a_listener_is_destroyed_its_address_is_free_again, connections_that_came_before_the_accept_are_kept,
       accept_waits_for_a_connection, an_accept_whose_deadline_comes_leaves_the_listener_as_it_was,
       an_accept_whose_deadline_has_passed_finds_who_is_there, one_task_accepts_at_a_time,
       who_accepts_when_the_listener_is_closed_is_told, an_accept_that_is_cancelled_leaves_the_listener_as_it_was,
       accepts_that_are_cut_short_lose_no_connection, connections_that_nobody_accepts_end_with_the_listener,
       a_socket_becomes_a_stream_that_owns_it, what_is_no_descriptor_is_refused, a_pipe_becomes_two_streams,
       read_takes_what_is_there_and_then_finds_the_end, read_waits_for_bytes_or_the_end,
       a_read_of_size_0_waits_and_takes_nothing, a_read_whose_deadline_comes_has_taken_nothing,
       one_task_reads_at_a_time, a_read_that_is_cancelled_has_taken_nothing,
       read_all_waits_for_all_or_says_how_much_there_is, a_reset_is_an_error_for_every_read_that_follows,
       a_reset_wakes_who_reads_and_who_writes, a_reader_may_take_a_byte_at_a_time,
       a_write_that_the_system_takes_at_once_does_not_wait, a_write_of_nothing_is_done,
       any_number_of_pieces_is_written_in_order, a_write_waits_while_the_peer_does_not_read,
       a_write_that_is_cut_short_says_what_the_peer_will_get, writes_go_on_where_the_last_was_cut_short,
       what_was_handed_over_arrives_by_itself, one_task_writes_at_a_time, a_write_to_who_is_gone_fails,
       small_writes_to_who_is_gone_fail_at_last, a_side_that_has_been_shut_down_still_reads,
       an_accepted_side_that_has_been_shut_down_still_reads,
       the_end_comes_after_all_that_was_written_even_if_nobody_waits_for_it, who_waits_to_shut_down_is_a_writer,
       close_wakes_all_who_wait_and_every_later_call_says_so,
       a_closed_stream_is_destroyed_at_once_or_when_all_have_returned, a_read_of_all_that_ends_by_close_says_how_much_there_is,
       a_closed_stream_gives_no_bytes, a_destroy_while_somebody_waits_changes_nothing,
       a_stream_can_be_destroyed_with_bytes_that_nobody_takes, the_handle_of_a_stream_can_be_asked_and_set,
       whatever_cuts_reads_and_writes_short_no_byte_is_lost_and_none_comes_twice,
       a_reader_and_a_writer_share_a_stream_for_megabytes, generators_read_and_write_for_their_tasks,
       a_generator_that_reads_is_cancelled_with_its_task, some_hundred_connections_are_served_at_once,
       clients_that_vanish_do_not_harm_the_next, who_floods_without_reading_is_stopped_by_a_deadline,
       a_message_that_a_reset_cuts_short_is_an_error, without_memory_nothing_is_made_and_nothing_is_lost,
       what_is_left_open_is_closed_when_all_is_over,
       tasks_that_are_left_waiting_are_cancelled_when_the_run_is_stopped, the_loop_ends_though_a_connection_is_open,
       the_loop_ends_though_a_connection_is_open_that_was_read, the_loop_ends_though_a_listener_is_open
           POSIX_ONLY(, the_wrong_end_of_a_pipe_neither_reads_nor_writes, a_listener_survives_a_time_without_descriptors))
