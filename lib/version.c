/* SPDX-License-Identifier: MIT */
/* version.c - the version that the library was built as. */

#include <config.h>

#include <coir/version.h>

const char *coir_version(void)
{
    return COIR_VERSION;
}
