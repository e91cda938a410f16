/* SPDX-License-Identifier: MIT */
/* coir/uv.h - waiting for the world: tasks that use sockets, pipes, names, files, processes, signals and worker
 * threads through libuv, and read as if they blocked. The library is libcoir-uv, its pkg-config name coir-uv.
 *
 *     static void *serve(void *stream)                            // a task for each connection
 *     {
 *         char data[1024];
 *         int size;
 *         while ((size = coir_uv_read(stream, data, sizeof data)) > 0)
 *             if (coir_uv_write(stream, data, (size_t)size) != COIR_OK)
 *                 break;
 *         coir_uv_destroy(stream);
 *         return NULL;
 *     }
 *
 *     static void *echo(void *address)
 *     {
 *         coir_uv_stream *listener, *stream;
 *         if (coir_uv_tcp_listen(&listener, address, 128) != COIR_OK)
 *             return NULL;
 *         while (coir_uv_accept(listener, &stream) == COIR_OK)
 *             if (coir_spawn(NULL, NULL, serve, stream, NULL) != COIR_OK)
 *                 coir_uv_destroy(stream);
 *         coir_uv_destroy(listener);
 *         return NULL;
 *     }
 *
 *     int main(void)
 *     {
 *         struct sockaddr_in address;
 *         uv_ip4_addr("127.0.0.1", 7000, &address);
 *         return coir_uv_run(echo, &address, NULL, NULL) == COIR_OK ? 0 : 1;
 *     }
 *
 * The rules of coir/exec.h hold here as well. In short: a call that "may wait" suspends the task with all that runs in
 * it, and control comes back in the same fiber on the same thread; its _until twin takes a deadline in the executor's
 * time; errors of the place (COIR_ENOTTASK outside of tasks, COIR_ECANCELED in one that is cancelled) come before all
 * others. And for all calls of this header:
 *
 * Errors. Negative codes: those of coir/error.h, and what libuv reports, as COIR_UV_ERROR(UV_ECONNRESET) and the like,
 * so that the two never meet; coir_uv_strerror and coir_uv_errname tell of both. "The system's" below means any of the
 * latter. UV_ENOMEM is COIR_ENOMEM.
 *
 * Threads. A thing that these calls make belongs to the executor in whose task it was made, and so to its thread. In
 * another thread every call with it is COIR_ETHREAD, but one that may wait is COIR_ENOTTASK outside of tasks there as
 * well; in a task of another executor of the same thread, one that waits is COIR_EINVAL; in a task of an executor that
 * has no loop, so is what makes things.
 *
 * Deadlines. libuv's timers count milliseconds, so a deadline, and coir_sleep too, may be noticed up to a millisecond
 * late. A deadline that has passed already makes read, accept, receive, the waits for processes and signals try once:
 * what has happened by then is found, after one look at the loop (on Windows with libuv 1.44 or later). The other
 * calls do what they can at once, or nothing.
 *
 * What a call uses. The memory that is given to a call is used only until the call returns, whatever it returns. A
 * read that was cancelled, or whose deadline came, has taken nothing: the next one finds all bytes. A call that could
 * be finished returns its result, also if the task was cancelled meanwhile. Work that a thread of libuv's pool has
 * begun (files, coir_uv_work) cannot be taken back: the call then returns, with its result, when that is through, be
 * it after the deadline.
 *
 * Destroying. Each thing that a call hands out is owed one destroy, which closes it. Neither close nor destroy waits,
 * so they may be called outside of tasks, in cancelled tasks, and in deferred functions. The memory itself goes when
 * the loop has run its closing callbacks.
 *
 * Memory. The library's own comes from coir_allocate: once for each thing, and for each stream whose peer is slow.
 * Calls that wait allocate nothing else (but for the first look-up of a name, and those beside one that goes on),
 * besides what libuv itself allocates.
 *
 * Fork. In the child uv_loop_fork has to be called before anything else is done with the loop, as always with libuv.
 *
 * libuv itself. All of it may be used beside, in callbacks and in tasks, on handles of one's own in the same loop and,
 * for what does not read, write, listen or close, on the handles of this library (coir_uv_stream_handle): options,
 * addresses, buffer sizes. But a task must not call uv_run, and a callback nothing that may wait. Callbacks run on the
 * stack that runs the loop; functions of libuv that a task calls run on its fiber's, which has 256 KiB by default. */

