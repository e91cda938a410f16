/* SPDX-License-Identifier: MIT */
/* faults_win32.c - the calls of the library on Windows, each led through a function that may let it fail. Functions
 * of the system are called through pointers, __imp_NAME, so those are what the linker replaces. */

#include <config.h>

#include "faults.h"

#include <stdlib.h>
#include <windows.h>
#include <psapi.h>

/* The pointer that the library's calls of a function go through, and the true one. */
#define REPLACE(type, name, parameters)           \
    typedef type WINAPI name##_fn parameters;     \
    extern name##_fn *__real___imp_##name;        \
    static name##_fn replaced_##name;             \
    extern name##_fn *__wrap___imp_##name;        \
    name##_fn *__wrap___imp_##name = replaced_##name;

REPLACE(LPVOID, VirtualAlloc, (LPVOID, SIZE_T, DWORD, DWORD))
REPLACE(BOOL, VirtualFree, (LPVOID, SIZE_T, DWORD))
REPLACE(DWORD, TlsAlloc, (void))
REPLACE(BOOL, TlsSetValue, (DWORD, LPVOID))
REPLACE(LPVOID, ConvertThreadToFiberEx, (LPVOID, DWORD))
REPLACE(LPVOID, CreateFiberEx, (SIZE_T, SIZE_T, DWORD, LPFIBER_START_ROUTINE, LPVOID))
REPLACE(VOID, DeleteFiber, (LPVOID))

static size_t size_of(void *low)
{
    MEMORY_BASIC_INFORMATION region;
    char *end = low;

    while (VirtualQuery(end, &region, sizeof region) != 0 && region.AllocationBase == low)
        end += region.RegionSize;
    return (size_t)(end - (char *)low);
}

static LPVOID WINAPI replaced_VirtualAlloc(LPVOID address, SIZE_T size, DWORD type, DWORD protection)
{
    enum call call = type & MEM_RESERVE ? MAP : COMMIT;
    void *low;

    if (fails(call) || (call == MAP && faults.map_limit != 0 && size > faults.map_limit))
        return NULL;
    low = __real___imp_VirtualAlloc(address, size, type, protection);
    if (low != NULL && call == MAP) {
        faults.mapped += size_of(low);
        if (size > faults.largest_mapping)
            faults.largest_mapping = size;
    }
    return low;
}

static BOOL WINAPI replaced_VirtualFree(LPVOID address, SIZE_T size, DWORD type)
{
    if (type == MEM_RELEASE)
        faults.mapped -= size_of(address);
    return __real___imp_VirtualFree(address, size, type);
}

/* This one is called by its name, since <psapi.h> does not say that it is in a DLL. */
BOOL WINAPI __real_K32QueryWorkingSetEx(HANDLE process, PVOID pages, DWORD size);
BOOL WINAPI __wrap_K32QueryWorkingSetEx(HANDLE process, PVOID pages, DWORD size);

BOOL WINAPI __wrap_K32QueryWorkingSetEx(HANDLE process, PVOID pages, DWORD size)
{
    return !fails(RESIDENT) && __real_K32QueryWorkingSetEx(process, pages, size);
}

/* The first call comes when the program is loaded, before any constructor. */
static DWORD WINAPI replaced_TlsAlloc(void)
{
    char calls[16];

    if (GetEnvironmentVariableA("T_FAIL_EARLY", calls, sizeof calls) != 0 && faults.counts[KEY_CREATE] == 0)
        faults.always = (unsigned)atoi(calls);
    if (GetEnvironmentVariableA("T_TAKE_SLOTS", calls, sizeof calls) != 0)
        for (int i = 0; i < 64; i++) /* those that lie in the thread's environment block */
            __real___imp_TlsAlloc();
    return fails(KEY_CREATE) ? TLS_OUT_OF_INDEXES : __real___imp_TlsAlloc();
}

static BOOL WINAPI replaced_TlsSetValue(DWORD slot, LPVOID value)
{
    return !fails(KEY_SET) && __real___imp_TlsSetValue(slot, value);
}

static LPVOID WINAPI replaced_ConvertThreadToFiberEx(LPVOID value, DWORD flags)
{
    return fails(CONVERT) ? NULL : __real___imp_ConvertThreadToFiberEx(value, flags);
}

static LPVOID WINAPI replaced_CreateFiberEx(SIZE_T commit, SIZE_T reserve, DWORD flags, LPFIBER_START_ROUTINE start,
                                            LPVOID value)
{
    void *fiber = fails(CREATE_FIBER) ? NULL : __real___imp_CreateFiberEx(commit, reserve, flags, start, value);

    faults.mapped += fiber != NULL;
    return fiber;
}

static VOID WINAPI replaced_DeleteFiber(LPVOID fiber)
{
    faults.mapped--;
    __real___imp_DeleteFiber(fiber);
}
