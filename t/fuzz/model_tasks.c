/* SPDX-License-Identifier: MIT */
/* model_tasks.c - the model of executors and tasks: who is ready, who waits, whose turn it is. */

#include "model.h"

#include <string.h>

/* ---- lines of tasks ---- */

void line_add(struct line *line, struct task *t, int which)
{
    MUST(line->count < LINE);
    line->task[line->count] = t;
    line->which[line->count++] = which;
}

void line_remove(struct line *line, const struct task *t)
{
    int kept = 0;
    for (int i = 0; i < line->count; i++) {
        if (line->task[i] == t)
            continue;
        line->task[kept] = line->task[i];
        line->which[kept++] = line->which[i];
    }
    line->count = kept;
}

/* The first, which leaves all its places in this line. */
struct task *line_take(struct line *line, int *which)
{
    struct task *t = line->task[0];
    *which = line->which[0];
    line_remove(line, t);
    return t;
}

bool in_line(const struct line *line, const struct task *t)
{
    for (int i = 0; i < line->count; i++)
        if (line->task[i] == t)
            return true;
    return false;
}

/* ---- what all waits have in common ---- */

int may_wait(void)
{
    const struct context *me = world.current;
    const struct task *t = task_of(me);
    if (t == NULL)
        return COIR_ENOTTASK;
    if (is_ending(me) || (t->cancelled && !t->shield))
        return COIR_ECANCELED;
    return COIR_OK;
}

bool is_ending(const struct context *c)
{
    return c->ending != 0;
}

bool passed(int64_t deadline)
{
    const struct task *t = task_of(world.current);
    return t != NULL && deadline <= t->executor->now;
}

static void add_ready(struct task *t)
{
    struct executor *e = t->executor;
    trace("ready", (void *)(intptr_t)t->id, e->ready_count);
    MUST(e->ready_count < TASKS);
    t->state = COIR_TASK_READY;
    e->ready[e->ready_count++] = t;
}

void make_ready(struct task *t, int code)
{
    leave_lines(t);
    t->timed = false;
    t->leaf->due.code = code;
    add_ready(t);
}

/* The current task waits, and its executor goes on. */
void wait_for(enum wait_kind kind, void *object, int64_t deadline)
{
    struct context *me = world.current;
    struct task *t = task_of(me);
    memset(&me->due, 0, sizeof me->due);
    t->leaf = me;
    t->wait = kind;
    t->object = object;
    t->timed = deadline != COIR_FOREVER;
    t->deadline = deadline;
    t->timer = ++world.ids;
    t->overdue = deadline <= t->executor->now;
    me->state = COIR_STATE_WAITING;
    t->state = COIR_TASK_WAITING;
    world.scheduling = t->executor;
    if (kind == YIELD) {
        t->timed = false;
        add_ready(t);
    }
}

int task_count(const struct executor *e)
{
    int count = 0;
    for (int i = 0; i < TASKS; i++) {
        const struct task *t = &world.tasks[i];
        count += t->used && t->executor == e && t->state != COIR_TASK_DONE;
    }
    return count;
}

static struct task *earliest(const struct executor *e)
{
    struct task *first = NULL;
    for (int i = 0; i < TASKS; i++) {
        struct task *t = &world.tasks[i];
        if (!t->used || t->executor != e || t->state != COIR_TASK_WAITING || !t->timed)
            continue;
        if (first == NULL || t->deadline < first->deadline
            || (t->deadline == first->deadline && t->timer < first->timer))
            first = t;
    }
    return first;
}

int64_t next_timer(const struct executor *e)
{
    const struct task *t = earliest(e);
    return t == NULL ? COIR_FOREVER : t->deadline;
}

static void release_targets(struct task *t)
{
    for (int i = 0; i < t->count; i++)
        t->targets[i]->awaited_by = NULL;
}

