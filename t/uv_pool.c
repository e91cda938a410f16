/* SPDX-License-Identifier: MIT */
/* What threads of libuv's pool do for tasks: names, files, work. What is not begun is taken back, what is begun is
 * waited for. */

#include "t.h"

#include <coir/uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

#ifndef _WIN32
#include <netdb.h>
#include <unistd.h>
#endif

enum { NOT_YET = -77777, POOL = 4 };

static int64_t far_away(void)
{
    return coir_now() + 3600 * COIR_SECOND;
}

/* Runs fn(arg) as a task, and all that it spawns. */
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

static void *await(coir_task *t)
{
    void *result = NULL;
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    return result;
}

static void yield(void)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
}

static void cancel(coir_task *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
}

/* ---- a pool without a free thread ---- */

static uv_sem_t begun, go_on;

static void *block(void *arg)
{
    uv_sem_post(&begun);
    uv_sem_wait(&go_on);
    return arg;
}

static void *block_a_thread(void *arg)
{
    void *result = NULL;
    ck_assert_int_eq(coir_uv_work(block, arg, &result), COIR_OK);
    ck_assert_ptr_eq(result, arg);
    return NULL;
}

/* Before a program's first use of the pool. */
static void prepare_pool(void)
{
    t_setenv("UV_THREADPOOL_SIZE", NULL);
    ck_assert_int_eq(uv_sem_init(&begun, 0), 0);
    ck_assert_int_eq(uv_sem_init(&go_on, 0), 0);
}

static void occupy_pool(void)
{
    for (int i = 0; i < POOL; i++)
        ck_assert_int_eq(coir_spawn(NULL, NULL, block_a_thread, T_VALUE(i + 1), NULL), COIR_OK);
    yield();
    for (int i = 0; i < POOL; i++)
        uv_sem_wait(&begun);
}

static void free_pool(void)
{
    for (int i = 0; i < POOL; i++)
        uv_sem_post(&go_on);
}

/* ---- a folder ---- */

static char folder[1024], names[16][1100];

/* A name in it; valid until fifteen others have been made. */
static const char *in_folder(const char *name)
{
    static int next;
    char *path = names[next++ % 16];
    snprintf(path, sizeof names[0], "%s/%s", folder, name);
    return path;
}

/* libuv's functions, called to have their effect at once. */
static int done(uv_fs_t *request, int result)
{
    uv_fs_req_cleanup(request);
    return result;
}

static int open_now(const char *name, int flags)
{
    uv_fs_t r;
    return done(&r, uv_fs_open(NULL, &r, in_folder(name), flags, 0600, NULL));
}

static int close_now(uv_file f)
{
    uv_fs_t r;
    return done(&r, uv_fs_close(NULL, &r, f, NULL));
}

static bool is_open(uv_file f)
{
    uv_fs_t r;
    return done(&r, uv_fs_fstat(NULL, &r, f, NULL)) == 0;
}

static bool exists(const char *name)
{
    uv_fs_t r;
    return done(&r, uv_fs_stat(NULL, &r, in_folder(name), NULL)) == 0;
}

static int remove_now(const char *name)
{
    uv_fs_t r;
    return done(&r, uv_fs_unlink(NULL, &r, in_folder(name), NULL));
}

static int remove_folder_now(const char *name)
{
    uv_fs_t r;
    return done(&r, uv_fs_rmdir(NULL, &r, in_folder(name), NULL));
}

static void make_folder_now(const char *path)
{
    uv_fs_t r;
    ck_assert_int_eq(done(&r, uv_fs_mkdir(NULL, &r, path, 0700, NULL)), 0);
}

static void write_now(const char *name, const char *text)
{
    uv_fs_t r;
    uv_buf_t data = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    uv_file f = open_now(name, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC);
    ck_assert_int_ge(f, 0);
    ck_assert_int_eq(done(&r, uv_fs_write(NULL, &r, f, &data, 1, 0, NULL)), (int)strlen(text));
    ck_assert_int_eq(close_now(f), 0);
}

static void expect_content(const char *name, const char *text)
{
    uv_fs_t r;
    char found[256] = "";
    uv_buf_t data = uv_buf_init(found, sizeof found - 1);
    uv_file f = open_now(name, UV_FS_O_RDONLY);
    ck_assert_int_ge(f, 0);
    ck_assert_int_eq(done(&r, uv_fs_read(NULL, &r, f, &data, 1, 0, NULL)), (int)strlen(text));
    ck_assert_str_eq(found, text);
    ck_assert_int_eq(close_now(f), 0);
}

static void make_folder(void)
{
    char base[900];
    size_t size = sizeof base;
    ck_assert_int_eq(uv_os_tmpdir(base, &size), 0);
    snprintf(folder, sizeof folder, "%s/coir-%d-%llu", base, (int)uv_os_getpid(), (unsigned long long)uv_hrtime());
    make_folder_now(folder);
}

static void remove_folder(void)
{
    uv_fs_t r;
    ck_assert_int_eq(done(&r, uv_fs_rmdir(NULL, &r, folder, NULL)), 0);
}

/* ---- every call ---- */

/* What is there before, and how all calls are made that follow. */
static uv_file text_file;
static uv_file opened;
static bool valid;    /* with arguments that are; else with a pointer that is NULL */
static bool until;    /* the twin with a deadline, */
static int64_t deadline; /* this one */
static struct addrinfo *found;
static struct sockaddr_in local;
static char host[1025], service[32], data[8];
static uv_stat_t status, link_status, file_status;
static int work_calls;
static void *worked;
static size_t written;

static int call_getaddrinfo(void)
{
    struct addrinfo **out = valid ? &found : NULL;
    struct addrinfo hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_flags = AI_NUMERICHOST;
    hints.ai_socktype = SOCK_STREAM;
    return until ? coir_uv_getaddrinfo_until(out, "127.0.0.1", "80", &hints, deadline)
                 : coir_uv_getaddrinfo(out, "127.0.0.1", "80", &hints);
}

static int call_getnameinfo(void)
{
    const struct sockaddr *address = valid ? (const struct sockaddr *)&local : NULL;
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    return until ? coir_uv_getnameinfo_until(address, flags, host, service, deadline)
                 : coir_uv_getnameinfo(address, flags, host, service);
}

static int call_open(void)
{
    uv_file *out = valid ? &opened : NULL;
    const char *path = in_folder("new");
    int flags = UV_FS_O_RDWR | UV_FS_O_CREAT;
    return until ? coir_uv_fs_open_until(out, path, flags, 0600, deadline) : coir_uv_fs_open(out, path, flags, 0600);
}

static int call_read(void)
{
    void *to = valid ? data : NULL;
    return until ? coir_uv_fs_read_until(text_file, to, 3, -1, deadline) : coir_uv_fs_read(text_file, to, 3, -1);
}

static int call_write(void)
{
    const void *from = valid ? "XY" : NULL;
    return until ? coir_uv_fs_write_until(text_file, from, 2, 4, deadline, &written)
                 : coir_uv_fs_write(text_file, from, 2, 4);
}

static int call_stat(void)
{
    uv_stat_t *out = valid ? &status : NULL;
    return until ? coir_uv_fs_stat_until(in_folder("text"), out, deadline) : coir_uv_fs_stat(in_folder("text"), out);
}

static int call_lstat(void)
{
    const char *path = valid ? in_folder("text") : NULL;
    return until ? coir_uv_fs_lstat_until(path, &link_status, deadline) : coir_uv_fs_lstat(path, &link_status);
}

