/* SPDX-License-Identifier: MIT */
/* unwinding.c - forced unwinding by the compiler's runtime: Itanium C++ ABI, exception handling, 1.3.2, which libgcc also has
 * on Windows, on top of the system's structured exceptions. */

#include <config.h>

#include <string.h>
#include <unwind.h>

#include "unwinding.h"

_Static_assert(offsetof(struct coir__unwinding, exception) == 0, "an exception's address is its unwinding's");
_Static_assert(sizeof(struct _Unwind_Exception) <= sizeof((struct coir__unwinding *)0)->exception, "it has room");

/* So that debuggers and handlers of other languages can tell whose it is: "COIR" and "END". */
static const char exception_class[8] = "COIR\0END";

/* Called before each frame is unwound. Where there is no further frame, it must not return: then _Unwind_ForcedUnwind would
 * return an error, but into a frame that may be gone. */
static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                struct _Unwind_Exception *exception, struct _Unwind_Context *context, void *unwinding)
{
    (void)version, (void)class, (void)exception, (void)context;
    if (actions & _UA_END_OF_STACK)
        coir__unwinding_stopped(unwinding);
    coir__unwinding_steps(unwinding);
    return _URC_NO_REASON;
}

/* A handler that has caught it is left in some other way than by rethrowing it. */
static void forget(_Unwind_Reason_Code reason, struct _Unwind_Exception *exception)
{
    (void)reason;
    coir__unwinding_swallowed((struct coir__unwinding *)(void *)exception);
}

void coir__unwind(struct coir__unwinding *unwinding)
{
    struct _Unwind_Exception *exception = (struct _Unwind_Exception *)(void *)unwinding->exception;

    memset(exception, 0, sizeof *exception);
    memcpy(&exception->exception_class, exception_class, sizeof exception_class);
    exception->exception_cleanup = forget;
    _Unwind_ForcedUnwind(exception, stop, unwinding);
}