#ifndef COIR_UV_H
#define COIR_UV_H

#include <stddef.h>
#include <stdint.h>

/* On POSIX systems this wants more than a compiler shows that was told -std=c11: -std=gnu11, or _POSIX_C_SOURCE. */
#include <uv.h>

#include <coir/api.h>
#include <coir/error.h>
#include <coir/exec.h>
#include <coir/fiber.h>
#include <coir/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ---- */

/* What a call returns for libuv's error `uv`, such as UV_ECONNREFUSED: a number below -10000. And the other way:
 * libuv's error, for a code that is one of these. */
#define COIR_UV_ERROR(uv) ((uv) - 10000)
#define COIR_UV_IS_ERROR(code) ((code) < -10000)
#define COIR_UV_ERROR_OF(code) ((code) + 10000)

/* The sentence and the name of any code: libuv's ("connection refused", "ECONNREFUSED") or coir's, as coir_strerror
 * and coir_errname have them. Constant strings; never NULL. */
COIR_API const char *coir_uv_strerror(int code);
COIR_API const char *coir_uv_errname(int code);

/* ---- running ---- */

/* All in one: makes a loop and an executor, runs fn(arg) as a task and all that it spawns, until no task is left, and
 * frees both. Then *result, unless `result` is NULL, is what `fn` returned. `opt` as coir_exec_create, NULL for all
 * defaults. What tasks have left open is closed; threads of libuv's pool that work are waited for. Blocks the calling
 * thread, which may be in a fiber, even in a task of another executor.
 *
 * COIR_OK. COIR_EDEADLK: tasks were left that nothing could wake; a report named them, then they were cancelled and
 * run to their ends (one that still waits, under a shield, is left behind, with its memory and loop; so are these for
 * a group that was not destroyed). COIR_TASKS_LEFT: coir_exec_stop was called: tasks that were left are cancelled and
 * run to their ends likewise. Other errors as coir_uv_exec_create and coir_spawn. */
COIR_API int coir_uv_run(coir_fn *fn, void *arg, const coir_exec_options *opt, void **result);

/* Makes an executor whose tasks can wait for what happens in `loop`, which is the program's, initialised, and of the
 * calling thread. From then on either of them runs both, as suits the program, and the one after the other, too:
 *
 * - coir_exec_run and its like run the loop as the executor's poller: callbacks are called when no task is ready, and
 *   at least once in a turn. The executor has something to wait for (so there is no deadlock) as long as
 *   uv_loop_alive(loop).
 * - uv_run(loop, ...) runs the executor as a part of the loop: once in each iteration that has something for it. It
 *   keeps the loop alive while a task is ready, sleeps, waits for I/O, or while the executor is held; so uv_run(loop,
 *   UV_RUN_DEFAULT) returns when nothing can happen any more. What is open but not waited for does not count. See also
 *   coir_uv_exec_attend. An error of the executor's stays unseen here.
 *
 * In a callback of the loop, or in a task, neither may be called. uv_stop ends uv_run; coir_exec_stop ends
 * coir_exec_run.
 *
 * On POSIX, if SIGPIPE has its default action, this sets it to be ignored, for libuv's writes to a peer that is gone
 * would else end the process: they return UV_EPIPE then. (Child processes get the default action: uv_spawn sees to
 * that.)
 *
 * COIR_EINVAL: `out` or `loop` is NULL, `opt` has a poller or COIR_VIRTUAL_CLOCK (time that does not pass while the
 * loop waits), or as coir_exec_create; whose other errors it also has. The system's. On error *out is as it was. */
COIR_API int coir_uv_exec_create(coir_exec **out, uv_loop_t *loop, const coir_exec_options *opt);

