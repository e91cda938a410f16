/* SPDX-License-Identifier: MIT */
/* What fibers of several threads may do: a sanitizer has nothing to report. What the threads have in common is handed over
 * by the library alone (coir_exec_post), or by the program in the way that the library asks for. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <coir.h>

#include "want.h"

/* Lets one thread see what another has got to, without making anything happen before anything else. */
static atomic_int step;

static void reach(int number)
{
    atomic_store_explicit(&step, number, memory_order_relaxed);
}

static void wait_for(int number)
{
    while (atomic_load_explicit(&step, memory_order_relaxed) < number)
        sched_yield();
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    WANT(pthread_create(&thread, NULL, fn, arg) == 0);
    return thread;
}

static void join(pthread_t thread)
{
    WANT(pthread_join(thread, NULL) == 0);
}

/* Uses a good part of a stack, from whichever thread it comes. */
__attribute__((noinline)) static void use_stack(int depth)
{
    char bytes[1000];

    memset(bytes, depth, sizeof bytes);
    if (depth > 0)
        use_stack(depth - 1);
    WANT(bytes[depth] == depth);
}

static void *uses_stack(void *arg)
{
    use_stack(50);
    WANT(coir_yield(NULL, NULL) == COIR_OK);
    use_stack(20);
    return arg;
}

static void run_some(int number, coir_fn *fn)
{
    coir_fiber *f[16];

    WANT(number <= 16);
    for (int i = 0; i < number; i++) {
        WANT(coir_create(&f[i], fn, NULL, NULL) == COIR_OK);
        WANT(coir_resume(f[i], NULL, NULL) == COIR_YIELDED);
    }
    for (int i = 0; i < number; i++) {
        if (i % 3 != 0)
            WANT(coir_resume(f[i], NULL, NULL) == COIR_DONE);
        WANT(coir_destroy(f[i]) == COIR_OK);
    }
}

/* ---- each thread for itself ---- */

static void *runs_its_own(void *arg)
{
    for (int i = 0; i < 5; i++) {
        run_some(10, uses_stack);
        coir_pool_trim(0);
    }
    return arg;
}

static void each_for_itself(void)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        threads[i] = start(runs_its_own, NULL);
    runs_its_own(NULL);
    for (int i = 0; i < 3; i++)
        join(threads[i]);
}

/* Stacks and records of fibers go from one thread to another through the library, and nothing else does. */
static void *leaves_stacks(void *arg)
{
    run_some(16, uses_stack);
    coir_pool_trim(0);
    reach(1);
    wait_for(2);
    return arg;
}

static void stacks_of_another_thread(void)
{
    pthread_t other;

    run_some(1, uses_stack);
    reach(0);
    other = start(leaves_stacks, NULL);
    wait_for(1);
    run_some(16, uses_stack);
    reach(2);
    join(other);
}

/* ---- posts ---- */

struct message {
    char text[100];
    int *received;
};

/* In the executor's thread, which has got the message by the post alone. */
static void receive(void *arg)
{
    struct message *message = arg;

    WANT(strcmp(message->text, "posted") == 0);
    if (++*message->received == 100)
        WANT(coir_exec_release(coir_exec_current()) == COIR_OK);
    free(message);
}

struct poster {
    coir_exec *exec;
    int *received;
};

static void *posts(void *arg)
{
    const struct poster *poster = arg;

    for (int i = 0; i < 50; i++) {
        struct message *message = malloc(sizeof *message);
        WANT(message != NULL);
        strcpy(message->text, "posted");
        message->received = poster->received;
        WANT(coir_exec_post(poster->exec, receive, message) == COIR_OK);
    }
    return NULL;
}

static void *naps(void *arg)
{
    for (int i = 0; i < 5; i++) {
        use_stack(10);
        WANT(coir_sleep(COIR_MILLISECOND / 2) == COIR_OK);
    }
    return arg;
}

static void posts_from_threads(void)
{
    int received = 0;
    struct poster poster = {.received = &received};
    pthread_t threads[2];

    WANT(coir_exec_create(&poster.exec, NULL) == COIR_OK);
    WANT(coir_exec_hold(poster.exec) == COIR_OK);
    WANT(coir_spawn(NULL, poster.exec, naps, NULL, NULL) == COIR_OK);
    for (int i = 0; i < 2; i++)
        threads[i] = start(posts, &poster);
    WANT(coir_exec_run(poster.exec) == COIR_OK);
    WANT(received == 100);
    for (int i = 0; i < 2; i++)
        join(threads[i]);
    WANT(coir_exec_destroy(poster.exec) == COIR_OK);
}

