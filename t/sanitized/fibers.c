/* SPDX-License-Identifier: MIT */
/* What fibers of one thread may do: a sanitizer has nothing to report, in none of it. fibers COUNT CASE...: the cases by
 * their names, or all; COUNT is for the one that makes many fibers. */

#define _GNU_SOURCE

#include <alloca.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <coir.h>

#include "want.h"

static int count; /* of many fibers */

/* Writes an array of `size` bytes and reads it again: a frame that the sanitizer knows the bounds of. */
__attribute__((noinline)) static unsigned sum_of(unsigned char *bytes, size_t size, unsigned seed)
{
    unsigned sum = 0;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(seed + i);
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    return sum;
}

static coir_fiber *create(coir_fn *fn, void *arg)
{
    coir_fiber *f;

    WANT(coir_create(&f, fn, arg, NULL) == COIR_OK);
    return f;
}

/* ---- turns ---- */

static void *large_locals(void *arg)
{
    unsigned char bytes[16384];
    unsigned seed = (unsigned)(uintptr_t)arg;
    unsigned sum = sum_of(bytes, sizeof bytes, seed);

    for (int i = 0; i < 20; i++) {
        unsigned again = 0;
        WANT(coir_yield(NULL, NULL) == COIR_OK);
        for (size_t k = 0; k < sizeof bytes; k++)
            again += bytes[k];
        WANT(again == sum);
    }
    return arg;
}

static void in_turn(void)
{
    coir_fiber *f[8];
    int ended = 0;

    for (int i = 0; i < 8; i++)
        f[i] = create(large_locals, (void *)(intptr_t)i);
    while (ended == 0)
        for (int i = 0; i < 8; i++)
            ended += coir_resume(f[i], NULL, NULL) == COIR_DONE;
    WANT(ended == 8);
    for (int i = 0; i < 8; i++)
        WANT(coir_destroy(f[i]) == COIR_OK);
}

/* ---- nesting ---- */

static void *nest(void *arg)
{
    unsigned char bytes[3000];
    intptr_t depth = (intptr_t)arg;
    void *inner = NULL;
    unsigned sum = sum_of(bytes, sizeof bytes, (unsigned)depth);
    coir_fiber *f;

    if (depth == 0)
        return NULL;
    f = create(nest, (void *)(depth - 1));
    while (coir_resume(f, NULL, &inner) == COIR_YIELDED)
        WANT(coir_yield(inner, NULL) == COIR_OK);
    WANT(coir_destroy(f) == COIR_OK);
    WANT(coir_yield((void *)depth, NULL) == COIR_OK);
    for (size_t i = 0; i < sizeof bytes; i++)
        sum -= bytes[i];
    WANT(sum == 0);
    return NULL;
}

static void nested(void)
{
    coir_fiber *f = create(nest, (void *)(intptr_t)20);
    intptr_t yields = 0;
    void *value;

    while (coir_resume(f, NULL, &value) == COIR_YIELDED)
        WANT((intptr_t)value == ++yields);
    WANT(yields == 20);
    WANT(coir_destroy(f) == COIR_OK);
}

/* ---- switches between fibers of one place ---- */

static coir_fiber *places[3];

static void *pass_on(void *arg)
{
    char bytes[500];
    intptr_t me = (intptr_t)arg;

    memset(bytes, (int)me, sizeof bytes);
    for (int i = 0; i < 50; i++) {
        WANT(coir_switch(places[(me + 1) % 3], NULL, NULL) == COIR_OK);
        WANT(bytes[499] == (char)me);
    }
    return arg;
}

static void switched(void)
{
    for (int i = 0; i < 3; i++)
        places[i] = create(pass_on, (void *)(intptr_t)i);
    WANT(coir_resume(places[0], NULL, NULL) == COIR_DONE);
    for (int i = 0; i < 3; i++)
        WANT(coir_destroy(places[i]) == COIR_OK);
}