static void give_up(struct task *t, int code)
{
    if (t->wait != OBJECT || code == COIR_ETIMEDOUT || t->overdue) /* that may go on, and so does its timer */
        t->timed = false;
    switch (t->wait) {
    case SLEEP: make_ready(t, code == COIR_ETIMEDOUT ? COIR_OK : code); return;
    case CONDITION: condition_over(t, code); return;
    case RELOCK:
        if (((struct mutex *)t->object)->abandoned)
            make_ready(t, code);
        return;
    case GROUP:
        if (code == COIR_ETIMEDOUT)
            make_ready(t, code);
        else
            group_fail(t->object, code);
        return;
    case OBJECT: wait_given_up(t, code); return;
    default: make_ready(t, code); return;
    }
}

void fire_timers(struct executor *e)
{
    struct task *t;
    while ((t = earliest(e)) != NULL && t->deadline <= e->now
           && (!t->overdue || coir_task_state(t->real) != COIR_TASK_WAITING)) {
        t->overdue = false;
        give_up(t, COIR_ETIMEDOUT);
    }
}

void model_task_cancel(struct task *t)
{
    t->cancelled = true;
    if (t->state == COIR_TASK_READY && t->wait == YIELD && !t->shield)
        t->leaf->due.code = COIR_ECANCELED;
    if (t->state == COIR_TASK_WAITING && !t->shield) {
        give_up(t, COIR_ECANCELED);
    }
}

/* ---- the life of a task ---- */

void model_spawn(struct task *t, struct executor *e, bool detached, struct group *group)
{
    t->executor = e;
    t->detached = detached;
    t->group = group;
    t->leaf = t->root;
    t->root->task = t;
    add_ready(t);
}

void model_free_task(struct task *t)
{
    t->used = false;
    t->root->used = false;
}

static bool all_done(struct task **targets, int count)
{
    for (int i = 0; i < count; i++)
        if (targets[i] == NULL || targets[i]->state != COIR_TASK_DONE)
            return false;
    return true;
}

static int first_done(struct task **targets, int count)
{
    for (int i = 0; i < count; i++)
        if (targets[i] != NULL && targets[i]->state == COIR_TASK_DONE)
            return i;
    return -1;
}

static void tell_waiter(struct task *waiter)
{
    if (waiter == NULL || waiter->state != COIR_TASK_WAITING)
        return;
    if (waiter->wait == AWAIT_ANY || all_done(waiter->targets, waiter->count))
        make_ready(waiter, COIR_OK);
}

/* Those who are cancelled, and had only to take it again, go on without it. */
static void let_go_of(struct mutex *m)
{
    for (int i = 0; i < m->line.count;) {
        struct task *t = m->line.task[i];
        if (t->wait == RELOCK && t->cancelled && !t->shield)
            make_ready(t, COIR_ECANCELED);
        else
            i++;
    }
}

void model_task_ended(struct task *t)
{
    struct executor *e = t->executor;
    t->result = t->root->result;
    t->state = COIR_TASK_DONE;
    world.scheduling = e;
    if (t->group != NULL) {
        struct group *g = t->group;
        t->group = NULL;
        group_task_ended(g);
    }
    for (int i = 0; i < MUTEXES; i++)
        if (world.mutexes[i].used && world.mutexes[i].owner == t) {
            world.mutexes[i].owner = NULL;
            world.mutexes[i].abandoned = true;
            let_go_of(&world.mutexes[i]);
        }
    tell_waiter(t->awaited_by);
    if (t->detached)
        model_free_task(t);
}

/* ---- awaiting ---- */

static void take_results(struct context *c, struct task **targets, int count)
{
    for (int i = 0; i < count; i++) {
        c->due.values[i] = targets[i]->result;
        model_free_task(targets[i]);
    }
}

