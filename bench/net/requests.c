/* SPDX-License-Identifier: MIT */
/* requests.c - what one request to libuv costs when a task awaits it, and when a callback is called for it.
 *
 *     requests count KIND coir|libuv
 *     requests time KIND coir|libuv MILLISECONDS
 *     requests list
 *
 * `count` prints, of each request after the first, with tabs between: switches between fibers; allocations of coir's;
 * and of libuv's own. `time` prints how many ns a request takes. `list` prints the kinds: what one request is.
 *
 * Each kind is here twice, as a function that does it so many times: in a task, and with callbacks, each of which
 * begins the next request. */

#include <coir.h>
#include <coir/uv.h>

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what, int error)
{
    fprintf(stderr, "requests: %s: %s\n", what, error != 0 ? coir_uv_strerror(error) : "failed");
    exit(1);
}

/* For what must not fail. */
static void expect(const char *what, int result)
{
    if (result < 0)
        die(what, COIR_UV_IS_ERROR(result) || result > UV_ERRNO_MAX ? result : COIR_UV_ERROR(result));
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* ---- counting: also what threads of the pool do ---- */

static atomic_long switches, coir_allocations, libuv_allocations;

static void count_switch(coir_fiber *from, coir_fiber *to, void *context)
{
    (void)from, (void)to, (void)context;
    switches++;
}

static void *allocate(size_t size, void *context)
{
    (void)context;
    coir_allocations++;
    return malloc(size);
}

static void release(void *memory, size_t size, void *context)
{
    (void)size, (void)context;
    free(memory);
}

static void *count_malloc(size_t size)
{
    libuv_allocations++;
    return malloc(size);
}

static void *count_realloc(void *memory, size_t size)
{
    libuv_allocations++;
    return realloc(memory, size);
}

static void *count_calloc(size_t count, size_t size)
{
    libuv_allocations++;
    return calloc(count, size);
}

static void count_all(void)
{
    static const coir_allocator allocator = {.allocate = allocate, .release = release};

    expect("coir_set_allocator", coir_set_allocator(&allocator));
    expect("uv_replace_allocator", uv_replace_allocator(count_malloc, count_realloc, count_calloc, free));
    expect("coir_set_switch_hook", coir_set_switch_hook(count_switch, NULL));
}

/* ---- callbacks: how many requests are left ---- */

static uv_loop_t *loop;
static long left;

static void nothing_more(uv_handle_t *handle)
{
    (void)handle;
}

/* ---- a sleep, of the shortest time that libuv's timers have ---- */

static void coir_sleeps(long times)
{
    while (times-- > 0)
        expect("coir_sleep", coir_sleep(COIR_MILLISECOND));
}

static void on_timer(uv_timer_t *timer)
{
    if (--left > 0)
        uv_timer_start(timer, on_timer, 1, 0);
}

static void libuv_sleeps(long times)
{
    uv_timer_t timer;

    left = times;
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, on_timer, 1, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, nothing_more);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- a message: one write, and one read on the other side, which has to wait for it ---- */

#define MESSAGE 64
#define PATIENCE COIR_SECOND

static void make_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair", 0);
}

static coir_uv_stream *near_end, *far_end;

static void open_pair(void)
{
    int pair[2];

    make_pair(pair);
    expect("coir_uv_pipe_open", coir_uv_pipe_open(&near_end, pair[0]));
    expect("coir_uv_pipe_open", coir_uv_pipe_open(&far_end, pair[1]));
}

static int64_t deadline_for(bool has_deadline)
{
    return has_deadline ? coir_now() + PATIENCE : COIR_FOREVER;
}

static void *send_back(void *has_deadline)
{
    char data[2048];
    int size;

    while ((size = coir_uv_read_until(far_end, data, sizeof data, deadline_for(has_deadline != NULL))) > 0)
        expect("coir_uv_write", coir_uv_write(far_end, data, (size_t)size));
    return NULL;
}

static void exchange_messages(long times, bool has_deadline)
{
    char data[2048] = {0};

    if (near_end == NULL) {
        open_pair();
        expect("coir_spawn", coir_spawn(NULL, NULL, send_back, has_deadline ? data : NULL, NULL));
    }
    for (long i = 0; i < times; i += 2) {
        expect("coir_uv_write", coir_uv_write(near_end, data, MESSAGE));
        expect("coir_uv_read", coir_uv_read_until(near_end, data, sizeof data, deadline_for(has_deadline)));
    }
}

static void coir_messages(long times)
{
    exchange_messages(times, false);
}

static void coir_messages_in_time(long times)
{
    exchange_messages(times, true);
}

static uv_pipe_t near_pipe, far_pipe;
static uv_timer_t near_timer, far_timer;
static bool is_in_time;
static char memory[65536];

static void lend_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)handle, (void)suggested;
    *out = uv_buf_init(memory, sizeof memory);
}

static void on_late(uv_timer_t *timer)
{
    (void)timer;
    die("a message did not come", 0);
}

