/* SPDX-License-Identifier: MIT */
/* operations_fibers.c - calls of fibers, generators, deferred functions, keys. */

#include "operations.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 64 * 1024, LARGEST_ITEM = 40 };

#define UNTOUCHED ((void *)(intptr_t)-77)

/* ---- bodies ---- */

void *fiber_body(void *arg)
{
    struct context *me = started(arg);
    intptr_t result;
    trace("starts", me, 0);
    interpret(next_byte() % 32);
    result = new_value();
    trace("returns", me, result);
    model_returns(result);
    return (void *)result;
}

int generator_body(coir_gen *g, void *arg)
{
    struct context *me = started(arg);
    int result;
    MUST(me->generator == NULL || me->generator == g);
    me->generator = g;
    trace("generator starts", me, 0);
    interpret(next_byte() % 32);
    result = one_in(2) ? 0 : (int)(next_byte() % 3) - 1 - 2000 * (int)one_in(2);
    model_returns(result);
    return result;
}

/* ---- options ---- */

static void use_own_stack(coir_options *opt, struct context *c)
{
    opt->stack_size = ROOM;
    opt->stack = c->stack = malloc(ROOM);
    MUST(c->stack != NULL);
}

void forget_stack(struct context *c)
{
    free(c->stack);
    c->stack = NULL;
}

static int spoil(coir_options *opt, bool task)
{
    switch (next_byte() % 4) {
    case 0: opt->flags |= 0x80000000u; return COIR_EINVAL;
    case 1: opt->reserved_flags = 1; return COIR_EINVAL;
    case 2: opt->reserved[next_byte() % 3] = opt; return COIR_EINVAL;
    default:
        if (!task)
            return COIR_OK;
        opt->flags |= COIR_MOVABLE;
        return COIR_ENOTSUP;
    }
}

/* Reads as much of the program with defaults as without. */
int pick_options(coir_options *opt, struct context *c, bool task, bool defaults)
{
    static const char *const names[] = {NULL, "", "one", "a name that is longer than those that come before it"};
    const char *backend = coir_backend_name();
    unsigned n = next_byte();
    int error;
    memset(opt, 0, sizeof *opt);
    opt->name = names[n % 4];
    opt->data = (void *)new_value();
    opt->stack_size = (n & 4) != 0 ? 0 : ROOM + 4096 * (n >> 5);
    if ((n & 8) != 0)
        opt->flags |= COIR_NO_GUARD;
    if ((n & 16) != 0 && one_in(4))
        opt->flags |= COIR_KEEP_FPENV;
    if ((n & 32) != 0)
        opt->flags |= COIR_NO_UNWIND;
    if ((n & 64) != 0 && !task)
        opt->flags |= COIR_MOVABLE;
    c->name = opt->name == NULL ? "" : opt->name;
    c->data = (intptr_t)opt->data;
    if (one_in(12) && strcmp(backend, "winfiber") != 0)
        use_own_stack(opt, c);
    error = one_in(12) ? spoil(opt, task) : COIR_OK;
    if (!defaults)
        return error;
    forget_stack(c);
    c->name = "";
    c->data = 0;
    return COIR_OK;
}

/* ---- making fibers ---- */

static void create(void)
{
    struct context *c = model_context(FIBER, 1, FIBERS);
    coir_fiber *f = UNTOUCHED;
    coir_options opt;
    bool defaults = one_in(4), no_out = one_in(32), no_fn = one_in(32);
    int code, error;
    if (c == NULL)
        return;
    error = pick_options(&opt, c, false, defaults);
    if (no_out || no_fn)
        error = COIR_EINVAL;
    if (error == COIR_OK)
        memory_may_fail();
    code = coir_create(no_out ? NULL : &f, no_fn ? NULL : fiber_body, c, defaults ? NULL : &opt);
    trace("create", c, code);
    if (error != COIR_OK || lacked_memory(code)) {
        MUST(code == (error != COIR_OK ? error : COIR_ENOMEM));
        MUST(f == UNTOUCHED);
        forget_stack(c);
        return;
    }
    MUST(code == COIR_OK && f != NULL && f != UNTOUCHED);
    c->used = true;
    c->id = ++world.ids;
    c->fiber = f;
}

static void *no_pointer(bool wanted, void **place)
{
    *place = UNTOUCHED;
    return wanted ? place : NULL;
}

static void check_value(const struct context *me, bool wanted, const void *value, bool gives)
{
    if (!wanted || !gives)
        MUST(value == UNTOUCHED);
    else
        MUST(value == (void *)me->due.values[0]);
}

