/* SPDX-License-Identifier: MIT */
/* operations_tasks.c - calls of executors and tasks. */

#include "operations.h"

#include <stdlib.h>
#include <string.h>

#define UNTOUCHED ((void *)(intptr_t)-77)

static void *stacks[4096]; /* of tasks, until the end */
static int stack_count;

/* ---- what executors call ---- */

static void keep_report(const char *line, void *context)
{
    struct executor *e = context;
    MUST(world.scheduling == e && line[0] != 0);
    e->reports++;
}

static int64_t manual_clock(void *context)
{
    const struct executor *e = context;
    return e->now;
}

/* Nothing can happen but by the poller. */
static bool is_idle(const struct executor *e)
{
    return e->ready_count == 0 && e->post_count == 0 && !e->stopped;
}

static void pass_time(struct executor *e, int64_t now)
{
    e->now = now;
    e->polls = 0;
}

static int poller_wait(void *context, int64_t deadline)
{
    struct executor *e = context;
    int64_t last;
    MUST(++e->polls < 1000);
    model_polled(e, deadline);
    e->polling = true;
    last = next_timer(e) < e->deadline ? next_timer(e) : e->deadline;
    trace("polls", e, deadline);
    if (coir_exec_now(e->real) == e->now && next_timer(e) > e->now)
        interpret(next_byte() % 6);
    e->polling = false;
    if (is_idle(e) && last == COIR_FOREVER && next_timer(e) == COIR_FOREVER && deadline == COIR_FOREVER)
        e->polled = -3000 - (int)(next_byte() % 3);
    else if (is_idle(e) && e->manual && last > e->now && next_timer(e) >= last && deadline == last)
        pass_time(e, last);
    model_callback_over(e);
    return e->polled;
}

static void poller_wake(void *context)
{
    (void)context;
}

static int poller_active(void *context)
{
    struct executor *e = context;
    return e->active;
}

static void posted(int number, void *arg)
{
    struct executor *e = world.scheduling;
    const struct post post = {number, (intptr_t)arg};
    MUST(e != NULL);
    trace("posted", arg, number);
    model_posted(e, &post);
    if (number > 0)
        interpret(next_byte() % 5);
    model_callback_over(e);
}

static void posted_0(void *arg)
{
    posted(0, arg);
}

static void posted_1(void *arg)
{
    posted(1, arg);
}

/* ---- executors ---- */

static int pick_exec_options(struct executor *e, coir_exec_options *opt, coir_poller *poller)
{
    memset(opt, 0, sizeof *opt);
    *poller = (coir_poller){poller_wait, poller_wake, poller_active, e};
    opt->report = keep_report;
    opt->report_context = e;
    opt->flags = COIR_VIRTUAL_CLOCK;
    switch (next_byte() % 6) {
    case 0: opt->seed = 1 + next_byte(); break;
    case 1: opt->poller = poller; break;
    case 2:
        opt->poller = poller;
        opt->flags = 0;
        opt->clock = manual_clock;
        opt->clock_context = e;
        break;
    default: break;
    }
    e->seeded = opt->seed != 0;
    e->has_poller = opt->poller != NULL;
    e->manual = opt->clock != NULL;
    e->now = e->manual ? 1000 : 0;
    if (!one_in(12))
        return COIR_OK;
    switch (next_byte() % 5) {
    case 0: opt->flags |= 64; return COIR_EINVAL;
    case 1: opt->reserved_flags = 1; return COIR_EINVAL;
    case 2: opt->reserved[next_byte() % 4] = opt; return COIR_EINVAL;
    case 3:
        opt->flags = COIR_VIRTUAL_CLOCK;
        opt->clock = manual_clock;
        return COIR_EINVAL;
    default:
        poller->active = NULL;
        opt->poller = poller;
        return COIR_EINVAL;
    }
}

static void exec_create(void)
{
    coir_exec_options opt;
    coir_poller poller;
    coir_exec *real = UNTOUCHED;
    struct executor *e = world.executors;
    int error, code;
    while (e < &world.executors[EXECUTORS] && e->used)
        e++;
    if (e == &world.executors[EXECUTORS])
        return;
    memset(e, 0, sizeof *e);
    error = pick_exec_options(e, &opt, &poller);
    if (error == COIR_OK)
        memory_may_fail();
    code = coir_exec_create(&real, &opt);
    trace("exec_create", e, code);
    if (error != COIR_OK || lacked_memory(code)) {
        MUST(code == (error != COIR_OK ? error : COIR_ENOMEM) && real == UNTOUCHED);
        return;
    }
    MUST(code == COIR_OK);
    e->real = real;
    e->used = true;
    MUST((coir_exec_poller(real) != NULL) == e->has_poller);
}

