/* SPDX-License-Identifier: MIT */
/* likely.h - hints to the compiler, empty where it takes none. */

#ifndef COIR__LIKELY_H
#define COIR__LIKELY_H

#if defined(__GNUC__)
#define coir__unlikely(condition) __builtin_expect((condition), 0)
#define COIR__NOINLINE __attribute__((noinline))
/* At the start of a cache line: a function of a few dozen instructions that runs at every switch costs a tenth more
 * when it lies across one line more than it must. */
#define COIR__HOT __attribute__((noinline, aligned(64)))
/* Asks for the cache line at an address. A function that does nothing else is taken for one without any effect (gcc 12),
 * and calls of it are left out, unless it is forced to be inline, which happens before. */
#define coir__prefetch(address) __builtin_prefetch(address)
#define COIR__FORCE_INLINE inline __attribute__((always_inline))
/* What the call of the function that says so returns to; NULL: not known. */
#define COIR__CALLER __builtin_return_address(0)
/* The parameter of that number, from 1, is a format as printf's, for the arguments from `first` on. */
#define COIR__FORMAT(number, first) __attribute__((format(printf, number, first)))
/* Where the library itself is built with ThreadSanitizer, which would note the start of a function for one fiber and its
 * end for another. */
#if defined(__clang__)
#define COIR__UNNOTED __attribute__((no_sanitize("thread"), noinline))
#else
#define COIR__UNNOTED __attribute__((no_sanitize_thread, noinline))
#endif
#else
#define COIR__UNNOTED
#define COIR__CALLER ((void *)0)
#define COIR__FORMAT(number, first)
#define coir__prefetch(address) ((void)(address))
#define COIR__FORCE_INLINE inline
#define coir__unlikely(condition) (condition)
#define COIR__NOINLINE
#define COIR__HOT
#endif

#endif
