/* Shared by the parser's files; internal to dockerfile/. One instruction is parsed at a time: its
 * logical line is joined (lines.c), split (split.c, json.c), its flags checked (flags.c), its form
 * checked (forms.c), and its heredocs read (heredocs.c). */
#ifndef VARVE_DOCKERFILE_PARSE_H
#define VARVE_DOCKERFILE_PARSE_H

#include "dockerfile/ast.h"

/* A physical line: start..stop without its line end, start..next with it. */
struct line {
    const char *start, *stop, *next; /* next: of the line after it */
    guint number;                    /* from 1 */
};

/* Reads the text line by line. */
struct reader {
    const char *p, *end; /* what is left of the text */
    guint line;          /* number of the line at p */
    guint skip;          /* bytes of a byte order mark before line 1's first column */
};
/* FALSE at the end. */
gboolean reader_next(struct reader *r, struct line *out);

struct parser {
    struct arena *arena;
    struct diags *diags;
    struct reader reader;
    struct dockerfile *df;   /* being filled */
    GPtrArray *instructions; /* struct instruction* */
    GPtrArray *comments;     /* char*: lines since the last instruction or empty line */
    GString *joined;         /* the logical line being read */
    GArray *segments;        /* struct segment of joined */
    GArray *flags, *words, *pairs, *heredocs; /* of the instruction being parsed */
    gboolean overfull;        /* the instruction being parsed has too many words: reported */
    gboolean directives_done; /* no parser directive can follow any more */
    guint directives_seen;    /* bits */
    gboolean foreign;         /* another syntax: reported, nothing more is read */
};

/* directives.c: reads a comment line as a directive while directives are allowed. TRUE if it was
 * one.
 */
gboolean parse_directive(struct parser *ps, const struct line *l, const char *comment);
/* directives.c: finds syntax and check in the unusual forms: after "#!", after "//", in JSON. */
void parse_detect_syntax(struct parser *ps, const char *text, gsize len);

/* lines.c: joins the logical line that starts with l into ps->joined and ps->segments; FALSE when
 * it is empty or too long (reported). Sets *blank_line and *last_line. */
gboolean parse_join(struct parser *ps, const struct line *l, struct instruction *ins);

/* split.c: flags at the start of the text from offset; returns the offset of the rest. */
gsize parse_flags(struct parser *ps, const struct instruction *ins, gsize offset);
/* split.c: words between blanks. */
void parse_plain_words(struct parser *ps, const struct instruction *ins, gsize offset);
/* split.c: words as a shell would see them, quotes kept; each goes to ps->words. */
void parse_quoted_words(struct parser *ps, const struct instruction *ins, gsize offset);
void parse_add_word(struct parser *ps, const struct instruction *ins, const char *text,
                    gsize offset, gsize len);

enum json_result {
    JSON_STRINGS, /* an array of strings: they are in ps->words */
    JSON_OTHER,   /* an array with other elements */
    JSON_NONE,    /* not a JSON array */
    JSON_NUL,     /* a string contains \u0000 */
};
/* json.c: the text from offset to its end. */
enum json_result parse_json(struct parser *ps, const struct instruction *ins, gsize offset);

/* flags.c: checks ps->flags against the flags of the instruction. */
void parse_check_flags(struct parser *ps, const struct instruction *ins);

/* heredocs.c: finds the heredocs that the line announces and reads them from the reader. */
void parse_heredocs(struct parser *ps, struct instruction *ins);

/* forms.c: parses ins->rest by the rules of its kind. keyword and text are set. depth counts
 * ONBUILD. */
void parse_form(struct parser *ps, struct instruction *ins);
enum instruction_kind parse_kind(const char *keyword);

/* instruction.c: parses ins, whose text and segments are set: keyword, flags, form. */
void parse_instruction(struct parser *ps, struct instruction *ins);

/* An error at the keyword. */
#define parse_error(ps, ins, ...) diags_error((ps)->diags, (ins)->span, __VA_ARGS__)

#endif
