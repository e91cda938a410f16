/* SPDX-License-Identifier: MIT */
/* exec.c - executors: turns, time, and waiting when there is nothing to do. */

#include <config.h>

#include <string.h>

#include "allocator.h"
#include "event.h"
#include "exec.h"
#include "likely.h"
#include "os.h"
#include "task.h"
#include "thread.h"

/* How many steps from task to task there are at least before the executor looks outside: a look costs as much as some
 * ten steps, mostly for the clock. */
#define STEPS_OF_A_TURN 128

/* So many tasks and their stacks are more than the caches next to a processor hold. */
#define MANY_TASKS 1024

static coir_task no_task = {.unwilling = true};
struct coir_exec coir__no_exec = {.running = &no_task, .home = &no_task};

/* ---- the loop: the executor's own fiber ---- */

static void begin_turn(coir_exec *e)
{
    uint32_t ready = coir__ready_count(e);
    uint32_t head = coir__head(e) & e->mask;

    e->ends = head * COIR__ONE_HEAD + (head + ready) * COIR__ONE_TAIL;
    e->turn_end = head + (e->one_turn || ready > STEPS_OF_A_TURN ? ready : STEPS_OF_A_TURN);
    e->many = ready >= MANY_TASKS && !e->shuffled;
    e->looks = e->shuffled || e->many;
    e->limit = e->looks ? head : e->turn_end;
    e->turn_over = false;
}

void coir__exec_end_turn(coir_exec *e)
{
    e->turn_end = coir__head(e);
    e->limit = coir__head(e);
    e->turn_over = true;
}

/* If nothing outside wants to be looked at, the next turn can begin at once. */
static bool prolong_turn(coir_exec *e)
{
    if (e->one_turn || e->turn_over || e->has_poller || e->timers.count > 0 || coir__is_posted(e))
        return false;
    begin_turn(e);
    return true;
}

/* Brings a task, drawn from those of this turn, to the head. */
static void shuffle(coir_exec *e)
{
    uint32_t head = coir__head(e);
    uint32_t ready = coir__ready_count(e);
    uint32_t left = e->turn_end - head;
    uint32_t drawn = head + (uint32_t)(coir__exec_random(e) % (left < ready ? left : ready));
    coir_task *task = e->ring[drawn & e->mask];

    e->ring[drawn & e->mask] = e->ring[head & e->mask];
    e->ring[head & e->mask] = task;
}

/* Takes the next task where each step is looked at. */
static coir_task *look_and_take(coir_exec *e)
{
    coir_task *task;

    if (e->shuffled)
        shuffle(e);
    task = coir__ready_take(e);
    e->limit = coir__head(e);
    return task;
}

/* Who is next: a task, or the loop if there is none or the turn is over. */
static coir_task *next_task(coir_exec *e)
{
    if (coir__ready_count(e) == 0 || (coir__head(e) == e->turn_end && !prolong_turn(e)))
        return e->home;
    return e->looks ? look_and_take(e) : coir__ready_take(e);
}

COIR__NOINLINE int coir__go_on_unusual(struct coir__thread *thread, coir_exec *e, coir_fiber *from)
{
    return coir__go_to(thread, e, from, next_task(e));
}

/* While tasks run, this stands in its call of coir__go_on_unusual: where walks of their stacks find it. */
static void *run_loop(void *arg)
{
    coir_exec *e = arg;

    do
        coir__go_on_unusual(coir__thread_now(), e, e->loop);
    while (coir__leave(coir__thread_now(), e->loop, COIR_OK) == COIR_OK);
    return NULL; /* not reached: it ends by being destroyed */
}

static void end_loop(struct coir__thread *thread, coir_fiber *f, void *result)
{
    (void)result;
    coir__fiber_done(thread, f);
    coir__leave_for_good(thread, f, COIR_DONE);
}

/* It waits for nobody: it has resumed a task, so to speak. */
static bool loop_waits(const coir_fiber *root, const coir_fiber *f)
{
    (void)root, (void)f;
    return false;
}

static const struct coir__keeper loop_keeper = {COIR_ENOTFIBER, end_loop, loop_waits};

/* ---- time ---- */

