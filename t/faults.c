/* SPDX-License-Identifier: MIT */
/* Every allocation and system call of the library fails in turn: the call that needed it says so, nothing else changed,
 * nothing is leaked, and the next try works.
 *
 * Linked with the library's objects, in which the linker leads these calls to the functions below (--wrap). */

#include "t.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum call { MALLOC, MMAP, MADVISE, MPROTECT, MINCORE, KEY_CREATE, ATFORK, SETSPECIFIC, CALLS };

static struct {
    long countdown;      /* the call that brings it to zero fails; negative: none does */
    unsigned always;     /* a bit for each kind of call that always fails */
    long counts[CALLS];  /* calls made */
    long memory;         /* blocks allocated and not freed */
    size_t mapped;       /* bytes mapped and not unmapped */
    size_t mmap_limit;   /* mmap refuses more than this, if it is not zero */
    size_t largest_mapping;
} faults = {.countdown = -1};

static int fails(enum call call)
{
    faults.counts[call]++;
    if (faults.always & 1u << call)
        return 1;
    return faults.countdown >= 0 && faults.countdown-- == 0;
}

void *__real_malloc(size_t size);
void __real_free(void *memory);
void *__real_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int __real_munmap(void *address, size_t size);
int __real_madvise(void *address, size_t size, int advice);
int __real_mprotect(void *address, size_t size, int protection);
int __real_mincore(void *address, size_t size, unsigned char *resident);
int __real_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __real_pthread_setspecific(pthread_key_t key, const void *value);

void *__wrap_malloc(size_t size);
void __wrap_free(void *memory);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int __wrap_munmap(void *address, size_t size);
int __wrap_madvise(void *address, size_t size, int advice);
int __wrap_mprotect(void *address, size_t size, int protection);
int __wrap_mincore(void *address, size_t size, unsigned char *resident);
int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

void *__wrap_malloc(size_t size)
{
    void *memory = fails(MALLOC) ? NULL : __real_malloc(size);
    faults.memory += memory != NULL;
    return memory;
}