/* ---- frames that are dropped, and the same stacks with other frames ---- */

__attribute__((noinline)) static void suspend_below(int depth)
{
    char a[97], b[1333];

    memset(a, depth, sizeof a);
    memset(b, depth, sizeof b);
    if (depth > 0)
        suspend_below(depth - 1);
    else
        coir_yield(NULL, NULL);
    WANT(a[96] == depth && b[1332] == depth);
}

static void *suspended_deep(void *arg)
{
    suspend_below(40);
    return arg;
}

__attribute__((noinline)) static unsigned use_all_of(size_t size)
{
    unsigned char *bytes = alloca(size);

    return sum_of(bytes, size, 3);
}

static void *one_large_frame(void *arg)
{
    unsigned char bytes[100000];

    sum_of(bytes, sizeof bytes, 1);
    use_all_of(77777);
    memset(bytes, 0, sizeof bytes);
    return arg;
}

static void dropped_and_reused(void)
{
    coir_fiber *f[10];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            f[i] = create(suspended_deep, NULL);
            WANT(coir_resume(f[i], NULL, NULL) == COIR_YIELDED);
        }
        for (int i = 0; i < 10; i++)
            WANT(coir_destroy(f[i]) == COIR_OK);
        for (int i = 0; i < 10; i++) {
            f[i] = create(one_large_frame, NULL);
            WANT(coir_resume(f[i], NULL, NULL) == COIR_DONE);
            WANT(coir_destroy(f[i]) == COIR_OK);
        }
    }
    WANT(coir_pool_trim(0) == COIR_OK);
}

/* So many that calls which never return would fill what a sanitizer notes the callers in. */
static void dropped_one_by_one(void)
{
    for (int i = 0; i < 2000; i++) {
        coir_fiber *f = create(suspended_deep, NULL);
        WANT(coir_resume(f, NULL, NULL) == COIR_YIELDED);
        WANT(coir_destroy(f) == COIR_OK);
    }
}

/* Memory that was a stack and is something else now. */
static void own_stack_used_again(void)
{
    size_t size = coir_stack_min() + 262144;
    char *memory = aligned_alloc(16, size);
    coir_options opt = {.stack = memory, .stack_size = size};
    coir_fiber *f;

    WANT(memory != NULL);
    for (int i = 0; i < 2; i++) {
        WANT(coir_create(&f, suspended_deep, NULL, &opt) == COIR_OK);
        WANT(coir_resume(f, NULL, NULL) == COIR_YIELDED);
        if (i == 1)
            WANT(coir_resume(f, NULL, NULL) == COIR_DONE);
        WANT(coir_destroy(f) == COIR_OK);
        memset(memory, 1, size);
    }
    free(memory);
}

__attribute__((noinline)) static void exit_below(int depth)
{
    char bytes[301];

    memset(bytes, depth, sizeof bytes);
    if (depth == 0)
        coir_exit((void *)(intptr_t)42);
    exit_below(depth - 1);
    WANT(bytes[300] == depth);
}

static void *exits_deep(void *arg)
{
    exit_below(30);
    return arg;
}

static void exit_from_depth(void)
{
    for (int i = 0; i < 20; i++) {
        void *result = NULL;
        coir_fiber *f = create(i % 2 == 0 ? exits_deep : one_large_frame, NULL);
        WANT(coir_resume(f, NULL, &result) == COIR_DONE);
        WANT(i % 2 != 0 || (intptr_t)result == 42);
        WANT(coir_destroy(f) == COIR_OK);
    }
}

static void resume_another(void *arg)
{
    coir_fiber *f = create(large_locals, arg);

    while (coir_resume(f, NULL, NULL) == COIR_YIELDED)
        ;
    WANT(coir_destroy(f) == COIR_OK);
}

static void *defers(void *arg)
{
    WANT(coir_defer(resume_another, NULL) == COIR_OK);
    suspend_below(10);
    return arg;
}

