/* SPDX-License-Identifier: MIT */
/* What on 64-bit Windows can only be seen from inside, so that this is linked with the library's objects: walking
 * the stack of a suspended fiber from what the assembly saved (the system's own fibers keep theirs to themselves);
 * and how the switches of Windows Fibers leave where there is a shadow stack. */

#include <config.h>

#include "t.h"

#include <string.h>
#include <windows.h>

#include "fiber.h"
#include "winfiber.h"
#include "x86_64_win64.h"

#define MOST 60

struct walk {
    uintptr_t frames[MOST];
    int count;
    bool clean;
};

static DWORD64 word(const char *frame, size_t offset)
{
    DWORD64 value;
    memcpy(&value, frame + offset, sizeof value);
    return value;
}

static CONTEXT read_context(const coir_fiber *f)
{
    const char *frame = f->context.saved;
    CONTEXT context;

    memset(&context, 0, sizeof context);
    context.R15 = word(frame, FRAME_R15);
    context.R14 = word(frame, FRAME_R14);
    context.R13 = word(frame, FRAME_R13);
    context.R12 = word(frame, FRAME_R12);
    context.Rsi = word(frame, FRAME_RSI);
    context.Rdi = word(frame, FRAME_RDI);
    context.Rbx = word(frame, FRAME_RBX);
    context.Rbp = word(frame, FRAME_RBP);
    context.Rip = word(frame, FRAME_RIP);
    context.Rsp = (DWORD64)(uintptr_t)(frame + FRAME_SIZE);
    return context;
}

static struct walk walk(const coir_fiber *f)
{
    struct walk walk = {.count = 0};
    CONTEXT context = read_context(f);

    while (context.Rip != 0 && walk.count < MOST) {
        DWORD64 image, frame;
        PVOID handler_data;
        RUNTIME_FUNCTION *function = RtlLookupFunctionEntry(context.Rip, &image, NULL);
        walk.frames[walk.count++] = context.Rip;
        if (function == NULL)
            return walk;
        RtlVirtualUnwind(UNW_FLAG_NHANDLER, image, context.Rip, function, &context, &handler_data, &frame, NULL);
    }
    walk.clean = context.Rip == 0;
    return walk;
}

#define LOOKED_FOR __attribute__((noinline, aligned(512)))

static bool has_frame_of(const struct walk *walk, void *(*function)(void *))
{
    for (int i = 0; i < walk->count; i++)
        if (walk->frames[i] - (uintptr_t)function < 512)
            return true;
    return false;
}

LOOKED_FOR static void *suspend_here(void *arg)
{
    coir_yield(NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return arg;
}

LOOKED_FOR static void *call_down(void *arg)
{
    volatile char frame[300];
    frame[0] = 1;
    arg = suspend_here(arg);
    return frame[0] ? arg : NULL;
}

static coir_fiber *successor;

LOOKED_FOR static void *switch_away(void *arg)
{
    coir_switch(successor, NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return arg;
}

LOOKED_FOR static void *resume_another(void *f)
{
    coir_resume(f, NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return NULL;
}

#define ONLY_ASSEMBLY           \
    if (!t_backend_is("asm"))   \
    return

START_TEST(a_suspended_fibers_walk_shows_its_frames_and_ends)
{
    ONLY_ASSEMBLY;
    coir_fiber *f = t_create(call_down, NULL), *outer = t_create(resume_another, f);
    coir_resume(outer, NULL, NULL);
    struct walk frames = walk(f);
    ck_assert(frames.clean);
    ck_assert(has_frame_of(&frames, suspend_here));
    ck_assert(has_frame_of(&frames, call_down));
    ck_assert(!has_frame_of(&frames, resume_another)); /* nobody waits for it */
    coir_destroy(f);
    coir_destroy(outer);
}
END_TEST

START_TEST(a_new_fibers_walk_ends)
{
    ONLY_ASSEMBLY;
    coir_fiber *f = t_create(call_down, NULL);
    ck_assert(walk(f).clean);
    coir_destroy(f);
}
END_TEST

START_TEST(a_fiber_left_by_switch_has_no_resumer_in_its_walk)
{
    ONLY_ASSEMBLY;
    coir_fiber *f = t_create(switch_away, NULL), *outer = t_create(resume_another, f);
    struct walk frames;
    successor = t_create(call_down, NULL);
    coir_resume(outer, NULL, NULL);
    frames = walk(f);
    ck_assert(frames.clean);
    ck_assert(has_frame_of(&frames, switch_away));
    ck_assert(!has_frame_of(&frames, resume_another));
    frames = walk(successor);
    ck_assert(frames.clean && has_frame_of(&frames, suspend_here));
    coir_destroy(f);
    coir_destroy(outer);
    coir_destroy(successor);
}
END_TEST

#ifdef T_WITH_WINFIBER

static void *yield_numbers(void *arg)
{
    for (int i = 1; i <= 5; i++)
        ck_assert_int_eq(coir_yield(T_VALUE(i), NULL), COIR_OK);
    return arg;
}

static void *switch_to_successor(void *arg)
{
    coir_switch(successor, NULL, NULL);
    return arg;
}

START_TEST(switches_that_leave_by_a_return_do_the_same)
{
    void *value;
    if (!t_backend_is("winfiber"))
        return;
    coir__winfiber_returns = true; /* as with a shadow stack */
    coir_fiber *f = t_create(switch_to_successor, T_VALUE(6));
    successor = t_create(yield_numbers, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_SWITCHED);
    for (int i = 2; i <= 5; i++) {
        ck_assert_int_eq(coir_resume(successor, NULL, &value), COIR_YIELDED);
        ck_assert_int_eq(T_NUMBER(value), i);
    }
    ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(value), 6);
    ck_assert_int_eq(coir_destroy(successor), COIR_OK); /* interrupted */
    coir_destroy(f);
}
END_TEST

#define WINFIBER_CASES switches_that_leave_by_a_return_do_the_same,
#else
#define WINFIBER_CASES
#endif

T_MAIN(WINFIBER_CASES a_suspended_fibers_walk_shows_its_frames_and_ends, a_new_fibers_walk_ends,
       a_fiber_left_by_switch_has_no_resumer_in_its_walk)
