#define PCRE2_CODE_UNIT_WIDTH 8
#include "bake/cluster.h"

#include <pcre2.h>

/* PCRE2's \X knows the rules. */
static pcre2_match_data *cluster_match(const char *p, const char *end)
{
    static pcre2_code *code;
    static pcre2_match_data *match;
    if (!code) {
        int error;
        PCRE2_SIZE at;
        code = pcre2_compile((PCRE2_SPTR) "\\X", 2, PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED,
                             &error, &at, NULL);
        match = pcre2_match_data_create(1, NULL);
    }
    int rc =
        pcre2_match(code, (PCRE2_SPTR)p, (PCRE2_SIZE)(end - p), 0, PCRE2_NO_UTF_CHECK, match, NULL);
    return rc > 0 ? match : NULL;
}

gsize cluster_length(const char *p, const char *end)
{
    if ((guchar)*p < 0x80 && (p + 1 == end || ((guchar)p[1] < 0x80 && *p != '\r')))
        return 1;
    pcre2_match_data *match = cluster_match(p, end);
    return match ? pcre2_get_ovector_pointer(match)[1] : 1;
}

gsize cluster_prefix(struct text t, gsize n)
{
    const char *p = t.bytes, *end = p + t.len;
    for (; n > 0 && p < end; n--)
        p += cluster_length(p, end);
    return (gsize)(p - t.bytes);
}

gsize cluster_count(struct text t)
{
    gsize n = 0;
    for (const char *p = t.bytes, *end = p + t.len; p < end; n++)
        p += cluster_length(p, end);
    return n;
}
