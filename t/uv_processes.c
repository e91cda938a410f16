/* SPDX-License-Identifier: MIT */
/* Child processes, their pipes and ends; and signals. The children are this program, called with "--child". */

#include "t.h"

#include <coir/uv.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

enum { NOT_YET = -77777 };

/* ---- the child ---- */

/* Not by stdio, which on Windows changes what it is given. -1: libuv's error; 0: the end. */
static int child_read(char *to, unsigned size)
{
    uv_fs_t r;
    uv_buf_t buffer = uv_buf_init(to, size);
    int count = uv_fs_read(NULL, &r, 0, &buffer, 1, -1, NULL);
    uv_fs_req_cleanup(&r);
    return count < 0 ? 0 : count; /* a pipe that is closed is an error on Windows */
}

static void child_write(int descriptor, const char *from, int size)
{
    while (size > 0) {
        uv_fs_t r;
        uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)from, (unsigned)size);
        int count = uv_fs_write(NULL, &r, descriptor, &buffer, 1, -1, NULL);
        uv_fs_req_cleanup(&r);
        if (count <= 0)
            exit(98);
        from += count;
        size -= count;
    }
}

static void child_say(const char *text)
{
    child_write(1, text, (int)strlen(text));
}

/* Until there is no more to read; so it also ends when its parent does. */
static void child_echo(bool aloud)
{
    static char text[65536];
    for (int size = child_read(text, sizeof text); size > 0; size = child_read(text, sizeof text))
        if (aloud)
            child_write(1, text, size);
}

static bool sigpipe_is_default(void)
{
#ifdef SIGPIPE
    return signal(SIGPIPE, SIG_DFL) == SIG_DFL;
#else
    return true;
#endif
}

static int be_child(int argc, char **argv)
{
    const char *what = argv[2];
    char number[32];
    (void)argc;
    if (strcmp(what, "exit") == 0)
        return atoi(argv[3]);
    if (strcmp(what, "echo") == 0)
        child_echo(true);
    if (strcmp(what, "hang") == 0)
        child_echo(false);
    if (strcmp(what, "number") == 0) {
        snprintf(number, sizeof number, "%d", (int)uv_os_getpid());
        child_say(number);
    }
    if (strcmp(what, "say") == 0) {
        child_say(argv[3]);
        child_write(2, argv[3], (int)strlen(argv[3]));
    }
    if (strcmp(what, "variable") == 0)
        child_say(getenv(argv[3]) != NULL ? getenv(argv[3]) : "none");
    if (strcmp(what, "sigpipe") == 0)
        return sigpipe_is_default() ? 1 : 2;
    return 0;
}

/* ---- the parent ---- */

static void *run(coir_fn *fn, void *arg)
{
    void *result = NULL;
    ck_assert_int_eq(coir_uv_run(fn, arg, NULL, &result), COIR_OK);
    return result;
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

static void yield(void)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
}

static void cancel(coir_task *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
}

static int64_t far_away(void)
{
    return coir_now() + 3600 * COIR_SECOND;
}

/* A child, and the other ends of its standard input and output. */
typedef struct {
    coir_uv_process *process;
    coir_uv_stream *input, *output;
} child;

static char *own_path(void)
{
    static char path[4096];
    size_t size = sizeof path;
    ck_assert_int_eq(uv_exepath(path, &size), 0);
    return path;
}

static uv_stdio_container_t pipe_to(coir_uv_stream **out, unsigned flags)
{
    uv_stdio_container_t stdio;
    memset(&stdio, 0, sizeof stdio);
    ck_assert_int_eq(coir_uv_pipe_create(out), COIR_OK);
    stdio.flags = (uv_stdio_flags)((unsigned)UV_CREATE_PIPE | flags);
    stdio.data.stream = coir_uv_stream_handle(*out);
    return stdio;
}

static void start_with_options(child *c, uv_process_options_t *options, const char *what, const char *argument)
{
    static char dashes[] = "--child";
    char *args[] = {own_path(), dashes, (char *)(uintptr_t)what, (char *)(uintptr_t)argument, NULL};
    uv_stdio_container_t stdio[3];
    memset(stdio, 0, sizeof stdio);
    memset(c, 0, sizeof *c);
    stdio[0] = pipe_to(&c->input, UV_READABLE_PIPE);
    stdio[1] = pipe_to(&c->output, UV_WRITABLE_PIPE);
    stdio[2].flags = UV_IGNORE;
    options->file = args[0];
    options->args = args;
    options->stdio = stdio;
    options->stdio_count = 3;
    ck_assert_int_eq(coir_uv_process_spawn(&c->process, options), COIR_OK);
    ck_assert_ptr_nonnull(c->process);
}

static void start(child *c, const char *what, const char *argument)
{
    uv_process_options_t options;
    memset(&options, 0, sizeof options);
    start_with_options(c, &options, what, argument);
}

static void expect_end(child *c, int64_t expected)
{
    int64_t status = NOT_YET;
    int signal_number = NOT_YET;
    ck_assert_int_eq(coir_uv_process_wait(c->process, &status, &signal_number), COIR_OK);
    ck_assert_int_eq(status, expected);
    ck_assert_int_eq(signal_number, 0);
}

static void destroy(child *c)
{
    ck_assert_int_eq(coir_uv_process_destroy(c->process), COIR_OK);
    ck_assert_int_eq(coir_uv_destroy(c->input), COIR_OK);
    ck_assert_int_eq(coir_uv_destroy(c->output), COIR_OK);
}