static void write_message(uv_stream_t *stream)
{
    uv_buf_t data = uv_buf_init(memory, MESSAGE);

    expect("uv_try_write", uv_try_write(stream, &data, 1));
}

static void on_message(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    (void)data;
    if (size <= 0)
        return;
    if (is_in_time)
        uv_timer_again(stream == (uv_stream_t *)&near_pipe ? &near_timer : &far_timer);
    if (--left > 0)
        write_message(stream);
    else
        uv_stop(loop);
}

static void open_pipes(uv_read_cb on_read)
{
    int pair[2];

    make_pair(pair);
    uv_pipe_init(loop, &near_pipe, 0);
    uv_pipe_init(loop, &far_pipe, 0);
    expect("uv_pipe_open", uv_pipe_open(&near_pipe, pair[0]));
    expect("uv_pipe_open", uv_pipe_open(&far_pipe, pair[1]));
    uv_read_start((uv_stream_t *)&near_pipe, lend_memory, on_read);
    uv_read_start((uv_stream_t *)&far_pipe, lend_memory, on_read);
}

static void libuv_messages(long times)
{
    static bool has_pipes;

    if (!has_pipes)
        open_pipes(on_message);
    has_pipes = true;
    left = times + times % 2; /* so that the last comes to the near end */
    write_message((uv_stream_t *)&near_pipe);
    uv_run(loop, UV_RUN_DEFAULT);
}

static void libuv_messages_in_time(long times)
{
    if (!is_in_time) {
        is_in_time = true;
        uv_timer_init(loop, &near_timer);
        uv_timer_init(loop, &far_timer);
        uv_timer_start(&near_timer, on_late, PATIENCE / COIR_MILLISECOND, PATIENCE / COIR_MILLISECOND);
        uv_timer_start(&far_timer, on_late, PATIENCE / COIR_MILLISECOND, PATIENCE / COIR_MILLISECOND);
    }
    libuv_messages(times);
}

/* ---- a large write, to a reader that takes it at once ---- */

static void *read_all(void *arg)
{
    while (coir_uv_read(far_end, memory, sizeof memory) > 0)
        ;
    return arg;
}

static void coir_large_writes(long times)
{
    static char data[65536];

    if (near_end == NULL) {
        open_pair();
        expect("coir_spawn", coir_spawn(NULL, NULL, read_all, NULL, NULL));
    }
    while (times-- > 0)
        expect("coir_uv_write", coir_uv_write(near_end, data, sizeof data));
}

static uv_write_t write_request;

static void on_large_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    (void)stream, (void)size, (void)data;
}

static void write_large(void);

static void on_written(uv_write_t *request, int status)
{
    (void)request;
    expect("uv_write", status);
    left--;
    write_large();
}

static void write_large(void)
{
    static char data[65536];

    for (; left > 0; left--) {
        uv_buf_t rest = uv_buf_init(data, sizeof data);
        int written = uv_try_write((uv_stream_t *)&near_pipe, &rest, 1);
        if (written == sizeof data)
            continue;
        if (written != UV_EAGAIN)
            expect("uv_try_write", written);
        rest.len -= written > 0 ? (size_t)written : 0;
        expect("uv_write", uv_write(&write_request, (uv_stream_t *)&near_pipe, &rest, 1, on_written));
        return;
    }
    uv_stop(loop);
}

