/* A RUN that ended with 127: which program was not found, and why. The log has the name, the
 * instruction shows what was meant, the file system below the step what exists. */
#include "build/building.h"

#include "base/fs.h"
#include "base/path.h"
#include "graph/imageconf.h"
#include "layer/chainview.h"
#include "lint/jsonform.h"
#include "text/fit.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HEAD_BYTES 4096 /* of a program, looked at */
#define NAME_MAX_SHOWN 100
#define CRLF_NEXT "Convert it (dos2unix, or git config core.autocrlf input and a new checkout)."

/* What is known of the step. */
struct search {
    const struct build *b;
    const struct vertex *v;
    const struct exec_op *op;
    struct chainview *view;
};

/* Commands of package managers, and whose they are. */
static const struct manager {
    const char *name, *paths[3], *of;
} managers[] = {
    {"apt-get", {"usr/bin/apt-get"}, "a Debian or Ubuntu"},
    {"apt", {"usr/bin/apt"}, "a Debian or Ubuntu"},
    {"dpkg", {NULL}, "a Debian or Ubuntu"}, /* busybox has one, which installs nothing */
    {"apk", {"sbin/apk", "usr/bin/apk", "usr/sbin/apk"}, "an Alpine"},
    {"microdnf", {"usr/bin/microdnf"}, "a Fedora or Red Hat"},
    {"dnf", {"usr/bin/dnf"}, "a Fedora or Red Hat"},
    {"yum", {"usr/bin/yum"}, "a Fedora or Red Hat"},
    {"zypper", {"usr/bin/zypper"}, "a SUSE"},
    {"pacman", {"usr/bin/pacman"}, "an Arch Linux"},
    {"opkg", {"bin/opkg", "usr/bin/opkg"}, "an OpenWrt"},
};

/* The file that path means, relative to the root and without symlinks; NULL: there is none. */
static char *find_file(const struct search *s, const char *path)
{
    struct entry e;
    gboolean exists = FALSE;
    g_autofree char *full =
        *path == '/' ? g_strdup(path) : g_strconcat(s->op->cwd, "/", path, NULL);
    g_autofree char *at =
        s->view ? chainview_resolve(s->view, full, TRUE, &exists, &e, NULL) : NULL;
    return at && exists && e.type == ENTRY_FILE ? g_steal_pointer(&at) : NULL;
}

static const char *path_variable(const struct exec_op *op)
{
    for (const char *const *e = op->env; e && *e; e++)
        if (g_str_has_prefix(*e, "PATH="))
            return *e + strlen("PATH=");
    return IMAGE_DEFAULT_PATH;
}

/* The same of a program's name, looked up in PATH. */
static char *find_program(const struct search *s, const char *name)
{
    if (strchr(name, '/'))
        return find_file(s, name);
    g_auto(GStrv) dirs = g_strsplit(path_variable(s->op), ":", 100);
    for (char **d = dirs; *d; d++) {
        g_autofree char *path = g_strconcat(**d ? *d : ".", "/", name, NULL);
        char *at = find_file(s, path);
        if (at)
            return at;
    }
    return NULL;
}

/* Its first bytes, followed by a NUL; their number, 0 where it cannot be read. */
static gsize read_head(const struct search *s, const char *file, char head[HEAD_BYTES + 1])
{
    int fd = chainview_open(s->view, file, NULL);
    ssize_t n = fd < 0 ? 0 : pread(fd, head, HEAD_BYTES, 0);
    if (fd >= 0)
        close(fd);
    head[MAX(n, 0)] = '\0';
    return MAX(n, 0);
}

