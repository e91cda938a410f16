/* SPDX-License-Identifier: MIT */
/* operations_objects.c - calls of channels, select, mutexes, conditions, semaphores, waits of the program's own. */

#include "operations.h"

#include <string.h>

#define UNTOUCHED ((void *)(intptr_t)-77)

enum { LARGEST_ITEM = 40 };

static int64_t here(void)
{
    const struct executor *e = executor_of(world.current);
    int64_t now = e == NULL ? 0 : e->now;
    unsigned n = next_byte();
    return n % 4 != 0 ? COIR_FOREVER : n % 8 == 0 ? now - (int64_t)(n & 16) : now + (int64_t)(n / 8);
}

/* Under a shield a wait for what may never come would not end at all. */
static int64_t limited(int64_t deadline)
{
    const struct task *t = task_of(world.current);
    return t != NULL && t->shield && deadline == COIR_FOREVER ? t->executor->now + 5 : deadline;
}

/* Of a call that makes something: false if it lacked memory, and then it has done nothing. */
static bool was_made(int code, const void *real)
{
    bool lacked = lacked_memory(code);
    MUST(lacked ? real == UNTOUCHED : code == COIR_OK);
    return !lacked;
}

/* ---- channels ---- */

static void fill(unsigned char *item, size_t size, intptr_t value)
{
    memset(item, (int)(value & 255), size);
    memcpy(item, &value, size < sizeof value ? size : sizeof value);
}

static void check_item(const struct context *me, const unsigned char *item, size_t size, bool received)
{
    unsigned char expected[LARGEST_ITEM];
    memset(expected, 0xa5, sizeof expected);
    if (received)
        fill(expected, size, me->due.values[0]);
    MUST(memcmp(item, expected, sizeof expected) == 0);
}

static struct channel *pick_channel(void)
{
    struct channel *c = &world.channels[next_byte() % CHANNELS];
    return c->used && !one_in(32) ? c : NULL;
}

static void chan_create(void)
{
    static const size_t sizes[] = {0, 4, 8, LARGEST_ITEM};
    struct channel *c = &world.channels[next_byte() % CHANNELS];
    coir_chan *real = UNTOUCHED;
    size_t size = sizes[next_byte() % 4];
    int capacity = (int)(next_byte() % (MOST_CAPACITY + 1)), code;
    if (c->used)
        return;
    MUST(coir_chan_create(NULL, size, 1) == COIR_EINVAL);
    memory_may_fail();
    code = coir_chan_create(&real, size, (size_t)capacity);
    trace("chan_create", c, code);
    if (was_made(code, real))
        *c = (struct channel){.used = true, .real = real, .size = size, .capacity = capacity};
}

static bool is_waited_at(const struct line *line)
{
    return line->count > 0;
}

static void destroy_channel(struct channel *c)
{
    bool busy = c != NULL && (is_waited_at(&c->senders) || is_waited_at(&c->receivers));
    trace("chan_destroy", c, busy);
    MUST(coir_chan_destroy(c == NULL ? NULL : c->real) == (busy ? COIR_EBUSY : COIR_OK));
    if (c != NULL && !busy)
        c->used = false;
}

static void chan_destroy(void)
{
    if (one_in(3))
        destroy_channel(pick_channel());
}

static void close_channel(struct channel *c)
{
    int code = c == NULL ? COIR_EINVAL : c->closed ? COIR_ECLOSED : COIR_OK;
    trace("chan_close", c, code);
    MUST(coir_chan_close(c == NULL ? NULL : c->real) == code);
    if (code == COIR_OK)
        model_close(c);
}

static void chan_close(void)
{
    struct channel *c = pick_channel();
    if (one_in(3))
        close_channel(c);
}

/* What both directions have in common. `tries`: it never waits. */
static void model_transfer(struct channel *c, int operation, intptr_t value, bool has_item, bool tries,
                           int64_t deadline)
{
    struct context *me = world.current;
    struct task *t = task_of(me);
    int error = tries ? COIR_OK : may_wait();
    intptr_t received = 0;
    if (error == COIR_OK && (c == NULL || (!has_item && c->size > 0)))
        error = COIR_EINVAL;
    if (error != COIR_OK) {
        model_now(error);
    } else if (channel_ready(c, operation)) {
        model_now(channel_apply(c, operation, value, &received));
        me->due.values[0] = received;
    } else if (tries || passed(deadline)) {
        model_now(tries ? COIR_EAGAIN : COIR_ETIMEDOUT);
    } else {
        wait_for(CHANNEL, c, deadline);
        t->cases[0] = (struct channel_case){c, operation, value};
        line_add(operation == COIR_SEND ? &c->senders : &c->receivers, t, 0);
    }
}

