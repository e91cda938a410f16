/* SPDX-License-Identifier: MIT */
/* coir.hpp - coir for C++17: fibers, generators, tasks and what they wait for, as objects.
 *
 *     coir::generator<int> count(int first)
 *     {
 *         return [n = first](auto &yield) mutable {
 *             for (;; n++)
 *                 yield(n);
 *         };
 *     }
 *
 *     for (int n : count(1))
 *         if (n > 10)
 *             break;
 *
 *     coir::executor executor;
 *     coir::task<int> parent = executor.spawn([] {
 *         coir::task<int> child = coir::spawn([] {
 *             coir::sleep_for(std::chrono::milliseconds(10));
 *             return 42;
 *         });
 *         return child.await();
 *     });
 *     int answer = parent.await();
 *
 * Everything is in this header, above the C functions, whose headers tell the rest: what a fiber is, who waits how. C
 * and C++ mix: native_handle() gives the C object, and coir::check turns the result of a C call into an exception.
 *
 * Rules for all that follows:
 *
 * Errors. A function that fails throws coir::error, with the C call's code in it: each code that the C header names and
 * that is not said here to be a normal result. Deadlines that pass, channels that are closed and things that cannot be
 * done at the moment are such results: false, or an empty optional.
 *
 * Cancellation. What C reports as COIR_ECANCELED is thrown as coir::canceled, so a fiber or task that is told to end
 * unwinds by itself, and its destructors run. Who catches it, or everything, had better throw it again: each later call
 * that suspends throws it once more. Where a destructor has to wait, it opens a coir::shield before.
 *
 * Exceptions. What leaves the callable of a fiber, generator or task is carried to whoever resumes, asks for the next
 * item, or awaits, and thrown there. C++'s record of exceptions is the fiber's (coir/exceptions.h), so it may suspend
 * inside a catch block, and in a destructor that runs for an exception. This header tells the library of the program's
 * C++ runtime before main begins.
 *
 * Forced unwinding. What C functions do to frames (coir_exit; coir_destroy of a fiber that this header's cancels have
 * not ended, or whose thread has ended) runs destructors here too, but it ends the program where it meets a function
 * that lets no exception out: the destructors of coir::fiber, generator, group and executor, while they wait; and
 * coir::with_group, if that was called inside of a catch block. With libc++, pthread_exit in a fiber ends the program.
 *
 * Callables. They are moved (or copied) in and may be move-only, and are destroyed as soon as they have run, in the
 * fiber that ran them, or else with the object that they were given to. What they capture by reference must last as
 * long.
 *
 * Ownership. An object owns what it stands for and can be moved; one that was moved from is empty, and all but
 * assigning to it and destroying it is COIR_EINVAL. Fibers whose thread has ended without them are unwound and freed
 * by the destructor, without coir::canceled.
 *
 * Threads. Objects belong to the thread that made them; executor::post is the only call for others. */

#ifndef COIR_HPP
#define COIR_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <coir.h>

#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace coir {

/* ---- errors ---- */

/* A call failed. */
class error : public std::exception {
public:
    explicit error(int code) noexcept : code_(code) {}

    /* The C code, such as COIR_EDEAD. */
    int code() const noexcept { return code_; }

    /* coir_strerror's sentence for it. */
    const char *what() const noexcept override { return coir_strerror(code_); }

private:
    int code_;
};

/* The fiber or task that runs is to end. */
class canceled : public error {
public:
    canceled() noexcept : error(COIR_ECANCELED) {}
};

namespace detail {

#ifdef __GLIBCXX__
/* Tells the library of this program's C++ runtime, which may be linked into it and not be found by its name. (libc++
 * does not declare the function.) If another one is known already, that one stays. */
inline const int attached = coir_exceptions_attach(reinterpret_cast<void *(*)()>(abi::__cxa_get_globals));
#endif

[[noreturn]] inline void throw_code(int code)
{
    if (code == COIR_ECANCELED)
        throw canceled();
    throw error(code);
}

} // namespace detail

/* Returns the result of a C call if it is not negative, else throws: coir::check(coir_task_park()). */
inline int check(int result)
{
    if (result < 0)
        detail::throw_code(result);
    return result;
}

/* ---- options and time ---- */

/* How to make a fiber, generator or task: coir/fiber.h; and an executor: coir/exec.h. `coir::options opt{};` is all
 * defaults. */
using options = coir_options;
using exec_options = coir_exec_options;

/* The clock of deadlines: coir_now(), which in a task is its executor's clock. */
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept { return time_point(duration(coir_now())); }
};

using time_point = clock::time_point;

/* The deadline that never comes. */
constexpr time_point forever = time_point::max();

/* ---- private: callables and what becomes of them ---- */

