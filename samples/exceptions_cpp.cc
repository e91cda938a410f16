/* SPDX-License-Identifier: MIT */
/* C++ inside of fibers. Two copiers run into an error each, and ask main what to do while they stand in their
 * handlers. Whatever the other has thrown and caught meanwhile, `throw;` throws a copier's own exception. A third is
 * destroyed in the middle of its work, and its objects with it. */
#include <coir.h>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

/* Says when it is opened and closed. */
class file {
public:
    explicit file(std::string name) : name_(std::move(name)) { std::printf("  %s: opened\n", name_.c_str()); }
    file(const file &) = delete;
    file &operator=(const file &) = delete;
    ~file() { std::printf("  %s: closed\n", name_.c_str()); }

private:
    std::string name_;
};

/* Copies block by block, and lets others run after each. */
static void copy(const std::string &name, int blocks, int broken)
{
    file from(name), to(name + ".copy");
    for (int block = 1; block <= blocks; block++) {
        if (block == broken)
            throw std::runtime_error(name + ": cannot read block " + std::to_string(block));
        coir_yield(nullptr, nullptr);
    }
}

struct job {
    const char *name;
    int blocks, broken;
};

/* What it yields is a question, or nothing; what it is resumed with then is the answer. */
static void *copier(void *arg)
{
    const job &work = *static_cast<job *>(arg);
    try {
        try {
            copy(work.name, work.blocks, work.broken);
        } catch (const std::runtime_error &error) {
            void *go_on = nullptr;
            coir_yield(const_cast<char *>(error.what()), &go_on); /* in the handler */
            if (go_on == nullptr)
                throw;
            std::printf("  %s: goes on without the rest\n", work.name);
        }
        std::printf("  %s: done\n", work.name);
    } catch (const std::exception &error) {
        std::printf("  gave up: %s\n", error.what());
    }
    return nullptr;
}

static coir_fiber *start(job &work)
{
    coir_fiber *made = nullptr;
    if (coir_create(&made, copier, &work, nullptr) != COIR_OK)
        throw std::bad_alloc();
    return made;
}

/* Runs a copier until it asks something. */
static void run_to_question(coir_fiber *f)
{
    void *question = nullptr;
    while (question == nullptr && coir_resume(f, nullptr, &question) == COIR_YIELDED) {
    }
    std::printf("main: \"%s\"?\n", static_cast<const char *>(question));
}

int main()
{
    job one = {"one", 3, 2}, two = {"two", 3, 3}, three = {"three", 3, 0};
    coir_fiber *first = start(one), *second = start(two), *third = start(three);

    run_to_question(first);
    run_to_question(second);
    std::puts("main: give up the first");
    coir_resume(first, nullptr, nullptr);
    std::puts("main: go on with the second");
    char yes[] = "yes";
    coir_resume(second, yes, nullptr);

    coir_resume(third, nullptr, nullptr);
    std::puts("main: destroy the third, which has copied a block");
    coir_destroy(third);
    coir_destroy(second);
    coir_destroy(first);
    return 0;
}
