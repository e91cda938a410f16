/* SPDX-License-Identifier: MIT */
/* slab.c - large mappings carved into stacks.
 *
 * Each new slab of a kind holds as many stacks as all slabs of that kind before it, so that a million stacks lie in a
 * few dozen mappings while a program with ten fibers reserves little. */

#include <config.h>

#include <stdint.h>

#include <coir/error.h>

#include "allocator.h"
#include "os.h"
#include "pages.h"
#include "slab.h"

#define SMALLEST_COUNT 16
#define LARGEST_COUNT 65536
#define LARGEST_BYTES ((uint64_t)16 << 30)

struct coir__slab {
    struct coir__slab *next; /* in its kind's list of slabs that have free stacks, or of full ones; or of unused ones */
    struct coir__slab *previous;
    char *base;
    size_t guard;  /* bytes of guard below each stack, or 0 */
    size_t stride; /* bytes from stack to stack, guard included */
    size_t count;  /* how many stacks it has room for */
    size_t carved; /* how many of them have been used at least once, and so have their guard */
    size_t taken;  /* how many are with fibers or in pools */
    struct coir__slot *free; /* carved and not taken */
    unsigned kind;
    struct coir__slot slots[];
};

/* Of each kind: the slabs that have free stacks, and the number of stacks in all slabs. Under the lock. */
static struct {
    struct coir__slab *available;
    struct coir__slab *full; /* listed for leak checkers: others point into slabs, not to them */
    size_t count;
} kinds[COIR__SLAB_KINDS];

/* Sizes in pages go 1 2 3 4, 5 6 7 8, 10 12 14 16, 20 24 28 32 ...: the three highest bits of (pages - 1) and their
 * place name the size. */
unsigned coir__slab_kind(size_t size, bool guarded)
{
    size_t highest = (size + coir__page_size() - 1) / coir__page_size() - 1;
    unsigned octave = 0;

    while (highest >= 8) {
        highest >>= 1;
        octave++;
    }
    if (octave * 4 + highest >= COIR__SLAB_SIZES)
        return COIR__SLAB_KINDS;
    return (octave * 4 + (unsigned)highest) * 2 + guarded;
}

static size_t kind_size(unsigned kind)
{
    unsigned size = kind / 2;
    unsigned octave = size < 8 ? 0 : size / 4 - 1;

    return ((size_t)(size - octave * 4 + 1) << octave) * coir__page_size();
}

unsigned coir__slot_kind(const struct coir__slot *slot)
{
    return slot->slab->kind;
}

size_t coir__slot_number(const struct coir__slot *slot)
{
    return (size_t)(slot - slot->slab->slots);
}

char *coir__slot_low(const struct coir__slot *slot)
{
    return slot->slab->base + coir__slot_number(slot) * slot->slab->stride + slot->slab->guard;
}

size_t coir__slot_size(const struct coir__slot *slot)
{
    return slot->slab->stride - slot->slab->guard;
}

static size_t record_size(size_t count)
{
    return sizeof(struct coir__slab) + count * sizeof(struct coir__slot);
}

static void release_slab(struct coir__slab *slab)
{
    coir__pages_release(slab->base, slab->count * slab->stride);
    coir__release(slab, record_size(slab->count));
}

/* A slab of that many stacks, or NULL if there is no room. */
static struct coir__slab *make_slab(unsigned kind, size_t count)
{
    size_t guard = coir__pages_guard_size(kind % 2 != 0);
    size_t stride = kind_size(kind) + guard;
    struct coir__slab *slab = coir__allocate(record_size(count));

    if (slab == NULL)
        return NULL;
    *slab = (struct coir__slab){.kind = kind, .guard = guard, .stride = stride, .count = count};
    slab->base = coir__pages_reserve(count * stride);
    if (slab->base == NULL) {
        coir__release(slab, record_size(count));
        return NULL;
    }
    return slab;
}

/* How many stacks the next slab of a kind should have. */
static size_t next_count(unsigned kind)
{
    uint64_t bytes = LARGEST_BYTES < SIZE_MAX / 2 ? LARGEST_BYTES : SIZE_MAX / 2;
    uint64_t most = bytes / (kind_size(kind) + coir__pages_guard_size(true));
    size_t count = kinds[kind].count;

    if (count < SMALLEST_COUNT)
        count = SMALLEST_COUNT;
    if (count > LARGEST_COUNT)
        count = LARGEST_COUNT;
    if (count > most)
        count = most != 0 ? (size_t)most : 1;
    return count;
}

static void list_slab(struct coir__slab *slab, struct coir__slab **head)
{
    slab->previous = NULL;
    slab->next = *head;
    if (slab->next != NULL)
        slab->next->previous = slab;
    *head = slab;
}

static void unlist_slab(struct coir__slab *slab, struct coir__slab **head)
{
    if (slab->previous != NULL)
        slab->previous->next = slab->next;
    else
        *head = slab->next;
    if (slab->next != NULL)
        slab->next->previous = slab->previous;
}

/* Adds a slab to a kind; where the wanted size is not to be had, a smaller one. The lock is held on entry and return,
 * and let go of meanwhile, since the program's allocator may run. */
