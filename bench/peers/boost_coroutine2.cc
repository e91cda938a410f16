/* SPDX-License-Identifier: MIT */
/* boost_coroutine2.cc - Boost.Coroutine2 (Debian: libboost-coroutine-dev, libboost-context-dev).
 *
 * Stacks are of 64 KiB without a guard, the library's default being 128 KiB. Variants: "plain", fixedsize_stack,
 * which takes them from malloc; "pool", pooled_fixedsize_stack.
 *
 * Items are taken by hand, `c(); c.get()`, which is faster than the iterators. The assertions of Boost are left out,
 * as in any release build. A coroutine that has returned is still unwound by an exception when it is destroyed: that
 * is the library's, and most of what create costs. */

#define BOOST_DISABLE_ASSERTS

#include <boost/coroutine2/all.hpp>

#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "peer.h"

namespace coroutines = boost::coroutines2;

static constexpr std::size_t stack_size = 65536;

using resumed = coroutines::coroutine<void>::pull_type; /* what the resumer has */
using resumer = coroutines::coroutine<void>::push_type; /* what the coroutine has, to yield */
using numbers = coroutines::coroutine<std::uint64_t>;

static bool is_pooled()
{
    return std::strcmp(contender_variant, "pool") == 0;
}

/* Calls a function with the variant's allocator of stacks. */
template <typename Function>
static double with_stacks(Function function)
{
    try {
        if (is_pooled())
            return function(coroutines::pooled_fixedsize_stack(stack_size));
        return function(coroutines::fixedsize_stack(stack_size));
    } catch (const std::bad_alloc &) {
        return peer_failed("a stack");
    }
}

/* ---- switches ---- */

static void yield_for_ever(resumer &yield)
{
    for (;;)
        yield();
}

static std::vector<resumed> *fibers; /* never destroyed */

/* Makes `count` coroutines that have yielded once: how many there are, or a negative number. */
static double make_fibers(long count)
{
    if (fibers != nullptr)
        return static_cast<double>(count);
    return with_stacks([count](auto stacks) {
        fibers = new std::vector<resumed>;
        fibers->reserve(static_cast<std::size_t>(count));
        for (long i = 0; i < count; i++)
            fibers->emplace_back(stacks, yield_for_ever);
        return static_cast<double>(count);
    });
}

static double memory(long, long count)
{
    return make_fibers(count);
}

static double one_switch(long times, long count)
{
    long rounds = contender_rounds(times, count);

    if (make_fibers(count) < 0)
        return -1;
    double start = contender_now();
    for (long r = 0; r < rounds; r++)
        for (resumed &fiber : *fibers)
            fiber();
    return (contender_now() - start) / static_cast<double>(rounds * count) * static_cast<double>(times) / 2;
}

/* ---- generator ---- */

static void count_up(numbers::push_type &yield)
{
    for (std::uint64_t n = 1;; n++)
        yield(n);
}

static double generator(long times, long)
{
    return with_stacks([times](auto stacks) {
        numbers::pull_type items(stacks, count_up);
        std::uint64_t sum = 0;
        double start = contender_now();
        for (long i = 0; i < times; i++) {
            items();
            sum += items.get();
        }
        double took = contender_now() - start;
        return sum == 0 ? -1 : took;
    });
}

/* ---- create, run, destroy ---- */

static long ended;

static void end(resumer &)
{
    ended++;
}

static void end_later(resumed &)
{
    ended++;
}

/* A pull_type runs as soon as it is made; and one that has returned by then is destroyed at once. */
static double create(long times, long)
{
    return with_stacks([times](auto stacks) {
        double start = contender_now();
        ended = 0;
        for (long i = 0; i < times; i++)
            resumed fiber(stacks, end);
        return ended == times ? contender_now() - start : -1;
    });
}

/* A push_type waits to be run: so here all of them exist at once. */
static double create_cold(long, long count)
{
    return with_stacks([count](auto stacks) {
        std::vector<resumer> all;
        all.reserve(static_cast<std::size_t>(count));
        double start = contender_now();
        for (long i = 0; i < count; i++)
            all.emplace_back(stacks, end_later);
        for (resumer &fiber : all)
            fiber();
        all.clear();
        return ended == count ? contender_now() - start : -1;
    });
}

const struct contender_answer contender_answers[] = {
    {"plain", "switch", CONTENDER_REPEATED, one_switch},
    {"plain", "robin", CONTENDER_REPEATED, one_switch},
    {"plain", "generator", CONTENDER_REPEATED, generator},
    {nullptr, "create", CONTENDER_REPEATED, create},
    {nullptr, "create_cold", CONTENDER_ONCE, create_cold},
    {"plain", "memory", CONTENDER_MEMORY, memory},
    {nullptr, nullptr, CONTENDER_ONCE, nullptr},
};