/* A task that waits until another thread has done its work, as for a pool of workers. */
struct work {
    coir_exec *exec;
    coir_task *task;
    int result;
};

static void work_is_done(void *arg)
{
    struct work *work = arg;

    WANT(coir_exec_release(work->exec) == COIR_OK);
    WANT(coir_task_wake(work->task) == COIR_OK);
}

static void *works(void *arg)
{
    struct work *work = arg;

    use_stack(5);
    work->result = 42;
    WANT(coir_exec_post(work->exec, work_is_done, work) == COIR_OK);
    return NULL;
}

/* What both threads write is a local of the task. */
static void *waits_for_work(void *arg)
{
    struct work work = {.exec = coir_exec_current(), .task = coir_task_self()};
    pthread_t thread;

    WANT(coir_exec_hold(work.exec) == COIR_OK);
    thread = start(works, &work);
    WANT(coir_task_park() == COIR_OK);
    WANT(work.result == 42);
    join(thread);
    return arg;
}

static void work_in_another_thread(void)
{
    coir_exec *e;

    WANT(coir_exec_create(&e, NULL) == COIR_OK);
    for (int i = 0; i < 4; i++)
        WANT(coir_spawn(NULL, e, waits_for_work, NULL, NULL) == COIR_OK);
    WANT(coir_exec_run(e) == COIR_OK);
    WANT(coir_exec_destroy(e) == COIR_OK);
}

/* ---- the end of a thread ---- */

static coir_fiber *left[2];

static void *ends_the_thread(void *arg)
{
    use_stack(10);
    pthread_exit(arg);
}

static void *exits_in_a_fiber(void *arg)
{
    char *block = malloc(10);

    WANT(coir_create(&left[0], uses_stack, NULL, NULL) == COIR_OK);
    WANT(coir_resume(left[0], NULL, NULL) == COIR_YIELDED);
    WANT(coir_create(&left[1], ends_the_thread, NULL, NULL) == COIR_OK);
    free(block);
    coir_resume(left[1], NULL, NULL);
    abort();
    return arg;
}

static void pthread_exit_in_a_fiber(void)
{
    for (int i = 0; i < 5; i++) {
        join(start(exits_in_a_fiber, NULL));
        WANT(coir_destroy(left[0]) == COIR_OK);
        WANT(coir_destroy(left[1]) == COIR_OK);
        join(start(runs_its_own, NULL));
    }
}

static void *leaves_behind(void *arg)
{
    WANT(coir_create(arg, uses_stack, NULL, NULL) == COIR_OK);
    WANT(coir_resume(*(coir_fiber **)arg, NULL, NULL) == COIR_YIELDED);
    return NULL;
}

static void fibers_left_behind(void)
{
    for (int i = 0; i < 5; i++) {
        coir_fiber *f;
        join(start(leaves_behind, &f));
        WANT(coir_destroy(f) == COIR_OK);
    }
}

/* ---- fibers that move ---- */

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    coir_fiber *waiting[8];
    int count;   /* of those that wait to be resumed */
    int running; /* of those that have not ended */
};

static void put(struct queue *queue, coir_fiber *f)
{
    WANT(pthread_mutex_lock(&queue->mutex) == 0);
    if (f != NULL)
        queue->waiting[queue->count++] = f;
    else
        queue->running--;
    WANT(pthread_cond_broadcast(&queue->changed) == 0);
    WANT(pthread_mutex_unlock(&queue->mutex) == 0);
}

/* The one that waits longest; NULL when all have ended. */
static coir_fiber *get(struct queue *queue)
{
    coir_fiber *f = NULL;

    WANT(pthread_mutex_lock(&queue->mutex) == 0);
    while (queue->count == 0 && queue->running > 0)
        WANT(pthread_cond_wait(&queue->changed, &queue->mutex) == 0);
    if (queue->count > 0) {
        f = queue->waiting[0];
        memmove(queue->waiting, queue->waiting + 1, sizeof *queue->waiting * (size_t)--queue->count);
    }
    WANT(pthread_mutex_unlock(&queue->mutex) == 0);
    return f;
}