static void send(void)
{
    struct context *me = world.current;
    struct channel *c = pick_channel();
    coir_chan *real = c == NULL ? NULL : c->real;
    unsigned char item[LARGEST_ITEM];
    intptr_t value = ++world.values;
    bool has_item = !one_in(16), tries = one_in(3);
    int64_t deadline = here();
    const void *given = has_item ? item : NULL;
    int code;
    fill(item, sizeof item, value);
    if (c != NULL)
        fill(item, c->size, value);
    trace(tries ? "try_send" : "send", c, value);
    model_transfer(c, COIR_SEND, value, has_item, tries, deadline);
    if (tries)
        code = coir_chan_try_send(real, given);
    else if (deadline == COIR_FOREVER)
        code = coir_chan_send(real, given);
    else
        code = coir_chan_send_until(real, given, deadline);
    arrived(me, code);
}

static void receive(void)
{
    struct context *me = world.current;
    struct channel *c = pick_channel();
    coir_chan *real = c == NULL ? NULL : c->real;
    size_t size = c == NULL ? 0 : c->size;
    unsigned char item[LARGEST_ITEM];
    bool has_item = !one_in(16), tries = one_in(3);
    int64_t deadline = here();
    void *place = has_item ? item : NULL;
    int code;
    memset(item, 0xa5, sizeof item);
    trace(tries ? "try_recv" : "recv", c, deadline);
    model_transfer(c, COIR_RECV, 0, has_item, tries, deadline);
    if (tries)
        code = coir_chan_try_recv(real, place);
    else if (deadline == COIR_FOREVER)
        code = coir_chan_recv(real, place);
    else
        code = coir_chan_recv_until(real, place, deadline);
    arrived(me, code);
    check_item(me, item, size, has_item && code == COIR_OK);
}

/* ---- select ---- */

struct selection {
    coir_select_case cases[CASES];
    struct channel *channels[CASES];
    intptr_t values[CASES];
    unsigned char items[CASES][LARGEST_ITEM];
    size_t sizes[CASES];
    int count;
    bool valid, any, ready;
};

static void pick_selection(struct selection *s)
{
    memset(s, 0, sizeof *s);
    s->count = (int)(next_byte() % (CASES + 1));
    s->valid = true;
    for (int i = 0; i < s->count; i++) {
        coir_select_case *k = &s->cases[i];
        struct channel *c = s->channels[i] = pick_channel();
        k->chan = c == NULL ? NULL : c->real;
        k->operation = one_in(2) ? COIR_SEND : COIR_RECV;
        k->item = s->items[i];
        s->values[i] = ++world.values;
        s->sizes[i] = c == NULL ? 0 : c->size;
        memset(s->items[i], 0xa5, LARGEST_ITEM);
        if (k->operation == COIR_SEND)
            fill(s->items[i], LARGEST_ITEM, s->values[i]);
        if (k->operation == COIR_SEND && c != NULL)
            fill(s->items[i], c->size, s->values[i]);
        s->any = s->any || c != NULL;
        s->ready = s->ready || (c != NULL && channel_ready(c, k->operation));
    }
    if (s->count > 0 && one_in(24)) {
        s->cases[0].operation = 7;
        s->valid = false;
    }
}

static void model_select_waits(struct selection *s, int64_t deadline)
{
    struct task *t = task_of(world.current);
    wait_for(CHANNEL, NULL, deadline);
    for (int i = 0; i < s->count; i++) {
        struct channel *c = s->channels[i];
        if (c == NULL)
            continue;
        t->cases[i] = (struct channel_case){c, s->cases[i].operation, s->values[i]};
        line_add(s->cases[i].operation == COIR_SEND ? &c->senders : &c->receivers, t, i);
    }
}