namespace detail {

inline std::int64_t count(time_point time) noexcept
{
    return time.time_since_epoch().count();
}

/* True for success, false for the one code that means "not now"; throws the others. */
inline bool succeeded(int result, int not_now)
{
    return result != not_now && check(result) >= 0;
}

/* What a callable gave: a value, which may be void, or an exception; or neither, until it has ended or if it never
 * ran. */
template <class Result> class outcome {
    struct nothing {};
    using stored = std::conditional_t<std::is_void_v<Result>, nothing,
                                      std::conditional_t<std::is_reference_v<Result>, std::add_pointer_t<Result>,
                                                         std::remove_cv_t<Result>>>;

public:
    /* Calls it. Nothing leaves this but forced unwinding (coir/exceptions.h, and that of pthread_exit and
     * pthread_cancel), which is no C++ exception and must go on. libc++ cannot throw it again: with it the unwinding
     * ends here, to begin anew where the fiber suspends next, if it does not end first. */
    template <class Callable, class... Args> void run(Callable &&callable, Args &&...args)
    {
        try {
            store(std::forward<Callable>(callable), std::forward<Args>(args)...);
        } catch (...) {
            thrown_ = std::current_exception();
#ifdef __GLIBCXX__
            if (thrown_ == nullptr)
                throw;
#endif
        }
    }

    const std::exception_ptr &thrown() const noexcept { return thrown_; }

    /* Was that what ended it? */
    bool unwound() const noexcept { return thrown_ == nullptr && !value_; }

    /* Throws the exception, if there is one, once. */
    void rethrow()
    {
        if (thrown_ != nullptr)
            std::rethrow_exception(std::exchange(thrown_, nullptr));
    }

    /* The value; or throws the exception; or coir::canceled where there is neither. */
    std::add_lvalue_reference_t<Result> get()
    {
        if (thrown_ != nullptr)
            std::rethrow_exception(thrown_);
        if (!value_)
            throw canceled();
        if constexpr (std::is_reference_v<Result>)
            return **value_;
        else if constexpr (!std::is_void_v<Result>)
            return *value_;
    }

    /* The same, but moves the value out. */
    Result take()
    {
        if constexpr (std::is_void_v<Result>)
            get();
        else
            return static_cast<Result &&>(get());
    }

private:
    template <class... Call> void store(Call &&...call)
    {
        if constexpr (std::is_void_v<Result>) {
            std::invoke(std::forward<Call>(call)...);
            value_.emplace();
        } else if constexpr (std::is_reference_v<Result>) {
            Result result = std::invoke(std::forward<Call>(call)...);
            value_.emplace(std::addressof(result));
        } else {
            value_.emplace(std::invoke(std::forward<Call>(call)...));
        }
    }

    std::optional<stored> value_;
    std::exception_ptr thrown_;
};

/* A callable on its way into a fiber, and then its outcome. */
template <class Result> struct job {
    virtual ~job() = default;
    virtual void run() = 0;

    template <class Callable> void call(Callable &callable) { gave.run(std::move(callable)); }

    outcome<Result> gave;
};

/* The job of one type of callable. Base is a job, or derived from one, and may have another way to call it. */
template <class Base, class Callable> class job_of final : public Base {
public:
    template <class From> explicit job_of(From &&from) : callable_(std::in_place, std::forward<From>(from)) {}

    void run() override
    {
        this->call(*callable_);
        callable_.reset();
    }

private:
    std::optional<Callable> callable_;
};

/* Not std::make_unique: with a unique_ptr for each type of callable, spawning them takes half as long again to compile. */
template <class Base, class Callable> std::unique_ptr<Base> make_job(Callable &&callable)
{
    return std::unique_ptr<Base>(new job_of<Base, std::decay_t<Callable>>(std::forward<Callable>(callable)));
}

/* How often a fiber is cancelled that yields all the same, before it is unwound by force. */
constexpr int cancels = 16;

template <class Result> void *run_in_fiber(void *arg)
{
    static_cast<job<Result> *>(arg)->run();
    return nullptr;
}

template <class Callable> using result_of = std::invoke_result_t<std::decay_t<Callable>>;

template <class Result, class Callable>
using if_gives = std::enable_if_t<std::is_invocable_r_v<Result, std::decay_t<Callable>>>;

/* Deletes a C object by its own function. */
template <auto Destroy> struct deleter {
    template <class Object> void operator()(Object *object) const noexcept { Destroy(object); }
};

} // namespace detail

/* ---- fibers ---- */

/* A fiber that runs a callable: coir::fiber f([] { ...; return 1; }); is a fiber<int>. Result may be void, a reference,
 * or anything that can be moved.
 *
 * The destructor ends a suspended fiber: its coir::this_fiber::yield throws coir::canceled, so that it unwinds.
 * Exceptions that it throws then are lost. If it suspends itself again it is cancelled again, 16 times in all; then
 * coir_destroy unwinds it by force. A fiber that cannot be destroyed, since it runs, waits in a task, or belongs to
 * another thread, is left as it is, with what it owns. */
