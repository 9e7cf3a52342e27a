/* References, git URLs, modes, durations, sizes, mounts, suggestions, paths. */
#include "base/path.h"
#include "base/suggest.h"
#include "dockerfile/mount.h"
#include "text/bytesize.h"
#include "text/chmod.h"
#include "text/duration.h"
#include "text/giturl.h"
#include "text/reference.h"

#include <string.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *in, *full, *familiar; /* full NULL: an error that holds familiar */
} references[] = {
    {"node", "docker.io/library/node:latest", "node:latest"},
    {"node:20-alpine", "docker.io/library/node:20-alpine", "node:20-alpine"},
    {"user/app", "docker.io/user/app:latest", "user/app:latest"},
    {"docker.io/node", "docker.io/library/node:latest", "node:latest"},
    {"index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"},
    {"docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
    {"localhost/a", "localhost/a:latest", "localhost/a:latest"},
    {"localhost:5000/a:b", "localhost:5000/a:b", "localhost:5000/a:b"},
    {"r.example/a/b/c:1", "r.example/a/b/c:1", "r.example/a/b/c:1"},
    {"HOST/a", "HOST/a:latest", "HOST/a:latest"},
    {"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"},
    {"node@sha256:" HEX64, "docker.io/library/node@sha256:" HEX64, "node@sha256:" HEX64},
    {"node:1@sha256:" HEX64, "docker.io/library/node:1@sha256:" HEX64, "node:1@sha256:" HEX64},
    {"a__b/c-d.e---f", "docker.io/a__b/c-d.e---f:latest", "a__b/c-d.e---f:latest"},
    {"a:T_a.g-1", "docker.io/library/a:T_a.g-1", "a:T_a.g-1"},
    {"", NULL, "the name is empty"},
    {":tag", NULL, "the name is empty"},
    {"r.example/", NULL, "the name is empty"},
    {"Node", NULL, "lower case"},
    {"a/B", NULL, "lower case"},
    {"a..b", NULL, "joined by single"},
    {"a___b", NULL, "joined by single"},
    {"-a", NULL, "joined by single"},
    {"a//b", NULL, "joined by single"},
    {"a b", NULL, "joined by single"},
    {"/a", NULL, "joined by single"},
    {"r.example:x/a", NULL, "registry's name"},
    {"-x.example/a", NULL, "registry's name"},
    {"a:", NULL, "tag is malformed"},
    {"a:-b", NULL, "tag is malformed"},
    {"a@sha256:12", NULL, "digest is malformed"},
    {"a@", NULL, "digest is malformed"},
    {"a@md5:" HEX64, NULL, "digest is malformed"},
    {"a@sha256:" HEX64 "0", NULL, "digest is malformed"},
    {HEX64, NULL, "image id"},
};

static void test_reference(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(references); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(reference) r = reference_parse(references[i].in, &err);
        if (!references[i].full) {
            if (r || !strstr(err->message, references[i].familiar))
                g_error("%s: %s", references[i].in, err ? err->message : "accepted");
            continue;
        }
        g_assert_no_error(err);
        g_autofree char *full = reference_text(r), *familiar = reference_familiar(r);
        g_assert_cmpstr(full, ==, references[i].full);
        g_assert_cmpstr(familiar, ==, references[i].familiar);
        g_autoptr(reference) again = reference_parse(full, NULL);
        g_autofree char *same = reference_text(again);
        g_assert_cmpstr(same, ==, full);
    }
    g_autofree char *longest = g_strnfill(300, 'a');
    g_assert_null(reference_parse(longest, NULL));
}

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
static const struct {
    const char *in, *out; /* out: fields joined, "" for none, "!…" an error that holds … */
} giturls[] = {
    {"https://h.example/a/b.git", "https://h.example/a/b.git b ref=- sum=- dir=- 00"},
    {"https://h.example/a/b.git#v1:sub/dir",
     "https://h.example/a/b.git b ref=v1 sum=- dir=sub/dir 00"},
    {"https://h.example/a/b.git#:sub", "https://h.example/a/b.git b ref=- sum=- dir=sub 00"},
    {"https://h.example/a/b.git?tag=v1&subdir=x&submodules=0&keep-git-dir",
     "https://h.example/a/b.git b ref=refs/tags/v1 sum=- dir=x 12"},
    {"https://h.example/b.git?branch=m&commit=abc",
     "https://h.example/b.git b ref=refs/heads/m sum=abc dir=- 00"},
    {"https://h.example/b.git?checksum=abc", "https://h.example/b.git b ref=- sum=abc dir=- 00"},
    {"https://h.example/b.git?commit=" COMMIT,
     "https://h.example/b.git b ref=" COMMIT " sum=" COMMIT " dir=- 00"},
    {"https://h.example/b.git?ref=m&mtime=commit&fetch-by-commit=true&commit=" COMMIT,
     "https://h.example/b.git b ref=m sum=" COMMIT " dir=- 00 mtime=1 by-commit"},
    {"https://h.example/b.git?mtime=checkout&fetch-by-commit=0",
     "https://h.example/b.git b ref=- sum=- dir=- 00 mtime=2"},
    {"https://h.example/b.git?mtime=now", "!neither commit nor checkout"},
    {"https://h.example/b.git?fetch-by-commit=1&commit=abc", "!needs a whole commit"},
    {"https://h.example/b.git?fetch-by-commit", "!needs a whole commit"},
    {"https://h.example/b.git?ref=a%2Fb", "https://h.example/b.git b ref=a/b sum=- dir=- 00"},
    {"git://h.example/b", "git://h.example/b b ref=- sum=- dir=- 00"},
    {"ssh://git@h.example:22/a/b.git#x", "ssh://git@h.example:22/a/b.git b ref=x sum=- dir=- 00"},
    {"git@h.example:a/b.git#x:y", "git@h.example:a/b.git b ref=x sum=- dir=y 00"},
    {"git@h.example:b", "git@h.example:b b ref=- sum=- dir=- 00"},
    {"github.com/a/b", "https://github.com/a/b b ref=- sum=- dir=- 00"},
    {"HTTPS://h.example/b.git", "https://h.example/b.git b ref=- sum=- dir=- 00"},
    {"https://h.example/a.tar.gz", ""},
    {"http://h.example/git/x#a", ""},
    {"./git@h:x", ""},
    {"../a.git", ""},
    {"a/b.git", ""},
    {"file", ""},
    {"h.example:a", ""},
    {"https://h.example/b.git?x=1", "!unknown query key"},
    {"https://h.example/b.git?tag=", "!has no value"},
    {"https://h.example/b.git?tag=a&branch=b", "!a tag and a branch"},
    {"https://h.example/b.git?ref=a&ref=a", "!given twice"},
    {"https://h.example/b.git?ref=a#b", "!the ref is given twice"},
    {"https://h.example/b.git?submodules=maybe", "!neither true nor false"},
};

