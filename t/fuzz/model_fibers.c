/* SPDX-License-Identifier: MIT */
/* model_fibers.c - the model of fibers, generators, deferred functions and keys. */

#include "model.h"

#include <string.h>

struct world world;

struct context *model_context(enum kind kind, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        struct context *c = &world.contexts[i];
        if (c->used)
            continue;
        memset(c, 0, sizeof *c);
        c->kind = kind;
        c->fresh = true;
        c->state = COIR_STATE_NEW;
        c->name = "";
        return c;
    }
    return NULL;
}

/* In what an executor calls nobody is in a task. */
struct task *task_of(const struct context *c)
{
    while (c != NULL && c->runs == NULL && c->kind != TASK)
        c = c->resumer;
    return c != NULL && c->runs == NULL ? c->task : NULL;
}

struct executor *executor_of(const struct context *c)
{
    while (c != NULL && c->runs == NULL && c->kind != TASK)
        c = c->resumer;
    return c == NULL ? NULL : c->runs != NULL ? c->runs : c->task->executor;
}

/* The values that a destructor sets are those of the fiber that ends. */
struct context *owner_of_locals(struct context *c)
{
    struct task *t = c->ending == 2 ? NULL : task_of(c);
    return t != NULL ? t->root : c;
}

void model_run(struct context *c)
{
    c->state = COIR_STATE_RUNNING;
    world.current = c;
    world.expected = c->fresh ? STARTED : RETURNED;
    c->fresh = false;
}

void model_now(int code)
{
    memset(&world.current->due, 0, sizeof world.current->due);
    world.current->due.code = code;
    world.expected = RETURNED;
}

/* ---- going in and out ---- */

static int may_continue(const struct context *f, intptr_t value)
{
    if (f == NULL)
        return COIR_EINVAL;
    if (f->state == COIR_STATE_DONE)
        return COIR_EDEAD;
    if (f->kind != FIBER || (f->state != COIR_STATE_NEW && f->state != COIR_STATE_SUSPENDED))
        return COIR_EBUSY;
    return f->state == COIR_STATE_NEW && value != 0 ? COIR_EINVAL : COIR_OK;
}

static void set_due(struct context *c, int code, intptr_t value)
{
    memset(&c->due, 0, sizeof c->due);
    c->due.code = code;
    c->due.values[0] = value;
}

static void enter(struct context *f, intptr_t value)
{
    struct context *me = world.current;
    me->state = COIR_STATE_RESUMING;
    me->first = f->id;
    f->resumer = me;
    set_due(f, f->cancelled ? COIR_ECANCELED : COIR_OK, value);
    model_run(f);
}

void model_resume(struct context *f, intptr_t value)
{
    int error = may_continue(f, value);
    if (error != COIR_OK)
        model_now(error);
    else
        enter(f, value);
}

void model_cancel(struct context *f)
{
    int error = may_continue(f, 0);
    if (error != COIR_OK) {
        model_now(error);
    } else if (f->state == COIR_STATE_NEW) {
        f->state = COIR_STATE_DONE;
        model_now(COIR_DONE);
    } else {
        f->cancelled = true;
        enter(f, 0);
    }
}

static int may_suspend(const struct context *me)
{
    if (me->kind == MAIN || me->kind == TASK)
        return COIR_ENOTFIBER;
    if (me->ending != 0)
        return COIR_ECANCELED;
    if (me->kind == GENERATOR)
        return COIR_EINVAL;
    return me->runs != NULL ? COIR_EBUSY : COIR_OK;
}

/* Control goes to whoever waits for `me`. */
static void leave(struct context *me, int same, intptr_t value)
{
    struct context *r = me->resumer;
    me->resumer = NULL;
    set_due(r, r->first == me->id ? same : COIR_SWITCHED, value);
    model_run(r);
}

void model_yield(intptr_t value)
{
    struct context *me = world.current;
    int error = may_suspend(me);
    if (error != COIR_OK) {
        model_now(error);
        return;
    }
    me->state = COIR_STATE_SUSPENDED;
    leave(me, COIR_YIELDED, value);
}

