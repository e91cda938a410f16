/* SPDX-License-Identifier: MIT */
/* http.c - a small HTTP/1.1 client. It reads as if the stream blocked: every function that takes something from the
 * server may wait for it, in the middle of a line as well. */

#include "http.h"

#include <coir/uv.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_LIMIT = 2000, HOST_SIZE = 256, PORT_SIZE = 6, REQUEST_SIZE = 3000 };
enum { LINE_SIZE = 8192, LINES_LIMIT = 128, DATA_SIZE = 16384 };

const char *http_strerror(int code)
{
    switch (code) {
    case HTTP_EURL: return "not a URL of the form http://host[:port][/path]";
    case HTTP_EANSWER: return "the answer is not HTTP";
    case HTTP_ELARGE: return "the answer has too many header lines, or too long ones";
    case HTTP_ECODING: return "the answer has an unknown transfer coding";
    case HTTP_ESHORT: return "the connection ended in the middle of the answer";
    default: return coir_uv_strerror(code);
    }
}

/* ---- words and numbers ---- */

/* Are the first `size` bytes of `text` that word, in letters of any case? */
static bool is_word(const char *text, size_t size, const char *word)
{
    if (size != strlen(word))
        return false;
    for (size_t i = 0; i < size; i++)
        if (tolower((unsigned char)text[i]) != tolower((unsigned char)word[i]))
            return false;
    return true;
}

static unsigned digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return digit != NULL ? (unsigned)(digit - digits) : 16;
}

/* Reads a number without a sign: how many digits it has; 0 for none, and for a number that is too large. */
static size_t read_number(const char *text, unsigned base, uint64_t *out)
{
    uint64_t value = 0;
    size_t size = 0;

    for (unsigned digit; (digit = digit_of(text[size])) < base; size++) {
        if (value > (UINT64_MAX - digit) / base)
            return 0;
        value = value * base + digit;
    }
    *out = value;
    return size;
}

/* ---- URLs ---- */

struct url {
    char host[HOST_SIZE];
    char port[PORT_SIZE];
    const char *authority; /* host and port, as they stand in the URL */
    int authority_size;
    const char *path;      /* with a query, if there is one, but without a fragment */
    int path_size;
};

/* Blanks and the like would change the request. */
static bool is_printable(const char *text)
{
    while (*text > ' ' && *text < 0x7f)
        text++;
    return *text == '\0';
}

