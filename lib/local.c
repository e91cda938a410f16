/* SPDX-License-Identifier: MIT */
/* local.c - fiber-local storage.
 *
 * A key is a place in the table of keys and, above that, the generation of the place, so that a deleted key is told from
 * the next one in its place. Each fiber has an array of (key, value) indexed by place, as long as its highest place. */

#include <config.h>

#include <stdatomic.h>
#include <string.h>

#include <coir/local.h>

#include "allocator.h"
#include "fiber.h"
#include "os.h"
#include "thread.h"

struct coir__local {
    coir_key key;
    void *value;
};

typedef void destroy_fn(void *value);

/* Places are taken and freed under the lock; whether a key is the one in its place can be asked without it. */
static struct {
    _Atomic coir_key key; /* 0: the place is free */
    _Atomic(destroy_fn *) destroy;
    unsigned generation;
} table[COIR_KEYS_MAX];

static unsigned place_of(coir_key key)
{
    return key % COIR_KEYS_MAX;
}

static bool exists(coir_key key)
{
    return key != 0 && atomic_load(&table[place_of(key)].key) == key;
}

/* A key for the place that no earlier one had: generations count from 1 and start over at the end of the number. */
static coir_key next_key(unsigned place)
{
    const unsigned generations = ~0u / COIR_KEYS_MAX;

    table[place].generation = table[place].generation % generations + 1;
    return table[place].generation * COIR_KEYS_MAX + place;
}

int coir_key_create(coir_key *out, destroy_fn *destroy)
{
    unsigned place = 0;

    if (out == NULL)
        return COIR_EINVAL;
    coir__lock();
    while (place < COIR_KEYS_MAX && table[place].key != 0)
        place++;
    if (place < COIR_KEYS_MAX) {
        atomic_store(&table[place].destroy, destroy);
        *out = next_key(place);
        atomic_store(&table[place].key, *out);
    }
    coir__unlock();
    return place < COIR_KEYS_MAX ? COIR_OK : COIR_EAGAIN;
}

int coir_key_delete(coir_key key)
{
    bool found;

    coir__lock();
    found = exists(key);
    if (found)
        atomic_store(&table[place_of(key)].key, 0);
    coir__unlock();
    return found ? COIR_OK : COIR_EINVAL;
}

/* Whose values the current fiber sees: those of the task that it runs in, if any, else its own. While its own are being
 * destroyed it sees those. */
static coir_fiber *values_of(void)
{
    coir_fiber *f = coir__thread_now()->current;
    coir_fiber *root = f;

    if (f->special & COIR__DESTRUCTING)
        return f;
    while (!(root->special & (COIR__TASK | COIR__ROOT)))
        root = root->resumer;
    return root->special & COIR__ROOT ? f : root;
}

void *coir_local_get(coir_key key)
{
    const coir_fiber *f = values_of();
    unsigned place = place_of(key);

    if (place >= f->local_count || f->locals[place].key != key || !exists(key))
        return NULL;
    return f->locals[place].value;
}

/* Makes the fiber's array long enough for the place. */
static int grow(coir_fiber *f, unsigned place)
{
    unsigned count = f->local_count != 0 ? f->local_count : 8;
    struct coir__local *locals;

    if (place < f->local_count)
        return COIR_OK;
    while (count <= place)
        count *= 2;
    locals = coir__allocate(count * sizeof *locals);
    if (locals == NULL)
        return COIR_ENOMEM;
    memset(locals, 0, count * sizeof *locals);
    if (f->locals != NULL)
        memcpy(locals, f->locals, f->local_count * sizeof *locals);
    coir__release(f->locals, f->local_count * sizeof *locals);
    f->locals = locals;
    f->local_count = count;
    return COIR_OK;
}

int coir_local_set(coir_key key, void *value)
{
    coir_fiber *f = values_of();
    unsigned place = place_of(key);
    int error;

    if (f->special & COIR__ROOT)
        return COIR_ENOTFIBER;
    if (!exists(key))
        return COIR_EINVAL;
    error = grow(f, place);
    if (error != COIR_OK)
        return error;
    f->locals[place].key = key;
    f->locals[place].value = value;
    return COIR_OK;
}

/* Calls the destructor of the value in a place, if there is one of each: did it? */
static bool destroy_value(coir_fiber *f, unsigned place)
{
    coir_key key = f->locals[place].key;
    void *value = f->locals[place].value;
    destroy_fn *destroy = atomic_load(&table[place].destroy); /* before the check: it may be the next key's after it */

    if (value == NULL || !exists(key) || destroy == NULL)
        return false;
    f->locals[place].value = NULL;
    destroy(value);
    return true;
}

void coir__locals_destroy(coir_fiber *f)
{
    bool again = true;

    f->special |= COIR__DESTRUCTING;
    for (int pass = 0; again && pass < COIR_KEY_PASSES; pass++) {
        again = false;
        for (unsigned place = 0; place < f->local_count; place++)
            again |= destroy_value(f, place);
    }
    coir__release(f->locals, f->local_count * sizeof *f->locals);
    f->locals = NULL;
    f->local_count = 0;
}
