#include "text/reference.h"

#include "base/error.h"

#include <string.h>

#define NAME_MAX_LEN 255
#define TAG_MAX_LEN 128
#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN "index.docker.io"
#define OFFICIAL "library/"

static gboolean lower_alnum(char c)
{
    return g_ascii_isdigit(c) || (c >= 'a' && c <= 'z');
}

/* One element of a repository path: alphanumerics joined by '.', '_', "__" or any number of '-'. */
static gboolean valid_component(const char *p, gsize n)
{
    gsize i = 0;
    for (;;) {
        gsize word = i;
        while (i < n && lower_alnum(p[i]))
            i++;
        if (i == word)
            return FALSE;
        if (i == n)
            return TRUE;
        gsize sep = i;
        char c = p[i];
        if (c != '.' && c != '_' && c != '-')
            return FALSE;
        while (i < n && p[i] == c)
            i++;
        if ((c == '.' && i - sep > 1) || (c == '_' && i - sep > 2))
            return FALSE;
    }
}

static gboolean valid_path(const char *path)
{
    for (const char *p = path;; p++) {
        gsize n = strcspn(p, "/");
        if (!valid_component(p, n))
            return FALSE;
        p += n;
        if (!*p)
            return TRUE;
    }
}

static gboolean valid_host_label(const char *p, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (!g_ascii_isalnum(p[i]) && (p[i] != '-' || i == 0 || i == n - 1))
            return FALSE;
    return n > 0;
}

static gboolean valid_port(const char *p)
{
    gsize n = strspn(p, "0123456789");
    return n > 0 && !p[n];
}

/* "host.example:5000", "localhost", "[::1]:5000". */
static gboolean valid_domain(const char *domain)
{
    if (*domain == '[') {
        const char *close = strchr(domain, ']');
        gsize n = strspn(domain + 1, "0123456789abcdefABCDEF:");
        return close == domain + 1 + n && n > 0 &&
               (!close[1] || (close[1] == ':' && valid_port(close + 2)));
    }
    for (const char *p = domain;; p++) {
        gsize n = strcspn(p, ".:");
        if (!valid_host_label(p, n))
            return FALSE;
        p += n;
        if (!*p)
            return TRUE;
        if (*p == ':')
            return valid_port(p + 1);
    }
}

static gboolean valid_tag(const char *tag)
{
    gsize n = strlen(tag);
    for (gsize i = 0; i < n; i++)
        if (!g_ascii_isalnum(tag[i]) && tag[i] != '_' &&
            (i == 0 || (tag[i] != '.' && tag[i] != '-')))
            return FALSE;
    return n > 0 && n <= TAG_MAX_LEN;
}

/* "algorithm:hex", of the algorithms that registries know. */
static gboolean valid_digest(const char *digest)
{
    static const struct {
        const char *prefix;
        gsize digits;
    } algorithms[] = {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}};
    for (guint i = 0; i < G_N_ELEMENTS(algorithms); i++) {
        const char *hex = digest + strlen(algorithms[i].prefix);
        if (g_str_has_prefix(digest, algorithms[i].prefix))
            return strlen(hex) == algorithms[i].digits &&
                   strspn(hex, "0123456789abcdef") == algorithms[i].digits;
    }
    return FALSE;
}

void reference_free(struct reference *r)
{
    if (!r)
        return;
    g_free(r->domain);
    g_free(r->path);
    g_free(r->tag);
    g_free(r->digest);
    g_free(r);
}