template <class Result> class fiber {
public:
    /* Nothing runs before the first resume. Errors: as coir_create. */
    template <class Callable, class = detail::if_gives<Result, Callable>>
    explicit fiber(Callable &&callable, const options &opt = {})
        : job_(detail::make_job<detail::job<Result>>(std::forward<Callable>(callable)))
    {
        check(coir_create(&fiber_, detail::run_in_fiber<Result>, job_.get(), &opt));
    }

    fiber(fiber &&other) noexcept : job_(std::move(other.job_)), fiber_(std::exchange(other.fiber_, nullptr)) {}

    fiber &operator=(fiber other) noexcept
    {
        std::swap(job_, other.job_);
        std::swap(fiber_, other.fiber_);
        return *this;
    }

    ~fiber()
    {
        for (int i = 0; i < detail::cancels && coir_cancel(fiber_, nullptr) > 0; i++) {
        }
        if (coir_destroy(fiber_) != COIR_OK)
            job_.release(); // it is in use by a fiber that is left as it is
    }

    /* Runs it until it yields, true, or ends, false. Throws what left the callable; the fiber has ended then.
     * Errors: as coir_resume. */
    bool resume() { return goes_on(coir_resume(fiber_, nullptr, nullptr)); }

    /* Has its yield throw coir::canceled and runs it until it yields again, true, or ends, false: also when
     * coir::canceled is what left the callable. Throws anything else that did. Errors: as coir_cancel. */
    bool cancel()
    {
        try {
            return goes_on(coir_cancel(fiber_, nullptr));
        } catch (const canceled &) {
            return false;
        }
    }

    /* Has it ended? */
    bool done() const noexcept { return coir_fiber_state(fiber_) == COIR_STATE_DONE; }

    /* What the callable returned: it stays in this object and can be moved from there. Throws what left the callable;
     * coir::canceled if it ended without running to its end; error(COIR_EAGAIN) while it has not ended. */
    std::add_lvalue_reference_t<Result> result()
    {
        if (!done())
            detail::throw_code(job_ == nullptr ? COIR_EINVAL : COIR_EAGAIN);
        return job_->gave.get();
    }

    coir_fiber *native_handle() const noexcept { return fiber_; }

private:
    bool goes_on(int outcome)
    {
        if (check(outcome) == COIR_DONE && job_->gave.thrown() != nullptr)
            std::rethrow_exception(job_->gave.thrown());
        return outcome != COIR_DONE;
    }

    std::unique_ptr<detail::job<Result>> job_;
    coir_fiber *fiber_ = nullptr;
};

template <class Callable> fiber(Callable, const options & = {}) -> fiber<detail::result_of<Callable>>;

namespace this_fiber {

/* Suspends the current fiber until it is resumed: coir_yield. Throws coir::canceled where it is to end. */
inline void yield()
{
    check(coir_yield(nullptr, nullptr));
}

} // namespace this_fiber

/* ---- generators ---- */

template <class T> class generator;

/* What a generator's callable hands items out with: yield(item). An lvalue or rvalue of type T is handed out as it is,
 * without a copy; from anything else a T is made for as long as the call lasts. Throws coir::canceled where the
 * generator is to end. Errors: as coir_gen_yield; so it cannot be called in another fiber that runs inside. */
template <class T> class yielder {
public:
    yielder() = default;
    yielder(const yielder &) = delete;
    yielder &operator=(const yielder &) = delete;

    template <class Item = T> void operator()(Item &&item)
    {
        if constexpr (std::is_convertible_v<std::remove_reference_t<Item> *, T *>) {
            hand_out(std::addressof(item));
        } else {
            T made(std::forward<Item>(item));
            hand_out(std::addressof(made));
        }
    }

private:
    friend class generator<T>;

    void hand_out(T *item)
    {
        check(coir_gen_yield(gen_, &item));
        if (ending_)
            throw canceled();
    }

    coir_gen *gen_ = nullptr;
    bool ending_ = false;
};

/* Items of type T, made one by one as they are asked for, by a callable that takes a coir::yielder<T> &, or auto &: an
 * input range, for loops and algorithms. It is a fiber: it may wait if it is used in a task, which then waits with it;
 * and its destructor ends it as that of coir::fiber does. An exception that leaves the callable comes out of begin(),
 * ++ or next(), once; then there are no more items.
 *
 * T may be const, so that items cannot be changed, but not a reference. Iterators stay valid when the generator is
 * moved. */
