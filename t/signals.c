/* SPDX-License-Identifier: MIT */
/* What breaks into a fiber from outside, or leaves it in another way than by return: signals, longjmp, the end of the
 * process or of the thread; and floating-point traps. */

#define _GNU_SOURCE
/* longjmp then looks whether it goes up the stack, which it must not misjudge on a fiber's. */
#if defined(__OPTIMIZE__) && !defined(_FORTIFY_SOURCE) && !defined(__SANITIZE_ADDRESS__)
#define _FORTIFY_SOURCE 2
#endif

#include "registers.h"
#include "t.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where we know how a signal's frame looks, and what the kernel is called like. */
#if defined(__linux__) && defined(__x86_64__)
#define LINUX_X86_64
#include <sys/syscall.h>
#include <ucontext.h>
#endif

static char events[128];

static void event(void *text)
{
    strcat(events, text);
}

static void run_to_the_end(coir_fiber *f)
{
    while (coir_resume(f, NULL, NULL) > 0)
        ;
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}

static void on_signal(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

static bool is_within(const void *place, const void *low, size_t size)
{
    return (uintptr_t)place - (uintptr_t)low < size;
}

static volatile sig_atomic_t signals;
static const void *volatile handler_stood; /* an address in the handler's frame */

static void count(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    signals++;
    /* With a bit more, or compilers would take it for the address of a local. */
    handler_stood = (const void *)((uintptr_t)__builtin_frame_address(0) | 1);
}

/* ---- the registers that a signal's frame has to hold ---- */

#ifdef LINUX_X86_64

/* Loads the processor's large registers from `in`, sends the signal to the calling thread, and stores them to `out`.
 * All in one piece, for any call between would be free to use them. */
struct large {
    char in[8192], out[8192];
    char tiles[64]; /* their configuration */
    long process, thread;
};
void interrupt_with_zmm(struct large *large);
void interrupt_with_tiles(struct large *large);

#define SEND_SIGNAL                                                                                   \
    "    movq %rdi, %r8; movl $234, %eax\n" /* tgkill */                                              \
    "    movq 16448(%r8), %rdi; movq 16456(%r8), %rsi; movl $10, %edx; syscall\n" /* SIGUSR1 */       \
    "    movq %r8, %rdi\n"

__asm__(".text\n"
        ".globl interrupt_with_zmm, interrupt_with_tiles\n"
        ".type interrupt_with_zmm, @function\n"
        ".type interrupt_with_tiles, @function\n"
        "interrupt_with_zmm:\n"
        ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "    vmovdqu64 64 * \\n(%rdi), %zmm\\n\n"
        ".endr\n" SEND_SIGNAL
        ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "    vmovdqu64 %zmm\\n, 8192 + 64 * \\n(%rdi)\n"
        ".endr\n"
        "    vzeroupper\n"
        "    ret\n"
        ".size interrupt_with_zmm, . - interrupt_with_zmm\n"
        "interrupt_with_tiles:\n"
        "    ldtilecfg 16384(%rdi)\n"
        "    movl $64, %r10d\n"
        ".irp n, 0,1,2,3,4,5,6,7\n"
        "    leaq 1024 * \\n(%rdi), %rsi; tileloadd (%rsi, %r10), %tmm\\n\n"
        ".endr\n" SEND_SIGNAL
        "    movl $64, %r10d\n"
        ".irp n, 0,1,2,3,4,5,6,7\n"
        "    leaq 8192 + 1024 * \\n(%rdi), %rsi; tilestored %tmm\\n, (%rsi, %r10)\n"
        ".endr\n"
        "    tilerelease\n"
        "    ret\n"
        ".size interrupt_with_tiles, . - interrupt_with_tiles\n");

_Static_assert(offsetof(struct large, process) == 16448 && SIGUSR1 == 10, "what the assembly knows");

/* Which of the processor's states the kernel wrote to the signal's frame: its own note of that, from the header of the
 * area that xsave wrote. */
static volatile uint64_t states_seen;

static void note_states(int number, siginfo_t *info, void *context)
{
    const ucontext_t *interrupted = context;
    char work[1500];

    count(number, info, context);
    memcpy((void *)&states_seen, (const char *)interrupted->uc_mcontext.fpregs + 512, sizeof states_seen);
    memset(work, number, sizeof work);
    __asm__ volatile("" : : "r"(work) : "memory");
}

static coir_fiber *create_smallest(coir_fn *fn, void *arg)
{
    coir_options opt = {.stack_size = 1};
    coir_fiber *f = NULL;

    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    return f;
}

static struct large large;
static void (*interrupt_with)(struct large *large);

static void *interrupt_with_registers_in_use(void *arg)
{
    void *low;
    size_t size;

    ck_assert_int_eq(coir_stack_bounds(NULL, &low, &size), COIR_OK);
    for (int i = 0; i < 2; i++) {
        t_recurse(1);
        interrupt_with(&large);
        ck_assert(memcmp(large.in, large.out, sizeof large.in) == 0);
        ck_assert(is_within(handler_stood, low, size));
        coir_yield(NULL, NULL);
    }
    return arg;
}

/* Twenty stacks, since they differ in where on a page they start. */
static void interrupt_small_stacks(size_t used, uint64_t states)
{
    coir_fiber *fibers[20];

    memset(&large, 0, sizeof large);
    for (size_t i = 0; i < used; i++)
        large.in[i] = large.out[used - 1 - i] = (char)(i * 7 + 1);
    large.tiles[0] = 1;
    for (int i = 0; i < 8; i++) {
        large.tiles[16 + 2 * i] = 64;
        large.tiles[48 + i] = 16;
    }
    large.process = getpid();
    large.thread = syscall(SYS_gettid);
    on_signal(SIGUSR1, note_states, 0);
    for (int i = 0; i < 20; i++) {
        states_seen = 0;
        fibers[i] = create_smallest(interrupt_with_registers_in_use, NULL);
        ck_assert_int_eq(coir_resume(fibers[i], NULL, NULL), COIR_YIELDED);
        ck_assert_uint_eq(states_seen & states, states);
    }
    for (int i = 0; i < 20; i++)
        run_to_the_end(fibers[i]);
    ck_assert_int_eq(signals, 40);
}

/* Bits in the kernel's note. */
#define AVX_512_ZMM (3u << 6) /* the upper halves of zmm0-15, and zmm16-31 */
#define AMX_TILES (1u << 18)
#define ARCH_REQ_XCOMP_PERM 0x1023

#endif

START_TEST(a_signal_fits_the_smallest_stack_with_all_of_avx_512_in_use)
{
#ifdef LINUX_X86_64
    if (t_instrumented())
        T_SKIP("the tool's own frames are many times as large");
    if (!__builtin_cpu_supports("avx512f"))
        T_SKIP("this processor has no AVX-512");
    interrupt_with = interrupt_with_zmm;
    interrupt_small_stacks(32 * 64, AVX_512_ZMM);
#else
    T_SKIP("the frame of a signal is looked at on Linux on x86-64 only");
#endif
}
END_TEST

START_TEST(a_signal_fits_the_smallest_stack_with_amx_tiles_in_use)
{
#ifdef LINUX_X86_64
    if (t_instrumented())
        T_SKIP("the tool's own frames are many times as large");
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, 18) != 0)
        T_SKIP("this processor has no AMX, or the kernel does not give it out");
    interrupt_with = interrupt_with_tiles;
    interrupt_small_stacks(8 * 1024, AMX_TILES);