static void test_giturl_any(void)
{
    g_autoptr(giturl) g = NULL;
    g_assert_cmpint(giturl_parse_any("https://h.example/~u/b#main:d", &g, NULL), ==, GITURL_OK);
    g_assert_cmpstr(g->remote, ==, "https://h.example/~u/b");
    g_assert_cmpstr(g->ref, ==, "main");
    g_autoptr(giturl) none = NULL;
    g_assert_cmpint(giturl_parse_any("some/file", &none, NULL), ==, GITURL_NONE);
}

static void test_giturl(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(giturls); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(giturl) g = NULL;
        enum giturl_result r = giturl_parse(giturls[i].in, &g, &err);
        g_autofree char *got =
            r == GITURL_NONE ? g_strdup("")
            : r == GITURL_BAD
                ? g_strconcat("!",
                              strstr(err->message, giturls[i].out + 1) ? giturls[i].out + 1
                                                                       : err->message,
                              NULL)
                : g_strdup_printf("%s %s ref=%s sum=%s dir=%s %d%d", g->remote, g->name,
                                  g->ref ? g->ref : "-", g->checksum ? g->checksum : "-",
                                  g->subdir ? g->subdir : "-", g->keep_git_dir, g->submodules);
        if (g && g->commit_times != GIT_UNSET) {
            g_autofree char *plain = g_steal_pointer(&got);
            got = g_strdup_printf("%s mtime=%d%s", plain, g->commit_times,
                                  g->by_commit ? " by-commit" : "");
        }
        g_assert_cmpstr(got, ==, giturls[i].out);
    }
}

