/* SPDX-License-Identifier: MIT */
/* coir.hpp: fibers, generators, tasks and what they wait for as C++ objects. Everything that counts `live` objects ends
 * with none: nothing leaks, wherever things are destroyed. */

#include "t.h"
#undef fail /* a macro of libcheck's, and a name in C++'s streams and in coir.hpp */

#include <coir.hpp>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

/* libcheck's would keep the address of a string that is gone. */
#define ASSERT_STRING(actual, expected)               \
    do {                                              \
        const std::string string_ = (actual);         \
        ck_assert_str_eq(string_.c_str(), expected);  \
    } while (0)

static int live;

struct counted {
    counted() { live++; }
    counted(const counted &) { live++; }
    counted &operator=(const counted &) = default;
    ~counted() { live--; }
};

/* What happened, a letter each. */
static std::string marks;

static void mark(char letter)
{
    marks += letter;
}

/* Marks when the scope is left. */
struct mark_at_end {
    char letter;
    explicit mark_at_end(char at_end) : letter(at_end) {}
    mark_at_end(const mark_at_end &) = delete;
    ~mark_at_end() { mark(letter); }
};

/* The code of the coir::error that a call throws; 0 if it throws none. */
template <class Call> static int code_of(Call call)
{
    try {
        call();
    } catch (const coir::error &error) {
        return error.code();
    }
    return 0;
}

/* What the std::runtime_error says that a call throws. */
template <class Call> static std::string words_of(Call call)
{
    try {
        call();
    } catch (const std::runtime_error &error) {
        return error.what();
    }
    return "";
}

[[noreturn]] static void throw_words(const char *words)
{
    counted object;
    throw std::runtime_error(words);
}

/* Time jumps, and reports are not printed. */
static coir::exec_options virtual_time()
{
    coir::exec_options opt{};
    opt.flags = COIR_VIRTUAL_CLOCK;
    opt.report = [](const char *, void *) {};
    return opt;
}

/* Calls it in a task, on an executor of its own. */
template <class Callable> static auto in_task(Callable callable)
{
    coir::executor executor(virtual_time());
    return executor.spawn(std::move(callable)).await();
}

/* ---- errors ---- */

START_TEST(an_error_has_the_code_and_the_sentence_of_c)
{
    coir::error error(COIR_EDEAD);
    ck_assert_int_eq(error.code(), COIR_EDEAD);
    ck_assert_str_eq(error.what(), coir_strerror(COIR_EDEAD));
    ck_assert_int_eq(coir::canceled().code(), COIR_ECANCELED);
}
END_TEST

START_TEST(check_throws_what_is_negative_and_returns_the_rest)
{
    bool caught = false;
    ck_assert_int_eq(coir::check(0), 0);
    ck_assert_int_eq(coir::check(7), 7);
    ck_assert_int_eq(code_of([] { coir::check(COIR_EBUSY); }), COIR_EBUSY);
    try {
        coir::check(COIR_ECANCELED);
    } catch (const coir::canceled &) {
        caught = true;
    }
    ck_assert(caught);
}
END_TEST

/* ---- fibers ---- */

START_TEST(a_fiber_runs_when_it_is_resumed_and_keeps_its_result)
{
    int step = 0;
    coir::fiber f([&step] {
        step = 1;
        coir::this_fiber::yield();
        step = 2;
        return std::string("result");
    });
    ck_assert_int_eq(step, 0);
    ck_assert(f.resume());
    ck_assert_int_eq(step, 1);
    ck_assert(!f.done());
    ck_assert_int_eq(code_of([&f] { f.result(); }), COIR_EAGAIN);
    ck_assert(!f.resume());
    ck_assert_int_eq(step, 2);
    ck_assert(f.done());
    ASSERT_STRING(f.result(), "result");
    ck_assert_int_eq(code_of([&f] { f.resume(); }), COIR_EDEAD);
}
END_TEST

START_TEST(a_result_may_be_void_a_reference_or_move_only)
{
    int variable = 1;
    coir::fiber nothing([] {});
    coir::fiber reference([&variable]() -> int & { return variable; });
    coir::fiber pointer([] { return std::make_unique<int>(3); });
    coir::fiber<long> converted([] { return 4; });
    ck_assert(!nothing.resume());
    nothing.result();
    ck_assert(!reference.resume());
    reference.result() = 2;
    ck_assert_int_eq(variable, 2);
    ck_assert(!pointer.resume());
    std::unique_ptr<int> taken = std::move(pointer.result());
    ck_assert_int_eq(*taken, 3);
    ck_assert(!converted.resume());
    ck_assert(converted.result() == 4L);
}
END_TEST

