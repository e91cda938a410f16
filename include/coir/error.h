/* SPDX-License-Identifier: MIT */
/* coir/error.h - what the functions of coir return.
 *
 * A function that can fail returns an int: zero or positive is good, negative is one of the codes below. A call that
 * fails has changed nothing, unless its own description says otherwise. The library does not report through errno,
 * whose address goes stale when a fiber moves to another thread, and leaves errno as its system calls set it. */

#ifndef COIR_ERROR_H
#define COIR_ERROR_H

#include <coir/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every code: its name without the prefix, its value, its sentence. From this one list come the enumeration below and
 * what coir_errname and coir_strerror say; a language binding can expand it in the same way. Values never change. Codes
 * of coir's are above -1000: a program that returns codes of its own through coir (generators, groups) takes lower
 * ones. */
#define COIR_ERROR_LIST(X)                                                                                            \
    X(EINVAL, -1, "an argument is not valid")                                                                         \
    X(ENOMEM, -2, "out of memory or address space")                                                                   \
    X(EMAPS, -3, "too many memory mappings: raise vm.max_map_count, or use COIR_NO_GUARD")                            \
    X(EDEAD, -4, "the fiber or task has ended")                                                                       \
    X(EBUSY, -5, "it is running, waits for another, or is waited for")                                                \
    X(ENOTFIBER, -6, "not called from inside a fiber")                                                                \
    X(ETHREAD, -7, "it belongs to another thread")                                                                    \
    X(ECANCELED, -8, "cancelled")                                                                                     \
    X(EAGAIN, -9, "not possible at the moment")                                                                       \
    X(ENOTSUP, -10, "not supported by this system, build or backend")                                                 \
    X(ENOTTASK, -11, "not called from inside a task")                                                                 \
    X(ETIMEDOUT, -12, "the deadline has passed")                                                                      \
    X(EDEADLK, -13, "it would wait for ever")                                                                         \
    X(ECLOSED, -14, "the channel is closed")                                                                          \
    X(ENOTHELD, -15, "the task does not hold the mutex")

enum coir_error {
    COIR_OK = 0,
#define COIR_ERROR_ENUMERATOR(name, value, sentence) COIR_##name = (value),
    COIR_ERROR_LIST(COIR_ERROR_ENUMERATOR)
#undef COIR_ERROR_ENUMERATOR
    COIR_ERROR_LAST = -15 /* the lowest code that this header knows */
};

/* The sentence of a code, such as "the fiber has ended": English, without a capital or a full stop. For zero and
 * above "no error", for a number that is no code "unknown error". The string is constant; never NULL. */
COIR_API const char *coir_strerror(int error);

/* The name of a code as the program's source has it, such as "COIR_EDEAD". For zero and above "COIR_OK", for a number
 * that is no code "COIR_E?". The string is constant; never NULL. */
COIR_API const char *coir_errname(int error);

#ifdef __cplusplus
}
#endif

#endif