static void fibers_in_deferred_functions(void)
{
    for (int i = 0; i < 2; i++) {
        coir_fiber *f = create(defers, NULL);
        WANT(coir_resume(f, NULL, NULL) == COIR_YIELDED);
        if (i == 0)
            WANT(coir_resume(f, NULL, NULL) == COIR_DONE);
        WANT(coir_destroy(f) == COIR_OK);
    }
}

/* ---- longjmp ---- */

__attribute__((noinline)) static void jump_below(jmp_buf *where, int depth)
{
    char bytes[200];

    memset(bytes, depth, sizeof bytes);
    if (depth == 0)
        longjmp(*where, 1);
    jump_below(where, depth - 1);
    WANT(bytes[199] == depth);
}

static void *jumps(void *arg)
{
    for (volatile int i = 0; i < 5; i++) {
        jmp_buf where;
        if (setjmp(where) == 0)
            jump_below(&where, 20);
        use_all_of(9000);
        WANT(coir_yield(NULL, NULL) == COIR_OK);
    }
    return arg;
}

static void longjmp_in_a_fiber(void)
{
    coir_fiber *f = create(jumps, NULL);
    jmp_buf where;

    if (setjmp(where) == 0)
        jump_below(&where, 20);
    while (coir_resume(f, NULL, NULL) == COIR_YIELDED)
        use_all_of(5000);
    if (setjmp(where) == 0)
        jump_below(&where, 30);
    WANT(coir_destroy(f) == COIR_OK);
}

/* ---- generators ---- */

static int numbers(coir_gen *g, void *arg)
{
    int last = *(int *)arg;

    for (int n = 1; n <= last; n++)
        WANT(coir_gen_yield(g, &n) == COIR_OK);
    return 0;
}

static int squares(coir_gen *g, void *arg)
{
    coir_gen *inner;
    int n;

    WANT(coir_gen_create(&inner, sizeof n, numbers, arg, NULL) == COIR_OK);
    while (coir_gen_next(inner, &n) == 1) {
        int square = n * n;
        WANT(coir_gen_yield(g, &square) == COIR_OK);
    }
    WANT(coir_gen_destroy(inner) == COIR_OK);
    return 0;
}

static int sum_of_squares(int last)
{
    coir_gen *g;
    int item, sum = 0;

    WANT(coir_gen_create(&g, sizeof item, squares, &last, NULL) == COIR_OK);
    while (coir_gen_next(g, &item) == 1)
        sum += item;
    WANT(coir_gen_destroy(g) == COIR_OK);
    return sum;
}

static void generators(void)
{
    coir_gen *g;
    int last = 5, item;

    WANT(sum_of_squares(10) == 385);
    WANT(coir_gen_create(&g, sizeof item, numbers, &last, NULL) == COIR_OK);
    WANT(coir_gen_next(g, &item) == 1 && item == 1);
    WANT(coir_gen_destroy(g) == COIR_OK);
}

/* ---- tasks ---- */

struct item {
    int number;
    char text[60];
};

static void *produce(void *arg)
{
    for (int n = 1; n <= 50; n++) {
        struct item item = {.number = n};
        snprintf(item.text, sizeof item.text, "item %d", n);
        WANT(coir_chan_send(arg, &item) == COIR_OK);
    }
    WANT(coir_chan_close(arg) == COIR_OK);
    return NULL;
}

/* Waits in a fiber that is nested in the task. */
static void *receive_all(void *arg)
{
    struct item item;
    intptr_t sum = 0;

    while (coir_chan_recv(arg, &item) == COIR_OK) {
        WANT(strncmp(item.text, "item ", 5) == 0);
        sum += item.number;
        if (item.number % 10 == 0)
            WANT(coir_yield(NULL, NULL) == COIR_OK);
    }
    return (void *)sum;
}

