/* SPDX-License-Identifier: MIT */
/* model_objects.c - the model of channels, mutexes, conditions, semaphores, groups, and waits of the program's own. */

#include "model.h"

#include <string.h>

void leave_lines(struct task *t)
{
    for (int i = 0; i < CHANNELS; i++) {
        line_remove(&world.channels[i].senders, t);
        line_remove(&world.channels[i].receivers, t);
    }
    for (int i = 0; i < MUTEXES; i++)
        line_remove(&world.mutexes[i].line, t);
    for (int i = 0; i < CONDITIONS; i++)
        line_remove(&world.conditions[i].line, t);
    for (int i = 0; i < SEMAPHORES; i++)
        line_remove(&world.semaphores[i].line, t);
    for (int i = 0; i < GROUPS; i++)
        line_remove(&world.groups[i].line, t);
}

/* ---- channels ---- */

bool channel_ready(const struct channel *c, int operation)
{
    if (operation == COIR_SEND)
        return c->closed || c->receivers.count > 0 || c->count < c->capacity;
    return c->closed || c->senders.count > 0 || c->count > 0;
}

static void serve(struct task *t, int which, int code, intptr_t value)
{
    t->leaf->due.which = which;
    t->leaf->due.values[0] = value;
    make_ready(t, code);
}

static int apply_send(struct channel *c, intptr_t value)
{
    int which;
    if (c->closed)
        return COIR_ECLOSED;
    if (c->receivers.count > 0) {
        struct task *t = line_take(&c->receivers, &which);
        serve(t, which, COIR_OK, value);
    } else {
        c->items[c->count++] = value;
    }
    return COIR_OK;
}

static int apply_receive(struct channel *c, intptr_t *received)
{
    int which;
    struct task *t;
    if (c->count == 0 && c->senders.count == 0)
        return COIR_ECLOSED;
    if (c->count > 0) {
        *received = c->items[0];
        c->count--;
        memmove(&c->items[0], &c->items[1], (size_t)c->count * sizeof c->items[0]);
    }
    if (c->senders.count == 0)
        return COIR_OK;
    t = line_take(&c->senders, &which);
    if (c->capacity > 0)
        c->items[c->count++] = t->cases[which].value;
    else
        *received = t->cases[which].value;
    serve(t, which, COIR_OK, 0);
    return COIR_OK;
}

/* Only if it is ready. */
int channel_apply(struct channel *c, int operation, intptr_t value, intptr_t *received)
{
    return operation == COIR_SEND ? apply_send(c, value) : apply_receive(c, received);
}

/* Only one of the lines can hold anybody. */
void model_close(struct channel *c)
{
    int which;
    c->closed = true;
    while (c->senders.count > 0 || c->receivers.count > 0) {
        struct task *t = line_take(c->senders.count > 0 ? &c->senders : &c->receivers, &which);
        serve(t, which, COIR_ECLOSED, 0);
    }
}

/* ---- mutexes and conditions ---- */

void mutex_pass_on(struct mutex *m)
{
    int which;
    m->owner = NULL;
    if (m->line.count == 0)
        return;
    m->owner = line_take(&m->line, &which);
    make_ready(m->owner, m->owner->wait == RELOCK ? m->owner->code : COIR_OK);
}

/* The wait for a condition has ended in some way: now for the mutex. */
void condition_over(struct task *t, int code)
{
    struct mutex *m = t->mutex;
    leave_lines(t);
    t->timed = false;
    t->code = code;
    t->wait = RELOCK;
    t->object = m;
    if (m->abandoned && code == COIR_ECANCELED) {
        make_ready(t, code);
    } else if (m->owner == NULL && !m->abandoned) {
        m->owner = t;
        make_ready(t, code);
    } else {
        line_add(&m->line, t, 0);
    }
}

void model_signal(struct condition *c)
{
    int which;
    if (c->line.count > 0)
        condition_over(line_take(&c->line, &which), COIR_OK);
}

/* ---- groups ---- */

int group_count(const struct group *g)
{
    int count = 0;
    for (int i = 0; i < TASKS; i++)
        count += world.tasks[i].used && world.tasks[i].group == g;
    return count;
}

/* The next to be cancelled of an executor's tasks or of a group's, in the order in which they were made. */
static struct task *next_made(const struct executor *e, const struct group *g, unsigned last)
{
    struct task *next = NULL;
    for (int i = 0; i < TASKS; i++) {
        struct task *t = &world.tasks[i];
        bool is_one = t->used && (e != NULL ? t->executor == e : t->group == g);
        if (is_one && t->id > last && (next == NULL || t->id < next->id))
            next = t;
    }
    return next;
}

void model_cancel_tasks(const struct executor *e, const struct group *g)
{
    struct task *t = next_made(e, g, 0);
    while (t != NULL) {
        unsigned id = t->id;
        if (t->state != COIR_TASK_DONE)
            model_task_cancel(t);
        t = next_made(e, g, id);
    }
}

/* A task that is cancelled may wait for a group, which then fails too: after the tasks of this one. */
void group_fail(struct group *g, int code)
{
    static struct group *failing[GROUPS];
    static int count;
    if (g->failed != COIR_OK)
        return;
    g->failed = code;
    failing[count++] = g;
    if (count > 1)
        return;
    for (int i = 0; i < count; i++)
        model_cancel_tasks(NULL, failing[i]);
    count = 0;
}

void group_task_ended(struct group *g)
{
    int which;
    if (group_count(g) > 0)
        return;
    while (g->line.count > 0) {
        struct task *t = line_take(&g->line, &which);
        make_ready(t, g->failed);
    }
}

/* ---- waits of the program's own ---- */

/* The policies of give_up: 0: none; 1: goes on; 2: ends it with another code. Those are known when it is called. */
void wait_given_up(struct task *t, int code)
{
    struct wait_object *w = t->object;
    if (w->given_up)
        return;
    w->given_up = true;
    if (w->policy == 1)
        return;
    w->task = NULL;
    make_ready(t, w->policy == 0 ? code : code - 5000);
}
