/* SPDX-License-Identifier: MIT */
/* fs.c - files. Every call is the same three steps: begin a job, hand libuv the request, wait. */

#include <config.h>

#include "job.h"

static void on_fs(uv_fs_t *request)
{
    coir_uv__job_end(request->data, request->result < 0 ? (int)request->result : 0);
}

/* `valid`: all pointers are given. */
static int begin(struct coir_uv__job *job, bool valid, int64_t deadline, uv_loop_t **loop)
{
    return coir_uv__job_begin(job, "waits for a file", valid, deadline, loop);
}

/* Waits, and forgets the request, whose result stays to be read. */
static int finish(struct coir_uv__job *job, int uv, int64_t deadline)
{
    int error = coir_uv__job_wait(job, uv, deadline);

    uv_fs_req_cleanup(&job->request.fs);
    return error;
}

/* ---- open, read, write, close ---- */

int coir_uv_fs_open_until(uv_file *out, const char *path, int flags, int mode, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, path != NULL && out != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    error = finish(&job, uv_fs_open(loop, &job.request.fs, path, flags, mode, on_fs), deadline);
    if (error == COIR_OK)
        *out = (uv_file)job.request.fs.result;
    return error;
}

int coir_uv_fs_open(uv_file *out, const char *path, int flags, int mode)
{
    return coir_uv_fs_open_until(out, path, flags, mode, COIR_FOREVER);
}

static uv_buf_t piece_of(const void *data, size_t size)
{
    return uv_buf_init((char *)data, coir_uv__bounded(size));
}

int coir_uv_fs_read_until(uv_file file, void *data, size_t size, int64_t offset, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    uv_buf_t piece = piece_of(data, size);
    int error = begin(&job, data != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    error = finish(&job, uv_fs_read(loop, &job.request.fs, file, &piece, 1, offset, on_fs), deadline);
    return error == COIR_OK ? (int)job.request.fs.result : error;
}

int coir_uv_fs_read(uv_file file, void *data, size_t size, int64_t offset)
{
    return coir_uv_fs_read_until(file, data, size, offset, COIR_FOREVER);
}

/* Writes some: how much, or an error. */
static int write_some(uv_file file, const char *data, size_t size, int64_t offset, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    uv_buf_t piece = piece_of(data, size);
    int error = begin(&job, data != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    error = finish(&job, uv_fs_write(loop, &job.request.fs, file, &piece, 1, offset, on_fs), deadline);
    return error == COIR_OK ? (int)job.request.fs.result : error;
}

int coir_uv_fs_write_until(uv_file file, const void *data, size_t size, int64_t offset, int64_t deadline,
                           size_t *written)
{
    size_t done = 0;
    int result;

    do {
        int64_t at = offset < 0 ? offset : offset + (int64_t)done;
        result = write_some(file, (const char *)data + done, size - done, at, deadline);
        if (result > 0)
            done += (size_t)result;
    } while (result > 0 && done < size);
    if (written != NULL)
        *written = done;
    if (result < 0)
        return result;
    return done == size ? COIR_OK : COIR_UV_ERROR(UV_EIO); /* a write of nothing, without an error */
}

int coir_uv_fs_write(uv_file file, const void *data, size_t size, int64_t offset)
{
    return coir_uv_fs_write_until(file, data, size, offset, COIR_FOREVER, NULL);
}

/* A close is not given up: it would leave nobody who knows whether the descriptor is open. */
static void stay(coir_wait *wait, int code)
{
    (void)wait, (void)code;
}

/* Where it may not wait, the call blocks instead: for as long as close(2) takes. */
static int close_now(uv_file file)
{
    uv_fs_t request;
    int error = uv_fs_close(NULL, &request, file, NULL);

    uv_fs_req_cleanup(&request);
    return coir_uv__error(error);
}

int coir_uv_fs_close(uv_file file)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, true, COIR_FOREVER, &loop);

    if (error != COIR_OK)
        return close_now(file);
    job.wait.give_up = stay;
    return finish(&job, uv_fs_close(loop, &job.request.fs, file, on_fs), COIR_FOREVER);
}