static void resume(void)
{
    struct context *me = world.current, *f = pick_fiber();
    coir_fiber *real = real_fiber(f);
    intptr_t value = f == NULL || f->state == COIR_STATE_SUSPENDED || one_in(16) ? new_value() : 0;
    bool wanted = !one_in(4);
    void *result, **place = no_pointer(wanted, &result);
    int code;
    trace("resume", f, value);
    model_resume(f, value);
    code = coir_resume(real, (void *)value, place);
    arrived(me, code);
    check_value(me, wanted, result, code >= 0);
}

static void yield(void)
{
    struct context *me = world.current;
    intptr_t value = new_value();
    bool wanted = !one_in(4), suspends;
    void *result, **place = no_pointer(wanted, &result);
    int code;
    trace("yield", NULL, value);
    model_yield(value);
    suspends = world.current != me;
    code = coir_yield((void *)value, place);
    arrived(me, code);
    check_value(me, wanted, result, suspends);
}

static void change(void)
{
    struct context *me = world.current, *to = pick_fiber();
    coir_fiber *real = real_fiber(to);
    intptr_t value = to == NULL || to->state == COIR_STATE_SUSPENDED || one_in(16) ? new_value() : 0;
    bool wanted = !one_in(4), suspends;
    void *result, **place = no_pointer(wanted, &result);
    int code;
    trace("switch", to, value);
    model_switch(to, value);
    suspends = world.current != me;
    code = coir_switch(real, (void *)value, place);
    arrived(me, code);
    check_value(me, wanted, result, suspends);
}

static void cancel(void)
{
    struct context *me = world.current, *f = pick_fiber();
    coir_fiber *real = real_fiber(f);
    bool wanted = !one_in(4);
    void *result, **place = no_pointer(wanted, &result);
    int code;
    trace("cancel", f, 0);
    model_cancel(f);
    code = coir_cancel(real, place);
    arrived(me, code);
    check_value(me, wanted, result, code >= 0);
}

static void destroy_this(struct context *f)
{
    struct context *me = world.current;
    coir_fiber *real = real_fiber(f);
    int code;
    trace("destroy", f, f == NULL ? -1 : f->state);
    model_destroy(f);
    code = coir_destroy(real);
    arrived(me, code);
    if (f != NULL && !f->used)
        forget_stack(f);
}

static void destroy(void)
{
    destroy_this(pick_fiber());
}

static void leave_fiber(void)
{
    struct context *me = world.current;
    intptr_t value = new_value();
    if (!one_in(3))
        return;
    trace("exit", NULL, value);
    model_exit(value);
    arrived(me, coir_exit((void *)value));
}

/* ---- deferred functions ---- */

static void note_body(int fn, void *arg)
{
    bool ordinary = world.scheduling == NULL && world.expected == UNDEFERRED;
    noted(fn, (intptr_t)arg);
    world.expected = RETURNED;
    trace(ordinary ? "undeferred" : "deferred", arg, fn);
    if (fn > 0)
        interpret(next_byte() % 5);
    if (ordinary)
        model_now(COIR_OK);
    else
        model_note_over();
}

static void note_0(void *arg)
{
    note_body(0, arg);
}

static void note_1(void *arg)
{
    note_body(1, arg);
}

static void note_2(void *arg)
{
    note_body(2, arg);
}

static void (*const note_functions[])(void *arg) = {note_0, note_1, note_2};

static void defer(void)
{
    struct context *me = world.current;
    int fn = (int)(next_byte() % 3), code;
    intptr_t arg = (intptr_t)(next_byte() % 4);
    bool valid = !one_in(16);
    if (me->note_count == NOTES)
        return;
    memory_may_fail();
    code = coir_defer(valid ? note_functions[fn] : NULL, (void *)arg);
    trace("defer", (void *)arg, code);
    if (lacked_memory(code))
        return;
    model_defer(valid, fn, arg);
    arrived(me, code);
}

static void undefer(void)
{
    struct context *me = world.current;
    int fn = (int)(next_byte() % 3);
    intptr_t arg = (intptr_t)(next_byte() % 4);
    bool run = one_in(2);
    if (me->note_count > 0 && !one_in(4)) {
        const struct note *note = &me->notes[(int)arg % me->note_count];
        fn = note->fn;
        arg = note->arg;
    }
    trace("undefer", (void *)arg, fn);
    model_undefer(fn, arg, run);
    arrived(me, coir_undefer(note_functions[fn], (void *)arg, run));
}

/* ---- keys ---- */

static void destructor(void *value)
{
    destroys((intptr_t)value);
    world.expected = RETURNED;
    trace("destroys value", value, 0);
    interpret(next_byte() % 4);
    model_note_over();
}

