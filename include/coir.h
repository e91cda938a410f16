/* SPDX-License-Identifier: MIT */
/* coir.h - fibers (stackful coroutines) for C: the whole of the library.
 *
 * Each of these headers is a chapter that can be read, and included, alone. */

#ifndef COIR_H
#define COIR_H

#include <coir/chan.h>
#include <coir/debug.h>
#include <coir/error.h>
#include <coir/exceptions.h>
#include <coir/exec.h>
#include <coir/fiber.h>
#include <coir/gen.h>
#include <coir/local.h>
#include <coir/stack.h>
#include <coir/sync.h>
#include <coir/time.h>
#include <coir/tls.h>
#include <coir/version.h>
#include <coir/wait.h>

#endif
