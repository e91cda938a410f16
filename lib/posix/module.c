/* SPDX-License-Identifier: MIT */
/* module.c (POSIX) - which file the code at an address was loaded from: the dynamic linker knows. */

#include <config.h>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include "walk.h"

/* A program that is not position-independent has its code at the addresses that its file says; all others are counted
 * from where they were loaded. */
static uintptr_t base_of(const Dl_info *info)
{
    const ElfW(Ehdr) *header = info->dli_fbase;

    return header->e_type == ET_EXEC ? 0 : (uintptr_t)info->dli_fbase;
}

bool coir__name_module(uintptr_t pc, char *buffer, size_t size, const char **name, uintptr_t *offset)
{
    Dl_info info;

    (void)buffer, (void)size;
    if (dladdr((const void *)pc, &info) == 0 || info.dli_fname == NULL || info.dli_fbase == NULL)
        return false;
    *name = info.dli_fname;
    *offset = pc - base_of(&info);
    return true;
}
