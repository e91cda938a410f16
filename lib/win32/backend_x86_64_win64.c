/* SPDX-License-Identifier: MIT */
/* backend_x86_64_win64.c - the C half of the x86-64 assembly for Windows: it builds the stacks that
 * switch_x86_64_win64.S runs on, and stands at their end for exceptions that nobody handles. */

#include <config.h>

#include <stdint.h>
#include <string.h>
#include <windows.h>

#include "allocator.h"
#include "backend.h"
#include "growth.h"
#include "pages.h"
#include "registers.h"
#include "stack.h"
#include "x86_64/control.h"
#include "x86_64_win64.h"

/* What the assembly has at the offsets of x86_64_win64.h. */
struct record {
    uint64_t link;
    uint64_t stack_base;
    uint64_t stack_limit;
    uint64_t deallocation_stack;
    uint64_t exception_list;
    uint64_t guaranteed_bytes;
    uint64_t function;
    uint64_t original_pc;
};

_Static_assert(offsetof(struct coir__context, saved) == CONTEXT_SAVED, "the assembly knows it");
_Static_assert(offsetof(struct coir__context, record) == CONTEXT_RECORD, "the assembly knows it");
_Static_assert(offsetof(struct record, link) == RECORD_LINK, "the assembly knows it");
_Static_assert(offsetof(struct record, stack_base) == RECORD_STACK_BASE, "the assembly knows it");
_Static_assert(offsetof(struct record, stack_limit) == RECORD_STACK_LIMIT, "the assembly knows it");
_Static_assert(offsetof(struct record, deallocation_stack) == RECORD_DEALLOCATION_STACK, "the assembly knows it");
_Static_assert(offsetof(struct record, exception_list) == RECORD_EXCEPTION_LIST, "the assembly knows it");
_Static_assert(offsetof(struct record, guaranteed_bytes) == RECORD_GUARANTEED_BYTES, "the assembly knows it");
_Static_assert(offsetof(struct record, function) == RECORD_FUNCTION, "the assembly knows it");
_Static_assert(offsetof(struct record, original_pc) == RECORD_ORIGINAL_PC, "the assembly knows it");
_Static_assert(sizeof(struct record) == RECORD_SIZE, "drawn so");

coir__switch_fn coir__win64_switch_in, coir__win64_switch_out, coir__win64_switch_over, coir__win64_switch_across;
void coir__win64_trampoline(void);
void coir__win64_interrupted(void);
extern const uint64_t coir__win64_end_frame[];
extern const char coir__win64_first_return[]; /* a pc, not data */

EXCEPTION_DISPOSITION coir__win64_handler(EXCEPTION_RECORD *exception, void *frame, CONTEXT *context,
                                          void *dispatcher_context);

/* An address of code or data as a word of a stack. */
#define WORD(address) ((uint64_t)(uintptr_t)(address))

/* ExceptionList's end. It has had no meaning since 32-bit Windows, but wine follows it. */
#define NO_EXCEPTION_LIST (~(uint64_t)0)

/* Not while the process has a shadow stack, which the switches do not change. */
static bool available(void)
{
    return !coir__has_shadow_stack();
}

/* A field of the calling thread's environment block. */
static uint64_t *teb_field(size_t offset)
{
    return (uint64_t *)(void *)((char *)NtCurrentTeb() + offset);
}

/* The thread's own record is filled in by the switches that leave it; but the bounds, only when they have changed. */
static int enter_thread(struct coir__context *root)
{
    struct record *record = coir__allocate(sizeof *record);

    if (record == NULL)
        return COIR_ENOMEM;
    record->stack_base = *teb_field(TEB_STACK_BASE);
    record->deallocation_stack = *teb_field(TEB_DEALLOCATION_STACK);
    root->record = record;
    return COIR_OK;
}

/* Makes all of the current stack memory, without waiting for its guard to be touched. */
static bool commit_stack(void)
{
    uint64_t allocation = *teb_field(TEB_DEALLOCATION_STACK);
    size_t size = *teb_field(TEB_STACK_LIMIT) - allocation;

    if (size == 0)
        return true;
    if (VirtualAlloc((void *)(uintptr_t)allocation, size, MEM_COMMIT, PAGE_READWRITE) == NULL)
        return false;
    *teb_field(TEB_STACK_LIMIT) = allocation;
    return true;
}

/* If the thread ends in a fiber, its own stack is put in the fiber's place, since the system releases the one whose
 * allocation it knows of when the thread is gone. The rest of the thread's end still runs on the fiber's stack, which
 * cannot grow any more then; so if it cannot be made memory now, the thread's own is lost instead. */
static void leave_thread(struct coir__context *root, struct coir__context *current)
{
    struct record *record = root->record;

    if (current != root && commit_stack())
        *teb_field(TEB_DEALLOCATION_STACK) = record->deallocation_stack;
    coir__release(record, sizeof *record);
}

static struct record *record_of(const struct coir__stack *stack)
{
    return (struct record *)((WORD(coir__stack_top(stack)) & ~(uint64_t)15) - RECORD_SIZE);
}

/* Has a fiber on it gone down into what belongs to the handling of an overflow? Its record is zeros when the stack has
 * been opened only now. */
static bool has_overflowed(const struct coir__stack *stack)
{
    const struct record *record = record_of(stack);

    return coir__stack_is_own(stack) && record->stack_limit != 0 && record->stack_limit < WORD(stack->low);
}

/* Puts a guard below a stack again whose last one an overflow has used up. If that fails, what is below cannot be
 * touched all the same. */