void __wrap_free(void *memory)
{
    faults.memory -= memory != NULL;
    __real_free(memory);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    void *low;
    if (fails(MMAP) || (faults.mmap_limit != 0 && size > faults.mmap_limit)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    low = __real_mmap(address, size, protection, flags, file, offset);
    faults.mapped += low != MAP_FAILED ? size : 0;
    if (size > faults.largest_mapping)
        faults.largest_mapping = size;
    return low;
}

int __wrap_munmap(void *address, size_t size)
{
    faults.mapped -= size;
    return __real_munmap(address, size);
}

int __wrap_madvise(void *address, size_t size, int advice)
{
    if (fails(MADVISE)) {
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(address, size, advice);
}

int __wrap_mprotect(void *address, size_t size, int protection)
{
    if (fails(MPROTECT)) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mprotect(address, size, protection);
}

int __wrap_mincore(void *address, size_t size, unsigned char *resident)
{
    if (fails(MINCORE)) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mincore(address, size, resident);
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    return fails(KEY_CREATE) ? EAGAIN : __real_pthread_key_create(key, destroy);
}

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return fails(ATFORK) ? ENOMEM : __real_pthread_atfork(prepare, parent, child);
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    return fails(SETSPECIFIC) ? ENOMEM : __real_pthread_setspecific(key, value);
}

/* ---- scenarios: each does something whole, in a process of its own ---- */

static int deferred_runs;

static void count_run(void *arg)
{
    (void)arg;
    deferred_runs++;
}

/* Defers and sets a value; tries again what failed. Returns the number of failures. */
static void *use_memory(void *key)
{
    intptr_t failures = 0;
    int error;
    while ((error = coir_defer(count_run, NULL)) != COIR_OK) {
        ck_assert_int_eq(error, COIR_ENOMEM);
        failures++;
    }
    while ((error = coir_local_set(*(coir_key *)key, key)) != COIR_OK) {
        ck_assert_int_eq(error, COIR_ENOMEM);
        ck_assert_ptr_null(coir_local_get(*(coir_key *)key));
        failures++;
    }
    while ((error = coir_local_set(*(coir_key *)key + 100, NULL)) == COIR_ENOMEM)
        failures++;
    ck_assert_ptr_eq(coir_local_get(*(coir_key *)key), key);
    return (void *)failures;
}

enum { FIBERS = 40 };

/* Creates, runs and destroys some fibers; tries again what failed. Returns the number of failures. */
static int run_fibers(void)
{
    coir_fiber *kept[FIBERS];
    static const coir_options named = {.name = "a name", .stack_size = 40000};
    int failures = 0;
    coir_key key;

    coir_key_create(&key, NULL);
    for (int i = 0; i < FIBERS; i++) {
        coir_fiber *f = T_VALUE(99);
        void *result;
        int error;
        while ((error = coir_create(&f, use_memory, &key, i % 2 ? &named : NULL)) != COIR_OK) {
            ck_assert(error == COIR_ENOMEM || error == COIR_EMAPS);
            ck_assert_ptr_eq(f, T_VALUE(99));
            ck_assert_ptr_null(coir_self());
            failures++;
        }
        ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
        failures += T_NUMBER(result);
        ck_assert_int_eq(deferred_runs, i + 1);
        kept[i] = f;
        if (i % 4 != 3) /* the others are kept, so that more stacks are needed */
            ck_assert_int_eq(coir_destroy(f), COIR_OK);
    }
    for (int i = 3; i < FIBERS; i += 4)
        ck_assert_int_eq(coir_destroy(kept[i]), COIR_OK);
    return failures;
}

static void *end_thread_record(void *arg)
{
    int failures = run_fibers();
    *(int *)arg = failures;
    return NULL;
}

/* The scenario on a thread of its own, whose end gives everything back: then nothing may be left. */
static void run_scenario(void)
{
    int failures = 0;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, end_thread_record, &failures), 0);
    pthread_join(thread, NULL);
    coir_pool_trim(0);
    ck_assert_int_eq(faults.memory, 0);
    ck_assert_uint_eq(faults.mapped, 0);
    ck_assert_int_le(failures, 1);
}

static void fail_nth(void *n)
{
    faults.countdown = T_NUMBER(n);
    run_scenario();
    _exit(faults.countdown >= 0 ? 7 : 0); /* 7: so many calls were not made */
}

static int exit_status_of(void (*fn)(void *), void *arg)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        fn(arg);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(each_call_in_turn_fails_once_and_nothing_is_lost)
{
    int n = 0, status;
    do {
        status = exit_status_of(fail_nth, T_VALUE(n++));
        ck_assert(status == 0 || status == 7);
    } while (status == 0);
    ck_assert_int_gt(n, 60); /* it did fail that many */
}
END_TEST

static void *nothing(void *arg)
{
    return arg;
}

static int create_with(unsigned always, unsigned flags)
{
    coir_options opt = {.flags = flags};
    coir_fiber *f = T_VALUE(99);
    int error;
    faults.always = always;
    error = coir_create(&f, nothing, NULL, &opt);
    faults.always = 0;
    if (error != COIR_OK)
        ck_assert_ptr_eq(f, T_VALUE(99));
    else
        coir_destroy(f);
    return error;
}

START_TEST(lasting_failures_have_their_codes)
{
    ck_assert_int_eq(create_with(1u << SETSPECIFIC, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MALLOC, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MMAP, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MADVISE | 1u << MPROTECT, 0), COIR_EMAPS);
    ck_assert_int_eq(create_with(1u << MADVISE | 1u << MPROTECT, COIR_NO_GUARD), COIR_OK);
    ck_assert_int_eq(create_with(0, 0), COIR_OK);
}
END_TEST