void model_switch(struct context *to, intptr_t value)
{
    struct context *me = world.current;
    int error = may_suspend(me);
    if (error == COIR_OK)
        error = may_continue(to, value);
    if (error != COIR_OK) {
        model_now(error);
        return;
    }
    me->state = COIR_STATE_SUSPENDED;
    to->resumer = me->resumer;
    me->resumer = NULL;
    set_due(to, to->cancelled ? COIR_ECANCELED : COIR_OK, value);
    model_run(to);
}

/* ---- ends ---- */

static bool has_values(const struct context *c)
{
    for (int i = 0; i < KEYS; i++)
        if (world.keys[i].used && world.keys[i].has_destructor && c->locals[i] != 0)
            return true;
    return false;
}

static void finish(struct context *c)
{
    c->state = COIR_STATE_DONE;
    memset(c->locals, 0, sizeof c->locals);
    if (c->kind == TASK) {
        model_task_ended(c->task);
    } else if (c->interrupted) {
        struct context *r = c->resumer;
        c->used = false;
        set_due(r, COIR_OK, 0);
        model_run(r);
    } else if (c->kind == GENERATOR) {
        struct context *r = c->resumer;
        c->resumer = NULL;
        set_due(r, c->result > 0 ? 0 : (int)c->result, 0);
        model_run(r);
    } else {
        leave(c, COIR_DONE, c->result);
    }
}

static void go_on_ending(struct context *c)
{
    world.current = c;
    if (c->note_count > 0) {
        world.expected = NOTED;
    } else if (has_values(c)) {
        c->ending = 2;
        world.expected = DESTROYS_VALUE;
    } else {
        finish(c);
    }
}

void model_end_context(struct context *c)
{
    c->ending = 1;
    go_on_ending(c);
}

void model_returns(intptr_t result)
{
    world.current->result = result;
    model_end_context(world.current);
}

void model_exit(intptr_t result)
{
    struct context *me = world.current;
    if (me->kind == MAIN)
        model_now(COIR_ENOTFIBER);
    else if (me->ending != 0)
        model_now(COIR_ECANCELED);
    else if (me->runs != NULL)
        model_now(COIR_EBUSY);
    else
        model_returns(me->kind == GENERATOR ? 0 : result);
}

static void interrupt(struct context *f)
{
    struct context *me = world.current;
    if (f->state != COIR_STATE_SUSPENDED) {
        f->used = false;
        model_now(COIR_OK);
        return;
    }
    me->state = COIR_STATE_RESUMING;
    f->resumer = me;
    f->interrupted = true;
    f->state = COIR_STATE_RUNNING;
    model_end_context(f);
}

static bool is_idle(const struct context *f)
{
    return f->state == COIR_STATE_NEW || f->state == COIR_STATE_SUSPENDED || f->state == COIR_STATE_DONE;
}

void model_destroy(struct context *f)
{
    if (f == NULL)
        model_now(COIR_OK);
    else if (f->kind != FIBER || !is_idle(f))
        model_now(COIR_EBUSY);
    else
        interrupt(f);
}

/* ---- deferred functions and keys ---- */

void model_defer(bool valid, int fn, intptr_t arg)
{
    struct context *me = world.current;
    if (me->kind == MAIN) {
        model_now(COIR_ENOTFIBER);
    } else if (me->ending == 2) {
        model_now(COIR_ECANCELED);
    } else if (!valid) {
        model_now(COIR_EINVAL);
    } else {
        me->notes[me->note_count++] = (struct note){fn, arg};
        model_now(COIR_OK);
    }
}

bool model_undefer(int fn, intptr_t arg, bool run)
{
    struct context *me = world.current;
    if (me->kind == MAIN) {
        model_now(COIR_ENOTFIBER);
        return false;
    }
    for (int i = me->note_count; i-- > 0;) {
        if (me->notes[i].fn != fn || me->notes[i].arg != arg)
            continue;
        memmove(&me->notes[i], &me->notes[i + 1], (size_t)(me->note_count - i - 1) * sizeof me->notes[0]);
        me->note_count--;
        model_now(COIR_OK);
        if (!run)
            return true;
        world.undeferred = (struct note){fn, arg};
        world.expected = UNDEFERRED;
        return true;
    }
    model_now(COIR_EINVAL);
    return false;
}

