/* SPDX-License-Identifier: MIT */
/* A computation that does not start until its value is asked for, and then runs once. One whose value nobody asks for
 * never runs; one that fails tells whoever asks, each time. */
#include <coir.hpp>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

template <class T> class lazy {
public:
    template <class Callable> explicit lazy(Callable &&callable) : computation_(std::forward<Callable>(callable)) {}

    T &get()
    {
        while (!computation_.done())
            computation_.resume();
        return computation_.result();
    }

private:
    coir::fiber<T> computation_;
};

static int compute(const char *name)
{
    std::printf("%s: I compute\n", name);
    return 7;
}

int main()
{
    lazy<int> first([] { return compute("first"); });
    lazy<int> second([] { return compute("second"); });
    lazy<int> third([&first]() -> int {
        throw std::runtime_error("cannot divide by " + std::to_string(first.get() - 7));
    });

    std::puts("main: nothing has run");
    std::printf("main: first is %d\n", first.get());
    std::printf("main: first is still %d\n", first.get());
    for (int i = 0; i < 2; i++) {
        try {
            third.get();
        } catch (const std::runtime_error &error) {
            std::printf("main: third: %s\n", error.what());
        }
    }
    std::puts("main: nobody has asked for second");
    return 0;
}