/* One that runs until its input ends. */
static void let_end(child *c)
{
    ck_assert_int_eq(coir_uv_close(c->input), COIR_OK);
    expect_end(c, 0);
    destroy(c);
}

static void expect_said(child *c, const char *text)
{
    char said[256];
    size_t got = 0;
    ck_assert_int_eq(coir_uv_read_all(c->output, said, sizeof said, &got), COIR_UV_ERROR(UV_EOF));
    ck_assert_uint_eq(got, strlen(text));
    ck_assert(memcmp(said, text, got) == 0);
}

/* ---- starting ---- */

static void *spawn_with_bad_arguments(void *arg)
{
    coir_uv_process *p = T_VALUE(99);
    uv_process_options_t options;
    memset(&options, 0, sizeof options);
    ck_assert_int_eq(coir_uv_process_spawn(NULL, &options), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_spawn(&p, NULL), COIR_EINVAL);
    options.file = own_path();
    options.exit_cb = (uv_exit_cb)(void (*)(void))spawn_with_bad_arguments;
    ck_assert_int_eq(coir_uv_process_spawn(&p, &options), COIR_EINVAL);
    ck_assert_ptr_eq(p, T_VALUE(99));
    return arg;
}

START_TEST(a_process_is_not_started_from_bad_options)
{
    run(spawn_with_bad_arguments, NULL);
}
END_TEST