/* Frees such an executor, as coir_exec_destroy does. Then the loop has five handles left to close, of this library, so
 * before uv_loop_close it has to be run once more, as always with libuv. COIR_EBUSY: also while a stream or the like,
 * that was made in it, has not been destroyed. COIR_EINVAL: it has no loop. NULL does nothing and is COIR_OK.
 * Otherwise as coir_exec_destroy. */
COIR_API int coir_uv_exec_destroy(coir_exec *e);

/* The loop of an executor; of the current one for NULL. NULL: it has none. */
COIR_API uv_loop_t *coir_uv_loop(const coir_exec *e);

/* Has the loop look at the executor once more, before it sleeps or ends: for a program that has spawned or woken tasks
 * where the loop does not see it. That is after uv_run has returned, since nothing was left to do; in the callbacks
 * that libuv calls last in uv_run (of handles that have closed, and of timers with UV_RUN_ONCE); and, whoever runs the
 * two, in those of prepare handles that were started before the executor was made, for these come after the
 * executor's. In other callbacks, and before the first uv_run, it is not needed. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_uv_exec_attend(coir_exec *e);

/* ---- streams: TCP and pipes ---- */

/* A connection, or something that listens for connections; over TCP, or a pipe: a Unix domain socket, a named pipe of
 * Windows, or any pipe. One task may read from it, and one other write to it, at a time. */
typedef struct coir_uv_stream coir_uv_stream;

/* Connects to a TCP server: to one address; or to the first of the addresses of a host that answers, tried one after
 * the other in the order in which the system gives them. `host` is a name or an address in digits, `service` a port in
 * digits or the name of one. May wait. The stream goes to *out; the caller owes it a coir_uv_destroy.
 * COIR_OK; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_EINVAL: an argument is NULL, or the executor has no
 * loop; COIR_ENOMEM; the system's (of the last address that was tried): UV_ECONNREFUSED, UV_EAI_NONAME and so on. On
 * error *out is as it was, and nothing is left open. */
COIR_API int coir_uv_connect(coir_uv_stream **out, const char *host, const char *service);
COIR_API int coir_uv_connect_until(coir_uv_stream **out, const char *host, const char *service, int64_t deadline);
COIR_API int coir_uv_tcp_connect(coir_uv_stream **out, const struct sockaddr *address);
COIR_API int coir_uv_tcp_connect_until(coir_uv_stream **out, const struct sockaddr *address, int64_t deadline);

/* Connects to a pipe's server: the path of a Unix domain socket, or \\.\pipe\NAME on Windows. As above. */
COIR_API int coir_uv_pipe_connect(coir_uv_stream **out, const char *name);
COIR_API int coir_uv_pipe_connect_until(coir_uv_stream **out, const char *name, int64_t deadline);

/* Listens at an address (port 0: at a free one; uv_tcp_getsockname tells which), or for a pipe under a name. The
 * system holds up to `backlog` connections that nobody has accepted yet. Does not wait, but must be called in a task,
 * also in a cancelled one. The name of a Unix domain socket has up to 107 bytes on Linux; of a longer one libuv before
 * 1.46 takes as many.
 * COIR_OK; COIR_ENOTTASK; COIR_EINVAL: an argument is NULL, or as above; COIR_ENOMEM; the system's: UV_EADDRINUSE,
 * UV_EACCES ... */
COIR_API int coir_uv_tcp_listen(coir_uv_stream **out, const struct sockaddr *address, int backlog);
COIR_API int coir_uv_pipe_listen(coir_uv_stream **out, const char *name, int backlog);

/* Accepts the next connection: waits for one, and stores its stream in *out, owed a coir_uv_destroy. May wait. One
 * task at a time.
 * COIR_OK; COIR_ECLOSED: `listener` is closed, or was while this waited; COIR_EBUSY: another task accepts;
 * COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_ENOMEM; COIR_EINVAL: an argument is NULL, or it does not listen;
 * COIR_ETHREAD; the system's, such as UV_EMFILE; the listener is as good as before after any of these (on Windows
 * libuv gives it up if the system refuses to prepare more), and a server sleeps a little and goes on. Out of
 * descriptors, libuv closes connections as they come, and may tell nobody (1.44 does not, on Linux). One for which
 * there was no memory is kept for the next accept. */
