#include "cache/sign.h"

#include <string.h>

#define AZURE_VERSION "2020-10-02"

char *sign_escape(const char *text, gboolean slashes)
{
    return g_uri_escape_string(text, slashes ? "/" : NULL, FALSE);
}

static gint compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "name:value" of "Name: value", the name in lower case. */
static char *canonical_field(const char *line)
{
    const char *colon = strchr(line, ':');
    g_autofree char *name = g_ascii_strdown(line, colon - line);
    g_autofree char *value = g_strstrip(g_strdup(colon + 1));
    return g_strconcat(name, ":", value, NULL);
}

/* Those of lines that begin with prefix, in canonical form. */
static void collect_fields(GPtrArray *out, const char *const *lines, const char *prefix)
{
    for (; lines && *lines; lines++)
        if (g_ascii_strncasecmp(*lines, prefix, strlen(prefix)) == 0)
            g_ptr_array_add(out, canonical_field(*lines));
}

static char *utc_text(gint64 now, const char *format)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(now);
    return g_date_time_format(t, format);
}

/* What rq sends as Range; NULL: nothing. */
static char *range_text(const struct http_request *rq)
{
    return rq->range_from ? g_strdup_printf("bytes=%" G_GUINT64_FORMAT "-", rq->range_from) : NULL;
}

static void hmac_bytes(const guchar *key, gsize key_len, const char *text, guchar out[32])
{
    gsize n = 32;
    GHmac *h = g_hmac_new(G_CHECKSUM_SHA256, key, key_len);
    g_hmac_update(h, (const guchar *)text, strlen(text));
    g_hmac_get_digest(h, out, &n);
    g_hmac_unref(h);
}

/* "host;x-amz-date" of the canonical fields. */
static char *field_names(const GPtrArray *fields)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < fields->len; i++) {
        const char *f = fields->pdata[i];
        g_string_append_printf(names, "%s%.*s", names->len ? ";" : "", (int)strcspn(f, ":"), f);
    }
    return g_string_free(g_steal_pointer(&names), FALSE);
}

static char *lines_text(const GPtrArray *fields)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < fields->len; i++)
        g_string_append_printf(text, "%s\n", (const char *)fields->pdata[i]);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* A query parameter without "=" is signed with one. */
static char *aws_query(const char *query)
{
    g_auto(GStrv) parts = g_strsplit(query, "&", -1);
    for (char **p = parts; *p; p++) {
        if (strchr(*p, '='))
            continue;
        char *whole = g_strconcat(*p, "=", NULL);
        g_free(*p);
        *p = whole;
    }
    return g_strjoinv("&", parts);
}

/* SHA-256 of the canonical request, in hex. */
static char *aws_request_digest(const struct http_request *rq, const struct url *url,
                                const GPtrArray *fields, const char *names, const char *payload)
{
    g_auto(GStrv) target = g_strsplit(url->target, "?", 2);
    g_autofree char *query = target[1] ? aws_query(target[1]) : g_strdup("");
    g_autofree char *lines = lines_text(fields);
    g_autofree char *text = g_strdup_printf("%s\n%s\n%s\n%s\n%s\n%s", rq->method, target[0], query,
                                            lines, names, payload);
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}

static char *aws_signature(const struct aws_login *login, const char *date, const char *stamp,
                           const char *scope, const char *request)
{
    guchar key[32];
    g_autofree char *first = g_strconcat("AWS4", login->secret, NULL);
    g_autofree char *text = g_strdup_printf("AWS4-HMAC-SHA256\n%s\n%s\n%s", stamp, scope, request);
    hmac_bytes((const guchar *)first, strlen(first), date, key);
    hmac_bytes(key, sizeof key, login->region, key);
    hmac_bytes(key, sizeof key, "s3", key);
    hmac_bytes(key, sizeof key, "aws4_request", key);
    return g_compute_hmac_for_string(G_CHECKSUM_SHA256, key, sizeof key, text, -1);
}

