/* SPDX-License-Identifier: MIT */
/* Channels and coir_select: what is sent is received, once and in order, whatever else happens. */

#include "t.h"

#include <string.h>

#include "one_executor.h"

enum { NOT_YET = 77 };

static coir_chan *c, *d;

static void begin(uint64_t seed)
{
    executor = make_executor(seed);
}

static void finish(void)
{
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
}

/* Runs fn as the only task of an executor. */
static void in_a_task(coir_fn *fn)
{
    begin(0);
    start(fn, NULL);
    finish();
}

static coir_chan *make(size_t item_size, size_t capacity)
{
    coir_chan *made = NULL;
    ck_assert_int_eq(coir_chan_create(&made, item_size, capacity), COIR_OK);
    ck_assert_ptr_nonnull(made);
    return made;
}

static coir_chan *make_ints(size_t capacity)
{
    return make(sizeof(int), capacity);
}

static void destroy(coir_chan *chan)
{
    ck_assert_int_eq(coir_chan_destroy(chan), COIR_OK);
}

static int try_send(coir_chan *chan, int item)
{
    return coir_chan_try_send(chan, &item);
}

static void expect_item(coir_chan *chan, int expected)
{
    int item = -1;
    ck_assert_int_eq(coir_chan_try_recv(chan, &item), COIR_OK);
    ck_assert_int_eq(item, expected);
}

static void expect_none(coir_chan *chan, int code)
{
    int item = 99;
    ck_assert_int_eq(coir_chan_try_recv(chan, &item), code);
    ck_assert_int_eq(item, 99);
}

static int count(coir_chan *chan)
{
    return (int)coir_chan_count(chan);
}

/* One send or receive, done by a task. */
typedef struct {
    coir_chan *chan;
    int item;
    int result;
    int64_t deadline;
    int64_t when; /* it was done, */
    int order;    /* and as the how manieth of all */
    coir_task *task;
} operation;

static int operations_done;

static void note_result(operation *o, int result)
{
    o->result = result;
    o->when = coir_now();
    o->order = ++operations_done;
}

static void *do_send(void *arg)
{
    operation *o = arg;
    note_result(o, o->deadline == COIR_FOREVER ? coir_chan_send(o->chan, &o->item)
                                               : coir_chan_send_until(o->chan, &o->item, o->deadline));
    return NULL;
}

static void *do_recv(void *arg)
{
    operation *o = arg;
    note_result(o, o->deadline == COIR_FOREVER ? coir_chan_recv(o->chan, &o->item)
                                               : coir_chan_recv_until(o->chan, &o->item, o->deadline));
    return NULL;
}

static void prepare(operation *o, coir_chan *chan, int item, int64_t deadline)
{
    memset(o, 0, sizeof *o);
    o->chan = chan;
    o->item = item;
    o->result = NOT_YET;
    o->deadline = deadline;
}

static void start_send(operation *o, coir_chan *chan, int item, int64_t deadline)
{
    prepare(o, chan, item, deadline);
    o->task = spawn(do_send, o);
}

static void start_recv(operation *o, coir_chan *chan, int64_t deadline)
{
    prepare(o, chan, 99, deadline);
    o->task = spawn(do_recv, o);
}

/* Starts it and lets it come to its wait. */
static void send_waits(operation *o, coir_chan *chan, int item, int64_t deadline)
{
    start_send(o, chan, item, deadline);
    turn();
    ck_assert_int_eq(o->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_WAITING);
}

static void recv_waits(operation *o, coir_chan *chan, int64_t deadline)
{
    start_recv(o, chan, deadline);
    turn();
    ck_assert_int_eq(o->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_WAITING);
}

static void expect_result(operation *o, int result)
{
    ck_assert_int_eq(coir_await(o->task, NULL), COIR_OK);
    ck_assert_int_eq(o->result, result);
}

static void expect_received(operation *o, int item)
{
    expect_result(o, COIR_OK);
    ck_assert_int_eq(o->item, item);
}

static void expect_nothing_received(operation *o, int code)
{
    expect_result(o, code);
    ck_assert_int_eq(o->item, 99);
}

/* ---- making one; what it holds ---- */

START_TEST(create_refuses_bad_arguments_and_touches_nothing)
{
    coir_chan *chan = T_VALUE(99);
    ck_assert_int_eq(coir_chan_create(NULL, 4, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_create(&chan, 8, SIZE_MAX), COIR_ENOMEM);
    ck_assert_int_eq(coir_chan_create(&chan, SIZE_MAX, 8), COIR_ENOMEM);
    ck_assert_int_eq(coir_chan_create(&chan, SIZE_MAX, 1), COIR_ENOMEM);
    ck_assert_int_eq(coir_chan_create(&chan, SIZE_MAX / 2 + 1, 2), COIR_ENOMEM); /* their product is 0 */
    ck_assert_int_eq(coir_chan_create(&chan, 2, SIZE_MAX / 2 + 1), COIR_ENOMEM);
    ck_assert_ptr_eq(chan, T_VALUE(99));
}
END_TEST

START_TEST(create_without_a_backend_is_not_supported)
{
    coir_chan *chan = T_VALUE(99);
    t_setenv("COIR_BACKEND", "quantum");
    ck_assert_int_eq(coir_chan_create(&chan, 4, 1), COIR_ENOTSUP);
    ck_assert_ptr_eq(chan, T_VALUE(99));
}
END_TEST

START_TEST(a_channel_holds_its_capacity_first_in_first_out)
{
    for (int capacity = 1; capacity <= 5; capacity++) {
        int sent = 0, received = 0;
        c = make_ints((size_t)capacity);
        for (int round = 0; round < 20; round++) {
            while (try_send(c, sent) == COIR_OK)
                sent++;
            ck_assert_int_eq(sent - received, capacity);
            ck_assert_int_eq(count(c), capacity);
            for (int n = 0; n < 1 + round % capacity; n++)
                expect_item(c, received++);
            ck_assert_int_eq(count(c), sent - received);
        }
        while (received < sent)
            expect_item(c, received++);
        expect_none(c, COIR_EAGAIN);
        ck_assert_int_eq(count(c), 0);
        destroy(c);
    }
}
END_TEST

START_TEST(a_full_channel_takes_nothing_and_an_empty_one_gives_nothing)
{
    c = make_ints(2);
    expect_none(c, COIR_EAGAIN);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    ck_assert_int_eq(try_send(c, 2), COIR_OK);
    ck_assert_int_eq(try_send(c, 3), COIR_EAGAIN);
    ck_assert_int_eq(count(c), 2);
    expect_item(c, 1);
    ck_assert_int_eq(try_send(c, 4), COIR_OK);
    expect_item(c, 2);
    expect_item(c, 4);
    expect_none(c, COIR_EAGAIN);
    destroy(c);
}
END_TEST

START_TEST(without_capacity_a_channel_holds_nothing)
{
    c = make_ints(0);
    ck_assert_int_eq(try_send(c, 1), COIR_EAGAIN);
    expect_none(c, COIR_EAGAIN);
    ck_assert_int_eq(count(c), 0);
    destroy(c);
}
END_TEST

enum { LARGEST = 100000 };

static unsigned char source[LARGEST], target[LARGEST + 2];

static bool all_are(const unsigned char *bytes, size_t length, unsigned char expected)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != expected)
            return false;
    return true;
}

static void expect_bytes(coir_chan *chan, size_t size, unsigned char expected)
{
    memset(target, 0x77, sizeof target);
    ck_assert_int_eq(coir_chan_try_recv(chan, target + 1), COIR_OK);
    ck_assert(all_are(target, 1, 0x77));
    ck_assert(all_are(target + 1, size, expected));
    ck_assert(all_are(target + 1 + size, 1, 0x77));
}

static void send_bytes(coir_chan *chan, size_t size, unsigned char byte)
{
    memset(source, byte, size);
    ck_assert_int_eq(coir_chan_try_send(chan, source), COIR_OK);
    memset(source, 0xee, size); /* a copy was sent */
}

static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 64, 100, 4096, LARGEST};
static const int sizes_count = (int)(sizeof sizes / sizeof sizes[0]);

START_TEST(items_of_every_size_are_copied_whole_and_nothing_beside_them)
{
    for (int i = 0; i < sizes_count; i++) {
        c = make(sizes[i], 3);
        for (unsigned char n = 1; n <= 9; n = (unsigned char)(n + 3)) {
            send_bytes(c, sizes[i], n);
            send_bytes(c, sizes[i], (unsigned char)(n + 1));
            send_bytes(c, sizes[i], (unsigned char)(n + 2));
            expect_bytes(c, sizes[i], n);
            expect_bytes(c, sizes[i], (unsigned char)(n + 1));
            expect_bytes(c, sizes[i], (unsigned char)(n + 2));
        }
        destroy(c);
    }
}
END_TEST

static void *recv_bytes(void *arg)
{
    ck_assert_int_eq(coir_chan_recv(c, target + 1), COIR_OK);
    return arg;
}

static void *send_source(void *arg)
{
    ck_assert_int_eq(coir_chan_send(c, source), COIR_OK);
    return arg;
}

START_TEST(items_of_every_size_go_from_task_to_task)
{
    for (int i = 0; i < sizes_count; i++) {
        begin(0);
        c = make(sizes[i], 0);
        memset(source, 5, sizeof source);
        memset(target, 0x77, sizeof target);
        start(i % 2 == 0 ? recv_bytes : send_source, NULL);
        start(i % 2 == 0 ? send_source : recv_bytes, NULL);
        finish();
        ck_assert(all_are(target, 1, 0x77) && all_are(target + 1, sizes[i], 5));
        ck_assert(all_are(target + 1 + sizes[i], 1, 0x77));
        destroy(c);
    }
}
END_TEST

/* ---- items without contents ---- */

static void *recv_signal(void *result)
{
    *(int *)result = coir_chan_recv(c, NULL);
    return NULL;
}

static void *send_signal(void *result)
{
    *(int *)result = coir_chan_send(c, T_VALUE(1));
    return NULL;
}