static const struct {
    const char *text;
    guint32 mode;
    gboolean dir;
    guint32 want; /* 99999: malformed */
} modes[] = {
    {"755", 0600, FALSE, 0755},
    {"0", 0777, FALSE, 0},
    {"7777", 0, FALSE, 07777},
    {"01777", 0, TRUE, 01777},
    {"8", 0, FALSE, 99999},
    {"77777", 0, FALSE, 99999},
    {"", 0, FALSE, 99999},
    {"x", 0, FALSE, 99999},
    {"+x", 0644, FALSE, 0755},
    {"+w", 0444, FALSE, 0666},
    {"-w", 0666, FALSE, 0444},
    {"=r", 0666, FALSE, 0444},
    {"=x", 07711, FALSE, 01111},
    {"a=t", 0755, FALSE, 01000},
    {"u+s+t", 0755, FALSE, 05755},
    {"o+t", 0, FALSE, 0},
    {"o-t", 07711, FALSE, 07711},
    {"g-X", 0755, FALSE, 0745},
    {"u+x,+X", 0444, FALSE, 0544},
    {"ug=rw,o=r,a+X", 0755, FALSE, 0775},
    {"=u", 07711, FALSE, 07777},
    {"a+w", 0444, FALSE, 0666},
    {"u+x", 0644, FALSE, 0744},
    {"go-rwx", 0777, FALSE, 0700},
    {"u=rwX,go=rX", 0600, FALSE, 0644},
    {"u=rwX,go=rX", 0600, TRUE, 0755},
    {"a+X", 0644, FALSE, 0644},
    {"a+X", 0744, FALSE, 0755},
    {"g=u", 0740, FALSE, 0770},
    {"o=", 0777, FALSE, 0770},
    {"u+s", 0755, FALSE, 04755},
    {"g+s", 0755, FALSE, 02755},
    {"+t", 0755, TRUE, 01755},
    {"a=rx", 07777, FALSE, 01555},
    {"u+r-w", 0200, FALSE, 0400},
    {"u+x,", 0, FALSE, 99999},
    {"ux", 0, FALSE, 99999},
    {"u+q", 0, FALSE, 99999},
    {",u+x", 0, FALSE, 99999},
};

static void test_chmod(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        struct chmod c;
        guint32 got = chmod_parse(&c, modes[i].text, NULL)
                          ? chmod_apply(&c, modes[i].mode, modes[i].dir)
                          : 99999;
        if (got != modes[i].want)
            g_error("%s on %o gives %o, not %o", modes[i].text, modes[i].mode, got, modes[i].want);
    }
}

static const struct {
    const char *text;
    gint64 ns; /* -1: malformed */
    const char *back;
} durations[] = {
    {"30s", 30000000000, "30s"},
    {"1m30s", 90000000000, "1m30s"},
    {"1.5h", 5400000000000, "1h30m0s"},
    {"250ms", 250000000, "250ms"},
    {"1us", 1000, "1µs"},
    {"1µs", 1000, "1µs"},
    {"7ns", 7, "7ns"},
    {"0", 0, "0s"},
    {"0s", 0, "0s"},
    {".5s", 500000000, "500ms"},
    {"1.234567891s", 1234567891, "1.234567891s"},
    {"1m", 60000000000, "1m0s"},
    {"60m", 3600000000000, "1h0m0s"},
    {"5", -1},
    {"", -1},
    {"s", -1},
    {"1x", -1},
    {"1s2", -1},
    {"9999999999h", -1},
    {".s", -1},
    {"99999999999999999999s", -1},
    {"+1s", 1000000000, "1s"},
    {"2562047h47m16.854775807s", 9223372036854775807, "2562047h47m16.854775807s"},
    {"2562047h47m17s", -1},
};

static void test_duration(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(durations); i++) {
        gint64 ns = -1;
        if (!duration_parse(durations[i].text, &ns, NULL))
            ns = -1;
        g_assert_cmpint(ns, ==, durations[i].ns);
        if (ns < 0)
            continue;
        g_autofree char *back = duration_text(ns);
        g_assert_cmpstr(back, ==, durations[i].back);
    }
    g_autofree char *negative = duration_text(-1500000000);
    g_assert_cmpstr(negative, ==, "-1.5s");
}

