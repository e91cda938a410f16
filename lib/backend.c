/* SPDX-License-Identifier: MIT */
/* backend.c - which of the backends in this library runs the fibers of this process. */

#include <config.h>

#include <string.h>

#include <coir/error.h>
#include <coir/version.h>

#include "backend.h"
#include "os.h"
#include "tools.h"

/* COIR_BACKENDS(X) comes from configure: the backends of this build, the one to be preferred first. */
#define DECLARE(name) extern const struct coir__backend coir__backend_##name;
COIR_BACKENDS(DECLARE)
#undef DECLARE

#define ADDRESS(name) &coir__backend_##name,
static const struct coir__backend *const backends[] = {COIR_BACKENDS(ADDRESS)};
#undef ADDRESS

_Atomic(const struct coir__backend *) coir__backend_chosen;
struct coir__route coir__route;

static void set_route(const struct coir__switches *switches)
{
    atomic_store_explicit(&coir__route.in, switches->in, memory_order_relaxed);
    atomic_store_explicit(&coir__route.out, switches->out, memory_order_relaxed);
    atomic_store_explicit(&coir__route.over, switches->over, memory_order_relaxed);
    atomic_store_explicit(&coir__route.across, switches->across, memory_order_relaxed);
}

/* The backend of that name, or the first for NULL, among those that can be used now. */
static const struct coir__backend *find(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (name != NULL && strcmp(name, backends[i]->name) != 0)
            continue;
        if (backends[i]->available())
            return backends[i];
    }
    return NULL;
}

static void choose(void)
{
    const struct coir__backend *backend = find(coir__os_getenv("COIR_BACKEND"));

    if (backend == NULL)
        return;
    coir__tools_start();
    set_route(&backend->switches);
    coir__careful_choose(backend);
    atomic_store_explicit(&coir__backend_chosen, backend, memory_order_release);
}

int coir__backend_choose(void)
{
    if (coir__backend() != NULL)
        return COIR_OK;
    coir__lock();
    if (coir__backend() == NULL)
        choose();
    coir__unlock();
    return coir__backend() != NULL ? COIR_OK : COIR_ENOTSUP;
}

const char *coir_backend_name(void)
{
    return coir__backend_choose() == COIR_OK ? coir__backend()->name : NULL;
}
