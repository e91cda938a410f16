/* SPDX-License-Identifier: MIT */
/* model.h - what must happen: a model of the library's promises, as simple as they are.
 *
 * The model knows in which context the program runs, and in which it will be next. Each call is told to it first: it
 * changes its own state as the headers say, and notes with which result which context goes on (`due`). Then the call
 * is made for real, and wherever control comes out, that place asks `arrived` (or `started`, ...) whether it is the
 * one that the model expects. Only what an executor does next is found out later, when control has come out, since the
 * headers leave it some freedom there: `scheduling` is the executor that is to choose. */

#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <coir.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many there can be of each. */
enum {
    FIBERS = 10,
    GENERATORS = 5,
    TASKS = 12,
    CONTEXTS = 1 + FIBERS + GENERATORS + TASKS,
    EXECUTORS = 3,
    CHANNELS = 3,
    MUTEXES = 2,
    CONDITIONS = 2,
    SEMAPHORES = 2,
    GROUPS = 3,
    WAITS = 3,
    KEYS = 5,
    NOTES = 6,
    POSTS = 8,
    CASES = 3,
    MOST_CAPACITY = 3,
    LINE = TASKS * CASES
};

/* What the next return in a context must give. */
struct due {
    int code;
    intptr_t values[CASES]; /* results, or an item in the first */
    int which;              /* the case of a select, the index of an await */
};

/* What coir_defer noted. */
struct note {
    int fn;
    intptr_t arg;
};

enum kind { MAIN, FIBER, GENERATOR, TASK };

/* Where code can run: the thread itself, a fiber, a generator, the root of a task. */
struct context {
    enum kind kind;
    bool used;
    unsigned id;
    coir_fiber *fiber; /* of a generator: known once it has run */
    coir_gen *generator;
    size_t item_size;
    intptr_t item;           /* what a generator has handed out */
    int state;
    bool fresh;              /* has not run its first instruction */
    struct context *resumer; /* who waits for it */
    unsigned first;          /* the id of whom it has resumed */
    struct due due;
    bool cancelled;
    bool interrupted; /* coir_destroy makes it end */
    int ending;       /* 1: deferred functions, 2: destructors of keys */
    intptr_t result;
    struct executor *runs; /* the innermost executor that runs on its stack */
    struct note notes[NOTES];
    int note_count;
    intptr_t locals[KEYS];
    int sets; /* by destructors of keys */
    intptr_t data;
    const char *name;
    void *stack;
    struct task *task;
};

/* Tasks that wait, the longest first, each with the case of its select. */
struct line {
    struct task *task[LINE];
    int which[LINE];
    int count;
};

enum wait_kind {
    NOTHING,
    YIELD,
    SLEEP,
    PARK,
    AWAIT,
    AWAIT_ANY,
    CHANNEL,
    MUTEX,
    CONDITION,
    RELOCK,
    SEMAPHORE,
    GROUP,
    OBJECT
};

struct channel_case {
    struct channel *channel;
    int operation;
    intptr_t value;
};

struct task {
    bool used;
    unsigned id;
    coir_task *real;
    struct context *root;
    struct context *leaf;
    struct executor *executor;
    int state;
    bool detached;
    bool cancelled;
    bool shield;
    bool woken;
    bool in_turn;
    intptr_t result;
    struct task *awaited_by;           /* a task that waits for it, or has still to come for it */
    struct executor *awaited_outside;  /* the executor that runs until it ends */
    struct group *group;
    enum wait_kind wait;
    void *object;
    struct mutex *mutex; /* of a wait for a condition */
    int code;            /* of a wait for a condition, while it waits for the mutex */
    bool timed;
    int64_t deadline;
    unsigned timer; /* the order in which timers were set */
    bool overdue;   /* its deadline had passed when it was set: when it fires is the executor's affair */
    struct channel_case cases[CASES];
    struct task *targets[CASES];
    int count;
};

struct post {
    int number;
    intptr_t arg;
};

/* How an executor is run. */
enum mode { RUN, ONCE, AWAIT_OUTSIDE, GROUP_OUTSIDE };

struct executor {
    bool used;
    coir_exec *real;
    bool seeded, has_poller, manual;
    int64_t now;
    int holds;
    bool active;
    struct task *ready[TASKS];
    int ready_count;
    struct post posts[POSTS];
    int post_count;
    struct context *runner;
    struct executor *outer;
    enum mode mode;
    int64_t deadline;
    bool stopped;
    bool turn_begun;
    bool jumped;   /* in this turn, which waits only once */
    bool had_turn; /* by coir_exec_run_ready: then it need not wait for another */
    int posts_first;  /* posts that a turn has to call */
    bool interrupted; /* it was stopped before it had called all that was posted */
    int polled;      /* the code that the poller has returned */
    struct task *targets[CASES];
    int count;
    bool any;
    struct group *group;
    int reports;
    int polls; /* since time last went on */
    bool polling, inner, outer_begun; /* in the poller's wait; in its coir_exec_run_ready */
    enum mode outer_mode;
};

struct channel {
    bool used;
    coir_chan *real;
    size_t size;
    int capacity;
    bool closed;
    intptr_t items[MOST_CAPACITY];
    int count;
    struct line senders, receivers;
};

