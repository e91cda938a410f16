/* SPDX-License-Identifier: MIT */
/* coir/api.h - how the declarations of the other headers are marked.
 *
 * Nothing here is called by a program. The library's own build defines COIR_API so that the functions are exported;
 * for its users it is empty, but with Microsoft's compiler, which asks for dllimport (define COIR_STATIC there to
 * link with the static library). */

#ifndef COIR_API_H
#define COIR_API_H

#ifndef COIR_API
#if defined(_MSC_VER) && !defined(COIR_STATIC)
#define COIR_API __declspec(dllimport)
#else
#define COIR_API
#endif
#endif

#endif
