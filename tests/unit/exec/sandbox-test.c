#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/config.h"
#include "exec/hostca.h"
#include "exec/mounts.h"
#include "snapshot/mountfd.h"

/* Scripts that must end with 0 and print exactly this. */
static const struct {
    const char *name, *script, *expect;
} outputs[] =
    {
        {"hello", "echo hello", "hello"},
        {"env", "env | grep -v SHLVL | sort",
         "HOME=/root\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/"},
        {"stdin", "cat; readlink /proc/self/fd/0", "/dev/null"},
        {"descriptors", "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "}, /* 3: ls's own */
        {"hostname", "hostname", "buildkitsandbox"},
        {"hosts", "cat /etc/hosts",
         "127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback"},
        {"resolv",
         "test -f /etc/resolv.conf && ! echo x >/etc/resolv.conf 2>/dev/null && echo read-only",
         "read-only"},
        {"processes", "set -- /proc/[0-9]*; echo $# $$", "1 1"}, /* the program is process 1 */
        {"capabilities", "grep ^Cap /proc/self/status | tr -d '\\n\\t'",
         "CapInh:0000000000000000CapPrm:00000000a80425fbCapEff:00000000a80425fbCapBnd:"
         "00000000a80425fb"
         "CapAmb:0000000000000000"},
        {"filter", "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | tr -d '\\n\\t'",
         "NoNewPrivs:0Seccomp:2"},
        {"no-mount",
         "mount -t tmpfs x /mnt 2>&1 | grep -o 'Operation not permitted\\|ermission denied'",
         "ermission denied"},
        {"no-unshare", "unshare -U true 2>&1 | grep -o 'Operation not permitted'",
         "Operation not permitted"},
        {"no-sysctl", "echo x 2>/dev/null >/proc/sys/kernel/hostname || echo refused", "refused"},
        {"no-sys", "touch /sys/x 2>/dev/null || echo refused", "refused"},
        {"no-kcore", "dd if=/proc/kcore bs=1 count=1 2>/dev/null | wc -c", "0"},
        {"masked", "ls /sys/firmware; cat /proc/timer_list", ""},
        {"devices", "ls /dev | grep -v core | tr '\\n' ' '", /* where there is a /proc/kcore */
         "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "},
        {"null",
         "echo x >/dev/null && head -c 3 /dev/zero | wc -c && head -c 9 /dev/urandom | wc -c",
         "3\n9"},
        {"pts", "ls /dev/pts", "ptmx"},
        {"shm", "echo x >/dev/shm/x && df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2",
         "65536"},
        {"chown", "touch /f && chown 1000:1000 /f && stat -c %u:%g /f", "1000:1000"},
        {"setuid", "cp /bin/busybox /su && chmod 4755 /su && echo ok", "ok"},
        {"fifo", "mknod /fifo p && echo ok", "ok"},
        {"umask", "umask", "0022"},
        {"cwd", "pwd", "/"},
        {"stubs-inside", "test -f /etc/hosts && echo there", "there"},
        {"signals", "trap 'echo caught; exit' TERM; kill $$", "caught"},
        {"pipes", "yes | head -1", "y"}, /* SIGPIPE is not ignored */
        {"orphans", "(sleep 100 &) ; sh -c 'exit 0'; echo done", "done"},
        {"chroot", "chroot / echo ok", "ok"},
        {"session", "cut -d' ' -f6 /proc/self/stat",
         "1"}, /* the program leads a session of its own */
        {"protected", "kill -9 $$; kill -TERM $$; echo alive", "alive"}, /* as every process 1 */
},
  with_init[] = {
      {"processes", "set -- /proc/[0-9]*; echo $#", "2"},
      {"name", "cat /proc/1/cmdline /proc/1/environ | tr '\\0' ' '", "varve-init "},
      {"descriptors", "ls -l /proc/1/fd 2>/dev/null | grep -c pipe; true",
       "0"}, /* it is not dumpable */
      {"file", "readlink /proc/1/exe || echo hidden", "hidden"},
      {"root", "ls /proc/1/root/ 2>/dev/null | wc -l", "0"},
      {"session", "cut -d' ' -f6 /proc/self/stat", "2"},
      {"comm", "cat /proc/1/comm", "varve-init"},
      {"orphans", "(sleep 0.1 & echo $! >/o); sleep 0.4; test ! -e /proc/$(cat /o) && echo reaped",
       "reaped"},
};