/* ---- stat ---- */

int coir_uv_fs_stat_until(const char *path, uv_stat_t *out, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, path != NULL && out != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    error = finish(&job, uv_fs_stat(loop, &job.request.fs, path, on_fs), deadline);
    if (error == COIR_OK)
        *out = job.request.fs.statbuf;
    return error;
}

int coir_uv_fs_stat(const char *path, uv_stat_t *out)
{
    return coir_uv_fs_stat_until(path, out, COIR_FOREVER);
}

int coir_uv_fs_lstat_until(const char *path, uv_stat_t *out, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, path != NULL && out != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    error = finish(&job, uv_fs_lstat(loop, &job.request.fs, path, on_fs), deadline);
    if (error == COIR_OK)
        *out = job.request.fs.statbuf;
    return error;
}

int coir_uv_fs_lstat(const char *path, uv_stat_t *out)
{
    return coir_uv_fs_lstat_until(path, out, COIR_FOREVER);
}

int coir_uv_fs_fstat_until(uv_file file, uv_stat_t *out, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, out != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    error = finish(&job, uv_fs_fstat(loop, &job.request.fs, file, on_fs), deadline);
    if (error == COIR_OK)
        *out = job.request.fs.statbuf;
    return error;
}

int coir_uv_fs_fstat(uv_file file, uv_stat_t *out)
{
    return coir_uv_fs_fstat_until(file, out, COIR_FOREVER);
}

/* ---- what gives nothing but success ---- */

int coir_uv_fs_fsync_until(uv_file file, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, true, deadline, &loop);

    if (error != COIR_OK)
        return error;
    return finish(&job, uv_fs_fsync(loop, &job.request.fs, file, on_fs), deadline);
}

int coir_uv_fs_fsync(uv_file file)
{
    return coir_uv_fs_fsync_until(file, COIR_FOREVER);
}

int coir_uv_fs_ftruncate_until(uv_file file, int64_t size, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, true, deadline, &loop);

    if (error != COIR_OK)
        return error;
    return finish(&job, uv_fs_ftruncate(loop, &job.request.fs, file, size, on_fs), deadline);
}

int coir_uv_fs_ftruncate(uv_file file, int64_t size)
{
    return coir_uv_fs_ftruncate_until(file, size, COIR_FOREVER);
}

int coir_uv_fs_mkdir_until(const char *path, int mode, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, path != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    return finish(&job, uv_fs_mkdir(loop, &job.request.fs, path, mode, on_fs), deadline);
}

int coir_uv_fs_mkdir(const char *path, int mode)
{
    return coir_uv_fs_mkdir_until(path, mode, COIR_FOREVER);
}

int coir_uv_fs_rmdir_until(const char *path, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, path != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    return finish(&job, uv_fs_rmdir(loop, &job.request.fs, path, on_fs), deadline);
}

int coir_uv_fs_rmdir(const char *path)
{
    return coir_uv_fs_rmdir_until(path, COIR_FOREVER);
}

int coir_uv_fs_unlink_until(const char *path, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, path != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    return finish(&job, uv_fs_unlink(loop, &job.request.fs, path, on_fs), deadline);
}

int coir_uv_fs_unlink(const char *path)
{
    return coir_uv_fs_unlink_until(path, COIR_FOREVER);
}

int coir_uv_fs_rename_until(const char *path, const char *new_path, int64_t deadline)
{
    struct coir_uv__job job;
    uv_loop_t *loop;
    int error = begin(&job, path != NULL && new_path != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    return finish(&job, uv_fs_rename(loop, &job.request.fs, path, new_path, on_fs), deadline);
}

int coir_uv_fs_rename(const char *path, const char *new_path)
{
    return coir_uv_fs_rename_until(path, new_path, COIR_FOREVER);
}
