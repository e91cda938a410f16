/* SPDX-License-Identifier: MIT */
/* cxx_runtime.c (Windows) - finds the C++ runtime of the process among the DLLs of GNU and LLVM. A weak reference is no way
 * here, since linkers for Windows leave it pointing nowhere or fail; one that is linked into the program is told of by
 * coir_exceptions_attach. Microsoft's keeps its record in fiber-local storage, where the system exchanges it.
 *
 * To look is not cheap: wine searches all folders of the path for a DLL that is not loaded, which takes more than a
 * stack does. So it is done once, and from then on the loader tells when one of these DLLs comes. */

#include <config.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <windows.h>
#include <winternl.h>

#include "exceptions.h"

static const WCHAR *const names[] = {L"libstdc++-6.dll", L"libc++.dll", L"libc++abi.dll"};
enum { NAMES = sizeof names / sizeof names[0] };

static coir__get_globals *find_loaded(void)
{
    for (int i = 0; i < NAMES; i++) {
        HMODULE module = GetModuleHandleW(names[i]);
        FARPROC found = module != NULL ? GetProcAddress(module, "__cxa_get_globals") : NULL;
        if (found != NULL)
            return (coir__get_globals *)(void (*)(void))found;
    }
    return NULL;
}

/* ---- the loader's notifications: Microsoft, LdrRegisterDllNotification and LdrDllNotification, which no header has ---- */

enum { LOADED = 1 };

struct loaded { /* LDR_DLL_LOADED_NOTIFICATION_DATA */
    ULONG flags;
    const UNICODE_STRING *full_name, *base_name;
    void *base;
    ULONG size;
};

typedef void CALLBACK on_notification(ULONG reason, const struct loaded *data, void *context);
typedef NTSTATUS NTAPI register_notification(ULONG flags, on_notification *function, void *context, void **cookie);

/* What coir__cxx_runtime_find does: only in WAIT has it nothing to look for. */
static _Atomic enum { NOT_ASKED, LOOK, WAIT, HAS_COME } state;

static WCHAR small(WCHAR c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool is_called(const UNICODE_STRING *module, const WCHAR *name)
{
    size_t length = module->Length / sizeof(WCHAR); /* Length is in bytes, and no null follows */
    size_t i = 0;

    while (i < length && name[i] != 0 && small(module->Buffer[i]) == name[i])
        i++;
    return i == length && name[i] == 0;
}

/* Called with the loader's lock held, and it may call nothing in any other module. The DLL is on its way and may be found
 * only later, so it is looked for from now on until it is found. */
static void CALLBACK on_module(ULONG reason, const struct loaded *data, void *context)
{
    (void)context;
    if (reason != LOADED)
        return;
    for (int i = 0; i < NAMES; i++) {
        if (is_called(data->base_name, names[i]))
            state = HAS_COME;
    }
}

/* The library is there for as long as the process is (os.c, stay_loaded), and so is on_module. */
static bool ask_to_be_told(void)
{
    FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "LdrRegisterDllNotification");
    register_notification *notify = (register_notification *)(void (*)(void))found;
    void *cookie;

    return notify != NULL && notify(0, on_module, NULL, &cookie) == 0;
}

coir__get_globals *coir__cxx_runtime_find(void)
{
    int not_asked = NOT_ASKED, look = LOOK;
    coir__get_globals *found;
    bool told;

    if (state == WAIT)
        return NULL;
    told = atomic_compare_exchange_strong(&state, &not_asked, LOOK) && ask_to_be_told();
    found = find_loaded();
    if (told && found == NULL)
        atomic_compare_exchange_strong(&state, &look, WAIT);
    return found;
}

void coir__cxx_runtime_keep(coir__get_globals *function)
{
    HMODULE module;

    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                       (LPCWSTR)(uintptr_t)function, &module);
}
