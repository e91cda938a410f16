/* SPDX-License-Identifier: MIT */
/* error.c - libuv's errors among coir's. */

#include <config.h>

#include "loop.h"

int coir_uv__error(int uv)
{
    if (uv >= 0)
        return COIR_OK;
    if (uv == UV_ENOMEM || uv == UV_EAI_MEMORY)
        return COIR_ENOMEM;
    return COIR_UV_ERROR(uv);
}

/* uv_strerror and uv_err_name allocate for numbers that they do not know, and never free that. */
static bool is_known(int uv)
{
    switch (uv) {
#define KNOWN(name, text) case UV_##name:
        UV_ERRNO_MAP(KNOWN)
#undef KNOWN
        return true;
    default:
        return false;
    }
}

const char *coir_uv_strerror(int code)
{
    if (COIR_UV_IS_ERROR(code) && is_known(COIR_UV_ERROR_OF(code)))
        return uv_strerror(COIR_UV_ERROR_OF(code));
    return coir_strerror(code);
}

const char *coir_uv_errname(int code)
{
    if (COIR_UV_IS_ERROR(code) && is_known(COIR_UV_ERROR_OF(code)))
        return uv_err_name(COIR_UV_ERROR_OF(code));
    return coir_errname(code);
}
