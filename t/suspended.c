/* SPDX-License-Identifier: MIT */
/* Walking the stack of a fiber that is suspended: from what the backend saved, to a clean end. Linked with the library's
 * objects, since it reads a fiber's context. */

#include <config.h>

#include "t.h"

#include <string.h>
#include <ucontext.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "fiber.h"

#ifdef __x86_64__
#include "x86_64_sysv.h"

static void read_assembly(const struct coir__context *context, ucontext_t *out)
{
    const char *frame = context->saved;
    greg_t *registers = out->uc_mcontext.gregs;
    static const struct {
        int number, offset;
    } saved[] = {{REG_R15, FRAME_R15}, {REG_R14, FRAME_R14}, {REG_R13, FRAME_R13}, {REG_R12, FRAME_R12},
                 {REG_RBX, FRAME_RBX}, {REG_RBP, FRAME_RBP}, {REG_RIP, FRAME_RIP}};

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof saved / sizeof saved[0]; i++)
        memcpy(&registers[saved[i].number], frame + saved[i].offset, sizeof(greg_t));
    registers[REG_RSP] = (greg_t)(uintptr_t)(frame + FRAME_SIZE);
}
#else
#define read_assembly(context, out) ((void)(context), (void)(out))
#endif

/* The names of the frames of a suspended fiber, joined; or NULL if the walk does not end cleanly. */
static const char *walk(coir_fiber *f, int flags)
{
    static char names[1024];
    ucontext_t context;
    unw_cursor_t cursor;
    int more;

    names[0] = '\0';
    if (t_backend_is("asm"))
        read_assembly(&f->context, &context);
    else
        context = *(ucontext_t *)f->context.saved; /* the first member of what is there */
    ck_assert_int_eq(unw_init_local2(&cursor, &context, flags), 0);
    do {
        char name[64] = "?";
        unw_word_t offset;
        unw_get_proc_name(&cursor, name, sizeof name, &offset);
        strcat(strcat(names, name), " ");
        more = strlen(names) < 900 ? unw_step(&cursor) : -1;
    } while (more > 0);
    return more == 0 ? names : NULL;
}

/* Nobody waits for a suspended fiber, so its walk does not go on into what was its resumer's stack, whatever stands
 * there by now. On the assembly backend it goes to the frame of nobody. */
static void check_end(const char *names)
{
    ck_assert_ptr_nonnull(names);
    ck_assert_ptr_null(strstr(names, " main "));
    if (t_backend_is("asm"))
        ck_assert_ptr_nonnull(strstr(names, " coir__x86_64_trampoline resumed bottom "));
}

__attribute__((noinline)) void *suspend_here(void *arg);
__attribute__((noinline)) void *call_down(void *arg);

void *suspend_here(void *arg)
{
    coir_yield(NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return arg;
}

void *call_down(void *arg)
{
    volatile char frame[300];
    frame[0] = 1;
    arg = suspend_here(arg);
    return frame[0] ? arg : NULL;
}

START_TEST(a_suspended_fibers_walk_shows_its_frames_and_ends)
{
    coir_fiber *f = t_create(call_down, NULL);
    const char *names;
    coir_resume(f, NULL, NULL);
    names = walk(f, 0);
    check_end(names);
    ck_assert_ptr_nonnull(strstr(names, "suspend_here call_down "));
    coir_destroy(f);
}
END_TEST

__attribute__((noinline)) int give_here(coir_gen *g, void *out);

int give_here(coir_gen *g, void *out)
{
    uint64_t item = 1;
    *(coir_fiber **)out = coir_self();
    while (coir_gen_yield(g, &item) == COIR_OK)
        item++;
    return 0;
}

START_TEST(a_suspended_generators_walk_shows_its_frames_and_ends)
{
    uint64_t item;
    coir_fiber *f = NULL;
    coir_gen *g = NULL;
    ck_assert_int_eq(coir_gen_create(&g, sizeof item, give_here, &f, NULL), COIR_OK);
    for (int i = 0; i < 2; i++) {
        const char *names;
        ck_assert_int_eq(coir_gen_next(g, &item), 1);
        names = walk(f, 0);
        check_end(names);
        ck_assert_ptr_nonnull(strstr(names, "give_here "));
    }
    coir_gen_destroy(g);
}
END_TEST

START_TEST(a_new_fibers_walk_ends)
{
    coir_fiber *f = t_create(call_down, NULL);
    ck_assert_ptr_nonnull(walk(f, UNW_INIT_SIGNAL_FRAME));
    coir_destroy(f);
}
END_TEST

static coir_fiber *successor;

static void *switch_away(void *arg)
{
    coir_switch(successor, NULL, NULL);
    __asm__ volatile("" : : : "memory");
    return arg;
}

START_TEST(a_fiber_left_by_switch_has_no_resumer_in_its_walk)
{
    coir_fiber *f = t_create(switch_away, NULL);
    successor = t_create(call_down, NULL);
    coir_resume(f, NULL, NULL);
    const char *names = walk(f, 0);
    check_end(names);
    ck_assert_ptr_nonnull(strstr(walk(successor, 0), "suspend_here"));
    coir_destroy(f);
    coir_destroy(successor);
}
END_TEST

T_MAIN(a_suspended_fibers_walk_shows_its_frames_and_ends, a_suspended_generators_walk_shows_its_frames_and_ends,
       a_new_fibers_walk_ends, a_fiber_left_by_switch_has_no_resumer_in_its_walk)