static void test_bytesize(void)
{
    static const struct {
        const char *text;
        guint64 bytes;
    } t[] = {
        {"0", 0},          {"12", 12},          {"1k", 1024}, {"1KB", 1024},        {"1kib", 1024},
        {"1.5m", 1572864}, {"2 g", 2147483648}, {"1b", 1},    {"3t", 3298534883328}};
    static const char *const bad[] = {"",  "x",   "-1", "1q",   "1kk", "1.2.3", "9999999999999t",
                                      "b", "1bb", "m1", "1 m x"};
    for (guint i = 0; i < G_N_ELEMENTS(t); i++) {
        guint64 v;
        g_assert_true(bytesize_parse(t[i].text, &v, NULL));
        g_assert_cmpuint(v, ==, t[i].bytes);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        guint64 v;
        if (bytesize_parse(bad[i], &v, NULL))
            g_error("%s is accepted", bad[i]);
    }
}

static const struct {
    const char *in, *out; /* "!…": an error that holds … */
} mounts[] = {
    {"target=/x", "bind to=/x ro"},
    {"type=bind,dst=/x,src=a,from=b,rw", "bind to=/x from=b src=a"},
    {"type=cache,destination=x", "cache to=x"},
    {"TYPE=Cache,target=/x,id=i,sharing=locked,mode=0700,uid=1,gid=2,readonly",
     "cache to=/x id=i share=2 ro 700 1 2"},
    {"type=tmpfs,target=/t,size=64m", "tmpfs to=/t size=67108864"},
    {"type=secret,id=s,required,env=E", "secret id=s env=E ro required"},
    {"type=secret,source=s", "secret src=s ro"},
    {"type=secret,target=/run/x,required=false", "secret to=/run/x ro"},
    {"type=ssh", "ssh ro"},
    {"type=ssh,id=d,required=true,mode=600", "ssh id=d ro required 600"},
    {"\"target=/a,b\",ro=false", "bind to=/a,b"},
    {"type=bind,target=/x,\"source=a\"\"b\"", "bind to=/x src=a\"b ro"},
    {"type=bind", "bind ro"},
    {"type=cache,target=", "cache"},
    {"type=nope,target=/x",
     "!unsupported mount type \"nope\"; known are bind, cache, tmpfs, secret, ssh"},
    {"type=secre,id=x", "!did you mean secret?"},
    {"type=cache,target=/x,sharing=lock", "!unsupported sharing value \"lock\""},
    {"targett=/x", "!unexpected key 'targett' in 'targett=/x'; did you mean target?"},
    {"target", "!must be a key=value pair"},
    {"target=/x,ro=maybe", "!invalid value for ro: maybe"},
    {"target=/x,required", "!unexpected key 'required' for mount type 'bind'"},
    {"target=/x,size=1m", "!unexpected key 'size' for mount type 'bind'"},
    {"target=/x,env=A", "!unexpected key 'env' for mount type 'bind'"},
    {"target=/x,mode=700", "!mode not allowed for \"bind\""},
    {"type=tmpfs,target=/x,uid=1", "!uid not allowed for \"tmpfs\""},
    {"type=cache,target=/x,mode=9", "!invalid value for mode: 9"},
    {"type=cache,target=/x,uid=-1", "!invalid value for uid: -1"},
    {"type=tmpfs,target=/x,size=big", "!invalid value for size: big"},
    {"type=secret", "!one of id, target required"},
    {"type=secret,id=a,source=b", "!both source and id"},
    {"type=secret,id=a,from=b", "!cannot have a from"},
    {"type=secret,id=a,sharing=shared", "!invalid cache sharing set for secret mount"},
    {"\"target=/x", "!quote is misplaced"},
    {"\"target=/x\"y", "!quote is misplaced"},
    {"", "!unexpected key ''"},
};

