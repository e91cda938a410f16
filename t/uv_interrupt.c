/* SPDX-License-Identifier: MIT */
/* uv_interrupt.c - whatever a task waits for, and wherever it has got to, it may be cancelled or its time may be up; then
 * nothing leaks, nothing is lost or comes twice, and the others go on.
 *
 * A scenario is run again and again. In its n-th run the task that is the victim is interrupted at its n-th suspension;
 * the last run is the one in which it comes to its end before. Suspensions are counted by a switch hook. */

#include "uv_server.h"

/* ---- the driver ---- */

enum how { BY_CANCEL, BY_DEADLINE };

static struct run {
    enum how how;
    int target;               /* the suspension at which it is interrupted */
    int suspensions;          /* of the victim, so far */
    bool interrupted;
    int64_t ahead;            /* how far the clock has been set ahead */
    coir_task *victim;
    const coir_fiber *victims_fiber;
    coir_exec *exec;
    struct server server; /* that each scenario has beside it */
} run;

static int64_t clock_ahead(void *context)
{
    (void)context;
    return (int64_t)uv_hrtime() + run.ahead;
}

/* In no run does this much time pass by itself. */
#define MUCH_LATER (INT64_C(3600) * COIR_SECOND)

static int64_t deadline(void)
{
    return run.how == BY_DEADLINE && !run.interrupted ? (int64_t)uv_hrtime() + MUCH_LATER : COIR_FOREVER;
}

static void count_suspension(coir_fiber *from, coir_fiber *to, void *context)
{
    (void)to, (void)context;
    if (from == run.victims_fiber)
        run.suspensions++;
}

static void interrupt(void)
{
    run.interrupted = true;
    if (run.how == BY_CANCEL)
        ck_assert_int_eq(coir_task_cancel(run.victim), COIR_OK);
    else
        run.ahead += 2 * MUCH_LATER;
}

/* Is this how an interrupted call ends? Then the victim goes on under a shield, and without deadlines. */
static bool was_interrupted(int code)
{
    if (code != (run.how == BY_CANCEL ? COIR_ECANCELED : COIR_ETIMEDOUT))
        return false;
    ck_assert(run.interrupted);
    coir_task_shield(1);
    return true;
}

static void *lead(void *scenario)
{
    coir_task *task = NULL;

    expect_ok(start_server(&run.server));
    expect_ok(coir_spawn(&task, NULL, *(coir_fn **)scenario, NULL, NULL));
    run.victims_fiber = coir_task_fiber(task);
    run.victim = task;
    expect_ok(coir_await(task, NULL));
    run.victim = NULL;
    be_served(&run.server);
    expect_ok(coir_uv_close(run.server.listener));
    return NULL;
}

static void run_once(coir_fn *scenario)
{
    const coir_exec_options opt = {.clock = clock_ahead};
    uv_loop_t loop;

    ck_assert_int_eq(uv_loop_init(&loop), 0);
    expect_ok(coir_uv_exec_create(&run.exec, &loop, &opt));
    expect_ok(coir_spawn(NULL, run.exec, lead, &scenario, NULL));
    while (coir_exec_run_once_until(run.exec, COIR_FOREVER) == COIR_TASKS_LEFT)
        if (!run.interrupted && run.suspensions >= run.target && coir_task_state(run.victim) == COIR_TASK_WAITING)
            interrupt();
    ck_assert_int_eq(coir_exec_tasks(run.exec), 0);
    ck_assert_int_eq(coir_uv_exec_destroy(run.exec), COIR_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

/* All runs of a scenario: how often it was interrupted. */
static int run_all(coir_fn *scenario, enum how how)
{
    int runs = 0;

    coir_set_switch_hook(count_suspension, NULL);
    do {
        memset(&run, 0, sizeof run);
        run.how = how;
        run.target = ++runs;
        run_once(scenario);
    } while (run.interrupted && runs < 500);
    coir_set_switch_hook(NULL, NULL);
    ck_assert_int_lt(runs, 500);
    return runs - 1;
}

/* ---- streams ---- */

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 7 + at / 251);
}

#define MESSAGE 3000