static int check_targets(struct task **targets, int count, const struct task *me)
{
    for (int i = 0; i < count; i++) {
        const struct task *t = targets[i];
        if (t == NULL)
            return COIR_EINVAL;
        if (t == me)
            return COIR_EDEADLK;
        if (t->detached)
            return COIR_EINVAL;
        if (t->awaited_by != NULL || t->awaited_outside != NULL)
            return COIR_EBUSY;
        for (int j = 0; j < i; j++)
            if (targets[j] == t)
                return COIR_EBUSY;
    }
    return COIR_OK;
}

static void at_once(struct task **targets, int count, bool any)
{
    struct context *me = world.current;
    model_now(COIR_OK);
    me->due.which = first_done(targets, count);
    if (!any)
        take_results(me, targets, count);
}

static bool several_executors(struct task **targets, int count)
{
    for (int i = 1; i < count; i++)
        if (targets[i]->executor != targets[0]->executor)
            return true;
    return false;
}

static void await_outside(struct task **targets, int count, int64_t deadline, bool any)
{
    int error = check_targets(targets, count, NULL);
    struct executor *e;
    if (error == COIR_OK && (any ? first_done(targets, count) >= 0 : all_done(targets, count))) {
        at_once(targets, count, any);
        return;
    }
    if (error == COIR_OK && several_executors(targets, count))
        error = COIR_EINVAL;
    if (error == COIR_OK && targets[0]->executor->runner != NULL)
        error = COIR_EBUSY;
    if (error != COIR_OK) {
        model_now(error);
        return;
    }
    e = targets[0]->executor;
    for (int i = 0; i < count; i++) {
        e->targets[i] = targets[i];
        targets[i]->awaited_outside = e;
    }
    e->count = count;
    e->any = any;
    model_run_executor(e, AWAIT_OUTSIDE, deadline);
}

void model_await(struct task **targets, int count, int64_t deadline, bool any)
{
    struct context *me = world.current;
    struct task *t = task_of(me);
    int error;
    if (count == 0) {
        error = t != NULL && (any || !is_ending(me)) ? may_wait() : COIR_OK;
        model_now(error != COIR_OK ? error : any ? COIR_EINVAL : COIR_OK);
        return;
    }
    if (t == NULL) {
        await_outside(targets, count, deadline, any);
        return;
    }
    error = check_targets(targets, count, t);
    if (may_wait() != COIR_OK
        && (!is_ending(me) || error != COIR_OK
            || (any ? first_done(targets, count) < 0 : !all_done(targets, count))))
        error = COIR_ECANCELED;
    if (error != COIR_OK) {
        model_now(error);
        return;
    }
    if (any ? first_done(targets, count) >= 0 : all_done(targets, count)) {
        at_once(targets, count, any);
        return;
    }
    if (passed(deadline)) {
        model_now(COIR_ETIMEDOUT);
        return;
    }
    wait_for(any ? AWAIT_ANY : AWAIT, NULL, deadline);
    t->count = count;
    for (int i = 0; i < count; i++) {
        t->targets[i] = targets[i];
        targets[i]->awaited_by = t;
    }
}

/* ---- running an executor ---- */

void model_run_executor(struct executor *e, enum mode mode, int64_t deadline)
{
    struct context *me = world.current;
    me->state = COIR_STATE_RESUMING;
    memset(&me->due, 0, sizeof me->due);
    e->outer = me->runs;
    e->runner = me;
    e->mode = mode;
    e->deadline = mode == RUN ? COIR_FOREVER : deadline;
    e->turn_begun = e->had_turn = e->jumped = false;
    e->posts_first = e->interrupted ? 0 : e->post_count;
    e->polled = COIR_OK;
    e->reports = 0;
    e->polls = 0;
    me->runs = e;
    world.scheduling = e;
}

/* Virtual time jumps from timer to timer until somebody is ready. */
static void jump(struct executor *e)
{
    fire_timers(e);
    if (e->turn_begun || (e->mode == ONCE && e->jumped))
        return;
    while (!e->manual && e->ready_count == 0 && e->post_count == 0 && next_timer(e) <= e->deadline
           && next_timer(e) != COIR_FOREVER) {
        if (earliest(e)->overdue)
            return;
        e->now = next_timer(e);
        fire_timers(e);
        e->jumped = true;
        if (e->mode == ONCE)
            return;
    }
}