/* The loader that a 64-bit program names, or NULL: it is none, or needs none. */
static const char *loader_of(const char *head, gsize n)
{
    Elf64_Ehdr elf;
    if (n < sizeof elf || memcmp(head, ELFMAG, SELFMAG) != 0 || head[EI_CLASS] != ELFCLASS64)
        return NULL;
    memcpy(&elf, head, sizeof elf);
    for (guint i = 0; i < elf.e_phnum && elf.e_phentsize == sizeof(Elf64_Phdr); i++) {
        Elf64_Phdr ph;
        if (elf.e_phoff > n || elf.e_phoff + (i + 1) * sizeof ph > n)
            return NULL;
        memcpy(&ph, head + elf.e_phoff + i * sizeof ph, sizeof ph);
        if (ph.p_type == PT_INTERP)
            return ph.p_offset < n && memchr(head + ph.p_offset, '\0', n - ph.p_offset)
                       ? head + ph.p_offset
                       : NULL;
    }
    return NULL;
}

/* The words of a "#!" line: the interpreter, or what env shall look for. */
static char *interpreter_of(const char *head)
{
    g_autofree char *line = g_strndup(head + 2, strcspn(head + 2, "\n"));
    g_auto(GStrv) words = g_strsplit_set(g_strchug(line), " \t", 8);
    char **w = words;
    g_autofree char *base = *w ? path_base(*w) : NULL;
    if (!base || strcmp(base, "env") != 0)
        return g_strdup(*w ? *w : "");
    for (w++; *w && (!**w || **w == '-' || strchr(*w, '=')); w++)
        ;
    return g_strdup(*w ? *w : "env");
}

static char *tell_of_script(const struct search *s, const char *file, const char *head)
{
    g_autofree char *program = interpreter_of(head);
    g_autofree char *shown = text_fit(file, NAME_MAX_SHOWN);
    if (g_str_has_suffix(program, "\r")) {
        program[strlen(program) - 1] = '\0';
        g_autofree char *name = text_fit(program, NAME_MAX_SHOWN);
        return g_strdup_printf(
            "/%s exists, but its lines end with CR LF, so the kernel looks for \"%s\\r\". "
            "Convert it (dos2unix, or git config core.autocrlf input and a new checkout).",
            shown, name);
    }
    g_autofree char *there = find_program(s, program);
    if (there)
        return NULL;
    g_autofree char *name = text_fit(program, NAME_MAX_SHOWN);
    return g_strdup_printf("/%s exists, but its #! line names %s, which is not in this image. "
                           "Install that in an earlier RUN, or name a program that exists.",
                           shown, name);
}

/* A file that exists but was not found: what it needs is missing. */
static char *tell_of_file(const struct search *s, const char *name)
{
    char head[HEAD_BYTES + 1];
    g_autofree char *file = find_program(s, name);
    gsize n = file ? read_head(s, file, head) : 0;
    if (n > 2 && strncmp(head, "#!", 2) == 0)
        return tell_of_script(s, file, head);
    const char *loader = n > 0 ? loader_of(head, n) : NULL;
    g_autofree char *there = loader ? find_file(s, loader) : NULL;
    if (!loader || there)
        return NULL;
    g_autofree char *shown = text_fit(file, NAME_MAX_SHOWN);
    g_autofree char *needs = text_fit(loader, NAME_MAX_SHOWN);
    return g_strdup_printf(
        "/%s exists, but the loader it needs does not: %s. It was built for another C "
        "library%s; build it for this image, or statically.",
        shown, needs, strstr(loader, "ld-linux") ? " (glibc)" : "");
}

/* The machine that an ELF file is for; 0: not an ELF file. */
static guint machine_of(const char *head, gsize n)
{
    Elf64_Ehdr elf;
    if (n < sizeof elf || memcmp(head, ELFMAG, SELFMAG) != 0)
        return 0;
    memcpy(&elf, head, sizeof elf);
    return elf.e_ident[EI_DATA] == ELFDATA2MSB ? GUINT16_FROM_BE(elf.e_machine)
                                               : GUINT16_FROM_LE(elf.e_machine);
}

