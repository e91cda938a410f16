/* SPDX-License-Identifier: MIT */
/* faults_posix.c - the calls of the library on POSIX, each led through a function that may let it fail. */

#define _GNU_SOURCE
#include "faults.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

void *__real_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int __real_munmap(void *address, size_t size);
int __real_madvise(void *address, size_t size, int advice);
int __real_mprotect(void *address, size_t size, int protection);
int __real_mincore(void *address, size_t size, unsigned char *resident);
int __real_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __real_pthread_condattr_init(pthread_condattr_t *attributes);
int __real_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock);
int __real_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int __real_sigaltstack(const stack_t *stack, stack_t *before);
int __real_sigaction(int signal, const struct sigaction *action, struct sigaction *before);

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int __wrap_munmap(void *address, size_t size);
int __wrap_madvise(void *address, size_t size, int advice);
int __wrap_mprotect(void *address, size_t size, int protection);
int __wrap_mincore(void *address, size_t size, unsigned char *resident);
int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_condattr_init(pthread_condattr_t *attributes);
int __wrap_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int __wrap_sigaltstack(const stack_t *stack, stack_t *before);
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *before);

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    void *low;
    if (fails(MAP) || (faults.map_limit != 0 && size > faults.map_limit)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    low = __real_mmap(address, size, protection, flags, file, offset);
    faults.mapped += low != MAP_FAILED ? size : 0;
    if (size > faults.largest_mapping)
        faults.largest_mapping = size;
    return low;
}

int __wrap_munmap(void *address, size_t size)
{
    faults.mapped -= size;
    return __real_munmap(address, size);
}

int __wrap_madvise(void *address, size_t size, int advice)
{
    if (fails(MADVISE)) {
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(address, size, advice);
}

int __wrap_mprotect(void *address, size_t size, int protection)
{
    if (fails(MPROTECT)) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mprotect(address, size, protection);
}

int __wrap_mincore(void *address, size_t size, unsigned char *resident)
{
    if (fails(RESIDENT)) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mincore(address, size, resident);
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    return fails(KEY_CREATE) ? EAGAIN : __real_pthread_key_create(key, destroy);
}

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return fails(ATFORK) ? ENOMEM : __real_pthread_atfork(prepare, parent, child);
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    return fails(KEY_SET) ? ENOMEM : __real_pthread_setspecific(key, value);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    return fails(EVENT) ? EAGAIN : __real_pthread_mutex_init(mutex, attributes);
}

int __wrap_pthread_condattr_init(pthread_condattr_t *attributes)
{
    return fails(EVENT) ? ENOMEM : __real_pthread_condattr_init(attributes);
}

int __wrap_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    return fails(EVENT) ? EINVAL : __real_pthread_condattr_setclock(attributes, clock);
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    return fails(EVENT) ? EAGAIN : __real_pthread_cond_init(cond, attributes);
}

int __wrap_sigaltstack(const stack_t *stack, stack_t *before)
{
    if (stack != NULL && !(stack->ss_flags & SS_DISABLE) && fails(ALTERNATE_STACK)) {
        errno = ENOMEM;
        return -1;
    }
    return __real_sigaltstack(stack, before);
}

/* To put a handler back that was there must not fail. */
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
    if ((signal == SIGSEGV || signal == SIGBUS) && action != NULL && (action->sa_flags & SA_ONSTACK) && fails(HANDLER)) {
        errno = EINVAL;
        return -1;
    }
    return __real_sigaction(signal, action, before);
}

/* What the library does when it is loaded may fail too: before its own constructor runs, this one looks which call is
 * to. */
__attribute__((constructor(101))) static void fail_early(void)
{
    const char *calls = getenv("T_FAIL_EARLY");
    if (calls != NULL)
        faults.always = (unsigned)atoi(calls);
}
