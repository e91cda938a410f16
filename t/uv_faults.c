/* SPDX-License-Identifier: MIT */
/* uv_faults.c - every allocation, of coir's and of libuv's, fails in turn: nothing leaks, and the next client is served.
 *
 * libuv ends the process where it cannot grow its table of descriptors (by realloc), so that does not fail here; on Windows
 * it does so in most places, and only coir's allocations fail. */

#include "uv_server.h"

#include <stdlib.h>

/* ---- the allocators ---- */

static struct {
    uv_mutex_t mutex; /* threads of libuv's pool allocate too */
    long countdown;   /* the allocation that brings it to zero fails; 0: none does */
    bool from_there;  /* and all that follow */
    long failed;
    long blocks;      /* allocated and not freed */
} faults;

static bool fails(void)
{
    bool result = false;

    uv_mutex_lock(&faults.mutex);
    if (faults.countdown > 0 && --faults.countdown == 0) {
        result = true;
        faults.countdown = faults.from_there;
    }
    faults.failed += result;
    faults.blocks += !result;
    uv_mutex_unlock(&faults.mutex);
    return result;
}

static void note_release(const void *memory)
{
    uv_mutex_lock(&faults.mutex);
    faults.blocks -= memory != NULL;
    uv_mutex_unlock(&faults.mutex);
}

static void *fail_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *fail_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

static void *grow(void *memory, size_t size)
{
    if (memory == NULL) {
        uv_mutex_lock(&faults.mutex);
        faults.blocks++;
        uv_mutex_unlock(&faults.mutex);
    }
    return realloc(memory, size);
}

static void release(void *memory)
{
    note_release(memory);
    free(memory);
}

static void *allocate_for_coir(size_t size, void *context)
{
    (void)context;
    return fail_malloc(size);
}

static void release_for_coir(void *memory, size_t size, void *context)
{
    (void)size, (void)context;
    release(memory);
}

static bool libuv_survives(void)
{
#ifdef _WIN32
    return false;
#else
    return true;
#endif
}

static void set_allocators(void)
{
    const coir_allocator allocator = {.allocate = allocate_for_coir, .release = release_for_coir};

    ck_assert_int_eq(uv_mutex_init(&faults.mutex), 0);
    if (libuv_survives())
        ck_assert_int_eq(uv_replace_allocator(fail_malloc, grow, fail_calloc, release), 0);
    ck_assert_int_eq(coir_set_allocator(&allocator), COIR_OK);
}

/* ---- a bit of everything ---- */

static struct server server;

/* Did it go well? While allocations fail, whatever else it says is an error of its own or of the other side. */
static bool went_well(int code)
{
    if (faults.failed == 0)
        expect_ok(code);
    return code >= 0;
}

static void talk(void)
{
    char data[20];
    coir_uv_stream *s;

    if (!went_well(coir_uv_tcp_connect(&s, (const struct sockaddr *)&server.address)))
        return;
    if (went_well(coir_uv_write(s, "twelve bytes", 12)) && went_well(coir_uv_read_all(s, data, 12, NULL)))
        ck_assert_int_eq(memcmp(data, "twelve bytes", 12), 0);
    went_well(coir_uv_shutdown(s));
    ck_assert_int_eq(coir_uv_destroy(s), COIR_OK);
}

static void *drain(void *stream)
{
    static char data[65536];

    while (coir_uv_read(stream, data, sizeof data) > 0)
        continue;
    coir_uv_destroy(stream);
    return NULL;
}

/* After an open that failed, the socket is still ours. */
static coir_uv_stream *open_stream(uv_os_sock_t socket)
{
    coir_uv_stream *s;
    long countdown = faults.countdown;

    if (went_well(coir_uv_tcp_open(&s, socket)))
        return s;
    faults.countdown = 0;
    ck_assert_int_eq(coir_uv_tcp_open(&s, socket), COIR_OK);
    faults.countdown = faults.from_there ? countdown : 0;
    return s;
}

