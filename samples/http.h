/* SPDX-License-Identifier: MIT */
/* http.h - what two_sites and fetch_many share: a small HTTP/1.1 client, that gets a page and counts its bytes. */

#ifndef SAMPLES_HTTP_H
#define SAMPLES_HTTP_H

#include <stdint.h>

/* What came of a request. */
struct http_page {
    int status;     /* 200, 404 ... */
    uint64_t bytes; /* of the page itself, without what the transfer adds */
};

/* Codes of its own, between coir's and libuv's. */
enum {
    HTTP_EURL = -2001,    /* not http://host[:port][/path] */
    HTTP_EANSWER = -2002, /* not HTTP */
    HTTP_ELARGE = -2003,  /* header lines that are too long, or too many */
    HTTP_ECODING = -2004, /* a transfer coding that was not asked for */
    HTTP_ESHORT = -2005   /* the connection ended before the page did */
};

/* Gets what is at `url`, over a connection of its own; redirections are not followed. Must be called in a task; may
 * wait. COIR_OK, whatever the status; one of the above; or an error of coir/uv.h. On error *out is as it was. */
int http_get(const char *url, struct http_page *out);
int http_get_until(const char *url, int64_t deadline, struct http_page *out);

/* The sentence of any code. */
const char *http_strerror(int code);

#endif