struct mutex {
    bool used;
    coir_mutex *real;
    struct task *owner;
    bool abandoned; /* its owner has ended */
    struct line line;
    int relocks;
};

struct condition {
    bool used;
    coir_cond *real;
    struct line line;
};

struct semaphore {
    bool used;
    coir_sem *real;
    unsigned count;
    struct line line;
};

struct group {
    bool used;
    coir_group *real;
    unsigned id;
    struct executor *executor;
    int failed;
    struct line line;
};

struct wait_object {
    coir_wait real;
    struct task *task;
    bool ended;
    int code;
    int policy; /* of give_up */
    bool given_up;
};

struct key {
    bool used;
    coir_key real;
    bool has_destructor;
};

/* How control comes out in a context. */
enum arrival { RETURNED, STARTED, NOTED, UNDEFERRED, DESTROYS_VALUE };

struct world {
    struct context contexts[CONTEXTS];
    struct task tasks[TASKS];
    struct executor executors[EXECUTORS];
    struct channel channels[CHANNELS];
    struct mutex mutexes[MUTEXES];
    struct condition conditions[CONDITIONS];
    struct semaphore semaphores[SEMAPHORES];
    struct group groups[GROUPS];
    struct wait_object waits[WAITS];
    struct key keys[KEYS];
    struct context *current;
    enum arrival expected;
    struct executor *scheduling;
    struct note undeferred;
    unsigned ids;
    intptr_t values;
    bool hooked;
    coir_fiber *hook_at;
    bool drained;
    const char *last; /* call that was made */
};
extern struct world world;

/* Ends the program; does not return. */
void model_fail(const char *file, int line, const char *what);
#define MUST(condition) ((condition) ? (void)0 : model_fail(__FILE__, __LINE__, #condition))

/* A result and the one that it had to be. */
void model_check_code(int code, int expected);

/* Tells what happens, when that is wanted. */
void trace(const char *what, const void *object, int64_t value);

/* ---- contexts: model_fibers.c ---- */

struct context *model_context(enum kind kind, int from, int count); /* an unused one, or NULL */
struct task *task_of(const struct context *c);
struct executor *executor_of(const struct context *c);
struct context *owner_of_locals(struct context *c);
void model_run(struct context *c); /* control goes there */
void model_now(int code);          /* the current context's call returns at once */

void model_resume(struct context *f, intptr_t value);
void model_cancel(struct context *f);
void model_yield(intptr_t value);
void model_switch(struct context *to, intptr_t value);
void model_destroy(struct context *f);
void model_exit(intptr_t result);
void model_returns(intptr_t result);
void model_note_over(void);
void model_defer(bool valid, int fn, intptr_t arg);
bool model_undefer(int fn, intptr_t arg, bool run);
void model_gen_next(struct context *g);
void model_gen_yield(struct context *g, bool has_item, intptr_t item);
void model_gen_destroy(struct context *g);
void model_end_context(struct context *c);
void model_delete_key(int key);

/* ---- where control comes out ---- */

struct context *arrived(struct context *me, int code);
struct context *started(struct context *me);
void noted(int fn, intptr_t arg);
void destroys(intptr_t value);
void model_check_here(const struct context *me);

/* ---- executors and tasks: model_tasks.c ---- */

int may_wait(void);
bool is_ending(const struct context *c);
void line_add(struct line *line, struct task *t, int which);
void line_remove(struct line *line, const struct task *t);
struct task *line_take(struct line *line, int *which);
bool in_line(const struct line *line, const struct task *t);

void make_ready(struct task *t, int code);
void wait_for(enum wait_kind kind, void *object, int64_t deadline);
int task_count(const struct executor *e);
int64_t next_timer(const struct executor *e);
void fire_timers(struct executor *e);
bool passed(int64_t deadline); /* in the time of the current task */

void model_task_ended(struct task *t);
void model_free_task(struct task *t);
void model_spawn(struct task *t, struct executor *e, bool detached, struct group *group);
void model_run_executor(struct executor *e, enum mode mode, int64_t deadline);
void model_choose(struct context *c);
void model_run_returns(struct executor *e, int code);
void model_posted(struct executor *e, const struct post *post);
void model_polled(struct executor *e, int64_t deadline);
void model_run_ready(struct executor *e);
void model_callback_over(struct executor *e);
void model_task_cancel(struct task *t);
void model_await(struct task **targets, int count, int64_t deadline, bool any);

/* ---- what tasks wait for: model_objects.c ---- */

bool channel_ready(const struct channel *c, int operation);
int channel_apply(struct channel *c, int operation, intptr_t value, intptr_t *received);
void model_close(struct channel *c);
void mutex_pass_on(struct mutex *m);
void condition_over(struct task *t, int code);
void model_signal(struct condition *c);
void model_cancel_tasks(const struct executor *e, const struct group *g); /* all of the one, or all of the other */
void group_fail(struct group *g, int code);
int group_count(const struct group *g);
void group_task_ended(struct group *g);
void wait_given_up(struct task *t, int code);
void leave_lines(struct task *t);

#endif