static int call_fstat(void)
{
    uv_stat_t *out = valid ? &file_status : NULL;
    return until ? coir_uv_fs_fstat_until(text_file, out, deadline) : coir_uv_fs_fstat(text_file, out);
}

static int call_fsync(void)
{
    return until ? coir_uv_fs_fsync_until(text_file, deadline) : coir_uv_fs_fsync(text_file);
}

static int call_ftruncate(void)
{
    return until ? coir_uv_fs_ftruncate_until(text_file, 8, deadline) : coir_uv_fs_ftruncate(text_file, 8);
}

static int call_mkdir(void)
{
    const char *path = valid ? in_folder("made") : NULL;
    return until ? coir_uv_fs_mkdir_until(path, 0700, deadline) : coir_uv_fs_mkdir(path, 0700);
}

static int call_rmdir(void)
{
    const char *path = valid ? in_folder("empty") : NULL;
    return until ? coir_uv_fs_rmdir_until(path, deadline) : coir_uv_fs_rmdir(path);
}

static int call_unlink(void)
{
    const char *path = valid ? in_folder("goes") : NULL;
    return until ? coir_uv_fs_unlink_until(path, deadline) : coir_uv_fs_unlink(path);
}

static int call_rename(void)
{
    const char *path = in_folder("from"), *new_path = valid ? in_folder("to") : NULL;
    return until ? coir_uv_fs_rename_until(path, new_path, deadline) : coir_uv_fs_rename(path, new_path);
}

static void *work(void *arg)
{
    work_calls++;
    return arg;
}

static int call_work(void)
{
    coir_fn *fn = valid ? work : NULL;
    return until ? coir_uv_work_until(fn, T_VALUE(9), deadline, &worked) : coir_uv_work(fn, T_VALUE(9), &worked);
}

typedef struct {
    int (*call)(void);
    int result;        /* if all is well */
    bool has_pointers;
} pool_call;

static const pool_call pool_calls[] = {
    {call_getaddrinfo, COIR_OK, true}, {call_getnameinfo, COIR_OK, true}, {call_open, COIR_OK, true},
    {call_read, 3, true},              {call_write, COIR_OK, true},       {call_stat, COIR_OK, true},
    {call_lstat, COIR_OK, true},       {call_fstat, COIR_OK, true},       {call_fsync, COIR_OK, false},
    {call_ftruncate, COIR_OK, false},  {call_mkdir, COIR_OK, true},       {call_rmdir, COIR_OK, true},
    {call_unlink, COIR_OK, true},      {call_rename, COIR_OK, true},      {call_work, COIR_OK, true}};

enum { CALLS = sizeof pool_calls / sizeof pool_calls[0] };

static void begin_calls(void)
{
    prepare_pool();
    make_folder();
    make_folder_now(in_folder("empty"));
    write_now("text", "abcdefghij");
    write_now("goes", "");
    write_now("from", "from");
    text_file = open_now("text", UV_FS_O_RDWR);
    ck_assert_int_ge(text_file, 0);
    opened = -99;
    found = NULL;
    worked = NULL;
    work_calls = 0;
    written = 99;
    valid = true;
    until = false;
    memset(host, 0, sizeof host);
    memset(service, 0, sizeof service);
    memset(data, 0, sizeof data);
    memset(&status, 0xee, sizeof status);
    memset(&link_status, 0xee, sizeof link_status);
    memset(&file_status, 0xee, sizeof file_status);
    ck_assert_int_eq(uv_ip4_addr("127.0.0.1", 80, &local), 0);
}

static bool is_untouched(const uv_stat_t *s)
{
    uv_stat_t untouched;
    memset(&untouched, 0xee, sizeof untouched);
    return memcmp(s, &untouched, sizeof untouched) == 0;
}

/* A buffer is the call's while it lasts, so there is nothing to be said of `host`. */
static void expect_nothing_done(void)
{
    ck_assert_ptr_null(found);
    ck_assert_int_eq(opened, -99);
    ck_assert(!exists("new") && !exists("made") && !exists("to"));
    ck_assert(exists("empty") && exists("goes") && exists("from"));
    ck_assert_str_eq(data, "");
    ck_assert(is_untouched(&status) && is_untouched(&link_status) && is_untouched(&file_status));
    ck_assert_int_eq(work_calls, 0);
    ck_assert_ptr_null(worked);
    expect_content("text", "abcdefghij");
}

static void expect_names(void)
{
    struct sockaddr_in address;
    ck_assert_ptr_nonnull(found);
    memcpy(&address, found->ai_addr, sizeof address);
    ck_assert_int_eq(address.sin_family, AF_INET);
    ck_assert_uint_eq(address.sin_addr.s_addr, local.sin_addr.s_addr);
    ck_assert_uint_eq(address.sin_port, local.sin_port);
    ck_assert_str_eq(host, "127.0.0.1");
    ck_assert_str_eq(service, "80");
}

static void expect_all_done(void)
{
    expect_names();
    ck_assert_int_ge(opened, 0);
    ck_assert(exists("new") && exists("made") && exists("to"));
    ck_assert(!exists("empty") && !exists("goes") && !exists("from"));
    ck_assert_str_eq(data, "abc");
    ck_assert_uint_eq(status.st_size, 10);
    ck_assert_uint_eq(link_status.st_size, 10);
    ck_assert_uint_eq(file_status.st_size, 10);
    ck_assert_int_eq(work_calls, 1);
    ck_assert_ptr_eq(worked, T_VALUE(9));
    expect_content("text", "abcdXYgh");
}

static void finish_calls(void)
{
    uv_freeaddrinfo(found);
    ck_assert_int_eq(close_now(text_file), 0);
    if (opened != -99)
        ck_assert_int_eq(close_now(opened), 0);
    remove_now("text");
    remove_now("new");
    remove_now("goes");
    remove_now("from");
    remove_now("to");
    remove_folder_now("empty");
    remove_folder_now("made");
    remove_folder();
}

static void *make_all_calls(void *arg)
{
    for (int i = 0; i < CALLS; i++)
        ck_assert_int_eq(pool_calls[i].call(), pool_calls[i].result);
    return arg;
}

static void expect_of_all(int result)
{
    for (int i = 0; i < CALLS; i++)
        ck_assert_int_eq(pool_calls[i].call(), result);
}

/* Both twins, with and without NULL. */
static void expect_of_all_in_every_way(int result)
{
    for (int way = 0; way < 4; way++) {
        valid = way % 2 == 0;
        until = way / 2 == 1;
        deadline = 0;
        expect_of_all(result);
        deadline = far_away();
        expect_of_all(result);
    }
    valid = true;
    until = false;
}

START_TEST(all_calls_do_their_work)
{
    begin_calls();
    run(make_all_calls, NULL);
    expect_all_done();
    finish_calls();
}
END_TEST

START_TEST(all_calls_do_their_work_before_a_deadline)
{
    begin_calls();
    until = true;
    deadline = far_away();
    run(make_all_calls, NULL);
    expect_all_done();
    finish_calls();
}
END_TEST

START_TEST(all_calls_take_the_deadline_that_never_comes)
{
    begin_calls();
    until = true;
    deadline = COIR_FOREVER;
    run(make_all_calls, NULL);
    expect_all_done();
    finish_calls();
}
END_TEST

static void *make_all_calls_under_a_shield(void *arg)
{
    cancel(coir_task_self());
    ck_assert_int_eq(coir_task_shield(1), 0);
    make_all_calls(arg);
    ck_assert_int_eq(coir_task_shield(0), 1);
    return arg;
}

START_TEST(all_calls_do_their_work_under_a_shield)
{
    begin_calls();
    run(make_all_calls_under_a_shield, NULL);
    expect_all_done();
    finish_calls();
}
END_TEST