/* Nothing is left to wait for. */
static bool can_run(const struct executor *e, int64_t deadline)
{
    return e == NULL || e->runner != NULL || e->has_poller || e->holds == 0 || deadline <= e->now;
}

static int64_t pick_deadline(const struct executor *e)
{
    switch (next_byte() % 6) {
    case 0: return 0;
    case 1: return -5;
    case 2: return e == NULL ? 7 : e->now;
    case 3: return COIR_FOREVER;
    default: return (e == NULL ? 0 : e->now) + (int64_t)(next_byte() % 32);
    }
}

/* In the time of the current task. */
static int64_t here(void)
{
    return pick_deadline(executor_of(world.current));
}

static void run_this(struct executor *e, enum mode mode, int64_t deadline)
{
    struct context *me = world.current;
    int code;
    trace(mode == RUN ? "run" : "run_once", e, deadline);
    if (e == NULL)
        model_now(COIR_EINVAL);
    else if (e->runner != NULL)
        model_now(COIR_EBUSY);
    else
        model_run_executor(e, mode, deadline);
    if (mode == RUN)
        code = coir_exec_run(e == NULL ? NULL : e->real);
    else
        code = coir_exec_run_once_until(e == NULL ? NULL : e->real, deadline);
    trace("run is over", e, code);
    arrived(me, code);
}

static void run(void)
{
    struct executor *e = pick_executor();
    if (can_run(e, COIR_FOREVER))
        run_this(e, RUN, COIR_FOREVER);
}

static void run_once(void)
{
    struct executor *e = pick_executor();
    int64_t deadline = pick_deadline(e);
    if (can_run(e, deadline))
        run_this(e, ONCE, deadline);
}

static void run_ready(void)
{
    struct context *me = world.current;
    struct executor *e = me->runs != NULL && one_in(2) ? me->runs : pick_executor();
    int code;
    if (e == NULL || !e->polling) {
        MUST(coir_exec_run_ready(e == NULL ? NULL : e->real) == (e == NULL ? COIR_EINVAL : COIR_EBUSY));
    } else if (e->runner == me && me->runs == e && !e->inner && !e->stopped) {
        trace("run_ready", e, e->ready_count);
        model_run_ready(e);
        code = coir_exec_run_ready(e->real);
        trace("run_ready is over", e, code);
        arrived(me, code);
    }
}

static void stop(void)
{
    struct executor *e = pick_executor();
    if (!one_in(2) || (e != NULL && task_count(e) == 0))
        return;
    trace("stop", e, 0);
    MUST(coir_exec_stop(e == NULL ? NULL : e->real) == (e == NULL ? COIR_EINVAL : COIR_OK));
    if (e != NULL)
        e->stopped = true;
}

static void exec_questions(void)
{
    struct executor *e = executor_of(world.current);
    MUST(coir_exec_tasks(NULL) == COIR_EINVAL && coir_exec_holds(NULL) == COIR_EINVAL);
    MUST(coir_exec_now(NULL) == COIR_EINVAL && coir_exec_next_deadline(NULL) == COIR_EINVAL);
    MUST(coir_exec_poller(NULL) == NULL && coir_exec_cancel(NULL) == COIR_EINVAL);
    MUST(coir_exec_post(NULL, posted_0, NULL) == COIR_EINVAL);
    if (e != NULL)
        MUST(coir_now() == coir_exec_now(e->real));
    e = pick_executor();
    if (e == NULL)
        return;
    MUST(coir_exec_post(e->real, NULL, NULL) == COIR_EINVAL);
    if (e->has_poller)
        e->active = one_in(2);
}

