/* SPDX-License-Identifier: MIT */
/* cxx_runtime.c (POSIX) - finds the C++ runtime of the process, on which the library does not depend.
 *
 * A program in C++ has one among the libraries that it starts with, which a weak reference finds. One that comes with a
 * plugin is in no scope that our references look into; so it is asked for by the names of the libraries, without loading
 * any. */

#include <config.h>

#include <stddef.h>
#include <string.h>

#ifdef HAVE_DL_ITERATE_PHDR
#include <link.h>
#endif
#ifdef HAVE_DLOPEN
#include <dlfcn.h>
#endif

#include "exceptions.h"

/* Itanium C++ ABI, exception handling, 2.2.2: what it returns is never NULL. */
extern void *__cxa_get_globals(void) __attribute__((weak));

#if defined(HAVE_DLOPEN) && defined(RTLD_NOLOAD)

/* Not for their own sake into programs that are linked statically, of which the linker would warn. */
#pragma weak dladdr
#pragma weak dlopen
#pragma weak dlsym

static coir__get_globals *find_in(const char *name)
{
    void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD); /* and it stays open */
    void *found = library != NULL ? dlsym(library, "__cxa_get_globals") : NULL;
    coir__get_globals *function = NULL;

    memcpy(&function, &found, sizeof function); /* ISO C has no conversion of one to the other */
    return function;
}

static coir__get_globals *find_loaded(void)
{
    static const char *const names[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};
    coir__get_globals *found = NULL;

    if (dlopen == NULL || dlsym == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && found == NULL; i++)
        found = find_in(names[i]);
    return found;
}

void coir__cxx_runtime_keep(coir__get_globals *function)
{
    void *address;
    Dl_info info;

    memcpy(&address, &function, sizeof address);
    if (dladdr != NULL && dlopen != NULL && dladdr(address, &info) != 0 && info.dli_fname != NULL)
        (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD); /* nobody closes this one */
}

#else

static coir__get_globals *find_loaded(void)
{
    return NULL;
}

void coir__cxx_runtime_keep(coir__get_globals *function)
{
    (void)function;
}

#endif

#ifdef HAVE_DL_ITERATE_PHDR

static int note_count(struct dl_phdr_info *info, size_t size, void *count)
{
    (void)size;
    *(unsigned long long *)count = info->dlpi_adds;
    return 1; /* enough */
}

/* Has any library been loaded since the last time? dl_iterate_phdr(3), dlpi_adds. To ask twice does no harm. */
static bool something_was_loaded(void)
{
    static _Atomic unsigned long long last;
    unsigned long long now = 0;

    dl_iterate_phdr(note_count, &now);
    if (now == last)
        return false;
    last = now;
    return true;
}

#else

static bool something_was_loaded(void)
{
    return true;
}

#endif

coir__get_globals *coir__cxx_runtime_find(void)
{
    if (__cxa_get_globals != NULL)
        return __cxa_get_globals;
    return something_was_loaded() ? find_loaded() : NULL;
}