static void *resumes_all(void *arg)
{
    struct queue *queue = arg;
    coir_fiber *f;

    while ((f = get(queue)) != NULL) {
        if (coir_resume(f, NULL, NULL) == COIR_YIELDED) {
            put(queue, f);
            continue;
        }
        WANT(coir_destroy(f) == COIR_OK);
        put(queue, NULL);
    }
    return NULL;
}

static int below(coir_gen *g, void *arg)
{
    for (int n = 0; n < *(int *)arg; n++)
        coir_gen_yield(g, &n);
    return 0;
}

static void *moves(void *arg)
{
    char *block = malloc(100);
    char bytes[3000];
    int sum = 0, last = 5, item;
    coir_gen *g;

    for (int i = 0; i < 30; i++) {
        memset(bytes, i, sizeof bytes);
        memset(block, i, 100);
        WANT(coir_yield(NULL, NULL) == COIR_OK);
        WANT(bytes[2999] == i && block[99] == i);
        use_stack(i);
        WANT(coir_gen_create(&g, sizeof item, below, &last, NULL) == COIR_OK);
        while (coir_gen_next(g, &item) == 1)
            sum += item;
        WANT(coir_gen_destroy(g) == COIR_OK);
    }
    WANT(sum == 300);
    free(block);
    return arg;
}

static void movable_fibers(void)
{
    static const coir_options options = {.flags = COIR_MOVABLE};
    struct queue queue = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t other;

    for (int i = 0; i < 6; i++)
        WANT(coir_create(&queue.waiting[queue.count++], moves, NULL, &options) == COIR_OK);
    queue.running = 6;
    other = start(resumes_all, &queue);
    resumes_all(&queue);
    join(other);
}

/* A fiber that another thread has run and left suspended ends in this one. */
static void *runs_the_first_half(void *arg)
{
    WANT(coir_resume(arg, NULL, NULL) == COIR_YIELDED);
    return NULL;
}

static void moved_for_the_end(void)
{
    static const coir_options options = {.flags = COIR_MOVABLE};

    for (int i = 0; i < 2; i++) {
        coir_fiber *f;
        WANT(coir_create(&f, uses_stack, NULL, &options) == COIR_OK);
        join(start(runs_the_first_half, f));
        if (i == 0)
            WANT(coir_resume(f, NULL, NULL) == COIR_DONE);
        WANT(coir_destroy(f) == COIR_OK);
    }
}

/* What is called with an array's address makes the compiler keep the array in memory. */
__attribute__((noinline)) static int shown(char **blocks)
{
    return blocks[0] == NULL;
}

/* Exit while other threads stand in fibers, with blocks that nobody else holds. */
static void *stands_in_a_fiber(void *arg)
{
    char *blocks[2] = {malloc(100), malloc(100)}, *volatile other = malloc(100);

    WANT(blocks[0] != NULL && blocks[1] != NULL && other != NULL);
    if (arg != NULL) {
        coir_fiber *f;
        WANT(coir_create(&f, stands_in_a_fiber, NULL, NULL) == COIR_OK);
        WANT(coir_resume(f, NULL, NULL) == COIR_DONE);
    }
    reach(1);
    wait_for(2);
    free(blocks[shown(blocks)]);
    return other;
}

static void exit_of_another_thread(void)
{
    reach(0);
    start(stands_in_a_fiber, &step);
    wait_for(1);
    exit(0);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool exits;
} cases[] = {
    {"each_for_itself", each_for_itself, false},
    {"stacks_of_another_thread", stacks_of_another_thread, false},
    {"posts_from_threads", posts_from_threads, false},
    {"work_in_another_thread", work_in_another_thread, false},
    {"pthread_exit_in_a_fiber", pthread_exit_in_a_fiber, false},
    {"fibers_left_behind", fibers_left_behind, false},
    {"movable_fibers", movable_fibers, false},
    {"moved_for_the_end", moved_for_the_end, false},
    {"exit_of_another_thread", exit_of_another_thread, true},
};

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    int ran = 0;

    WANT(argc == 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (all ? !cases[i].exits : strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            ran++;
        }
    WANT(ran > 0);
    return 0;
}