static void post(void)
{
    struct executor *e = pick_executor();
    int number = (int)(next_byte() % 2), code;
    intptr_t arg = ++world.values;
    if (e == NULL || e->post_count == POSTS)
        return;
    memory_may_fail();
    code = coir_exec_post(e->real, number == 0 ? posted_0 : posted_1, (void *)arg);
    trace("post", (void *)arg, code);
    if (lacked_memory(code))
        return;
    MUST(code == COIR_OK);
    e->posts[e->post_count++] = (struct post){number, arg};
}

static void hold(void)
{
    struct executor *e = pick_executor();
    if (e == NULL) {
        MUST(coir_exec_hold(NULL) == COIR_EINVAL && coir_exec_release(NULL) == COIR_EINVAL);
    } else if (one_in(2)) {
        if (!e->has_poller && e->runner != NULL)
            return;
        MUST(coir_exec_hold(e->real) == COIR_OK);
        e->holds++;
    } else {
        MUST(coir_exec_release(e->real) == (e->holds == 0 ? COIR_EINVAL : COIR_OK));
        e->holds -= e->holds > 0;
    }
}

static void exec_cancel(void)
{
    struct executor *e = pick_executor();
    if (e == NULL || !one_in(4))
        return;
    trace("exec_cancel", e, 0);
    model_cancel_tasks(e, NULL);
    MUST(coir_exec_cancel(e->real) == COIR_OK);
}

static bool has_groups(const struct executor *e)
{
    for (int i = 0; i < GROUPS; i++)
        if (world.groups[i].used && world.groups[i].executor == e)
            return true;
    return false;
}

static bool is_awaited(const struct executor *e)
{
    for (int i = 0; i < TASKS; i++) {
        const struct task *t = &world.tasks[i];
        if (t->used && t->executor == e && (t->awaited_by != NULL || t->awaited_outside != NULL))
            return true;
    }
    return false;
}

static void destroy_executor(struct executor *e)
{
    int code = coir_exec_destroy(e == NULL ? NULL : e->real);
    trace("exec_destroy", e, code);
    if (e == NULL) {
        MUST(code == COIR_OK);
        return;
    }
    if (e->runner != NULL || e->holds > 0 || task_count(e) > 0 || e->post_count > 0 || has_groups(e)
        || is_awaited(e)) {
        MUST(code == COIR_EBUSY);
        return;
    }
    MUST(code == COIR_OK);
    for (int i = 0; i < TASKS; i++)
        if (world.tasks[i].used && world.tasks[i].executor == e)
            model_free_task(&world.tasks[i]);
    e->used = false;
}

static void exec_destroy(void)
{
    if (one_in(4))
        destroy_executor(pick_executor());
}

/* ---- tasks ---- */

static struct task *new_task(void)
{
    struct task *t = world.tasks;
    while (t < &world.tasks[TASKS] && t->used)
        t++;
    if (t == &world.tasks[TASKS])
        return NULL;
    memset(t, 0, sizeof *t);
    t->root = model_context(TASK, 1 + FIBERS + GENERATORS, TASKS);
    MUST(t->root != NULL);
    return t;
}

static void keep_stack(struct context *c)
{
    if (c->stack == NULL)
        return;
    MUST(stack_count < (int)(sizeof stacks / sizeof stacks[0]));
    stacks[stack_count++] = c->stack;
}

static void *task_body(void *arg)
{
    struct task *t = ((struct context *)arg)->task;
    if (t != NULL && t->real == NULL) /* detached from the start */
        t->real = coir_task_self();
    if (t != NULL && t->root->fiber == NULL)
        t->root->fiber = coir_self();
    return fiber_body(arg);
}

static int group_body(void *arg)
{
    struct context *c = arg;
    int result;
    c->task->real = coir_task_self();
    c->fiber = coir_self();
    started(c);
    trace("task of a group starts", c, 0);
    interpret(next_byte() % 16);
    result = one_in(4) ? -1 - (int)(next_byte() % 3) - 2000 * (int)one_in(2) : (int)(next_byte() % 3);
    if (result < 0) /* then already, not at the task's end */
        group_fail(c->task->group, result);
    model_returns(result);
    return result;
}

