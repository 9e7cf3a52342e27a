#include "cli/show.h"

#include "base/jsonset.h"
#include "text/reference.h"
#include "ui/text.h"

#include <stdio.h>
#include <string.h>

#define SHORT_HEX 12

char *shown_name(const char *canonical)
{
    if (!canonical || !*canonical)
        return g_strdup("<none>");
    g_autoptr(reference) ref = reference_parse(canonical, NULL);
    return ref ? reference_familiar(ref) : g_strdup(canonical);
}

char *short_hex(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return digest_is_zero(d) ? g_strdup("-") : g_strndup(digest_hex(d, hex), SHORT_HEX);
}

char *time_text(gint64 seconds)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds);
    return t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("-");
}

char *fit_unless(gboolean no_trunc, const char *s, int columns)
{
    return no_trunc ? g_strdup(s) : text_fit(s, columns);
}

char *created_by_text(const char *created_by)
{
    g_autofree char *s = g_strdup(created_by ? created_by : "");
    if (g_str_has_suffix(s, " # buildkit"))
        s[strlen(s) - strlen(" # buildkit")] = '\0';
    const char *shell = "/bin/sh -c ", *nop = "/bin/sh -c #(nop) ";
    if (g_str_has_prefix(s, nop))
        return g_strstrip(g_strdup(s + strlen(nop)));
    if (g_str_has_prefix(s, shell))
        return g_strconcat("RUN ", s + strlen(shell), NULL);
    if (g_str_has_prefix(s, "RUN /bin/sh -c "))
        return g_strconcat("RUN ", s + strlen("RUN /bin/sh -c "), NULL);
    return g_steal_pointer(&s);
}

void print_json(json_t *doc, gboolean indented)
{
    json_dumpf(doc, stdout,
               (indented ? JSON_INDENT(4) : JSON_COMPACT) | JSON_ENCODE_ANY |
                   JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(doc);
}

void set_digest_text(json_t *o, const char *key, const struct digest *d)
{
    g_autofree char *text = digest_is_zero(d) ? NULL : digest_text(d);
    jsonset_text(o, key, text);
}