COIR_API int coir_uv_accept(coir_uv_stream *listener, coir_uv_stream **out);
COIR_API int coir_uv_accept_until(coir_uv_stream *listener, coir_uv_stream **out, int64_t deadline);

/* Makes a stream of a socket that is connected or bound, or of a descriptor of a pipe (0 for standard input, if that
 * is one); it then owns that. And a pipe that is not open yet, for uv_spawn to open (coir_uv_process_spawn). Do not
 * wait; must be called in a task, also a cancelled one. Errors as coir_uv_tcp_listen; on error the descriptor stays
 * the caller's. */
COIR_API int coir_uv_tcp_open(coir_uv_stream **out, uv_os_sock_t socket);
COIR_API int coir_uv_pipe_open(coir_uv_stream **out, uv_file descriptor);
COIR_API int coir_uv_pipe_create(coir_uv_stream **out);

/* Waits until there is something to read, and reads what is there, `size` bytes at most (and not more than INT_MAX):
 * their number; or 0 at the end, when the peer has shut its side down, then and at every later call. With `size` 0 it
 * waits until another read would not wait, takes nothing and returns 0. May wait, and lets the loop have a look, but
 * for at the end. What nobody reads stays with the system, whose buffers then make the peer wait: the library holds
 * nothing itself.
 * COIR_ECLOSED: the stream is closed, or was while this waited; COIR_EBUSY: another task reads; COIR_ETIMEDOUT;
 * COIR_ECANCELED; COIR_ENOTTASK; COIR_EINVAL: `s` or `data` is NULL, or it listens, or is not open; COIR_ETHREAD; the
 * system's, such as UV_ECONNRESET, then and at every later call. */
COIR_API int coir_uv_read(coir_uv_stream *s, void *data, size_t size);
COIR_API int coir_uv_read_until(coir_uv_stream *s, void *data, size_t size, int64_t deadline);

/* Reads until `size` bytes are there: COIR_OK; or as coir_uv_read, and then the first *got bytes are there (`got` may
 * be NULL); for an end that comes before, UV_EOF as one of the system's. */
COIR_API int coir_uv_read_all(coir_uv_stream *s, void *data, size_t size, size_t *got);
COIR_API int coir_uv_read_all_until(coir_uv_stream *s, void *data, size_t size, int64_t deadline, size_t *got);

/* Writes all of it: waits until the system has taken every byte, so that a peer that does not read makes its writer
 * wait. May wait; a write that the system takes at once does not.
 *
 * On an error, and when it was cancelled or timed out, *written bytes have been handed over: they come to the peer,
 * unless the stream is closed or the connection fails before, and the following ones never do; so the next write goes
 * on from there. `written` may be NULL. (Up to 16 KiB of them may wait in a buffer of the stream's; the next write, be
 * it of nothing, first waits until they are with the system.)
 * COIR_OK; COIR_ECLOSED: the stream is closed, or was while this waited; COIR_EBUSY: another task writes;
 * COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_ENOMEM; COIR_EINVAL: `s` or `data` is NULL, or it listens, or is
 * not open; COIR_ETHREAD; the system's: UV_EPIPE and UV_ECONNRESET when the peer is gone. */
COIR_API int coir_uv_write(coir_uv_stream *s, const void *data, size_t size);
COIR_API int coir_uv_write_until(coir_uv_stream *s, const void *data, size_t size, int64_t deadline, size_t *written);

/* The same for `count` pieces, in order, as one. */
COIR_API int coir_uv_writev(coir_uv_stream *s, const uv_buf_t *pieces, size_t count);
COIR_API int coir_uv_writev_until(coir_uv_stream *s, const uv_buf_t *pieces, size_t count, int64_t deadline,
                                  size_t *written);

/* Ends the own side of the connection, once all that was written is with the system: the peer reads it to its end.
 * Reading goes on. May wait. Errors as coir_uv_write; UV_ENOTCONN. If it was cancelled or timed out, the end comes all
 * the same, later. */