static gboolean is_hex_id(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

/* Splits "name" into domain and path by Docker's rule: the first element is a domain when it looks
 * like one (a '.', a ':', an upper-case letter) or is "localhost". */
static void split_domain(struct reference *r, const char *name)
{
    const char *slash = strchr(name, '/');
    gboolean is_domain = FALSE;
    if (slash) {
        gsize n = slash - name;
        is_domain = memchr(name, '.', n) || memchr(name, ':', n) ||
                    (n == strlen("localhost") && memcmp(name, "localhost", n) == 0);
        for (gsize i = 0; i < n && !is_domain; i++)
            is_domain = g_ascii_isupper(name[i]);
    }
    r->domain = is_domain ? g_strndup(name, slash - name) : g_strdup(DEFAULT_DOMAIN);
    const char *path = is_domain ? slash + 1 : name;
    if (strcmp(r->domain, LEGACY_DOMAIN) == 0) {
        g_free(r->domain);
        r->domain = g_strdup(DEFAULT_DOMAIN);
    }
    gboolean official = strcmp(r->domain, DEFAULT_DOMAIN) == 0 && !strchr(path, '/');
    r->path = g_strconcat(official ? OFFICIAL : "", path, NULL);
}

static const char *problem_of(const struct reference *r)
{
    if (!*r->path || g_str_has_suffix(r->path, "/"))
        return "the name is empty";
    if (!valid_domain(r->domain))
        return "the registry's name is malformed";
    for (const char *p = r->path; *p; p++)
        if (g_ascii_isupper(*p))
            return "repository names must be lower case";
    if (!valid_path(r->path))
        return "a name is made of lower-case letters and digits, joined by single '.', '_', '-' "
               "and '/'";
    if (strlen(r->domain) + 1 + strlen(r->path) > NAME_MAX_LEN)
        return "the name is longer than 255 characters";
    if (r->tag && !valid_tag(r->tag))
        return "the tag is malformed (letters, digits, '_', '.', '-', at most 128)";
    if (r->digest && !valid_digest(r->digest))
        return "the digest is malformed (sha256: and 64 lower-case hex digits)";
    return NULL;
}

/* What was meant, where leaving out an URL's scheme or small letters make it a name. */
static void add_next_for_name(const char *text, GError **err)
{
    static const char *const schemes[] = {"https://", "http://", "docker://", "docker-image://"};
    g_autofree char *lower = g_ascii_strdown(text, -1);
    const char *name = lower;
    for (guint i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(lower, schemes[i]))
            name = lower + strlen(schemes[i]);
    g_autoptr(reference) meant = g_str_equal(name, text) ? NULL : reference_parse(name, NULL);
    if (meant)
        error_add_next(err, "did you mean %s?", name);
    else
        error_add_next(err, "names are written [HOST[:PORT]/]NAME[:TAG], in lower case");
}

struct reference *reference_parse(const char *text, GError **err)
{
    g_autoptr(reference) r = g_new0(struct reference, 1);
    g_autofree char *name = g_strdup(text);
    char *at = strchr(name, '@');
    if (at) {
        *at = '\0';
        r->digest = g_strdup(at + 1);
    }
    char *slash = strrchr(name, '/');
    char *colon = strrchr(slash ? slash : name, ':');
    if (colon) {
        *colon = '\0';
        r->tag = g_strdup(colon + 1);
    }
    const char *problem = is_hex_id(name) ? "an image id is not a name" : NULL;
    if (!problem) {
        split_domain(r, name);
        problem = *name ? problem_of(r) : "the name is empty";
    }
    if (problem) {
        error_set(err, VARVE_ERROR_INVALID, "invalid image reference \"%s\": %s", text, problem);
        if (err)
            add_next_for_name(text, err);
        return NULL;
    }
    if (!r->tag && !r->digest)
        r->tag = g_strdup("latest");
    return g_steal_pointer(&r);
}

static char *with_suffix(const struct reference *r, const char *name)
{
    return g_strconcat(name, r->tag ? ":" : "", r->tag ? r->tag : "", r->digest ? "@" : "",
                       r->digest ? r->digest : "", NULL);
}

char *reference_repository(const struct reference *r)
{
    return g_strconcat(r->domain, "/", r->path, NULL);
}

char *reference_text(const struct reference *r)
{
    g_autofree char *name = reference_repository(r);
    return with_suffix(r, name);
}

/* Without docker.io in front, the first part of path would be taken for a domain. */
static gboolean like_domain(const char *path)
{
    const char *slash = strchr(path, '/');
    g_autofree char *first = g_strndup(path, slash ? (gsize)(slash - path) : 0);
    return strchr(first, '.') || strcmp(first, "localhost") == 0;
}

char *reference_familiar(const struct reference *r)
{
    if (strcmp(r->domain, DEFAULT_DOMAIN) != 0 || like_domain(r->path))
        return reference_text(r);
    gboolean official =
        g_str_has_prefix(r->path, OFFICIAL) && !strchr(r->path + strlen(OFFICIAL), '/');
    const char *name = r->path + (official ? strlen(OFFICIAL) : 0);
    return is_hex_id(name) ? reference_text(r) : with_suffix(r, name);
}