#else
    T_SKIP("the frame of a signal is looked at on Linux on x86-64 only");
#endif
}
END_TEST

/* ---- signals in the midst of a switch ---- */

#ifdef T_HAS_REGISTERS

static coir_fiber *partner;

static int do_yield(void *unused, void *value, void *unused_too)
{
    (void)unused, (void)unused_too;
    return coir_yield(value, NULL);
}

static int do_switch(void *unused, void *value, void *unused_too)
{
    (void)unused, (void)unused_too;
    return coir_switch(partner, value, NULL);
}

static int do_resume(void *f, void *value, void *unused)
{
    (void)unused;
    return coir_resume(f, value, NULL);
}

static int do_task_yield(void *unused, void *unused_too, void *unused_as_well)
{
    (void)unused, (void)unused_too, (void)unused_as_well;
    return coir_task_yield();
}

/* Calls fn with other registers each time, and sees that they are kept: what fn returned. */
static int call_and_look(int (*fn)(void *, void *, void *), void *a)
{
    static uint64_t seed;
    uint64_t in[WORDS], out[WORDS];
    int result;

    fill(in, ++seed);
    result = call_with_registers(fn, a, in, out);
    ck_assert(memcmp(in, out, sizeof in) == 0);
    return result;
}

static void *yield_for_ever(void *arg)
{
    while (call_and_look(do_yield, NULL) == COIR_OK)
        ;
    return arg;
}

static void *switch_for_ever(void *arg)
{
    while (call_and_look(partner != coir_self() ? do_switch : do_yield, NULL) == COIR_OK)
        ;
    return arg;
}

static atomic_bool storm_is_over;

