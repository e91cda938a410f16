/* SPDX-License-Identifier: MIT */
/* tools.c (POSIX) - valgrind. Its header turns each notice into a few instructions that do nothing outside of it, so the
 * library that is installed serves both. */

#include <config.h>

#include "tools.h"

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) ((void)(low), (void)(high), 0u)
#define VALGRIND_STACK_DEREGISTER(number) ((void)(number))
#endif

uint32_t coir__tools_stack_begin(void *low, size_t size)
{
    return (uint32_t)VALGRIND_STACK_REGISTER(low, (char *)low + size);
}

void coir__tools_stack_end(uint32_t number)
{
    VALGRIND_STACK_DEREGISTER(number);
}
