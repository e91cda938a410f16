/* SPDX-License-Identifier: MIT */
/* operations.c - the interpreter's loop: bytes, choices, and what is compared after each call. */

#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned long long fuzz_calls;
void (*fuzz_failed)(const char *message);

static const uint8_t *input;
static size_t left;
static call *operations[256];
static unsigned operation_count;
static unsigned long long first_call;

/* ---- failing, and telling ---- */

static void dump(void);

void model_fail(const char *file, int line, const char *what)
{
    static char message[512];
    snprintf(message, sizeof message, "%s:%d: %s, at call %llu, after %s", file, line, what, fuzz_calls - first_call,
             world.last == NULL ? "nothing" : world.last);
    if (getenv("FUZZ_TRACE") != NULL)
        dump();
    fuzz_failed(message);
    abort();
}

/* What the model thinks of tasks and executors. */
static void dump(void)
{
    for (int i = 0; i < TASKS; i++) {
        const struct task *t = &world.tasks[i];
        if (t->used)
            fprintf(stderr, "  task %u of %p: root %p leaf %p state %d wait %d%s%s%s until %lld (real state %d)\n",
                    t->id, (void *)t->executor, (void *)t->root, (void *)t->leaf, t->state, (int)t->wait,
                    t->cancelled ? " cancelled" : "", t->shield ? " shield" : "", t->detached ? " detached" : "",
                    t->timed ? (long long)t->deadline : -1, coir_task_state(t->real));
    }
    for (int i = 0; i < EXECUTORS; i++) {
        const struct executor *e = &world.executors[i];
        if (!e->used)
            continue;
        fprintf(stderr, "  executor %p%s%s%s now %lld mode %d until %lld, %d posts, ready:", (const void *)e,
                e->seeded ? " seeded" : "", e->manual ? " manual" : e->has_poller ? " poller" : "",
                e->stopped ? " stopped" : "", (long long)e->now, (int)e->mode, (long long)e->deadline, e->post_count);
        for (int j = 0; j < e->ready_count; j++)
            fprintf(stderr, " %u", e->ready[j]->id);
        fprintf(stderr, "\n");
    }
}

void model_check_code(int code, int expected)
{
    static char message[128];
    if (code == expected)
        return;
    snprintf(message, sizeof message, "a call returned %d (%s) instead of %d (%s)", code, coir_errname(code), expected,
             coir_errname(expected));
    model_fail(__FILE__, __LINE__, message);
}

void trace(const char *what, const void *object, int64_t value)
{
    static int wanted = -1;
    const struct context *me = world.current;
    world.last = what;
    if (wanted < 0)
        wanted = getenv("FUZZ_TRACE") != NULL;
    if (wanted == 0)
        return;
    fprintf(stderr, "%llu [%d.%u%s] %s %p %lld\n", fuzz_calls - first_call, (int)me->kind, me->id,
            me->ending != 0 ? " ending" : me->runs != NULL ? " callback" : "", what, object, (long long)value);
}

/* ---- bytes ---- */

unsigned next_byte(void)
{
    if (left == 0) {
        world.drained = true;
        return 255;
    }
    left--;
    return *input++;
}

bool one_in(unsigned n)
{
    return next_byte() % n == 0;
}

intptr_t new_value(void)
{
    return one_in(4) ? 0 : ++world.values;
}

/* ---- choosing ---- */

/* The place of one that is used, from `count` places; -1: none. */
static int pick(int count, size_t size, const bool *first_used)
{
    int from = (int)next_byte();
    if (from < 12)
        return -1;
    for (int i = 0; i < count; i++) {
        int place = (from + i) % count;
        if (*(const bool *)((const char *)first_used + (size_t)place * size))
            return place;
    }
    return -1;
}

struct context *pick_context(enum kind kind)
{
    int from = kind == FIBER ? 1 : kind == GENERATOR ? 1 + FIBERS : 1 + FIBERS + GENERATORS;
    int count = kind == FIBER ? FIBERS : kind == GENERATOR ? GENERATORS : TASKS;
    int place = pick(count, sizeof world.contexts[0], &world.contexts[from].used);
    return place < 0 ? NULL : &world.contexts[from + place];
}

/* What is not a plain fiber can be asked about only. */
struct context *pick_fiber(void)
{
    struct context *c;
    if (!one_in(8))
        return pick_context(FIBER);
    c = pick_context(one_in(2) ? GENERATOR : TASK);
    return c != NULL && c->fiber != NULL ? c : NULL;
}

struct task *pick_task(void)
{
    int place = pick(TASKS, sizeof world.tasks[0], &world.tasks[0].used);
    return place < 0 || world.tasks[place].real == NULL ? NULL : &world.tasks[place];
}