START_TEST(outside_of_tasks_no_process_is_started)
{
    coir_uv_process *p = T_VALUE(99);
    uv_process_options_t options;
    memset(&options, 0, sizeof options);
    options.file = own_path();
    ck_assert_int_eq(coir_uv_process_spawn(&p, &options), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_process_spawn(NULL, NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_process_wait(NULL, NULL, NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_process_wait_until(NULL, NULL, NULL, 0), COIR_ENOTTASK);
    ck_assert_ptr_eq(p, T_VALUE(99));
}
END_TEST

static void *spawn_without_a_loop(void *arg)
{
    coir_uv_process *p = T_VALUE(99);
    uv_process_options_t options;
    memset(&options, 0, sizeof options);
    options.file = own_path();
    ck_assert_int_eq(coir_uv_process_spawn(&p, &options), COIR_EINVAL);
    ck_assert_ptr_eq(p, T_VALUE(99));
    return arg;
}

START_TEST(an_executor_without_a_loop_starts_no_process)
{
    coir_exec *e;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, spawn_without_a_loop, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

static void *call_with_null(void *arg)
{
    ck_assert_int_eq(coir_uv_process_wait(NULL, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_wait_until(NULL, NULL, NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_wait_until(NULL, NULL, NULL, COIR_FOREVER), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_kill(NULL, SIGTERM), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_id(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_destroy(NULL), COIR_OK);
    cancel(coir_task_self());
    ck_assert_int_eq(coir_uv_process_wait(NULL, NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_process_wait_until(NULL, NULL, NULL, 0), COIR_ECANCELED);
    return arg;
}

START_TEST(null_is_no_process)
{
    run(call_with_null, NULL);
    ck_assert_int_eq(coir_uv_process_kill(NULL, SIGTERM), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_id(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_destroy(NULL), COIR_OK);
}
END_TEST

static void *start_what_does_not_exist(void *arg)
{
    coir_uv_process *p = T_VALUE(99);
    coir_uv_stream *s;
    uv_stdio_container_t stdio = pipe_to(&s, UV_READABLE_PIPE);
    char *path = own_path();
    char *args[] = {path, NULL};
    uv_process_options_t options;
    strcat(path, ".does.not.exist");
    memset(&options, 0, sizeof options);
    options.file = path;
    options.args = args;
    ck_assert_int_eq(coir_uv_process_spawn(&p, &options), COIR_UV_ERROR(UV_ENOENT));
    options.stdio = &stdio;
    options.stdio_count = 1;
    ck_assert_int_eq(coir_uv_process_spawn(&p, &options), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_ptr_eq(p, T_VALUE(99));
    ck_assert_int_eq(coir_uv_destroy(s), COIR_OK);
    return arg;
}

START_TEST(a_program_that_does_not_exist_is_the_systems_error)
{
    run(start_what_does_not_exist, NULL);
}
END_TEST

static void *start_when_cancelled(void *arg)
{
    child c;
    cancel(coir_task_self());
    start(&c, "exit", "3");
    ck_assert_int_eq(coir_uv_process_wait(c.process, NULL, NULL), COIR_ECANCELED);
    coir_task_shield(1);
    expect_end(&c, 3);
    destroy(&c);
    return arg;
}

START_TEST(a_cancelled_task_may_start_a_process)
{
    run(start_when_cancelled, NULL);
}
END_TEST

static void *start_with_a_variable(void *arg)
{
    child c;
    uv_process_options_t options;
    t_setenv("T_UV_PROCESSES", "some value");
    memset(&options, 0, sizeof options);
    options.flags = UV_PROCESS_WINDOWS_HIDE;
    start_with_options(&c, &options, "variable", "T_UV_PROCESSES");
    expect_said(&c, "some value");
    expect_end(&c, 0);
    destroy(&c);
    start(&c, "variable", "T_UV_PROCESSES_NONE");
    expect_said(&c, "none");
    expect_end(&c, 0);
    destroy(&c);
    return arg;
}

START_TEST(a_process_gets_the_environment)
{
    run(start_with_a_variable, NULL);
}
END_TEST

static void *ask_for_the_number(void *arg)
{
    char number[32];
    child c;
    start(&c, "number", NULL);
    snprintf(number, sizeof number, "%d", coir_uv_process_id(c.process));
    expect_said(&c, number);
    expect_end(&c, 0);
    ck_assert_int_gt(coir_uv_process_id(c.process), 0);
    destroy(&c);
    return arg;
}

START_TEST(a_process_has_the_number_that_it_thinks)
{
    run(ask_for_the_number, NULL);
}
END_TEST

/* ---- its pipes ---- */

static void *talk_to_a_child(void *arg)
{
    char answer[16] = "";
    child c;
    start(&c, "echo", NULL);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(coir_uv_write(c.input, "question", 8), COIR_OK);
        ck_assert_int_eq(coir_uv_read_all(c.output, answer, 8, NULL), COIR_OK);
        ck_assert_str_eq(answer, "question");
    }
    ck_assert_int_eq(coir_uv_shutdown(c.input), COIR_OK);
    expect_said(&c, "");
    expect_end(&c, 0);
    destroy(&c);
    return arg;
}

START_TEST(a_child_answers_through_its_pipes)
{
    run(talk_to_a_child, NULL);
}
END_TEST

static unsigned char much[1500000];

static void *write_much(void *arg)
{
    child *c = arg;
    ck_assert_int_eq(coir_uv_write(c->input, much, sizeof much), COIR_OK);
    ck_assert_int_eq(coir_uv_close(c->input), COIR_OK);
    return NULL;
}

static void *send_much_through_a_child(void *arg)
{
    static unsigned char text[10000];
    child c;
    size_t count = 0;
    int size;
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (unsigned char)(i * 7 + i / 256);
    start(&c, "echo", NULL);
    coir_task *t = spawn(write_much, &c);
    while ((size = coir_uv_read(c.output, text, sizeof text)) > 0) {
        ck_assert_uint_le(count + (size_t)size, sizeof much);
        ck_assert_int_eq(memcmp(text, much + count, (size_t)size), 0);
        count += (size_t)size;
    }
    ck_assert_int_eq(size, 0);
    ck_assert_uint_eq(count, sizeof much);
    await(t);
    expect_end(&c, 0);
    destroy(&c);
    return arg;
}

START_TEST(much_goes_through_a_child)
{
    run(send_much_through_a_child, NULL);
}
END_TEST

static void *read_both_outputs(void *arg)
{
    static char dashes[] = "--child", say[] = "say", word[] = "word";
    char *args[] = {own_path(), dashes, say, word, NULL};
    uv_stdio_container_t stdio[3];
    uv_process_options_t options;
    coir_uv_stream *out, *err;
    child c = {NULL, NULL, NULL};
    memset(stdio, 0, sizeof stdio);
    memset(&options, 0, sizeof options);
    stdio[0].flags = UV_IGNORE;
    stdio[1] = pipe_to(&out, UV_WRITABLE_PIPE);
    stdio[2] = pipe_to(&err, UV_WRITABLE_PIPE);
    options.file = args[0];
    options.args = args;
    options.stdio = stdio;
    options.stdio_count = 3;
    ck_assert_int_eq(coir_uv_process_spawn(&c.process, &options), COIR_OK);
    c.output = err;
    expect_said(&c, "word");
    c.output = out;
    expect_said(&c, "word");
    expect_end(&c, 0);
    destroy(&c);
    ck_assert_int_eq(coir_uv_destroy(err), COIR_OK);
    return arg;
}

START_TEST(output_and_errors_are_two_pipes)
{
    run(read_both_outputs, NULL);
}
END_TEST

static void *use_a_pipe_that_is_not_open(void *arg)
{
    coir_uv_stream *s;
    char c;
    ck_assert_int_eq(coir_uv_pipe_create(&s), COIR_OK);
    ck_assert_int_eq(coir_uv_read(s, &c, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_write(s, "c", 1), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_destroy(s), COIR_OK);
    ck_assert_int_eq(coir_uv_pipe_create(NULL), COIR_EINVAL);
    return arg;
}

START_TEST(a_pipe_without_a_process_is_not_open)
{
    run(use_a_pipe_that_is_not_open, NULL);
    coir_uv_stream *s;
    ck_assert_int_eq(coir_uv_pipe_create(&s), COIR_ENOTTASK);
}
END_TEST

/* ---- its end ---- */

static void *wait_for_statuses(void *arg)
{
    static const char *const statuses[] = {"0", "1", "7", "255"};
    child c;
    for (int i = 0; i < 4; i++) {
        start(&c, "exit", statuses[i]);
        expect_end(&c, atoi(statuses[i]));
        destroy(&c);
    }
    return arg;
}

START_TEST(a_process_that_ends_has_a_status)
{
    run(wait_for_statuses, NULL);
}
END_TEST

static void *wait_many_times(void *arg)
{
    int64_t status = NOT_YET;
    int number = NOT_YET;
    child c;
    start(&c, "exit", "9");
    ck_assert_int_eq(coir_uv_process_wait(c.process, NULL, NULL), COIR_OK);
    for (int i = 0; i < 3; i++)
        expect_end(&c, 9);
    ck_assert_int_eq(coir_uv_process_wait_until(c.process, &status, NULL, 0), COIR_OK);
    ck_assert_int_eq(coir_uv_process_wait_until(c.process, NULL, &number, far_away()), COIR_OK);
    ck_assert_int_eq(status, 9);
    ck_assert_int_eq(number, 0);
    destroy(&c);
    return arg;
}

START_TEST(once_it_has_ended_a_process_is_waited_for_any_number_of_times)
{
    run(wait_many_times, NULL);
}
END_TEST

static void *wait_until_deadlines(void *arg)
{
    int64_t status = NOT_YET, deadline;
    int number = NOT_YET;
    child c;
    start(&c, "hang", NULL);
    ck_assert_int_eq(coir_uv_process_wait_until(c.process, &status, &number, 0), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_uv_process_wait_until(c.process, &status, &number, INT64_MIN), COIR_ETIMEDOUT);
    deadline = coir_now() + 5 * COIR_MILLISECOND;
    ck_assert_int_eq(coir_uv_process_wait_until(c.process, &status, &number, deadline), COIR_ETIMEDOUT);
    ck_assert_int_ge(coir_now(), deadline);
    ck_assert_int_eq(status, NOT_YET);
    ck_assert_int_eq(number, NOT_YET);
    let_end(&c);
    return arg;
}

START_TEST(a_process_that_does_not_end_makes_its_waiter_time_out)
{
    run(wait_until_deadlines, NULL);
}
END_TEST

/* The system has it, but the loop has not looked yet. */
static void *find_an_end_at_a_deadline_that_has_passed(void *arg)
{
    int64_t status = NOT_YET;
    int result;
    child c;
    start(&c, "exit", "4");
    do {
        uv_sleep(1);
        result = coir_uv_process_wait_until(c.process, &status, NULL, 0);
        ck_assert(result == COIR_OK || result == COIR_ETIMEDOUT);
    } while (result != COIR_OK);
    ck_assert_int_eq(status, 4);
    destroy(&c);
    return arg;
}

START_TEST(a_deadline_that_has_passed_finds_an_end_that_has_come)
{
    run(find_an_end_at_a_deadline_that_has_passed, NULL);
}
END_TEST

static void *wait_and_be_cancelled(void *arg)
{
    child *c = arg;
    int64_t status = NOT_YET;
    ck_assert_int_eq(coir_uv_process_wait(c->process, &status, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_process_wait_until(c->process, &status, NULL, far_away()), COIR_ECANCELED);
    ck_assert_int_eq(status, NOT_YET);
    return NULL;
}

static void *cancel_who_waits(void *arg)
{
    child c;
    start(&c, "hang", NULL);
    coir_task *t = spawn(wait_and_be_cancelled, &c);
    yield();
    cancel(t);
    await(t);
    let_end(&c);
    return arg;
}

START_TEST(a_wait_that_was_cancelled_leaves_the_process)
{
    run(cancel_who_waits, NULL);
}
END_TEST

static void *wait_for_the_end(void *arg)
{
    expect_end(arg, 0);
    event("ended");
    return NULL;
}

static void *wait_in_two_tasks(void *arg)
{
    child c;
    start(&c, "hang", NULL);
    coir_task *t = spawn(wait_for_the_end, &c);
    yield();
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_uv_process_wait(c.process, NULL, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_process_wait_until(c.process, NULL, NULL, 0), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_process_destroy(c.process), COIR_EBUSY);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_uv_close(c.input), COIR_OK);
    await(t);
    destroy(&c);
    return arg;
}

START_TEST(one_task_at_a_time_waits_for_a_process)
{
    run(wait_in_two_tasks, NULL);
    ck_assert_str_eq(events, "ended");
}
END_TEST

static void *start_and_wait(void *number)
{
    char status[16];
    child c;
    snprintf(status, sizeof status, "%d", T_NUMBER(number));
    start(&c, "exit", status);
    expect_end(&c, T_NUMBER(number));
    destroy(&c);
    return NULL;
}

static void *start_several(void *arg)
{
    coir_task *t[6];
    for (int i = 0; i < 6; i++)
        t[i] = spawn(start_and_wait, T_VALUE(10 + i));
    ck_assert_int_eq(coir_await_all(t, 6, NULL), COIR_OK);
    return arg;
}

START_TEST(several_processes_run_at_once)
{
    run(start_several, NULL);
}
END_TEST

static int wait_in_a_generator(coir_gen *g, void *arg)
{
    int item = 1;
    expect_end(arg, 5);
    ck_assert_int_eq(coir_gen_yield(g, &item), COIR_OK);
    return 0;
}

static void *take_an_end(void *arg)
{
    coir_gen *g;
    child c;
    start(&c, "exit", "5");
    ck_assert_int_eq(coir_gen_create(&g, sizeof(int), wait_in_a_generator, &c, NULL), COIR_OK);
    ck_assert_int_eq(coir_gen_next(g, NULL), 1);
    ck_assert_int_eq(coir_gen_next(g, NULL), 0);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    destroy(&c);
    return arg;
}

START_TEST(a_generator_waits_for_a_process)
{
    run(take_an_end, NULL);
}
END_TEST

/* ---- killing it ---- */

static void *kill_with(void *number)
{
    int64_t status = NOT_YET;
    int by = NOT_YET;
    child c;
    start(&c, "hang", NULL);
    ck_assert_int_eq(coir_uv_process_kill(c.process, T_NUMBER(number)), COIR_OK);
    ck_assert_int_eq(coir_uv_process_wait(c.process, &status, &by), COIR_OK);
    ck_assert_int_eq(by, T_NUMBER(number));
    ck_assert_int_eq(coir_uv_process_kill(c.process, T_NUMBER(number)), COIR_EDEAD);
    ck_assert_int_eq(coir_uv_process_kill(c.process, 0), COIR_EDEAD);
    destroy(&c);
    return NULL;
}

START_TEST(a_process_is_killed_by_a_signal)
{
    run(kill_with, T_VALUE(SIGTERM));
    run(kill_with, T_VALUE(SIGKILL));
    run(kill_with, T_VALUE(SIGINT));
}
END_TEST

static void *kill_without_effect(void *arg)
{
    child c;
    start(&c, "hang", NULL);
    ck_assert_int_eq(coir_uv_process_kill(c.process, 0), COIR_OK); /* only asks whether it is there */
    ck_assert(COIR_UV_IS_ERROR(coir_uv_process_kill(c.process, 12345)));
    ck_assert(COIR_UV_IS_ERROR(coir_uv_process_kill(c.process, -1)));
    let_end(&c);
    return arg;
}

START_TEST(a_number_that_is_no_signal_is_the_systems_error)
{
    run(kill_without_effect, NULL);
}
END_TEST

static void *kill_the_ended(void *arg)
{
    child c;
    start(&c, "exit", "0");
    expect_end(&c, 0);
    ck_assert_int_eq(coir_uv_process_kill(c.process, SIGTERM), COIR_EDEAD);
    ck_assert_int_gt(coir_uv_process_id(c.process), 0);
    destroy(&c);
    return arg;
}

START_TEST(a_process_that_has_ended_is_dead)
{
    run(kill_the_ended, NULL);
}
END_TEST

/* ---- forgetting it ---- */

static void *forget_one_that_runs(void *arg)
{
    char answer[8] = "";
    child c;
    start(&c, "echo", NULL);
    ck_assert_int_eq(coir_uv_process_destroy(c.process), COIR_OK);
    ck_assert_int_eq(coir_uv_write(c.input, "still", 5), COIR_OK);
    ck_assert_int_eq(coir_uv_read_all(c.output, answer, 5, NULL), COIR_OK);
    ck_assert_str_eq(answer, "still");
    ck_assert_int_eq(coir_uv_destroy(c.input), COIR_OK);
    expect_said(&c, "");
    ck_assert_int_eq(coir_uv_destroy(c.output), COIR_OK);
    return arg;
}

START_TEST(a_process_that_is_forgotten_runs_on)
{
    run(forget_one_that_runs, NULL);
}
END_TEST

static void *leave_open(void *arg)
{
    child c;
    start(&c, "hang", NULL);
    start(&c, "exit", "0");
    expect_end(&c, 0);
    start(&c, "exit", "1");
    return arg;
}

START_TEST(what_is_left_of_processes_is_closed_with_the_run)
{
    ck_assert_ptr_eq(run(leave_open, T_VALUE(3)), T_VALUE(3));
}
END_TEST

static void destroy_when_ending(void *process)
{
    ck_assert_int_gt(coir_uv_process_id(process), 0);
    ck_assert_int_eq(coir_uv_process_kill(process, SIGKILL), COIR_OK);
    ck_assert_int_eq(coir_uv_process_destroy(process), COIR_OK);
}

static void *defer_the_destroy(void *arg)
{
    child *c = arg;
    start(c, "hang", NULL);
    ck_assert_int_eq(coir_defer(destroy_when_ending, c->process), COIR_OK);
    return NULL;
}

static void *end_with_a_process(void *arg)
{
    child c;
    await(spawn(defer_the_destroy, &c));
    ck_assert_int_eq(coir_uv_destroy(c.input), COIR_OK);
    ck_assert_int_eq(coir_uv_destroy(c.output), COIR_OK);
    return arg;
}

START_TEST(a_deferred_function_kills_and_forgets)
{
    run(end_with_a_process, NULL);
}
END_TEST

/* ---- threads and executors ---- */

static child of_another;

static void *wait_from_another_executor(void *arg)
{
    int expected = T_NUMBER(arg);
    ck_assert_int_eq(coir_uv_process_wait(of_another.process, NULL, NULL), expected);
    ck_assert_int_eq(coir_uv_process_wait_until(of_another.process, NULL, NULL, 0), expected);
    return NULL;
}

static void *call_from_another_thread(void *arg)
{
    ck_assert_int_eq(coir_uv_process_kill(of_another.process, SIGKILL), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_process_id(of_another.process), COIR_ETHREAD);
    ck_assert_int_eq(coir_uv_process_destroy(of_another.process), COIR_ETHREAD);
    run(wait_from_another_executor, T_VALUE(COIR_ETHREAD));
    return arg;
}

static void *call_from_elsewhere(void *arg)
{
    start(&of_another, "hang", NULL);
    run(wait_from_another_executor, T_VALUE(COIR_EINVAL));
    t_on_thread(call_from_another_thread, NULL);
    let_end(&of_another);
    return arg;
}

START_TEST(a_process_belongs_to_its_thread_and_executor)
{
    run(call_from_elsewhere, NULL);
}
END_TEST

static void *wait_without_a_loop(void *arg)
{
    ck_assert_int_eq(coir_uv_process_wait(of_another.process, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_process_wait_until(of_another.process, NULL, NULL, 0), COIR_EINVAL);
    return arg;
}

static void *call_without_a_loop(void *arg)
{
    coir_exec *e;
    start(&of_another, "hang", NULL);
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, wait_without_a_loop, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    let_end(&of_another);
    return arg;
}

START_TEST(in_a_task_without_a_loop_nobody_waits_for_a_process)
{
    run(call_without_a_loop, NULL);
}
END_TEST

static void *start_one_to_keep(void *arg)
{
    start(&of_another, "hang", NULL);
    return arg;
}

static void *kill_and_wait(void *arg)
{
    int by = NOT_YET;
    ck_assert_int_eq(coir_uv_process_wait(of_another.process, NULL, &by), COIR_OK);
    ck_assert_int_eq(by, SIGKILL);
    return arg;
}

START_TEST(outside_of_tasks_a_process_is_killed_and_forgotten)
{
    uv_loop_t loop;
    coir_exec *e;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(coir_uv_exec_create(&e, &loop, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, start_one_to_keep, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_gt(coir_uv_process_id(of_another.process), 0);
    ck_assert_int_eq(coir_uv_process_kill(of_another.process, SIGKILL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, kill_and_wait, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_uv_exec_destroy(e), COIR_EBUSY);
    destroy(&of_another);
    ck_assert_int_eq(coir_uv_exec_destroy(e), COIR_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

static void *ask_the_child_about_sigpipe(void *arg)
{
    child c;
    start(&c, "sigpipe", NULL);
    expect_end(&c, 1);
    destroy(&c);
    return arg;
}

START_TEST(a_child_does_not_ignore_sigpipe)
{
#ifdef _WIN32
    T_SKIP("Windows has no SIGPIPE");
#endif
    run(ask_the_child_about_sigpipe, NULL);
}
END_TEST

/* ---- signals: what is the same everywhere ---- */

static void *use_signals_wrongly(void *arg)
{
    coir_uv_signal *s = T_VALUE(99);
    ck_assert_int_eq(coir_uv_signal_create(NULL, SIGINT), COIR_EINVAL);
    ck_assert_int_lt(coir_uv_signal_create(&s, 0), 0);
    ck_assert_int_lt(coir_uv_signal_create(&s, -1), 0);
    ck_assert_int_lt(coir_uv_signal_create(&s, 12345), 0);
    ck_assert_ptr_eq(s, T_VALUE(99));
    ck_assert_int_eq(coir_uv_signal_wait(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_signal_wait_until(NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_signal_destroy(NULL), COIR_OK);
    cancel(coir_task_self());
    ck_assert_int_eq(coir_uv_signal_wait(NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_signal_wait_until(NULL, 0), COIR_ECANCELED);
    return arg;
}

START_TEST(signals_refuse_bad_arguments)
{
    coir_uv_signal *s = T_VALUE(99);
    run(use_signals_wrongly, NULL);
    ck_assert_int_eq(coir_uv_signal_create(&s, SIGINT), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_signal_create(NULL, 0), COIR_ENOTTASK);
    ck_assert_ptr_eq(s, T_VALUE(99));
    ck_assert_int_eq(coir_uv_signal_wait(NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_signal_wait_until(NULL, 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_signal_destroy(NULL), COIR_OK);
}
END_TEST

static coir_uv_signal *signals[4];

static void *wait_for_no_signal(void *arg)
{
    int64_t deadline;
    ck_assert_int_eq(coir_uv_signal_create(&signals[0], SIGINT), COIR_OK);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], 0), COIR_ETIMEDOUT);
    deadline = coir_now() + 3 * COIR_MILLISECOND;
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], deadline), COIR_ETIMEDOUT);
    ck_assert_int_ge(coir_now(), deadline);
    ck_assert_int_eq(coir_uv_signal_destroy(signals[0]), COIR_OK);
    return arg;
}

START_TEST(a_signal_that_does_not_come_makes_its_waiter_time_out)
{
    run(wait_for_no_signal, NULL);
}
END_TEST

static void *wait_for_one_and_be_cancelled(void *arg)
{
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], far_away()), COIR_ECANCELED);
    return arg;
}

static void *cancel_who_waits_for_a_signal(void *arg)
{
    ck_assert_int_eq(coir_uv_signal_create(&signals[0], SIGINT), COIR_OK);
    coir_task *t = spawn(wait_for_one_and_be_cancelled, NULL);
    yield();
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], 0), COIR_EBUSY);
    ck_assert_int_eq(coir_uv_signal_destroy(signals[0]), COIR_EBUSY);
    cancel(t);
    await(t);
    ck_assert_int_eq(coir_uv_signal_destroy(signals[0]), COIR_OK);
    return arg;
}

START_TEST(one_task_at_a_time_waits_for_a_signal_until_it_is_cancelled)
{
    run(cancel_who_waits_for_a_signal, NULL);
}
END_TEST

static void *leave_a_signal_open(void *arg)
{
    cancel(coir_task_self()); /* which does not matter for create */
    ck_assert_int_eq(coir_uv_signal_create(&signals[0], SIGINT), COIR_OK);
    ck_assert_int_eq(coir_uv_signal_create(&signals[1], SIGINT), COIR_OK);
    return arg;
}

START_TEST(signals_that_are_left_open_are_closed_with_the_run)
{
    ck_assert_ptr_eq(run(leave_a_signal_open, T_VALUE(3)), T_VALUE(3));
}
END_TEST

static void *wait_from_elsewhere(void *arg)
{
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), T_NUMBER(arg));
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], 0), T_NUMBER(arg));
    return NULL;
}

static void *wait_on_another_thread(void *arg)
{
    ck_assert_int_eq(coir_uv_signal_destroy(signals[0]), COIR_ETHREAD);
    run(wait_from_elsewhere, T_VALUE(COIR_ETHREAD));
    return arg;
}

static void *use_a_signal_from_elsewhere(void *arg)
{
    ck_assert_int_eq(coir_uv_signal_create(&signals[0], SIGINT), COIR_OK);
    run(wait_from_elsewhere, T_VALUE(COIR_EINVAL));
    t_on_thread(wait_on_another_thread, NULL);
    ck_assert_int_eq(coir_uv_signal_destroy(signals[0]), COIR_OK);
    return arg;
}

START_TEST(a_signal_belongs_to_its_thread_and_executor)
{
    run(use_a_signal_from_elsewhere, NULL);
}
END_TEST

/* ---- signals that come ---- */

#ifdef _WIN32

#define POSIX_ONLY(name)                                                        \
    START_TEST(name)                                                            \
    {                                                                           \
        T_SKIP("a process of Windows cannot send such signals to itself");      \
    }                                                                           \
    END_TEST

POSIX_ONLY(signals_are_counted)
POSIX_ONLY(a_signal_wakes_its_waiter)
POSIX_ONLY(a_deadline_that_has_passed_finds_signals_that_have_come)
POSIX_ONLY(a_cancelled_wait_takes_no_signal)
POSIX_ONLY(each_wait_of_a_signal_is_told)
POSIX_ONLY(different_signals_are_told_apart)
POSIX_ONLY(a_signal_of_another_thread_wakes_the_loop)
POSIX_ONLY(a_signal_has_its_default_action_again)
POSIX_ONLY(a_signal_that_cannot_be_caught_is_the_systems_error)
POSIX_ONLY(a_signal_that_may_come_is_no_deadlock)

#else

static void raise_now(int number)
{
    ck_assert_int_eq(raise(number), 0);
}

static void create_signal(int i, int number)
{
    ck_assert_int_eq(coir_uv_signal_create(&signals[i], number), COIR_OK);
}

static void destroy_signal(int i)
{
    ck_assert_int_eq(coir_uv_signal_destroy(signals[i]), COIR_OK);
}

static void *count_signals(void *arg)
{
    create_signal(0, SIGUSR1);
    for (int n = 1; n <= 5; n++) {
        for (int i = 0; i < n; i++)
            raise_now(SIGUSR1);
        ck_assert_int_eq(coir_uv_signal_wait(signals[0]), n);
        ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], 0), COIR_ETIMEDOUT);
    }
    raise_now(SIGUSR1);
    ck_assert_int_eq(coir_sleep(2 * COIR_MILLISECOND), COIR_OK); /* the loop sees that one by itself, */
    raise_now(SIGUSR1);                                               /* and this one later */
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], far_away()), 1);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], far_away()), 1);
    destroy_signal(0);
    return arg;
}