static void libuv_large_writes(long times)
{
    static bool has_pipes;

    if (!has_pipes)
        open_pipes(on_large_read);
    has_pipes = true;
    left = times;
    write_large();
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- a call on a thread of the pool ---- */

static void *do_nothing(void *arg)
{
    return arg;
}

static void coir_works(long times)
{
    while (times-- > 0)
        expect("coir_uv_work", coir_uv_work(do_nothing, NULL, NULL));
}

static void work_nothing(uv_work_t *request)
{
    (void)request;
}

static void on_work(uv_work_t *request, int status)
{
    expect("uv_queue_work", status);
    if (--left > 0)
        uv_queue_work(loop, request, work_nothing, on_work);
}

static void libuv_works(long times)
{
    uv_work_t request;

    left = times;
    uv_queue_work(loop, &request, work_nothing, on_work);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- files ---- */

#define FILE_NAME "/proc/self/exe"

static void coir_stats(long times)
{
    uv_stat_t status;

    while (times-- > 0)
        expect("coir_uv_fs_stat", coir_uv_fs_stat(FILE_NAME, &status));
}

static void on_stat(uv_fs_t *request)
{
    expect("uv_fs_stat", (int)request->result);
    uv_fs_req_cleanup(request);
    if (--left > 0)
        uv_fs_stat(loop, request, FILE_NAME, on_stat);
}

static void libuv_stats(long times)
{
    uv_fs_t request;

    left = times;
    uv_fs_stat(loop, &request, FILE_NAME, on_stat);
    uv_run(loop, UV_RUN_DEFAULT);
}

static uv_file file = -1;

static void open_file(void)
{
    if (file < 0)
        file = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        die(FILE_NAME, 0);
}

static void coir_file_reads(long times)
{
    open_file();
    while (times-- > 0)
        expect("coir_uv_fs_read", coir_uv_fs_read(file, memory, MESSAGE, 0));
}

static void on_file_read(uv_fs_t *request)
{
    uv_buf_t data = uv_buf_init(memory, MESSAGE);

    expect("uv_fs_read", (int)request->result);
    uv_fs_req_cleanup(request);
    if (--left > 0)
        uv_fs_read(loop, request, file, &data, 1, 0, on_file_read);
}

static void libuv_file_reads(long times)
{
    uv_buf_t data = uv_buf_init(memory, MESSAGE);
    uv_fs_t request;

    open_file();
    left = times;
    uv_fs_read(loop, &request, file, &data, 1, 0, on_file_read);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- a name, which needs no asking around ---- */

static const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};

static void coir_names(long times)
{
    while (times-- > 0) {
        struct addrinfo *list;
        expect("coir_uv_getaddrinfo", coir_uv_getaddrinfo(&list, "127.0.0.1", "80", &hints));
        uv_freeaddrinfo(list);
    }
}

static void on_name(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    expect("uv_getaddrinfo", status);
    uv_freeaddrinfo(list);
    if (--left > 0)
        uv_getaddrinfo(loop, request, on_name, "127.0.0.1", "80", &hints);
}

static void libuv_names(long times)
{
    uv_getaddrinfo_t request;

    left = times;
    uv_getaddrinfo(loop, &request, on_name, "127.0.0.1", "80", &hints);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- measuring ---- */

static const struct kind {
    const char *name;
    const char *meaning;
    void (*coir)(long times);
    void (*libuv)(long times);
    long batch; /* how many are done in a row */
} kinds[] = {
    {"message", "a write, and a read that waits for it", coir_messages, libuv_messages, 1000},
    {"message_in_time", "the same, with a deadline", coir_messages_in_time, libuv_messages_in_time, 1000},
    {"large_write", "a write of 64 KiB to a quick reader", coir_large_writes, libuv_large_writes, 1000},
    {"work", "a function on a thread of the pool", coir_works, libuv_works, 1000},
    {"fs_stat", "a file's status", coir_stats, libuv_stats, 1000},
    {"fs_read", "64 bytes of a file", coir_file_reads, libuv_file_reads, 1000},
    {"getaddrinfo", "an address in digits", coir_names, libuv_names, 1000},
    {"sleep", "1 ms", coir_sleeps, libuv_sleeps, 20},
    {NULL, NULL, NULL, NULL, 0},
};

static const struct kind *kind;
static void (*requests)(long times);
static double length; /* how long to measure, in ns; 0: count instead */

static void print_counts(void)
{
    double times = (double)kind->batch;
    long before[3];

    requests(2);
    before[0] = switches, before[1] = coir_allocations, before[2] = libuv_allocations;
    requests(kind->batch);
    printf("%.2f\t%.2f\t%.2f\n", (double)(switches - before[0]) / times,
           (double)(coir_allocations - before[1]) / times, (double)(libuv_allocations - before[2]) / times);
}

static void print_time(void)
{
    double start, took, times = 0;

    requests(kind->batch);
    start = now();
    do {
        requests(kind->batch);
        times += (double)kind->batch;
        took = now() - start;
    } while (took < length);
    printf("%.1f\n", took / times);
}

/* In the first task, or where there are none. */
static void *measure(void *arg)
{
    if (length > 0)
        print_time();
    else
        print_counts();
    fflush(stdout);
    _Exit(0); /* with streams open */
    return arg;
}

static _Noreturn void end_with_usage(void)
{
    fputs("usage: requests count KIND coir|libuv, or requests time KIND coir|libuv MILLISECONDS, or requests list\n",
          stderr);
    exit(2);
}

static void list_kinds(void)
{
    for (kind = kinds; kind->name != NULL; kind++)
        printf("%s\t%s\n", kind->name, kind->meaning);
    exit(0);
}

static void find_kind(const char *name)
{
    for (kind = kinds; kind->name != NULL; kind++)
        if (strcmp(kind->name, name) == 0)
            return;
    end_with_usage();
}

int main(int argc, char **argv)
{
    bool is_coir;

    if (argc == 2 && strcmp(argv[1], "list") == 0)
        list_kinds();
    if (argc < 4 || argc != (strcmp(argv[1], "time") == 0 ? 5 : 4))
        end_with_usage();
    if (argc == 5)
        length = strtod(argv[4], NULL) * 1e6;
    else
        count_all();
    find_kind(argv[2]);
    is_coir = strcmp(argv[3], "coir") == 0;
    requests = is_coir ? kind->coir : kind->libuv;
    signal(SIGPIPE, SIG_IGN);
    alarm(60 + (unsigned)(length / 1e9)); /* should a request never end */
    if (is_coir)
        expect("coir_uv_run", coir_uv_run(measure, NULL, NULL, NULL));
    loop = uv_default_loop();
    measure(NULL);
}