static bool copy(char *out, size_t room, const char *text, size_t size)
{
    if (size >= room)
        return false;
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

static int parse_port(const char *text, size_t size, struct url *out)
{
    uint64_t port;

    if (size == 0)
        return copy(out->port, PORT_SIZE, "80", 2) ? COIR_OK : HTTP_EURL;
    if (read_number(text, 10, &port) != size || port == 0 || port > 65535)
        return HTTP_EURL;
    return copy(out->port, PORT_SIZE, text, size) ? COIR_OK : HTTP_EURL;
}

/* A name, or an address: one with colons in it is in brackets. */
static int parse_authority(const char *text, size_t size, struct url *out)
{
    bool in_brackets = text[0] == '[';
    const char *host = text + in_brackets;
    size_t host_size = strcspn(host, in_brackets ? "]" : ":/?#@");
    const char *rest = host + host_size + in_brackets;

    if (host_size == 0 || rest > text + size || !copy(out->host, HOST_SIZE, host, host_size))
        return HTTP_EURL;
    if (rest == text + size)
        return parse_port(rest, 0, out);
    return *rest == ':' ? parse_port(rest + 1, (size_t)(text + size - rest) - 1, out) : HTTP_EURL;
}

static int parse_url(const char *text, struct url *out)
{
    static const char scheme[] = "http://";
    size_t scheme_size = sizeof scheme - 1;
    size_t authority_size;

    if (strlen(text) > URL_LIMIT || !is_printable(text))
        return HTTP_EURL;
    if (strlen(text) < scheme_size || !is_word(text, scheme_size, scheme))
        return HTTP_EURL;
    text += scheme_size;
    authority_size = strcspn(text, "/?#");
    out->authority = text;
    out->authority_size = (int)authority_size;
    out->path = text + authority_size;
    out->path_size = (int)strcspn(out->path, "#");
    return parse_authority(text, authority_size, out);
}

/* ---- what comes from the server ---- */

struct answer {
    coir_uv_stream *stream;
    int64_t deadline;
    size_t taken, size; /* of the data: how much was taken, how much there is */
    char data[DATA_SIZE];

    int status;
    bool is_chunked, has_length;
    uint64_t length; /* if it has one */
    uint64_t bytes;  /* of the page, so far */
};

/* Waits until there is something to take: how much; 0 at the end; or an error. */
static int fill(struct answer *a)
{
    int result;

    if (a->taken < a->size)
        return (int)(a->size - a->taken);
    result = coir_uv_read_until(a->stream, a->data, sizeof a->data, a->deadline);
    if (result <= 0)
        return result;
    a->taken = 0;
    a->size = (size_t)result;
    return result;
}

static int take_byte(struct answer *a)
{
    int there = fill(a);

    if (there <= 0)
        return there < 0 ? there : HTTP_ESHORT;
    return (unsigned char)a->data[a->taken++];
}

/* Takes a line of up to LINE_SIZE - 1 bytes, without its end. */
static int take_line(struct answer *a, char *line)
{
    size_t size = 0;
    int byte;

    while ((byte = take_byte(a)) != '\n') {
        if (byte < 0)
            return byte;
        if (size == LINE_SIZE - 1)
            return HTTP_ELARGE;
        line[size++] = (char)byte;
    }
    if (size > 0 && line[size - 1] == '\r')
        size--;
    line[size] = '\0';
    return COIR_OK;
}

/* Takes that many bytes of the page. */
static int take_bytes(struct answer *a, uint64_t count)
{
    while (count > 0) {
        int there = fill(a);
        size_t step;
        if (there <= 0)
            return there < 0 ? there : HTTP_ESHORT;
        step = (uint64_t)there < count ? (size_t)there : (size_t)count;
        a->taken += step;
        a->bytes += step;
        count -= step;
    }
    return COIR_OK;
}

/* ---- its head ---- */

/* "HTTP/1.1 200 OK" */
static int parse_status(const char *line, int *status)
{
    uint64_t number;

    if (strncmp(line, "HTTP/1.", 7) != 0 || digit_of(line[7]) > 9 || line[8] != ' ')
        return HTTP_EANSWER;
    if (read_number(line + 9, 10, &number) != 3 || number < 100 || (line[12] != ' ' && line[12] != '\0'))
        return HTTP_EANSWER;
    *status = (int)number;
    return COIR_OK;
}

/* One that contradicts another, or is no number, could be anything. */
static int note_length(struct answer *a, const char *value, size_t size)
{
    uint64_t length;

    if (size == 0 || read_number(value, 10, &length) != size || (a->has_length && a->length != length))
        return HTTP_EANSWER;
    a->has_length = true;
    a->length = length;
    return COIR_OK;
}

static int note_coding(struct answer *a, const char *value, size_t size)
{
    if (a->is_chunked || !is_word(value, size, "chunked"))
        return HTTP_ECODING;
    a->is_chunked = true;
    return COIR_OK;
}

static int note_header(struct answer *a, const char *line)
{
    size_t name_size = strcspn(line, ": \t");
    const char *value = line + name_size + 1;
    size_t size;

    if (name_size == 0 || line[name_size] != ':')
        return HTTP_EANSWER;
    value += strspn(value, " \t");
    size = strlen(value);
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    if (is_word(line, name_size, "content-length"))
        return note_length(a, value, size);
    if (is_word(line, name_size, "transfer-encoding"))
        return note_coding(a, value, size);
    return COIR_OK;
}

/* Up to the empty line. */
static int take_headers(struct answer *a)
{
    char line[LINE_SIZE];

    for (int count = 0; count < LINES_LIMIT; count++) {
        int result = take_line(a, line);
        if (result != COIR_OK || line[0] == '\0')
            return result;
        result = note_header(a, line);
        if (result != COIR_OK)
            return result;
    }
    return HTTP_ELARGE;
}

/* Those of 100 to 199 only tell that the answer is still to come. */
static int take_head(struct answer *a)
{
    char line[LINE_SIZE];

    for (int count = 0; count < LINES_LIMIT; count++) {
        int result = take_line(a, line);
        if (result == COIR_OK)
            result = parse_status(line, &a->status);
        if (result == COIR_OK)
            result = take_headers(a);
        if (result != COIR_OK || a->status >= 200)
            return result;
    }
    return HTTP_ELARGE;
}

/* ---- and its page ---- */

/* The size in hexadecimal digits, and perhaps an extension: "1f4;name=value" */
static int take_chunk_size(struct answer *a, uint64_t *size)
{
    char line[LINE_SIZE];
    int result = take_line(a, line);
    size_t digits;

    if (result != COIR_OK)
        return result;
    digits = read_number(line, 16, size);
    line[digits + strcspn(line + digits, "; \t")] = '\0';
    return digits > 0 && line[digits] == '\0' ? COIR_OK : HTTP_EANSWER;
}

static int take_line_end(struct answer *a)
{
    int byte = take_byte(a);

    if (byte == '\r')
        byte = take_byte(a);
    return byte == '\n' ? COIR_OK : byte < 0 ? byte : HTTP_EANSWER;
}

static int take_chunks(struct answer *a)
{
    for (;;) {
        uint64_t size;
        int result = take_chunk_size(a, &size);
        if (result == COIR_OK && size == 0)
            return take_headers(a);
        if (result == COIR_OK)
            result = take_bytes(a, size);
        if (result == COIR_OK)
            result = take_line_end(a);
        if (result != COIR_OK)
            return result;
    }
}

static int take_to_end(struct answer *a)
{
    int there;

    while ((there = fill(a)) > 0) {
        a->taken = a->size;
        a->bytes += (uint64_t)there;
    }
    return there;
}

static int take_page(struct answer *a)
{
    if (a->status == 204 || a->status == 304)
        return COIR_OK;
    if (a->is_chunked)
        return take_chunks(a);
    return a->has_length ? take_bytes(a, a->length) : take_to_end(a);
}

/* ---- all of it ---- */

static int send_request(coir_uv_stream *stream, const struct url *url, int64_t deadline)
{
    char request[REQUEST_SIZE];
    int size = snprintf(request, sizeof request,
                        "GET %s%.*s HTTP/1.1\r\n"
                        "Host: %.*s\r\n"
                        "User-Agent: coir-samples\r\n"
                        "Accept: */*\r\n"
                        "Connection: close\r\n"
                        "\r\n",
                        *url->path == '/' ? "" : "/", url->path_size, url->path, url->authority_size, url->authority);

    return coir_uv_write_until(stream, request, (size_t)size, deadline, NULL);
}

static int exchange(coir_uv_stream *stream, const struct url *url, int64_t deadline, struct http_page *out)
{
    struct answer answer = {.stream = stream, .deadline = deadline};
    int result = send_request(stream, url, deadline);

    if (result == COIR_OK)
        result = take_head(&answer);
    if (result == COIR_OK)
        result = take_page(&answer);
    if (result != COIR_OK)
        return result;
    out->status = answer.status;
    out->bytes = answer.bytes;
    return COIR_OK;
}

int http_get_until(const char *text, int64_t deadline, struct http_page *out)
{
    coir_uv_stream *stream;
    struct url url;
    int result = parse_url(text, &url);

    if (result == COIR_OK)
        result = coir_uv_connect_until(&stream, url.host, url.port, deadline);
    if (result != COIR_OK)
        return result;
    result = exchange(stream, &url, deadline, out);
    coir_uv_destroy(stream);
    return result;
}

int http_get(const char *url, struct http_page *out)
{
    return http_get_until(url, COIR_FOREVER, out);
}
