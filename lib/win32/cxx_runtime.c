/* SPDX-License-Identifier: MIT */
/* cxx_runtime.c (Windows) - finds the C++ runtime of the process among the DLLs of GNU and LLVM. A weak reference is no way
 * here, since linkers for Windows leave it pointing nowhere or fail; one that is linked into the program is told of by
 * coir_exceptions_attach. Microsoft's keeps its record in fiber-local storage, where the system exchanges it. */

#include <config.h>

#include <stddef.h>
#include <windows.h>

#include "exceptions.h"

coir__get_globals *coir__cxx_runtime_find(void)
{
    static const char *const names[] = {"libstdc++-6.dll", "libc++.dll", "libc++abi.dll"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        HMODULE module = GetModuleHandleA(names[i]);
        FARPROC found = module != NULL ? GetProcAddress(module, "__cxa_get_globals") : NULL;
        if (found != NULL)
            return (coir__get_globals *)(void (*)(void))found;
    }
    return NULL;
}

void coir__cxx_runtime_keep(coir__get_globals *function)
{
    HMODULE module;

    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                       (LPCWSTR)(uintptr_t)function, &module);
}
