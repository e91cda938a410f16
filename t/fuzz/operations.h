/* SPDX-License-Identifier: MIT */
/* operations.h - the interpreter: turns a string of bytes into calls of the library, and compares what they do with
 * the model. */

#ifndef FUZZ_OPERATIONS_H
#define FUZZ_OPERATIONS_H

#include "model.h"

/* Before the first use of the library. With `stacks` its stacks come from the program too. */
void fuzz_set_up(bool stacks);

/* Interprets the bytes, then ends and destroys all that is left. */
void fuzz_run(const uint8_t *bytes, size_t size);

/* The number of calls made so far, and the memory that the library has now: blocks, and bytes. */
extern unsigned long long fuzz_calls;
size_t fuzz_blocks(void);
size_t fuzz_bytes(void);

/* What takes the message of a difference between library and model; it must not return. */
extern void (*fuzz_failed)(const char *message);

/* ---- between the files of the interpreter ---- */

typedef void call(void);

unsigned next_byte(void);
bool one_in(unsigned n);
intptr_t new_value(void); /* 0 now and then */
void interpret(unsigned most);

/* Memory: makes the n-th allocation from now on fail, if the input says so. Then, did it? */
void memory_may_fail(void);
bool memory_failed(void);

/* The result of a call that may lack memory: true if it did, and then nothing has changed. */
bool lacked_memory(int code);

/* One of those there are, or NULL. */
struct context *pick_context(enum kind kind);
struct context *pick_fiber(void); /* of any kind */
struct task *pick_task(void);
struct executor *pick_executor(void);
coir_fiber *real_fiber(const struct context *c);

/* Options for a new fiber, and what creating with them gives: COIR_OK, or an error. `defaults`: none are given. */
int pick_options(coir_options *opt, struct context *c, bool task, bool defaults);
void forget_stack(struct context *c);

void *fiber_body(void *arg);
int generator_body(coir_gen *g, void *arg);


/* Each table ends with NULL. */
extern call *const fiber_operations[], *const task_operations[], *const object_operations[];

/* Ends what is left. */
void end_objects(void);
void end_tasks(void);
void end_fibers(void);
bool wake_all(struct executor *e);

#endif