template <class T> class generator {
    struct body;

public:
    class iterator;

    /* Nothing runs before the first item is asked for. Errors: as coir_gen_create. */
    template <class Callable, class = std::enable_if_t<std::is_invocable_v<std::decay_t<Callable> &, yielder<T> &>>>
    generator(Callable &&callable, const options &opt = {})
    {
        auto made = detail::make_job<body>(std::forward<Callable>(callable));
        check(coir_gen_create(&made->yield.gen_, sizeof(T *), body::start, made.get(), &opt));
        body_.reset(made.release());
    }

    /* Runs it to the next item: the generator's own object, which lasts until the one after is asked for, and may be
     * changed or moved from. NULL if there are no more. Errors: as coir_gen_next. */
    T *next() { return its_body().next(); }

    /* Where the generator stands: at its first item, if none was asked for yet, else at the one that came last. */
    iterator begin()
    {
        if (its_body().item == nullptr)
            next();
        return iterator(body_.get());
    }

    iterator end() noexcept { return iterator(); }

private:
    struct body : detail::job<void> {
        yielder<T> yield;
        T *item = nullptr; // where it stands; NULL before the first item and after the last

        template <class Callable> void call(Callable &callable) { this->gave.run(callable, yield); }

        static int start(coir_gen *, void *arg)
        {
            static_cast<body *>(arg)->run();
            return COIR_OK;
        }

        T *next()
        {
            int result = coir_gen_next(yield.gen_, &item);
            return result > 0 ? item : stop(result);
        }

        /* Not inlined, so that next() can be: a return after a switch of stacks is one that the processor predicts
         * wrongly. */
        [[gnu::noinline]] T *stop(int result)
        {
            check(result);
            item = nullptr;
            this->gave.rethrow();
            return nullptr;
        }

        /* Where it stands in a yield, that throws now. */
        void end() noexcept
        {
            yield.ending_ = item != nullptr;
            for (int i = 0; i < detail::cancels && yield.ending_ && coir_gen_next(yield.gen_, nullptr) > 0; i++) {
            }
        }
    };

    struct close {
        void operator()(body *closing) const noexcept
        {
            closing->end();
            if (coir_gen_destroy(closing->yield.gen_) == COIR_OK)
                delete closing;
        }
    };

    body &its_body() const
    {
        if (body_ == nullptr)
            detail::throw_code(COIR_EINVAL);
        return *body_;
    }

    std::unique_ptr<body, close> body_;
};

/* All that are not at the end are equal. What it++ returns holds a copy of the item. */
template <class T> class generator<T>::iterator {
    struct copy {
        std::remove_cv_t<T> item;
        std::remove_cv_t<T> &operator*() { return item; }
    };

public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::remove_cv_t<T>;
    using difference_type = std::ptrdiff_t;
    using pointer = T *;
    using reference = T &;

    iterator() = default;

    T &operator*() const { return *body_->item; }
    T *operator->() const { return body_->item; }

    iterator &operator++()
    {
        body_->next();
        return *this;
    }

    copy operator++(int)
    {
        copy before{**this};
        ++*this;
        return before;
    }

    friend bool operator==(const iterator &a, const iterator &b) { return a.at_end() == b.at_end(); }
    friend bool operator!=(const iterator &a, const iterator &b) { return !(a == b); }

private:
    friend class generator;
    explicit iterator(body *of) : body_(of) {}

    bool at_end() const { return body_ == nullptr || body_->item == nullptr; }

    body *body_ = nullptr;
};

/* ---- tasks ---- */

namespace detail {

/* A job that runs as a task, and outlives it. It has two owners, one thread: the task while it runs, and the handle.
 * Who leaves last deletes it. The C task is given up by itself at its end, unless somebody is just awaiting it: so a
 * handle may outlive the executor. */
template <class Result> struct task_job : job<Result> {
    coir_task *task = nullptr; // NULL once it has ended and is given up, or freed by an await
    bool ended = false;
    bool abandoned = false; // there is no handle any more

    static void *start(void *arg)
    {
        const end at_end{static_cast<task_job *>(arg)};
        at_end.self->run();
        return nullptr;
    }

    /* Its end, also by coir_exit. */
    struct end {
        task_job *self;
        ~end()
        {
            self->ended = true;
            if (self->abandoned)
                delete self;
            else if (coir_task_detach(self->task) == COIR_OK)
                self->task = nullptr;
        }
    };

    /* True when it has ended, false when the deadline came first. */
    bool wait(std::int64_t deadline)
    {
        if (task == nullptr)
            return true;
        int result = coir_await_until(task, deadline, nullptr);
        if (result == COIR_EBUSY || (result != COIR_OK && !ended))
            return succeeded(result, COIR_ETIMEDOUT);
        if (result != COIR_OK)
            coir_task_detach(task); // it has ended just now
        task = nullptr;
        return true;
    }
};

/* What becomes of a job when its handle goes. */
struct abandon {
    template <class Result> void operator()(task_job<Result> *job) const noexcept
    {
        int result = job->task == nullptr ? COIR_OK : coir_task_detach(job->task);
        if (job->ended)
            delete job;
        else if (result == COIR_OK)
            job->abandoned = true;
    }
};

} // namespace detail