static void key_create(void)
{
    struct context *me = world.current;
    coir_key key = 0;
    int i = 0, code;
    bool has_destructor = !one_in(4);
    while (i < KEYS && world.keys[i].used)
        i++;
    if (i == KEYS || one_in(16)) {
        model_now(COIR_EINVAL);
        arrived(me, coir_key_create(NULL, NULL));
        return;
    }
    memory_may_fail();
    code = coir_key_create(&key, has_destructor ? destructor : NULL);
    trace("key_create", NULL, code);
    if (lacked_memory(code)) {
        MUST(key == 0);
        return;
    }
    MUST(code == COIR_OK && key != 0);
    world.keys[i].used = true;
    world.keys[i].real = key;
    world.keys[i].has_destructor = has_destructor;
    for (int c = 0; c < CONTEXTS; c++)
        world.contexts[c].locals[i] = 0;
}

static void key_delete(void)
{
    struct context *me = world.current;
    unsigned i = next_byte() % KEYS;
    bool used = world.keys[i].used;
    if (!one_in(3))
        return;
    trace("key_delete", NULL, (int64_t)i);
    if (used)
        model_delete_key((int)i);
    model_now(used ? COIR_OK : COIR_EINVAL);
    arrived(me, coir_key_delete(world.keys[i].real));
}

/* What is in no task, and yet on the stack of what is in one, has values of which the headers do not tell. */
static bool locals_are_known(const struct context *me)
{
    for (; me != NULL; me = me->resumer)
        if (me->runs != NULL)
            return false;
    return true;
}

static void local_set(void)
{
    struct context *me = world.current;
    unsigned i = next_byte() % KEYS;
    intptr_t value = new_value();
    int code, expected;
    if (!locals_are_known(me) || (me->ending == 2 && me->sets++ >= 2))
        return;
    expected = me->kind == MAIN ? COIR_ENOTFIBER : world.keys[i].used ? COIR_OK : COIR_EINVAL;
    memory_may_fail();
    code = coir_local_set(world.keys[i].real, (void *)value);
    trace("local_set", (void *)value, code);
    if (lacked_memory(code)) {
        MUST(expected == COIR_OK);
        return;
    }
    model_now(expected);
    arrived(me, code);
    if (expected == COIR_OK)
        owner_of_locals(me)->locals[i] = value;
}

static void local_get(void)
{
    struct context *me = world.current;
    unsigned i = next_byte() % KEYS;
    intptr_t value = me->kind == MAIN || !world.keys[i].used ? 0 : owner_of_locals(me)->locals[i];
    if (locals_are_known(me))
        MUST(coir_local_get(world.keys[i].real) == (void *)value);
}

/* ---- generators ---- */

static void fill(unsigned char *item, size_t size, intptr_t value)
{
    memset(item, (int)(value & 255), size);
    memcpy(item, &value, size < sizeof value ? size : sizeof value);
}

static void gen_create(void)
{
    static const size_t sizes[] = {1, 4, 8, LARGEST_ITEM};
    struct context *c = model_context(GENERATOR, 1 + FIBERS, GENERATORS);
    coir_gen *g = (coir_gen *)UNTOUCHED;
    coir_options opt;
    bool no_out = one_in(32), no_fn = one_in(32), no_size = one_in(32), defaults = one_in(4);
    int code, error;
    if (c == NULL)
        return;
    error = pick_options(&opt, c, false, defaults);
    if (no_out || no_fn || no_size)
        error = COIR_EINVAL;
    c->item_size = sizes[next_byte() % 4];
    if (error == COIR_OK)
        memory_may_fail();
    code = coir_gen_create(no_out ? NULL : &g, no_size ? 0 : c->item_size, no_fn ? NULL : generator_body, c,
                           defaults ? NULL : &opt);
    trace("gen_create", c, code);
    if (error != COIR_OK || lacked_memory(code)) {
        MUST(code == (error != COIR_OK ? error : COIR_ENOMEM));
        MUST(g == (coir_gen *)UNTOUCHED);
        forget_stack(c);
        return;
    }
    MUST(code == COIR_OK);
    c->used = true;
    c->id = ++world.ids;
    c->generator = g;
}

static void gen_next(void)
{
    struct context *me = world.current, *g = pick_context(GENERATOR);
    unsigned char item[LARGEST_ITEM], expected[LARGEST_ITEM];
    size_t size = g == NULL ? 0 : g->item_size;
    bool wanted = !one_in(4);
    int code;
    memset(item, 0xa5, sizeof item);
    memset(expected, 0xa5, sizeof expected);
    trace("gen_next", g, 0);
    model_gen_next(g);
    code = coir_gen_next(g == NULL ? NULL : g->generator, wanted ? item : NULL);
    arrived(me, code);
    if (wanted && code > 0)
        fill(expected, size, me->due.values[0]);
    MUST(memcmp(item, expected, sizeof item) == 0);
}

