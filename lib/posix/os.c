/* SPDX-License-Identifier: MIT */
/* os.c (POSIX) - threads' records, the lock, fork, the environment. */

#include <config.h>

#include <errno.h>
#ifdef HAVE_MALLOC_TRIM
#include <malloc.h>
#endif
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <coir/error.h>

#include "event.h"
#include "os.h"
#include "thread.h"

_Thread_local struct coir__thread *coir__thread_pointer COIR_TLS_MODEL = &coir__no_thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Its value is a thread's record, for the destructor; coir__thread_pointer is the quick way to the same. */
static pthread_key_t exit_key;
static bool started;

static void at_thread_exit(void *thread)
{
    coir__thread_exit(thread);
}

static void in_forked_child(void)
{
    coir__thread_forked();
    coir__events_forked();
    coir__unlock();
}

/* The handlers cannot be taken back, so the key, which can, is made first. */
static bool start(void)
{
    if (pthread_key_create(&exit_key, at_thread_exit) != 0)
        return false;
    if (pthread_atfork(coir__lock, coir__unlock, in_forked_child) == 0)
        return true;
    pthread_key_delete(exit_key);
    return false;
}

/* As soon as the library is loaded: a fork that began before its handlers were there would leave the child with a lock
 * that the first coir_create, in another thread, may hold. If it fails, the first coir_create tries again. Besides, the
 * destructors of keys run in the order of their making, and this one should run before the program's. */
__attribute__((constructor)) static void start_early(void)
{
    coir__os_start();
}

int coir__os_start(void)
{
    int error;

    coir__lock();
    if (!started)
        started = start();
    error = started ? COIR_OK : COIR_ENOMEM;
    coir__unlock();
    return error;
}

void coir__lock(void)
{
    pthread_mutex_lock(&lock);
}

void coir__unlock(void)
{
    pthread_mutex_unlock(&lock);
}

int coir__os_set_thread(struct coir__thread *thread)
{
    if (pthread_setspecific(exit_key, thread) != 0 && thread != NULL)
        return COIR_ENOMEM;
    coir__thread_pointer = thread != NULL ? thread : &coir__no_thread;
    return COIR_OK;
}

int64_t coir__os_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void coir__os_trim_heap(void)
{
#ifdef HAVE_MALLOC_TRIM
    malloc_trim(0);
#endif
}

void coir__os_write(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        size -= (size_t)written;
    }
}

#ifdef HAVE_SECURE_GETENV
const char *coir__os_getenv(const char *name)
{
    return secure_getenv(name);
}
#elif defined(HAVE_ISSETUGID)
const char *coir__os_getenv(const char *name)
{
    return issetugid() ? NULL : getenv(name);
}
#else
const char *coir__os_getenv(const char *name)
{
    if (getuid() != geteuid() || getgid() != getegid())
        return NULL;
    return getenv(name);
}
#endif