START_TEST(signals_are_counted)
{
    c = make(0, 3);
    ck_assert_int_eq(coir_chan_try_send(c, NULL), COIR_OK);
    ck_assert_int_eq(coir_chan_try_send(c, T_VALUE(1)), COIR_OK); /* pointers are ignored */
    ck_assert_int_eq(coir_chan_try_send(c, NULL), COIR_OK);
    ck_assert_int_eq(coir_chan_try_send(c, NULL), COIR_EAGAIN);
    ck_assert_int_eq(count(c), 3);
    ck_assert_int_eq(coir_chan_try_recv(c, T_VALUE(1)), COIR_OK);
    ck_assert_int_eq(coir_chan_try_recv(c, NULL), COIR_OK);
    ck_assert_int_eq(count(c), 1);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    ck_assert_int_eq(coir_chan_try_recv(c, NULL), COIR_OK);
    ck_assert_int_eq(coir_chan_try_recv(c, NULL), COIR_ECLOSED);
    destroy(c);
}
END_TEST

START_TEST(signals_go_from_task_to_task)
{
    for (int capacity = 0; capacity <= 1; capacity++) {
        int sent = NOT_YET, received = NOT_YET;
        begin(0);
        c = make(0, (size_t)capacity);
        start(recv_signal, &received);
        turn();
        ck_assert_int_eq(received, NOT_YET);
        start(send_signal, &sent);
        finish();
        ck_assert_int_eq(sent, COIR_OK);
        ck_assert_int_eq(received, COIR_OK);
        ck_assert_int_eq(count(c), 0);
        destroy(c);
    }
}
END_TEST

static void *select_signals(void *arg)
{
    coir_select_case cases[2] = {{.chan = c, .operation = COIR_RECV}, {.chan = d, .operation = COIR_SEND}};
    size_t which = 9;
    (void)arg;
    ck_assert_int_eq(coir_select(cases, 2, &which), COIR_OK);
    ck_assert_uint_eq(which, 1u);
    ck_assert_int_eq(coir_select(cases, 2, &which), COIR_OK); /* waits for c */
    ck_assert_uint_eq(which, 0u);
    return NULL;
}

START_TEST(signals_are_selected)
{
    begin(0);
    c = make(0, 0);
    d = make(0, 1);
    start(select_signals, NULL);
    turn();
    ck_assert_int_eq(count(d), 1);
    ck_assert_int_eq(coir_chan_try_send(c, NULL), COIR_OK);
    finish();
    destroy(c);
    destroy(d);
}
END_TEST

/* ---- who waits and who is served ---- */

START_TEST(receivers_are_served_in_the_order_in_which_they_came)
{
    for (int capacity = 0; capacity <= 2; capacity++) {
        operation r[5];
        begin(0);
        c = make_ints((size_t)capacity);
        for (int i = 0; i < 5; i++)
            recv_waits(&r[i], c, COIR_FOREVER);
        operations_done = 0;
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(try_send(c, i), COIR_OK);
        ck_assert_int_eq(count(c), 0); /* they went to the receivers */
        for (int i = 0; i < 5; i++) {
            expect_received(&r[i], i);
            ck_assert_int_eq(r[i].order, i + 1);
        }
        finish();
        destroy(c);
    }
}
END_TEST

START_TEST(senders_are_served_in_the_order_in_which_they_came)
{
    operation s[5];
    begin(0);
    c = make_ints(0);
    for (int i = 0; i < 5; i++)
        send_waits(&s[i], c, i, COIR_FOREVER);
    operations_done = 0;
    for (int i = 0; i < 5; i++)
        expect_item(c, i);
    expect_none(c, COIR_EAGAIN);
    for (int i = 0; i < 5; i++) {
        expect_result(&s[i], COIR_OK);
        ck_assert_int_eq(s[i].order, i + 1);
    }
    finish();
    destroy(c);
}
END_TEST

START_TEST(what_waiting_senders_have_comes_after_what_the_channel_holds)
{
    operation s[3];
    begin(0);
    c = make_ints(2);
    ck_assert_int_eq(try_send(c, 0), COIR_OK);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    for (int i = 0; i < 3; i++)
        send_waits(&s[i], c, 2 + i, COIR_FOREVER);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(count(c), i < 3 ? 2 : 5 - i);
        expect_item(c, i);
        if (i < 3)
            expect_result(&s[i], COIR_OK); /* there was room for it */
        ck_assert_int_eq(try_send(c, 9), i < 3 ? COIR_EAGAIN : COIR_OK);
        if (i >= 3)
            break;
    }
    expect_item(c, 4);
    expect_item(c, 9);
    finish();
    destroy(c);
}
END_TEST

START_TEST(a_waiting_sender_may_change_its_item_after_the_send_only)
{
    operation s, r;
    begin(0);
    c = make_ints(1);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    send_waits(&s, c, 2, COIR_FOREVER);
    expect_item(c, 1);
    expect_result(&s, COIR_OK);
    s.item = 3;
    start_recv(&r, c, COIR_FOREVER);
    expect_received(&r, 2);
    finish();
    destroy(c);
}
END_TEST

static void *send_twice_without_a_wait(void *receiver)
{
    operation *r = receiver;
    int one = 1, two = 2;
    ck_assert_int_eq(coir_chan_send(c, &one), COIR_OK);
    ck_assert_int_eq(r->result, NOT_YET); /* this task went straight on */
    ck_assert_int_eq(coir_task_state(r->task), COIR_TASK_READY);
    ck_assert_int_eq(coir_chan_send(c, &two), COIR_OK);
    ck_assert_int_eq(r->result, NOT_YET);
    ck_assert_int_eq(count(c), 1);
    return NULL;
}

START_TEST(a_send_waits_neither_with_a_receiver_there_nor_with_room)
{
    operation r;
    begin(0);
    c = make_ints(1);
    recv_waits(&r, c, COIR_FOREVER);
    start(send_twice_without_a_wait, &r);
    expect_received(&r, 1);
    finish();
    expect_item(c, 2);
    destroy(c);
}
END_TEST

static void *recv_twice_without_a_wait(void *sender)
{
    operation *s = sender;
    int item = 0;
    ck_assert_int_eq(coir_chan_recv(c, &item), COIR_OK);
    ck_assert_int_eq(item, 1);
    ck_assert_int_eq(coir_chan_recv(c, &item), COIR_OK);
    ck_assert_int_eq(item, 2);
    ck_assert_int_eq(s->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(s->task), COIR_TASK_READY);
    return NULL;
}

START_TEST(a_receive_waits_neither_with_items_held_nor_with_a_sender_there)
{
    operation s;
    begin(0);
    c = make_ints(1);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    send_waits(&s, c, 2, COIR_FOREVER);
    start(recv_twice_without_a_wait, &s);
    expect_result(&s, COIR_OK);
    finish();
    destroy(c);
}
END_TEST

enum { NUMBERS = 100 };

static void *send_numbers_and_close(void *chan)
{
    for (int n = 1; n <= NUMBERS; n++)
        ck_assert_int_eq(coir_chan_send(chan, &n), COIR_OK);
    ck_assert_int_eq(coir_chan_close(chan), COIR_OK);
    return NULL;
}

static void *recv_numbers(void *chan)
{
    int n, expected = 1;
    while (coir_chan_recv(chan, &n) == COIR_OK)
        ck_assert_int_eq(n, expected++);
    ck_assert_int_eq(expected, NUMBERS + 1);
    return NULL;
}

START_TEST(a_stream_of_items_arrives_in_order)
{
    for (size_t capacity = 0; capacity <= 5; capacity++) {
        begin(0);
        c = make_ints(capacity);
        start(send_numbers_and_close, c);
        start(recv_numbers, c);
        finish();
        begin(0);
        d = make_ints(capacity);
        start(recv_numbers, d);
        start(send_numbers_and_close, d);
        finish();
        destroy(c);
        destroy(d);
    }
}
END_TEST

static void *use_in_nested_fiber(void *arg)
{
    int item = 5;
    ck_assert_int_eq(coir_chan_send(c, &item), COIR_OK);
    ck_assert_int_eq(coir_chan_recv(d, &item), COIR_OK);
    ck_assert_int_eq(item, 6);
    return arg;
}

static void *run_nested(void *arg)
{
    coir_fiber *f = t_create(use_in_nested_fiber, arg);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    return arg;
}

START_TEST(a_fiber_in_a_task_sends_and_receives_for_it)
{
    operation r, s;
    begin(0);
    c = make_ints(0);
    d = make_ints(0);
    start(run_nested, NULL);
    start_recv(&r, c, COIR_FOREVER);
    start_send(&s, d, 6, COIR_FOREVER);
    expect_received(&r, 5);
    expect_result(&s, COIR_OK);
    finish();
    destroy(c);
    destroy(d);
}
END_TEST

