/* SPDX-License-Identifier: MIT */
/* An executor and a loop: either runs both, neither starves the other, and each knows when nothing is left to do. */

#include "t.h"

#include <coir/uv.h>

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

static uv_loop_t loop;
static coir_exec *executor;
static char reported[4096];

static void keep_report(const char *text, void *context)
{
    (void)context;
    if (strlen(reported) + strlen(text) < sizeof reported)
        strcat(reported, text);
}

static void begin_with(const coir_exec_options *opt)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(coir_uv_exec_create(&executor, &loop, opt), COIR_OK);
    ck_assert_ptr_nonnull(executor);
}

static void begin(void)
{
    begin_with(NULL);
}

static void close_loop(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void finish(void)
{
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_OK);
    close_loop();
}

static coir_task *spawn(coir_fn *fn, void *arg)
{
    coir_task *t = NULL;
    ck_assert_int_eq(coir_spawn(&t, executor, fn, arg, NULL), COIR_OK);
    return t;
}

static void start(coir_fn *fn, void *arg)
{
    ck_assert_int_eq(coir_spawn(NULL, executor, fn, arg, NULL), COIR_OK);
}

static void await(coir_task *t)
{
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
}

static void yield(void)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
}

static void cancel(coir_task *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
}

static void end(coir_wait *w, int code)
{
    ck_assert_int_eq(coir_wait_end(w, code), COIR_OK);
}

static int64_t far_away(void)
{
    return coir_now() + 3600 * COIR_SECOND;
}

/* Who runs the two. */
typedef enum {
    BY_EXECUTOR,   /* coir_exec_run */
    BY_LOOP,       /* uv_run, until it returns */
    BY_ITERATIONS, /* uv_run, one iteration at a time */
    BY_TURNS       /* now the one, now the other, and neither waits */
} way;

static bool is_done(void)
{
    return coir_exec_tasks(executor) == 0 && coir_exec_holds(executor) == 0;
}

static way leader;

static void serve(way by)
{
    leader = by;
    switch (by) {
    case BY_EXECUTOR:
        ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
        break;
    case BY_LOOP:
        uv_run(&loop, UV_RUN_DEFAULT);
        break;
    case BY_ITERATIONS:
        while (!is_done())
            ck_assert(uv_run(&loop, UV_RUN_ONCE) != 0 || is_done());
        break;
    case BY_TURNS:
        while (!is_done()) {
            ck_assert_int_ge(coir_exec_run_once_until(executor, 0), COIR_OK);
            uv_run(&loop, UV_RUN_NOWAIT);
        }
        break;
    }
    ck_assert(is_done());
}

/* What libuv calls last in an iteration has to say that it has given the executor something to do: closing callbacks,
 * and timers' with UV_RUN_ONCE. */
static void attend(void)
{
    ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
}

static void attend_after_timer(void)
{
    if (leader == BY_ITERATIONS)
        attend();
}