static void begin_turn(struct executor *e)
{
    if (e->mode != ONCE || e->turn_begun)
        return;
    e->turn_begun = true;
    for (int i = 0; i < e->ready_count; i++)
        e->ready[i]->in_turn = true;
}

/* Control has come out in `c`, which the executor must have been free to choose. */
void model_choose(struct context *c)
{
    struct executor *e = world.scheduling;
    struct task *t = NULL;
    int place = 0;
    MUST(!e->stopped);
    jump(e);
    begin_turn(e);
    while (place < e->ready_count && e->ready[place]->leaf != c)
        place++;
    MUST(place < e->ready_count);
    MUST(place == 0 || e->seeded);
    t = e->ready[place];
    MUST(e->mode != ONCE || t->in_turn);
    MUST(e->mode != ONCE || e->inner || e->posts_first == 0);
    memmove(&e->ready[place], &e->ready[place + 1], (size_t)(e->ready_count - place - 1) * sizeof e->ready[0]);
    e->ready_count--;
    t->in_turn = false;
    t->state = COIR_TASK_RUNNING;
    if (t->wait == AWAIT_ANY) /* others may have ended since the first did */
        c->due.which = first_done(t->targets, t->count);
    if (t->wait == AWAIT || t->wait == AWAIT_ANY)
        release_targets(t);
    if (t->wait == AWAIT && c->due.code == COIR_OK)
        take_results(c, t->targets, t->count);
    t->wait = NOTHING;
    world.scheduling = NULL;
    model_run(c);
    MUST(coir_exec_now(e->real) == e->now);
}

static bool group_or_targets_done(const struct executor *e)
{
    if (e->mode == GROUP_OUTSIDE)
        return group_count(e->group) == 0;
    return e->any ? first_done((struct task **)e->targets, e->count) >= 0
                  : all_done((struct task **)e->targets, e->count);
}

static bool is_satisfied(const struct executor *e)
{
    return (e->mode == AWAIT_OUTSIDE || e->mode == GROUP_OUTSIDE) && group_or_targets_done(e);
}

static void check_deadlock(const struct executor *e)
{
    MUST(task_count(e) > 0 && e->ready_count == 0 && e->post_count == 0);
    MUST(next_timer(e) == COIR_FOREVER && !e->holds && !(e->has_poller && e->active));
    MUST(e->deadline == COIR_FOREVER && e->reports > 0);
}

static void check_run(const struct executor *e, int code)
{
    if (code == COIR_OK)
        MUST(task_count(e) == 0 && ((e->post_count == 0 && e->holds == 0) || e->stopped));
    else
        MUST(code == COIR_TASKS_LEFT && e->stopped);
}

static void check_once(const struct executor *e, int code)
{
    MUST(code == (task_count(e) == 0 ? COIR_OK : COIR_TASKS_LEFT) || e->stopped);
    MUST(code >= 0);
    MUST(e->stopped || e->posts_first == 0);
    for (int i = 0; i < e->ready_count; i++)
        MUST(e->stopped || !e->ready[i]->in_turn);
}

static void check_await(struct executor *e, int code)
{
    struct context *c = e->runner;
    if (e->mode == GROUP_OUTSIDE && group_or_targets_done(e)) {
        MUST(code == e->group->failed);
    } else if (code == COIR_OK) {
        MUST(group_or_targets_done(e));
        c->due.which = first_done(e->targets, e->count);
        if (!e->any)
            take_results(c, e->targets, e->count);
    } else if (code == COIR_ETIMEDOUT) {
        MUST(e->now >= e->deadline && !group_or_targets_done(e));
    } else {
        MUST(code == COIR_EAGAIN && e->stopped && !group_or_targets_done(e));
    }
}

