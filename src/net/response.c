#include "net/response.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAX_HEADERS (128 * 1024)
#define MAX_RETRY_AFTER 86400

void http_response_init(struct http_response *a)
{
    memset(a, 0, sizeof *a);
    a->fields = g_ptr_array_new_with_free_func(g_free);
    a->body = g_byte_array_new();
    http_response_reset(a);
}

static void forget_headers(struct http_response *a)
{
    a->status = 0;
    g_ptr_array_set_size(a->fields, 0);
    g_clear_pointer(&a->content_type, g_free);
    a->content_length = a->range_start = HTTP_UNKNOWN;
    a->retry_after_s = -1;
}

void http_response_reset(struct http_response *a)
{
    forget_headers(a);
    g_clear_pointer(&a->url, url_free);
    g_byte_array_set_size(a->body, 0);
    a->header_bytes = 0;
    a->truncated = a->temporary = a->unreachable = a->untrusted = a->other_scheme = FALSE;
}

void http_response_clear(struct http_response *a)
{
    if (!a->body)
        return;
    http_response_reset(a);
    g_ptr_array_unref(a->fields);
    g_byte_array_unref(a->body);
    a->fields = NULL;
    a->body = NULL;
}

static int month_of(const char *name)
{
    static const char NAMES[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *at = strlen(name) == 3 ? strstr(NAMES, name) : NULL;
    return at && (at - NAMES) % 3 == 0 ? (int)(at - NAMES) / 3 : -1;
}

gint64 http_date(const char *text)
{
    struct tm tm = {0};
    char month[4];
    /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    if (!text || sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", &tm.tm_mday, month,
                        &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    tm.tm_mon = month_of(month);
    tm.tm_year -= 1900;
    return tm.tm_mon < 0 ? -1 : timegm(&tm);
}

gint64 http_retry_after(const char *value, gint64 now)
{
    guint64 seconds;
    if (g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &seconds, NULL))
        return MIN(seconds, MAX_RETRY_AFTER);
    gint64 date = http_date(value);
    return date < 0 ? -1 : CLAMP(date - now, 0, MAX_RETRY_AFTER);
}

static guint64 number_or(const char *value, guint64 otherwise)
{
    guint64 n;
    return g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &n, NULL) ? n : otherwise;
}

/* "bytes 100-199/500" */
static guint64 parse_range_start(const char *value)
{
    if (g_ascii_strncasecmp(value, "bytes ", 6) != 0)
        return HTTP_UNKNOWN;
    g_autofree char *first = g_strndup(value + 6, strcspn(value + 6, "-"));
    return number_or(first, HTTP_UNKNOWN);
}

static void keep_field(struct http_response *a, const char *name, const char *value)
{
    gsize n = strlen(name) + 1;
    char *field = g_malloc(n + strlen(value) + 1);
    strcpy(field, name);
    strcpy(field + n, value);
    g_ptr_array_add(a->fields, field);
    if (g_ascii_strcasecmp(name, "content-type") == 0) {
        g_free(a->content_type);
        a->content_type = g_strstrip(g_ascii_strdown(value, strcspn(value, ";")));
    } else if (g_ascii_strcasecmp(name, "content-length") == 0) {
        a->content_length = number_or(value, HTTP_UNKNOWN);
    } else if (g_ascii_strcasecmp(name, "content-range") == 0) {
        a->range_start = parse_range_start(value);
    } else if (g_ascii_strcasecmp(name, "retry-after") == 0) {
        a->retry_after_s = http_retry_after(value, time(NULL));
    }
}

gboolean http_response_header(struct http_response *a, const char *line, gsize len)
{
    a->header_bytes += len;
    if (a->header_bytes > MAX_HEADERS)
        return FALSE;
    g_autofree char *text = g_strchomp(g_strndup(line, len));
    if (g_str_has_prefix(text, "HTTP/")) {
        forget_headers(a);
        const char *blank = strchr(text, ' ');
        a->status = blank ? (int)CLAMP(g_ascii_strtoll(blank, NULL, 10), 0, 999) : 0;
        return TRUE;
    }
    char *colon = strchr(text, ':');
    if (colon) {
        *colon = '\0';
        keep_field(a, text, g_strstrip(colon + 1));
    }
    return TRUE;
}

const char *http_response_next_field(const struct http_response *a, const char *name, guint *at)
{
    while (*at < a->fields->len) {
        const char *field = g_ptr_array_index(a->fields, (*at)++);
        if (g_ascii_strcasecmp(field, name) == 0)
            return field + strlen(field) + 1;
    }
    return NULL;
}

const char *http_response_field(const struct http_response *a, const char *name)
{
    const char *last = NULL, *next;
    guint at = 0;
    while ((next = http_response_next_field(a, name, &at)))
        last = next;
    return last;
}

gboolean http_status_is_temporary(int status)
{
    return status == 408 || status == 429 || (status >= 500 && status != 501);
}

static const char *phrase_of(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } PHRASES[] = {
        {400, "bad request"},        {401, "unauthorized"},
        {403, "forbidden"},          {404, "not found"},
        {405, "method not allowed"}, {408, "request timeout"},
        {413, "content too large"},  {416, "range not satisfiable"},
        {429, "too many requests"},  {500, "internal server error"},
        {502, "bad gateway"},        {503, "service unavailable"},
        {504, "gateway timeout"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(PHRASES); i++)
        if (PHRASES[i].status == status)
            return PHRASES[i].phrase;
    return NULL;
}

char *http_status_text(int status)
{
    const char *phrase = phrase_of(status);
    return phrase ? g_strdup_printf("%d (%s)", status, phrase) : g_strdup_printf("%d", status);
}