/* A case for each of them. */
#define IN_EACH_WAY(scenario)                                                                                       \
    START_TEST(scenario##_led_by_the_executor) { scenario(BY_EXECUTOR); } END_TEST                                  \
    START_TEST(scenario##_led_by_the_loop) { scenario(BY_LOOP); } END_TEST                                          \
    START_TEST(scenario##_led_by_single_iterations) { scenario(BY_ITERATIONS); } END_TEST                           \
    START_TEST(scenario##_led_by_both_in_turn) { scenario(BY_TURNS); } END_TEST

#define EACH_WAY(scenario)                                                                                          \
    scenario##_led_by_the_executor, scenario##_led_by_the_loop, scenario##_led_by_single_iterations,                \
        scenario##_led_by_both_in_turn

/* ---- errors ---- */

#define TELL(name, sentence)                                                                    \
    ck_assert_str_eq(coir_uv_strerror(COIR_UV_ERROR(UV_##name)), uv_strerror(UV_##name));       \
    ck_assert_str_eq(coir_uv_strerror(COIR_UV_ERROR(UV_##name)), sentence);                     \
    ck_assert_str_eq(coir_uv_errname(COIR_UV_ERROR(UV_##name)), #name);                         \
    ck_assert(COIR_UV_IS_ERROR(COIR_UV_ERROR(UV_##name)));                                      \
    ck_assert_int_lt(COIR_UV_ERROR(UV_##name), -10000);                                         \
    ck_assert_int_eq(COIR_UV_ERROR_OF(COIR_UV_ERROR(UV_##name)), UV_##name);

START_TEST(each_error_of_libuvs_has_its_name_and_sentence)
{
    UV_ERRNO_MAP(TELL)
}
END_TEST

#define TELL_OWN(name, value, sentence)                                       \
    ck_assert_str_eq(coir_uv_strerror(COIR_##name), sentence);                \
    ck_assert_str_eq(coir_uv_errname(COIR_##name), "COIR_" #name);            \
    ck_assert(!COIR_UV_IS_ERROR(COIR_##name));

START_TEST(each_error_of_coirs_has_its_name_and_sentence)
{
    COIR_ERROR_LIST(TELL_OWN)
}
END_TEST

START_TEST(numbers_that_are_no_errors_have_names_too)
{
    static const int codes[] = {0, 1, 77, INT_MAX, -16, -500, -1000, -5000, -9999, -10000};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        ck_assert_str_eq(coir_uv_strerror(codes[i]), coir_strerror(codes[i]));
        ck_assert_str_eq(coir_uv_errname(codes[i]), coir_errname(codes[i]));
        ck_assert(!COIR_UV_IS_ERROR(codes[i]));
    }
}
END_TEST

START_TEST(numbers_that_libuv_does_not_know_are_told_in_constant_strings)
{
    static const int codes[] = {-10001 - 7000, -13333, -20000, -999999, INT_MIN + 20000, INT_MIN};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const char *sentence = coir_uv_strerror(codes[i]), *name = coir_uv_errname(codes[i]);
        ck_assert_ptr_nonnull(sentence);
        ck_assert_ptr_nonnull(name);
        ck_assert_ptr_eq(coir_uv_strerror(codes[i]), sentence);
        ck_assert_ptr_eq(coir_uv_errname(codes[i]), name);
    }
}
END_TEST

/* ---- all in one ---- */

static void *return_it(void *arg)
{
    return arg;
}

START_TEST(a_run_returns_what_its_function_returned)
{
    const coir_exec_options defaults = {0};
    void *result = NULL;
    ck_assert_int_eq(coir_uv_run(return_it, T_VALUE(5), NULL, &result), COIR_OK);
    ck_assert_ptr_eq(result, T_VALUE(5));
    ck_assert_int_eq(coir_uv_run(return_it, T_VALUE(6), &defaults, &result), COIR_OK);
    ck_assert_ptr_eq(result, T_VALUE(6));
    ck_assert_int_eq(coir_uv_run(return_it, T_VALUE(7), NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_uv_run(return_it, NULL, NULL, &result), COIR_OK);
    ck_assert_ptr_null(result);
    ck_assert_ptr_null(coir_exec_current());
}
END_TEST

static int poll_nothing(void *context, int64_t when)
{
    (void)context;
    (void)when;
    return COIR_OK;
}

static void wake_nobody(void *context)
{
    (void)context;
}

static int is_not_active(void *context)
{
    (void)context;
    return 0;
}

static const coir_poller own_poller = {poll_nothing, wake_nobody, is_not_active, NULL};

static int64_t fast_clock(void *context)
{
    (void)context;
    return (int64_t)(uv_hrtime() / 16 * 1000);
}

static const coir_exec_options bad_options[] = {{.poller = &own_poller},
                                                {.flags = COIR_VIRTUAL_CLOCK},
                                                {.flags = 2},
                                                {.reserved_flags = 1},
                                                {.clock = fast_clock, .flags = COIR_VIRTUAL_CLOCK},
                                                {.reserved = {NULL, NULL, NULL, &loop}}};

enum { BAD_OPTIONS = sizeof bad_options / sizeof bad_options[0] };

START_TEST(a_run_refuses_bad_arguments)
{
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_uv_run(NULL, NULL, NULL, &result), COIR_EINVAL);
    for (int i = 0; i < BAD_OPTIONS; i++)
        ck_assert_int_eq(coir_uv_run(note_and_return, "ran", &bad_options[i], &result), COIR_EINVAL);
    ck_assert_ptr_eq(result, T_VALUE(99));
    ck_assert_str_eq(events, "");
}
END_TEST

START_TEST(without_a_backend_nothing_is_run)
{
    void *result = T_VALUE(99);
    coir_exec *e = T_VALUE(98);
    t_setenv("COIR_BACKEND", "quantum");
    ck_assert_int_eq(coir_uv_run(note_and_return, "ran", NULL, &result), COIR_ENOTSUP);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(coir_uv_exec_create(&e, &loop, NULL), COIR_ENOTSUP);
    close_loop();
    ck_assert_ptr_eq(e, T_VALUE(98));
    ck_assert_ptr_eq(result, T_VALUE(99));
    ck_assert_str_eq(events, "");
}
END_TEST

static void *note_later(void *text)
{
    ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
    event(text);
    return text;
}

static void *spawn_some_and_return(void *arg)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(coir_spawn(NULL, NULL, note_later, "x", NULL), COIR_OK);
    event("first ");
    return arg;
}

START_TEST(a_run_lasts_until_no_task_is_left)
{
    void *result = NULL;
    ck_assert_int_eq(coir_uv_run(spawn_some_and_return, T_VALUE(5), NULL, &result), COIR_OK);
    ck_assert_ptr_eq(result, T_VALUE(5));
    ck_assert_str_eq(events, "first xxx");
}
END_TEST

static int depth;

static void *run_in_a_task(void *arg)
{
    void *result = NULL;
    coir_exec *outer = coir_exec_current();
    uv_loop_t *outer_loop = coir_uv_loop(NULL);
    ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
    if (T_NUMBER(arg) > 0) {
        ck_assert_int_eq(coir_uv_run(run_in_a_task, T_VALUE(T_NUMBER(arg) - 1), NULL, &result), COIR_OK);
        depth++;
    }
    ck_assert_ptr_eq(coir_exec_current(), outer);
    ck_assert_ptr_eq(coir_uv_loop(NULL), outer_loop);
    ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
    return result;
}

START_TEST(a_run_may_be_in_a_task_of_another)
{
    const coir_exec_options virtual_time = {.flags = COIR_VIRTUAL_CLOCK};
    coir_exec *e;
    ck_assert_int_eq(coir_uv_run(run_in_a_task, T_VALUE(3), NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_create(&e, &virtual_time), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, run_in_a_task, T_VALUE(1), NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_int_eq(depth, 4);
}
END_TEST

static void *run_in_a_fiber(void *arg)
{
    void *result = NULL;
    ck_assert_int_eq(coir_uv_run(note_later, arg, NULL, &result), COIR_OK);
    return result;
}

START_TEST(a_run_may_be_in_a_fiber_or_thread)
{
    void *result = NULL;
    coir_fiber *f = t_create(run_in_a_fiber, "f");
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_str_eq(result, "f");
    t_on_thread(run_in_a_fiber, "t");
    ck_assert_str_eq(events, "ft");
}
END_TEST

static void *park_until_cancelled(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep(0), COIR_ECANCELED);
    event(text);
    return text;
}

static void *spawn_some_that_park(void *arg)
{
    const coir_options name = {.name = "poor_one"};
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(coir_spawn(NULL, NULL, park_until_cancelled, "p", &name), COIR_OK);
    return arg;
}

START_TEST(a_run_that_cannot_go_on_reports_and_cancels)
{
    const coir_exec_options opt = {.report = keep_report};
    ck_assert_int_eq(coir_uv_run(spawn_some_that_park, NULL, &opt, NULL), COIR_EDEADLK);
    ck_assert_str_eq(events, "pp");
    ck_assert_ptr_nonnull(strstr(reported, "poor_one"));
    reported[0] = '\0';
    ck_assert_int_eq(coir_uv_run(park_until_cancelled, "q", &opt, NULL), COIR_EDEADLK);
    ck_assert_str_eq(events, "ppq");
}
END_TEST

static void *sleep_under_a_shield(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    coir_task_shield(1);
    ck_assert_int_eq(coir_sleep(3 * COIR_MILLISECOND), COIR_OK);
    ck_assert_int_eq(coir_uv_work(return_it, NULL, NULL), COIR_OK);
    event(text);
    return text;
}

static void *stop_with_a_task_left(void *fn)
{
    ck_assert_int_eq(coir_spawn(NULL, NULL, *(coir_fn **)fn, "s", NULL), COIR_OK);
    yield();
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    return NULL;
}

START_TEST(a_run_waits_for_what_is_cleaned_up_under_a_shield)
{
    coir_fn *fn = sleep_under_a_shield;
    const coir_exec_options opt = {.report = keep_report};
    ck_assert_int_eq(coir_uv_run(sleep_under_a_shield, "d", &opt, NULL), COIR_EDEADLK);
    ck_assert_int_eq(coir_uv_run(stop_with_a_task_left, &fn, &opt, NULL), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "ds");
}
END_TEST

START_TEST(a_run_that_is_stopped_cancels_what_is_left)
{
    coir_fn *fn = park_until_cancelled;
    ck_assert_int_eq(coir_uv_run(stop_with_a_task_left, &fn, NULL, NULL), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "s");
}
END_TEST

static void *park_and_stop(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    event(text);
    return text;
}

static void *stop_with_tasks_that_stop(void *arg)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(coir_spawn(NULL, NULL, park_and_stop, "s", NULL), COIR_OK);
    yield();
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    return arg;
}

START_TEST(a_run_that_is_stopped_again_by_what_it_cancels_comes_to_its_end)
{
    ck_assert_int_eq(coir_uv_run(stop_with_tasks_that_stop, NULL, NULL, NULL), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "sss");
}
END_TEST

static void *sleep_for_ever(void *text)
{
    ck_assert_int_eq(coir_sleep(3600 * COIR_SECOND), COIR_ECANCELED);
    event(text);
    return text;
}

START_TEST(a_run_that_is_stopped_does_not_wait_for_sleepers)
{
    coir_fn *fn = sleep_for_ever;
    ck_assert_int_eq(coir_uv_run(stop_with_a_task_left, &fn, NULL, NULL), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "s");
}
END_TEST

static void *park_under_a_shield(void *arg)
{
    coir_task_shield(1);
    coir_task_park();
    event("never");
    return arg;
}

static void leave_one_behind(void *arg)
{
    const coir_exec_options opt = {.report = keep_report};
    void *result = NULL;
    (void)arg;
    if (coir_uv_run(park_under_a_shield, NULL, &opt, NULL) != COIR_EDEADLK)
        t_exit(1);
    if (coir_uv_run(return_it, T_VALUE(4), NULL, &result) != COIR_OK || result != T_VALUE(4)) /* the next is as any */
        t_exit(2);
    t_exit(strcmp(events, "") == 0 ? 0 : 3);
}

/* In a process that ends before anything looks for memory that is lost. */
START_TEST(a_run_leaves_behind_who_waits_for_ever_under_a_shield)
{
    if (t_instrumented())
        T_SKIP("memory is left behind");
    ck_assert_int_eq(t_run_in_child(leave_one_behind, NULL), 0);
}
END_TEST

/* ---- what is left open ---- */

static struct sockaddr_in local_address(coir_uv_stream *listener)
{
    struct sockaddr_in address;
    int size = sizeof address;
    memset(&address, 0, sizeof address);
    if (listener != NULL) {
        const uv_tcp_t *handle = (const uv_tcp_t *)(const void *)coir_uv_stream_handle(listener);
        ck_assert_int_eq(uv_tcp_getsockname(handle, (struct sockaddr *)&address, &size), 0);
    } else {
        ck_assert_int_eq(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    }
    return address;
}

static coir_uv_stream *listen_somewhere(void)
{
    struct sockaddr_in address = local_address(NULL);
    coir_uv_stream *listener = NULL;
    ck_assert_int_eq(coir_uv_tcp_listen(&listener, (struct sockaddr *)&address, 8), COIR_OK);
    return listener;
}

static void connect_to(coir_uv_stream *listener, coir_uv_stream **ours, coir_uv_stream **theirs)
{
    struct sockaddr_in address = local_address(listener);
    ck_assert_int_eq(coir_uv_tcp_connect(ours, (struct sockaddr *)&address), COIR_OK);
    ck_assert_int_eq(coir_uv_accept(listener, theirs), COIR_OK);
}

static uv_timer_t left_timer;

static void *leave_things_open(void *arg)
{
    struct sockaddr_in address = local_address(NULL);
    coir_uv_stream *listener = listen_somewhere(), *ours, *theirs, *pipe_stream;
    coir_uv_udp *udp;
    coir_uv_signal *s;
    connect_to(listener, &ours, &theirs);
    ck_assert_int_eq(coir_uv_write(ours, "unread", 6), COIR_OK);
    ck_assert_int_eq(coir_uv_close(theirs), COIR_OK);
    ck_assert_int_eq(coir_uv_pipe_create(&pipe_stream), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_create(&udp, (struct sockaddr *)&address, 0), COIR_OK);
    ck_assert_int_eq(coir_uv_signal_create(&s, SIGINT), COIR_OK);
    return arg;
}

static uv_file next_descriptor(void)
{
    char path[4096];
    size_t size = sizeof path;
    uv_fs_t r;
    ck_assert_int_eq(uv_exepath(path, &size), 0);
    uv_file f = uv_fs_open(NULL, &r, path, UV_FS_O_RDONLY, 0, NULL);
    uv_fs_req_cleanup(&r);
    ck_assert_int_ge(f, 0);
    ck_assert_int_eq(uv_fs_close(NULL, &r, f, NULL), 0);
    uv_fs_req_cleanup(&r);
    return f;
}

START_TEST(what_tasks_leave_open_is_closed_with_the_run)
{
    void *result = NULL;
    uv_file before = -1;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(coir_uv_run(leave_things_open, T_VALUE(2), NULL, &result), COIR_OK);
        ck_assert_ptr_eq(result, T_VALUE(2));
        if (i == 0) /* libuv itself keeps some from now on */
            before = next_descriptor();
    }
    ck_assert_int_eq(next_descriptor(), before);
}
END_TEST

static void do_nothing(uv_timer_t *t)
{
    (void)t;
}

static void *leave_a_timer(void *arg)
{
    ck_assert_int_eq(uv_timer_init(coir_uv_loop(NULL), &left_timer), 0);
    ck_assert_int_eq(uv_timer_start(&left_timer, do_nothing, 3600000, 0), 0);
    return arg;
}

START_TEST(a_run_ends_though_libuvs_own_handles_are_left)
{
    void *result = NULL;
    ck_assert_int_eq(coir_uv_run(leave_a_timer, T_VALUE(2), NULL, &result), COIR_OK);
    ck_assert_ptr_eq(result, T_VALUE(2));
}
END_TEST

static void *leave_things_open_and_stop(void *arg)
{
    leave_things_open(NULL);
    ck_assert_int_eq(coir_spawn(NULL, NULL, park_until_cancelled, "p", NULL), COIR_OK);
    yield();
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    return arg;
}

START_TEST(what_is_open_when_a_run_is_stopped_is_closed)
{
    ck_assert_int_eq(coir_uv_run(leave_things_open_and_stop, NULL, NULL, NULL), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "p");
}
END_TEST

/* ---- making and destroying ---- */

START_TEST(bad_arguments_make_no_executor_and_leave_the_loop_as_it_was)
{
    coir_exec *e = T_VALUE(99);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(coir_uv_exec_create(NULL, &loop, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_exec_create(&e, NULL, NULL), COIR_EINVAL);
    for (int i = 0; i < BAD_OPTIONS; i++)
        ck_assert_int_eq(coir_uv_exec_create(&e, &loop, &bad_options[i]), COIR_EINVAL);
    ck_assert_ptr_eq(e, T_VALUE(99));
    close_loop();
}
END_TEST

START_TEST(options_are_not_needed_after_the_call)
{
    coir_exec_options opt = {.report = keep_report};
    begin_with(&opt);
    memset(&opt, 0xff, sizeof opt);
    start(note_and_return, "a");
    serve(BY_LOOP);
    finish();
    ck_assert_str_eq(events, "a");
}
END_TEST

static void *ask_for_the_loop(void *arg)
{
    ck_assert_ptr_eq(coir_uv_loop(NULL), arg);
    return arg;
}

START_TEST(an_executor_knows_its_loop)
{
    coir_exec *plain;
    begin();
    ck_assert_ptr_eq(coir_uv_loop(executor), &loop);
    ck_assert_ptr_null(coir_uv_loop(NULL));
    ck_assert_int_eq(coir_exec_create(&plain, NULL), COIR_OK);
    ck_assert_ptr_null(coir_uv_loop(plain));
    ck_assert_int_eq(coir_spawn(NULL, plain, ask_for_the_loop, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(plain), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(plain), COIR_OK);
    start(ask_for_the_loop, &loop);
    serve(BY_EXECUTOR);
    start(ask_for_the_loop, &loop);
    ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
    serve(BY_LOOP);
    finish();
}
END_TEST

START_TEST(what_has_no_loop_is_neither_destroyed_nor_attended_to)
{
    coir_exec *plain;
    const coir_exec_options with_a_poller = {.poller = &own_poller};
    ck_assert_int_eq(coir_uv_exec_destroy(NULL), COIR_OK);
    ck_assert_int_eq(coir_uv_exec_attend(NULL), COIR_EINVAL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coir_exec_create(&plain, i == 0 ? NULL : &with_a_poller), COIR_OK);
        ck_assert_int_eq(coir_uv_exec_destroy(plain), COIR_EINVAL);
        ck_assert_int_eq(coir_uv_exec_attend(plain), COIR_EINVAL);
        ck_assert_ptr_null(coir_uv_loop(plain));
        ck_assert_int_eq(coir_exec_destroy(plain), COIR_OK);
    }
}
END_TEST

static void *call_on_another_thread(void *arg)
{
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_ETHREAD);
    return arg;
}

START_TEST(an_executor_belongs_to_its_thread)
{
    begin();
    t_on_thread(call_on_another_thread, NULL);
    finish();
}
END_TEST

static void count_handle(uv_handle_t *handle, void *count)
{
    ck_assert(uv_is_closing(handle));
    ++*(int *)count;
}

START_TEST(after_the_destroy_five_handles_close_with_the_next_iteration)
{
    int count = 0;
    begin();
    start(note_later, "a");
    serve(BY_LOOP);
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_OK);
    uv_walk(&loop, count_handle, &count);
    ck_assert_int_eq(count, 5);
    ck_assert_int_eq(uv_loop_close(&loop), UV_EBUSY);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

START_TEST(an_executor_may_be_destroyed_without_having_run)
{
    begin();
    finish();
    begin(); /* and made again */
    start(note_later, "a");
    serve(BY_EXECUTOR);
    finish();
    ck_assert_str_eq(events, "a");
}
END_TEST

START_TEST(a_loop_may_have_one_executor_after_another)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(coir_uv_exec_create(&executor, &loop, NULL), COIR_OK);
        start(note_later, "a");
        serve(i % 2 == 0 ? BY_EXECUTOR : BY_LOOP);
        ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_OK);
    }
    close_loop();
    ck_assert_str_eq(events, "aaaaa");
}
END_TEST

static void *destroy_from_within(void *arg)
{
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
    return arg;
}

static void note_post(void *text)
{
    event(text);
}

START_TEST(an_executor_that_is_in_use_is_not_destroyed)
{
    begin();
    coir_task *t = spawn(destroy_from_within, NULL);
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
    await(t);
    ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_release(executor), COIR_OK);
    ck_assert_int_eq(coir_exec_post(executor, note_post, "posted"), COIR_OK);
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
    serve(BY_EXECUTOR);
    finish();
    ck_assert_str_eq(events, "posted");
}
END_TEST

static coir_uv_stream *kept_stream;
static coir_uv_udp *kept_udp;
static coir_uv_signal *kept_signal;

static void *open_and_keep(void *arg)
{
    kept_stream = listen_somewhere();
    ck_assert_int_eq(coir_uv_udp_create(&kept_udp, NULL, 0), COIR_OK);
    ck_assert_int_eq(coir_uv_signal_create(&kept_signal, SIGINT), COIR_OK);
    return arg;
}

START_TEST(an_executor_whose_things_are_left_is_not_destroyed)
{
    begin();
    await(spawn(open_and_keep, NULL));
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_close(kept_stream), COIR_OK); /* closed is not destroyed */
    ck_assert_int_eq(coir_uv_udp_destroy(kept_udp), COIR_OK);
    ck_assert_int_eq(coir_uv_signal_destroy(kept_signal), COIR_OK);
    ck_assert_int_eq(coir_uv_exec_destroy(executor), COIR_EBUSY);
    start(note_later, "a"); /* it is as it was */
    serve(BY_EXECUTOR);
    ck_assert_int_eq(coir_uv_destroy(kept_stream), COIR_OK);
    finish();
    ck_assert_str_eq(events, "a");
}
END_TEST

/* ---- the same, whoever leads ---- */

static int64_t time_begins;
static bool time_passes;

/* Stands still until all sleep, however long they are kept from it. */
static int64_t clock_that_is_started(void *context)
{
    (void)context;
    return time_passes ? (int64_t)uv_hrtime() : time_begins;
}

static void *start_clock(void *arg)
{
    time_passes = true;
    return arg;
}

static void *note_after(void *arg)
{
    ck_assert_int_eq(coir_sleep(T_NUMBER(arg) * 5 * COIR_MILLISECOND), COIR_OK);
    event(T_NUMBER(arg) == 1 ? "1" : T_NUMBER(arg) == 2 ? "2" : "3");
    return NULL;
}

static void sleepers_wake_in_order(way by)
{
    const coir_exec_options opt = {.clock = clock_that_is_started};
    time_begins = (int64_t)uv_hrtime();
    begin_with(&opt);
    start(note_after, T_VALUE(3));
    start(note_after, T_VALUE(1));
    start(note_after, T_VALUE(2));
    start(start_clock, NULL);
    serve(by);
    ck_assert_int_ge(coir_exec_now(executor), time_begins + 15 * COIR_MILLISECOND);
    finish();
    ck_assert_str_eq(events, "123");
}

IN_EACH_WAY(sleepers_wake_in_order)

static void *sleep_at_random(void *arg)
{
    for (int i = 0; i < 5; i++) {
        int64_t begun = coir_now(), duration = (T_NUMBER(arg) * 7919 + i * 104729) % 3000 * COIR_MICROSECOND;
        ck_assert_int_eq(coir_sleep(duration), COIR_OK);
        ck_assert_int_ge(coir_now() - begun, duration);
    }
    depth++;
    return NULL;
}

static void many_sleep(way by)
{
    begin();
    for (int i = 0; i < 100; i++)
        start(sleep_at_random, T_VALUE(i));
    serve(by);
    finish();
    ck_assert_int_eq(depth, 100);
}

IN_EACH_WAY(many_sleep)

static coir_sem *semaphore;

static void *wait_until_deadlines(void *arg)
{
    coir_wait w = {0};
    int64_t deadline = coir_now() + 2 * COIR_MILLISECOND;
    ck_assert_int_eq(coir_task_park_until(deadline), COIR_ETIMEDOUT);
    ck_assert_int_ge(coir_now(), deadline);
    ck_assert_int_eq(coir_sem_wait_until(semaphore, coir_now() + 1), COIR_ETIMEDOUT);
    deadline = coir_now() + 1500 * COIR_MICROSECOND;
    ck_assert_int_eq(coir_wait_for_until(&w, deadline), COIR_ETIMEDOUT);
    ck_assert_int_ge(coir_now(), deadline);
    ck_assert_int_eq(coir_wait_for_until(&w, 0), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_sleep_until(0), COIR_OK);
    ck_assert_int_eq(coir_sleep(-5), COIR_OK);
    event("done");
    return arg;
}

static void deadlines_come(way by)
{
    begin();
    ck_assert_int_eq(coir_sem_create(&semaphore, 0), COIR_OK);
    start(wait_until_deadlines, NULL);
    serve(by);
    ck_assert_int_eq(coir_sem_destroy(semaphore), COIR_OK);
    finish();
    ck_assert_str_eq(events, "done");
}

IN_EACH_WAY(deadlines_come)

static coir_task *parked;

static void *park_until_far_deadlines(void *arg)
{
    static const int64_t distant[] = {INT64_MAX - 1, INT64_MAX / 2, INT64_C(1) << 53, COIR_FOREVER};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(coir_task_park_until(distant[i]), COIR_OK);
    event("woken");
    parked = NULL;
    return arg;
}

static void *wake_after_a_while(void *arg)
{
    while (parked != NULL) {
        ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
        if (parked != NULL)
            ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    }
    return arg;
}

static void far_deadlines_do_not_come(way by)
{
    begin();
    parked = spawn(park_until_far_deadlines, NULL);
    ck_assert_int_eq(coir_task_detach(parked), COIR_OK);
    start(wake_after_a_while, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "woken");
}

IN_EACH_WAY(far_deadlines_do_not_come)

/* ---- libuv's own handles ---- */

typedef struct {
    uv_timer_t timer;
    coir_wait wait;
} own_timer;

static void end_its_wait(uv_timer_t *t)
{
    ck_assert_ptr_null(coir_task_self());
    end(&((own_timer *)t->data)->wait, 7);
    attend_after_timer();
}

static void end_wait_of_close(uv_handle_t *h)
{
    end((coir_wait *)h->data, 8);
    attend();
}

static void close_and_wait(uv_handle_t *h)
{
    coir_wait closed = {.what = "closes a handle"};
    h->data = &closed;
    uv_close(h, end_wait_of_close);
    ck_assert_int_eq(coir_wait_for(&closed), 8);
}

static void *use_a_timer(void *arg)
{
    own_timer own;
    memset(&own, 0, sizeof own);
    ck_assert_int_eq(uv_timer_init(&loop, &own.timer), 0);
    own.timer.data = &own;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(uv_timer_start(&own.timer, end_its_wait, (uint64_t)i, 0), 0);
        ck_assert_int_eq(coir_wait_for_until(&own.wait, far_away()), 7);
        event("t");
    }
    close_and_wait((uv_handle_t *)&own.timer);
    return arg;
}

static void a_task_waits_for_callbacks(way by)
{
    begin();
    start(use_a_timer, NULL);
    start(use_a_timer, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "tttttt");
}

IN_EACH_WAY(a_task_waits_for_callbacks)

static uv_timer_t program_timer;
static int fired;

static void *wake_the_parked(void *arg)
{
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    return arg;
}

/* The program's own timer, which knows nothing of the task that waits. */
static void spawn_and_wake(uv_timer_t *t)
{
    if (fired == 3 && strstr(events, "once ") == NULL)
        return; /* the wake before has not been used up yet */
    fired++;
    attend_after_timer();
    if (fired == 1)
        start(note_and_return, "spawned ");
    if (fired == 2)
        start(note_later, "later ");
    if (fired == 3)
        start(wake_the_parked, NULL);
    if (fired == 4) {
        ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
        ck_assert_int_eq(coir_exec_post(executor, note_post, "posted "), COIR_OK);
        uv_close((uv_handle_t *)t, NULL);
    }
}

static void *park_twice(void *arg)
{
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    event("once ");
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    while (strstr(events, "posted ") == NULL)
        ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
    event("twice ");
    return arg;
}

static void callbacks_spawn_wake_and_post(way by)
{
    begin();
    ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
    ck_assert_int_eq(uv_timer_start(&program_timer, spawn_and_wake, 1, 10), 0);
    parked = spawn(park_twice, NULL);
    ck_assert_int_eq(coir_task_detach(parked), COIR_OK);
    serve(by);
    finish();
    ck_assert_ptr_nonnull(strstr(events, "spawned "));
    ck_assert_ptr_nonnull(strstr(events, "later "));
    ck_assert_ptr_nonnull(strstr(events, "once "));
    ck_assert_ptr_nonnull(strstr(events, "posted twice "));
}

IN_EACH_WAY(callbacks_spawn_wake_and_post)

static uv_prepare_t prepare;
static uv_check_t check;
static uv_idle_t idle;
static int spins, prepared, checked;

static void count_prepare(uv_prepare_t *h)
{
    (void)h;
    prepared++;
}

static void count_check(uv_check_t *h)
{
    (void)h;
    checked++;
}

static void count_spin(uv_idle_t *h)
{
    (void)h;
    if (++spins == 3)
        start(note_later, "spawned ");
}

static void *wait_for_spins(void *arg)
{
    while (spins < 50)
        yield();
    ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
    while (spins < 100)
        ck_assert_int_eq(coir_sleep(0), COIR_OK);
    event("over ");
    close_and_wait((uv_handle_t *)&idle);
    close_and_wait((uv_handle_t *)&prepare);
    close_and_wait((uv_handle_t *)&check);
    return arg;
}

/* The loop has always something to do, and the tasks too. */
static void neither_tasks_nor_idle_handles_starve(way by)
{
    begin();
    ck_assert_int_eq(uv_idle_init(&loop, &idle), 0);
    ck_assert_int_eq(uv_idle_start(&idle, count_spin), 0);
    ck_assert_int_eq(uv_prepare_init(&loop, &prepare), 0);
    ck_assert_int_eq(uv_prepare_start(&prepare, count_prepare), 0);
    ck_assert_int_eq(uv_check_init(&loop, &check), 0);
    ck_assert_int_eq(uv_check_start(&check, count_check), 0);
    start(wait_for_spins, NULL);
    serve(by);
    finish();
    ck_assert_int_ge(spins, 100);
    ck_assert_int_ge(prepared, 1);
    ck_assert_int_ge(checked, 1);
    ck_assert_ptr_nonnull(strstr(events, "over "));
    ck_assert_ptr_nonnull(strstr(events, "spawned "));
}

IN_EACH_WAY(neither_tasks_nor_idle_handles_starve)

/* Handles whose callbacks end a wait when they are wanted to, once: those that were there before the executor, and
 * those that came later. Something far away keeps the loop alive, so that it would sleep if it knew of nothing. */
typedef struct {
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    coir_wait wait;
    int wanted; /* an enum kind */
} set_of_handles;

enum kind { NONE, PREPARE, CHECK, IDLE, TIMER, LAST_KIND = TIMER };

static set_of_handles earlier, later;

static void called(set_of_handles *set, enum kind kind)
{
    if (set->wanted != (int)kind)
        return;
    set->wanted = NONE;
    end(&set->wait, (int)kind);
}

/* The earlier one comes after the executor's own, as the last before the loop sleeps. */
static void on_prepare(uv_prepare_t *h)
{
    called(h->data, PREPARE);
    if (h->data == &earlier)
        attend();
}

static void on_check(uv_check_t *h)
{
    called(h->data, CHECK);
}

static void on_idle(uv_idle_t *h)
{
    uv_idle_stop(h);
    called(h->data, IDLE);
}

static void on_timer(uv_timer_t *h)
{
    called(h->data, TIMER);
    attend_after_timer();
}

static void open_set(set_of_handles *set)
{
    memset(set, 0, sizeof *set);
    uv_prepare_init(&loop, &set->prepare);
    uv_check_init(&loop, &set->check);
    uv_idle_init(&loop, &set->idle);
    uv_timer_init(&loop, &set->timer);
    set->prepare.data = set->check.data = set->idle.data = set->timer.data = set;
    uv_prepare_start(&set->prepare, on_prepare);
    uv_check_start(&set->check, on_check);
}

static void close_set(set_of_handles *set)
{
    uv_close((uv_handle_t *)&set->prepare, NULL);
    uv_close((uv_handle_t *)&set->check, NULL);
    uv_close((uv_handle_t *)&set->idle, NULL);
    uv_close((uv_handle_t *)&set->timer, NULL);
}

static void close_sets(void)
{
    close_set(&earlier);
    close_set(&later);
    uv_close((uv_handle_t *)&program_timer, NULL);
    event("all");
}

static void want(set_of_handles *set, enum kind kind)
{
    set->wanted = (int)kind;
    if (kind == IDLE)
        uv_idle_start(&set->idle, on_idle);
    /* A check is called when something else has happened; so is a prepare which the loop, while it leads, calls before
     * the executor's, in which this task runs. */
    if (kind == CHECK || kind == TIMER || (kind == PREPARE && set == &later && leader != BY_EXECUTOR))
        uv_timer_start(&set->timer, on_timer, 1, 1);
    ck_assert_int_eq(coir_wait_for(&set->wait), (int)kind);
    uv_timer_stop(&set->timer);
}

static void *want_all_kinds(void *arg)
{
    for (int i = 0; i < 3; i++)
        for (int kind = 1; kind <= LAST_KIND; kind++) {
            if (kind != PREPARE)
                want(&earlier, (enum kind)kind);
            want(&later, (enum kind)kind);
        }
    close_sets();
    return arg;
}

/* It is called after the executor's own, as the last before the loop sleeps. */
static void *want_the_earlier_prepare(void *arg)
{
    for (int i = 0; i < 3; i++)
        want(&earlier, PREPARE);
    close_sets();
    return arg;
}

static void give_up_waiting(uv_timer_t *t)
{
    (void)t;
    ck_abort_msg("the loop slept while a task was ready");
}

static void use_handles(way by, coir_fn *fn)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    open_set(&earlier);
    ck_assert_int_eq(coir_uv_exec_create(&executor, &loop, NULL), COIR_OK);
    open_set(&later);
    ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
    ck_assert_int_eq(uv_timer_start(&program_timer, give_up_waiting, 60000, 0), 0);
    start(fn, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "all");
}

static void callbacks_of_all_kinds_wake_tasks(way by)
{
    use_handles(by, want_all_kinds);
}

IN_EACH_WAY(callbacks_of_all_kinds_wake_tasks)

static void a_prepare_callback_that_was_there_before_wakes_tasks(way by)
{
    use_handles(by, want_the_earlier_prepare);
}

IN_EACH_WAY(a_prepare_callback_that_was_there_before_wakes_tasks)

static void release_in_callback(uv_timer_t *t)
{
    (void)t;
    ck_assert_int_eq(coir_exec_release(executor), COIR_OK);
    attend_after_timer();
}

/* A timer that is due at once is called before the loop sleeps, another after. */
static void a_callback_may_release_the_last_hold(way by)
{
    for (uint64_t time = 0; time <= 3; time += 3) {
        begin();
        ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
        ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
        ck_assert_int_eq(uv_timer_start(&program_timer, release_in_callback, time, 0), 0);
        serve(by);
        uv_close((uv_handle_t *)&program_timer, NULL);
        finish();
    }
}

IN_EACH_WAY(a_callback_may_release_the_last_hold)

static void *park_until_cancelled_here(void *text)
{
    ck_assert_int_eq(coir_task_park_until(coir_now() + 3600 * COIR_SECOND), COIR_ECANCELED);
    event(text);
    return text;
}

static void cancel_in_callback(uv_timer_t *t)
{
    (void)t;
    ck_assert_int_eq(coir_exec_cancel(executor), COIR_OK);
    attend_after_timer();
}

static void a_callback_may_cancel_tasks(way by)
{
    for (uint64_t time = 0; time <= 3; time += 3) {
        begin();
        start(park_until_cancelled_here, "c");
        start(park_until_cancelled_here, "c");
        ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
        ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
        ck_assert_int_eq(uv_timer_start(&program_timer, cancel_in_callback, time, 0), 0);
        serve(by);
        uv_close((uv_handle_t *)&program_timer, NULL);
        finish();
    }
    ck_assert_str_eq(events, "cccc");
}

IN_EACH_WAY(a_callback_may_cancel_tasks)

/* ---- other threads ---- */

static uv_async_t async;

static void *send_later(void *arg)
{
    uv_sleep(5);
    ck_assert_int_eq(uv_async_send(&async), 0);
    return arg;
}

static coir_wait async_wait;

static void end_async_wait(uv_async_t *a)
{
    (void)a;
    end(&async_wait, 5);
}

static void *wait_for_async(void *arg)
{
    ck_assert_int_eq(coir_wait_for(&async_wait), 5);
    event("sent");
    close_and_wait((uv_handle_t *)&async);
    return arg;
}

static void another_thread_wakes_by_an_async_handle(way by)
{
    begin();
    ck_assert_int_eq(uv_async_init(&loop, &async, end_async_wait), 0);
    start(wait_for_async, NULL);
    t_thread *thread = t_thread_start(send_later, NULL);
    serve(by);
    t_thread_join(thread);
    finish();
    ck_assert_str_eq(events, "sent");
}

IN_EACH_WAY(another_thread_wakes_by_an_async_handle)

static int posts;

static void count_post(void *arg)
{
    (void)arg;
    ck_assert_ptr_null(coir_task_self());
    if (++posts % 5 == 0)
        start(note_and_return, "p");
}

static void release_hold(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_exec_release(executor), COIR_OK);
}

static void *post_many(void *arg)
{
    for (int i = 0; i < 10; i++) {
        if (i % 3 == 0)
            uv_sleep(2);
        ck_assert_int_eq(coir_exec_post(executor, count_post, NULL), COIR_OK);
    }
    ck_assert_int_eq(coir_exec_post(executor, release_hold, NULL), COIR_OK);
    return arg;
}

/* No task is there, so the loop sleeps until it is woken. */
static void posts_of_other_threads_wake_it(way by)
{
    t_thread *threads[3];
    begin();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
        threads[i] = t_thread_start(post_many, NULL);
    }
    serve(by);
    for (int i = 0; i < 3; i++)
        t_thread_join(threads[i]);
    finish();
    ck_assert_int_eq(posts, 30);
    ck_assert_str_eq(events, "pppppp");
}

IN_EACH_WAY(posts_of_other_threads_wake_it)

static void wake_parked(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    ck_assert_int_eq(coir_exec_release(executor), COIR_OK);
}

static void *post_a_wake(void *arg)
{
    uv_sleep(3);
    ck_assert_int_eq(coir_exec_post(executor, wake_parked, NULL), COIR_OK);
    return arg;
}

static void *hold_and_park(void *arg)
{
    parked = coir_task_self();
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
        t_thread *thread = t_thread_start(post_a_wake, NULL);
        ck_assert_int_eq(coir_task_park(), COIR_OK);
        t_thread_join(thread);
        event("w");
    }
    return arg;
}

static void a_hold_is_waited_for(way by)
{
    begin();
    start(hold_and_park, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "wwwww");
}

IN_EACH_WAY(a_hold_is_waited_for)

static void *sleep_a_little(void *arg)
{
    uv_sleep(2);
    return arg;
}

static void *work_a_little(void *arg)
{
    void *result = NULL;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(coir_uv_work(sleep_a_little, arg, &result), COIR_OK);
        ck_assert_ptr_eq(result, arg);
    }
    event("w");
    return arg;
}

static void work_is_waited_for(way by)
{
    begin();
    for (int i = 1; i <= 6; i++)
        start(work_a_little, T_VALUE(i));
    serve(by);
    finish();
    ck_assert_str_eq(events, "wwwwww");
}

IN_EACH_WAY(work_is_waited_for)

/* ---- tasks and I/O ---- */

static void *echo(void *stream)
{
    char data[100];
    int size;
    while ((size = coir_uv_read(stream, data, sizeof data)) > 0)
        ck_assert_int_eq(coir_uv_write(stream, data, (size_t)size), COIR_OK);
    ck_assert_int_eq(size, 0);
    ck_assert_int_eq(coir_uv_destroy(stream), COIR_OK);
    return NULL;
}

static bool talk_is_over;
static int yields, wanted_yields;

/* As long as somebody else wants to have it. */
static void *talk(void *arg)
{
    coir_uv_stream *listener = listen_somewhere(), *ours, *theirs;
    char back[6] = "";
    connect_to(listener, &ours, &theirs);
    start(echo, theirs);
    for (int i = 0; i < 50 || yields < wanted_yields; i++) {
        ck_assert_int_eq(coir_uv_write(ours, "hello", 5), COIR_OK);
        ck_assert_int_eq(coir_uv_read_all(ours, back, 5, NULL), COIR_OK);
        ck_assert_str_eq(back, "hello");
    }
    ck_assert_int_eq(coir_uv_destroy(ours), COIR_OK);
    ck_assert_int_eq(coir_uv_destroy(listener), COIR_OK);
    talk_is_over = true;
    event("t");
    return arg;
}

static void tasks_talk(way by)
{
    begin();
    for (int i = 0; i < 4; i++)
        start(talk, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "tttt");
}

IN_EACH_WAY(tasks_talk)

static void *yield_for_ever(void *arg)
{
    while (!talk_is_over) {
        yield();
        yields++;
    }
    return arg;
}

static void neither_tasks_nor_streams_starve(way by)
{
    begin();
    wanted_yields = 1000;
    start(yield_for_ever, NULL);
    start(talk, NULL);
    serve(by);
    ck_assert_int_ge(yields, 1000);
    finish();
}

IN_EACH_WAY(neither_tasks_nor_streams_starve)

static void *yield_until_posted(void *arg)
{
    while (posts < 10)
        yield();
    return arg;
}

static void *set_over(void *arg)
{
    ck_assert_int_eq(coir_sleep(2 * COIR_MILLISECOND), COIR_OK);
    ck_assert_int_eq(coir_uv_work(sleep_a_little, NULL, NULL), COIR_OK);
    talk_is_over = true;
    return arg;
}

static void a_task_that_yields_starves_neither_posts_nor_timers_nor_work(way by)
{
    begin();
    ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
    t_thread *thread = t_thread_start(post_many, NULL);
    start(yield_until_posted, NULL);
    start(yield_for_ever, NULL);
    start(set_over, NULL);
    serve(by);
    t_thread_join(thread);
    finish();
    ck_assert_int_eq(posts, 10);
}

IN_EACH_WAY(a_task_that_yields_starves_neither_posts_nor_timers_nor_work)

/* The program's seeds draw who is next: all must still be served. */
static void with_a_seed_all_goes_as_well(way by)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const coir_exec_options opt = {.seed = seed};
        begin_with(&opt);
        talk_is_over = false;
        yields = posts = 0;
        wanted_yields = 100;
        events[0] = '\0';
        start(yield_for_ever, NULL);
        start(talk, NULL);
        start(work_a_little, NULL);
        start(use_a_timer, NULL);
        serve(by);
        finish();
        ck_assert_uint_eq(strlen(events), 5);
    }
}

IN_EACH_WAY(with_a_seed_all_goes_as_well)

/* ---- clocks ---- */

static void *sleep_in_fast_time(void *arg)
{
    int64_t begun = coir_now();
    ck_assert_int_eq(coir_sleep(COIR_SECOND / 2), COIR_OK);
    ck_assert_int_ge(coir_now(), begun + COIR_SECOND / 2);
    ck_assert_int_eq(coir_task_park_until(coir_now() + COIR_SECOND / 5), COIR_ETIMEDOUT);
    event("slept");
    return arg;
}

static void a_clock_of_ones_own_sets_the_pace(way by)
{
    const coir_exec_options opt = {.clock = fast_clock};
    begin_with(&opt);
    start(sleep_in_fast_time, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "slept");
}

IN_EACH_WAY(a_clock_of_ones_own_sets_the_pace)

static int64_t slow_clock(void *context)
{
    (void)context;
    return (int64_t)(uv_hrtime() / 4);
}

static void *sleep_in_slow_time(void *arg)
{
    int64_t begun = coir_now();
    uint64_t truly = uv_hrtime();
    ck_assert_int_eq(coir_sleep(3 * COIR_MILLISECOND), COIR_OK);
    ck_assert_int_ge(coir_now(), begun + 3 * COIR_MILLISECOND);
    ck_assert_uint_ge(uv_hrtime() - truly, 11 * 1000000u);
    event("slept");
    return arg;
}

static void a_slow_clock_is_waited_for(way by)
{
    const coir_exec_options opt = {.clock = slow_clock};
    begin_with(&opt);
    start(sleep_in_slow_time, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "slept");
}

IN_EACH_WAY(a_slow_clock_is_waited_for)

/* As if the thread lost the processor, again and again, for longer than the sleep is to be. */
static int64_t clock_that_takes_its_time(void *context)
{
    (void)context;
    uv_sleep(3);
    return (int64_t)uv_hrtime();
}

static void *sleep_shortly(void *arg)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(coir_sleep(8 * COIR_MILLISECOND), COIR_OK);
    event("slept");
    return arg;
}

static void a_deadline_that_comes_before_the_loop_looks_is_not_missed(way by)
{
    const coir_exec_options opt = {.clock = clock_that_takes_its_time};
    begin_with(&opt);
    start(sleep_shortly, NULL);
    serve(by);
    finish();
    ck_assert_str_eq(events, "slept");
}

IN_EACH_WAY(a_deadline_that_comes_before_the_loop_looks_is_not_missed)

/* ---- when the loop leads ---- */

START_TEST(a_loop_without_tasks_has_nothing_to_run)
{
    begin();
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_alive(&loop), 0);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_ONCE), 0);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_NOWAIT), 0);
    finish();
}
END_TEST

static void *park_and_note(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    event(text);
    return text;
}

START_TEST(the_loop_ends_when_tasks_only_wait_for_each_other)
{
    const coir_exec_options opt = {.report = keep_report};
    begin_with(&opt);
    parked = spawn(park_and_note, "woken");
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_alive(&loop), 0);
    ck_assert_int_eq(coir_exec_tasks(executor), 1);
    ck_assert_int_eq(coir_task_state(parked), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK); /* as the executor sees it */
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
    ck_assert(uv_loop_alive(&loop));
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_str_eq(events, "woken");
    await(parked);
    finish();
}
END_TEST

START_TEST(a_loop_that_is_told_to_attend_runs_what_was_spawned)
{
    begin();
    for (int i = 0; i < 3; i++) {
        start(note_later, "a");
        ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
        ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        ck_assert_int_eq(coir_exec_tasks(executor), 0);
        ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK); /* for nothing */
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        ck_assert_int_eq(uv_loop_alive(&loop), 0);
    }
    finish();
    ck_assert_str_eq(events, "aaa");
}
END_TEST

START_TEST(before_its_first_iteration_the_loop_knows_of_tasks)
{
    begin();
    start(note_later, "a");
    ck_assert(uv_loop_alive(&loop));
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    finish();
    ck_assert_str_eq(events, "a");
}
END_TEST

static void spawn_once(uv_timer_t *t)
{
    start(note_later, "late");
    uv_close((uv_handle_t *)t, NULL);
}

START_TEST(a_callback_gives_work_to_an_executor_that_had_none)
{
    begin();
    ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
    ck_assert_int_eq(uv_timer_start(&program_timer, spawn_once, 10, 0), 0);
    start(note_and_return, "first ");
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(coir_exec_tasks(executor), 0);
    finish();
    ck_assert_str_eq(events, "first late");
}
END_TEST

static void spawn_in_close(uv_handle_t *h)
{
    (void)h;
    start(note_later, "closed");
    attend();
}

/* The last that an iteration does. */
START_TEST(a_closing_callback_gives_work_too)
{
    begin();
    ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
    uv_close((uv_handle_t *)&program_timer, spawn_in_close);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(coir_exec_tasks(executor), 0);
    finish();
    ck_assert_str_eq(events, "closed");
}
END_TEST

static void *stop_the_loop(void *arg)
{
    uv_stop(&loop);
    event("s");
    ck_assert_int_eq(coir_sleep(2 * COIR_MILLISECOND), COIR_OK);
    event("e");
    return arg;
}

static void *stop_the_loop_and_sleep(void *arg)
{
    uv_stop(&loop);
    event("s");
    sleep_for_ever("e");
    return arg;
}

START_TEST(uv_stop_ends_uv_run_and_all_goes_on_with_the_next)
{
    begin();
    coir_task *t = spawn(stop_the_loop_and_sleep, NULL);
    ck_assert_int_ne(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_str_eq(events, "s");
    cancel(t);
    ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_str_eq(events, "se");
    await(t);
    finish();
}
END_TEST

START_TEST(uv_stop_does_not_end_coir_exec_run)
{
    begin();
    start(stop_the_loop, NULL);
    start(talk, NULL);
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_uint_eq(strlen(events), 3);
    finish();
}
END_TEST

static void *stop_the_executor(void *arg)
{
    event("s");
    ck_assert_int_eq(coir_exec_stop(executor), COIR_OK);
    ck_assert_int_eq(coir_sleep(2 * COIR_MILLISECOND), COIR_OK);
    event("e");
    return arg;
}

START_TEST(coir_exec_stop_ends_coir_exec_run_and_all_goes_on_with_the_next)
{
    begin();
    start(stop_the_executor, NULL);
    ck_assert_int_eq(coir_exec_run(executor), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "s");
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_str_eq(events, "se");
    finish();
}
END_TEST

START_TEST(coir_exec_stop_does_not_end_uv_run)
{
    begin();
    start(stop_the_executor, NULL);
    start(talk, NULL);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(coir_exec_tasks(executor), 0);
    ck_assert_uint_eq(strlen(events), 3);
    finish();
}
END_TEST

static coir_uv_stream *kept_streams[2];

static void *connect_and_keep(void *arg)
{
    struct sockaddr_in address = local_address(NULL);
    coir_uv_stream *listener = listen_somewhere();
    connect_to(listener, &kept_streams[0], &kept_streams[1]);
    ck_assert_int_eq(coir_uv_destroy(listener), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_create(&kept_udp, (struct sockaddr *)&address, 0), COIR_OK);
    return arg;
}

START_TEST(sockets_that_nobody_uses_do_not_keep_the_loop_alive)
{
    const coir_exec_options opt = {.report = keep_report};
    begin_with(&opt);
    await(spawn(connect_and_keep, NULL));
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    parked = spawn(park_and_note, "woken");
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    await(parked);
    ck_assert_int_eq(coir_uv_destroy(kept_streams[0]), COIR_OK);
    ck_assert_int_eq(coir_uv_destroy(kept_streams[1]), COIR_OK);
    ck_assert_int_eq(coir_uv_udp_destroy(kept_udp), COIR_OK);
    finish();
}
END_TEST

static void *listen_and_keep(void *arg)
{
    kept_stream = listen_somewhere();
    return arg;
}

/* A connection may come, but there is nobody to whom it could come. */
START_TEST(a_listener_with_which_nobody_waits_does_not_keep_the_loop_alive)
{
    begin();
    await(spawn(listen_and_keep, NULL));
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ck_assert_int_eq(coir_uv_destroy(kept_stream), COIR_OK);
    finish();
}
END_TEST

static void *accept_until_cancelled(void *arg)
{
    coir_uv_stream *listener = listen_somewhere(), *s = NULL;
    ck_assert_int_eq(coir_uv_accept(listener, &s), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_destroy(listener), COIR_OK);
    return arg;
}

START_TEST(who_waits_for_io_keeps_the_loop_alive)
{
    begin();
    coir_task *t = spawn(accept_until_cancelled, NULL);
    for (int i = 0; i < 5; i++)
        ck_assert_int_ne(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ck_assert(uv_loop_alive(&loop));
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
    cancel(t);
    await(t);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    finish();
}
END_TEST

START_TEST(a_sleeper_and_a_hold_keep_the_loop_alive)
{
    begin();
    coir_task *t = spawn(sleep_for_ever, "x");
    for (int i = 0; i < 5; i++)
        ck_assert_int_ne(uv_run(&loop, UV_RUN_NOWAIT), 0);
    cancel(t);
    await(t);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(coir_exec_hold(executor), COIR_OK);
    ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
    for (int i = 0; i < 5; i++)
        ck_assert_int_ne(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ck_assert_int_eq(coir_exec_release(executor), COIR_OK);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    finish();
}
END_TEST

/* ---- when the executor leads ---- */

static void *count_turns(void *arg)
{
    for (int i = 0; i < 3; i++)
        yield();
    return arg;
}

START_TEST(a_turn_lets_the_loop_have_a_look)
{
    begin();
    ck_assert_int_eq(uv_idle_init(&loop, &idle), 0);
    ck_assert_int_eq(uv_idle_start(&idle, count_spin), 0);
    spins = 1000; /* so that it spawns nothing */
    start(count_turns, NULL);
    for (int i = 0; i < 3; i++) {
        int before = spins;
        ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
        ck_assert_int_gt(spins, before);
    }
    ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_OK);
    uv_close((uv_handle_t *)&idle, NULL);
    finish();
}
END_TEST

static void count_timer(uv_timer_t *t)
{
    if (++fired == 3)
        uv_close((uv_handle_t *)t, NULL);
}

/* As long as the loop is alive something could still happen, for all that the executor knows. */
START_TEST(a_loop_that_is_alive_is_no_deadlock)
{
    const coir_exec_options opt = {.report = keep_report};
    begin_with(&opt);
    ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
    ck_assert_int_eq(uv_timer_start(&program_timer, count_timer, 3, 3), 0);
    parked = spawn(park_and_note, "woken");
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_int_eq(fired, 3);
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    await(parked);
    finish();
}
END_TEST

static void stop_in_callback(uv_timer_t *t)
{
    (void)t;
    ck_assert_int_eq(coir_exec_stop(executor), COIR_OK);
}

START_TEST(a_callback_stops_the_executor_that_leads)
{
    for (uint64_t time = 0; time <= 3; time += 3) {
        begin();
        coir_task *t = spawn(sleep_for_ever, "x");
        ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
        ck_assert_int_eq(uv_timer_init(&loop, &program_timer), 0);
        ck_assert_int_eq(uv_timer_start(&program_timer, stop_in_callback, time, 0), 0);
        ck_assert_int_eq(coir_exec_run(executor), COIR_TASKS_LEFT);
        uv_close((uv_handle_t *)&program_timer, NULL);
        cancel(t);
        await(t);
        finish();
    }
}
END_TEST

START_TEST(a_turn_waits_for_the_loop_until_its_deadline)
{
    begin();
    coir_task *t = spawn(accept_until_cancelled, NULL);
    ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
    int64_t deadline = coir_exec_now(executor) + 5 * COIR_MILLISECOND;
    while (coir_exec_now(executor) < deadline)
        ck_assert_int_eq(coir_exec_run_once_until(executor, deadline), COIR_TASKS_LEFT);
    cancel(t);
    await(t);
    finish();
}
END_TEST

static void *run_from_within(void *arg)
{
    ck_assert_int_eq(coir_exec_run(executor), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_EBUSY);
    return arg;
}

START_TEST(a_task_cannot_run_its_executor)
{
    begin();
    start(run_from_within, NULL);
    serve(BY_EXECUTOR);
    finish();
}
END_TEST

/* ---- awaiting outside of tasks ---- */

START_TEST(an_await_outside_of_tasks_serves_the_loop)
{
    void *result = NULL;
    begin();
    for (int i = 0; i < 3; i++) {
        coir_task *t = spawn(talk, T_VALUE(i));
        ck_assert_int_eq(coir_await(t, &result), COIR_OK);
        ck_assert_ptr_eq(result, T_VALUE(i));
        await(spawn(use_a_timer, NULL));
        await(spawn(work_a_little, NULL));
        start(note_later, "l");
        ck_assert_int_eq(coir_uv_exec_attend(executor), COIR_OK);
        serve(BY_LOOP);
    }
    finish();
}
END_TEST

START_TEST(an_await_outside_of_tasks_has_deadlines)
{
    void *result = T_VALUE(99);
    begin();
    coir_task *t = spawn(accept_until_cancelled, T_VALUE(3));
    ck_assert_int_eq(coir_await_until(t, 0, &result), COIR_ETIMEDOUT);
    int64_t deadline = coir_exec_now(executor) + 3 * COIR_MILLISECOND;
    ck_assert_int_eq(coir_await_until(t, deadline, &result), COIR_ETIMEDOUT);
    ck_assert_int_ge(coir_exec_now(executor), deadline);
    ck_assert_ptr_eq(result, T_VALUE(99));
    cancel(t);
    ck_assert_int_eq(coir_await_until(t, COIR_FOREVER, &result), COIR_OK);
    ck_assert_ptr_eq(result, T_VALUE(3));
    finish();
}
END_TEST

/* ---- now the one, now the other ---- */

static void *sleep_and_talk(void *arg)
{
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
        ck_assert_int_eq(coir_uv_work(return_it, NULL, NULL), COIR_OK);
        uv_stop(&loop);
        ck_assert_int_eq(coir_exec_stop(executor), COIR_OK);
    }
    talk(arg);
    return arg;
}

START_TEST(who_leads_may_change_while_tasks_wait)
{
    int rounds = 0;
    begin();
    for (int i = 0; i < 3; i++)
        start(sleep_and_talk, NULL);
    while (coir_exec_tasks(executor) > 0) {
        if (rounds++ % 2 == 0)
            ck_assert_int_ge(coir_exec_run(executor), COIR_OK);
        else
            uv_run(&loop, UV_RUN_DEFAULT);
    }
    finish();
    ck_assert_str_eq(events, "ttt");
}
END_TEST

/* ---- two executors in one loop ---- */

static coir_exec *second;

static void *talk_in_the_second(void *arg)
{
    ck_assert_ptr_eq(coir_exec_current(), second);
    ck_assert_ptr_eq(coir_uv_loop(NULL), &loop);
    ck_assert_int_eq(coir_sleep(3 * COIR_MILLISECOND), COIR_OK);
    ck_assert_int_eq(coir_uv_work(return_it, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    event("second ");
    return arg;
}

static void *wait_for_the_second(void *arg)
{
    ck_assert_ptr_eq(coir_exec_current(), executor);
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    ck_assert_int_eq(coir_sleep(3 * COIR_MILLISECOND), COIR_OK);
    event("first ");
    return arg;
}

static void begin_two(void)
{
    begin();
    ck_assert_int_eq(coir_uv_exec_create(&second, &loop, NULL), COIR_OK);
    parked = spawn(wait_for_the_second, NULL);
    ck_assert_int_eq(coir_spawn(NULL, second, talk_in_the_second, NULL, NULL), COIR_OK);
}

static void finish_two(void)
{
    ck_assert_int_eq(coir_exec_tasks(second), 0);
    ck_assert_int_eq(coir_uv_exec_destroy(second), COIR_OK);
    finish();
    ck_assert_str_eq(events, "second first ");
}

START_TEST(a_loop_runs_two_executors)
{
    begin_two();
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    await(parked);
    finish_two();
}
END_TEST

START_TEST(an_executor_that_leads_has_the_loop_run_another)
{
    begin_two();
    await(parked);
    finish_two();
}
END_TEST

/* ---- SIGPIPE ---- */

#ifndef _WIN32

static void handle(int number)
{
    (void)number;
}

static void (*action_of(int number))(int)
{
    struct sigaction action;
    ck_assert_int_eq(sigaction(number, NULL, &action), 0);
    return action.sa_handler;
}

static void *write_to_nobody(void *arg)
{
    coir_uv_stream *listener = listen_somewhere(), *ours, *theirs;
    int result = COIR_OK;
    connect_to(listener, &ours, &theirs);
    ck_assert_int_eq(coir_uv_destroy(theirs), COIR_OK);
    for (int i = 0; i < 1000 && result == COIR_OK; i++) {
        result = coir_uv_write(ours, "hello", 5);
        ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
    }
    ck_assert(result == COIR_UV_ERROR(UV_EPIPE) || result == COIR_UV_ERROR(UV_ECONNRESET));
    ck_assert_int_eq(coir_uv_write(ours, "hello", 5), COIR_UV_ERROR(UV_EPIPE));
    ck_assert_int_eq(coir_uv_destroy(ours), COIR_OK);
    ck_assert_int_eq(coir_uv_destroy(listener), COIR_OK);
    event("alive");
    return arg;
}

#endif

START_TEST(a_write_to_nobody_does_not_end_the_process)
{
#ifdef _WIN32
    T_SKIP("Windows has no SIGPIPE");
#else
    signal(SIGPIPE, SIG_DFL);
    ck_assert_int_eq(coir_uv_run(write_to_nobody, NULL, NULL, NULL), COIR_OK);
    ck_assert_str_eq(events, "alive");
#endif
}
END_TEST

START_TEST(only_the_default_action_of_sigpipe_is_changed)
{
#ifdef _WIN32
    T_SKIP("Windows has no SIGPIPE");
#else
    signal(SIGPIPE, handle);
    begin();
    ck_assert(action_of(SIGPIPE) == handle);
    finish();
    signal(SIGPIPE, SIG_IGN);
    begin();
    ck_assert(action_of(SIGPIPE) == SIG_IGN);
    finish();
    signal(SIGPIPE, SIG_DFL);
    begin();
    ck_assert(action_of(SIGPIPE) == SIG_IGN);
    finish();
#endif
}
END_TEST

T_MAIN(each_error_of_libuvs_has_its_name_and_sentence, each_error_of_coirs_has_its_name_and_sentence,
       numbers_that_are_no_errors_have_names_too, numbers_that_libuv_does_not_know_are_told_in_constant_strings,
       a_run_returns_what_its_function_returned, a_run_refuses_bad_arguments, without_a_backend_nothing_is_run,
       a_run_lasts_until_no_task_is_left, a_run_may_be_in_a_task_of_another, a_run_may_be_in_a_fiber_or_thread,
       a_run_that_cannot_go_on_reports_and_cancels, a_run_waits_for_what_is_cleaned_up_under_a_shield,
       a_run_that_is_stopped_cancels_what_is_left, a_run_that_is_stopped_again_by_what_it_cancels_comes_to_its_end,
       a_run_that_is_stopped_does_not_wait_for_sleepers,
       a_run_leaves_behind_who_waits_for_ever_under_a_shield, what_tasks_leave_open_is_closed_with_the_run,
       a_run_ends_though_libuvs_own_handles_are_left, what_is_open_when_a_run_is_stopped_is_closed,
       bad_arguments_make_no_executor_and_leave_the_loop_as_it_was, options_are_not_needed_after_the_call,
       an_executor_knows_its_loop, what_has_no_loop_is_neither_destroyed_nor_attended_to,
       an_executor_belongs_to_its_thread, after_the_destroy_five_handles_close_with_the_next_iteration,
       an_executor_may_be_destroyed_without_having_run, a_loop_may_have_one_executor_after_another,
       an_executor_that_is_in_use_is_not_destroyed, an_executor_whose_things_are_left_is_not_destroyed,
       EACH_WAY(sleepers_wake_in_order), EACH_WAY(many_sleep), EACH_WAY(deadlines_come),
       EACH_WAY(far_deadlines_do_not_come), EACH_WAY(a_task_waits_for_callbacks),
       EACH_WAY(callbacks_spawn_wake_and_post), EACH_WAY(neither_tasks_nor_idle_handles_starve),
       EACH_WAY(callbacks_of_all_kinds_wake_tasks), EACH_WAY(a_prepare_callback_that_was_there_before_wakes_tasks),
       EACH_WAY(a_callback_may_release_the_last_hold),
       EACH_WAY(a_callback_may_cancel_tasks), EACH_WAY(another_thread_wakes_by_an_async_handle),
       EACH_WAY(posts_of_other_threads_wake_it),
       EACH_WAY(a_hold_is_waited_for), EACH_WAY(work_is_waited_for), EACH_WAY(tasks_talk),
       EACH_WAY(neither_tasks_nor_streams_starve),
       EACH_WAY(a_task_that_yields_starves_neither_posts_nor_timers_nor_work), EACH_WAY(with_a_seed_all_goes_as_well),
       EACH_WAY(a_clock_of_ones_own_sets_the_pace), EACH_WAY(a_slow_clock_is_waited_for),
       EACH_WAY(a_deadline_that_comes_before_the_loop_looks_is_not_missed),
       a_loop_without_tasks_has_nothing_to_run, the_loop_ends_when_tasks_only_wait_for_each_other,
       a_loop_that_is_told_to_attend_runs_what_was_spawned, before_its_first_iteration_the_loop_knows_of_tasks,
       a_callback_gives_work_to_an_executor_that_had_none, a_closing_callback_gives_work_too,
       uv_stop_ends_uv_run_and_all_goes_on_with_the_next, uv_stop_does_not_end_coir_exec_run,
       coir_exec_stop_ends_coir_exec_run_and_all_goes_on_with_the_next, coir_exec_stop_does_not_end_uv_run,
       sockets_that_nobody_uses_do_not_keep_the_loop_alive,
       a_listener_with_which_nobody_waits_does_not_keep_the_loop_alive, who_waits_for_io_keeps_the_loop_alive,
       a_sleeper_and_a_hold_keep_the_loop_alive, a_turn_lets_the_loop_have_a_look, a_loop_that_is_alive_is_no_deadlock,
       a_callback_stops_the_executor_that_leads, a_turn_waits_for_the_loop_until_its_deadline,
       a_task_cannot_run_its_executor,
       an_await_outside_of_tasks_serves_the_loop, an_await_outside_of_tasks_has_deadlines,
       who_leads_may_change_while_tasks_wait, a_loop_runs_two_executors,
       an_executor_that_leads_has_the_loop_run_another, a_write_to_nobody_does_not_end_the_process,
       only_the_default_action_of_sigpipe_is_changed)
