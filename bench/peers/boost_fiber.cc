/* SPDX-License-Identifier: MIT */
/* boost_fiber.cc - Boost.Fiber (Debian: libboost-fiber-dev, libboost-context-dev), with its default scheduler, which
 * is round-robin.
 *
 * Stacks are of 64 KiB without a guard, from malloc, the library's default being 128 KiB. Variants: "plain", where a
 * fiber is launched into the queue of those that are ready, as is the default; "dispatch", where it runs at once.
 *
 * Debian builds the library with its atomic operations, for threads; a program cannot leave them out on its own. The
 * assertions of Boost in the headers are left out, as in any release build. */

#define BOOST_DISABLE_ASSERTS

#include <boost/fiber/all.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "peer.h"

namespace fibers = boost::fibers;
namespace this_fiber = boost::this_fiber;
namespace chrono = std::chrono;

static constexpr std::size_t stack_size = 65536;

template <typename Function>
static fibers::fiber launch(Function function, fibers::launch policy = fibers::launch::post)
{
    return fibers::fiber(policy, std::allocator_arg, fibers::fixedsize_stack(stack_size), function);
}

/* Fibers that are joined when this goes. */
class crowd {
public:
    crowd() = default;
    crowd(const crowd &) = delete;
    crowd &operator=(const crowd &) = delete;

    ~crowd()
    {
        for (fibers::fiber &f : all)
            f.join();
    }

    /* Launches so many, each of which calls function(its number); false if there is no memory for them. */
    template <typename Function>
    bool add(long count, Function function)
    {
        try {
            all.reserve(all.size() + static_cast<std::size_t>(count));
            for (long i = 0; i < count; i++)
                all.push_back(launch([function, i] { function(i); }));
            return true;
        } catch (const std::bad_alloc &) {
            peer_failed("a fiber");
            return false;
        }
    }

private:
    std::vector<fibers::fiber> all;
};

/* ---- fibers that yield by turns ---- */

static void take_turns(const long &turns)
{
    for (long i = turns; i > 0; i--)
        this_fiber::yield();
}

/* The first of the fibers times it: when it has had its last turn, so have the others. */
static double yield(long times, long count)
{
    long turns = contender_rounds(times, count);
    double took = -1;
    {
        crowd tasks;
        bool made = tasks.add(count, [&turns, &took](long number) {
            this_fiber::yield(); /* until all have started */
            double start = contender_now();
            take_turns(turns);
            if (number == 0)
                took = contender_now() - start;
        });
        if (!made)
            turns = 0;
    }
    return turns == 0 ? -1 : took / static_cast<double>(turns * count) * static_cast<double>(times);
}

/* ---- channels ---- */

template <typename Channel>
static double pass_items(Channel &channel, std::uint64_t items)
{
    std::uint64_t sum = 0;
    double start = contender_now();

    fibers::fiber receiver = launch([&channel, &sum] {
        std::uint64_t item;
        while (channel.pop(item) == fibers::channel_op_status::success)
            sum += item;
    });
    fibers::fiber sender = launch([&channel, items] {
        for (std::uint64_t i = 1; i <= items; i++)
            channel.push(i);
        channel.close();
    });
    sender.join();
    receiver.join();
    return sum == items * (items + 1) / 2 ? contender_now() - start : -1;
}

static double channel(long times, long)
{
    fibers::unbuffered_channel<std::uint64_t> unbuffered;

    return pass_items(unbuffered, static_cast<std::uint64_t>(times));
}

/* A buffered_channel takes one item less than it has places. Their number must be a power of two. */
static double channel_16(long times, long)
{
    fibers::buffered_channel<std::uint64_t> buffered(16);

    return pass_items(buffered, static_cast<std::uint64_t>(times));
}

/* ---- launch, run, join ---- */

static long ended;

static void end()
{
    ended++;
}

static double launch_and_join(long times, long)
{
    fibers::launch policy =
        std::strcmp(contender_variant, "dispatch") == 0 ? fibers::launch::dispatch : fibers::launch::post;
    double start = contender_now();

    ended = 0;
    for (long i = 0; i < times; i++)
        launch(end, policy).join();
    return ended == times ? contender_now() - start : -1;
}

static double spawn(long times, long count)
{
    double took = -1;

    launch([&took, times, count] { took = launch_and_join(times, count); }).join();
    return took;
}

/* ---- timers ---- */

struct alarm_clock {
    fibers::mutex mutex;
    fibers::condition_variable night, morning;
    bool is_night = true, is_waking = true;
};

static void sleep_long(alarm_clock &alarm, long number)
{
    auto deadline = chrono::steady_clock::now() + chrono::hours(1) + chrono::nanoseconds(number);
    std::unique_lock<fibers::mutex> lock(alarm.mutex);

    while (alarm.is_night)
        alarm.night.wait_until(lock, deadline);
}

/* Waits with a deadline that never comes: each wait sets a timer, and each wake takes it back. */
static void wait_often(alarm_clock &alarm, long times)
{
    std::unique_lock<fibers::mutex> lock(alarm.mutex);

    for (long i = 0; i < times; i++)
        alarm.morning.wait_until(lock, chrono::steady_clock::now() + chrono::nanoseconds(1000000000 + i % 7919));
    alarm.is_waking = false;
}

static double wake_often(alarm_clock &alarm)
{
    this_fiber::yield(); /* until all wait */
    double start = contender_now();

    while (alarm.is_waking) {
        alarm.morning.notify_one();
        this_fiber::yield();
    }
    return contender_now() - start;
}

static void end_night(alarm_clock &alarm)
{
    alarm.is_night = false;
    alarm.night.notify_all();
}

static double timer(long times, long count)
{
    alarm_clock alarm;
    crowd tasks;
    double took = -1;

    if (tasks.add(count - 1, [&alarm, count](long i) { sleep_long(alarm, (i + 1) * 7919 % count); }) &&
        tasks.add(1, [&alarm, times](long) { wait_often(alarm, times); }))
        took = wake_often(alarm);
    end_night(alarm);
    return took;
}

/* ---- memory ---- */

/* Fibers that have run up to a wait. They are ended before the thread's scheduler is: it would wait for them. */
class suspended {
public:
    suspended() { fibers::context::active(); /* so that there is a scheduler, which goes after this */ }

    ~suspended()
    {
        is_over = true;
        over.notify_all();
    }

    double add(long count)
    {
        bool made = all.add(count, [this](long) {
            std::unique_lock<fibers::mutex> lock(mutex);
            while (!is_over)
                over.wait(lock);
        });
        this_fiber::yield();
        return made ? static_cast<double>(count) : -1;
    }

private:
    fibers::mutex mutex;
    fibers::condition_variable over;
    bool is_over = false;
    crowd all;
};

static double memory(long, long count)
{
    static thread_local suspended all;

    return all.add(count);
}

const struct contender_answer contender_answers[] = {
    {"plain", "yield", CONTENDER_REPEATED, yield},
    {"plain", "channel", CONTENDER_REPEATED, channel},
    {"plain", "channel_16", CONTENDER_REPEATED, channel_16},
    {nullptr, "spawn", CONTENDER_REPEATED, spawn},
    {nullptr, "create", CONTENDER_REPEATED, launch_and_join}, /* the same, by the thread's own fiber */
    {"plain", "timer", CONTENDER_REPEATED, timer},
    {"plain", "memory", CONTENDER_MEMORY, memory},
    {nullptr, nullptr, CONTENDER_ONCE, nullptr},
};
