/* SPDX-License-Identifier: MIT */
/* pages.c (Windows) - address space from VirtualAlloc; stacks that become memory page by page. growth.h draws one. */

#include <config.h>

#include <stdatomic.h>
#include <windows.h>
#include <psapi.h>

#include <coir/error.h>

#include "growth.h"
#include "pages.h"

/* What the system and a C++ runtime put on a stack to raise and handle an exception, besides the processor's state.
 * Under wine 8 a fiber that throws and catches with mingw's runtime has used less than 8 KiB in all. */
#define DISPATCH_SIZE 8192

/* The registers that came after SSE: a flag of x86's CONTEXT_..., which older headers lack. */
#if !defined(CONTEXT_XSTATE) && (defined(__x86_64__) || defined(__i386__))
#define CONTEXT_XSTATE (CONTEXT_CONTROL - 1 + 0x40)
#elif !defined(CONTEXT_XSTATE)
#define CONTEXT_XSTATE 0
#endif

size_t coir__page_size(void)
{
    static _Atomic size_t size;
    SYSTEM_INFO info;

    if (atomic_load_explicit(&size, memory_order_relaxed) == 0) {
        GetSystemInfo(&info);
        size = info.dwPageSize;
    }
    return atomic_load_explicit(&size, memory_order_relaxed);
}

/* The counterpart of a signal: an exception, for which the system writes all of the processor's state on the stack. */
size_t coir__signal_frame_size(void)
{
    DWORD size = 0;

    InitializeContext(NULL, CONTEXT_ALL | CONTEXT_XSTATE, NULL, &size); /* only tells how much it needs */
    if (size < sizeof(CONTEXT))
        size = sizeof(CONTEXT);
    return size + DISPATCH_SIZE;
}

void *coir__pages_reserve(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_READWRITE);
}

void coir__pages_release(void *low, size_t size)
{
    (void)size;
    VirtualFree(low, 0, MEM_RELEASE);
}

/* All stacks have one here: a stack that grows by its guard could not do without. */
size_t coir__pages_guard_size(bool wanted)
{
    (void)wanted;
    return COIR__GUARD_PAGES * coir__page_size();
}

/* What is reserved and never committed cannot be touched. */
int coir__pages_guard(void *low, size_t size)
{
    (void)low, (void)size;
    return COIR_OK;
}

int coir__pages_open(void *low, size_t size)
{
    char *limit = (char *)low + size - COIR__COMMIT_SIZE;
    size_t page = coir__page_size();

    if (VirtualAlloc(limit, COIR__COMMIT_SIZE, MEM_COMMIT, PAGE_READWRITE) == NULL)
        return COIR_ENOMEM;
    if (VirtualAlloc(limit - page, page, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD) != NULL)
        return COIR_OK;
    coir__pages_discard(low, size);
    return COIR_ENOMEM;
}

/* With what has been committed of the guard: an overflow takes some of it. */
bool coir__pages_discard(void *low, size_t size)
{
    size_t guard = coir__pages_guard_size(true);

    return VirtualFree((char *)low - guard, size + guard, MEM_DECOMMIT) != 0;
}

ptrdiff_t coir__pages_absent(char *low, size_t count)
{
    PSAPI_WORKING_SET_EX_INFORMATION pages[64];
    const size_t most = sizeof pages / sizeof pages[0];
    size_t page = coir__page_size();
    size_t absent = 0;

    while (absent < count) {
        size_t batch = count - absent < most ? count - absent : most;
        for (size_t i = 0; i < batch; i++)
            pages[i].VirtualAddress = low + (absent + i) * page;
        if (!QueryWorkingSetEx(GetCurrentProcess(), pages, (DWORD)(batch * sizeof pages[0])))
            return -1;
        for (size_t i = 0; i < batch; i++, absent++)
            if (pages[i].VirtualAttributes.Valid)
                return (ptrdiff_t)absent;
    }
    return (ptrdiff_t)absent;
}