static void *send_signals(void *thread)
{
    while (!storm_is_over) {
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
        sched_yield();
    }
    return NULL;
}

#endif

START_TEST(signals_from_another_thread_while_fibers_switch_change_nothing)
{
#ifdef T_HAS_REGISTERS
    enum { CROWD = 8 };
    coir_fiber *crowd[CROWD];
    pthread_t self = pthread_self();
    int enough = t_instrumented() ? 20 : 2000;
    t_thread *sender;

    on_signal(SIGUSR1, count, 0);
    for (int i = 0; i < CROWD; i++)
        crowd[i] = t_create(i % 2 ? yield_for_ever : switch_for_ever, NULL);
    sender = t_thread_start(send_signals, &self);
    for (unsigned i = 0; signals < enough || i < 10000; i++) {
        partner = crowd[i * 5 % CROWD];
        ck_assert_int_gt(call_and_look(do_resume, crowd[i % CROWD]), 0);
    }
    storm_is_over = true;
    t_thread_join(sender);
    for (int i = 0; i < CROWD; i++)
        coir_destroy(crowd[i]);
#else
    T_SKIP("there is no assembly for this processor to look at registers with");
#endif
}
END_TEST

/* By the trap flag the processor raises SIGTRAP after each instruction. The signal's frame, which is written below the
 * stack pointer, then destroys all that any moment of a switch had left there. */
#ifdef LINUX_X86_64

static volatile sig_atomic_t steps, steps_elsewhere;
static struct {
    void *low;
    size_t size;
} stacks[8];
static int stack_count;

static void note_step(int number, siginfo_t *info, void *context)
{
    const ucontext_t *interrupted = context;
    uintptr_t stack_pointer = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RSP];

    (void)number, (void)info;
    steps++;
    for (int i = 0; i < stack_count; i++)
        if (stack_pointer - (uintptr_t)stacks[i].low <= stacks[i].size)
            return;
    steps_elsewhere++;
}

static void know_stack(void *low, size_t size)
{
    stacks[stack_count].low = low;
    stacks[stack_count].size = size;
    stack_count++;
}

static void know_fiber(coir_fiber *f)
{
    void *low;
    size_t size;

    ck_assert_int_eq(coir_stack_bounds(f, &low, &size), COIR_OK);
    know_stack(low, size);
}

static void know_this_thread(void)
{
    pthread_attr_t attributes;
    void *low;
    size_t size;

    ck_assert_int_eq(pthread_getattr_np(pthread_self(), &attributes), 0);
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    know_stack(low, size);
}

/* Past the red zone, which an instruction of ours must not write to. */
static void step_by_step(void)
{
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
                     : : : "cc", "memory");
}

static void run_freely(void)
{
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
                     : : : "cc", "memory");
}

static int three_items(coir_gen *g, void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++)
        coir_gen_yield(g, &i);
    return 0;
}

static void *yield_task_three_times(void *arg)
{
    for (int i = 0; i < 3; i++)
        call_and_look(do_task_yield, NULL);
    return arg;
}

#endif