START_TEST(signals_are_counted)
{
    run(count_signals, NULL);
}
END_TEST

static void *wait_for_one(void *arg)
{
    ck_assert_int_eq(coir_uv_signal_wait(signals[T_NUMBER(arg)]), 1);
    event(T_NUMBER(arg) == 0 ? "0" : "1");
    return NULL;
}

static void *send_to_who_waits(void *arg)
{
    create_signal(0, SIGUSR2);
    for (int i = 0; i < 10; i++) {
        coir_task *t = spawn(wait_for_one, T_VALUE(0));
        yield();
        raise_now(SIGUSR2);
        await(t);
    }
    destroy_signal(0);
    return arg;
}

START_TEST(a_signal_wakes_its_waiter)
{
    run(send_to_who_waits, NULL);
    ck_assert_str_eq(events, "0000000000");
}
END_TEST

static void *look_once(void *arg)
{
    create_signal(0, SIGUSR1);
    raise_now(SIGUSR1);
    raise_now(SIGUSR1);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], 0), 2);
    raise_now(SIGUSR1);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], INT64_MIN), 1);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], coir_now()), COIR_ETIMEDOUT);
    destroy_signal(0);
    return arg;
}

START_TEST(a_deadline_that_has_passed_finds_signals_that_have_come)
{
    run(look_once, NULL);
}
END_TEST

