/* SPDX-License-Identifier: MIT */
/* coir/local.h - fiber-local storage: a value of its own for each fiber, under a key that all share.
 *
 * A fiber starts with NULL under every key. Values belong to the fiber that set them, not to one nested in it;
 * but in a task (coir/exec.h) all that runs in it, to any depth, has the values of the task. */

#ifndef COIR_LOCAL_H
#define COIR_LOCAL_H

#include <coir/api.h>
#include <coir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A key. Zero is never one. A deleted key's number does not come back soon: 4,194,302 others of its place come first. */
typedef unsigned coir_key;

/* The most keys that can exist at a time. */
#define COIR_KEYS_MAX 1024

/* How often, at most, the destructors of a fiber's keys are run in all: again while some of them set new values. */
#define COIR_KEY_PASSES 4

/* Makes a key and stores it in *out. When a fiber ends, after its deferred functions, destroy(value) is called on its
 * stack for each key under which it has a value other than NULL, in no particular order; `destroy` may be NULL. It may
 * use keys and other fibers, but suspending and coir_defer give COIR_ECANCELED. Any thread may call it.
 * COIR_EINVAL: `out` is NULL. COIR_EAGAIN: COIR_KEYS_MAX keys exist. */
COIR_API int coir_key_create(coir_key *out, void (*destroy)(void *value));

/* Deletes a key. The values under it can no longer be reached, and its destructor is not called for them. Any thread may
 * call it. COIR_EINVAL: there is no such key. */
COIR_API int coir_key_delete(coir_key key);

/* The current fiber's value under `key`; NULL if it has set none, outside of any fiber, or if there is no such key. */
COIR_API void *coir_local_get(coir_key key);

/* Sets the current fiber's value under `key`. The first value that a fiber sets under a key may need memory.
 * COIR_ENOTFIBER; COIR_EINVAL: there is no such key; COIR_ENOMEM. */
COIR_API int coir_local_set(coir_key key, void *value);

#ifdef __cplusplus
}
#endif

#endif