struct executor *pick_executor(void)
{
    int place = pick(EXECUTORS, sizeof world.executors[0], &world.executors[0].used);
    return place < 0 ? NULL : &world.executors[place];
}

coir_fiber *real_fiber(const struct context *c)
{
    return c == NULL ? NULL : c->fiber;
}

/* ---- what is looked at again and again ---- */

static void check_context(const struct context *c)
{
    struct task *t = c->task;
    if (c->fiber == NULL || c->kind == MAIN)
        return;
    if (c->kind == TASK && t->state != COIR_TASK_DONE)
        MUST(coir_task_fiber(t->real) == c->fiber);
    MUST(coir_fiber_state(c->fiber) == c->state);
    MUST(strcmp(coir_fiber_name(c->fiber), c->name) == 0);
    MUST(coir_fiber_data(c->fiber) == (void *)c->data);
}

/* A wait that was given up, but goes on, has a deadline that does no more. */
static bool has_silent_timer(const struct executor *e)
{
    for (int i = 0; i < WAITS; i++) {
        const struct task *t = world.waits[i].task;
        if (t != NULL && t->executor == e && world.waits[i].given_up)
            return true;
    }
    return false;
}

static void check_executor(struct executor *e)
{
    int64_t timer = next_timer(e);
    int64_t next = timer > 0 ? timer : 0; /* overdue ones may have any time */
    MUST(coir_exec_tasks(e->real) == task_count(e));
    MUST(coir_exec_holds(e->real) == e->holds);
    MUST(coir_exec_now(e->real) == e->now);
    if (!e->stopped && !has_silent_timer(e))
        MUST(coir_exec_next_deadline(e->real) == (e->ready_count > 0 || e->post_count > 0 ? 0 : next));
}

static void check_context_at(unsigned n)
{
    if (world.contexts[n].used)
        check_context(&world.contexts[n]);
}

static void check_task_at(unsigned n)
{
    const struct task *t = &world.tasks[n];
    if (t->used && t->real != NULL)
        MUST(coir_task_state(t->real) == t->state);
}

/* While a poller is there, time may have passed of which the model hears later. */
static void check_executor_at(unsigned n)
{
    struct executor *e = &world.executors[n];
    if (e->used && (!e->has_poller || e->runner == NULL))
        check_executor(e);
}

static void check_channel_at(unsigned n)
{
    if (world.channels[n].used)
        MUST(coir_chan_count(world.channels[n].real) == world.channels[n].count);
}

static void check_semaphore_at(unsigned n)
{
    if (world.semaphores[n].used)
        MUST(coir_sem_count(world.semaphores[n].real) == (int)world.semaphores[n].count);
}

static void check_group_at(unsigned n)
{
    if (world.groups[n].used)
        MUST(coir_group_count(world.groups[n].real) == group_count(&world.groups[n]));
}

static const struct {
    unsigned count;
    void (*check)(unsigned n);
} checks[] = {{CONTEXTS, check_context_at},     {TASKS, check_task_at},           {EXECUTORS, check_executor_at},
              {CHANNELS, check_channel_at},     {SEMAPHORES, check_semaphore_at}, {GROUPS, check_group_at}};

/* One thing after each call, all in turn. */
static void check_something(void)
{
    unsigned n = (unsigned)(fuzz_calls % (CONTEXTS + TASKS + EXECUTORS + CHANNELS + SEMAPHORES + GROUPS));
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (n < checks[i].count) {
            checks[i].check(n);
            return;
        }
        n -= checks[i].count;
    }
}

/* ---- the loop ---- */

static void add_table(call *const *table)
{
    for (; *table != NULL && operation_count < 256; table++)
        operations[operation_count++] = *table;
}

void interpret(unsigned most)
{
    while (most-- > 0 && !world.drained) {
        struct context *me = world.current;
        unsigned n = next_byte();
        if (world.drained)
            return;
        fuzz_calls++;
        operations[n % operation_count]();
        MUST(world.current == me && world.scheduling == NULL);
        check_something();
    }
}

void fuzz_run(const uint8_t *bytes, size_t size)
{
    if (operation_count == 0) {
        add_table(fiber_operations);
        add_table(task_operations);
        add_table(object_operations);
    }
    memset(&world, 0, sizeof world);
    world.current = &world.contexts[0];
    world.current->used = true;
    world.current->state = COIR_STATE_RUNNING;
    world.expected = RETURNED;
    input = bytes;
    left = size;
    first_call = fuzz_calls;
    interpret((unsigned)-1);
    world.drained = true;
    end_tasks();
    end_fibers();
    end_objects();
    MUST(coir_set_switch_hook(NULL, NULL) == COIR_OK);
    coir_pool_trim(0);
}