/* Sends a message and gets its echo, byte for byte, however often it is interrupted in between. */
static void exchange(coir_uv_stream *s)
{
    unsigned char out[MESSAGE], in[MESSAGE];
    size_t step, sent = 0, received = 0;

    for (size_t i = 0; i < MESSAGE; i++)
        out[i] = pattern(i);
    while (sent < MESSAGE) {
        int code = coir_uv_write_until(s, out + sent, MESSAGE - sent, deadline(), &step);
        if (!was_interrupted(code))
            expect_ok(code);
        sent += step;
    }
    while (received < MESSAGE) {
        int code = coir_uv_read_all_until(s, in + received, MESSAGE - received, deadline(), &step);
        if (!was_interrupted(code))
            expect_ok(code);
        received += step;
    }
    ck_assert_int_eq(memcmp(in, out, MESSAGE), 0);
}

static int connect_to_server(coir_uv_stream **out)
{
    return coir_uv_tcp_connect_until(out, (const struct sockaddr *)&run.server.address, deadline());
}

static void *converse(void *arg)
{
    coir_uv_stream *s = NULL;
    char end;
    int code = connect_to_server(&s);

    if (was_interrupted(code)) {
        ck_assert_ptr_null(s);
        return arg;
    }
    expect_ok(code);
    exchange(s);
    exchange(s);
    code = coir_uv_shutdown_until(s, deadline());
    if (!was_interrupted(code))
        expect_ok(code);
    do
        code = coir_uv_read_until(s, &end, 1, deadline());
    while (was_interrupted(code));
    ck_assert_int_eq(code, 0);
    expect_ok(coir_uv_destroy(s));
    return arg;
}

/* Goes wherever it is, with the conversation half done. */
static void *vanish(void *arg)
{
    char data[1000];
    coir_uv_stream *s;
    int code = connect_to_server(&s);

    if (was_interrupted(code))
        return arg;
    expect_ok(code);
    memset(data, 'x', sizeof data);
    for (int i = 0; i < 5 && code >= 0; i++) {
        code = coir_uv_write_until(s, data, sizeof data, deadline(), NULL);
        if (code >= 0)
            code = coir_uv_read_until(s, data, sizeof data, deadline());
    }
    if (!was_interrupted(code))
        expect_ok(code);
    expect_ok(coir_uv_destroy(s));
    return arg;
}

/* ---- back-pressure ---- */

#define FLOOD (size_t)(6 << 20) /* more than the system's buffers hold */

static unsigned char flood_data[FLOOD];
static coir_uv_stream *flooded;

/* Reads slowly at first, and then all. */
static void *drain(void *arg)
{
    static unsigned char data[100000];
    size_t *total = arg;
    int size;

    for (int i = 0; i < 20; i++)
        coir_task_yield();
    while ((size = coir_uv_read(flooded, data, sizeof data)) > 0) {
        ck_assert_int_eq(memcmp(data, flood_data + *total, (size_t)size), 0);
        *total += (size_t)size;
    }
    ck_assert_int_eq(size, 0);
    expect_ok(coir_uv_destroy(flooded));
    return NULL;
}

