/* SPDX-License-Identifier: MIT */
/* walk.c (Windows) - stacks are walked by the system, from the unwind tables of 64-bit programs. */

#include <config.h>

#include <windows.h>

#include "backend.h"
#include "registers.h"
#include "walk.h"

bool coir__can_walk(void)
{
    return true;
}

static bool is_end(uintptr_t pc, uintptr_t function, const struct coir__walk_end *end)
{
    if (pc == end->pc && pc != 0)
        return true;
    return function != 0 && (function == end->functions[0] || function == end->functions[1]);
}

/* From a function without an entry, one that calls nothing and has no frame: its return address is the first word.
 * That may be no memory, if a bad jump led here, so it is read with care. */
static bool leave_leaf(CONTEXT *context)
{
    const void *top = (const void *)context->Rsp;
    SIZE_T length;

    if (!ReadProcessMemory(GetCurrentProcess(), top, &context->Rip, sizeof context->Rip, &length))
        return false;
    context->Rsp += sizeof context->Rip;
    return true;
}

/* Goes on to the caller. Only the first frame can be one without an entry. */
static bool step(CONTEXT *context, RUNTIME_FUNCTION *entry, DWORD64 image, bool is_first)
{
    DWORD64 frame;
    PVOID data;

    if (entry == NULL)
        return is_first && leave_leaf(context);
    RtlVirtualUnwind(UNW_FLAG_NHANDLER, image, context->Rip, entry, context, &data, &frame, NULL);
    return true;
}

/* A return address may lie behind its function, if that ends in a call which does not return; so the instruction
 * before it is looked up. */
static void walk(CONTEXT *context, bool exact, const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    struct coir__frame frame = {0, exact};
    bool is_first = true;
    RUNTIME_FUNCTION *entry;
    DWORD64 image = 0;

    do {
        frame.pc = context->Rip;
        entry = RtlLookupFunctionEntry(frame.pc - !frame.exact, &image, NULL);
        if (is_end(frame.pc, entry != NULL ? image + entry->BeginAddress : 0, end) || !visit(&frame, arg) ||
            !step(context, entry, image, is_first))
            return;
        frame.exact = false;
        is_first = false;
    } while (context->Rip != 0);
}

void coir__walk_here(const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    CONTEXT context;

    RtlCaptureContext(&context);
    walk(&context, true, end, visit, arg);
}

void coir__walk_suspended(const struct coir__context *context, const struct coir__walk_end *end, coir__visit_fn *visit,
                          void *arg)
{
    struct coir__registers registers;

    coir__backend()->registers(context, &registers);
    walk(&registers.context, false, end, visit, arg);
}

void coir__walk_interrupted(const void *state, const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    CONTEXT context = *(const CONTEXT *)state;

    walk(&context, true, end, visit, arg);
}

uintptr_t coir__walk_stack_pointer(const void *state)
{
    return ((const CONTEXT *)state)->Rsp;
}

/* Names are in files of their own (.pdb), or in a form that Windows does not know. */
bool coir__name_function(const struct coir__frame *frame, char *name, size_t size, uintptr_t *offset)
{
    (void)frame, (void)name, (void)size, (void)offset;
    return false;
}