START_TEST(tasks_of_two_executors_share_a_channel)
{
    operation r, s;
    coir_exec *other;
    begin(0);
    c = make_ints(0);
    recv_waits(&r, c, COIR_FOREVER);
    other = make_executor(0);
    prepare(&s, c, 8, COIR_FOREVER);
    ck_assert_int_eq(coir_spawn(&s.task, other, do_send, &s, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(other), COIR_OK); /* wakes the other's task */
    expect_result(&s, COIR_OK);
    ck_assert_int_eq(r.result, NOT_YET);
    ck_assert_int_eq(coir_task_state(r.task), COIR_TASK_READY);
    expect_received(&r, 8);
    finish();
    ck_assert_int_eq(coir_exec_destroy(other), COIR_OK);
    destroy(c);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_deadline_that_has_passed_tries_once)
{
    static const int64_t past[] = {INT64_MIN, -1, 0, 9, 10};
    for (int i = 0; i < 5; i++) {
        operation s[2], r[2], other;
        begin(0);
        run_until(10);
        c = make_ints(1);
        operations_done = 0;
        start_send(&s[0], c, 1, past[i]);
        start_send(&s[1], c, 2, past[i]);
        start_recv(&r[0], c, past[i]);
        start_recv(&r[1], c, past[i]);
        start_send(&other, c, 3, COIR_FOREVER); /* would be there for r[1] if that one waited */
        expect_result(&s[0], COIR_OK);
        expect_result(&s[1], COIR_ETIMEDOUT);
        expect_received(&r[0], 1);
        expect_nothing_received(&r[1], COIR_ETIMEDOUT);
        ck_assert_int_eq(r[1].order, 4);
        ck_assert(r[1].when == 10);
        expect_result(&other, COIR_OK);
        finish();
        destroy(c);
    }
}
END_TEST

START_TEST(a_send_that_times_out_has_sent_nothing)
{
    operation s[3];
    begin(0);
    c = make_ints(0);
    send_waits(&s[0], c, 1, 100);
    send_waits(&s[1], c, 2, COIR_FOREVER);
    send_waits(&s[2], c, 3, 50);
    expect_result(&s[2], COIR_ETIMEDOUT);
    ck_assert(s[2].when == 50);
    expect_result(&s[0], COIR_ETIMEDOUT);
    ck_assert(s[0].when == 100);
    expect_item(c, 2);
    expect_none(c, COIR_EAGAIN);
    expect_result(&s[1], COIR_OK);
    finish();
    destroy(c);
}
END_TEST

START_TEST(a_receive_that_times_out_has_taken_nothing)
{
    operation r[3];
    begin(0);
    c = make_ints(0);
    recv_waits(&r[0], c, 100);
    recv_waits(&r[1], c, COIR_FOREVER);
    recv_waits(&r[2], c, 50);
    expect_nothing_received(&r[2], COIR_ETIMEDOUT);
    ck_assert(r[2].when == 50);
    expect_nothing_received(&r[0], COIR_ETIMEDOUT);
    ck_assert(r[0].when == 100);
    ck_assert_int_eq(try_send(c, 7), COIR_OK);
    ck_assert_int_eq(try_send(c, 8), COIR_EAGAIN);
    expect_received(&r[1], 7);
    finish();
    destroy(c);
}
END_TEST

START_TEST(what_comes_before_the_deadline_is_in_time)
{
    operation s, r;
    begin(0);
    c = make_ints(0);
    recv_waits(&r, c, 100);
    run_until(99);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    run_until(1000); /* the deadline is of no more interest */
    expect_received(&r, 1);
    ck_assert(r.when == 99);
    send_waits(&s, c, 2, 1100);
    run_until(1099);
    expect_item(c, 2);
    run_until(2000);
    expect_result(&s, COIR_OK);
    ck_assert(s.when == 1099);
    finish();
    destroy(c);
}
END_TEST

static void *try_send_at_10(void *result)
{
    ck_assert_int_eq(coir_sleep_until(10), COIR_OK);
    *(int *)result = try_send(c, 4);
    return NULL;
}

/* Whatever comes first at that time, the item is either received or not sent. */
START_TEST(an_item_that_comes_at_the_deadline_is_received_or_not_sent)
{
    for (int receiver_first = 0; receiver_first <= 1; receiver_first++) {
        operation r;
        int sent = NOT_YET;
        begin(0);
        c = make_ints(0);
        if (receiver_first)
            start_recv(&r, c, 10);
        start(try_send_at_10, &sent);
        if (!receiver_first)
            start_recv(&r, c, 10);
        ck_assert_int_eq(coir_await(r.task, NULL), COIR_OK);
        run_until(20);
        ck_assert_int_eq(r.result, sent == COIR_OK ? COIR_OK : COIR_ETIMEDOUT);
        ck_assert_int_eq(sent, r.result == COIR_OK ? COIR_OK : COIR_EAGAIN);
        ck_assert_int_eq(r.item, sent == COIR_OK ? 4 : 99);
        ck_assert(r.when == 10);
        finish();
        destroy(c);
    }
}
END_TEST

/* ---- cancellation ---- */

START_TEST(a_send_that_is_cancelled_has_sent_nothing)
{
    operation s[3];
    begin(0);
    c = make_ints(0);
    send_waits(&s[0], c, 1, COIR_FOREVER);
    send_waits(&s[1], c, 2, COIR_FOREVER);
    send_waits(&s[2], c, 3, 100);
    ck_assert_int_eq(coir_task_cancel(s[0].task), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(s[2].task), COIR_OK);
    expect_item(c, 2); /* at once, before they have run */
    expect_none(c, COIR_EAGAIN);
    expect_result(&s[0], COIR_ECANCELED);
    expect_result(&s[1], COIR_OK);
    expect_result(&s[2], COIR_ECANCELED);
    ck_assert(s[2].when == 0);
    finish();
    destroy(c);
}
END_TEST

START_TEST(a_receive_that_is_cancelled_has_taken_nothing)
{
    operation r[3];
    begin(0);
    c = make_ints(0);
    recv_waits(&r[0], c, COIR_FOREVER);
    recv_waits(&r[1], c, COIR_FOREVER);
    recv_waits(&r[2], c, 100);
    ck_assert_int_eq(coir_task_cancel(r[0].task), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(r[2].task), COIR_OK);
    ck_assert_int_eq(try_send(c, 7), COIR_OK);
    ck_assert_int_eq(try_send(c, 8), COIR_EAGAIN);
    expect_nothing_received(&r[0], COIR_ECANCELED);
    expect_received(&r[1], 7);
    expect_nothing_received(&r[2], COIR_ECANCELED);
    ck_assert(r[2].when == 0);
    finish();
    destroy(c);
}
END_TEST

static void *recv_then_sleep(void *arg)
{
    do_recv(arg);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

static void *send_then_sleep(void *arg)
{
    do_send(arg);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

START_TEST(a_cancel_does_not_take_back_what_was_done)
{
    operation r, s;
    begin(0);
    c = make_ints(0);
    prepare(&r, c, 99, 1000);
    r.task = spawn(recv_then_sleep, &r);
    turn();
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(r.task), COIR_OK);
    expect_received(&r, 1);

    prepare(&s, c, 2, COIR_FOREVER);
    s.task = spawn(send_then_sleep, &s);
    turn();
    expect_item(c, 2);
    ck_assert_int_eq(coir_task_cancel(s.task), COIR_OK);
    expect_result(&s, COIR_OK);
    finish();
    destroy(c);
}
END_TEST

static void *wait_for_nothing_when_cancelled(void *arg)
{
    int item = 5;
    size_t which = 9;
    coir_select_case room = {.chan = c, .item = &item, .operation = COIR_SEND};
    coir_select_case closed = {.chan = d, .item = &item, .operation = COIR_RECV};
    ck_assert_int_eq(coir_task_cancel(coir_task_self()), COIR_OK);
    ck_assert_int_eq(coir_chan_send(c, &item), COIR_ECANCELED); /* though there is room */
    ck_assert_int_eq(coir_chan_send_until(c, &item, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_chan_recv(c, &item), COIR_ECANCELED);
    ck_assert_int_eq(coir_chan_recv_until(c, &item, 1000), COIR_ECANCELED);
    ck_assert_int_eq(coir_chan_recv(d, &item), COIR_ECANCELED);
    ck_assert_int_eq(coir_chan_send(d, &item), COIR_ECANCELED);
    ck_assert_int_eq(coir_select(&room, 1, &which), COIR_ECANCELED);
    ck_assert_int_eq(coir_select_until(&closed, 1, 0, &which), COIR_ECANCELED);
    ck_assert_uint_eq(which, 9u);
    ck_assert_int_eq(count(c), 0);
    return arg;
}

static void *but_try_when_cancelled(void *arg)
{
    int item = 5;
    size_t which = 9;
    coir_select_case from_c = {.chan = c, .item = &item, .operation = COIR_RECV};
    wait_for_nothing_when_cancelled(arg);
    ck_assert_int_eq(try_send(c, 1), COIR_OK); /* the try forms never wait */
    expect_item(c, 1);
    ck_assert_int_eq(try_send(c, 2), COIR_OK);
    ck_assert_int_eq(coir_try_select(&from_c, 1, &which), COIR_OK);
    ck_assert_int_eq(item, 2);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    return arg;
}

START_TEST(a_cancelled_task_does_nothing_that_may_wait)
{
    c = make_ints(1);
    d = make_ints(1);
    ck_assert_int_eq(coir_chan_close(d), COIR_OK);
    in_a_task(but_try_when_cancelled);
    destroy(c);
    destroy(d);
}
END_TEST

static void *recv_under_a_shield(void *arg)
{
    int item = 0;
    ck_assert_int_eq(coir_task_shield(1), 0);
    do_recv(arg);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_chan_recv(c, &item), COIR_ECANCELED);
    return NULL;
}

START_TEST(under_a_shield_a_receive_waits_on)
{
    operation r;
    begin(0);
    c = make_ints(0);
    prepare(&r, c, 99, COIR_FOREVER);
    r.task = spawn(recv_under_a_shield, &r);
    turn();
    ck_assert_int_eq(coir_task_cancel(r.task), COIR_OK);
    turn();
    ck_assert_int_eq(r.result, NOT_YET);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    expect_received(&r, 1);
    finish();
    destroy(c);
}
END_TEST

/* ---- close ---- */

START_TEST(a_closed_channel_gives_what_it_holds_and_then_eclosed)
{
    operation r[2];
    begin(0);
    c = make_ints(3);
    for (int n = 1; n <= 3; n++)
        ck_assert_int_eq(try_send(c, n), COIR_OK);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    ck_assert_int_eq(try_send(c, 4), COIR_ECLOSED);
    ck_assert_int_eq(count(c), 3);
    expect_item(c, 1);
    expect_item(c, 2);
    start_recv(&r[0], c, 0); /* its deadline has passed: once is enough */
    expect_received(&r[0], 3);
    start_recv(&r[1], c, COIR_FOREVER);
    expect_nothing_received(&r[1], COIR_ECLOSED);
    expect_none(c, COIR_ECLOSED);
    expect_none(c, COIR_ECLOSED);
    ck_assert_int_eq(count(c), 0);
    finish();
    destroy(c);
}
END_TEST

START_TEST(a_channel_is_closed_once)
{
    c = make_ints(1);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    ck_assert_int_eq(coir_chan_close(c), COIR_ECLOSED);
    ck_assert_int_eq(coir_chan_close(NULL), COIR_EINVAL);
    destroy(c);
}
END_TEST

START_TEST(to_a_closed_channel_nothing_is_sent)
{
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        operation s[3];
        begin(0);
        c = make_ints(capacity);
        ck_assert_int_eq(coir_chan_close(c), COIR_OK);
        start_send(&s[0], c, 1, COIR_FOREVER);
        start_send(&s[1], c, 2, 100);
        start_send(&s[2], c, 3, -1); /* closed comes before the deadline */
        for (int i = 0; i < 3; i++)
            expect_result(&s[i], COIR_ECLOSED);
        ck_assert_int_eq(try_send(c, 4), COIR_ECLOSED);
        ck_assert_int_eq(count(c), 0);
        ck_assert(s[1].when == 0);
        finish();
        destroy(c);
    }
}
END_TEST

START_TEST(close_ends_all_waits_to_receive)
{
    operation r[3];
    begin(0);
    c = make_ints(1);
    recv_waits(&r[0], c, COIR_FOREVER);
    recv_waits(&r[1], c, 100);
    recv_waits(&r[2], c, COIR_FOREVER);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    for (int i = 0; i < 3; i++) {
        expect_nothing_received(&r[i], COIR_ECLOSED);
        ck_assert(r[i].when == 0);
    }
    finish();
    destroy(c);
}
END_TEST

START_TEST(close_ends_all_waits_to_send_and_their_items_are_not_sent)
{
    for (int capacity = 0; capacity <= 2; capacity++) {
        operation s[3];
        begin(0);
        c = make_ints((size_t)capacity);
        for (int n = 0; n < capacity; n++)
            ck_assert_int_eq(try_send(c, n), COIR_OK);
        send_waits(&s[0], c, 7, COIR_FOREVER);
        send_waits(&s[1], c, 8, 100);
        send_waits(&s[2], c, 9, COIR_FOREVER);
        ck_assert_int_eq(coir_chan_close(c), COIR_OK);
        ck_assert_int_eq(count(c), capacity);
        for (int n = 0; n < capacity; n++)
            expect_item(c, n);
        expect_none(c, COIR_ECLOSED);
        for (int i = 0; i < 3; i++)
            expect_result(&s[i], COIR_ECLOSED);
        finish();
        destroy(c);
    }
}
END_TEST

START_TEST(close_does_not_take_back_what_was_received_and_sent)
{
    operation r[2], s[2];
    begin(0);
    c = make_ints(0);
    d = make_ints(0);
    recv_waits(&r[0], c, COIR_FOREVER);
    recv_waits(&r[1], c, COIR_FOREVER);
    send_waits(&s[0], d, 1, COIR_FOREVER);
    send_waits(&s[1], d, 2, COIR_FOREVER);
    ck_assert_int_eq(try_send(c, 5), COIR_OK);
    expect_item(d, 1);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    ck_assert_int_eq(coir_chan_close(d), COIR_OK);
    expect_received(&r[0], 5);
    expect_nothing_received(&r[1], COIR_ECLOSED);
    expect_result(&s[0], COIR_OK);
    expect_result(&s[1], COIR_ECLOSED);
    finish();
    destroy(c);
    destroy(d);
}
END_TEST

START_TEST(a_wait_that_was_closed_is_not_cancelled_too)
{
    operation r;
    begin(0);
    c = make_ints(0);
    prepare(&r, c, 99, COIR_FOREVER);
    r.task = spawn(recv_then_sleep, &r);
    turn();
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(r.task), COIR_OK);
    ck_assert_int_eq(coir_await(r.task, NULL), COIR_OK);
    ck_assert(r.result == COIR_ECLOSED || r.result == COIR_ECANCELED);
    finish();
    destroy(c);
}
END_TEST