/* Time may have passed up to the deadline. */
static void catch_up(struct executor *e)
{
    int64_t now = coir_exec_now(e->real);
    if (now != e->now)
        trace("time differs", (void *)(intptr_t)e->now, now);
    MUST(now == e->now || (!e->manual && now > e->now && now == e->deadline));
    e->now = now;
    fire_timers(e);
}

/* The poller's wait has all those run that are ready. */
void model_run_ready(struct executor *e)
{
    struct context *me = world.current;
    me->state = COIR_STATE_RESUMING;
    e->inner = true;
    e->outer_mode = e->mode;
    e->outer_begun = e->turn_begun;
    e->mode = ONCE;
    e->turn_begun = false;
    begin_turn(e);
    world.scheduling = e;
}

static void run_ready_returns(struct executor *e)
{
    e->inner = false;
    e->mode = e->outer_mode;
    e->turn_begun = e->outer_begun;
    e->had_turn = e->mode == ONCE;
    for (int i = 0; i < e->ready_count; i++) /* who awaits from outside may be told at once */
        MUST(e->stopped || e->mode == AWAIT_OUTSIDE || e->mode == GROUP_OUTSIDE || !e->ready[i]->in_turn);
    world.scheduling = NULL;
    model_run(e->runner);
    model_now(COIR_OK);
}

void model_run_returns(struct executor *e, int code)
{
    struct context *me = e->runner;
    if (e->inner) {
        run_ready_returns(e);
        return;
    }
    if (!e->stopped && !e->had_turn && !is_satisfied(e))
        jump(e);
    if (e->mode == ONCE && !e->turn_begun && !e->stopped && code >= 0)
        MUST(e->ready_count == 0);
    catch_up(e);
    for (int i = 0; i < e->count; i++)
        e->targets[i]->awaited_outside = NULL;
    if (e->polled != COIR_OK)
        MUST(code == e->polled);
    else if (code == COIR_EDEADLK && !(e->mode == GROUP_OUTSIDE && e->group->failed == COIR_EDEADLK))
        check_deadlock(e);
    else if (e->mode == RUN)
        check_run(e, code);
    else if (e->mode == ONCE)
        check_once(e, code);
    else
        check_await(e, code);
    e->interrupted = e->stopped && e->post_count > 0;
    e->stopped = false;
    e->count = 0;
    for (int i = 0; i < e->ready_count; i++)
        e->ready[i]->in_turn = false;
    me->runs = e->outer;
    me->due.code = code;
    e->runner = NULL;
    world.scheduling = NULL;
    model_run(me);
}

/* ---- what an executor calls ---- */

static void enter_callback(struct executor *e)
{
    MUST(world.scheduling == e);
    world.scheduling = NULL;
    world.current = e->runner;
    world.current->state = COIR_STATE_RUNNING;
    world.expected = RETURNED;
    model_check_here(world.current);
}

void model_posted(struct executor *e, const struct post *post)
{
    MUST(!e->stopped);
    fire_timers(e);
    MUST(e->post_count > 0 && e->posts[0].number == post->number && e->posts[0].arg == post->arg);
    e->post_count--;
    memmove(&e->posts[0], &e->posts[1], (size_t)e->post_count * sizeof e->posts[0]);
    if (e->posts_first > 0)
        e->posts_first--;
    enter_callback(e);
}

/* Without a deadline nothing is left to wait for in the executor itself, and virtual time has passed. */
void model_polled(struct executor *e, int64_t deadline)
{
    MUST(e->has_poller);
    if (deadline == COIR_FOREVER)
        jump(e);
    else
        fire_timers(e);
    MUST((e->ready_count == 0 && e->post_count == 0 && !e->stopped) || deadline <= e->now);
    enter_callback(e);
}

void model_callback_over(struct executor *e)
{
    MUST(world.current == e->runner && world.scheduling == NULL);
    world.current->state = COIR_STATE_RESUMING;
    world.scheduling = e;
}