/* True if the call must choose among cases that can be done at once. */
static bool model_select(struct selection *s, bool tries, int64_t deadline, bool no_which)
{
    int error = tries ? COIR_OK : may_wait();
    if (error == COIR_OK && (!s->valid || no_which))
        error = COIR_EINVAL;
    if (error == COIR_OK && s->ready)
        return true;
    if (error == COIR_OK && tries)
        error = COIR_EAGAIN;
    if (error == COIR_OK && !s->any && deadline == COIR_FOREVER)
        error = COIR_EDEADLK;
    if (error == COIR_OK && passed(deadline))
        error = COIR_ETIMEDOUT;
    if (error != COIR_OK)
        model_now(error);
    else
        model_select_waits(s, deadline);
    return false;
}

static void apply_choice(struct selection *s, size_t which)
{
    struct channel *c;
    intptr_t received = 0;
    MUST(which < (size_t)s->count);
    c = s->channels[which];
    MUST(c != NULL && channel_ready(c, s->cases[which].operation));
    model_now(channel_apply(c, s->cases[which].operation, s->values[which], &received));
    world.current->due.values[0] = received;
    world.current->due.which = (int)which;
}

static void choose(void)
{
    struct context *me = world.current;
    struct selection s;
    bool tries = one_in(3), no_which = one_in(32), at_once;
    int64_t deadline = here();
    size_t which = 77;
    int code;
    pick_selection(&s);
    trace(tries ? "try_select" : "select", NULL, s.count);
    at_once = model_select(&s, tries, deadline, no_which);
    if (tries)
        code = coir_try_select(s.cases, (size_t)s.count, no_which ? NULL : &which);
    else if (deadline == COIR_FOREVER)
        code = coir_select(s.cases, (size_t)s.count, no_which ? NULL : &which);
    else
        code = coir_select_until(s.cases, (size_t)s.count, deadline, no_which ? NULL : &which);
    if (at_once)
        apply_choice(&s, which);
    arrived(me, code);
    if (code != COIR_OK && code != COIR_ECLOSED) {
        MUST(which == 77);
        return;
    }
    MUST(which == (size_t)me->due.which);
    for (int i = 0; i < s.count; i++)
        if (s.cases[i].operation == COIR_RECV)
            check_item(me, s.items[i], s.sizes[i], code == COIR_OK && i == (int)which);
}

/* ---- mutexes ---- */

static struct mutex *pick_mutex(void)
{
    struct mutex *m = &world.mutexes[next_byte() % MUTEXES];
    return m->used && !one_in(32) ? m : NULL;
}

static void mutex_create(void)
{
    struct mutex *m = &world.mutexes[next_byte() % MUTEXES];
    coir_mutex *real = UNTOUCHED;
    int code;
    if (m->used)
        return;
    MUST(coir_mutex_create(NULL) == COIR_EINVAL);
    memory_may_fail();
    code = coir_mutex_create(&real);
    if (was_made(code, real))
        *m = (struct mutex){.used = true, .real = real};
}

static bool condition_waits_with(const struct mutex *m)
{
    for (int i = 0; i < TASKS; i++) {
        const struct task *t = &world.tasks[i];
        if (t->used && t->state == COIR_TASK_WAITING && t->wait == CONDITION && t->mutex == m)
            return true;
    }
    return false;
}

static bool is_wanted(const struct mutex *m)
{
    return m->line.count > 0 || condition_waits_with(m);
}

static void destroy_mutex(struct mutex *m)
{
    bool busy = m != NULL && (m->owner != NULL || is_wanted(m));
    trace("mutex_destroy", m, busy);
    MUST(coir_mutex_destroy(m == NULL ? NULL : m->real) == (busy ? COIR_EBUSY : COIR_OK));
    if (m != NULL && !busy)
        m->used = false;
}

static void mutex_destroy(void)
{
    if (one_in(3))
        destroy_mutex(pick_mutex());
}

static void mutex_lock(void)
{
    struct context *me = world.current;
    struct mutex *m = pick_mutex();
    struct task *t = task_of(me);
    int64_t deadline = limited(here());
    int error = may_wait();
    trace("mutex_lock", m, deadline);
    if (error == COIR_OK && m == NULL)
        error = COIR_EINVAL;
    if (error == COIR_OK && m->owner == t)
        error = COIR_EDEADLK;
    if (error != COIR_OK) {
        model_now(error);
    } else if (m->owner == NULL && !m->abandoned) {
        m->owner = t;
        model_now(COIR_OK);
    } else if (passed(deadline)) {
        model_now(COIR_ETIMEDOUT);
    } else {
        wait_for(MUTEX, m, deadline);
        line_add(&m->line, t, 0);
    }
    if (deadline == COIR_FOREVER)
        arrived(me, coir_mutex_lock(m == NULL ? NULL : m->real));
    else
        arrived(me, coir_mutex_lock_until(m == NULL ? NULL : m->real, deadline));
}