/* A shell that reads a program for another machine as a script finds "ELF" and no such command. */
static char *tell_of_machine(const struct search *s, const char *log, const char *word)
{
    char head[HEAD_BYTES + 1];
    g_autofree char *file = strstr(log, "ELF") && word ? find_program(s, word) : NULL;
    gsize n = file ? read_head(s, file, head) : 0;
    guint machine = machine_of(head, n);
    fd_auto int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr own;
    if (!machine || read(self, &own, sizeof own) != sizeof own || own.e_machine == machine)
        return NULL;
    g_autofree char *shown = text_fit(file, NAME_MAX_SHOWN);
    return g_strdup_printf(
        "/%s was built for another architecture: use the file for this one, or build "
        "for its platform with --platform.",
        shown);
}

static const char *manager_there(const struct search *s)
{
    for (guint i = 0; i < G_N_ELEMENTS(managers); i++)
        for (guint k = 0; k < G_N_ELEMENTS(managers[i].paths) && managers[i].paths[k]; k++) {
            g_autofree char *rooted = g_strconcat("/", managers[i].paths[k], NULL);
            g_autofree char *at = find_file(s, rooted);
            if (at)
                return managers[i].name;
        }
    return NULL;
}

/* What the stage of v starts from, as written there. */
static const char *base_name(const struct search *s)
{
    const struct dockerfile *df = s->b->result.df;
    const char *base = NULL;
    for (guint i = 0; i < df->n_stages; i++)
        if (df->stages[i].from->first_line <= (guint)s->v->meta.line)
            base = df->stages[i].base->text;
    return base ? base : "scratch";
}

static char *tell_of_manager(const struct search *s, const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(managers); i++) {
        if (strcmp(name, managers[i].name) != 0)
            continue;
        g_autofree char *base = text_fit(base_name(s), NAME_MAX_SHOWN);
        const char *own = manager_there(s);
        return g_strdup_printf(
            "this image (%s) has no %s; use %s base, or %s%s.", base, name, managers[i].of,
            own ? "its own package manager, " : "copy in what is needed", own ? own : "");
    }
    return NULL;
}

/* Words, without quotes, that stand before one of the phrases by which shells and env say it. */
static char *name_in_line(const char *line)
{
    static const char *const phrases[] = {": not found",
                                          ": command not found",
                                          ": No such file or directory",
                                          ": executable file not",
                                          ": the interpreter or loader",
                                          ": stat /",
                                          ": [Errno 2]"};
    for (guint i = 0; i < G_N_ELEMENTS(phrases); i++) {
        const char *end = strstr(line, phrases[i]);
        if (!end)
            continue;
        g_autofree char *before = g_strndup(line, end - line);
        g_strchomp(before);
        char *start = strrchr(before, ' ');
        GString *name = g_string_new(start ? start + 1 : before);
        for (const char *const *q = (const char *const[]){"'", "\"", "‘", "’", NULL}; *q; q++)
            g_string_replace(name, *q, "", 0);
        return g_string_free(name, FALSE);
    }
    return NULL;
}

/* The program that was not found according to the end of the log; NULL: none. */
static char *name_in_log(const char *log)
{
    g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
    char *name = NULL;
    for (guint i = g_strv_length(lines); i-- > 0 && !name;)
        name = name_in_line(lines[i]);
    return name;
}

/* The first word of the instruction that is no assignment. */
static char *first_word(const struct instruction *ins)
{
    if (ins->json)
        return g_strdup(ins->n_words ? ins->words[0].text : "");
    g_auto(GStrv) words = g_strsplit_set(ins->n_words ? ins->words[0].text : "", " \t\n;&|", 50);
    char **w = words;
    while (*w && (!**w || strchr(*w, '=')))
        w++;
    return g_strdup(*w ? *w : "");
}