static int generate_all_calls(coir_gen *g, void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        ck_assert_int_eq(pool_calls[i].call(), pool_calls[i].result);
        ck_assert_int_eq(coir_gen_yield(g, &i), COIR_OK);
    }
    (void)arg;
    return 0;
}

static void *take_all_calls(void *arg)
{
    coir_gen *g;
    int count = 0, item;
    ck_assert_int_eq(coir_gen_create(&g, sizeof item, generate_all_calls, NULL, NULL), COIR_OK);
    while (coir_gen_next(g, &item) == 1)
        ck_assert_int_eq(item, count++);
    ck_assert_int_eq(count, CALLS);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    return arg;
}

START_TEST(all_calls_may_be_made_by_a_generator)
{
    begin_calls();
    run(take_all_calls, NULL);
    expect_all_done();
    finish_calls();
}
END_TEST

static void *make_one_call(void *index)
{
    const pool_call *c = &pool_calls[T_NUMBER(index)];
    ck_assert_int_eq(c->call(), c->result);
    return NULL;
}

static void *make_all_calls_at_once(void *arg)
{
    coir_task *t[CALLS];
    for (int i = 0; i < CALLS; i++)
        if (pool_calls[i].call != call_ftruncate && pool_calls[i].call != call_write)
            t[i] = spawn(make_one_call, T_VALUE(i));
        else
            t[i] = NULL; /* the others look at the same file */
    for (int i = 0; i < CALLS; i++)
        if (t[i] != NULL)
            await(t[i]);
    ck_assert_int_eq(call_write(), COIR_OK);
    ck_assert_int_eq(call_ftruncate(), COIR_OK);
    return arg;
}

START_TEST(all_calls_may_be_made_at_once)
{
    begin_calls();
    run(make_all_calls_at_once, NULL);
    expect_all_done();
    finish_calls();
}
END_TEST

START_TEST(outside_of_tasks_there_is_no_call)
{
    begin_calls();
    expect_of_all_in_every_way(COIR_ENOTTASK);
    expect_nothing_done();
    finish_calls();
}
END_TEST

static void *make_calls_when_cancelled(void *arg)
{
    cancel(coir_task_self());
    expect_of_all_in_every_way(COIR_ECANCELED);
    return arg;
}

START_TEST(a_cancelled_task_makes_no_call)
{
    begin_calls();
    run(make_calls_when_cancelled, NULL);
    expect_nothing_done();
    finish_calls();
}
END_TEST

static void make_calls_when_ending(void *arg)
{
    (void)arg;
    expect_of_all_in_every_way(COIR_ECANCELED);
}

static void *defer_all_calls(void *arg)
{
    ck_assert_int_eq(coir_defer(make_calls_when_ending, NULL), COIR_OK);
    return arg;
}

START_TEST(a_deferred_function_makes_no_call)
{
    begin_calls();
    run(defer_all_calls, NULL);
    expect_nothing_done();
    finish_calls();
}
END_TEST

static void *make_invalid_calls(void *arg)
{
    valid = false;
    for (int way = 0; way < 3; way++) {
        until = way > 0;
        deadline = way == 1 ? 0 : far_away();
        for (int i = 0; i < CALLS; i++)
            if (pool_calls[i].has_pointers)
                ck_assert_int_eq(pool_calls[i].call(), COIR_EINVAL);
    }
    return arg;
}

START_TEST(null_is_not_valid)
{
    begin_calls();
    run(make_invalid_calls, NULL);
    expect_nothing_done();
    finish_calls();
}
END_TEST