static int add_slab(unsigned kind)
{
    size_t count = next_count(kind);
    struct coir__slab *slab;

    coir__unlock();
    slab = make_slab(kind, count);
    while (slab == NULL && count > 1) {
        count /= 2;
        slab = make_slab(kind, count);
    }
    coir__lock();
    if (slab == NULL)
        return COIR_ENOMEM;
    kinds[kind].count += count;
    list_slab(slab, &kinds[kind].available);
    return COIR_OK;
}

static void put_free(struct coir__slot *slot)
{
    slot->next = slot->slab->free;
    slot->slab->free = slot;
}

/* Cuts the next stack out of a slab that has room. It is free then. */
static int carve(struct coir__slab *slab)
{
    struct coir__slot *slot = &slab->slots[slab->carved];

    if (slab->guard != 0) {
        int error = coir__pages_guard(slab->base + slab->carved * slab->stride, slab->guard);
        if (error != COIR_OK)
            return error;
    }
    slot->slab = slab;
    slab->carved++;
    put_free(slot);
    return COIR_OK;
}

static int take_one(unsigned kind, struct coir__slot **out)
{
    struct coir__slab *slab = kinds[kind].available;
    int error = COIR_OK;

    if (slab->free == NULL)
        error = carve(slab);
    if (error == COIR_OK)
        error = coir__pages_open(coir__slot_low(slab->free), coir__slot_size(slab->free));
    if (error != COIR_OK)
        return error;
    *out = slab->free;
    slab->free = slab->free->next;
    slab->taken++;
    if (slab->taken == slab->count) {
        unlist_slab(slab, &kinds[kind].available);
        list_slab(slab, &kinds[kind].full);
    }
    return COIR_OK;
}

int coir__slab_take(unsigned kind, size_t count, struct coir__slot **list, size_t *taken)
{
    struct coir__slot *slot = NULL;
    struct coir__slot **end = list;
    int error = COIR_OK;

    *list = NULL;
    *taken = 0;
    coir__lock();
    while (kinds[kind].available == NULL && error == COIR_OK)
        error = add_slab(kind);
    while (*taken < count && kinds[kind].available != NULL && error == COIR_OK) {
        error = take_one(kind, &slot);
        if (error == COIR_OK) {
            slot->next = NULL;
            *end = slot;
            end = &slot->next;
            ++*taken;
        }
    }
    coir__unlock();
    return *taken != 0 ? COIR_OK : error;
}

/* Is the slab one to keep, though unused: small, and the only one of its kind with free stacks? */
static bool worth_keeping(const struct coir__slab *slab)
{
    return slab->count <= SMALLEST_COUNT && slab->next == NULL && slab->previous == NULL;
}

static void remove_slab(struct coir__slab *slab, struct coir__slab **unused)
{
    unlist_slab(slab, &kinds[slab->kind].available);
    kinds[slab->kind].count -= slab->count;
    slab->next = *unused;
    *unused = slab;
}

static void give_one(struct coir__slot *slot, struct coir__slab **unused)
{
    struct coir__slab *slab = slot->slab;

    put_free(slot);
    if (slab->taken-- == slab->count) {
        unlist_slab(slab, &kinds[slab->kind].full);
        list_slab(slab, &kinds[slab->kind].available);
    }
    if (slab->taken == 0 && !worth_keeping(slab))
        remove_slab(slab, unused);
}

static void release_unused(struct coir__slab *unused)
{
    struct coir__slab *next;

    for (; unused != NULL; unused = next) {
        next = unused->next;
        release_slab(unused);
    }
}

/* Gives the memory back of stacks that lie side by side, from `first` to `last`: at once, or, if one of them refuses, each
 * that does not. */
static void discard(const struct coir__slot *first, const struct coir__slot *last)
{
    char *low = coir__slot_low(first);

    if (coir__pages_discard(low, (size_t)(coir__slot_low(last) - low) + coir__slot_size(last)) || first == last)
        return;
    for (; first <= last; first++)
        coir__pages_discard(coir__slot_low(first), coir__slot_size(first));
}

/* The same for a list. Fibers that were made one after another often end so, and then their stacks are neighbours in the
 * list too: one call of the system for all of them costs little more than for one. */
static void discard_list(const struct coir__slot *slot)
{
    const struct coir__slot *first = slot, *last = slot; /* by address */

    while (slot != NULL) {
        const struct coir__slot *next = slot->next;
        if (next != NULL && next == last + 1 && next->slab == last->slab) {
            last = next;
        } else if (next != NULL && next + 1 == first && next->slab == first->slab) {
            first = next;
        } else {
            discard(first, last);
            first = last = next;
        }
        slot = next;
    }
}

void coir__slab_give(struct coir__slot *list)
{
    struct coir__slab *unused = NULL;
    struct coir__slot *next;

    discard_list(list);
    coir__lock();
    for (; list != NULL; list = next) {
        next = list->next;
        give_one(list, &unused);
    }
    coir__unlock();
    release_unused(unused);
}

void coir__slab_trim(void)
{
    struct coir__slab *unused = NULL;
    struct coir__slab *next;

    coir__lock();
    for (unsigned kind = 0; kind < COIR__SLAB_KINDS; kind++) {
        for (struct coir__slab *slab = kinds[kind].available; slab != NULL; slab = next) {
            next = slab->next;
            if (slab->taken == 0)
                remove_slab(slab, &unused);
        }
    }
    coir__unlock();
    release_unused(unused);
}
