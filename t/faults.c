/* SPDX-License-Identifier: MIT */
/* Every allocation and system call of the library fails in turn: the call that needed it says so, nothing else changed,
 * nothing is leaked, and the next try works. Linked with the library's objects. */

#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"

struct faults faults = {.countdown = -1};

int fails(enum call call)
{
    faults.counts[call]++;
    if (faults.always & 1u << call)
        return 1;
    return faults.countdown >= 0 && faults.countdown-- == 0;
}

void *__real_malloc(size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void __wrap_free(void *memory);

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

/* Makes something, trying again after each failure, which has changed nothing. */
#define TRY(call)                                         \
    for (int error; (error = (call)) != COIR_OK;) {       \
        ck_assert(error == COIR_ENOMEM || error == COIR_EMAPS); \
        (*failures)++;                                    \
    }

static int items(coir_gen *g, void *arg)
{
    (void)arg;
    for (int n = 0; n < 3; n++) {
        coir_sleep(1);
        coir_gen_yield(g, &n);
    }
    return 0;
}

struct shared {
    coir_chan *chan;
    coir_mutex *mutex;
    coir_cond *cond;
    coir_sem *sem;
    int failures, posted;
};

static int work_in_group(void *arg)
{
    struct shared *shared = arg;
    int *failures = &shared->failures, n;
    coir_gen *g = T_VALUE(99);
    TRY(coir_gen_create(&g, sizeof n, items, NULL, NULL))
    while (coir_gen_next(g, &n) > 0)
        ck_assert_int_eq(coir_chan_send(shared->chan, &n), COIR_OK);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    ck_assert_int_eq(coir_mutex_lock(shared->mutex), COIR_OK);
    ck_assert_int_eq(coir_cond_wait_until(shared->cond, shared->mutex, coir_now() + 5), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_mutex_unlock(shared->mutex), COIR_OK);
    return coir_sem_post(shared->sem);
}

enum { TASKS = 20 }; /* more than the queue has room for at first */

static void *manage(void *arg)
{
    struct shared *shared = arg;
    int *failures = &shared->failures, n;
    coir_group *g = T_VALUE(99);
    TRY(coir_group_create(&g, NULL))
    for (int i = 0; i < TASKS; i++) {
        TRY(coir_group_spawn(g, work_in_group, shared, NULL))
        ck_assert_int_eq(coir_group_count(g), i + 1);
    }
    for (int i = 0; i < 3 * TASKS; i++)
        ck_assert_int_eq(coir_chan_recv(shared->chan, &n), COIR_OK);
    for (int i = 0; i < TASKS; i++)
        ck_assert_int_eq(coir_sem_wait(shared->sem), COIR_OK);
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    ck_assert_int_eq(coir_group_destroy(g), COIR_OK);
    return arg;
}

static void note_posted(void *arg)
{
    ((struct shared *)arg)->posted++;
}

/* An executor with all that is built on it; the number of failures. */
static int run_tasks(void)
{
    static const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK};
    struct shared shared = {0};
    int *failures = &shared.failures;
    coir_exec *e = T_VALUE(99);
    coir_task *t = T_VALUE(99);
    TRY(coir_exec_create(&e, &opt))
    TRY(coir_chan_create(&shared.chan, sizeof(int), 2))
    TRY(coir_mutex_create(&shared.mutex))
    TRY(coir_cond_create(&shared.cond))
    TRY(coir_sem_create(&shared.sem, 0))
    TRY(coir_exec_post(e, note_posted, &shared))
    TRY(coir_spawn(&t, e, manage, &shared, NULL))
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(shared.posted, 1);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_int_eq(coir_chan_destroy(shared.chan), COIR_OK);
    ck_assert_int_eq(coir_mutex_destroy(shared.mutex), COIR_OK);
    ck_assert_int_eq(coir_cond_destroy(shared.cond), COIR_OK);
    ck_assert_int_eq(coir_sem_destroy(shared.sem), COIR_OK);
    return shared.failures;
}

static void *end_thread_record(void *arg)
{
    int failures = run_fibers() + run_tasks();
    *(int *)arg = failures;
    return NULL;
}

/* The scenario on a thread of its own, whose end gives everything back: then nothing may be left. */
static void run_scenario(void)
{
    long before = faults.memory; /* what was allocated before main */
    int failures = 0;
    t_on_thread(end_thread_record, &failures);
    coir_pool_trim(0);
    ck_assert_int_eq(faults.memory, before);
    ck_assert_uint_eq(faults.mapped, 0);
    ck_assert_int_le(failures, 1);
}

static void fail_nth(void *n)
{
    faults.countdown = T_NUMBER(n);
    run_scenario();
    t_exit(faults.countdown >= 0 ? 7 : 0); /* 7: so many calls were not made */
}

START_TEST(each_call_in_turn_fails_once_and_nothing_is_lost)
{
    int step = t_under("valgrind") ? 4 : 1; /* it takes long there, and AddressSanitizer sees each */
    int n = 0, status;
    do {
        status = t_run_in_child(fail_nth, T_VALUE(n));
        ck_assert(status == 0 || status == 7);
        n += step;
    } while (status == 0);
    ck_assert_int_gt(n, 120); /* it did fail that many */
}
END_TEST

