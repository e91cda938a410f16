/* SPDX-License-Identifier: MIT */
/* os.c (Windows) - threads' records, the lock, the end of a thread, the environment. */

#include <config.h>

#include <io.h>
#include <stddef.h>
#include <windows.h>
#include <winternl.h>

#include <coir/error.h>

#include "os.h"
#include "thread.h"

_Atomic(uintptr_t) coir__thread_slot;

static SRWLOCK lock = SRWLOCK_INIT;
static _Atomic(DWORD) tls_index = TLS_OUT_OF_INDEXES;

#ifndef COIR__TEB_SLOT_ARRAY
struct coir__thread *coir__thread_find(uintptr_t slot)
{
    struct coir__thread *thread = NULL;
    DWORD error = GetLastError();

    if (slot != 0)
        thread = TlsGetValue(tls_index); /* it sets the last error, also when there is none */
    SetLastError(error);
    return thread;
}
#else
_Static_assert(offsetof(TEB, TlsExpansionSlots) == COIR__TEB_SLOT_ARRAY, "read in place");
#endif

/* A thread may end at any time from now on, and must find the code that looks after it. */
static void stay_loaded(void)
{
    HMODULE module;

    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                       (LPCWSTR)(void *)&lock, &module);
}

/* <winnt.h> has the number of slots in the TEB. */
static uintptr_t place_of(DWORD slot)
{
    if (slot < TLS_MINIMUM_AVAILABLE)
        return offsetof(TEB, TlsSlots) + slot * sizeof(void *);
    return COIR__SLOT_IN_ARRAY + (slot - TLS_MINIMUM_AVAILABLE) * sizeof(void *);
}

static void start(void)
{
    DWORD slot = TlsAlloc();

    if (slot == TLS_OUT_OF_INDEXES)
        return;
    tls_index = slot;
    coir__thread_slot = place_of(slot);
}

int coir__os_start(void)
{
    bool started;

    if (coir__thread_slot != 0)
        return COIR_OK;
    coir__lock();
    if (tls_index == TLS_OUT_OF_INDEXES)
        start();
    started = tls_index != TLS_OUT_OF_INDEXES;
    coir__unlock();
    if (started) /* not before: it takes the loader's lock, which a thread that ends holds when it takes ours */
        stay_loaded();
    return started ? COIR_OK : COIR_ENOMEM;
}

void coir__lock(void)
{
    AcquireSRWLockExclusive(&lock);
}

void coir__unlock(void)
{
    ReleaseSRWLockExclusive(&lock);
}

int coir__os_set_thread(struct coir__thread *thread)
{
    return TlsSetValue(tls_index, thread) || thread == NULL ? COIR_OK : COIR_ENOMEM;
}

/* The frequency is fixed at the start of the system, and asking for it cannot fail (Microsoft,
 * QueryPerformanceFrequency). The seconds and the rest apart, since the product would not fit. */
int64_t coir__os_now(void)
{
    static _Atomic int64_t known_frequency;
    int64_t frequency = known_frequency;
    LARGE_INTEGER count;

    if (frequency == 0) {
        QueryPerformanceFrequency(&count);
        known_frequency = frequency = count.QuadPart;
    }
    QueryPerformanceCounter(&count);
    return count.QuadPart / frequency * 1000000000 + count.QuadPart % frequency * 1000000000 / frequency;
}

/* HeapCompact would have to be given each of the C library's heaps. */
void coir__os_trim_heap(void)
{
}

void coir__os_write(int fd, const char *text, size_t size)
{
    (void)_write(fd, text, (unsigned)size);
}

/* Called under the library's lock only. What does not fit is the name of no backend. */
const char *coir__os_getenv(const char *name)
{
    static char value[64];
    DWORD length;

    SetLastError(ERROR_SUCCESS);
    length = GetEnvironmentVariableA(name, value, sizeof value);
    if (length == 0 && GetLastError() == ERROR_ENVVAR_NOT_FOUND)
        return NULL;
    if (length == 0 || length >= sizeof value)
        value[0] = '\0';
    return value;
}

/* The loader calls this for the module that the library is in, a DLL or a program, when it is loaded and when a thread
 * ends: a TLS callback (Microsoft PE and COFF specification, "The .tls Section"). It runs in the thread that ends, on
 * the stack that it ends on, after the callbacks of fiber-local storage (FlsAlloc). */
static void NTAPI on_thread_event(PVOID module, DWORD reason, PVOID reserved)
{
    (void)module, (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) {
        coir__os_start(); /* if it fails, the first coir_create tries again */
    } else if (reason == DLL_THREAD_DETACH) {
        struct coir__thread *thread = coir__thread_here();
        if (thread != &coir__no_thread)
            coir__thread_exit(thread);
    }
}

/* The list of these callbacks is what linkers find in sections named .CRT$XLx, in the order of their names; A and Z are
 * its ends. */
#if defined(_MSC_VER)
#pragma section(".CRT$XLB", long, read)
#if defined(_M_IX86)
#pragma comment(linker, "/INCLUDE:__tls_used")
#pragma comment(linker, "/INCLUDE:_coir__tls_callback")
#else
#pragma comment(linker, "/INCLUDE:_tls_used")
#pragma comment(linker, "/INCLUDE:coir__tls_callback")
#endif
extern const PIMAGE_TLS_CALLBACK coir__tls_callback;
__declspec(allocate(".CRT$XLB")) const PIMAGE_TLS_CALLBACK coir__tls_callback = on_thread_event;
#else
__attribute__((section(".CRT$XLB"), used)) static const PIMAGE_TLS_CALLBACK tls_callback = on_thread_event;
#endif