void noted(int fn, intptr_t arg)
{
    struct context *me = world.current;
    MUST(world.scheduling == NULL);
    if (world.expected == UNDEFERRED) {
        MUST(world.undeferred.fn == fn && world.undeferred.arg == arg);
        return;
    }
    MUST(world.expected == NOTED);
    MUST(me->note_count > 0);
    me->note_count--;
    MUST(me->notes[me->note_count].fn == fn && me->notes[me->note_count].arg == arg);
    model_check_here(me);
}

void destroys(intptr_t value)
{
    struct context *me = world.current;
    MUST(world.scheduling == NULL && world.expected == DESTROYS_VALUE);
    for (int i = 0; i < KEYS; i++) {
        if (!world.keys[i].used || !world.keys[i].has_destructor || me->locals[i] != value)
            continue;
        me->locals[i] = 0;
        model_check_here(me);
        return;
    }
    MUST(false && "a destructor is called for a value that the fiber has");
}

/* After a deferred function or a destructor. */
void model_note_over(void)
{
    go_on_ending(world.current);
}

void model_delete_key(int key)
{
    for (int i = 0; i < CONTEXTS; i++)
        world.contexts[i].locals[key] = 0;
    world.keys[key].used = false;
}

/* ---- generators ---- */

void model_gen_next(struct context *g)
{
    struct context *me = world.current;
    if (g == NULL) {
        model_now(COIR_EINVAL);
    } else if (g->state == COIR_STATE_DONE) {
        model_now(g->result > 0 ? 0 : (int)g->result);
    } else if (g->state != COIR_STATE_NEW && g->state != COIR_STATE_SUSPENDED) {
        model_now(COIR_EBUSY);
    } else {
        me->state = COIR_STATE_RESUMING;
        g->resumer = me;
        set_due(g, COIR_OK, 0);
        model_run(g);
    }
}

void model_gen_yield(struct context *g, bool has_item, intptr_t item)
{
    struct context *me = world.current, *r;
    if (g == NULL && me->kind != MAIN) {
        model_now(me->ending != 0 ? COIR_ECANCELED : me->runs != NULL ? COIR_EBUSY : COIR_EINVAL);
    } else if (g == NULL || g != me) {
        model_now(COIR_ENOTFIBER);
    } else if (me->ending != 0) {
        model_now(COIR_ECANCELED);
    } else if (me->runs != NULL) {
        model_now(COIR_EBUSY);
    } else if (!has_item) {
        model_now(COIR_EINVAL);
    } else {
        r = me->resumer;
        me->resumer = NULL;
        me->state = COIR_STATE_SUSPENDED;
        set_due(r, 1, item);
        model_run(r);
    }
}

void model_gen_destroy(struct context *g)
{
    if (g == NULL)
        model_now(COIR_OK);
    else if (!is_idle(g))
        model_now(COIR_EBUSY);
    else
        interrupt(g);
}

/* ---- where control comes out ---- */

void model_check_here(const struct context *me)
{
    struct task *t = task_of(me);
    struct executor *e = executor_of(me);
    MUST(coir_self() == (me->kind == MAIN ? NULL : me->fiber));
    MUST(coir_task_self() == (t == NULL ? NULL : t->real));
    MUST(coir_exec_current() == (e == NULL ? NULL : e->real));
    if (world.hooked)
        MUST(world.hook_at == coir_self());
}

/* A call has returned `code` in `me`. */
struct context *arrived(struct context *me, int code)
{
    if (world.scheduling != NULL) {
        if (world.scheduling->runner == me)
            model_run_returns(world.scheduling, code);
        else
            model_choose(me);
    }
    MUST(world.current == me);
    MUST(world.expected == RETURNED);
    model_check_here(me);
    model_check_code(code, me->due.code);
    return me;
}

/* The first function of `me` begins. */
struct context *started(struct context *me)
{
    if (world.scheduling != NULL)
        model_choose(me);
    MUST(world.current == me);
    MUST(world.expected == STARTED);
    if (me->kind == GENERATOR)
        me->fiber = coir_self();
    model_check_here(me);
    return me;
}
