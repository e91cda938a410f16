/* SPDX-License-Identifier: MIT */
/* coir/exceptions.h - C++ exceptions in fibers, and what happens to the frames of a fiber that ends before its time.
 *
 * Exceptions may be thrown and caught inside a fiber, through as many of its frames as there are, on every backend.
 * One that would leave the fiber's function calls std::terminate where it was thrown, with the whole stack to be seen
 * (on Windows through the unhandled exception filter). coir.hpp carries it to the resumer instead.
 *
 * The record of exceptions. A C++ runtime notes for each thread which exceptions are being handled and how many are in
 * flight (Itanium C++ ABI, exception handling, 2.2.2, __cxa_eh_globals). Here each fiber has a record of its own: a
 * fiber may suspend inside a catch block, or in a destructor that runs for an exception, and others may throw and
 * catch meanwhile. `throw;`, std::current_exception and std::uncaught_exceptions mean the fiber's own. A new fiber
 * starts with an empty record, whoever creates or resumes it. Switches cost nothing for this until one is made with a
 * record that is not empty; from then on each costs a few nanoseconds more.
 *
 * The runtime (libstdc++, or libc++abi) is found in the process when a thread first uses fibers, and again when it
 * needs more stacks than it has had; the library does not depend on one. Only one runtime in a process is looked
 * after. coir_exceptions_attach names it where that is not enough. The records of programs that Microsoft's compiler
 * has built are kept by the system for each of its fibers, and so of each fiber on the Windows Fibers backend.
 *
 * Forced unwinding. coir_destroy of a suspended fiber, and coir_exit, unwind the fiber's frames without an exception
 * object, as pthread_exit does (Itanium C++ ABI, exception handling, 1.3.2, _Unwind_ForcedUnwind):
 *
 *   - Destructors of C++ objects run, innermost frame first; and functions named by __attribute__((cleanup)) in C that
 *     was compiled with -fexceptions. std::uncaught_exceptions() is 1 more in them, and in handlers that catch it. The
 *     fiber's deferred functions and destructors of its keys come after the last frame.
 *   - A suspension in one of those destructors, or in a handler that has caught the unwinding, returns COIR_ECANCELED at
 *     once. They may resume other fibers.
 *   - catch (...) catches it with libstdc++, and so does catch (abi::__forced_unwind &); they are expected to `throw;`.
 *     One that does not swallows the unwinding: the fiber's code runs on, until it next suspends, ends by itself, or
 *     calls coir_exit. A suspension unwinds again, from there. When this has happened 16 times, the frames are dropped,
 *     so that a loop around such a handler ends too. With libc++ (14) catch (...) catches it as well, but `throw;`
 *     calls std::terminate: libc++abi throws it as if it were new, and nobody is there to catch it.
 *   - A catch (...) inside of another handler, while that one's exception is being handled, calls std::terminate when
 *     the unwinding reaches it: libstdc++ cannot note both.
 *   - A noexcept function among the frames, or a destructor in which the fiber was suspended, calls std::terminate.
 *   - A frame without unwind tables (C compiled with -fno-asynchronous-unwind-tables) ends it: it and all outer frames
 *     are dropped. Frames that have tables, but nothing to clean up, are passed.
 *   - It takes up to 8 KiB of the fiber's stack below where it was suspended; with less left, frames are dropped.
 *   - Code in other languages does what it does for a foreign exception. Rust: frames of extern "C-unwind" functions
 *     drop their values; those of plain extern "C" functions are passed or abort the process, as the compiler likes;
 *     catch_unwind aborts it.
 *
 * COIR_NO_UNWIND in a fiber's options turns it off. It is done by the compiler's runtime (libgcc, or LLVM's libunwind)
 * on Linux and with mingw-w64, on all backends. With Microsoft's compiler, and where a library has no such runtime
 * (some builds for musl), frames are dropped. */

#ifndef COIR_EXCEPTIONS_H
#define COIR_EXCEPTIONS_H

#include <coir/api.h>
#include <coir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tells the library of the process's C++ runtime. `get_globals` is its function __cxa_get_globals (in C++:
 * reinterpret_cast<void *(*)()>(abi::__cxa_get_globals); libstdc++'s <cxxabi.h> declares it, libc++'s does not), or
 * NULL: look for one now.
 *
 * A program needs it that loads a C++ plugin with dlopen after fibers have been in use, or whose C++ runtime is linked
 * into it on Windows, unless it uses coir.hpp, which calls it by itself (with libstdc++). Any thread may call it, any
 * number of times. The library that the function is in stays loaded from then on. To look for one takes the dynamic
 * linker's lock, if something was loaded since the last look, as dlopen does; so a constructor of a library that is
 * being loaded must not wait for a thread that makes fibers.
 *
 * COIR_OK: a runtime is known now, and was perhaps before. COIR_ENOTSUP: `get_globals` is NULL and none was found.
 * COIR_EBUSY: another one is known, and stays. */
COIR_API int coir_exceptions_attach(void *(*get_globals)(void));

#ifdef __cplusplus
}
#endif

#endif
