#include "registry/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAX_HEADERS (128 * 1024)
#define MAX_RETRY_AFTER 86400
#define MAX_REASON 300

void answer_init(struct answer *a)
{
    memset(a, 0, sizeof *a);
    a->body = g_byte_array_new();
    answer_reset(a);
}

static void forget_headers(struct answer *a)
{
    a->status = 0;
    g_clear_pointer(&a->content_type, g_free);
    g_clear_pointer(&a->digest, g_free);
    g_clear_pointer(&a->location, g_free);
    g_clear_pointer(&a->range, g_free);
    challenge_clear(&a->challenge);
    a->content_length = a->range_start = ANSWER_UNKNOWN;
    a->min_chunk = 0;
    a->retry_after_s = -1;
}

void answer_reset(struct answer *a)
{
    forget_headers(a);
    g_clear_pointer(&a->url, url_free);
    g_byte_array_set_size(a->body, 0);
    a->header_bytes = 0;
    a->truncated = a->other_scheme = a->unreachable = a->temporary = FALSE;
}

void answer_clear(struct answer *a)
{
    if (!a->body)
        return;
    answer_reset(a);
    g_byte_array_unref(a->body);
    a->body = NULL;
}

static int month_of(const char *name)
{
    static const char NAMES[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *at = strstr(NAMES, name);
    return at && strlen(name) == 3 && (at - NAMES) % 3 == 0 ? (int)(at - NAMES) / 3 : -1;
}

gint64 answer_parse_retry_after(const char *value, gint64 now)
{
    guint64 seconds;
    if (g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &seconds, NULL))
        return MIN(seconds, MAX_RETRY_AFTER);
    struct tm tm = {0};
    char month[4];
    /* RFC 9110's IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". */
    if (sscanf(value, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", &tm.tm_mday, month,
               &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    tm.tm_mon = month_of(month);
    tm.tm_year -= 1900;
    if (tm.tm_mon < 0)
        return -1;
    gint64 wait = (gint64)timegm(&tm) - now;
    return CLAMP(wait, 0, MAX_RETRY_AFTER);
}

static guint64 number_or(const char *value, guint64 otherwise)
{
    guint64 n;
    return g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &n, NULL) ? n : otherwise;
}

static void set_string(char **field, const char *value)
{
    g_free(*field);
    *field = g_strdup(value);
}

/* "bytes 100-199/500" */
static guint64 parse_range_start(const char *value)
{
    if (g_ascii_strncasecmp(value, "bytes ", 6) != 0)
        return ANSWER_UNKNOWN;
    g_autofree char *first = g_strndup(value + 6, strcspn(value + 6, "-"));
    return number_or(first, ANSWER_UNKNOWN);
}

static void keep_field(struct answer *a, const char *name, const char *value)
{
    if (g_ascii_strcasecmp(name, "content-type") == 0) {
        g_free(a->content_type);
        a->content_type = g_strstrip(g_ascii_strdown(value, strcspn(value, ";")));
    } else if (g_ascii_strcasecmp(name, "docker-content-digest") == 0) {
        set_string(&a->digest, value);
    } else if (g_ascii_strcasecmp(name, "location") == 0) {
        set_string(&a->location, value);
    } else if (g_ascii_strcasecmp(name, "range") == 0) {
        set_string(&a->range, value);
    } else if (g_ascii_strcasecmp(name, "content-length") == 0) {
        a->content_length = number_or(value, ANSWER_UNKNOWN);
    } else if (g_ascii_strcasecmp(name, "content-range") == 0) {
        a->range_start = parse_range_start(value);
    } else if (g_ascii_strcasecmp(name, "oci-chunk-min-length") == 0) {
        a->min_chunk = number_or(value, 0);
    } else if (g_ascii_strcasecmp(name, "retry-after") == 0) {
        a->retry_after_s = answer_parse_retry_after(value, time(NULL));
    } else if (g_ascii_strcasecmp(name, "www-authenticate") == 0) {
        challenge_merge(&a->challenge, value, strlen(value));
    }
}

gboolean answer_header(struct answer *a, const char *line, gsize len)
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

char *answer_status_text(const struct answer *a)
{
    const char *phrase = phrase_of(a->status);
    return phrase ? g_strdup_printf("%d (%s)", a->status, phrase)
                  : g_strdup_printf("%d", a->status);
}

char *answer_clean(const char *text, gsize max)
{
    g_autofree char *valid = g_utf8_make_valid(text, strnlen(text, max * 4));
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *p = valid; *p && out->len < max; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_isprint(c))
            g_string_append_unichar(out, c);
        else if (out->len > 0 && out->str[out->len - 1] != ' ')
            g_string_append_c(out, ' ');
    }
    return g_strchomp(g_string_free(g_steal_pointer(&out), FALSE));
}

char *answer_reason(const struct answer *a)
{
    json_t *root = json_loadb((const char *)a->body->data, a->body->len, 0, NULL);
    json_t *first = json_array_get(json_object_get(root, "errors"), 0);
    const char *code = json_string_value(json_object_get(first, "code"));
    const char *message = json_string_value(json_object_get(first, "message"));
    /* Token servers and some registries put it at the top. */
    if (!message && !code)
        message = json_string_value(json_object_get(root, "details"));
    if (!message && !code)
        message = json_string_value(json_object_get(root, "message"));
    const char *text = message && *message ? message : code;
    char *reason = text && *text ? answer_clean(text, MAX_REASON) : NULL;
    json_decref(root);
    return reason;
}