static void *nothing(void *arg)
{
    return arg;
}

/* The handler of crashes, and what it needs for each thread that comes after it. */
static void *install_handler(void *arg)
{
    int *failures = arg, error;
    while ((error = coir_crash_handler_install()) != COIR_OK) {
        ck_assert(error == COIR_ENOMEM || error == COIR_ENOTSUP);
        (*failures)++;
    }
    return arg;
}

static void *run_a_fiber(void *arg)
{
    int *failures = arg;
    coir_fiber *f = T_VALUE(99);
    TRY(coir_create(&f, nothing, NULL, NULL))
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    return arg;
}

static void fail_nth_with_handler(void *n)
{
    long before = faults.memory;
    int failures = 0;
    faults.countdown = T_NUMBER(n);
    t_on_thread(install_handler, &failures);
    t_on_thread(run_a_fiber, &failures);
    coir_pool_trim(0);
    ck_assert_int_eq(faults.memory, before);
    ck_assert_uint_eq(faults.mapped, 0);
    t_exit(faults.countdown >= 0 ? 7 : failures == 1 ? 0 : 8); /* 8: where a mapping for guards is done without */
}

START_TEST(each_call_for_the_crash_handler_fails_once_and_nothing_is_lost)
{
    int n = 0, status, failed = 0;
    do {
        status = t_run_in_child(fail_nth_with_handler, T_VALUE(n++));
        ck_assert(status == 0 || status == 7 || status == 8);
        failed += status == 0;
    } while (status != 7);
    ck_assert_int_ge(failed, 4);
}
END_TEST

static void walk_without_memory(int fd, void *arg)
{
    (void)arg;
    long calls = faults.counts[MALLOC];
    void *frame;
    faults.always = 1u << MALLOC;
    int error = coir_backtrace(NULL, &frame, 1);
    if (error == 1)
        ck_assert_int_eq(coir_backtrace_print(NULL, fd), COIR_OK);
    else
        ck_assert_int_eq(error, COIR_ENOTSUP);
    faults.always = 0;
    ck_assert_int_eq(faults.counts[MALLOC], calls);
}

START_TEST(a_backtrace_allocates_nothing)
{
    static char heard[10000];
    t_listen(walk_without_memory, NULL, heard, sizeof heard);
}
END_TEST

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

#ifdef _WIN32

START_TEST(lasting_failures_have_their_codes)
{
    ck_assert_int_eq(create_with(1u << KEY_SET, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MALLOC, 0), COIR_ENOMEM);
    if (t_backend_is("winfiber")) {
        ck_assert_int_eq(create_with(1u << CONVERT, 0), COIR_ENOMEM);
        ck_assert_int_eq(create_with(1u << CREATE_FIBER, 0), COIR_ENOMEM);
    } else {
        ck_assert_int_eq(create_with(1u << MAP, 0), COIR_ENOMEM);
        ck_assert_int_eq(create_with(1u << COMMIT, 0), COIR_ENOMEM);
    }
    ck_assert_int_eq(create_with(0, 0), COIR_OK);
}
END_TEST

/* A fiber in which its thread ended needs a new stack to run what it deferred. */
static void *end_the_thread(void *arg)
{
    coir_defer(count_run, NULL);
    t_thread_exit(arg);
    return NULL;
}

static void *resume_the_ending(void *f)
{
    *(coir_fiber **)f = t_create(end_the_thread, NULL);
    coir_resume(*(coir_fiber **)f, NULL, NULL);
    return NULL;
}

START_TEST(destroy_of_a_fiber_whose_stack_is_lost_may_lack_memory)
{
    coir_fiber *f = NULL;
    coir_destroy(t_create(nothing, NULL)); /* so that this thread has its record */
    t_on_thread(resume_the_ending, &f);
    faults.always = 1u << COMMIT | 1u << CREATE_FIBER;
    ck_assert_int_eq(coir_destroy(f), COIR_ENOMEM);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    ck_assert_int_eq(deferred_runs, 0);
    faults.always = 0;
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_int_eq(deferred_runs, 1);
}
END_TEST

/* The slot of a thread's record is one of the first 64, or lies elsewhere. */
START_TEST(a_slot_beyond_the_first_64_will_do)
{
    if (getenv("T_TAKE_SLOTS") == NULL) {
        ck_assert_int_eq(t_run_again("T_TAKE_SLOTS", "1"), 0);
        return;
    }
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ENOTFIBER);
    run_scenario();
}
END_TEST

#define LAST_EARLY_CALL (1u << KEY_CREATE)
#define SYSTEM_CASES a_slot_beyond_the_first_64_will_do, lasting_failures_have_their_codes, destroy_of_a_fiber_whose_stack_is_lost_may_lack_memory,

#else