int64_t coir__exec_now(const coir_exec *e)
{
    if (e->has_virtual_clock)
        return e->virtual_now;
    return e->clock != NULL ? e->clock(e->clock_context) : coir__os_now();
}

static void fire_timers(coir_exec *e)
{
    int64_t now;

    if (e->timers.count == 0)
        return;
    now = coir__exec_now(e);
    while (coir__timers_next(&e->timers) <= now && e->timers.count > 0) {
        coir_task *task = e->timers.heap[0].task;
        coir__timer_clear(&e->timers, task);
        task->wait->give_up(task, COIR_ETIMEDOUT);
    }
}

static void jump_to(coir_exec *e, int64_t time)
{
    if (time > e->virtual_now)
        e->virtual_now = time;
}

/* ---- outside: posted functions, timers, the poller, sleep ---- */

static bool has_work(const coir_exec *e)
{
    return coir__ready_count(e) > 0 || e->stopping || coir__is_posted(e);
}

static int call_poller(coir_exec *e, int64_t deadline)
{
    int result;

    e->in_poller = true;
    result = e->poller.wait(e->poller.context, deadline);
    e->in_poller = false;
    return result;
}

/* Lets the poller handle what has happened, without waiting. */
static int poll(coir_exec *e)
{
    return e->has_poller ? call_poller(e, coir__exec_now(e)) : COIR_OK;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A time of the executor's clock as one of the system's. */
static int64_t system_time(const coir_exec *e, int64_t time)
{
    int64_t now, system_now;

    if (e->clock == NULL || time == COIR_FOREVER)
        return time;
    now = coir__exec_now(e);
    system_now = coir__os_now();
    if (time <= now)
        return system_now;
    /* The distance may be too long for a signed number, where now is negative. */
    return (uint64_t)time - (uint64_t)now < (uint64_t)(COIR_FOREVER - system_now) ? system_now + (time - now) : COIR_FOREVER;
}

/* Can something happen that is not on this thread? */
static bool awaits_outside(const coir_exec *e)
{
    return e->holds > 0 || (e->has_poller && e->poller.active(e->poller.context));
}

/* Waits for time or an event, with nothing to do until then. */
static int sleep_until(coir_exec *e, int64_t deadline)
{
    if (deadline == COIR_FOREVER && !awaits_outside(e)) {
        coir__report_deadlock(e);
        return COIR_EDEADLK;
    }
    if (e->has_poller)
        return call_poller(e, deadline);
    if (deadline == COIR_FOREVER || deadline > coir__exec_now(e))
        coir__event_wait(e->event, system_time(e, deadline));
    return COIR_OK;
}

static int idle(coir_exec *e, int64_t deadline)
{
    int64_t until = earlier(coir__timers_next(&e->timers), deadline);

    if (e->alive == 0 && e->holds == 0)
        return poll(e);
    if (!e->has_virtual_clock || until == COIR_FOREVER)
        return sleep_until(e, until);
    jump_to(e, until);
    return poll(e);
}

static int look_outside(coir_exec *e, int64_t deadline)
{
    int error;

    coir__run_posted(e);
    fire_timers(e);
    if (has_work(e))
        return poll(e);
    error = idle(e, deadline);
    if (error >= 0) {
        coir__run_posted(e);
        fire_timers(e);
    }
    return error;
}

/* ---- running ---- */

static void bury(coir_exec *e)
{
    if (e->corpse != NULL)
        coir__task_free(e->corpse);
}

/* Runs the tasks of a turn. Inline, since each return after the switch is mispredicted. */
static COIR__FORCE_INLINE void run_tasks(coir_exec *e)
{
    begin_turn(e);
    coir__enter(coir__thread_now(), e->loop, NULL, NULL);
    bury(e);
}

static COIR__FORCE_INLINE int turn(coir_exec *e, int64_t deadline)
{
    int error = look_outside(e, deadline);

    if (error < 0)
        return error;
    if (coir__ready_count(e) == 0 || e->stopping)
        return COIR_OK;
    run_tasks(e);
    return COIR_OK;
}

/* What runs an executor, and what was before. */
struct host {
    struct coir__thread *thread;
    coir_fiber *fiber;
    coir_exec *outer;
    uint16_t special;
};

int coir__exec_check(const coir_exec *e)
{
    return e != NULL ? coir__thread_check(e->thread) : COIR_EINVAL;
}

/* Begins to run `e` on the stack of the current fiber, which must not suspend in what the executor calls. */
static int begin(coir_exec *e, bool one_turn, struct host *host)
{
    int error = coir__exec_check(e);

    if (error != COIR_OK)
        return error;
    if (e->active)
        return COIR_EBUSY;
    host->thread = coir__thread_now();
    host->fiber = host->thread->current;
    host->outer = host->thread->exec;
    host->special = host->fiber->special;
    host->fiber->special |= COIR__HOST;
    host->thread->exec = e;
    e->active = true;
    e->one_turn = one_turn;
    return COIR_OK;
}

static void end(coir_exec *e, const struct host *host)
{
    e->active = false;
    e->stopping = false; /* whatever it was to stop, it has */
    host->thread->exec = host->outer;
    if (!(host->special & COIR__HOST))
        host->fiber->special &= (uint16_t)~COIR__HOST;
}

/* Runs turns until is_done(arg) is true: COIR_OK; or stop: STOPPED; or the deadline, after one turn at least:
 * COIR_ETIMEDOUT. Or COIR_EBUSY, COIR_EDEADLK, a code of the poller's. */
#define STOPPED 1

static int run_until(coir_exec *e, bool (*is_done)(const void *arg), const void *arg, int64_t deadline)
{
    struct host host;
    int result = begin(e, deadline != COIR_FOREVER, &host);
    bool has_run = false;

    if (result != COIR_OK)
        return result;
    while (result == COIR_OK && !is_done(arg)) {
        if (e->stopping)
            result = STOPPED;
        else if (has_run && coir__is_past(e, deadline))
            result = COIR_ETIMEDOUT;
        else
            result = turn(e, deadline);
        has_run = true;
    }
    end(e, &host);
    return result;
}

int coir__exec_run_until(coir_exec *e, bool (*is_done)(const void *arg), const void *arg, int64_t deadline)
{
    int result = run_until(e, is_done, arg, deadline);

    return result == STOPPED ? COIR_EAGAIN : result;
}

static bool is_finished(const void *exec)
{
    const coir_exec *e = exec;

    return e->alive == 0 && e->holds == 0 && !coir__is_posted(e);
}

static int tasks_left(const coir_exec *e)
{
    return e->alive > 0 ? COIR_TASKS_LEFT : COIR_OK;
}

int coir_exec_run(coir_exec *e)
{
    int result = run_until(e, is_finished, e, COIR_FOREVER);

    return result < 0 ? result : tasks_left(e);
}

int coir_exec_run_once_until(coir_exec *e, int64_t deadline)
{
    struct host host;
    int error = begin(e, true, &host);

    if (error != COIR_OK)
        return error;
    if (!e->stopping)
        error = turn(e, deadline);
    end(e, &host);
    return error < 0 ? error : tasks_left(e);
}

int coir_exec_run_ready(coir_exec *e)
{
    int error = coir__exec_check(e);
    bool one_turn;

    if (error != COIR_OK)
        return error;
    if (!e->in_poller || coir__thread_now()->exec != e)
        return COIR_EBUSY;
    if (coir__ready_count(e) == 0 || e->stopping)
        return COIR_OK;
    one_turn = e->one_turn;
    e->in_poller = false;
    e->one_turn = true;
    run_tasks(e);
    e->one_turn = one_turn;
    e->in_poller = true;
    return COIR_OK;
}

int coir_exec_stop(coir_exec *e)
{
    int error = coir__exec_check(e);

    if (error != COIR_OK)
        return error;
    e->stopping = true;
    coir__exec_end_turn(e);
    return COIR_OK;
}

/* ---- making and destroying ---- */

static bool is_whole(const coir_poller *poller)
{
    return poller->wait != NULL && poller->wake != NULL && poller->active != NULL;
}

static int check_options(const coir_exec_options *opt)
{
    if ((opt->flags & ~COIR_VIRTUAL_CLOCK) != 0 || opt->reserved_flags != 0)
        return COIR_EINVAL;
    for (size_t i = 0; i < sizeof opt->reserved / sizeof opt->reserved[0]; i++)
        if (opt->reserved[i] != NULL)
            return COIR_EINVAL;
    if (opt->clock != NULL && (opt->flags & COIR_VIRTUAL_CLOCK))
        return COIR_EINVAL;
    return opt->poller == NULL || is_whole(opt->poller) ? COIR_OK : COIR_EINVAL;
}

static void initialise(coir_exec *e, const coir_exec_options *opt)
{
    e->shuffled = opt->seed != 0;
    e->random = opt->seed;
    e->has_virtual_clock = opt->flags & COIR_VIRTUAL_CLOCK;
    e->clock = opt->clock;
    e->clock_context = opt->clock_context;
    e->report = opt->report;
    e->report_context = opt->report_context;
    e->has_poller = opt->poller != NULL;
    if (e->has_poller)
        e->poller = *opt->poller;
}

/* Grows the ring. Indices stay as they are: only what they are masked with changes. */
static int reserve_ring(coir_exec *e, uint32_t capacity)
{
    coir_task **ring = coir__allocate(capacity * sizeof *ring);

    if (ring == NULL)
        return COIR_ENOMEM;
    for (uint32_t i = coir__head(e); i != coir__tail(e); i++)
        ring[i & (capacity - 1)] = e->ring[i & e->mask];
    coir__release(e->ring, ((size_t)e->mask + 1) * sizeof *ring);
    e->ring = ring;
    e->mask = capacity - 1;
    return COIR_OK;
}

#define FIRST_CAPACITY 16

int coir__exec_reserve(coir_exec *e)
{
    uint32_t capacity = e->ring != NULL ? e->mask + 1 : 0;
    int error;

    if (e->alive < capacity)
        return COIR_OK;
    capacity = capacity > 0 ? capacity * 2 : FIRST_CAPACITY;
    error = coir__timers_reserve(&e->timers, capacity);
    return error == COIR_OK ? reserve_ring(e, capacity) : error;
}

static int make_home(coir_exec *e)
{
    e->home = coir__allocate_aligned(sizeof *e->home);
    if (e->home == NULL)
        return COIR_ENOMEM;
    memset(e->home, 0, sizeof *e->home);
    e->home->leaf = e->loop;
    e->home->exec = e;
    e->home->unwilling = true;
    e->running = e->home;
    return COIR_OK;
}

static int make_loop(coir_exec *e, struct coir__thread *thread)
{
    const coir_options opt = {.name = "coir_exec"};
    int error = coir__fiber_make(thread, &loop_keeper, run_loop, e, &opt, &e->loop);

    if (error == COIR_OK)
        e->loop->special |= COIR__TASK;
    return error;
}

/* Releases all that was made of an executor; its loop first, as that may fail where the thread has ended; then the event,
 * which other threads may still be about to let go of. */
static int release(coir_exec *e)
{
    int error = e->loop != NULL ? coir__fiber_destroy(e->loop) : COIR_OK;

    if (error != COIR_OK)
        return error;
    if (e->event != NULL)
        coir__event_destroy(e->event);
    while (e->unused != NULL) {
        coir_task *task = e->unused;
        e->unused = task->next;
        coir__release_aligned(task, sizeof *task);
    }
    if (e->home != NULL)
        coir__release_aligned(e->home, sizeof *e->home);
    coir__timers_release(&e->timers);
    if (e->ring != NULL)
        coir__release(e->ring, ((size_t)e->mask + 1) * sizeof *e->ring);
    coir__release_aligned(e, sizeof *e);
    return COIR_OK;
}

static int make_parts(coir_exec *e, struct coir__thread *thread)
{
    int error = make_loop(e, thread);

    if (error == COIR_OK)
        error = make_home(e);
    if (error == COIR_OK)
        error = coir__event_create(&e->event);
    return error == COIR_OK ? coir__exec_reserve(e) : error;
}

int coir_exec_create(coir_exec **out, const coir_exec_options *opt)
{
    static const coir_exec_options no_options;
    struct coir__thread *thread;
    coir_exec *e;
    int error;

    if (out == NULL)
        return COIR_EINVAL;
    error = opt != NULL ? check_options(opt) : COIR_OK;
    if (error == COIR_OK)
        error = coir__thread_enter(&thread);
    if (error != COIR_OK)
        return error;
    e = coir__allocate_aligned(sizeof *e);
    if (e == NULL)
        return COIR_ENOMEM;
    memset(e, 0, sizeof *e);
    e->thread = thread->number;
    initialise(e, opt != NULL ? opt : &no_options);
    error = make_parts(e, thread);
    if (error == COIR_OK)
        *out = e;
    else
        release(e);
    return error;
}

/* Ends the tasks of a thread that has ended. Those that have not started know nothing of it. */
static int destroy_left_tasks(coir_exec *e)
{
    coir_task *next;

    for (coir_task *task = e->tasks; task != NULL; task = next) {
        int error;
        next = task->next;
        if (task->ended)
            continue;
        error = coir__task_abandon(task);
        if (error != COIR_OK)
            return error;
    }
    return COIR_OK;
}

/* A task that has ended may have an awaiter who has still to come for it. */
static bool is_awaited(const coir_exec *e)
{
    for (const coir_task *task = e->tasks; task != NULL; task = task->next)
        if (task->awaiter != NULL)
            return true;
    return false;
}

static bool is_in_use(const coir_exec *e)
{
    return e->active || e->alive > 0 || e->holds > 0 || e->groups > 0 || coir__is_posted(e) || is_awaited(e);
}

/* Makes it one that nothing hinders from being released, after its thread has ended. */
static int abandon(coir_exec *e)
{
    int error;

    bury(e);
    error = destroy_left_tasks(e);
    if (error != COIR_OK)
        return error;
    coir__forget_posted(e);
    return e->groups > 0 ? COIR_EBUSY : COIR_OK;
}

int coir_exec_destroy(coir_exec *e)
{
    struct coir__thread *thread;
    int error;

    if (e == NULL)
        return COIR_OK;
    error = coir__thread_enter(&thread);
    if (error != COIR_OK)
        return error;
    if (e->thread == thread->number)
        error = is_in_use(e) ? COIR_EBUSY : COIR_OK;
    else
        error = coir__thread_lives(e->thread) ? COIR_ETHREAD : abandon(e);
    if (error != COIR_OK)
        return error;
    bury(e);
    while (e->tasks != NULL)
        coir__task_free(e->tasks);
    return release(e);
}

/* ---- questions ---- */

int64_t coir_exec_next_deadline(const coir_exec *e)
{
    int error = coir__exec_check(e);
    int64_t next;

    if (error != COIR_OK)
        return error;
    next = has_work(e) ? 0 : coir__timers_next(&e->timers);
    return next > 0 ? next : 0; /* what is overdue may have any time, and an error is negative */
}

int64_t coir_exec_now(const coir_exec *e)
{
    int error = coir__exec_check(e);

    return error == COIR_OK ? coir__exec_now(e) : error;
}

int coir_exec_tasks(const coir_exec *e)
{
    int error = coir__exec_check(e);

    return error == COIR_OK ? (int)e->alive : error;
}

int coir_exec_holds(const coir_exec *e)
{
    int error = coir__exec_check(e);

    return error == COIR_OK ? (int)e->holds : error;
}

const coir_poller *coir_exec_poller(const coir_exec *e)
{
    return e != NULL && e->has_poller ? &e->poller : NULL;
}

coir_exec *coir_exec_current(void)
{
    coir_exec *e = coir__thread_now()->exec;

    return e != &coir__no_exec ? e : NULL;
}

int coir_exec_cancel(coir_exec *e)
{
    int error = coir__exec_check(e);

    if (error != COIR_OK)
        return error;
    for (coir_task *task = e->tasks; task != NULL; task = task->next)
        if (!task->ended)
            coir__task_cancel(task);
    return COIR_OK;
}

int coir_exec_hold(coir_exec *e)
{
    int error = coir__exec_check(e);

    if (error == COIR_OK)
        e->holds++;
    return error;
}

int coir_exec_release(coir_exec *e)
{
    int error = coir__exec_check(e);

    if (error != COIR_OK)
        return error;
    if (e->holds == 0)
        return COIR_EINVAL;
    e->holds--;
    return COIR_OK;
}
