/* SPDX-License-Identifier: MIT */
/* tools.c (Windows) - no memory checker here needs to be told. */

#include <config.h>

#include "tools.h"

uint32_t coir__tools_stack_begin(void *low, size_t size)
{
    (void)low, (void)size;
    return 0;
}

void coir__tools_stack_end(void *low, size_t size, uint32_t number)
{
    (void)low, (void)size, (void)number;
}