/* ---- destroy ---- */

START_TEST(destroy_frees_a_channel_with_what_it_holds)
{
    c = make(1000, 10);
    for (int n = 0; n < 10; n++)
        ck_assert_int_eq(coir_chan_try_send(c, source), COIR_OK);
    destroy(c);
    c = make_ints(2);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    destroy(c);
    ck_assert_int_eq(coir_chan_destroy(NULL), COIR_OK);
}
END_TEST

START_TEST(a_channel_at_which_a_task_waits_is_not_destroyed)
{
    operation r, s;
    begin(0);
    c = make_ints(0);
    d = make_ints(0);
    recv_waits(&r, c, COIR_FOREVER);
    send_waits(&s, d, 2, 1000);
    ck_assert_int_eq(coir_chan_destroy(c), COIR_EBUSY);
    ck_assert_int_eq(coir_chan_destroy(d), COIR_EBUSY);
    ck_assert_int_eq(try_send(c, 1), COIR_OK); /* all is as it was */
    expect_item(d, 2);
    expect_received(&r, 1);
    expect_result(&s, COIR_OK);
    destroy(c);
    destroy(d);
    finish();
}
END_TEST

/* Whoever got an item, or heard of the close, or was cancelled, waits no more, though it has not run yet. */
START_TEST(a_channel_can_be_destroyed_when_the_last_wait_is_over)
{
    operation r, s, closed, cancelled;
    coir_chan *chans[4];
    begin(0);
    for (int i = 0; i < 4; i++)
        chans[i] = make_ints(0);
    recv_waits(&r, chans[0], COIR_FOREVER);
    send_waits(&s, chans[1], 2, COIR_FOREVER);
    recv_waits(&closed, chans[2], COIR_FOREVER);
    recv_waits(&cancelled, chans[3], COIR_FOREVER);
    ck_assert_int_eq(try_send(chans[0], 1), COIR_OK);
    expect_item(chans[1], 2);
    ck_assert_int_eq(coir_chan_close(chans[2]), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(cancelled.task), COIR_OK);
    for (int i = 0; i < 4; i++)
        destroy(chans[i]);
    expect_received(&r, 1);
    expect_result(&s, COIR_OK);
    expect_nothing_received(&closed, COIR_ECLOSED);
    expect_nothing_received(&cancelled, COIR_ECANCELED);
    finish();
}
END_TEST

/* ---- calls in the wrong place, with wrong arguments ---- */

