/* SPDX-License-Identifier: MIT */
/* Generators without an end, as ranges: one counts, another takes from it and hands out the squares. Loops and
 * algorithms take from them, and whoever has had enough leaves: the generator's destructors run then. */
#include <algorithm>
#include <coir.hpp>
#include <cstdio>
#include <iterator>
#include <vector>

static coir::generator<int> iota(int first)
{
    return [n = first](auto &yield) mutable {
        for (;; n++)
            yield(n);
    };
}

struct goodbye {
    ~goodbye() { std::puts("squares: goodbye"); }
};

static coir::generator<int> squares(int first)
{
    return [first](auto &yield) {
        goodbye at_end;
        for (int n : iota(first))
            yield(n * n);
    };
}

int main()
{
    std::printf("iota:   ");
    for (int n : iota(0)) {
        if (n == 10)
            break;
        std::printf(" %d", n);
    }
    std::printf("\n");

    std::vector<int> ten;
    coir::generator<int> numbers = squares(1);
    std::copy_n(numbers.begin(), 10, std::back_inserter(ten));
    std::printf("squares:");
    for (int n : ten)
        std::printf(" %d", n);
    std::printf("\n");

    auto large = std::find_if(numbers.begin(), numbers.end(), [](int n) { return n > 1000; });
    std::printf("the first above 1000: %d\n", *large);
    return 0;
}