static void spawn(void)
{
    struct executor *given = one_in(2) ? pick_executor() : NULL;
    struct executor *e = given != NULL ? given : executor_of(world.current);
    coir_task *real = UNTOUCHED;
    coir_options opt;
    bool detached = one_in(6), defaults = one_in(3), no_fn = one_in(32);
    struct task *t = new_task();
    int error, code;
    if (t == NULL)
        return;
    error = pick_options(&opt, t->root, true, defaults);
    if (no_fn)
        error = COIR_EINVAL;
    if (e == NULL && error == COIR_OK)
        error = COIR_ENOTTASK;
    if (error == COIR_OK)
        memory_may_fail();
    code = coir_spawn(detached ? NULL : &real, given == NULL ? NULL : given->real, no_fn ? NULL : task_body, t->root,
                      defaults ? NULL : &opt);
    trace("spawn", t->root, code);
    if (e == NULL && error != COIR_ENOTTASK && code != COIR_ENOTTASK) /* either */
        model_check_code(code, error);
    else if (error != COIR_OK)
        model_check_code(code, e == NULL ? COIR_ENOTTASK : error);
    if (error != COIR_OK || lacked_memory(code)) {
        MUST(code < 0 && real == UNTOUCHED);
        forget_stack(t->root);
        return;
    }
    MUST(code == COIR_OK);
    keep_stack(t->root);
    t->used = t->root->used = true;
    t->id = t->root->id = ++world.ids;
    t->real = detached ? NULL : real;
    t->root->fiber = detached ? NULL : coir_task_fiber(real);
    model_spawn(t, e, detached, NULL);
}

static bool is_shielded(void)
{
    const struct task *t = task_of(world.current);
    return t != NULL && t->shield;
}

static void await(void)
{
    struct context *me = world.current;
    struct task *t = pick_task();
    coir_task *real = t == NULL ? NULL : t->real;
    bool outside = task_of(me) == NULL, wanted = !one_in(4);
    int64_t deadline = outside ? pick_deadline(t == NULL ? NULL : t->executor) : here();
    void *result = UNTOUCHED;
    int code;
    if (is_shielded() && deadline == COIR_FOREVER)
        return;
    if (outside && t != NULL && !can_run(t->executor, deadline))
        return;
    trace("await", t, deadline);
    model_await(&t, 1, deadline, false);
    if (deadline == COIR_FOREVER)
        code = coir_await(real, wanted ? &result : NULL);
    else
        code = coir_await_until(real, deadline, wanted ? &result : NULL);
    trace("await is over", real, code);
    arrived(me, code);
    MUST(result == (wanted && code == COIR_OK ? (void *)me->due.values[0] : UNTOUCHED));
}

/* Outside of tasks, those of one executor; else any. */
static int pick_tasks(struct task **targets, coir_task **reals)
{
    int count = (int)(next_byte() % (CASES + 1));
    for (int i = 0; i < count; i++) {
        targets[i] = pick_task();
        reals[i] = targets[i] == NULL ? NULL : targets[i]->real;
        trace("a target", targets[i], targets[i] == NULL ? -1 : targets[i]->state);
    }
    return count;
}

static bool may_hang(struct task **targets, int count, int64_t deadline)
{
    for (int i = 0; i < count; i++)
        if (targets[i] != NULL && !can_run(targets[i]->executor, deadline))
            return true;
    return false;
}

/* Which of two errors comes first is not told. */
static bool is_unclear(struct task **targets, int count)
{
    const struct task *t = task_of(world.current);
    for (int i = 0; i < count; i++)
        if (targets[i] != NULL && targets[i] == t && is_ending(world.current))
            return true;
    return false;
}

static bool is_left_out(struct task **targets, int count, int64_t deadline)
{
    return may_hang(targets, count, deadline) || is_unclear(targets, count);
}

static void await_all(void)
{
    struct context *me = world.current;
    struct task *targets[CASES];
    coir_task *reals[CASES] = {NULL};
    void *results[CASES] = {UNTOUCHED, UNTOUCHED, UNTOUCHED};
    int count = pick_tasks(targets, reals), code;
    int64_t deadline = here();
    if ((is_shielded() && deadline == COIR_FOREVER) || is_left_out(targets, count, deadline))
        return;
    trace("await_all", targets[0], count);
    model_await(targets, count, deadline, false);
    if (deadline == COIR_FOREVER)
        code = coir_await_all(reals, (size_t)count, results);
    else
        code = coir_await_all_until(reals, (size_t)count, deadline, results);
    trace("await_all is over", reals[0], code);
    arrived(me, code);
    for (int i = 0; i < CASES; i++)
        MUST(results[i] == (code == COIR_OK && i < count ? (void *)me->due.values[i] : UNTOUCHED));
}

