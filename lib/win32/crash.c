/* SPDX-License-Identifier: MIT */
/* crash.c (Windows) - faults are exceptions, and what nobody handles comes to the unhandled exception filter. */

#include <config.h>

#include <stddef.h>
#include <windows.h>

#include <coir/error.h>

#include "crash.h"
#include "thread.h"
#include "walk.h"

static LPTOP_LEVEL_EXCEPTION_FILTER before;

/* So long the report of an overflow may take, in milliseconds, before it is given up: the thread that is to make it
 * cannot begin while others hold the loader's lock. */
#define TIME_FOR_REPORT 10000

static bool is_fault(DWORD code)
{
    return code == EXCEPTION_ACCESS_VIOLATION || code == EXCEPTION_STACK_OVERFLOW || code == EXCEPTION_IN_PAGE_ERROR ||
           code == EXCEPTION_GUARD_PAGE || code == EXCEPTION_DATATYPE_MISALIGNMENT;
}

/* Some of them tell the address behind the kind of access. An overflow has touched what is below the stack pointer. */
static uintptr_t address_of(const EXCEPTION_RECORD *exception, const CONTEXT *context)
{
    return exception->NumberParameters >= 2 ? exception->ExceptionInformation[1] : coir__walk_stack_pointer(context);
}

static DWORD WINAPI report_there(void *fault)
{
    coir__crash_report(fault);
    return 0;
}

/* What an overflow leaves of its stack is enough to start a thread. */
static void report_elsewhere(struct coir__fault *fault)
{
    HANDLE thread = CreateThread(NULL, 0, report_there, fault, 0, NULL);

    if (thread == NULL)
        return;
    WaitForSingleObject(thread, TIME_FOR_REPORT);
    CloseHandle(thread);
}

static void report(EXCEPTION_POINTERS *pointers)
{
    const EXCEPTION_RECORD *exception = pointers->ExceptionRecord;
    struct coir__fault fault = {.thread = coir__thread_here(), .state = pointers->ContextRecord, .has_room = true};

    fault.address = address_of(exception, pointers->ContextRecord);
    fault.is_overflow = exception->ExceptionCode == EXCEPTION_STACK_OVERFLOW;
    if (fault.is_overflow)
        report_elsewhere(&fault);
    else
        coir__crash_report(&fault);
}

static LONG WINAPI on_exception(EXCEPTION_POINTERS *pointers)
{
    if (is_fault(pointers->ExceptionRecord->ExceptionCode))
        report(pointers);
    return before != NULL ? before(pointers) : EXCEPTION_CONTINUE_SEARCH;
}

int coir__crash_install(void)
{
    before = SetUnhandledExceptionFilter(on_exception);
    return COIR_OK;
}

/* A stack has room for handlers in itself here. */
int coir__crash_enter_thread(struct coir__thread *thread)
{
    (void)thread;
    return COIR_OK;
}

void coir__crash_leave_thread(struct coir__thread *thread)
{
    (void)thread;
}