COIR_API int coir_uv_shutdown(coir_uv_stream *s);
COIR_API int coir_uv_shutdown_until(coir_uv_stream *s, int64_t deadline);

/* Closes the stream: whoever waits with it gets COIR_ECLOSED, and so does every later call. What was written and is
 * not with the system yet is lost. Does not wait. COIR_OK; COIR_ECLOSED: it was closed before; COIR_EINVAL,
 * COIR_ETHREAD. */
COIR_API int coir_uv_close(coir_uv_stream *s);

/* Closes the stream if it is not closed, and frees it. NULL does nothing and is COIR_OK. Does not wait. COIR_EBUSY: a
 * task waits with it. (coir_uv_close ends the wait; once that task has had its turn the stream can be destroyed.)
 * COIR_ETHREAD. */
COIR_API int coir_uv_destroy(coir_uv_stream *s);

/* libuv's handle of the stream: a uv_tcp_t or uv_pipe_t, for options, names and the like; not to be read from, written
 * to, or closed, and its `data` is the library's. NULL for NULL. After coir_uv_close it is a closing handle, to be
 * left alone. */
COIR_API uv_stream_t *coir_uv_stream_handle(coir_uv_stream *s);

/* ---- UDP ---- */

/* A UDP socket. One task may receive, and one other send, at a time. */
typedef struct coir_uv_udp coir_uv_udp;

/* Makes one. `address` is where it receives (port 0: a free one), or NULL to have the system choose at the first send;
 * `flags` as uv_udp_bind. Does not wait; must be called in a task, also a cancelled one. COIR_OK; COIR_ENOTTASK;
 * COIR_EINVAL; COIR_ENOMEM; the system's. */
COIR_API int coir_uv_udp_create(coir_uv_udp **out, const struct sockaddr *address, unsigned flags);

/* Receives one datagram into `data`: its size, which may be 0. Of one that is larger than `size` the rest is lost, and
 * *truncated is 1, else 0. *from is the sender's address. Both pointers may be NULL. May wait. The first receive makes
 * a socket that has no address yet take one. COIR_ECLOSED, COIR_EBUSY, COIR_ETIMEDOUT, COIR_ECANCELED, COIR_ENOTTASK,
 * COIR_ETHREAD as coir_uv_read; COIR_EINVAL: `u` or `data` is NULL, or `size` is 0; the system's. */
COIR_API int coir_uv_udp_recv(coir_uv_udp *u, void *data, size_t size, struct sockaddr_storage *from, int *truncated);
COIR_API int coir_uv_udp_recv_until(coir_uv_udp *u, void *data, size_t size, struct sockaddr_storage *from,
                                    int *truncated,
                                    int64_t deadline);

/* Sends one datagram to `to`, or, NULL, to whom the socket is connected (uv_udp_connect). May wait, where the system
 * has no room for it; if that was cancelled or timed out, the datagram may be sent all the same. Errors as
 * coir_uv_write; UV_EMSGSIZE: it is too large. */
COIR_API int coir_uv_udp_send(coir_uv_udp *u, const void *data, size_t size, const struct sockaddr *to);
COIR_API int coir_uv_udp_send_until(coir_uv_udp *u, const void *data, size_t size, const struct sockaddr *to,
                                    int64_t deadline);

/* As the streams' functions. */
COIR_API int coir_uv_udp_close(coir_uv_udp *u);
COIR_API int coir_uv_udp_destroy(coir_uv_udp *u);
COIR_API uv_udp_t *coir_uv_udp_handle(coir_uv_udp *u);

/* ---- names ---- */

/* Looks a name up, as getaddrinfo(3) does: `host` or `service` may be NULL, and `hints` too. The list goes to *out, to
 * be freed with uv_freeaddrinfo. May wait: a thread of libuv's pool calls the system. When cancelled or timed out it
 * returns at once, and the thread's result is dropped when it comes.
 * COIR_OK; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_ENOMEM; COIR_EINVAL: `out` is NULL, or both names are,
 * or the executor has no loop; the system's: UV_EAI_NONAME and its like. */