/* A kernel without MADV_GUARD_INSTALL: mprotect makes the guards, and they hold. */
static void overflow_with_mprotect(void *arg)
{
    coir_fiber *f;
    void *low;
    (void)arg;
    faults.always = 1u << MADVISE;
    if (coir_create(&f, nothing, NULL, NULL) != COIR_OK)
        _exit(1);
    faults.always = 0;
    if (faults.counts[MPROTECT] == 0)
        _exit(2);
    coir_stack_bounds(f, &low, NULL);
    ((volatile char *)low)[-1] = 1;
}

START_TEST(mprotect_makes_the_guards_where_madvise_cannot)
{
    ck_assert_int_eq(t_signal_of(overflow_with_mprotect, NULL), 11);
}
END_TEST

/* The first slab is for 16 stacks; while mmap refuses so much, a mapping for fewer must do. */
START_TEST(a_slab_that_is_not_to_be_had_is_made_smaller)
{
    coir_fiber *fibers[20];
    faults.mmap_limit = 3 * 1024 * 1024;
    for (int i = 0; i < 20; i++)
        fibers[i] = t_create(nothing, NULL);
    ck_assert_uint_le(faults.largest_mapping, faults.mmap_limit);
    ck_assert_uint_ge(faults.mapped, 20 * coir_stack_default());
    for (int i = 0; i < 20; i++)
        coir_destroy(fibers[i]);
    faults.mmap_limit = 0;
}
END_TEST

START_TEST(the_high_water_mark_may_not_be_known)
{
    size_t used = 99;
    coir_fiber *f = t_create(nothing, NULL);
    faults.always = 1u << MINCORE;
    ck_assert_int_eq(coir_stack_used(f, &used), COIR_ENOTSUP);
    ck_assert_uint_eq(used, 99);
    faults.always = 0;
    ck_assert_int_eq(coir_stack_used(f, &used), COIR_OK);
    coir_destroy(f);
}
END_TEST

/* Destroying what another thread left needs a record for this one. */
static void *leave_a_fiber(void *arg)
{
    *(coir_fiber **)arg = t_create(nothing, NULL);
    return NULL;
}

START_TEST(destroy_of_an_orphan_without_memory_changes_nothing)
{
    pthread_t thread;
    coir_fiber *f = NULL;
    pthread_create(&thread, NULL, leave_a_fiber, &f);
    pthread_join(thread, NULL);
    faults.always = 1u << MALLOC;
    ck_assert_int_eq(coir_destroy(f), COIR_ENOMEM);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    faults.always = 0;
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}
END_TEST

/* What the library does when it is loaded may fail too: then the first coir_create tries again. Before the library's own
 * constructor runs, this one looks which call is to fail; the case runs this program again to say so. */
__attribute__((constructor(101))) static void fail_early(void)
{
    const char *calls = getenv("T_FAIL_EARLY");
    if (calls != NULL)
        faults.always = (unsigned)atoi(calls);
}

static void run_failing_early(unsigned always)
{
    char calls[16];
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        snprintf(calls, sizeof calls, "%u", always);
        setenv("T_FAIL_EARLY", calls, 1);
        if (freopen("/dev/null", "w", stdout) == NULL) /* its results are not ours */
            _exit(98);
        execl("/proc/self/exe", "faults", "1", (char *)NULL);
        _exit(99);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(a_failure_when_the_library_is_loaded_shows_in_create)
{
    if (t_instrumented()) /* a tool or an emulator is /proc/self/exe */
        return;
    if (getenv("T_FAIL_EARLY") == NULL) {
        run_failing_early(1u << KEY_CREATE);
        run_failing_early(1u << ATFORK);
        return;
    }
    ck_assert_int_eq(create_with(faults.always, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(0, 0), COIR_OK);
}
END_TEST

T_MAIN(a_failure_when_the_library_is_loaded_shows_in_create, each_call_in_turn_fails_once_and_nothing_is_lost,
       lasting_failures_have_their_codes,
       mprotect_makes_the_guards_where_madvise_cannot, a_slab_that_is_not_to_be_had_is_made_smaller,
       the_high_water_mark_may_not_be_known, destroy_of_an_orphan_without_memory_changes_nothing)