static char *describe_mount(const char *text)
{
    struct mount_spec m;
    struct mount_flag parsed;
    const struct flag flag = {.name = "mount", .value = text};
    g_autoptr(GError) err = NULL;
    g_autoptr(arena) a = arena_new();
    if (!mount_flag_parse(&parsed, a, &flag, &err) ||
        !mount_spec_read(&m, &parsed, NULL, NULL, &err))
        return g_strconcat("!", err->message, NULL);
    GString *s = g_string_new(mount_type_names[m.type]);
    const char *const fields[][2] = {
        {"to", m.target}, {"from", m.from}, {"src", m.source}, {"id", m.id}, {"env", m.env}};
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
        if (fields[i][1])
            g_string_append_printf(s, " %s=%s", fields[i][0], fields[i][1]);
    if (m.size)
        g_string_append_printf(s, " size=%" G_GUINT64_FORMAT, m.size);
    if (m.sharing)
        g_string_append_printf(s, " share=%d", m.sharing);
    g_string_append(s, m.readonly ? " ro" : "");
    g_string_append(s, m.required ? " required" : "");
    if (m.has_mode)
        g_string_append_printf(s, " %o", m.mode);
    if (m.has_uid)
        g_string_append_printf(s, " %u", m.uid);
    if (m.has_gid)
        g_string_append_printf(s, " %u", m.gid);
    mount_spec_clear(&m);
    return g_string_free(s, FALSE);
}

static void test_mount(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(mounts); i++) {
        g_autofree char *got = describe_mount(mounts[i].in);
        gboolean ok = *mounts[i].out == '!' ? *got == '!' && strstr(got, mounts[i].out + 1)
                                            : strcmp(got, mounts[i].out) == 0;
        if (!ok)
            g_error("%s gives %s", mounts[i].in, got);
    }
}

static void test_suggest(void)
{
    static const char *const words[] = {"COPY", "CMD", "RUN", "ENTRYPOINT", "build", "ADD"};
    static const struct {
        const char *typed, *want;
    } t[] = {{"COYP", "COPY"}, {"copy", "COPY"}, {"biuld", "build"},           {"RUNN", "RUN"},
             {"R", NULL},      {"EXPOSE", NULL}, {"entrypiont", "ENTRYPOINT"}, {"", NULL},
             {"xyz", NULL},    {"AD", "ADD"},    {"ent", "ENTRYPOINT"},        {"en", NULL}};
    for (guint i = 0; i < G_N_ELEMENTS(t); i++)
        g_assert_cmpstr(suggest_nearest(t[i].typed, words, G_N_ELEMENTS(words)), ==, t[i].want);
    g_assert_cmpuint(suggest_distance("kitten", "sitting", 5), ==, 3);
    g_assert_cmpuint(suggest_distance("ab", "ba", 5), ==, 1);
    g_assert_cmpuint(suggest_distance("abcdef", "", 2), ==, 3);
}

static void test_path(void)
{
    static const char *const clean[][2] = {
        {"", "."},
        {"/", "/"},
        {"//", "/"},
        {"a//b/./c/../d/", "a/b/d"},
        {"../a", "../a"},
        {"a/../..", ".."},
        {"/../a", "/a"},
        {"./", "."},
        {"a/..", "."},
        {"/a/../..", "/"},
        {"..//..", "../.."},
        {"../../a/..", "../.."},
        {"/a/b/../../c", "/c"},
        {"...", "..."},
    };
    for (guint i = 0; i < G_N_ELEMENTS(clean); i++) {
        g_autofree char *got = path_clean(clean[i][0]);
        g_assert_cmpstr(got, ==, clean[i][1]);
    }
    g_autofree char *a = path_join("/a", "../b", "c", NULL), *b = path_join("", "", NULL),
                    *c = path_join("a", "", "/b", NULL);
    g_assert_cmpstr(a, ==, "/b/c");
    g_assert_cmpstr(b, ==, "");
    g_assert_cmpstr(c, ==, "a/b");
    static const char *const parts[][2] = {
        {"/a/b", "b"}, {"a", "a"}, {"/", "/"}, {"", "."}, {"a/b/", "b"}};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *base = path_base(parts[i][0]);
        g_assert_cmpstr(base, ==, parts[i][1]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/values/reference", test_reference);
    g_test_add_func("/values/giturl", test_giturl);
    g_test_add_func("/values/giturl/any", test_giturl_any);
    g_test_add_func("/values/chmod", test_chmod);
    g_test_add_func("/values/duration", test_duration);
    g_test_add_func("/values/bytesize", test_bytesize);
    g_test_add_func("/values/mount", test_mount);
    g_test_add_func("/values/suggest", test_suggest);
    g_test_add_func("/values/path", test_path);
    return g_test_run();
}
