/* SPDX-License-Identifier: MIT */
/* load.c - what echo servers have to bear: connections that each send a message, wait for its echo, and send the next.
 *
 *     load echo PORT PID CONNECTIONS BYTES MILLISECONDS
 *     load idle PORT PID CONNECTIONS BYTES
 *
 * PORT is the server's on the loopback device, PID its process. Each connection is made, and has had one echo, before
 * the next is made. `echo` then keeps all of them busy, at first for a while that is not measured, and prints, with
 * tabs between: messages in a second; of the time from a message to its echo the median, the 99th percentile and the
 * longest, in ns; the server's processor time for a message, in ns; and how much of the time the server was busy, in
 * percent. `idle` prints, per connection, the bytes that the server's process has more than before: resident, and of
 * page tables.
 *
 * One thread, epoll, a read and a write for a message: as much as the best server does. So the server decides. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES 65536
#define MOST_EVENTS 256
#define PATIENCE 10000 /* ms without any echo, after which the server is taken for dead */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s%s%s\n", what, errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- a histogram: 128 steps for each power of two, so that a figure is within a percent ---- */

#define STEPS 128
#define STEP_BITS 7

static uint64_t histogram[64 * STEPS];
static uint64_t samples;
static int64_t longest;

static size_t place_of(uint64_t value)
{
    unsigned power;

    if (value < STEPS)
        return value;
    power = 63 - (unsigned)__builtin_clzll(value);
    return (power - STEP_BITS + 1) * STEPS + ((value >> (power - STEP_BITS)) & (STEPS - 1));
}

/* The least value with that place. */
static uint64_t value_at(size_t place)
{
    if (place < STEPS)
        return place;
    return (STEPS + place % STEPS) << (place / STEPS - 1);
}

static void note(int64_t latency)
{
    histogram[place_of((uint64_t)latency)]++;
    samples++;
    if (latency > longest)
        longest = latency;
}

static uint64_t percentile(double part)
{
    uint64_t wanted = (uint64_t)((double)samples * part);
    uint64_t seen = 0;

    for (size_t i = 0; i < sizeof histogram / sizeof *histogram; i++) {
        seen += histogram[i];
        if (seen > wanted)
            return value_at(i);
    }
    return (uint64_t)longest;
}

/* ---- the server's process ---- */

static const char *server; /* its number */

static FILE *open_of_server(const char *name)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/%s", server, name);
    file = fopen(path, "r");
    if (file == NULL)
        die(path);
    return file;
}

/* A thread may end between being listed and being asked. */
static double time_of_thread(const char *thread)
{
    char path[300];
    double time = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", server, thread);
    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%lf", &time) != 1)
        time = 0;
    if (file != NULL)
        fclose(file);
    return time;
}

/* The processor time of all its threads, in ns; 0 if the system does not tell. */
static double server_time(void)
{
    char path[64];
    double sum = 0;
    DIR *threads;

    snprintf(path, sizeof path, "/proc/%s/task", server);
    threads = opendir(path);
    if (threads == NULL)
        die(path);
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;)
        if (entry->d_name[0] != '.')
            sum += time_of_thread(entry->d_name);
    closedir(threads);
    return sum;
}

/* The value of the line "NAME:  123 kB" of one of its files, in bytes. */
static double server_bytes(const char *file_name, const char *name)
{
    FILE *file = open_of_server(file_name);
    size_t length = strlen(name);
    double bytes = 0;
    char line[256];

    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            bytes = strtod(line + length + 1, NULL) * 1024;
    fclose(file);
    return bytes;
}

/* The kernel counts exactly in the first of these files only, and older ones do not have it. */
static double server_resident(void)
{
    double bytes = access("/proc/self/smaps_rollup", R_OK) == 0 ? server_bytes("smaps_rollup", "Rss") : 0;

    return bytes > 0 ? bytes : server_bytes("status", "VmRSS");
}

/* ---- connections ---- */

struct connection {
    int descriptor;
    uint32_t got;      /* of the echo that is awaited */
    int64_t sent_at;
};

static struct connection *connections;
static long count;
static size_t size; /* of a message */
static char message[MOST_BYTES];
static char echo[MOST_BYTES];
static int epoll;