static const struct instruction *run_of(const struct build *b, const struct vertex *v)
{
    for (guint i = 0; i < b->result.df->n_instructions; i++) {
        const struct instruction *ins = b->result.df->instructions[i];
        if (ins->kind == INSTRUCTION_RUN && ins->first_line == (guint)v->meta.line)
            return ins;
    }
    return NULL;
}

/* Where nothing more is known. */
static char *plain_hint(const char *name)
{
    gboolean crlf = g_str_has_suffix(name, "\r");
    g_autofree char *bare = g_strndup(name, strlen(name) - crlf);
    g_autofree char *shown = text_fit(bare, NAME_MAX_SHOWN);
    if (crlf)
        return g_strdup_printf(
            "a script's lines end with CR LF, so the kernel looks for \"%s\\r\". " CRLF_NEXT,
            shown);
    return g_strdup_printf("%s%scommand not found in this image: install it in an earlier RUN, or "
                           "check its spelling and PATH.",
                           shown, *shown ? ": " : "");
}

char *build_hint_not_found(const struct build *b, const struct vertex *v, const char *log)
{
    const struct chain *below = solver_base_chain(b->batch->solver, v);
    g_autoptr(chainview) view = below ? chainview_new(b->batch->store, below, NULL, NULL) : NULL;
    struct search s = {b, v, &v->op.exec, view};
    const struct instruction *ins = run_of(b, v);
    g_autofree char *name = name_in_log(log);
    g_autofree char *word = ins ? first_word(ins) : NULL;
    char *hint = tell_of_machine(&s, log, word);
    if (!hint && name)
        hint = tell_of_manager(&s, name);
    if (!hint && name)
        hint = tell_of_file(&s, name);
    if (!hint && word)
        hint = tell_of_file(&s, word);
    return hint ? hint : plain_hint(name ? name : "");
}

/* Whether path, clean and absolute, is at or below a mount of the step. */
static gboolean in_mount(const struct exec_op *op, const char *path)
{
    for (guint i = 0; i < op->n_mounts; i++) {
        const char *dest = op->mounts[i].dest;
        gsize n = dest ? strlen(dest) : 0;
        if (n && strncmp(path, dest, n) == 0 && (path[n] == '/' || path[n] == '\0'))
            return TRUE;
    }
    return FALSE;
}

char *build_hint_missing(const struct build *b, const struct vertex *v, const char *log)
{
    const struct exec_op *op = &v->op.exec;
    struct entry e;
    gboolean exists = TRUE;
    g_autofree char *name = strstr(log, "No such file or directory") ? name_in_log(log) : NULL;
    const struct chain *below = name && *name ? solver_base_chain(b->batch->solver, v) : NULL;
    g_autoptr(chainview) view = below ? chainview_new(b->batch->store, below, NULL, NULL) : NULL;
    gboolean rooted = view && *name == '/';
    g_autofree char *full = view ? g_canonicalize_filename(name, op->cwd) : NULL;
    g_autofree char *at =
        view && !in_mount(op, full) ? chainview_resolve(view, full, TRUE, &exists, &e, NULL) : NULL;
    if (!at || exists)
        return NULL;
    g_autofree char *shown = text_fit(name, NAME_MAX_SHOWN);
    g_autofree char *cwd = text_fit(op->cwd, NAME_MAX_SHOWN);
    return g_strdup_printf("%s is not in the image when this step begins: COPY it in an earlier "
                           "step, or correct the path%s%s%s.",
                           shown, rooted ? "" : " (this step begins in ", rooted ? "" : cwd,
                           rooted ? "" : ")");
}

char *build_hint_json_form(const struct build *b, const struct vertex *v)
{
    const struct instruction *ins = run_of(b, v);
    g_autofree char *better = ins ? jsonform_fix(ins) : NULL;
    g_autofree char *shown = better ? text_fit(better, 200) : NULL;
    return shown ? g_strdup_printf("this is not JSON (%s), so a shell runs it: write RUN %s",
                                   jsonform_fault(ins), shown)
                 : NULL;
}