static void *use_outside_of_a_task(void *arg)
{
    int item = 99;
    size_t which = 9;
    coir_select_case one = {.chan = c, .item = &item, .operation = COIR_SEND};
    ck_assert_int_eq(coir_chan_send(c, &item), COIR_ENOTTASK); /* though there is room */
    ck_assert_int_eq(coir_chan_send_until(c, &item, 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_chan_recv(c, &item), COIR_ENOTTASK);
    ck_assert_int_eq(coir_chan_recv_until(c, &item, 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_select(&one, 1, &which), COIR_ENOTTASK);
    ck_assert_int_eq(coir_select_until(&one, 1, 0, &which), COIR_ENOTTASK);
    ck_assert_int_eq(coir_chan_send(NULL, NULL), COIR_ENOTTASK); /* comes before COIR_EINVAL */
    ck_assert_int_eq(coir_chan_recv(NULL, NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_select(NULL, 1, NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_select(&one, 0, &which), COIR_ENOTTASK); /* and before COIR_EDEADLK */
    ck_assert_int_eq(count(c), 0);
    ck_assert_int_eq(item, 99);
    ck_assert_uint_eq(which, 9u);
    return arg;
}

static void use_outside_of_a_task_when_posted(void *arg)
{
    use_outside_of_a_task(arg);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    expect_item(c, 1);
}

START_TEST(outside_of_tasks_only_the_try_forms_work)
{
    coir_fiber *f = t_create(use_outside_of_a_task, NULL);
    c = make_ints(1);
    use_outside_of_a_task(NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    begin(0);
    ck_assert_int_eq(coir_exec_post(executor, use_outside_of_a_task_when_posted, NULL), COIR_OK);
    finish();
    coir_destroy(f);
    destroy(c);
}
END_TEST

static void *use_wrongly(void *arg)
{
    int item = 99;
    (void)arg;
    ck_assert_int_eq(coir_chan_send(NULL, &item), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_send(c, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_send_until(NULL, &item, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_send_until(c, NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_recv(NULL, &item), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_recv(c, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_recv_until(NULL, &item, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_recv_until(c, NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_try_send(NULL, &item), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_try_send(c, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_try_recv(NULL, &item), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_try_recv(c, NULL), COIR_EINVAL);
    ck_assert_int_eq(count(c), 1);
    ck_assert_int_eq(item, 99);
    return NULL;
}

START_TEST(null_is_refused_and_nothing_done)
{
    c = make_ints(2);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    in_a_task(use_wrongly);
    ck_assert_int_eq(coir_chan_try_send(NULL, source), COIR_EINVAL);
    ck_assert_int_eq(coir_chan_try_recv(c, NULL), COIR_EINVAL);
    ck_assert(coir_chan_count(NULL) == COIR_EINVAL);
    expect_item(c, 1);
    destroy(c);
}
END_TEST

static int ends;

static void wait_while_ending(void)
{
    int item = 99;
    size_t which = 9;
    coir_select_case one = {.chan = c, .item = &item, .operation = COIR_SEND};
    ck_assert_int_eq(coir_chan_send(c, &item), COIR_ECANCELED); /* though there is room */
    ck_assert_int_eq(coir_chan_send_until(c, &item, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_chan_recv(c, &item), COIR_ECANCELED);
    ck_assert_int_eq(coir_chan_recv_until(c, &item, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_select(&one, 1, &which), COIR_ECANCELED);
    ck_assert_int_eq(coir_select_until(&one, 1, 0, &which), COIR_ECANCELED);
    ck_assert_int_eq(coir_chan_send(NULL, NULL), COIR_ECANCELED); /* comes before COIR_EINVAL */
    ck_assert_int_eq(coir_chan_recv(NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_select(NULL, 1, NULL), COIR_ECANCELED);
    ck_assert_int_eq(count(c), 0);
    ck_assert_uint_eq(which, 9u);
}

static void wait_and_try_while_ending(void *arg)
{
    (void)arg;
    ends++;
    wait_while_ending();
    ck_assert_int_eq(try_send(c, ends), COIR_OK);
    expect_item(c, ends);
}

static void *end_with_waits(void *arg)
{
    coir_key key;
    ck_assert_int_eq(coir_key_create(&key, wait_and_try_while_ending), COIR_OK);
    ck_assert_int_eq(coir_local_set(key, &ends), COIR_OK);
    ck_assert_int_eq(coir_defer(wait_and_try_while_ending, NULL), COIR_OK);
    return arg;
}

START_TEST(in_deferred_functions_and_destructors_of_keys_only_the_try_forms_work)
{
    c = make_ints(1);
    in_a_task(end_with_waits);
    ck_assert_int_eq(ends, 2);
    destroy(c);
}
END_TEST

/* ---- threads ---- */

static void *use_a_foreign_channel(void *arg)
{
    int item = 99;
    size_t which = 9;
    coir_select_case one = {.chan = c, .item = &item, .operation = COIR_RECV};
    ck_assert_int_eq(coir_chan_try_send(c, &item), COIR_ETHREAD);
    ck_assert_int_eq(coir_chan_try_send(c, NULL), COIR_ETHREAD); /* comes before COIR_EINVAL */
    ck_assert_int_eq(coir_chan_try_recv(c, &item), COIR_ETHREAD);
    ck_assert_int_eq(coir_try_select(&one, 1, &which), COIR_ETHREAD);
    ck_assert_int_eq(coir_chan_close(c), COIR_ETHREAD);
    ck_assert(coir_chan_count(c) == COIR_ETHREAD);
    ck_assert_int_eq(coir_chan_destroy(c), COIR_ETHREAD);
    ck_assert_int_eq(item, 99);
    ck_assert_uint_eq(which, 9u);
    return arg;
}

static void *use_a_foreign_channel_in_a_task(void *arg)
{
    int item = 99;
    size_t which = 9;
    coir_chan *own = make_ints(1);
    coir_select_case two[] = {{.chan = own, .item = &item, .operation = COIR_SEND},
                              {.chan = c, .item = &item, .operation = COIR_RECV}};
    use_a_foreign_channel(arg);
    ck_assert_int_eq(coir_chan_send(c, &item), COIR_ETHREAD);
    ck_assert_int_eq(coir_chan_send_until(c, &item, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_chan_recv(c, &item), COIR_ETHREAD);
    ck_assert_int_eq(coir_chan_recv_until(c, &item, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_select(two, 2, &which), COIR_ETHREAD); /* though one case can be done */
    ck_assert_int_eq(coir_select_until(two, 2, 0, &which), COIR_ETHREAD);
    ck_assert_int_eq(coir_try_select(two, 2, &which), COIR_ETHREAD);
    ck_assert_int_eq(count(own), 0);
    ck_assert_int_eq(item, 99);
    ck_assert_uint_eq(which, 9u);
    destroy(own);
    return arg;
}

static void *run_a_task_with_a_foreign_channel(void *arg)
{
    coir_exec *own = make_executor(0);
    ck_assert_int_eq(coir_spawn(NULL, own, use_a_foreign_channel_in_a_task, arg, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(own), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(own), COIR_OK);
    return arg;
}

START_TEST(another_threads_channel_cannot_be_used)
{
    c = make_ints(3);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    t_on_thread(use_a_foreign_channel, NULL);
    t_on_thread(run_a_task_with_a_foreign_channel, NULL);
    ck_assert_int_eq(count(c), 1);
    ck_assert_int_eq(try_send(c, 2), COIR_OK);
    expect_item(c, 1);
    expect_item(c, 2);
    destroy(c);
}
END_TEST

static void *leave_a_channel(void *arg)
{
    c = make_ints(3);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    return arg;
}

START_TEST(a_channel_left_by_a_thread_that_has_ended_can_only_be_destroyed)
{
    int item = 99;
    t_on_thread(leave_a_channel, NULL);
    ck_assert_int_eq(coir_chan_try_send(c, &item), COIR_ETHREAD);
    ck_assert_int_eq(coir_chan_try_recv(c, &item), COIR_ETHREAD);
    ck_assert_int_eq(item, 99);
    destroy(c);
}
END_TEST

/* ---- select ---- */

static coir_select_case receiving(coir_chan *chan, int *item)
{
    coir_select_case one;
    memset(&one, 0xa5, sizeof one); /* what is the library's need not be set */
    one.chan = chan;
    one.item = item;
    one.operation = COIR_RECV;
    return one;
}

static coir_select_case sending(coir_chan *chan, int *item)
{
    coir_select_case one = receiving(chan, item);
    one.operation = COIR_SEND;
    return one;
}

/* A coir_select of a task: up to four cases, with an item each. */
typedef struct {
    coir_select_case cases[4];
    int items[4];
    size_t n;
    size_t which;
    int result;
    int64_t deadline;
    int64_t when;
    coir_task *task;
} selection;

static void *do_select(void *arg)
{
    selection *s = arg;
    s->result = s->deadline == COIR_FOREVER ? coir_select(s->cases, s->n, &s->which)
                                            : coir_select_until(s->cases, s->n, s->deadline, &s->which);
    s->when = coir_now();
    return NULL;
}

static void begin_selection(selection *s)
{
    memset(s, 0, sizeof *s);
    s->which = 9;
    s->result = NOT_YET;
    s->deadline = COIR_FOREVER;
}

static void add_recv(selection *s, coir_chan *chan)
{
    s->items[s->n] = 99;
    s->cases[s->n] = receiving(chan, &s->items[s->n]);
    s->n++;
}

static void add_send(selection *s, coir_chan *chan, int item)
{
    s->items[s->n] = item;
    s->cases[s->n] = sending(chan, &s->items[s->n]);
    s->n++;
}

static void start_select(selection *s)
{
    s->task = spawn(do_select, s);
    turn();
}

static void select_waits(selection *s)
{
    start_select(s);
    ck_assert_int_eq(s->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(s->task), COIR_TASK_WAITING);
}

static void expect_selected(selection *s, int result, size_t which)
{
    ck_assert_int_eq(coir_await(s->task, NULL), COIR_OK);
    ck_assert_int_eq(s->result, result);
    ck_assert_uint_eq(s->which, which);
}

static void expect_none_selected(selection *s, int code)
{
    expect_selected(s, code, 9);
    for (size_t i = 0; i < s->n; i++)
        if (s->cases[i].operation == COIR_RECV)
            ck_assert_int_eq(s->items[i], 99);
}

static void begin_two(size_t capacity)
{
    begin(0);
    c = make_ints(capacity);
    d = make_ints(capacity);
}

static void finish_two(void)
{
    finish();
    destroy(c);
    destroy(d);
}

START_TEST(select_does_the_case_that_can_be_done)
{
    selection s;
    begin_two(1);
    ck_assert_int_eq(try_send(c, 1), COIR_OK); /* so c is full, and d is empty */
    for (int round = 0; round < 4; round++) {
        begin_selection(&s);
        add_recv(&s, d);
        add_send(&s, c, 5);
        add_recv(&s, c);
        start_select(&s);
        expect_selected(&s, COIR_OK, 2);
        ck_assert_int_eq(s.items[2], 1);
        ck_assert_int_eq(s.items[0], 99);
        begin_selection(&s);
        add_recv(&s, d);
        add_send(&s, c, 1);
        start_select(&s);
        expect_selected(&s, COIR_OK, 1);
    }
    expect_item(c, 1);
    finish_two();
}
END_TEST

START_TEST(select_of_one_case_is_a_receive_or_a_send)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, c);
    select_waits(&s);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    ck_assert_int_eq(try_send(c, 2), COIR_EAGAIN);
    expect_selected(&s, COIR_OK, 0);
    ck_assert_int_eq(s.items[0], 1);
    begin_selection(&s);
    add_send(&s, c, 3);
    select_waits(&s);
    expect_item(c, 3);
    expect_none(c, COIR_EAGAIN);
    expect_selected(&s, COIR_OK, 0);
    finish_two();
}
END_TEST

START_TEST(select_waits_for_the_first_case_that_can_be_done_and_leaves_the_others)
{
    for (int chosen = 0; chosen < 4; chosen++) {
        selection s;
        begin_two(0);
        coir_chan *e = make_ints(0), *f = make_ints(0);
        begin_selection(&s);
        add_recv(&s, c);
        add_send(&s, d, 11);
        add_recv(&s, e);
        add_send(&s, f, 13);
        select_waits(&s);
        if (chosen % 2 == 0)
            ck_assert_int_eq(try_send(chosen == 0 ? c : e, 5), COIR_OK);
        else
            expect_item(chosen == 1 ? d : f, chosen == 1 ? 11 : 13);
        ck_assert_int_eq(try_send(c, 6), COIR_EAGAIN); /* it waits no more, anywhere */
        ck_assert_int_eq(try_send(e, 6), COIR_EAGAIN);
        expect_none(d, COIR_EAGAIN);
        expect_none(f, COIR_EAGAIN);
        expect_selected(&s, COIR_OK, (size_t)chosen);
        ck_assert_int_eq(s.items[0], chosen == 0 ? 5 : 99);
        ck_assert_int_eq(s.items[2], chosen == 2 ? 5 : 99);
        finish_two();
        destroy(e);
        destroy(f);
    }
}
END_TEST

START_TEST(select_takes_its_place_in_the_queue_of_each_channel)
{
    operation first, last;
    selection s;
    begin_two(0);
    recv_waits(&first, c, COIR_FOREVER);
    begin_selection(&s);
    add_recv(&s, c);
    add_recv(&s, d);
    select_waits(&s);
    recv_waits(&last, c, COIR_FOREVER);
    for (int n = 1; n <= 3; n++)
        ck_assert_int_eq(try_send(c, n), COIR_OK);
    expect_received(&first, 1);
    expect_selected(&s, COIR_OK, 0);
    ck_assert_int_eq(s.items[0], 2);
    expect_received(&last, 3);
    finish_two();
}
END_TEST

START_TEST(select_to_send_takes_its_place_in_the_queue_too)
{
    operation first, last;
    selection s;
    begin_two(1);
    ck_assert_int_eq(try_send(c, 0), COIR_OK);
    send_waits(&first, c, 1, COIR_FOREVER);
    begin_selection(&s);
    add_recv(&s, d);
    add_send(&s, c, 2);
    select_waits(&s);
    send_waits(&last, c, 3, COIR_FOREVER);
    for (int n = 0; n <= 3; n++)
        expect_item(c, n);
    expect_result(&first, COIR_OK);
    expect_selected(&s, COIR_OK, 1);
    expect_result(&last, COIR_OK);
    finish_two();
}
END_TEST

START_TEST(a_case_that_cannot_be_done_any_more_leaves_the_queue_to_the_next)
{
    operation next;
    selection s;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, c);
    add_recv(&s, d);
    select_waits(&s);
    recv_waits(&next, d, COIR_FOREVER);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    ck_assert_int_eq(try_send(d, 2), COIR_OK); /* not for the select, which has its item */
    expect_selected(&s, COIR_OK, 0);
    expect_received(&next, 2);
    finish_two();
}
END_TEST

START_TEST(two_selects_meet_in_one_case)
{
    selection s, r;
    begin_two(0);
    begin_selection(&s);
    add_send(&s, c, 1);
    add_send(&s, d, 2);
    select_waits(&s);
    begin_selection(&r);
    add_recv(&r, d);
    add_recv(&r, c);
    start_select(&r);
    ck_assert_int_eq(coir_await(s.task, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(r.task, NULL), COIR_OK);
    ck_assert_int_eq(s.result, COIR_OK);
    ck_assert_int_eq(r.result, COIR_OK);
    ck_assert_uint_eq(r.which, 1 - s.which);
    ck_assert_int_eq(r.items[r.which], s.which == 0 ? 1 : 2);
    ck_assert_int_eq(r.items[s.which], 99);
    expect_none(c, COIR_EAGAIN);
    expect_none(d, COIR_EAGAIN);
    finish_two();
}
END_TEST

START_TEST(a_select_does_not_meet_itself)
{
    selection a, b;
    begin_two(0);
    begin_selection(&a);
    add_recv(&a, c);
    add_send(&a, c, 1);
    a.deadline = 100;
    select_waits(&a);
    expect_none_selected(&a, COIR_ETIMEDOUT);

    begin_selection(&a); /* but two of the kind meet each other */
    add_recv(&a, c);
    add_send(&a, c, 1);
    select_waits(&a);
    begin_selection(&b);
    add_recv(&b, c);
    add_send(&b, c, 2);
    start_select(&b);
    ck_assert_int_eq(coir_await(a.task, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(b.task, NULL), COIR_OK);
    ck_assert_int_eq(a.result, COIR_OK);
    ck_assert_int_eq(b.result, COIR_OK);
    ck_assert_uint_eq(a.which + b.which, 1u);
    ck_assert_int_eq(a.items[0], a.which == 0 ? 2 : 99);
    ck_assert_int_eq(b.items[0], b.which == 0 ? 1 : 99);
    finish_two();
}
END_TEST

START_TEST(the_same_channel_may_be_in_several_cases)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, c);
    add_recv(&s, c);
    add_send(&s, d, 5);
    add_send(&s, d, 6);
    select_waits(&s);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    ck_assert_int_eq(try_send(c, 2), COIR_EAGAIN);
    expect_none(d, COIR_EAGAIN);
    ck_assert_int_eq(coir_await(s.task, NULL), COIR_OK);
    ck_assert_int_eq(s.result, COIR_OK);
    ck_assert_uint_lt(s.which, 2u);
    ck_assert_int_eq(s.items[s.which], 1);
    ck_assert_int_eq(s.items[1 - s.which], 99);
    finish_two();
}
END_TEST

START_TEST(a_select_may_send_to_and_receive_from_the_same_channel)
{
    for (int round = 0; round < 2; round++) {
        selection s;
        begin_two(0);
        begin_selection(&s);
        add_send(&s, c, 7);
        add_recv(&s, c);
        select_waits(&s);
        if (round == 0)
            expect_item(c, 7);
        else
            ck_assert_int_eq(try_send(c, 8), COIR_OK);
        ck_assert_int_eq(try_send(c, 9), COIR_EAGAIN);
        expect_none(c, COIR_EAGAIN);
        expect_selected(&s, COIR_OK, (size_t)round);
        ck_assert_int_eq(s.items[1], round == 0 ? 99 : 8);
        finish_two();
    }
}
END_TEST

START_TEST(a_case_without_a_channel_is_never_chosen)
{
    selection s;
    begin_two(1);
    for (int round = 0; round < 6; round++) {
        begin_selection(&s);
        add_recv(&s, NULL);
        add_send(&s, c, 4);
        add_send(&s, NULL, 5);
        start_select(&s);
        expect_selected(&s, COIR_OK, 1);
        expect_item(c, 4);
        begin_selection(&s);
        add_recv(&s, NULL);
        add_recv(&s, c);
        select_waits(&s);
        ck_assert_int_eq(try_send(c, 6), COIR_OK);
        expect_selected(&s, COIR_OK, 1);
    }
    finish_two();
}
END_TEST

/* ---- how else a select ends ---- */

START_TEST(select_tells_which_channel_is_closed)
{
    selection s;
    begin_two(0);
    ck_assert_int_eq(coir_chan_close(d), COIR_OK);
    begin_selection(&s);
    add_recv(&s, c);
    add_recv(&s, d);
    start_select(&s);
    expect_selected(&s, COIR_ECLOSED, 1);
    ck_assert_int_eq(s.items[1], 99);
    begin_selection(&s);
    add_recv(&s, c);
    add_send(&s, c, 1);
    add_send(&s, d, 2);
    start_select(&s);
    expect_selected(&s, COIR_ECLOSED, 2);
    finish_two();
}
END_TEST

START_TEST(select_takes_what_a_closed_channel_holds)
{
    selection s;
    begin_two(1);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    for (int i = 0; i < 2; i++) {
        begin_selection(&s);
        add_recv(&s, d);
        add_recv(&s, c);
        start_select(&s);
        expect_selected(&s, i == 0 ? COIR_OK : COIR_ECLOSED, 1);
        ck_assert_int_eq(s.items[1], i == 0 ? 1 : 99);
    }
    finish_two();
}
END_TEST

START_TEST(close_ends_the_wait_of_a_select)
{
    for (int sends = 0; sends <= 1; sends++) {
        selection s;
        begin_two(0);
        begin_selection(&s);
        add_recv(&s, c);
        if (sends)
            add_send(&s, d, 3);
        else
            add_recv(&s, d);
        s.deadline = 100;
        select_waits(&s);
        ck_assert_int_eq(coir_chan_close(d), COIR_OK);
        ck_assert_int_eq(try_send(c, 1), COIR_EAGAIN); /* it waits no more */
        ck_assert_int_eq(coir_chan_close(c), COIR_OK);
        expect_selected(&s, COIR_ECLOSED, 1);
        ck_assert_int_eq(s.items[0], 99);
        ck_assert(s.when == 0);
        finish_two();
    }
}
END_TEST

START_TEST(close_of_a_channel_in_several_cases_ends_the_wait_once)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, d);
    add_recv(&s, c);
    add_send(&s, c, 1);
    add_recv(&s, c);
    select_waits(&s);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    ck_assert_int_eq(coir_await(s.task, NULL), COIR_OK);
    ck_assert_int_eq(s.result, COIR_ECLOSED);
    ck_assert(s.which >= 1 && s.which <= 3);
    finish_two();
}
END_TEST

START_TEST(a_select_that_times_out_has_done_nothing)
{
    selection s;
    operation r;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, c);
    add_send(&s, d, 4);
    s.deadline = 100;
    select_waits(&s);
    recv_waits(&r, c, COIR_FOREVER);
    expect_none_selected(&s, COIR_ETIMEDOUT);
    ck_assert(s.when == 100);
    expect_none(d, COIR_EAGAIN);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    expect_received(&r, 1);
    finish_two();
}
END_TEST

START_TEST(a_select_whose_deadline_has_passed_tries_once)
{
    selection s;
    begin_two(1);
    begin_selection(&s);
    add_recv(&s, c);
    add_recv(&s, d);
    s.deadline = -1;
    start_select(&s);
    expect_none_selected(&s, COIR_ETIMEDOUT);
    ck_assert_int_eq(try_send(d, 5), COIR_OK);
    begin_selection(&s);
    add_recv(&s, c);
    add_recv(&s, d);
    s.deadline = 0;
    start_select(&s);
    expect_selected(&s, COIR_OK, 1);
    ck_assert_int_eq(s.items[1], 5);
    finish_two();
}
END_TEST

START_TEST(a_select_that_is_cancelled_has_done_nothing)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, c);
    add_send(&s, d, 4);
    s.deadline = 1000;
    select_waits(&s);
    ck_assert_int_eq(coir_task_cancel(s.task), COIR_OK);
    ck_assert_int_eq(try_send(c, 1), COIR_EAGAIN);
    expect_none(d, COIR_EAGAIN);
    expect_none_selected(&s, COIR_ECANCELED);
    ck_assert(s.when == 0);
    finish_two();
}
END_TEST

static void *select_then_sleep(void *arg)
{
    do_select(arg);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

START_TEST(a_cancel_does_not_take_back_what_a_select_has_done)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, c);
    add_send(&s, d, 4);
    s.task = spawn(select_then_sleep, &s);
    turn();
    expect_item(d, 4);
    ck_assert_int_eq(coir_task_cancel(s.task), COIR_OK);
    expect_selected(&s, COIR_OK, 1);
    finish_two();
}
END_TEST

START_TEST(a_select_without_channels_would_wait_for_ever)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    start_select(&s); /* no cases at all */
    expect_none_selected(&s, COIR_EDEADLK);
    begin_selection(&s);
    add_recv(&s, NULL);
    add_send(&s, NULL, 1);
    start_select(&s);
    expect_none_selected(&s, COIR_EDEADLK);
    finish_two();
}
END_TEST

static void *select_until_forever(void *arg)
{
    coir_select_case none = receiving(NULL, arg);
    size_t which = 9;
    ck_assert_int_eq(coir_select_until(&none, 1, COIR_FOREVER, &which), COIR_EDEADLK);
    ck_assert_int_eq(coir_select_until(&none, 0, COIR_FOREVER, &which), COIR_EDEADLK);
    ck_assert_uint_eq(which, 9u);
    return NULL;
}

START_TEST(the_deadline_that_never_comes_is_none)
{
    in_a_task(select_until_forever);
}
END_TEST

START_TEST(a_select_without_channels_waits_for_its_deadline)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    s.deadline = 50;
    select_waits(&s);
    expect_none_selected(&s, COIR_ETIMEDOUT);
    ck_assert(s.when == 50);
    begin_selection(&s);
    add_recv(&s, NULL);
    s.deadline = 100;
    select_waits(&s);
    expect_none_selected(&s, COIR_ETIMEDOUT);
    ck_assert(s.when == 100);
    finish_two();
}
END_TEST

START_TEST(a_channel_of_a_waiting_select_is_not_destroyed)
{
    selection s;
    begin_two(0);
    begin_selection(&s);
    add_recv(&s, c);
    add_send(&s, d, 1);
    select_waits(&s);
    ck_assert_int_eq(coir_chan_destroy(c), COIR_EBUSY);
    ck_assert_int_eq(coir_chan_destroy(d), COIR_EBUSY);
    expect_item(d, 1);
    destroy(c); /* the wait is over, though the task has not run */
    destroy(d);
    expect_selected(&s, COIR_OK, 1);
    finish();
}
END_TEST

static void *select_wrongly(void *arg)
{
    int item = 99;
    size_t which = 9;
    coir_select_case two[] = {sending(c, &item), receiving(c, &item)};
    (void)arg;
    ck_assert_int_eq(coir_select(NULL, 2, &which), COIR_EINVAL);
    ck_assert_int_eq(coir_select(two, 2, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_select_until(two, 2, 0, NULL), COIR_EINVAL);
    two[1].item = NULL;
    ck_assert_int_eq(coir_select(two, 2, &which), COIR_EINVAL); /* though the other case can be done */
    ck_assert_int_eq(coir_select_until(two, 2, 0, &which), COIR_EINVAL);
    ck_assert_int_eq(coir_try_select(two, 2, &which), COIR_EINVAL);
    two[1].item = &item;
    for (int unknown = -1; unknown <= 2; unknown += 3) {
        two[1].operation = unknown;
        ck_assert_int_eq(coir_select(two, 2, &which), COIR_EINVAL);
        ck_assert_int_eq(coir_try_select(two, 2, &which), COIR_EINVAL);
    }
    ck_assert_int_eq(count(c), 0);
    ck_assert_uint_eq(which, 9u);
    return NULL;
}

START_TEST(select_refuses_bad_arguments_and_does_nothing)
{
    int item = 99;
    size_t which = 9;
    c = make_ints(1);
    in_a_task(select_wrongly);
    coir_select_case one = receiving(c, &item);
    ck_assert_int_eq(coir_try_select(NULL, 1, &which), COIR_EINVAL);
    ck_assert_int_eq(coir_try_select(&one, 1, NULL), COIR_EINVAL);
    destroy(c);
}
END_TEST

START_TEST(try_select_works_outside_of_tasks)
{
    int in = 99, out = 5;
    size_t which = 9;
    c = make_ints(1);
    d = make_ints(0);
    coir_select_case cases[] = {receiving(d, &in), sending(c, &out), receiving(NULL, &in)};
    ck_assert_int_eq(coir_try_select(cases, 3, &which), COIR_OK);
    ck_assert_uint_eq(which, 1u);
    which = 9;
    ck_assert_int_eq(coir_try_select(cases, 3, &which), COIR_EAGAIN);
    ck_assert_uint_eq(which, 9u);
    ck_assert_int_eq(coir_chan_close(d), COIR_OK);
    ck_assert_int_eq(coir_try_select(cases, 3, &which), COIR_ECLOSED);
    ck_assert_uint_eq(which, 0u);
    ck_assert_int_eq(in, 99);
    expect_item(c, 5);
    destroy(c);
    destroy(d);
}
END_TEST

START_TEST(try_select_serves_whoever_waits)
{
    operation s, r;
    int in = 99, out = 5;
    size_t which = 9;
    begin_two(0);
    send_waits(&s, c, 1, COIR_FOREVER);
    coir_select_case receive = receiving(c, &in), send = sending(d, &out);
    ck_assert_int_eq(coir_try_select(&receive, 1, &which), COIR_OK);
    ck_assert_int_eq(in, 1);
    recv_waits(&r, d, COIR_FOREVER);
    ck_assert_int_eq(coir_try_select(&send, 1, &which), COIR_OK);
    expect_result(&s, COIR_OK);
    expect_received(&r, 5);
    finish_two();
}
END_TEST

START_TEST(select_searches_many_channels)
{
    enum { MANY = 100 };
    coir_chan *chans[MANY];
    coir_select_case cases[MANY];
    int items[MANY];
    size_t which;

    for (int i = 0; i < MANY; i++) {
        chans[i] = make_ints(1);
        items[i] = 99;
        cases[i] = receiving(chans[i], &items[i]);
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(try_send(chans[i], i), COIR_OK);
        ck_assert_int_eq(coir_try_select(cases, MANY, &which), COIR_OK);
        ck_assert_uint_eq(which, (size_t)i);
        ck_assert_int_eq(items[i], i);
        ck_assert_int_eq(coir_try_select(cases, MANY, &which), COIR_EAGAIN);
    }
    for (int i = 0; i < MANY; i++)
        destroy(chans[i]);
}
END_TEST

static void *leave_waiting_tasks(void *arg)
{
    static operation r, s;
    static selection two;
    begin_two(0);
    recv_waits(&r, c, COIR_FOREVER);
    send_waits(&s, d, 1, 1000);
    begin_selection(&two);
    add_recv(&two, c);
    add_send(&two, d, 2);
    select_waits(&two);
    return arg;
}

START_TEST(channels_left_with_tasks_that_wait_can_be_destroyed_before_or_after_the_executor)
{
    t_on_thread(leave_waiting_tasks, NULL);
    destroy(c);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
    destroy(d);
}
END_TEST

/* ---- each case gets its chance ---- */

enum { CHOICES = 5, ROUNDS = 100 };

static coir_chan *choice_chans[CHOICES];
static coir_select_case choices[CHOICES];
static int chosen_items[CHOICES], chosen[CHOICES];

static void make_choices(void)
{
    for (int i = 0; i < CHOICES; i++) {
        choice_chans[i] = make_ints(1);
        choices[i] = receiving(choice_chans[i], &chosen_items[i]);
    }
}

static void destroy_choices(void)
{
    for (int i = 0; i < CHOICES; i++)
        destroy(choice_chans[i]);
}

static void empty_choices(void)
{
    int item;
    for (int i = 0; i < CHOICES; i++)
        coir_chan_try_recv(choice_chans[i], &item);
}

/* Selects among n channels, of which those hold an item that have their bit in `ready`. */
static int choose(size_t n, unsigned ready)
{
    size_t which = 9;
    for (size_t i = 0; i < n; i++)
        if (ready >> i & 1)
            ck_assert_int_ne(try_send(choice_chans[i], 1), COIR_ECLOSED);
    ck_assert_int_eq(coir_try_select(choices, n, &which), COIR_OK);
    ck_assert_uint_lt(which, n);
    ck_assert(ready >> which & 1);
    return (int)which;
}

START_TEST(the_search_begins_at_another_case_each_time)
{
    make_choices();
    for (size_t n = 2; n <= CHOICES; n++) {
        int last = -1;
        memset(chosen, 0, sizeof chosen);
        for (int round = 0; round < ROUNDS; round++) {
            int which = choose(n, 31);
            ck_assert_int_ne(which, last);
            last = which;
            chosen[which]++;
        }
        for (size_t i = 0; i < n; i++)
            ck_assert_int_gt(chosen[i], 0);
    }
    destroy_choices();
}
END_TEST

START_TEST(every_case_that_can_be_done_gets_its_chance)
{
    make_choices();
    for (unsigned ready = 1; ready < 32; ready++) {
        memset(chosen, 0, sizeof chosen);
        for (int round = 0; round < ROUNDS; round++)
            chosen[choose(CHOICES, ready)]++;
        for (unsigned i = 0; i < CHOICES; i++)
            ck_assert_int_eq(chosen[i] > 0, (int)(ready >> i & 1));
        empty_choices();
    }
    destroy_choices();
}
END_TEST

START_TEST(a_closed_channel_gets_its_chance_and_no_more)
{
    int items = 0, ends_seen = 0;
    make_choices();
    ck_assert_int_eq(coir_chan_close(choice_chans[0]), COIR_OK);
    for (int round = 0; round < ROUNDS; round++) {
        size_t which = 9;
        coir_chan_try_send(choice_chans[1], source);
        int result = coir_try_select(choices, 2, &which);
        ck_assert_uint_eq(which, result == COIR_OK ? 1u : 0u);
        ck_assert(result == COIR_OK || result == COIR_ECLOSED);
        items += result == COIR_OK;
        ends_seen += result == COIR_ECLOSED;
    }
    ck_assert_int_gt(items, 0);
    ck_assert_int_gt(ends_seen, 0);
    destroy_choices();
}
END_TEST

/* Two tasks that select by turns, each between two channels of its own that always have room. */
typedef struct {
    coir_chan *chans[2];
    int chosen[2];
} turns;

static void *select_by_turns(void *arg)
{
    turns *t = arg;
    int item = 1;
    for (int round = 0; round < ROUNDS; round++) {
        coir_select_case cases[] = {sending(t->chans[0], &item), sending(t->chans[1], &item)};
        size_t which = 9;
        ck_assert_int_eq(coir_select(cases, 2, &which), COIR_OK);
        t->chosen[which]++;
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
    }
    return NULL;
}

START_TEST(tasks_that_select_by_turns_do_not_take_each_others_chances)
{
    turns t[3];
    for (int tasks = 1; tasks <= 3; tasks++) {
        memset(t, 0, sizeof t);
        begin(0);
        for (int i = 0; i < tasks; i++) {
            t[i].chans[0] = make_ints(ROUNDS);
            t[i].chans[1] = make_ints(ROUNDS);
            start(select_by_turns, &t[i]);
        }
        finish();
        for (int i = 0; i < tasks; i++) {
            ck_assert_int_gt(t[i].chosen[0], 0);
            ck_assert_int_gt(t[i].chosen[1], 0);
            destroy(t[i].chans[0]);
            destroy(t[i].chans[1]);
        }
    }
}
END_TEST

/* ---- deadlock ---- */

static void start_named(const char *name, coir_fn *fn, void *arg)
{
    const coir_options opt = {.name = name};
    ck_assert_int_eq(coir_spawn(NULL, executor, fn, arg, &opt), COIR_OK);
}

START_TEST(tasks_that_wait_for_ever_are_reported_and_can_be_helped)
{
    operation r, s;
    selection two;
    begin_two(0);
    prepare(&r, c, 99, COIR_FOREVER);
    prepare(&s, d, 5, COIR_FOREVER);
    begin_selection(&two);
    add_recv(&two, c);
    start_named("receiver", do_recv, &r);
    start_named("sender", do_send, &s);
    start_named("selector", do_select, &two);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_ptr_nonnull(strstr(reported, "receiver"));
    ck_assert_ptr_nonnull(strstr(reported, "sender"));
    ck_assert_ptr_nonnull(strstr(reported, "selector"));
    ck_assert_int_eq(coir_exec_tasks(executor), 3);
    ck_assert_int_eq(try_send(c, 1), COIR_OK);
    expect_item(d, 5);
    ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    finish();
    ck_assert_int_eq(r.item, 1);
    ck_assert_int_eq(s.result, COIR_OK);
    ck_assert_int_eq(two.result, COIR_ECLOSED);
    destroy(c);
    destroy(d);
}
END_TEST

/* ---- the same in every order ---- */

enum { WORKERS = 6, STEPS = 10, ITEMS = WORKERS * STEPS };

static int sent[ITEMS], received[ITEMS];
static coir_task *workers[WORKERS];

static void note_sent(int item, int result)
{
    if (result == COIR_OK)
        sent[item]++;
}

static void note_received(int item, int result)
{
    if (result == COIR_OK)
        received[item]++;
}

static int select_something(int out)
{
    int in[2] = {-1, -1};
    size_t which = 9;
    coir_select_case cases[3] = {receiving(c, &in[0]), sending(d, &out), receiving(d, &in[1])};
    if (random_below(2) == 0)
        cases[0] = sending(c, &out);
    int result = coir_select_until(cases, 3, coir_now() + random_below(5), &which);
    if (result == COIR_OK && cases[which].operation == COIR_SEND)
        note_sent(out, result);
    else if (result == COIR_OK)
        note_received(in[which / 2], result);
    return result;
}

static int send_something(int item)
{
    coir_chan *chan = random_below(2) == 0 ? c : d;
    int kind = random_below(4), result;
    if (kind == 0)
        result = coir_chan_send(chan, &item);
    else if (kind == 1)
        result = coir_chan_try_send(chan, &item);
    else
        result = coir_chan_send_until(chan, &item, coir_now() + random_below(5));
    note_sent(item, result);
    return result;
}

static int receive_something(void)
{
    coir_chan *chan = random_below(2) == 0 ? c : d;
    int kind = random_below(4), item = -1, result;
    if (kind == 0)
        result = coir_chan_recv(chan, &item);
    else if (kind == 1)
        result = coir_chan_try_recv(chan, &item);
    else
        result = coir_chan_recv_until(chan, &item, coir_now() + random_below(5));
    note_received(item, result);
    return result;
}

static int do_something(int item)
{
    switch (random_below(4)) {
    case 0: return send_something(item);
    case 1: return receive_something();
    case 2: return select_something(item);
    default: return coir_sleep(random_below(4));
    }
}

static void *work(void *number)
{
    int result = COIR_OK;
    for (int step = 0; step < STEPS && result != COIR_ECANCELED; step++)
        result = do_something(T_NUMBER(number) * STEPS + step);
    return NULL;
}

/* Cancels some at random, and in the end cancels all or closes the channels, so that none waits for ever. */
static void *disturb(void *closes)
{
    for (int i = 0; i < 2; i++) {
        coir_sleep(random_below(8));
        coir_task_cancel(workers[random_below(WORKERS)]);
    }
    coir_sleep(20);
    for (int i = 0; i < WORKERS && closes == NULL; i++)
        coir_task_cancel(workers[i]);
    coir_chan_close(c);
    coir_chan_close(d);
    return NULL;
}

static void receive_the_rest(coir_chan *chan)
{
    int item;
    while (coir_chan_try_recv(chan, &item) == COIR_OK)
        received[item]++;
    destroy(chan);
}

static void run_disturbed_workers(uint64_t seed)
{
    random_state = (uint32_t)seed;
    memset(sent, 0, sizeof sent);
    memset(received, 0, sizeof received);
    begin(seed);
    c = make_ints((size_t)(seed % 3));
    d = make_ints((size_t)(seed / 3 % 3));
    for (int i = 0; i < WORKERS; i++)
        workers[i] = spawn(work, T_VALUE(i));
    ck_assert_int_eq(coir_await(spawn(disturb, seed % 2 == 0 ? T_VALUE(1) : NULL), NULL), COIR_OK);
    ck_assert_int_eq(coir_await_all(workers, WORKERS, NULL), COIR_OK);
    finish();
    receive_the_rest(c);
    receive_the_rest(d);
}

START_TEST(in_every_order_what_was_sent_is_received_once)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        run_disturbed_workers(seed);
        for (int i = 0; i < ITEMS; i++) {
            ck_assert_int_le(sent[i], 1);
            ck_assert_int_eq(received[i], sent[i]);
        }
    }
}
END_TEST

enum { PRODUCERS = 3, EACH = 10 };

static int producers_left;

static void *produce(void *number)
{
    for (int n = 0; n < EACH; n++) {
        int item = T_NUMBER(number) * EACH + n;
        ck_assert_int_eq(coir_chan_send(c, &item), COIR_OK);
    }
    if (--producers_left == 0)
        ck_assert_int_eq(coir_chan_close(c), COIR_OK);
    return NULL;
}

/* Each consumer sees the items of each producer in their order. */
static void *consume(void *arg)
{
    int item, next[PRODUCERS] = {0}, result;
    while ((result = coir_chan_recv(c, &item)) == COIR_OK) {
        ck_assert_int_ge(item % EACH, next[item / EACH]);
        next[item / EACH] = item % EACH + 1;
        received[item]++;
    }
    ck_assert_int_eq(result, COIR_ECLOSED);
    return arg;
}

START_TEST(in_every_order_producers_reach_consumers_in_order)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        begin(seed);
        c = make_ints((size_t)(seed % 4));
        memset(received, 0, sizeof received);
        producers_left = PRODUCERS;
        for (int i = 0; i < 3; i++) {
            start(produce, T_VALUE(i));
            start(consume, NULL);
        }
        finish();
        for (int i = 0; i < PRODUCERS * EACH; i++)
            ck_assert_int_eq(received[i], 1);
        destroy(c);
    }
}
END_TEST

T_MAIN(create_refuses_bad_arguments_and_touches_nothing, create_without_a_backend_is_not_supported,
       a_channel_holds_its_capacity_first_in_first_out, a_full_channel_takes_nothing_and_an_empty_one_gives_nothing,
       without_capacity_a_channel_holds_nothing, items_of_every_size_are_copied_whole_and_nothing_beside_them,
       items_of_every_size_go_from_task_to_task, signals_are_counted, signals_go_from_task_to_task,
       signals_are_selected, receivers_are_served_in_the_order_in_which_they_came,
       senders_are_served_in_the_order_in_which_they_came, what_waiting_senders_have_comes_after_what_the_channel_holds,
       a_waiting_sender_may_change_its_item_after_the_send_only,
       a_send_waits_neither_with_a_receiver_there_nor_with_room,
       a_receive_waits_neither_with_items_held_nor_with_a_sender_there, a_stream_of_items_arrives_in_order,
       a_fiber_in_a_task_sends_and_receives_for_it, tasks_of_two_executors_share_a_channel,
       a_deadline_that_has_passed_tries_once, a_send_that_times_out_has_sent_nothing,
       a_receive_that_times_out_has_taken_nothing, what_comes_before_the_deadline_is_in_time,
       an_item_that_comes_at_the_deadline_is_received_or_not_sent, a_send_that_is_cancelled_has_sent_nothing,
       a_receive_that_is_cancelled_has_taken_nothing, a_cancel_does_not_take_back_what_was_done,
       a_cancelled_task_does_nothing_that_may_wait, under_a_shield_a_receive_waits_on,
       a_closed_channel_gives_what_it_holds_and_then_eclosed, a_channel_is_closed_once,
       to_a_closed_channel_nothing_is_sent, close_ends_all_waits_to_receive,
       close_ends_all_waits_to_send_and_their_items_are_not_sent, close_does_not_take_back_what_was_received_and_sent,
       a_wait_that_was_closed_is_not_cancelled_too, destroy_frees_a_channel_with_what_it_holds,
       a_channel_at_which_a_task_waits_is_not_destroyed, a_channel_can_be_destroyed_when_the_last_wait_is_over,
       outside_of_tasks_only_the_try_forms_work, null_is_refused_and_nothing_done,
       in_deferred_functions_and_destructors_of_keys_only_the_try_forms_work, another_threads_channel_cannot_be_used,
       a_channel_left_by_a_thread_that_has_ended_can_only_be_destroyed, select_does_the_case_that_can_be_done,
       select_of_one_case_is_a_receive_or_a_send,
       select_waits_for_the_first_case_that_can_be_done_and_leaves_the_others,
       select_takes_its_place_in_the_queue_of_each_channel, select_to_send_takes_its_place_in_the_queue_too,
       a_case_that_cannot_be_done_any_more_leaves_the_queue_to_the_next, two_selects_meet_in_one_case,
       a_select_does_not_meet_itself, the_same_channel_may_be_in_several_cases,
       a_select_may_send_to_and_receive_from_the_same_channel, a_case_without_a_channel_is_never_chosen,
       select_tells_which_channel_is_closed, select_takes_what_a_closed_channel_holds, close_ends_the_wait_of_a_select,
       close_of_a_channel_in_several_cases_ends_the_wait_once, a_select_that_times_out_has_done_nothing,
       a_select_whose_deadline_has_passed_tries_once, a_select_that_is_cancelled_has_done_nothing,
       a_cancel_does_not_take_back_what_a_select_has_done, a_select_without_channels_would_wait_for_ever,
       the_deadline_that_never_comes_is_none, a_select_without_channels_waits_for_its_deadline,
       a_channel_of_a_waiting_select_is_not_destroyed, select_refuses_bad_arguments_and_does_nothing,
       try_select_works_outside_of_tasks, try_select_serves_whoever_waits, select_searches_many_channels,
       channels_left_with_tasks_that_wait_can_be_destroyed_before_or_after_the_executor, the_search_begins_at_another_case_each_time,
       every_case_that_can_be_done_gets_its_chance, a_closed_channel_gets_its_chance_and_no_more,
       tasks_that_select_by_turns_do_not_take_each_others_chances,
       tasks_that_wait_for_ever_are_reported_and_can_be_helped, in_every_order_what_was_sent_is_received_once,
       in_every_order_producers_reach_consumers_in_order)