START_TEST(a_signal_may_come_after_each_instruction_of_each_switch)
{
#ifdef LINUX_X86_64
    coir_options own_control = {.flags = COIR_KEEP_FPENV};
    coir_fiber *yielding, *switching, *target, *careful;
    coir_exec *e = NULL;
    coir_gen *g = NULL;
    coir_task *tasks[2];
    int item = 0, sum = 0;

    if (t_instrumented())
        T_SKIP("the tools do not keep the trap flag");
    yielding = t_create(yield_for_ever, NULL);
    switching = t_create(switch_for_ever, NULL);
    target = t_create(yield_for_ever, NULL);
    ck_assert_int_eq(coir_gen_create(&g, sizeof item, three_items, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coir_spawn(&tasks[i], e, yield_task_three_times, NULL, NULL), COIR_OK);
        know_fiber(coir_task_fiber(tasks[i]));
    }
    know_fiber(yielding);
    know_fiber(switching);
    know_fiber(target);
    know_this_thread();
    on_signal(SIGTRAP, note_step, 0);

    step_by_step();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(call_and_look(do_resume, yielding), COIR_YIELDED);
    partner = target;
    ck_assert_int_eq(call_and_look(do_resume, switching), COIR_SWITCHED);
    ck_assert_int_eq(call_and_look(do_resume, switching), COIR_SWITCHED);
    ck_assert_int_eq(coir_cancel(switching, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(yielding), COIR_OK);
    ck_assert_int_eq(coir_destroy(target), COIR_OK);
    run_freely();
    ck_assert_int_gt(steps, 300);
    ck_assert_int_eq(steps_elsewhere, 0);

    step_by_step();
    while (coir_gen_next(g, &item) > 0)
        sum += item;
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    run_freely();
    ck_assert_int_eq(sum, 6);

    /* Once a fiber has floating-point control of its own, switches take another way. */
    ck_assert_int_eq(coir_create(&careful, yield_for_ever, NULL, &own_control), COIR_OK);
    step_by_step();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(call_and_look(do_resume, careful), COIR_YIELDED);
    ck_assert_int_eq(coir_destroy(careful), COIR_OK);
    run_freely();
    coir_destroy(switching);
    coir_gen_destroy(g);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
#else
    T_SKIP("the frame of a signal is looked at on Linux on x86-64 only");
#endif
}
END_TEST

/* ---- the signal mask ---- */

static bool is_blocked(int number)
{
    sigset_t now;

    pthread_sigmask(SIG_SETMASK, NULL, &now);
    return sigismember(&now, number);
}

static void change_mask(int how, int number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    ck_assert_int_eq(pthread_sigmask(how, &set, NULL), 0);
}

static void *block_a_signal(void *arg)
{
    ck_assert(is_blocked(SIGUSR1)); /* as in the resumer, and the creator */
    ck_assert(!is_blocked(SIGUSR2));
    change_mask(SIG_BLOCK, SIGUSR2);
    coir_yield(NULL, NULL);
    ck_assert(is_blocked(SIGUSR2));
    change_mask(SIG_UNBLOCK, SIGUSR2);
    coir_yield(NULL, NULL);
    ck_assert(!is_blocked(SIGUSR2));
    return arg;
}

START_TEST(the_signal_mask_is_the_threads_in_assembly_and_the_fibers_on_ucontext)
{
    bool is_shared = !t_backend_is("ucontext");
    coir_fiber *f;

    change_mask(SIG_BLOCK, SIGUSR1);
    f = t_create(block_a_signal, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert(is_blocked(SIGUSR2) == is_shared);
    change_mask(SIG_BLOCK, SIGUSR2);
    coir_resume(f, NULL, NULL);
    ck_assert(is_blocked(SIGUSR2) == !is_shared);
    if (!is_shared)
        change_mask(SIG_UNBLOCK, SIGUSR2);
    run_to_the_end(f);
    ck_assert(is_blocked(SIGUSR1));
}
END_TEST

/* ---- alternate signal stacks, which are the thread's ---- */

static char alternate[128 * 1024];
static coir_fiber *volatile self_in_handler;
static volatile sig_atomic_t handler_was_on_alternate;

static void note_self(int number, siginfo_t *info, void *context)
{
    count(number, info, context);
    self_in_handler = coir_self();
    handler_was_on_alternate = is_within((const void *)handler_stood, alternate, sizeof alternate);
}

static void set_alternate(void)
{
    stack_t stack;

    memset(&stack, 0, sizeof stack);
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
}

static void *set_alternate_and_interrupt(void *arg)
{
    set_alternate();
    for (int i = 0; i < 2; i++) {
        self_in_handler = NULL;
        raise(SIGUSR1);
        ck_assert(handler_was_on_alternate);
        ck_assert_ptr_eq(self_in_handler, coir_self());
        coir_yield(NULL, NULL);
    }
    return arg;
}

START_TEST(a_handler_on_an_alternate_stack_is_still_in_its_fiber)
{
    coir_fiber *f = t_create(set_alternate_and_interrupt, NULL);

    on_signal(SIGUSR1, note_self, SA_ONSTACK);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    raise(SIGUSR1); /* the stack is the thread's, whoever set it */
    ck_assert(handler_was_on_alternate);
    ck_assert_ptr_null(self_in_handler);
    run_to_the_end(f);
    ck_assert_int_eq(signals, 3);
}
END_TEST

/* ---- longjmp ---- */

static jmp_buf place;
static sigjmp_buf place_with_mask;

__attribute__((noinline)) static void jump_from_below(int value)
{
    char frame[5000];

    memset(frame, 1, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    longjmp(place, value);
}

static void *yield_once(void *arg)
{
    coir_yield(arg, NULL);
    return arg;
}

/* Another fiber has been resumed meanwhile, and this one suspended, so that it is all about this stack and no other.
 * */
static void *jump_over_a_yield(void *arg)
{
    volatile int jumps = 0;

    if (setjmp(place) < 3) {
        run_to_the_end(t_create(yield_once, NULL));
        ck_assert_int_eq(coir_yield(NULL, NULL), COIR_OK);
        jumps++;
        jump_from_below(jumps);
    }
    ck_assert_int_eq(jumps, 3);
    coir_yield(NULL, NULL);
    return arg;
}

/* On stacks below and above whoever resumes, for checks of longjmp compare addresses. */
START_TEST(longjmp_inside_of_a_fiber_goes_back_over_a_yield)
{
    size_t size = 128 * 1024;
    char *memory = t_map(0, 3 * size);

    for (int i = 0; i < 3; i++) {
        coir_options opt = {.stack = i < 2 ? memory + (size_t)i * 2 * size : NULL, .stack_size = size};
        coir_options middle = {.stack = memory + size, .stack_size = size};
        coir_fiber *f = NULL, *resumer = NULL;
        ck_assert_int_eq(coir_create(&f, jump_over_a_yield, NULL, &opt), COIR_OK);
        ck_assert_int_eq(coir_create(&resumer, yield_once, NULL, &middle), COIR_OK);
        for (int turns = 0; turns < 4; turns++)
            ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
        run_to_the_end(f);
        run_to_the_end(resumer);
    }
    t_unmap(memory, 3 * size);
}
END_TEST

/* Also when the fiber has gone on in another thread meanwhile. */
static void *resume_once(void *f)
{
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    return NULL;
}

START_TEST(longjmp_inside_of_a_fiber_goes_back_over_a_change_of_threads)
{
    coir_options opt = {.flags = COIR_MOVABLE};
    coir_fiber *f = NULL;

    ck_assert_int_eq(coir_create(&f, jump_over_a_yield, NULL, &opt), COIR_OK);
    for (int turns = 0; turns < 4; turns++)
        t_on_thread(resume_once, f);
    run_to_the_end(f);
}
END_TEST

static void jump_out_of_handler(int number, siginfo_t *info, void *context)
{
    count(number, info, context);
    siglongjmp(place_with_mask, number);
}

static void *leave_handlers_by_jumps(void *arg)
{
    for (volatile int i = 0; i < 3; i++) {
        int number = sigsetjmp(place_with_mask, 1);
        if (number == 0) {
            coir_yield(NULL, NULL);
            raise(SIGUSR1);
            ck_abort_msg("the handler returned");
        }
        ck_assert_int_eq(number, SIGUSR1);
        ck_assert(!is_blocked(SIGUSR1));
    }
    return arg;
}

START_TEST(siglongjmp_leaves_a_handler_for_the_fiber_that_it_broke_into)
{
    on_signal(SIGUSR1, jump_out_of_handler, 0);
    run_to_the_end(t_create(leave_handlers_by_jumps, NULL));
    set_alternate();
    on_signal(SIGUSR1, jump_out_of_handler, SA_ONSTACK);
    run_to_the_end(t_create(leave_handlers_by_jumps, NULL));
    ck_assert_int_eq(signals, 6);
}
END_TEST

/* The guard raises the signal, the handler has a stack of its own, and the fiber goes on above. */
static void *overflow_and_go_on(void *arg)
{
    for (volatile int i = 0; i < 2; i++) {
        if (sigsetjmp(place_with_mask, 1) == 0)
            t_recurse(SIZE_MAX);
        coir_yield(NULL, NULL);
    }
    return arg;
}

START_TEST(a_fiber_can_go_on_after_an_overflow_that_a_handler_left_by_siglongjmp)
{
    if (t_instrumented())
        T_SKIP("the tool takes the signal for an error");
    set_alternate();
    on_signal(SIGSEGV, jump_out_of_handler, SA_ONSTACK);
    on_signal(SIGBUS, jump_out_of_handler, SA_ONSTACK);
    run_to_the_end(t_create(overflow_and_go_on, NULL));
    ck_assert_int_eq(signals, 2);
}
END_TEST

/* ---- the end of the process ---- */

/* What a child writes here can be read when it has ended. */
static int ends[2];

static const char *what_was_written(void)
{
    static char text[256];
    ssize_t length;

    close(ends[1]);
    length = read(ends[0], text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    return text;
}

static void say(const char *text)
{
    if (write(ends[1], text, strlen(text)) < 0)
        _exit(98);
}

static void say_at_exit(void)
{
    run_to_the_end(t_create(yield_once, NULL)); /* fibers work here too */
    say(coir_self() != NULL ? "in-fiber " : "outside ");
}

static void say_at_quick_exit(void)
{
    say("quick ");
}

static void *end_the_process(void *how)
{
    switch (T_NUMBER(how)) {
    case 0:
        exit(3);
    case 1:
        quick_exit(4);
    case 2:
        _Exit(5);
    default:
        abort();
    }
}

static void *resume_into_the_end(void *how)
{
    coir_resume(t_create(end_the_process, how), NULL, NULL);
    say("went on ");
    return NULL;
}

static void end_in_a_nested_fiber(void *how)
{
    FILE *file = fdopen(ends[1], "w");

    atexit(say_at_exit);
    at_quick_exit(say_at_quick_exit);
    fputs("buffered ", file);
    coir_resume(t_create(resume_into_the_end, how), NULL, NULL);
}

static int end_of_child(int how)
{
    ck_assert_int_eq(pipe(ends), 0);
    return t_run_in_child(end_in_a_nested_fiber, T_VALUE(how));
}

START_TEST(exit_in_a_fiber_runs_what_atexit_noted_and_flushes_stdio)
{
    ck_assert_int_eq(end_of_child(0), 3);
    ck_assert_str_eq(what_was_written(), "in-fiber buffered ");
}
END_TEST

START_TEST(quick_exit_in_a_fiber_runs_what_at_quick_exit_noted)
{
    if (t_instrumented())
        T_SKIP("valgrind flushes files by itself");
    ck_assert_int_eq(end_of_child(1), 4);
    ck_assert_str_eq(what_was_written(), "quick ");
}
END_TEST

START_TEST(Exit_in_a_fiber_runs_nothing_more)
{
    if (t_instrumented())
        T_SKIP("valgrind flushes files by itself");
    ck_assert_int_eq(end_of_child(2), 5);
    ck_assert_str_eq(what_was_written(), "");
}
END_TEST

START_TEST(abort_in_a_fiber_ends_the_process_by_its_signal)
{
    ck_assert_int_eq(end_of_child(3), T_ABORT);
    ck_assert_str_eq(what_was_written(), "");
}
END_TEST

/* ---- the end of the thread ---- */

static coir_fiber *inner, *outer;
static char *inner_stack, *outer_stack; /* NULL: the library's */
enum { STACK = 256 * 1024 };
static atomic_bool is_inside;
static bool is_to_be_cancelled;

static coir_fiber *create_on(coir_fn *fn, char *stack)
{
    coir_options opt = {.stack = stack, .stack_size = STACK};
    coir_fiber *f = NULL;

    ck_assert_int_eq(coir_create(&f, fn, NULL, &opt), COIR_OK);
    return f;
}

static void *end_the_thread(void *arg)
{
    coir_defer(event, "deferred-inner ");
    pthread_cleanup_push(event, "inner ");
    is_inside = true;
    if (!is_to_be_cancelled)
        pthread_exit(T_VALUE(7));
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return arg;
}

static void *resume_the_inner(void *arg)
{
    coir_defer(event, "deferred-outer ");
    pthread_cleanup_push(event, "outer ");
    inner = create_on(end_the_thread, inner_stack);
    coir_resume(inner, NULL, NULL);
    event("went on ");
    pthread_cleanup_pop(0);
    return arg;
}

static void *resume_the_outer(void *arg)
{
    pthread_cleanup_push(event, "thread ");
    outer = create_on(resume_the_inner, outer_stack);
    coir_resume(outer, NULL, NULL);
    event("went on ");
    pthread_cleanup_pop(0);
    return arg;
}

static void check_what_is_left(void)
{
    ck_assert_str_eq(events, "inner outer thread ");
    ck_assert_int_eq(coir_fiber_state(inner), COIR_STATE_DONE);
    ck_assert_int_eq(coir_fiber_state(outer), COIR_STATE_DONE);
    events[0] = '\0';
    ck_assert_int_eq(coir_destroy(inner), COIR_OK);
    ck_assert_int_eq(coir_destroy(outer), COIR_OK);
    ck_assert_str_eq(events, "deferred-inner deferred-outer ");
    events[0] = '\0';
}

static void end_a_thread_in_its_inner_fiber(char *stack)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *value;

    is_inside = false;
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, STACK), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, resume_the_outer, NULL), 0);
    pthread_attr_destroy(&attributes);
    while (is_to_be_cancelled && !is_inside)
        sched_yield();
    if (is_to_be_cancelled)
        ck_assert_int_eq(pthread_cancel(thread), 0);
    ck_assert_int_eq(pthread_join(thread, &value), 0);
    ck_assert_ptr_eq(value, is_to_be_cancelled ? PTHREAD_CANCELED : T_VALUE(7));
    check_what_is_left();
}

