/* SPDX-License-Identifier: MIT */
/* unwinding_none.c - where no runtime can unwind: frames are dropped. */

#include <config.h>

#include "unwinding.h"

void coir__unwind(struct coir__unwinding *unwinding)
{
    (void)unwinding;
}