/* The handle of a task that runs a callable. Result may be void, a reference, or anything that can be moved. A handle
 * that goes without await detaches the task: it runs on, and what it returns or throws is lost. A task that uses
 * variables of its parent belongs into a coir::group instead. A handle may outlive the executor, and the thread if the
 * task has ended. */
template <class Result> class task {
public:
    /* An empty handle. */
    task() = default;

    /* Spawns a task in the executor `e`, NULL for the one that runs: it starts when its turn comes.
     * Errors: as coir_spawn. */
    template <class Callable, class = detail::if_gives<Result, Callable>>
    task(coir_exec *e, Callable &&callable, const options &opt = {})
    {
        auto job = detail::make_job<detail::task_job<Result>>(std::forward<Callable>(callable));
        check(coir_spawn(&job->task, e, detail::task_job<Result>::start, job.get(), &opt));
        job_.reset(job.release());
    }

    /* Waits until it has ended, then returns what the callable returned, or throws what left it, and empties the
     * handle. Outside of any task it runs the executor until then. Does not wait, even in a task that was cancelled, if
     * it has ended.
     *
     * coir::canceled: it ended by that exception; or the caller was cancelled: then the handle is not empty afterwards.
     * Errors: as coir_await. */
    Result await()
    {
        its_job().wait(COIR_FOREVER);
        const auto job = std::move(job_);
        return job->gave.take();
    }

    /* Waits until it has ended, true, or the deadline has passed, false. After true await() returns at once. */
    bool await_until(time_point deadline) { return its_job().wait(detail::count(deadline)); }

    /* Cancels it: its next call that waits throws coir::canceled. Does not wait; has no effect once it has ended. */
    void cancel()
    {
        if (!done())
            check(coir_task_cancel(job_->task));
    }

    /* Has it ended? */
    bool done() const { return its_job().ended; }

    /* Is there a task in this handle? */
    explicit operator bool() const noexcept { return job_ != nullptr; }

    /* For C calls that take a task, but coir_await... and coir_task_detach. NULL once it has ended. */
    coir_task *native_handle() const { return done() ? nullptr : job_->task; }

private:
    detail::task_job<Result> &its_job() const
    {
        if (job_ == nullptr)
            detail::throw_code(COIR_EINVAL);
        return *job_;
    }

    std::unique_ptr<detail::task_job<Result>, detail::abandon> job_;
};

/* Spawns a task in the executor that runs. Errors: as coir_spawn. */
template <class Callable> task<detail::result_of<Callable>> spawn(Callable &&callable, const options &opt = {})
{
    return task<detail::result_of<Callable>>(nullptr, std::forward<Callable>(callable), opt);
}

/* Goes to the back of the queue of tasks. All three throw coir::canceled in a task that is to end, error(COIR_ENOTTASK)
 * outside of tasks. */
inline void yield()
{
    check(coir_task_yield());
}

/* Suspends the current task for that long, or until that time. */
inline void sleep_for(std::chrono::nanoseconds duration)
{
    check(coir_sleep(duration.count()));
}

inline void sleep_until(time_point time)
{
    check(coir_sleep_until(detail::count(time)));
}

/* While there is one, the current task waits as if it had not been cancelled: for cleaning up. Has no effect outside of
 * tasks. */
class shield {
public:
    shield() noexcept : before_(coir_task_shield(1)) {}
    shield(const shield &) = delete;
    shield &operator=(const shield &) = delete;
    ~shield() { coir_task_shield(before_ > 0); }

private:
    int before_;
};

/* ---- executors ---- */

/* Runs tasks. The destructor cancels those that have not ended, and runs until they have, until nothing is posted and
 * nobody holds the executor (coir_exec_hold). An executor that cannot be destroyed then is left as it is: it runs just
 * now, belongs to another thread, has a group, or a task that waits for ever under a shield. */
class executor {
public:
    /* Errors: as coir_exec_create. */
    explicit executor(const exec_options &opt = {})
    {
        coir_exec *made = nullptr;
        check(coir_exec_create(&made, &opt));
        exec_.reset(made);
    }

    /* Spawns a task. Errors: as coir_spawn. */
    template <class Callable> task<detail::result_of<Callable>> spawn(Callable &&callable, const options &opt = {})
    {
        if (exec_ == nullptr)
            detail::throw_code(COIR_EINVAL); // NULL would mean another executor
        return task<detail::result_of<Callable>>(exec_.get(), std::forward<Callable>(callable), opt);
    }

    /* Runs tasks: until none is left, true, or stop() was called, false. Errors: as coir_exec_run; COIR_EDEADLK is
     * one. */
    bool run() { return check(coir_exec_run(exec_.get())) == COIR_OK; }