static void mutex_try_lock(void)
{
    struct context *me = world.current;
    struct mutex *m = pick_mutex();
    struct task *t = task_of(me);
    int code = t == NULL                              ? COIR_ENOTTASK
               : m == NULL                            ? COIR_EINVAL
               : m->owner == t                        ? COIR_EDEADLK
               : m->owner != NULL || m->abandoned ? COIR_EAGAIN
                                                      : COIR_OK;
    trace("mutex_try_lock", m, code);
    model_now(code);
    arrived(me, coir_mutex_try_lock(m == NULL ? NULL : m->real));
    if (code == COIR_OK)
        m->owner = t;
}

static void mutex_unlock(void)
{
    struct context *me = world.current;
    struct mutex *m = pick_mutex();
    struct task *t = task_of(me);
    int code = t == NULL ? COIR_ENOTTASK : m == NULL ? COIR_EINVAL : m->owner != t ? COIR_ENOTHELD : COIR_OK;
    trace("mutex_unlock", m, code);
    model_now(code);
    arrived(me, coir_mutex_unlock(m == NULL ? NULL : m->real));
    if (code == COIR_OK)
        mutex_pass_on(m);
}

/* ---- conditions ---- */

static struct condition *pick_condition(void)
{
    struct condition *c = &world.conditions[next_byte() % CONDITIONS];
    return c->used && !one_in(32) ? c : NULL;
}

static void cond_create(void)
{
    struct condition *c = &world.conditions[next_byte() % CONDITIONS];
    coir_cond *real = UNTOUCHED;
    int code;
    if (c->used)
        return;
    MUST(coir_cond_create(NULL) == COIR_EINVAL);
    memory_may_fail();
    code = coir_cond_create(&real);
    if (was_made(code, real))
        *c = (struct condition){.used = true, .real = real};
}

static void destroy_condition(struct condition *c)
{
    bool busy = c != NULL && c->line.count > 0;
    trace("cond_destroy", c, busy);
    MUST(coir_cond_destroy(c == NULL ? NULL : c->real) == (busy ? COIR_EBUSY : COIR_OK));
    if (c != NULL && !busy)
        c->used = false;
}

static void cond_destroy(void)
{
    if (one_in(3))
        destroy_condition(pick_condition());
}

static void model_cond_wait(struct condition *c, struct mutex *m, int64_t deadline)
{
    struct task *t = task_of(world.current);
    int error = may_wait();
    if (error == COIR_OK && (c == NULL || m == NULL))
        error = COIR_EINVAL;
    if (error == COIR_OK && m->owner != t)
        error = COIR_ENOTHELD;
    if (error == COIR_OK && passed(deadline))
        error = COIR_ETIMEDOUT;
    if (error != COIR_OK) {
        model_now(error);
        return;
    }
    mutex_pass_on(m);
    wait_for(CONDITION, c, deadline);
    t->mutex = m;
    line_add(&c->line, t, 0);
}

/* Not under a shield: the mutex may never be free again. */
static void cond_wait(void)
{
    struct context *me = world.current;
    struct condition *c = pick_condition();
    struct mutex *m = pick_mutex();
    struct task *t = task_of(me);
    int64_t deadline = here();
    for (int i = 0; i < MUTEXES && t != NULL; i++)
        if (world.mutexes[i].used && world.mutexes[i].owner == t && !one_in(8))
            m = &world.mutexes[i];
    if (t != NULL && t->shield)
        return;
    trace("cond_wait", c, deadline);
    model_cond_wait(c, m, deadline);
    if (deadline == COIR_FOREVER)
        arrived(me, coir_cond_wait(c == NULL ? NULL : c->real, m == NULL ? NULL : m->real));
    else
        arrived(me, coir_cond_wait_until(c == NULL ? NULL : c->real, m == NULL ? NULL : m->real, deadline));
}

static void cond_signal(void)
{
    struct condition *c = pick_condition();
    trace("cond_signal", c, 0);
    MUST(coir_cond_signal(c == NULL ? NULL : c->real) == (c == NULL ? COIR_EINVAL : COIR_OK));
    if (c != NULL)
        model_signal(c);
}

