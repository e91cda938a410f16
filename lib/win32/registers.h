/* SPDX-License-Identifier: MIT */
/* registers.h (Windows) - the registers of a side that does not run, as a handler of exceptions would get them. */

#ifndef COIR__REGISTERS_H
#define COIR__REGISTERS_H

#include <windows.h>

struct coir__registers {
    CONTEXT context;
};

#endif
