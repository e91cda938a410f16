/* SPDX-License-Identifier: MIT */
/* UDP: datagrams as they were sent, of any size, also none; who gets which error; and what a call that is cut short
 * leaves to the next. */

#include "t.h"

#include <coir/uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_YET = 77, SECOND = 1000 };

#define PAST ((int64_t)0) /* a deadline that has passed */

static unsigned char untouched; /* what pointers show before a call that is to fail */
#define UNTOUCHED ((coir_uv_udp *)(void *)&untouched)

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

/* Every socket has been destroyed. */
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

/* ---- sockets ---- */

/* One that receives, and its address; and one that sends. */
static coir_uv_udp *here, *there;
static struct sockaddr_storage place;

static const struct sockaddr *to_here(void)
{
    return (const struct sockaddr *)&place;
}

static const struct sockaddr *any_port(void)
{
    static struct sockaddr_in address;
    ck_assert_int_eq(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    return (const struct sockaddr *)&address;
}

static void find_place(coir_uv_udp *u, struct sockaddr_storage *out)
{
    int size = sizeof *out;
    memset(out, 0, sizeof *out);
    ck_assert_int_eq(uv_udp_getsockname(coir_uv_udp_handle(u), (struct sockaddr *)out, &size), 0);
}

static int port_of(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static coir_uv_udp *create(const struct sockaddr *address)
{
    coir_uv_udp *u = NULL;
    ck_assert_int_eq(coir_uv_udp_create(&u, address, 0), COIR_OK);
    ck_assert_ptr_nonnull(u);
    return u;
}

static void destroy(coir_uv_udp *u)
{
    ck_assert_int_eq(coir_uv_udp_destroy(u), COIR_OK);
}

static void make_pair(void)
{
    here = create(any_port());
    find_place(here, &place);
    there = create(any_port());
}

static void destroy_pair(void)
{
    destroy(here);
    destroy(there);
}

static void send_text(const char *text)
{
    ck_assert_int_eq(coir_uv_udp_send(there, text, strlen(text), to_here()), COIR_OK);
}

static void expect_text(const char *text)
{
    char data[64];
    int truncated = NOT_YET;
    int size = coir_uv_udp_recv(here, data, sizeof data, NULL, &truncated);
    ck_assert_int_eq(size, (int)strlen(text));
    ck_assert_int_eq(memcmp(data, text, strlen(text)), 0);
    ck_assert_int_eq(truncated, 0);
}

static void expect_nothing(void)
{
    char data[8];
    ck_assert_int_eq(coir_uv_udp_recv_until(here, data, sizeof data, NULL, NULL, PAST), COIR_ETIMEDOUT);
}

/* ---- one call in a task of its own ---- */

typedef struct {
    coir_uv_udp *socket;
    void *data;
    size_t size;
    int64_t deadline;
    struct sockaddr_storage from;
    int truncated;
    int result;
    coir_task *task;
} call;

static void *do_recv(void *arg)
{
    call *c = arg;
    c->result = c->deadline == COIR_FOREVER
                    ? coir_uv_udp_recv(c->socket, c->data, c->size, &c->from, &c->truncated)
                    : coir_uv_udp_recv_until(c->socket, c->data, c->size, &c->from, &c->truncated, c->deadline);
    return NULL;
}

static void prepare(call *c, coir_uv_udp *u, void *data, size_t size)
{
    memset(c, 0, sizeof *c);
    c->socket = u;
    c->data = data;
    c->size = size;
    c->deadline = COIR_FOREVER;
    c->truncated = NOT_YET;
    c->result = NOT_YET;
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

static void every_recv_is(coir_uv_udp *u, int code)
{
    char data[4] = "abc";
    int truncated = NOT_YET;
    struct sockaddr_storage from;
    memset(&from, 0x55, sizeof from);
    ck_assert_int_eq(coir_uv_udp_recv(u, data, sizeof data, &from, &truncated), code);
    ck_assert_int_eq(coir_uv_udp_recv(u, data, sizeof data, NULL, NULL), code);
    ck_assert_int_eq(coir_uv_udp_recv_until(u, data, sizeof data, &from, &truncated, PAST), code);
    ck_assert_int_eq(coir_uv_udp_recv_until(u, data, sizeof data, NULL, NULL, in_milliseconds(SECOND)), code);
    ck_assert_int_eq(coir_uv_udp_recv_until(u, data, sizeof data, NULL, NULL, COIR_FOREVER), code);
    ck_assert_str_eq(data, "abc");
    ck_assert_int_eq(truncated, NOT_YET);
    ck_assert_int_eq(from.ss_family, 0x5555);
}

static void every_send_is(coir_uv_udp *u, int code)
{
    ck_assert_int_eq(coir_uv_udp_send(u, "x", 1, any_port()), code);
    ck_assert_int_eq(coir_uv_udp_send(u, "x", 1, NULL), code);
    ck_assert_int_eq(coir_uv_udp_send_until(u, "x", 1, any_port(), PAST), code);
    ck_assert_int_eq(coir_uv_udp_send_until(u, "x", 1, any_port(), in_milliseconds(SECOND)), code);
    ck_assert_int_eq(coir_uv_udp_send_until(u, "x", 1, NULL, COIR_FOREVER), code);
}

static void every_call_that_waits_is(coir_uv_udp *u, int code)
{
    every_recv_is(u, code);
    every_send_is(u, code);
}

/* ---- arguments and places ---- */

static void *pass_null(void *arg)
{
    char data[4];
    ck_assert_int_eq(coir_uv_udp_create(NULL, any_port(), 0), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_create(NULL, NULL, 0), COIR_EINVAL);
    every_call_that_waits_is(NULL, COIR_EINVAL);
    make_pair();
    ck_assert_int_eq(coir_uv_udp_recv(here, NULL, 4, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_recv_until(here, NULL, 4, NULL, NULL, PAST), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_recv(here, data, 0, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_recv_until(here, data, 0, NULL, NULL, PAST), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_send(there, NULL, 1, to_here()), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_send_until(there, NULL, 1, to_here(), PAST), COIR_EINVAL);
    send_text("after all");
    expect_text("after all");
    destroy_pair();
    ck_assert_int_eq(coir_uv_udp_close(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_destroy(NULL), COIR_OK);
    ck_assert_ptr_null(coir_uv_udp_handle(NULL));
    return arg;
}

START_TEST(null_and_no_room_are_refused)
{
    in_a_task(pass_null);
    ck_assert_int_eq(coir_uv_udp_close(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_destroy(NULL), COIR_OK);
    ck_assert_ptr_null(coir_uv_udp_handle(NULL));
}
END_TEST

static void *create_wrongly(void *arg)
{
    coir_uv_udp *u = UNTOUCHED;
    struct sockaddr_storage nothing;
    memset(&nothing, 0, sizeof nothing);
    make_pair();
    ck_assert_int_eq(coir_uv_udp_create(&u, to_here(), 0), COIR_UV_ERROR(UV_EADDRINUSE));
    ck_assert_int_lt(coir_uv_udp_create(&u, (struct sockaddr *)&nothing, 0), 0);
    ck_assert_int_lt(coir_uv_udp_create(&u, any_port(), UV_UDP_IPV6ONLY), 0);
    ck_assert_ptr_eq(u, UNTOUCHED);
    destroy_pair();
    return arg;
}

START_TEST(addresses_and_flags_that_the_system_refuses_are_its_errors)
{
    in_a_task(create_wrongly);
}
END_TEST

static void *make_some(void *arg)
{
    make_pair();
    return arg;
}

START_TEST(outside_of_tasks_nothing_is_made_and_nothing_waits_but_all_is_closed)
{
    coir_uv_udp *u = UNTOUCHED;
    begin(0);
    ck_assert_int_eq(coir_uv_udp_create(&u, any_port(), 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_udp_create(NULL, NULL, 0), COIR_ENOTTASK);
    ck_assert_ptr_eq(u, UNTOUCHED);
    every_call_that_waits_is(NULL, COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_udp_recv(NULL, NULL, 0, NULL, NULL), COIR_ENOTTASK);
    start(make_some);
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    every_call_that_waits_is(here, COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
    ck_assert_ptr_nonnull(coir_uv_udp_handle(here));
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_OK);
    every_call_that_waits_is(here, COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_ECLOSED);
    destroy_pair();
    finish();
}
END_TEST

static void *be_cancelled(void *arg)
{
    char data[4];
    make_pair();
    send_text("there");
    cancel(coir_task_self());
    every_call_that_waits_is(here, COIR_ECANCELED);
    every_call_that_waits_is(NULL, COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_udp_recv(here, NULL, 0, NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_udp_send(here, NULL, 1, NULL), COIR_ECANCELED);
    destroy(create(any_port()));
    destroy(create(NULL));
    ck_assert_int_eq(coir_task_shield(1), 0);
    expect_text("there");
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_recv(here, data, sizeof data, NULL, NULL), COIR_ECANCELED);
    destroy_pair();
    return arg;
}

START_TEST(in_cancelled_tasks_nothing_waits_but_all_is_closed)
{
    in_a_task(be_cancelled);
}
END_TEST

static int deferred_calls;

static void destroy_deferred(void *arg)
{
    deferred_calls++;
    every_call_that_waits_is(here, COIR_ECANCELED);
    ck_assert_ptr_null(arg);
    destroy_pair();
}

static void *end_with_sockets(void *arg)
{
    make_pair();
    ck_assert_int_eq(coir_defer(destroy_deferred, NULL), COIR_OK);
    return arg;
}

START_TEST(deferred_functions_do_not_wait_but_destroy)
{
    in_a_task(end_with_sockets);
    ck_assert_int_eq(deferred_calls, 3);
}
END_TEST

static void *use_without_a_loop(void *arg)
{
    coir_uv_udp *u = UNTOUCHED;
    ck_assert_int_eq(coir_uv_udp_create(&u, any_port(), 0), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_create(&u, NULL, 0), COIR_EINVAL);
    ck_assert_ptr_eq(u, UNTOUCHED);
    every_call_that_waits_is(here, COIR_EINVAL);
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
    destroy_pair();
    finish();
}
END_TEST

static void *use_of_another_executor(void *arg)
{
    every_call_that_waits_is(here, COIR_EINVAL);
    ck_assert_int_eq(coir_uv_udp_destroy(here), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_ECLOSED);
    return arg;
}

static void *run_another_executor(void *arg)
{
    call receiving;
    char data[8];
    make_pair();
    prepare(&receiving, here, data, sizeof data);
    call_waits(&receiving, do_recv);
    ck_assert_int_eq(coir_uv_run(use_of_another_executor, NULL, NULL, NULL), COIR_OK);
    expect_result(&receiving, COIR_ECLOSED);
    destroy_pair();
    return arg;
}

START_TEST(tasks_of_another_executor_can_only_close)
{
    in_a_task(run_another_executor);
}
END_TEST

static void *use_of_another_thread(void *arg)
{
    every_call_that_waits_is(here, COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_udp_destroy(here), COIR_ETHREAD);
    return arg;
}

static void *run_in_another_thread(void *arg)
{
    every_call_that_waits_is(here, COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_udp_destroy(here), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_run(use_of_another_thread, NULL, NULL, NULL), COIR_OK);
    return arg;
}

static void *have_another_thread(void *arg)
{
    make_pair();
    t_on_thread(run_in_another_thread, NULL);
    send_text("as before");
    expect_text("as before");
    destroy_pair();
    return arg;
}

START_TEST(another_threads_sockets_cannot_be_used)
{
    in_a_task(have_another_thread);
}
END_TEST

/* ---- receiving ---- */

static void *receive_some(void *arg)
{
    char data[8];
    struct sockaddr_storage from, sender;
    int truncated = NOT_YET;
    make_pair();
    find_place(there, &sender);
    send_text("one");
    send_text("two two");
    send_text("");
    send_text("four");
    memset(&from, 0, sizeof from);
    ck_assert_int_eq(coir_uv_udp_recv(here, data, sizeof data, &from, &truncated), 3);
    ck_assert_int_eq(memcmp(data, "one", 3), 0);
    ck_assert_int_eq(truncated, 0);
    ck_assert_int_eq(from.ss_family, AF_INET);
    ck_assert_int_eq(port_of(&from), port_of(&sender));
    expect_text("two two");
    truncated = NOT_YET;
    memset(&from, 0, sizeof from);
    ck_assert_int_eq(coir_uv_udp_recv(here, data, sizeof data, &from, &truncated), 0);
    ck_assert_int_eq(truncated, 0);
    ck_assert_int_eq(port_of(&from), port_of(&sender));
    ck_assert_int_eq(coir_uv_udp_recv_until(here, data, sizeof data, NULL, NULL, COIR_FOREVER), 4);
    expect_nothing();
    destroy_pair();
    return arg;
}

START_TEST(datagrams_come_as_they_were_sent_also_empty_ones)
{
    in_a_task(receive_some);
}
END_TEST

static void *receive_parts(void *arg)
{
    char data[16];
    int truncated;
    make_pair();
    for (size_t size = 1; size <= 10; size++) {
        memset(data, '.', sizeof data);
        truncated = NOT_YET;
        send_text("12345678");
        ck_assert_int_eq(coir_uv_udp_recv(here, data, size, NULL, size % 3 == 0 ? NULL : &truncated),
                         (int)(size < 8 ? size : 8));
        if (size % 3 != 0)
            ck_assert_int_eq(truncated, size < 8 ? 1 : 0);
        ck_assert_int_eq(memcmp(data, "12345678", size < 8 ? size : 8), 0);
        ck_assert_int_eq(data[size], '.');
        expect_nothing(); /* the rest is lost */
    }
    destroy_pair();
    return arg;
}

START_TEST(of_a_datagram_that_is_too_large_the_rest_is_lost)
{
    in_a_task(receive_parts);
}
END_TEST

static void *wait_to_receive(void *arg)
{
    call receiving;
    char data[16];
    make_pair();
    for (int i = 0; i < 4; i++) {
        prepare(&receiving, here, data, i == 3 ? 2 : sizeof data);
        if (i == 2)
            receiving.deadline = in_milliseconds(1000 * SECOND);
        call_waits(&receiving, do_recv);
        look_around();
        ck_assert_int_eq(receiving.result, NOT_YET);
        send_text(i == 1 ? "" : "text");
        expect_result(&receiving, i == 1 ? 0 : i == 3 ? 2 : 4);
        ck_assert_int_eq(receiving.truncated, i == 3);
    }
    destroy_pair();
    return arg;
}

START_TEST(receive_waits_for_a_datagram)
{
    in_a_task(wait_to_receive);
}
END_TEST

static void *receive_with_deadlines(void *arg)
{
    char *data = malloc(16);
    int truncated = NOT_YET;
    int64_t deadline;
    int result;
    make_pair();
    memset(data, '.', 16);
    ck_assert_int_eq(coir_uv_udp_recv_until(here, data, 16, NULL, &truncated, PAST), COIR_ETIMEDOUT);
    deadline = in_milliseconds(3);
    ck_assert_int_eq(coir_uv_udp_recv_until(here, data, 16, NULL, &truncated, deadline), COIR_ETIMEDOUT);
    ck_assert(coir_now() >= deadline);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(data[i], '.');
    ck_assert_int_eq(truncated, NOT_YET);
    free(data); /* nobody looks at it any more */
    send_text("later");
    expect_text("later");
    for (int i = 0; i < 5; i++) { /* there at once or soon, as systems have it */
        char other[16];
        send_text("again");
        do
            result = coir_uv_udp_recv_until(here, other, sizeof other, NULL, &truncated,
                                            i % 2 == 0 ? PAST : coir_now());
        while (result == COIR_ETIMEDOUT);
        ck_assert_int_eq(result, 5);
        ck_assert_int_eq(memcmp(other, "again", 5), 0);
    }
    destroy_pair();
    return arg;
}

START_TEST(a_receive_whose_deadline_comes_has_taken_nothing)
{
    in_a_task(receive_with_deadlines);
}
END_TEST

static void *receive_twice(void *arg)
{
    call receiving;
    char data[16], other[4];
    make_pair();
    prepare(&receiving, here, data, sizeof data);
    call_waits(&receiving, do_recv);
    ck_assert_int_eq(coir_uv_udp_recv(here, other, sizeof other, NULL, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_udp_recv_until(here, other, sizeof other, NULL, NULL, PAST), COIR_EBUSY);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(coir_uv_udp_destroy(here), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_udp_send(here, "to me", 5, to_here()), COIR_OK); /* this may be done meanwhile */
    expect_result(&receiving, 5);
    ck_assert_int_eq(port_of(&receiving.from), port_of(&place));
    destroy_pair();
    return arg;
}

START_TEST(one_task_receives_at_a_time)
{
    in_a_task(receive_twice);
}
END_TEST

static void *receive_and_be_cancelled(void *arg)
{
    call receiving;
    make_pair();
    for (int i = 0; i < 3; i++) {
        prepare(&receiving, here, malloc(16), 16);
        call_waits(&receiving, do_recv);
        cancel(receiving.task);
        expect_result(&receiving, COIR_ECANCELED);
        free(receiving.data);
        send_text("next");
        expect_text("next");
    }
    destroy_pair();
    return arg;
}

START_TEST(a_receive_that_is_cancelled_has_taken_nothing)
{
    in_a_task(receive_and_be_cancelled);
}
END_TEST

static void *receive_until_closed(void *arg)
{
    call receiving;
    char data[16];
    make_pair();
    send_text("unread");
    look_around();
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_OK);
    every_call_that_waits_is(here, COIR_ECLOSED);
    ck_assert(uv_is_closing((uv_handle_t *)coir_uv_udp_handle(here)));
    destroy_pair();
    make_pair();
    prepare(&receiving, here, data, sizeof data);
    call_waits(&receiving, do_recv);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_ECLOSED);
    expect_result(&receiving, COIR_ECLOSED);
    look_around();
    every_call_that_waits_is(here, COIR_ECLOSED);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_ECLOSED);
    destroy_pair();
    return arg;
}

START_TEST(who_receives_when_the_socket_is_closed_is_told)
{
    in_a_task(receive_until_closed);
}
END_TEST

/* Before who waited has returned: whether it can be destroyed then or not, nobody misses it. */
static void *destroy_after_close(void *arg)
{
    call receiving;
    char data[16];
    int result;
    make_pair();
    prepare(&receiving, here, data, sizeof data);
    call_waits(&receiving, do_recv);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_OK);
    result = coir_uv_udp_destroy(here);
    ck_assert(result == COIR_OK || result == COIR_EBUSY);
    if (result == COIR_OK)
        look_around();
    expect_result(&receiving, COIR_ECLOSED);
    if (result == COIR_EBUSY)
        destroy(here);
    destroy(there);
    return arg;
}

START_TEST(a_closed_socket_is_destroyed_at_once_or_when_who_waited_has_returned)
{
    in_a_task(destroy_after_close);
}
END_TEST

static void *receive_without_an_address(void *arg)
{
    char data[16];
    here = create(NULL);
    there = create(NULL);
    ck_assert_int_eq(coir_uv_udp_recv_until(here, data, sizeof data, NULL, NULL, PAST), COIR_ETIMEDOUT);
    find_place(here, &place);
    ck_assert_int_ne(port_of(&place), 0);
    ck_assert_int_eq(uv_ip4_addr("127.0.0.1", port_of(&place), (struct sockaddr_in *)&place), 0);
    send_text("found");
    expect_text("found");
    find_place(there, &place); /* its first send gave it one */
    ck_assert_int_ne(port_of(&place), 0);
    destroy_pair();
    return arg;
}

START_TEST(a_socket_takes_an_address_when_it_first_sends_or_receives)
{
    in_a_task(receive_without_an_address);
}
END_TEST

/* ---- sending ---- */

static int turns;

static void *count_turns(void *arg)
{
    while (turns >= 0) {
        turns++;
        yield();
    }
    return arg;
}

static void *send_at_once(void *arg)
{
    coir_task *counting;
    int before;
    make_pair();
    turns = 0;
    counting = spawn(count_turns, NULL);
    yield();
    before = turns;
    send_text("a");
    ck_assert_int_eq(coir_uv_udp_send_until(there, "b", 1, to_here(), PAST), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_send_until(there, "c", 1, to_here(), COIR_FOREVER), COIR_OK);
    ck_assert_int_eq(turns, before);
    turns = -1;
    await(counting);
    expect_text("a");
    expect_text("b");
    expect_text("c");
    destroy_pair();
    return arg;
}

START_TEST(a_datagram_that_the_system_takes_at_once_does_not_wait)
{
    in_a_task(send_at_once);
}
END_TEST

static void *send_sizes(void *arg)
{
    static const size_t sizes[] = {0, 1, 100, 1400, 1500, 9000, 60000, 65507};
    unsigned char *data = calloc(1, 100000), *copy = calloc(1, 100000);
    make_pair();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int truncated = NOT_YET;
        for (size_t j = 0; j < sizes[i]; j++)
            data[j] = (unsigned char)(j * 7 + i);
        ck_assert_int_eq(coir_uv_udp_send(there, data, sizes[i], to_here()), COIR_OK);
        ck_assert_int_eq(coir_uv_udp_recv(here, copy, 100000, NULL, &truncated), (int)sizes[i]);
        ck_assert_int_eq(memcmp(data, copy, sizes[i]), 0);
        ck_assert_int_eq(truncated, 0);
    }
    ck_assert_int_eq(coir_uv_udp_send(there, data, 65508, to_here()), COIR_UV_ERROR(UV_EMSGSIZE));
    ck_assert_int_eq(coir_uv_udp_send(there, data, 100000, to_here()), COIR_UV_ERROR(UV_EMSGSIZE));
    ck_assert_int_eq(coir_uv_udp_send_until(there, data, 100000, to_here(), PAST), COIR_UV_ERROR(UV_EMSGSIZE));
    send_text("small");
    expect_text("small");
    free(data);
    free(copy);
    destroy_pair();
    return arg;
}

START_TEST(datagrams_have_any_size_up_to_the_largest)
{
    in_a_task(send_sizes);
}
END_TEST

static void *send_connected(void *arg)
{
    struct sockaddr_storage sender;
    make_pair();
    ck_assert(COIR_UV_IS_ERROR(coir_uv_udp_send(there, "x", 1, NULL)));
    ck_assert_int_eq(coir_uv_udp_send_until(there, "x", 1, NULL, PAST), COIR_UV_ERROR(UV_EDESTADDRREQ));
    ck_assert_int_eq(uv_udp_connect(coir_uv_udp_handle(there), to_here()), 0);
    ck_assert_int_eq(coir_uv_udp_send(there, "to the one", 10, NULL), COIR_OK);
    expect_text("to the one");
    ck_assert_int_eq(coir_uv_udp_send_until(there, "", 0, NULL, PAST), COIR_OK);
    expect_text("");
    ck_assert_int_eq(coir_uv_udp_send(there, "x", 1, to_here()), COIR_UV_ERROR(UV_EISCONN));
    find_place(there, &sender);
    ck_assert_int_eq(coir_uv_udp_send(here, "back", 4, (struct sockaddr *)&sender), COIR_OK);
    {
        char data[8];
        ck_assert_int_eq(coir_uv_udp_recv(there, data, sizeof data, NULL, NULL), 4);
    }
    ck_assert_int_eq(uv_udp_connect(coir_uv_udp_handle(there), NULL), 0);
    send_text("anybody");
    expect_text("anybody");
    destroy_pair();
    return arg;
}

START_TEST(a_socket_that_is_connected_needs_no_address)
{
    in_a_task(send_connected);
}
END_TEST

/* Nobody is there. The system may tell the sender, at one call or another; it works again then. */
static void *send_to_nobody(void *arg)
{
    char data[8];
    make_pair();
    destroy(here);
    ck_assert_int_eq(uv_udp_connect(coir_uv_udp_handle(there), to_here()), 0);
    for (int i = 0; i < 4; i++) {
        int result = coir_uv_udp_send(there, "x", 1, NULL);
        ck_assert(result == COIR_OK || COIR_UV_IS_ERROR(result));
        result = coir_uv_udp_recv_until(there, data, sizeof data, NULL, NULL, in_milliseconds(2));
        ck_assert(result == COIR_ETIMEDOUT || COIR_UV_IS_ERROR(result));
    }
    ck_assert_int_eq(uv_udp_connect(coir_uv_udp_handle(there), NULL), 0);
    here = create(any_port());
    find_place(here, &place);
    if (coir_uv_udp_send(there, "somebody", 8, to_here()) != COIR_OK) /* of what was sent to nobody */
        send_text("somebody");
    expect_text("somebody");
    destroy_pair();
    return arg;
}

START_TEST(who_sends_to_nobody_may_be_told_and_goes_on)
{
    in_a_task(send_to_nobody);
}
END_TEST

static void *use_version_6(void *arg)
{
    struct sockaddr_in6 address;
    coir_uv_udp *u = NULL;
    ck_assert_int_eq(uv_ip6_addr("::1", 0, &address), 0);
    if (coir_uv_udp_create(&u, (struct sockaddr *)&address, UV_UDP_IPV6ONLY) != COIR_OK)
        return arg;
    make_pair();
    ck_assert(COIR_UV_IS_ERROR(coir_uv_udp_send(u, "x", 1, to_here()))); /* of another family */
    destroy(there);
    there = u;
    destroy(here);
    here = create((struct sockaddr *)&address);
    find_place(here, &place);
    send_text("six");
    expect_text("six");
    destroy_pair();
    return arg;
}

START_TEST(addresses_may_be_of_version_6_where_there_is_one)
{
    in_a_task(use_version_6);
}
END_TEST

#if UV_VERSION_HEX >= 0x012900 && !defined _WIN32
/* UDP itself drops what there is no room for. Datagrams between sockets of Unix wait, and go the same way. */
static void make_pair_with_little_room(void)
{
    uv_os_sock_t sockets[2];
    ck_assert_int_eq(uv_socketpair(SOCK_DGRAM, 0, sockets, 0, 0), 0);
    here = create(NULL);
    there = create(NULL);
    ck_assert_int_eq(uv_udp_open(coir_uv_udp_handle(here), sockets[0]), 0);
    ck_assert_int_eq(uv_udp_open(coir_uv_udp_handle(there), sockets[1]), 0);
}

static int next_to_send;

/* Sends on until there is no room. */
static void *do_send(void *arg)
{
    call *c = arg;
    int result;
    do {
        int number = next_to_send++;
        result = coir_uv_udp_send_until(c->socket, &number, sizeof number, NULL, c->deadline);
        number = -1;
    } while (result == COIR_OK);
    c->result = result;
    return NULL;
}

static int next_to_receive;

/* All that were sent come in order, each once; of the last, whose call was cut short, one does not know: it came to
 * nothing if it was cut short before it began. */
static void expect_all_but_the_last(void)
{
    int number;
    while (next_to_receive < next_to_send - 1) {
        ck_assert_int_eq(coir_uv_udp_recv(here, &number, sizeof number, NULL, NULL), (int)sizeof number);
        ck_assert_int_eq(number, next_to_receive++);
    }
    look_around();
    if (coir_uv_udp_recv_until(here, &number, sizeof number, NULL, NULL, PAST) > 0)
        ck_assert_int_eq(number, next_to_receive);
    expect_nothing();
    next_to_receive = next_to_send;
}

static void *send_where_is_no_room(void *arg)
{
    call sending;
    make_pair_with_little_room();
    next_to_send = next_to_receive = 0;
    for (int i = 0; i < 2; i++) {
        prepare(&sending, there, NULL, 0);
        sending.deadline = i == 0 ? in_milliseconds(5) : PAST;
        begin_call(&sending, do_send);
        expect_result(&sending, COIR_ETIMEDOUT);
        ck_assert_int_gt(next_to_send, next_to_receive + 1);
        expect_all_but_the_last();
    }
    prepare(&sending, there, NULL, 0);
    call_waits(&sending, do_send);
    ck_assert_int_eq(coir_uv_udp_send(there, "x", 1, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_udp_send_until(there, "x", 1, NULL, PAST), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_udp_destroy(there), COIR_EBUSY);
    cancel(sending.task);
    expect_result(&sending, COIR_ECANCELED);
    expect_all_but_the_last();
    /* It waits, and goes on when there is room; then it is closed. */
    prepare(&sending, there, NULL, 0);
    call_waits(&sending, do_send);
    for (int i = 0; i < 100; i++) {
        int number = -1;
        ck_assert_int_eq(coir_uv_udp_recv(here, &number, sizeof number, NULL, NULL), (int)sizeof number);
        ck_assert_int_eq(number, next_to_receive++);
    }
    until_it_waits(sending.task);
    ck_assert_int_eq(coir_uv_udp_close(there), COIR_OK);
    expect_result(&sending, COIR_ECLOSED);
    destroy_pair();
    return arg;
}

/* One that waits for nothing but room: its datagram comes, whatever becomes of the call. */
static void *do_send_one(void *arg)
{
    call *c = arg;
    c->result = coir_uv_udp_send_until(c->socket, "the one", 7, NULL, c->deadline);
    return NULL;
}

static void *give_up_to_send(void *arg)
{
    for (int i = 0; i < 2; i++) {
        call sending;
        char data[16];
        int size;
        make_pair_with_little_room();
        while (coir_uv_udp_send_until(there, "x", 1, NULL, PAST) == COIR_OK)
            ;
        prepare(&sending, there, NULL, 0);
        if (i == 0)
            sending.deadline = in_milliseconds(SECOND);
        begin_call(&sending, do_send_one);
        until_it_waits(sending.task);
        if (i == 1)
            cancel(sending.task);
        expect_result(&sending, i == 0 ? COIR_ETIMEDOUT : COIR_ECANCELED);
        do
            size = coir_uv_udp_recv(here, data, sizeof data, NULL, NULL);
        while (size == 1);
        ck_assert_int_eq(size, 7);
        ck_assert_int_eq(memcmp(data, "the one", 7), 0);
        expect_nothing();
        destroy_pair();
    }
    return arg;
}

START_TEST(a_datagram_that_waits_for_room_is_sent_though_nobody_waits_for_it)
{
    in_a_task(give_up_to_send);
}
END_TEST

START_TEST(who_sends_where_there_is_no_room_waits)
{
    in_a_task(send_where_is_no_room);
}
END_TEST

/* Cut short again and again, while somebody receives. */
static void *send_and_be_cut_short(void *arg)
{
    int received = 0, waits = 0;
    make_pair_with_little_room();
    next_to_send = 0;
    for (int i = 0; i < 300; i++) {
        call sending;
        prepare(&sending, there, NULL, 0);
        if (i % 2 == 0)
            sending.deadline = coir_now() + (int64_t)random_below(500) * COIR_MICROSECOND;
        begin_call(&sending, do_send);
        for (unsigned n = random_below(6); n > 0; n--)
            yield();
        if (i % 2 != 0) {
            coir_task_cancel(sending.task);
            await(sending.task);
            if (coir_task_state(coir_task_self()) == COIR_TASK_RUNNING && sending.result == COIR_ECANCELED)
                waits++;
        } else {
            await(sending.task);
        }
        ck_assert(sending.result == COIR_ETIMEDOUT || sending.result == COIR_ECANCELED);
        for (int number; received < next_to_send && random_below(20) > 0;) {
            int size = coir_uv_udp_recv_until(here, &number, sizeof number, NULL, NULL, PAST);
            if (size < 0)
                break;
            ck_assert_int_ge(number, received); /* one that found the task cancelled was not sent */
            ck_assert_int_lt(number, next_to_send);
            received = number + 1;
        }
    }
    ck_assert_int_gt(waits, 0);
    destroy_pair();
    return arg;
}

START_TEST(datagrams_keep_their_order_however_their_sends_are_cut_short)
{
    random_state = 1;
    in_a_task(send_and_be_cut_short);
}
END_TEST
#endif

/* ---- nothing comes twice ---- */

enum { BURST = 8 }; /* so few that the system has room for them */

static void *receive_somehow(void *arg)
{
    int rounds = t_instrumented() || t_is_wine() ? 60 : 600, sent = 0, received = 0;
    make_pair();
    for (int i = 0; i < rounds; i++) {
        for (unsigned n = random_below(BURST); n > 0; n--) {
            ck_assert_int_eq(coir_uv_udp_send(there, &sent, sizeof sent, to_here()), COIR_OK);
            sent++;
        }
        while (received < sent) {
            int *number = malloc(sizeof *number);
            call receiving;
            prepare(&receiving, here, number, sizeof *number);
            switch (random_below(4)) {
            case 0:
                receiving.deadline = PAST;
                do_recv(&receiving);
                break;
            case 1:
                receiving.deadline = coir_now() + (int64_t)random_below(300) * COIR_MICROSECOND;
                do_recv(&receiving);
                break;
            case 2:
                begin_call(&receiving, do_recv);
                for (unsigned n = random_below(5); n > 0; n--)
                    yield();
                coir_task_cancel(receiving.task);
                await(receiving.task);
                break;
            default:
                do_recv(&receiving);
            }
            if (receiving.result >= 0) {
                ck_assert_int_eq(receiving.result, (int)sizeof *number);
                ck_assert_int_eq(*number, received);
                received++;
            } else {
                ck_assert(receiving.result == COIR_ETIMEDOUT || receiving.result == COIR_ECANCELED);
            }
            free(number);
        }
        expect_nothing();
    }
    destroy_pair();
    return arg;
}

START_TEST(whatever_cuts_receives_short_no_datagram_is_lost_and_none_comes_twice)
{
    random_state = 2;
    in_a_task(receive_somehow);
}
END_TEST

/* Many more than the system holds: some are dropped, none is changed or comes twice. */
static void *be_flooded(void *arg)
{
    struct {
        int number;
        char filling[1000];
    } *datagram = malloc(sizeof *datagram);
    int last = -1, count = 0;
    make_pair();
    memset(datagram, 0, sizeof *datagram);
    for (int i = 0; i < 5000; i++) {
        int result;
        datagram->number = i;
        result = coir_uv_udp_send(there, datagram, sizeof *datagram, to_here());
        ck_assert(result == COIR_OK || COIR_UV_IS_ERROR(result));
    }
    while (coir_uv_udp_recv_until(here, datagram, sizeof *datagram, NULL, NULL, PAST) > 0) {
        ck_assert_int_gt(datagram->number, last);
        last = datagram->number;
        count++;
    }
    ck_assert_int_gt(count, 0);
    send_text("after the flood");
    expect_text("after the flood");
    free(datagram);
    destroy_pair();
    return arg;
}

START_TEST(a_flood_of_datagrams_does_no_harm)
{
    in_a_task(be_flooded);
}
END_TEST

/* ---- generators, several tasks, many sockets ---- */

static int numbers(coir_gen *g, void *socket)
{
    for (;;) {
        int number;
        int size = coir_uv_udp_recv(socket, &number, sizeof number, NULL, NULL);
        if (size <= 0)
            return size;
        coir_gen_yield(g, &number);
    }
}

static void *generate(void *arg)
{
    coir_gen *g;
    int number;
    make_pair();
    ck_assert_int_eq(coir_gen_create(&g, sizeof number, numbers, here, NULL), COIR_OK);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(coir_uv_udp_send(there, &i, sizeof i, to_here()), COIR_OK);
        ck_assert_int_eq(coir_gen_next(g, &number), 1);
        ck_assert_int_eq(number, i);
    }
    ck_assert_int_eq(coir_uv_udp_send(there, &number, 0, to_here()), COIR_OK);
    ck_assert_int_eq(coir_gen_next(g, &number), 0);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    destroy_pair();
    return arg;
}

START_TEST(generators_receive_for_their_tasks)
{
    in_a_task(generate);
}
END_TEST

static void *answer(void *socket)
{
    char data[64];
    struct sockaddr_storage from;
    int code = COIR_OK;
    while (code == COIR_OK) {
        int size = coir_uv_udp_recv(socket, data, sizeof data, &from, NULL);
        code = size < 0 ? size : coir_uv_udp_send(socket, data, (size_t)size, (struct sockaddr *)&from);
    }
    ck_assert_int_eq(code, COIR_ECLOSED); /* in a receive, or in an answer to what was asked twice */
    return NULL;
}

/* Asks, and waits so many milliseconds. Answers to what was asked before, twice, are not the one. */
static bool is_answered(coir_uv_udp *u, const char *question, int patience)
{
    char answered[32];
    int64_t deadline;
    int size;
    ck_assert_int_eq(coir_uv_udp_send(u, question, strlen(question), to_here()), COIR_OK);
    deadline = in_milliseconds(patience);
    do
        size = coir_uv_udp_recv_until(u, answered, sizeof answered, NULL, NULL, deadline);
    while (size > 0 && (size != (int)strlen(question) || memcmp(question, answered, (size_t)size) != 0));
    ck_assert(size > 0 || size == COIR_ETIMEDOUT);
    return size > 0;
}

static void *ask(void *arg)
{
    coir_uv_udp *u = create(any_port());
    int patience = 100;
    for (int i = 0; i < 5; i++) {
        char question[32];
        snprintf(question, sizeof question, "%d of %d", i, T_NUMBER(arg));
        while (!is_answered(u, question, patience)) /* the system may drop some: then it is asked again, */
            patience *= 2;                          /* but not so often that nobody can answer */
    }
    destroy(u);
    return NULL;
}

static void *ask_all_at_once(void *arg)
{
    enum { MANY = 200 };
    static coir_task *tasks[MANY];
    int many = t_instrumented() || t_is_wine() ? 40 : MANY;
    coir_task *answering;
    make_pair();
    answering = spawn(answer, here);
    for (int i = 0; i < many; i++)
        tasks[i] = spawn(ask, T_VALUE(i));
    ck_assert_int_eq(coir_await_all(tasks, (size_t)many, NULL), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_close(here), COIR_OK);
    await(answering);
    destroy_pair();
    return arg;
}

START_TEST(some_hundred_sockets_are_answered_at_once)
{
    in_a_task(ask_all_at_once);
}
END_TEST

/* ---- memory, and what is left open ---- */

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
    coir_uv_udp *u = UNTOUCHED;
    make_pair();
    no_memory = true;
    ck_assert_int_eq(coir_uv_udp_create(&u, any_port(), 0), COIR_ENOMEM);
    ck_assert_int_eq(coir_uv_udp_create(&u, NULL, 0), COIR_ENOMEM);
    ck_assert_ptr_eq(u, UNTOUCHED);
    send_text("needs none");
    expect_text("needs none");
    no_memory = false;
    destroy_pair();
    return arg;
}

START_TEST(without_memory_nothing_is_made)
{
    const coir_allocator allocator = {.allocate = allocate_or_not, .release = release};
    ck_assert_int_eq(coir_set_allocator(&allocator), COIR_OK);
    in_a_task(run_out_of_memory);
}
END_TEST

static void *leave_open(void *arg)
{
    make_pair();
    send_text("unread");
    return arg;
}

START_TEST(what_is_left_open_is_closed_when_all_is_over)
{
    int before;
    ck_assert_int_eq(coir_uv_run(pass_null, NULL, NULL, NULL), COIR_OK);
    before = descriptors();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(coir_uv_run(leave_open, NULL, NULL, NULL), COIR_OK);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

/* Nobody receives any more, though somebody has. */
static void *receive_in_vain(void *arg)
{
    make_pair();
    expect_nothing();
    return arg;
}

START_TEST(the_loop_ends_though_a_socket_is_open)
{
    begin(0);
    start(receive_in_vain);
    for (int i = 0; i < 10; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(coir_exec_tasks(executor), 0);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_NOWAIT), 0);
    destroy_pair();
    finish();
}
END_TEST

static call left;

static void *stop_while_one_receives(void *arg)
{
    static char data[4];
    make_pair();
    prepare(&left, here, data, sizeof data);
    call_waits(&left, do_recv);
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    return arg;
}

START_TEST(a_task_that_is_left_waiting_is_cancelled_when_the_run_is_stopped)
{
    ck_assert_int_eq(coir_uv_run(stop_while_one_receives, NULL, NULL, NULL), COIR_TASKS_LEFT);
    ck_assert_int_eq(left.result, COIR_ECANCELED);
}
END_TEST

#if UV_VERSION_HEX >= 0x012900 && !defined _WIN32
#define WHERE_ROOM_IS_WAITED_FOR(...) __VA_ARGS__
#else
#define WHERE_ROOM_IS_WAITED_FOR(...)
#endif

T_MAIN(null_and_no_room_are_refused, addresses_and_flags_that_the_system_refuses_are_its_errors,
       outside_of_tasks_nothing_is_made_and_nothing_waits_but_all_is_closed,
       in_cancelled_tasks_nothing_waits_but_all_is_closed, deferred_functions_do_not_wait_but_destroy,
       an_executor_without_a_loop_is_refused, tasks_of_another_executor_can_only_close,
       another_threads_sockets_cannot_be_used, datagrams_come_as_they_were_sent_also_empty_ones,
       of_a_datagram_that_is_too_large_the_rest_is_lost, receive_waits_for_a_datagram,
       a_receive_whose_deadline_comes_has_taken_nothing, one_task_receives_at_a_time,
       a_receive_that_is_cancelled_has_taken_nothing, who_receives_when_the_socket_is_closed_is_told,
       a_closed_socket_is_destroyed_at_once_or_when_who_waited_has_returned,
       a_socket_takes_an_address_when_it_first_sends_or_receives,
       a_datagram_that_the_system_takes_at_once_does_not_wait, datagrams_have_any_size_up_to_the_largest,
       a_socket_that_is_connected_needs_no_address, who_sends_to_nobody_may_be_told_and_goes_on,
       addresses_may_be_of_version_6_where_there_is_one,
       whatever_cuts_receives_short_no_datagram_is_lost_and_none_comes_twice, a_flood_of_datagrams_does_no_harm,
       generators_receive_for_their_tasks, some_hundred_sockets_are_answered_at_once, without_memory_nothing_is_made,
       what_is_left_open_is_closed_when_all_is_over, the_loop_ends_though_a_socket_is_open,
       a_task_that_is_left_waiting_is_cancelled_when_the_run_is_stopped
           WHERE_ROOM_IS_WAITED_FOR(, who_sends_where_there_is_no_room_waits,
                                    a_datagram_that_waits_for_room_is_sent_though_nobody_waits_for_it,
                                    datagrams_keep_their_order_however_their_sends_are_cut_short))
