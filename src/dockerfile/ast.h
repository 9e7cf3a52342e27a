/* The syntax tree of a Dockerfile, made by dockerfile_parse(). Everything is owned by the tree and
 * never changes; strings contain no NUL bytes but need not be UTF-8. */
#ifndef VARVE_DOCKERFILE_AST_H
#define VARVE_DOCKERFILE_AST_H

#include "base/arena.h"
#include "dockerfile/diag.h"

enum instruction_kind {
    INSTRUCTION_ADD,
    INSTRUCTION_ARG,
    INSTRUCTION_CMD,
    INSTRUCTION_COPY,
    INSTRUCTION_ENTRYPOINT,
    INSTRUCTION_ENV,
    INSTRUCTION_EXPOSE,
    INSTRUCTION_FROM,
    INSTRUCTION_HEALTHCHECK,
    INSTRUCTION_LABEL,
    INSTRUCTION_MAINTAINER,
    INSTRUCTION_ONBUILD,
    INSTRUCTION_RUN,
    INSTRUCTION_SHELL,
    INSTRUCTION_STOPSIGNAL,
    INSTRUCTION_USER,
    INSTRUCTION_VOLUME,
    INSTRUCTION_WORKDIR,
    INSTRUCTION_UNKNOWN, /* only where an error has been reported */
};

struct heredoc {
    const char *name;    /* the word that ends it, without quotes */
    const char *content; /* every line with its end; leading tabs are kept (heredoc_chomp()) */
    gboolean expand;     /* the word was not quoted: variables are substituted (COPY, ADD) */
    gboolean chomp;      /* "<<-": leading tabs are dropped */
    guint fd;            /* the number before "<<", 0 when there is none */
    struct span span;    /* of the word "<<NAME" */
};

struct word {
    const char *text; /* as written, quotes and variables included */
    struct span span;
    const struct heredoc *heredoc; /* COPY, ADD: the source is this one; else NULL */
};

struct flag {
    const char *name;  /* without "--" */
    const char *value; /* NULL when there is no '=' */
    struct span span;  /* of the whole flag */
};

struct pair {
    const char *key;   /* as written */
    const char *value; /* as written, quotes and variables included; NULL: ARG without '=' */
    struct span span;  /* of the whole pair */
};

struct health_flags {
    gint64 interval, timeout, start_period, start_interval; /* nanoseconds, 0: not given */
    int retries;                                            /* 0: not given */
};

struct mount_flag;
/* A piece of an instruction's text that is one piece in the file too. */
struct segment {
    gsize offset;    /* in text */
    guint line, col; /* in the file, from 1 */
};

struct instruction {
    enum instruction_kind kind;
    const char *keyword; /* as written: "run" */
    const char *text; /* the whole logical line: continuations joined, comments dropped, trimmed */
    const char *rest; /* text after keyword and flags, trimmed; "" if there is none */
    struct span span; /* of the keyword */
    guint first_line, last_line; /* heredocs included */
    const struct flag *flags;    /* n_flags, in order */
    guint n_flags;
    const struct mount_flag *mounts; /* RUN: its --mount flags (mount.h) */
    guint n_mounts;
    const struct word *words; /* FROM COPY ADD EXPOSE VOLUME: the words; RUN CMD ENTRYPOINT SHELL:
                                 the strings of the JSON form, or one word, the shell's command line
                                 (none when empty); HEALTHCHECK: the type, then the same; USER
                                 WORKDIR STOPSIGNAL MAINTAINER: one word, the rest of the line */
    guint n_words;
    const struct pair *pairs; /* ARG ENV LABEL */
    guint n_pairs;
    gboolean json; /* the words were written as a JSON array of strings */
    /* starts with '[' but is not a JSON array: taken as a shell's command line */
    gboolean json_like;
    gboolean legacy;  /* "ENV name value" without '=' */
    guint blank_line; /* an empty line between continuation lines (deprecated), 0: none */
    const struct heredoc *heredocs;
    guint n_heredocs;
    const struct health_flags *health; /* HEALTHCHECK, else NULL */
    const struct instruction *trigger; /* ONBUILD: the triggered instruction, else NULL */
    const char *trigger_text; /* ONBUILD: the text for the image's config, heredocs included */
    /* lines of the comment above, without '#', trimmed, from after its last empty line */
    const char *const *comments;
    guint n_comments;
    const struct segment *segments; /* for instruction_span() */
    guint n_segments;
};

struct stage {
    const char *name;                              /* lower case, NULL when it has none */
    guint index;                                   /* from 0 */
    const struct instruction *from;                /* the FROM that begins it */
    const struct word *base;                       /* FROM's argument, not yet expanded */
    const char *platform;                          /* FROM --platform, not yet expanded, or NULL */
    const struct instruction *const *instructions; /* without FROM, in order */
    guint n_instructions;
};

/* "# check=skip=A,B;error=true" */
struct check_directive {
    const char *const *skip;             /* rule names, NULL-terminated, or NULL */
    const char *const *experimental;     /* likewise */
    gboolean skip_all, experimental_all; /* "all" in place of names */
    gboolean error;                      /* warnings are errors */
};

struct dockerfile {
    struct arena *arena; /* owns everything below */
    const char *name;    /* for messages: "Dockerfile" */
    const char *syntax;  /* the directive's value, or NULL */
    struct span syntax_span;
    char escape;                                   /* '\\' or '`' */
    const struct check_directive *check;           /* or NULL */
    const struct instruction *const *instructions; /* all, in order */
    guint n_instructions;
    const struct instruction *const *meta_args; /* the ARGs before the first FROM */
    guint n_meta_args;
    const struct stage *stages; /* n_stages, in order */
    guint n_stages;
};

const char *instruction_name(enum instruction_kind kind);
/* The position in the file of len bytes at offset of ins->text. */
struct span instruction_span(const struct instruction *ins, gsize offset, gsize len);
/* The last flag of that name, or NULL. */
const struct flag *instruction_flag(const struct instruction *ins, const char *name);
/* Its value; "" if it has none or is missing. */
const char *instruction_flag_value(const struct instruction *ins, const char *name);
/* TRUE for --name and --name=true. */
gboolean instruction_flag_on(const struct instruction *ins, const char *name);
/* The content as a shell sees it after "<<-": no tabs at the start of lines. */
char *heredoc_chomp(const char *content);

#endif
