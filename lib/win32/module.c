/* SPDX-License-Identifier: MIT */
/* module.c (Windows) - which file the code at an address was loaded from. */

#include <config.h>

#include <windows.h>

#include "walk.h"

bool coir__name_module(uintptr_t pc, char *buffer, size_t size, const char **name, uintptr_t *offset)
{
    MEMORY_BASIC_INFORMATION region;
    DWORD length;

    /* An image is one allocation, whose address is the module's handle. */
    if (VirtualQuery((const void *)pc, &region, sizeof region) == 0 || region.Type != MEM_IMAGE)
        return false;
    length = GetModuleFileNameA(region.AllocationBase, buffer, (DWORD)size);
    if (length == 0 || length >= size)
        return false;
    *name = buffer;
    *offset = pc - (uintptr_t)region.AllocationBase;
    return true;
}