static void restore_guard(const struct coir__stack *stack)
{
    size_t page = coir__page_size();
    char *guard = stack->low - COIR__GUARD_PAGES * page;

    VirtualFree(guard, COIR__GUARD_PAGES * page, MEM_DECOMMIT);
    VirtualAlloc(stack->low - page, page, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
    record_of(stack)->stack_limit = WORD(stack->low);
}

/* Writes how far down a stack is memory, and where it begins for the system. Of the library's own, which grow, the last
 * fiber on it left the limit in its record. The caller's or the allocator's memory is all there; as the system's limits
 * are pages, so is this. */
static void put_bounds(struct record *record, const struct coir__stack *stack)
{
    uint64_t page = coir__page_size();

    record->stack_base = WORD(coir__stack_top(stack));
    if (!coir__stack_is_own(stack)) {
        record->stack_limit = record->deallocation_stack = WORD(stack->low) & ~(page - 1);
        return;
    }
    record->deallocation_stack = WORD(stack->low) - COIR__OVERFLOW_PAGES * page;
    if (record->stack_limit == 0)
        record->stack_limit = WORD(stack->low) + stack->size - COIR__COMMIT_SIZE;
}

/* What a new fiber is guaranteed for the handling of an overflow: as much as its creator, or enough for handlers in C. */
static uint64_t first_guarantee(void)
{
    ULONG creators = *(const ULONG *)teb_field(TEB_GUARANTEED_BYTES);

    return creators > COIR__GUARANTEED_BYTES ? creators : COIR__GUARANTEED_BYTES;
}

static void put(char *frame, size_t offset, uint64_t word)
{
    memcpy(frame + offset, &word, sizeof word);
}

static void prepare(struct coir__context *context, const struct coir__stack *stack, void (*entry)(void))
{
    struct record *record = record_of(stack);
    char *frame = (char *)record - TRAMPOLINE_BELOW_RECORD - FRAME_SIZE;

    if (has_overflowed(stack))
        restore_guard(stack);
    put_bounds(record, stack);
    record->link = WORD(coir__win64_end_frame);
    record->exception_list = NO_EXCEPTION_LIST;
    record->guaranteed_bytes = first_guarantee();
    memset(frame, 0, FRAME_SIZE);
    put(frame, FRAME_RBX, WORD(entry));
    put(frame, FRAME_RBP, WORD(record));
    put(frame, FRAME_RIP, WORD(coir__win64_trampoline));
    context->record = record;
    context->saved = frame;
}

/* Nothing may be written below the suspended frame: from another stack a guard page cannot be touched. */
static void interrupt(struct coir__context *context, void (*function)(void))
{
    struct record *record = context->record;
    char *frame = context->saved;

    memcpy(&record->original_pc, frame + FRAME_RIP, sizeof record->original_pc);
    record->function = WORD(function);
    put(frame, FRAME_RIP, WORD(coir__win64_interrupted));
}

static void link(struct coir__context *context, const struct coir__context *resumer)
{
    struct record *record = context->record;

    record->link = WORD(resumer->saved);
}

#ifdef COIR_WALKS
static uint64_t get(const char *frame, size_t offset)
{
    uint64_t word;

    memcpy(&word, frame + offset, sizeof word);
    return word;
}

/* But for xmm6 to xmm15, which no walk depends on. */
static void read_registers(const struct coir__context *context, struct coir__registers *out)
{
    const char *frame = context->saved;
    CONTEXT *words = &out->context;

    memset(out, 0, sizeof *out);
    words->ContextFlags = CONTEXT_CONTROL | CONTEXT_INTEGER;
    words->R15 = get(frame, FRAME_R15);
    words->R14 = get(frame, FRAME_R14);
    words->R13 = get(frame, FRAME_R13);
    words->R12 = get(frame, FRAME_R12);
    words->Rsi = get(frame, FRAME_RSI);
    words->Rdi = get(frame, FRAME_RDI);
    words->Rbx = get(frame, FRAME_RBX);
    words->Rbp = get(frame, FRAME_RBP);
    words->Rip = get(frame, FRAME_RIP);
    words->Rsp = WORD(frame + FRAME_SIZE);
}
#else
#define read_registers NULL
#endif

/* Called by the system at the trampoline: when an exception has found no handler in the fiber. The first function of
 * any thread has a handler that asks the unhandled exception filters (SetUnhandledExceptionFilter, the C++ runtime's
 * for std::terminate, the system's error report), and ends the process if they say so; this does the same. The
 * trampoline asks for it in the search for a handler only, not when frames are unwound. */
EXCEPTION_DISPOSITION coir__win64_handler(EXCEPTION_RECORD *exception, void *frame, CONTEXT *context,
                                          void *dispatcher_context)
{
    EXCEPTION_POINTERS pointers = {exception, context};
    LONG verdict;

    (void)frame, (void)dispatcher_context;
    verdict = UnhandledExceptionFilter(&pointers);
    if (verdict == EXCEPTION_CONTINUE_EXECUTION)
        return ExceptionContinueExecution;
    if (verdict == EXCEPTION_EXECUTE_HANDLER)
        TerminateProcess(GetCurrentProcess(), exception->ExceptionCode);
    return ExceptionContinueSearch; /* a debugger is to have it */
}

const struct coir__backend coir__backend_asm = {
    .name = "asm",
    .overhead = 16 + RECORD_SIZE + TRAMPOLINE_BELOW_RECORD + 8 + FRAME_SIZE,
    .available = available,
    .enter_thread = enter_thread,
    .leave_thread = leave_thread,
    .prepare = prepare,
    .interrupt = interrupt,
    .switches = {coir__win64_switch_in, coir__win64_switch_out, coir__win64_switch_over, coir__win64_switch_across, false},
    .link = link,
    .registers = read_registers,
    .end_of_walks = coir__win64_first_return,
    .fpenv_read = coir__fpenv_read,
    .fpenv_load = coir__fpenv_load,
};
