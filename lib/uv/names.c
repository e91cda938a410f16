/* SPDX-License-Identifier: MIT */
/* names.c - looking names up. The system may take half a minute for it, on a thread that cannot be stopped; so what that
 * works with is a block of its own, which the task can leave behind. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "loop.h"

struct coir_uv__lookup {
    union {
        uv_getaddrinfo_t addresses;
        uv_getnameinfo_t name;
    } request;
    struct coir_uv__loop *loop;
    struct waiting *waiting; /* who waits, or NULL: it was left */
};

/* The task's side. */
struct waiting {
    coir_wait wait;
    struct coir_uv__lookup *lookup;
    struct addrinfo **out;
    char *host;
    char *service;
};

/* One is kept for the next. */
static struct coir_uv__lookup *take(struct coir_uv__loop *loop)
{
    struct coir_uv__lookup *lookup = loop->spare;

    loop->spare = NULL;
    if (lookup == NULL)
        lookup = coir_allocate(sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    lookup->loop = loop;
    lookup->waiting = NULL;
    loop->references++;
    return lookup;
}

static void give(struct coir_uv__lookup *lookup)
{
    struct coir_uv__loop *loop = lookup->loop;

    if (loop->spare == NULL && loop->exec != NULL)
        loop->spare = lookup;
    else
        coir_uv__lookup_release(lookup);
    coir_uv__drop(loop);
}

void coir_uv__lookup_release(struct coir_uv__lookup *lookup)
{
    coir_release(lookup, sizeof *lookup);
}

/* Leaves it behind. A thread that has not begun it yet need not. */
static void leave(coir_wait *wait, int code)
{
    struct coir_uv__lookup *lookup = ((struct waiting *)wait)->lookup;

    lookup->waiting = NULL;
    uv_cancel((uv_req_t *)&lookup->request);
    coir_wait_end(wait, code);
}

/* Prepares a look-up, if the caller may wait for one: `out` is where its result is to go. */
static int begin(struct waiting *waiting, const void *out, bool has_names, int64_t deadline)
{
    struct coir_uv__loop *loop;
    int error = coir_uv__may_wait_for(out, &loop);

    if (error != COIR_OK)
        return error;
    if (!has_names)
        return COIR_EINVAL;
    if (coir_uv__is_past(deadline))
        return COIR_ETIMEDOUT;
    waiting->lookup = take(loop);
    if (waiting->lookup == NULL)
        return COIR_ENOMEM;
    waiting->lookup->waiting = waiting;
    waiting->wait = (coir_wait){.what = "looks a name up", .give_up = leave};
    return COIR_OK;
}

/* The request was handed over, or refused. */
static int finish(struct waiting *waiting, int uv, int64_t deadline)
{
    if (uv == 0)
        return coir_wait_for_until(&waiting->wait, deadline);
    give(waiting->lookup);
    return coir_uv__error(uv);
}

/* ---- addresses of a name ---- */

static void on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct coir_uv__lookup *lookup = (struct coir_uv__lookup *)request;
    struct waiting *waiting = lookup->waiting;

    if (waiting == NULL)
        uv_freeaddrinfo(list);
    else if (status == 0)
        *waiting->out = list;
    if (waiting != NULL)
        coir_wait_end(&waiting->wait, coir_uv__error(status));
    give(lookup);
}

int coir_uv_getaddrinfo_until(struct addrinfo **out, const char *host, const char *service, const struct addrinfo *hints,
                              int64_t deadline)
{
    struct waiting waiting = {.out = out};
    int error = begin(&waiting, out, host != NULL || service != NULL, deadline);
    struct coir_uv__lookup *lookup = waiting.lookup;

    if (error != COIR_OK)
        return error;
    error = uv_getaddrinfo(lookup->loop->loop, &lookup->request.addresses, on_addresses, host, service, hints);
    return finish(&waiting, error, deadline);
}

int coir_uv_getaddrinfo(struct addrinfo **out, const char *host, const char *service, const struct addrinfo *hints)
{
    return coir_uv_getaddrinfo_until(out, host, service, hints, COIR_FOREVER);
}

/* ---- the name of an address ---- */

static void copy(char *out, size_t size, const char *name)
{
    if (out != NULL && name != NULL)
        snprintf(out, size, "%s", name);
}

static void on_name(uv_getnameinfo_t *request, int status, const char *host, const char *service)
{
    struct coir_uv__lookup *lookup = (struct coir_uv__lookup *)request;
    struct waiting *waiting = lookup->waiting;

    if (waiting != NULL) {
        if (status == 0) {
            copy(waiting->host, NI_MAXHOST, host);
            copy(waiting->service, NI_MAXSERV, service);
        }
        coir_wait_end(&waiting->wait, coir_uv__error(status));
    }
    give(lookup);
}

int coir_uv_getnameinfo_until(const struct sockaddr *address, int flags, char *host, char *service, int64_t deadline)
{
    struct waiting waiting = {.host = host, .service = service};
    int error = begin(&waiting, address, true, deadline);
    struct coir_uv__lookup *lookup = waiting.lookup;

    if (error != COIR_OK)
        return error;
    error = uv_getnameinfo(lookup->loop->loop, &lookup->request.name, on_name, address, flags);
    return finish(&waiting, error, deadline);
}

int coir_uv_getnameinfo(const struct sockaddr *address, int flags, char *host, char *service)
{
    return coir_uv_getnameinfo_until(address, flags, host, service, COIR_FOREVER);
}