static void make_pair(coir_uv_stream **a, coir_uv_stream **b)
{
    uv_os_sock_t sockets[2];

    ck_assert_int_eq(uv_socketpair(SOCK_STREAM, 0, sockets, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    expect_ok(coir_uv_tcp_open(a, sockets[0]));
    expect_ok(coir_uv_tcp_open(b, sockets[1]));
}

static void *flood(void *arg)
{
    coir_uv_stream *s;
    coir_task *reader;
    size_t sent = 0, step, total = 0;
    int code;

    for (size_t i = 0; i < FLOOD; i++)
        flood_data[i] = pattern(i);
    make_pair(&s, &flooded);
    expect_ok(coir_spawn(&reader, NULL, drain, &total, NULL));
    while (sent < FLOOD) {
        code = coir_uv_write_until(s, flood_data + sent, FLOOD - sent, deadline(), &step);
        if (!was_interrupted(code))
            expect_ok(code);
        sent += step;
    }
    code = coir_uv_shutdown_until(s, deadline());
    if (!was_interrupted(code))
        expect_ok(code);
    do
        code = coir_await_until(reader, deadline(), NULL);
    while (was_interrupted(code));
    expect_ok(code);
    ck_assert_uint_eq(total, FLOOD);
    expect_ok(coir_uv_destroy(s));
    return arg;
}

/* ---- accepting ---- */

static void *knock(void *address)
{
    char word[2];
    coir_uv_stream *s;

    expect_ok(coir_uv_tcp_connect(&s, address));
    expect_ok(coir_uv_read_all(s, word, 2, NULL));
    expect_ok(coir_uv_destroy(s));
    return NULL;
}

/* Each of those who knock is let in, once. */
static void *let_in(void *arg)
{
    coir_uv_stream *listener, *s;
    struct sockaddr_in address;
    int size = sizeof address, let = 0, code;
    coir_task *guests[4];

    uv_ip4_addr("127.0.0.1", 0, &address);
    expect_ok(coir_uv_tcp_listen(&listener, (const struct sockaddr *)&address, 16));
    uv_tcp_getsockname((uv_tcp_t *)coir_uv_stream_handle(listener), (struct sockaddr *)&address, &size);
    for (int i = 0; i < 4; i++)
        expect_ok(coir_spawn(&guests[i], NULL, knock, &address, NULL));
    while (let < 4) {
        code = coir_uv_accept_until(listener, &s, deadline());
        if (was_interrupted(code))
            continue;
        expect_ok(code);
        let++;
        code = coir_uv_write_until(s, "in", 2, deadline(), NULL);
        if (was_interrupted(code))
            expect_ok(coir_uv_write(s, "in", 2));
        expect_ok(coir_uv_destroy(s));
    }
    expect_ok(coir_uv_destroy(listener));
    do
        code = coir_await_all_until(guests, 4, deadline(), NULL);
    while (was_interrupted(code));
    expect_ok(code);
    return arg;
}

/* ---- names, files, work ---- */

static void *look_up(void *arg)
{
    struct addrinfo *list;
    char host[NI_MAXHOST], service[NI_MAXSERV];
    coir_uv_stream *s = NULL;
    char port[8];
    int code = coir_uv_getaddrinfo_until(&list, "localhost", "80", NULL, deadline());

    if (was_interrupted(code))
        return arg;
    expect_ok(code);
    uv_freeaddrinfo(list);
    code = coir_uv_getnameinfo_until((const struct sockaddr *)&run.server.address, NI_NUMERICHOST | NI_NUMERICSERV, host, service,
                                     deadline());
    if (was_interrupted(code))
        return arg;
    expect_ok(code);
    memcpy(port, service, sizeof port);
    code = coir_uv_connect_until(&s, host, port, deadline());
    if (was_interrupted(code)) {
        ck_assert_ptr_null(s);
        return arg;
    }
    expect_ok(code);
    expect_ok(coir_uv_destroy(s));
    return arg;
}

static bool unlink_file(const char *path)
{
    uv_fs_t request;
    int error = uv_fs_unlink(NULL, &request, path, NULL);

    uv_fs_req_cleanup(&request);
    return error == 0;
}

static void file_path(char *out, size_t size)
{
    char folder[300];
    size_t length = sizeof folder;

    ck_assert_int_eq(uv_os_tmpdir(folder, &length), 0);
    snprintf(out, size, "%s/coir-uv-interrupt-%d", folder, (int)uv_os_getpid());
}

/* A call on a file is done or not done, and says which. */
static void *use_file(void *arg)
{
    char path[400], data[4];
    uv_stat_t stat;
    uv_file file;
    size_t written;
    int code;

    file_path(path, sizeof path);
    code = coir_uv_fs_open_until(&file, path, UV_FS_O_CREAT | UV_FS_O_RDWR | UV_FS_O_TRUNC, 0600, deadline());
    if (was_interrupted(code)) {
        ck_assert(!unlink_file(path));
        return arg;
    }
    expect_ok(code);
    code = coir_uv_fs_write_until(file, "abcd", 4, 0, deadline(), &written);
    if (was_interrupted(code)) {
        ck_assert_uint_eq(written, 0);
        expect_ok(coir_uv_fs_write(file, "abcd", 4, 0));
    }
    code = coir_uv_fs_fstat_until(file, &stat, deadline());
    if (was_interrupted(code))
        expect_ok(coir_uv_fs_fstat(file, &stat));
    ck_assert_uint_eq(stat.st_size, 4);
    code = coir_uv_fs_read_until(file, data, 4, 0, deadline());
    if (was_interrupted(code))
        code = coir_uv_fs_read(file, data, 4, 0);
    ck_assert_int_eq(code, 4);
    ck_assert_int_eq(memcmp(data, "abcd", 4), 0);
    expect_ok(coir_uv_fs_close(file));
    code = coir_uv_fs_unlink_until(path, deadline());
    if (was_interrupted(code))
        expect_ok(coir_uv_fs_unlink(path));
    return arg;
}

static void *add_one(void *number)
{
    ++*(int *)number;
    return number;
}

static void *work(void *arg)
{
    int number = 0, done = 0;

    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        int code = coir_uv_work_until(add_one, &number, deadline(), &result);
        if (was_interrupted(code))
            continue;
        expect_ok(code);
        ck_assert_ptr_eq(result, &number);
        done++;
    }
    ck_assert_int_eq(number, done);
    return arg;
}

/* ---- datagrams ---- */

static void *datagrams(void *arg)
{
    coir_uv_udp *a, *b;
    struct sockaddr_in address;
    int size = sizeof address;
    char data[10];

    uv_ip4_addr("127.0.0.1", 0, &address);
    expect_ok(coir_uv_udp_create(&a, (const struct sockaddr *)&address, 0));
    expect_ok(coir_uv_udp_create(&b, (const struct sockaddr *)&address, 0));
    uv_udp_getsockname(coir_uv_udp_handle(b), (struct sockaddr *)&address, &size);
    for (int i = 0; i < 3; i++) {
        int code = coir_uv_udp_send_until(a, "datagram", 8, (const struct sockaddr *)&address, deadline());
        if (was_interrupted(code))
            expect_ok(coir_uv_udp_send(a, "datagram", 8, (const struct sockaddr *)&address));
        do
            code = coir_uv_udp_recv_until(b, data, sizeof data, NULL, NULL, deadline());
        while (was_interrupted(code));
        ck_assert_int_eq(code, 8);
    }
    expect_ok(coir_uv_udp_destroy(a));
    expect_ok(coir_uv_udp_destroy(b));
    return arg;
}

/* ---- from inside of a generator ---- */

static int generate_words(coir_gen *g, void *stream)
{
    char word[5];
    size_t got = 0, step;

    run.victims_fiber = coir_self();
    while (got < 5) {
        int code = coir_uv_read_all_until(stream, word + got, 5 - got, deadline(), &step);
        if (!was_interrupted(code))
            expect_ok(code);
        got += step;
    }
    return coir_gen_yield(g, word);
}

static void *read_in_generator(void *arg)
{
    coir_uv_stream *s;
    coir_gen *g;
    char word[5];
    int code = connect_to_server(&s);

    if (was_interrupted(code))
        return arg;
    expect_ok(code);
    expect_ok(coir_uv_write(s, "words", 5));
    expect_ok(coir_gen_create(&g, 5, generate_words, s, NULL));
    ck_assert_int_eq(coir_gen_next(g, word), 1);
    ck_assert_int_eq(memcmp(word, "words", 5), 0);
    expect_ok(coir_gen_destroy(g));
    expect_ok(coir_uv_destroy(s));
    return arg;
}

/* ---- the cases ---- */

/* With the number of interruptions that there are at least, lest the scenario should not wait where it is to. */
static void interrupt_everywhere(coir_fn *scenario, int least)
{
    ck_assert_int_ge(run_all(scenario, BY_CANCEL), least);
    ck_assert_int_ge(run_all(scenario, BY_DEADLINE), least);
}

START_TEST(a_conversation_goes_on_where_it_was_interrupted)
{
    interrupt_everywhere(converse, 5);
}
END_TEST

START_TEST(a_server_survives_clients_that_vanish_anywhere)
{
    interrupt_everywhere(vanish, 5);
}
END_TEST

START_TEST(a_flood_arrives_whole_however_it_is_interrupted)
{
    interrupt_everywhere(flood, 5);
}
END_TEST

START_TEST(no_connection_is_lost_by_an_interrupted_accept)
{
    interrupt_everywhere(let_in, 2);
}
END_TEST

START_TEST(looking_names_up_can_be_left_anywhere)
{
    interrupt_everywhere(look_up, 3);
}
END_TEST

START_TEST(what_is_done_to_a_file_is_done_or_not)
{
    interrupt_everywhere(use_file, 6);
}
END_TEST

START_TEST(work_is_done_or_not)
{
    interrupt_everywhere(work, 3);
}
END_TEST

START_TEST(datagrams_arrive_after_an_interrupted_receive)
{
    interrupt_everywhere(datagrams, 1);
}
END_TEST

START_TEST(a_generator_may_read_and_be_interrupted)
{
    interrupt_everywhere(read_in_generator, 2);
}
END_TEST

/* ---- what was handed over by a write that was left ---- */

/* Leaves a write in the middle, with a piece of it in libuv's queue; a deadline may also pass while the system still takes
 * more at once. */
static void leave_a_write(coir_uv_stream *s)
{
    size_t sent = 0;

    do {
        size_t step;
        int64_t soon = coir_now() + 20 * COIR_MILLISECOND;
        ck_assert_int_eq(coir_uv_write_until(s, flood_data + sent, FLOOD - sent, soon, &step), COIR_ETIMEDOUT);
        sent += step;
    } while (uv_stream_get_write_queue_size(coir_uv_stream_handle(s)) == 0);
    ck_assert_uint_gt(sent, 0);
}

static void *lose_what_was_handed_over(void *arg)
{
    coir_uv_stream *s, *peer;

    make_pair(&s, &peer);
    leave_a_write(s);
    expect_ok(coir_uv_destroy(peer));
    coir_sleep(COIR_MILLISECOND); /* the loop sees that it is gone */
    coir_sleep(COIR_MILLISECOND);
    ck_assert(COIR_UV_IS_ERROR(coir_uv_shutdown(s)));
    expect_ok(coir_uv_destroy(s));
    return arg;
}

START_TEST(a_shutdown_tells_of_bytes_that_were_lost)
{
    if (t_is_wine())
        T_SKIP("sockets of wine take all at once");
    expect_ok(coir_uv_run(lose_what_was_handed_over, NULL, NULL, NULL));
}
END_TEST

static void *shut_down_behind_a_write(void *arg)
{
    static char data[100000];
    coir_uv_stream *s;
    size_t total = 0;
    coir_task *reader;

    for (size_t i = 0; i < FLOOD; i++)
        flood_data[i] = pattern(i);
    make_pair(&s, &flooded);
    leave_a_write(s);
    ck_assert_int_eq(coir_uv_shutdown_until(s, coir_now() + 10 * COIR_MILLISECOND), COIR_ETIMEDOUT);
    expect_ok(coir_spawn(&reader, NULL, drain, &total, NULL));
    expect_ok(coir_await(reader, NULL)); /* it comes to the end */
    ck_assert_uint_gt(total, 0);
    ck_assert_int_lt(coir_uv_write(s, data, 1), COIR_OK);
    expect_ok(coir_uv_destroy(s));
    return arg;
}

START_TEST(the_end_comes_behind_what_a_write_has_left)
{
    if (t_is_wine())
        T_SKIP("sockets of wine take all at once");
    expect_ok(coir_uv_run(shut_down_behind_a_write, NULL, NULL, NULL));
}
END_TEST

/* ---- a deadline that comes in the midst of a look at the clock ---- */

static int looks, slow_look;

/* While it is looked at for the n-th time, more time passes than the task wants to sleep. */
static int64_t slow_clock(void *context)
{
    int64_t now = (int64_t)uv_hrtime();

    (void)context;
    if (++looks == slow_look)
        while ((int64_t)uv_hrtime() < now + 8 * COIR_MILLISECOND)
            continue;
    return now;
}

static void *nap(void *arg)
{
    expect_ok(coir_sleep(3 * COIR_MILLISECOND));
    return arg;
}

START_TEST(a_sleep_ends_wherever_its_time_comes)
{
    const coir_exec_options opt = {.clock = slow_clock};

    for (slow_look = 1; slow_look <= 12; slow_look++) {
        looks = 0;
        expect_ok(coir_uv_run(nap, NULL, &opt, NULL));
    }
}
END_TEST

T_MAIN(a_conversation_goes_on_where_it_was_interrupted,
       a_server_survives_clients_that_vanish_anywhere,
       a_flood_arrives_whole_however_it_is_interrupted,
       no_connection_is_lost_by_an_interrupted_accept,
       looking_names_up_can_be_left_anywhere,
       what_is_done_to_a_file_is_done_or_not,
       work_is_done_or_not,
       datagrams_arrive_after_an_interrupted_receive,
       a_generator_may_read_and_be_interrupted,
       a_shutdown_tells_of_bytes_that_were_lost,
       the_end_comes_behind_what_a_write_has_left,
       a_sleep_ends_wherever_its_time_comes)
