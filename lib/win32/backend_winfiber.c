/* SPDX-License-Identifier: MIT */
/* backend_winfiber.c - the system's own fibers: CreateFiberEx and SwitchToFiber. What the system and other libraries
 * know of stacks and of fiber-local storage (FLS) holds in them; that is why they are the first choice on Windows.
 *
 * A system fiber is made with each coir_create and deleted when its stack is given back: the FLS callbacks of others are
 * called then, and a new fiber finds no values in it. A fiber of ours runs in one system fiber from start to end.
 *
 * What is needed to continue a suspended side lies in the frame of the switch that left it. A new system fiber is
 * switched to once, to have such a frame and to tell the bounds of its stack. */

#include <config.h>

#include <fenv.h>
#include <stddef.h>
#include <string.h>
#include <windows.h>

#include "allocator.h"
#include "backend.h"
#include "pages.h"
#include "registers.h"
#include "stack.h"
#include "winfiber.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include "x86_64/control.h"
#else
#include <float.h>

/* As much as the C runtime has under its control, for other compilers and processors. */
static void coir__fpenv_read(struct coir__fpenv *out)
{
    out->word[0] = _controlfp(0, 0);
}

static void coir__fpenv_load(const struct coir__fpenv *fpenv)
{
    _controlfp(fpenv->word[0], _MCW_RC | _MCW_EM);
}

/* Nor is there a switch here that would have to know. */
static bool coir__has_shadow_stack(void)
{
    return false;
}
#endif

bool coir__winfiber_returns;

/* Does SwitchToFiber keep the floating-point control words for each fiber, as FIBER_FLAG_FLOAT_SWITCH asks? Windows
 * does, if the program has not made the thread a fiber without that flag; wine (seen with 8.0) leaves them as they
 * are. Found out when a system fiber is made. */
static _Atomic bool keeps_fpenv = true;

/* Of a fiber that has not started. */
struct birth {
    struct coir__suspended suspended;
    struct coir__fpenv fpenv; /* what it starts with */
};

/* What a stack of ours is to this file: its `object`, and `record` of the fiber that runs on it. */
struct system_fiber {
    void *fiber;             /* NULL when it has gone with its thread */
    void *creator;           /* the system fiber to switch back to from the first run */
    struct birth *birth;     /* in the frame that waits there for its start */
    ULONG_PTR low, high;
    int rounding;            /* how it rounds until it starts */
};

/* What the system commits at first: the rest of the reserve becomes memory as it is touched. Without it the size
 * would be that of the program's header, which may be all. */
#define COMMIT_SIZE 8192

/* Pages at the low end of a stack that only the handling of an overflow may use: the guaranteed bytes, two pages on
 * 64-bit Windows unless SetThreadStackGuarantee asks for more, the guard and the last page; and one for good
 * measure. */
#define OVERFLOW_PAGES 5

static bool available(void)
{
    coir__winfiber_returns = coir__has_shadow_stack();
    return true;
}

/* A thread may be a fiber already, and then stays one when it leaves us. */
static int enter_thread(struct coir__context *root)
{
    root->record = NULL;
    if (IsThreadAFiber())
        return COIR_OK;
    if (ConvertThreadToFiberEx(NULL, FIBER_FLAG_FLOAT_SWITCH) == NULL)
        return COIR_ENOMEM;
    root->record = root; /* by us */
    return COIR_OK;
}

static void leave_thread(struct coir__context *root, struct coir__context *current)
{
    if (current != root) {
        /* The thread ends inside of a fiber. The system releases that one and its stack with the thread. */
        struct system_fiber *left = current->record;
        left->fiber = NULL;
    } else if (root->record != NULL) {
        ConvertFiberToThread();
    }
}

/* What each system fiber runs. Never returns: that would end the thread. */
static void WINAPI run(void *argument)
{
    struct system_fiber *self = argument;
    struct birth birth;

    birth.suspended.fiber = self->fiber;
    GetCurrentThreadStackLimits(&self->low, &self->high);
    self->birth = &birth;
    fesetround(self->rounding);
    SwitchToFiber(self->creator);
    if (keeps_fpenv)
        coir__fpenv_load(&birth.fpenv);
    birth.suspended.function();
}

/* Lets a new system fiber run to where it waits for its start. It rounds in another way than we do; so where that is
 * seen afterwards, the switch does not keep it apart. */