static void broadcast_to(struct condition *c)
{
    trace("cond_broadcast", c, 0);
    MUST(coir_cond_broadcast(c == NULL ? NULL : c->real) == (c == NULL ? COIR_EINVAL : COIR_OK));
    while (c != NULL && c->line.count > 0)
        model_signal(c);
}

static void cond_broadcast(void)
{
    broadcast_to(pick_condition());
}

/* ---- semaphores ---- */

static struct semaphore *pick_semaphore(void)
{
    struct semaphore *s = &world.semaphores[next_byte() % SEMAPHORES];
    return s->used && !one_in(32) ? s : NULL;
}

static void sem_create(void)
{
    struct semaphore *s = &world.semaphores[next_byte() % SEMAPHORES];
    coir_sem *real = UNTOUCHED;
    unsigned n = next_byte(), count = n < 8 ? COIR_SEM_MAX - n % 2 : n % 3;
    int code;
    if (s->used)
        return;
    MUST(coir_sem_create(NULL, 1) == COIR_EINVAL);
    MUST(coir_sem_create(&real, COIR_SEM_MAX + 1) == COIR_EINVAL);
    memory_may_fail();
    code = coir_sem_create(&real, count);
    if (was_made(code, real))
        *s = (struct semaphore){.used = true, .real = real, .count = count};
}

static void destroy_semaphore(struct semaphore *s)
{
    bool busy = s != NULL && s->line.count > 0;
    trace("sem_destroy", s, busy);
    MUST(coir_sem_destroy(s == NULL ? NULL : s->real) == (busy ? COIR_EBUSY : COIR_OK));
    if (s != NULL && !busy)
        s->used = false;
}

static void sem_destroy(void)
{
    if (one_in(3))
        destroy_semaphore(pick_semaphore());
}

static void sem_wait(void)
{
    struct context *me = world.current;
    struct semaphore *s = pick_semaphore();
    coir_sem *real = s == NULL ? NULL : s->real;
    bool tries = one_in(3);
    int64_t deadline = here();
    int error = tries ? COIR_OK : may_wait();
    trace(tries ? "sem_try_wait" : "sem_wait", s, deadline);
    if (error == COIR_OK && s == NULL)
        error = COIR_EINVAL;
    if (error != COIR_OK) {
        model_now(error);
    } else if (s->count > 0) {
        s->count--;
        model_now(COIR_OK);
    } else if (tries || passed(deadline)) {
        model_now(tries ? COIR_EAGAIN : COIR_ETIMEDOUT);
    } else {
        wait_for(SEMAPHORE, s, deadline);
        line_add(&s->line, task_of(me), 0);
    }
    if (tries)
        arrived(me, coir_sem_try_wait(real));
    else
        arrived(me, deadline == COIR_FOREVER ? coir_sem_wait(real) : coir_sem_wait_until(real, deadline));
}

static void post_to(struct semaphore *s)
{
    int which, code = s == NULL ? COIR_EINVAL : s->count == COIR_SEM_MAX ? COIR_EAGAIN : COIR_OK;
    trace("sem_post", s, code);
    MUST(coir_sem_post(s == NULL ? NULL : s->real) == code);
    if (code != COIR_OK)
        return;
    if (s->line.count > 0)
        make_ready(line_take(&s->line, &which), COIR_OK);
    else
        s->count++;
}

static void sem_post(void)
{
    post_to(pick_semaphore());
}

/* ---- waits of the program's own ---- */

static struct wait_object *pick_wait(void)
{
    return one_in(32) ? NULL : &world.waits[next_byte() % WAITS];
}

/* The model knows already what this does, or will find out when time has passed. */
static void give_up(coir_wait *w, int code)
{
    struct wait_object *object = (struct wait_object *)w;
    MUST(code == COIR_ECANCELED || code == COIR_ETIMEDOUT);
    trace("give_up", w, code);
    if (object->policy == 1 && code == COIR_ETIMEDOUT && object->task != NULL && object->task->overdue) {
        object->task->timed = false;
        object->given_up = true;
    }
    if (object->policy == 2)
        MUST(coir_wait_end(w, code - 5000) == COIR_OK);
}

static void may_wait_at_all(void)
{
    MUST(coir_may_wait() == may_wait());
}