START_TEST(a_callable_may_be_move_only_and_is_destroyed_when_it_has_run)
{
    coir::fiber f([owned = std::make_unique<counted>()] {});
    ck_assert_int_eq(live, 1);
    f.resume();
    ck_assert_int_eq(live, 0);
    {
        coir::fiber never_run([owned = std::make_unique<counted>()] {});
        ck_assert_int_eq(live, 1);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(options_are_the_c_librarys)
{
    coir::options opt{};
    opt.name = "named";
    coir::fiber f([] {}, opt);
    ck_assert_str_eq(coir_fiber_name(f.native_handle()), "named");
    opt.flags = 1u << 31;
    ck_assert_int_eq(code_of([&opt] { coir::fiber g([object = counted()] {}, opt); }), COIR_EINVAL);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(an_exception_that_leaves_a_fiber_comes_out_of_resume)
{
    coir::fiber f([object = counted()]() -> int {
        coir::this_fiber::yield();
        throw_words("out");
    });
    ck_assert(f.resume());
    ASSERT_STRING(words_of([&f] { f.resume(); }), "out");
    ck_assert(f.done());
    ASSERT_STRING(words_of([&f] { f.result(); }), "out");
    ck_assert_int_eq(code_of([&f] { f.resume(); }), COIR_EDEAD);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(an_exception_passes_through_fibers_that_do_not_catch_it)
{
    coir::fiber outer([] {
        counted object;
        coir::fiber middle([] {
            counted another;
            coir::fiber inner([] { throw_words("inner"); });
            inner.resume();
        });
        middle.resume();
    });
    ASSERT_STRING(words_of([&outer] { outer.resume(); }), "inner");
    ck_assert_int_eq(live, 0);
}
END_TEST

/* Fibers that each throw and catch by turns: no exception gets into another's hands. */
START_TEST(fibers_throw_by_turns)
{
    std::vector<coir::fiber<int>> fibers;
    for (int id = 0; id < 20; id++)
        fibers.emplace_back([id] {
            int caught = 0;
            for (int i = 0; i < 5; i++) {
                caught += words_of([] { throw_words("mine"); }) == "mine";
                coir::this_fiber::yield();
            }
            return id + caught;
        });
    for (int turn = 0; turn <= 5; turn++)
        for (auto &f : fibers)
            ck_assert(f.resume() == (turn < 5));
    for (int id = 0; id < 20; id++)
        ck_assert_int_eq(fibers[static_cast<size_t>(id)].result(), id + 5);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(outside_of_a_fiber_yield_is_an_error)
{
    ck_assert_int_eq(code_of([] { coir::this_fiber::yield(); }), COIR_ENOTFIBER);
}
END_TEST

static void yield_at_depth(int depth)
{
    counted object;
    coir::this_fiber::yield();
    if (depth > 0)
        yield_at_depth(depth - 1);
    coir::this_fiber::yield();
}

START_TEST(a_fiber_that_is_destroyed_anywhere_runs_its_destructors)
{
    for (int resumes = 0; resumes <= 9; resumes++) {
        {
            coir::fiber f([object = counted()] { yield_at_depth(3); });
            for (int i = 0; i < resumes; i++)
                ck_assert(f.resume() == (i < 8));
            ck_assert_int_eq(live, resumes == 0 ? 1 : resumes <= 4 ? resumes + 1 : resumes <= 8 ? 10 - resumes : 0);
        }
        ck_assert_int_eq(live, 0);
    }
}
END_TEST

/* Notes the exception, leaves the handler, and yields again. */
static void swallow_cancels(int count)
{
    counted object;
    while (count > 0) {
        try {
            coir::this_fiber::yield();
        } catch (const coir::canceled &) {
            count--;
        }
    }
}

START_TEST(a_fiber_that_swallows_its_cancel_is_cancelled_again)
{
    {
        coir::fiber f([] { swallow_cancels(10); });
        f.resume();
        ck_assert_int_eq(live, 1);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_fiber_that_swallows_every_cancel_is_unwound_by_force)
{
    {
        coir::fiber f([owned = std::make_unique<counted>()] { swallow_cancels(1000); });
        f.resume();
        ck_assert_int_eq(live, 2);
    }
    ck_assert_int_eq(live, t_unwinds() ? 0 : 1);
}
END_TEST

START_TEST(what_a_fiber_throws_while_it_is_destroyed_is_lost)
{
    {
        coir::fiber f([] {
            code_of([] { coir::this_fiber::yield(); });
            throw_words("lost");
        });
        f.resume();
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(cancel_ends_a_fiber_and_tells_whether_it_did)
{
    coir::fiber plain([] { yield_at_depth(0); });
    coir::fiber stubborn([] { swallow_cancels(2); });
    coir::fiber throwing([] {
        code_of([] { coir::this_fiber::yield(); });
        throw_words("other");
    });
    plain.resume();
    ck_assert(!plain.cancel());
    ck_assert(plain.done());
    ck_assert_int_eq(code_of([&plain] { plain.result(); }), COIR_ECANCELED);
    stubborn.resume();
    ck_assert(stubborn.cancel());
    ck_assert(!stubborn.cancel());
    throwing.resume();
    ASSERT_STRING(words_of([&throwing] { throwing.cancel(); }), "other");
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_fiber_can_be_moved)
{
    coir::fiber a([object = counted()] {
        counted another;
        coir::this_fiber::yield();
        return 1;
    });
    coir::fiber b([] { return 2; });
    a.resume();
    coir::fiber c = std::move(a);
    b = std::move(c);
    ck_assert(!b.resume());
    ck_assert_int_eq(b.result(), 1);
    ck_assert_int_eq(code_of([&a] { a.resume(); }), COIR_EINVAL); // NOLINT: that is the test
    ck_assert_int_eq(code_of([&a] { a.result(); }), COIR_EINVAL);
    ck_assert(!a.done());
    a = coir::fiber([] { return 3; });
    a.resume();
    ck_assert_int_eq(a.result(), 3);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* The destructor runs while an exception flies, and in the fiber another one. */
START_TEST(a_suspended_fiber_is_unwound_when_an_exception_leaves_its_scope)
{
    std::string words = words_of([] {
        coir::fiber f([] { yield_at_depth(2); });
        f.resume();
        f.resume();
        throw_words("outer");
    });
    ASSERT_STRING(words, "outer");
    ck_assert_int_eq(live, 0);
}
END_TEST

/* pthread_exit is not an exception that could be carried: it goes on. */
static std::unique_ptr<coir::fiber<void>> left_behind;

static void *exit_in_fiber(void *)
{
    left_behind = std::make_unique<coir::fiber<void>>([] { t_thread_exit(T_VALUE(5)); });
    left_behind->resume();
    return nullptr;
}

START_TEST(a_thread_may_end_inside_of_a_fiber)
{
    ck_assert_int_eq(T_NUMBER(t_on_thread(exit_in_fiber, nullptr)), 5);
    ck_assert(left_behind->done());
    left_behind.reset();
}
END_TEST

static void *leave_a_fiber(void *)
{
    left_behind = std::make_unique<coir::fiber<void>>([object = counted()] { yield_at_depth(3); });
    left_behind->resume();
    left_behind->resume();
    return nullptr;
}

START_TEST(a_fiber_that_a_thread_has_left_behind_is_unwound_by_its_destructor)
{
    t_on_thread(leave_a_fiber, nullptr);
    ck_assert_int_eq(live, 3);
    left_behind.reset();
    ck_assert_int_eq(live, 0);
}
END_TEST

/* Two that stand in handlers, or while an exception flies, by turns. */
struct yields_at_end {
    ~yields_at_end() { coir::this_fiber::yield(); }
};

static std::string throw_again_after_a_yield(const char *words)
{
    return words_of([words] {
        try {
            yields_at_end object;
            throw_words(words);
        } catch (const std::runtime_error &) {
            coir::this_fiber::yield();
            throw;
        }
    });
}

START_TEST(a_fiber_may_suspend_in_its_handlers_and_while_an_exception_flies)
{
    coir::fiber a([] { return throw_again_after_a_yield("a"); });
    coir::fiber b([] { return throw_again_after_a_yield("b"); });
    for (int turn = 0; turn < 3; turn++) {
        ck_assert(a.resume() == (turn < 2));
        ck_assert(b.resume() == (turn < 2));
    }
    ASSERT_STRING(a.result(), "a");
    ASSERT_STRING(b.result(), "b");
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_fiber_that_exits_is_unwound_and_has_no_result)
{
    coir::fiber f([object = counted()] {
        counted another;
        coir_exit(nullptr);
        return 1;
    });
    ck_assert(!f.resume());
    ck_assert(f.done());
    ck_assert_int_eq(code_of([&f] { f.result(); }), COIR_ECANCELED);
    coir::fiber empty = std::move(f);
    { coir::fiber gone = std::move(empty); }
    ck_assert_int_eq(live, 0);
}
END_TEST

/* ---- generators ---- */

static coir::generator<int> count(int first)
{
    return [n = first](auto &yield) mutable {
        counted object;
        for (;; n++)
            yield(n);
    };
}

static coir::generator<int> count(int first, int last)
{
    return [first, last](auto &yield) {
        for (int n = first; n <= last; n++)
            yield(n);
    };
}

START_TEST(a_generator_gives_items_until_the_loop_is_left)
{
    int expected = 1;
    for (int n : count(1)) {
        ck_assert_int_eq(n, expected++);
        if (n == 10)
            break;
    }
    ck_assert_int_eq(expected, 11);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_generator_ends_when_its_callable_does)
{
    coir::generator<int> some = count(1, 3), none = count(1, 0);
    int sum = 0;
    for (int n : some)
        sum += n;
    ck_assert_int_eq(sum, 6);
    ck_assert(some.begin() == some.end());
    ck_assert_ptr_null(some.next());
    ck_assert(none.begin() == none.end());
    ck_assert_ptr_null(none.next());
}
END_TEST

START_TEST(a_generator_is_a_range_for_algorithms)
{
    int first[4];
    coir::generator<int> numbers = count(5);
    std::copy_n(numbers.begin(), 4, first);
    ck_assert_int_eq(first[0], 5);
    ck_assert_int_eq(first[3], 8);
    auto found = std::find_if(numbers.begin(), numbers.end(), [](int n) { return n % 7 == 0; });
    ck_assert_int_eq(*found, 14);
    ck_assert_int_eq(*found++, 14);
    ck_assert_int_eq(*found, 15);

    coir::generator<int> few = count(1, 100), same = count(1, 100), vector_of = count(1, 5);
    ck_assert_int_eq(std::accumulate(few.begin(), few.end(), 0), 5050);
    ck_assert_int_eq(static_cast<int>(std::distance(same.begin(), same.end())), 100);
    std::vector<int> v(vector_of.begin(), vector_of.end());
    ck_assert(v == (std::vector<int>{1, 2, 3, 4, 5}));
}
END_TEST

START_TEST(an_item_is_the_generators_own_object)
{
    const int *address = nullptr;
    int seen = 0;
    coir::generator<int> g([&](auto &yield) {
        int n = 1;
        address = &n;
        yield(n);
        seen = n;
    });
    for (int &n : g) {
        ck_assert_ptr_eq(&n, address);
        n = 2;
    }
    ck_assert_int_eq(seen, 2);
}
END_TEST

START_TEST(items_may_be_move_only_const_or_made_from_something_else)
{
    coir::generator<std::unique_ptr<int>> pointers([](auto &yield) {
        yield(std::make_unique<int>(1));
        std::unique_ptr<int> named = std::make_unique<int>(2);
        yield(named);
        ck_assert(named == nullptr);
    });
    int sum = 0;
    for (std::unique_ptr<int> &p : pointers)
        sum += *std::unique_ptr<int>(std::move(p));
    ck_assert_int_eq(sum, 3);

    coir::generator<const std::string> words([](coir::yielder<const std::string> &yield) {
        const std::string constant = "b";
        yield("a");
        yield(constant);
        yield({"cde", 1});
    });
    std::string all;
    for (const std::string &word : words)
        all += word;
    ASSERT_STRING(all, "abc");

    coir::generator<std::string> copies([](auto &yield) {
        const std::string constant = "untouched";
        yield(constant);
        mark(constant[0]);
    });
    for (std::string &word : copies)
        word = "changed";
    ASSERT_STRING(marks, "u");
}
END_TEST

START_TEST(an_exception_comes_out_of_begin_or_the_step_that_reaches_it)
{
    for (int items = 0; items < 3; items++) {
        coir::generator<int> g([items](auto &yield) {
            counted object;
            for (int n = 0; n < items; n++)
                yield(n);
            throw_words("no more");
        });
        int seen = 0;
        std::string words = words_of([&] {
            for (int n : g)
                seen += n >= 0;
        });
        ASSERT_STRING(words, "no more");
        ck_assert_int_eq(seen, items);
        ck_assert(g.begin() == g.end());
        ck_assert_int_eq(live, 0);
    }
}
END_TEST

START_TEST(a_generator_that_is_destroyed_anywhere_runs_its_destructors)
{
    for (int items = 0; items <= 4; items++) {
        {
            coir::generator<counted> g([object = counted()](auto &yield) {
                counted local;
                for (int n = 0; n < 3; n++)
                    yield(counted());
            });
            for (int i = 0; i < items; i++)
                ck_assert((g.next() != nullptr) == (i < 3));
            ck_assert_int_eq(live, items == 0 ? 1 : items <= 3 ? 3 : 0);
        }
        ck_assert_int_eq(live, 0);
    }
}
END_TEST

struct tree {
    int value;
    std::unique_ptr<tree> left, right;
};

static std::unique_ptr<tree> make_tree(int first, int last)
{
    int middle = (first + last) / 2;
    return first > last ? nullptr
                        : std::make_unique<tree>(
                              tree{middle, make_tree(first, middle - 1), make_tree(middle + 1, last)});
}

static coir::generator<int> walk(const tree *t)
{
    return [t](auto &yield) {
        counted object;
        if (t == nullptr)
            return;
        for (int &n : walk(t->left.get()))
            yield(n);
        yield(t->value);
        for (int &n : walk(t->right.get()))
            yield(n);
    };
}

START_TEST(generators_take_from_generators)
{
    std::unique_ptr<tree> t = make_tree(1, 30);
    coir::generator<int> a = walk(t.get()), b = count(1, 30);
    ck_assert(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    ck_assert_int_eq(live, 0);
    for (int n : walk(t.get()))
        if (n == 13)
            break;
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_generator_can_be_moved)
{
    coir::generator<int> a = count(1);
    ck_assert_int_eq(*a.next(), 1);
    auto position = a.begin();
    coir::generator<int> b = std::move(a);
    ck_assert_int_eq(*b.next(), 2);
    ck_assert_int_eq(*position, 2);
    ck_assert_int_eq(code_of([&a] { a.next(); }), COIR_EINVAL); // NOLINT: that is the test
    b = count(10);
    ck_assert_int_eq(*b.next(), 10);
    ck_assert_int_eq(live, 1);
    b = count(20);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(items_come_from_the_generators_own_fiber_only)
{
    coir::generator<int> g([](auto &yield) {
        coir::fiber inner([&yield] { yield(0); });
        ck_assert_int_eq(code_of([] { coir::this_fiber::yield(); }), COIR_EINVAL);
        ck_assert_int_eq(code_of([&inner] { inner.resume(); }), COIR_ENOTFIBER);
        yield(1);
        coir::this_fiber::yield();
    });
    ck_assert_int_eq(*g.next(), 1);
    ck_assert_int_eq(code_of([&g] { g.next(); }), COIR_EINVAL);
    ck_assert_ptr_null(g.next());
}
END_TEST

START_TEST(a_generator_cannot_ask_itself_for_items)
{
    {
        coir::generator<int> *self = nullptr;
        coir::generator<int> g([&self, object = counted()](auto &yield) {
            ck_assert_int_eq(code_of([self] { self->next(); }), COIR_EBUSY);
            yield(1);
            ck_assert_int_eq(code_of([self] { self->next(); }), COIR_EBUSY);
            yield(2);
        });
        self = &g;
        ck_assert_int_eq(*g.next(), 1);
        ck_assert_int_eq(*g.next(), 2);
    }
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_generator_that_swallows_its_end_is_asked_again)
{
    for (int swallowed : {3, 1000}) {
        {
            coir::generator<int> g([swallowed](auto &yield) {
                counted object;
                for (int n = 0; n < swallowed;)
                    n += code_of([&] { yield(n); }) == COIR_ECANCELED;
            });
            g.next();
        }
        ck_assert_int_eq(live, swallowed == 3 || t_unwinds() ? 0 : 1);
    }
}
END_TEST

#if defined(__cpp_lib_ranges)
static_assert(std::input_iterator<coir::generator<int>::iterator>);
static_assert(std::ranges::input_range<coir::generator<std::unique_ptr<int>>>);
#endif

/* ---- tasks ---- */

START_TEST(await_gives_what_the_task_returned)
{
    int variable = 1;
    in_task([&variable] {
        coir::spawn([] {}).await();
        ck_assert_int_eq(coir::spawn([] { return 42; }).await(), 42);
        ck_assert_int_eq(*coir::spawn([] { return std::make_unique<int>(7); }).await(), 7);
        coir::spawn([&variable]() -> int & { return variable; }).await() = 2;
        coir::spawn([] { return counted(); }).await();
    });
    ck_assert_int_eq(variable, 2);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(an_exception_that_leaves_a_task_comes_out_of_await)
{
    coir::executor executor(virtual_time());
    coir::task parent = executor.spawn([]() -> int {
        coir::task child = coir::spawn([] {
            coir::sleep_for(1ms);
            throw_words("child's");
        });
        ASSERT_STRING(words_of([&child] { child.await(); }), "child's");
        ck_assert(!child);
        throw_words("parent's");
    });
    ASSERT_STRING(words_of([&parent] { parent.await(); }), "parent's");
    ck_assert(executor.run());
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(tasks_take_turns)
{
    in_task([] {
        coir::task a = coir::spawn([] {
            mark('a');
            coir::yield();
            mark('c');
            coir::sleep_for(10ms);
            mark('f');
        });
        coir::task b = coir::spawn([] {
            mark('b');
            coir::yield();
            mark('d');
            coir::sleep_until(coir::clock::now() + 5ms);
            mark('e');
        });
        a.await();
        b.await();
    });
    ASSERT_STRING(marks, "abcdef");
}
END_TEST

START_TEST(a_task_whose_handle_goes_runs_on)
{
    coir::executor executor(virtual_time());
    executor.spawn([object = counted()] {
        coir::sleep_for(1ms);
        mark('a');
        return counted();
    });
    executor.spawn([] { throw_words("lost"); });
    ck_assert(executor.run());
    ASSERT_STRING(marks, "a");
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_task_can_be_awaited_after_its_executor_has_gone)
{
    coir::task<std::string> ended, cancelled, throwing;
    {
        coir::executor executor(virtual_time());
        ended = executor.spawn([] { return std::string("kept"); });
        throwing = executor.spawn([]() -> std::string { throw_words("kept too"); });
        cancelled = executor.spawn([object = counted()] {
            coir::sleep_until(coir::forever);
            return std::string("never");
        });
        executor.run_once_until(coir::time_point());
        ck_assert(ended.done());
        ck_assert(!cancelled.done());
    }
    ASSERT_STRING(ended.await(), "kept");
    ASSERT_STRING(words_of([&] { throwing.await(); }), "kept too");
    ck_assert_int_eq(code_of([&] { cancelled.await(); }), COIR_ECANCELED);
    ck_assert_int_eq(live, 0);
}
END_TEST

/* A task has not started, waits, or has ended; its executor or its handle goes first; it returns or throws. */
static void leave_task(int turns, bool handle_first, bool throws)
{
    auto executor = std::make_unique<coir::executor>(virtual_time());
    auto task = std::make_unique<coir::task<counted>>(executor->spawn([throws, object = counted()] {
        counted local;
        coir::sleep_for(1ms);
        if (throws)
            throw_words("left");
        return counted();
    }));
    for (int i = 0; i < turns; i++)
        executor->run_once_until(coir::forever);
    if (handle_first)
        task.reset();
    executor.reset();
    task.reset();
}

START_TEST(nothing_is_left_in_whatever_order_things_end)
{
    for (int turns = 0; turns <= 2; turns++)
        for (int order = 0; order < 4; order++) {
            leave_task(turns, order % 2 == 0, order / 2 == 0);
            ck_assert_int_eq(live, 0);
        }
}
END_TEST

START_TEST(a_cancelled_task_unwinds)
{
    in_task([] {
        coir::task sleeper = coir::spawn([object = counted()] {
            counted local;
            coir::sleep_until(coir::forever);
        });
        coir::yield();
        ck_assert_int_eq(live, 2);
        sleeper.cancel();
        sleeper.cancel();
        ck_assert_int_eq(code_of([&sleeper] { sleeper.await(); }), COIR_ECANCELED);
        ck_assert_int_eq(live, 0);
    });
}
END_TEST

START_TEST(a_task_that_is_cancelled_while_it_awaits_keeps_the_handle)
{
    in_task([] {
        coir::task child = coir::spawn([] {
            coir::sleep_for(10ms);
            return 5;
        });
        coir::task parent = coir::spawn([&child] { child.await(); });
        coir::yield();
        parent.cancel();
        ck_assert_int_eq(code_of([&parent] { parent.await(); }), COIR_ECANCELED);
        ck_assert(!parent);
        ck_assert(static_cast<bool>(child));
        ck_assert_int_eq(child.await(), 5);
    });
}
END_TEST

START_TEST(a_cancelled_task_can_await_one_that_has_ended)
{
    in_task([] {
        coir::task child = coir::spawn([] { return 5; });
        coir::yield();
        coir::task parent = coir::spawn([&child] {
            ck_assert_int_eq(code_of([] { coir::yield(); }), COIR_ECANCELED);
            return child.await();
        });
        parent.cancel();
        ck_assert_int_eq(parent.await(), 5);
    });
}
END_TEST

START_TEST(await_until_tells_whether_the_task_has_ended)
{
    in_task([] {
        coir::task child = coir::spawn([] {
            coir::sleep_for(10ms);
            return 5;
        });
        ck_assert(!child.await_until(coir::clock::now() + 5ms));
        ck_assert(!child.done());
        ck_assert(child.await_until(coir::clock::now() + 50ms));
        ck_assert(child.done());
        ck_assert_ptr_null(child.native_handle());
        ck_assert_int_eq(child.await(), 5);
        ck_assert_int_eq(code_of([&child] { child.await(); }), COIR_EINVAL);
    });
}
END_TEST

START_TEST(awaits_that_cannot_be_are_errors)
{
    ck_assert_int_eq(code_of([] { coir::spawn([object = counted()] {}); }), COIR_ENOTTASK);
    ck_assert_int_eq(code_of([] { coir::yield(); }), COIR_ENOTTASK);
    ck_assert_int_eq(code_of([] { coir::task<int>().await(); }), COIR_EINVAL);
    in_task([] {
        coir::task<void> self;
        self = coir::spawn([&self] { ck_assert_int_eq(code_of([&self] { self.await(); }), COIR_EDEADLK); });
        coir::yield();
        self.await();
        coir::task child = coir::spawn([] { coir::sleep_for(1ms); });
        coir::task first = coir::spawn([&child] { child.await(); });
        coir::yield();
        ck_assert_int_eq(code_of([&child] { child.await(); }), COIR_EBUSY);
        first.await();
    });
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(under_a_shield_a_cancelled_task_can_wait)
{
    in_task([] {
        coir::task t = coir::spawn([] {
            struct slow_to_end {
                ~slow_to_end()
                {
                    coir::shield shield;
                    coir::yield();
                    mark('a');
                }
            } object;
            code_of([] { coir::sleep_until(coir::forever); });
            mark('b');
        });
        coir::yield();
        t.cancel();
        t.await();
    });
    ASSERT_STRING(marks, "ba");
}
END_TEST

/* ---- executors ---- */

START_TEST(an_executor_runs_in_turns_and_can_be_stopped)
{
    coir::executor executor(virtual_time());
    executor.spawn([] {
        mark('a');
        coir::yield();
        mark('b');
        coir::yield();
        mark('c');
    });
    ck_assert(!executor.run_once_until(coir::time_point()));
    ASSERT_STRING(marks, "a");
    executor.stop();
    ck_assert(!executor.run());
    ASSERT_STRING(marks, "a");
    ck_assert(executor.run());
    ASSERT_STRING(marks, "abc");
}
END_TEST

START_TEST(tasks_that_wait_for_each_other_are_an_error_of_run)
{
    coir::executor executor(virtual_time());
    coir::channel<int> empty;
    coir::task t = executor.spawn([&empty, object = counted()] { return empty.recv().has_value(); });
    ck_assert_int_eq(code_of([&executor] { executor.run(); }), COIR_EDEADLK);
    ck_assert_int_eq(code_of([&t] { t.await(); }), COIR_EDEADLK);
    ck_assert(static_cast<bool>(t));
    executor.cancel();
    ck_assert(executor.run());
    ck_assert_int_eq(code_of([&t] { t.await(); }), COIR_ECANCELED);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(an_executor_ends_its_tasks_before_it_goes)
{
    {
        coir::executor executor(virtual_time());
        executor.spawn([object = counted()] {
            counted local;
            if (code_of([] { coir::sleep_until(coir::forever); }) == COIR_ECANCELED)
                coir::spawn([another = counted()] { coir::sleep_for(1ms); }); /* and one more, in its last moments */
        });
        executor.spawn([object = counted()] { coir::sleep_for(1ms); });
        executor.run_once_until(coir::time_point());
        executor.spawn([object = counted()] { mark('a'); });
        executor.post([object = counted()] { mark('b'); });
        ck_assert_int_eq(live, 5);
    }
    ck_assert_int_eq(live, 0);
    std::sort(marks.begin(), marks.end());
    ASSERT_STRING(marks, "ab");
}
END_TEST

static void *post_from_thread(void *executor)
{
    static_cast<coir::executor *>(executor)->post([executor, owned = std::make_unique<int>(7)] {
        mark(static_cast<char>('0' + *owned));
        coir_exec_release(static_cast<coir::executor *>(executor)->native_handle());
    });
    return nullptr;
}

START_TEST(any_thread_can_post_a_callable)
{
    coir::executor executor;
    coir_exec_hold(executor.native_handle());
    t_thread *thread = t_thread_start(post_from_thread, &executor);
    ck_assert(executor.run());
    t_thread_join(thread);
    ASSERT_STRING(marks, "7");
}
END_TEST

START_TEST(an_executor_does_not_go_while_it_is_held)
{
    t_thread *thread;
    {
        coir::executor executor;
        executor.spawn([] { coir::sleep_until(coir::forever); });
        coir_exec_hold(executor.native_handle());
        thread = t_thread_start(post_from_thread, &executor);
    }
    ASSERT_STRING(marks, "7");
    t_thread_join(thread);
}
END_TEST

START_TEST(an_executor_has_a_clock)
{
    coir::executor executor(virtual_time());
    coir::task t = executor.spawn([] { coir::sleep_for(5ms); });
    ck_assert(!t.await_until(executor.now() + 3ms));
    ck_assert(executor.now().time_since_epoch() == 3ms);
    ck_assert(!executor.run_once_until(executor.now()));
    ck_assert(t.await_until(executor.now() + 3ms));
    ck_assert(executor.now().time_since_epoch() == 5ms);
    t.await();
}
END_TEST

START_TEST(an_executor_can_be_moved)
{
    coir::executor a(virtual_time());
    coir::task t = a.spawn([] { return 1; });
    coir::executor b = std::move(a);
    ck_assert(b.run());
    ck_assert_int_eq(t.await(), 1);
    ck_assert_int_eq(code_of([&a] { a.spawn([] {}); }), COIR_EINVAL); // NOLINT: that is the test
}
END_TEST

/* ---- channels ---- */

template <class T, class Make> static void send_through(size_t capacity, Make make)
{
    in_task([capacity, &make] {
        coir::channel<T> channel(capacity);
        coir::task producer = coir::spawn([&channel, &make] {
            for (int n = 1; n <= 5; n++)
                channel.send(make(n));
            channel.close();
            channel.close();
        });
        int expected = 1;
        while (std::optional<T> item = channel.recv())
            ck_assert(*item == *std::make_unique<T>(make(expected++)) || expected > 1);
        ck_assert_int_eq(expected, 6);
        ck_assert(channel.done());
        producer.await();
    });
}

struct without_default {
    int value;
    explicit without_default(int n) : value(n) {}
    bool operator==(const without_default &other) const { return value == other.value; }
};

START_TEST(a_channel_carries_what_can_be_moved)
{
    for (size_t capacity : {0u, 1u, 10u}) {
        send_through<int>(capacity, [](int n) { return n; });
        send_through<without_default>(capacity, [](int n) { return without_default(n); });
        send_through<std::string>(capacity, [](int n) { return std::string(static_cast<size_t>(n) * 20, 'x'); });
        send_through<std::unique_ptr<int>>(capacity, [](int n) { return std::make_unique<int>(n); });
    }
}
END_TEST

START_TEST(items_come_out_of_a_channel_as_they_went_in)
{
    coir::channel<std::unique_ptr<std::string>> channel(2);
    ck_assert(channel.try_send(std::make_unique<std::string>("first")));
    ck_assert(channel.try_send(std::make_unique<std::string>("second")));
    ck_assert_uint_eq(channel.size(), 2);
    auto third = std::make_unique<std::string>("third");
    ck_assert(!channel.try_send(std::move(third)));
    ASSERT_STRING(*third, "third"); // NOLINT: it was not taken
    ASSERT_STRING(*(*channel.try_recv()), "first");
    ASSERT_STRING(*(*channel.try_recv()), "second");
    ck_assert(!channel.try_recv().has_value());
    ck_assert(!channel.done());
}
END_TEST

START_TEST(a_closed_channel_gives_what_it_holds_and_then_nothing)
{
    in_task([] {
        coir::channel<std::string> channel(1);
        coir::task late = coir::spawn([&channel] {
            channel.send("a");
            channel.send("b"); /* waits, and is told */
        });
        coir::yield();
        channel.close();
        ck_assert_int_eq(code_of([&late] { late.await(); }), COIR_ECLOSED);
        ck_assert_int_eq(code_of([&channel] { channel.try_send("c"); }), COIR_ECLOSED);
        ck_assert(!channel.done());
        ASSERT_STRING(*channel.recv(), "a");
        ck_assert(!channel.recv().has_value());
        ck_assert(channel.done());
    });
}
END_TEST

START_TEST(channels_keep_to_deadlines)
{
    in_task([] {
        coir::channel<int> numbers;
        coir::channel<std::string> words;
        std::string word = "kept";
        ck_assert(!numbers.recv_until(coir::clock::now() + 1ms).has_value());
        ck_assert(!numbers.send_until(1, coir::clock::now() + 1ms));
        ck_assert(!words.send_until(std::move(word), coir::clock::now() + 1ms));
        ASSERT_STRING(word, "kept"); // NOLINT: it was not taken
        coir::task taker = coir::spawn([&words] { return words.recv(); });
        ck_assert(words.send_until(word, coir::clock::now() + 1ms));
        ASSERT_STRING(*taker.await(), "kept");
    });
}
END_TEST

START_TEST(a_channel_destroys_what_it_holds)
{
    in_task([] {
        coir::task<void> waits;
        {
            coir::channel<counted> channel(2);
            channel.send(counted());
            channel.send(counted());
            ck_assert_int_eq(live, 2);
            waits = coir::spawn([&channel] { channel.send(counted()); });
            coir::yield();
            ck_assert_int_eq(live, 3 + 1); /* its parameter, and what is in the box */
        }
        ck_assert_int_eq(code_of([&waits] { waits.await(); }), COIR_ECLOSED);
        ck_assert_int_eq(live, 0);
    });
}
END_TEST

START_TEST(a_cancelled_task_leaves_nothing_at_a_channel)
{
    in_task([] {
        coir::channel<counted> channel;
        coir::task sender = coir::spawn([&channel] { channel.send(counted()); });
        coir::yield();
        sender.cancel();
        ck_assert_int_eq(code_of([&sender] { sender.await(); }), COIR_ECANCELED);
        ck_assert_int_eq(live, 0);
        ck_assert(!channel.try_recv().has_value());
    });
}
END_TEST

/* ---- synchronisation ---- */

START_TEST(a_mutex_is_held_by_one_task_at_a_time)
{
    coir::mutex mutex;
    in_task([&mutex] {
        auto hold = [&mutex](char letter) {
            return coir::spawn([&mutex, letter] {
                std::lock_guard<coir::mutex> lock(mutex);
                mark(letter);
                coir::sleep_for(5ms);
                mark(letter);
                throw_words("the lock is given up");
            });
        };
        coir::task a = hold('a'), b = hold('b');
        coir::yield();
        ck_assert(!mutex.try_lock());
        ck_assert(!(std::unique_lock<coir::mutex>(mutex, coir::clock::now() + 2ms)));
        ASSERT_STRING(words_of([&a] { a.await(); }), "the lock is given up");
        ASSERT_STRING(words_of([&b] { b.await(); }), "the lock is given up");
        ASSERT_STRING(marks, "aabb");
        std::unique_lock<coir::mutex> lock(mutex, coir::clock::now() + 2ms);
        ck_assert(lock.owns_lock());
        ck_assert_int_eq(code_of([&mutex] { mutex.lock(); }), COIR_EDEADLK);
        lock.unlock();
        ck_assert_int_eq(code_of([&mutex] { mutex.unlock(); }), COIR_ENOTHELD);
    });
}
END_TEST

START_TEST(a_condition_is_waited_for_with_the_mutex_given_up)
{
    in_task([] {
        coir::mutex mutex;
        coir::condition_variable changed;
        int value = 0;
        coir::task waiter = coir::spawn([&] {
            std::unique_lock<coir::mutex> lock(mutex);
            ck_assert(!changed.wait_until(lock, coir::clock::now() + 1ms));
            ck_assert(!changed.wait_until(lock, coir::clock::now() + 1ms, [&] { return value == 2; }));
            changed.wait(lock, [&] { return value == 2; });
            ck_assert(changed.wait_until(lock, coir::clock::now() + 1ms, [&] { return value == 2; }));
            ck_assert(lock.owns_lock());
        });
        coir::sleep_for(5ms);
        for (int n = 1; n <= 2; n++) {
            std::lock_guard<coir::mutex> lock(mutex);
            value = n;
            changed.notify_one();
            changed.notify_all();
            coir::sleep_for(1ms);
        }
        waiter.await();
    });
}
END_TEST

START_TEST(a_task_that_is_cancelled_at_a_condition_gives_the_mutex_up_at_last)
{
    in_task([] {
        coir::mutex mutex;
        coir::condition_variable never;
        coir::task waiter = coir::spawn([&] {
            std::unique_lock<coir::mutex> lock(mutex);
            never.wait(lock, [] { return false; });
        });
        coir::yield();
        waiter.cancel();
        ck_assert_int_eq(code_of([&waiter] { waiter.await(); }), COIR_ECANCELED);
        ck_assert(mutex.try_lock());
        mutex.unlock();
    });
}
END_TEST

START_TEST(a_semaphore_counts_permits)
{
    in_task([] {
        coir::semaphore permits(1);
        permits.acquire();
        ck_assert(!permits.try_acquire());
        ck_assert(!permits.try_acquire_until(coir::clock::now() + 1ms));
        coir::task waiter = coir::spawn([&permits] { permits.acquire(); });
        permits.release();
        waiter.await();
        permits.release();
        ck_assert(permits.try_acquire());
    });
    ck_assert_int_eq(code_of([] { coir::semaphore too_many(COIR_SEM_MAX + 1u); }), COIR_EINVAL);
}
END_TEST

/* ---- groups ---- */

START_TEST(with_group_waits_for_what_was_spawned)
{
    int sum = 0;
    in_task([&sum] {
        coir::with_group([&sum](coir::group &group) {
            for (int n = 1; n <= 4; n++)
                group.spawn([&sum, n, owned = std::make_unique<counted>()] {
                    coir::sleep_for(n * 1ms);
                    sum += n;
                    return counted(); /* is dropped */
                });
        });
        ck_assert_int_eq(sum, 10);
    });
    ck_assert_int_eq(live, 0);
}
END_TEST

/* Spawns two that sleep for ever and one that throws in a while. */
static void spawn_one_that_throws(coir::group &group)
{
    for (int i = 0; i < 2; i++)
        group.spawn([object = counted()] { coir::sleep_until(coir::forever); });
    group.spawn([] {
        coir::sleep_for(1ms);
        throw_words("first");
    });
}

START_TEST(the_first_exception_cancels_a_group_and_comes_out_of_wait)
{
    in_task([] {
        coir::group group;
        spawn_one_that_throws(group);
        group.spawn([] {
            code_of([] { coir::sleep_until(coir::forever); });
            throw_words("second");
        });
        ck_assert(!group.wait_until(coir::time_point()));
        ASSERT_STRING(words_of([&group] { group.wait(); }), "first");
        ck_assert_int_eq(live, 0);
        ck_assert_int_eq(code_of([&group] { group.spawn([object = counted()] {}); }), COIR_ECANCELED);
        ASSERT_STRING(words_of([&group] { group.wait(); }), "first");
    });
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(an_exception_that_leaves_the_body_cancels_the_group)
{
    in_task([] {
        std::string words = words_of([] {
            coir::with_group([](coir::group &group) {
                spawn_one_that_throws(group);
                coir::yield();
                throw_words("body's");
            });
        });
        ASSERT_STRING(words, "body's");
        ck_assert_int_eq(live, 0);
    });
}
END_TEST

START_TEST(the_first_exception_counts_also_if_the_body_throws_later)
{
    in_task([] {
        std::string words = words_of([] {
            coir::with_group([](coir::group &group) {
                spawn_one_that_throws(group);
                coir::sleep_for(2ms);
                group.spawn([] {}); /* throws coir::canceled, because of the other */
            });
        });
        ASSERT_STRING(words, "first");
        ck_assert_int_eq(live, 0);
    });
}
END_TEST

START_TEST(a_group_that_is_not_waited_for_is_cancelled_by_its_destructor)
{
    in_task([] {
        {
            coir::group group;
            group.spawn([object = counted()] {
                struct slow_to_end {
                    ~slow_to_end()
                    {
                        coir::shield shield;
                        coir::sleep_for(5ms);
                    }
                } slow;
                coir::sleep_until(coir::forever);
            });
            coir::yield();
        }
        ck_assert_int_eq(live, 0);
        std::string words = words_of([] {
            coir::group group;
            group.spawn([object = counted()] { coir::sleep_until(coir::forever); });
            throw_words("outer");
        });
        ASSERT_STRING(words, "outer");
        ck_assert_int_eq(live, 0);
    });
}
END_TEST

START_TEST(a_group_can_be_failed_or_cancelled)
{
    in_task([] {
        coir::group failed, cancelled;
        spawn_one_that_throws(failed);
        spawn_one_that_throws(cancelled);
        failed.fail(-1000);
        cancelled.cancel();
        ck_assert_int_eq(code_of([&failed] { failed.wait(); }), -1000);
        ck_assert_int_eq(code_of([&cancelled] { cancelled.wait(); }), COIR_ECANCELED);
        ck_assert_int_eq(live, 0);
    });
}
END_TEST

START_TEST(cancelling_who_waits_for_a_group_cancels_the_group)
{
    in_task([] {
        coir::task parent = coir::spawn([] {
            coir::with_group([](coir::group &group) {
                group.spawn([object = counted()] { coir::sleep_until(coir::forever); });
            });
        });
        coir::yield();
        coir::yield();
        ck_assert_int_eq(live, 1);
        parent.cancel();
        ck_assert_int_eq(code_of([&parent] { parent.await(); }), COIR_ECANCELED);
        ck_assert_int_eq(live, 0);
    });
}
END_TEST

START_TEST(a_group_outside_of_tasks_runs_its_executor)
{
    coir::executor executor(virtual_time());
    coir::group group(executor);
    spawn_one_that_throws(group);
    ASSERT_STRING(words_of([&group] { group.wait(); }), "first");
    ck_assert_int_eq(live, 0);
    coir::group left(executor);
    spawn_one_that_throws(left);
    executor.run_once_until(coir::time_point());
}
END_TEST

/* ---- composition ---- */

/* Sleeps between items. */
static coir::generator<int> tick(int items)
{
    return [items, object = counted()](auto &yield) {
        counted local;
        for (int n = 1; n <= items; n++) {
            coir::sleep_for(10ms);
            yield(n);
        }
    };
}

START_TEST(a_generator_sleeps_in_a_task_of_a_group_while_others_run)
{
    in_task([] {
        coir::with_group([](coir::group &group) {
            group.spawn([] {
                for (int n : tick(3))
                    mark(static_cast<char>('0' + n));
            });
            group.spawn([] {
                for (int i = 0; i < 3; i++) {
                    coir::sleep_for(i == 0 ? 15ms : 10ms);
                    mark('-');
                }
            });
        });
    });
    ASSERT_STRING(marks, "1-2-3-");
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(an_exception_passes_from_task_to_generator_to_task_to_main)
{
    std::string words = words_of([] {
        in_task([] {
            coir::generator<int> g([](auto &yield) {
                counted object;
                yield(coir::spawn([] { return 1; }).await());
                coir::spawn([] {
                    coir::sleep_for(1ms);
                    throw_words("deep");
                }).await();
            });
            int sum = 0;
            for (int n : g)
                mark(static_cast<char>('0' + (sum += n)));
        });
    });
    ASSERT_STRING(words, "deep");
    ASSERT_STRING(marks, "1");
    ck_assert_int_eq(live, 0);
}
END_TEST

/* A task waits in a fiber in a generator: cancelled there, all of it unwinds. */
START_TEST(a_task_that_is_cancelled_deep_inside_unwinds_from_there)
{
    in_task([] {
        coir::task deep = coir::spawn([] {
            mark_at_end task('3');
            coir::generator<int> g([](auto &yield) {
                mark_at_end generator('2');
                coir::fiber f([] {
                    mark_at_end fiber('1');
                    coir::sleep_until(coir::forever);
                });
                f.resume();
                yield(1);
            });
            g.next();
        });
        coir::yield();
        ck_assert_int_eq(code_of([&deep] {
                             deep.cancel();
                             deep.await();
                         }),
                         COIR_ECANCELED);
    });
    ASSERT_STRING(marks, "123");
}
END_TEST

/* The cleanup of a fiber waits: the task that destroys the fiber waits with it. */
START_TEST(a_fiber_may_wait_while_it_is_destroyed_in_a_task)
{
    in_task([] {
        coir::task other = coir::spawn([] {
            coir::sleep_for(5ms);
            mark('b');
        });
        {
            coir::fiber f([] {
                code_of([] { coir::this_fiber::yield(); });
                mark('a');
                coir::sleep_for(10ms);
                mark('c');
            });
            f.resume();
        }
        mark('d');
        other.await();
    });
    ASSERT_STRING(marks, "abcd");
}
END_TEST

/* The executor draws the order from a seed: in every one, nothing is left and no exception is lost. */
START_TEST(nothing_is_left_in_whatever_order_tasks_run)
{
    const uint64_t seeds = t_instrumented() ? 5 : 50;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        coir::exec_options opt = virtual_time();
        opt.seed = seed;
        coir::executor executor(opt);
        coir::channel<std::unique_ptr<counted>> channel(1);
        coir::group group(executor);
        for (int i = 0; i < 3; i++) {
            group.spawn([&channel] {
                for (int n = 0; n < 4; n++)
                    channel.send(std::make_unique<counted>());
                throw_words("sent");
            });
            group.spawn([&channel] {
                while (auto item = channel.recv())
                    for (int n : tick(1))
                        ck_assert_int_eq(n, 1);
            });
        }
        ASSERT_STRING(words_of([&group] { group.wait(); }), "sent");
        while (channel.try_recv()) {
        }
        ck_assert_int_eq(live, 0);
    }
}
END_TEST

/* ---- tasks that exit ---- */

START_TEST(a_task_that_exits_is_unwound_and_has_no_result)
{
    coir::executor executor(virtual_time());
    auto exit_later = [object = counted()] {
        counted another;
        coir::sleep_for(1ms);
        coir_exit(nullptr);
        return 1;
    };
    coir::task<int> awaited = executor.spawn(exit_later), kept = executor.spawn(exit_later);
    { coir::task<int> detached = executor.spawn(exit_later); }
    ck_assert_int_eq(code_of([&awaited] { awaited.await(); }), COIR_ECANCELED);
    ck_assert(executor.run());
    ck_assert(kept.done());
    ck_assert_int_eq(code_of([&kept] { kept.await(); }), COIR_ECANCELED);
    ck_assert_int_eq(live, 1); /* the original */
}
END_TEST

START_TEST(an_exit_in_the_body_of_with_group_runs_nothing_after_it)
{
    bool went_on = false;
    in_task([&went_on] {
        coir::task leaving = coir::spawn([&went_on, object = counted()] {
            coir::with_group([](coir::group &) { coir_exit(nullptr); });
            went_on = true;
        });
        ck_assert_int_eq(code_of([&leaving] { leaving.await(); }), COIR_ECANCELED);
        ck_assert_int_eq(live, 0);
    });
    ck_assert(!went_on);
}
END_TEST

T_MAIN(an_error_has_the_code_and_the_sentence_of_c, check_throws_what_is_negative_and_returns_the_rest,
       a_fiber_runs_when_it_is_resumed_and_keeps_its_result, a_result_may_be_void_a_reference_or_move_only,
       a_callable_may_be_move_only_and_is_destroyed_when_it_has_run, options_are_the_c_librarys,
       an_exception_that_leaves_a_fiber_comes_out_of_resume, an_exception_passes_through_fibers_that_do_not_catch_it,
       fibers_throw_by_turns, outside_of_a_fiber_yield_is_an_error,
       a_fiber_that_is_destroyed_anywhere_runs_its_destructors, a_fiber_that_swallows_its_cancel_is_cancelled_again,
       a_fiber_that_swallows_every_cancel_is_unwound_by_force, what_a_fiber_throws_while_it_is_destroyed_is_lost,
       cancel_ends_a_fiber_and_tells_whether_it_did, a_fiber_can_be_moved,
       a_suspended_fiber_is_unwound_when_an_exception_leaves_its_scope, a_thread_may_end_inside_of_a_fiber,
       a_fiber_that_a_thread_has_left_behind_is_unwound_by_its_destructor,
       a_fiber_may_suspend_in_its_handlers_and_while_an_exception_flies,
       a_fiber_that_exits_is_unwound_and_has_no_result, a_generator_gives_items_until_the_loop_is_left,
       a_generator_ends_when_its_callable_does, a_generator_is_a_range_for_algorithms,
       an_item_is_the_generators_own_object, items_may_be_move_only_const_or_made_from_something_else,
       an_exception_comes_out_of_begin_or_the_step_that_reaches_it,
       a_generator_that_is_destroyed_anywhere_runs_its_destructors, generators_take_from_generators,
       a_generator_can_be_moved, items_come_from_the_generators_own_fiber_only,
       a_generator_cannot_ask_itself_for_items, a_generator_that_swallows_its_end_is_asked_again,
       await_gives_what_the_task_returned, an_exception_that_leaves_a_task_comes_out_of_await, tasks_take_turns,
       a_task_whose_handle_goes_runs_on, a_task_can_be_awaited_after_its_executor_has_gone,
       nothing_is_left_in_whatever_order_things_end, a_cancelled_task_unwinds,
       a_task_that_is_cancelled_while_it_awaits_keeps_the_handle, a_cancelled_task_can_await_one_that_has_ended,
       await_until_tells_whether_the_task_has_ended, awaits_that_cannot_be_are_errors,
       under_a_shield_a_cancelled_task_can_wait, an_executor_runs_in_turns_and_can_be_stopped,
       tasks_that_wait_for_each_other_are_an_error_of_run, an_executor_ends_its_tasks_before_it_goes,
       any_thread_can_post_a_callable, an_executor_does_not_go_while_it_is_held, an_executor_has_a_clock,
       an_executor_can_be_moved, a_channel_carries_what_can_be_moved, items_come_out_of_a_channel_as_they_went_in,
       a_closed_channel_gives_what_it_holds_and_then_nothing, channels_keep_to_deadlines,
       a_channel_destroys_what_it_holds, a_cancelled_task_leaves_nothing_at_a_channel,
       a_mutex_is_held_by_one_task_at_a_time, a_condition_is_waited_for_with_the_mutex_given_up,
       a_task_that_is_cancelled_at_a_condition_gives_the_mutex_up_at_last, a_semaphore_counts_permits,
       with_group_waits_for_what_was_spawned, the_first_exception_cancels_a_group_and_comes_out_of_wait,
       an_exception_that_leaves_the_body_cancels_the_group, the_first_exception_counts_also_if_the_body_throws_later,
       a_group_that_is_not_waited_for_is_cancelled_by_its_destructor, a_group_can_be_failed_or_cancelled,
       cancelling_who_waits_for_a_group_cancels_the_group, a_group_outside_of_tasks_runs_its_executor,
       a_generator_sleeps_in_a_task_of_a_group_while_others_run,
       an_exception_passes_from_task_to_generator_to_task_to_main,
       a_task_that_is_cancelled_deep_inside_unwinds_from_there, a_fiber_may_wait_while_it_is_destroyed_in_a_task,
       nothing_is_left_in_whatever_order_tasks_run, a_task_that_exits_is_unwound_and_has_no_result,
       an_exit_in_the_body_of_with_group_runs_nothing_after_it)
