/* SPDX-License-Identifier: MIT */
/* coir/gen.h - generators: functions that hand out items one by one, as they are asked for.
 *
 *     static int count(coir_gen *g, void *arg)
 *     {
 *         for (int n = *(int *)arg;; n++)
 *             coir_gen_yield(g, &n);
 *     }
 *
 *     coir_gen *g;
 *     int first = 1, item;
 *     coir_gen_create(&g, sizeof item, count, &first, NULL);
 *     while (coir_gen_next(g, &item) > 0 && item <= 10)
 *         printf("%d\n", item);
 *     coir_gen_destroy(g);
 *
 * A generator is a fiber with an end that fits: items have a size and are copied, from the generator's variable into
 * the caller's. When it is destroyed before its end, its coir_gen_yield does not return, as coir/fiber.h says of
 * destroyed fibers: what it has to give back then is noted by coir_defer. It may call generators itself, and any of
 * them may block if the whole runs in a task (coir/exec.h): the task waits, with all that runs in it. What coir/fiber.h
 * says of threads holds for generators.
 *
 * Its fiber, which coir_self() gives inside of it, is not to be used but to be asked about: coir_resume, coir_switch,
 * coir_cancel and coir_destroy of it are COIR_EBUSY (the first three COIR_EDEAD once it has ended), and coir_yield and
 * coir_switch called in it are COIR_EINVAL. */

#ifndef COIR_GEN_H
#define COIR_GEN_H

#include <stddef.h>

#include <coir/api.h>
#include <coir/error.h>
#include <coir/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A generator. Made by coir_gen_create, freed by coir_gen_destroy. */
typedef struct coir_gen coir_gen;

/* What a generator runs. It returns 0 when there are no more items, or a negative code, one of coir's or the program's
 * own, which coir_gen_next then returns. A positive number counts as 0, and so does coir_exit. */
typedef int coir_gen_fn(coir_gen *g, void *arg);

/* Makes a generator of items of `item_size` bytes that will run fn(*out, arg), and stores it in *out. Nothing runs
 * before the first coir_gen_next. `opt` as with coir_create; NULL for all defaults. COIR_EINVAL: `out` or `fn` is NULL,
 * or `item_size` is 0; else the errors of coir_create. On error *out is as it was. */
COIR_API int coir_gen_create(coir_gen **out, size_t item_size, coir_gen_fn *fn, void *arg, const coir_options *opt);

/* Runs the generator until it hands out its next item, which is copied to *item; NULL drops it. Returns
 *   1               there is an item;
 *   0               the generator has ended, and *item is as it was;
 *   negative        the code that the generator's function returned.
 * The last two are given again by every later call, on any thread. At once, changing nothing: COIR_EINVAL: `g` is NULL;
 * COIR_ETHREAD: it belongs to another thread; COIR_EBUSY: it runs, waits for another fiber or in a task, or is the
 * caller itself; COIR_EDEAD: its thread has ended in the middle of it. */
COIR_API int coir_gen_next(coir_gen *g, void *item);

/* Hands out a copy of *item and suspends the generator until its next item is asked for: then COIR_OK.
 * At once: COIR_EINVAL: `g` or `item` is NULL; COIR_ENOTFIBER: the caller is not the fiber of `g` (also when it is a
 * fiber that the generator has resumed); COIR_ECANCELED: it is ending, in a deferred function or a key's destructor;
 * COIR_EBUSY: in what an executor calls that the generator runs (coir_exec_post). */
COIR_API int coir_gen_yield(coir_gen *g, const void *item);

/* Frees the generator. If it stands in coir_gen_yield it first ends there, as coir_destroy has a suspended fiber end.
 * NULL does nothing and is COIR_OK. Errors as coir_destroy's: COIR_EBUSY, COIR_ETHREAD, COIR_ENOMEM. */
COIR_API int coir_gen_destroy(coir_gen *g);

#ifdef __cplusplus
}
#endif

#endif