static void object_wait(void)
{
    struct context *me = world.current;
    struct wait_object *w = pick_wait();
    int64_t deadline = here();
    int error = may_wait(), policy = (int)(next_byte() % 3);
    if (w != NULL && w->task == NULL && !w->ended) {
        memset(w, 0, sizeof *w);
        w->real = (coir_wait){.what = "waits for nothing", .give_up = policy > 0 ? give_up : NULL};
        w->policy = policy;
    }
    trace("wait_for", w, deadline);
    if (error == COIR_OK && w == NULL)
        error = COIR_EINVAL;
    if (error == COIR_OK && w->task != NULL)
        error = COIR_EBUSY;
    if (error != COIR_OK) {
        model_now(error);
    } else if (w->ended) {
        w->ended = false;
        model_now(w->code);
    } else {
        w->given_up = false;
        w->task = task_of(me);
        wait_for(OBJECT, w, deadline);
    }
    if (deadline == COIR_FOREVER)
        arrived(me, coir_wait_for(w == NULL ? NULL : &w->real));
    else
        arrived(me, coir_wait_for_until(w == NULL ? NULL : &w->real, deadline));
}

static void end_wait_of(struct wait_object *w, int code)
{
    int expected = w == NULL ? COIR_EINVAL : w->task == NULL && w->ended ? COIR_EBUSY : COIR_OK;
    trace("wait_end", w, code);
    MUST(coir_wait_end(w == NULL ? NULL : &w->real, code) == expected);
    if (expected != COIR_OK)
        return;
    if (w->task != NULL) {
        struct task *t = w->task;
        w->task = NULL;
        make_ready(t, code);
    } else {
        w->ended = true;
        w->code = code;
    }
}

static void wait_end(void)
{
    struct wait_object *w = pick_wait();
    end_wait_of(w, (int)(next_byte() % 5) - 2);
}

/* ---- the end ---- */

/* Makes all waits come true that can; true if there were any. */
bool wake_all(struct executor *e)
{
    bool any = false;
    for (int i = 0; i < TASKS; i++) {
        struct task *t = &world.tasks[i];
        if (!t->used || t->executor != e || t->state != COIR_TASK_WAITING)
            continue;
        any = true;
        if (t->wait == OBJECT)
            end_wait_of(t->object, 1);
        else if (t->wait == SEMAPHORE)
            post_to(t->object);
        else if (t->wait == CONDITION)
            broadcast_to(t->object);
        else if (t->wait == PARK && coir_task_wake(t->real) == COIR_OK)
            make_ready(t, COIR_OK);
    }
    for (int i = 0; i < CHANNELS; i++)
        if (world.channels[i].used && !world.channels[i].closed)
            close_channel(&world.channels[i]);
    return any;
}

void end_objects(void)
{
    for (int i = 0; i < CHANNELS; i++)
        if (world.channels[i].used)
            destroy_channel(&world.channels[i]);
    for (int i = 0; i < MUTEXES; i++)
        if (world.mutexes[i].used)
            destroy_mutex(&world.mutexes[i]);
    for (int i = 0; i < CONDITIONS; i++)
        if (world.conditions[i].used)
            destroy_condition(&world.conditions[i]);
    for (int i = 0; i < SEMAPHORES; i++)
        if (world.semaphores[i].used)
            destroy_semaphore(&world.semaphores[i]);
    for (int i = 0; i < CHANNELS; i++)
        MUST(!world.channels[i].used);
    for (int i = 0; i < MUTEXES; i++)
        MUST(!world.mutexes[i].used);
    for (int i = 0; i < CONDITIONS; i++)
        MUST(!world.conditions[i].used);
    for (int i = 0; i < SEMAPHORES; i++)
        MUST(!world.semaphores[i].used);
}

call *const object_operations[] = {
    chan_create, chan_create, chan_destroy, chan_close, send, send, send, send, send, receive, receive, receive,
    receive, receive, choose, choose, choose, choose, mutex_create, mutex_destroy, mutex_lock, mutex_lock,
    mutex_lock, mutex_try_lock, mutex_unlock, mutex_unlock, mutex_unlock, cond_create, cond_destroy, cond_wait,
    cond_wait, cond_wait, cond_signal, cond_signal, cond_broadcast, sem_create, sem_destroy, sem_wait, sem_wait,
    sem_wait, sem_post, sem_post, may_wait_at_all, object_wait, object_wait, object_wait, wait_end, wait_end, NULL};
