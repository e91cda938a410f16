/* SPDX-License-Identifier: MIT */
/* Exceptions of tasks come out where the tasks are awaited. One task throws while it reads; the task that awaits it
 * sees to what it can mend and throws the rest on, to main. On the way everything is destroyed, and what else was
 * running is cancelled. */
#include <chrono>
#include <coir.hpp>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;

/* Says when it is opened and closed. */
class file {
public:
    explicit file(std::string name) : name_(std::move(name)) { std::printf("%s: opened\n", name_.c_str()); }
    file(const file &) = delete;
    file &operator=(const file &) = delete;
    ~file() { std::printf("%s: closed\n", name_.c_str()); }

private:
    std::string name_;
};

static std::string read(const std::string &name)
{
    file opened(name);
    coir::sleep_for(10ms);
    if (name == "missing")
        throw std::invalid_argument(name + " has no contents");
    if (name == "broken")
        throw std::runtime_error("cannot read " + name);
    if (name == "endless")
        coir::sleep_until(coir::forever);
    return "contents of " + name;
}

static std::string read_or(const std::string &name, const std::string &otherwise)
{
    coir::task<std::string> reading = coir::spawn([name] { return read(name); });
    try {
        return reading.await();
    } catch (const std::invalid_argument &error) {
        std::printf("parent: %s\n", error.what());
    }
    return otherwise;
}

/* The first exception ends the others. */
static void read_both(const std::string &one, const std::string &other)
{
    coir::with_group([&](coir::group &group) {
        group.spawn([&] { read(one); });
        group.spawn([&] { read(other); });
    });
    std::puts("parent: never comes here");
}

int main()
{
    coir::exec_options options{};
    options.flags = COIR_VIRTUAL_CLOCK; /* no need to wait in earnest */
    coir::executor executor(options);

    coir::task<void> parent = executor.spawn([] {
        std::printf("parent: %s\n", read_or("good", "nothing").c_str());
        std::printf("parent: %s\n", read_or("missing", "nothing").c_str());
        read_both("endless", "broken");
    });
    try {
        parent.await();
    } catch (const std::runtime_error &error) {
        std::printf("main: %s\n", error.what());
    }
    return 0;
}