    /* Runs one turn, waiting for something to do until the deadline: true if no task is left. Errors: as
     * coir_exec_run_once_until. */
    bool run_once_until(time_point deadline)
    {
        return check(coir_exec_run_once_until(exec_.get(), detail::count(deadline))) == COIR_OK;
    }

    /* Makes run() return, when the running task suspends. */
    void stop() { check(coir_exec_stop(exec_.get())); }

    /* Cancels all tasks. */
    void cancel() { check(coir_exec_cancel(exec_.get())); }

    /* Has the callable called once in the executor's thread, outside of any task. Any thread may call this. An
     * exception that leaves the callable ends the program. Errors: as coir_exec_post. */
    template <class Callable> void post(Callable &&callable)
    {
        using box = std::decay_t<Callable>;
        auto boxed = std::make_unique<box>(std::forward<Callable>(callable));
        auto call = [](void *arg) noexcept {
            std::unique_ptr<box> owned(static_cast<box *>(arg));
            std::invoke(std::move(*owned));
        };
        check(coir_exec_post(exec_.get(), call, boxed.get()));
        boxed.release();
    }

    /* The time of its clock, for deadlines that are set outside of its tasks. Errors: as coir_exec_now. */
    time_point now() const
    {
        std::int64_t time = coir_exec_now(exec_.get());
        if (time < 0)
            detail::throw_code(static_cast<int>(time));
        return time_point(clock::duration(time));
    }

    coir_exec *native_handle() const noexcept { return exec_.get(); }

private:
    /* Cancels in each turn, since tasks that end may spawn others. */
    struct close {
        void operator()(coir_exec *e) const noexcept
        {
            int result;
            bool empty;
            do {
                coir_exec_cancel(e);
                empty = coir_exec_tasks(e) <= 0;
                result = empty ? coir_exec_run(e) : coir_exec_run_once_until(e, COIR_FOREVER);
            } while (result == COIR_TASKS_LEFT || (result == COIR_OK && !empty));
            coir_exec_destroy(e);
        }
    };

    std::unique_ptr<coir_exec, close> exec_;
};

/* ---- channels ---- */

/* Items of type T from tasks to tasks: coir/chan.h. T is anything that can be moved: the channel copies the bytes of a
 * type that is trivially copyable, and carries any other in a box of its own from operator new.
 *
 * The destructor closes the channel and destroys what it holds. */
template <class T> class channel {
public:
    /* Holds up to `capacity` items; with 0 a send waits for a receive. Errors: as coir_chan_create. */
    explicit channel(std::size_t capacity = 0)
    {
        coir_chan *made = nullptr;
        check(coir_chan_create(&made, sizeof(carried), capacity));
        chan_.reset(made);
    }

    /* Sends, waiting until there is room or a receiver. Throws error(COIR_ECLOSED) if the channel is closed: the item
     * is then lost. */
    void send(T item) { send_until(std::move(item), forever); }

    /* The same, but false, with the item still the caller's, if the deadline has passed; or, for try_send, which never
     * waits and may be called outside of tasks, if send would wait. */
    template <class Item> bool send_until(Item &&item, time_point deadline)
    {
        return put(std::forward<Item>(item), COIR_ETIMEDOUT, [this, deadline](void *from) {
            return coir_chan_send_until(chan_.get(), from, detail::count(deadline));
        });
    }

    template <class Item> bool try_send(Item &&item)
    {
        return put(std::forward<Item>(item), COIR_EAGAIN,
                   [this](void *from) { return coir_chan_try_send(chan_.get(), from); });
    }

    /* Receives, waiting for an item. Empty: the channel is closed, and holds nothing any more. */
    std::optional<T> recv() { return recv_until(forever); }

    /* The same, but empty also if the deadline has passed; or, for try_recv, which never waits and may be called
     * outside of tasks, if recv would wait. done() tells which. */
    std::optional<T> recv_until(time_point deadline)
    {
        return take(COIR_ETIMEDOUT, [this, deadline](void *to) {
            return coir_chan_recv_until(chan_.get(), to, detail::count(deadline));
        });
    }

    std::optional<T> try_recv()
    {
        return take(COIR_EAGAIN, [this](void *to) { return coir_chan_try_recv(chan_.get(), to); });
    }

    /* Closes the channel: no more can be sent. Closing twice is the same as once. */
    void close()
    {
        detail::succeeded(coir_chan_close(chan_.get()), COIR_ECLOSED);
        closed_ = true;
    }

    /* Was it closed by close(), and is it empty, so that nothing will ever come? */
    bool done() const { return closed_ && size() == 0; }

    /* The number of items that it holds. */
    std::size_t size() const
    {
        std::int64_t count = coir_chan_count(chan_.get());
        if (count < 0)
            detail::throw_code(static_cast<int>(count));
        return static_cast<std::size_t>(count);
    }

    /* For C calls. Where T is not trivially copyable, an item is a T * that belongs to whoever has received it. */
    coir_chan *native_handle() const noexcept { return chan_.get(); }

private:
    static constexpr bool in_box = !std::is_trivially_copyable_v<T>;
    using carried = std::conditional_t<in_box, T *, T>;

    template <class Item, class Send> bool put(Item &&item, int not_now, Send send)
    {
        if constexpr (in_box) {
            auto box = std::make_unique<T>(std::forward<Item>(item));
            T *address = box.get();
            bool sent = detail::succeeded(send(&address), not_now);
            if (sent)
                box.release();
            else if constexpr (std::is_same_v<Item, T>)
                item = std::move(*box); // an rvalue that was not taken
            return sent;
        } else {
            T copy(std::forward<Item>(item));
            return detail::succeeded(send(&copy), not_now);
        }
    }

    template <class Recv> std::optional<T> take(int not_now, Recv recv)
    {
        alignas(carried) unsigned char memory[sizeof(carried)];
        int result = recv(memory);
        if (result == COIR_ECLOSED || !detail::succeeded(result, not_now))
            return std::nullopt;
        carried &item = *std::launder(reinterpret_cast<carried *>(memory));
        if constexpr (in_box) {
            const std::unique_ptr<T> box(item);
            return std::optional<T>(std::move(*box));
        } else {
            return std::optional<T>(item);
        }
    }

    struct close_and_empty {
        void operator()(coir_chan *chan) const noexcept
        {
            coir_chan_close(chan);
            if constexpr (in_box)
                for (T *item; coir_chan_try_recv(chan, &item) == COIR_OK;)
                    delete item;
            coir_chan_destroy(chan);
        }
    };

    std::unique_ptr<coir_chan, close_and_empty> chan_;
    bool closed_ = false;
};