/* The thread's own stack lies in the middle, those of the two fibers below and above it in all ways; the last time
 * they are the library's. What looks for cleanup handlers compares addresses. */
static void end_threads_on_all_stacks(void)
{
    static const int places[][2] = {{0, 1}, {1, 0}, {3, 4}, {4, 3}, {1, 3}, {3, 1}};
    char *memory = t_map(0, (size_t)5 * STACK);

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        outer_stack = memory + places[i][0] * STACK;
        inner_stack = memory + places[i][1] * STACK;
        end_a_thread_in_its_inner_fiber(memory + 2 * STACK);
    }
    outer_stack = inner_stack = NULL;
    end_a_thread_in_its_inner_fiber(memory + 2 * STACK);
    t_unmap(memory, (size_t)5 * STACK);
}

START_TEST(pthread_exit_in_a_nested_fiber_runs_the_cleanup_handlers_of_all_stacks_in_order)
{
    end_threads_on_all_stacks();
}
END_TEST

START_TEST(pthread_cancel_of_a_thread_in_a_nested_fiber_does_the_same_at_a_cancellation_point)
{
    is_to_be_cancelled = true;
    end_threads_on_all_stacks();
}
END_TEST

/* That cancellation is disabled is the thread's state too, and a request waits until it is not. */
static void *disable_and_yield(void *arg)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    coir_yield(NULL, NULL);
    pthread_testcancel();
    event("still-there ");
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    coir_yield(NULL, NULL);
    pthread_testcancel();
    event("too-late ");
    return arg;
}