/* More than the system takes at once. */
static void flood(void)
{
    static char data[4 << 20];
    uv_os_sock_t sockets[2];
    coir_uv_stream *s, *other;

    ck_assert_int_eq(uv_socketpair(SOCK_STREAM, 0, sockets, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    s = open_stream(sockets[0]);
    other = open_stream(sockets[1]);
    if (!went_well(coir_spawn(NULL, NULL, drain, other, NULL)))
        coir_uv_destroy(other);
    went_well(coir_uv_write(s, data, sizeof data));
    ck_assert_int_eq(coir_uv_destroy(s), COIR_OK);
}

static void look_up(void)
{
    struct addrinfo *list;
    coir_uv_stream *s;
    char host[NI_MAXHOST], service[NI_MAXSERV];

    if (went_well(coir_uv_getaddrinfo(&list, "127.0.0.1", "80", NULL)))
        uv_freeaddrinfo(list);
    if (went_well(coir_uv_getnameinfo((const struct sockaddr *)&server.address, NI_NUMERICHOST | NI_NUMERICSERV, host, service)) &&
        went_well(coir_uv_connect(&s, host, service)))
        coir_uv_destroy(s);
}

static void *same(void *arg)
{
    return arg;
}

static void use_pool(void)
{
    uv_stat_t stat;

    went_well(coir_uv_work(same, NULL, NULL));
    went_well(coir_uv_fs_stat(".", &stat));
}

static void use_datagrams(void)
{
    coir_uv_udp *u;
    struct sockaddr_in address;
    int size = sizeof address;
    char data[8];

    uv_ip4_addr("127.0.0.1", 0, &address);
    if (!went_well(coir_uv_udp_create(&u, (const struct sockaddr *)&address, 0)))
        return;
    uv_udp_getsockname(coir_uv_udp_handle(u), (struct sockaddr *)&address, &size);
    if (went_well(coir_uv_udp_send(u, "datagram", 8, (const struct sockaddr *)&address)))
        ck_assert_int_eq(coir_uv_udp_recv(u, data, sizeof data, NULL, NULL), 8);
    ck_assert_int_eq(coir_uv_udp_destroy(u), COIR_OK);
}

static void use_signals(void)
{
    coir_uv_signal *s;

    if (went_well(coir_uv_signal_create(&s, SIGINT)))
        ck_assert_int_eq(coir_uv_signal_destroy(s), COIR_OK);
}

static void start_nothing(void)
{
    char name[] = "/no/such/program", *arguments[] = {name, NULL};
    const uv_process_options_t options = {.file = name, .args = arguments};
    coir_uv_process *p = NULL;

    ck_assert_int_lt(coir_uv_process_spawn(&p, &options), COIR_OK);
    ck_assert_ptr_null(p);
}

static void *everything(void *arg)
{
    memset(&server, 0, sizeof server);
    if (!went_well(start_server(&server)))
        return arg;
    talk();
    flood();
    look_up();
    use_pool();
    use_datagrams();
    use_signals();
    start_nothing();
    faults.countdown = 0;
    if (server.closed)
        return arg;
    be_served(&server);
    coir_uv_close(server.listener);
    return arg;
}

/* On a thread of its own: when that has ended, nothing of it is left. */
static void *run_on_thread(void *arg)
{
    went_well(coir_uv_run(everything, arg, NULL, NULL));
    faults.countdown = 0;
    return NULL;
}

static void run_with_faults(bool from_there)
{
    long before, target = 0;

    set_allocators();
    t_on_thread(run_on_thread, NULL); /* what is made once for all */
    before = faults.blocks;
    do {
        ck_assert(from_there || !server.closed);
        faults.failed = 0;
        faults.from_there = from_there;
        faults.countdown = ++target;
        t_on_thread(run_on_thread, NULL);
        ck_assert_int_eq(faults.blocks, before);
    } while (faults.failed > 0);
    ck_assert_int_gt(target, 10);
}

START_TEST(each_allocation_may_fail)
{
    run_with_faults(false);
}
END_TEST

START_TEST(memory_may_be_gone_from_any_allocation_on)
{
    run_with_faults(true);
}
END_TEST

T_MAIN(each_allocation_may_fail,
       memory_may_be_gone_from_any_allocation_on)
