/* SPDX-License-Identifier: MIT */
/* Random programs against a model: each seed is a program of some hundred calls of all parts of the library, made
 * from wherever control is (t/fuzz/operations.h), and what they do is compared with what the headers say
 * (t/fuzz/model.h). A program that fails is named; T_SEED=its-number t/model CASE runs it alone, and FUZZ_TRACE=1
 * tells its calls. */

#include "t.h"

#include "fuzz/operations.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 4096, LARGEST_NAME = 1024 };

static uint8_t program[LONGEST];
static size_t length;
static char about[LARGEST_NAME + 64];

static void differs(const char *message)
{
    static char difference[LARGEST_NAME + 1024];
    snprintf(difference, sizeof difference, "%s: %s", about, message);
    fprintf(stderr, "%s\n", difference);
    ck_assert_str_eq(difference, "");
}

static void *run_program(void *arg)
{
    fuzz_run(program, length);
    return arg;
}

/* When its thread has ended, all memory must have been released. */
static void run_in_thread(void)
{
    t_on_thread(run_program, NULL);
    if (fuzz_blocks() != 0)
        differs("memory is left");
}

static void set_up(bool stacks)
{
    fuzz_failed = differs;
    fuzz_set_up(stacks);
}

/* ---- seeds ---- */

static uint64_t random_state;

static uint32_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33);
}

static void run_seed(unsigned seed)
{
    snprintf(about, sizeof about, "seed %u", seed);
    random_state = seed * UINT64_C(7919) + 1;
    for (int i = 0; i < 10; i++)
        next_random();
    length = 200 + next_random() % 3000;
    for (size_t i = 0; i < length; i++)
        program[i] = (uint8_t)(next_random() >> 7);
    run_in_thread();
}

static void run_seeds(unsigned from, bool stacks)
{
    const char *only = getenv("T_SEED");
    unsigned count = t_instrumented() || t_is_wine() ? 150 : 5000;
    set_up(stacks);
    if (only != NULL) {
        run_seed((unsigned)atoi(only));
        return;
    }
    for (unsigned seed = from; seed < from + count; seed++)
        run_seed(seed);
}

START_TEST(random_programs_do_what_the_headers_say)
{
    run_seeds(1, false);
}
END_TEST

START_TEST(more_random_programs_do_what_the_headers_say)
{
    run_seeds(100001, false);
}
END_TEST

START_TEST(so_do_they_with_stacks_of_their_own)
{
    if (t_backend_is("winfiber"))
        T_SKIP("Windows makes the stacks of its fibers itself");
    run_seeds(200001, true);
}
END_TEST

/* ---- what libFuzzer has found worth keeping ---- */

static bool read_program(const char *folder, const char *name)
{
    FILE *file;
    snprintf(about, sizeof about, "%s/%s", folder, name);
    file = fopen(about, "rb");
    if (file == NULL)
        return false;
    length = fread(program, 1, sizeof program, file);
    fclose(file);
    return length > 0;
}

static void run_corpus(bool stacks)
{
    const char *top = getenv("srcdir");
    char folder[512];
    const struct dirent *entry;
    DIR *dir;
    int count = 0;
    snprintf(folder, sizeof folder, "%s/t/fuzz/corpus", top == NULL ? "." : top);
    dir = opendir(folder);
    if (dir == NULL)
        T_SKIP("there is no t/fuzz/corpus here");
    set_up(stacks);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || !read_program(folder, entry->d_name))
            continue;
        run_in_thread();
        count++;
    }
    closedir(dir);
    ck_assert_int_gt(count, 0);
}

START_TEST(so_do_the_programs_of_the_corpus)
{
    run_corpus(false);
}
END_TEST

START_TEST(so_do_those_of_the_corpus_with_stacks_of_their_own)
{
    if (t_backend_is("winfiber"))
        T_SKIP("Windows makes the stacks of its fibers itself");
    run_corpus(true);
}
END_TEST

/* ---- what was found ---- */

static coir_mutex *mutex;
static coir_cond *condition;

static void *wait_for_condition(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_OK);
    return T_VALUE(coir_cond_wait(condition, mutex));
}

static void *take_into_grave(void *arg)
{
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_OK);
    return arg;
}

/* coir/sync.h: a cancelled wait for a condition ends with COIR_ECANCELED, without the mutex, if another task has ended
 * while it held that. */
START_TEST(a_wait_for_a_condition_is_cancelled_although_its_mutex_is_in_a_grave)
{
    const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK};
    coir_exec *e = NULL;
    coir_task *waiter = NULL;
    void *result = NULL;
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    ck_assert_int_eq(coir_mutex_create(&mutex), COIR_OK);
    ck_assert_int_eq(coir_cond_create(&condition), COIR_OK);
    ck_assert_int_eq(coir_spawn(&waiter, e, wait_for_condition, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, take_into_grave, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_task_cancel(waiter), COIR_OK);
    ck_assert_int_eq(coir_await(waiter, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), COIR_ECANCELED);
}
END_TEST

T_MAIN(random_programs_do_what_the_headers_say, more_random_programs_do_what_the_headers_say,
       so_do_they_with_stacks_of_their_own, so_do_the_programs_of_the_corpus,
       so_do_those_of_the_corpus_with_stacks_of_their_own,
       a_wait_for_a_condition_is_cancelled_although_its_mutex_is_in_a_grave)