static void *cancel_oneself(void *arg)
{
    inner = t_create(disable_and_yield, NULL);
    coir_resume(inner, NULL, NULL);
    pthread_cancel(pthread_self());
    pthread_testcancel();
    coir_resume(inner, NULL, NULL);
    event("enabled ");
    coir_resume(inner, NULL, NULL);
    event("went on ");
    return arg;
}

START_TEST(no_switch_is_a_cancellation_point)
{
    ck_assert_ptr_eq(t_on_thread(cancel_oneself, NULL), PTHREAD_CANCELED);
    ck_assert_str_eq(events, "still-there enabled ");
    ck_assert_int_eq(coir_fiber_state(inner), COIR_STATE_DONE);
    ck_assert_int_eq(coir_destroy(inner), COIR_OK);
}
END_TEST

/* coir_exec_run is one, where it waits for the world. */
static coir_exec *executor;

static void *sleep_an_hour(void *arg)
{
    coir_defer(event, "deferred ");
    coir_sleep(3600 * COIR_SECOND);
    event("slept on ");
    return arg;
}

static void *run_into_cancellation(void *arg)
{
    ck_assert_int_eq(coir_exec_create(&executor, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, executor, sleep_an_hour, NULL, NULL), COIR_OK);
    pthread_cancel(pthread_self());
    coir_exec_run(executor);
    event("ran on ");
    return arg;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

START_TEST(a_thread_that_is_cancelled_while_its_executor_waits_leaves_that_to_others)
{
    ck_assert_ptr_eq(t_on_thread(run_into_cancellation, NULL), PTHREAD_CANCELED);
    ck_assert_str_eq(events, "");
    coir_exec_post(executor, do_nothing, NULL); /* nobody has left it locked */
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
    ck_assert_str_eq(events, "deferred ");
}
END_TEST

/* ---- floating-point exceptions ---- */

static void *raise_inexact(void *arg)
{
    feraiseexcept(FE_INEXACT);
    coir_yield(NULL, NULL);
    ck_assert_int_eq(fetestexcept(FE_INEXACT), t_backend_is("asm") ? 0 : FE_INEXACT);
    return arg;
}

/* With control of its own too, for flags are no control. */
START_TEST(exception_flags_are_the_threads_in_assembly_and_the_fibers_on_ucontext)
{
    if (t_instrumented())
        T_SKIP("valgrind has no floating-point exceptions");
    for (unsigned flags = 0; flags <= COIR_KEEP_FPENV; flags += COIR_KEEP_FPENV) {
        coir_options opt = {.flags = flags};
        coir_fiber *f = NULL;
        ck_assert_int_eq(coir_create(&f, raise_inexact, NULL, &opt), COIR_OK);
        feclearexcept(FE_ALL_EXCEPT);
        coir_resume(f, NULL, NULL);
        ck_assert_int_eq(fetestexcept(FE_INEXACT), t_backend_is("asm") ? FE_INEXACT : 0);
        feclearexcept(FE_ALL_EXCEPT);
        run_to_the_end(f);
    }
}
END_TEST

#ifdef __GLIBC__

static volatile double one = 1, zero = 0;

static void *trap_divisions(void *arg)
{
    ck_assert_int_eq(feenableexcept(FE_DIVBYZERO), 0);
    coir_yield(NULL, NULL);
    ck_assert_int_eq(fegetexcept(), FE_DIVBYZERO);
    return arg;
}

static void check_traps_of_resumer(unsigned flags, int expected)
{
    coir_options opt = {.flags = flags};
    coir_fiber *f = NULL;

    ck_assert_int_eq(fegetexcept(), 0);
    ck_assert_int_eq(coir_create(&f, trap_divisions, NULL, &opt), COIR_OK);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(fegetexcept(), expected);
    run_to_the_end(f);
    fedisableexcept(FE_ALL_EXCEPT);
}

static coir_fiber *dividing;

static void leave_division(int number, siginfo_t *info, void *context)
{
    count(number, info, context);
    self_in_handler = coir_self();
    siglongjmp(place_with_mask, 1);
}

static void *divide_into_traps(void *arg)
{
    void *low;
    size_t size;

    ck_assert_int_eq(coir_stack_bounds(NULL, &low, &size), COIR_OK);
    for (volatile int i = 0; i < 3; i++) {
        feenableexcept(FE_DIVBYZERO); /* the handler has begun without traps, and has not returned */
        coir_yield(NULL, NULL);
        if (sigsetjmp(place_with_mask, 1) == 0) {
            ck_assert(one / zero > 1);
            ck_abort_msg("a division by zero went through");
        }
        ck_assert(is_within(handler_stood, low, size));
        ck_assert_ptr_eq(self_in_handler, dividing);
    }
    return arg;
}

#endif

START_TEST(exception_masks_are_the_resumers_or_the_fibers_own_as_rounding_is)
{
#ifdef __GLIBC__
    if (t_instrumented())
        T_SKIP("valgrind has no floating-point traps");
    check_traps_of_resumer(0, t_backend_is("asm") ? FE_DIVBYZERO : 0);
    check_traps_of_resumer(COIR_KEEP_FPENV, 0);
#else
    T_SKIP("feenableexcept is glibc's");
#endif
}
END_TEST

START_TEST(a_floating_point_trap_in_a_fiber_is_its_own)
{
#ifdef __GLIBC__
    coir_options opt = {.flags = COIR_KEEP_FPENV};

    if (t_instrumented())
        T_SKIP("valgrind has no floating-point traps");
    if (feenableexcept(FE_DIVBYZERO) == -1)
        T_SKIP("this processor has no floating-point traps");
    fedisableexcept(FE_DIVBYZERO);
    on_signal(SIGFPE, leave_division, 0);
    ck_assert_int_eq(coir_create(&dividing, divide_into_traps, NULL, &opt), COIR_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_resume(dividing, NULL, NULL), COIR_YIELDED);
        ck_assert(one / zero > 1);
        ck_assert_int_eq(signals, i);
    }
    ck_assert_int_eq(coir_resume(dividing, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(signals, 3);
    coir_destroy(dividing);
#else
    T_SKIP("feenableexcept is glibc's");
#endif
}
END_TEST

T_MAIN(a_signal_fits_the_smallest_stack_with_all_of_avx_512_in_use,
       a_signal_fits_the_smallest_stack_with_amx_tiles_in_use,
       signals_from_another_thread_while_fibers_switch_change_nothing,
       a_signal_may_come_after_each_instruction_of_each_switch,
       the_signal_mask_is_the_threads_in_assembly_and_the_fibers_on_ucontext,
       a_handler_on_an_alternate_stack_is_still_in_its_fiber, longjmp_inside_of_a_fiber_goes_back_over_a_yield,
       longjmp_inside_of_a_fiber_goes_back_over_a_change_of_threads,
       siglongjmp_leaves_a_handler_for_the_fiber_that_it_broke_into,
       a_fiber_can_go_on_after_an_overflow_that_a_handler_left_by_siglongjmp,
       exit_in_a_fiber_runs_what_atexit_noted_and_flushes_stdio, quick_exit_in_a_fiber_runs_what_at_quick_exit_noted,
       Exit_in_a_fiber_runs_nothing_more, abort_in_a_fiber_ends_the_process_by_its_signal,
       pthread_exit_in_a_nested_fiber_runs_the_cleanup_handlers_of_all_stacks_in_order,
       pthread_cancel_of_a_thread_in_a_nested_fiber_does_the_same_at_a_cancellation_point,
       no_switch_is_a_cancellation_point, a_thread_that_is_cancelled_while_its_executor_waits_leaves_that_to_others,
       exception_flags_are_the_threads_in_assembly_and_the_fibers_on_ucontext,
       exception_masks_are_the_resumers_or_the_fibers_own_as_rounding_is, a_floating_point_trap_in_a_fiber_is_its_own)
