/* SPDX-License-Identifier: MIT */
/* cxx20.cc - coroutines of the C++20 compiler: no library, no package, no stacks.
 *
 * Any variant. To yield, they are handles in a ring, and a loop resumes the first of it. (That a coroutine goes on to
 * the next itself, by symmetric transfer, is no faster here.)
 *
 * The functions that make coroutines are not inlined, so that the compiler knows nothing of a handle: else it may put
 * the frame into its caller's, or call the coroutine's body directly, as it cannot where coroutines are of any use. */

#include <coroutine>
#include <cstdint>
#include <exception>
#include <new>
#include <vector>

#include "peer.h"

#define OPAQUE __attribute__((noinline))

/* ---- the types that the language asks for ---- */

struct fiber {
    struct promise_type {
        fiber get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

struct numbers {
    struct promise_type {
        std::uint64_t item;

        numbers get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(std::uint64_t n)
        {
            item = n;
            return {};
        }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

/* ---- switches ---- */

OPAQUE static fiber yield_for_ever()
{
    for (;;)
        co_await std::suspend_always{};
}

static std::vector<fiber> fibers;

/* Makes `count` coroutines that have yielded once. */
static void make_fibers(long count)
{
    if (!fibers.empty())
        return;
    fibers.reserve(static_cast<std::size_t>(count));
    for (long i = 0; i < count; i++) {
        fibers.push_back(yield_for_ever());
        fibers.back().handle.resume();
    }
}

static double memory(long, long count)
{
    make_fibers(count);
    return static_cast<double>(count);
}

static double one_switch(long times, long count)
{
    long rounds = contender_rounds(times, count);

    make_fibers(count);
    double start = contender_now();
    for (long r = 0; r < rounds; r++)
        for (const fiber &f : fibers)
            f.handle.resume();
    return (contender_now() - start) / static_cast<double>(rounds * count) * static_cast<double>(times) / 2;
}

/* ---- generator ---- */

OPAQUE static numbers count_up()
{
    for (std::uint64_t n = 1;; n++)
        co_yield n;
}

static double generator(long times, long)
{
    numbers items = count_up();
    std::uint64_t sum = 0;
    double start = contender_now();

    for (long i = 0; i < times; i++) {
        items.handle.resume();
        sum += items.handle.promise().item;
    }
    double took = contender_now() - start;
    items.handle.destroy();
    return sum == 0 ? -1 : took;
}

/* ---- create, run, destroy ---- */

static long ended;

OPAQUE static fiber end()
{
    ended++;
    co_return;
}

static double create(long times, long)
{
    double start = contender_now();

    ended = 0;
    for (long i = 0; i < times; i++) {
        fiber f = end();
        f.handle.resume();
        f.handle.destroy();
    }
    return ended == times ? contender_now() - start : -1;
}

static double create_cold(long, long count)
{
    fibers.resize(static_cast<std::size_t>(count));
    double start = contender_now();

    for (fiber &f : fibers)
        f = end();
    for (const fiber &f : fibers)
        f.handle.resume();
    for (const fiber &f : fibers)
        f.handle.destroy();
    return ended == count ? contender_now() - start : -1;
}

/* ---- coroutines that yield by turns, from a queue of those that are ready ---- */

class queue {
public:
    /* For so many at once; it is empty now. */
    void make_room(std::size_t most)
    {
        std::size_t size = 1;

        while (size < most)
            size *= 2;
        places.resize(size);
        mask = size - 1;
    }

    bool is_empty() const { return first == end; }
    void push(std::coroutine_handle<> handle) { places[end++ & mask] = handle; }
    std::coroutine_handle<> pop() { return places[first++ & mask]; }

private:
    std::vector<std::coroutine_handle<>> places;
    std::size_t mask = 0, first = 0, end = 0;
};

static queue ready;

/* co_await of one of these: to the end of the queue. */
struct turn {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> self) const noexcept { ready.push(self); }
    void await_resume() const noexcept {}
};

static double took;

OPAQUE static fiber take_turns(long turns)
{
    co_await turn{}; /* until all have started */
    for (long i = turns; i > 0; i--)
        co_await turn{};
}

/* The first of them: when it has had its last turn, so have the others. */
OPAQUE static fiber time_turns(long turns)
{
    co_await turn{};
    double start = contender_now();
    for (long i = turns; i > 0; i--)
        co_await turn{};
    took = contender_now() - start;
}

static double yield(long times, long count)
{
    long turns = contender_rounds(times, count);
    std::vector<fiber> tasks;

    ready.make_room(static_cast<std::size_t>(count));
    for (long i = 0; i < count; i++) {
        tasks.push_back(i == 0 ? time_turns(turns) : take_turns(turns));
        ready.push(tasks.back().handle);
    }
    while (!ready.is_empty())
        ready.pop().resume();
    for (const fiber &f : tasks)
        f.handle.destroy();
    return took / static_cast<double>(turns * count) * static_cast<double>(times);
}

/* A function of an answer, and what it says where there is no memory for a frame. */
template <double (*function)(long, long)>
static double checked(long times, long count)
{
    try {
        return function(times, count);
    } catch (const std::bad_alloc &) {
        return peer_failed("a frame");
    }
}

const struct contender_answer contender_answers[] = {
    {nullptr, "switch", CONTENDER_REPEATED, checked<one_switch>},
    {nullptr, "robin", CONTENDER_REPEATED, checked<one_switch>},
    {nullptr, "generator", CONTENDER_REPEATED, checked<generator>},
    {nullptr, "create", CONTENDER_REPEATED, checked<create>},
    {nullptr, "create_cold", CONTENDER_ONCE, checked<create_cold>},
    {nullptr, "memory", CONTENDER_MEMORY, checked<memory>},
    {nullptr, "yield", CONTENDER_REPEATED, checked<yield>},
    {nullptr, nullptr, CONTENDER_ONCE, nullptr},
};