static void test_outputs(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    fixture_write(f, "etc/passwd",
                  "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n", 0644);
    g_setenv("VARVE_TEST_SECRET", "leak", TRUE);
    int leaked = open("/", O_RDONLY | O_DIRECTORY); /* not close-on-exec: must not get in */
    for (guint i = 0; i < G_N_ELEMENTS(outputs); i++) {
        g_test_message("%s", outputs[i].name);
        g_assert_cmpstr(fixture_output(f, outputs[i].script), ==, outputs[i].expect);
    }
    f->spec.init = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(with_init); i++) {
        g_test_message("%s with init", with_init[i].name);
        g_assert_cmpstr(fixture_output(f, with_init[i].script), ==, with_init[i].expect);
    }
    close(leaked);
}

/* What was made for mounting is gone; what the program made stays, /proc, /sys and /dev too. */
static void test_stubs(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    struct sandbox_mount mounts[] = {
        {.dest = "/a/b/c", .fd = -1},
        {.dest = "/kept/cache", .fd = -1},
        {.dest = "/a/b/c/inner/dir", .fd = -1},
    };
    f->spec.mounts = mounts;
    f->spec.n_mounts = G_N_ELEMENTS(mounts);
    f->spec.touched = g_ptr_array_new_with_free_func(g_free);
    struct stat before, after;
    g_assert_cmpint(stat(f->root, &before), ==, 0);
    fixture_output(
        f, "test -d /a/b/c/inner/dir && touch /kept/file && mount | grep -q '/a/b/c/inner/dir'");
    g_assert_false(fixture_has(f, "etc"));
    g_assert_false(fixture_has(f, "a"));
    g_assert_false(fixture_has(f, "kept/cache"));
    g_assert_true(fixture_has(f, "kept/file"));
    g_assert_true(fixture_has(f, "proc") && fixture_has(f, "sys") && fixture_has(f, "dev"));
    g_assert_true(mounts[0].made);
    /* Where nothing else happened the directory's time is as before. */
    fixture_write(f, "etc/other", "", 0644);
    g_autofree char *etc = g_build_filename(f->root, "etc", NULL);
    g_assert_cmpint(stat(etc, &before), ==, 0);
    f->spec.n_mounts = 0;
    g_ptr_array_set_size(f->spec.touched, 0);
    fixture_output(f, "true");
    g_assert_cmpint(stat(etc, &after), ==, 0);
    g_assert_cmpint(fs_mtime_ns(&before), ==, fs_mtime_ns(&after));
    g_assert_true(g_ptr_array_find_with_equal_func(f->spec.touched, "/etc", g_str_equal, NULL));
    fixture_output(f, "touch /etc/more");
    g_assert_cmpint(stat(etc, &after), ==, 0);
    g_assert_cmpint(fs_mtime_ns(&before), !=, fs_mtime_ns(&after));
    g_ptr_array_unref(f->spec.touched);
}

static const struct {
    const char *script, *expect;
} mount_checks[] = {
    {"echo x >/rw/new && ! touch /ro/x 2>/dev/null && cat /ro/new", "x"},
    {"echo y >/part/p && ! touch /part-ro/x 2>/dev/null && cat /part-ro/p", "y"},
    {"cat /some/file", "content"},
    {"df -k /small | tail -1 | tr -s ' ' | cut -d' ' -f2; stat -c %a /small", "64\n700"},
    {"cat /run/secrets/s; stat -c ' %a %u' /run/secrets/s", "hush 400 1000"},
    {"mount | grep -c 'run/secrets/s type tmpfs (ro,nosuid,nodev,noexec'", "1"},
};