static void await_any(void)
{
    struct context *me = world.current;
    struct task *targets[CASES];
    coir_task *reals[CASES] = {NULL};
    size_t which = 77;
    int count = pick_tasks(targets, reals), code;
    int64_t deadline = here();
    if ((is_shielded() && deadline == COIR_FOREVER) || is_left_out(targets, count, deadline))
        return;
    trace("await_any", targets[0], count);
    model_await(targets, count, deadline, true);
    if (deadline == COIR_FOREVER)
        code = coir_await_any(reals, (size_t)count, &which);
    else
        code = coir_await_any_until(reals, (size_t)count, deadline, &which);
    trace("await_any is over", reals[0], code);
    arrived(me, code);
    MUST(which == (code == COIR_OK ? (size_t)me->due.which : 77));
}

static void task_yield(void)
{
    struct context *me = world.current;
    int error = may_wait();
    trace("task_yield", NULL, 0);
    if (error != COIR_OK)
        model_now(error);
    else
        wait_for(YIELD, NULL, COIR_FOREVER);
    arrived(me, coir_task_yield());
}

static void task_sleep(void)
{
    struct context *me = world.current;
    int64_t time = here();
    struct executor *e = executor_of(me);
    int error = may_wait(), code;
    bool relative = one_in(2);
    if (time == COIR_FOREVER)
        time = 11;
    trace("sleep", NULL, time);
    if (error != COIR_OK)
        model_now(error);
    else if (time <= e->now)
        wait_for(YIELD, NULL, COIR_FOREVER);
    else
        wait_for(SLEEP, NULL, time);
    code = relative && e != NULL ? coir_sleep(time - e->now) : coir_sleep_until(time);
    trace("sleep is over", NULL, code);
    arrived(me, code);
}

static void park(void)
{
    struct context *me = world.current;
    struct task *t = task_of(me);
    int64_t deadline = here();
    int error = may_wait();
    trace("park", t, deadline);
    if (error != COIR_OK) {
        model_now(error);
    } else if (t->woken) {
        t->woken = false;
        model_now(COIR_OK);
    } else if (passed(deadline)) {
        model_now(COIR_ETIMEDOUT);
    } else {
        wait_for(PARK, NULL, deadline);
    }
    arrived(me, deadline == COIR_FOREVER ? coir_task_park() : coir_task_park_until(deadline));
}

static void wake(void)
{
    struct context *me = world.current;
    struct task *t = pick_task();
    trace("wake", t, 0);
    model_now(t == NULL ? COIR_EINVAL : t->state == COIR_TASK_DONE ? COIR_EDEAD : COIR_OK);
    arrived(me, coir_task_wake(t == NULL ? NULL : t->real));
    if (t == NULL || t->state == COIR_TASK_DONE)
        return;
    if (t->state == COIR_TASK_WAITING && t->wait == PARK)
        make_ready(t, COIR_OK);
    else
        t->woken = true;
}

static void cancel_this(struct task *t)
{
    struct context *me = world.current;
    int code = t == NULL ? COIR_EINVAL : t->state == COIR_TASK_DONE ? COIR_EDEAD : COIR_OK;
    trace("task_cancel", t, code);
    if (code == COIR_OK)
        model_task_cancel(t);
    MUST(coir_task_cancel(t == NULL ? NULL : t->real) == code);
    MUST(world.current == me);
}

static void task_cancel(void)
{
    struct task *t = pick_task();
    if (one_in(2))
        cancel_this(t);
}

static void shield(void)
{
    struct task *t = task_of(world.current);
    int on = one_in(2);
    trace("shield", t, on);
    MUST(coir_task_shield(on) == (t == NULL ? COIR_ENOTTASK : (int)t->shield));
    if (t != NULL)
        t->shield = on;
}

static void detach(void)
{
    struct task *t = pick_task();
    int code = t == NULL || t->detached                                  ? COIR_EINVAL
               : t->awaited_by != NULL || t->awaited_outside != NULL ? COIR_EBUSY
                                                                     : COIR_OK;
    trace("detach", t, code);
    MUST(coir_task_detach(t == NULL ? NULL : t->real) == code);
    if (code != COIR_OK)
        return;
    t->detached = true;
    if (t->state == COIR_TASK_DONE)
        model_free_task(t);
}