/* ---- synchronisation ---- */

/* A mutex that tasks wait for: coir/sync.h. For std::lock_guard and std::unique_lock, also with a deadline. */
class mutex {
public:
    mutex()
    {
        coir_mutex *made = nullptr;
        check(coir_mutex_create(&made));
        mutex_.reset(made);
    }

    void lock() { check(coir_mutex_lock(mutex_.get())); }
    bool try_lock() { return detail::succeeded(coir_mutex_try_lock(mutex_.get()), COIR_EAGAIN); }

    /* False if the deadline has passed. */
    bool try_lock_until(time_point deadline)
    {
        return detail::succeeded(coir_mutex_lock_until(mutex_.get(), detail::count(deadline)), COIR_ETIMEDOUT);
    }

    void unlock() { check(coir_mutex_unlock(mutex_.get())); }

    coir_mutex *native_handle() const noexcept { return mutex_.get(); }

private:
    std::unique_ptr<coir_mutex, detail::deleter<coir_mutex_destroy>> mutex_;
};

/* Waits until another task says that something has changed. Whatever wait returns or throws, the lock is held again. */
class condition_variable {
public:
    condition_variable()
    {
        coir_cond *made = nullptr;
        check(coir_cond_create(&made));
        cond_.reset(made);
    }

    void wait(std::unique_lock<mutex> &lock) { check(coir_cond_wait(cond_.get(), of(lock))); }

    /* Until the predicate is true. */
    template <class Predicate> void wait(std::unique_lock<mutex> &lock, Predicate predicate)
    {
        while (!predicate())
            wait(lock);
    }

    /* False if the deadline has passed. */
    bool wait_until(std::unique_lock<mutex> &lock, time_point deadline)
    {
        return detail::succeeded(coir_cond_wait_until(cond_.get(), of(lock), detail::count(deadline)), COIR_ETIMEDOUT);
    }

    /* What the predicate said last. */
    template <class Predicate>
    bool wait_until(std::unique_lock<mutex> &lock, time_point deadline, Predicate predicate)
    {
        while (!predicate())
            if (!wait_until(lock, deadline))
                return predicate();
        return true;
    }

    void notify_one() { check(coir_cond_signal(cond_.get())); }
    void notify_all() { check(coir_cond_broadcast(cond_.get())); }

    coir_cond *native_handle() const noexcept { return cond_.get(); }

private:
    static coir_mutex *of(const std::unique_lock<mutex> &lock)
    {
        return lock.mutex() == nullptr ? nullptr : lock.mutex()->native_handle();
    }

    std::unique_ptr<coir_cond, detail::deleter<coir_cond_destroy>> cond_;
};

/* A count of permits. */
class semaphore {
public:
    /* Errors: as coir_sem_create. */
    explicit semaphore(unsigned count)
    {
        coir_sem *made = nullptr;
        check(coir_sem_create(&made, count));
        sem_.reset(made);
    }

    void acquire() { check(coir_sem_wait(sem_.get())); }