static void gen_yield(void)
{
    struct context *me = world.current, *g = me->kind == GENERATOR && !one_in(8) ? me : pick_context(GENERATOR);
    unsigned char item[LARGEST_ITEM];
    intptr_t value = new_value();
    bool has_item = !one_in(16);
    int code;
    fill(item, sizeof item, value);
    if (g != NULL)
        fill(item, g->item_size, value);
    trace("gen_yield", g, value);
    model_gen_yield(g, has_item, value);
    code = coir_gen_yield(g == NULL ? NULL : g->generator, has_item ? item : NULL);
    arrived(me, code);
}

static void gen_destroy_this(struct context *g)
{
    struct context *me = world.current;
    int code;
    trace("gen_destroy", g, g == NULL ? -1 : g->state);
    model_gen_destroy(g);
    code = coir_gen_destroy(g == NULL ? NULL : g->generator);
    arrived(me, code);
    if (g != NULL && !g->used)
        forget_stack(g);
}

static void gen_destroy(void)
{
    gen_destroy_this(pick_context(GENERATOR));
}

/* ---- questions ---- */

static void questions(void)
{
    struct context *me = world.current, *f = pick_fiber();
    void *low = NULL;
    size_t size = 0;
    MUST(coir_fiber_state(NULL) == COIR_EINVAL);
    MUST(coir_fiber_name(NULL) == NULL && coir_fiber_data(NULL) == NULL);
    MUST(coir_fiber_set_data(NULL, me) == COIR_EINVAL);
    MUST(coir_stack_used(NULL, NULL) == (me->kind == MAIN ? COIR_ENOTFIBER : COIR_EINVAL));
    MUST(coir_stack_bounds(NULL, &low, &size) == (me->kind == MAIN ? COIR_ENOTFIBER : COIR_OK));
    if (me->kind != MAIN)
        MUST(low != NULL && size >= coir_stack_min());
    coir_prefetch(real_fiber(f));
    if (f == NULL)
        return;
    MUST(coir_stack_bounds(f->fiber, &low, NULL) == (f->state == COIR_STATE_DONE ? COIR_EDEAD : COIR_OK));
    if (f->state == COIR_STATE_DONE)
        MUST(coir_stack_used(f->fiber, &size) == COIR_EDEAD);
    f->data = new_value();
    MUST(coir_fiber_set_data(f->fiber, (void *)f->data) == COIR_OK);
    MUST(coir_fiber_data(f->fiber) == (void *)f->data);
}

static void use_of_stack(void)
{
    struct context *me = world.current;
    size_t used = 0;
    int code;
    if (!one_in(8))
        return;
    code = coir_stack_used(NULL, &used);
    if (me->kind == MAIN)
        MUST(code == COIR_ENOTFIBER);
    else
        MUST((code == COIR_OK && used > 0) || code == COIR_ENOTSUP);
}

/* ---- the hook ---- */

static void hook(coir_fiber *from, coir_fiber *to, void *context)
{
    MUST(context == &world);
    MUST(from == world.hook_at);
    MUST(coir_self() == to);
    MUST(from != to);
    world.hook_at = to;
}

static void set_hook(void)
{
    if (!one_in(4))
        return;
    world.hooked = !world.hooked;
    world.hook_at = coir_self();
    trace("hook", NULL, world.hooked);
    MUST(coir_set_switch_hook(world.hooked ? hook : NULL, &world) == COIR_OK);
}

static void trim(void)
{
    if (one_in(4))
        MUST(coir_pool_trim(next_byte() % 8) == COIR_OK);
}

/* ---- the end ---- */

void end_fibers(void)
{
    for (int i = 1; i <= FIBERS + GENERATORS; i++) {
        struct context *c = &world.contexts[i];
        if (!c->used)
            continue;
        if (c->kind == GENERATOR)
            gen_destroy_this(c);
        else
            destroy_this(c);
        MUST(!c->used);
    }
    for (int i = 0; i < KEYS; i++)
        if (world.keys[i].used)
            MUST(coir_key_delete(world.keys[i].real) == COIR_OK);
}

call *const fiber_operations[] = {
    create, create, create, create, resume, resume, resume, resume, resume, yield, yield, yield, yield, change,
    change, cancel, cancel, destroy, destroy, leave_fiber, defer, defer, undefer, undefer, key_create, key_delete,
    local_set, local_set, local_get, gen_create, gen_create, gen_next, gen_next, gen_next, gen_yield, gen_yield,
    gen_yield, gen_destroy, questions, use_of_stack, set_hook, trim, NULL};
