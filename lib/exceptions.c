/* SPDX-License-Identifier: MIT */
/* exceptions.c - which C++ runtime keeps the records of exceptions, and where. */

#include <config.h>

#include <stdatomic.h>
#include <stdbool.h>

#include <coir/exceptions.h>

#include "exceptions.h"
#include "fiber.h"
#include "likely.h"
#include "thread.h"

struct coir__exceptions coir__no_exceptions;

/* The runtime's; NULL while none is known. It never changes after that. */
static _Atomic(coir__get_globals *) get_globals;

/* A thread has used fibers before the runtime was known. */
static _Atomic bool in_use;

static struct coir__exceptions *record_of_this_thread(void)
{
    return (struct coir__exceptions *)get_globals();
}

/* A function of a DLL may have a second address in the program that imports it; but the record is one. */
static bool is_same(coir__get_globals *known, coir__get_globals *wanted)
{
    return known == wanted || known() == wanted();
}

int coir_exceptions_attach(void *(*wanted)(void))
{
    coir__get_globals *known = NULL;

    if (wanted == NULL)
        wanted = get_globals != NULL ? get_globals : coir__cxx_runtime_find();
    if (wanted == NULL)
        return COIR_ENOTSUP;
    if (!atomic_compare_exchange_strong(&get_globals, &known, wanted))
        return is_same(known, wanted) ? COIR_OK : COIR_EBUSY;
    coir__cxx_runtime_keep(wanted);
    if (in_use) /* threads that are there already have no record noted; the careful switches look again */
        coir__careful_exceptions();
    return COIR_OK;
}

void coir__exceptions_look(void)
{
    if (get_globals == NULL)
        coir_exceptions_attach(NULL);
}

void coir__exceptions_enter(struct coir__thread *thread)
{
    coir__exceptions_look();
    in_use = true; /* and then get_globals is read: one of the two sees what the other, who attaches, has done */
    thread->exceptions = get_globals != NULL ? record_of_this_thread() : &coir__no_exceptions;
}

COIR__NOINLINE struct coir__exceptions *coir__exceptions_of(struct coir__thread *thread)
{
    if (thread->exceptions == &coir__no_exceptions && get_globals != NULL)
        thread->exceptions = record_of_this_thread();
    return thread->exceptions;
}