START_TEST(lasting_failures_have_their_codes)
{
    ck_assert_int_eq(create_with(1u << KEY_SET, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MALLOC, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MAP, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MADVISE | 1u << MPROTECT, 0), COIR_EMAPS);
    ck_assert_int_eq(create_with(1u << MADVISE | 1u << MPROTECT, COIR_NO_GUARD), COIR_OK);
    ck_assert_int_eq(create_with(0, 0), COIR_OK);
}
END_TEST

static int install_with(unsigned always)
{
    size_t mapped = faults.mapped;
    int error;
    faults.always = always;
    error = coir_crash_handler_install();
    faults.always = 0;
    if (error != COIR_OK)
        ck_assert_uint_eq(faults.mapped, mapped);
    return error;
}

static void *create_without_alternate_stack(void *arg)
{
    ck_assert_int_eq(create_with(1u << ALTERNATE_STACK, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << MAP, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(1u << KEY_SET, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(0, 0), COIR_OK);
    return arg;
}

START_TEST(lasting_failures_of_the_crash_handler_have_their_codes)
{
    size_t mapped;
    ck_assert_int_eq(install_with(1u << MALLOC), COIR_ENOMEM);
    ck_assert_int_eq(install_with(1u << MAP), COIR_ENOMEM);
    ck_assert_int_eq(install_with(1u << ALTERNATE_STACK), COIR_ENOMEM);
    ck_assert_int_eq(install_with(1u << HANDLER), COIR_ENOTSUP);
    ck_assert_int_eq(install_with(0), COIR_OK);
    ck_assert_int_eq(install_with(1u << HANDLER | 1u << ALTERNATE_STACK | 1u << MAP), COIR_OK); /* nothing is left to do */
    mapped = faults.mapped;
    t_on_thread(create_without_alternate_stack, NULL);
    coir_pool_trim(0);
    ck_assert_uint_eq(faults.mapped, mapped);
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
        t_exit(1);
    faults.always = 0;
    if (faults.counts[MPROTECT] == 0)
        t_exit(2);
    coir_stack_bounds(f, &low, NULL);
    ((volatile char *)low)[-1] = 1;
}

START_TEST(mprotect_makes_the_guards_where_madvise_cannot)
{
    ck_assert_int_eq(t_run_in_child(overflow_with_mprotect, NULL), T_FAULT);
}
END_TEST

#define LAST_EARLY_CALL (1u << ATFORK)
#define SYSTEM_CASES lasting_failures_of_the_crash_handler_have_their_codes, lasting_failures_have_their_codes, mprotect_makes_the_guards_where_madvise_cannot,

#endif

/* The first slab is for 16 stacks; while the system refuses so much, a mapping for fewer must do. */
START_TEST(a_slab_that_is_not_to_be_had_is_made_smaller)
{
    coir_fiber *fibers[20];
    if (t_backend_is("winfiber")) /* no slabs: the system makes each stack */
        return;
    faults.map_limit = 3 * 1024 * 1024;
    for (int i = 0; i < 20; i++)
        fibers[i] = t_create(nothing, NULL);
    ck_assert_uint_le(faults.largest_mapping, faults.map_limit);
    ck_assert_uint_ge(faults.mapped, 20 * coir_stack_default());
    for (int i = 0; i < 20; i++)
        coir_destroy(fibers[i]);
    faults.map_limit = 0;
}
END_TEST

START_TEST(the_high_water_mark_may_not_be_known)
{
    size_t used = 99;
    coir_fiber *f = t_create(nothing, NULL);
    faults.always = 1u << RESIDENT;
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
    coir_fiber *f = NULL;
    t_on_thread(leave_a_fiber, &f);
    faults.always = 1u << MALLOC;
    ck_assert_int_eq(coir_destroy(f), COIR_ENOMEM);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    faults.always = 0;
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}
END_TEST

/* What the library does when it is loaded may fail too: then the first coir_create tries again. */
START_TEST(a_failure_when_the_library_is_loaded_shows_in_create)
{
    if (t_instrumented()) /* a tool or an emulator is the program that would run again */
        return;
    if (getenv("T_FAIL_EARLY") == NULL) {
        char calls[16];
        snprintf(calls, sizeof calls, "%u", 1u << KEY_CREATE);
        ck_assert_int_eq(t_run_again("T_FAIL_EARLY", calls), 0);
        snprintf(calls, sizeof calls, "%u", LAST_EARLY_CALL);
        ck_assert_int_eq(t_run_again("T_FAIL_EARLY", calls), 0);
        return;
    }
    ck_assert_int_eq(create_with(faults.always, 0), COIR_ENOMEM);
    ck_assert_int_eq(create_with(0, 0), COIR_OK);
}
END_TEST

T_MAIN(a_failure_when_the_library_is_loaded_shows_in_create, each_call_in_turn_fails_once_and_nothing_is_lost,
       each_call_for_the_crash_handler_fails_once_and_nothing_is_lost, a_backtrace_allocates_nothing,
       SYSTEM_CASES a_slab_that_is_not_to_be_had_is_made_smaller, the_high_water_mark_may_not_be_known,
       destroy_of_an_orphan_without_memory_changes_nothing)
