/* SPDX-License-Identifier: MIT */
/* Who runs when: a task awaits another, which is parked until main wakes it up. Main runs the executor one turn at a
 * time. Each step sets a mark, and the marks come out in the order of the alphabet. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct story {
    char marks[16];
    coir_task *another;
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "sequence: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

static void mark(struct story *story, char letter)
{
    size_t length = strlen(story->marks);

    if (length + 1 < sizeof story->marks)
        story->marks[length] = letter;
}

static void *another(void *arg)
{
    struct story *story = arg;

    mark(story, 'c');
    mark(story, 'd');
    check("coir_task_park", coir_task_park());
    mark(story, 'g');
    return (void *)(intptr_t)1234;
}

static void *amain(void *arg)
{
    struct story *story = arg;
    void *result;

    mark(story, 'b');
    check("coir_spawn", coir_spawn(&story->another, NULL, another, story, NULL));
    check("coir_task_yield", coir_task_yield()); /* `another` starts now, and not only when it is awaited */
    mark(story, 'e');
    check("coir_await", coir_await(story->another, &result));
    mark(story, 'h');
    return result;
}

/* Runs turn after turn, until all tasks have ended or wait for something that is not there yet. */
static int run_until_idle(coir_exec *e)
{
    int result;

    do
        result = check("coir_exec_run_once_until", coir_exec_run_once_until(e, 0));
    while (coir_exec_next_deadline(e) == 0);
    return result;
}

int main(void)
{
    struct story story = {0};
    coir_exec *e;
    coir_task *task;
    void *result;

    check("coir_exec_create", coir_exec_create(&e, NULL));
    mark(&story, 'a');
    check("coir_spawn", coir_spawn(&task, e, amain, &story, NULL));
    run_until_idle(e);
    mark(&story, 'f');
    check("coir_task_wake", coir_task_wake(story.another));
    if (run_until_idle(e) == COIR_TASKS_LEFT) {
        fprintf(stderr, "sequence: a task still waits\n");
        return 1;
    }
    mark(&story, 'i');
    check("coir_await", coir_await(task, &result)); /* it has ended, so this does not wait */
    printf("%s\n%d\n", story.marks, (int)(intptr_t)result);
    check("coir_exec_destroy", coir_exec_destroy(e));
    return 0;
}
