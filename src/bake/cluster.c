#define PCRE2_CODE_UNIT_WIDTH 8
#include "bake/cluster.h"

#include <pcre2.h>

/* The cluster at p, and a picture with all that belongs to it. */
enum pattern { CLUSTER, PICTURE };
static const char *const PATTERNS[] = {
    "\\X", "(?s)\\P{ExtPict}*+\\p{ExtPict}(?>\\P{ExtPict}|(?<=\\x{200d})\\p{ExtPict})*+"};

/* Bytes that a pattern matches from p on, 0 if it does not. */
static gsize pattern_length(enum pattern i, const char *p, const char *end)
{
    static pcre2_code *code[G_N_ELEMENTS(PATTERNS)];
    static pcre2_match_data *match;
    if (!code[i]) {
        int error;
        PCRE2_SIZE at;
        code[i] = pcre2_compile((PCRE2_SPTR)PATTERNS[i], PCRE2_ZERO_TERMINATED,
                                PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, &error, &at, NULL);
        match = match ? match : pcre2_match_data_create(1, NULL);
    }
    int rc = pcre2_match(code[i], (PCRE2_SPTR)p, (PCRE2_SIZE)(end - p), 0, PCRE2_NO_UTF_CHECK,
                         match, NULL);
    return rc >= 0 ? pcre2_get_ovector_pointer(match)[1] : 0;
}

gsize cluster_length(const char *p, const char *end)
{
    if ((guchar)*p < 0x80 && (p + 1 == end || ((guchar)p[1] < 0x80 && *p != '\r')))
        return 1;
    gsize len = pattern_length(CLUSTER, p, end);
    /* PCRE2 10.42 does not see where one picture ends and another one begins. */
    gsize picture = len > 4 ? pattern_length(PICTURE, p, p + len) : 0;
    return picture ? picture : MAX(len, 1);
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