static void *wait_in_vain(void *arg)
{
    create_signal(0, SIGUSR1);
    raise_now(SIGUSR1);
    cancel(coir_task_self());
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), COIR_ECANCELED);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], 0), COIR_ECANCELED);
    coir_task_shield(1);
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), 1);
    destroy_signal(0);
    return arg;
}

START_TEST(a_cancelled_wait_takes_no_signal)
{
    run(wait_in_vain, NULL);
}
END_TEST

static void *wait_with_two(void *arg)
{
    create_signal(0, SIGUSR1);
    create_signal(1, SIGUSR1);
    coir_task *t = spawn(wait_for_one, T_VALUE(0)), *u = spawn(wait_for_one, T_VALUE(1));
    yield();
    raise_now(SIGUSR1);
    await(t);
    await(u);
    destroy_signal(0);
    raise_now(SIGUSR1); /* is for the other alone, and has not its default action */
    ck_assert_int_eq(coir_uv_signal_wait(signals[1]), 1);
    destroy_signal(1);
    return arg;
}

START_TEST(each_wait_of_a_signal_is_told)
{
    run(wait_with_two, NULL);
    ck_assert_uint_eq(strlen(events), 2);
}
END_TEST

static void *wait_for_two_kinds(void *arg)
{
    create_signal(0, SIGUSR1);
    create_signal(1, SIGUSR2);
    raise_now(SIGUSR2);
    ck_assert_int_eq(coir_uv_signal_wait_until(signals[0], 0), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_uv_signal_wait(signals[1]), 1);
    raise_now(SIGUSR1);
    raise_now(SIGUSR2);
    ck_assert_int_eq(coir_uv_signal_wait(signals[1]), 1);
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), 1);
    destroy_signal(0);
    destroy_signal(1);
    return arg;
}

