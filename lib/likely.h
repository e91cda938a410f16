/* SPDX-License-Identifier: MIT */
/* likely.h - hints to the compiler, empty where it takes none. */

#ifndef COIR__LIKELY_H
#define COIR__LIKELY_H

#if defined(__GNUC__)
#define coir__unlikely(condition) __builtin_expect((condition), 0)
#define COIR__NOINLINE __attribute__((noinline))
#else
#define coir__unlikely(condition) (condition)
#define COIR__NOINLINE
#endif

#endif