static void start(struct system_fiber *made)
{
    struct coir__fpenv ours;

    coir__fpenv_read(&ours);
    made->rounding = fegetround() == FE_TONEAREST ? FE_UPWARD : FE_TONEAREST;
    made->creator = GetCurrentFiber();
    SwitchToFiber(made->fiber);
    if (fegetround() == made->rounding) {
        keeps_fpenv = false;
        coir__fpenv_load(&ours);
    }
}

static int make_stack(size_t size, struct coir__stack *out)
{
    struct system_fiber *made = coir__allocate(sizeof *made);
    size_t unusable = OVERFLOW_PAGES * coir__page_size();

    if (made == NULL)
        return COIR_ENOMEM;
    made->fiber = CreateFiberEx(COMMIT_SIZE, size + unusable, FIBER_FLAG_FLOAT_SWITCH, run, made);
    if (made->fiber == NULL) {
        coir__release(made, sizeof *made);
        return COIR_ENOMEM;
    }
    start(made);
    out->low = (char *)made->low + unusable;
    out->size = made->high - made->low - unusable;
    out->object = made;
    return COIR_OK;
}

static void delete_stack(struct coir__stack *stack)
{
    struct system_fiber *made = stack->object;

    if (made->fiber != NULL)
        DeleteFiber(made->fiber);
    coir__release(made, sizeof *made);
}

static void prepare(struct coir__context *context, const struct coir__stack *stack, void (*entry)(void))
{
    struct system_fiber *made = stack->object;

    made->birth->suspended.function = entry;
    coir__fpenv_read(&made->birth->fpenv);
    context->saved = &made->birth->suspended;
    context->record = made;
}

static void interrupt(struct coir__context *context, void (*function)(void))
{
    struct coir__suspended *there = context->saved;

    there->function = function;
}

#ifdef COIR_WALKS
static void read_registers(const struct coir__context *context, struct coir__registers *out)
{
    const struct coir__suspended *there = context->saved;
    const DWORD64 *behind = (const void *)(there + 1);
    CONTEXT *words = &out->context;

    if (there->context != NULL) {
        *words = *there->context;
        return;
    }
    memset(words, 0, sizeof *words);
    words->ContextFlags = CONTEXT_CONTROL | CONTEXT_INTEGER;
    words->Rbx = there->preserved[0];
    words->Rbp = there->preserved[1];
    words->Rsi = there->preserved[2];
    words->Rdi = there->preserved[3];
    words->R12 = there->preserved[4];
    words->R13 = there->preserved[5];
    words->R14 = there->preserved[6];
    words->R15 = there->preserved[7];
    words->Rip = behind[0];
    words->Rsp = (DWORD64)(behind + 1);
}
#else
#define read_registers NULL
#endif

/* What was read is loaded only where the system has not done so. */
static void fpenv_load(const struct coir__fpenv *fpenv)
{
    if (!keeps_fpenv)
        coir__fpenv_load(fpenv);
}

#ifdef _WIN64
_Static_assert(offsetof(struct coir__context, saved) == CONTEXT_SAVED, "the assembly knows it");
_Static_assert(offsetof(struct coir__suspended, fiber) == SUSPENDED_FIBER, "the assembly knows it");
_Static_assert(offsetof(struct coir__suspended, function) == SUSPENDED_FUNCTION, "the assembly knows it");
_Static_assert(offsetof(struct coir__suspended, result) == SUSPENDED_RESULT, "the assembly knows it");
_Static_assert(offsetof(struct coir__suspended, context) == SUSPENDED_CONTEXT, "the assembly knows it");
_Static_assert(offsetof(struct coir__suspended, preserved) == SUSPENDED_RBX, "the assembly knows it");
_Static_assert(sizeof(struct coir__suspended) == SUSPENDED_SIZE, "the assembly knows it");
#endif

const struct coir__backend coir__backend_winfiber = {
    .name = "winfiber",
    .overhead = 1024 + sizeof(CONTEXT), /* the frames of run and SwitchToFiber, rounded up, and that of a switch in C */
    .available = available,
    .enter_thread = enter_thread,
    .leave_thread = leave_thread,
    .make_stack = make_stack,
    .delete_stack = delete_stack,
    .prepare = prepare,
    .interrupt = interrupt,
    .switches = {coir__winfiber_switch_in, coir__winfiber_switch_out, coir__winfiber_switch_over,
                 coir__winfiber_switch_across, false},
    .registers = read_registers,
    .fpenv_read = coir__fpenv_read,
    .fpenv_load = fpenv_load,
};