static void check_mounts(struct fixture *f, const char *shared, int file, guint i)
{
    fd_auto int dir = open(shared, O_PATH | O_DIRECTORY | O_CLOEXEC);
    fd_auto int tree = mountfd_clone(AT_FDCWD, shared, 0, NULL);
    fd_auto int part = openat(tree, "sub", O_PATH | O_CLOEXEC);
    struct sandbox_file secret = {.bytes = "hush", .len = 4, .mode = 0400, .uid = 1000};
    struct sandbox_mount mounts[] = {
        {.dest = "/rw", .fd = dir},
        {.dest = "/ro", .fd = dir, .readonly = TRUE},
        {.dest = "/part", .fd = part, .tree_fd = tree},
        {.dest = "/part-ro", .fd = part, .tree_fd = tree, .readonly = TRUE},
        {.dest = "/some/file", .fd = file},
        {.dest = "/small", .fd = -1, .size = 65536, .mode = 0700},
        {.dest = "/run/secrets/s", .file = &secret},
    };
    f->spec.mounts = mounts;
    f->spec.n_mounts = G_N_ELEMENTS(mounts);
    g_assert_cmpstr(fixture_output(f, mount_checks[i].script), ==, mount_checks[i].expect);
}

static void test_mounts(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    g_autofree char *shared = g_build_filename(f->dir, "shared", NULL);
    g_autofree char *sub = g_build_filename(shared, "sub", NULL);
    g_autofree char *name = g_build_filename(f->dir, "file", NULL);
    g_assert_cmpint(g_mkdir_with_parents(sub, 0755), ==, 0);
    g_assert_true(g_file_set_contents(name, "content", -1, NULL));
    fd_auto int file = open(name, O_PATH | O_CLOEXEC);
    mounts_old_kernel = GPOINTER_TO_INT(data);
    for (guint i = 0; i < G_N_ELEMENTS(mount_checks); i++)
        check_mounts(f, shared, file, i);
    mounts_old_kernel = FALSE;
    g_assert_false(fixture_has(f, "run"));
    g_autofree char *made = g_build_filename(sub, "p", NULL);
    g_assert_true(g_file_test(made, G_FILE_TEST_EXISTS));
}

/* A file, a tmpfs and a bind mount inside another, in every order and by another name: the inner
 * one is always seen. */
static const struct {
    const char *outer, *inner, *script;
} nestings[] = {
    {"/out", "/out/s", "cat /out/s"},
    {"/out", "/out/deep/er/s", "cat /out/deep/er/s"},
    {"/var/run", "/run/s", "cat /run/s /var/run/s"},
    {"/run", "/var/run/s", "cat /run/s /var/run/s"},
    {"/long/way/to/it", "/short/s", "cat /long/way/to/it/s"},
    {"/out", "/out/link/s", "cat /run/s"}, /* out of the mount by a link in it */
    {"/etc", "/etc/s", "cat /etc/s"},
};

static void check_nesting(struct fixture *f, int dir, guint i, guint turn)
{
    struct sandbox_file secret = {.bytes = "hush", .len = 4, .mode = 0400};
    struct sandbox_mount outer = {.dest = nestings[i].outer, .fd = turn & 2 ? -1 : dir};
    struct sandbox_mount inner = {.dest = nestings[i].inner, .file = &secret};
    struct sandbox_mount mounts[] = {turn & 1 ? outer : inner, turn & 1 ? inner : outer};
    f->spec.mounts = mounts;
    f->spec.n_mounts = G_N_ELEMENTS(mounts);
    g_assert_true(g_str_has_prefix(fixture_output(f, nestings[i].script), "hush"));
}

