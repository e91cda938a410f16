/* SPDX-License-Identifier: MIT */
/* The scripts of a game as tasks: each reads from top to bottom, and waits where the game has to go on. The game's
 * own loop gives them one turn a frame. Their clock is the game's: while the game is paused it stands still, and
 * they with it. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAST_FRAME = 21, PAUSE_FROM = 10, PAUSE_TO = 13 };

#define FRAME_TIME (20 * COIR_MILLISECOND)

struct game {
    int frame;
    int64_t time;
    int guards, open_doors;
    coir_task *cat;
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "game_loop: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

static void say(const struct game *game, const char *what)
{
    printf("frame %2d, %3d ms: %s\n", game->frame, (int)(game->time / COIR_MILLISECOND), what);
}

static int64_t game_clock(void *context)
{
    const struct game *game = context;

    return game->time;
}

/* ---- scripts: any call that waits fails once the game stops, and then they clean up and return ---- */

/* Takes a step every 60 ms, there and back, until the game stops. */
static void *guard(void *arg)
{
    static const char *const places[] = {"gate", "yard", "tower", "yard"};
    struct game *game = arg;

    game->guards++;
    for (size_t i = 0; coir_sleep(3 * FRAME_TIME) == COIR_OK; i++) {
        char line[64];
        snprintf(line, sizeof line, "the guard is at the %s", places[i % 4]);
        say(game, line);
    }
    game->guards--;
    return NULL;
}

static void *door(void *arg)
{
    struct game *game = arg;

    if (coir_sleep(5 * FRAME_TIME) != COIR_OK)
        return NULL;
    game->open_doors++;
    say(game, "the door opens");
    check("coir_task_wake", coir_task_wake(game->cat));
    coir_sleep(COIR_SECOND); /* less if the game stops before: the door is closed all the same */
    game->open_doors--;
    return NULL;
}

static void *cat(void *arg)
{
    const struct game *game = arg;

    if (coir_task_park() == COIR_OK)
        say(game, "the cat slips through the door");
    return NULL;
}

/* ---- the game ---- */

/* One turn of each script that has something to do; never waits. */
static void run_frame(struct game *game, coir_exec *scripts)
{
    game->frame++;
    if (game->frame >= PAUSE_FROM && game->frame <= PAUSE_TO)
        say(game, "paused");
    else
        game->time += FRAME_TIME;
    check("coir_exec_run_once_until", coir_exec_run_once_until(scripts, 0));
}

static void show_state(const struct game *game, const coir_exec *scripts)
{
    printf("guards: %d, open doors: %d, scripts: %d\n", game->guards, game->open_doors,
           check("coir_exec_tasks", coir_exec_tasks(scripts)));
}

static void stop(const struct game *game, coir_exec *scripts)
{
    say(game, "the game stops");
    show_state(game, scripts);
    check("coir_exec_cancel", coir_exec_cancel(scripts));
    check("coir_exec_run", coir_exec_run(scripts));
    show_state(game, scripts);
    check("coir_await", coir_await(game->cat, NULL));
    check("coir_exec_destroy", coir_exec_destroy(scripts));
}

int main(void)
{
    struct game game = {0};
    coir_exec_options options = {0};
    coir_exec *scripts;

    options.clock = game_clock;
    options.clock_context = &game;
    check("coir_exec_create", coir_exec_create(&scripts, &options));
    check("coir_spawn", coir_spawn(NULL, scripts, guard, &game, NULL));
    check("coir_spawn", coir_spawn(NULL, scripts, door, &game, NULL));
    check("coir_spawn", coir_spawn(&game.cat, scripts, cat, &game, NULL));
    while (game.frame < LAST_FRAME)
        run_frame(&game, scripts);
    stop(&game, scripts);
    return 0;
}