static void *consume(void *arg)
{
    coir_fiber *f = create(receive_all, arg);
    void *sum = NULL;

    while (coir_resume(f, NULL, &sum) == COIR_YIELDED)
        WANT(coir_task_yield() == COIR_OK);
    WANT(coir_destroy(f) == COIR_OK);
    WANT(sum_of_squares(3) == 14);
    return sum;
}

static void *naps(void *arg)
{
    char bytes[2000];

    memset(bytes, 7, sizeof bytes);
    WANT(coir_sleep(COIR_MILLISECOND) == COIR_OK);
    WANT(bytes[1999] == 7);
    return arg;
}

static void *parent(void *arg)
{
    coir_task *t[4];
    void *result;

    for (size_t i = 0; i < 4; i++)
        WANT(coir_spawn(&t[i], NULL, naps, arg, NULL) == COIR_OK);
    for (size_t i = 0; i < 4; i++)
        WANT(coir_await(t[i], &result) == COIR_OK);
    return result;
}

static void tasks_and_channels(void)
{
    coir_exec *e;

    WANT(coir_exec_create(&e, NULL) == COIR_OK);
    for (size_t capacity = 0; capacity < 3; capacity++) {
        coir_chan *c;
        coir_task *producer, *consumer;
        void *sum;
        WANT(coir_chan_create(&c, sizeof(struct item), capacity) == COIR_OK);
        WANT(coir_spawn(&producer, e, produce, c, NULL) == COIR_OK);
        WANT(coir_spawn(&consumer, e, consume, c, NULL) == COIR_OK);
        WANT(coir_spawn(NULL, e, parent, NULL, NULL) == COIR_OK);
        WANT(coir_exec_run(e) == COIR_OK);
        WANT(coir_await(producer, NULL) == COIR_OK);
        WANT(coir_await(consumer, &sum) == COIR_OK && (intptr_t)sum == 1275);
        WANT(coir_chan_destroy(c) == COIR_OK);
    }
    WANT(coir_exec_destroy(e) == COIR_OK);
}

static void *runs_an_executor(void *arg)
{
    tasks_and_channels();
    return arg;
}

static void executor_in_a_fiber(void)
{
    coir_fiber *f = create(runs_an_executor, NULL);

    WANT(coir_resume(f, NULL, NULL) == COIR_DONE);
    WANT(coir_destroy(f) == COIR_OK);
}

/* ---- many ---- */

static void *hold_a_block(void *arg)
{
    char *block = malloc(40);

    WANT(block != NULL);
    memset(block, 1, 40);
    coir_yield(&block, NULL);
    free(block);
    return arg;
}

static void many(void)
{
    coir_fiber **f = malloc((size_t)count * sizeof *f);

    WANT(f != NULL);
    for (int i = 0; i < count; i++) {
        f[i] = create(hold_a_block, NULL);
        WANT(coir_resume(f[i], NULL, NULL) == COIR_YIELDED);
    }
    for (int i = 0; i < count; i++)
        WANT(coir_resume(f[i], NULL, NULL) == COIR_DONE);
    for (int i = 0; i < count; i++)
        WANT(coir_destroy(f[i]) == COIR_OK);
    free(f);
}

/* ---- fork ---- */

static void *forks(void *arg)
{
    char bytes[1000];
    int status;
    pid_t child;

    memset(bytes, 5, sizeof bytes);
    child = fork();
    WANT(child >= 0);
    WANT(coir_yield(NULL, NULL) == COIR_OK);
    WANT(bytes[999] == 5);
    if (child == 0)
        exit(0);
    WANT(waitpid(child, &status, 0) == child && status == 0);
    return arg;
}

static void fork_in_a_fiber(void)
{
    coir_fiber *f = create(forks, NULL);

    WANT(coir_resume(f, NULL, NULL) == COIR_YIELDED);
    WANT(coir_resume(f, NULL, NULL) == COIR_DONE);
    WANT(coir_destroy(f) == COIR_OK);
}

