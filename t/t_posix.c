/* SPDX-License-Identifier: MIT */
/* t_posix.c - what the tests want of a POSIX system. */

#define _GNU_SOURCE
#include "t.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int this_case;

void t_start(const char *program, int only)
{
    (void)program;
    this_case = only;
}

/* What a child has counted of the lines that it executed is lost unless it is written before its end. A child that means
 * to crash does so in a handler, which is the one that was there before the library's. */
#ifdef T_COUNTS_LINES
void __gcov_dump(void);

static void count_and_crash(int number)
{
    __gcov_dump();
    signal(number, SIG_DFL);
    raise(number);
}
#define T_BEFORE_AN_END() __gcov_dump()
#define T_CRASHES count_and_crash
#else
#define T_BEFORE_AN_END() ((void)0)
#define T_CRASHES SIG_DFL
#endif

/* Runs in the child. A core would be no news, and a sanitizer may have its own handlers. */
static void run_and_exit(void (*fn)(void *arg), void *arg)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, T_CRASHES);
    signal(SIGBUS, T_CRASHES);
    signal(SIGABRT, SIG_DFL);
    fn(arg);
    T_BEFORE_AN_END();
    _exit(0);
}

static int wait_for(pid_t child)
{
    int status = 0;

    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS)
        return T_FAULT;
    return WTERMSIG(status) == SIGABRT ? T_ABORT : T_KILLED;
}

int t_run_in_child(void (*fn)(void *arg), void *arg)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0)
        run_and_exit(fn, arg);
    return wait_for(child);
}

/* Reads to the end, and keeps what there is room for. */
static void read_all(int fd, char *text, size_t size)
{
    char unwanted[256];
    size_t length = 0;
    ssize_t got;

    do {
        size_t room = size - 1 - length;
        got = room > 0 ? read(fd, text + length, room) : read(fd, unwanted, sizeof unwanted);
        if (got > 0 && room > 0)
            length += (size_t)got;
    } while (got > 0);
    text[length] = '\0';
    close(fd);
}

int t_listen_to_child(void (*fn)(void *arg), void *arg, char *heard, size_t size)
{
    pid_t child;
    int ends[2];

    fflush(NULL);
    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        run_and_exit(fn, arg);
    }
    close(ends[1]);
    read_all(ends[0], heard, size);
    return wait_for(child);
}

void t_listen(void (*fn)(int fd, void *arg), void *arg, char *heard, size_t size)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    fn(ends[1], arg);
    close(ends[1]);
    read_all(ends[0], heard, size);
}

/* What the other process prints is of no interest. */
static void become_again(const char *name, const char *value)
{
    char number[16];

    snprintf(number, sizeof number, "%d", this_case);
    setenv(name, value, 1);
    if (freopen("/dev/null", "w", stdout) != NULL)
        execl("/proc/self/exe", "again", number, (char *)NULL);
    _exit(99);
}

int t_run_again(const char *name, const char *value)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0)
        become_again(name, value);
    return wait_for(child);
}

void t_exit(int status)
{
    T_BEFORE_AN_END();
    _exit(status);
}

t_thread *t_thread_start(void *(*fn)(void *arg), void *arg)
{
    t_thread *thread = t_thread_take();
    pthread_t id;

    ck_assert_int_eq(pthread_create(&id, NULL, fn, arg), 0);
    thread->system = (uintptr_t)id;
    return thread;
}

void *t_thread_join(t_thread *thread)
{
    void *value = NULL;

    ck_assert_int_eq(pthread_join((pthread_t)thread->system, &value), 0);
    thread->used = false;
    return value;
}

void t_thread_exit(void *value)
{
    pthread_exit(value);
}

t_thread_key t_thread_key_create(void (*destroy)(void *value))
{
    pthread_key_t key;

    ck_assert_int_eq(pthread_key_create(&key, destroy), 0);
    return (t_thread_key){key};
}

void t_thread_key_set(t_thread_key key, void *value)
{
    ck_assert_int_eq(pthread_setspecific((pthread_key_t)key.number, value), 0);
}

struct t_monitor {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

t_monitor *t_monitor_create(void)
{
    t_monitor *m = malloc(sizeof *m);

    ck_assert_ptr_nonnull(m);
    pthread_mutex_init(&m->mutex, NULL);
    pthread_cond_init(&m->condition, NULL);
    return m;
}

void t_monitor_destroy(t_monitor *m)
{
    pthread_cond_destroy(&m->condition);
    pthread_mutex_destroy(&m->mutex);
    free(m);
}

void t_monitor_enter(t_monitor *m)
{
    pthread_mutex_lock(&m->mutex);
}

void t_monitor_leave(t_monitor *m)
{
    pthread_mutex_unlock(&m->mutex);
}

void t_monitor_wait(t_monitor *m)
{
    pthread_cond_wait(&m->condition, &m->mutex);
}

void t_monitor_wake(t_monitor *m)
{
    pthread_cond_broadcast(&m->condition);
}

size_t t_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *t_map(uintptr_t address, size_t size)
{
    void *memory = mmap((void *)address, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

void t_unmap(void *memory, size_t size)
{
    munmap(memory, size);
}

void *t_aligned_allocate(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

void t_aligned_release(void *memory)
{
    free(memory);
}

void *t_library_open(const char *name)
{
    char path[256];

    snprintf(path, sizeof path, ".libs/%s.so", name);
    return access(path, F_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

void *t_library_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

void t_setenv(const char *name, const char *value)
{
    if (value != NULL)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

long t_resident_kib(void)
{
    long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
    fclose(file);
    return resident * (long)(t_page_size() / 1024);
}

long t_mappings(void)
{
    long lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");

    ck_assert_ptr_nonnull(file);
    for (int c = getc(file); c != EOF; c = getc(file))
        lines += c == '\n';
    fclose(file);
    return lines;
}

bool t_guards_are_free(void)
{
    size_t page = t_page_size();
    char *memory = t_map(0, page);
    /* 102: MADV_GUARD_INSTALL; 22: MADV_POPULATE_READ, which a true guard refuses. */
    bool are_free = madvise(memory, page, 102) == 0 && madvise(memory, page, 22) != 0;

    munmap(memory, page);
    return are_free;
}

bool t_is_wine(void)
{
    return false;
}