static void test_nesting(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    g_autofree char *shared = g_build_filename(f->dir, "shared", NULL);
    g_assert_cmpint(mkdir(shared, 0755), ==, 0);
    fixture_output(f, "mkdir -p /run /var /long/way/to/it && ln -s ../run /var/run && "
                      "ln -s long/way/to/it /short");
    fd_auto int dir = open(shared, O_PATH | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(symlinkat("/run", dir, "link"), ==, 0);
    mounts_old_kernel = GPOINTER_TO_INT(data);
    for (guint i = 0; i < G_N_ELEMENTS(nestings); i++)
        for (guint turn = 0; turn < 4; turn++) {
            if (strstr(nestings[i].inner, "link") && turn & 2)
                continue; /* no link in a tmpfs */
            g_test_message("%s in %s, %u", nestings[i].inner, nestings[i].outer, turn);
            check_nesting(f, dir, i, turn);
        }
    mounts_old_kernel = FALSE;
}

/* The host's mounts, paths and network names are not to be seen. */
static void test_isolation(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    mounts_old_kernel = GPOINTER_TO_INT(data);
    const char *mounts = fixture_output(f, "cut -d' ' -f5 /proc/self/mountinfo | grep -Ev "
                                           "'^/(dev|proc|sys|etc/hosts$|etc/resolv.conf$)'");
    mounts_old_kernel = FALSE;
    g_assert_cmpstr(mounts, ==, "/");
    fixture_output(f, "! env | grep -q VARVE; ! test -e /proc/1/root/home || ! ls /proc/1/root "
                      "2>/dev/null | grep -q vmlinuz");
    g_assert_cmpstr(fixture_output(f, "ipcs -m 2>/dev/null | grep -c 0x; true"), ==, "0");
}

static void test_symlinks(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    g_autofree char *outside = g_build_filename(f->dir, "outside", NULL);
    g_autofree char *link = g_build_filename(f->root, "out", NULL);
    g_autofree char *target = g_strdup_printf("../../../../../..%s", outside);
    g_assert_cmpint(mkdir(outside, 0755), ==, 0);
    g_assert_cmpint(symlink(target, link), ==, 0);
    struct sandbox_mount mount = {.dest = "/out/deep", .fd = -1};
    f->spec.mounts = &mount;
    f->spec.n_mounts = 1;
    g_autoptr(GError) err = NULL;
    fixture_sh(f, "true", &err); /* refused or made inside: never outside */
    g_autofree char *deep = g_build_filename(outside, "deep", NULL);
    g_assert_false(g_file_test(deep, G_FILE_TEST_EXISTS));
    f->spec.n_mounts = 0;
    g_autofree char *proc = g_build_filename(f->root, "proc", NULL);
    rmdir(proc);
    g_assert_cmpint(symlink("/bin", proc), ==, 0);
    g_clear_error(&err);
    g_assert_false(fixture_sh(f, "true", &err));
    g_assert_nonnull(strstr(err->message, "/proc"));
}

static const struct {
    const char *script;
    int code;
    gboolean init, signalled;
} codes[] = {{"exit 0", 0, FALSE, FALSE},
             {"exit 7", 7, FALSE, FALSE},
             {"exit 255", 255, FALSE, FALSE},
             {"exit 7", 7, TRUE, FALSE},
             {"kill -9 $$", 137, TRUE, TRUE},
             {"kill -SEGV $$", 139, TRUE, TRUE},
             {"sh -c 'kill -9 $$'; exit $?", 137, FALSE, FALSE}};

static void test_codes(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
        f->spec.init = codes[i].init;
        g_assert_true(fixture_sh(f, codes[i].script, NULL));
        g_assert_cmpint(f->result.exit_code, ==, codes[i].code);
        g_assert_cmpint(f->result.signalled, ==, codes[i].signalled);
    }
}

static const struct {
    const char *program, *env;
    int code;
    const char *error;
} missing[] = {
    {"/nonexist", NULL, 127, "exec: \"/nonexist\": stat /nonexist: no such file or directory\n"},
    {"nonexist", NULL, 127, "exec: \"nonexist\": executable file not found in $PATH\n"},
    {"sh", "PATH=/nowhere", 127, "exec: \"sh\": executable file not found in $PATH\n"},
    {"/etc/plain", NULL, 126, "exec: \"/etc/plain\": Permission denied\n"},
    {"/etc", NULL, 126, "exec: \"/etc\": Permission denied\n"},
    {"/script", NULL, 126, "exec: \"/script\": Exec format error\n"},
    {"/lost", NULL, 127,
     "exec: \"/lost\": the interpreter or loader that it needs is not in the image\n"},
};