/* ---- blocks that a stack alone holds when the process ends ---- */

static coir_fiber *held[20];

/* By a variable with an address, which may lie on the stack or in a place of the sanitizer's own, and by one without. */
__attribute__((noinline)) static void hold_below(int depth)
{
    char *block = malloc(100), *volatile other = malloc(100);

    WANT(block != NULL && other != NULL);
    if (depth > 0)
        hold_below(depth - 1);
    else
        coir_yield(&block, NULL);
    free(block);
    free(other);
}

static void *holds(void *arg)
{
    hold_below(5);
    return arg;
}

static void held_by_suspended_fibers(void)
{
    for (int i = 0; i < 20; i++) {
        held[i] = create(holds, NULL);
        WANT(coir_resume(held[i], NULL, NULL) == COIR_YIELDED);
    }
}

static void *holds_in_a_task(void *arg)
{
    coir_fiber *f = create(holds, NULL);

    WANT(coir_resume(f, NULL, NULL) == COIR_YIELDED);
    hold_below(2);
    WANT(coir_sleep(COIR_SECOND) == COIR_OK);
    WANT(coir_destroy(f) == COIR_OK);
    return arg;
}

static coir_exec *left_running;

static void held_by_waiting_tasks(void)
{
    static const coir_exec_options options = {.flags = COIR_VIRTUAL_CLOCK};

    WANT(coir_exec_create(&left_running, &options) == COIR_OK);
    for (int i = 0; i < 5; i++)
        WANT(coir_spawn(NULL, left_running, holds_in_a_task, NULL, NULL) == COIR_OK);
    WANT(coir_exec_run_once_until(left_running, 0) == COIR_TASKS_LEFT);
}

static void *exits(void *arg)
{
    char *block = malloc(100), *volatile other = malloc(100);

    WANT(block != NULL && other != NULL);
    if (arg != NULL)
        coir_resume(create(exits, NULL), &block, NULL);
    exit(0);
}

/* By main's frames, by those of a fiber that waits, and of the one that calls exit. */
static void held_at_an_exit_in_a_fiber(void)
{
    char *block = malloc(100), *volatile other = malloc(100);
    coir_fiber *f = create(exits, &block);

    WANT(block != NULL && other != NULL);
    held_by_suspended_fibers();
    coir_resume(f, NULL, NULL);
    abort();
}

static const struct {
    const char *name;
    void (*run)(void);
    bool leaves; /* blocks behind, or the process: not one of all */
} cases[] = {
    {"in_turn", in_turn, false},
    {"nested", nested, false},
    {"switched", switched, false},
    {"dropped_and_reused", dropped_and_reused, false},
    {"dropped_one_by_one", dropped_one_by_one, false},
    {"own_stack_used_again", own_stack_used_again, false},
    {"exit_from_depth", exit_from_depth, false},
    {"fibers_in_deferred_functions", fibers_in_deferred_functions, false},
    {"longjmp_in_a_fiber", longjmp_in_a_fiber, false},
    {"generators", generators, false},
    {"tasks_and_channels", tasks_and_channels, false},
    {"executor_in_a_fiber", executor_in_a_fiber, false},
    {"many", many, false},
    {"fork_in_a_fiber", fork_in_a_fiber, false},
    {"held_by_suspended_fibers", held_by_suspended_fibers, true},
    {"held_by_waiting_tasks", held_by_waiting_tasks, true},
    {"held_at_an_exit_in_a_fiber", held_at_an_exit_in_a_fiber, true},
};

int main(int argc, char **argv)
{
    bool all = argc > 2 && strcmp(argv[2], "all") == 0;
    int ran = 0;

    WANT(argc == 3);
    count = atoi(argv[1]);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (all ? !cases[i].leaves : strcmp(argv[2], cases[i].name) == 0) {
            cases[i].run();
            ran++;
        }
    WANT(ran > 0);
    return 0;
}