static void task_questions(void)
{
    MUST(coir_task_state(NULL) == COIR_EINVAL);
    MUST(coir_task_fiber(NULL) == NULL);
    MUST(coir_task_wake(NULL) == COIR_EINVAL);
}

/* ---- groups: their tasks are spawned here, since that is alike ---- */

static struct group *pick_group(void)
{
    struct group *g = &world.groups[next_byte() % GROUPS];
    return g->used ? g : NULL;
}

static void group_create(void)
{
    struct executor *given = one_in(2) ? pick_executor() : NULL;
    struct executor *e = given != NULL ? given : executor_of(world.current);
    struct group *g = &world.groups[next_byte() % GROUPS];
    coir_group *real = UNTOUCHED;
    int code;
    if (g->used)
        return;
    MUST(coir_group_create(NULL, given == NULL ? NULL : given->real) < 0);
    memory_may_fail();
    code = coir_group_create(&real, given == NULL ? NULL : given->real);
    trace("group_create", g, code);
    if (lacked_memory(code) || e == NULL) {
        MUST(code == (e == NULL ? COIR_ENOTTASK : COIR_ENOMEM) && real == UNTOUCHED);
        return;
    }
    MUST(code == COIR_OK);
    memset(g, 0, sizeof *g);
    g->used = true;
    g->real = real;
    g->executor = e;
    g->id = ++world.ids;
}

static void group_spawn(void)
{
    struct group *g = pick_group();
    coir_options opt;
    bool defaults = one_in(2), no_fn = one_in(32);
    struct task *t = new_task();
    int error, code;
    if (t == NULL)
        return;
    error = pick_options(&opt, t->root, true, defaults);
    if (g == NULL || no_fn)
        error = COIR_EINVAL;
    if (g != NULL && g->failed != COIR_OK && error == COIR_OK)
        error = COIR_ECANCELED;
    if (error == COIR_OK)
        memory_may_fail();
    code = coir_group_spawn(g == NULL ? NULL : g->real, no_fn ? NULL : group_body, t->root, defaults ? NULL : &opt);
    trace("group_spawn", t->root, code);
    if (error != COIR_OK || lacked_memory(code)) {
        bool failed = g != NULL && g->failed != COIR_OK; /* where two errors apply it may be either */
        MUST(code == (error != COIR_OK ? error : COIR_ENOMEM) || (failed && code == COIR_ECANCELED));
        forget_stack(t->root);
        return;
    }
    MUST(code == COIR_OK);
    keep_stack(t->root);
    t->used = t->root->used = true;
    t->id = t->root->id = ++world.ids;
    model_spawn(t, g->executor, true, g);
}

static void fail_group(void)
{
    struct group *g = pick_group();
    int code = (int)(next_byte() % 4) - 3;
    bool valid = g != NULL && code < 0;
    trace("group_fail", g, code);
    if (valid)
        group_fail(g, code);
    MUST(coir_group_fail(g == NULL ? NULL : g->real, code) == (valid ? COIR_OK : COIR_EINVAL));
}

static bool waits_outside_for(const struct group *g)
{
    for (int i = 0; i < EXECUTORS; i++) {
        const struct executor *e = &world.executors[i];
        enum mode mode = e->inner ? e->outer_mode : e->mode;
        if (e->used && e->runner != NULL && mode == GROUP_OUTSIDE && e->group == g)
            return true;
    }
    return false;
}

static void model_group_wait_inside(struct group *g, int64_t deadline)
{
    struct task *t = task_of(world.current);
    if (is_ending(world.current)) {
        model_now(g != NULL && group_count(g) == 0 ? g->failed : COIR_ECANCELED);
        return;
    }
    if (g == NULL || t->group == g) {
        model_now(g == NULL ? COIR_EINVAL : COIR_EDEADLK);
        return;
    }
    if (t->cancelled && !t->shield && group_count(g) > 0)
        group_fail(g, COIR_ECANCELED);
    if (group_count(g) == 0) {
        model_now(g->failed);
    } else if (t->cancelled && !t->shield) { /* then for as long as it takes */
        wait_for(GROUP, g, COIR_FOREVER);
        line_add(&g->line, t, 0);
    } else if (passed(deadline)) {
        model_now(COIR_ETIMEDOUT);
    } else {
        wait_for(GROUP, g, deadline);
        line_add(&g->line, t, 0);
    }
}