static void test_missing(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    fixture_write(f, "etc/plain", "text", 0644);
    fixture_write(f, "script", "no interpreter line", 0755);
    fixture_write(f, "lost", "#!/bin/nonexist\n", 0755);
    for (guint i = 0; i < G_N_ELEMENTS(missing); i++) {
        const char *const argv[] = {missing[i].program, NULL}, *const env[] = {missing[i].env,
                                                                               NULL};
        g_autoptr(GError) err = NULL;
        f->spec.args = argv;
        f->spec.env = env;
        g_string_truncate(f->err, 0);
        g_assert_true(fixture_run(f, NULL, &err));
        g_assert_cmpstr(f->err->str, ==, missing[i].error);
        g_assert_cmpint(f->result.exit_code, ==, missing[i].code);
    }
}

/* A program for another machine: what to install is said. */
static void test_foreign(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    guint8 head[64] = {0x7f, 'E', 'L', 'F', 2, 2, 1}; /* big-endian, as s390x is */
    head[17] = 1; /* not an executable: no emulator is registered for it */
    head[19] = 22;
    g_autofree char *path = g_build_filename(f->root, "foreign", NULL);
    g_assert_true(g_file_set_contents(path, (char *)head, sizeof head, NULL));
    g_assert_cmpint(chmod(path, 0755), ==, 0);
    const char *const argv[] = {"/foreign", NULL};
    f->spec.args = argv;
    g_autoptr(GError) err = NULL;
    if (fixture_run(f, NULL, &err)) {
        g_test_skip(f->err->str);
        return;
    }
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(err->message, "s390x"));
    g_assert_nonnull(strstr(error_next(err), "--platform linux/s390x"));
}

static void test_user(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    fixture_write(f, "etc/passwd",
                  "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n", 0644);
    fixture_write(f, "etc/group", "root:x:0:\napp:x:1001:\nextra:x:2000:app\n", 0644);
    f->spec.user = "app";
    f->spec.cwd = "/made/here";
    g_assert_cmpstr(
        fixture_output(f, "id; pwd; echo $HOME; stat -c %u:%g:%a /made /made/here"), ==,
        "uid=1000(app) gid=1001(app) groups=1001(app),2000(extra)\n/made/here\n/home/app\n"
        "1000:1001:755\n1000:1001:755");
    g_assert_cmpstr(
        fixture_output(f, "grep ^Cap /proc/self/status | cut -f2 | tr '\\n' ' '"), ==,
        "0000000000000000 0000000000000000 0000000000000000 00000000a80425fb 0000000000000000 ");
    g_assert_true(fixture_has(f, "made/here"));
    f->spec.user = "nobody";
    g_autoptr(GError) err = NULL;
    g_assert_false(fixture_sh(f, "true", &err));
    g_assert_nonnull(strstr(err->message, "unable to find user nobody"));
}

/* setuid programs work: there is no no_new_privs. */
static void test_setuid(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    fixture_write(f, "etc/passwd", "root::0:0::/root:/bin/sh\napp::1000:1000::/:/bin/sh\n", 0644);
    fixture_output(f, "mkdir /suid && cp /bin/busybox /suid/busybox && chmod 4755 /suid/busybox");
    f->spec.user = "app";
    g_assert_cmpstr(fixture_output(f, "/suid/busybox su root -c 'id -u'; id -u"), ==, "0\n1000");
}

static void test_network(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    struct host_ip hosts[] = {{"db", "10.1.2.3"}, {"gate", "host-gateway"}};
    f->spec.hosts = hosts;
    f->spec.n_hosts = 2;
    f->spec.hostname = "other";
    f->spec.network = NET_NONE;
    g_assert_cmpstr(
        fixture_output(f,
                       "tail -n +3 /etc/hosts; hostname; grep -c : /proc/net/dev; "
                       "ip addr show lo | grep -o 'UP\\|127.0.0.1' | sort -u; ls /sys/class/net"),
        ==, "10.1.2.3\tdb\n127.0.0.1\tgate\nother\n1\n127.0.0.1\nUP\nlo");
    f->spec.network = NET_HOST;
    g_autofree char *host = NULL;
    g_assert_true(g_file_get_contents("/proc/net/dev", &host, NULL, NULL));
    g_autofree char *inside = g_strdup(fixture_output(f, "cut -d: -f1 /proc/net/dev"));
    g_auto(GStrv) lines = g_strsplit(host, "\n", -1);
    for (guint i = 0; lines[i] && *lines[i]; i++) {
        *strchrnul(lines[i], ':') = '\0';
        g_assert_nonnull(strstr(inside, lines[i]));
    }
}

