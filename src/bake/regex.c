#define PCRE2_CODE_UNIT_WIDTH 8
#include "bake/regex.h"

#include "bake/regexsyntax.h"
#include "base/error.h"
#include "text/space.h"

#include <pcre2.h>

/* An attempt at one place may backtrack so often; each next limit is tried after the one before it
 * was not enough. */
static const guint32 LIMITS[] = {50, 1000, 20000, 400000, 8000000, 40000000};
#define LIMIT_PER_STEP 50   /* of that counts as a step */
#define LOOKED_PER_STEP 256 /* bytes that an attempt may have looked at */
#define HEAP_KIB (64 << 10) /* for backtracking */

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    GPtrArray *names; /* char* or NULL, of each group */
};

static void free_name(gpointer name)
{
    g_free(name);
}

static pcre2_code *regex_compile(const char *pattern, GError **err)
{
    int code;
    PCRE2_SIZE at;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UCP,
                      &code, &at, context);
    pcre2_compile_context_free(context);
    if (!compiled) {
        PCRE2_UCHAR text[256];
        pcre2_get_error_message(code, text, sizeof(text));
        error_set(err, VARVE_ERROR_INVALID, "invalid regular expression: %s", (const char *)text);
    }
    return compiled;
}

struct regex *regex_new(struct text pattern, GError **err)
{
    g_autoptr(regex) r = g_new0(struct regex, 1);
    if (pattern.len > REGEX_MAX_PATTERN) {
        error_set(err, VARVE_ERROR_INVALID, "a regular expression is longer than %u bytes",
                  REGEX_MAX_PATTERN);
        return NULL;
    }
    r->names = g_ptr_array_new_with_free_func(free_name);
    g_autofree char *pcre = regex_translate(pattern, r->names, err);
    if (!pcre || !(r->code = regex_compile(pcre, err)))
        return NULL;
    r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->context = pcre2_match_context_create(NULL);
    pcre2_set_heap_limit(r->context, HEAP_KIB);
    return g_steal_pointer(&r);
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->context);
    if (r->names)
        g_ptr_array_unref(r->names);
    g_free(r);
}

guint regex_groups(const struct regex *r)
{
    return r->names->len;
}

const char *regex_group_name(const struct regex *r, guint i)
{
    return r->names->pdata[i];
}

/* The result of PCRE2 at that place; *err when a limit of the heap was passed. */
static int regex_attempt(struct regex *r, struct heap *h, struct text t, gsize at, GError **err)
{
    int rc = PCRE2_ERROR_MATCHLIMIT;
    for (guint i = 0; i < G_N_ELEMENTS(LIMITS) && rc == PCRE2_ERROR_MATCHLIMIT; i++) {
        if (!heap_step(h, LIMITS[i] / LIMIT_PER_STEP + (t.len - at) / LOOKED_PER_STEP, err))
            return PCRE2_ERROR_MATCHLIMIT;
        pcre2_set_match_limit(r->context, LIMITS[i]);
        rc = pcre2_match(r->code, (PCRE2_SPTR)t.bytes, t.len, at,
                         PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, r->match, r->context);
    }
    return rc;
}

gboolean regex_find(struct regex *r, struct heap *h, struct text t, gsize from, const gsize **spans,
                    GError **err)
{
    GError *why = NULL;
    for (gsize at = from; at <= t.len;
         at += at < t.len ? text_char(t.bytes + at, t.bytes + t.len) : 1) {
        int rc = regex_attempt(r, h, t, at, &why);
        if (rc >= 0) {
            *spans = pcre2_get_ovector_pointer(r->match);
            return TRUE;
        }
        if (why) {
            g_propagate_error(err, why);
            return FALSE;
        }
        if (rc != PCRE2_ERROR_NOMATCH)
            return error_set(err, VARVE_ERROR_INVALID,
                             "the regular expression takes too long for this text, because there "
                             "are too many ways to match it; make its repetitions less ambiguous");
    }
    return FALSE;
}
