/* SPDX-License-Identifier: MIT */
/* backend_x86_64_sysv.c - the C half of the x86-64 assembly: it builds the stacks that switch_x86_64_sysv.S runs on. */

#include <config.h>

#include <stdint.h>
#include <string.h>
#include <unwind.h>

#include "backend.h"
#include "entries_x86_64_sysv.h"
#include "gen.h"
#include "registers.h"
#include "stack.h"
#include "thread.h"
#include "x86_64/control.h"
#include "x86_64_sysv.h"

#define LIES_AT(type, field, offset) \
    _Static_assert(offsetof(struct type, field) == (offset), "the assembly knows where " #field " is")
LIES_AT(coir__context, saved, CONTEXT_SAVED);
LIES_AT(coir__context, record, CONTEXT_RECORD);
LIES_AT(coir__thread, current, THREAD_CURRENT);
LIES_AT(coir__thread, watched, THREAD_WATCHED);
LIES_AT(coir__exceptions, caught, EXCEPTIONS_CAUGHT);
LIES_AT(coir__exceptions, in_flight, EXCEPTIONS_IN_FLIGHT);
LIES_AT(coir_fiber, context, 0);
LIES_AT(coir_fiber, resumable_by, FIBER_RESUMABLE_BY);
LIES_AT(coir_fiber, resumer, FIBER_RESUMER);
LIES_AT(coir_fiber, in, FIBER_IN);
LIES_AT(coir_fiber, out, FIBER_OUT);
LIES_AT(coir_fiber, unwanted, FIBER_UNWANTED);
LIES_AT(coir_fiber, resume_code, FIBER_RESUME_CODE);
LIES_AT(coir_fiber, special, FIBER_SPECIAL);
LIES_AT(coir_gen, fiber, GEN_FIBER);
LIES_AT(coir_gen, item, GEN_ITEM);
LIES_AT(coir_gen, item_size, GEN_ITEM_SIZE);
_Static_assert((COIR__ENDING | COIR__UNWOUND | COIR__MOVABLE | COIR__HOST) == SPECIAL_OF_GENERATOR && COIR_YIELDED == YIELDED,
               "the assembly knows the values");

coir__switch_fn coir__x86_64_switch_in, coir__x86_64_switch_out, coir__x86_64_switch_over,
    coir__x86_64_switch_across;
void coir__x86_64_trampoline(void);
void coir__x86_64_interrupted(void);
extern const char coir__x86_64_resumed[];      /* a pc, not data */
extern const char coir__x86_64_first_return[]; /* and another */
extern const uint64_t coir__x86_64_end_record[];

_Unwind_Reason_Code coir__x86_64_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                             struct _Unwind_Exception *exception, struct _Unwind_Context *context);

/* An address of code or data as a word of a stack. */
#define WORD(address) ((uint64_t)(uintptr_t)(address))

/* Not while the process has a shadow stack, which the switches do not change. */
static bool available(void)
{
    return !coir__has_shadow_stack();
}

static void put(char *frame, size_t offset, uint64_t word)
{
    memcpy(frame + offset, &word, sizeof word);
}

/* Writes a frame for a switch to pop: it will jump to pc, with these in rbp and rbx. */
static void put_frame(char *frame, uint64_t pc, uint64_t rbp, uint64_t rbx)
{
    put(frame, FRAME_R15, 0);
    put(frame, FRAME_R14, 0);
    put(frame, FRAME_R13, 0);
    put(frame, FRAME_R12, 0);
    put(frame, FRAME_RBX, rbx);
    put(frame, FRAME_RBP, rbp);
    put(frame, FRAME_RIP, pc);
}

static void prepare(struct coir__context *context, const struct coir__stack *stack, void (*entry)(void))
{
    uintptr_t top = (uintptr_t)coir__stack_top(stack) & ~(uintptr_t)15;
    char *record = (char *)top - 16;
    char *frame = record - RECORD_ABOVE_TRAMPOLINE - FRAME_SIZE;

    put(record, 0, WORD(coir__x86_64_end_record));
    put(record, 8, WORD(coir__x86_64_resumed));
    put_frame(frame, WORD(coir__x86_64_trampoline), WORD(record), WORD(entry));
    context->record = record;
    context->saved = frame;
}

static void interrupt(struct coir__context *context, void (*function)(void))
{
    char *suspended = context->saved;
    char *frame = suspended - FRAME_SIZE;

    put_frame(frame, WORD(coir__x86_64_interrupted), WORD(suspended), WORD(function));
    context->saved = frame;
}

static void link(struct coir__context *context, const struct coir__context *resumer)
{
    put(context->record, 0, WORD((char *)resumer->saved + FRAME_RBP));
}

#ifdef COIR_WALKS
static greg_t get(const char *frame, size_t offset)
{
    greg_t word;

    memcpy(&word, frame + offset, sizeof word);
    return word;
}

static void read_registers(const struct coir__context *context, struct coir__registers *out)
{
    const char *frame = context->saved;
    greg_t *words = out->ucontext.uc_mcontext.gregs;

    memset(out, 0, sizeof *out);
    words[REG_R15] = get(frame, FRAME_R15);
    words[REG_R14] = get(frame, FRAME_R14);
    words[REG_R13] = get(frame, FRAME_R13);
    words[REG_R12] = get(frame, FRAME_R12);
    words[REG_RBX] = get(frame, FRAME_RBX);
    words[REG_RBP] = get(frame, FRAME_RBP);
    words[REG_RIP] = get(frame, FRAME_RIP);
    words[REG_RSP] = (greg_t)WORD(frame + FRAME_SIZE);
}
#else
#define read_registers NULL
#endif

/* What unwinders ask at the trampoline. The forced unwinding of pthread_exit and pthread_cancel goes on into the resumer,
 * whose thread ends; the fiber's first function has taken note of it. An exception that looks for a handler is told that
 * there is none, so that a C++ runtime calls std::terminate with the fiber's stack intact. Types and meanings: Itanium
 * C++ ABI, exception handling, 1.3 to 1.6. */
_Unwind_Reason_Code coir__x86_64_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                             struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
    (void)version, (void)class, (void)exception, (void)context;
    return actions & _UA_FORCE_UNWIND ? _URC_CONTINUE_UNWIND : _URC_FATAL_PHASE1_ERROR;
}

const struct coir__backend coir__backend_asm = {
    .name = "asm",
    .overhead = 16 + RECORD_ABOVE_TRAMPOLINE + 8 + FRAME_SIZE,
    .available = available,
    .prepare = prepare,
    .interrupt = interrupt,
    .switches = {coir__x86_64_switch_in, coir__x86_64_switch_out, coir__x86_64_switch_over,
                 coir__x86_64_switch_across, true},
    .link = link,
    .registers = read_registers,
    .end_of_walks = coir__x86_64_first_return,
    .fpenv_read = coir__fpenv_read,
    .fpenv_load = coir__fpenv_load,
};
