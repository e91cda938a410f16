/* SPDX-License-Identifier: MIT */
/* tools.c (POSIX) - valgrind and AddressSanitizer. Valgrind's header turns each notice into a few instructions that do
 * nothing outside of it; the sanitizer's function is there if the program was built with it. So the library that is
 * installed serves all. */

#include <config.h>

#include "tools.h"

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) ((void)(low), (void)(high), 0u)
#define VALGRIND_STACK_DEREGISTER(number) ((void)(number))
#define VALGRIND_MAKE_MEM_UNDEFINED(low, size) ((void)(low), (void)(size))
#endif

/* sanitizer/asan_interface.h has it so. */
extern void __asan_unpoison_memory_region(void const volatile *low, size_t size) __attribute__((weak));

uint32_t coir__tools_stack_begin(void *low, size_t size)
{
    return (uint32_t)VALGRIND_STACK_REGISTER(low, (char *)low + size);
}

void coir__tools_stack_end(void *low, size_t size, uint32_t number)
{
    VALGRIND_STACK_DEREGISTER(number);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(low, size); /* what lay below the last frame is ordinary memory again */
    if (__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(low, size);
}