START_TEST(different_signals_are_told_apart)
{
    run(wait_for_two_kinds, NULL);
}
END_TEST

static void *send_to_the_process(void *arg)
{
    uv_sleep(5);
    ck_assert_int_eq(uv_kill(uv_os_getpid(), SIGUSR1), 0);
    return arg;
}

static void *wait_for_another_thread(void *arg)
{
    create_signal(0, SIGUSR1);
    t_thread *thread = t_thread_start(send_to_the_process, NULL);
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), 1);
    t_thread_join(thread);
    destroy_signal(0);
    return arg;
}

START_TEST(a_signal_of_another_thread_wakes_the_loop)
{
    run(wait_for_another_thread, NULL);
}
END_TEST

static void (*action_of(int number))(int)
{
    struct sigaction action;
    ck_assert_int_eq(sigaction(number, NULL, &action), 0);
    return action.sa_handler;
}

static void *use_a_signal(void *arg)
{
    create_signal(0, SIGUSR1);
    create_signal(1, SIGUSR1);
    destroy_signal(1);
    raise_now(SIGUSR1);
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), 1);
    destroy_signal(0);
    event(action_of(SIGUSR1) == SIG_DFL ? "default" : "other");
    return arg;
}

START_TEST(a_signal_has_its_default_action_again)
{
    run(use_a_signal, NULL);
    ck_assert_str_eq(events, "default");
}
END_TEST