COIR_API int coir_uv_getaddrinfo(struct addrinfo **out, const char *host, const char *service,
                                 const struct addrinfo *hints);
COIR_API int coir_uv_getaddrinfo_until(struct addrinfo **out, const char *host, const char *service,
                                       const struct addrinfo *hints,
                                       int64_t deadline);

/* The name and service of an address, as getnameinfo(3); `flags` are its. `host` and `service` are of NI_MAXHOST
 * (1025) and NI_MAXSERV (32) bytes, and may be NULL. Otherwise as above. */
COIR_API int coir_uv_getnameinfo(const struct sockaddr *address, int flags, char *host, char *service);
COIR_API int coir_uv_getnameinfo_until(const struct sockaddr *address, int flags, char *host, char *service,
                                       int64_t deadline);

/* ---- files ---- */

/* As libuv's functions of the same names (uv_fs_open ...), which follow open(2), stat(2) and so on, on a thread of
 * libuv's pool. May wait. A call that is cancelled or timed out before a thread has begun it has done nothing; what
 * has been begun is waited for, and is the result. Those that give a number return it; it is not negative.
 * COIR_OK or that number; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_ENOMEM; COIR_EINVAL: a pointer is NULL,
 * or the executor has no loop; the system's: UV_ENOENT, UV_EACCES ... */

/* Opens: `flags` and `mode` as open(2) (UV_FS_O_RDONLY and so on). The descriptor goes to *out. */
COIR_API int coir_uv_fs_open(uv_file *out, const char *path, int flags, int mode);
COIR_API int coir_uv_fs_open_until(uv_file *out, const char *path, int flags, int mode, int64_t deadline);

/* Reads up to `size` bytes (and not more than INT_MAX) at `offset`, or, -1, from where the last one ended: their
 * number; 0 at the end. */
COIR_API int coir_uv_fs_read(uv_file file, void *data, size_t size, int64_t offset);
COIR_API int coir_uv_fs_read_until(uv_file file, void *data, size_t size, int64_t offset, int64_t deadline);

/* Writes all of `data` at `offset`, or, -1, where the last one ended. On any error *written, unless it is NULL, says
 * how much is written. */
COIR_API int coir_uv_fs_write(uv_file file, const void *data, size_t size, int64_t offset);
COIR_API int coir_uv_fs_write_until(uv_file file, const void *data, size_t size, int64_t offset, int64_t deadline,
                                    size_t *written);

/* Closes a file, in any case: where it may not wait (in a cancelled task, in a deferred function, outside of tasks) it
 * closes it on the spot. So it has no deadline, and is never COIR_ECANCELED, COIR_ETIMEDOUT or COIR_ENOTTASK. */
COIR_API int coir_uv_fs_close(uv_file file);

/* Of a path, of a link itself, of an open file. */
COIR_API int coir_uv_fs_stat(const char *path, uv_stat_t *out);
COIR_API int coir_uv_fs_stat_until(const char *path, uv_stat_t *out, int64_t deadline);
COIR_API int coir_uv_fs_lstat(const char *path, uv_stat_t *out);
COIR_API int coir_uv_fs_lstat_until(const char *path, uv_stat_t *out, int64_t deadline);
COIR_API int coir_uv_fs_fstat(uv_file file, uv_stat_t *out);
COIR_API int coir_uv_fs_fstat_until(uv_file file, uv_stat_t *out, int64_t deadline);

COIR_API int coir_uv_fs_fsync(uv_file file);
COIR_API int coir_uv_fs_fsync_until(uv_file file, int64_t deadline);
COIR_API int coir_uv_fs_ftruncate(uv_file file, int64_t size);
COIR_API int coir_uv_fs_ftruncate_until(uv_file file, int64_t size, int64_t deadline);
COIR_API int coir_uv_fs_mkdir(const char *path, int mode);
COIR_API int coir_uv_fs_mkdir_until(const char *path, int mode, int64_t deadline);
COIR_API int coir_uv_fs_rmdir(const char *path);
COIR_API int coir_uv_fs_rmdir_until(const char *path, int64_t deadline);
COIR_API int coir_uv_fs_unlink(const char *path);
COIR_API int coir_uv_fs_unlink_until(const char *path, int64_t deadline);
COIR_API int coir_uv_fs_rename(const char *path, const char *new_path);
COIR_API int coir_uv_fs_rename_until(const char *path, const char *new_path, int64_t deadline);