    /* False if there is no permit; or none when the deadline has passed. */
    bool try_acquire() { return detail::succeeded(coir_sem_try_wait(sem_.get()), COIR_EAGAIN); }
    bool try_acquire_until(time_point deadline)
    {
        return detail::succeeded(coir_sem_wait_until(sem_.get(), detail::count(deadline)), COIR_ETIMEDOUT);
    }

    void release() { check(coir_sem_post(sem_.get())); }

    coir_sem *native_handle() const noexcept { return sem_.get(); }

private:
    std::unique_ptr<coir_sem, detail::deleter<coir_sem_destroy>> sem_;
};

/* ---- groups ---- */

/* Tasks that belong together and end together. The first exception that leaves one of them fails the group: the others
 * are cancelled, and wait() throws it.
 *
 *     coir::with_group([&](coir::group &group) {
 *         group.spawn([&] { one = download("one"); });
 *         group.spawn([&] { two = download("two"); });
 *     });
 *
 * The destructor of a group that wait() has not seen to its end fails the group, since nobody will hear of its errors,
 * and waits until its tasks have ended. A group that cannot be waited for, or belongs to another thread, is left as it
 * is. */
class group {
public:
    /* Its tasks will run in that executor; or in the one that runs. Errors: as coir_group_create. */
    group() : group(nullptr) {}
    explicit group(const executor &e) : group(e.native_handle()) {}
    explicit group(coir_exec *e) : state_(new state) { check(coir_group_create(&state_->group, e)); }

    group(group &&) = default;
    group &operator=(group &&) = default;

    /* Spawns a task into the group; what the callable returns is dropped. Throws coir::canceled if the group has
     * failed. Other errors: as coir_group_spawn. */
    template <class Callable> void spawn(Callable &&callable, const options &opt = {})
    {
        auto job = detail::make_job<group_job>(std::forward<Callable>(callable));
        job->owner = state_.get();
        check(coir_group_spawn(native_handle(), run_in_group, job.get(), &opt));
        job.release();
    }

    /* Fails the group with a negative code, which wait() then throws: all its tasks are cancelled. */
    void fail(int code) { check(coir_group_fail(native_handle(), code)); }

    /* Cancels all tasks; wait() throws coir::canceled. */
    void cancel() { fail(COIR_ECANCELED); }

    /* Waits until all tasks have ended; then throws what the group failed with, if it did. Outside of any task it runs
     * the executor. coir::canceled also if the caller was cancelled, which cancels the tasks. Errors: as
     * coir_group_wait. */
    void wait() { wait_until(forever); }

    /* The same, but false if the deadline has passed: the tasks go on. */
    bool wait_until(time_point deadline)
    {
        int result = coir_group_wait_until(native_handle(), detail::count(deadline));
        if (result == failed_by_exception && state_->first != nullptr)
            std::rethrow_exception(state_->first);
        return detail::succeeded(result, COIR_ETIMEDOUT);
    }

    coir_group *native_handle() const noexcept { return state_ == nullptr ? nullptr : state_->group; }

private:
    template <class Body> friend void with_group(Body &&body);

    /* The code of a group that an exception has failed. */
    static constexpr int failed_by_exception = std::numeric_limits<int>::min();

    struct state {
        coir_group *group = nullptr;
        std::exception_ptr first;

        /* The code of a task that ended so. The first exception is the group's if nothing has failed it before. */
        int note(const std::exception_ptr &thrown)
        {
            if (thrown == nullptr)
                return COIR_OK;
            if (first == nullptr)
                first = thrown;
            return failed_by_exception;
        }
    };

    struct group_job : detail::job<void> {
        state *owner = nullptr;
    };

    struct close {
        void operator()(state *closing) const noexcept
        {
            coir_group *group = closing->group;
            if (coir_group_count(group) > 0)
                coir_group_fail(group, COIR_ECANCELED);
            while (coir_group_count(group) > 0 && coir_group_wait(group) == COIR_EAGAIN) {
            } // somebody has stopped the executor
            if (coir_group_destroy(group) == COIR_OK)
                delete closing;
        }
    };

    static int run_in_group(void *arg)
    {
        const std::unique_ptr<group_job> job(static_cast<group_job *>(arg));
        job->run();
        return job->owner->note(job->gave.thrown());
    }

    std::unique_ptr<state, close> state_;
};

/* Calls body(group) with a new group in the executor that runs, then waits for the tasks that it has spawned. The body
 * counts as one of them: an exception that leaves it fails the group. Throws the first exception of all. Errors: as
 * coir_group_create and coir_group_wait. */
template <class Body> void with_group(Body &&body)
{
    group all;
    detail::outcome<void> outcome;
    outcome.run(std::forward<Body>(body), all);
    if (outcome.unwound())
        coir_task_yield(); // unwinds what is left
    int code = all.state_->note(outcome.thrown());
    if (code != COIR_OK)
        all.fail(code);
    all.wait();
}

} // namespace coir

#endif