static void *catch_what_cannot_be_caught(void *arg)
{
    coir_uv_signal *s = T_VALUE(99);
    ck_assert_int_eq(coir_uv_signal_create(&s, SIGKILL), COIR_UV_ERROR(UV_EINVAL));
    ck_assert_ptr_eq(s, T_VALUE(99));
    return arg;
}

START_TEST(a_signal_that_cannot_be_caught_is_the_systems_error)
{
    run(catch_what_cannot_be_caught, NULL);
}
END_TEST

static coir_exec *running;

static void *end_the_wait(void *arg)
{
    uv_sleep(5);
    ck_assert_int_eq(uv_kill(uv_os_getpid(), SIGUSR1), 0);
    return arg;
}

static void *wait_alone(void *arg)
{
    create_signal(0, SIGUSR1);
    ck_assert_int_eq(coir_uv_signal_wait(signals[0]), 1);
    destroy_signal(0);
    (void)arg;
    return NULL;
}

START_TEST(a_signal_that_may_come_is_no_deadlock)
{
    uv_loop_t loop;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(coir_uv_exec_create(&running, &loop, NULL), COIR_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coir_spawn(NULL, running, wait_alone, NULL, NULL), COIR_OK);
        ck_assert_int_eq(coir_exec_run_once_until(running, 0), COIR_TASKS_LEFT);
        ck_assert(uv_loop_alive(&loop));
        t_thread *thread = t_thread_start(end_the_wait, NULL);
        if (i == 0)
            ck_assert_int_eq(coir_exec_run(running), COIR_OK);
        else
            ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        t_thread_join(thread);
        ck_assert_int_eq(coir_exec_tasks(running), 0);
    }
    ck_assert_int_eq(coir_uv_exec_destroy(running), COIR_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

#endif

static const t_case *all_cases(int *count)
{
    static t_case cases[64];
    const t_case list[] = {
        a_process_is_not_started_from_bad_options, outside_of_tasks_no_process_is_started,
        an_executor_without_a_loop_starts_no_process, null_is_no_process,
        a_program_that_does_not_exist_is_the_systems_error, a_cancelled_task_may_start_a_process,
        a_process_gets_the_environment, a_process_has_the_number_that_it_thinks, a_child_answers_through_its_pipes,
        much_goes_through_a_child, output_and_errors_are_two_pipes, a_pipe_without_a_process_is_not_open,
        a_process_that_ends_has_a_status, once_it_has_ended_a_process_is_waited_for_any_number_of_times,
        a_process_that_does_not_end_makes_its_waiter_time_out, a_deadline_that_has_passed_finds_an_end_that_has_come,
        a_wait_that_was_cancelled_leaves_the_process, one_task_at_a_time_waits_for_a_process,
        several_processes_run_at_once, a_generator_waits_for_a_process, a_process_is_killed_by_a_signal,
        a_number_that_is_no_signal_is_the_systems_error, a_process_that_has_ended_is_dead,
        a_process_that_is_forgotten_runs_on, what_is_left_of_processes_is_closed_with_the_run,
        a_deferred_function_kills_and_forgets, a_process_belongs_to_its_thread_and_executor,
        in_a_task_without_a_loop_nobody_waits_for_a_process, outside_of_tasks_a_process_is_killed_and_forgotten,
        a_child_does_not_ignore_sigpipe, signals_refuse_bad_arguments,
        a_signal_that_does_not_come_makes_its_waiter_time_out,
        one_task_at_a_time_waits_for_a_signal_until_it_is_cancelled, signals_that_are_left_open_are_closed_with_the_run,
        a_signal_belongs_to_its_thread_and_executor, signals_are_counted, a_signal_wakes_its_waiter,
        a_deadline_that_has_passed_finds_signals_that_have_come, a_cancelled_wait_takes_no_signal,
        each_wait_of_a_signal_is_told, different_signals_are_told_apart, a_signal_of_another_thread_wakes_the_loop,
        a_signal_has_its_default_action_again,
        a_signal_that_cannot_be_caught_is_the_systems_error, a_signal_that_may_come_is_no_deadlock};
    *count = (int)(sizeof list / sizeof list[0]);
    memcpy(cases, list, sizeof list);
    return cases;
}

/* As T_MAIN, but for children. */
int main(int argc, char **argv)
{
    int count;
    const t_case *cases = all_cases(&count);
    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return be_child(argc, argv);
    return t_run(__FILE__, cases, count, argc, argv);
}