static void send_message(struct connection *c, int64_t time)
{
    c->got = 0;
    c->sent_at = time;
    if (send(c->descriptor, message, size, MSG_NOSIGNAL) != (ssize_t)size)
        die("a message could not be sent");
}

/* Takes what has come: has the echo come whole? */
static bool receive(struct connection *c)
{
    ssize_t got = recv(c->descriptor, echo, size - c->got, 0);

    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0)
        die("the server closed a connection");
    c->got += (uint32_t)got;
    return c->got == size;
}

/* Closed by a reset, so that no connection lingers to disturb the next measurement. */
static int open_socket(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct linger linger = {1, 0};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (descriptor < 0)
        die("socket");
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return descriptor;
}

/* One echo each shows that the server has accepted it, and that its echo is right. */
static void connect_one(struct connection *c, uint16_t port)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    c->descriptor = open_socket(port);
    send_message(c, 0);
    while (!receive(c))
        ;
    if (memcmp(message, echo, size) != 0)
        die("the echo is not what was sent");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->descriptor, &event) != 0)
        die("epoll_ctl");
}

static void connect_all(uint16_t port)
{
    connections = calloc((size_t)count, sizeof *connections);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || epoll < 0)
        die("epoll_create1");
    for (size_t i = 0; i < size; i++)
        message[i] = (char)(i * 7 + 1);
    for (long i = 0; i < count; i++)
        connect_one(&connections[i], port);
}

/* ---- measuring ---- */

static bool is_measured; /* the server has warmed up */

static void go_on(struct connection *c)
{
    int64_t time;

    if (!receive(c))
        return;
    time = now();
    if (is_measured)
        note(time - c->sent_at);
    send_message(c, time);
}

/* Serves connections until about that time: what time it is then. */
static int64_t run_until(int64_t end)
{
    struct epoll_event events[MOST_EVENTS];
    int64_t time;

    do {
        int ready = epoll_wait(epoll, events, MOST_EVENTS, PATIENCE);
        if (ready < 0)
            die("epoll_wait");
        if (ready == 0)
            die("the server does not answer");
        for (int i = 0; i < ready; i++)
            go_on(events[i].data.ptr);
        time = now();
    } while (time < end);
    return time;
}

static void measure_echo(long milliseconds)
{
    int64_t length = (int64_t)milliseconds * 1000000;
    int64_t begin, end;
    double server_begin, server_took, took;

    for (long i = 0; i < count; i++)
        send_message(&connections[i], now());
    begin = run_until(now() + length / 4 + 50000000);
    server_begin = server_time();
    is_measured = true;
    end = run_until(begin + length);
    server_took = server_time() - server_begin;
    took = (double)(end - begin);
    printf("%.0f\t%llu\t%llu\t%lld\t%.1f\t%.1f\n", (double)samples / took * 1e9, (unsigned long long)percentile(0.5),
           (unsigned long long)percentile(0.99), (long long)longest, server_took / (double)samples,
           server_took / took * 100);
}

/* What the server has done for a connection may still go on when its echo has come. */
static void measure_idle(uint16_t port)
{
    double resident = server_resident(), tables = server_bytes("status", "VmPTE");

    connect_all(port);
    usleep(200000);
    printf("%.0f\t%.0f\n", (server_resident() - resident) / (double)count,
           (server_bytes("status", "VmPTE") - tables) / (double)count);
}

static long read_number(const char *text, long most)
{
    char *end;
    long number = strtol(text, &end, 10);

    errno = 0;
    if (end == text || *end != '\0' || number < 1 || number > most)
        die("usage: load echo PORT PID CONNECTIONS BYTES MILLISECONDS, or load idle PORT PID CONNECTIONS BYTES");
    return number;
}

int main(int argc, char **argv)
{
    bool is_idle = argc == 6 && strcmp(argv[1], "idle") == 0;
    uint16_t port;

    if (!is_idle && (argc != 7 || strcmp(argv[1], "echo") != 0))
        read_number("", 0);
    port = (uint16_t)read_number(argv[2], 65535);
    server = argv[3];
    read_number(server, INT32_MAX);
    count = read_number(argv[4], 1000000);
    size = (size_t)read_number(argv[5], MOST_BYTES);
    if (is_idle) {
        measure_idle(port);
        return 0;
    }
    connect_all(port);
    measure_echo(read_number(argv[6], 3600000));
    return 0;
}