static void test_insecure(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    f->spec.insecure = TRUE;
    g_assert_cmpstr(
        fixture_output(f, "mkdir /m && mount -t tmpfs x /m && grep -c ' /m ' /proc/self/mountinfo; "
                          "grep ^Seccomp: /proc/self/status | cut -f2"),
        ==, "1\n0");
    f->spec.insecure = FALSE;
    f->spec.root_readonly = TRUE;
    g_assert_cmpstr(
        fixture_output(f, "touch /x 2>/dev/null || echo read-only; touch /dev/shm/x && echo ok"),
        ==, "read-only\nok");
}

static void test_errors(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    g_autoptr(GError) err = NULL;
    fixture_write(f, "plain", "x", 0644);
    f->spec.cwd = "/plain";
    g_assert_false(fixture_sh(f, "true", &err));
    g_assert_nonnull(strstr(err->message, "/plain"));
    g_clear_error(&err);
    f->spec.cwd = NULL;
    const char *const none[] = {NULL};
    f->spec.args = none;
    g_assert_false(fixture_run(f, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

static void test_hostca(void)
{
    const char *const env[] = {"A=b", "PIP_CERT=/own", NULL};
    g_auto(GStrv) out = hostca_env(env);
    g_assert_cmpstr(g_environ_getenv(out, "PIP_CERT"), ==, "/own");
    g_assert_cmpstr(g_environ_getenv(out, "NODE_EXTRA_CA_CERTS"), ==, HOSTCA_DEST);
    g_assert_cmpuint(g_strv_length(out), ==, 10);
    g_autoptr(GError) err = NULL;
    g_assert_null(hostca_find("/nonexist.pem", &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_autofree char *found = hostca_find("/etc/passwd", NULL);
    g_assert_cmpstr(found, ==, "/etc/passwd");
}

static void test_speed(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    const char *const argv[] = {"/bin/true", NULL};
    f->spec.args = argv;
    gint64 best = G_MAXINT64;
    for (int i = 0; i < 20; i++) {
        gint64 start = g_get_monotonic_time();
        g_assert_true(fixture_run(f, NULL, NULL));
        best = MIN(best, g_get_monotonic_time() - start);
    }
    g_test_message("a run of true: %.2f ms at best", best / 1000.0);
    g_assert_cmpint(best, <, 50000);
}

static const struct {
    const char *path;
    void (*test)(struct fixture *, gconstpointer);
    gboolean old_kernel;
} tests[] = {
    {"/sandbox/outputs", test_outputs, FALSE},
    {"/sandbox/stubs", test_stubs, FALSE},
    {"/sandbox/mounts", test_mounts, FALSE},
    {"/sandbox/mounts-old-kernel", test_mounts, TRUE},
    {"/sandbox/nesting", test_nesting, FALSE},
    {"/sandbox/nesting-old-kernel", test_nesting, TRUE},
    {"/sandbox/isolation", test_isolation, FALSE},
    {"/sandbox/isolation-old-kernel", test_isolation, TRUE},
    {"/sandbox/symlinks", test_symlinks, FALSE},
    {"/sandbox/codes", test_codes, FALSE},
    {"/sandbox/missing", test_missing, FALSE},
    {"/sandbox/foreign", test_foreign, FALSE},
    {"/sandbox/user", test_user, FALSE},
    {"/sandbox/setuid", test_setuid, FALSE},
    {"/sandbox/network", test_network, FALSE},
    {"/sandbox/insecure", test_insecure, FALSE},
    {"/sandbox/errors", test_errors, FALSE},
    {"/sandbox/speed", test_speed, FALSE},
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, struct fixture, GINT_TO_POINTER(tests[i].old_kernel),
                   fixture_set_up, tests[i].test, fixture_tear_down);
    g_test_add_func("/sandbox/hostca", test_hostca);
    return g_test_run();
}