/* ---- work ---- */

/* Calls fn(arg) on a thread of libuv's pool (of 4 by default: UV_THREADPOOL_SIZE), for what blocks or takes long, and
 * stores what it returned in *result, which may be NULL. May wait. There, `fn` is in another thread, outside of any
 * task. A call that is cancelled or timed out before a thread has begun it has not called `fn`; else it waits until
 * `fn` has returned.
 * COIR_OK; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_ENOMEM; COIR_EINVAL: `fn` is NULL, or the executor has
 * no loop. */
COIR_API int coir_uv_work(coir_fn *fn, void *arg, void **result);
COIR_API int coir_uv_work_until(coir_fn *fn, void *arg, int64_t deadline, void **result);

/* ---- processes ---- */

/* A child process. */
typedef struct coir_uv_process coir_uv_process;

/* Starts a program, as uv_spawn does: `options` say which, with what arguments, and what its standard streams are (of
 * a stream of this library: UV_CREATE_PIPE with coir_uv_stream_handle of a coir_uv_pipe_create). Their exit_cb must be
 * NULL. Blocks until the program has started or failed to, as uv_spawn does, but does not wait; must be called in a
 * task, also a cancelled one.
 * COIR_OK; COIR_ENOTTASK; COIR_EINVAL; COIR_ENOMEM; the system's: UV_ENOENT ... */
COIR_API int coir_uv_process_spawn(coir_uv_process **out, const uv_process_options_t *options);

/* Waits until it has ended: *status is its exit status, *signal the signal that ended it, or 0. Both may be NULL. May
 * wait; once it has ended, any number of times.
 * COIR_OK; COIR_EBUSY: another task waits for it; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_EINVAL;
 * COIR_ETHREAD. */
COIR_API int coir_uv_process_wait(coir_uv_process *p, int64_t *status, int *signal);
COIR_API int coir_uv_process_wait_until(coir_uv_process *p, int64_t *status, int *signal, int64_t deadline);

/* Sends it a signal (on Windows SIGTERM, SIGKILL and SIGINT end it). COIR_EDEAD: it has ended; COIR_EINVAL,
 * COIR_ETHREAD; the system's. */
COIR_API int coir_uv_process_kill(coir_uv_process *p, int signal);

/* Its number. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_uv_process_id(const coir_uv_process *p);

/* Forgets it: a process that runs runs on (and on POSIX, when it ends, is a zombie until this one ends). NULL does
 * nothing and is COIR_OK. COIR_EBUSY: a task waits for it; COIR_ETHREAD. */
COIR_API int coir_uv_process_destroy(coir_uv_process *p);

/* ---- signals ---- */

/* Signals of one kind that the process gets. */
typedef struct coir_uv_signal coir_uv_signal;

/* From now on signals of the number `signum` (SIGINT, SIGTERM ...; on Windows what uv_signal_start makes of consoles'
 * events) are counted, instead of their default action. Does not wait; must be called in a task, also a cancelled one.
 * COIR_OK; COIR_ENOTTASK; COIR_EINVAL; COIR_ENOMEM; the system's. */
COIR_API int coir_uv_signal_create(coir_uv_signal **out, int signum);

/* Waits for the next: how many have come since the last call, 1 at least. May wait. COIR_EBUSY: another task waits;
 * COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_EINVAL; COIR_ETHREAD. */
COIR_API int coir_uv_signal_wait(coir_uv_signal *s);
COIR_API int coir_uv_signal_wait_until(coir_uv_signal *s, int64_t deadline);

/* The signal has its default action again, if no other waits for it. NULL does nothing and is COIR_OK. COIR_EBUSY: a
 * task waits; COIR_ETHREAD. */
COIR_API int coir_uv_signal_destroy(coir_uv_signal *s);

#ifdef __cplusplus
}
#endif

#endif