static void *make_other_invalid_calls(void *arg)
{
    ck_assert_int_eq(coir_uv_getaddrinfo(&found, NULL, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_getaddrinfo_until(&found, NULL, NULL, NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_fs_open(&opened, NULL, UV_FS_O_RDONLY, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_fs_stat(NULL, &status), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_fs_lstat(in_folder("text"), NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_uv_fs_rename(NULL, in_folder("to")), COIR_EINVAL);
    return arg;
}

START_TEST(no_pointer_may_be_null)
{
    begin_calls();
    run(make_other_invalid_calls, NULL);
    expect_nothing_done();
    finish_calls();
}
END_TEST

static void *make_calls_without_a_loop(void *arg)
{
    ck_assert_ptr_null(coir_uv_loop(NULL));
    expect_of_all_in_every_way(COIR_EINVAL);
    return arg;
}

START_TEST(an_executor_without_a_loop_makes_no_call)
{
    coir_exec *e;
    begin_calls();
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, make_calls_without_a_loop, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    expect_nothing_done();
    finish_calls();
}
END_TEST

static void *make_calls_while_the_pool_is_busy(void *arg)
{
    occupy_pool();
    until = true;
    deadline = 0;
    expect_of_all(COIR_ETIMEDOUT);
    deadline = coir_now();
    expect_of_all(COIR_ETIMEDOUT);
    deadline = INT64_MIN;
    expect_of_all(COIR_ETIMEDOUT);
    for (int i = 0; i < CALLS; i++) {
        deadline = coir_now() + 2 * COIR_MILLISECOND;
        ck_assert_int_eq(pool_calls[i].call(), COIR_ETIMEDOUT);
        ck_assert_int_ge(coir_now(), deadline);
    }
    ck_assert_uint_eq(written, 0);
    expect_nothing_done();
    free_pool();
    return arg;
}

START_TEST(what_no_thread_has_begun_is_taken_back_at_the_deadline)
{
    begin_calls();
    run(make_calls_while_the_pool_is_busy, NULL);
    expect_nothing_done();
    until = false;
    run(make_all_calls, NULL); /* it can still be done */
    expect_all_done();
    finish_calls();
}
END_TEST

static void *make_a_call_that_is_cancelled(void *index)
{
    ck_assert_int_eq(pool_calls[T_NUMBER(index)].call(), COIR_ECANCELED);
    ck_assert_int_eq(coir_may_wait(), COIR_ECANCELED);
    return NULL;
}

static void *cancel_calls_while_the_pool_is_busy(void *arg)
{
    coir_task *t[CALLS];
    occupy_pool();
    for (int i = 0; i < CALLS; i++) {
        t[0] = spawn(make_a_call_that_is_cancelled, T_VALUE(i));
        yield();
        cancel(t[0]);
        await(t[0]);
    }
    until = true; /* and all at once */
    deadline = far_away();
    for (int i = 0; i < CALLS; i++)
        t[i] = spawn(make_a_call_that_is_cancelled, T_VALUE(i));
    yield();
    for (int i = CALLS; i-- > 0;)
        cancel(t[i]);
    for (int i = 0; i < CALLS; i++)
        await(t[i]);
    ck_assert_uint_eq(written, 0);
    expect_nothing_done();
    free_pool();
    return arg;
}

START_TEST(what_no_thread_has_begun_is_taken_back_by_a_cancel)
{
    begin_calls();
    run(cancel_calls_while_the_pool_is_busy, NULL);
    expect_nothing_done();
    finish_calls();
}
END_TEST

static void *call_before_the_pool_is_free(void *arg)
{
    coir_task *t[CALLS];
    occupy_pool();
    for (int i = 0; i < CALLS; i++)
        t[i] = pool_calls[i].call != call_ftruncate && pool_calls[i].call != call_write
                   ? spawn(make_one_call, T_VALUE(i))
                   : NULL;
    yield();
    expect_nothing_done();
    free_pool();
    for (int i = 0; i < CALLS; i++)
        if (t[i] != NULL)
            await(t[i]);
    return arg;
}

START_TEST(calls_wait_until_a_thread_is_free)
{
    begin_calls();
    run(call_before_the_pool_is_free, NULL);
    ck_assert(exists("new") && exists("made") && exists("to"));
    expect_names();
    finish_calls();
}
END_TEST

/* The pool is free, so both can come. */
static void *make_calls_in_haste(void *arg)
{
    until = true;
    for (int i = 0; i < CALLS; i++) {
        deadline = i % 2 == 0 ? 0 : coir_now() + 10 * COIR_MICROSECOND;
        int result = pool_calls[i].call();
        ck_assert(result == COIR_ETIMEDOUT || result == pool_calls[i].result);
        if (pool_calls[i].call == call_work)
            ck_assert_int_eq(work_calls, result == COIR_OK ? 1 : 0);
        if (pool_calls[i].call == call_open)
            ck_assert_int_eq(exists("new"), result == COIR_OK);
        if (pool_calls[i].call == call_mkdir)
            ck_assert_int_eq(exists("made"), result == COIR_OK);
        if (pool_calls[i].call == call_unlink)
            ck_assert_int_eq(!exists("goes"), result == COIR_OK);
        if (pool_calls[i].call == call_getaddrinfo)
            ck_assert_int_eq(found != NULL, result == COIR_OK);
        if (pool_calls[i].call == call_read)
            ck_assert_str_eq(data, result == 3 ? "abc" : "");
    }
    return arg;
}

START_TEST(a_call_is_done_or_timed_out_but_not_half_of_each)
{
    for (int i = 0; i < (t_instrumented() ? 5 : 50); i++) {
        begin_calls();
        run(make_calls_in_haste, NULL);
        finish_calls();
    }
}
END_TEST

static bool has_no_memory;

static void *allocate_if_there_is(size_t size, void *context)
{
    (void)context;
    return has_no_memory ? NULL : malloc(size);
}

static void release(void *memory, size_t size, void *context)
{
    (void)size;
    (void)context;
    free(memory);
}

/* Names may want it: their look-up can outlive the call. Then they have done nothing, and the next finds some. */
static void *make_all_calls_without_memory(void *arg)
{
    has_no_memory = true;
    for (int i = 0; i < CALLS; i++) {
        int result = pool_calls[i].call();
        bool is_name = pool_calls[i].call == call_getaddrinfo || pool_calls[i].call == call_getnameinfo;
        ck_assert(result == pool_calls[i].result || (is_name && result == COIR_ENOMEM));
        has_no_memory = false;
        if (is_name && result == COIR_ENOMEM)
            ck_assert_int_eq(pool_calls[i].call(), COIR_OK);
        has_no_memory = true;
    }
    has_no_memory = false;
    return arg;
}

START_TEST(files_and_work_need_no_memory_of_the_library)
{
    const coir_allocator own = {.allocate = allocate_if_there_is, .release = release};
    ck_assert_int_eq(coir_set_allocator(&own), COIR_OK);
    begin_calls();
    run(make_all_calls_without_memory, NULL);
    expect_all_done();
    finish_calls();
}
END_TEST

/* ---- names ---- */

static void *look_up_addresses(void *arg)
{
    struct addrinfo hints, *list = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_INET6;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICHOST;
    ck_assert_int_eq(coir_uv_getaddrinfo(&list, "::1", NULL, &hints), COIR_OK);
    ck_assert_int_eq(list->ai_family, AF_INET6);
    ck_assert_int_eq(list->ai_socktype, SOCK_DGRAM);
    uv_freeaddrinfo(list);
    list = NULL;
    ck_assert_int_eq(coir_uv_getaddrinfo(&list, "127.0.0.1", NULL, NULL), COIR_OK);
    ck_assert_int_eq(list->ai_family, AF_INET);
    uv_freeaddrinfo(list);
    list = NULL;
    ck_assert_int_eq(coir_uv_getaddrinfo(&list, NULL, "7", NULL), COIR_OK);
    ck_assert_ptr_nonnull(list);
    uv_freeaddrinfo(list);
    return arg;
}

START_TEST(an_address_may_be_looked_up_without_service_host_or_hints)
{
    run(look_up_addresses, NULL);
}
END_TEST

static void *look_up_what_is_not_there(void *arg)
{
    struct addrinfo hints, *list = T_VALUE(99);
    char long_name[3000];
    memset(&hints, 0, sizeof hints);
    hints.ai_flags = AI_NUMERICHOST;
    ck_assert_int_eq(coir_uv_getaddrinfo(&list, "no.digits.invalid", NULL, &hints), COIR_UV_ERROR(UV_EAI_NONAME));
    ck_assert_int_eq(coir_uv_getaddrinfo_until(&list, "no.digits.invalid", "80", &hints, far_away()),
                     COIR_UV_ERROR(UV_EAI_NONAME));
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    ck_assert(COIR_UV_IS_ERROR(coir_uv_getaddrinfo(&list, long_name, NULL, &hints)));
    hints.ai_flags = 0;
    hints.ai_family = 12345;
    ck_assert(COIR_UV_IS_ERROR(coir_uv_getaddrinfo(&list, "127.0.0.1", "80", &hints)));
    ck_assert_ptr_eq(list, T_VALUE(99));
    return arg;
}

START_TEST(a_name_that_does_not_exist_is_the_systems_error)
{
    run(look_up_what_is_not_there, NULL);
}
END_TEST

static void *ask_for_names(void *arg)
{
    struct sockaddr_in6 address;
    char h[1025], s[32];
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    ck_assert_int_eq(uv_ip6_addr("::1", 65535, &address), 0);
    ck_assert_int_eq(coir_uv_getnameinfo((struct sockaddr *)&address, flags, h, s), COIR_OK);
    ck_assert_str_eq(h, "::1");
    ck_assert_str_eq(s, "65535");
    memset(h, 0, sizeof h);
    memset(s, 0, sizeof s);
    ck_assert_int_eq(coir_uv_getnameinfo((struct sockaddr *)&address, flags, h, NULL), COIR_OK);
    ck_assert_str_eq(h, "::1");
    ck_assert_int_eq(coir_uv_getnameinfo_until((struct sockaddr *)&address, flags, NULL, s, far_away()), COIR_OK);
    ck_assert_str_eq(s, "65535");
    ck_assert_int_eq(coir_uv_getnameinfo((struct sockaddr *)&address, flags, NULL, NULL), COIR_OK);
    return arg;
}

START_TEST(of_host_and_service_only_one_may_be_asked_for)
{
    run(ask_for_names, NULL);
}
END_TEST

static void *ask_for_names_of_nothing(void *arg)
{
    struct sockaddr_storage address;
    char h[1025] = "as it was", s[32] = "too";
    memset(&address, 0, sizeof address);
    address.ss_family = 123;
    ck_assert(COIR_UV_IS_ERROR(coir_uv_getnameinfo((struct sockaddr *)&address, 0, h, s)));
    ck_assert_str_eq(h, "as it was");
    ck_assert_str_eq(s, "too");
    return arg;
}

START_TEST(an_address_of_no_known_kind_has_no_name)
{
    run(ask_for_names_of_nothing, NULL);
}
END_TEST

/* The names are the caller's again when the call has returned. */
static void *look_up_and_forget(void *arg)
{
    struct addrinfo *hints = calloc(1, sizeof *hints), *list = NULL;
    char *name = malloc(32);
    int result;
    ck_assert_ptr_nonnull(hints);
    ck_assert_ptr_nonnull(name);
    strcpy(name, "127.0.0.1");
    hints->ai_flags = AI_NUMERICHOST;
    result = arg == NULL ? coir_uv_getaddrinfo(&list, name, NULL, hints)
                         : coir_uv_getaddrinfo_until(&list, name, NULL, hints, coir_now() + T_NUMBER(arg));
    memset(name, 'x', 32);
    memset(hints, 0xff, sizeof *hints);
    free(name);
    free(hints);
    ck_assert(result == COIR_OK || result == (arg == NULL ? COIR_ECANCELED : COIR_ETIMEDOUT));
    ck_assert_int_eq(list != NULL, result == COIR_OK);
    uv_freeaddrinfo(list);
    return NULL;
}

static void *leave_many_names(void *arg)
{
    for (int i = 0; i < (t_instrumented() ? 20 : 200); i++) {
        coir_task *t = spawn(look_up_and_forget, NULL), *u = spawn(look_up_and_forget, T_VALUE(1 + i * 500));
        yield();
        for (int j = 0; j < i % 4; j++)
            yield();
        cancel(t);
        await(t);
        await(u);
    }
    return arg;
}

START_TEST(names_that_are_left_at_any_time_leave_nothing)
{
    run(leave_many_names, NULL);
}
END_TEST

static void *leave_names_and_end(void *arg)
{
    struct sockaddr_in address;
    char *h = malloc(1025);
    ck_assert_ptr_nonnull(h);
    ck_assert_int_eq(uv_ip4_addr("127.0.0.1", 7, &address), 0);
    occupy_pool();
    look_up_and_forget(T_VALUE(1));
    ck_assert_int_eq(coir_uv_getnameinfo_until((struct sockaddr *)&address, NI_NUMERICHOST, h, NULL, 0),
                     COIR_ETIMEDOUT);
    free(h);
    coir_task *t = spawn(look_up_and_forget, NULL);
    yield();
    cancel(t);
    await(t); /* at once, though no thread is free */
    free_pool();
    return arg;
}

START_TEST(names_that_are_left_while_the_pool_is_busy_leave_nothing)
{
    prepare_pool();
    run(leave_names_and_end, NULL);
}
END_TEST

/* ---- files ---- */

static void *write_and_read(void *arg)
{
    uv_file f = -99;
    char text[32] = "";
    ck_assert_int_eq(coir_uv_fs_open(&f, in_folder("a"), UV_FS_O_RDWR | UV_FS_O_CREAT | UV_FS_O_EXCL, 0600), COIR_OK);
    ck_assert_int_ge(f, 0);
    ck_assert_int_eq(coir_uv_fs_read(f, text, sizeof text, 0), 0);
    ck_assert_int_eq(coir_uv_fs_write(f, "hello ", 6, -1), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_write(f, "world", 5, -1), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_write(f, "J", 1, 0), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_write(f, "", 0, 3), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_read(f, text, sizeof text, -1), 0); /* the place is behind what was written */
    ck_assert_int_eq(coir_uv_fs_read(f, text, 3, 1), 3);
    ck_assert_str_eq(text, "ell");
    ck_assert_int_eq(coir_uv_fs_read(f, text, sizeof text, 0), 11);
    ck_assert_str_eq(text, "Jello world");
    ck_assert_int_eq(coir_uv_fs_read(f, text, sizeof text, 11), 0);
    ck_assert_int_eq(coir_uv_fs_read(f, text, sizeof text, 1000), 0);
    ck_assert_int_eq(coir_uv_fs_read(f, text, 0, 0), 0);
    ck_assert_int_eq(coir_uv_fs_close(f), COIR_OK);
    return arg;
}

static void *read_on_and_on(void *arg)
{
    uv_file f = -99;
    char text[5] = "";
    ck_assert_int_eq(coir_uv_fs_open_until(&f, in_folder("a"), UV_FS_O_RDONLY, 0, far_away()), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_read(f, text, 4, -1), 4);
    ck_assert_str_eq(text, "Jell");
    ck_assert_int_eq(coir_uv_fs_read_until(f, text, 4, -1, far_away()), 4);
    ck_assert_str_eq(text, "o wo");
    ck_assert_int_eq(coir_uv_fs_read(f, text, 4, -1), 3);
    ck_assert_int_eq(coir_uv_fs_read(f, text, 4, -1), 0);
    ck_assert_int_eq(coir_uv_fs_close(f), COIR_OK);
    return arg;
}

START_TEST(a_file_is_written_and_read_at_any_place)
{
    make_folder();
    run(write_and_read, NULL);
    run(read_on_and_on, NULL);
    expect_content("a", "Jello world");
    remove_now("a");
    remove_folder();
}
END_TEST

enum { LARGE = 3000000 };

static void *write_and_read_much(void *arg)
{
    uv_file f = -99;
    unsigned char *out = malloc(LARGE), *in = malloc(LARGE);
    size_t count = 0, wrote = 1;
    ck_assert(out != NULL && in != NULL);
    for (int i = 0; i < LARGE; i++)
        out[i] = (unsigned char)(i * 7 + i / 256);
    ck_assert_int_eq(coir_uv_fs_open(&f, in_folder("large"), UV_FS_O_RDWR | UV_FS_O_CREAT, 0600), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_write_until(f, out, LARGE, 0, far_away(), &wrote), COIR_OK);
    while (count < LARGE) {
        int size = coir_uv_fs_read(f, in + count, LARGE - count, (int64_t)count);
        ck_assert_int_gt(size, 0);
        count += (size_t)size;
    }
    ck_assert(memcmp(out, in, LARGE) == 0);
    ck_assert_int_eq(coir_uv_fs_close(f), COIR_OK);
    free(out);
    free(in);
    return arg;
}

START_TEST(all_of_much_is_written)
{
    make_folder();
    run(write_and_read_much, NULL);
    remove_now("large");
    remove_folder();
}
END_TEST

static void *ask_about_files(void *arg)
{
    uv_stat_t s;
    uv_file f;
    ck_assert_int_eq(coir_uv_fs_stat(in_folder("text"), &s), COIR_OK);
    ck_assert_uint_eq(s.st_size, 5);
    ck_assert((s.st_mode & S_IFMT) == S_IFREG);
    ck_assert_int_eq(coir_uv_fs_stat(in_folder("sub"), &s), COIR_OK);
    ck_assert((s.st_mode & S_IFMT) == S_IFDIR);
    ck_assert_int_eq(coir_uv_fs_lstat(in_folder("text"), &s), COIR_OK);
    ck_assert((s.st_mode & S_IFMT) == S_IFREG);
    ck_assert_int_eq(coir_uv_fs_open(&f, in_folder("text"), UV_FS_O_RDWR, 0), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_ftruncate(f, 100), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_fstat(f, &s), COIR_OK);
    ck_assert_uint_eq(s.st_size, 100);
    ck_assert_int_eq(coir_uv_fs_ftruncate(f, 0), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_fsync(f), COIR_OK);
    ck_assert_int_eq(coir_uv_fs_fstat(f, &s), COIR_OK);
    ck_assert_uint_eq(s.st_size, 0);
    ck_assert_int_eq(coir_uv_fs_close(f), COIR_OK);
    return arg;
}

START_TEST(files_and_folders_tell_what_they_are)
{
    make_folder();
    write_now("text", "12345");
    make_folder_now(in_folder("sub"));
    run(ask_about_files, NULL);
    remove_now("text");
    remove_folder_now("sub");
    remove_folder();
}
END_TEST

static void *ask_about_a_link(void *arg)
{
#ifndef _WIN32
    uv_stat_t s;
    ck_assert_int_eq(coir_uv_fs_stat(in_folder("link"), &s), COIR_OK);
    ck_assert((s.st_mode & S_IFMT) == S_IFREG);
    ck_assert_int_eq(coir_uv_fs_lstat(in_folder("link"), &s), COIR_OK);
    ck_assert((s.st_mode & S_IFMT) == S_IFLNK);
#endif
    return arg;
}

START_TEST(a_link_and_what_it_leads_to_are_two_things)
{
    uv_fs_t r;
    make_folder();
    write_now("text", "12345");
    if (done(&r, uv_fs_symlink(NULL, &r, in_folder("text"), in_folder("link"), 0, NULL)) == 0) {
        run(ask_about_a_link, NULL);
        remove_now("link");
    }
    remove_now("text");
    remove_folder();
}
END_TEST

static void *use_what_is_not_there(void *arg)
{
    uv_file f = -99;
    uv_stat_t s;
    memset(&s, 0xee, sizeof s);
    ck_assert_int_eq(coir_uv_fs_open(&f, in_folder("no"), UV_FS_O_RDONLY, 0), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(f, -99);
    ck_assert_int_eq(coir_uv_fs_stat(in_folder("no"), &s), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(coir_uv_fs_lstat(in_folder("no"), &s), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(coir_uv_fs_unlink(in_folder("no")), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(coir_uv_fs_rmdir(in_folder("no")), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(coir_uv_fs_rename(in_folder("no"), in_folder("neither")), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(coir_uv_fs_mkdir(in_folder("no/neither"), 0700), COIR_UV_ERROR(UV_ENOENT));
    ck_assert_int_eq(coir_uv_fs_fstat(-1, &s), COIR_UV_ERROR(UV_EBADF));
    ck_assert(is_untouched(&s));
    return arg;
}

START_TEST(what_does_not_exist_is_the_systems_error)
{
    make_folder();
    run(use_what_is_not_there, NULL);
    remove_folder();
}
END_TEST

static void *use_no_descriptor(void *arg)
{
    char c = 'c';
    size_t wrote = 99;
    ck_assert_int_eq(coir_uv_fs_read(-1, &c, 1, 0), COIR_UV_ERROR(UV_EBADF));
    ck_assert_int_eq(coir_uv_fs_write(-1, &c, 1, 0), COIR_UV_ERROR(UV_EBADF));
    ck_assert_int_eq(coir_uv_fs_write_until(-1, &c, 1, -1, far_away(), &wrote), COIR_UV_ERROR(UV_EBADF));
    ck_assert_uint_eq(wrote, 0);
    ck_assert_int_eq(coir_uv_fs_write_until(-1, &c, 1, -1, far_away(), NULL), COIR_UV_ERROR(UV_EBADF));
    ck_assert_int_eq(coir_uv_fs_fsync(-1), COIR_UV_ERROR(UV_EBADF));
    ck_assert_int_eq(coir_uv_fs_ftruncate(-1, 0), COIR_UV_ERROR(UV_EBADF));
    ck_assert_int_eq(coir_uv_fs_close(-1), COIR_UV_ERROR(UV_EBADF));
    return arg;
}

START_TEST(a_number_that_is_no_file_is_the_systems_error)
{
    run(use_no_descriptor, NULL);
    ck_assert_int_eq(coir_uv_fs_close(-1), COIR_UV_ERROR(UV_EBADF));
}
END_TEST

static void *do_what_cannot_be_done(void *arg)
{
    uv_file f;
    size_t wrote = 99;
    ck_assert_int_eq(coir_uv_fs_mkdir(in_folder("full"), 0700), COIR_UV_ERROR(UV_EEXIST));
    ck_assert_int_eq(coir_uv_fs_rmdir(in_folder("full")), COIR_UV_ERROR(UV_ENOTEMPTY));
    ck_assert_int_eq(coir_uv_fs_open(&f, in_folder("full/text"), UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL, 0600),
                     COIR_UV_ERROR(UV_EEXIST));
    ck_assert_int_eq(coir_uv_fs_open(&f, in_folder("full/text"), UV_FS_O_RDONLY, 0), COIR_OK);
    ck_assert(COIR_UV_IS_ERROR(coir_uv_fs_write_until(f, "x", 1, 0, far_away(), &wrote)));
    ck_assert_uint_eq(wrote, 0);
    ck_assert(COIR_UV_IS_ERROR(coir_uv_fs_ftruncate(f, 0)));
    ck_assert_int_eq(coir_uv_fs_close(f), COIR_OK);
    return arg;
}

START_TEST(what_the_system_refuses_has_changed_nothing)
{
    make_folder();
    make_folder_now(in_folder("full"));
    write_now("full/text", "text");
    run(do_what_cannot_be_done, NULL);
    expect_content("full/text", "text");
    remove_now("full/text");
    remove_folder_now("full");
    remove_folder();
}
END_TEST

static void *use_a_file_of_ones_own(void *number)
{
    char name[16], text[16], back[16] = "";
    uv_file f;
    snprintf(name, sizeof name, "f%d", T_NUMBER(number));
    snprintf(text, sizeof text, "text %d", T_NUMBER(number));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_uv_fs_open(&f, in_folder(name), UV_FS_O_RDWR | UV_FS_O_CREAT, 0600), COIR_OK);
        ck_assert_int_eq(coir_uv_fs_write(f, text, strlen(text), 0), COIR_OK);
        ck_assert_int_eq(coir_uv_fs_read(f, back, sizeof back, 0), (int)strlen(text));
        ck_assert_str_eq(back, text);
        ck_assert_int_eq(coir_uv_fs_close(f), COIR_OK);
        ck_assert_int_eq(coir_uv_fs_unlink(in_folder(name)), COIR_OK);
    }
    return NULL;
}

static void *use_many_files(void *arg)
{
    coir_task *t[12]; /* as many as there are names */
    for (int i = 0; i < 12; i++)
        t[i] = spawn(use_a_file_of_ones_own, T_VALUE(i));
    ck_assert_int_eq(coir_await_all(t, 12, NULL), COIR_OK);
    return arg;
}

START_TEST(many_tasks_use_files_at_once)
{
    make_folder();
    run(use_many_files, NULL);
    remove_folder();
}
END_TEST

#ifndef _WIN32

static int pipe_ends[2];

static void *read_from_a_pipe(void *arg)
{
    char c = '\0';
    int result = T_NUMBER(arg) == 0 ? coir_uv_fs_read(pipe_ends[0], &c, 1, -1)
                                    : coir_uv_fs_read_until(pipe_ends[0], &c, 1, -1, coir_now() + T_NUMBER(arg));
    ck_assert(result == 1 || result == (T_NUMBER(arg) == 0 ? COIR_ECANCELED : COIR_ETIMEDOUT));
    ck_assert_int_eq(c, result == 1 ? 'x' : '\0');
    return T_VALUE(result == 1);
}

static void *write_to_the_pipe(void *arg)
{
    ck_assert_int_eq(write(pipe_ends[1], "x", 1), 1);
    return arg;
}

static void *leave_reads_from_a_pipe(void *arg)
{
    char c;
    for (int i = 0; i < (t_instrumented() ? 10 : 100); i++) {
        coir_task *t = spawn(read_from_a_pipe, T_VALUE(i % 2 == 0 ? 0 : 1000 * i));
        for (int j = 0; j < 1 + i % 3; j++)
            yield();
        if (i % 2 == 0)
            cancel(t);
        for (int j = 0; j < i % 4; j++)
            yield();
        write_to_the_pipe(NULL);
        if (await(t) == NULL)
            ck_assert_int_eq(read(pipe_ends[0], &c, 1), 1);
    }
    return arg;
}

#endif

START_TEST(a_read_that_was_begun_returns_what_it_has_read)
{
#ifndef _WIN32
    ck_assert_int_eq(pipe(pipe_ends), 0);
    run(leave_reads_from_a_pipe, NULL);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
#else
    T_SKIP("needs pipe(2)");
#endif
}
END_TEST

/* ---- closing ---- */

static uv_file to_close;

static void open_one(void)
{
    to_close = open_now("text", UV_FS_O_RDONLY);
    ck_assert_int_ge(to_close, 0);
    ck_assert(is_open(to_close));
}

static void close_it(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_uv_fs_close(to_close), COIR_OK);
    ck_assert(!is_open(to_close));
    ck_assert_int_eq(coir_uv_fs_close(to_close), COIR_UV_ERROR(UV_EBADF));
    event("c");
}

static void *close_in_a_task(void *arg)
{
    close_it(NULL);
    return arg;
}

static void *close_when_cancelled(void *arg)
{
    cancel(coir_task_self());
    close_it(NULL);
    return arg;
}

static void *close_when_ending(void *arg)
{
    ck_assert_int_eq(coir_defer(close_it, NULL), COIR_OK);
    return arg;
}

static void *close_in_a_post(void *arg)
{
    ck_assert_int_eq(coir_exec_post(coir_exec_current(), close_it, NULL), COIR_OK);
    yield();
    yield();
    return arg;
}

static void begin_closing(void)
{
    prepare_pool();
    make_folder();
    write_now("text", "text");
}

static void finish_closing(void)
{
    remove_now("text");
    remove_folder();
}

START_TEST(a_file_can_be_closed_in_any_task)
{
    coir_fn *const closers[] = {close_in_a_task, close_when_cancelled, close_when_ending, close_in_a_post};
    begin_closing();
    for (int i = 0; i < 4; i++) {
        open_one();
        run(closers[i], NULL);
    }
    ck_assert_str_eq(events, "cccc");
    finish_closing();
}
END_TEST

static void *close_in_a_fiber(void *arg)
{
    close_it(NULL);
    return arg;
}

static void *close_in_a_thread(void *arg)
{
    close_it(NULL);
    return arg;
}

START_TEST(a_file_can_be_closed_outside_of_tasks)
{
    begin_closing();
    open_one();
    close_it(NULL);
    open_one();
    coir_fiber *f = t_create(close_in_a_fiber, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    open_one();
    t_on_thread(close_in_a_thread, NULL);
    ck_assert_str_eq(events, "ccc");
    finish_closing();
}
END_TEST

START_TEST(a_file_can_be_closed_in_a_task_that_has_no_loop)
{
    coir_exec *e;
    begin_closing();
    open_one();
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, close_in_a_task, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_str_eq(events, "c");
    finish_closing();
}
END_TEST

/* Where nobody may wait, nobody waits for a thread. */
static void *close_while_the_pool_is_busy(void *arg)
{
    coir_fn *const closers[] = {close_when_cancelled, close_when_ending};
    occupy_pool();
    for (int i = 0; i < 2; i++) {
        open_one();
        await(spawn(closers[i], NULL));
    }
    free_pool();
    return arg;
}

START_TEST(who_may_not_wait_closes_on_the_spot)
{
    begin_closing();
    run(close_while_the_pool_is_busy, NULL);
    ck_assert_str_eq(events, "cc");
    finish_closing();
}
END_TEST

static void *close_and_be_cancelled(void *arg)
{
    ck_assert_int_eq(coir_uv_fs_close(to_close), COIR_OK);
    ck_assert(!is_open(to_close));
    ck_assert_int_eq(coir_may_wait(), COIR_ECANCELED);
    return arg;
}

static void *cancel_who_closes(void *arg)
{
    occupy_pool();
    open_one();
    coir_task *t = spawn(close_and_be_cancelled, NULL);
    yield();
    cancel(t);
    yield();
    free_pool();
    await(t);
    for (int i = 0; i < 50; i++) { /* while a thread may be closing it */
        open_one();
        t = spawn(close_and_be_cancelled, NULL);
        for (int j = 0; j <= i % 3; j++)
            yield();
        if (coir_task_state(t) == COIR_TASK_DONE || coir_task_cancel(t) != COIR_OK)
            break;
        await(t);
    }
    return arg;
}

START_TEST(a_task_that_is_cancelled_while_it_closes_has_closed)
{
    begin_closing();
    run(cancel_who_closes, NULL);
    finish_closing();
}
END_TEST

/* ---- work ---- */

static uv_thread_t main_thread;

static void *look_around(void *arg)
{
    uv_thread_t self = uv_thread_self();
    ck_assert(!uv_thread_equal(&self, &main_thread));
    ck_assert_ptr_null(coir_task_self());
    ck_assert_ptr_null(coir_self());
    ck_assert_ptr_null(coir_exec_current());
    ck_assert_int_eq(coir_may_wait(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_uv_work(work, NULL, NULL), COIR_ENOTTASK);
    return arg;
}

static void *work_somewhere(void *arg)
{
    void *result = NULL;
    ck_assert_int_eq(coir_uv_work(look_around, arg, &result), COIR_OK);
    ck_assert_ptr_eq(result, arg);
    ck_assert_int_eq(coir_uv_work(look_around, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_uv_work_until(look_around, NULL, far_away(), NULL), COIR_OK);
    ck_assert_int_eq(coir_uv_work_until(look_around, T_VALUE(5), COIR_FOREVER, &result), COIR_OK);
    ck_assert_ptr_eq(result, T_VALUE(5));
    return arg;
}

START_TEST(work_is_in_another_thread_outside_of_any_task)
{
    main_thread = uv_thread_self();
    run(work_somewhere, T_VALUE(7));
}
END_TEST

static void *work_in_four_threads(void *arg)
{
    occupy_pool(); /* all four have begun before any goes on */
    free_pool();
    return arg;
}

START_TEST(four_works_go_on_at_the_same_time)
{
    prepare_pool();
    run(work_in_four_threads, NULL);
}
END_TEST

static int blocked_result;
static void *blocked_value;
static int64_t blocked_deadline;

static void *work_that_blocks(void *arg)
{
    blocked_result = arg == NULL ? coir_uv_work(block, T_VALUE(6), &blocked_value)
                                 : coir_uv_work_until(block, T_VALUE(6), blocked_deadline, &blocked_value);
    if (arg == NULL)
        ck_assert_int_eq(coir_uv_work(block, NULL, NULL), COIR_ECANCELED);
    return NULL;
}

static void *cancel_work_that_is_begun(void *arg)
{
    coir_task *t = spawn(work_that_blocks, NULL);
    yield();
    uv_sem_wait(&begun);
    cancel(t);
    yield();
    ck_assert_int_eq(coir_sleep(2 * COIR_MILLISECOND), COIR_OK);
    ck_assert_int_eq(blocked_result, NOT_YET);
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
    uv_sem_post(&go_on);
    await(t);
    return arg;
}

START_TEST(work_that_is_begun_is_waited_for_after_a_cancel)
{
    prepare_pool();
    blocked_result = NOT_YET;
    run(cancel_work_that_is_begun, NULL);
    ck_assert_int_eq(blocked_result, COIR_OK);
    ck_assert_ptr_eq(blocked_value, T_VALUE(6));
}
END_TEST

static void *pass_the_deadline_of_work_that_is_begun(void *arg)
{
    coir_task *t;
    blocked_deadline = far_away();
    t = spawn(work_that_blocks, arg);
    yield();
    uv_sem_wait(&begun);
    ck_assert_int_eq(coir_sleep(2 * COIR_MILLISECOND), COIR_OK);
    ck_assert_int_eq(blocked_result, NOT_YET);
    uv_sem_post(&go_on);
    await(t);
    return arg;
}

START_TEST(work_with_a_deadline_far_away_returns_its_result)
{
    prepare_pool();
    blocked_result = NOT_YET;
    run(pass_the_deadline_of_work_that_is_begun, T_VALUE(1));
    ck_assert_int_eq(blocked_result, COIR_OK);
    ck_assert_ptr_eq(blocked_value, T_VALUE(6));
}
END_TEST

/* If no thread begins in time, it begins not at all. */
static void *work_beyond_its_deadline(void *arg)
{
    coir_task *t;
    blocked_deadline = coir_now() + 30 * COIR_MILLISECOND;
    t = spawn(work_that_blocks, T_VALUE(1));
    ck_assert_int_eq(coir_sleep_until(blocked_deadline + 10 * COIR_MILLISECOND), COIR_OK);
    uv_sem_post(&go_on);
    await(t);
    ck_assert(blocked_result == COIR_OK || blocked_result == COIR_ETIMEDOUT);
    ck_assert_int_eq(blocked_result == COIR_OK, uv_sem_trywait(&begun) == 0);
    ck_assert_int_eq(blocked_result == COIR_OK, blocked_value == T_VALUE(6));
    return arg;
}

START_TEST(work_that_is_begun_is_waited_for_after_its_deadline)
{
    prepare_pool();
    blocked_value = NULL;
    run(work_beyond_its_deadline, NULL);
}
END_TEST

static bool sleeper_is_through;

static void *sleep_in_the_thread(void *arg)
{
    uv_sem_post(&begun);
    uv_sem_wait(&go_on);
    uv_sleep(20);
    sleeper_is_through = true;
    return arg;
}

static void *work_with_the_sleeper(void *arg)
{
    ck_assert_int_eq(coir_uv_work(sleep_in_the_thread, NULL, NULL), COIR_OK);
    return arg;
}

static void *stop_while_a_thread_works(void *arg)
{
    ck_assert_int_eq(coir_spawn(NULL, NULL, work_with_the_sleeper, NULL, NULL), COIR_OK);
    yield();
    uv_sem_wait(&begun);
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    uv_sem_post(&go_on);
    return arg;
}

START_TEST(a_run_that_was_stopped_waits_for_work_that_is_begun)
{
    void *result = NULL;
    prepare_pool();
    ck_assert_int_eq(coir_uv_run(stop_while_a_thread_works, T_VALUE(3), NULL, &result), COIR_TASKS_LEFT);
    ck_assert(sleeper_is_through);
}
END_TEST

static coir_wait posted;

static void end_posted(void *arg)
{
    ck_assert_int_eq(coir_wait_end(&posted, T_NUMBER(arg)), COIR_OK);
}

static void *post_from_work(void *e)
{
    ck_assert_int_eq(coir_exec_post(e, end_posted, T_VALUE(8)), COIR_OK);
    uv_sem_wait(&go_on);
    return NULL;
}

static void *work_and_post(void *arg)
{
    ck_assert_int_eq(coir_uv_work(post_from_work, coir_exec_current(), NULL), COIR_OK);
    return arg;
}

static void *wait_for_a_post_from_work(void *arg)
{
    coir_task *t = spawn(work_and_post, NULL);
    ck_assert_int_eq(coir_wait_for(&posted), 8);
    uv_sem_post(&go_on);
    await(t);
    return arg;
}

START_TEST(work_may_post_to_the_executor_that_waits_for_it)
{
    prepare_pool();
    run(wait_for_a_post_from_work, NULL);
}
END_TEST

static void *sleep_a_little(void *arg)
{
    ck_assert_int_eq(coir_sleep(COIR_MILLISECOND), COIR_OK);
    ck_assert_int_eq(coir_uv_work(work, NULL, NULL), COIR_OK);
    return arg;
}

static void *run_an_executor(void *arg)
{
    return run(sleep_a_little, arg);
}

static void *work_with_an_executor(void *arg)
{
    void *result = NULL;
    ck_assert_int_eq(coir_uv_work(run_an_executor, arg, &result), COIR_OK);
    return result;
}

START_TEST(work_may_run_an_executor_of_its_own)
{
    ck_assert_ptr_eq(run(work_with_an_executor, T_VALUE(4)), T_VALUE(4));
}
END_TEST

static void *add_one(void *arg)
{
    return T_VALUE(T_NUMBER(arg) + 1);
}

static void *work_again_and_again(void *arg)
{
    void *value = arg;
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(coir_uv_work(add_one, value, &value), COIR_OK);
    return value;
}

static void *work_in_many_tasks(void *arg)
{
    coir_task *t[40];
    void *results[40];
    for (int i = 0; i < 40; i++)
        t[i] = spawn(work_again_and_again, T_VALUE(100 * i));
    ck_assert_int_eq(coir_await_all(t, 40, results), COIR_OK);
    for (int i = 0; i < 40; i++)
        ck_assert_ptr_eq(results[i], T_VALUE(100 * i + 50));
    return arg;
}

START_TEST(each_of_many_works_returns_its_own_result)
{
    run(work_in_many_tasks, NULL);
}
END_TEST

T_MAIN(all_calls_do_their_work, all_calls_do_their_work_before_a_deadline, all_calls_take_the_deadline_that_never_comes,
       all_calls_do_their_work_under_a_shield, all_calls_may_be_made_by_a_generator, all_calls_may_be_made_at_once,
       outside_of_tasks_there_is_no_call, a_cancelled_task_makes_no_call, a_deferred_function_makes_no_call,
       null_is_not_valid, no_pointer_may_be_null, an_executor_without_a_loop_makes_no_call,
       what_no_thread_has_begun_is_taken_back_at_the_deadline, what_no_thread_has_begun_is_taken_back_by_a_cancel,
       calls_wait_until_a_thread_is_free, a_call_is_done_or_timed_out_but_not_half_of_each,
       files_and_work_need_no_memory_of_the_library, an_address_may_be_looked_up_without_service_host_or_hints,
       a_name_that_does_not_exist_is_the_systems_error, of_host_and_service_only_one_may_be_asked_for,
       an_address_of_no_known_kind_has_no_name, names_that_are_left_at_any_time_leave_nothing,
       names_that_are_left_while_the_pool_is_busy_leave_nothing, a_file_is_written_and_read_at_any_place,
       all_of_much_is_written, files_and_folders_tell_what_they_are, a_link_and_what_it_leads_to_are_two_things,
       what_does_not_exist_is_the_systems_error, a_number_that_is_no_file_is_the_systems_error,
       what_the_system_refuses_has_changed_nothing, many_tasks_use_files_at_once,
       a_read_that_was_begun_returns_what_it_has_read, a_file_can_be_closed_in_any_task,
       a_file_can_be_closed_outside_of_tasks, a_file_can_be_closed_in_a_task_that_has_no_loop,
       who_may_not_wait_closes_on_the_spot, a_task_that_is_cancelled_while_it_closes_has_closed,
       work_is_in_another_thread_outside_of_any_task, four_works_go_on_at_the_same_time,
       work_that_is_begun_is_waited_for_after_a_cancel, work_with_a_deadline_far_away_returns_its_result,
       work_that_is_begun_is_waited_for_after_its_deadline, a_run_that_was_stopped_waits_for_work_that_is_begun,
       work_may_post_to_the_executor_that_waits_for_it, work_may_run_an_executor_of_its_own,
       each_of_many_works_returns_its_own_result)
