/* SPDX-License-Identifier: MIT */
/* coir/tls.h - thread-local variables for code that may go on in another thread.
 *
 * A compiler computes the address of a thread-local variable once in a function and keeps it, for to its mind a
 * function runs in one thread from start to end. After a suspension in which a fiber with COIR_MOVABLE has moved, the
 * kept address is that of the other thread's variable. (gcc and clang do so from -O1 on; the same happens to errno,
 * whose address comes from a function that is declared to give the same result always.)
 *
 * The cure is to ask for the address anew each time, from a function that the compiler cannot see into:
 *
 *     COIR_THREAD_LOCAL(int, depth);                   in one source file, at file scope, and ended by ; here
 *     ...
 *     ++*COIR_THREAD_LOCAL_ADDRESS(depth);             an int *, of the thread that runs this now
 *     coir_yield(NULL, NULL);
 *     --*COIR_THREAD_LOCAL_ADDRESS(depth);             perhaps another's
 *
 * Each thread's variable starts as zeros. Do not keep the address over a suspension.
 *
 * One that several source files share is declared in a header and defined in one of them, which includes that header.
 * They may be C or C++.
 *
 *     COIR_THREAD_LOCAL_DECLARE(int, depth);           in the header
 *     COIR_THREAD_LOCAL_DEFINE(int, depth);            in one source file
 *
 * A thread-local variable of somebody else's, such as errno, gets an address of this kind, in one source file, by
 *
 *     COIR_THREAD_LOCAL_OTHER(int, own_errno, errno);
 *     ...
 *     if (read(file, buffer, size) < 0 && *COIR_THREAD_LOCAL_ADDRESS(own_errno) == EAGAIN)
 *
 * A function that never suspends, and is not inlined into one that does, may use such variables as they are.
 *
 * Each address costs a call. `type` must be one that a * can follow: give names to types of arrays and functions by
 * typedef. Nothing of this header is in the library, and it needs nothing of it. */

#ifndef COIR_TLS_H
#define COIR_TLS_H

/* How this compiler spells a variable that each thread has one of, and a function that is called whatever happens. */
#if defined(__cplusplus)
#define COIR_TLS_STORAGE thread_local
#elif defined(_MSC_VER) && !defined(__clang__)
#define COIR_TLS_STORAGE __declspec(thread)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define COIR_TLS_STORAGE _Thread_local
#else
#define COIR_TLS_STORAGE __thread
#endif

#if defined(__GNUC__) || defined(__clang__)
#define COIR_TLS_FUNCTION __attribute__((__noinline__))
/* No optimiser, not even one that sees the whole program, knows what this does to the address; and since it may do
 * something, no call is left out in favour of an earlier one's result. */
#define COIR_TLS_RETURN(type, variable)                          \
    type *coir_address = &(variable);                            \
    __asm__ volatile("" : "+r"(coir_address) : : "memory");      \
    return coir_address
#else
#if defined(_MSC_VER)
#define COIR_TLS_FUNCTION __declspec(noinline)
#else
#define COIR_TLS_FUNCTION
#endif
/* To read a volatile object is an effect, and nobody knows what will be read. */
#define COIR_TLS_RETURN(type, variable)                          \
    type *volatile coir_address = &(variable);                   \
    return coir_address
#endif

#if defined(__cplusplus)
#define COIR_TLS_SHARED extern "C"
#else
#define COIR_TLS_SHARED extern
#endif

/* The last line of each is there for the ; that ends it. */
#define COIR_THREAD_LOCAL(type, name)                            \
    COIR_TLS_FUNCTION static type *name##_of_this_thread(void)   \
    {                                                            \
        static COIR_TLS_STORAGE type coir_variable;              \
        COIR_TLS_RETURN(type, coir_variable);                    \
    }                                                            \
    struct coir_tls_end

#define COIR_THREAD_LOCAL_DECLARE(type, name) COIR_TLS_SHARED type *name##_of_this_thread(void)

#define COIR_THREAD_LOCAL_DEFINE(type, name)                     \
    COIR_TLS_FUNCTION type *name##_of_this_thread(void)          \
    {                                                            \
        static COIR_TLS_STORAGE type coir_variable;              \
        COIR_TLS_RETURN(type, coir_variable);                    \
    }                                                            \
    struct coir_tls_end

#define COIR_THREAD_LOCAL_OTHER(type, name, variable)            \
    COIR_TLS_FUNCTION static type *name##_of_this_thread(void)   \
    {                                                            \
        COIR_TLS_RETURN(type, variable);                         \
    }                                                            \
    struct coir_tls_end

/* The address of the calling thread's variable: a `type *`. */
#define COIR_THREAD_LOCAL_ADDRESS(name) (name##_of_this_thread())

#endif