void sign_aws(const struct aws_login *login, const struct http_request *rq, const struct url *url,
              const struct digest *payload, gint64 now, GPtrArray *out)
{
    char hex[DIGEST_HEX_LEN + 1];
    struct digest empty;
    digest_of_bytes(&empty, "", 0);
    digest_hex(payload ? payload : &empty, hex);
    g_autofree char *stamp = utc_text(now, "%Y%m%dT%H%M%SZ"), *date = utc_text(now, "%Y%m%d");
    guint before = out->len;
    g_ptr_array_add(out, g_strdup_printf("x-amz-content-sha256: %s", hex));
    g_ptr_array_add(out, g_strdup_printf("x-amz-date: %s", stamp));
    if (login->session)
        g_ptr_array_add(out, g_strdup_printf("x-amz-security-token: %s", login->session));
    g_autoptr(GPtrArray) fields = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *host = url_authority(url), *range = range_text(rq);
    g_ptr_array_add(fields, g_strconcat("host:", host, NULL));
    if (range)
        g_ptr_array_add(fields, g_strconcat("range:", range, NULL));
    for (guint i = before; i < out->len; i++)
        g_ptr_array_add(fields, canonical_field(out->pdata[i]));
    collect_fields(fields, rq->fields, "x-amz-");
    g_ptr_array_sort(fields, compare_lines);
    g_autofree char *names = field_names(fields);
    g_autofree char *scope = g_strdup_printf("%s/%s/s3/aws4_request", date, login->region);
    g_autofree char *request = aws_request_digest(rq, url, fields, names, hex);
    g_autofree char *signature = aws_signature(login, date, stamp, scope, request);
    g_ptr_array_add(out, g_strdup_printf("Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
                                         "SignedHeaders=%s, Signature=%s",
                                         login->id, scope, names, signature));
}

/* "\nname:value" for each parameter of the query, decoded and sorted. */
static void add_azure_query(GString *text, const char *query)
{
    g_auto(GStrv) parts = g_strsplit(query, "&", -1);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    for (char **p = parts; *p; p++) {
        g_auto(GStrv) pair = g_strsplit(*p, "=", 2);
        g_autofree char *value = pair[0] && pair[1] ? g_uri_unescape_string(pair[1], NULL) : NULL;
        if (pair[0])
            g_ptr_array_add(lines, g_strconcat(pair[0], ":", value ? value : "", NULL));
    }
    g_ptr_array_sort(lines, compare_lines);
    for (guint i = 0; i < lines->len; i++)
        g_string_append_printf(text, "\n%s", (const char *)lines->pdata[i]);
}

void sign_azure(const struct azure_login *login, const struct http_request *rq,
                const struct url *url, gint64 now, GPtrArray *out)
{
    g_autofree char *date = utc_text(now, "%a, %d %b %Y %H:%M:%S GMT"), *range = range_text(rq);
    guint64 len = rq->source ? rq->source->len : rq->body_len;
    g_autofree char *length = len ? g_strdup_printf("%" G_GUINT64_FORMAT, len) : g_strdup("");
    g_autoptr(GPtrArray) fields = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(out, g_strdup_printf("x-ms-date: %s", date));
    g_ptr_array_add(out, g_strdup("x-ms-version: " AZURE_VERSION));
    for (guint i = out->len - 2; i < out->len; i++)
        g_ptr_array_add(fields, canonical_field(out->pdata[i]));
    collect_fields(fields, rq->fields, "x-ms-");
    g_ptr_array_sort(fields, compare_lines);
    g_autofree char *lines = lines_text(fields);
    g_auto(GStrv) target = g_strsplit(url->target, "?", 2);
    /* Verb, then encoding, language, length, MD5, type, date, four conditions, range. */
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "%s\n\n\n%s\n\n%s\n\n\n\n\n\n%s\n%s/%s%s", rq->method, length,
                           rq->content_type ? rq->content_type : "", range ? range : "", lines,
                           login->account, target[0]);
    if (target[1])
        add_azure_query(text, target[1]);
    guchar mac[32];
    hmac_bytes(login->key, login->key_len, text->str, mac);
    g_autofree char *signature = g_base64_encode(mac, sizeof mac);
    g_ptr_array_add(out,
                    g_strdup_printf("Authorization: SharedKey %s:%s", login->account, signature));
}