/* A wait for a group goes on when it is cancelled: lest two tasks wait for each other, through groups or a mutex. */
static bool might_deadlock(const struct task *t, const struct group *g)
{
    if (t->group != NULL && g->id < t->group->id)
        return true;
    for (int i = 0; i < MUTEXES; i++)
        if (world.mutexes[i].used && world.mutexes[i].owner == t)
            return true;
    return false;
}

static void group_wait(void)
{
    struct context *me = world.current;
    struct group *g = pick_group();
    struct task *t = task_of(me);
    int64_t deadline = t != NULL ? here() : pick_deadline(g == NULL ? NULL : g->executor);
    int code;
    if (t != NULL && (t->group != NULL || t->shield) && deadline == COIR_FOREVER)
        deadline = t->executor->now + 3;
    if (t == NULL && g != NULL && !can_run(g->executor, deadline))
        return;
    if (g == NULL && is_ending(me)) /* where two errors apply it may be either */
        return;
    if (t != NULL && g != NULL && might_deadlock(t, g))
        return;
    trace("group_wait", g, deadline);
    if (t != NULL) {
        model_group_wait_inside(g, deadline);
    } else if (g == NULL) {
        model_now(COIR_EINVAL);
    } else if (group_count(g) == 0) {
        model_now(g->failed);
    } else if (g->executor->runner != NULL) {
        model_now(COIR_EBUSY);
    } else {
        g->executor->group = g;
        model_run_executor(g->executor, GROUP_OUTSIDE, deadline);
    }
    if (deadline == COIR_FOREVER)
        code = coir_group_wait(g == NULL ? NULL : g->real);
    else
        code = coir_group_wait_until(g == NULL ? NULL : g->real, deadline);
    trace("group_wait is over", g, code);
    arrived(me, code);
}

static void group_destroy_this(struct group *g)
{
    int code = g == NULL ? COIR_OK : group_count(g) > 0 || waits_outside_for(g) ? COIR_EBUSY : COIR_OK;
    trace("group_destroy", g, code);
    MUST(coir_group_destroy(g == NULL ? NULL : g->real) == code);
    if (g != NULL && code == COIR_OK)
        g->used = false;
}

static void group_destroy(void)
{
    group_destroy_this(pick_group());
}

/* ---- the end ---- */

static void end_executor(struct executor *e)
{
    while (e->holds > 0) {
        MUST(coir_exec_release(e->real) == COIR_OK);
        e->holds--;
    }
    e->active = false;
    for (int i = 0; i < 20 && (task_count(e) > 0 || e->post_count > 0); i++) {
        model_cancel_tasks(e, NULL);
        MUST(coir_exec_cancel(e->real) == COIR_OK);
        wake_all(e);
        run_this(e, RUN, COIR_FOREVER);
    }
}

/* A task may wait for one of another executor. */
void end_tasks(void)
{
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < EXECUTORS; i++)
            if (world.executors[i].used)
                end_executor(&world.executors[i]);
    for (int i = 0; i < GROUPS; i++)
        if (world.groups[i].used)
            group_destroy_this(&world.groups[i]);
    for (int i = 0; i < EXECUTORS; i++)
        if (world.executors[i].used) {
            destroy_executor(&world.executors[i]);
            MUST(!world.executors[i].used);
        }
    while (stack_count > 0)
        free(stacks[--stack_count]);
}

call *const task_operations[] = {
    exec_create, exec_create, run, run, run_once, run_once, run_once, run_ready, run_ready, run_ready, stop,
    exec_questions, post, post, post, hold, exec_cancel, exec_destroy, spawn, spawn, spawn, spawn, spawn, spawn,
    spawn, spawn, await, await, await, await_all, await_any, task_yield, task_yield, task_yield, task_yield,
    task_sleep, task_sleep, task_sleep, park, park, park, wake, wake, wake, task_cancel, task_cancel, shield,
    detach, task_questions, group_create, group_create, group_spawn, group_spawn, group_spawn, group_spawn,
    fail_group, group_wait, group_wait, group_wait, group_destroy, NULL};
